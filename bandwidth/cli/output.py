"""How every command prints: what the shared options say, checked, where the text goes, and what a terminal allows."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

from bandwidth.errors import BandwidthError, UsageError
from bandwidth.plain_text import visible
from bandwidth.report.formats import FORMATS, render
from bandwidth.units import DEFAULT_RATE_UNIT, canonical_rate_unit

if TYPE_CHECKING:
    from bandwidth.report import Document
    from bandwidth.report.write_up.content import WriteUp

STANDARD_OUTPUT = "standard output"
WIDTH_OF_FILES = 80
WIDEST_TEXT = 100
BLOCKS = "\u2588\u2589\u258a\u258b\u258c\u258d\u258e\u258f"
# The first piece sets the width of the columns, and comes at once; larger ones after it cost less a row.
FIRST_PIECE, LATER_PIECES = 256, 1024

Item = TypeVar("Item")
# Bold red, yellow, green and grey of what a line begins with.
_COLOURS = {"UNRELIABLE": "1;31", "FAILED": "1;31", "!!": "1;33", "ok": "32", "--": "2", "Why not more": "1"}
_COLOURED = re.compile(rf"^ *({'|'.join(map(re.escape, _COLOURS))})(?=[ :\n]|$)", re.MULTILINE)


@dataclass(frozen=True)
class Output:
    """The shared options, checked. Raises BandwidthError for an unknown format or unit, or options that clash."""

    format_name: str = "table"
    path: Path | None = None
    unit: str = DEFAULT_RATE_UNIT
    quiet: bool = False

    @staticmethod
    def checked(format_name: str, as_json: bool, path: Path | None, unit: str, quiet: bool) -> Output:
        """Return the options as given on the command line, or raise UsageError."""
        name = format_name.lower()
        if name not in FORMATS:
            raise UsageError(f"--format {format_name!a} is not known", f"choose from {', '.join(FORMATS)}")
        if as_json and name not in ("table", "json"):
            raise UsageError(f"--json and --format {name} exclude each other", "use one of the two")
        try:
            known_unit = canonical_rate_unit(unit)
        except BandwidthError as error:
            raise UsageError(f"--unit {error.message}", error.hint) from error
        return Output("json" if as_json else name, path, known_unit, quiet)


def emit(document: Document, output: Output, *, is_measured: bool = False) -> None:
    """Print a document, or write it to the file asked for; one that `is_measured` goes elsewhere where that fails.

    Raises UsageError where the file cannot be written, which then says where the document went.
    """
    if output.quiet:
        document = replace(document, remarks=(), in_blocks=())
    # Files are UTF-8, whatever the terminal shows.
    blocks = output.path is not None or shows_blocks(sys.stdout)
    text = render(document, output.format_name, text_width(sys.stdout), blocks=blocks)
    remarks = (*document.remarks, *document.in_blocks) if output.format_name == "csv" else ()
    try:
        deliver(text, output, is_measured=is_measured)
    except BandwidthError:
        say(*(remarks if is_measured else ()))  # they stand nowhere else
        raise
    say(*remarks)


def deliver(text: str, output: Output, *, is_measured: bool = False) -> None:
    """Print a finished text, or write it to the file asked for. Raises as `emit` does."""
    text = visible(text)
    try:
        if output.path is None:
            print_text(coloured(text) if output.format_name == "table" and is_lively(sys.stdout) else text)
        else:
            from bandwidth.text_files import write_atomically

            write_atomically(output.path, text)
    except BandwidthError as error:
        if not is_measured:
            raise
        raise kept_elsewhere(text, error, is_printed=output.path is None) from error


def deliver_page(write_up: WriteUp, output: Output, *, is_measured: bool = False) -> None:
    """Print a write-up as an HTML page with its figures inside, or write it to the file asked for. Raises as `emit`.

    Where there is nothing to draw with, it is said.
    """
    from bandwidth.report.figures.drawing import MISSING, can_draw
    from bandwidth.report.write_up.files import FORMS, text_alone

    deliver(text_alone(write_up, FORMS["html"]), output, is_measured=is_measured)
    if not can_draw() and not output.quiet:
        say(f"bandwidth: {MISSING}")


# --- where what was measured goes, if not where it should -----------------------------------------------------------


def kept_elsewhere(text: str, error: BandwidthError, *, is_printed: bool = False) -> BandwidthError:
    """Keep what could not be written where it should, and return the error that says what was wrong and where it is.

    It goes to standard output, unless that is what failed (`is_printed`), else to a file in the first folder that takes
    one, else to standard error.
    """
    place = "" if is_printed else _printed(text)
    place = place or _in_a_file(text) or _said(text)
    hint = (
        f"it is {'on' if place.startswith('standard') else 'in'} {place}"
        if place
        else "it could not be written anywhere else"
    )
    return type(error)(error.message, hint)


def _printed(text: str) -> str:
    try:
        print_text(text)
    except (BandwidthError, BrokenPipeError):
        return ""
    return STANDARD_OUTPUT


def _in_a_file(text: str) -> str:
    import tempfile  # here and below: hardly any run comes to this

    suffix = ".json" if text.startswith("{") else ".txt"
    for folder in _folders():
        path: Path | None = None
        try:
            descriptor, name = tempfile.mkstemp(prefix="bandwidth-", suffix=suffix, dir=folder)
            path = Path(name)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            if path is not None:
                with suppress(OSError):
                    path.unlink()
        else:
            return name
    return ""


def _folders() -> Iterator[Path]:
    """Yield the folders where something might be kept: for temporary files, this one, the user's own."""
    import tempfile

    with suppress(OSError):
        yield Path(tempfile.gettempdir())
    with suppress(OSError):
        yield Path.cwd()
    with suppress(OSError, RuntimeError):  # RuntimeError: a user without a home
        yield Path.home()


def _said(text: str) -> str:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        return ""
    return "standard error"


# --- the last step: a finished text on standard output or on standard error -----------------------------------------


def print_text(text: str) -> None:
    """Write to standard output; what its encoding lacks stands there as an escape. Raises BandwidthError."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # a reader that has seen enough is no error; app.run() leaves with 0
    except OSError as error:
        drop_standard_output()
        raise BandwidthError(f"standard output cannot be written: {error.strerror}", "free some space") from error


def drop_standard_output() -> None:
    """Let what is left for standard output go nowhere: its reader has gone, or it takes no more."""
    with suppress(OSError, ValueError):  # ValueError: it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(*lines: str) -> None:
    """Print lines for people, on standard error; where that is gone too, there is nobody to tell."""
    with suppress(OSError):
        for line in lines:
            sys.stderr.write(f"{visible(line)}\n")
        sys.stderr.flush()


# --- what the terminal allows ---------------------------------------------------------------------------------------


def is_lively(stream: TextIO) -> bool:
    """Return whether a stream may show animation and colour: it is a terminal, and NO_COLOR is not set or empty."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str) -> str:
    """Return a text for a terminal with its marks in colour: the words say the same without."""
    return _COLOURED.sub(lambda found: f"\x1b[{_COLOURS[found[1]]}m{found[0]}\x1b[0m", text)


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


# --- a long list as it is read: the first rows stand there while the others are worked out --------------------------


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
