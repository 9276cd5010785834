"""What the terminal allows."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

WIDTH_OF_FILES = 80
WIDEST_TEXT = 100
BLOCKS = "\u2588\u2589\u258a\u258b\u258c\u258d\u258e\u258f"


def is_lively(stream: TextIO) -> bool:
    """Return whether a stream may show animation and colour: it is a terminal, and NO_COLOR is not set or empty."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def text_width(stream: TextIO) -> int:
    """Return the columns to wrap text to: the terminal's, 100 at most, and 80 in files and pipes."""
    if not stream.isatty():
        return WIDTH_OF_FILES
    return min(shutil.get_terminal_size((WIDTH_OF_FILES, 24)).columns, WIDEST_TEXT)


def shows_blocks(stream: TextIO) -> bool:
    """Return whether a stream's encoding has the block characters that bars are drawn with."""
    try:
        BLOCKS.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
