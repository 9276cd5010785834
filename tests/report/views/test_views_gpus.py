"""Tables of GPUs and their links, by the letter and within 80 columns."""

from __future__ import annotations

from functools import partial

import pytest
from gpu_machine import GIB, H200, device_result, link_result, seen

from bandwidth.findings import examine
from bandwidth.report import FORMATS, render
from bandwidth.report.measurement import measurement_document

KIB = 1024


@pytest.fixture
def device(make_case, make_result):
    return partial(device_result, make_case, make_result)


@pytest.fixture
def link(make_case, make_result):
    return partial(link_result, make_case, make_result)


@pytest.fixture
def text_of(make_record):
    def build(*results, gpu=None, gpus=None, **record):
        machine = {"gpus": gpus or [{**H200, **(gpu or {})}], "cpu_model": "Example", "physical_cores": 8}
        made = make_record(*results, machine=machine, before={}, after={}, **record)
        text = render(measurement_document(made, examine(made)), "table")
        assert max(map(len, text.splitlines())) <= 80
        for name in FORMATS:
            assert render(measurement_document(made, examine(made)), name)
        return text

    return build


MEMORY_AND_LINK = """\
Device 0: NVIDIA H200, driver 570.86.15, CUDA 12.9
path    engine  median GB/s      95 % interval   ceiling  of       share  n
------  ------  -----------  -----------------  --------  ------  ------  -
triad   cuda       4,428.00  4,419.16-4,436.87  4,916.74  theory  90.1 %  7
memcpy  cuda       4,300.00  4,291.42-4,308.62  4,916.74  theory  87.5 %  7

Theory: 4,916.74 GB/s, by the driver's attributes: 2 x 3201 MHz x 6144 bit / 8;
  the maker states 4,800.00 GB/s.

Link of device 0: NVIDIA H200, driver 570.86.15, CUDA 12.9
path           host      median  95 % interval  ceiling  of       share  n
               memory      GB/s
-------------  --------  ------  -------------  -------  ------  ------  -
h2d            pinned     55.30    55.19-55.41    63.02  theory  87.8 %  7
bidirectional  pinned     99.00    98.80-99.20   126.03  theory  78.6 %  7
h2d            pageable   11.00    10.98-11.02    63.02  theory  17.5 %  7

Link: PCIe 5.0 x16 under load, PCIe 1.0 x16 idle, at most PCIe 5.0 x16
  (63.02 GB/s). Theory: PCIe 5.0 x16 as negotiated under load: 32 GT/s x 16 x
  128/130 / 8 = 63.02 GB/s each way. After protocol, with 256-byte payloads:
  about 51.98 (writes) to 52.73 GB/s (reads), at most 58.45: an expectation, not
  a ceiling.

Bytes counted per element: triad 16 read + 8 written, memcpy 8 read + 8 written;
  all verified.
Working set on device 0: 4 GiB.
Copies over the link of device 0: 512 MiB.
A copy over a link counts each byte once; bidirectional counts both ways over
  their common time.

BW040: h2d, host memory pageable, link of device 0: pageable memory reaches
  11.00 GB/s, 19.9 % of pinned memory's 55.30 GB/s; below 90.0 % the driver's
  extra copy is the cause; normal (often half or less): use pinned memory for
  data that is copied often.
"""


def test_what_the_hosts_clock_had_to_time_is_said(text_of, device):
    clock = seen(by_host_clock=1.0)
    words = " ".join(text_of(device("triad", 90.0, observed=clock), device("copy", 80.0)).split())
    assert "Timed by the host's clock, at least in part: triad: the device reported no time, or a time" in words
    assert "by the host's clock" not in text_of(device("triad", 90.0))


def test_the_tables_of_a_card_whole(text_of, device, link):
    results = (
        device("triad", 4428.0),
        device("memcpy", 4300.0),
        link("h2d", 55.3),
        link("bidirectional", 99.0),
        link("h2d", 11.0, "pageable"),
    )
    assert text_of(*results) == MEMORY_AND_LINK


def test_the_host_stands_before_its_gpu(text_of, device, make_result):
    text = text_of(make_result(), device("triad", 4428.0))
    assert text.startswith("Host memory of Example, 8 cores\n")
    assert text.index("1 thread\n") < text.index("Device 0: NVIDIA H200")


def test_what_is_above_the_theory_is_marked(text_of, device):
    text = text_of(device("triad", 5000.0))
    assert "5,000.00!" in text
    assert "INVALID" in text


def test_a_host_link_is_named_and_has_no_theory(text_of, link):
    grace = link("h2d", 380.0, theory_bytes_per_s=None, theory_source=None, observed={})
    assert "The link is NVLink-C2C, not PCIe: its theory is unknown." in text_of(grace, gpu={"host_link": "NVLink-C2C"})


def test_a_link_that_was_not_seen_says_so(text_of, link):
    text = text_of(link("h2d", 50.0, theory_bytes_per_s=None, theory_source=None, observed={}))
    words = "Link: not observed under load, PCIe 1.0 x16 idle, at most PCIe 5.0 x16 (63.02 GB/s)."
    assert words in " ".join(text.split())
    assert "protocol" not in text


def test_a_link_of_a_generation_to_come_is_named_without_a_rate(text_of, link):
    observed = seen(link_generation=9.0, link_width=16.0)
    later = link("h2d", 500.0, theory_bytes_per_s=None, theory_source=None, observed=observed)
    text = " ".join(text_of(later, gpu={"max_link_generation": 9}).split())
    assert "Link: PCIe 9.0 x16 under load, PCIe 1.0 x16 idle, at most PCIe 9.0 x16. All verified." in text


def test_a_sweep_over_the_link_has_its_fit(text_of, link):
    sizes = [4 * KIB * 4**power for power in range(9)]
    results = [
        link("h2d", size / (8e-6 + size / 55e9) / 1e9, size=size, variant={"sweep_point": size}) for size in sizes
    ]
    text = " ".join(text_of(*results).split())
    assert text.startswith("Device 0: NVIDIA H200, driver 570.86.15, CUDA 12.9 By size: h2d, cuda, host memory pinned")
    assert "Fitted: 8 us before the first byte, then 55.00 GB/s; every point is within 0.0 % of it." in text
    assert "Link: PCIe 5.0 x16 under load" in text


def test_a_sweep_over_the_memory_shows_the_l2_and_the_memory(text_of, device, make_case, make_result):
    def point(size, gb_s):
        case = make_case(
            target="device:0",
            path="read",
            engine="cuda",
            cpus=(),
            variant={"sweep_point": size},
            working_set_bytes=size,
            bytes_per_call=size,
            dram_rule_bytes=64 * 60 * KIB**2,
            caches={"L2": 60 * KIB**2},
        )
        return make_result(case, (size / (gb_s * 1e9),) * 6)

    text = text_of(*(point(size, 9000.0 if size < GIB else 4500.0) for size in (16 * KIB**2, 32 * KIB**2, 4 * GIB)))
    assert "By size: read, cuda, device 0" in text
    assert "Plateaus, GB/s: L2 (60 MiB): 9,000.00; memory: 4,500.00." in text


def test_several_at_once_and_between_devices(text_of, device, link):
    def peer(of, to, gb_s, path="peer", access="on"):
        return device(path, gb_s, target=f"device:{of}", variant={"peer": to, "peer_access": access}, observed={})

    results = (
        device("triad", 8800.0, target="device:0,1", theory_bytes_per_s=2 * 4916.736e9),
        link("h2d", 60.0, target="pcie:0,1", observed={}),
        peer(0, 1, 180.0),
        peer(1, 0, 181.0),
        peer(0, 1, 350.0, "bidirectional"),
        peer(0, 1, 40.0, access="off"),
    )
    text = text_of(*results, gpus=[H200, {**H200, "device": 1, "address": "0000:02:00.0"}])
    assert "Devices 0, 1 at once" in text
    assert "Link of devices 0,1 at once" in text
    assert (
        "Between devices, GB/s: one way, direct access on\n"
        "from    to 0    to 1\n"
        "----  ------  ------\n"
        "   0       -  180.00\n"
        "   1  181.00       -\n"
    ) in text
    assert "Between devices, GB/s: both ways, summed, direct access on" in text
    assert "Between devices, GB/s: one way, direct access off" in text
