"""The last resort: the one line for what no part of the program foresaw, poor surroundings told apart from defects."""

from __future__ import annotations

import errno

from bandwidth.cli.printing import drop_standard_output

NO_MEMORY = "there is not enough memory; free some, or raise the limit (ulimit -v, the container's)"
NO_THREAD = "the system starts no more threads; raise the limit (ulimit -u, the container's pids limit)"
# What Python says where pthread_create(3) fails; it has no error of its own for it.
_NO_THREAD_WORDS = "can't start new thread"

# What a write to something open already ends with. Files are written by text_files, which names them; this is --help.
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EDQUOT}


def line_of(error: Exception) -> str:
    """Return what is wrong and what to do: of the system, where that refuses something, else of a defect."""
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, RuntimeError) and _NO_THREAD_WORDS in str(error):
        return NO_THREAD
    if isinstance(error, ImportError):
        return f"a library cannot be loaded: {_cause(error)}; free memory, or install membandwidth again"
    if isinstance(error, OSError):
        return _of_system(error)
    return f"a defect of bandwidth: {type(error).__name__}: {error}; run again with --debug and report it"


def _of_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is None and error.errno in _FULL:
        drop_standard_output()
        return f"standard output cannot be written: {reason}; make room there"
    place = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return f"{place}{reason}; --debug shows what was asked of the system"


def _cause(error: BaseException) -> str:
    """Return the first line of what an import failed by; NumPy tells its own error after a page of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
