"""How a rule is registered, with its text, at one place; and the texts: complete, found by any name, fit to print."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth import BandwidthError, statistics
from bandwidth.analysis import comparable
from bandwidth.analysis.curves import KNEE_SHARE
from bandwidth.catalog import current_catalog
from bandwidth.engines.host.engine import PAGE_ELEMENTS, SPOT_STRIDE
from bandwidth.findings import (
    examine,
    explanation,
    explanations,
    explanations_of,
    gpus,
    machine_state,
    memory,
    noise,
    rules,
    stores,
    threads,
    validity,
)
from bandwidth.findings.evidence import Raised
from bandwidth.findings.rules import ALL, MACHINE, THEORY, Rule, also, in_words, percent, rule
from bandwidth.kernels import CACHE_MULTIPLE, LEAST_DRAM_BYTES
from bandwidth.planning.sizing import UNKNOWN_CACHES_BYTES
from bandwidth.statistics import FEWEST_FOR_INTERVAL, OUTLIER_SCORE
from bandwidth.vocabulary import HOST

FOLDER = Path(rules.__file__).parent
RULES = rules.rules()
WITH_TEXT = [one for one in RULES if one.title]


@pytest.fixture
def own_rules(monkeypatch):
    """Let a test register rules for itself alone; its list of them is returned."""
    planted = list(RULES)
    monkeypatch.setattr(rules, "_RULES", planted)
    return planted


def finds_something(_):
    """Say in a text of its own what this is, to {limit}."""
    yield Raised(None, "something was seen here", "nothing is to be done")


@pytest.mark.parametrize("one", WITH_TEXT, ids=lambda one: one.code)
def test_every_rule_has_a_code_a_title_a_text_and_its_limits(one):
    assert re.fullmatch(r"BW\d{3}", one.code)
    assert len(one.title) > 10
    assert len(one.find.__doc__) > 150
    assert {name for _, name, _, _ in string.Formatter().parse(one.find.__doc__) if name} == set(one.limits)


def test_every_code_has_one_text_and_none_is_left_out():
    codes = sorted(one.code for one in WITH_TEXT)
    assert codes == [f"BW{number:03}" for number in range(1, len(codes) + 1)]
    assert {one.code for one in RULES} == set(codes)


def test_every_rule_has_a_rank_of_its_own():
    ranks = [one.rank for one in RULES]
    assert ranks == sorted(set(ranks))
    assert all(one.of in {HOST, ALL} for one in RULES if one.compares)


def test_no_rule_of_any_theme_is_forgotten():
    sources = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.py")}
    written = {theme for theme, source in sources.items() if "\n@rule(" in source}
    registered = {one.find for one in RULES}
    assert {find.__module__.rpartition(".")[2] for find in registered} == written
    public = {
        value
        for find in registered
        for name, value in find.__globals__.items()
        if isinstance(value, FunctionType) and value.__module__ == find.__module__ and not name.startswith("_")
        if value.__annotations__.get("return") == "Iterator[Raised]"
    }
    assert public == registered
    assert len(RULES) == len(registered)


def test_long_lines_stand_in_texts_alone():
    for path in FOLDER.glob("*.py"):
        texts = "".join(one.find.__doc__ for one in WITH_TEXT if one.find.__module__.endswith(f".{path.stem}"))
        long = [line for line in path.read_text("utf-8").splitlines() if len(line) > 120]
        assert [line for line in long if line.strip() not in texts] == []


def test_one_function_is_all_that_a_rule_takes(own_rules, make_record, make_result):
    rule("BW999", "A planted finding", rank=15, of=HOST, limits={"limit": percent(0.05)})(finds_something)
    also("BW999", rank=16, of=HOST)(finds_something)
    (first, second) = examine(make_record(make_result())).general
    assert first == second
    assert (first.code, first.text, first.hint) == ("BW999", "something was seen here", "nothing is to be done")
    explanations.cache_clear()
    try:
        (text,) = [entry for entry in explanations() if entry.key == "BW999"]
    finally:
        explanations.cache_clear()
    assert (text.title, text.text) == ("A planted finding", "Say in a text of its own what this is, to 5 %.")


def test_findings_come_by_rank_and_not_in_the_order_of_registration(own_rules, make_record, make_result):
    for code, rank in (("BW997", 17), ("BW999", 15), ("BW998", 16)):
        rule(code, "A planted finding", rank=rank, of=ALL)(finds_something)
    assert [one.code for one in examine(make_record(make_result())).general] == ["BW999", "BW998", "BW997"]


def test_a_code_or_a_rank_that_is_taken_is_refused(own_rules):
    with pytest.raises(ValueError, match="BW015 is the code of another rule"):
        rule("BW015", "A second text", rank=15, of=HOST)(finds_something)
    with pytest.raises(ValueError, match="rank 10 of BW999 is that of another rule"):
        rule("BW999", "A planted finding", rank=10, of=HOST)(finds_something)
    with pytest.raises(ValueError, match="rank 10 of BW015 is that of another rule"):
        also("BW015", rank=10, of=HOST)(finds_something)
    assert tuple(own_rules) == RULES


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (HOST, lambda record: [one.case.target for one in record.results] == ["host"]),
        (ALL, lambda record: len(record.results) == 2),
        (MACHINE, lambda machine: machine == {"physical_cores": 8}),
        (THEORY, lambda memory: memory == {"reason": 7}),
    ],
)
def test_a_rule_is_shown_what_it_looks_at(own_rules, make_record, make_case, make_result, of, expected):
    def find(seen):
        assert expected(seen)
        return finds_something(seen)

    rule("BW999", "A planted finding", rank=15, of=of)(find)
    results = make_result(), make_result(make_case(target="device:0", engine="cuda"))
    record = make_record(*results, machine={"physical_cores": 8}, memory={"reason": 7})
    assert "BW999" in examine(record).codes()


@pytest.mark.parametrize(("of", "is_asked"), [(HOST, False), (ALL, True), (MACHINE, False), (THEORY, False)])
def test_of_gpus_alone_nothing_is_said_of_the_host(own_rules, make_record, make_case, make_result, of, is_asked):
    rule("BW999", "A planted finding", rank=15, of=of)(finds_something)
    record = make_record(make_result(make_case(target="device:0", engine="cuda")))
    assert ("BW999" in examine(record).codes()) is is_asked


def test_numbers_are_written_as_texts_do():
    assert (percent(0.05), percent(1.1 - 1), percent(1 - 0.95), percent(0.025)) == ("5 %", "10 %", "5 %", "2.5 %")
    assert (in_words(6), in_words(0.1)) == ("six", "a tenth")
    with pytest.raises(KeyError):
        in_words(7)


# --- the texts ------------------------------------------------------------------------------------------------------


def test_every_name_leads_to_one_entry():
    names = [name.lower() for entry in explanations() for name in (entry.key, *entry.aliases)]
    assert len(names) == len(set(names))
    for entry in explanations():
        for name in (entry.key, *entry.aliases):
            assert explanation(name) is entry
            assert explanation(f"  {name.upper()} ") is entry


def test_the_codes_come_first_and_have_no_gap():
    codes = [entry.key for entry in explanations() if entry.key.startswith("BW")]
    assert codes == [f"BW{number:03}" for number in range(1, len(codes) + 1)]
    assert [entry.key for entry in explanations()[: len(codes)]] == codes


@pytest.mark.parametrize("entry", explanations(), ids=lambda entry: entry.key)
def test_every_entry_can_be_printed(entry):
    assert entry.text.isascii()
    assert entry.title.isascii()
    assert len(entry.key) + len(entry.title) < 78
    assert not entry.title.endswith(".")
    assert len(entry.text) > 150
    prose = re.sub(r"^```\w*\n.*?^```$", "", entry.text, flags=re.MULTILINE | re.DOTALL)
    assert "```" not in prose
    paragraphs = re.split(r"\n{2,}", prose.strip())
    assert all(part.strip().rstrip(")").endswith((".", ":", ";")) for part in paragraphs)
    assert max(map(len, prose.splitlines())) <= 120
    assert not set("{}") & set(prose)
    named = set(re.findall(r"BW\d{3}", entry.text))
    assert named <= {other.key for other in explanations()}


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("BW001", f"at least {CACHE_MULTIPLE} times"),
        ("BW001", f"at least {LEAST_DRAM_BYTES // 2**20} MiB"),
        ("BW003", f"{comparable.UNSTABLE_HALF_WIDTH * 100:.0f} %"),
        ("BW008", {6: "six"}[FEWEST_FOR_INTERVAL]),
        ("BW009", f"{validity.SKEW_SHARE * 100:.0f} %"),
        ("BW011", f"{UNKNOWN_CACHES_BYTES // 2**30} GiB is assumed to be enough"),
        ("BW011", f"more than {UNKNOWN_CACHES_BYTES // CACHE_MULTIPLE // 2**20} MiB of cache"),
        ("BW013", f"one element in {in_words(SPOT_STRIDE // PAGE_ELEMENTS)} pages"),
        ("BW012", {0.1: "a tenth"}[validity.OUTLIER_SHARE]),
        ("BW012", f"{OUTLIER_SCORE}"),
        ("BW004", f"more than {comparable.STEAL_SHARE * 100:.0f} % of the busy CPU time"),
        ("BW004", f"more than {comparable.OTHERS_SHARE * 100:.0f} % of all CPUs"),
        ("BW004", f"more than {comparable.WAIT_SHARE * 100:.0f} % of their time"),
        ("BW004", f"waited for a CPU for more than {comparable.PRESSURE_SHARE * 100:.0f} % of it"),
        ("BW045", f"{statistics.GROUPS_GAP:g} times as wide"),
        ("BW045", f"at least {statistics.FEWEST_IN_GROUP} blocks"),
        ("BW045", f"at least {(statistics.GROUPS_RATIO - 1) * 100:.0f} % apart"),
        ("BW061", f"at least {in_words(noise.FEWEST_EARLIER)}"),
        ("BW061", f"the newest {in_words(noise.NEWEST_LEFT_OUT)} are left out"),
        ("BW061", f"more than {noise.EARLIER_APART * 100:.0f} %"),
        ("BW046", f"at most {comparable.UNSTABLE_HALF_WIDTH * 100:.0f} % around the median"),
        ("BW004", f"more than {machine_state.MEMORY_WAIT_SHARE * 100:.0f} % of the run"),
        ("BW015", f"less than {stores.STORES_ALIKE * 100:.0f} %"),
        ("BW016", f"less than {stores.NUMPY_ALIKE * 100:.0f} %"),
        ("BW018", f"less than {stores.NUMPY_ALIKE * 100:.0f} %"),
        ("BW018", f"below {stores.SHORT_CALL_S * 1e6:.0f} us"),
        ("BW018", f"about {stores.CALL_COST_S * 1e6:.1f} us"),
        ("BW019", f"more than {(stores.ZEROS_GAIN - 1) * 100:.0f} %"),
        ("BW020", f"more than {(stores.ZEROS_GAIN - 1) * 100:.0f} %"),
        ("BW021", f"less than {threads.ONE_THREAD_FILLS * 100:.0f} %"),
        ("BW022", f"{KNEE_SHARE * 100:.0f} % of the best"),
        ("BW023", f"less than {threads.THREADS_COST * 100:.0f} %"),
        ("BW025", f"differs by more than {(1 - memory.NODES_ALIKE) * 100:.0f} %"),
        ("BW026", f"Less than {memory.PLACED_SHARE * 100:.0f} %"),
        ("BW028", f"less than {memory.SAME_MODULES * 100:.0f} %"),
        ("BW030", f"below {machine_state.NOMINAL_SHARE * 100:.0f} %"),
        ("BW031", f"less than {machine_state.HUGE_SHARE * 100:.0f} %"),
        ("BW032", f"more than {machine_state.CLOCK_RANGE * 100:.0f} %"),
        ("BW036", f"more than {gpus.HELD_LEAST_S * 1e3:.0f} ms"),
    ],
)
def test_the_texts_name_the_limits_that_the_rules_have(code, limit):
    assert limit in " ".join(explanation(code).text.split())


def test_the_text_of_what_is_normal_has_the_band_of_the_catalog():
    (band,) = [one for one in current_catalog().normal_bands if one.name == "host memory"]
    assert f"{band.low * 100:g} to {band.high * 100:g} % of the {band.denominator}" in explanation("BW034").text


def test_without_docstrings_the_texts_are_read_from_the_source():
    commands = [[sys.executable, *options, "-m", "bandwidth", "explain", "BW015"] for options in ([], ["-OO"])]
    kept, left_out = (subprocess.run(command, capture_output=True, text=True, check=True) for command in commands)
    assert kept.stdout == left_out.stdout
    assert len(kept.stdout) > 500


def test_without_docstrings_and_source_the_texts_say_that_they_are_missing(own_rules):
    find = FunctionType(compile("()", "no file", "eval"), {})
    own_rules[:] = [Rule("BW999", 15, ALL, False, find, "A planted finding")]
    explanations.cache_clear()
    try:
        with pytest.raises(BandwidthError, match="docstrings, which Python omits with -OO; run without -OO"):
            explanations()
    finally:
        explanations.cache_clear()


def test_a_near_miss_is_told():
    with pytest.raises(BandwidthError, match=r"no explanation of 'bw01'; did you mean BW01\d\?|BW0"):
        explanation("bw01")
    with pytest.raises(BandwidthError, match="did you mean write-allocate"):
        explanation("write allocte")
    with pytest.raises(BandwidthError, match=r"did you mean virtual machine\?"):
        explanation("virtual machnie")


@pytest.mark.parametrize("key", ["quantum", "dram timing", "cas", "graphics", "bw", "memory"])
def test_what_is_not_near_is_not_suggested(key):
    with pytest.raises(BandwidthError, match="; `bandwidth explain` lists codes and topics"):
        explanation(key)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpu", "`bandwidth measure device` measures the memory of the GPU"),
        ("hbm", "HBM stacks have 1024 bits each"),
        ("theory", "Peak = transfers per second x bytes per transfer"),
        ("share", "is that of its lowest known ceiling"),
        ("median", "the median of the blocks: half of them were faster"),
        ("interval", "The 95 % interval"),
        ("cache", "a benchmark on a small array measures the cache"),
        ("roofline", "times the arithmetic intensity of the loop"),
        ("xmp", "a profile (XMP from Intel, EXPO from AMD)"),
        ("single channel", "only one channel holds modules"),
        ("Single-Channel", "only one channel holds modules"),
        ("lanes", "the slot may have 8 lanes"),
        ("pcie gen1", "Gen1 at idle is normal"),
        ("vm", "A virtual machine does not show the memory modules"),
        ("container", "Only the permitted CPUs are measured"),
        ("tokens", "tokens/s is at most bandwidth / bytes per token"),
        ("triad", "triad is the figure usually quoted"),
        ("native", "compiles them for this processor"),
        ("ceiling", "a rate that a case cannot exceed"),
        ("exit code", "130: interrupted"),
        ("write_allocate", "An ordinary store to a line"),
    ],
)
def test_what_people_ask_for_is_answered(name, says):
    assert says in " ".join(explanation(name).text.split())


def keys(*words):
    return [entry.key for entry in explanations_of(words)]


def test_several_are_found_one_after_the_other():
    assert keys("xmp", "vm") == ["xmp", "vm"]
    assert keys("BW015", "first", "touch", "single", "channel", "bw001") == [
        "BW015",
        "first touch",
        "channels",
        "BW001",
    ]
    assert keys("loaded", "latency") == ["loaded latency"]
    assert keys("latency", "loaded latency", "tlb") == ["latency", "loaded latency"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("xmp", "containr"), "no explanation of 'containr'; did you mean container?"),
        (("quantum", "chromodynamics"), "no explanation of 'quantum chromodynamics'; `bandwidth explain` lists"),
        (("xmp", "containr", "vm"), "no explanation of 'containr'; did you mean container?"),
        (("quantum", "loops", "vm"), "no explanation of 'quantum loops'; `bandwidth explain` lists"),
        (("write", "alocate"), "no explanation of 'write alocate'; did you mean write-allocate?"),
        (("loaded", "latancy"), "no explanation of 'loaded latancy'; did you mean loaded latency?"),
    ],
)
def test_of_several_the_one_that_is_not_there_is_named(words, said):
    with pytest.raises(BandwidthError, match=re.escape(said)):
        explanations_of(words)


def test_what_is_not_there_names_the_way_to_the_list():
    with pytest.raises(BandwidthError, match="`bandwidth explain` lists codes and topics"):
        explanation("xyzzy")


@given(st.text(max_size=300))
def test_any_text_is_found_or_refused_in_one_short_line(key):
    try:
        found = explanation(key)
    except BandwidthError as error:
        message = str(error)
    else:
        message = found.title
    assert "\n" not in message
    assert len(message) < 800
