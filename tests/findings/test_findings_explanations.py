"""The long texts: complete, found by any of their names, and fit to print."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth import BandwidthError, statistics
from bandwidth.analysis.curves import KNEE_SHARE
from bandwidth.catalog import current_catalog
from bandwidth.engines.host.engine import PAGE_ELEMENTS, SPOT_STRIDE
from bandwidth.findings import (
    comparable,
    explanation,
    explanations,
    gpus,
    machine_state,
    nodes,
    stores,
    threads,
    validity,
)
from bandwidth.findings.rules import in_words
from bandwidth.kernels import CACHE_MULTIPLE, LEAST_DRAM_BYTES
from bandwidth.planning.sizing import UNKNOWN_CACHES_BYTES
from bandwidth.statistics import FEWEST_FOR_INTERVAL, OUTLIER_SCORE


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
    paragraphs = entry.text.strip().split("\n\n")
    assert all(part.strip().endswith((".", "report.")) for part in paragraphs)
    assert len(entry.text) > 150
    assert max(map(len, entry.text.splitlines())) <= 120
    assert not set("{}") & set(entry.text)
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
        ("BW011", f"{UNKNOWN_CACHES_BYTES // 2**30} GiB is taken to be enough"),
        ("BW011", f"more than {UNKNOWN_CACHES_BYTES // CACHE_MULTIPLE // 2**20} MiB of cache"),
        ("BW013", f"one element in {in_words(SPOT_STRIDE // PAGE_ELEMENTS)} pages"),
        ("BW012", {0.1: "a tenth"}[validity.OUTLIER_SHARE]),
        ("BW012", f"{OUTLIER_SCORE}"),
        ("BW004", f"more than {comparable.STEAL_SHARE * 100:.0f} % of the time in which CPUs had work"),
        ("BW004", f"more than {comparable.OTHERS_SHARE * 100:.0f} % of all CPUs'"),
        ("BW004", f"more than {comparable.WAIT_SHARE * 100:.0f} % of their time"),
        ("BW004", f"waited for a CPU for more than {comparable.PRESSURE_SHARE * 100:.0f} % of it"),
        ("BW045", f"{statistics.GROUPS_GAP:g} times as wide"),
        ("BW045", f"at least {statistics.FEWEST_IN_GROUP} blocks"),
        ("BW045", f"at least {(statistics.GROUPS_RATIO - 1) * 100:.0f} % apart"),
        ("BW046", f"further than {comparable.UNSTABLE_HALF_WIDTH * 100:.0f} % from the median"),
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
        ("BW025", f"more than {(1 - nodes.NODES_ALIKE) * 100:.0f} % off"),
        ("BW026", f"Less than {nodes.PLACED_SHARE * 100:.0f} %"),
        ("BW028", f"less than {nodes.SAME_MODULES * 100:.0f} %"),
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


def test_without_docstrings_the_texts_say_that_they_are_missing():
    command = [sys.executable, "-OO", "-m", "bandwidth", "explain", "BW001"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the texts of findings are docstrings, which Python was told to leave out" in done.stderr


def test_a_near_miss_is_told():
    with pytest.raises(BandwidthError, match=r"nothing is explained under 'bw01'; did you mean BW01\d\?|BW0"):
        explanation("bw01")
    with pytest.raises(BandwidthError, match="did you mean write-allocate"):
        explanation("write allocate")


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
