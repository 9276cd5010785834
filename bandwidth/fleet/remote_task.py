"""What a worker does for a fleet: it starts the measurement in a process of its own and brings the record back.

Only the standard library is used, as these functions are sent by value: a worker that lacks the package can so say
it, and one with another version of it measures with that. Nothing else is sent but the options and watchdog.py's text.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bandwidth.fleet import watchdog

TICK_S = 0.1
STOP_S = 5.0  # what a measurement may take to end when it is told to; it ends within a block
VERSION_CODE = "import bandwidth; print(bandwidth.__version__)"
WATCHDOG_CODE = inspect.getsource(watchdog)
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
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
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
        program.write_text(WATCHDOG_CODE, "utf-8")
        # The record is saved after each round, and printed at the end: where the folder's disk is full, that is left.
        measure = ["measure", *options, "--quiet", "--json", "--save", str(record)]
        command = [sys.executable, str(program), str(os.getpid()), folder, *measure]
        with in_memory() as printed, in_memory() as said:
            # The pipe closes with this process; none of its other children inherits it.
            with subprocess.Popen(  # noqa: S603 - the worker's interpreter, and options that are no shell's
                command, stdin=subprocess.PIPE, stdout=printed, stderr=said
            ) as process:
                code = wait_or_stop(process, limit_s, must_stop)
            text, lines = written_to(printed), written_to(said).strip().splitlines()
        if not text.endswith("}\n") and record.exists():  # it was ended before it could print
            text = record.read_text("utf-8")
    return {"code": code, "said": lines[-1][:300] if lines else "", "record": text}


def in_memory() -> Any:
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
