"""What was measured is never lost: where its file takes it no more, it goes to the next place that does."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bandwidth.cli.printing import print_text
from bandwidth.errors import BandwidthError

if TYPE_CHECKING:
    from bandwidth.results import Record

STANDARD_OUTPUT = "standard output"


def kept_elsewhere(text: str, error: BandwidthError, *, is_printed: bool = False) -> BandwidthError:
    """Keep what could not be written where it should, and return the error that says what was wrong and where it is.

    It goes to standard output, unless that is what failed (`is_printed`), else to a file in the first folder that takes
    one, else to standard error.
    """
    place = "" if is_printed else _printed(text)
    place = place or _in_a_file(text) or _said(text)
    hint = f"it is {'on' if place.startswith('standard') else 'in'} {place}" if place else "no other place took it"
    return type(error)(error.message, hint)


def _printed(text: str) -> str:
    try:
        print_text(text)
    except (BandwidthError, BrokenPipeError):
        return ""
    return STANDARD_OUTPUT


def _in_a_file(text: str) -> str:
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


class RecordKeeper:
    """Saves a record as it grows. What goes wrong is kept for the end: the measurement goes on.

    A stream gets the record once, when it is whole. `latest` is what was measured so far, saved or not.
    """

    def __init__(self, path: Path | None) -> None:
        from bandwidth.streams import is_stream

        self.path = path
        self.latest: Record | None = None
        self.trouble: BandwidthError | None = None
        self.is_saved = False
        self._is_stream = path is not None and is_stream(path)

    def __call__(self, record: Record) -> None:
        """Take the record so far, and save it where that can be done again."""
        self.latest = record
        if not self._is_stream:
            self._save(record)

    def finish(self, record: Record) -> None:
        """Take the whole record, and save it. What goes wrong is `trouble`; see `rescue`."""
        self.latest = record
        self._save(record)

    def finish_latest(self) -> None:
        """Save what was measured so far as the whole, if anything was."""
        if self.latest is not None:
            self.finish(self.latest)

    def rescue(self, *, is_printed: bool = False) -> None:
        """Put a record that could not be saved somewhere else; `trouble` then says where. To be called at the end.

        `is_printed`: it stands on standard output already.
        """
        if self.trouble is None or self.latest is None:
            return
        if is_printed:
            self.trouble = type(self.trouble)(self.trouble.message, f"it is on {STANDARD_OUTPUT}")
        else:
            self.trouble = kept_elsewhere(_text(self.latest), self.trouble)

    def _save(self, record: Record) -> None:
        # An interrupt before the first sample must not put an empty record in the place of an earlier one.
        if self.path is None or not (record.results or self._is_stream or not _is_there(self.path)):
            return
        from bandwidth.findings import examine
        from bandwidth.results.files import save

        try:
            save(record, examine(record), self.path)
        except BandwidthError as error:
            self.trouble = error
        except BrokenPipeError:  # the reader of a pipe has seen enough
            self.trouble = None
        else:
            self.trouble, self.is_saved = None, bool(record.results)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _text(record: Record) -> str:
    from bandwidth.findings import examine
    from bandwidth.results.files import record_text

    return record_text(record, examine(record))


def joined(*errors: BandwidthError | None) -> BandwidthError | None:
    """Return several troubles as one, of the first one's kind; None for none."""
    known = [error for error in errors if error is not None]
    if len(known) < 2:
        return known[0] if known else None
    return type(known[0])("; ".join(map(str, known)))
