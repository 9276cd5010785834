"""Records on disk: their form follows the dataclasses, what is refused, and that a file is whole or not there."""

from __future__ import annotations

import copy
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from annotated_types import Ge, Le
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth import BandwidthError, text_files
from bandwidth.errors import UsageError
from bandwidth.findings import examine
from bandwidth.results import Case, Ceiling, Examination, NotRun, Observed, Record, Result, Samples, summarise
from bandwidth.results import files as results_files
from bandwidth.results.files import (
    _DERIVED_AND_REQUIRED,
    _RECORD_ORDER,
    _RESULT_ORDER,
    MOST_DIGITS,
    SCHEMA_VERSION,
    fields_in_file,
    load,
    parse,
    record_to_json,
    save,
)
from bandwidth.text_files import check_writable, write_atomically
from bandwidth.vocabulary import LATENCY

# Written by schema 1 as it is now: fields may be added, and later versions must go on reading it.
GOLDEN = Path(__file__).parents[1] / "data" / "record-1.json"
MIB = 1024**2


@pytest.fixture(scope="module")
def record(make_case, make_result, make_record):
    measured = make_result(
        make_case(
            variant={"stores": "streaming"},
            threads=2,
            traffic_bytes_per_call=256 * MIB,
            caches={"L1": 98304, "L2": 4 * MIB, "L3": 32 * MIB},
        ),
        (0.02, 0.021, 0.0205, 0.0195, 0.02, 0.0202, 0.0201),
        calls_per_sample=3,
        start_skew_s=1.5e-5,
        theory_bytes_per_s=93866666666.66667,
        theory_source="--memory DDR4-2933 x4",
        vendor_bytes_per_s=90e9,
        tuning={"block": 64},
        ceilings=(
            Ceiling("core", 45e9, "16 lines x 64 B / 22.8 ns", "a test", "low"),
            Ceiling("memory", 93866666666.66667, "2933.33 MT/s x 8 B x 4 = 93.87 GB/s", "--memory", "high"),
        ),
        observed={"clock_hz": Observed(3.5e9, 3.4e9, 3.6e9), "huge_page_share": Observed(1.0, 1.0, 1.0)},
    )
    half = make_result(make_case(variant={"sweep_point": 128 * MIB}, working_set_bytes=128 * MIB), pinned=False)
    wrong = make_result(make_case(path="add", cpus=(0,)), (0.02,), failure="element 7 is wrong", stopped_by="failure")
    loads = make_case(path="latency", engine="native", bytes_per_call=512, payload_bytes_per_call=512)
    chased = make_result(
        loads, (0.0224,) * 7, calls_per_sample=4000, observed={"clock_hz": Observed(3.5e9, 3.5e9, 3.5e9)}
    )
    return make_record(
        measured,
        half,
        wrong,
        chased,
        command=("bandwidth", "measure", "host", "--memory", "DDR4-2933 x4"),
        not_run=(NotRun("host/scale/numpy/1", "the budget of 1 s was used up; use a longer --budget"),),
        notes=("a note",),
    )


@pytest.fixture
def content(record):
    return json.loads(json.dumps(record_to_json(record, examine(record))))


def refused(content, *parts):
    """Check that a content, or a text, is refused in one line that names its file and has `parts`."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(BandwidthError) as caught:
        parse(text, "run.json")
    message = str(caught.value)
    assert message.startswith("run.json")
    assert "\n" not in message
    assert caught.value.hint
    assert caught.value.exit_code == 1
    for part in parts:
        assert part in message
    return message


def test_the_golden_file_is_what_is_written(record, tmp_path):
    save(record, examine(record), tmp_path / "run.json")
    assert (tmp_path / "run.json").read_text("utf-8") == GOLDEN.read_text("utf-8")


def test_the_golden_file_is_read_as_the_record(record):
    assert load(GOLDEN) == record
    assert load(str(GOLDEN)) == record


def test_the_golden_file_has_the_fields_of_the_contract():
    content = json.loads(GOLDEN.read_text("utf-8"))
    assert content["schema"] == "bandwidth/record/1"
    assert set(content) >= {"tool", "taken_at", "command", "machine", "conditions", "results", "not_run", "findings"}
    assert set(content["results"][0]) >= {
        "id", "target", "path", "engine", "threads", "variant", "working_set_bytes", "bytes_per_call",
        "payload_bytes_per_call", "traffic_bytes_per_call", "samples_s", "calls_per_sample", "start_skew_s",
        "stopped_by", "verified", "median_bytes_per_s", "best_bytes_per_s", "ci95_bytes_per_s", "theory_bytes_per_s",
        "theory_source", "vendor_bytes_per_s", "efficiency", "vendor_efficiency", "tuning", "findings",
    }  # fmt: skip
    failed = next(result for result in content["results"] if not result["verified"])
    assert (failed["median_bytes_per_s"], failed["best_bytes_per_s"], failed["ci95_bytes_per_s"]) == (None,) * 3
    assert [finding["code"] for finding in failed["findings"]] == ["BW006"]


def test_the_options_of_the_call_are_kept_as_data(record, tmp_path):
    options = {"target": "host", "kernels": ["copy"], "size_bytes": 2**22, "numa": True}
    save(replace(record, options=options), examine(record), tmp_path / "run.json")
    assert load(tmp_path / "run.json").options == options
    assert load(GOLDEN).options == {}  # from before they were kept


def test_a_latency_has_nanoseconds_and_cycles_and_no_rate(content):
    latency = next(result for result in content["results"] if result["path"] == "latency")
    assert latency["median_ns"] == pytest.approx(0.0224e9 / 4000 / 64)
    assert latency["median_cycles"] == pytest.approx(latency["median_ns"] * 3.5)
    assert (latency["median_bytes_per_s"], latency["efficiency"]) == (None, None)


def test_an_older_record_without_caches_and_observations_is_read(content, record):
    for result in content["results"]:
        del result["caches"], result["observed"]
    older = parse(json.dumps(content), "run.json")
    assert all((result.case.caches, result.observed) == ({}, {}) for result in older.results)
    assert [result.samples for result in older.results] == [result.samples for result in record.results]
    assert [result.case.id for result in older.results] == [result.case.id for result in record.results]
    examine(older)  # and no rule stumbles over what is not there


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("caches", {"L1": "many"}),
        ("caches", {"L1": -1}),
        ("caches", [1]),
        ("observed", {"clock_hz": 3.5e9}),
        ("observed", {"clock_hz": {"median": "fast", "least": 1, "most": 2}}),
    ],
)
def test_wrong_caches_and_observations_are_refused(content, field, value):
    content["results"][0][field] = value
    refused(content, field)


def test_loading_what_was_saved_gives_the_same_record(record, tmp_path):
    save(record, examine(record), tmp_path / "run.json")
    assert load(tmp_path / "run.json") == record


def test_statistics_and_ids_in_the_file_are_not_trusted(content, record):
    for result in content["results"]:
        result |= {"median_bytes_per_s": 1e15, "best_bytes_per_s": 1e15, "efficiency": 9.0, "ci95_bytes_per_s": [0, 1]}
        result |= {"id": "host/copy/forged/1", "findings": []}
    content["findings"] = [{"code": "BW999", "text": "forged", "hint": "forged"}]
    loaded = parse(json.dumps(content), "run.json")
    assert loaded == record
    assert summarise(loaded.results[0]) == summarise(record.results[0])
    assert "BW999" not in examine(loaded).codes()


def test_a_changed_sample_changes_the_rate(content, record):
    content["results"][0]["samples_s"] = [1.0] * 7
    loaded = parse(json.dumps(content), "run.json")
    assert summarise(loaded.results[0]).median_bytes_per_s == 3 * 256 * MIB


def test_an_unverified_result_stays_so_without_its_reason(content):
    content["results"][2]["failure"] = None
    assert not parse(json.dumps(content), "run.json").results[2].is_verified


def test_unknown_fields_are_passed_over(content, record):
    content["later"] = {"a": [1]}
    content["tool"]["later"] = 1
    content["results"][0]["later"] = None
    content["conditions"]["later"] = {}
    assert parse(json.dumps(content), "run.json") == record


# --- schemas


def test_a_newer_schema_is_refused(content):
    refused(content | {"schema": f"bandwidth/record/{SCHEMA_VERSION + 1}"}, "schema 2", "up to 1", "update bandwidth")
    refused(content | {"schema": "bandwidth/record/" + "9" * 500})


def test_schema_0_is_refused(content):
    refused(content | {"schema": "bandwidth/record/0"}, "schema 0", "not known")


@pytest.mark.parametrize(
    "schema", ["bandwidth/theory/1", "bandwidth/record/", "bandwidth/record/-1", "x" * 900, 1, None]
)
def test_another_schema_is_refused(content, schema):
    assert len(refused(content | {"schema": schema}, "not a record of bandwidth")) < 200


def test_an_older_schema_is_upgraded_step_by_step(content, record, monkeypatch):
    monkeypatch.setattr(results_files, "SCHEMA_VERSION", 3)
    monkeypatch.setitem(results_files.UPGRADES, 1, lambda old: old | {"notes": [*old["notes"], "one"]})
    monkeypatch.setitem(results_files.UPGRADES, 2, lambda old: old | {"notes": [*old["notes"], "two"]})
    assert parse(json.dumps(content), "run.json").notes == ("a note", "one", "two")


# --- what is no record


@pytest.mark.parametrize("text", ["", " ", "{", "[1, 2", "nonsense", '{"a": 1} trailing', "\ufeff{}", "\0"])
def test_what_is_not_json_is_refused(text):
    refused(text, "not complete JSON")


@pytest.mark.parametrize("text", ["[]", "1", "null", '"text"', "{}", '{"results": []}', '{"schema": {}}'])
def test_foreign_json_is_refused(text):
    refused(text, "not a record of bandwidth")


def test_a_truncated_file_is_refused_wherever_it_was_cut():
    text = GOLDEN.read_text("utf-8").rstrip()
    for length in range(1, len(text), 97):
        refused(text[:length], "not complete JSON")


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_a_huge_nesting_is_refused(opening):
    refused(opening * 100_000, "not complete JSON")


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 5000])
def test_numbers_that_json_does_not_have_are_refused_anywhere(content, bad):
    for place in (content["results"][0]["samples_s"], content["conditions"]["before"], content["machine"]):
        changed = json.dumps(content)
        key = 0 if isinstance(place, list) else next(iter(place))
        old, place[key] = place[key], "@"
        changed = json.dumps(content).replace('"@"', bad)
        place[key] = old
        assert len(refused(changed, "not complete JSON")) < 400


@pytest.mark.parametrize("bad", [0, 0.0, -0.02, 5e-324, 1e300, "0.02", None, True, [0.02]])
def test_samples_that_cannot_be_are_refused(content, bad):
    content["results"][0]["samples_s"][3] = bad
    refused(content, "results.0.samples_s.3")


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("threads", 0), ("threads", True), ("threads", "2"), ("threads", 1.5), ("bytes_per_call", 0),
        ("payload_bytes_per_call", -1), ("traffic_bytes_per_call", 0), ("working_set_bytes", None),
        ("calls_per_sample", 0), ("start_skew_s", -1e-9), ("stopped_by", None), ("verified", "yes"), ("verified", 1),
        ("pinned", None), ("theory_bytes_per_s", 0), ("theory_bytes_per_s", 1e-300), ("vendor_bytes_per_s", -1.0),
        ("variant", []), ("variant", {"a": None}), ("tuning", None), ("cpus", "3-1"), ("cpus", "0-999999999"),
        ("samples_s", 1.0), ("samples_s", {}), ("target", 1), ("path", None), ("engine", ["numpy"]),
    ],
)  # fmt: skip
def test_wrong_types_and_values_of_a_result_are_refused(content, field, bad):
    content["results"][0][field] = bad
    refused(content, f"results.0.{field}")


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("tool", None), ("tool", {"name": "bandwidth"}), ("taken_at", 1), ("command", "bandwidth"), ("command", [1]),
        ("machine", []), ("conditions", {"before": {}}), ("results", {}), ("results", [1]), ("not_run", [{"id": "a"}]),
        ("memory", None), ("notes", [None]),
    ],
)  # fmt: skip
def test_wrong_types_of_a_record_are_refused(content, field, bad):
    content[field] = bad
    refused(content, field)


def test_missing_fields_are_refused(content):
    required = {
        "target", "path", "engine", "threads", "id", "working_set_bytes", "bytes_per_call", "payload_bytes_per_call",
        "samples_s", "calls_per_sample", "start_skew_s", "stopped_by", "verified",
    }  # fmt: skip
    for field in required:
        changed = copy.deepcopy(content)
        del changed["results"][0][field]
        refused(changed, f"results.0.{field}")
    for field in ("tool", "taken_at", "command", "machine", "conditions", "results", "not_run"):
        refused({name: value for name, value in content.items() if name != field}, field)


def test_a_key_of_the_file_cannot_break_the_line(content):
    content["results"][0]["variant"] = {"two\nlines\x1b[31m" + "x" * 5000: []}
    message = refused(content, r"two\nlines\x1b")
    assert len(message) < 300


# --- files that cannot be read


def unreadable(path, *parts):
    with pytest.raises(BandwidthError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path)[:50] in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    unreadable(tmp_path, "cannot be read")
    unreadable(tmp_path / "none.json", "does not exist")
    unreadable(tmp_path / ("n" * 300), "cannot be read")
    (tmp_path / "latin.json").write_bytes(b'{"schema": "\xe9"}')
    unreadable(tmp_path / "latin.json", "it is not text")
    unreadable(tmp_path / "latin.json" / "below", "cannot be read")
    monkeypatch.setattr(text_files, "LARGEST_FILE_BYTES", 10)
    unreadable(GOLDEN, "too large")


# --- whole or not at all


def broken_disk(*_args, **_kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "fdopen"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call, record):
    path = tmp_path / "run.json"
    path.write_text("old")
    monkeypatch.setattr(os, call, broken_disk)
    with pytest.raises(UsageError, match=r"run\.json cannot be written: No space left on device"):
        save(record, examine(record), path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_failed_rename_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", broken_disk)
    with pytest.raises(UsageError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_an_interrupt_in_the_middle_of_a_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "run.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("a much longer old text")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_readers_of_the_old_file_keep_it_whole(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")
    with path.open() as reader:
        write_atomically(path, "new")
        assert reader.read() == "old"


def test_a_link_keeps_pointing(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real.json"
    target.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [entry.name for entry in target.parent.iterdir()] == ["real.json"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "run.json", "new")
    finally:
        assert os.umask(before) == mask
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == mode


def test_what_cannot_be_written_is_told_before_anything_is_measured(tmp_path):
    (tmp_path / "lost.json").symlink_to(tmp_path / "no folder" / "real.json")
    (tmp_path / "circle.json").symlink_to(tmp_path / "circle.json")
    for name, part in (
        (".", "is a folder"),
        ("none/run.json", "is not a folder"),
        ("lost.json", "no folder is not a folder"),
        ("circle.json", "cannot be written"),
        ("n" * 300, "cannot be written"),
    ):
        with pytest.raises(UsageError, match=part):
            check_writable(tmp_path / name)
    check_writable(tmp_path / "new.json")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["circle.json", "lost.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_device_is_written_to_and_its_trouble_is_one_error():
    write_atomically(Path(os.devnull), "new")
    assert not Path(os.devnull).is_file()
    with pytest.raises(UsageError, match=r"/dev/full cannot be written"):
        write_atomically(Path("/dev/full"), "new")


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
