"""What a worker does for a fleet: it starts the measurement in a process of its own and brings the record back.

Only the standard library is used, as these functions are sent by value: a worker that lacks the package can so say
it, and one with another version of it measures with that. Nothing else is sent but the options and this file's text,
which is the program of that process: a watchdog ends it when the worker is gone, as nobody else would.
"""

from __future__ import annotations

import contextlib
import os
import platform
import runpy
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TICK_S = 0.1
STOP_S = 5.0  # what a measurement may take to end when it is told to; it ends within a block
VERSION_CODE = "import bandwidth; print(bandwidth.__version__)"
PROGRAM = Path(__file__).read_text("utf-8")
# A worker in one of these states takes itself down: nobody hears what it measures.
CLOSING = ("closing", "closed", "stopping", "stopped", "failed")


def describe_host(limit_s: float) -> dict[str, str]:
    """Return the host's name, what tells its machine from others, and the version of the package there, or why not.

    Two containers or addresses of one machine have the same `machine`: the kernel's boot id.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        boot = ""
    found = {"hostname": platform.node(), "machine": boot or platform.node(), "python": platform.python_version()}
    command = [sys.executable, "-c", VERSION_CODE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return {**found, "lacks": f"{sys.executable} does not start: {type(error).__name__}"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {**found, "lacks": f"{sys.executable} has no bandwidth: {last[:200]}"}
    return {**found, "version": done.stdout.strip()[:40]}


def run_measurement(options: list[str], limit_s: float, must_stop: Callable[[], bool]) -> dict[str, Any]:
    """Run `bandwidth measure` with the worker's own interpreter in a process of its own.

    Return its `code`, the last line that it wrote for people, and the `record`'s text, empty where there is none. It
    is stopped when `limit_s` is over (`code` None), or when `must_stop` says that nobody waits for it, and it ends by
    itself when this process is gone, however that ended.
    """
    with tempfile.TemporaryDirectory(prefix="bandwidth-fleet-") as folder:
        record, program = (Path(folder) / name for name in ("record.json", "watchdog.py"))
        program.write_text(PROGRAM, "utf-8")
        # The record is saved after each round, and printed at the end: where the folder's disk is full, that is left.
        measure = ["measure", *options, "--quiet", "--json", "--save", str(record)]
        command = [sys.executable, str(program), str(os.getpid()), folder, *measure]
        with memory_file() as printed, memory_file() as said:
            # The pipe closes with this process; none of its other children inherits it.
            with subprocess.Popen(  # noqa: S603 - the worker's interpreter, and options that are no shell's
                command, stdin=subprocess.PIPE, stdout=printed, stderr=said
            ) as process:
                code = wait_or_stop(process, limit_s, must_stop)
            text, lines = written_to(printed), written_to(said).strip().splitlines()
        if not text.endswith("}\n") and record.exists():  # it was ended before it could print
            text = record.read_text("utf-8")
    return {"code": code, "said": lines[-1][:300] if lines else "", "record": text}


def memory_file() -> Any:
    """Return a file that takes no disk, where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("bandwidth"), "w+b")
    return tempfile.TemporaryFile()


def written_to(file: Any) -> str:
    """Return what a process wrote to a file that it shares."""
    file.seek(0)
    return str(file.read().decode("utf-8", "replace"))


def wait_or_stop(process: Any, limit_s: float, must_stop: Callable[[], bool]) -> int | None:
    """Return a process's exit code, None where it had to be stopped; SIGTERM lets it save what it has."""
    end = time.monotonic() + limit_s
    try:
        while process.poll() is None and time.monotonic() < end and not must_stop():
            time.sleep(TICK_S)
        if process.poll() is not None:
            return int(process.returncode)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def measure_as_task(options: list[str], limit_s: float) -> dict[str, Any]:
    """Run the measurement as a task of a worker: when the task is cancelled, or its client is gone, it ends early."""
    return run_measurement(options, limit_s, task_is_unwanted())


def task_is_unwanted() -> Callable[[], bool]:
    """Return what tells whether the task that runs here was cancelled, or its worker closes.

    It asks the worker, by the module of Dask's that is loaded there already: elsewhere nothing is ever unwanted.
    """
    dask_worker = sys.modules.get("distributed.worker")
    if dask_worker is None:
        return lambda: False
    try:
        worker = dask_worker.get_worker()
        key = worker.get_current_task()
    except (ValueError, AttributeError):
        return lambda: False

    def is_unwanted() -> bool:
        if worker.status.name in CLOSING:
            return True
        state = worker.state.tasks.get(key)
        return state is None or state.state in ("cancelled", "released", "forgotten")

    return is_unwanted


# --- the process of the measurement ---------------------------------------------------------------------------------


def main() -> None:
    """Run `bandwidth` with the further arguments of this process until it ends, or nobody attends it any more.

    The first argument is the worker's process id, the second a folder that is removed when the worker is gone, and the
    standard input a pipe whose other end the worker holds.
    """
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
