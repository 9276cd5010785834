"""Shapes are tried on the spot: the fastest is taken, told, shared and kept; never one that nobody tried."""

import itertools
import time

import pytest
from measuring_support import MIB, small_topology

from bandwidth.engines.host.native_code.compiled import this_processor
from bandwidth.engines.host.native_code.processor import CLOCK
from bandwidth.engines.host.native_code.shapes import PLAIN, Shape, default_rows, function_name, shapes_to_try
from bandwidth.engines.host.shape_cache import ShapeCache, Winner
from bandwidth.engines.host.shape_trials import FINALISTS, TRIALS, TriedShapes, level_of, question_of
from bandwidth.kernels import KERNELS
from bandwidth.machine.facts import Facts
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.vocabulary import ORDINARY, STREAMING

SLOW_NS, FAST_NS = 4_000, 1_000  # of a page of one thread's destination
PAGE_ELEMENTS = 512
BEGIN_NS = 1_000
COPY = KERNELS["copy"]


class Scripted:
    """Functions that seem to take a time by their shape: `page_ns` gives that of a page by the function's name.

    The work itself is done as compiled, so that what a block leaves can be checked. `calls` is every call's name, place
    and length.
    """

    def __init__(self, page_ns):
        self.page_ns = page_ns
        self.calls = []

    def __call__(self, library, name):
        honest = library.function(name)

        def timed(arguments):
            honest(arguments)
            pages = max(arguments.elements * arguments.calls / PAGE_ELEMENTS, 1)
            self.calls.append((name, arguments.destination, arguments.elements))
            arguments.start_ns = BEGIN_NS  # the threads of a busy machine start apart
            arguments.end_ns = BEGIN_NS + round(self.page_ns(name) * pages)

        return honest if name == CLOCK else timed

    def names(self):
        return [name for name, _, _ in self.calls]


def fast(*shapes, kernel=COPY, stores=STREAMING):
    """Return times by which one of some shapes is four times as fast as all others."""
    names = {function_name(kernel, stores, shape) for shape in shapes}
    return Scripted(lambda name: FAST_NS if name in names else SLOW_NS)


def grid(kernel=COPY, stores=STREAMING, level="memory"):
    return shapes_to_try(kernel, stores, level, 10 * MIB, this_processor())


needs_wide_vectors = pytest.mark.skipif(len(grid()) < 3, reason="this processor has vectors of one width")


@pytest.fixture
def tuned(host_case, host_engine):
    """Return the tuning of each case after a block of it, with scripted functions, all in one engine."""

    def run(script, *cases, shapes=None, limit_s=60.0):
        bench = host_engine(*cases, function_of=script, shapes=shapes or TriedShapes(), limit_s=limit_s)
        found = []
        for case in cases:
            script.calls.clear()
            found.append((bench.run_block(case, 2).tuning, script.names()))
            assert bench.verify(case, whole=True) == ""
            assert bench.run_block(case, 2).tuning == found[-1][0]
        return found

    return run


@needs_wide_vectors
def test_the_fastest_shape_is_taken_told_with_all_rates_and_shared_by_its_kind(tuned, host_case):
    winner = grid()[2]
    cases = [host_case(name, stores=STREAMING, size_bytes=20 * MIB) for name in ("copy", "scale")]
    (tuning, ran), (shared, later) = tuned(fast(winner), *cases)
    assert tuning["shape"] == winner.to_json()
    assert (tuning["from"], tuning["for"]) == ("trials", "1 read, 1 written/streaming/memory/2")
    assert [Shape(**{name: one[name] for name in one if name != "bytes_per_s"}) for one in tuning["tried"]] == [*grid()]
    rates = {one["bytes_per_s"] for one in tuning["tried"]}
    assert max(rates) == pytest.approx(4 * min(rates), rel=0.01)
    assert ran[-1] == function_name(COPY, STREAMING, winner)
    assert shared == tuning
    assert set(later) == {function_name(KERNELS["scale"], STREAMING, winner)}


def test_planned_cases_of_every_kind_of_kernel_take_what_is_fastest_for_it(host_engine):
    """The real plan of a table, run with functions of known times: the last shape of each grid is the fastest."""
    topology = small_topology(2)
    options = MeasureOptions(target="host", engines=("native",), size_bytes=12 * MIB)
    cases = [planned.case for planned in make_plan(options, Facts({}), topology).cases]
    processor = this_processor()
    last = {}
    for case in cases:
        kernel, stores = KERNELS[case.path], case.variant.get("stores")
        array_bytes = case.working_set_bytes // case.threads // kernel.arrays
        last[case.id] = shapes_to_try(kernel, stores, level_of(case), array_bytes, processor)[-1]
    names = {function_name(KERNELS[case.path], case.variant.get("stores"), last[case.id]) for case in cases}
    bench = host_engine(
        *cases, function_of=Scripted(lambda name: FAST_NS if name in names else SLOW_NS), shapes=TriedShapes()
    )
    for case in cases:
        tuning = bench.run_block(case, 1).tuning
        assert tuning.get("shape", {}) == (last[case.id].to_json() if tuning else {})
        assert bench.verify(case, whole=True) == ""


@needs_wide_vectors
def test_a_shape_that_is_no_faster_than_the_noise_leaves_the_default(tuned, host_case):
    close = function_name(COPY, STREAMING, grid()[1])
    script = Scripted(lambda name: 0.995 * SLOW_NS if name == close else SLOW_NS)
    ((tuning, _),) = tuned(script, host_case("copy", stores=STREAMING, size_bytes=20 * MIB))
    assert tuning["shape"] == grid()[0].to_json()


@needs_wide_vectors
def test_one_disturbed_trial_does_not_decide(tuned, host_case):
    winner, seen = grid()[1], []

    def page_ns(name):
        if name != function_name(COPY, STREAMING, winner):
            return SLOW_NS
        seen.append(name)
        return 50 * SLOW_NS if len(seen) <= 2 else FAST_NS  # both threads of its first trial

    ((tuning, _),) = tuned(Scripted(page_ns), host_case("copy", stores=STREAMING, size_bytes=20 * MIB))
    assert tuning["shape"] == winner.to_json()


@needs_wide_vectors
def test_in_caches_a_shape_counts_as_it_is_behind_itself(tuned, host_case):
    """The default is the fastest behind another shape, by what that leaves in the caches, and slow in a block."""
    case = host_case("copy", stores=ORDINARY, size_bytes=MIB, threads=1)
    shapes = shapes_to_try(COPY, ORDINARY, level_of(case), MIB // 2, this_processor())
    default, winner = (function_name(COPY, ORDINARY, shape) for shape in shapes[:2])
    before = [""]

    def page_ns(name):
        before.append(name)
        if name == default:
            return SLOW_NS if before[-2] == name else FAST_NS / 2
        return FAST_NS if name == winner else SLOW_NS

    ((tuning, ran),) = tuned(Scripted(page_ns), case)
    assert tuning["shape"] == shapes[1].to_json()
    rates = [one["bytes_per_s"] for one in tuning["tried"]]
    assert rates[1] == pytest.approx(SLOW_NS / FAST_NS * rates[0], rel=0.01)
    finals = [name for name, behind in itertools.pairwise(ran) if name == behind]
    assert len(finals) >= TRIALS * (FINALISTS - 1)


@needs_wide_vectors
def test_trials_take_turns_and_in_memory_each_takes_another_part(tuned, host_case):
    script, case = fast(grid()[1]), host_case("copy", stores=STREAMING, size_bytes=160 * MIB, threads=1)
    ((_, ran),) = tuned(script, case)
    # The first tells how long a trial is; the last two are the block and its lead-in.
    trials = ran[1:-2]
    finals = len(trials) // TRIALS - len(grid())  # the best few, and the default where it is not among them
    assert len(trials) % TRIALS == 0
    assert finals in (FINALISTS, FINALISTS + 1)
    rounds = [trials[at : at + len(grid())] for at in range(0, TRIALS * len(grid()), len(grid()))]
    assert all(len(set(names)) == len(grid()) for names in rounds)


def test_memory_is_gone_through_part_by_part(host_case, host_engine):
    script, case = fast(), host_case("write", stores=STREAMING, size_bytes=64 * MIB, threads=1)
    bench = host_engine(case, function_of=script, shapes=TriedShapes())
    bench.run_block(case, 1)
    places = [place for _, place, elements in script.calls if elements == 2 * MIB]
    if len(places) > 1:  # this processor has more than one shape of it
        assert len(set(places)) == 4
        assert all(one != other for one, other in itertools.pairwise(places))


def test_without_time_for_trials_the_default_is_taken_and_nothing_else_compiled(host_case):
    case, shapes = host_case("copy", stores=STREAMING, size_bytes=20 * MIB), TriedShapes()
    rows = shapes.rows([case], this_processor(), 1e-3)
    assert set(rows) == {*default_rows([(COPY, STREAMING)], this_processor())}
    assert shapes.chosen(case, [], lambda *_: pytest.fail("a trial was run")) == (grid()[0], {})


def test_trials_end_with_the_time_for_them(host_case, host_engine):
    case = host_case("copy", stores=STREAMING, size_bytes=20 * MIB)
    moments = iter(range(1000))
    shapes = TriedShapes(clock=lambda: float(next(moments)))
    script = fast()
    host_engine(case, function_of=script, shapes=shapes, limit_s=1.0).run_block(case, 1)
    assert len(script.calls) <= 2 * (1 + len(grid()) + 2)  # one round on two threads, and the block


# --- levels and questions


def test_the_level_is_the_first_cache_that_holds_the_data(host_case):
    caches = {"L1": 64 * 1024, "L2": 2 * MIB, "L3": 32 * MIB}
    for size, level in ((64 * 1024, "L1"), (MIB, "L2"), (20 * MIB, "L3"), (64 * MIB, "memory")):
        case = host_case("copy", size_bytes=size)
        assert level_of(type(case)(**{**vars(case), "caches": caches})) == level
    unknown = [host_case("copy", size_bytes=size) for size in (MIB, 64 * MIB)]
    assert [level_of(type(case)(**{**vars(case), "caches": {}})) for case in unknown] == ["L2", "memory"]


def test_kinds_of_cores_ask_questions_of_their_own(host_case):
    one, other = (host_case("copy", variant={"cores": kind}) for kind in ("P", "E"))
    assert question_of(one) != question_of(other)
    assert question_of(one).name.endswith("/P")


# --- kept from run to run


@pytest.fixture
def kept(tmp_path):
    return lambda: ShapeCache(tmp_path / "cache", "Example Processor")


@needs_wide_vectors
def test_the_next_run_takes_what_won_and_tries_nothing(tuned, host_case, kept):
    winner, case = grid()[2], host_case("copy", stores=STREAMING, size_bytes=20 * MIB)
    tuned(fast(winner), case, shapes=TriedShapes(kept()))
    ((tuning, ran),) = tuned(fast(grid()[1]), case, shapes=TriedShapes(kept()))
    assert (tuning["from"], tuning["shape"]) == ("cache", winner.to_json())
    assert set(ran) == {function_name(COPY, STREAMING, winner)}


@needs_wide_vectors
def test_anew_means_tried_anew_and_kept(tuned, host_case, kept):
    case = host_case("copy", stores=STREAMING, size_bytes=20 * MIB)
    tuned(fast(grid()[2]), case, shapes=TriedShapes(kept()))
    ((tuning, _),) = tuned(fast(grid()[1]), case, shapes=TriedShapes(kept(), anew=True))
    assert (tuning["from"], tuning["shape"]) == ("trials", grid()[1].to_json())
    ((tuning, _),) = tuned(fast(), case, shapes=TriedShapes(kept()))
    assert (tuning["from"], tuning["shape"]) == ("cache", grid()[1].to_json())


@needs_wide_vectors
def test_what_won_in_short_trials_is_tried_anew_where_they_may_be_longer(tuned, host_case, kept):
    case = host_case("copy", stores=STREAMING, size_bytes=20 * MIB)
    one, other, third = grid()[1:4]
    for winner, limit_s, source, taken in (
        (one, 0.3, "trials", one),
        (other, 0.3, "cache", one),
        (other, 60.0, "trials", other),
        (third, 60.0, "cache", other),
        (third, 0.3, "cache", other),
    ):
        ((tuning, _),) = tuned(fast(winner), case, shapes=TriedShapes(kept()), limit_s=limit_s)
        assert (tuning["from"], tuning["shape"]) == (source, taken.to_json())


@needs_wide_vectors
@pytest.mark.parametrize("shape", [Shape(pages=3), Shape(32, 192, 1), PLAIN])
def test_a_shape_that_is_not_in_the_grid_is_never_taken(shape, tuned, host_case, kept):
    case = host_case("copy", stores=STREAMING, size_bytes=20 * MIB)
    kept().keep(this_processor(), question_of(case).name, Winner.now(shape, 1e9, 1.5e-3))
    ((tuning, _),) = tuned(fast(grid()[1]), case, shapes=TriedShapes(kept()))
    assert (tuning["from"], tuning["shape"]) == ("trials", grid()[1].to_json())


@needs_wide_vectors
def test_a_file_that_is_not_ours_is_said_and_shapes_are_tried_anew(tuned, host_case, kept):
    case, cache = host_case("copy", stores=STREAMING, size_bytes=20 * MIB), kept()
    cache.path(this_processor()).parent.mkdir()
    cache.path(this_processor()).write_text("{}", encoding="utf-8")
    ((tuning, _),) = tuned(fast(grid()[1]), case, shapes=TriedShapes(cache))
    assert tuning["from"] == "trials"
    assert tuning["note"].endswith("for another version or processor: they are tuned again")


def test_trials_stay_within_their_part_of_the_budget(host_case, host_engine):
    cases = [host_case(name, size_bytes=40 * MIB) for name in ("read", "write", "copy", "triad")]
    bench = host_engine(*cases, shapes=TriedShapes(), limit_s=20.0)
    begin = time.monotonic()
    assert all(bench.run_block(case, 1).seconds > 0 for case in cases)
    assert time.monotonic() - begin < 20.0 * 0.075 * 4  # four times the share: other work runs on this machine
