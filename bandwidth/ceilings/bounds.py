"""What every ceiling is made of: the bytes that a case moves, the machine that it runs on, and what a run saw of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from bandwidth.catalog import Catalog
from bandwidth.catalog.limits import CloudInstance, Microarchitecture
from bandwidth.catalog.model import Device
from bandwidth.catalog.recognition import Processor
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS, kernel_of, stores_of
from bandwidth.machine.facts import Facts
from bandwidth.machine.processor import NO_VIRTUALIZATION
from bandwidth.machine.topology import Core, Topology
from bandwidth.results import Case
from bandwidth.theory import Peak, peak
from bandwidth.vocabulary import GIGA, HIGH, LOW, MEDIUM, ORDINARY, STREAMING, ZEROS, Confidence

# What QEMU calls the processors that it makes up (model_id in its target/i386/cpu.c): the numbers beside such a name
# are made up too, and the real processor may be any later one, of another maker even.
_MADE_UP = re.compile(
    r"(?:QEMU|Common (?:32-bit )?KVM)\b.*"
    r"|(?:Intel (?:Core|Xeon|Atom|Celeron)|Westmere|AMD Opteron)\b.*\([A-Z][a-z]+.*\)"
    r"|AMD EPYC(?:-[A-Z][a-z]+(?:-v[0-9]+)?)? Processor(?: \(with IBPB\))?"
    r"|Hygon Dhyana Processor",
    re.ASCII,
)
_CONFIDENCES = (HIGH, MEDIUM, LOW)


class Expected(NamedTuple):
    """The theory beside a case and the maker's figure, in bytes per second, None where they are not known.

    `source` says where the theory is from, None without one.
    """

    bytes_per_s: float | None = None
    source: str | None = None
    vendor_bytes_per_s: float | None = None


NOT_KNOWN = Expected()


@dataclass(frozen=True)
class Traffic:
    """The bytes that a case reads and writes for each byte that its rate counts."""

    read: float
    write: float

    def most(self, read: float | None = None, write: float | None = None, both: float | None = None) -> float | None:
        """Return the highest counted rate where so much can be read, written and moved in all, in bytes per second.

        None stands for what has no limit, and is returned where nothing that the case moves has one.
        """
        pairs = ((read, self.read), (write, self.write), (both, self.read + self.write))
        found = [limit / share for limit, share in pairs if limit is not None and share > 0]
        return min(found, default=None)

    @property
    def words(self) -> str:
        """How it stands in a working: nothing where each byte is counted once and goes one way."""
        if (self.read, self.write) in ((1.0, 0.0), (0.0, 1.0)):
            return ""
        return f"; per counted byte, {self.read:.3g} read and {self.write:.3g} written"


def traffic_of(case: Case, *, allocates: bool) -> Traffic | None:
    """Return what a host's case moves; `allocates`: an ordinary store reads its line first. None for what moves none.

    Of NumPy's stores it is not known whether they do; the least is taken, as a ceiling has to hold in any case.
    """
    if case.is_latency:
        return None
    try:
        kernel = kernel_of(case.path, case.variant)
    except KeyError:
        return None
    counted = kernel.arrays + kernel.updates
    reads = kernel.reads + kernel.updates
    if allocates and stores_of(case.variant) == ORDINARY and not kernel.updates:
        reads += kernel.writes
    return Traffic(reads / counted, kernel.writes / counted)


def stores_past_caches(case: Case) -> bool:
    """Return whether a case writes past the caches."""
    return stores_of(case.variant) == STREAMING and KERNELS[kernel_of(case.path, case.variant).name].writes > 0


def is_of_zeros(case: Case) -> bool:
    """Return whether a case writes only zeros, which some processors do without moving them."""
    return case.variant.get("data") == ZEROS


def is_made_up(name: str) -> bool:
    """Return whether a processor's name is one that QEMU gives, which tells nothing of the real one."""
    return _MADE_UP.fullmatch(name.strip()) is not None


def lower(one: Confidence, other: Confidence) -> Confidence:
    """Return the lower one of two confidences."""
    return max(one, other, key=_CONFIDENCES.index)


def gb_s(bytes_per_s: float) -> str:
    """Return a rate in GB/s as a working has it."""
    return f"{bytes_per_s / GIGA:.4g} GB/s"


def device_of(facts: Facts, catalog: Catalog) -> Device | None:
    """Return the catalog's entry of a machine's processor, None where it has none or the processor is made up.

    Raises BandwidthError for an entry that is not as it should be.
    """
    family, model = facts.integer("cpu_family"), facts.integer("cpu_model_number")
    name = facts.text("cpu_model") or ""
    if is_made_up(name):
        return None
    return catalog.devices.processor(
        facts.text("cpu_vendor") or "", -1 if family is None else family, -1 if model is None else model, name
    )


@dataclass(frozen=True, eq=False)  # one is itself: what was found for it is kept under it
class Host:
    """The machine that the host's cases run on: its facts and layout, and the catalog that knows its processor."""

    facts: Facts
    topology: Topology
    catalog: Catalog

    @cached_property
    def is_virtual(self) -> bool:
        """Whether it is a virtual machine, as far as it is told."""
        return (self.facts.text("virtualization") or NO_VIRTUALIZATION) != NO_VIRTUALIZATION

    def processor(self, kind: str = "") -> Processor:
        """Return what tells its processor from others, for cores of one kind; nothing where QEMU made it up."""
        if is_made_up(self.facts.text("cpu_model") or ""):
            return Processor("", None, None, "", kind)
        return Processor(
            self.facts.text("cpu_vendor") or "",
            self.facts.integer("cpu_family"),
            self.facts.integer("cpu_model_number"),
            self.facts.text("cpu_model") or "",
            kind,
        )

    @cached_property
    def device(self) -> Device | None:
        """The catalog's entry of its processor. Raises BandwidthError for one that is not as it should be."""
        return device_of(self.facts, self.catalog)

    @cached_property
    def instance(self) -> CloudInstance | None:
        """The family of a cloud's instances that the firmware names, None for what no table has."""
        vendor, product = (self.facts.text(name) or "" for name in ("system_vendor", "product_name"))
        return self.catalog.limits.cloud_instance(vendor, product)

    @cached_property
    def designs(self) -> dict[str, Microarchitecture]:
        """The microarchitecture of each kind of its cores that is known, by the kind ("" where all are alike)."""
        cores = tuple(self.catalog.arm_cores.values())
        found = {}
        for kind in {core.kind for core in self.topology.cores}:
            design = self.catalog.limits.microarchitecture(self.processor(kind), cores)
            if design is not None:
                found[kind] = design
        return found

    def peak_of(self, place: str, spec: str, kind: str) -> Peak | None:
        """Return the peak of a table's SPEC; one that is none of its kind is noted with its place, and None."""
        try:
            found = peak(spec)
        except BandwidthError as error:
            self.catalog.folders.note_broken(BandwidthError(f"{place}: {error.message}", error.hint))
            return None
        if found.kind != kind:
            wrong = BandwidthError(f"{place}: {spec!a} is not a {kind}", f"name a {kind}")
            self.catalog.folders.note_broken(wrong)
            return None
        return found

    def cores_of(self, case: Case) -> tuple[Core, ...]:
        """Return the cores that a case works on."""
        return _cores_of(self, case.cpus)

    def designs_of(self, case: Case) -> dict[Microarchitecture, int]:
        """Return how many cores of each design a case works on; nothing where one of them is not known."""
        kinds = Counter(core.kind for core in self.cores_of(case))
        if not kinds.keys() <= self.designs.keys():
            return {}
        counts: dict[Microarchitecture, int] = {}
        for kind, count in kinds.items():
            design = self.designs[kind]
            counts[design] = counts.get(design, 0) + count
        return counts

    def allocates(self, case: Case) -> bool:
        """Return whether all cores of a case are known to read a line before an ordinary store changes it."""
        designs = self.designs_of(case)
        return bool(designs) and all(design.allocates is True for design in designs)

    def traffic(self, case: Case) -> Traffic | None:
        """Return what a case moves between the caches and the memory; None for what moves none."""
        return traffic_of(case, allocates=self.allocates(case))


# All cases of a run work on a few sets of CPUs.
@lru_cache(maxsize=256)
def _cores_of(host: Host, cpus: tuple[int, ...]) -> tuple[Core, ...]:
    wanted = set(cpus)
    return tuple(core for core in host.topology.cores if not wanted.isdisjoint(core.cpus))


@dataclass(frozen=True)
class SeenLatency:
    """A latency of the memory that a run measured; `is_pure`: with huge pages, so that no page walk is in it."""

    ns: float
    is_pure: bool


@dataclass(frozen=True)
class Seen:
    """What a run saw: the highest clock of a core, and the latencies without load by (kind, CPU's node, memory's).

    `lines` are how many lines a core of a kind had under way where it followed as many chains of loads as it can.
    """

    clock_hz: float | None = None
    latencies: Mapping[tuple[object, object, object], SeenLatency] = field(default_factory=dict)
    lines: Mapping[object, float] = field(default_factory=dict)

    def lines_of(self, kind: str) -> float | None:
        """Return the lines of a core of some kind, None where no chains were followed on one."""
        return self.lines.get(kind or None, self.lines.get(None))

    def latency(self, case: Case) -> SeenLatency | None:
        """Return the latency of where a case's memory is, as its cores see it."""
        kind, cpu_node, memory_node = place = place_of(case)
        found = self.latencies.get(place) or self.latencies.get((None, cpu_node, memory_node))
        if found is None and cpu_node == memory_node:
            return self.latencies.get((kind, None, None)) or self.latencies.get((None, None, None))
        return found


def place_of(case: Case) -> tuple[object, object, object]:
    """Return which kind of core a case is for, and its nodes; None where it names none."""
    return case.variant.get("cores"), case.variant.get("cpu_node"), case.variant.get("memory_node")
