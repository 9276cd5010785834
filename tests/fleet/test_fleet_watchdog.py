"""A measurement ends when the process that asked for it is gone, killed without a word; a sound one is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from bandwidth.errors import BandwidthError
from bandwidth.fleet import remote_task
from bandwidth.measuring.lock import FOLDER_VARIABLE, machine_lock

TINY = ["host", "--size", "2MiB", "--kernel", "copy", "--threads", "1", "--engine", "numpy"]
# Half a minute and more: what ends before was ended.
LONG = ["host", "--size", "64MiB", "--engine", "numpy", "--budget", "60s"]
ENDS_WITHIN_S = 3.0  # it takes 0.05 s; a loaded machine may need longer
WORKER = (
    "import sys; from bandwidth.fleet import remote_task; remote_task.run_measurement(sys.argv[1:], 100, lambda: False)"
)


def wait_for(condition, limit_s):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def is_free(folder):
    try:
        with machine_lock(folder):
            return True
    except BandwidthError:
        return False


def test_a_measurement_ends_when_its_worker_is_killed(tmp_path):
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, *LONG],
        env={**os.environ, "TMPDIR": str(tmp_path), FOLDER_VARIABLE: str(tmp_path)},
    )
    try:
        wait_for(lambda: list(tmp_path.glob("bandwidth-fleet-*/record.json")), 60)  # after its first round
        assert not is_free(tmp_path)
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: is_free(tmp_path), ENDS_WITHIN_S)
    wait_for(lambda: not list(tmp_path.glob("bandwidth-fleet-*")), ENDS_WITHIN_S)


def test_a_record_that_no_disk_takes_comes_all_the_same(tmp_path, monkeypatch):
    """The measurement's folder is gone when it saves: what it printed is the record."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = []

    def remove(*_):
        path = next(tmp_path.glob("bandwidth-fleet-*/record.json"), None)
        if path is not None and path.is_file():
            path.unlink()
            with suppress(FileExistsError):  # saved once more just then: the next look removes that
                path.mkdir()
                gone.append(path)
        return False

    answer = remote_task.run_measurement([*TINY, "--budget", "1s"], 100, remove)
    assert gone
    assert (answer["code"], "is a folder; it is on standard output" in answer["said"]) == (2, True)
    assert json.loads(answer["record"])["results"]


def test_a_sound_measurement_is_what_it_would_be_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = remote_task.run_measurement([*TINY, "--budget", "100ms"], 100, lambda: False)
    assert (answer["code"], answer["said"]) == (0, "")
    command = json.loads(answer["record"])["command"]
    assert command[:-1] == ["bandwidth", "measure", *TINY, "--budget", "100ms", "--quiet", "--json", "--save"]
    assert not list(tmp_path.glob("bandwidth-fleet-*"))


def test_one_that_is_stopped_says_so_itself():
    started = time.monotonic()
    answer = remote_task.run_measurement(LONG, 100, lambda: time.monotonic() > started + 1)
    assert answer["code"] is None
    assert time.monotonic() - started < 20


# --- the wait itself -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["pidfd_open", "the pipe alone"])
def _ways(request, monkeypatch):
    if request.param == "the pipe alone":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("no pidfd_open here")


@pytest.mark.usefixtures("_ways")
def test_the_wait_ends_with_the_pipe_and_not_before():
    attendant, held = os.pipe()
    waiting = threading.Thread(target=remote_task.wait_until_alone, args=(attendant, os.getpid()))
    waiting.start()
    try:
        waiting.join(0.2)
        assert waiting.is_alive()
    finally:
        os.close(held)
        waiting.join(ENDS_WITHIN_S)
        os.close(attendant)
    assert not waiting.is_alive()


def test_a_kernel_that_refuses_leaves_the_pipe(monkeypatch):
    def refuse(_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    attendant, held = os.pipe()
    os.close(held)
    remote_task.wait_until_alone(attendant, os.getpid())
    os.close(attendant)


FORKING = """
import os, subprocess, sys, time
waiter = "import sys; from bandwidth.fleet.remote_task import wait_until_alone; wait_until_alone(0, int(sys.argv[1]))"
waiter += "; print('alone', flush=True)"
process = subprocess.Popen([sys.executable, "-c", waiter, str(os.getpid())], stdin=subprocess.PIPE)
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(100)
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells the death of a parent")
def test_a_fork_of_the_worker_that_holds_the_pipe_does_not_keep_it():
    worker = subprocess.Popen([sys.executable, "-c", FORKING], stdout=subprocess.PIPE, text=True)
    with worker:
        fork = int(worker.stdout.readline())
        worker.kill()
        try:
            assert worker.stdout.readline() == "alone\n"
        finally:
            os.kill(fork, signal.SIGKILL)


# --- a worker of Dask's, played --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state", "is_unwanted"),
    [
        ("running", "executing", False),
        ("closing_gracefully", "executing", False),  # a retired worker may finish what it does
        ("closing", "executing", True),
        ("closed", "executing", True),
        ("running", "cancelled", True),
        ("running", None, True),
    ],
)
def test_a_task_is_unwanted_where_it_was_cancelled_or_its_worker_closes(monkeypatch, status, state, is_unwanted):
    class Named:
        def __init__(self, **fields):
            self.__dict__.update(fields)

    tasks = {"task": Named(state=state)} if state else {}
    worker = Named(status=Named(name=status), state=Named(tasks=tasks), get_current_task=lambda: "task")
    monkeypatch.setitem(sys.modules, "distributed.worker", Named(get_worker=lambda: worker))
    assert remote_task.task_is_unwanted()() is is_unwanted
