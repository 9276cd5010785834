"""The engines on Windows: the real engine and the code that LLVM makes for it, on scripted libraries of the system."""

import ctypes
import gc
import platform
import struct

import llvmlite.binding as llvm
import numpy as np
import pytest
import scripted_windows as scripted
from hypothesis import given, settings
from hypothesis import strategies as st
from measuring_support import MIB, small_topology, two_socket_topology
from scripted_windows import ScriptedWindows
from windows_code import TICKS_PER_S, Bridge, WindowsLibrary, bridge, windows_processor

from bandwidth.engines.host import latency, operating_system
from bandwidth.engines.host.layout import NODE_REFUSED, Region
from bandwidth.engines.host.native_code import compiled
from bandwidth.engines.host.native_code.kernel_arguments import Barrier, Status
from bandwidth.engines.host.native_code.processor import CLOCK, LlvmProcessor
from bandwidth.engines.host.native_code.shapes import PLAIN, function_name
from bandwidth.engines.host.operating_system import windows as seam
from bandwidth.engines.host.operating_system.posix import Posix
from bandwidth.engines.host.operating_system.windows import Windows
from bandwidth.engines.host.workers import Team
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.topology import read_topology
from bandwidth.measuring.measure import measure_prepared
from bandwidth.planning.host import UNTRIED_SYSTEM
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.preparation import prepare

ALL = 2**64 - 1
ROWS = [(kernel, stores) for kernel in KERNELS.values() for stores in kernel.stores or (None,)]


@pytest.fixture
def on_windows(monkeypatch):
    """Let the engines run on a scripted Windows."""

    started = []

    def start(**machine):
        windows = ScriptedWindows(**machine)
        started.append(windows)
        monkeypatch.setattr(operating_system, "here", lambda: Windows(windows.calls))
        return windows

    yield start
    assert [windows.faults for windows in started if windows.faults] == []


@pytest.fixture
def compiling(on_windows, compiled_anew, monkeypatch):
    """Let them compile for Windows too, and run it."""
    way = bridge()

    def start(**machine):
        processor = windows_processor()
        for module in (compiled, latency):
            monkeypatch.setattr(module, "this_processor", lambda: processor)
        monkeypatch.setattr(compiled.Library, "function", lambda library, name: way.function(library, name))
        return on_windows(counter=way.counter, switch=way.switch, ticks_per_s=TICKS_PER_S, **machine)

    return start


def two_groups():
    """Return the topology of 128 CPUs in two groups, as it is read."""
    table = scripted.two_groups()
    return read_topology(CapturedReader({}, system="Windows", processor_table=table, allowed_cpus=tuple(range(128))))


# --- the engine, with the code that is Windows'


def test_every_kernel_is_measured_and_verified(compiling, host_case, host_engine):
    windows = compiling(groups=(ALL,))
    topology = small_topology(2, can_pin=True)
    cases = [
        host_case(kernel.name, "native", stores=stores, size_bytes=MIB, topology=topology) for kernel, stores in ROWS
    ]
    cases.append(host_case("copy", "numpy", size_bytes=MIB, topology=topology))
    engine = host_engine(*cases, topology=topology)
    assert engine.refused == {}
    for case in cases:
        block = engine.run_block(case, 2)
        assert block.seconds > 0
        assert block.pinned
        assert {"core_to_core_ns", "effective_cores"} <= set(block.observed)
        assert engine.verify(case, whole=False) == engine.verify(case, whole=True) == ""
    assert 1e8 < engine.run_block(cases[0], 2).observed["clock_hz"] < 1e11
    assert {(one[1], one[3]) for one in windows.named("SetThreadGroupAffinity")} == {(scripted.THREAD, None)}
    assert set(windows.affinities.values()) >= {(0, 0b01), (0, 0b10)}


@pytest.mark.parametrize("variant", [{}, {"load": "100%"}, {"load": "50%", "writes": "33%"}])
def test_latencies_are_measured_and_verified(variant, compiling, latency_case, host_engine):
    windows = compiling()
    case = latency_case(threads=2 if variant else 1, **variant)
    engine = host_engine(case)
    if engine.refused:  # the machine did not let the load run
        pytest.skip(engine.refused[case.id])
    block = engine.run_block(case, 500)
    assert 0.1 < block.seconds / (500 * 64) * 1e9 < 10_000
    assert engine.verify(case, whole=True) == ""
    assert block.observed["huge_page_share"] == 1.0
    assert all(one.is_large for one in windows.allocations.values())


def test_several_chains_are_followed_at_once(compiling, latency_case, host_engine):
    compiling()
    case = latency_case(chains=4)
    engine = host_engine(case)
    engine.run_block(case, 100)
    assert engine.verify(case, whole=True) == ""


def test_a_whole_measurement_on_windows_says_that_nobody_has_tried_it(compiling):
    compiling()
    reader = CapturedReader(
        {}, system="Windows", os_version="Windows 11", processor_table=scripted.one_group(2), allowed_cpus=(0, 1)
    )
    options = MeasureOptions(kernels=("copy",), size_bytes=4 * MIB, budget_s=0.5, memory="DDR5-4800 x2")
    prepared = prepare(options, reader)
    record, interrupted = measure_prepared(prepared, ("bandwidth", "measure"))
    assert not interrupted
    assert UNTRIED_SYSTEM in record.notes
    assert record.machine["operating_system"] == "Windows 11"
    assert {(result.failure, result.pinned) for result in record.results} == {("", True)}
    assert {result.case.engine for result in record.results} >= {"native"}


# --- the clock


@pytest.fixture(scope="module")
def clocked():
    """Return how the chain of the clock is called, with a time that a function here tells."""
    bridge()  # skips where such code cannot run
    tells = [lambda: 0]
    way, library, barrier = Bridge(lambda: tells[0]()), compiled.Library((), windows_processor()), Barrier()

    def call(clock, per_s):
        tells[0] = clock
        barrier.open()
        arguments = barrier.arguments(threads=1, calls=1)
        arguments.clock_function, arguments.yield_function, arguments.clock_number = way.counter, way.switch, per_s
        way.function(library, CLOCK)(arguments)
        return arguments

    return call


@settings(max_examples=200, deadline=None)
@given(
    per_s=st.sampled_from([10_000_000, 3_579_545, 14_318_180, 24_000_000, 2_435_919, 2_994_000_000]),
    years=st.lists(st.floats(0, 100), min_size=3, max_size=3),
)
def test_ticks_of_any_clock_are_nanoseconds_rounded_down(clocked, per_s, years):
    """The counter runs for 100 years at least before it is over: no product on the way may be longer than a word."""
    ticks = sorted(int(year * 365.25 * 86_400 * per_s) for year in years)
    times = iter(ticks)
    arguments = clocked(lambda: next(times), per_s)
    assert arguments.status == Status.DONE
    # The first look is the barrier's own.
    assert [arguments.start_ns, arguments.end_ns] == [one * 10**9 // per_s for one in ticks[1:]]
    assert next(times, None) is None


def test_the_code_is_told_windows_clock():
    windows = ScriptedWindows(counter=0x1000, switch=0x2000, ticks_per_s=24_000_000)
    system = Windows(windows.calls)
    told = {"clock_function": 0x1000, "yield_function": 0x2000, "clock_number": 24_000_000}
    assert system.calls_of_code() == system.calls_of_code() == told
    assert len(windows.named("QueryPerformanceFrequency")) == 1


# --- threads


def test_threads_are_bound_in_every_group(compiling, host_case, host_engine):
    windows = compiling(groups=(ALL, ALL), highest_node=1)
    topology = two_groups()
    case = host_case("copy", size_bytes=MIB, topology=topology, cpus=(3, 64 + 40))
    engine = host_engine(case, topology=topology)
    block = engine.run_block(case, 2)
    assert block.pinned
    assert engine.verify(case, whole=True) == ""
    assert set(windows.affinities.values()) == {(0, 1 << 3), (1, 1 << 40)}


@pytest.mark.parametrize("name", ["SetThreadGroupAffinity", "GetThreadGroupAffinity"])
def test_an_affinity_that_is_refused_leaves_threads_unpinned_and_says_so(name, compiling, host_case, host_engine):
    compiling(refused={name: scripted.DENIED})
    topology = small_topology(2, can_pin=True)
    case = host_case("copy", size_bytes=MIB, topology=topology)
    engine = host_engine(case, topology=topology)
    block = engine.run_block(case, 2)
    assert not block.pinned
    assert engine.verify(case, whole=True) == ""


def test_a_cpu_of_a_group_that_is_not_there_is_no_error(on_windows):
    on_windows(groups=(0b1,))
    team = Team([64], pin=True)
    team.each([lambda: None])
    assert not team.pinned
    team.close()


def test_an_affinity_that_is_taken_away_later_shows(on_windows):
    windows = on_windows()
    team = Team([1], pin=True)
    team.each([lambda: None])
    assert team.pinned
    windows.affinities = dict.fromkeys(windows.affinities, (0, 0b11))
    team.each([lambda: None])
    assert not team.pinned
    team.close()


# --- memory


def pages_of(host_case, host_engine):
    """Return the engine of a case of huge pages and one of small ones."""
    cases = [host_case("random", size_bytes=4 * MIB, variant={"pages": pages}) for pages in ("huge", "small")]
    return cases, host_engine(*cases)


def test_large_pages_are_large_and_small_ones_small(compiling, host_case, host_engine):
    windows = compiling()
    (huge, small), engine = pages_of(host_case, host_engine)
    assert engine.refused == {}
    for case, share in ((huge, 1.0), (small, 0.0)):
        block = engine.run_block(case, 1)
        assert block.observed["huge_page_share"] == share
        assert engine.verify(case, whole=True) == ""
    assert sorted(one.is_large for one in windows.allocations.values()) == [False] * 2 + [True] * 2
    assert len(windows.named("AdjustTokenPrivileges")) == 1 or windows.has_privilege


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({}, seam.NOT_SHOWN),  # they are large, and that is all that may not be known
        ({"may_lock_memory": False}, seam.NO_PRIVILEGE),
        ({"large_page_bytes": 0}, seam.NO_LARGE_PAGES),
        ({"refused": {"large pages": scripted.NO_RESOURCES}}, "Windows has fewer than 4 MiB of large pages left"),
        ({"refused": {"OpenProcessToken": scripted.DENIED}}, seam.NOT_TOLD),
        ({"highest_node": 1}, seam.SEVERAL_NODES),
        ({"refused": {"GetNumaHighestNodeNumber": scripted.DENIED}}, seam.NOT_TOLD),
    ],
)
def test_large_pages_that_are_refused_say_why_and_ordinary_ones_serve(machine, reason):
    windows = ScriptedWindows(**machine)
    system = Windows(windows.calls)
    for _ in range(2):
        taken = system.take(3 * MIB, None, huge=True)
        taken.content.fill(1)
        assert taken.why_small == reason
        (allocation,) = windows.allocations.values()
        assert allocation.is_large == (reason == seam.NOT_SHOWN)
        del taken
    assert system.take(3 * MIB, None, huge=False).why_small == ""
    assert len(windows.named("OpenProcessToken")) <= 1  # the account is asked once


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"may_lock_memory": False}, seam.NO_PRIVILEGE),
        ({"refused": {"K32QueryWorkingSetEx": scripted.DENIED}}, seam.NOT_SHOWN),
    ],
)
def test_what_needs_large_pages_is_refused_with_the_reason_and_the_rest_is_measured(
    machine, reason, compiling, host_case, host_engine
):
    compiling(**machine)
    (huge, small), engine = pages_of(host_case, host_engine)
    assert engine.refused == {huge.id: reason}
    engine.run_block(small, 1)
    assert engine.verify(small, whole=True) == ""


def test_memory_is_given_back_when_nothing_refers_to_it_any_more(on_windows):
    windows = on_windows()
    region = Region(1000)
    end = region.doubles[990:].view(np.uint64)
    region.doubles.fill(1.0)
    del region
    assert len(windows.allocations) == 1  # a part of it is still in use
    assert end[-1] == np.float64(1.0).view(np.uint64)
    del end
    gc.collect()
    assert windows.allocations == {}


def test_memory_laid_out_anew_is_not_taken_twice(compiling, host_case, host_engine):
    windows = compiling()
    case = host_case("copy", size_bytes=MIB)
    engine = host_engine(case)
    taken = len(windows.allocations)
    engine.run_block(case, 1)
    engine.lay_out_anew(60.0)
    engine.run_block(case, 1)
    assert engine.verify(case, whole=True) == ""
    assert len(windows.allocations) == taken
    engine.close()
    engine._runners.clear()  # whose last works hold arrays
    gc.collect()
    assert windows.allocations == {}


def test_memory_that_windows_does_not_have_is_one_clear_error(on_windows, host_case, host_engine):
    on_windows(refused={"VirtualAlloc": scripted.NO_MEMORY})
    with pytest.raises(BandwidthError, match="the system refused the memory for the arrays; use a smaller --size"):
        host_engine(host_case("copy", "numpy"))


def test_regions_of_nothing_and_of_one_element_are_regions(on_windows):
    windows = on_windows()
    for elements in (0, 1, 513):
        region = Region(elements)
        region.doubles.fill(2.0)
        assert len(region.doubles) == elements
        assert region.address % 4096 == 0
    assert all(size for _, _, size, *_ in windows.named("VirtualAlloc"))


# --- nodes


def test_a_node_is_wished_for_and_where_the_pages_lie_is_read_back(compiling, host_case, host_engine):
    windows = compiling(groups=(ALL, ALL), highest_node=1)
    topology = two_groups()
    case = host_case("copy", size_bytes=MIB, topology=topology, cpus=(0,), variant={"cpu_node": 0, "memory_node": 1})
    engine = host_engine(case, topology=topology)
    assert engine.run_block(case, 1).observed["placed_share"] == 1.0
    assert {(one.node, one.is_large) for one in windows.allocations.values()} == {(1, True)}
    assert engine.verify(case, whole=True) == ""


def test_pages_on_another_node_than_was_wished_for_show(on_windows):
    windows = on_windows(highest_node=1)
    region = Region(4 * MIB // 8, 1)
    for allocation in windows.allocations.values():
        allocation.node = 0
    assert region.is_bound
    assert (region.share_on_node(1), region.share_on_node(0)) == (0.0, 1.0)
    assert region.share_on_node(0, 512, 512) == 1.0
    assert operating_system.here().share_on_node(4096, 4096, 0, 4096) is None  # no page of this process


def test_a_node_that_is_not_there_is_refused_with_its_name(compiling, host_case, host_engine):
    compiling(groups=(ALL, ALL))
    topology = two_socket_topology(2, 2, 1, memory_only_nodes=1)
    case = host_case("copy", size_bytes=MIB, topology=topology, cpus=(0,), variant={"cpu_node": 0, "memory_node": 2})
    assert host_engine(case, topology=topology).refused == {case.id: NODE_REFUSED.format(node=2)}


# --- which system answers


def test_the_system_is_chosen_by_its_name(monkeypatch):
    windows = ScriptedWindows()
    monkeypatch.setattr("bandwidth.machine.windows.calls.this_windows", lambda: windows.calls)
    found = {name: type(operating_system.here.__wrapped__(name)).__name__ for name in ("win32", "linux", "darwin")}
    assert found == {"win32": "Windows", "linux": "Linux", "darwin": "Posix"}


def test_a_posix_system_of_another_kind_gives_ordinary_memory_and_pins_nothing():
    system = Posix()
    system.pin(0)
    assert not system.is_pinned(0)
    taken = system.take(5000, 3, huge=True)
    taken.content.fill(7)
    assert (len(taken.content), taken.content.ctypes.data % 4096, taken.is_bound) == (5000, 0, False)
    assert system.share_on_node(taken.content.ctypes.data, 5000, 0, 4096) is None
    assert system.huge_page_share(taken.content.ctypes.data, 5000) is None


# --- what the linker would have to find


COFF = {"x86_64-pc-windows-msvc": ("x86-64-v4", 64), "aarch64-pc-windows-msvc": ("generic", 32)}


@pytest.mark.parametrize("triple", COFF)
def test_no_kernel_asks_for_a_function_of_a_library(triple):
    """What is not defined is the mark that Microsoft's linker looks for beside doubles, and nothing that is called."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    cpu, width = COFF[triple]
    processor = LlvmProcessor(triple, cpu, "", width)
    rows = [(*row, PLAIN) for row in ROWS]
    machine = compiled._target_machine(processor)
    content = machine.emit_object(compiled._parsed(compiled.module_of(rows, processor, (2, 32))))
    defined, undefined = coff_symbols(content)
    assert undefined <= {"_fltused"}
    assert {"chase", "chase_32", "paced_mix", *(function_name(*row) for row in rows)} <= defined


def coff_symbols(content):
    """Return the names of the external symbols that an object defines, and of those that it lacks."""
    _, _, _, table, count = struct.unpack_from("<HHIII", content)
    texts = table + 18 * count
    found, place = (set(), set()), 0
    while place < count:
        name, _, section, _, kind, more = struct.unpack_from("<8sIhHBB", content, table + 18 * place)
        zeros, offset = struct.unpack("<II", name)
        if not zeros:
            name = content[texts + offset : content.index(b"\0", texts + offset)]
        if kind == 2:  # IMAGE_SYM_CLASS_EXTERNAL
            found[section == 0].add(name.rstrip(b"\0").decode())
        place += 1 + more
    return found


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="it is this processor's convention")
def test_the_code_is_of_windows_convention_indeed():
    """The first argument comes in RCX there; a library that took it from RDI would find nothing."""
    library, barrier = WindowsLibrary((), windows_processor()), Barrier()
    barrier.open()
    arguments = barrier.arguments(threads=1, calls=1, source_0=1, source_1=2, destination=3)
    library.function(CLOCK)(arguments)
    assert arguments.status == Status.DONE
    text = compiled.assembly((), windows_processor())
    clock = text[text.index("\nclock:") :]
    assert "(%rcx)" in clock[: clock.index("ret")]
    assert ctypes.sizeof(ctypes.c_void_p) == 8
