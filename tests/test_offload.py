"""The model of `offload`: cases worked out by hand, limits that must hold, and where its figures come from."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from cupy_stand_in import CUDARuntimeError
from hypothesis import assume, given
from hypothesis import strategies as st

from bandwidth.engines.cuda import end_to_end as whole
from bandwidth.engines.cuda.end_to_end import EndToEnd
from bandwidth.errors import BandwidthError, HardwareError, UsageError
from bandwidth.machine.reader import CapturedReader
from bandwidth.measuring.lock import machine_lock
from bandwidth.offload.answer import (
    Timed,
    answer,
    check_gpu,
    end_to_end,
    lines,
    measured_now,
    telling_line,
    with_way_back,
)
from bandwidth.offload.figures import LINK_LATENCY, Asked, Figures, Source, SourcedFigure
from bandwidth.offload.model import CacheRate, Model, Workload
from bandwidth.offload.sources import find_figures
from bandwidth.vocabulary import PAGEABLE

GB, MB = 10**9, 10**6
MIB = 1024**2


def build_model(work=None, **overrides):
    """Round figures: host 100, link 10, device 1000 GB/s, and no latencies."""
    values = {
        "host_bytes_per_s": 100e9,
        "link_bytes_per_s": 10e9,
        "device_bytes_per_s": 1000e9,
        "link_back_bytes_per_s": 10e9,
    }
    return Model(**(values | overrides), work=work or Workload())


# --- by hand --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "passes", "device_s"),
    [
        (Workload(), 1, 0.1 + 0.001),
        (Workload(), 10, 0.1 + 0.010),
        (Workload(resident=True), 10, 0.010),
        (Workload(result_share=1.0), 10, 0.1 + 0.010 + 0.1),
        (Workload(result_bytes=GB // 2), 10, 0.1 + 0.010 + 0.05),
        (Workload(overlap=True), 1, 0.1),
        (Workload(overlap=True), 10, 0.1 + 0.009),
        (Workload(overlap=True, result_share=1.0), 1, 0.1),
        (Workload(overlap=True, result_share=0.5), 10, 0.1 + 8 * 0.001 + 0.05),
        (Workload(devices=4), 10, 0.025 + 0.0025),
        (Workload(devices=4, shared_link=True), 10, 0.1 + 0.0025),
        (Workload(devices=4, result_share=1.0), 10, 0.025 + 0.0025 + 0.025),
        (Workload(devices=4, shared_link=True, result_share=1.0), 10, 0.1 + 0.0025 + 0.1),
        (Workload(devices=2, resident=True), 10, 0.005),
    ],
)
def test_time_of_a_gigabyte_on_the_device(work, passes, device_s):
    model = build_model(work)
    assert model.device_s(GB, passes) == pytest.approx(device_s, rel=1e-12)
    assert model.host_s(GB, passes) == pytest.approx(passes * 0.01, rel=1e-12)


def test_every_latency_is_counted_where_it_occurs():
    latencies = {"host_latency_s": 1e-6, "launch_latency_s": 5e-6, "link_latency_s": 1e-5}
    model = build_model(**latencies)
    assert model.host_s(MB, 3) == pytest.approx(3 * (1e-6 + 1e-5), rel=1e-12)
    assert model.device_s(MB, 3) == pytest.approx(1e-5 + 1e-4 + 3 * (5e-6 + 1e-6), rel=1e-12)
    both = build_model(Workload(result_bytes=8), **latencies)
    assert both.device_s(MB, 3) == pytest.approx(2e-5 + 1e-4 + 3 * 6e-6 + 8 / 10e9, rel=1e-12)
    resident = build_model(Workload(resident=True), **latencies)
    assert resident.device_s(MB, 3) == pytest.approx(3 * 6e-6, rel=1e-12)


def test_break_even_by_hand():
    """Without latencies: P/100 > 1/10 + P/1000 from P = 11.1 on, at every size."""
    model = build_model()
    assert model.break_even_passes(GB) == 12
    assert model.break_even_bytes(12) == 1
    assert model.break_even_bytes(11) is None
    # A link latency of 10 us: 12/100 N > 10 us + N/10 + 12/1000 N, so N > 10 us / (0.008 s/GB) = 1.25 MB.
    assert build_model(link_latency_s=1e-5).break_even_bytes(12) == pytest.approx(1.25e6, abs=2)


def test_speedups_far_beyond():
    model = build_model(host_latency_s=1e-6, launch_latency_s=5e-6, link_latency_s=1e-5)
    assert model.large_speedup(1) == pytest.approx(0.01 / 0.101)
    assert model.large_speedup(100) == pytest.approx(1.0 / 0.2)
    assert model.long_speedup(GB) == pytest.approx((1e-6 + 0.01) / (5e-6 + 0.001))
    assert model.ratio == 10
    assert build_model(Workload(devices=3)).ratio == 30


def test_the_tutorial_s_image_set_does_not_pay_in_one_pass():
    """47,040,000 bytes: 0.501 ms at 93.87 GB/s; 2.986 ms over 15.754 GB/s and 0.105 ms at 448 GB/s."""
    found = find_figures(Asked("DDR4-2933 x4", "Quadro RTX 5000", "PCIe 3.0 x16"))
    model = found.model(Workload())
    assert model.host_s(47_040_000, 1) == pytest.approx(1e-6 + 47.04e6 / 93.866667e9)
    assert model.device_s(47_040_000, 1) == pytest.approx(1.5e-5 + 47.04e6 / (128e9 * 128 / 130 / 8) + 47.04e6 / 448e9)
    assert model.break_even_bytes(1) is None
    assert model.break_even_passes(47_040_000) == 8


# --- caches ---------------------------------------------------------------------------------------------------------


def test_data_in_a_cache_is_read_at_its_rate():
    caches = (CacheRate("L3", 8 * MB, 200e9), CacheRate("L2", MB, 800e9))
    model = build_model(caches=caches)
    assert [model.host_rate(size) for size in (MB, MB + 1, 8 * MB, 8 * MB + 1)] == [800e9, 200e9, 200e9, 100e9]


def test_a_cache_that_noise_makes_slower_than_what_is_behind_it_is_left_out():
    caches = (CacheRate("L1", 1000, 90e9), CacheRate("L2", MB, 300e9), CacheRate("L3", 8 * MB, 250e9))
    assert [cache.name for cache in build_model(caches=caches).caches] == ["L2", "L3"]


def test_break_even_moves_to_the_end_of_the_cache_that_hides_it():
    # In the cache 20 passes over N take 20 N / 400 GB/s = N / 20 GB/s, less than the way there: N / 10 GB/s.
    cached = build_model(caches=(CacheRate("L3", 8 * MB, 400e9),), link_latency_s=1e-6)
    assert build_model(link_latency_s=1e-6).break_even_bytes(20) < 8 * MB
    assert cached.break_even_bytes(20) == 8 * MB + 1


# --- what must hold -------------------------------------------------------------------------------------------------

RATES = st.floats(1e8, 1e13)
LATENCIES = st.floats(0, 1e-3)
SIZES = st.integers(1, 10**13)
PASSES = st.integers(1, 10**6)
WORKS = st.builds(
    Workload,
    result_bytes=st.integers(0, 10**9),
    result_share=st.sampled_from([0.0, 0.25, 1.0, 3.0]),
    overlap=st.booleans(),
    resident=st.booleans(),
    devices=st.integers(1, 8),
    shared_link=st.booleans(),
)
CACHES = st.lists(st.builds(CacheRate, st.just("L"), st.integers(1, 10**9), RATES), max_size=3).map(tuple)
MODELS = st.builds(Model, RATES, RATES, RATES, RATES, LATENCIES, LATENCIES, LATENCIES, CACHES, WORKS)


@given(MODELS, SIZES, SIZES, PASSES)
def test_more_data_never_takes_less_time(model, one, other, passes):
    low, high = sorted((one, other))
    assert model.host_s(low, passes) <= model.host_s(high, passes)
    assert model.device_s(low, passes) <= model.device_s(high, passes)


@given(MODELS, SIZES, PASSES, PASSES)
def test_more_passes_never_take_less_time(model, size, one, other):
    low, high = sorted((one, other))
    assert model.host_s(size, low) <= model.host_s(size, high)
    assert model.device_s(size, low) <= model.device_s(size, high) * (1 + 1e-12)


@given(MODELS, SIZES)
def test_break_even_passes_agree_with_the_times(model, size):
    passes = model.break_even_passes(size)
    if passes is None:
        assert not model.is_faster(size, 1)
        assert model.long_speedup(size) <= 1 + 1e-9
        return
    assert model.is_faster(size, passes)
    assert passes == 1 or not model.is_faster(size, passes - 1)
    assert all(model.is_faster(size, passes * factor) for factor in (2, 10, 1000))


@given(MODELS, PASSES)
def test_break_even_bytes_agree_with_the_times(model, passes):
    size = model.break_even_bytes(passes)
    if size is None:
        assert model.large_speedup(passes) <= 1 + 1e-9
        return
    assert model.is_faster(size, passes)
    assert size == 1 or not model.is_faster(size - 1, passes)
    assert all(model.is_faster(size * factor, passes) for factor in (2, 10, 1000))


@given(MODELS, SIZES, PASSES)
def test_there_is_no_break_even_where_the_device_is_not_faster(model, size, passes):
    slow = replace(model, device_bytes_per_s=model.host_bytes_per_s / model.work.devices, launch_latency_s=1e-3)
    assert slow.break_even_passes(size) is None
    assert slow.break_even_bytes(passes) is None


@given(MODELS, SIZES, PASSES)
def test_a_link_faster_than_the_hosts_memory_moves_what_that_gives(model, size, passes):
    free = replace(model, link_bytes_per_s=math.inf, link_back_bytes_per_s=math.inf)
    rate = model.host_bytes_per_s
    narrow = replace(model, link_bytes_per_s=rate, link_back_bytes_per_s=rate)
    assert free.device_s(size, passes) == narrow.device_s(size, passes)
    there = replace(free, work=replace(model.work, resident=True, result_bytes=0, result_share=0.0))
    assert there.large_speedup(passes) == pytest.approx(there.ratio)


@given(MODELS, SIZES, PASSES)
def test_overlap_residence_and_devices_never_cost_time(model, size, passes):
    plain = replace(model, work=replace(model.work, overlap=False, resident=False))
    before = plain.device_s(size, passes) * (1 + 1e-12)
    for change in ({"overlap": True}, {"resident": True}, {"devices": model.work.devices + 1}):
        assert replace(plain, work=replace(plain.work, **change)).device_s(size, passes) <= before


@given(MODELS, PASSES)
def test_the_speedup_of_large_data_is_its_limit(model, passes):
    assume(model.work.result_share < 3)
    size = 10**24
    assert model.speedup(size, passes) == pytest.approx(model.large_speedup(passes), rel=1e-3)


# --- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "passes"), [(0, 1), (-5, 1), (1, 0), (1, -2)])
def test_no_data_and_no_pass_are_refused(size, passes):
    with pytest.raises(BandwidthError, match=r"is not a size|is not a valid number of passes"):
        build_model().host_s(size, passes)
    with pytest.raises(BandwidthError, match=r"is not a size|is not a valid number of passes"):
        build_model().device_s(size, passes)


@pytest.mark.parametrize(
    "overrides",
    [{"host_bytes_per_s": 0}, {"link_bytes_per_s": -1.0}, {"device_bytes_per_s": math.nan}, {"link_latency_s": -1.0}],
)
def test_rates_and_latencies_that_are_none_are_refused(overrides):
    with pytest.raises(BandwidthError):
        build_model(**overrides)


@pytest.mark.parametrize("values", [{"devices": 0}, {"result_bytes": -1}, {"result_share": -0.5}])
def test_work_that_is_none_is_refused(values):
    with pytest.raises(BandwidthError):
        Workload(**values)


# --- figures --------------------------------------------------------------------------------------------------------


@pytest.fixture
def record_of(make_case, make_result, make_record):
    """A record of (target, path, rate in bytes per second, other fields of the case)."""

    def made(*entries):
        results = []
        for target, path, rate, more in entries:
            size = more.get("working_set_bytes", 256 * MIB)
            case = make_case(target=target, path=path, engine=more.pop("engine", "native"), **more)
            results.append(make_result(case, (size / rate,) * 8))
        return make_record(*results, machine={"gpus": [{"name": "Test", "memory_bytes": 16 * GB, "device": 0}]})

    return made


HOST = ("host", "read", 40e9, {"threads": 8})
DEVICE = ("device:0", "read", 800e9, {"engine": "cuda"})
THERE = ("pcie:0", "h2d", 12e9, {"engine": "cuda", "variant": {"host_memory": "pinned"}})
BACK = ("pcie:0", "d2h", 13e9, {"engine": "cuda", "variant": {"host_memory": "pinned"}})
SLOW_THERE = ("pcie:0", "h2d", 5e9, {"engine": "cuda", "variant": {"host_memory": "pageable"}})


def copied(*entries):
    return [(target, path, rate, dict(more)) for target, path, rate, more in entries]


def test_a_record_gives_all_figures(record_of):
    source = Source("run.json", record_of(*copied(HOST, DEVICE, THERE, BACK, SLOW_THERE)))
    found = find_figures(Asked(sources=(source,)))
    assert found.host.value == pytest.approx(40e9)
    assert found.host.kind == "record"
    assert found.host.source == "run.json: read, native, 8 threads"
    assert found.device.value == pytest.approx(800e9)
    assert found.link.value == pytest.approx(12e9)
    assert found.link_back.value == pytest.approx(13e9)
    assert found.capacity_bytes == 16 * GB
    assert found.link_latency == LINK_LATENCY
    pageable = find_figures(Asked(sources=(source,), host_memory=PAGEABLE))
    assert pageable.link.value == pytest.approx(5e9)
    assert pageable.link_back == pageable.link


def test_theory_a_record_and_what_is_given_mix_and_say_which_they_are(record_of):
    source = Source("run.json", record_of(*copied(HOST)))
    found = find_figures(Asked(device="H200", link="25GB/s", sources=(source,), link_latency_s=2e-6))
    assert [one.kind for one in (found.host, found.link, found.device)] == ["record", "given", "theory"]
    assert found.link.value == 25e9
    assert found.link_latency == SourcedFigure(2e-6, "given", "--link-latency")


def test_the_devices_own_link_is_taken_and_never_another_records(record_of):
    source = Source("run.json", record_of(*copied(HOST, THERE)))
    found = find_figures(Asked(device="Quadro RTX 5000", sources=(source,)))
    assert found.link.source == "Quadro RTX 5000, PCIe 3.0 x16, coded rate"
    assert found.capacity_bytes == 16 * GB


def test_pageable_memory_gets_half_of_the_theory_and_says_so():
    pinned = find_figures(Asked("90GB/s", "900GB/s", "PCIe 4.0 x16"))
    pageable = find_figures(Asked("90GB/s", "900GB/s", "PCIe 4.0 x16", host_memory=PAGEABLE))
    assert pageable.link.value == pinned.link.value / 2
    assert "assumed for pageable" in pageable.link.source


def test_the_same_kernel_stands_for_host_and_device(record_of):
    triad = ("host", "triad", 50e9, {"threads": 8})
    others = (("device:0", "read", 800e9, {"engine": "cuda"}), ("device:0", "triad", 700e9, {"engine": "cuda"}))
    source = Source("run.json", record_of(*copied(triad, *others, THERE)))
    assert find_figures(Asked(sources=(source,))).device.value == pytest.approx(700e9)
    with pytest.raises(BandwidthError, match="no read from memory"):
        find_figures(Asked(sources=(source,), kernel="read"))


def test_of_several_devices_and_threads_the_first_and_the_fastest_are_taken(record_of):
    entries = [
        ("device:1", "read", 900e9, {"engine": "cuda"}),
        DEVICE,
        HOST,
        ("host", "read", 45e9, {"threads": 4}),
        ("host", "read", 99e9, {"threads": 2, "working_set_bytes": MIB}),  # in a cache
        THERE,
    ]
    found = find_figures(Asked(sources=(Source("run.json", record_of(*copied(*entries))),)))
    assert found.device.value == pytest.approx(800e9)
    assert found.host.value == pytest.approx(45e9)


def test_a_sweep_gives_the_caches_and_the_link_its_latency(record_of):
    caches = {"L1": 64 * 1024, "L2": 4 * MIB}
    points = [
        ("host", "read", 400e9, {"threads": 8, "working_set_bytes": 16 * 1024}),
        ("host", "read", 400e9, {"threads": 8, "working_set_bytes": 32 * 1024}),
        ("host", "read", 200e9, {"threads": 8, "working_set_bytes": MIB}),
        ("host", "read", 200e9, {"threads": 8, "working_set_bytes": 2 * MIB}),
        ("host", "read", 40e9, {"threads": 8, "working_set_bytes": 1024 * MIB}),
    ]
    for _, _, _, more in points:
        more["variant"] = {"sweep_point": more["working_set_bytes"]}
        more["caches"] = caches
    copies = [
        (
            "pcie:0",
            "h2d",
            size / (7e-6 + size / 12e9),
            {
                "engine": "cuda",
                "working_set_bytes": size,
                "variant": {"host_memory": "pinned", "sweep_point": size},
            },
        )
        for size in (4096, 65536, MIB, 16 * MIB, 256 * MIB)
    ]
    source = Source("run.json", record_of(*copied(HOST, DEVICE, THERE, *points, *copies)))
    found = find_figures(Asked(sources=(source,)))
    assert [(cache.name, round(cache.bytes_per_s / 1e9)) for cache in found.caches] == [("L1", 400), ("L2", 200)]
    assert found.link_latency.value == pytest.approx(7e-6, rel=1e-3)
    assert found.link_latency.source == "run.json: sweep of h2d, fitted"


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        (Asked(), "host's memory is missing", "--host"),
        (Asked(host="90GB/s"), "device's memory is missing", "--device"),
        (Asked(host="90GB/s", device="900GB/s"), "link (pinned) is missing", "--link"),
        (Asked(host="90GB/s", device="HBM3 6.4Gbps x5"), "the host link of 'HBM3 6.4Gbps x5' is unknown", "--link"),
        (Asked(host="nonsense", device="H200"), "--host: 'nonsense'", "DDR4-2933"),
        (Asked(host="90GB/s", device="nonsense"), "--device: 'nonsense'", "DDR4-2933"),
    ],
)
def test_a_missing_figure_is_named_with_how_to_get_it(asked, said, hint):
    with pytest.raises(BandwidthError) as raised:
        find_figures(asked)
    assert said in raised.value.message
    assert hint in raised.value.hint
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("entries", "asked", "said"),
    [
        ((DEVICE,), Asked(), "run.json has no read or triad from memory"),
        ((HOST,), Asked(engine="numpy", threads=1), "(numpy, 1 thread)"),
        ((HOST,), Asked(), "device's memory is missing: run.json has no read or triad"),
        ((HOST, DEVICE), Asked(), "run.json has no h2d of pinned memory"),
        ((HOST, DEVICE, THERE), Asked(host_memory=PAGEABLE), "run.json has no h2d of pageable memory"),
    ],
)
def test_a_record_without_a_path_is_named_with_how_to_measure_it(record_of, entries, asked, said):
    source = Source("run.json", record_of(*copied(*entries)))
    with pytest.raises(BandwidthError, match="bandwidth measure") as raised:
        find_figures(replace(asked, sources=(source,)))
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(host="PCIe 4.0 x16", device="H200"), "--host 'PCIe 4.0 x16' is a link"),
        (Asked(host="90GB/s", device="H200", link="DDR4-2933 x4"), "--link 'DDR4-2933 x4' is not a link"),
        (Asked(host="0GB/s", device="H200"), "--host: '0GB/s' is zero"),
        (Asked(host="90GB/s", device="1.2.3 GB/s"), "--device: '1.2.3 GB/s' is not a rate"),
        (Asked(host="90GB/s", device="900GB/s", link="100gb/s"), "--link: 'gb/s' can mean bytes or bits per second"),
    ],
)
def test_what_does_not_fit_an_option_is_a_usage_error(asked, said):
    with pytest.raises(UsageError, match=said):
        find_figures(asked)


def test_a_link_may_be_given_in_bits():
    assert find_figures(Asked("90GB/s", "900GB/s", "100Gb/s")).link.value == 12.5e9


def test_the_capacity_is_that_of_the_gpu_that_was_measured(record_of):
    """Servers list the display of their management chip first, and GPUs in the order of their addresses."""
    gpus = [
        {"name": "ASPEED 1a03:2000", "memory_bytes": 16_000_000},
        {"name": "B", "memory_bytes": 80 * GB, "device": 1},
        {"name": "A", "memory_bytes": 40 * GB, "device": 0},
    ]

    def capacity(*numbers):
        measured = [(f"device:{number}", "read", 800e9, {"engine": "cuda"}) for number in numbers]
        record = record_of(*copied(HOST, *measured))
        source = Source("run.json", replace(record, machine={"gpus": gpus}))
        return find_figures(Asked(link="12GB/s", sources=(source,))).capacity_bytes

    assert (capacity(0), capacity(1), capacity(1, 0), capacity(2)) == (40 * GB, 80 * GB, 40 * GB, None)


def test_only_what_is_missing_is_measured(record_of):
    asked_for = []
    whole = record_of(*copied(HOST, DEVICE, THERE, BACK))

    def measure(target):
        asked_for.append(target)
        return Source("now", whole, "measured")

    found = find_figures(Asked(device="900GB/s", sources=(Source("run.json", record_of(*copied(HOST))),)), measure)
    assert asked_for == ["pcie"]
    assert [one.kind for one in (found.host, found.link, found.device)] == ["record", "measured", "given"]
    find_figures(Asked(), measure)
    assert asked_for == ["pcie", "host", "device", "pcie"]


def test_the_makers_figure_is_taken_where_it_is_the_real_ceiling():
    found = find_figures(Asked("EPYC 7282", "H200"))
    assert found.host.value == pytest.approx(85.3e9, rel=0.01)
    assert "the maker's figure" in found.host.source


# --- the answer -----------------------------------------------------------------------------------------------------


def build_figures(**overrides):
    figures = {
        "host": SourcedFigure(100e9, "given", "--host"),
        "link": SourcedFigure(10e9, "given", "--link"),
        "device": SourcedFigure(1000e9, "given", "--device"),
        "link_back": SourcedFigure(10e9, "given", "--link"),
    }
    return Figures(**(figures | overrides))


def test_the_answer_has_a_row_for_each_size_and_number_of_passes():
    found = answer(build_figures(), Workload(), [MB, GB], [1, 20], timed=lambda size, passes: Timed(1e-3, 2e-3))
    assert [(row.size_bytes, row.passes) for row in found.rows] == [(MB, 1), (MB, 20), (GB, 1), (GB, 20)]
    first = found.rows[0]
    assert first.speedup == first.host_s / first.device_s
    assert first.host_error == pytest.approx(first.host_s / 1e-3 - 1)
    assert found.worst_error == max(abs(e) for row in found.rows for e in (row.host_error, row.device_error))
    assert answer(build_figures(), Workload(), [MB], [1]).worst_error is None


def test_what_the_model_leaves_out_is_remarked():
    figures = build_figures(capacity_bytes=GB, link=SourcedFigure(200e9, "given", "--link"))
    found = answer(figures, Workload(devices=2), [GB, 3 * GB], [1])
    assert [row.fits for row in found.rows] == [True, False]
    assert any("do not fit in the device's 2 GB" in remark for remark in found.remarks)
    assert any("faster than the host's memory" in remark for remark in found.remarks)
    slow_calls = build_figures(host_latency=SourcedFigure(1e-3, "given", "--host-latency"))
    assert any("small data only" in remark for remark in answer(slow_calls, Workload(), [GB], [1]).remarks)


@pytest.mark.parametrize(
    ("work", "word"),
    [
        (Workload(), "No overlap"),
        (Workload(overlap=True), "The first pass starts on data that has arrived"),
        (Workload(resident=True), "already on the device"),
        (Workload(result_share=0.5), "0.5 times the data"),
        (Workload(result_bytes=8), "8 bytes, is copied back once"),
        (Workload(devices=2), "each have a link"),
        (Workload(devices=2, shared_link=True), "share one link"),
    ],
)
def test_the_assumptions_say_what_is_modelled(work, word):
    assert any(word in text for text in answer(build_figures(), work, [MB], [1]).assumptions)


def test_the_assumptions_tell_of_the_cache():
    def told(**overrides):
        return answer(build_figures(**overrides), Workload(), [MB], [1]).assumptions[-1]

    assert "no record has a sweep over size" in told()
    assert "up to 8,000,000 bytes" in told(cache_bytes=8 * MB)
    assert "at the rate of the sweep (L2)" in told(caches=(CacheRate("L2", MB, 800e9),))


def test_lines_hold_the_sizes_and_the_crossings():
    found = answer(build_figures(), Workload(), [100 * MB], [1, 20, 100])
    drawn = lines(found)
    assert [line.passes for line in drawn] == [20, 100, 1]  # those that cross first
    for line in drawn:
        low, high = line.points[0][0], line.points[-1][0]
        assert low < 100 * MB < high
        assert line.break_even_bytes is None or low <= line.break_even_bytes <= high
    telling = telling_line(found, 61)
    assert (telling.passes, len(telling.points)) == (100, 61)
    assert telling_line(answer(build_figures(), Workload(), [MB], [1]), 61).break_even_bytes is None


# --- timed in earnest -----------------------------------------------------------------------------------------------


class Room(np.ndarray):
    """What CuPy's array has beyond NumPy's."""

    def set(self, data):
        self[:] = data


class Here:
    def __init__(self, number):
        assert number == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def stand_in(room=Room):
    """CuPy by NumPy, at the level of the calls that `EndToEnd` makes."""
    return SimpleNamespace(
        empty=lambda count, dtype: np.empty(count, dtype).view(room),
        cuda=SimpleNamespace(
            Device=Here,
            PinnedMemory=lambda size, flags: bytearray(size),
            PinnedMemoryPointer=lambda memory, offset: memory,
        ),
    )


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("resident", [True, False])
def test_the_expression_runs_on_both_sides(pinned, resident):
    ticks = iter(range(1000))
    runner = EndToEnd(3 * MIB, pinned=pinned, resident=resident, module=stand_in(), clock=lambda: next(ticks))
    assert runner.host_s(2 * MIB, 3) == 1
    assert runner.device_s(2 * MIB, 3) == 1
    assert runner.device_s(1, 1) == 1
    runner.close()


def test_a_device_that_is_wrong_is_told():
    class Forgetful(Room):
        def set(self, data):
            self[:] = 0.5

    runner = EndToEnd(MIB, module=stand_in(Forgetful))
    with pytest.raises(BandwidthError, match="the GPU's result is wrong"):
        runner.device_s(MIB, 1)


@pytest.fixture
def here(monkeypatch):
    """The stand-in as what this machine has."""
    monkeypatch.setattr(whole, "load_cupy", stand_in)
    monkeypatch.setattr(whole, "devices", lambda *_, **__: ())


def test_end_to_end_yields_times_and_gives_the_memory_back(here):
    with end_to_end(MIB) as timed:
        one = timed(MIB, 2)
    assert one.host_s > 0
    assert one.device_s > 0


def test_more_than_the_free_memory_is_refused():
    with pytest.raises(UsageError, match="do not fit"):
        EndToEnd(10**18, module=stand_in())


FULL_PAGE_CACHE = "MemTotal: 1000000 kB\nMemFree: 1 kB\nMemAvailable: 900000 kB\n"


def test_what_the_page_cache_gives_back_is_free():
    reader = CapturedReader({"/proc/meminfo": FULL_PAGE_CACHE})
    EndToEnd(MIB, module=stand_in(), reader=reader).close()
    with pytest.raises(UsageError, match="1,000,000,000 bytes do not fit in the 921,600,000 bytes available"):
        EndToEnd(GB, module=stand_in(), reader=reader)


def test_the_limit_of_a_container_is_not_passed():
    files = {
        "/proc/meminfo": FULL_PAGE_CACHE,
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/memory.max": f"{2 * MIB}\n",
    }
    reader = CapturedReader({**files, "/sys/fs/cgroup/memory.current": f"{3 * MIB // 2}\n"})
    with pytest.raises(UsageError, match="1,048,576 bytes do not fit in the 524,288 bytes available"):
        EndToEnd(MIB, module=stand_in(), reader=reader)


def test_two_measurements_at_once_are_refused(here):
    with (
        machine_lock(),
        pytest.raises(BandwidthError, match="another measurement is running"),
        end_to_end(MIB),
    ):
        pass
    with (
        end_to_end(MIB),
        pytest.raises(BandwidthError, match="another measurement is running"),
        machine_lock(),
    ):
        pass


def test_page_locked_memory_that_is_refused_is_the_hosts():
    def refuse(size, flags):
        raise CUDARuntimeError(2)

    module = stand_in()
    module.cuda.PinnedMemory = refuse
    with pytest.raises(BandwidthError, match="the system refused 1 MiB of page-locked host memory; use a smaller"):
        EndToEnd(MIB, module=module)


def test_the_result_of_the_expression_is_one_number():
    assert with_way_back(Workload()).result_bytes == 8


def test_without_a_gpu_it_says_what_is_missing(monkeypatch):
    def lacks():
        raise HardwareError("CuPy, which drives the GPU, is not installed", "pip install")

    monkeypatch.setattr("bandwidth.engines.cuda.device.load_cupy", lacks)
    monkeypatch.setattr(whole, "load_cupy", lacks)
    with pytest.raises(HardwareError, match="CuPy"):
        check_gpu()
    with pytest.raises(HardwareError, match="CuPy"), end_to_end(MIB):
        pass


def test_what_is_measured_now_is_what_the_model_needs(monkeypatch, make_result, make_record):
    seen = []

    def prepare(options):
        seen.append(options)

    results = [make_record(make_result()), make_record(make_result(failure="wrong")), make_record()]
    monkeypatch.setattr("bandwidth.measuring.measure.prepare", prepare)
    monkeypatch.setattr("bandwidth.measuring.measure.measure_prepared", lambda _, __: (results[0], False))
    for target in ("host", "device", "pcie"):
        assert measured_now(target, Asked(engine="numpy", threads=1), ["bandwidth"]).kind == "measured"
    assert [options.kernels for options in seen] == [("read",), ("read",), ("h2d", "d2h")]
    assert (seen[0].engines, seen[0].threads) == (("numpy",), ("1",))
    assert seen[2].host_memory == ("pinned",)
    for bad in results[1:]:
        monkeypatch.setattr("bandwidth.measuring.measure.measure_prepared", lambda _, __, bad=bad: (bad, False))
        with pytest.raises(BandwidthError, match=r"verification failed|could not be measured"):
            measured_now("host", Asked(), ["bandwidth"])
