"""What takes the table's place: the points of sweeps, latencies, mixes and zeros, and what of it makes no sense."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measuring_support import GIB, MIB, hybrid_topology, small_topology, two_socket_topology
from simulated_machine import Machine

from bandwidth.analysis.curves import size_curves
from bandwidth.analysis.groups import is_size_check, size_check_of, size_checks
from bandwidth.errors import UsageError
from bandwidth.findings import examine
from bandwidth.machine.facts import Facts
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.studies import CHAINS, LOADS, MIXED_LOADS, points
from bandwidth.results.files import parse, record_to_json

KIB = 1024


def plan(topology, **options):
    return make_plan(MeasureOptions(**options), Facts({}), topology)


def sizes_of(found, threads):
    """Return the points of a number of threads, the smallest first."""
    points_of = [
        planned.case.variant["sweep_point"]
        for planned in found.cases
        if planned.case.threads == threads and "sweep_point" in planned.case.variant
    ]
    return sorted(points_of)


def is_point(size):
    """A power of two, or one and a half times one."""
    return size & (size - 1) == 0 or (size % 3 == 0 and (size // 3) & (size // 3 - 1) == 0)


# --- points


@given(low=st.integers(1, 2**40), high=st.integers(1, 2**40))
def test_points_are_powers_of_two_and_one_and_a_half_of_each_within_their_ends(low, high):
    found = points(low, high)
    assert all(is_point(point) and low <= point <= high for point in found)
    assert list(found) == sorted(set(found))
    assert len(found) == sum(low <= 2**n <= high for n in range(41)) + sum(low <= 3 * 2**n <= high for n in range(40))


@settings(max_examples=40, deadline=None)
@given(threads=st.integers(1, 256), cache=st.sampled_from([None, 8 * MIB, 300 * MIB]))
def test_a_sweep_goes_from_four_kibibytes_a_thread_to_memory(threads, cache):
    topology = two_socket_topology() if cache is None else small_topology(256, cache)
    found = plan(topology, sweep="size", threads=(str(threads),))
    sizes = sizes_of(found, threads)
    assert len(set(sizes)) == len(sizes)
    assert all(map(is_point, sizes))
    assert 4 * KIB * threads <= sizes[0] < 2 * 4 * KIB * threads
    last = max((planned.case for planned in found.cases), key=lambda case: case.working_set_bytes)
    assert last.meets_dram_rule
    assert sizes[-2] < last.dram_rule_bytes  # and only the last one has to


def test_no_point_spills_over_the_size_that_it_stands_for():
    for planned in plan(two_socket_topology(), sweep="size", kernels=("read", "copy", "triad")).cases:
        case = planned.case
        room = case.variant["sweep_point"]
        # Arrays from 64 KiB on are whole pages: up to a page more for each array of each thread.
        assert case.working_set_bytes <= room + (4096 * case.threads * 3 if room >= 64 * KIB * case.threads else 0)
        assert case.working_set_bytes >= room * 0.95


def test_sweep_reads_with_the_first_engine_and_stores_where_the_data_is():
    assert {planned.case.path for planned in plan(small_topology(2), sweep="size").cases} == {"read"}
    copies = plan(small_topology(2), sweep="size", kernels=("copy",)).cases
    assert {(planned.case.engine, planned.case.variant["stores"]) for planned in copies} == {("native", "ordinary")}
    streaming = plan(small_topology(2), sweep="size", kernels=("copy",), stores=("streaming",)).cases
    assert {planned.case.variant["stores"] for planned in streaming} == {"streaming"}
    numpy = plan(small_topology(2), sweep="size", engines=("numpy",)).cases
    assert {planned.case.engine for planned in numpy} == {"numpy"}


def test_range_bounds_the_points():
    found = plan(small_topology(2), sweep="size", sweep_range=(10 * KIB, 100 * KIB), threads=("1",))
    assert sizes_of(found, 1) == [size * KIB for size in (12, 16, 24, 32, 48, 64, 96)]


def test_range_too_small_for_many_threads_leaves_them_out_with_a_line():
    found = plan(two_socket_topology(), sweep="size", sweep_range=(4 * KIB, 256 * KIB))
    assert {planned.case.threads for planned in found.cases} == {1}
    assert found.notes == ("The range contains no size for 128 threads: a thread needs at least 4 KiB.",)


def test_thread_sweep_has_its_ends_whatever_they_are():
    found = plan(two_socket_topology(), sweep="threads", sweep_range=(5, 77))
    assert sorted({planned.case.threads for planned in found.cases}) == [5, 6, 8, 12, 16, 24, 32, 48, 64, 77]
    assert {planned.case.path for planned in found.cases} == {"read", "copy"}
    assert {planned.case.variant.get("stores") for planned in found.cases} == {None, "streaming"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweep": "sizes"}, "--sweep 'sizes' is not known; choose from size, threads"),
        ({"sweep_range": (1, 2)}, "--range needs a sweep; add --sweep size or --sweep threads"),
        ({"sweep": "size", "sweep_range": (2 * MIB, MIB)}, "--range 2 MiB-1 MiB is reversed"),
        ({"sweep": "threads", "sweep_range": (2, 1)}, "--range 2-1 is reversed"),
        ({"sweep": "size", "sweep_range": (0, MIB)}, "--range 0-1 MiB is reversed or below 1"),
        (
            {"sweep": "size", "sweep_range": (5 * KIB, 5 * KIB)},
            "--range 5 KiB-5 KiB contains no point of a sweep for 1 or",
        ),
        ({"sweep": "size", "sweep_range": (1, 2 * KIB)}, "a thread needs at least 4 KiB"),
        ({"sweep": "threads", "sweep_range": (1, 5)}, "--range 5: this process may use 4 CPUs; use 1 to 4"),
        ({"sweep": "threads", "threads": ("1",)}, "--threads does not apply to a sweep over threads"),
        ({"sweep": "size", "threads": ("5",)}, "--threads 5: this process may use 4 CPUs"),
        ({"sweep": "size", "kernels": ("triad",), "engines": ("numpy",)}, "--kernel 'triad' needs the engine native"),
        ({"mixes": ("9:1",)}, "--mix '9:1' is not known; choose from 1:0, 3:1, 2:1, 1:1"),
        ({"mixes": ()}, "--mix names nothing"),
        ({"stores": ("temporal",)}, "--stores 'temporal' is not known; choose from streaming, ordinary"),
        ({"stores": ("streaming",), "engines": ("numpy",)}, "--stores needs the engine native"),
        ({"latency": True, "engines": ("numpy",)}, "--latency needs the native engine"),
        ({"chains": True, "engines": ("numpy",)}, "--chains needs the native engine"),
        ({"core_to_core": True, "engines": ("numpy",)}, "--core-to-core needs the native engine; pip install"),
        ({"mixes": ("2:1",), "engines": ("numpy",)}, "--mix needs the native engine"),
        (
            {"latency": True, "kernels": ("copy",)},
            "--kernel does not apply to --latency, --chains, --core-to-core, --mix, --zeros or --random",
        ),
        (
            {"zeros": True, "kernels": ("copy",)},
            "--kernel does not apply to --latency, --chains, --core-to-core, --mix, --zeros or --random",
        ),
        (
            {"mixes": ("2:1",), "stores": ("streaming",)},
            "--stores does not apply to --latency, --chains, --core-to-core, --mix or --random",
        ),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_of_one_line(options, message):
    with pytest.raises(UsageError) as caught:
        plan(small_topology(4), **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == 2


# --- random reads


def test_random_reads_are_of_a_power_of_two_a_thread_in_both_kinds_of_pages():
    found = plan(small_topology(3), random=True)
    cases = [planned.case for planned in found.cases]
    assert [case.id.removeprefix("host/random/native/") for case in cases] == ["3/huge", "3/small", "1/huge", "1/small"]
    for case in cases:
        part = case.working_set_bytes // case.threads
        assert part & (part - 1) == 0
        assert case.meets_dram_rule
        assert case.bytes_per_call == case.traffic_bytes_per_call == case.working_set_bytes
    assert found.memory_bytes >= 2 * max(case.working_set_bytes for case in cases)  # each kind of pages has its own


def test_a_size_that_is_asked_for_is_never_exceeded_by_random_reads():
    cases = [planned.case for planned in plan(small_topology(2), random=True, size_bytes=100 * MIB).cases]
    assert {case.working_set_bytes for case in cases} == {64 * MIB}


@pytest.mark.parametrize(("size", "least"), [(64, "8 KiB"), (8191, "8 KiB")])
def test_random_reads_below_a_page_are_refused_in_one_line(size, least):
    with pytest.raises(UsageError, match=f"less than a page each; use a --size of at least {least}"):
        plan(small_topology(2), random=True, size_bytes=size)


def test_random_reads_take_no_kernel_and_no_stores():
    for more in ({"kernels": ("copy",)}, {"stores": ("ordinary",)}):
        with pytest.raises(UsageError, match="does not apply to"):
            plan(small_topology(2), random=True, **more)


# --- latency


def test_latencies_are_of_powers_of_two_and_the_first_size_in_memory():
    found = plan(small_topology(1), latency=True)
    sizes = sizes_of(found, 1)
    assert sizes[0] == 8 * KIB
    assert all(size & (size - 1) == 0 for size in sizes[:-1])
    assert sizes[-1] == 256 * MIB
    assert found.notes == ("Latency under load was skipped: it needs at least two threads.",)


def test_latency_under_load_has_every_step_on_all_cores():
    found = plan(two_socket_topology(), latency=True)
    loaded = [planned.case for planned in found.cases if "load" in planned.case.variant]
    reading = [case.variant["load"] for case in loaded if "writes" not in case.variant]
    assert set(reading) == {f"{percent}%" for percent in LOADS}
    for share in ("25%-writes", "33%-writes", "50%-writes"):
        mixed = [case.variant["load"] for case in loaded if case.variant.get("writes") == share]
        assert set(mixed) == {f"{percent}%" for percent in MIXED_LOADS}
    steps = [high - low for low, high in itertools.pairwise(LOADS)]
    assert max(steps[:7]) == 10  # and closer where the latency climbs
    assert max(steps[7:]) == 5
    assert {case.threads for case in loaded} == {128}
    assert all(case.meets_dram_rule and case.is_latency for case in loaded)


def test_full_takes_the_latency_under_reads_alone():
    loaded = [one.case for one in plan(two_socket_topology(), full=True).cases if "load" in one.case.variant]
    assert {case.variant["load"] for case in loaded} == {f"{percent}%" for percent in LOADS}
    assert len(loaded) == len(LOADS)


def test_latency_under_load_takes_as_many_threads_as_asked():
    found = plan(two_socket_topology(), latency=True, threads=("16",))
    assert {planned.case.threads for planned in found.cases} == {1, 16}


def test_chains_are_of_one_thread_in_memory_on_the_cycle_of_the_largest_latency():
    found = plan(small_topology(2), latency=True, chains=True)
    chains = [planned.case for planned in found.cases if "chains" in planned.case.variant]
    assert sorted(case.chains for case in chains) == list(CHAINS)
    assert all(case.threads == 1 and case.meets_dram_rule and case.is_latency for case in chains)
    assert {case.working_set_bytes for case in chains} == {sizes_of(found, 1)[-1]}
    assert len({planned.case.id for planned in found.cases}) == len(found.cases)


def test_chains_are_of_each_kind_of_core():
    found = plan(hybrid_topology(), chains=True)
    assert {planned.case.variant["cores"] for planned in found.cases} == {"performance", "efficiency"}
    assert len(found.cases) == 2 * len(CHAINS)


def test_pairs_of_cpus_need_no_memory_and_have_no_theory():
    found = plan(small_topology(3, can_pin=True), core_to_core=True, memory="DDR4-3200 x2")
    assert [planned.case.id for planned in found.cases] == [
        "host/core_to_core/native/2/cpu0-cpu1",
        "host/core_to_core/native/2/cpu1-cpu2",
        "host/core_to_core/native/2/cpu0-cpu2",
    ]
    assert {planned.case.cpus for planned in found.cases} == {(0, 1), (1, 2), (0, 2)}
    assert {planned.theory_bytes_per_s for planned in found.cases} == {None}
    assert {(planned.case.working_set_bytes, planned.case.is_latency) for planned in found.cases} == {(64, True)}
    assert found.memory_bytes == 0
    assert found.notes == ()


def test_pairs_stand_beside_another_study_that_has_its_memory():
    alone = plan(small_topology(2, can_pin=True), latency=True)
    both = plan(small_topology(2, can_pin=True), latency=True, core_to_core=True)
    assert len(both.cases) == len(alone.cases) + 1
    assert both.memory_bytes == alone.memory_bytes > 0
    assert both.budget_s == 120


def test_cpus_that_are_named_make_all_their_pairs_and_a_large_machine_says_what_it_takes():
    named = plan(two_socket_topology(), core_to_core=True, cpus=range(30))
    assert (len(named.cases), named.notes) == (30 * 29 // 2, ())
    found = plan(two_socket_topology(), core_to_core=True)
    assert len(found.cases) == 152
    assert found.notes[0].startswith("256 CPUs have 32,640 pairs; 152 are measured")


def test_a_size_has_no_meaning_for_a_cache_line():
    with pytest.raises(UsageError, match="--size does not apply to --core-to-core"):
        plan(small_topology(2, can_pin=True), core_to_core=True, size_bytes=MIB)
    assert plan(small_topology(2, can_pin=True), core_to_core=True, latency=True, size_bytes=MIB).cases


def test_a_full_run_has_a_pair_of_each_kind():
    def pairs(topology):
        return [planned.case.shared for planned in plan(topology, full=True).cases if planned.case.pair]

    assert pairs(two_socket_topology()) == ["core", "L3", "node", "socket", "machine"]
    assert pairs(small_topology(2, can_pin=True)) == ["L3"]
    assert pairs(small_topology(1, can_pin=True)) == pairs(small_topology(2)) == []


def test_latency_has_no_theory():
    found = plan(small_topology(2), latency=True, memory="DDR4-3200 x2")
    assert {planned.theory_bytes_per_s for planned in found.cases} == {None}


# --- mixes and zeros


def test_mixes_stand_beside_a_read_and_a_triad():
    found = plan(small_topology(2), mixes=("1:0", "3:1", "2:1", "1:1"), threads=("2",))
    ids = [planned.case.id.removeprefix("host/") for planned in found.cases]
    assert ids == [
        "read/native/2",
        "mix/native/2/ordinary/3:1",
        "mix/native/2/ordinary/2:1",
        "mix/native/2/ordinary/1:1",
        "triad/native/2/streaming",
    ]
    by_mix = {planned.case.variant.get("mix"): planned.case for planned in found.cases}
    for mix, arrays in (("3:1", 4 / 3), ("2:1", 3 / 2), ("1:1", 2 / 1)):
        case = by_mix[mix]
        # An update reads what it writes: of n arrays n + 1 are moved, and no more than that.
        assert case.bytes_per_call == pytest.approx(case.working_set_bytes * arrays)
        assert case.traffic_bytes_per_call == case.bytes_per_call


def test_zeros_stand_beside_other_data_for_every_engine_and_store():
    ids = {planned.case.id for planned in plan(small_topology(2), zeros=True, threads=("2",)).cases}
    rows = ("native/2/streaming", "native/2/ordinary", "numpy/2")
    assert ids == {f"host/write/{row}{zeros}" for row in rows for zeros in ("", "/zeros")}


def test_studies_that_are_asked_for_together_have_each_case_once():
    found = plan(small_topology(2), sweep="threads", mixes=("1:0",), latency=True)
    ids = [planned.case.id for planned in found.cases]
    assert len(ids) == len(set(ids))
    assert {planned.case.path for planned in found.cases} == {"read", "copy", "triad", "latency"}


@pytest.mark.parametrize(
    ("options", "budget_s"),
    [
        ({}, 15),
        ({"sweep": "size"}, 60),
        ({"numa": True}, 60),
        ({"latency": True}, 60),
        ({"chains": True}, 60),
        ({"core_to_core": True}, 60),
        ({"latency": True, "numa": True}, 120),
        ({"sweep": "size", "latency": True}, 120),
        ({"mixes": ("2:1",)}, 15),
        ({"zeros": True}, 15),
        ({"zeros": True, "sweep": "threads"}, 75),
        ({"sweep": "size", "budget_s": 5.0}, 5),
    ],
)
def test_budgets(options, budget_s):
    assert MeasureOptions(**options).allowed_s == budget_s
    assert plan(two_socket_topology(), **options).budget_s == budget_s


def test_size_bounds_a_study():
    found = plan(small_topology(2), latency=True, size_bytes=GIB)
    assert max(planned.case.working_set_bytes for planned in found.cases) == GIB


# --- a point of a sweep is no check of another study's size


@pytest.mark.parametrize("low", [32 * MIB, 128 * MIB])
def test_a_sweep_keeps_its_point_at_half_of_what_another_study_measures(low):
    machine = Machine(topology=small_topology(2))
    options = {"sweep": "size", "sweep_range": (low, 256 * MIB), "kernels": ("write",), "zeros": True}
    record = machine.record(engines=("native",), threads=("2",), **options)
    record = parse(json.dumps(record_to_json(record, examine(record))), "a file")
    swept = [result for result in record.results if "sweep_point" in result.case.variant]
    assert {result.case.working_set_bytes for result in record.results if result not in swept} == {256 * MIB}
    assert not any(is_size_check(record, result) for result in swept)
    (curve,) = size_curves(record)
    sizes = [size for size in (32, 48, 64, 96, 128, 192, 256) if size * MIB >= low]
    assert [point.size_bytes for point in curve.points] == [size * MIB for size in sizes]


def test_the_half_of_a_table_is_marked_in_its_record():
    record = Machine(topology=small_topology(2)).record(kernels=("copy",))
    record = parse(json.dumps(record_to_json(record, examine(record))), "a file")
    marked = [result.case.id for result in record.results if is_size_check(record, result)]
    assert marked == [result.case.id for result in record.results if result.case.is_size_check]
    assert [len(size_checks(record)), marked[0].rpartition("/")[2]] == [1, str(128 * MIB)]
    for half in (result for result in record.results if result.case.is_size_check):
        (whole,) = [one for one in record.results if size_check_of(record, one) is half]
        assert half.case.id.rpartition("/")[0] == whole.case.id
