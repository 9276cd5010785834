"""File names with `%h`, `%j`, `%t`, `%p`: so that one command, run on every node of a job, gives one file a node."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bandwidth.errors import UsageError

# Slurm, PBS and its kin, LSF.
JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
NO_JOB = "none"
_PART = re.compile("%(.?)", re.DOTALL)


def expand(path: Path | None) -> Path | None:
    """Return a path with %h as this host, %j as the job, %t as the time (UTC), %p as the process, %% as a percent sign.

    Raises UsageError for another letter. The last folder of a path that has one of these is made where it lacks: the
    first of a thousand nodes does so, and the others find it there.
    """
    if path is None or "%" not in str(path):
        return path
    found = Path(_PART.sub(_value, str(path)))
    if not found.parent.exists() and found.parent.parent.is_dir():
        try:
            found.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{found.parent} cannot be made: {error.strerror}", "name a folder that can") from error
    return found


def _value(part: re.Match[str]) -> str:
    letter = part[1]
    if letter not in _VALUES:
        raise UsageError(
            f"{part[0]!a} in a file's name is not known", "%h host, %j job, %t time, %p process; write %% for a percent"
        )
    return _VALUES[letter]()


def _host() -> str:
    """Return the host's name without its domain, as Slurm's %N."""
    return _plain(platform.node().partition(".")[0]) or "localhost"


def _job() -> str:
    return next((_plain(os.environ[name]) for name in JOB_VARIABLES if os.environ.get(name)), NO_JOB)


def _plain(text: str) -> str:
    """Return a text that leads to no other folder: PBS names jobs `123.server`, arrays `123[7]`."""
    return re.sub(r"[^\w.\[\]-]", "_", text, flags=re.ASCII).lstrip(".")


_VALUES: dict[str, Callable[[], str]] = {
    "h": _host,
    "j": _job,
    "t": lambda: datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
    "p": lambda: str(os.getpid()),
    "%": lambda: "%",
}
