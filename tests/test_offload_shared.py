"""A GPU in its processor's memory: nothing is moved, no link is asked for, and what each reaches of it decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bandwidth.catalog import current_catalog
from bandwidth.errors import AmbiguousName, BandwidthError, UsageError
from bandwidth.offload.answer import answer
from bandwidth.offload.figures import Asked, Source, SourcedFigure
from bandwidth.offload.model import Workload
from bandwidth.offload.shared import SharedMemory
from bandwidth.offload.sources import find_figures
from bandwidth.theory import peak, peaks

GB, MB, MIB = 10**9, 10**6, 1024**2
DIMMS = "DDR5-5600 x2"


@pytest.mark.parametrize(
    "name",
    [
        *("M1", "M4 Max (40-core GPU)", "Ryzen AI Max+ 395", "Strix Halo", "Radeon 8060S", "DGX Spark", "GB10"),
        *("Jetson AGX Orin 64GB", "Jetson Orin Nano Super", "MI300A", "Steam Deck", "PlayStation 5"),
        *("Ryzen 7 7840U", "Core Ultra 7 155H", "Snapdragon X Elite"),
    ],
)
def test_no_link_is_asked_for_where_memory_is_shared(name):
    found = find_figures(Asked(device=name))
    assert found.link is found.link_back is None
    assert name.split()[0] in found.shared or "Ryzen AI Max+" in found.shared or "GB10" in found.shared
    assert found.host.value == peaks(name)[0].bytes_per_s
    assert not found.tell_apart


@pytest.mark.parametrize("name", ["Radeon 780M", "Iris Xe Graphics", "Intel UHD Graphics 770", "Arc 140V"])
def test_graphics_without_memory_of_their_own_have_the_hosts(name):
    found = find_figures(Asked(host=DIMMS, device=name))
    assert found.shared == f"{name} and its processor"
    assert found.host == found.device
    assert found.host.value == peak(DIMMS).bytes_per_s
    for asked in (Asked(device=name), Asked(host="60GB/s", device=name)):
        with pytest.raises(UsageError, match="the memory of its processor, which is unknown; name the"):
            find_figures(asked)


@pytest.mark.parametrize("name", ["GeForce RTX 4090", "H200", "MI300X", "PlayStation 3 RSX", "Arc B580", "GB200"])
def test_a_card_has_memory_of_its_own(name):
    device = current_catalog().device(name)
    assert not device.is_memory_shared
    with pytest.raises(BandwidthError, match="host's memory is missing"):
        find_figures(Asked(device=name))


@pytest.mark.parametrize(
    ("name", "link", "gb_s"),
    [
        ("GH200 144GB HBM3e", "NVLink-C2C", 450),
        ("NVIDIA GH200 480GB", "NVLink-C2C", 450),
        ("GB200", "NVLink-C2C", 450),
        ("GB300", "NVLink-C2C", 450),
        ("Tesla K20", "PCIe 2.0 x16", 8),
    ],
)
def test_the_catalogs_link_is_taken_with_its_name(name, link, gb_s):
    found = find_figures(Asked(host="Grace", device=name))
    assert found.link.value == pytest.approx(gb_s * GB)
    assert found.link.source.endswith(f", {link}, coded rate")
    assert not found.shared


def test_a_device_that_stands_for_several_memories_is_still_asked_about():
    with pytest.raises(AmbiguousName, match="choose one: M4 Max"):
        find_figures(Asked(device="M4 Max"))


# --- what the host's figure means


def test_the_hosts_spec_says_what_a_processor_was_fitted_with():
    found = find_figures(Asked(host=DIMMS, device="Ryzen 7 7840U"))
    assert (found.host.source, found.device.source, found.notes) == (DIMMS, DIMMS, ())


@pytest.mark.parametrize(
    ("host", "device"), [(DIMMS, "M4 Max (40-core GPU)"), (DIMMS, "MI300A"), ("EPYC 9755", "Ryzen 7 7840U")]
)
def test_the_spec_of_another_machine_is_left_out_and_named(host, device):
    found = find_figures(Asked(host=host, device=device))
    assert found.host.value == peaks(device)[0].bytes_per_s
    assert f"--host '{host}' (" in found.notes[0]
    assert "name it with --link" in found.notes[0]


def test_the_memory_said_twice_is_the_memory():
    assert find_figures(Asked(host="LPDDR5X-8000 256-bit", device="Ryzen AI Max+ 395")).notes == ()


def test_data_from_another_machine_crosses_the_link_that_was_given():
    found = find_figures(Asked(host=DIMMS, device="DGX Spark", link="200GbE"))
    assert (found.shared, found.link.value, found.host.source) == ("", 25e9, DIMMS)


def test_a_rate_is_what_the_processor_reaches_and_tells_the_two_apart():
    found = find_figures(Asked(host="220GB/s", device="M4 Max (40-core GPU)"))
    assert found.tell_apart
    assert (found.host.value, found.host.kind) == (220e9, "given")
    assert "the speed-up is an upper limit" in found.notes[-1]


def test_the_way_to_the_memory_is_named_and_limits_the_gpu():
    spark = find_figures(Asked(device="DGX Spark"))
    assert spark.notes == ("The GPU reaches the memory over NVLink-C2C GB10, 300.00 GB/s.",)
    assert spark.device.value == peak("LPDDR5X-8533 256-bit").bytes_per_s
    wider = find_figures(Asked(host="LPDDR5X-8533 256-bit", device="DGX Spark"))
    assert wider.notes == spark.notes
    narrow = SharedMemory("X", "CPU and GPU of X", peak(DIMMS), way=peak("PCIe 4.0 x16"))
    memory = SourcedFigure(89.6e9, "theory", DIMMS)
    assert narrow.of_gpu(memory).value == peak("PCIe 4.0 x16").bytes_per_s
    assert replace(narrow, way=None).of_gpu(memory) == memory


# --- records


@pytest.fixture
def record_of(make_case, make_result, make_record):
    def made(unified):
        host = make_result(make_case(path="read", engine="native", threads=8), (256 * MIB / 40e9,) * 8)
        gpu = make_result(make_case(target="device:0", path="read", engine="opencl"), (256 * MIB / 60e9,) * 8)
        facts = {"device": 0, "name": "Orin", "unified_memory": unified, "memory_bytes": 16 * GB}
        return Source("run.json", make_record(host, gpu, machine={"gpus": [facts]}))

    return made


def test_a_record_of_a_gpu_with_the_hosts_memory_needs_no_link(record_of):
    found = find_figures(Asked(sources=(record_of(True),)))
    assert (found.shared, found.link) == ("Orin and its processor", None)
    assert [one.value for one in (found.host, found.device)] == [pytest.approx(40e9), pytest.approx(60e9)]
    with pytest.raises(BandwidthError, match="no h2d of pinned memory"):
        find_figures(Asked(sources=(record_of(False),)))


def test_what_is_measured_now_needs_no_link_either(record_of):
    targets = []

    def measure(target):
        targets.append(target)
        return record_of(True)

    assert find_figures(Asked(), measure).link is None
    assert targets == ["host", "device"]
    targets.clear()
    assert find_figures(Asked(device="M1"), measure).host.value == pytest.approx(40e9)
    assert targets == ["host"]


# --- the answer


def test_from_which_size_on_it_pays_whatever_the_passes(record_of):
    """1 us + N / 40 GB/s against 5 us + N / 60 GB/s: equal where N / 120 GB/s are 4 us."""
    work = Workload(result_share=1.0, overlap=True)
    found = answer(find_figures(Asked(sources=(record_of(True),))), work, [MB], [1, 10])
    assert [one.break_even_bytes for one in found.by_passes] == [pytest.approx(480_000, abs=2)] * 2
    assert found.rows[0].device_s == pytest.approx(5e-6 + 1e6 / 60e9)
    assert any("Nothing is transferred" in text for text in found.assumptions)
    assert not any("crosses the link" in text or "overlap" in text for text in found.assumptions)


def test_the_peak_of_one_memory_says_nothing(record_of):
    found = answer(find_figures(Asked(device="M1")), Workload(), [MB], [1])
    assert (found.rows, found.by_size, found.by_passes) == ((), (), ())


def test_several_devices_share_no_memory():
    with pytest.raises(UsageError, match="--devices 2: CPU and GPU of M1 share one memory"):
        answer(find_figures(Asked(device="M1")), Workload(devices=2), [MB], [1])


def test_resident_data_needs_no_link():
    work = Asked(host="60GB/s", device="70GB/s", needs_link=False)
    assert find_figures(work).link is None
    with pytest.raises(UsageError, match=r"link \(pinned\) is missing"):
        find_figures(Asked(host="60GB/s", device="70GB/s"))
