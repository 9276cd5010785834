"""Text of others, made safe to show: what a record, a machine or a file holds must not steer a terminal."""

from __future__ import annotations

import re

# C0 but for the line feed and the tab, DEL and C1: what terminals take orders by (ECMA-48). What turns the direction of
# writing or takes no room: it shows one text and holds another (CVE-2021-42574). Separators of lines and paragraphs,
# and halves of surrogate pairs, which no encoding has.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0001\U000e0020-\U000e007f\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Return a text with a question mark for each character that steers and does not print; lines and tabs stay."""
    return _UNSAFE.sub("?", text)


def one_line(text: str) -> str:
    """Return a text on one line, a question mark for each character that does not print."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in line)


def escaped(text: str) -> str:
    """Return a text with everything that does not print, or turns the direction of writing, as its escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
