"""Where arrays lie: apart, on pages, random, on the node that they are for, and written by those who use them."""

import itertools
import mmap
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from measuring_support import MIB, small_topology, two_socket_topology

from bandwidth.engines.host import layout as host_layout
from bandwidth.engines.host import operating_system
from bandwidth.engines.host.layout import NODE_REFUSED, WINDOWS, HostMemory, Region, array_elements
from bandwidth.engines.host.operating_system import linux
from bandwidth.engines.host.operating_system.linux import HUGE_PAGE_BYTES
from bandwidth.engines.host.sharing import layout_key
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS
from bandwidth.machine.numa import NumaNode
from bandwidth.vocabulary import PAGE_BYTES

LATER = 60.0
SYSTEM = type(operating_system.here())


@pytest.fixture
def lay_out():
    """Return memory laid out for some cases, with what was refused as `refused`."""
    made = []

    def make(*cases, topology=None, limit_s=LATER):
        memory = HostMemory(topology or small_topology(2), time.perf_counter_ns)
        made.append(memory)
        memory.refused = memory.lay_out(cases, 7, time.monotonic() + limit_s)
        return memory

    yield make
    for memory in made:
        memory.close()


def answer_wishes(monkeypatch, *, taken):
    """Let the system take every wish for a node, or none."""
    take = SYSTEM.take

    def answer(system, size_bytes, node, *, huge):
        return replace(take(system, size_bytes, None, huge=huge), is_bound=taken and node is not None)

    monkeypatch.setattr(SYSTEM, "take", answer)


def two_nodes(*, can_pin=False):
    """Return two sockets of two cores, each socket a node. CPUs 0 and 1 are of node 0."""
    topology = two_socket_topology(cores_per_socket=2, cores_per_cache=2, nodes_per_socket=1)
    return replace(topology, can_pin=can_pin)


def arrays_of(memory, case, window=0):
    parts = [memory.layout(case).part(case, thread, window) for thread in range(case.threads)]
    return [array for part in parts for array in (*part.sources, part.destination) if len(array)]


# --- regions


def test_region_begins_at_a_page_and_can_be_written_to_its_end():
    for elements in (1, 512, 513, HUGE_PAGE_BYTES // 8, HUGE_PAGE_BYTES // 8 + 1):
        region = Region(elements)
        region.doubles.fill(2.0)
        assert len(region.doubles) == elements
        assert region.address % PAGE_BYTES == 0
        assert not region.is_bound


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="this system has no such pages")
def test_region_is_where_huge_pages_can_be():
    assert Region(1).address % HUGE_PAGE_BYTES == 0


def test_region_of_nothing_is_one():
    region = Region(0)
    assert len(region.doubles) == 0
    assert region.huge_page_share() is None or region.huge_page_share() >= 0


def test_system_without_huge_pages_gives_ordinary_ones(monkeypatch):
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    region = Region(1000)
    region.doubles.fill(1.0)
    assert region.address % PAGE_BYTES == 0


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="this system has no such pages")
def test_kernel_that_refuses_huge_pages_gives_ordinary_ones(monkeypatch):
    class Refusing(mmap.mmap):
        def madvise(self, *_):
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Refusing)
    Region(1000).doubles.fill(1.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is Linux's call")
def test_region_asks_for_its_node_before_it_is_written(monkeypatch):
    asked = []
    monkeypatch.setattr(linux, "bind", lambda *arguments: bool(asked.append(arguments)) or True)
    region = Region(1000, 3)
    assert region.is_bound
    assert asked == [(region.address, 8000, 3)]


# --- layouts


@pytest.mark.parametrize("window", [0, 7, WINDOWS - 1])
def test_arrays_of_a_case_do_not_overlap_and_sources_are_never_destinations(window, host_case, lay_out):
    cases = [
        host_case(name, threads=threads, size_bytes=size, variant={"sweep_point": size})
        for name in KERNELS
        for threads in (1, 2)
        for size in (4096, 777_777)
    ]
    memory = lay_out(*cases)
    destinations = memory.layout(cases[0]).arena.destinations
    limits = (destinations.address, destinations.address + destinations.doubles.nbytes)
    for case in cases:
        arrays = arrays_of(memory, case, window)
        ordered = sorted((array.ctypes.data, array.nbytes) for array in arrays)
        assert all(start + size <= after for (start, size), (after, _) in itertools.pairwise(ordered)), case.id
        assert all(start % PAGE_BYTES == 0 for start, _ in ordered)
        assert {array.nbytes for array in arrays} == {array_elements(case) * 8}
        for thread in range(case.threads):
            for source in memory.layout(case).part(case, thread, window).sources:
                assert not limits[0] <= source.ctypes.data < limits[1]


def test_sources_are_random_and_no_array_holds_zeros(host_case, lay_out):
    cases = [host_case("triad", threads=threads) for threads in (1, 2)]
    memory = lay_out(*cases)
    for case in cases:
        for thread in range(case.threads):
            part = memory.layout(case).part(case, thread, WINDOWS - 1)
            for source in part.sources:
                assert np.count_nonzero(source) == len(source)
                assert len(np.unique(source)) > 0.999 * len(source)
            assert np.count_nonzero(part.destination) == len(part.destination)


def test_cases_share_one_arena_on_one_node(host_case, lay_out):
    memory = lay_out(host_case("copy"), host_case("read", threads=1), host_case("copy", "numpy"))
    assert len({id(layout.arena) for layout in memory.layouts.values()}) == 1
    assert len(memory.layouts) == 2
    assert len(memory.largest_team().workers) == 2


def test_cut_leaves_the_end_of_all_arrays(host_case, lay_out):
    case = host_case("triad", threads=1)
    part = lay_out(case).layout(case).part(case, 0, 0)
    cut = part.cut(64)
    for whole, end in zip((*part.sources, part.destination), (*cut.sources, cut.destination), strict=True):
        assert len(end) == len(whole) - 64
        assert end.ctypes.data == whole.ctypes.data + 512
    read = host_case("read", threads=1)
    assert len(lay_out(read).layout(read).part(read, 0, 0).cut(64).destination) == 0


# --- nodes


def test_each_group_of_cpus_has_memory_of_its_own_where_there_are_more_nodes(host_case, lay_out):
    topology = two_nodes()
    cases = [host_case("copy", size_bytes=MIB, topology=topology, cpus=cpus) for cpus in ((0,), (0, 1, 2, 3))]
    memory = lay_out(*cases, topology=topology)
    assert len({id(layout.arena) for layout in memory.layouts.values()}) == 2
    assert memory.refused == {}


def test_engine_measures_and_verifies_on_two_nodes(host_case, host_engine, monkeypatch):
    monkeypatch.setattr(SYSTEM, "share_on_node", lambda *_: 0.5)
    topology = two_nodes()
    cases = [host_case("triad", size_bytes=MIB, topology=topology, cpus=cpus) for cpus in ((0,), (0, 2))]
    engine = host_engine(*cases, topology=topology)
    for case in cases:
        assert engine.run_block(case, 2).observed["placed_share"] == 0.5
        assert engine.verify(case, whole=True) == ""


def test_each_thread_writes_what_it_will_use(host_case, lay_out, monkeypatch):
    wrote = {}
    random = np.random.Generator

    class Watched:
        def __init__(self, bits):
            self._random = random(bits)

        def random(self, out):
            wrote[threading.get_ident()] = wrote.get(threading.get_ident(), 0) + out.nbytes
            self._random.random(out=out)

    monkeypatch.setattr(np.random, "Generator", Watched)
    topology = two_nodes()
    case = host_case("copy", topology=topology, cpus=(0, 2))
    memory = lay_out(case, topology=topology)
    step = memory.layout(case).source_step * 8
    assert list(wrote.values()) == [step, step]


@pytest.fixture
def refused(monkeypatch):
    """Return what a container's filter does to the wish for a node."""
    answer_wishes(monkeypatch, taken=False)


@pytest.fixture
def teams(monkeypatch):
    """Return the CPUs of all teams that are made, in their order."""
    made, team = [], host_layout.Team

    def watched(cpus, **options):
        made.append(tuple(cpus))
        return team(cpus, **options)

    monkeypatch.setattr(host_layout, "Team", watched)
    return made


@pytest.mark.usefixtures("refused")
def test_node_without_processors_is_refused_where_no_wish_is_taken(host_case, lay_out, teams):
    topology = two_nodes(can_pin=True)
    far = host_case("copy", topology=topology, cpus=(0,), variant={"cpu_node": 0, "memory_node": 2})
    near = host_case("copy", topology=topology, cpus=(0,), variant={"cpu_node": 0, "memory_node": 0})
    memory = lay_out(far, near, topology=topology)
    assert memory.refused == {far.id: NODE_REFUSED.format(node=2)}
    assert layout_key(far) == ((0,), 2)
    assert memory.layout(near).arena.sources.doubles[0] > 0


@pytest.mark.usefixtures("refused")
def test_node_is_refused_where_no_thread_can_be_pinned_to_it(host_case, lay_out):
    topology = two_nodes(can_pin=False)
    case = host_case("copy", topology=topology, cpus=(0,), variant={"memory_node": 1})
    assert list(lay_out(case, topology=topology).refused) == [case.id]


@pytest.mark.usefixtures("refused")
def test_memory_of_another_node_is_written_by_the_cpus_near_to_it(host_case, lay_out, teams):
    topology = two_nodes(can_pin=True)
    case = host_case("copy", topology=topology, cpus=(0, 1), variant={"memory_node": 1})
    memory = lay_out(case, topology=topology)
    assert memory.refused == {}
    assert teams == [(0, 1), (2, 3)]
    one = host_case("copy", topology=topology, cpus=(0, 1, 2), variant={"memory_node": 1})
    teams.clear()
    lay_out(one, topology=topology)
    assert teams == [(0, 1, 2), (2, 3, 2)]


def test_memory_that_could_be_asked_for_is_written_by_its_own_threads(host_case, lay_out, teams, monkeypatch):
    answer_wishes(monkeypatch, taken=True)
    topology = two_nodes()
    case = host_case("copy", topology=topology, cpus=(0,), variant={"memory_node": 2})
    memory = lay_out(case, topology=topology)
    assert (memory.refused, teams) == ({}, [(0,)])
    assert memory.layout(case).arena.is_bound


# --- placement


def test_placement_is_asked_for_each_threads_own_memory(host_case, lay_out, monkeypatch):
    asked = []

    def answer(_, address, length, node, page):
        asked.append((length, node, page))
        return 1.0 if node else 0.5

    monkeypatch.setattr(SYSTEM, "share_on_node", answer)
    topology = two_nodes()
    case = host_case("copy", topology=topology, cpus=(0, 2))
    layout = lay_out(case, topology=topology).layout(case)
    assert layout.placed_share(topology) == 0.75
    steps = (layout.source_step * 8, layout.destination_step * 8)
    assert asked == [(step, node, PAGE_BYTES) for node in (0, 1) for step in steps]


def test_placement_is_that_on_the_node_that_was_asked_for(host_case, lay_out, monkeypatch):
    nodes = []
    answer_wishes(monkeypatch, taken=True)
    monkeypatch.setattr(SYSTEM, "share_on_node", lambda *asked: nodes.append(asked[3]) or 1.0)
    topology = two_nodes()
    case = host_case("read", topology=topology, cpus=(0,), variant={"memory_node": 1})
    assert lay_out(case, topology=topology).layout(case).placed_share(topology) == 1.0
    assert nodes == [1]  # a read has no destination to ask about


def test_placement_is_not_known_where_a_part_is_not_told(host_case, lay_out, monkeypatch):
    answers = iter([1.0, None, 1.0, 1.0])
    monkeypatch.setattr(SYSTEM, "share_on_node", lambda *_: next(answers))
    topology = two_nodes()
    case = host_case("copy", topology=topology, cpus=(0, 2))
    assert lay_out(case, topology=topology).layout(case).placed_share(topology) is None


def test_placement_on_a_node_without_memory_is_not_known(host_case, lay_out, monkeypatch):
    monkeypatch.setattr(SYSTEM, "share_on_node", lambda *_: 1.0)
    nodes = (NumaNode(0, (0, 1, 4, 5), 0), NumaNode(1, (2, 3, 6, 7), 10**9))
    topology = replace(two_nodes(), numa_nodes=nodes)
    assert topology.processor_only_nodes == (0,)
    case, other = (host_case("copy", topology=topology, cpus=cpus) for cpus in ((0,), (2,)))
    assert lay_out(case, topology=topology).layout(case).placed_share(topology) is None
    assert lay_out(other, topology=topology).layout(other).placed_share(topology) == 1.0


# --- refusals


def test_filling_past_the_deadline_is_one_clear_error(host_case, lay_out):
    with pytest.raises(BandwidthError, match=r"filling 3\.1 MiB of memory takes longer than the budget; use a longer"):
        lay_out(host_case("copy"), limit_s=-1.0)


def test_filling_ends_where_the_deadline_passes_on_the_way(host_case, lay_out):
    begin = time.monotonic()
    with pytest.raises(BandwidthError, match="takes longer than the budget"):
        lay_out(host_case("copy", threads=1, size_bytes=2048 * MIB), limit_s=0.05)
    assert time.monotonic() - begin < 2


def test_refused_memory_is_one_clear_error(host_case, lay_out, monkeypatch):
    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr(host_layout, "Region", refuse)
    with pytest.raises(BandwidthError, match="the system refused the memory for the arrays; use a smaller --size"):
        lay_out(host_case("copy"))


@pytest.mark.parametrize(("bytes_per_thread", "elements"), [(64, 8), (4096, 512), (5 * 4096, 2560)])
def test_elements_of_an_array(bytes_per_thread, elements, host_case):
    for threads in (1, 2):
        case = host_case("triad", threads=threads, size_bytes=3 * bytes_per_thread * threads)
        assert array_elements(case) == elements
