"""Prints a long list as it is read: the first rows stand there while the others are worked out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from bandwidth.cli.output import Output
from bandwidth.cli.printing import print_text
from bandwidth.cli.terminal import shows_blocks, text_width
from bandwidth.plain_text import visible

if TYPE_CHECKING:
    from bandwidth.report import Document

# The first piece sets the width of the columns, and comes at once; larger ones after it cost less a row.
FIRST_PIECE, LATER_PIECES = 256, 1024

Item = TypeVar("Item")


def in_pieces(items: Iterable[Item]) -> tuple[list[Item], Iterator[list[Item]] | None]:
    """Return the first piece of a list, and the pieces that follow; None where the first is the whole of it."""
    rest = iter(items)
    first = list(islice(rest, FIRST_PIECE))
    following = list(islice(rest, 1))
    if not following:
        return first, None
    later = chain(following, rest)
    return first, iter(lambda: list(islice(later, LATER_PIECES)), [])


def emit_streamed(pieces: Iterable[Document], output: Output) -> None:
    """Print each piece of a document as it comes. Raises as `emit` does. A file of `-o` is for `emit`."""
    from bandwidth.report.streaming import streamed

    width, blocks = text_width(sys.stdout), shows_blocks(sys.stdout)
    for text in streamed(pieces, output.format_name, width, blocks=blocks):
        print_text(visible(text))
