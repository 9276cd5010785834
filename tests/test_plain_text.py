"""Text of others, made safe to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.plain_text import escaped, one_line, visible

# Controls, formats (the overrides of direction among them), surrogates, separators of lines and of paragraphs.
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    "control", [*map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0)), *"\u202a\u202e\u2066\u2028\ud800"]
)
def test_no_control_character_is_left(control):
    left = "\n\t" if control in "\n\t" else ""
    assert visible(f"a{control}b") == f"a{control if left else '?'}b"
    assert one_line(f"a{control}b") in ("a?b", "a b")


@given(st.text())
def test_one_line_prints_whatever_stands_in_it(text):
    assert one_line(text).isprintable()
    assert escaped(text).isprintable()
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters(exclude_categories=sorted(STEERING))))
def test_what_prints_is_left_alone(text):
    assert visible(text) == text


def test_every_format_character_of_the_bidirectional_algorithm_is_covered():
    kinds = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    found = [chr(number) for number in range(0x11000) if unicodedata.bidirectional(chr(number)) in kinds]
    assert visible("".join(found)) == "?" * len(found) != ""
