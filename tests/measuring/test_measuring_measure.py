"""The whole of `measure`: engines made once and closed whatever happens, results in their order, notes kept."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
from ceiling_hosts import facts_of_host, layout
from measuring_support import ScriptedEngine, small_topology
from simulated_machine import Machine

from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import SystemReader
from bandwidth.measuring import lock
from bandwidth.measuring.lock import FOLDER_VARIABLE, LOCK_NAME
from bandwidth.measuring.measure import measure_prepared
from bandwidth.planning.cases import Stage, Surroundings
from bandwidth.planning.host import HostPlanner, make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.preparation import Preparation


@pytest.fixture(autouse=True)
def own_lock(tmp_path, monkeypatch):
    """Give each test a lock of its own: another measurement on this machine must not fail it."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))


def preparation(topology=None, facts=None, **options):
    topology = topology or small_topology(2)
    options = {"size_bytes": 2**22, "budget_s": 1.0, **options}
    asked, here = MeasureOptions(**options), Surroundings(SystemReader(), facts or Facts({}), topology)
    return Preparation(asked, here, (Stage(HostPlanner(asked, here), make_plan(asked, here.facts, topology)),))


def measured(prepared, engine, **seams):
    made = []

    def make_engine(name, topology):
        made.append(name)
        return engine

    record, interrupted = measure_prepared(prepared, ("a", "test"), make_engine=make_engine, **seams)
    return record, interrupted, made


def test_engines_are_made_once_for_each_name_and_closed():
    engine = ScriptedEngine(lambda case, calls: 0.02)
    record, interrupted, made = measured(preparation(kernels=("copy",)), engine)
    assert made == ["native", "numpy"]
    assert engine.is_closed
    assert not interrupted
    assert record.command == ("a", "test")
    assert len(record.results) == 6


def test_each_result_has_its_ceilings_with_the_clock_of_its_own_blocks():
    facts = facts_of_host("AuthenticAMD", 25, 17, "AMD EPYC 9654 96-Core Processor")
    topology = layout(cores=8)
    engine = ScriptedEngine(lambda case, calls: 0.02, observed=lambda case: {"clock_hz": 3.5e9})
    for options, kinds in (({}, {"cache"}), ({"size_bytes": 2**30}, {"memory", "fabric", "core", "platform"})):
        prepared = preparation(topology, facts, kernels=("read",), memory="DDR5-4800 x12", **options)
        record, _, _ = measured(prepared, engine)
        for result in record.results:
            found = {ceiling.kind: ceiling for ceiling in result.ceilings}
            assert set(found) == kinds
            assert "cache" not in found or "3.5 GHz" in found["cache"].working
            if "memory" in found and not result.case.is_size_check:
                assert found["memory"].bytes_per_s == result.theory_bytes_per_s


def test_the_record_says_which_lock_was_held(tmp_path):
    record, _, _ = measured(preparation(kernels=("copy",)), ScriptedEngine(lambda case, calls: 0.02))
    assert record.conditions.before["lock"] == [str(tmp_path / LOCK_NAME)]


def test_the_record_notes_a_lock_that_others_may_not_see(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr("bandwidth.measuring.lock.PLACES", dict.fromkeys(lock.PLACES, (str(tmp_path / "missing"),)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    record, _, _ = measured(preparation(kernels=("copy",)), ScriptedEngine(lambda case, calls: 0.02))
    assert record.conditions.before["lock"] == [str(tmp_path / LOCK_NAME)]
    assert record.notes[-1].startswith(f"The lock of the measurement is in {tmp_path}")


def test_engines_are_closed_when_one_fails():
    engine = ScriptedEngine(lambda case, calls: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measured(preparation(kernels=("copy",)), engine)
    assert engine.is_closed
    assert gc.isenabled()


def test_interrupt_keeps_what_there_is_and_closes():
    engine = ScriptedEngine(lambda case, calls: 0.02, interrupt_at=20)
    record, interrupted, _ = measured(preparation(), engine)
    assert interrupted
    assert engine.is_closed
    assert len(record.results) + len(record.not_run) == len(preparation().plans[0].cases)


def test_each_round_saves_what_there_is():
    saved = []
    measured(preparation(kernels=("copy",)), ScriptedEngine(lambda case, calls: 0.02), save=saved.append)
    assert len(saved) >= 7
    assert [len(record.results[0].samples.seconds) for record in saved[:3]] == [1, 2, 3]


def test_results_stand_by_threads_kernel_engine_and_stores():
    prepared = preparation(size_bytes=None, budget_s=60.0)
    record, _, _ = measured(prepared, Machine(small_topology(2)).engine())
    ids = [result.case.id.removeprefix("host/") for result in record.results]
    assert ids[0] == "read/native/1"
    assert [case_id for case_id in ids if case_id.startswith("copy/") and "/2" in case_id] == [
        "copy/native/2/streaming",
        "copy/native/2/streaming/134217728",
        "copy/native/2/ordinary",
        "copy/numpy/2",
    ]
    kernels = list(dict.fromkeys(case_id.split("/")[0] for case_id in ids))
    assert kernels == ["read", "write", "copy", "scale", "add", "triad", "dot"]


def test_points_of_a_sweep_stand_in_their_order_whatever_order_they_ran_in():
    prepared = preparation(sweep="size", sweep_range=(2**12, 2**16), size_bytes=None, budget_s=30.0)
    record, _, _ = measured(prepared, ScriptedEngine(lambda case, calls: 0.02))
    points = [result.case.variant["sweep_point"] for result in record.results if result.case.threads == 1]
    assert points == sorted(points)
    loads = preparation(latency=True, size_bytes=2**20, budget_s=30.0)
    record, _, _ = measured(loads, ScriptedEngine(lambda case, calls: 0.02))
    variants = [result.case.variant for result in record.results if "load" in result.case.variant]
    shares = [str(variant.get("writes", "")) for variant in variants]
    assert shares == sorted(shares)
    for share in set(shares):
        own = [variant for variant in variants if variant.get("writes", "") == share]
        percents = [int(variant["load"].rstrip("%")) for variant in own]
        assert percents == sorted(percents)


def test_one_node_gives_a_record_with_a_note_and_no_results():
    record, interrupted, made = measured(preparation(numa=True), ScriptedEngine(lambda case, calls: 0.02))
    assert (record.results, record.not_run, made, interrupted) == ((), (), [], False)
    assert record.notes == ("This machine has one NUMA node, so it has no remote memory.",)


def test_nothing_to_measure_is_an_error():
    prepared = preparation(kernels=("copy",))
    (stage,) = prepared.stages
    empty = replace(prepared, stages=(replace(stage, plan=replace(stage.plan, cases=(), notes=())),))
    with pytest.raises(BandwidthError, match="there is nothing to measure"):
        measured(empty, ScriptedEngine(lambda case, calls: 0.02))
