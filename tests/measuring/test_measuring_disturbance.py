"""What else had the machine while blocks ran: read before and behind each block of the real run, kept in the record."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from functools import partial

import pytest
from measuring_support import ScriptedEngine, small_topology

from bandwidth.engines.host.workers import Team, worker_threads
from bandwidth.findings import examine
from bandwidth.machine.conditions import Activity, read_activity
from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import CapturedReader, SystemReader
from bandwidth.measuring.disturbance import disturbances
from bandwidth.measuring.run import Measurement
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.results import summarise
from bandwidth.results.files import parse, record_to_json

CPUS = 4
THREADS = (11, 12)


class ScriptedMachine(CapturedReader):
    """A machine of four CPUs on the clock of an engine: its files tell what others, a hypervisor and a queue took."""

    def __init__(self, engine, others=0.0, steal=0.0, waits=0.0):
        super().__init__({})
        self._engine, self._others, self._steal, self._waits = engine, others, steal, waits

    def text(self, path):
        now = self._engine.now
        if path == "/proc/stat":
            total = round(now * 100 * CPUS)
            others, steal = round(total * self._others), round(total * self._steal)
            return f"cpu  {others} 0 0 {total - others - steal} 0 0 0 {steal} 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n"
        if path == "/proc/pressure/cpu":
            return f"some avg10=0.00 avg60=0.00 avg300=0.00 total={round(now * self._waits * 1e6)}\n"
        if path.startswith("/proc/self/task/"):
            return f"{round(now * (1 - self._waits) * 1e9)} {round(now * self._waits * 1e9)} 7\n"
        return None


def results_of(engine, **machine):
    plan = make_plan(
        MeasureOptions(budget_s=15.0, kernels=("copy", "read"), threads=("2",), size_bytes=2**24, engines=("numpy",)),
        Facts({}),
        small_topology(2),
    )
    reader = ScriptedMachine(engine, **machine)

    def activity():
        return replace(read_activity(reader, THREADS), wall_s=engine.now)

    return Measurement(plan, {"numpy": engine}, clock=engine.clock, activity=activity).run().results


def steady():
    return ScriptedEngine(lambda case, calls: 0.1)


@pytest.mark.parametrize(
    ("machine", "name", "share", "words"),
    [
        ({"others": 0.5}, "others_cpu_share", 0.5, "other processes took 50.0 % of the CPU time"),
        ({"steal": 0.3}, "steal_share", 1.0, "the hypervisor took 100.0 % of the busy CPU time"),
        ({"steal": 0.1, "others": 0.05}, "steal_share", 2 / 3, "the hypervisor took 66."),
        ({"waits": 0.94}, "cpu_wait_share", 0.94, "threads of the measurement waited for a CPU 94.0 % of their time"),
    ],
)
def test_what_others_took_while_blocks_ran_is_kept_and_named(make_record, machine, name, share, words):
    results = results_of(steady(), **machine)
    assert len(results) == 2
    for result in results:
        assert result.observed[name].median == pytest.approx(share, abs=0.02)
    examination = examine(make_record(*results))
    assert {"BW004", "BW046"} <= examination.codes()
    (text,) = [finding.text for finding in examination.general if finding.code == "BW004"]
    assert text.startswith(f"during 2 of 2 results {words}")


def test_a_quiet_machine_is_not_called_busy(make_record):
    results = results_of(steady(), others=0.05, waits=0.01)
    assert examine(make_record(*results)).codes() & {"BW004", "BW046"} == set()


def test_a_machine_that_tells_nothing_leaves_nothing(make_record):
    engine = steady()
    plan = make_plan(
        MeasureOptions(budget_s=15.0, kernels=("copy",), threads=("2",), size_bytes=2**24, engines=("numpy",)),
        Facts({}),
        small_topology(2),
    )
    activity = partial(read_activity, CapturedReader({}))
    (result,) = Measurement(plan, {"numpy": engine}, clock=engine.clock, activity=activity).run().results
    assert set(result.observed) <= {"involuntary_switches"}
    assert summarise(result).median_bytes_per_s is not None


def test_each_blocks_own_reading_stands_beside_its_sample():
    """Others come and go with the blocks: the record tells in which they were there."""
    engine = ScriptedEngine(lambda case, calls: 0.2 if len(engine.blocks()) % 3 == 0 else 0.1)
    machine = ScriptedMachine(engine)
    blocks = iter(range(10**6))

    def activity():
        read = read_activity(machine, THREADS)
        busy = 0.0 if next(blocks) % 2 == 0 else 0.4 if len(engine.blocks()) % 3 == 0 else 0.0
        return Activity(read.wall_s, 0.0, busy, 0.0, engine.now * CPUS, switches=len(engine.blocks()))

    plan = make_plan(
        MeasureOptions(budget_s=5.0, kernels=("copy",), threads=("2",), size_bytes=2**24, engines=("numpy",)),
        Facts({}),
        small_topology(2),
    )
    (result,) = Measurement(plan, {"numpy": engine}, clock=engine.clock, activity=activity).run().results
    others = result.observed["others_cpu_share"].values
    assert len(others) == len(result.samples.seconds)
    assert [share > 0 for share in others] == [seconds == 0.2 for seconds in result.samples.seconds]


def test_blocks_are_read_outside_of_what_is_timed():
    engine = steady()
    plan = make_plan(
        MeasureOptions(budget_s=5.0, kernels=("copy",), threads=("2",), size_bytes=2**24, engines=("numpy",)),
        Facts({}),
        small_topology(2),
    )

    def activity():
        engine.log.append(("read", ""))
        engine.now += 0.05  # a slow reading costs of the budget, not of the rate
        return Activity(engine.now, 0.0)

    (result,) = Measurement(plan, {"numpy": engine}, clock=engine.clock, activity=activity).run().results
    assert set(result.samples.seconds) == {0.1}
    places = [place for place, (what, _) in enumerate(engine.log) if what == "block"]
    assert all((engine.log[place - 1][0], engine.log[place + 1][0]) == ("read", "read") for place in places)


# --- shares


def block(**counted):
    return Activity(**({"wall_s": 0.1, "own_s": 0.2, "busy_s": 0.3, "steal_s": 0.0, "total_s": 0.4} | counted))


def test_the_share_is_that_of_all_blocks_together():
    """A block of 20 ms has two ticks: one alone says nothing."""
    blocks = [block(busy_s=0.2), block(busy_s=0.1), block(busy_s=0.3), block(busy_s=0.2)]
    seen = disturbances(blocks)["others_cpu_share"]
    assert (seen.median, seen.least, seen.most) == (0.0, 0.0, 0.25)
    assert seen.values == (0.0, 0.0, 0.25, 0.0)


def test_what_ticks_alone_may_show_is_no_other():
    """Seven blocks of 25 ms on two busy CPUs, each counted to a tick of 10 ms: the error of a few, always upwards."""
    few = [block(wall_s=0.025, own_s=0.05, busy_s=0.05 + 0.007, total_s=0.05)] * 7
    assert disturbances(few)["others_cpu_share"].median == 0.0
    many = disturbances(few * 20)["others_cpu_share"]  # what stays over twenty times as many is no such error
    assert many.median == pytest.approx(0.14)
    assert (
        disturbances([block(wall_s=0.025, own_s=0.03, busy_s=0.05, total_s=0.05)] * 7)["others_cpu_share"].median == 0.4
    )


def test_what_one_block_lacks_is_left_out():
    assert "others_cpu_share" not in disturbances([block(), block(busy_s=None)])
    assert "cpu_wait_share" not in disturbances([block()])
    assert disturbances([]) == {}


def test_shares_stay_between_0_and_1():
    seen = disturbances([block(busy_s=9.0, ran_s=0.0, waited_s=0.0, wall_s=1.0, stalled_s=5.0)])
    assert seen["others_cpu_share"].median == 1.0
    assert seen["cpu_pressure_share"].median == 1.0
    assert "cpu_wait_share" not in seen  # no thread of it ran


# --- the record


def test_a_record_keeps_each_blocks_reading_and_reads_those_without(make_record):
    record = make_record(*results_of(ScriptedEngine(lambda case, calls: 0.1), others=0.33))
    text = json.dumps(record_to_json(record, examine(record)))
    again = parse(text, "a test")
    assert again.results == record.results
    content = json.loads(text)
    for result in content["results"]:
        for seen in result["observed"].values():
            seen.pop("values", None)
    old = parse(json.dumps(content), "a test")
    assert old.results[0].observed["others_cpu_share"].values == ()
    for result in content["results"]:
        result["observed"] = {}
    assert parse(json.dumps(content), "a test").results[0].observed == {}


# --- this machine


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="this kernel counts no waits")  # noqa: PTH110
def test_this_machine_tells_of_its_own_threads():
    team = Team((0, 0), pin=False)
    try:
        assert len(worker_threads()) >= 2
        before = read_activity(SystemReader(), worker_threads())
        team.each([partial(sum, range(2_000_000))] * 2)
        spent = read_activity(SystemReader(), worker_threads()).since(before)
        assert 0.01 < spent.ran_s <= 1.05 * spent.own_s
        assert spent.waited_s >= 0
        assert spent.total_s >= 0
        assert spent.switches >= 0
    finally:
        team.close()
    assert threading.current_thread().native_id not in worker_threads()
