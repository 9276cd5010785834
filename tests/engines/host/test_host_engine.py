"""Host memory on this machine, small: right when its passes are honest, caught when they lie. Here NumPy's lie."""

import itertools
import math
import os
import signal
import threading
import time

import numpy as np
import pytest
from measuring_support import MIB, small_topology

from bandwidth.engines.host.engine import HostEngine
from bandwidth.engines.host.layout import PAGE_ELEMENTS, PIECE_ELEMENTS, WINDOWS, Region, array_elements
from bandwidth.engines.host.native_code.shapes import Shape
from bandwidth.engines.host.operating_system.linux import NO_HUGE_PAGES
from bandwidth.engines.host.operating_system.posix import Posix
from bandwidth.engines.host.runners import OPERATIONS, DefaultShapes, NativeRunner, NumpyRunner
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS
from bandwidth.vocabulary import ORDINARY, STREAMING

ROWS = [("numpy", name, None) for name in OPERATIONS] + [
    ("native", name, stores) for name, kernel in KERNELS.items() for stores in kernel.stores or (None,)
]
# One line of each array, some lines, a page and a line, no whole number of turns; in a cache and above.
SIZES = (64, 4 * 1024, 4160 * 3, 100_000, 3 * MIB)
LARGE_ARRAY_BYTES = 5 * MIB  # native code works on some pages abreast


# --- the honest engine


@pytest.mark.parametrize(("engine", "kernel", "stores"), ROWS)
def test_honest_engine_is_verified(engine, kernel, stores, host_case, host_engine):
    options = {"engine": engine, "stores": stores}
    large = KERNELS[kernel].arrays * (LARGE_ARRAY_BYTES + 4096)
    cases = [
        host_case(kernel, threads=threads, size_bytes=size * threads, variant={"sweep_point": size}, **options)
        for threads, sizes in ((1, (*SIZES, large)), (2, SIZES))
        for size in sizes
    ]
    bench = host_engine(*cases)
    for calls in (1, 3):
        for case in cases:
            block = bench.run_block(case, calls)
            assert block.seconds > 0
            assert bench.verify(case, whole=False) == "", case.id
            assert bench.verify(case, whole=True) == "", case.id


def test_reducing_kernels_are_verified_when_the_window_moves_by_more_than_their_length(host_case, host_engine):
    rows = [("native", "read"), ("native", "dot"), ("numpy", "read")]
    small = [
        host_case(kernel, engine, threads=1, size_bytes=pages * 4096, variant={"sweep_point": pages})
        for engine, kernel in rows
        for pages in (1, 3, 16, 40)
    ]
    bench = host_engine(*small)
    for _ in range(WINDOWS + 1):
        for case in small:
            bench.run_block(case, 2)
            assert bench.verify(case, whole=True) == ""


def test_sums_of_very_many_calls_are_verified(host_case, host_engine):
    cases = [host_case(name, size_bytes=4096, threads=1) for name in ("dot", "read")]
    bench = host_engine(*cases)
    for case in cases:
        bench.run_block(case, 100_000)
        assert bench.verify(case, whole=True) == ""


def test_cases_take_turns_on_shared_memory(host_case, host_engine):
    cases = [
        host_case(kernel, engine, stores=stores, threads=threads)
        for engine, kernel, stores in ROWS
        for threads in (1, 2)
    ]
    bench = host_engine(*cases)
    for case in [*cases, *reversed(cases)]:
        bench.run_block(case, 1)
        assert bench.verify(case, whole=True) == "", case.id


@pytest.mark.parametrize(("engine", "stores"), [("numpy", None), ("native", STREAMING), ("native", ORDINARY)])
def test_zeros_are_written_where_they_are_asked_for(engine, stores, host_case, host_engine):
    case = host_case("write", engine, stores=stores, variant={"data": "zeros"})
    bench = host_engine(case)
    bench.run_block(case, 2)
    assert bench.verify(case, whole=True) == ""
    part = bench._memory.layout(case).part(case, 1, 0)
    assert not part.destination.any()


def test_zeros_that_are_not_zeros_are_caught(host_case, host_engine):
    case = host_case("write", "numpy", variant={"data": "zeros"})
    bench = host_engine(case, operations={"write": lambda _, c, __: c.fill(1.0)})
    bench.run_block(case, 2)
    assert "has a wrong value" in bench.verify(case, whole=False)


# --- engines that lie


class Lie:
    """An operation that is honest until it is told not to be."""

    def __init__(self, operation, honest):
        self.is_on = False
        self._operation, self._honest = operation, honest

    def __call__(self, sources, destination, scalar):
        return (self._operation if self.is_on else self._honest)(sources, destination, scalar)


@pytest.fixture
def lie(host_case, host_engine):
    """Return what the spot check and the whole check say after an honest block and two of an operation that lies."""

    def check(kernel, operation, calls=2):
        case = host_case(kernel, "numpy")
        lying = Lie(operation, OPERATIONS[kernel])
        bench = host_engine(case, operations={kernel: lying})
        bench.run_block(case, calls)
        assert bench.verify(case, whole=True) == ""
        lying.is_on = True
        for _ in range(2):
            bench.run_block(case, calls)
        return bench.verify(case, whole=False), bench.verify(case, whole=True)

    return check


def test_engine_that_copies_once_is_caught_by_both_checks(lie):
    assert all("has a wrong value" in found for found in lie("copy", lambda *_: None))


def test_engine_that_only_does_the_lead_in_is_caught_by_both_checks(host_case, host_engine):
    calls = []

    def operation(sources, destination, _):
        calls.append(None)
        if len(calls) % 3 == 1:  # of each block's three calls, the lead-in
            np.copyto(destination, sources[0])

    case = host_case("copy", "numpy", threads=1)
    bench = host_engine(case, operations={"copy": operation})
    for _ in range(3):
        bench.run_block(case, 2)
        assert "has a wrong value" in bench.verify(case, whole=False)
        assert "has a wrong value" in bench.verify(case, whole=True)


def test_engine_that_skips_the_last_16_bytes_is_caught_by_both_checks(lie, host_case):
    spot, whole = lie("copy", lambda sources, c, _: np.copyto(c[:-2], sources[0][:-2]))
    elements = array_elements(host_case("copy", "numpy"))
    assert f"element {elements - 2:,} of {elements:,} of thread 0" in spot
    assert f"element {elements - 2:,} of {elements:,} of thread 0" in whole


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.7, 0.99])
def test_one_wrong_element_anywhere_is_caught_by_the_whole_check(share, lie):
    def operation(sources, destination, _):
        np.copyto(destination, sources[0])
        destination[int(len(destination) * share)] += 1.0

    assert "has a wrong value" in lie("copy", operation)[1]


def test_one_wrong_bit_is_caught(lie):
    def operation(sources, destination, scalar):
        np.multiply(sources[0], scalar, out=destination)
        destination.view(np.uint64)[5] ^= 1

    assert all("element 5 of" in found for found in lie("scale", operation))


def test_scale_by_the_scalar_of_an_earlier_block_is_caught(lie):
    seen = []

    def operation(sources, destination, scalar):
        seen.append(scalar)
        np.multiply(sources[0], seen[0], out=destination)

    assert all("has a wrong value" in found for found in lie("scale", operation))


def test_add_that_ignores_its_second_source_is_caught(lie):
    assert all("has a wrong value" in found for found in lie("add", lambda s, c, _: np.add(s[0], s[0], out=c)))


def test_write_of_a_constant_is_caught(lie):
    assert all("has a wrong value" in found for found in lie("write", lambda _, c, __: c.fill(1.0)))


def test_data_that_is_no_number_is_caught(lie):
    assert all("has a wrong value" in found for found in lie("write", lambda _, c, __: c.fill(math.nan)))


def test_engine_that_does_one_element_in_eight_pages_is_caught_by_the_whole_check(lie):
    def operation(sources, destination, _):
        destination[:8], destination[-8:] = sources[0][:8], sources[0][-8:]
        destination[:: 8 * PAGE_ELEMENTS] = sources[0][:: 8 * PAGE_ELEMENTS]

    spot, whole = lie("copy", operation)
    assert spot == ""
    assert "has a wrong value" in whole


def test_read_that_does_nothing_is_caught(lie):
    assert all("thread 0 read wrong data" in found for found in lie("read", lambda *_: np.uint64(0)))


def test_read_that_skips_the_last_16_bytes_is_caught(lie):
    def operation(sources, _, __):
        return np.bitwise_xor.reduce(sources[0][:-2].view(np.uint64))

    assert all("read wrong data" in found for found in lie("read", operation))


def test_read_that_remembers_its_first_answer_is_caught(lie):
    answers = {}

    def operation(sources, _, __):
        return answers.setdefault(len(sources[0]), np.bitwise_xor.reduce(sources[0].view(np.uint64)))

    assert all("read wrong data" in found for found in lie("read", operation))


def test_read_that_adds_instead_of_joining_bits_is_caught(lie):
    def operation(sources, _, __):
        return np.add.reduce(sources[0].view(np.uint64))

    assert all("read wrong data" in found for found in lie("read", operation))


def test_fault_of_the_second_thread_alone_is_caught(host_case, host_engine):
    def operation(sources, destination, _):
        if threading.current_thread().name.endswith("first"):
            np.copyto(destination, sources[0])

    case = host_case("copy", "numpy")
    bench = host_engine(case, operations={"copy": operation})
    bench._memory.layout(case).team.workers[0]._thread.name = "first"
    bench.run_block(case, 1)
    assert all("of thread 1 has a wrong value" in bench.verify(case, whole=whole) for whole in (False, True))


def test_verify_of_another_case_than_the_last_is_a_defect(host_case, host_engine):
    first, second = host_case("copy", "numpy"), host_case("read", "numpy")
    bench = host_engine(first, second)
    with pytest.raises(AssertionError):
        bench.verify(first, whole=False)
    bench.run_block(first, 1)
    with pytest.raises(AssertionError):
        bench.verify(second, whole=True)


@pytest.mark.parametrize(
    ("clock", "is_time"),
    [
        (lambda: 1, lambda seconds: seconds == 0),
        (itertools.count(0, -1).__next__, lambda seconds: seconds < 0),
        (lambda: math.nan, math.isnan),
    ],
)
def test_clock_that_lies_shows_in_the_time_of_the_block(clock, is_time, host_case, host_engine):
    case = host_case("copy", "numpy", threads=1)
    assert is_time(host_engine(case, clock_ns=clock).run_block(case, 1).seconds)


# --- what is worked on


@pytest.fixture
def watched(host_case, host_engine):
    """Return the arrays and scalars of every call of some blocks on one thread."""

    def watch(kernel, *, blocks=1, calls=1, **options):
        seen = []

        def operation(sources, destination, scalar):
            places = tuple(source.ctypes.data for source in sources)
            seen.append(
                (places, destination.ctypes.data, max(len(sources[0]) if sources else 0, len(destination)), scalar)
            )
            OPERATIONS[kernel](sources, destination, scalar)

        case = host_case(kernel, "numpy", threads=1, **options)
        bench = host_engine(case, operations={kernel: operation})
        for _ in range(blocks):
            bench.run_block(case, calls)
        return case, seen

    return watch


def test_lead_in_covers_what_the_caches_hold_at_the_end_of_the_arrays(watched):
    # A quarter of the rule is what the caches hold: here a third of the arrays, and no whole number of lines.
    case, [lead_in, block] = watched("copy", size_bytes=3 * MIB, rule_bytes=4 * MIB)
    elements = array_elements(case)
    assert block[2] == elements
    assert elements / 3 <= lead_in[2] <= elements / 3 + 16
    assert lead_in[1] + lead_in[2] * 8 == block[1] + elements * 8
    assert lead_in[1] % 64 == 0


def test_lead_in_covers_all_where_the_caches_hold_all_or_are_not_known(watched, host_case, host_engine):
    for rule in (MIB * 256, MIB * 12):
        _, [lead_in, block] = watched("copy", size_bytes=3 * MIB, rule_bytes=rule)
        assert lead_in[1:3] == block[1:3]


def test_lead_in_leaves_nothing_that_the_check_would_accept(watched):
    _, calls = watched("scale", blocks=40)
    for lead_in, block in zip(calls[::2], calls[1::2], strict=True):
        assert lead_in[0] != block[0]
        assert lead_in[3] != block[3]


def test_window_moves_by_whole_pages_through_all_of_its_places(watched):
    _, calls = watched("copy", blocks=2 * WINDOWS)
    places = [sources[0] for sources, *_ in calls[1::2]]
    assert len(set(places)) == WINDOWS
    assert all((place - min(places)) % 4096 == 0 for place in places)
    assert all(one != other for one, other in itertools.pairwise(places))


def test_all_calls_of_a_block_are_alike(watched):
    _, calls = watched("scale", calls=5)
    assert len(calls) == 6
    assert len(set(calls[1:])) == 1


def test_written_values_are_never_zero_and_change_from_block_to_block(watched):
    _, calls = watched("write", blocks=5)
    written = [scalar for *_, scalar in calls]
    assert all(1.0 <= value < 2.0 for value in written)
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(("engine", "kernel", "stores"), ROWS)
def test_working_set_is_what_the_arrays_hold(engine, kernel, stores, host_case, host_engine):
    case = host_case(kernel, engine, stores=stores)
    bench = host_engine(case)
    parts = [bench._memory.layout(case).part(case, thread, 3) for thread in range(2)]
    arrays = [array for part in parts for array in (*part.sources, part.destination)]
    assert sum(array.nbytes for array in arrays) == case.working_set_bytes


# --- interrupts and refusals


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.skipif(os.name != "posix", reason="there is no such signal here")
def test_ctrl_c_ends_a_block_of_very_many_passes_at_once(engine, host_case, host_engine):
    case = host_case("copy", engine, size_bytes=64 * 1024)
    bench = host_engine(case)
    bench.run_block(case, 1)  # what has to be tried out first is tried out
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench.run_block(case, 10**12)
    bench.close()
    assert time.monotonic() - begin < 5
    timer.join()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bandwidth-cpu")]


def test_interrupt_in_a_thread_reaches_the_caller(host_case, host_engine):
    def operation(*_):
        raise KeyboardInterrupt

    case = host_case("copy", "numpy")
    bench = host_engine(case, operations={"copy": operation})
    with pytest.raises(KeyboardInterrupt):
        bench.run_block(case, 1)


def test_filling_that_takes_longer_than_the_budget_is_one_clear_error(host_case, host_engine):
    with pytest.raises(BandwidthError, match=r"filling .* of memory takes longer than the budget; use a longer"):
        host_engine(host_case("copy", "numpy"), limit_s=-1.0)


def test_latencies_past_the_budget_are_refused_one_by_one(latency_case, host_engine):
    case = latency_case()
    assert "filling its memory takes longer than the budget" in host_engine(case, limit_s=-1.0).refused[case.id]


def test_closing_while_memory_is_filled_ends_it_soon(host_case):
    engine = HostEngine(small_topology(2), {"numpy": NumpyRunner()})
    errors = []

    def prepare():
        try:
            engine.prepare([host_case("copy", "numpy", size_bytes=512 * MIB)], 60.0)
        except BandwidthError as error:
            errors.append(error)

    thread = threading.Thread(target=prepare)
    thread.start()
    while not engine._memory.layouts or not hasattr(next(iter(engine._memory.layouts.values())), "team"):
        time.sleep(0.001)
    time.sleep(0.01)
    begin = time.monotonic()
    for layout in tuple(engine._memory.layouts.values()):
        layout.team.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert time.monotonic() - begin < 2
    assert errors
    engine.close()


def test_whole_check_goes_through_all_pieces_whatever_the_threads(host_case, host_engine):
    """A piece is checked by one thread only: with three pieces and two threads none may be left out."""
    case, other = (
        host_case("copy", "numpy", threads=1, size_bytes=2 * 3 * PIECE_ELEMENTS * 8),
        host_case("copy", "numpy"),
    )
    wrong = []

    def operation(sources, destination, _):
        np.copyto(destination, sources[0])
        if wrong and len(destination) > wrong[0]:
            destination[wrong[0]] += 1

    bench = host_engine(case, other, operations={"copy": operation})
    for piece in range(3):
        for place in (piece * PIECE_ELEMENTS + 9, (piece + 1) * PIECE_ELEMENTS - 9):
            wrong[:] = [place]
            bench.run_block(case, 1)
            assert f"element {place:,} of" in bench.verify(case, whole=True)


def test_refused_memory_is_one_clear_error(host_case, latency_case, host_engine, monkeypatch):
    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("mmap.mmap", refuse)
    monkeypatch.setattr(Posix, "take", _no_memory)
    with pytest.raises(BandwidthError, match="the system refused the memory for the arrays; use a smaller --size"):
        host_engine(host_case("copy", "numpy"))
    case = latency_case()
    assert "the system refused the memory; use a smaller --size" in host_engine(case).refused[case.id]


def _no_memory(*_, **__):
    raise MemoryError


# --- other pages


def test_cases_go_on_with_other_data_after_their_memory_was_laid_out_anew(host_engine, host_case, latency_case):
    cases = [host_case("copy"), host_case("read"), host_case("dot"), host_case("copy", "numpy"), latency_case(MIB)]
    engine = host_engine(*cases)
    assert engine.fill_s > 0
    before = engine._memory.layout(cases[0]).arena.sources.doubles[:8].copy()
    for number in (1, 2, 3):
        for case in cases:
            block = engine.run_block(case, 2)
            assert block.layout == (1 if case.is_latency else number)
            assert engine.verify(case, whole=True) == ""
        engine.lay_out_anew(60.0)
    assert not np.array_equal(before, engine._memory.layout(cases[0]).arena.sources.doubles[:8])


def test_memory_that_is_not_filled_in_time_is_an_error(host_engine, host_case):
    engine = host_engine(host_case("copy"))
    with pytest.raises(BandwidthError, match="takes longer than the budget"):
        engine.lay_out_anew(-1.0)


class ShapesInTurn(DefaultShapes):
    """Chooses a shape that is no default, and tells of the first trial of each case."""

    def chosen(self, case, works, timed):
        timed(works, 1)
        return Shape(turn_bytes=128, pages=1), {"from": "trials", "for": case.id}


def test_small_pages_too_are_laid_out_anew_and_the_chosen_shapes_stay(host_case):
    pages = [host_case("random", size_bytes=2 * MIB, variant={"pages": pages}) for pages in ("huge", "small")]
    cases = [*pages, host_case("copy", threads=2)]
    looks = itertools.count(1)
    engine = HostEngine(
        small_topology(2),
        {"native": NativeRunner(shapes=ShapesInTurn())},
        seed=7,
        counters=lambda: {"both": next(looks)},
    )
    refused = engine.prepare(cases, 60.0)
    left = [case for case in cases if case.id not in refused]
    assert set(refused) <= {pages[0].id}
    before = engine._small_pages.layout(pages[1]).arena.sources.doubles[:8].copy()
    for number in (1, 2):
        for case in left:
            block = engine.run_block(case, 2)
            assert (block.layout, block.tuning) == (number, {"from": "trials", "for": case.id})
            assert (block.trials_s > 1e-5) == (number == 1)
            assert "controller_both_bytes_per_s" in block.observed
            assert ("core_to_core_ns" in block.observed) == (case.threads > 1)
            assert engine.verify(case, whole=True) == ""
        engine.lay_out_anew(60.0)
    assert not np.array_equal(before, engine._small_pages.layout(pages[1]).arena.sources.doubles[:8])
    engine.close()


def test_a_case_of_huge_pages_ends_where_the_system_gives_none_any_more(host_case, host_engine, monkeypatch):
    shares = {"huge": 0.9}
    monkeypatch.setattr(Region, "huge_page_share", lambda _: shares["huge"])
    cases = [host_case("random", size_bytes=2 * MIB, variant={"pages": pages}) for pages in ("huge", "small")]
    engine = host_engine(*cases)
    assert engine.refused == {}
    shares["huge"] = 0.1
    engine.lay_out_anew(60.0)
    with pytest.raises(BandwidthError, match="provides no huge pages"):
        engine.run_block(cases[0], 1)
    assert engine.run_block(cases[1], 1).layout == 2


def test_latencies_alone_have_nothing_to_lay_out_anew(host_engine, latency_case):
    engine = host_engine(latency_case(MIB))
    assert engine.fill_s == 0
    engine.lay_out_anew(60.0)
    assert engine.run_block(latency_case(MIB), 2).layout == 1


# --- lines in random order


def test_random_reads_are_verified_in_small_pages_and_in_huge_ones(host_case, host_engine):
    cases = [host_case("random", size_bytes=16 * MIB, variant={"pages": pages}) for pages in ("huge", "small")]
    bench = host_engine(*cases)
    for case in cases:
        if case.id in bench.refused:  # this system gives none
            assert case.variant["pages"] == "huge"
            continue
        for calls in (1, 2):
            block = bench.run_block(case, calls)
            assert bench.verify(case, whole=True) == bench.verify(case, whole=False) == ""
        share = block.observed.get("huge_page_share")
        assert share is None or (share == 0.0) == (case.variant["pages"] == "small")


@pytest.mark.parametrize(("share", "refused"), [(0.0, True), (0.4, True), (None, True), (0.9, False)])
def test_huge_pages_that_are_not_given_are_said_and_the_small_ones_are_measured(
    share, refused, host_case, host_engine, monkeypatch
):
    monkeypatch.setattr(Region, "huge_page_share", lambda _: share)
    cases = [host_case("random", size_bytes=2 * MIB, variant={"pages": pages}) for pages in ("huge", "small")]
    bench = host_engine(*cases)
    assert bench.refused == ({cases[0].id: NO_HUGE_PAGES} if refused else {})
    assert bench.run_block(cases[1], 1).seconds > 0


def test_random_reads_that_leave_out_a_line_are_caught(host_case, host_engine):
    def short(library, name):
        honest = library.function(name)

        def function(arguments):
            arguments.elements -= 8
            honest(arguments)

        return function if name.startswith("random") else honest

    case = host_case("random", size_bytes=2 * MIB, variant={"pages": "small"})
    bench = host_engine(case, function_of=short)
    bench.run_block(case, 1)
    assert "read wrong data" in bench.verify(case, whole=False)


# --- the memory controllers' counters


def test_counters_are_read_around_the_timed_passes_alone(host_case):
    """A count that grows with every look: two looks a block, whatever else a block is made of."""
    looks = itertools.count(1)
    engine = HostEngine(
        small_topology(2), {"numpy": NumpyRunner()}, seed=7, counters=lambda: {"read": 1e9 * next(looks), "write": 5.0}
    )
    case = host_case("copy", "numpy")
    engine.prepare([case], 60.0)
    for _ in range(2):
        block = engine.run_block(case, 2)
        assert block.observed["controller_read_bytes_per_s"] == pytest.approx(1e9 / block.seconds)
        assert block.observed["controller_write_bytes_per_s"] == 0.0
    assert next(looks) == 5
    engine.close()
