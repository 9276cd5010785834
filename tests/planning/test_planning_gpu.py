"""What is planned for GPUs that are not here: their sizes, their links, several at once, and what does not fit."""

from __future__ import annotations

import pytest
from gpu_machine import GIB, KIB, MIB, cuda_entry, facts, gpu, gtx

from bandwidth.ceilings.link import with_link_theories
from bandwidth.ceilings.memory import HostTheory
from bandwidth.engines.devices.requirements import needed_bytes, refusal
from bandwidth.engines.devices.surface import KEPT_FREE_BYTES
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.machine.facts import Fact, Facts
from bandwidth.measuring.measure import machine_with
from bandwidth.planning.gpu import make_gpu_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.results import Observed, Result, Samples

NO_THEORY = HostTheory(None, 1, "", "a test", "a test")
KERNELS = ["triad", "copy", "read", "write", "scale", "add", "dot", "memcpy", "memset"]
LINKS = ["h2d/pinned", "d2h/pinned", "bidirectional/pinned", "h2d/pageable", "d2h/pageable"]


def plan(*gpus, known=None, **options):
    options = {"target": "all", **options}
    gpus = gpus or (gpu(),)
    return make_gpu_plan(MeasureOptions(**options), known or facts(*gpus), cuda_entry(), gpus, NO_THEORY)


def ids(found):
    return [one.case.id for one in found.cases]


CARDS = [
    (gpu(),),
    (gtx(),),
    (gpu(l2_bytes=0),),
    (gtx(free_bytes=600 * MIB),),
    tuple(gpu(number) for number in range(8)),
    (gpu(0), gtx(number=1)),
]
STUDIES = [{}, {"sweep": "size"}, {"latency": True}, {"size_bytes": 2**20}, {"size_bytes": 100}]


@pytest.mark.parametrize("options", STUDIES, ids=str)
@pytest.mark.parametrize("cards", CARDS, ids=lambda cards: f"{len(cards)} x {cards[0].name}, {cards[0].free_bytes}")
def test_every_case_is_one_that_the_engine_takes_and_fits_its_devices(cards, options):
    found = plan(*cards, **options)
    assert found.cases
    assert len(set(ids(found))) == len(found.cases)
    for case in (one.case for one in found.cases):
        numbers = {*case.devices, *([case.variant["peer"]] if "peer" in case.variant else [])}
        free = min(card.free_bytes for card in cards if card.number in numbers)
        assert refusal(case) == "", case.id
        assert needed_bytes(case) + KEPT_FREE_BYTES <= free, case.id


def test_the_table_of_one_card_is_its_memory_and_its_link():
    found = plan()
    assert ids(found) == [
        *(f"device:0/{name}/cuda/1" for name in KERNELS),
        *(f"pcie:0/{link.replace('/', '/cuda/1/')}" for link in LINKS),
    ]
    triad = found.cases[0]
    assert triad.case.working_set_bytes == 3 * 64 * 60 * MIB
    assert (triad.case.dram_rule_bytes, dict(triad.case.caches)) == (64 * 60 * MIB, {"L2": 60 * MIB})
    assert triad.why == "arrays of 64 x 60 MiB of L2"
    assert triad.theory_bytes_per_s == pytest.approx(4916.736e9)
    assert triad.theory_source == "the driver's attributes: 2 x 3201 MHz x 6144 bit / 8"
    assert triad.vendor_bytes_per_s == pytest.approx(4800e9)
    assert found.notes == ("Device 0: the maker's figure for H200 is 4,800.00 GB/s, 97.6 % of the theory.",)
    links = {one.case.path: one.case for one in found.cases if one.case.target == "pcie:0"}
    assert links["h2d"].bytes_per_call == 512 * MIB
    assert links["bidirectional"].bytes_per_call == 1024 * MIB
    assert found.budget_s == 15


def test_a_card_is_known_by_its_exact_name_where_the_bus_is_hidden_and_by_none_else():
    hidden = Facts({"memory_available_bytes": Fact(64 * GIB, "a test", "read")})
    assert plan(known=hidden).cases[0].vendor_bytes_per_s == pytest.approx(4800e9)
    assert plan(gpu(name="NVIDIA H999"), known=hidden).cases[0].vendor_bytes_per_s is None


def test_unknown_attributes_are_no_theory():
    found = plan(gpu(memory_clock_khz=0))
    assert found.cases[0].theory_bytes_per_s is None
    assert "does not report" in found.notes[0]


def test_a_full_card_has_smaller_arrays_and_says_why():
    found = plan(gtx(l2_bytes=32 * MIB, free_bytes=2 * GIB), target="device")
    triad = found.cases[0]
    assert triad.why == "limited by the device's free memory, 2 GiB"
    assert triad.case.working_set_bytes < 2 * GIB - KEPT_FREE_BYTES
    assert triad.theory_bytes_per_s is None  # below the rule: the L2 may take a part
    with pytest.raises(BandwidthError, match="device 0 has only 300 MiB of free memory; stop what uses it"):
        plan(gtx(free_bytes=300 * MIB))


def test_a_size_above_the_free_memory_is_refused_with_the_most_that_fits():
    with pytest.raises(UsageError, match=r"--size 100 GiB: device 0 has 7 GiB of free memory; use at most \d+MiB"):
        plan(gtx(), target="device", size_bytes=100 * GIB)
    with pytest.raises(UsageError, match="--size 100 GiB does not fit: copies need that much memory"):
        plan(gtx(), target="pcie", size_bytes=100 * GIB)
    with pytest.raises(UsageError, match="does not fit"):
        plan(known=facts(gpu(), available_bytes=GIB), target="pcie", size_bytes=GIB)


def test_little_memory_of_the_host_makes_copies_smaller():
    found = plan(known=facts(gpu(), available_bytes=GIB), target="pcie")
    assert 4 * found.cases[0].case.bytes_per_call <= GIB * 0.8


def test_write_combined_memory_is_for_copies_to_the_device():
    assert ids(plan(target="pcie", host_memory=("write_combined",))) == ["pcie:0/h2d/cuda/1/write_combined"]


def test_several_cards_run_alone_at_once_and_to_each_other():
    found = plan(gpu(0), gpu(1))
    named = ids(found)
    assert {"device:0/triad/cuda/1", "device:1/triad/cuda/1", "device:0,1/triad/cuda/1"} <= set(named)
    assert "pcie:0,1/bidirectional/cuda/1/pinned" in named
    both = next(one for one in found.cases if one.case.id == "device:0,1/triad/cuda/1")
    assert both.theory_bytes_per_s == pytest.approx(2 * 4916.736e9)
    assert both.case.bytes_per_call == 2 * found.cases[0].case.bytes_per_call
    peers = [name for name in named if name.endswith(("/on", "/off"))]
    assert peers == [
        f"device:{of}/{path}/cuda/1/{to}/{access}"
        for access in ("on", "off")
        for of, path, to in ((0, "peer", 1), (0, "bidirectional", 1), (1, "peer", 0))
    ]
    eight = plan(*(gpu(number) for number in range(8)), target="pcie")
    assert sum("peer" in one.case.variant for one in eight.cases) == 2 * (8 * 7 + 8 * 7 // 2)
    assert eight.budget_s > 8 * 15


def test_sweeps_go_from_the_l2_to_memory_and_over_the_link_from_4_kib_to_1_gib():
    found = plan(sweep="size")
    reads = sorted(one.case.variant["sweep_point"] for one in found.cases if one.case.path == "read")
    assert (reads[0], reads[-1]) == (MIB, 4096 * MIB)
    assert next(one for one in found.cases if one.case.working_set_bytes == 4096 * MIB).theory_bytes_per_s is not None
    sent = [one.case.bytes_per_call for one in found.cases if one.case.path == "h2d"]
    assert (min(sent), max(sent), len(set(sent))) == (4 * KIB, GIB, 19)
    assert found.budget_s == 60


def test_latencies_have_an_odd_number_of_lines():
    found = plan(latency=True, target="device")
    assert {one.case.path for one in found.cases} == {"latency"}
    assert all(one.case.working_set_bytes // 128 % 2 == 1 for one in found.cases)
    assert max((one.case for one in found.cases), key=lambda case: case.working_set_bytes).meets_dram_rule
    assert {one.theory_bytes_per_s for one in found.cases} == {None}


def test_kernels_choose_passes_and_copies():
    assert ids(plan(kernels=("memcpy", "h2d"))) == [
        "device:0/memcpy/cuda/1",
        "pcie:0/h2d/cuda/1/pinned",
        "pcie:0/h2d/cuda/1/pageable",
    ]
    with pytest.raises(UsageError, match="device has no --kernel 'h2d'; choose from triad"):
        plan(target="device", kernels=("h2d",))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"target": "host", "devices": ("0",)}, "--device does not apply to host"),
        ({"target": "host", "host_memory": ("pinned",)}, "--host-memory does not apply to host"),
        ({"target": "device", "threads": ("1",)}, "--threads does not apply to device"),
        ({"target": "pcie", "stores": ("streaming",)}, "--stores does not apply to pcie"),
        ({"target": "device", "sweep": "threads"}, "--sweep threads does not apply to device"),
        ({"target": "device", "numa": True}, "--numa does not apply to device"),
        ({"target": "device", "host_memory": ("pinned",)}, "--host-memory does not apply to device"),
        ({"target": "pcie", "latency": True}, "--latency does not apply to pcie"),
        ({"devices": ("x",)}, "--device 'x' is not the number of a GPU"),
        ({"devices": ("-1",)}, "--device '-1' is not the number of a GPU"),
        ({"devices": ("9" * 30,)}, "is not the number of a GPU"),
        ({"host_memory": ("huge",)}, "--host-memory 'huge' is not known"),
    ],
)
def test_options_without_a_meaning_are_refused(options, part):
    with pytest.raises(UsageError, match=part.replace("(", r"\(")):
        MeasureOptions(**options)


# --- theory of the link ---------------------------------------------------------------------------------------------


def link_results(*gpus, generation=5.0, width=16.0):
    found = [one.case for one in plan(*gpus, target="pcie").cases if "peer" not in one.case.variant]
    seen = {
        "link_generation": Observed(generation, generation, generation),
        "link_width": Observed(width, width, width),
    }
    samples = Samples((1.0,) * 6, 1, 0.0, "precision")
    return [Result(case, samples, observed=seen if "," not in case.target else {}) for case in found]


def test_a_link_has_the_coded_rate_of_what_was_negotiated_under_load():
    gpus = (gpu(0), gpu(1))
    theories = {r.case.id: r for r in with_link_theories(link_results(*gpus), gpus)}
    pinned = theories["pcie:0/h2d/cuda/1/pinned"]
    assert pinned.theory_bytes_per_s == pytest.approx(63.015e9, rel=1e-4)
    assert pinned.theory_source.startswith("PCIe 5.0 x16 as negotiated under load: 32 GT/s x 16 x 128/130 / 8 =")
    assert theories["pcie:0/bidirectional/cuda/1/pinned"].theory_bytes_per_s == 2 * pinned.theory_bytes_per_s
    assert theories["pcie:0,1/h2d/cuda/1/pinned"].theory_bytes_per_s == 2 * pinned.theory_bytes_per_s


def test_a_link_that_is_not_pcie_or_was_not_seen_has_none():
    grace = gpu(has_host_link=True)
    assert all(r.theory_bytes_per_s is None for r in with_link_theories(link_results(grace), [grace]))
    odd = with_link_theories(link_results(gpu(), generation=16.0, width=31.0), [gpu()])
    assert all(result.theory_bytes_per_s is None for result in odd)


def test_the_record_holds_what_the_engine_found():
    known = machine_with({"gpus": [{"address": "0000:01:00.0", "numa_node": 3}, "odd"]}, [gpu(has_host_link=True)])
    assert known["gpus"][0]["device"] == 0
    assert known["gpus"][0]["host_link"] == "NVLink-C2C"
    assert known["gpus"][0]["attribute_peak_bytes_per_s"] == pytest.approx(4916.736e9)
    assert machine_with({}, [gpu()])["gpus"][0]["address"] == "0000:01:00.0"
    assert machine_with({"hostname": "a"}, []) == {"hostname": "a"}
