from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import CONFIDENCES, Fact, Facts

FACTS = Facts(
    {
        "hostname": Fact("node7", "gethostname", "read"),
        "cpu_quota": Fact(1.5, "cpu.max", "read"),
        "memory_modules": Fact([{"locator": "A1", "populated": True}], "udev", "given"),
    }
)
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_values_stand_plain_and_sources_beside_them():
    assert FACTS.to_json() == {
        "hostname": "node7",
        "cpu_quota": 1.5,
        "memory_modules": [{"locator": "A1", "populated": True}],
        "sources": {
            "hostname": {"source": "gethostname", "confidence": "read"},
            "cpu_quota": {"source": "cpu.max", "confidence": "read"},
            "memory_modules": {"source": "udev", "confidence": "given"},
        },
    }


def test_round_trip_through_text():
    assert Facts.from_json(json.loads(json.dumps(FACTS.to_json()))) == FACTS


@given(
    st.dictionaries(st.text().filter(lambda name: name != "sources"), VALUES, max_size=4), st.sampled_from(CONFIDENCES)
)
def test_any_facts_make_the_round_trip(values, confidence):
    facts = Facts({name: Fact(value, "somewhere", confidence) for name, value in values.items()})
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_facts_cannot_be_changed_through_what_they_return():
    FACTS.to_json()["memory_modules"].append("more")
    FACTS.value("memory_modules").append("more")
    assert FACTS.value("memory_modules") == [{"locator": "A1", "populated": True}]
    with pytest.raises(TypeError):
        FACTS["hostname"] = Fact("other", "", "read")


def test_typed_access_passes_over_what_is_of_another_type():
    facts = Facts({"a": Fact("text", "", "read"), "b": Fact(True, "", "read"), "c": Fact(3, "", "read")})
    assert [facts.integer(name) for name in ("a", "b", "c", "d")] == [None, None, 3, None]
    assert [facts.text(name) for name in ("a", "b", "d")] == ["text", None, None]
    assert facts.value("d", "default") == "default"


DEEP: list = []
for _ in range(50):
    DEEP = [DEEP]
ORIGIN = {"source": "s", "confidence": "read"}


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "text",
        {},
        {"schema": "bandwidth/record/1"},
        {"hostname": "x", "sources": []},
        {"hostname": "x", "sources": {}},
        {"hostname": None, "sources": {"hostname": ORIGIN}},
        {"hostname": float("nan"), "sources": {"hostname": ORIGIN}},
        {"hostname": DEEP, "sources": {"hostname": ORIGIN}},
        {"hostname": "x", "sources": {"hostname": {"source": 3, "confidence": "read"}}},
        {"hostname": "x", "sources": {"hostname": {"source": "s", "confidence": "certain"}}},
        {"hostname": "x", "sources": {"hostname": {"source": "s", "confidence": ["read"]}}},
    ],
)
def test_a_foreign_object_is_refused_in_one_line(broken):
    with pytest.raises(BandwidthError) as caught:
        Facts.from_json(broken)
    assert caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)
