"""A real Dask cluster on this machine whose workers count as hosts; what takes part is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from bandwidth.errors import BandwidthError
from bandwidth.fleet.gathering import gather
from bandwidth.fleet.on_dask import dask_cluster
from bandwidth.measuring.lock import machine_lock
from bandwidth.results.files import load

pytest.importorskip("distributed", reason="the extra `fleet` (distributed) is not installed")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 and on are addresses of Linux alone"),
    # Dask's own threads and sockets, as it closes.
    pytest.mark.filterwarnings("ignore"),
]
SHORT = ["host", "--size", "16MiB", "--engine", "numpy", "--budget", "1s"]
# Half a minute and more: what ends before was ended.
LONG = ["host", "--size", "64MiB", "--engine", "numpy", "--budget", "60s"]
ENDS_WITHIN_S = 5.0  # it takes 0.1 s; a loaded machine may need longer
PROGRAM = "from dask.__main__ import main; main()"


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


@pytest.fixture
def cluster(tmp_path):
    """Three workers at three addresses, each with its own temporary folder and so its own lock."""
    file = tmp_path / "scheduler.json"
    processes = [
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    ]
    workers = {}
    for number in (2, 3, 4):
        folder = tmp_path / f"tmp{number}"
        folder.mkdir()
        address = f"127.0.0.{number}"
        workers[address] = start(
            "worker",
            "--scheduler-file",
            str(file),
            "--host",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--local-directory",
            str(folder),
            TMPDIR=str(folder),
            BANDWIDTH_LOCK_FOLDER=str(folder),
        )
    processes += workers.values()
    try:
        wait_for(file.exists)
        with dask_cluster(None, file) as found:
            wait_for(lambda: len(found.hosts()) == 3)
            yield found, workers, tmp_path / "runs"
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait_for(condition, limit_s=60):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def test_a_worker_killed_in_the_middle_costs_its_own_record_alone(cluster, tmp_path):
    found, workers, folder = cluster
    folder.mkdir()

    def kill_in_the_middle():
        wait_for(lambda: list(tmp_path.glob("tmp3/bandwidth-fleet-*/record.json")))
        workers["127.0.0.3"].send_signal(signal.SIGKILL)

    killing = threading.Thread(target=kill_in_the_middle)
    killing.start()
    ended = {one.host: one for one in gather(found, SHORT, folder)}  # one machine: they take turns
    killing.join()
    assert "127.0.0.3" in ended["127.0.0.3"].reason
    assert "left the cluster" in ended["127.0.0.3"].reason
    assert ended["127.0.0.3"].path is None
    for host in ("127.0.0.2", "127.0.0.4"):
        assert load(ended[host].path).machine["hostname_label"] == host


# --- the command, and who else is gone -------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path):
    """The scheduler, the nanny of one worker, and `bandwidth fleet measure`, in the middle of a long measurement."""
    file, kept = tmp_path / "scheduler.json", tmp_path / "runs"
    scheduler = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)
    )
    wait_for(file.exists)
    options = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
    nanny = start(
        "worker",
        *options,
        "--local-directory",
        str(tmp_path),
        TMPDIR=str(tmp_path),
        BANDWIDTH_LOCK_FOLDER=str(tmp_path),
    )
    processes = [scheduler, nanny]
    try:
        with dask_cluster(None, file) as found:
            wait_for(found.hosts)
        asked = ["fleet", "measure", "--scheduler-file", str(file), "--save", str(kept), "--", *LONG]
        with (tmp_path / "said").open("wb") as said:
            processes.append(subprocess.Popen([sys.executable, "-m", "bandwidth", *asked], stderr=said))
        wait_for(lambda: list(tmp_path.glob("bandwidth-fleet-*/record.json")))
        assert not is_free(tmp_path)
        yield scheduler, nanny, processes[-1]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def is_free(folder):
    try:
        with machine_lock(folder):
            return True
    except BandwidthError:
        return False


def kill_worker(scheduler, nanny, client):
    family = psutil.Process(nanny.pid).children(recursive=True)
    (measurement,) = [one for one in family if any("watchdog.py" in word for word in one.cmdline())]
    measurement.parent().kill()


def kill_scheduler(scheduler, nanny, client):
    scheduler.kill()


def interrupt_client(scheduler, nanny, client):
    client.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (kill_worker, 1, "left the cluster before it answered"),
        (kill_scheduler, 1, "127.0.0.1: the scheduler has stopped"),
        (interrupt_client, 130, "bandwidth: interrupted; no record has arrived"),
    ],
)
def test_a_measurement_ends_with_whatever_asked_for_it(command, tmp_path, end, code, said):
    end(*command)
    wait_for(lambda: is_free(tmp_path), ENDS_WITHIN_S)
    wait_for(lambda: not list(tmp_path.glob("bandwidth-fleet-*")), ENDS_WITHIN_S)
    assert command[2].wait(30) == code
    lines = (tmp_path / "said").read_text("utf-8").splitlines()
    assert said in "".join(lines[-1:])
    assert not [line for line in lines if not line.startswith(("[1/1] ", "bandwidth: "))]


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr("bandwidth.fleet.on_dask.CONNECT_S", 0.3)
    with (
        pytest.raises(BandwidthError, match=r"the scheduler tcp://.* does not answer"),
        dask_cluster("tcp://127.0.0.1:1", None),
    ):
        pass
