"""One measurement at a time on a machine: two at once would spoil each other.

The lock lies where all processes of a system see it, whatever their TMPDIR and however private their temporary folder:
on Linux in /run/lock and in /dev/shm, and it is held where all that can be had of these are free. One place that two
processes share is enough, so neither a service's PrivateTmp nor a batch system's own /tmp and /dev/shm hides one from
the other. Containers have both for themselves: a folder of the host's that they mount, named by BANDWIDTH_LOCK_FOLDER,
is one place for all. A socket without a file (Linux's abstract ones) would be no better: it is one for each network
namespace, which containers have for themselves too, and it names no file that tells what holds it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bandwidth.errors import BandwidthError

LOCK_NAME = "bandwidth-measurement.lock"
# A folder that takes the place of the system's own: for containers that share one, and for tests.
FOLDER_VARIABLE = "BANDWIDTH_LOCK_FOLDER"
# By sys.platform, in the order in which they are taken: the same for all users, else two would wait for each other.
PLACES: Mapping[str, tuple[str, ...]] = {
    "linux": ("/run/lock", "/dev/shm"),  # noqa: S108 - the file is opened with care, and holds nothing
    "darwin": ("/private/var/tmp",),
    "win32": (os.environ.get("PROGRAMDATA", ""),),
}
RETRY_S = 0.2


class LockedError(BandwidthError):
    """Another measurement holds the machine's lock."""


@dataclass(frozen=True)
class HeldLock:
    """Which files are locked, and what is to be known of it, empty where all processes of the system see them."""

    paths: tuple[str, ...]
    note: str = ""


@contextmanager
def machine_lock(
    folder: Path | None = None, *, wait_s: float = 0.0, tell: Callable[[str], None] = lambda _: None
) -> Iterator[HeldLock]:
    """Hold the machine's lock, and yield which it is. `folder` takes the place of the system's own.

    Raises LockedError where another measurement holds it for longer than `wait_s` seconds; `tell` is told once that it
    is waited for. Raises BandwidthError where it can be had nowhere. The lock goes with the process, however that
    ends; the empty files stay and do no harm.
    """
    deadline, is_told = time.monotonic() + wait_s, False
    with contextlib.ExitStack() as stack:
        while (held := _held(folder, stack)) is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                waited = f", after {wait_s:g} s of waiting" if wait_s else ""
                raise LockedError(
                    f"another measurement is running on this machine{waited} ({_first_path(folder)} is locked)",
                    "wait until it ends: two measurements disturb each other",
                )
            if not is_told:
                tell(f"another measurement is running on this machine: waiting up to {wait_s:g} s for it")
                is_told = True
            time.sleep(min(RETRY_S, left_s))
        yield held


def _held(folder: Path | None, stack: contextlib.ExitStack) -> HeldLock | None:
    """Lock all places that can be had, let go of them with `stack`; None, and none is kept, where one is not free."""
    places = _places(folder)
    opened: list[str] = []
    trouble = (Path(LOCK_NAME), OSError(errno.ENOENT, "no folder for it exists"))
    with contextlib.ExitStack() as tried:
        for path in (place / LOCK_NAME for place in places):
            try:
                descriptor = _opened(path)
                tried.callback(os.close, descriptor)
                if not _taken(descriptor):
                    return None
            except OSError as error:  # no such folder, no right to write there, or a file system without locks
                trouble = (path, error)
            else:
                opened.append(str(path))
        if opened:
            stack.push(tried.pop_all())
            return HeldLock(tuple(opened))
    if folder is None and not os.environ.get(FOLDER_VARIABLE):
        return _held_for_oneself(places, stack)
    path, why = trouble
    raise BandwidthError(f"{path} cannot be locked: {why.strerror}", f"set {FOLDER_VARIABLE} to another folder")


def _held_for_oneself(places: Sequence[Path], stack: contextlib.ExitStack) -> HeldLock | None:
    """Lock a file of the temporary folder, where the system's own places cannot be written, as in some containers."""
    own = Path(tempfile.gettempdir())
    held = _held(own, stack)
    names = " and ".join(map(str, places))
    note = f"The lock of the measurement is in {own}, because {names} cannot be written: other users may not see it."
    return None if held is None else HeldLock(held.paths, note)


def _places(folder: Path | None) -> tuple[Path, ...]:
    named = os.environ.get(FOLDER_VARIABLE)
    if folder is not None or named:
        return (folder or Path(named or ""),)
    known = tuple(Path(place) for place in PLACES.get(sys.platform, ()) if place)
    return known or (Path(tempfile.gettempdir()),)


def _first_path(folder: Path | None) -> Path:
    return _places(folder)[0] / LOCK_NAME


def _opened(path: Path) -> int:
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
        raise OSError(errno.EINVAL, "it is not a regular file")
    return descriptor


def _taken(descriptor: int) -> bool:
    """Return whether the file is locked now by this descriptor. Raises OSError where its file system has no locks."""
    try:
        import fcntl
    except ModuleNotFoundError:
        return _taken_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken_on_windows(descriptor: int) -> bool:
    import msvcrt

    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except PermissionError:  # another descriptor holds it; what else goes wrong is no lock of another's
        return False
    return True
