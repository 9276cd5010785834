"""An entry that is made without Pydantic is the one that Pydantic makes, and what it refuses is not made so."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from bandwidth.catalog import MemoryFamily, specs_folder
from bandwidth.catalog.decoding import DeviceFit, HostEnd
from bandwidth.catalog.entries import judged_entry, parsed_file
from bandwidth.catalog.model import Device, LinkGeneration
from bandwidth.catalog.plain_entries import Constraint, plain_entry
from bandwidth.catalog.published import NormalBand, PublishedFigure
from bandwidth.errors import BandwidthError

FOLDER = specs_folder()
KINDS = {
    "memory.toml": MemoryFamily, "links.toml": LinkGeneration, "normal.toml": NormalBand,
    "reference.toml": PublishedFigure, "decoding.toml": DeviceFit, "decoding_host.toml": HostEnd,
}  # fmt: skip
FILES = sorted((*FOLDER.glob("*.toml"), *FOLDER.glob("devices/*.toml")))
TABLES = {path: parsed_file(path) for path in FILES}
ENTRIES = [(path, name) for path, tables in TABLES.items() for name in tables]
SCALARS = st.one_of(
    st.sampled_from([0, 1, -1, 2**53, 2**54, 10**30, 1.0, 0.0, True, False]),
    st.sampled_from(["", "1", "1\n", "100/3", "128/0", "each", "gpu"]),
    st.text(max_size=3), st.integers(), st.booleans(), st.floats(),
)  # fmt: skip
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.just({}))


def kind_of(path):
    return KINDS.get(path.name, Device)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_entry_of_the_package_is_plain_and_the_same(path):
    for name, table in TABLES[path].items():
        entry = plain_entry(kind_of(path), name, table)
        assert entry is not None, name
        assert repr(entry) == repr(judged_entry(path, kind_of(path), name, table))


@given(place=st.sampled_from(ENTRIES), data=st.data())
def test_what_is_plain_is_what_pydantic_makes_of_it(place, data):
    path, name = place
    kind = kind_of(path)
    field = data.draw(st.sampled_from([one.name for one in fields(kind) if one.name != "name"]))
    table = TABLES[path][name] | {field: data.draw(VALUES)}
    entry = plain_entry(kind, name, table)
    if entry is not None:
        assert repr(entry) == repr(judged_entry(path, kind, name, table))  # True is 1, and 1 is 1.0, but not their repr


@pytest.mark.parametrize("field", ["width_bits", "unit", "source"])
def test_a_field_that_lacks_is_for_pydantic_to_name(field):
    path = FOLDER / "memory.toml"
    table = {key: value for key, value in TABLES[path]["DDR4"].items() if key != field}
    assert plain_entry(MemoryFamily, "DDR4", table) is None
    with pytest.raises(BandwidthError, match=f"{field}: Field required"):
        judged_entry(path, MemoryFamily, "DDR4", table)


@dataclass(frozen=True)
class Constrained:
    name: str
    above: Annotated[int, Constraint(gt=0)] = 1
    share: Annotated[float, Constraint(ge=0, le=1, allow_inf_nan=False)] = 1.0
    several: Annotated[tuple[Annotated[str, Constraint(pattern="^[a-z]+$")], ...], Constraint(min_length=2)] = (
        "a",
        "b",
    )
    even: Annotated[int, Field(multiple_of=2)] = 2
    pair: tuple[int, str] = (1, "a")


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("above", [1, 2], [0, -1, 1.0, True]),
        ("share", [0, 1, 0.5, 0.0], [1.5, -0.1, float("nan"), float("inf"), "0.5"]),
        ("several", [["a", "b"], ["a", "b", "c"]], [["a"], [], ["a", "B"], ["a", "b\n"], "ab"]),
    ],
)
def test_a_constraint_is_held_as_pydantic_holds_it(field, right, wrong, tmp_path):
    for value in right:
        entry = plain_entry(Constrained, "one", {field: value})
        assert entry is not None
        assert repr(entry) == repr(judged_entry(tmp_path, Constrained, "one", {field: value}))
    for value in wrong:
        assert plain_entry(Constrained, "one", {field: value}) is None
        with pytest.raises(BandwidthError, match=field):
            judged_entry(tmp_path, Constrained, "one", {field: value})


@pytest.mark.parametrize("table", [{"even": 2}, {"pair": [1, "a"]}])
def test_what_is_not_known_here_is_for_pydantic(table, tmp_path):
    assert plain_entry(Constrained, "one", table) is None
    assert judged_entry(tmp_path, Constrained, "one", table) == Constrained("one")
