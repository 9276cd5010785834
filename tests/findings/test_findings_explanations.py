"""The long texts: complete, found by any of their names, and fit to print."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth import BandwidthError, statistics
from bandwidth.analysis.curves import KNEE_SHARE
from bandwidth.findings import (
    EXPLANATIONS,
    comparable,
    explanation,
    gpus,
    machine_state,
    nodes,
    noise,
    normal_range,
    setup,
    stores,
    threads,
    validity,
)
from bandwidth.statistics import FEWEST_FOR_INTERVAL, OUTLIER_SCORE


def test_every_name_leads_to_one_entry():
    names = [name.lower() for entry in EXPLANATIONS for name in (entry.key, *entry.aliases)]
    assert len(names) == len(set(names))
    for entry in EXPLANATIONS:
        for name in (entry.key, *entry.aliases):
            assert explanation(name) is entry
            assert explanation(f"  {name.upper()} ") is entry


def test_the_codes_come_first_and_have_no_gap():
    codes = [entry.key for entry in EXPLANATIONS if entry.key.startswith("BW")]
    assert codes == [f"BW{number:03}" for number in range(1, len(codes) + 1)]
    assert [entry.key for entry in EXPLANATIONS[: len(codes)]] == codes


@pytest.mark.parametrize("rules", [gpus, machine_state, nodes, noise, normal_range, setup, stores, threads, validity])
def test_a_text_stands_beside_the_rule_that_raises_its_code(rules):
    texts = importlib.import_module(f"{rules.__name__}_texts").TEXTS
    raised = set(re.findall(r'"(BW\d{3})"', Path(rules.__file__).read_text("utf-8")))
    assert texts
    assert {entry.key for entry in texts} <= raised


@pytest.mark.parametrize("entry", EXPLANATIONS, ids=lambda entry: entry.key)
def test_every_entry_can_be_printed(entry):
    assert entry.text.isascii()
    assert entry.title.isascii()
    assert len(entry.key) + len(entry.title) < 78
    assert not entry.title.endswith(".")
    paragraphs = entry.text.strip().split("\n\n")
    assert all(part.strip().endswith((".", "report.")) for part in paragraphs)
    assert len(entry.text) > 150
    named = set(re.findall(r"BW\d{3}", entry.text))
    assert named <= {other.key for other in EXPLANATIONS}


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("BW001", "at least 4 times"),
        ("BW001", "256 MiB"),
        ("BW003", f"{comparable.UNSTABLE_HALF_WIDTH * 100:.0f} %"),
        ("BW008", {6: "six"}[FEWEST_FOR_INTERVAL]),
        ("BW009", f"{validity.SKEW_SHARE * 100:.0f} %"),
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
        ("BW032", f"more than {machine_state.CLOCK_BETWEEN * 100:.0f} %"),
    ],
)
def test_the_texts_name_the_limits_that_the_rules_have(code, limit):
    assert limit in " ".join(explanation(code).text.split())


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
