"""What signals mean while something is measured: the first one ends the measuring, and none costs its result."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Ctrl-C, a batch system's end of time, a terminal that was closed, the end of the CPU time that a shell allows.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU")


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
    found = Interrupt(tuple(filter(_is_ours, (getattr(signal, name) for name in _NAMES if hasattr(signal, name)))))

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
