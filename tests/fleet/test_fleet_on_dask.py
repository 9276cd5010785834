"""A real Dask cluster on this machine whose workers count as hosts; one of them is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from bandwidth.errors import BandwidthError
from bandwidth.fleet.gathering import gather
from bandwidth.fleet.on_dask import dask_cluster
from bandwidth.results.files import load

pytest.importorskip("distributed", reason="the extra `fleet` (distributed) is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 and on are addresses of Linux alone"),
    # Dask's own threads and sockets, as it closes.
    pytest.mark.filterwarnings("ignore"),
]
TINY = ["host", "--size", "2MiB", "--kernel", "copy", "--threads", "1", "--engine", "numpy"]
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
        assert time.monotonic() < end, "the cluster did not start"
        time.sleep(0.1)


def test_a_worker_killed_in_the_middle_costs_its_own_record_alone(cluster):
    found, workers, folder = cluster
    folder.mkdir()
    hosts = gather(found, [*TINY, "--budget", "2s"], folder)
    first = next(hosts)  # all of them are one machine, so they take turns: the second runs now
    time.sleep(0.5)
    workers["127.0.0.3"].send_signal(signal.SIGKILL)
    ended = {one.host: one for one in [first, *hosts]}
    assert "127.0.0.3" in ended["127.0.0.3"].reason
    assert "left the cluster" in ended["127.0.0.3"].reason
    assert ended["127.0.0.3"].path is None
    for host in ("127.0.0.2", "127.0.0.4"):
        assert load(ended[host].path).machine["hostname_label"] == host


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr("bandwidth.fleet.on_dask.CONNECT_S", 1.0)
    with (
        pytest.raises(BandwidthError, match=r"the scheduler tcp://.* does not answer"),
        dask_cluster("tcp://127.0.0.1:1", None),
    ):
        pass
