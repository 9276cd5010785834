"""The last step of every output: a finished text on standard output or on standard error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from bandwidth.errors import BandwidthError
from bandwidth.plain_text import visible


def print_text(text: str) -> None:
    """Write to standard output; what its encoding lacks stands there as an escape. Raises BandwidthError."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # a reader that has seen enough is no error; app.run() leaves with 0
    except OSError as error:
        drop_standard_output()
        raise BandwidthError(f"standard output cannot be written: {error.strerror}", "make room there") from error


def drop_standard_output() -> None:
    """Let what is left for standard output go nowhere: its reader has gone, or it takes no more."""
    with suppress(OSError, ValueError):  # ValueError: it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(*lines: str) -> None:
    """Print lines for people, on standard error; where that is gone too, there is nobody to tell."""
    with suppress(OSError):
        for line in lines:
            sys.stderr.write(f"{visible(line)}\n")
        sys.stderr.flush()
