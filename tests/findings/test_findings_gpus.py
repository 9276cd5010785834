"""What is found about GPUs and their links, and that rules about the host leave them alone."""

from __future__ import annotations

from functools import partial

import pytest
from gpu_machine import H200, SHEET, device_result, gpu_conditions, link_result, seen

from bandwidth.findings import examine


@pytest.fixture
def device(make_case, make_result):
    return partial(device_result, make_case, make_result)


@pytest.fixture
def link(make_case, make_result):
    return partial(link_result, make_case, make_result)


@pytest.fixture
def record(make_record):
    def build(*results, gpu=None, before=None, after=None, **machine):
        known = {"gpus": [{**H200, **(gpu or {})}], **machine}
        return make_record(*results, machine=known, before=before or {}, after=after or {})

    return build


def said(record, code):
    found = examine(record)
    pairs = [finding for group in found.by_id.values() for finding in group] + list(found.general)
    return [f"{finding.text}; {finding.hint}" for finding in pairs if finding.code == code]


def test_a_sound_card_and_link_have_no_findings(record, device, link):
    sound = record(device("triad", 4428.0), device("copy", 4100.0), link("h2d", 55.3), link("d2h", 55.1))
    assert examine(sound).codes() == frozenset()


def test_a_record_of_a_gpu_says_nothing_of_the_host(make_record, device):
    machine = {"gpus": [H200], "logical_cpus": 8, "cpus_allowed": "0", "numa_memory_only_nodes": [1], "boost": False}
    memory = {"bytes_per_s": None, "reason": "unknown", "hint": "none"}
    found = examine(make_record(device("triad", 4428.0), machine=machine, memory=memory))
    assert found.codes() == frozenset()


def test_latency_of_a_gpu_is_no_latency_of_the_host(make_record, make_case, make_result, steady, device):
    case = make_case(
        target="device:0", path="latency", engine="cuda", bytes_per_call=8, payload_bytes_per_call=8, cpus=()
    )
    chase = make_result(case, (600e-9,) * 8, observed=seen(clock_hz=1e9))
    host = [steady(rate, engine="native", path="read", threads=n) for n, rate in ((1, 10.0), (8, 80.0))]
    (text,) = said(make_record(*host, chase), "BW021")
    assert "lines of 64 bytes in flight" not in text


@pytest.mark.parametrize(("gb_s", "is_below"), [(0.841 * 4800, False), (0.91 * 4800, False), (0.80 * 4800, True)])
def test_bw034_of_a_card(record, device, gb_s, is_below):
    gpu = {"name": "NVIDIA X", "device_id": "ffff"}  # without bands of its own
    assert bool(said(record(device("triad", gb_s), gpu=gpu), "BW034")) is is_below


def test_bw034_of_a_card_with_a_published_figure(record, device):
    (text,) = said(record(device("triad", 4200.0)), "BW034")
    assert "4,200.00 GB/s is below" in text
    assert "H200 triad: 92.2 % of the maker's figure" in text
    assert said(record(device("triad", 0.90 * SHEET / 1e9)), "BW034") == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"gpu": {"mig_enabled": True}}, "MIG is on"),
        ({"before": gpu_conditions(other_processes=1)}, "other processes used it"),
        ({"after": gpu_conditions(throttle_reasons=["power limit"])}, "its clocks were reduced"),
        ({}, "ECC is on"),
        ({"gpu": {"ecc_enabled": False}}, "the driver's version"),
    ],
)
def test_bw034_names_the_first_thing_to_see(record, device, changes, part):
    (text,) = said(record(device("triad", 3000.0), **changes), "BW034")
    assert f"check first: {part}" in text


def test_bw034_names_a_memory_that_ran_below_its_clock(record, device):
    slow = device("triad", 3000.0, observed=seen(memory_clock_mhz=2619.0))
    (text,) = said(record(slow), "BW034")
    assert "the memory ran at 2619 of 3201 MHz" in text


def test_bw034_of_a_link(record, link):
    (text,) = said(record(link("h2d", 40.0)), "BW034")
    assert "40.00 GB/s is below 49.15 GB/s" in text
    assert said(record(link("h2d", 49.5), link("h2d", 10.0, "pageable")), "BW034") == []
    (text,) = said(record(link("h2d", 40.0), virtualization="kvm"), "BW034")
    assert "a virtual machine" in text
    (text,) = said(record(link("h2d", 40.0), gpu={"confidential_compute": True}), "BW034")
    assert "confidential computing" in text


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (seen(link_generation=5.0, link_width=16.0), None),
        (seen(link_generation=1.0, link_width=16.0), "generation 1 of 5"),
        (seen(link_generation=5.0, link_width=8.0), "width 8 of 16"),
        (seen(link_generation=4.0, link_width=8.0), "generation 4 of 5 and width 8 of 16"),
        ({}, None),
    ],
)
def test_bw035_speaks_of_the_link_under_load_and_never_of_the_idle_one(record, link, observed, words):
    found = said(record(link("h2d", 20.0, observed=observed), link("d2h", 20.0, observed=observed)), "BW035")
    assert len(found) == (words is not None)
    assert all(f"device 0: under load its link ran at {words};" in text for text in found)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {}, None),
        ({"throttle_reasons": []}, {"throttle_reasons": []}, None),
        ({"throttle_reasons": []}, {"throttle_reasons": ["heat, by the driver"]}, "heat, by the driver"),
        ({"power_held_ns": 10**9}, {"power_held_ns": 10**9 + 40_000_000}, None),
        ({"power_held_ns": 10**9}, {"power_held_ns": 3 * 10**9}, "power limit, for 2 s"),
        ({"heat_held_ns": 0}, {"heat_held_ns": 10**9}, "heat, for 1 s"),
    ],
)
def test_bw036_by_reasons_and_by_counters(record, device, before, after, words):
    found = said(
        record(device("triad", 4428.0), before=gpu_conditions(**before), after=gpu_conditions(**after)), "BW036"
    )
    assert [text.partition("were reduced: ")[2].partition(";")[0] for text in found] == ([words] if words else [])


def test_bw036_by_what_was_seen_at_work(record, device):
    assert said(record(device("triad", 4428.0, observed=seen(throttled=1.0))), "BW036") != []


def test_bw037_to_bw039(record, device, link):
    (text,) = said(record(device("triad", 4428.0), before=gpu_conditions(other_processes=2)), "BW037")
    assert "device 0: 2 other processes used it" in text
    assert said(record(device("triad", 4428.0), gpu={"mig_enabled": True}), "BW038") != []
    assert said(record(link("h2d", 55.0), gpu={"confidential_compute": True}), "BW039") != []


def test_bw041_is_links_that_reach_less_together_than_alone(record, link):
    alone = (link("h2d", 50.0), link("h2d", 40.0, target="pcie:1"), link("d2h", 50.0))
    (text,) = said(record(*alone, link("h2d", 50.0, target="pcie:0,1")), "BW041")
    assert text.startswith(
        "the links of devices 0, 1 reach 50.00 GB/s at once, 55.6 % of 90.00 GB/s, the sum of the links alone; "
        "below 90.0 %"
    )
    assert said(record(*alone, link("h2d", 82.0, target="pcie:0,1")), "BW041") == []
    # Of device 1 there is no copy from the device alone.
    assert said(record(*alone, link("d2h", 10.0, target="pcie:0,1")), "BW041") == []


def test_bw040_is_pageable_beside_pinned(record, link):
    (text,) = said(record(link("h2d", 55.0), link("h2d", 11.0, "pageable")), "BW040")
    assert "11.00 GB/s, 20.0 % of pinned memory's 55.00 GB/s" in text
    assert said(record(link("h2d", 12.0), link("h2d", 11.5, "pageable")), "BW040") == []


def test_bw002_and_bw001_speak_of_the_gpu(record, device, make_case):
    (text,) = said(record(device("triad", 5000.0)), "BW002")
    assert "the driver's clock may be wrong" in text
