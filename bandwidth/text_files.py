"""Text files: read within bounds, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from bandwidth.errors import BandwidthError, UsageError

# A record of the usual size is 50 kB; one of a long sweep a few MB. A file far beyond that is something else.
LARGEST_FILE_BYTES = 256 * 1024 * 1024


def read_text(path: Path, what: str, hint: str) -> str:
    """Return the text of a file, or of a pipe such as /dev/stdin.

    Raises BandwidthError with `hint` where it is not there, cannot be read, is not UTF-8, or is too large for `what`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
        if len(content) > LARGEST_FILE_BYTES:
            raise BandwidthError(f"{path} is too large for {what}", hint)
        return content.decode("utf-8")
    except FileNotFoundError as error:
        raise BandwidthError(f"{path} does not exist", "check the name") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise BandwidthError(f"{path} cannot be read: {reason}", hint) from error


def check_writable(path: Path) -> None:
    """Raise UsageError where `path` could not be written, before anything is measured that would be lost."""
    if _is_device(path):
        return
    folder = _target(path).parent
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name a file in it")
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "make it first, or name another")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written to", "name a folder that can")


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a new file beside `path` and rename it, so that no reader ever sees half of it.

    Raises UsageError where that cannot be done; nothing half-written stays behind.
    """
    check_writable(path)
    if _is_device(path):
        _write_device(path, text)
        return
    target = _target(path)
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode_for_new_files())
        temporary.replace(target)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another file") from error
    finally:  # Ctrl-C too leaves nothing behind; after the rename there is nothing left to remove
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _is_device(path: Path) -> bool:
    """Return whether a path leads to a device or a pipe (/dev/stdout), which cannot be renamed over."""
    try:
        mode = path.stat().st_mode
    except (OSError, RuntimeError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_device(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another file") from error


def _target(path: Path) -> Path:
    """Return the file that is replaced: a link keeps pointing where it points. Raises UsageError for no file's name."""
    try:
        target = path.resolve()
        target.stat()  # where the system refuses to look at such a name at all (too long, a circle), it says so here
    except FileNotFoundError:
        return target  # a new file
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        reason = getattr(error, "strerror", None) or "its links run in a circle"
        raise UsageError(f"{path} cannot be written: {reason}", "name another file") from error
    return target


def _mode_for_new_files() -> int:
    """Return the permissions a plain open() would give: mkstemp's are for the owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
