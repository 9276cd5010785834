"""What a form of write-ups is: one entry of FORMS in files.py, made in the module that writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bandwidth.report.write_up.content import WriteUp


@dataclass(frozen=True)
class Form:
    """How a write-up is written: the ends of file names that stand for it, and its text.

    `text` takes the write-up and what stands for each figure by its name: the path of a file of the kind `beside`, or
    the drawing itself where `beside` is empty. For a stream there are no files, so that such a text has no figures.
    """

    suffixes: tuple[str, ...]
    text: Callable[[WriteUp, Mapping[str, str]], str]
    beside: str = ""
