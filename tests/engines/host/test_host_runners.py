"""Compiled passes: caught when they lie, started together, without the interpreter's lock, and stopped at once."""

import ctypes
import subprocess
import sys
import threading
import time

import pytest
from measuring_support import MIB, small_topology

from bandwidth.engines.host import runners
from bandwidth.engines.host.engine import HostEngine
from bandwidth.engines.host.native_code import flow
from bandwidth.engines.host.native_code.compiled import Library, this_processor
from bandwidth.engines.host.native_code.kernel_arguments import (
    APART_BYTES,
    CHAIN_LENGTH,
    Barrier,
    KernelArguments,
    Status,
)
from bandwidth.engines.host.native_code.processor import CHASE, CLOCK, PACED_READ
from bandwidth.engines.host.native_code.shapes import PLAIN, function_name
from bandwidth.engines.host.runners import CLOCK_CALLS, NativeRunner, clock_hz
from bandwidth.engines.host.workers import Team
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS, TAKEN_BITS
from bandwidth.vocabulary import ORDINARY, STREAMING

WRITING = ("write", "copy", "scale", "add", "triad", "mix 3:1", "mix 2:1", "mix 1:1")
REDUCING = ("read", "dot")
ALL = (*WRITING, *REDUCING)
SLOW_NS = 2_000_000_000


class Fault:
    """Functions, honest until they are told not to be: `change(honest, arguments)` then runs instead of each."""

    def __init__(self, change):
        self.is_on = False
        self._change = change

    def __call__(self, library, name):
        honest = library.function(name)
        return lambda arguments: self._change(honest, arguments) if self.is_on and name != CLOCK else honest(arguments)


@pytest.fixture
def lie(host_case, host_engine):
    """Return what both checks say after an honest block and two whose functions lie."""

    def check(kernel, change, *, calls=3, blocks=2, **options):
        case = host_case(kernel, **options)
        fault = Fault(change)
        bench = host_engine(case, function_of=fault)
        bench.run_block(case, calls)
        assert bench.verify(case, whole=False) == bench.verify(case, whole=True) == ""
        fault.is_on = True
        for _ in range(blocks):
            bench.run_block(case, calls)
        return bench.verify(case, whole=False), bench.verify(case, whole=True)

    return check


def is_wrong(kernel, found):
    words = "read wrong data" if kernel in REDUCING else "has a wrong value"
    return words in found


def pretended(arguments, calls=None):
    """Write what an honest function tells."""
    arguments.start_ns, arguments.end_ns = 1_000, 2_000
    arguments.made, arguments.status = arguments.calls if calls is None else calls, Status.DONE


# --- functions that lie


@pytest.mark.parametrize("kernel", ALL)
def test_function_that_stamps_and_does_nothing_is_caught_by_both_checks(kernel, lie):
    assert all(is_wrong(kernel, found) for found in lie(kernel, lambda _, arguments: pretended(arguments)))


def test_function_that_does_nothing_at_all_is_no_block(lie):
    with pytest.raises(BandwidthError, match="the threads did not reach the barrier"):
        lie("copy", lambda *_: None)


def fewer_passes(honest, arguments):
    calls = arguments.calls
    arguments.calls = max(calls - 1, 1)
    honest(arguments)
    arguments.calls = arguments.made = calls


@pytest.mark.parametrize("calls", [2, 3, 1000])
def test_one_pass_too_few_is_caught_by_the_sum(calls, lie):
    kernel = "dot"  # a read's last pass alone makes its result
    found = lie(kernel, fewer_passes, calls=calls, size_bytes=64 * 1024)
    assert all(is_wrong(kernel, text) for text in found)


def test_passes_that_were_not_made_are_no_block(lie):
    def tells_the_truth(honest, arguments):
        calls = arguments.calls
        arguments.calls = max(calls - 1, 1)
        honest(arguments)

    with pytest.raises(BandwidthError, match="the block was stopped before its end"):
        lie("copy", tells_the_truth)


def short_of_the_last_line(honest, arguments):
    arguments.elements -= 8
    honest(arguments)


def short_of_the_first_line(honest, arguments):
    for array in ("source_0", "source_1", "destination"):
        setattr(arguments, array, getattr(arguments, array) + 64)
    short_of_the_last_line(honest, arguments)


@pytest.mark.parametrize("kernel", ALL)
@pytest.mark.parametrize("change", [short_of_the_last_line, short_of_the_first_line])
@pytest.mark.parametrize("size_bytes", [16 * 1024, 3 * MIB])
def test_line_that_is_left_out_is_caught_by_both_checks(kernel, change, size_bytes, lie):
    assert all(is_wrong(kernel, found) for found in lie(kernel, change, size_bytes=size_bytes))


def half_of_it_twice(honest, arguments):
    arguments.elements //= 2
    arguments.calls *= 2
    honest(arguments)
    arguments.made //= 2


@pytest.mark.parametrize("kernel", ALL)
def test_half_of_the_arrays_twice_as_often_is_caught(kernel, lie):
    assert all(is_wrong(kernel, found) for found in lie(kernel, half_of_it_twice))


def with_the_first_scalar(seen):
    def change(honest, arguments):
        seen.append(arguments.scalar)
        arguments.scalar = seen[0]
        honest(arguments)

    return change


@pytest.mark.parametrize("kernel", ["write", "scale", "mix 1:1"])
def test_scalar_of_an_earlier_block_is_caught(kernel, lie):
    assert all(is_wrong(kernel, found) for found in lie(kernel, with_the_first_scalar([])))


def test_triad_that_ignores_its_scalar_is_caught(lie):
    def change(honest, arguments):
        arguments.scalar = 3.0
        honest(arguments)

    assert all(is_wrong("triad", found) for found in lie("triad", change))


@pytest.mark.parametrize("kernel", ["add", "triad", "dot", "mix 3:1"])
def test_second_source_that_is_not_read_is_caught(kernel, lie):
    def change(honest, arguments):
        arguments.source_1 = arguments.source_0
        honest(arguments)

    assert all(is_wrong(kernel, found) for found in lie(kernel, change))


def test_sources_that_change_places_are_caught(lie):
    def change(honest, arguments):
        arguments.source_0, arguments.source_1 = arguments.source_1, arguments.source_0
        honest(arguments)

    assert all(is_wrong("triad", found) for found in lie("triad", change))


@pytest.mark.parametrize("kernel", [name for name in ALL if KERNELS[name].reads])
def test_window_of_an_earlier_block_is_caught(kernel, lie):
    seen = []

    def change(honest, arguments):
        seen.append(arguments.source_0)
        arguments.source_0 = seen[0]
        honest(arguments)

    assert all(is_wrong(kernel, found) for found in lie(kernel, change, threads=1))


@pytest.mark.parametrize("kernel", WRITING)
@pytest.mark.parametrize("share", [0, 0.4, 0.999])
def test_one_wrong_bit_anywhere_is_caught_by_the_whole_check(kernel, share, lie):
    def change(honest, arguments):
        honest(arguments)
        word = ctypes.c_uint64.from_address(arguments.destination + int(arguments.elements * share) * 8)
        word.value ^= TAKEN_BITS & -TAKEN_BITS  # a bit that an update writes too

    assert is_wrong(kernel, lie(kernel, change)[1])


@pytest.mark.parametrize("bit", [0, 63])
def test_one_wrong_bit_of_a_read_is_caught(bit, lie):
    def change(honest, arguments):
        honest(arguments)
        arguments.result ^= 1 << bit

    assert all(is_wrong("read", found) for found in lie("read", change))


@pytest.mark.parametrize(("end_ns", "seconds"), [(5_000, 0.0), (4_000, -1e-6)])
def test_clock_that_lies_shows_in_the_time_of_the_block(end_ns, seconds, host_case, host_engine):
    def change(honest, arguments):
        honest(arguments)
        arguments.start_ns, arguments.end_ns = 5_000, end_ns

    case, fault = host_case("copy", threads=1), Fault(change)
    bench = host_engine(case, function_of=fault)
    bench.run_block(case, 1)
    fault.is_on = True
    assert bench.run_block(case, 1).seconds == pytest.approx(seconds)


# --- the barrier


def test_threads_start_together(host_case, host_engine):
    case = host_case("copy")
    bench = host_engine(case)
    blocks = [bench.run_block(case, 1) for _ in range(20)]
    # A busy machine may hold one back for a time slice; it does not each time. Python's own start takes as long.
    assert min(block.start_skew_s for block in blocks) < 1e-3
    assert all(0 <= block.start_skew_s <= max(block.seconds, 1e-3) + SLOW_NS / 1e9 for block in blocks)


def test_no_thread_starts_before_the_last_has_come(host_case, host_engine):
    starts, came = [], []

    def late_and_watched(honest, arguments):
        if len(came) % 2:
            time.sleep(0.03)
        came.append(time.monotonic_ns())
        honest(arguments)
        starts.append((arguments.start_ns, came[-1]))

    case = host_case("copy", stores=STREAMING)
    fault = Fault(late_and_watched)
    bench = host_engine(case, function_of=fault)
    fault.is_on = True
    block = bench.run_block(case, 1)
    for pair in (starts[:2], starts[2:]):
        assert min(start for start, _ in pair) >= max(arrival for _, arrival in pair) - 1_000_000
    assert block.start_skew_s < 0.02


@pytest.fixture
def short_wait(compiled_anew, monkeypatch):
    """Make code that gives up soon; the constant is read while it is written."""
    monkeypatch.setattr(flow, "LONGEST_WAIT_NS", 50_000_000)


@pytest.mark.usefixtures("short_wait")
@pytest.mark.parametrize("kernel", ["copy", "read"])
def test_partner_that_never_comes_ends_the_block_within_its_bound(kernel, host_case, host_engine):
    lock, came = threading.Lock(), []

    def one_never_comes(honest, arguments):
        with lock:
            came.append(None)
            is_second = len(came) % 2 == 0
        if not is_second:
            honest(arguments)

    case = host_case(kernel)
    fault = Fault(one_never_comes)
    bench = host_engine(case, function_of=fault)
    bench.run_block(case, 1)
    fault.is_on = True
    begin = time.monotonic()
    with pytest.raises(BandwidthError, match="the threads did not reach the barrier; CPUs were taken away"):
        bench.run_block(case, 1)
    assert 0.05 <= time.monotonic() - begin < 2
    fault.is_on = False
    bench.run_block(case, 1)
    assert bench.verify(case, whole=True) == ""


@pytest.mark.usefixtures("short_wait")
def test_functions_of_all_kinds_give_up_alone():
    library = Library([(KERNELS["copy"], STREAMING, PLAIN)], this_processor())
    barrier = Barrier()
    for name in ("copy_streaming", CHASE, CLOCK, PACED_READ):
        barrier.open()
        arguments = barrier.arguments(threads=2, calls=1)
        library.function(name)(arguments)
        assert (arguments.status, arguments.start_ns, arguments.end_ns, arguments.made) == (Status.NEVER_MET, 0, 0, 0)


def test_stop_ends_the_wait_for_a_partner():
    library, barrier = Library([], this_processor()), Barrier()
    barrier.open()
    arguments = barrier.arguments(threads=2, calls=1)
    timer = threading.Timer(0.05, barrier.stop)
    timer.start()
    begin = time.monotonic()
    library.function(CLOCK)(arguments)
    timer.join()
    assert arguments.status == Status.NEVER_MET
    assert time.monotonic() - begin < 1


# --- stopping, and the interpreter's lock


def test_close_from_another_thread_ends_a_block_of_very_many_passes(host_case):
    engine = HostEngine(small_topology(2), {"native": NativeRunner()})
    case = host_case("triad", size_bytes=MIB)
    engine.prepare([case], 60.0)
    engine.run_block(case, 1)
    errors = []

    def run():
        try:
            engine.run_block(case, 10**12)
        except BandwidthError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(0.1)
    begin = time.monotonic()
    engine.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert time.monotonic() - begin < 2
    assert errors == ["the block was stopped before its end; measure again"]


@pytest.mark.parametrize("kernel", ["copy", "read"])
def test_stop_lets_the_pass_that_runs_end(kernel):
    library, barrier = Library([(KERNELS[kernel], None, PLAIN)], this_processor()), Barrier()
    memory = (ctypes.c_double * 4096)()
    address = -(-ctypes.addressof(memory) // 64) * 64
    barrier.open()
    arguments = barrier.arguments(threads=1, source_0=address, destination=address + 8192, elements=1024, calls=10**15)
    timer = threading.Timer(0.05, barrier.stop)
    timer.start()
    library.function(function_name(KERNELS[kernel], None))(arguments)
    timer.join()
    assert arguments.status == Status.DONE
    assert 1 <= arguments.made < 10**15
    assert arguments.end_ns - arguments.start_ns >= 10_000_000


def test_flag_of_an_earlier_block_does_not_stop_the_next(host_case, host_engine):
    case = host_case("copy")
    bench = host_engine(case)
    for runner in bench._runners.values():
        runner.stop()
    bench.run_block(case, 50)
    assert bench.verify(case, whole=True) == ""


def test_python_goes_on_while_a_block_runs(host_case, host_engine):
    counted, is_over = [0], threading.Event()

    def count():
        while not is_over.is_set():
            counted[0] += 1
            time.sleep(0.0005)

    case = host_case("read", threads=1, size_bytes=64 * 1024)
    bench = host_engine(case)
    seconds = bench.run_block(case, 1000).seconds / 1000
    counter = threading.Thread(target=count)
    counter.start()
    before = counted[0]
    block = bench.run_block(case, max(int(0.2 / seconds), 1))
    during = counted[0] - before
    is_over.set()
    counter.join()
    assert block.seconds > 0.05
    assert during > block.seconds / 0.0005 / 20


# --- compiling, the clock, and what a arguments is


@pytest.mark.usefixtures("compiled_anew")
def test_code_is_compiled_while_preparing_and_never_in_a_block(host_case, latency_case, host_engine, monkeypatch):
    made = []
    init = Library.__init__

    def counted(self, *arguments):
        init(self, *arguments)
        made.append(self.seconds)

    monkeypatch.setattr(Library, "__init__", counted)
    cases = [host_case("copy", stores=stores) for stores in (STREAMING, ORDINARY)]
    cases += [host_case("copy", "numpy"), host_case("read"), latency_case(64 * 1024)]
    bench = host_engine(*cases)
    assert len(made) == 2  # the kernels', and the latencies'
    assert all(seconds > 0 for seconds in made)
    for case in cases * 2:
        bench.run_block(case, 1)
    assert len(made) == 2


def test_llvm_is_loaded_when_code_is_made_and_not_before():
    code = "import sys, bandwidth.engines.host.runners; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_the_kernels_of_the_cases_are_compiled(host_case):
    cases = [host_case("copy", stores=STREAMING), host_case("copy", "native", threads=1)]
    library = runners.compiled(cases, runners.DefaultShapes(), 60.0)
    assert library.function("copy_streaming")
    with pytest.raises(KeyError):
        library.function("triad_streaming")


def test_blocks_before_prepare_are_a_defect(host_case):
    with pytest.raises(AssertionError):
        NativeRunner()._function("copy_streaming")


@pytest.fixture(scope="module")
def clock():
    library, team = Library([], this_processor()), Team([0], pin=False)
    yield library.function(CLOCK), team
    team.close()


def test_clock_is_that_of_a_processor(clock):
    function, team = clock
    assert 0.2e9 < max(clock_hz(function, Barrier(), team) for _ in range(5)) < 10e9


@pytest.mark.parametrize(("made", "end_ns"), [(-1, 1_000_000), (0, 0), (0, -5)])
def test_clock_of_a_chain_that_was_broken_off_or_took_no_time_is_not_known(made, end_ns, clock):
    def function(arguments):
        arguments.made, arguments.start_ns, arguments.end_ns = arguments.calls + made, 0, end_ns

    assert clock_hz(function, Barrier(), clock[1]) is None


def test_clock_counts_an_instruction_a_cycle(clock):
    def function(arguments):
        arguments.made, arguments.start_ns, arguments.end_ns = arguments.calls, 0, 1_000_000

    assert clock_hz(function, Barrier(), clock[1]) == CLOCK_CALLS * CHAIN_LENGTH / 1e-3


def test_clock_is_seen_in_each_native_block_and_in_no_other(host_case, host_engine):
    native, numpy = host_case("copy", threads=1), host_case("copy", "numpy", threads=1)
    bench = host_engine(native, numpy)
    assert 0.1e9 < bench.run_block(native, 1).observed["clock_hz"] < 10e9
    assert "clock_hz" not in bench.run_block(numpy, 1).observed


def test_chain_of_the_clock_is_what_its_formula_says(clock):
    function, _ = clock
    barrier = Barrier()
    barrier.open()
    arguments = barrier.arguments(threads=1, source_0=1, source_1=3, destination=5, calls=2)
    function(arguments)
    value = 1
    for _ in range(2 * CHAIN_LENGTH // 2):
        value = (value + 3) ^ 5
    assert (arguments.result, arguments.made) == (value, 2)


def test_what_threads_look_at_lies_on_lines_of_its_own():
    barrier = Barrier()
    arguments = barrier.arguments(threads=1)
    assert arguments.barrier % APART_BYTES == arguments.stop % APART_BYTES == 0
    assert arguments.barrier != arguments.stop == barrier.stop_address
    assert ctypes.sizeof(KernelArguments) == 8 * len(KernelArguments._fields_)
