"""Each ceiling against figures worked out by hand: what one function a kind gives for one case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ceiling_hosts import DRAM_BYTES, KIB, MIB, case_on, facts_of_host, host_of, layout, theory_of
from gpu_machine import facts as facts_of_card
from gpu_machine import gpu

from bandwidth.ceilings.bounds import Seen, SeenLatency, Traffic, is_made_up, traffic_of
from bandwidth.ceilings.caches import cache_ceiling
from bandwidth.ceilings.core import core_ceiling
from bandwidth.ceilings.fabric import chiplets_of, fabric_ceiling, socket_link_ceiling
from bandwidth.ceilings.memory import memory_ceiling, memory_full_ceiling
from bandwidth.ceilings.of_results import Machine, ceilings_of, seen_in
from bandwidth.ceilings.platform import instance_ceiling, platform_ceiling
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.numa import Sockets
from bandwidth.results import Ceiling, Observed, summarise

GENOA = facts_of_host("AuthenticAMD", 25, 17, "AMD EPYC 9654 96-Core Processor")
GENOA_HOST = host_of(layout(cores=96, sizes=(32 * KIB, MIB, 32 * MIB)), GENOA)
TURIN_GUEST = facts_of_host("AuthenticAMD", 26, 2, "AMD EPYC", virtualization="KVM")
SAPPHIRE = facts_of_host("GenuineIntel", 6, 143, "Intel(R) Xeon(R) Platinum 8480+")


def rate(ceiling, digits=1):
    """The rate of a ceiling in GB/s."""
    return None if ceiling is None else round(ceiling.bytes_per_s / 1e9, digits)


# --- what a case moves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "stores", "allocates", "read", "write"),
    [
        ("read", None, True, 1, 0),
        ("write", "streaming", True, 0, 1),
        ("write", "ordinary", True, 1, 1),  # the line is read, and nothing of that counted
        ("copy", "streaming", True, 1 / 2, 1 / 2),
        ("copy", "ordinary", True, 1, 1 / 2),
        ("copy", "ordinary", False, 1 / 2, 1 / 2),
        ("triad", "streaming", True, 2 / 3, 1 / 3),
        ("triad", "ordinary", True, 1, 1 / 3),
        ("mix 3:1", "ordinary", True, 3 / 4, 1 / 4),  # an update has read its line
    ],
)
def test_what_is_read_and_written_of_each_byte_counted(path, stores, allocates, read, write):
    name, _, mix = path.partition(" ")
    variant = {**({"stores": stores} if stores else {}), **({"mix": mix} if mix else {})}
    case = replace(case_on(GENOA_HOST, "copy"), path=name, variant=variant)
    found = traffic_of(case, allocates=allocates)
    assert (found.read, found.write) == pytest.approx((read, write))


def test_a_mixed_row_is_bound_by_whichever_comes_first():
    copy = Traffic(1 / 2, 1 / 2)
    assert copy.most(read=60e9, write=30e9) == 60e9  # 30 written, and 30 read beside
    assert copy.most(read=20e9, write=30e9) == 40e9
    assert copy.most(read=60e9, write=60e9, both=50e9) == 50e9
    assert Traffic(1, 0).most(write=30e9) is None
    assert copy.most() is None


# --- memory, platform, instance -------------------------------------------------------------------------------------


def test_the_memory_as_it_is_set_up_by_the_bytes_that_a_case_moves():
    theory = theory_of(GENOA_HOST, "DDR5-4800 x12")
    read = memory_ceiling(case_on(GENOA_HOST, "read"), GENOA_HOST, theory)
    copied = memory_ceiling(case_on(GENOA_HOST, "copy", stores="ordinary"), GENOA_HOST, theory)
    assert (rate(read), read.confidence) == (460.8, "high")
    assert (rate(copied), copied.confidence) == (307.2, "medium")  # 2/3: Zen 4 reads the line first, which is a model
    streamed = memory_ceiling(case_on(GENOA_HOST, "copy", stores="streaming"), GENOA_HOST, theory)
    assert (rate(streamed), streamed.confidence) == (460.8, "high")
    assert memory_ceiling(case_on(GENOA_HOST, "read", size=MIB), GENOA_HOST, theory) is None


def test_a_core_that_may_leave_the_read_out_is_not_bound_by_it():
    host = host_of(layout(), SAPPHIRE)
    found = memory_ceiling(case_on(host, "write", stores="ordinary"), host, theory_of(host, "DDR5-4800 x8"))
    assert (rate(found), found.confidence) == (307.2, "high")


def test_every_channel_filled_and_the_rated_speed_stand_beside_what_is_set_up():
    modules = {"memory_modules": [{}] * 8, "memory_type": "DDR5", "memory_rated_mt_s": 5600}
    speeds = {"memory_configured_mt_s": 4800, "memory_width_bits": 8 * 64, "memory_channels_possible": 12}
    host = host_of(layout(), facts_of_host("AuthenticAMD", 25, 17, "AMD EPYC 9654", **modules, **speeds))
    theory = theory_of(host)
    assert rate(memory_ceiling(case_on(host, "read"), host, theory)) == 307.2
    full = memory_full_ceiling(case_on(host, "read"), host, theory)
    assert rate(full) == 537.6
    assert full.working.startswith("DDR5-5600 x12")
    as_good = host_of(layout(), Facts({**host.facts, "memory_channels_possible": Fact(8, "a test", "read")}))
    whole = Facts({**as_good.facts, "memory_rated_mt_s": Fact(4800, "a test", "read")})
    same = host_of(layout(), whole)
    assert memory_full_ceiling(case_on(same, "read"), same, theory_of(same)) is None
    assert memory_full_ceiling(case_on(host, "read"), host, theory_of(host, "DDR5-4800 x8")) is None


def test_the_processors_documented_maximum_for_the_sockets_that_a_case_uses():
    two = host_of(layout(sockets=2, cores=96), GENOA)
    none = theory_of(two)
    one_socket = platform_ceiling(case_on(two, "read", range(96)), two, none)
    assert (rate(one_socket), one_socket.confidence) == (460.8, "high")
    assert rate(platform_ceiling(case_on(two, "read", range(192)), two, none)) == 921.6
    assert "up to" in one_socket.working


def test_a_memory_that_is_faster_than_documented_is_not_bound_by_the_document():
    desktop = host_of(layout(), facts_of_host("AuthenticAMD", 25, 97, "AMD Ryzen 9 7950X 16-Core Processor"))
    assert platform_ceiling(case_on(desktop, "read"), desktop, theory_of(desktop, "DDR5-6000 x2")) is None
    unknown = platform_ceiling(case_on(desktop, "read"), desktop, theory_of(desktop))
    assert (rate(unknown), unknown.confidence) == (83.2, "medium")  # a desktop's memory may be clocked higher


def test_sockets_that_were_only_taken_leave_the_maximum_less_sure():
    taken = Sockets(1, {}, "one socket for a virtual machine", "assumed")
    facts = facts_of_host("AuthenticAMD", 25, 1, "AMD EPYC 7543 32-Core Processor", virtualization="KVM")
    host = host_of(replace(layout(cores=24), sockets_taken=taken), facts)
    few, many = (platform_ceiling(case_on(host, "read", range(n)), host, theory_of(host)) for n in (3, 24))
    assert (rate(few), few.confidence) == (204.8, "high")  # three cores do not draw what one socket gives
    assert (rate(many), many.confidence) == (204.8, "medium")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("AMD EPYC-Milan Processor", True),
        ("Intel Core Processor (Broadwell, no TSX, IBRS)", True),
        ("Intel Xeon Processor (Cascadelake)", True),
        ("QEMU Virtual CPU version 2.5+", True),
        ("AMD EPYC Processor", True),
        ("AMD EPYC", False),
        ("AMD EPYC 7763 64-Core Processor", False),
        ("Intel(R) Xeon(R) Processor @ 2.50GHz", False),
        ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", False),
    ],
)
def test_a_processor_that_qemu_made_up_says_nothing_of_the_real_one(name, is_one):
    host = host_of(layout(), facts_of_host("AuthenticAMD", 25, 1, name, virtualization="KVM"))
    assert is_made_up(name) is is_one
    found = ceilings_of(case_on(host, "read"), host.facts, host.catalog, host.topology, theory_of(host), seen=Seen(4e9))
    assert bool(found) is (not is_one and "Xeon" not in name)  # that Xeon's name says nothing of which one it is


@pytest.mark.parametrize(
    ("product", "kind", "expected"),
    [("m7g.16xlarge", "instance", 307.2), ("c8g.24xlarge", "instance", 537.6), ("r6gd.medium", "instance", 204.8)],
)
def test_the_host_behind_an_instance_is_the_hosts_and_shared(product, kind, expected):
    named = {"system_vendor": "Amazon EC2", "product_name": product, "virtualization": "Amazon EC2"}
    host = host_of(layout(), facts_of_host("ARM", None, 0xD40, "ARM Neoverse-V1", **named))
    found = instance_ceiling(case_on(host, "read"), host)
    assert (found.kind, rate(found), found.confidence) == (kind, expected, "medium")
    assert "shared" in found.working


def test_a_whole_machine_of_a_cloud_is_its_own_and_an_unknown_instance_is_not_guessed():
    def named(product):
        others = {"system_vendor": "Amazon EC2", "product_name": product}
        return host_of(layout(cores=64), facts_of_host("ARM", None, 0xD40, "ARM Neoverse-V1", **others))

    whole, unknown = named("m7g.metal"), named("m99z.large")
    assert instance_ceiling(case_on(whole, "read"), whole) is None
    assert rate(platform_ceiling(case_on(whole, "read"), whole, theory_of(whole))) == 307.2
    assert instance_ceiling(case_on(unknown, "read"), unknown) is None
    assert platform_ceiling(case_on(unknown, "read"), unknown, theory_of(unknown)) is None


# --- fabric, socket links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "cpus", "variant", "expected"),
    [
        ("read", range(1), {}, 57.6),  # 32 B x 1.8 GHz
        ("read", range(8), {}, 57.6),  # eight cores, one chiplet
        ("read", range(0, 96, 8), {}, 691.2),  # one core on each of twelve
        ("write", range(1), {"stores": "streaming"}, 28.8),
        ("write", range(1), {"stores": "ordinary"}, 28.8),
        ("copy", range(1), {"stores": "streaming"}, 57.6),
        ("copy", range(1), {"stores": "ordinary"}, 57.6),
        ("triad", range(1), {"stores": "ordinary"}, 57.6),
    ],
)
def test_the_links_of_the_chiplets_that_a_case_touches(path, cpus, variant, expected):
    found = fabric_ceiling(case_on(GENOA_HOST, path, cpus, **variant), GENOA_HOST)
    assert (found.kind, rate(found), found.confidence) == ("fabric", expected, "medium")


def test_a_processor_with_few_chiplets_has_two_links_to_each():
    host = host_of(
        layout(cores=24, l3_cores=6), facts_of_host("AuthenticAMD", 25, 17, "AMD EPYC 9254 24-Core Processor")
    )
    assert rate(fabric_ceiling(case_on(host, "read", range(24)), host)) == 4 * 64 * 1.8
    assert "GMI3 wide" in fabric_ceiling(case_on(host, "read"), host).source


def test_two_l3_caches_of_a_chiplet_share_its_link():
    host = host_of(
        layout(cores=64, l3_cores=4), facts_of_host("AuthenticAMD", 23, 49, "AMD EPYC 7742 64-Core Processor")
    )
    assert chiplets_of(tuple(range(8)), host, 2) == {(0, 0)}
    assert chiplets_of((0, 63), host, 2) == {(0, 0), (0, 7)}
    assert rate(fabric_ceiling(case_on(host, "read", range(8)), host), 2) == 46.94


@pytest.mark.parametrize(("configured", "expected"), [(3200, 51.2), (2666, 42.66), (None, 57.6), (4400, 57.6)])
def test_a_fabric_that_goes_with_the_memory_has_its_clock(configured, expected):
    facts = facts_of_host("AuthenticAMD", 23, 113, "AMD Ryzen 5 3600", memory_configured_mt_s=configured)
    host = host_of(layout(cores=6, l3_cores=3), facts)
    assert rate(fabric_ceiling(case_on(host, "read"), host), 2) == expected


def test_a_virtual_machine_has_a_range_of_chiplets_and_the_upper_end_is_the_ceiling():
    host = host_of(layout(cores=2, l3_cores=2), TURIN_GUEST)
    one, two = (fabric_ceiling(case_on(host, "read", range(count)), host) for count in (1, 2))
    assert (rate(one), rate(two)) == (64.0, 128.0)
    assert "64 GB/s if all CPUs are on one" in two.working
    assert {one.confidence, two.confidence} == {"medium"}


def test_no_link_without_its_caches_no_zeros_over_it_and_none_for_other_lines():
    bare = replace(layout(cores=96), caches=())
    assert fabric_ceiling(case_on(GENOA_HOST, "read"), host_of(bare, GENOA)) is None
    assert fabric_ceiling(case_on(GENOA_HOST, "write", stores="streaming", data="zeros"), GENOA_HOST) is None
    threadripper = host_of(layout(), facts_of_host("AuthenticAMD", 23, 49, "AMD Ryzen Threadripper 3970X"))
    assert fabric_ceiling(case_on(threadripper, "read"), threadripper) is None


def test_a_remote_row_goes_over_the_links_of_the_sockets():
    host = host_of(layout(sockets=2, nodes=2), facts_of_host("GenuineIntel", 6, 106, "Intel(R) Xeon(R) Gold 6330"))

    def found(cpu_node, memory_node, **variant):
        case = case_on(host, "copy" if variant else "read", (0,), cpu_node=cpu_node, memory_node=memory_node, **variant)
        return rate(socket_link_ceiling(case, host))

    assert found(0, 2) == 67.2  # 3 x 11.2 GT/s x 2 B
    assert found(0, 2, stores="streaming") == 134.4  # each way has as much
    assert found(0, 1) is None
    assert found(0, 0) is None
    assert rate(socket_link_ceiling(case_on(host, "read"), host)) is None


# --- a core, its caches ---------------------------------------------------------------------------------------------


def test_lines_in_flight_over_the_latency_that_the_run_measured():
    host = host_of(layout(cores=56), SAPPHIRE)
    case = case_on(host, "read")
    seen = Seen(latencies={(None, None, None): SeenLatency(100.0, is_pure=True)})
    found = core_ceiling(case, host, seen)
    assert (rate(found, 2), found.confidence) == (30.72, "medium")  # 48 x 64 B / 100 ns
    assert rate(core_ceiling(case_on(host, "read", range(4)), host, seen), 2) == 122.88
    assert rate(core_ceiling(case_on(host, "copy", stores="streaming"), host, seen), 2) == 61.44  # half of it is read
    assert core_ceiling(case_on(host, "write", stores="streaming"), host, seen) is None
    walked = Seen(latencies={(None, None, None): SeenLatency(100.0, is_pure=False)})
    assert core_ceiling(case, host, walked).confidence == "low"
    assert core_ceiling(case, host, Seen()) is None  # neither measured nor typical


def test_a_typical_latency_is_of_low_confidence_and_lines_of_the_first_level_alone_are_no_ceiling():
    typical = core_ceiling(case_on(GENOA_HOST, "read"), GENOA_HOST, Seen())
    assert (rate(typical, 1), typical.confidence) == (50.0, "low")  # 64 x 64 B / 82 ns
    host = host_of(layout(), TURIN_GUEST)
    pure = Seen(latencies={(None, None, None): SeenLatency(124.0, is_pure=True)})
    assert core_ceiling(case_on(host, "read"), host, pure) is None


def test_lines_that_a_run_saw_under_way_stand_in_for_the_tables_and_are_of_low_confidence():
    latencies = {(None, None, None): SeenLatency(100.0, is_pure=True)}
    turin = host_of(layout(), TURIN_GUEST)
    found = core_ceiling(case_on(turin, "read"), turin, Seen(latencies=latencies, lines={None: 40.0}))
    assert (rate(found, 2), found.confidence) == (25.6, "low")  # 40 x 64 B / 100 ns
    assert "40 lines (measured)" in found.working
    assert "chains of loads" in found.source
    sapphire = host_of(layout(cores=56), SAPPHIRE)
    fewer, more = (Seen(latencies=latencies, lines={None: lines}) for lines in (16.0, 60.0))
    assert rate(core_ceiling(case_on(sapphire, "read"), sapphire, fewer), 2) == 30.72  # prefetches come on top
    above = core_ceiling(case_on(sapphire, "read"), sapphire, more)
    assert (rate(above, 2), above.confidence) == (38.4, "low")  # the table's figure is wrong


@pytest.mark.parametrize(
    ("path", "size", "variant", "expected"),
    [
        ("read", 16 * KIB, {}, 64 * 4),
        ("write", 16 * KIB, {"stores": "ordinary"}, 32 * 4),
        ("copy", 16 * KIB, {"stores": "ordinary"}, 64 * 4),  # a store a cycle of 32 B, and as much loaded
        ("triad", 16 * KIB, {"stores": "ordinary"}, 96 * 4),
        ("read", 512 * KIB, {}, 32 * 4),
        ("copy", 512 * KIB, {"stores": "ordinary"}, 32 * 4),  # two lines come for one that goes, and two count
        ("write", 512 * KIB, {"stores": "ordinary"}, 32 * 4),
        ("read", 16 * MIB, {}, 32 * 4),
        ("read", 64 * KIB, {}, 64 * 4),  # half may still be in the L1: 32 / (1 - 32/64)
        ("copy", 16 * KIB, {"stores": "streaming"}, 128 * 4),  # only what is loaded is bound here
    ],
)
def test_bytes_a_cycle_of_the_level_that_holds_the_data(path, size, variant, expected):
    found = cache_ceiling(case_on(GENOA_HOST, path, size=size, **variant), GENOA_HOST, 4e9)
    assert (found.kind, rate(found)) == ("cache", expected)


def test_two_ways_that_share_a_path_have_one_width():
    host = host_of(
        layout(cores=18, sizes=(32 * KIB, 256 * KIB, 45 * MIB)), facts_of_host("GenuineIntel", 6, 63, "Xeon")
    )
    found = cache_ceiling(case_on(host, "copy", size=128 * KIB, stores="ordinary"), host, 3e9)
    assert rate(found) == 128.0  # 64 B a cycle for 1.5 bytes moved a byte counted; kerncraft's 42.7 B a cycle


def test_no_ceiling_of_caches_in_memory_without_a_clock_or_for_an_unknown_design():
    assert cache_ceiling(case_on(GENOA_HOST, "read", size=DRAM_BYTES), GENOA_HOST, 4e9) is None
    assert cache_ceiling(case_on(GENOA_HOST, "read", size=KIB), GENOA_HOST, None) is None
    unknown = host_of(layout(), facts_of_host("AuthenticAMD", 99, 1, "AMD Zenith"))
    case = case_on(unknown, "read", size=16 * KIB)
    assert ceilings_of(case, unknown.facts, unknown.catalog, unknown.topology, theory_of(unknown), seen=Seen(4e9)) == ()


def test_a_hybrids_cores_count_each_as_its_own_kind():
    topology = layout(cores=3, l3_cores=3, kinds={"performance": 1, "efficiency": 2})
    host = host_of(topology, facts_of_host("GenuineIntel", 6, 183, "13th Gen Intel(R) Core(TM) i7-13700K"))
    assert rate(cache_ceiling(case_on(host, "read", range(3), size=48 * KIB), host, 4e9)) == (96 + 2 * 32) * 4
    blind = host_of(layout(cores=3, l3_cores=3), host.facts)  # a virtual machine that does not tell them apart
    assert cache_ceiling(case_on(blind, "read", range(3), size=48 * KIB), blind, 4e9) is None


# --- all of them ----------------------------------------------------------------------------------------------------


def test_the_lowest_stands_first_and_the_first_that_is_not_low_binds(make_result):
    case = case_on(GENOA_HOST, "read")
    all_of_it = ceilings_of(
        case, GENOA, GENOA_HOST.catalog, GENOA_HOST.topology, theory_of(GENOA_HOST, "DDR5-4800 x12")
    )
    assert [(one.kind, rate(one)) for one in all_of_it] == [
        ("core", 50.0), ("fabric", 57.6), ("memory", 460.8), ("platform", 460.8),
    ]  # fmt: skip
    result = make_result(case, (DRAM_BYTES / 28.8e9,) * 8, ceilings=all_of_it)
    assert result.binding.kind == "fabric"
    assert summarise(result).share == pytest.approx(0.5)
    assert summarise(replace(result, ceilings=all_of_it[:1])).share is None


def test_a_run_gives_its_clock_and_latency_to_the_results(make_case, make_result):
    host = host_of(layout(cores=56), SAPPHIRE)
    loads = replace(case_on(host, "read"), path="latency", bytes_per_call=512)
    slow = make_result(
        loads,
        (64 * 100e-9,) * 8,
        observed={"clock_hz": Observed(3e9, 3e9, 3.1e9), "huge_page_share": Observed(1, 1, 1)},
    )
    loaded = make_result(replace(loads, variant={"load": "50%"}), (64 * 10e-9,) * 8)
    read, small = make_result(case_on(host, "read")), make_result(case_on(host, "read", size=16 * KIB))
    seen = seen_in((slow, loaded, read))
    assert (seen.clock_hz, seen.latency(loads)) == (3.1e9, SeenLatency(pytest.approx(100.0), is_pure=True))
    chains = [
        make_result(
            replace(loads, bytes_per_call=512 * count, variant={"chains": f"{count}-chains"}), (64e-7 * took,) * 8
        )
        for count, took in ((1, 1.0), (8, 1.0), (16, 1.6))
    ]
    seen = seen_in((slow, *chains))
    assert seen.lines == {None: pytest.approx(10.0)}
    assert seen.latency(loads).ns == pytest.approx(100.0)  # chains have no latency of their own, but the single one
    machine = Machine.read(host.facts, host.topology, theory_of(host))
    own = replace(small, observed={"clock_hz": Observed(2e9, 2e9, 2e9)})
    found = [result.ceilings for result in machine.with_ceilings((slow, read, small, own), ())]
    assert found[0] == ()
    assert {one.kind: rate(one) for one in found[1]} == {"core": 30.7, "platform": 307.2}
    assert [rate(ceilings[0]) for ceilings in found[2:]] == [128 * 3.1, 128 * 2.0]


def test_links_and_devices_have_what_stands_beside_them_already(make_case, make_result):
    host = host_of(layout(), SAPPHIRE)
    link = make_result(
        make_case(target="pcie:0", path="h2d"), theory_bytes_per_s=63e9, theory_source="PCIe 5.0 x16 as negotiated"
    )
    device = make_result(make_case(target="device:0"), theory_bytes_per_s=4.8e12, theory_source="attributes")
    bare = make_result(make_case(target="pcie:0", path="h2d"))
    machine = Machine.read(host.facts, host.topology, theory_of(host))
    found = machine.with_ceilings((link, device, bare), ())
    assert found[0].ceilings == (Ceiling("link", 63e9, "PCIe 5.0 x16 as negotiated", "the link under load", "high"),)
    assert [(one.kind, one.bytes_per_s, one.confidence) for one in found[1].ceilings] == [("device", 4.8e12, "high")]
    assert found[2].ceilings == ()


def test_a_makers_figure_that_is_the_real_ceiling_stands_beside_the_attributes(user_specs, make_case, make_result):
    (user_specs / "cards.toml").write_text(
        '["NVIDIA H200"]\nmaker = "NVIDIA"\nkind = "gpu"\nmemory = "HBM3e 6.4Gbps 6144-bit"\nvendor_gb_s = 4500\n'
        'ceiling = "vendor"\nsource = "a test"\n',
        "utf-8",
    )
    host = host_of(layout(), facts_of_card(gpu()))
    beside = {"theory_bytes_per_s": 4.8e12, "theory_source": "attributes", "vendor_bytes_per_s": 4.5e12}
    result = make_result(make_case(target="device:0"), **beside)
    (found,) = Machine.read(host.facts, host.topology, theory_of(host)).with_ceilings((result,), (gpu(),))
    assert [(one.kind, one.bytes_per_s) for one in found.ceilings] == [("device", 4.5e12), ("device", 4.8e12)]
    assert found.binding.working == "the maker's figure for NVIDIA H200"
