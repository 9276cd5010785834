"""Options and a machine become cases: counts, CPUs, sizes, order and theory, for machines that are not here."""

import pytest
from measuring_support import GIB, MIB, facts_with_memory, small_topology, two_socket_topology

from bandwidth.errors import BandwidthError, UsageError
from bandwidth.machine.facts import Facts
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions

NOTHING_KNOWN = Facts({})


def plan(topology, facts=NOTHING_KNOWN, **options):
    return make_plan(MeasureOptions(**options), facts, topology)


def cases_by_id(found):
    return {planned.case.id: planned for planned in found.cases}


def test_default_is_one_thread_and_all_cores_with_all_kernels_and_stores():
    found = cases_by_id(plan(small_topology(4)))
    ids = {case_id for case_id, planned in found.items() if "sweep_point" not in planned.case.variant}
    native = ["read/native/{}", "dot/native/{}"]
    native += [
        f"{path}/native/{{}}/{stores}"
        for path in ("write", "copy", "scale", "add", "triad")
        for stores in ("streaming", "ordinary")
    ]
    numpy = [f"{path}/numpy/{{}}" for path in ("read", "write", "copy", "scale", "add")]
    assert ids == {f"host/{row.format(threads)}" for row in native + numpy for threads in (1, 4)}


def test_order_is_priority():
    ids = [planned.case.id.removeprefix("host/") for planned in plan(small_topology(2)).cases]
    assert ids[:11] == [
        "copy/native/2/streaming",
        "copy/native/2/streaming/134217728",
        "read/native/2",
        "triad/native/2/streaming",
        "copy/numpy/2",
        "copy/native/1/streaming",
        "read/native/1",
        "triad/native/1/streaming",
        "copy/numpy/1",
        "copy/native/2/ordinary",
        "read/numpy/2",
    ]
    assert [int(case_id.split("/")[2]) for case_id in ids[9:]] == [2] * 13 + [1] * 13
    kernels = list(dict.fromkeys(case_id.split("/")[0] for case_id in ids[9:22]))
    assert kernels == ["copy", "read", "triad", "write", "scale", "add", "dot"]


def test_order_with_numpy_alone_is_by_kernel():
    ids = [planned.case.id for planned in plan(small_topology(2), engines=("numpy",)).cases]
    assert ids == [
        "host/copy/numpy/2",
        "host/copy/numpy/2/134217728",
        "host/copy/numpy/1",
        *(f"host/{path}/numpy/2" for path in ("read", "write", "scale", "add")),
        *(f"host/{path}/numpy/1" for path in ("read", "write", "scale", "add")),
    ]


def test_all_threads_are_the_physical_cores():
    found = plan(two_socket_topology(), threads=("all",), kernels=("copy",))
    assert found.cases[0].case.threads == 128
    assert found.cases[0].case.cpus == tuple(range(128))


def test_threads_beyond_the_cores_take_the_siblings():
    found = plan(two_socket_topology(), threads=("130",), kernels=("copy",))
    assert found.cases[0].case.cpus == (*range(128), 128, 129)


def test_size_of_one_thread_is_by_its_own_cache_and_of_all_by_the_sum():
    found = cases_by_id(plan(two_socket_topology(), threads=("1", "8", "9", "all"), kernels=("copy",)))
    assert found["host/copy/numpy/1"].case.working_set_bytes == 256 * MIB
    assert found["host/copy/numpy/8"].case.working_set_bytes == 256 * MIB
    assert found["host/copy/numpy/9"].case.working_set_bytes >= 256 * MIB
    assert found["host/copy/numpy/128"].case.working_set_bytes == 4 * 16 * 32 * MIB
    assert found["host/copy/numpy/128"].why == "4 x 512 MiB of last-level cache in 16 caches"


def test_rounding_to_pages_never_falls_below_the_rule():
    for planned in plan(two_socket_topology(), threads=("1", "7", "13", "all")).cases:
        if not planned.case.variant:
            assert planned.case.meets_dram_rule


def size_checks(found):
    return [planned for planned in found.cases if "sweep_point" in planned.case.variant]


def test_size_check_is_made_once_for_each_size():
    found = plan(small_topology(4), threads=("1", "2", "all"))
    assert [planned.case.id for planned in size_checks(found)] == ["host/copy/native/4/streaming/134217728"]


def test_size_check_has_half_the_size_and_no_theory():
    (check,) = size_checks(plan(small_topology(2), memory="DDR4-3200 x2"))
    assert check.case.working_set_bytes == 128 * MIB
    assert check.theory_bytes_per_s is None
    assert check.why == "half the size, to show that no cache holds the data"


def test_size_check_is_left_out_below_the_rule():
    assert size_checks(plan(small_topology(2), size_bytes=MIB)) == []


def test_bytes_of_each_convention():
    found = cases_by_id(plan(small_topology(2), size_bytes=24 * MIB, threads=("2",)))
    add, copy, read = (found[f"host/{path}/numpy/2"].case for path in ("add", "copy", "read"))
    assert (add.bytes_per_call, add.payload_bytes_per_call, add.traffic_bytes_per_call) == (24 * MIB, 8 * MIB, None)
    assert (copy.bytes_per_call, copy.payload_bytes_per_call, copy.traffic_bytes_per_call) == (24 * MIB, 12 * MIB, None)
    assert (read.bytes_per_call, read.payload_bytes_per_call) == (24 * MIB, 24 * MIB)
    assert read.traffic_bytes_per_call == 24 * MIB


def test_large_arrays_are_rounded_up_to_whole_pages():
    found = plan(small_topology(2), size_bytes=MIB + 1, threads=("2",), kernels=("add",))
    assert found.cases[0].case.working_set_bytes == (-(-(MIB + 1) // (2 * 3 * 4096))) * 2 * 3 * 4096


def test_small_arrays_are_rounded_down_to_whole_lines_and_have_one_at_least():
    found = plan(small_topology(2), size_bytes=1, threads=("2",), kernels=("add",))
    assert found.cases[0].case.working_set_bytes == 2 * 3 * 64
    found = plan(small_topology(2), size_bytes=4096, threads=("2",), kernels=("add",))
    assert found.cases[0].case.working_set_bytes == 10 * 2 * 3 * 64


def test_unknown_caches_get_a_large_size_that_counts_as_memory():
    found = plan(small_topology(2, None), memory="DDR4-3200 x2", kernels=("copy",), threads=("all",))
    assert found.cases[0].case.working_set_bytes == GIB
    assert not found.cases[0].case.caches_known
    assert found.cases[0].theory_bytes_per_s == 51.2e9
    assert found.cases[1].case.variant == {
        "stores": "streaming",
        "sweep_point": GIB // 2,
    }  # and half of it shows whether that was so


def test_no_memory_to_speak_of_is_an_error():
    with pytest.raises(BandwidthError, match="only 400 KiB of memory are available, too little to measure"):
        plan(small_topology(2), facts_with_memory(400 * 1024))


def test_plan_tells_the_memory_of_sources_and_destinations():
    assert plan(small_topology(2)).memory_bytes == 2 * 256 * MIB
    assert plan(small_topology(2), kernels=("copy",)).memory_bytes == 256 * MIB


def test_little_memory_caps_the_default_and_takes_the_theory_away():
    topology = small_topology(2, 512 * MIB)
    found = cases_by_id(plan(topology, facts_with_memory(2 * GIB), memory="DDR4-3200 x2"))
    copy = found["host/copy/numpy/2"]
    assert copy.case.working_set_bytes < copy.case.dram_rule_bytes == 2 * GIB
    assert copy.theory_bytes_per_s is None
    assert copy.why.startswith("limited by the free memory, 2 GiB")
    assert 2 * copy.case.working_set_bytes <= 0.8 * 2 * GIB + 16 * 4096


def test_size_above_memory_is_a_usage_error_that_says_what_fits():
    with pytest.raises(
        UsageError, match=r"--size 2 GiB needs 4 GiB of memory in total, 1 GiB are available; use at most 405MiB"
    ):
        plan(small_topology(2), facts_with_memory(GIB), size_bytes=2 * GIB)


def test_theory_of_one_thread_is_its_own_socket():
    found = cases_by_id(plan(two_socket_topology(), memory="DDR5-4800 x12", kernels=("copy",)))
    assert found["host/copy/numpy/1"].theory_bytes_per_s == 460.8e9
    assert found["host/copy/numpy/128"].theory_bytes_per_s == 921.6e9
    assert found["host/copy/numpy/128"].theory_source == "--memory DDR5-4800 x12"


def test_device_as_memory_brings_the_makers_figure_of_the_sockets_used():
    found = cases_by_id(plan(two_socket_topology(), memory="EPYC 7282", kernels=("copy",)))
    one, all_cores = found["host/copy/numpy/1"], found["host/copy/numpy/128"]
    assert (one.theory_bytes_per_s, one.vendor_bytes_per_s) == (204.8e9, 85.3e9)
    assert (all_cores.theory_bytes_per_s, all_cores.vendor_bytes_per_s) == (409.6e9, 170.6e9)


def test_sockets_option_overrides_those_found():
    found = plan(two_socket_topology(), memory="DDR5-4800 x12", sockets=1, kernels=("copy",), threads=("all",))
    assert found.cases[0].theory_bytes_per_s == 460.8e9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": ("0",)}, "--threads 0: this process may use 2 CPUs; use 1 to 2, or all"),
        ({"threads": ("3",)}, "--threads 3: this process may use 2 CPUs"),
        ({"threads": ("many",)}, "--threads 'many' is not a thread count"),
        ({"threads": ("٣",)}, "is not a thread count"),
        ({"kernels": ("triadd",)}, "--kernel 'triadd' is not known; choose from add, copy, dot, read, scale, triad"),
        ({"kernels": ("mix 2:1",)}, "--kernel 'mix 2:1' is not known"),
        (
            {"kernels": ("triad",), "engines": ("numpy",)},
            "--kernel 'triad' needs the engine native, which is not in use; choose from add, copy, read",
        ),
        ({"engines": ("fortran",)}, "--engine 'fortran' is not known; choose from native, numpy"),
        ({"stores": ("streaming",), "engines": ("numpy",)}, "--stores needs the engine native, which is not in use"),
        ({"cpus": (0, 7)}, "--cpus: this process may not use CPU 7; choose from 0-1"),
        ({"target": "disk"}, "unknown target 'disk'"),
        ({"memory": "PCIe 4.0 x16"}, "--memory 'PCIe 4.0 x16' is a link"),
        ({"memory": "DDR9-1"}, "--memory: 'DDR9-1' is not a known memory, link or device"),
        ({"sockets": 2}, "--sockets multiplies --memory"),
        ({"kernels": ()}, "--kernel names nothing"),
        ({"threads": ()}, "--threads names nothing"),
        ({"cpus": ()}, "--cpus names no CPU"),
        ({"budget_s": 0.0}, "--budget 0.0 is not a duration"),
        ({"budget_s": float("nan")}, "--budget nan is not a duration"),
        ({"budget_s": float("inf")}, "--budget inf is not a duration"),
        ({"size_bytes": 0}, "--size 0 is out of range"),
        ({"size_bytes": 1.5}, "--size 1.5 is out of range"),
        ({"sockets": 0, "memory": "DDR4-3200"}, "--sockets 0 is out of range"),
    ],
)
def test_bad_options_are_usage_errors(options, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        plan(small_topology(2), **options)


def test_cpus_restrict_the_threads():
    found = plan(two_socket_topology(), cpus=(3, 131, 70), kernels=("copy",), threads=("all", "3"))
    assert {planned.case.cpus for planned in found.cases} == {(3, 70), (3, 70, 131)}


def test_cpu_named_twice_counts_once():
    found = plan(small_topology(2), cpus=(0, 0), kernels=("copy",))
    assert [planned.case.id for planned in found.cases if not planned.case.variant] == ["host/copy/numpy/1"]
