"""Whole ceilings of machines that are not here, from facts as they are captured, through planner and functions.

The golden file holds all ceilings of the cases that say most; BANDWIDTH_WRITE_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from captured_tables import facts_of
from ceiling_hosts import KIB, MIB, layout

from bandwidth.catalog import current_catalog
from bandwidth.ceilings.bounds import Seen, SeenLatency
from bandwidth.ceilings.of_results import ceilings_of
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.topology import Cache, Topology
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions

GOLDEN = Path(__file__).parents[1] / "data" / "ceilings.txt"
FREE = {"memory_available_bytes": 2**42}
SEEN = Seen(4e9, {(None, None, None): SeenLatency(100.0, is_pure=True)})


def modules(
    count: int, kind: str, rated: int, configured: int | None = None, slots: int = 0, sockets: int = 1
) -> list[dict[str, Any]]:
    """The memory devices as dmidecode prints them, in slots that are named after channels."""
    empty = {"size": "No Module Installed"}
    filled = {
        "type": kind, "size": "64 GB", "speed": f"{rated} MT/s", "configured": f"{configured or rated} MT/s",
        "data_width": "64 bits", "total_width": "72 bits", "form_factor": "DIMM",
    }  # fmt: skip
    return [
        {"locator": f"CPU{socket}_DIMM_{chr(65 + number)}1", **(filled if number < count else empty)}
        for socket in range(sockets)
        for number in range(max(slots, count))
    ]


@dataclass(frozen=True)
class Simulated:
    """One machine: how its processor names itself, its layout, its modules, and what else its facts say."""

    name: str
    cpu: str
    cpuid: tuple[str, int | None, int | None]
    topology: Topology
    devices: list[dict[str, Any]] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)
    sweep_sizes: tuple[int, ...] = (16 * KIB, 512 * KIB, 8 * MIB)

    def facts(self) -> Facts:
        """Its facts, its modules judged as those of this machine are."""
        captured = {"cpu": self.cpu, "sockets": self.topology.sockets, "smbios_length": 92, "devices": self.devices}
        judged = facts_of(captured) if self.devices else Facts({})
        vendor, family, model = self.cpuid
        own = {"cpu_vendor": vendor, "cpu_family": family, "cpu_model_number": model, "cpu_model": self.cpu, **FREE}
        known = {key: value for key, value in {**own, **self.others}.items() if value is not None}
        return Facts({**judged, **{key: Fact(value, "captured", "read") for key, value in known.items()}})


def hybrid_laptop() -> Topology:
    """Six performance and eight efficiency cores around one L3, the efficiency cores four to an L2."""
    topology = layout(cores=14, l3_cores=14, kinds={"performance": 6, "efficiency": 8})
    fast = [Cache(1, 48 * KIB, frozenset({cpu})) for cpu in range(6)] + [
        Cache(2, 1280 * KIB, frozenset({cpu})) for cpu in range(6)
    ]
    slow = [Cache(1, 32 * KIB, frozenset({cpu})) for cpu in range(6, 14)] + [
        Cache(2, 2 * MIB, frozenset(range(first, first + 4))) for first in (6, 10)
    ]
    kinds = (("performance", 6), ("efficiency", 8))
    return replace(topology, caches=(*fast, *slow, Cache(3, 24 * MIB, frozenset(range(14)))), cores_by_kind=kinds)


def mac() -> Topology:
    """Eight performance and four efficiency cores, of which some share an L2 each and none an L3."""
    topology = layout(cores=12, l3_cores=12, kinds={"performance": 8, "efficiency": 4})
    caches = [Cache(1, 128 * KIB if cpu < 8 else 64 * KIB, frozenset({cpu})) for cpu in range(12)]
    clusters = ((0, 4, 16), (4, 8, 16), (8, 12, 4))
    caches += [Cache(2, size * MIB, frozenset(range(first, end))) for first, end, size in clusters]
    return replace(topology, caches=tuple(caches), cores_by_kind=(("performance", 8), ("efficiency", 4)))


def numbers(vendor: str, family: int, model: int) -> tuple[str, int, int]:
    return vendor, family, model


EPYC = numbers("AuthenticAMD", 25, 17)
XEON = numbers("GenuineIntel", 6, 143)
MACHINES = (
    Simulated(
        "EPYC with 96 cores and 12 channels",
        "AMD EPYC 9654 96-Core Processor",
        EPYC,
        layout(cores=96),
        modules(12, "DDR5", 4800),
    ),
    Simulated(
        "the same with 11 modules at 4400 MT/s",
        "AMD EPYC 9654 96-Core Processor",
        EPYC,
        layout(cores=96),
        modules(11, "DDR5", 4800, 4400, slots=12),
    ),
    Simulated(
        "Ryzen with one chiplet",
        "AMD Ryzen 7 7700 8-Core Processor",
        numbers("AuthenticAMD", 25, 97),
        layout(cores=8),
        modules(2, "DDR5", 5200),
    ),
    Simulated(
        "Ryzen with two chiplets, memory faster than documented",
        "AMD Ryzen 9 7950X 16-Core Processor",
        numbers("AuthenticAMD", 25, 97),
        layout(cores=16),
        modules(2, "DDR5", 6000),
    ),
    Simulated(
        "Xeon with two sockets and four nodes each (SNC)",
        "Intel(R) Xeon(R) Platinum 8480+",
        XEON,
        layout(sockets=2, cores=56, l3_cores=14, nodes=4, sizes=(48 * KIB, 2 * MIB, 27 * MIB)),
        modules(8, "DDR5", 4800, sockets=2),
    ),
    Simulated(
        "hybrid laptop",
        "12th Gen Intel(R) Core(TM) i7-12700H",
        numbers("GenuineIntel", 6, 154),
        hybrid_laptop(),
        [
            {**device, "locator": f"Controller{number}-ChannelA-DIMM0", "form_factor": "SODIMM"}
            for number, device in enumerate(modules(2, "DDR5", 4800))
        ],
    ),
    Simulated("Mac", "Apple M2 Max", ("Apple", None, None), mac()),
    Simulated(
        "Graviton behind a virtual machine",
        "ARM Neoverse-V1",
        ("ARM", None, 0xD40),
        layout(cores=16, l3_cores=16, sizes=(64 * KIB, MIB, 32 * MIB)),
        others={
            "system_vendor": "Amazon EC2",
            "product_name": "m7g.4xlarge",
            "virtualization": "Amazon EC2",
        },
    ),
    Simulated(
        "virtual EPYC with two CPUs",
        "AMD EPYC",
        numbers("AuthenticAMD", 26, 2),
        layout(cores=2, l3_cores=2, sizes=(48 * KIB, MIB, 32 * MIB)),
        others={"virtualization": "hypervisor"},
    ),
    Simulated("unknown processor", "Zenith 9", ("ZenithInc", 1, 1), layout(cores=4, l3_cores=4)),
)


def cases(machine: Simulated, facts: Facts):
    """The cases that say most: the table's by all and one, a point of each level, and of the matrix a remote pair."""
    table = make_plan(
        MeasureOptions(target="host", kernels=("read", "write", "copy"), engines=("native",)), facts, machine.topology
    )
    yield from (one for one in table.cases if not one.case.is_size_check and _says_much(one.case))
    sweep = MeasureOptions(target="host", sweep="size", threads=("1",), kernels=("read", "copy"), engines=("native",))
    points = make_plan(sweep, facts, machine.topology)
    yield from (one for one in points.cases if one.case.variant["sweep_point"] in machine.sweep_sizes)
    if machine.topology.sockets > 1:
        matrix = make_plan(MeasureOptions(target="host", numa=True, engines=("native",)), facts, machine.topology)
        last = machine.topology.nodes[-1]
        nodes = ((0, 0), (0, last))
        yield from (one for one in matrix.cases if _nodes_of(one.case) in nodes and one.case.path == "read")


def _says_much(case):
    """Whether a case is none of those that differ little from another."""
    return case.path == "read" or (
        "cores" not in case.variant and (case.path, case.variant["stores"]) != ("write", "ordinary")
    )


def _nodes_of(case):
    return case.variant.get("cpu_node"), case.variant.get("memory_node")


def told(machine: Simulated) -> str:
    """All ceilings of a machine's cases, one a line."""
    facts, lines = machine.facts(), [f"# {machine.name}: {machine.cpu}"]
    theory = make_plan(MeasureOptions(target="host", kernels=("read",)), facts, machine.topology).theory
    for planned in cases(machine, facts):
        found = ceilings_of(planned.case, facts, current_catalog(), machine.topology, theory, seen=SEEN)
        assert [one.bytes_per_s for one in found] == sorted(one.bytes_per_s for one in found)
        memory = [one for one in found if one.kind == "memory"]
        assert bool(memory) == (planned.theory_bytes_per_s is not None)
        lines.append(f"{planned.case.id}, {planned.case.threads} threads" if not found else planned.case.id)
        lines += [
            f"  {one.kind:<11} {one.bytes_per_s / 1e9:9.2f} GB/s  {one.confidence:<6}  {one.working}" for one in found
        ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def text() -> str:
    return "\n".join(told(machine) for machine in MACHINES)


def test_the_ceilings_of_simulated_machines_are_those_of_the_golden_file(text):
    if os.environ.get("BANDWIDTH_WRITE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")
