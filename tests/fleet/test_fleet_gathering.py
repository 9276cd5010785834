"""Hosts that measure in turn or together, fail, leave, hang, or lack the package: played without a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pytest
from simulated_fleet import Spread, write_fleet

from bandwidth.errors import UsageError
from bandwidth.fleet import gathering, remote_task
from bandwidth.fleet.gathering import check_options, gather
from bandwidth.results.files import load
from bandwidth.version import __version__


@dataclass
class PlayedTask:
    """Done after some looks at it; never where `after` is None."""

    answer: object
    after: int | None = 1
    looks: int = 0
    is_cancelled: bool = False
    done: list = field(default_factory=list)
    name: str = ""

    def is_done(self):
        self.looks += 1
        is_done = self.after is not None and self.looks > self.after
        if is_done and self.name in self.done:
            self.done.remove(self.name)
        return is_done

    def result(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def cancel(self):
        self.is_cancelled = True


class PlayedCluster:
    """Hosts `a`, `b` ... each of a machine of its own, and all well unless a test says otherwise."""

    def __init__(self, record, names="abc"):
        self.record = record
        self.names = list(names)
        self.described = {}
        self.measured = {}
        self.gone = set()
        self.running, self.most_running, self.tasks = [], 0, {}

    def hosts(self):
        return {name: f"tcp://{name}:1" for name in self.names}

    def workers(self):
        return {f"tcp://{name}:1" for name in self.names if name not in self.gone}

    def describe(self, address):
        name = address[6]
        usual = {"hostname": f"node-{name}", "machine": name, "version": __version__}
        return self.described.get(name) or PlayedTask(usual)

    def measure(self, address, options, limit_s):
        name = address[6]
        self.running.append(name)
        self.most_running = max(self.most_running, len(self.running))
        text = self.record.replace("n00000", f"node-{name}")
        task = self.measured.get(name) or PlayedTask({"code": 0, "said": "", "record": text})
        task.done, task.name = self.running, name
        self.tasks[name] = task
        return task


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(gathering, "TICK_S", 0.001)
    monkeypatch.setattr(gathering, "WATCH_S", 0.01)
    monkeypatch.setattr(gathering, "GRACE_S", 0.05)


@pytest.fixture
def record(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    write_fleet(folder, 1, 1, Spread())
    return (folder / "n00000.json").read_text("utf-8")


def run(cluster, folder, **options):
    return {one.host: one for one in gather(cluster, ["host"], folder, **options)}


def test_each_host_gives_a_record_of_its_own(record, tmp_path):
    cluster = PlayedCluster(record)
    found = run(cluster, tmp_path)
    assert {load(one.path).machine["hostname"] for one in found.values()} == {"node-a", "node-b", "node-c"}
    assert found["a"].path.name == "node_a-20260102T030405Z.json"
    assert cluster.most_running == 3


def test_one_at_a_time(record, tmp_path):
    cluster = PlayedCluster(record)
    assert len(run(cluster, tmp_path, one_at_a_time=True)) == 3
    assert cluster.most_running == 1


def test_hosts_that_are_one_machine_take_turns_and_get_labels(record, tmp_path):
    cluster = PlayedCluster(record)
    for name in "abc":
        cluster.described[name] = PlayedTask({"hostname": "node", "machine": "one", "version": __version__})
    found = run(cluster, tmp_path)
    assert cluster.most_running == 1
    assert [load(found[name].path).machine["hostname_label"] for name in "abc"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (PlayedTask({"code": 1, "said": "bandwidth: no room", "record": ""}), "no room"),
        (
            PlayedTask({"code": 3, "said": "", "record": ""}),
            "`bandwidth measure` ended with exit code 3 and no message",
        ),
        (PlayedTask({"code": None, "said": "", "record": ""}), "stopped after 300 s"),
        (PlayedTask({"code": 0, "said": "", "record": ""}), "no record was produced"),
        (PlayedTask({"code": 0, "said": "", "record": "{"}), "the record of b is not complete JSON"),
        (PlayedTask(RuntimeError("out\nof memory")), "its worker failed: RuntimeError: out of memory"),
        (PlayedTask("something"), "its worker sent an unexpected reply"),
    ],
)
def test_a_host_that_fails_is_told_and_the_rest_goes_on(record, tmp_path, task, reason):
    cluster = PlayedCluster(record)
    cluster.measured["b"] = task
    found = run(cluster, tmp_path)
    assert found["b"].reason.startswith(reason)
    assert found["b"].path is None
    assert found["a"].path is not None
    assert found["c"].path is not None


def test_a_worker_that_dies_is_not_waited_for(record, tmp_path):
    cluster = PlayedCluster(record)
    cluster.measured["b"] = PlayedTask(None, after=None)
    cluster.gone = {"b"}
    found = run(cluster, tmp_path)
    assert found["b"].reason == "its worker tcp://b:1 left the cluster before it answered"
    assert cluster.tasks["b"].is_cancelled


def test_a_worker_that_hangs_is_let_go(record, tmp_path):
    cluster = PlayedCluster(record)
    cluster.measured["b"] = PlayedTask(None, after=None)
    found = run(cluster, tmp_path, limit_s=0.05)
    assert "did not answer in time" in found["b"].reason
    assert len([one for one in found.values() if one.path]) == 2


def test_a_host_without_the_package_is_told_and_not_measured(record, tmp_path):
    cluster = PlayedCluster(record)
    cluster.described["b"] = PlayedTask({"hostname": "b", "machine": "b", "lacks": "python3 has no bandwidth"})
    found = run(cluster, tmp_path)
    assert found["b"].reason == "the package is missing: python3 has no bandwidth"
    assert "b" not in cluster.tasks


def test_another_version_there_is_said(record, tmp_path):
    cluster = PlayedCluster(record)
    usual = {"hostname": "node-b", "machine": "b", "version": "9.9"}
    cluster.described["b"] = PlayedTask(usual)
    assert run(cluster, tmp_path)["b"].note == f"bandwidth 9.9 there, {__version__} here"
    cluster.described["b"] = PlayedTask(usual)
    cluster.measured["b"] = PlayedTask({"code": 0, "said": "", "record": record.replace("record/1", "record/2")})
    assert f"bandwidth is 9.9 there and {__version__} here" in run(cluster, tmp_path)["b"].reason


def test_a_record_cut_short_is_kept_and_told(record, tmp_path):
    cluster = PlayedCluster(record)
    cluster.measured["b"] = PlayedTask({"code": None, "said": "", "record": record})
    found = run(cluster, tmp_path)
    assert found["b"].path is not None
    assert "stopped after 300 s" in found["b"].reason


def test_who_stops_reading_stops_the_measurements(record, tmp_path):
    cluster = PlayedCluster(record)
    cluster.measured["b"] = PlayedTask(None, after=None)
    hosts = gather(cluster, ["host"], tmp_path)
    next(hosts)
    hosts.close()
    assert cluster.tasks["b"].is_cancelled
    assert len(list(tmp_path.glob("*.json"))) >= 1


@pytest.mark.parametrize("option", ["--save", "-o", "-orun.json", "--output=x", "--json", "--plan"])
def test_options_that_the_fleet_says_itself_are_refused(option):
    with pytest.raises(UsageError, match="cannot be used with fleet measure"):
        check_options(["host", option])


# --- what a worker does ----------------------------------------------------------------------------------------------


def test_a_host_describes_itself():
    found = remote_task.describe_host(60)
    assert found["version"] == __version__
    assert found["hostname"]
    assert found["machine"]


def test_an_interpreter_without_the_package_says_so(monkeypatch):
    monkeypatch.setattr(remote_task, "VERSION_CODE", "import bandwidth_that_is_not_there")
    assert "has no bandwidth: ModuleNotFoundError" in remote_task.describe_host(60)["lacks"]


def test_a_process_that_takes_too_long_is_stopped():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = time.monotonic()
    assert remote_task.wait_or_stop(process, 0.2, lambda: False) is None
    assert time.monotonic() - started < 10
    assert process.poll() is not None


def test_a_process_that_nobody_waits_for_is_stopped():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert remote_task.wait_or_stop(process, 60, lambda: True) is None
    assert process.poll() is not None


def test_a_measurement_runs_in_a_process_of_its_own():
    options = ["host", "--size", "2MiB", "--budget", "100ms", "--kernel", "copy", "--threads", "1", "--engine", "numpy"]
    answer = remote_task.measure_as_task(options, 60)
    assert answer["code"] == 0, answer["said"]
    assert json.loads(answer["record"])["schema"] == "bandwidth/record/1"


def test_what_a_measurement_says_comes_back():
    answer = remote_task.run_measurement(["host", "--kernel", "nonsense"], 60, lambda: False)
    assert answer["code"] == 2
    assert "nonsense" in answer["said"]
    assert answer["record"] == ""
