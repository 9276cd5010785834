"""What is asked of a case's threads beside its blocks: right counts, an end in time, and no value where code lies."""

import ctypes
import threading
from functools import partial

import pytest
from measuring_support import MIB, hybrid_topology, small_topology

from bandwidth.engines.host import witnesses
from bandwidth.engines.host.native_code.compiled import Library, this_processor
from bandwidth.engines.host.native_code.kernel_arguments import (
    ADDITION_CHAINS,
    CHAIN_ADDITIONS,
    Barrier,
    Status,
)
from bandwidth.engines.host.native_code.processor import ADDITIONS, HOPS
from bandwidth.engines.host.witnesses import HOP_PASSES, Witness, Witnesses, _rings_of
from bandwidth.engines.host.workers import Team


@pytest.fixture(scope="module")
def library():
    return Library((), this_processor())


@pytest.fixture
def team():
    made = []

    def make(threads):
        made.append(Team(range(threads), pin=False))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_additions_are_all_made_and_take_the_time_that_they_are_told(library):
    barrier = Barrier()
    barrier.open()
    arguments = barrier.arguments(threads=1, source_0=5, source_1=7, interval_ns=1_000_000)
    library.function(ADDITIONS)(arguments)
    firsts = sum(5 + number for number in range(ADDITION_CHAINS))
    assert arguments.result == firsts + arguments.made * CHAIN_ADDITIONS * ADDITION_CHAINS * 7
    assert arguments.end_ns - arguments.start_ns >= 1_000_000
    assert arguments.lost_ns <= arguments.end_ns - arguments.start_ns
    assert arguments.made > 1


def does_less(name, honest, arguments):
    honest(arguments)
    arguments.made += name == ADDITIONS


def hops_fewer(name, honest, arguments):
    honest(arguments)
    if name == HOPS:
        arguments.made += 2


def never_runs(name, honest, arguments):
    if name == HOPS:
        honest(arguments)


@pytest.mark.parametrize("lie", [does_less, hops_fewer, never_runs])
def test_code_that_does_not_do_its_work_is_no_witness(lie, library, team):
    def function_of(name):
        return partial(lie, name, library.function(name))

    both, topology = team(2), small_topology(2)
    assert Witnesses(topology, function_of).behind(both, (0, 1)) is None
    assert Witnesses(topology, library.function).behind(both, (0, 1)) is not None


def test_pairs_are_asked_where_threads_are_few_and_one_ring_where_many():
    assert _rings_of(2) == [(0, 1)]
    assert _rings_of(4) == [(0, 1), (2, 3), (0, 2), (1, 3), (0, 3), (1, 2)]
    assert _rings_of(5) == [(0, 1, 2, 3, 4)]


class ScriptedCores:
    """Functions whose threads add at a speed each, in passes a nanosecond, and hop as fast as told."""

    def __init__(self, team, *speeds, hop_ns=90, lost_ns=0):
        self.threads = [worker._thread.ident for worker in team.workers]
        self.speeds, self.hop_ns, self.lost_ns = speeds, hop_ns, lost_ns

    def __call__(self, name):
        return self._add if name == ADDITIONS else self._hop

    def _add(self, arguments):
        speed = self.speeds[self.threads.index(threading.get_ident())]
        arguments.start_ns, arguments.end_ns = 0, arguments.interval_ns
        lost = self.lost_ns if arguments.threads > 1 else 0
        arguments.lost_ns, arguments.status = lost, Status.DONE
        arguments.made = round(speed * (arguments.interval_ns - lost))
        firsts = sum(arguments.source_0 + number for number in range(ADDITION_CHAINS))
        added = arguments.made * CHAIN_ADDITIONS * ADDITION_CHAINS * arguments.source_1
        arguments.result = (firsts + added) % 2**64

    def _hop(self, arguments):
        arguments.made, arguments.status = HOP_PASSES, Status.DONE
        arguments.fastest_ns = round(self.hop_ns * arguments.elements * arguments.threads)
        ctypes.c_uint64.from_address(arguments.destination).value = HOP_PASSES * arguments.elements


def test_a_neighbour_shows_against_the_best_of_the_run(team):
    both = team(2)
    cores = ScriptedCores(both, 1.0, 1.0)
    looked = Witnesses(small_topology(2), cores)
    assert looked.behind(both, (0, 1)) == Witness(90.0, 2.0, 1.0, 1.0)
    cores.speeds, cores.hop_ns = (0.5, 0.5), 290
    assert looked.behind(both, (0, 1)) == Witness(290.0, 1.0, 0.5, 1.0)


def test_time_without_a_cpu_is_no_slower_core(team):
    both = team(2)
    cores = ScriptedCores(both, 1.0, 1.0, lost_ns=witnesses.TOGETHER_NS // 5)
    assert Witnesses(small_topology(2), cores).behind(both, (0, 1)) == Witness(90.0, 1.6, 1.0, 0.8)


def test_a_slower_kind_of_core_is_a_core(team):
    both = team(2)
    looked = Witnesses(hybrid_topology(1, 1), ScriptedCores(both, 1.0, 0.25))
    assert looked.behind(both, (0, 2)).effective_cores == 2.0


def test_what_was_seen_just_behind_a_block_stands_for_before_the_next(team, monkeypatch):
    both = team(2)
    cores = ScriptedCores(both, 1.0, 1.0)
    looked = Witnesses(small_topology(2), cores)
    monkeypatch.setattr(witnesses, "FRESH_S", 60.0)
    assert looked.behind(both, (0, 1)).core_to_core_ns == 90
    cores.hop_ns = 290
    assert looked.before(both, (0, 1)).core_to_core_ns == 90
    other = team(2)
    cores.threads = [worker._thread.ident for worker in other.workers]
    assert looked.before(other, (0, 1)).core_to_core_ns == 290  # of other threads nothing was seen
    monkeypatch.setattr(witnesses, "FRESH_S", 0.0)
    cores.hop_ns = 91
    assert looked.before(other, (0, 1)).core_to_core_ns == 91


NAMES = {
    "core_to_core_ns",
    "core_to_core_behind_ns",
    "effective_cores",
    "effective_cores_behind",
    "core_share",
    "running_share",
}


def test_blocks_of_several_threads_carry_their_witnesses_and_are_verified(host_engine, host_case, latency_case):
    cases = [host_case("copy"), host_case("copy", "numpy"), latency_case(2 * MIB, threads=2, load="100%")]
    alone = [host_case("copy", threads=1), latency_case(2 * MIB)]
    engine = host_engine(*cases, *alone)
    for case in (*cases, *alone):
        block = engine.run_block(case, 20)
        assert (set(block.observed) & NAMES) == (NAMES if case.threads > 1 else set())
        assert engine.verify(case, whole=True) == ""
        if case.threads > 1:
            assert 0 < block.observed["effective_cores"] < 2.5
            assert 0 < block.observed["core_share"] <= 1


def test_a_run_without_compiled_code_has_no_witness(host_engine, host_case, monkeypatch):
    from bandwidth.engines.host.runners import NativeRunner

    monkeypatch.setattr(NativeRunner, "functions", lambda _: None)
    case = host_case("copy", "numpy")
    assert host_engine(case).run_block(case, 1).observed == {}
