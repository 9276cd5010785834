"""What processors can move at most, beside their memory: the tables of specs/ that the ceilings are worked out from.

Microarchitectures with the widths of their caches and the lines that they keep in flight, the links of chiplets and of
sockets, and the memory behind a cloud's instances. What no table has is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from bandwidth.catalog.folders import Folders
from bandwidth.catalog.keyed_tables import (
    UNKNOWN,
    KeyedTable,
    choice_cell,
    confidence_cell,
    number_cell,
    optional_number_cell,
    text_cell,
    whole_cell,
)
from bandwidth.catalog.processors import ArmCore
from bandwidth.catalog.recognition import (
    CpuId,
    Name,
    Processor,
    arm_part_cell,
    cpuid_cell,
    name_cell,
    optional_pattern_cell,
    pattern_cell,
    several_cells,
)
from bandwidth.vocabulary import Confidence

CORE_CLOCK, OTHER_CLOCK = "core", "other"
_COUPLED = re.compile(r"memory<=([0-9]{3,5})", re.ASCII)
_MOST_CHIPLETS = re.compile(r"<=([0-9]{1,3})", re.ASCII)


@dataclass(frozen=True)
class Microarchitecture:
    """A design of cores. See specs/microarchitectures.tsv; `allocates` is None where it is not known."""

    name: str
    cpuids: tuple[CpuId, ...]
    arm_parts: tuple[tuple[int, int], ...]
    names: tuple[Name, ...]
    line_bytes: int
    allocates: bool | None
    source: str

    def fits(self, processor: Processor, arm_cores: Iterable[ArmCore]) -> bool:
        """Return whether a processor's cores, of its kind, are of this design."""
        if any(cpuid.kind == processor.kind and cpuid.fits(processor) for cpuid in self.cpuids):
            return True
        wanted = set(self.arm_parts)
        parts = {(core.vendor, core.part) for core in arm_cores if (core.implementer, core.part) in wanted}
        if (processor.vendor, processor.model) in parts and not processor.kind:
            return True
        return any(name.kind == processor.kind and name.pattern.match(processor.plain_name) for name in self.names)


@dataclass(frozen=True)
class CacheWidth:
    """Bytes a cycle of one core to and from one level of its caches; None where not known, or not shared (`total`)."""

    microarchitecture: str
    level: str
    load: float | None
    store: float | None
    total: float | None
    clock: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class LinesInFlight:
    """How many lines a core waits for at a time, behind its L1 and behind its L2; the memory's typical latency."""

    microarchitecture: str
    l1: float | None
    l2: float | None
    latency_ns: float | None
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class FabricClock:
    """The clock of a fabric in MHz; `is_coupled`: it is the memory's clock, and this is the most it can be."""

    mhz: float
    is_coupled: bool = False


@dataclass(frozen=True)
class ChipletLink:
    """What joins a chiplet to its processor, in bytes a clock. See specs/chiplet_links.tsv."""

    name: str
    cpuids: tuple[CpuId, ...]
    names: re.Pattern[str] | None
    most_chiplets: int | None
    l3_caches: int
    read: float
    write: float
    clock: FabricClock
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class SocketLink:
    """What joins two sockets: all their links as a SPEC."""

    name: str
    cpuids: tuple[CpuId, ...]
    names: re.Pattern[str] | None
    link: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class CloudInstance:
    """A family of a cloud's instances: the processor of the host and the memory of one of its sockets, as a SPEC."""

    name: str
    vendor: str
    product: re.Pattern[str]
    host: str
    memory: str
    source: str
    confidence: Confidence


class Limits:
    """The tables of one catalog, each read when it is first asked for. Each raises BandwidthError for a bad own one."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    @cached_property
    def microarchitectures(self) -> tuple[Microarchitecture, ...]:
        """Every microarchitecture."""
        return _MICROARCHITECTURES.read(self._folders)

    @cached_property
    def cache_widths(self) -> dict[tuple[str, str], CacheWidth]:
        """The widths of caches by microarchitecture and level."""
        return {(one.microarchitecture, one.level): one for one in _CACHE_WIDTHS.read(self._folders)}

    @cached_property
    def lines_in_flight(self) -> dict[str, LinesInFlight]:
        """The lines in flight by microarchitecture."""
        return {one.microarchitecture: one for one in _LINES.read(self._folders)}

    @cached_property
    def chiplet_links(self) -> tuple[ChipletLink, ...]:
        """The links of chiplets, exceptions before their rule."""
        return _CHIPLET_LINKS.read(self._folders)

    @cached_property
    def socket_links(self) -> tuple[SocketLink, ...]:
        """The links between sockets."""
        return _SOCKET_LINKS.read(self._folders)

    @cached_property
    def cloud_instances(self) -> tuple[CloudInstance, ...]:
        """The families of instances."""
        return _CLOUD_INSTANCES.read(self._folders)

    def microarchitecture(self, processor: Processor, arm_cores: Iterable[ArmCore]) -> Microarchitecture | None:
        """Return the design of a processor's cores, None for one that no table has."""
        cores = tuple(arm_cores)
        return next((one for one in self.microarchitectures if one.fits(processor, cores)), None)

    def chiplet_link(self, processor: Processor, chiplets: int | None) -> ChipletLink | None:
        """Return the link of a processor's chiplets, of which a socket has so many; None where no table has it.

        Where the number is not known, one that is said of a certain number only is passed over.
        """
        for link in self.chiplet_links:
            fits_number = link.most_chiplets is None or (chiplets is not None and chiplets <= link.most_chiplets)
            if fits_number and _is_of_line(link, processor):
                return link
        return None

    def socket_link(self, processor: Processor) -> SocketLink | None:
        """Return the links between a processor's sockets, None where no table has them."""
        return next((link for link in self.socket_links if _is_of_line(link, processor)), None)

    def cloud_instance(self, vendor: str, product: str) -> CloudInstance | None:
        """Return the family of the instance that the firmware names, None where no table has it."""
        found = (one for one in self.cloud_instances if one.vendor == vendor and one.product.fullmatch(product))
        return next(found, None)


def _is_of_line(link: ChipletLink | SocketLink, processor: Processor) -> bool:
    if link.names is not None and not link.names.match(processor.plain_name):
        return False
    return any(cpuid.fits(processor) for cpuid in link.cpuids)


# --- cells ----------------------------------------------------------------------------------------------------------


def _most_chiplets(cell: str) -> int | None:
    if cell == UNKNOWN:
        return None
    match = _MOST_CHIPLETS.fullmatch(cell)
    if match is None:
        raise ValueError(f"{cell[:60]!a} does not look like `<=4`")
    return int(match[1])


def _fabric_clock(cell: str) -> FabricClock:
    match = _COUPLED.fullmatch(cell)
    return FabricClock(float(match[1]), is_coupled=True) if match else FabricClock(number_cell(cell))


def _allocates(cell: str) -> bool | None:
    return {"yes": True, "no": False, UNKNOWN: None}[choice_cell("yes", "no", UNKNOWN)(cell)]


def _fault_of_microarchitecture(one: Microarchitecture) -> str:
    return "" if one.cpuids or one.arm_parts or one.names else "cpuids: the entry has no way to be recognised"


def _fault_of_width(one: CacheWidth) -> str:
    return "" if one.load or one.store else "load: either load or store is needed"


def _fault_of_lines(one: LinesInFlight) -> str:
    return "" if one.l1 or one.l2 else "l1: either l1 or l2 is needed"


def _fault_of_line(one: ChipletLink | SocketLink) -> str:
    return "" if one.cpuids else "cpuids: it is empty"


# --- tables ---------------------------------------------------------------------------------------------------------

_MICROARCHITECTURES = KeyedTable(
    "microarchitectures.tsv",
    {
        "name": text_cell,
        "cpuids": several_cells(cpuid_cell),
        "arm_parts": several_cells(arm_part_cell),
        "names": several_cells(name_cell),
        "line_bytes": whole_cell,
        "allocates": _allocates,
        "source": text_cell,
    },
    Microarchitecture,
    fault_of=_fault_of_microarchitecture,
)
_CACHE_WIDTHS = KeyedTable(
    "cache_widths.tsv",
    {
        "microarchitecture": text_cell,
        "level": choice_cell("L1", "L2", "L3", "L4"),
        "load": optional_number_cell,
        "store": optional_number_cell,
        "total": optional_number_cell,
        "clock": choice_cell(CORE_CLOCK, OTHER_CLOCK),
        "source": text_cell,
        "confidence": confidence_cell,
    },
    CacheWidth,
    key_length=2,
    fault_of=_fault_of_width,
)
_LINES = KeyedTable(
    "lines_in_flight.tsv",
    {
        "microarchitecture": text_cell,
        "l1": optional_number_cell,
        "l2": optional_number_cell,
        "latency_ns": optional_number_cell,
        "source": text_cell,
        "confidence": confidence_cell,
    },
    LinesInFlight,
    fault_of=_fault_of_lines,
)
_CHIPLET_LINKS = KeyedTable(
    "chiplet_links.tsv",
    {
        "name": text_cell,
        "cpuids": several_cells(cpuid_cell),
        "names": optional_pattern_cell,
        "most_chiplets": _most_chiplets,
        "l3_caches": whole_cell,
        "read": number_cell,
        "write": number_cell,
        "clock": _fabric_clock,
        "source": text_cell,
        "confidence": confidence_cell,
    },
    ChipletLink,
    fault_of=_fault_of_line,
)
_SOCKET_LINKS = KeyedTable(
    "socket_links.tsv",
    {
        "name": text_cell,
        "cpuids": several_cells(cpuid_cell),
        "names": optional_pattern_cell,
        "link": text_cell,
        "source": text_cell,
        "confidence": confidence_cell,
    },
    SocketLink,
    fault_of=_fault_of_line,
)
_CLOUD_INSTANCES = KeyedTable(
    "cloud_instances.tsv",
    {
        "name": text_cell,
        "vendor": text_cell,
        "product": pattern_cell,
        "host": text_cell,
        "memory": text_cell,
        "source": text_cell,
        "confidence": confidence_cell,
    },
    CloudInstance,
)
