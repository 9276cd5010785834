"""A cache line between two CPUs: hops that were all made, counted after each block, on the threads of its two CPUs."""

import ctypes
import os
from dataclasses import replace
from functools import partial

import pytest
from measuring_support import small_topology

from bandwidth.engines.host import core_to_core
from bandwidth.engines.host.core_to_core import LINES_PER_BLOCK, CoreToCoreBench
from bandwidth.engines.host.native_code.compiled import Library, this_processor
from bandwidth.engines.host.native_code.kernel_arguments import Status
from bandwidth.engines.host.native_code.processor import HOPS
from bandwidth.engines.host.runners import NativeRunner
from bandwidth.engines.registry import ENGINES
from bandwidth.errors import BandwidthError
from bandwidth.planning.cases import Bench
from bandwidth.planning.pairs import CpuPair

ALLOWED = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
pytestmark = pytest.mark.skipif(len(ALLOWED) < 2, reason="a line goes between two CPUs")


# On a busy machine a hop waits for its thread's turn: few of them, and time for them.
HOPS_OF_A_CALL = 20


def pair_case(*cpus):
    case = Bench(small_topology(2), tuple(ENGINES.values()), ()).core_to_core_case(CpuPair(cpus, "L3"))
    return replace(case, bytes_per_call=8 * HOPS_OF_A_CALL)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(core_to_core, "LONGEST_NS", 60_000_000_000)


@pytest.fixture(scope="module")
def library():
    return Library((), this_processor())


@pytest.fixture
def bench(library):
    """Return a bench prepared for a case; `change(honest, arguments)` takes the place of the compiled hops."""
    made = []

    def make(case, change=None):
        honest = library.function(HOPS)
        one = CoreToCoreBench(lambda name: honest if change is None else partial(change, honest), 3)
        made.append(one)
        one.prepare([case])
        return one

    yield make
    for one in made:
        one.stop()
        one.close()


@pytest.mark.parametrize("calls", [1, 3, 8, 21])
def test_a_block_hands_lines_over_as_often_as_is_told(calls, bench):
    case, lines = pair_case(*ALLOWED[:2]), []

    def counted(honest, arguments):
        honest(arguments)
        lines.append((arguments.source_0 // 64, arguments.made, arguments.elements))

    one = bench(case, counted)
    for _ in range(2):
        lines.clear()
        block = one.run_block(case, calls)
        assert one.verify(case) == ""
        assert block.seconds > 0
        assert block.pinned
        assert sum(made for _, made, _ in lines) == 2 * calls  # each thread counts
        assert {rounds for _, _, rounds in lines} == {HOPS_OF_A_CALL // 2}
        assert len({line for line, _, _ in lines}) == min(calls, LINES_PER_BLOCK)


def test_blocks_go_over_other_lines(bench):
    case, lines = pair_case(*ALLOWED[:2]), set()
    one = bench(case, lambda honest, arguments: (honest(arguments), lines.add(arguments.source_0 // 64)))
    for _ in range(4):
        one.run_block(case, 8)
    assert len(lines) > LINES_PER_BLOCK


def counts_one_pass_less(honest, arguments):
    arguments.calls -= 1
    honest(arguments)
    arguments.calls += 1
    arguments.made = arguments.calls


def does_nothing(_, arguments):
    arguments.status, arguments.made = Status.DONE, arguments.calls
    arguments.start_ns, arguments.end_ns = 1, 2


def counts_a_hop_twice(honest, arguments):
    honest(arguments)
    ctypes.c_uint64.from_address(arguments.destination).value += 1


@pytest.mark.parametrize("change", [counts_one_pass_less, does_nothing, counts_a_hop_twice])
def test_hops_that_were_not_made_are_caught(change, bench):
    case = pair_case(*ALLOWED[:2])
    one = bench(case, change)
    one.run_block(case, 3 * LINES_PER_BLOCK)
    assert "passed the value on" in one.verify(case)


def test_threads_that_do_not_run_side_by_side_are_no_block(bench, monkeypatch):
    monkeypatch.setattr(core_to_core, "LONGEST_NS", 0)
    case = pair_case(*ALLOWED[:2])
    with pytest.raises(BandwidthError, match="the threads did not run at the same time"):
        bench(case).run_block(case, 100)


def test_threads_that_never_meet_are_no_block(bench):
    case = pair_case(*ALLOWED[:2])
    with pytest.raises(BandwidthError, match="the threads did not reach the barrier"):
        bench(case, lambda *_: None).run_block(case, 4)


def test_verify_of_another_case_than_the_last_is_a_defect(bench):
    case = pair_case(*ALLOWED[:2])
    one = bench(case)
    one.run_block(case, 1)
    with pytest.raises(AssertionError):
        one.verify(pair_case(*ALLOWED[1::-1]))


def test_the_engine_hands_pairs_to_it_and_asks_no_witness(host_engine):
    case = pair_case(*ALLOWED[:2])
    engine = host_engine(case)
    assert engine.refused == {}
    block = engine.run_block(case, 10)
    assert block.observed == {}
    assert engine.verify(case, whole=True) == ""


def test_a_pair_is_refused_with_the_reason_where_no_code_is_made(host_engine, monkeypatch):
    def cannot(*_):
        raise BandwidthError("LLVM makes no code for it")

    monkeypatch.setattr(NativeRunner, "prepare", cannot)
    case = pair_case(*ALLOWED[:2])
    assert host_engine(case).refused == {case.id: "LLVM makes no code for it"}


def test_a_pair_is_refused_with_the_reason_where_no_thread_starts(host_engine, monkeypatch):
    def cannot(self, *_):
        raise BandwidthError("the system starts no more threads")

    monkeypatch.setattr(CoreToCoreBench, "prepare", cannot)
    case = pair_case(*ALLOWED[:2])
    assert host_engine(case).refused == {case.id: "the system starts no more threads"}
