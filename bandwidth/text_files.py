"""Text files: read within bounds, written whole or not at all; several together are all written, or none."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bandwidth.errors import BandwidthError, UsageError
from bandwidth.streams import check_stream, is_stream, write_stream

# A record of the usual size is 50 kB; one of a long sweep a few MB. A file far beyond that is something else.
LARGEST_FILE_BYTES = 256 * 1024 * 1024
_PART_BYTES = 1024 * 1024  # read() takes memory for all that it is asked for
# What a file is called until it is whole; not after the file, whose name may be as long as the system allows.
_PREFIX, _SUFFIX = ".bandwidth.", ".part"
_RANDOM = "x" * 8  # as many letters as tempfile puts between


def read_text(path: Path, what: str, hint: str) -> str:
    """Return the text of a file, or of a pipe such as /dev/stdin; a byte order mark is no part of it.

    Raises BandwidthError with `hint` where it is not there, cannot be read, is not UTF-8, or is too large for `what`.
    """
    try:
        content = bytearray()
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                content += part
                if len(content) > LARGEST_FILE_BYTES:
                    raise BandwidthError(f"{path} is too large for {what}", hint)
        return content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise BandwidthError(f"{path} does not exist", "check the name") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise BandwidthError(f"{path} cannot be read: {reason}", hint) from error


def check_plain(path: Path) -> None:
    """Raise BandwidthError for a file of a folder that is no plain one: to read a pipe there would wait for ever.

    What is not there or may not be looked at is for whoever reads it to tell.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, RuntimeError):
        return
    if not stat.S_ISREG(mode):
        raise BandwidthError(f"{path} is not a regular file", "remove it from the folder, or name the other files")


def check_writable(path: Path) -> None:
    """Raise UsageError where `path` could not be written, before anything is measured that would be lost.

    Only writing tells whether there is room.
    """
    if is_stream(path):
        check_stream(path)
        return
    target = _target(path)
    folder = target.parent
    if target.is_dir():
        raise UsageError(f"{path} is a folder", "name a file in it")
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "create it, or name another folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written to", "name a writable folder")
    _looked_at(folder / f"{_PREFIX}{_RANDOM}{_SUFFIX}", path)
    if _is_of_another(target, folder):
        raise UsageError(f"{path} belongs to another user", "name another file")


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a new file beside `path` and rename it, so that no reader ever sees half of it.

    A stream is written to as it is. Raises UsageError where that cannot be done; nothing half-written stays behind.
    """
    content = text.encode("utf-8", "backslashreplace")
    if is_stream(path):
        check_stream(path)
        write_stream(path, content)
    else:
        write_together({path: content})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write all files, or none where one cannot be: each first under another name beside its place, then renamed.

    A file that is replaced keeps its permissions, and its owner where this user may give it. Links stay and point
    where they did. Raises UsageError; the old files are in their places then, and nothing else.
    """
    at = next(iter(files))  # what is being written, for the error
    changes: list[_Change] = []
    try:
        for path, content in files.items():
            at = path
            check_writable(path)
            changes.append(_prepared(_target(path), content))
        for path, change in zip(files, changes, strict=True):
            at = path
            if len(changes) > 1:  # one alone is done or not
                change.keep_old()
            change.new.replace(change.target)
    except BaseException as error:  # Ctrl-C too leaves nothing behind
        for change in changes:
            change.undo()
        if isinstance(error, OSError):
            raise UsageError(f"{at} cannot be written: {error.strerror}", "name another file") from error
        raise
    finally:
        for change in changes:
            change.clean()


@dataclass
class _Change:
    """One file to be replaced: its place, the new file beside it, and a second name of the old one."""

    target: Path
    new: Path
    old: Path | None = None

    def keep_old(self) -> None:
        """Give the old file, where there is one, a second name to come back by."""
        if not self.target.exists():
            return
        self.old = self.new.with_suffix(".old")
        try:
            os.link(self.target, self.old)
        except OSError:  # a file system without links, or a file that this user may not link to
            shutil.copy2(self.target, self.old)

    def undo(self) -> None:
        """Take the new file away from the place, if it got there, and put the old one back."""
        if self.new.exists():
            return
        with suppress(OSError):
            if self.old is not None:
                self.old.replace(self.target)
            else:
                self.target.unlink()

    def clean(self) -> None:
        """Remove what is left beside the place."""
        for path in filter(None, (self.new, self.old)):
            with suppress(OSError):
                path.unlink()


def _prepared(target: Path, content: bytes) -> _Change:
    """Return the change that puts a new file of the content to a place. Raises OSError; the new file is gone then."""
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give_permissions(Path(name), target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return _Change(target, Path(name))


def _give_permissions(new: Path, target: Path) -> None:
    """Give a new file the owner and the permissions of the one that it replaces, else those that open() would give."""
    try:
        old = target.stat()
    except FileNotFoundError:
        new.chmod(_mode_for_new_files())
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    if hasattr(os, "chown"):
        for owner, group in ((old.st_uid, old.st_gid), (-1, old.st_gid)):
            with suppress(PermissionError):  # only root gives files away; others may give one to a group of theirs
                os.chown(new, owner, group)
                break
        else:  # another group than the old one is not to read more than everybody
            mode = (mode & ~0o070) | ((mode & 0o007) << 3)
    new.chmod(mode)


def _is_of_another(target: Path, folder: Path) -> bool:
    """Return whether a file is another user's in a folder such as /tmp, where only its owner may replace it."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return False
    try:
        owner, shared = target.stat().st_uid, folder.stat()
    except OSError:
        return False
    return bool(shared.st_mode & stat.S_ISVTX) and os.geteuid() not in (owner, shared.st_uid)


def _target(path: Path) -> Path:
    """Return the file that is replaced: a link keeps pointing where it points. Raises UsageError for no file's name."""
    try:
        target = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise _no_name(path, error) from error
    _looked_at(target, path)
    return target


def _looked_at(place: Path, path: Path) -> None:
    """Let the system refuse a name that it will not look at at all (too long, a circle), with UsageError."""
    try:
        place.stat()
    except FileNotFoundError:
        return  # a new file
    except (OSError, RuntimeError, ValueError) as error:
        raise _no_name(path, error) from error


def _no_name(path: Path, error: Exception) -> UsageError:
    circle = "its symbolic links form a loop" if isinstance(error, RuntimeError) else "it is not a file name"
    return UsageError(f"{path} cannot be written: {getattr(error, 'strerror', None) or circle}", "name another file")


def _mode_for_new_files() -> int:
    """Return the permissions a plain open() would give: mkstemp's are for the owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
