"""The NumPy engine on this machine, small: right when it is honest, caught when it lies."""

import itertools

import numpy as np
import pytest
from measuring_support import MIB, small_topology, two_socket_topology

from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts
from bandwidth.measuring.engines.numpy_host import OPERATIONS, NumpyHostEngine, array_elements
from bandwidth.measuring.kernels import KERNELS
from bandwidth.measuring.options import MeasureOptions
from bandwidth.measuring.plan import make_plan

SIZE_BYTES = 3 * MIB


def cases_of(topology=None, size_bytes=SIZE_BYTES, **options):
    plan = make_plan(MeasureOptions(size_bytes=size_bytes, **options), Facts({}), topology or small_topology(2))
    return [planned.case for planned in plan.cases]


@pytest.fixture
def make_engine():
    engines = []

    def make(cases, operations=None, clock_ns=None):
        seams = {} if clock_ns is None else {"clock_ns": clock_ns}
        engine = NumpyHostEngine(small_topology(2), {**OPERATIONS, **(operations or {})}, seed=7, **seams)
        engines.append(engine)
        engine.prepare(cases, 60.0)
        return engine

    yield make
    for engine in engines:
        engine.close()


def lie(path, make_engine, operation, *, blocks=3, calls=2):
    """Return what the spot check and the whole check say after some blocks of an engine that lies."""
    (case,) = cases_of(kernels=(path,), threads=("2",))
    engine = make_engine([case], {path: operation})
    for _ in range(blocks):
        engine.run_block(case, calls)
    return engine.verify(case, whole=False), engine.verify(case, whole=True)


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_honest_engine_is_verified(path, threads, make_engine):
    (case,) = cases_of(kernels=(path,), threads=(threads,))
    engine = make_engine([case])
    for calls in (1, 3):
        block = engine.run_block(case, calls)
        assert block.seconds > 0
        assert engine.verify(case, whole=False) == ""
        assert engine.verify(case, whole=True) == ""


def test_cases_take_turns_on_shared_memory(make_engine):
    cases = cases_of(threads=("1", "2"))
    engine = make_engine(cases)
    for case in [*cases, *reversed(cases)]:
        engine.run_block(case, 1)
        assert engine.verify(case, whole=True) == "", case.id


def test_every_kernel_has_its_operation_and_every_operation_its_kernel():
    assert set(OPERATIONS) == set(KERNELS)


def copies_once_then_does_nothing():
    state = {"calls": 0}

    def operation(sources, destination, scalar):
        state["calls"] += 1
        if state["calls"] <= 6:  # both threads' lead-in and passes of the first block
            np.copyto(destination, sources[0])

    return operation


def test_engine_that_copies_once_is_caught_by_both_checks(make_engine):
    spot, whole = lie("copy", make_engine, copies_once_then_does_nothing())
    assert "is not what the kernel leaves there" in spot
    assert "is not what the kernel leaves there" in whole


def test_engine_that_skips_the_last_16_bytes_is_caught_by_both_checks(make_engine):
    spot, whole = lie("copy", make_engine, lambda sources, c, _: np.copyto(c[:-2], sources[0][:-2]))
    elements = array_elements(cases_of(kernels=("copy",), threads=("2",))[0])
    assert f"element {elements - 2:,} of {elements:,} of thread 0" in spot
    assert f"element {elements - 2:,} of {elements:,} of thread 0" in whole


def test_one_wrong_element_anywhere_is_caught_by_the_whole_check(make_engine):
    def operation(sources, destination, scalar):
        np.copyto(destination, sources[0])
        destination[len(destination) // 3] += 1.0

    assert "is not what the kernel leaves there" in lie("copy", make_engine, operation)[1]


def test_one_wrong_bit_is_caught(make_engine):
    def operation(sources, destination, scalar):
        np.multiply(sources[0], scalar, out=destination)
        destination.view(np.uint64)[5] ^= 1

    assert "element 5 of" in lie("scale", make_engine, operation)[1]


def test_scale_by_the_scalar_of_an_earlier_block_is_caught(make_engine):
    seen = []

    def operation(sources, destination, scalar):
        seen.append(scalar)
        np.multiply(sources[0], seen[0], out=destination)

    assert all("is not what" in found for found in lie("scale", make_engine, operation))


def test_add_that_ignores_its_second_source_is_caught(make_engine):
    assert all("is not what" in found for found in lie("add", make_engine, lambda s, c, _: np.add(s[0], s[0], out=c)))


def test_write_of_a_constant_is_caught(make_engine):
    assert all("is not what" in found for found in lie("write", make_engine, lambda _, c, __: c.fill(1.0)))


def test_read_that_does_nothing_is_caught(make_engine):
    assert all("its checksum differs" in found for found in lie("read", make_engine, lambda *_: np.uint64(0)))


def test_read_that_skips_the_last_16_bytes_is_caught(make_engine):
    def operation(sources, _, __):
        return np.add.reduce(sources[0][:-2].view(np.uint64))

    assert all("its checksum differs" in found for found in lie("read", make_engine, operation))


def test_read_that_remembers_its_first_answer_is_caught(make_engine):
    answers = {}

    def operation(sources, _, __):
        return answers.setdefault(len(sources[0]), np.add.reduce(sources[0].view(np.uint64)))

    assert all("its checksum differs" in found for found in lie("read", make_engine, operation))


def test_clock_that_stands_still_gives_a_block_of_no_time(make_engine):
    (case,) = cases_of(kernels=("copy",), threads=("2",))
    assert make_engine([case], clock_ns=lambda: 1).run_block(case, 1).seconds == 0


def test_sources_are_random_and_no_array_holds_zeros(make_engine):
    cases = cases_of(threads=("1", "2"))
    engine = make_engine(cases)
    for case in cases:
        layout = engine._layouts[case.cpus]
        for thread in range(case.threads):
            for source in layout.source_arrays(case, thread, 0):
                assert np.count_nonzero(source) == len(source)
                assert len(np.unique(source)) > 0.999 * len(source)
            destination = layout.destination_array(case, thread)
            assert np.count_nonzero(destination) == len(destination)


def test_written_values_are_never_zero_and_change_from_block_to_block(make_engine):
    written = []
    (case,) = cases_of(kernels=("write",), threads=("1",))
    engine = make_engine([case], {"write": lambda _, c, scalar: (written.append(scalar), c.fill(scalar))})
    for _ in range(5):
        engine.run_block(case, 1)
    assert all(1.0 <= value < 2.0 for value in written)
    assert len(set(written)) == len(written)


def test_working_set_is_what_the_operations_touch(make_engine):
    touched = []

    def operation(sources, destination, _):
        touched.append(sum(array.nbytes for array in sources) + destination.nbytes)
        np.add(sources[0], sources[1], out=destination)

    (case,) = cases_of(kernels=("add",), threads=("2",))
    engine = make_engine([case], {"add": operation})
    engine.run_block(case, 1)
    assert sum(sorted(touched)[-2:]) == case.working_set_bytes == case.bytes_per_call


def test_threads_work_on_parts_that_do_not_overlap(make_engine):
    cases = cases_of(threads=("2",))
    engine = make_engine(cases)
    for case in cases:
        layout = engine._layouts[case.cpus]
        places = [
            (array.__array_interface__["data"][0], array.nbytes)
            for thread in range(2)
            for array in (*layout.source_arrays(case, thread, 3), layout.destination_array(case, thread))
        ]
        ordered = sorted(place for place in places if place[1])
        assert all(start + size <= after for (start, size), (after, _) in itertools.pairwise(ordered))


def test_each_numa_node_group_gets_memory_of_its_own():
    topology = two_socket_topology(cores_per_socket=2, cores_per_cache=2, nodes_per_socket=1)
    cases = cases_of(topology, kernels=("copy",), threads=("1", "all"), size_bytes=MIB)
    engine = NumpyHostEngine(topology_without_pinning(topology))
    engine.prepare(cases, 60.0)
    try:
        arenas = {id(layout.arena) for layout in engine._layouts.values()}
        assert len(arenas) == 2
        for case in cases:
            engine.run_block(case, 1)
            assert engine.verify(case, whole=True) == ""
    finally:
        engine.close()


def topology_without_pinning(topology):
    from dataclasses import replace

    return replace(topology, can_pin=False)


def test_refused_memory_is_one_clear_error(make_engine, monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr("bandwidth.measuring.engines.numpy_host.np.empty", refuse)
    with pytest.raises(BandwidthError, match="the system refused the memory for the arrays; give a smaller --size"):
        make_engine(cases_of(kernels=("copy",), threads=("1",)))


def test_filling_that_takes_longer_than_the_budget_is_one_clear_error():
    engine = NumpyHostEngine(small_topology(2))
    try:
        with pytest.raises(BandwidthError, match=r"filling .* of memory takes longer than the budget"):
            engine.prepare(cases_of(kernels=("copy",), threads=("1",)), -1.0)
    finally:
        engine.close()


def test_engine_that_does_one_element_in_eight_pages_is_caught_by_the_whole_check(make_engine):
    def operation(sources, destination, scalar):
        destination[:8], destination[-8:] = sources[0][:8], sources[0][-8:]
        destination[::4096] = sources[0][::4096]

    spot, whole = lie("copy", make_engine, operation)
    assert spot == ""
    assert "is not what the kernel leaves there" in whole


def test_verify_of_another_case_than_the_last_is_a_defect(make_engine):
    first, second = cases_of(kernels=("copy", "read"), threads=("1",))
    engine = make_engine([first, second])
    engine.run_block(first, 1)
    with pytest.raises(AssertionError):
        engine.verify(second, whole=True)
