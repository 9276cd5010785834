"""What was measured is never lost: a record is saved as it grows, and the first signal ends the measuring only."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bandwidth.cli.output import STANDARD_OUTPUT, kept_elsewhere
from bandwidth.errors import BandwidthError

if TYPE_CHECKING:
    from bandwidth.results import Record

# Ctrl-C, a batch system's end of time, a terminal that was closed, the end of the CPU time that a shell allows; on
# Windows Ctrl-Break, a closed console, and the end of the session.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGBREAK")


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


def joined_errors(*errors: BandwidthError | None) -> BandwidthError | None:
    """Return several troubles as one, of the first one's kind; None for none."""
    known = [error for error in errors if error is not None]
    if len(known) < 2:
        return known[0] if known else None
    return type(known[0])("; ".join(map(str, known)))


# --- what signals mean while something is measured: the first one ends that, and none costs its result ----------------


@dataclass
class Interrupt:
    """The signals that ask for the end, and whether one has."""

    numbers: tuple[int, ...] = ()
    is_asked: bool = False

    def check(self) -> None:
        """Raise KeyboardInterrupt where the end was asked for and the place swallowed it, such as a destructor."""
        if self.is_asked:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Ignore such signals from here on: what was measured is being written."""
        for number in self.numbers:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def one_interrupt() -> Iterator[Interrupt]:
    """Take the first signal that asks for the end as KeyboardInterrupt; later ones must not cost the result."""
    if threading.current_thread() is not threading.main_thread():
        yield Interrupt()  # only the main thread may say what signals do
        return
    found = Interrupt(tuple(filter(_is_ours, (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)))))

    def interrupt(*_: object) -> None:
        found.hold()
        found.is_asked = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in found.numbers}
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _is_ours(number: int) -> bool:
    """Return whether a signal is to be taken: `nohup` has asked that a closed terminal end nothing."""
    return number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) is not signal.SIG_IGN
