"""The measurement in a process that ends when the one that asked for it is gone: nobody else would end it.

A worker sends this file's text to where it runs, which may have another version of the package: it uses the standard
library alone. Its first argument is the worker's process id, its second a folder that is removed when the worker is
gone, and its standard input a pipe whose other end the worker holds; the rest is for `bandwidth`.
"""

from __future__ import annotations

import os
import runpy
import select
import shutil
import sys
import threading


def main() -> None:
    """Run `bandwidth` with the further arguments of this process until it ends, or nobody attends it any more."""
    worker, folder = int(sys.argv.pop(1)), sys.argv.pop(1)
    if not sys.flags.safe_path:
        sys.path[0] = ""  # where `python -m bandwidth` looks too, in the place of this file's folder
    attendant = _take_standard_input()
    threading.Thread(target=_end_alone, args=(attendant, worker, folder), daemon=True).start()
    runpy.run_module("bandwidth", run_name="__main__", alter_sys=True)


def wait_until_alone(attendant: int, worker: int) -> None:
    """Return when the other end of the pipe `attendant` is closed or the process `worker` is gone.

    The wait takes no CPU time. A fork of the worker may hold the pipe open beyond its death: Linux tells the death
    itself, by pidfd_open(2).
    """
    if not hasattr(os, "pidfd_open"):
        _read_to_end(attendant)
        return
    try:
        process = os.pidfd_open(worker)
    except ProcessLookupError:
        return
    except OSError:  # a kernel before 5.3, or a container that does not let it
        _read_to_end(attendant)
        return
    try:
        select.select([attendant, process], [], [])  # nothing is ever written to the pipe
    finally:
        os.close(process)


def _read_to_end(attendant: int) -> None:
    while os.read(attendant, 1):  # nothing is ever written to it
        continue


def _take_standard_input() -> int:
    """Return the pipe that is the standard input, and put the null device in its place."""
    attendant, null = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return attendant


def _end_alone(attendant: int, worker: int, folder: str) -> None:
    """Wait, then end the whole process at once, which frees the machine's lock; nobody wants what it measured."""
    wait_until_alone(attendant, worker)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
