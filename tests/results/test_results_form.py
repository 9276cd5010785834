"""The form of a record's file follows the dataclasses: whatever they declare is written, checked and read again."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from annotated_types import Ge, Le
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.errors import BandwidthError
from bandwidth.results import Case, Examination, Record, Result, Samples
from bandwidth.results.files import MOST_DIGITS, parse, record_to_json
from bandwidth.results.form import _DERIVED_AND_REQUIRED, _RECORD_ORDER, _RESULT_ORDER, fields_in_file
from bandwidth.vocabulary import LATENCY

NO_FINDINGS = Examination({}, ())
# One of fewer digits than a file may have, its sign among them.
GREATEST = 10 ** (MOST_DIGITS - 1) - 1
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-GREATEST, GREATEST)
ANYTHING = st.recursive(
    st.none() | st.booleans() | WHOLE | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
PLAIN = {str: TEXT, int: WHOLE, float: FINITE, bool: st.booleans(), NoneType: st.none(), Any: ANYTHING}
# What more than its type says of a field: sorted CPUs, paths of which one is a latency.
KNOWN_BETTER = {
    "cpus": st.lists(st.integers(0, 300), max_size=4, unique=True).map(sorted).map(tuple),
    "path": st.sampled_from(["copy", LATENCY]),
}


def values_of(hint):
    """Every value that a field of such a type may have, by the type alone: a new field is tried with no line here."""
    arguments = get_args(hint)
    if is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        return st.builds(hint, **{name: KNOWN_BETTER.get(name, values_of(kind)) for name, kind in hints.items()})
    if get_origin(hint) is Annotated:
        bounds = arguments[1].metadata
        least = next((bound.ge for bound in bounds if isinstance(bound, Ge)), None)
        most = next((bound.le for bound in bounds if isinstance(bound, Le)), None)
        if arguments[0] is int:
            return st.integers(least, GREATEST if most is None else most)
        return st.floats(least, most)
    if get_origin(hint) is Literal:
        return st.sampled_from(arguments)
    if get_origin(hint) is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if get_origin(hint) is Mapping:
        return st.dictionaries(TEXT, values_of(arguments[1]), max_size=2)
    if get_origin(hint) in {Union, UnionType}:
        return st.one_of([values_of(kind) for kind in arguments])
    return PLAIN[hint]


@settings(max_examples=60, deadline=None)
@given(values_of(Record))
def test_every_field_of_every_record_is_written_and_read_again(record):
    ids = [result.case.id for result in record.results]
    if len(set(ids)) < len(ids):
        record = replace(record, results=record.results[:1])
    text = json.dumps(record_to_json(record, NO_FINDINGS), allow_nan=False)
    loaded = parse(text, "run.json")
    assert loaded == record
    assert json.dumps(record_to_json(loaded, NO_FINDINGS)) == text
    types = [type(getattr(loaded, declared.name)) for declared in fields(Record)]
    assert types == [type(getattr(record, declared.name)) for declared in fields(Record)]


def test_a_field_with_a_default_may_lack_and_any_other_may_not(make_result, make_record):
    """As in the records of older versions, for every field that is declared: those without a default are refused."""
    content = json.loads(json.dumps(record_to_json(make_record(make_result()), NO_FINDINGS)))
    names = {"seconds": "samples_s", "tool_version": "tool"}
    may_lack = dict.fromkeys(_DERIVED_AND_REQUIRED, False) | {
        names.get(declared.name, declared.name): (declared.default, declared.default_factory) != (MISSING, MISSING)
        for kind in (Record, Case, Samples, Result)
        for declared in fields(kind)
        if declared.name not in {"case", "samples"}
    }
    assert set(may_lack.values()) == {False, True}
    for name, optional in may_lack.items():
        without = copy.deepcopy(content)
        place = without if name in without else without["results"][0]
        if place.pop(name, place) is place:  # it has its default and is left out
            assert optional
        elif optional:
            parse(json.dumps(without), "run.json")
        else:
            with pytest.raises(BandwidthError, match=rf"run\.json: (results\.0\.)?{name}: Field required"):
                parse(json.dumps(without), "run.json")


def test_the_order_names_nothing_that_is_not_written(make_case, make_result, make_record):
    written = fields_in_file(make_record(make_result(), make_result(make_case(path=LATENCY))), NO_FINDINGS)
    assert tuple(written) == (*_RECORD_ORDER, "findings")
    assert set(_RESULT_ORDER) <= {name for result in written["results"] for name in result}


@pytest.mark.parametrize("half_of_a_pair", ["run-\udce9.json", "\ud800"])
def test_a_text_that_is_no_unicode_does_not_lose_the_record(make_result, make_record, half_of_a_pair):
    """A file's name in another encoding is such a text in the command, and so saved since schema 1."""
    record = make_record(make_result(), command=("bandwidth", half_of_a_pair), machine={half_of_a_pair: "a"})
    loaded = parse(json.dumps(record_to_json(record, NO_FINDINGS)), "run.json")
    readable = half_of_a_pair.encode("utf-8", "replace").decode()
    assert (loaded.command, loaded.machine) == (("bandwidth", readable), {readable: "a"})
    assert loaded.results == record.results


@pytest.mark.parametrize("depth", [150, 220, 400, 980, 5000])
def test_a_nesting_is_read_or_refused_in_one_line(make_record, depth):
    text = json.dumps(record_to_json(make_record(machine={"a": "@"}), NO_FINDINGS))
    text = text.replace('"@"', "[" * depth + "]" * depth)
    if depth == 150:
        assert parse(text, "run.json").machine["a"]
        return
    with pytest.raises(BandwidthError, match=r"^run\.json.*recursion") as caught:
        parse(text, "run.json")
    assert "\n" not in str(caught.value)
