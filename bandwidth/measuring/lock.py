"""One measurement at a time on a machine: two at once would spoil each other."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bandwidth.errors import BandwidthError

LOCK_NAME = "bandwidth-measurement.lock"


@contextmanager
def machine_lock(folder: Path | None = None) -> Iterator[None]:
    """Hold the machine's lock. Raises BandwidthError where another measurement holds it.

    The lock goes with the process, however that ends; the empty file stays and does no harm.
    """
    path = (folder or Path(tempfile.gettempdir())) / LOCK_NAME
    descriptor = _opened(path)
    try:
        if not _taken(descriptor):
            raise BandwidthError(
                f"another measurement runs on this machine ({path} is locked)", "wait for its end: two spoil each other"
            )
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return _opened_or_made(path)
    except OSError as error:
        raise BandwidthError(f"{path} cannot be locked: {error.strerror}", "set TMPDIR to a folder of yours") from error


def _opened_or_made(path: Path) -> int:
    """Return a descriptor of the lock's file; a link or a pipe of that name is not followed and not waited for."""
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        # Opened to read where it exists: a file of another user in a shared folder may not be opened to write.
        descriptor = os.open(path, os.O_RDONLY | careful)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | careful, 0o644)
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o644)  # whatever the umask: every user is to see the same lock
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file")
    return descriptor


def _taken(descriptor: int) -> bool:
    try:
        import fcntl
    except ModuleNotFoundError:
        return _taken_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise BandwidthError(
            f"this file system gives no locks: {error.strerror}", "set TMPDIR to another folder"
        ) from error
    return True


def _taken_on_windows(descriptor: int) -> bool:
    import msvcrt

    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
