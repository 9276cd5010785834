"""How far a measurement is, on one line of a terminal: which case of how many, the time, and the rate so far."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bandwidth.cli.output import is_lively, text_width

if TYPE_CHECKING:
    from bandwidth.measuring.run import Progress

_CLEARED = "\r\x1b[K"
_BAR, _PIECE, _STEP_S = 12, 3, 0.15


def progress_line(progress: Progress, columns: int) -> str:
    """Return `[ 9/28] copy, native, 2 threads  11 of 15 s  25.2 GB/s so far`, cut to the columns of the terminal."""
    from bandwidth.report.labels import id_words
    from bandwidth.units import format_rate

    digits = len(str(progress.cases))
    count = f"[{progress.number:>{digits}}/{progress.cases}] " if progress.number else ""
    what = progress.doing if progress.case is None else f"{progress.doing} {id_words(progress.case.id)}".strip()
    time = f"  {min(progress.elapsed_s, progress.budget_s):.0f} of {progress.budget_s:.0f} s"
    rate = "" if progress.bytes_per_s is None else f"  {format_rate(progress.bytes_per_s)} GB/s so far"
    room = columns - len(count) - len(time) - len(rate) - 1
    return f"{count}{what[: max(room, 8)]}{time}{rate}"


def bar_line(doing: str, step: int) -> str:
    """Return a bar whose piece moves there and back, for what takes a time that nobody knows."""
    way = _BAR - _PIECE
    place = way - abs(step % (2 * way) - way)
    return f"[{' ' * place}{'#' * _PIECE}{' ' * (way - place)}] {doing}"


@contextmanager
def shown_progress(check: Callable[[], None], *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield what is to be told of progress: a line on a terminal, nothing elsewhere. `check` is called each time.

    The line is written between blocks alone: one that drew itself from a thread would take a CPU away from a measured
    one. Only while memory is filled, when nothing is timed, a bar moves by itself.
    """
    if quiet or not is_lively(sys.stderr):
        yield lambda _: check()
        return
    moving: list[_Moving] = []

    def stop() -> None:
        while moving:
            moving.pop().stop()

    def show(progress: Progress) -> None:
        check()
        stop()
        if progress.is_filling:
            moving.append(_Moving(progress.doing))
        else:
            _write(progress_line(progress, text_width(sys.stderr)))

    try:
        yield show
    finally:
        stop()
        _write("")


class _Moving:
    """A bar that moves until it is stopped."""

    def __init__(self, doing: str) -> None:
        self._doing, self._ended = doing, threading.Event()
        _write(bar_line(doing, 0))
        self._thread = threading.Thread(target=self._move, daemon=True)
        self._thread.start()

    def _move(self) -> None:
        step = 0
        while not self._ended.wait(_STEP_S):
            step += 1
            _write(bar_line(self._doing, step))

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


def _write(line: str) -> None:
    with suppress(OSError):  # the terminal was closed: the measurement goes on
        sys.stderr.write(f"{_CLEARED}{line}")
        sys.stderr.flush()
