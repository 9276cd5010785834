"""Paths that are streams: a descriptor of this process, a pipe, a device. They are written to, never renamed over."""

from __future__ import annotations

import errno
import os
import re
import select
import stat
import sys
import time
from pathlib import Path

from bandwidth.errors import UsageError

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_MOST_LINKS = 40  # as many as Linux follows (path_resolution(7))
# How long a named pipe waits for its reader: one that is started by hand beside the writer is there by then.
READER_WAIT_S = 10.0
_TICK_S = 0.05
NO_READER = "nothing reads from it"


def is_stream(path: Path) -> bool:
    """Return whether a path leads to a stream: a descriptor of this process, whatever it is of, a pipe or a device."""
    if descriptor_of(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, RuntimeError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def descriptor_of(path: Path) -> int | None:
    """Return the number of this process's own descriptor that a path names (/dev/stdout, /dev/fd/3), or None.

    Behind it may be a file: opened anew by its name it would be written from its beginning, and not where its other
    writers are.
    """
    place = str(path)
    for _ in range(_MOST_LINKS):
        if place in _STANDARD:
            return _STANDARD[place]
        folder, name = os.path.split(place)
        try:
            folder = os.path.realpath(folder)
            if re.fullmatch("[0-9]{1,9}", name) and _is_own_folder(folder):
                return int(name)
            place = os.path.normpath(os.path.join(folder, os.readlink(place)))  # noqa: PTH115, PTH118 - texts of links
        except (OSError, ValueError):
            return None
    return None


def _is_own_folder(folder: str) -> bool:
    return bool(re.fullmatch(rf"/dev/fd|/proc/(self|{os.getpid()})(/task/[0-9]+)?/fd", folder))


def check_stream(path: Path) -> None:
    """Raise UsageError where a stream could not be written to; nothing is opened, as that may wait for a reader."""
    number = descriptor_of(path)
    if number is not None:
        _check_descriptor(path, number)
        return
    mode = path.stat().st_mode
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise UsageError(f"{path} is a {'disk' if stat.S_ISBLK(mode) else 'socket'}", "name a file")
    if not os.access(path, os.W_OK):
        raise UsageError(f"{path} cannot be written to", "name another file")


def _check_descriptor(path: Path, number: int) -> None:
    try:
        import fcntl
    except ModuleNotFoundError:
        return
    try:
        flags = fcntl.fcntl(number, fcntl.F_GETFL)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: it is not open", "name a file") from error
    if flags & os.O_ACCMODE == os.O_RDONLY:
        raise UsageError(f"{path} is open for reading only", "name a file")


def write_stream(path: Path, content: bytes) -> None:
    """Write to a stream, at its end where others write there too. A pipe that no one reads is given up in time.

    Raises UsageError where that fails, BrokenPipeError where its reader has gone.
    """
    number = descriptor_of(path)
    try:
        if number is not None:
            _flush(number)
            _write_all(number, content)
            return
        descriptor = _opened(path)
        try:
            _write_all(descriptor, content)
        finally:
            os.close(descriptor)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = NO_READER if error.errno == errno.ENXIO else error.strerror
        raise UsageError(f"{path} cannot be written: {reason}", "name another file") from error


def _flush(number: int) -> None:
    """Let what this process wrote before stand before."""
    stream = {1: sys.stdout, 2: sys.stderr}.get(number)
    if stream is not None:
        stream.flush()


def _opened(path: Path) -> int:
    """Return a descriptor of a device or a named pipe. Raises OSError, ENXIO where a pipe has no reader in time."""
    if not stat.S_ISFIFO(path.stat().st_mode):
        return os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    end = time.monotonic() + READER_WAIT_S
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() >= end:
                raise
            time.sleep(_TICK_S)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # whoever shares the descriptor has set it so
            select.select([], [descriptor], [])
