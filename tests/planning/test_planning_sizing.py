"""How much data: the rule for memory, and what happens where memory does not hold it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measuring_support import GIB, MIB, facts_with_memory, hybrid_topology, small_topology, two_socket_topology

from bandwidth.engines.host.layout import ELEMENT_BYTES, WINDOWS, Layout
from bandwidth.engines.host.sharing import cycle_key, layout_key
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.machine.facts import Facts
from bandwidth.planning import sizing
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.sizing import MEMORY_SHARE, dram_rule_bytes, memory_needed, sizings_of
from bandwidth.vocabulary import PAGE_BYTES

NOTHING_KNOWN = Facts({})
STUDIES = (
    {},
    {"sweep": "size"},
    {"sweep": "threads"},
    {"numa": True},
    {"numa": True, "latency": True},
    {"latency": True},
    {"mixes": ("3:1", "2:1", "1:1")},
    {"zeros": True},
    {"sweep": "size", "latency": True, "zeros": True},
    {"sweep": "size", "kernels": ("copy", "triad"), "stores": ("streaming", "ordinary")},
)
TOPOLOGIES = {
    "two sockets": two_socket_topology(),
    "with CXL": two_socket_topology(memory_only_nodes=1),
    "small": small_topology(2),
    "unknown caches": small_topology(4, None),
    "hybrid": hybrid_topology(),
}


def plan(topology, facts=NOTHING_KNOWN, **options):
    return make_plan(MeasureOptions(**options), facts, topology)


def allocated_bytes(cases, topology):
    """Return what the engine takes for some cases, apart from the room for moving windows, and that room with slack."""
    rates = [case for case in cases if not case.is_latency]
    groups = {}
    for case in rates:
        groups.setdefault(layout_key(case), []).append(case)
    layouts = [Layout(cpus, node, members) for (cpus, node), members in groups.items()]
    threads = sum(len(layout.cpus) for layout in layouts)
    # Each array begins at a page of its own: beside the windows, up to a page for each of a thread's three arrays.
    slack = threads * (WINDOWS + 3) * PAGE_BYTES
    is_shared = len(topology.nodes_of(cpu for layout in layouts for cpu in layout.cpus)) <= 1
    if is_shared and all(layout.node is None for layout in layouts):
        halves = [max((layout.elements[half] for layout in layouts), default=0) for half in (0, 1)]
        total = sum(halves) * ELEMENT_BYTES
    else:
        total = sum(sum(layout.elements) for layout in layouts) * ELEMENT_BYTES
    latencies = [case for case in cases if case.is_latency]
    cycles = {cycle_key(case): case.working_set_bytes for case in latencies}
    loads = {case.cpus: case.working_set_bytes for case in latencies if "load" in case.variant}
    order = sum(size // 64 * 4 for size in cycles.values())
    return total + sum(cycles.values()) + order + sum(loads.values()), slack


@pytest.mark.parametrize("options", STUDIES, ids=str)
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_memory_needed_is_what_the_engines_take(name, options):
    topology = TOPOLOGIES[name]
    found = plan(topology, **options)
    cases = [planned.case for planned in found.cases]
    taken, slack = allocated_bytes(cases, topology)
    assert taken - slack <= found.memory_bytes <= taken
    assert found.memory_bytes == memory_needed(cases, topology)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 4 * GIB),
    threads=st.lists(st.integers(1, 256), min_size=1, max_size=3),
    options=st.sampled_from(STUDIES),
)
def test_memory_needed_is_what_the_engines_take_at_any_size(size, threads, options):
    topology = TOPOLOGIES["with CXL"]
    if options.get("numa"):
        threads = [min(threads[0], 32)]
    if options.get("sweep") != "threads":
        options = {**options, "threads": tuple(map(str, threads))}
    cases = [planned.case for planned in plan(topology, size_bytes=size, **options).cases]
    taken, slack = allocated_bytes(cases, topology)
    assert taken - slack <= memory_needed(cases, topology)


# --- memory that is short


@settings(max_examples=80, deadline=None)
@given(
    memory=st.integers(20 * MIB, 64 * GIB),
    options=st.sampled_from(STUDIES),
    name=st.sampled_from(sorted(TOPOLOGIES)),
)
def test_all_that_is_planned_fits_into_the_memory_that_is_there(memory, options, name):
    found = plan(TOPOLOGIES[name], facts_with_memory(memory), **options)
    assert found.memory_bytes <= memory * MEMORY_SHARE
    shortness = [note for note in found.notes if note.startswith("The largest sizes are below the rule")]
    whole = plan(TOPOLOGIES[name], **options)
    if options and found.cases:
        assert bool(shortness) == (whole.memory_bytes > memory * MEMORY_SHARE)


def test_a_sweep_ends_where_memory_does_and_says_so():
    found = plan(small_topology(2, 512 * MIB), facts_with_memory(1 * GIB), sweep="size", memory="DDR4-3200 x2")
    sizes = sorted({planned.case.variant["sweep_point"] for planned in found.cases})
    assert sizes[-1] == 768 * MIB  # the largest point within 0.8 GiB; the rule asks for 2 GiB
    assert {planned.theory_bytes_per_s for planned in found.cases} == {None}
    assert found.notes == (
        "The largest sizes are below the rule for memory: limited by the free memory, 1 GiB; "
        "4 x 512 MiB of last-level cache.",
    )


def test_latencies_end_where_memory_does():
    found = plan(small_topology(2, 512 * MIB), facts_with_memory(4 * GIB), latency=True)
    sizes = [planned.case.working_set_bytes for planned in found.cases]
    assert max(sizes) < 2 * GIB
    assert found.memory_bytes <= 0.8 * 4 * GIB
    assert len(found.notes) == 1


def test_size_that_was_asked_for_is_never_made_smaller():
    for options in ({}, {"sweep": "size"}, {"latency": True}):
        with pytest.raises(
            UsageError, match=r"--size 8 GiB needs .* of memory in total, 4 GiB are available"
        ) as caught:
            plan(small_topology(2), facts_with_memory(4 * GIB), size_bytes=8 * GIB, **options)
        most = int(caught.value.hint.split("MiB")[0].split()[-1])
        plan(small_topology(2), facts_with_memory(4 * GIB), size_bytes=most * MIB, **options)  # and that fits


def test_range_above_memory_is_refused_at_once_and_not_made_smaller(monkeypatch):
    needed, planned = sizing.memory_needed, []
    monkeypatch.setattr(sizing, "memory_needed", lambda *given: planned.append(given) or needed(*given))
    with pytest.raises(UsageError, match=r"--range up to 8 GiB needs 8 GiB of memory in total, 4 GiB are available"):
        plan(small_topology(2), facts_with_memory(4 * GIB), sweep="size", sweep_range=(MIB, 8 * GIB))
    assert len(planned) == 2  # as it is, and with the least sizes there are


def test_no_room_at_all_is_an_error_for_every_study():
    for options in STUDIES:
        if options != {"numa": True} and options != {"numa": True, "latency": True}:
            with pytest.raises(BandwidthError, match="only 1 MiB of memory are available, too little to measure"):
                plan(small_topology(2), facts_with_memory(MIB), **options)


# --- the rule


@pytest.mark.parametrize(
    ("topology", "cpus", "expected"),
    [
        (two_socket_topology(), (0,), 256 * MIB),
        (two_socket_topology(), tuple(range(64)), 4 * 8 * 32 * MIB),
        (two_socket_topology(), tuple(range(128)), 4 * 16 * 32 * MIB),
        (two_socket_topology(), (0, 128), 256 * MIB),  # siblings share what they have
        (small_topology(2), (0, 1), 256 * MIB),
        (small_topology(2, 100 * MIB), (0,), 400 * MIB),
        (small_topology(2, None), (0,), GIB),
    ],
)
def test_least_size_that_counts_as_memory(topology, cpus, expected):
    assert dram_rule_bytes(topology, cpus) == expected


def test_why_names_the_caches():
    sizings = sizings_of(None, two_socket_topology(), [(0,), tuple(range(128))])
    assert [sizing.why for sizing in sizings.values()] == [
        "the minimum for memory; last-level cache 32 MiB",
        "4 x 512 MiB of last-level cache in 16 caches",
    ]
    (unknown,) = sizings_of(None, small_topology(1, None), [(0,)]).values()
    assert (unknown.why, unknown.caches_known) == ("the size of the caches is unknown", False)
