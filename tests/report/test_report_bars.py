"""Bars: to one scale from zero, exact to an eighth of a column, and never longer than there is room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.report import Column, Document, Table, render
from bandwidth.report.bars import LONGEST_BAR, SHORTEST_SCALE, drawn

EIGHTHS = " ▏▎▍▌▋▊▉█"
VALUES = st.lists(st.none() | st.floats(0, 1e15), min_size=1, max_size=20)


def length(bar):
    """The columns that a bar fills, parts of a column as eighths."""
    return sum(1 if character == "#" else EIGHTHS.index(character) / 8 for character in bar)


def test_bars_begin_at_zero():
    assert drawn([80.0, 40.0, 20.0, 0.0, None], 8, blocks=False) == ("#" * 8, "#" * 4, "##", "", "")
    assert drawn([80.0, 45.0, 20.0, 0.0, None], 8, blocks=True) == ("█" * 8, "████▌", "██", "", "")


def test_what_is_there_is_seen():
    assert drawn([1000.0, 0.001], 20, blocks=True)[1] == "▏"
    assert drawn([1000.0, 0.001], 20, blocks=False)[1] == "#"


@pytest.mark.parametrize("values", [[], [None], [0.0, None]])
def test_nothing_to_draw_is_no_bar(values):
    assert drawn(values, 30, blocks=True) is None


def test_without_room_there_are_no_bars():
    assert drawn([1.0], SHORTEST_SCALE - 1, blocks=True) is None
    assert drawn([1.0], SHORTEST_SCALE, blocks=True) is not None


@given(VALUES, st.integers(SHORTEST_SCALE, 100), st.booleans())
def test_bars_keep_to_their_room_and_their_order(values, columns, blocks):
    bars = drawn(values, columns, blocks=blocks)
    known = [value for value in values if value is not None]
    if not any(known):
        assert bars is None
        return
    assert max(map(length, bars)) == min(columns, LONGEST_BAR)
    pairs = sorted((value, length(bar)) for value, bar in zip(values, bars, strict=True) if value is not None)
    assert [bar for _, bar in pairs] == sorted(bar for _, bar in pairs)
    longest = max(known)
    step = 1 / 8 if blocks else 1
    assert all(abs(bar - value / longest * min(columns, LONGEST_BAR)) <= step for value, bar in pairs)


def test_a_row_of_several_lines_keeps_its_bar_beside_the_first():
    columns = (Column("words", wrap_at=9), Column("n", "right"))
    table = Table(columns, (("one two three", "1"), ("four", "2")), bars=(1.0, 2.0))
    assert render(Document((table,), {}, []), "table", 30) == (
        "words    n\n-------  -  ------------------\none two  1  #########\nthree\nfour     2  ##################\n"
    )
