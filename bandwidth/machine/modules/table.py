"""The memory modules: what is in the slots, how fast it runs, and on how many channels.

On Linux two sources: udev's database, which any user may read, and the raw SMBIOS table, which needs root and knows
more types; on macOS and Windows a command. Serial numbers and asset tags stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bandwidth.catalog import current_catalog
from bandwidth.catalog.entries import FAMILIES_FILE
from bandwidth.catalog.processors import ProcessorFamily
from bandwidth.machine.facts import DERIVED, READ, Fact, Facts, Json, known
from bandwidth.machine.modules.by_command import (
    PHYSICAL_MEMORY,
    SYSTEM_PROFILER,
    parse_physical_memory,
    parse_system_profiler,
)
from bandwidth.machine.modules.channels import count_channels, sockets_with_modules
from bandwidth.machine.modules.speed_and_width import Speed, configured_speed, ddr_width, lpddr_width, rated_speed
from bandwidth.machine.processor import NO_CONTAINER, NO_VIRTUALIZATION
from bandwidth.machine.reader import Reader, whole_number
from bandwidth.machine.smbios import Module, parse_memory_devices, plausible_mt_s, plausible_width_bits

UDEV_DATABASE = "/run/udev/data/+dmi:id"
SMBIOS_FOLDER = "/sys/firmware/dmi/tables"
SMBIOS_TABLE = f"{SMBIOS_FOLDER}/DMI"
_BY_COMMAND = {
    "Darwin": (SYSTEM_PROFILER, parse_system_profiler, "system_profiler SPMemoryDataType"),
    "Windows": (PHYSICAL_MEMORY, parse_physical_memory, "Win32_PhysicalMemory"),
}
# Amazon fills in the type and rated speed of its hosts' modules; Azure, Google, Alibaba and others state nothing.
TELLS_OF_ITS_HOST = "Amazon EC2"
_ANY_SOURCE = "the sources of memory modules"
_BOTH_SOURCES = f"{SMBIOS_TABLE}, {UDEV_DATABASE}"

T = TypeVar("T")

_NAME = re.compile(r"E:MEMORY_DEVICE_([0-9]{1,4})_([A-Z_]{1,64})=(.{0,200})", re.ASCII)
_MODULE_TYPE = re.compile(r"(?:LP)?DDR[2-9]?|LPDDR[4-9]X|DDR2 FB-DIMM|FBD2|HBM[2-9]?")
# systemd's table of types may end at HBM2: it writes this for DDR5, LPDDR5 and HBM3.
_UNKNOWN_TO_UDEV = "<OUT OF SPEC>"


@dataclass(frozen=True)
class ModuleTable:
    """All slots that the firmware lists, and the file they came from; without any, the reason in plain words.

    `disagreement` says in words how another readable source differs, empty where none does.
    """

    slots: tuple[Module, ...]
    source: str
    reason: str = ""
    disagreement: str = ""

    @property
    def modules(self) -> tuple[Module, ...]:
        """Return the slots that hold a module."""
        return tuple(slot for slot in self.slots if slot.populated)

    @property
    def lists_empty_slots(self) -> bool:
        """Return whether each slot has an entry: Windows leaves out the empty ones, Apple silicon has no slots."""
        return self.source != _BY_COMMAND["Windows"][2] and any(slot.locator for slot in self.slots)


def read_modules(reader: Reader, machine: Facts) -> ModuleTable:
    """Return the modules; `machine` tells whether this is a virtual machine, whose table is its hypervisor's idea."""
    virtual = machine.text("virtualization") or NO_VIRTUALIZATION
    if virtual not in (NO_VIRTUALIZATION, TELLS_OF_ITS_HOST):
        return ModuleTable((), "", _virtual_reason(virtual))
    if reader.system != "Linux":
        return _from_command(reader)
    raw, udev = _from_smbios(reader), _from_udev(reader)
    for table in (raw, udev):
        if table.modules and not table.reason:
            return replace(table, disagreement=_disagreement(raw, udev))
    return ModuleTable((), "", raw.reason or udev.reason or _why_not(reader, machine))


def module_facts(reader: Reader, machine: Facts) -> dict[str, Fact]:
    """Return the facts about this machine's modules; see `facts_of_table`."""
    return facts_of_table(read_modules(reader, machine), machine)


def facts_of_table(table: ModuleTable, machine: Facts) -> dict[str, Fact]:
    """Return the facts about the modules of a table, or `memory_modules_reason` alone: why there are none.

    `machine` tells what the modules are held against: `cpu_model`, `cpu_vendor`, `cpu_family`, `cpu_model_number`
    and `sockets`, as far as they are known.

    `memory_channels` counts the channels of DDR that hold a module, over all sockets, `memory_channels_with_slots`
    those of the board and `memory_channels_possible` those of the processors; where nothing tells beyond doubt,
    `memory_channels_range` gives the least and the most. `memory_width_bits` is the data width of all channels
    together, ECC apart. `memory_notes` says what was taken beside the firmware's plain words, `memory_doubt` why a
    figure is not given. Of a virtual machine there are no modules: on EC2 `memory_type` and `memory_rated_mt_s` are
    the host's. `memory_modules_disagreement` says
    in words what each of two sources says, where they differ; the other facts are the SMBIOS table's then.
    """
    virtual = machine.text("virtualization") or NO_VIRTUALIZATION
    if virtual != NO_VIRTUALIZATION:
        return _facts_of_guest(table, virtual)
    if not table.modules:
        return known("memory_modules_reason", table.reason, table.source or _ANY_SOURCE)
    listed: Json = [module.to_json() for module in table.modules]
    return {
        **known("memory_modules", listed, table.source),
        **known("memory_modules_disagreement", table.disagreement or None, _BOTH_SOURCES, DERIVED),
        **known("memory_slots", len(table.slots) if table.lists_empty_slots else None, table.source),
        **known("memory_type", _common([module.type for module in table.modules]), table.source),
        **known("memory_ranks", _common([module.ranks for module in table.modules]), table.source),
        **_speeds_and_amount(table, machine),
    }


def _facts_of_guest(table: ModuleTable, virtual: str) -> dict[str, Fact]:
    """Return why a virtual machine's modules cannot be known; on EC2 with what the table says of the host's memory."""
    source = table.source or _ANY_SOURCE
    if virtual != TELLS_OF_ITS_HOST:
        return known("memory_modules_reason", _virtual_reason(virtual), source)
    kind = _common([module.type for module in table.modules])
    rated = rated_speed(table.modules, None).mt_s
    if not table.modules or kind is None:
        lack = f": {table.reason}" if table.reason else ""
        return known("memory_modules_reason", f"{_virtual_reason(virtual)}{lack}", source)
    words = kind if rated is None else f"{kind}-{rated}"
    reason = (
        f"this is a virtual machine ({virtual}): its table states {words} for the host's memory, but not the channels"
    )
    return {
        **known("memory_modules_reason", reason, source),
        **known("memory_type", kind, f"{source}, of the instance's host"),
        **known("memory_rated_mt_s", rated, f"{source}, of the instance's host"),
    }


def _virtual_reason(virtual: str) -> str:
    named = "" if virtual == "hypervisor" else f" ({virtual})"
    return f"this is a virtual machine{named}: its memory modules cannot be seen"


def _from_smbios(reader: Reader) -> ModuleTable:
    slots = parse_memory_devices(reader.data(SMBIOS_TABLE) or b"")
    return judged_table(slots, SMBIOS_TABLE)


def _from_udev(reader: Reader) -> ModuleTable:
    return judged_table(parse_udev(reader.text(UDEV_DATABASE) or ""), UDEV_DATABASE)


def _from_command(reader: Reader) -> ModuleTable:
    """Return the table of macOS or Windows."""
    if reader.system not in _BY_COMMAND:
        return ModuleTable((), "", f"reading the memory modules is not supported on {reader.system or 'this system'}")
    command, parse, source = _BY_COMMAND[reader.system]
    table = judged_table(parse(reader.run(*command) or ""), source)
    if table.modules or table.reason:
        return table
    return ModuleTable((), source, f"{source} lists no memory module on this {reader.system} machine")


def _disagreement(raw: ModuleTable, udev: ModuleTable) -> str:
    """Return what the SMBIOS table and udev's database each say, empty where they agree or one says nothing.

    udev's was read from the same table at the start of the machine: where they differ, one is out of date or wrong.
    """
    if not raw.modules or not udev.modules:
        return ""
    pairs = zip(_statements(raw), _statements(udev), strict=True)
    differing = [(one, other) for one, other in pairs if one and other and one != other]
    if not differing:
        return ""
    ours, theirs = (", ".join(words) for words in zip(*differing, strict=True))
    return f"the SMBIOS table states {ours}; udev's database states {theirs}"


def _statements(table: ModuleTable) -> tuple[str, str, str]:
    """Return the number of modules and their speeds in words; empty where a speed is not stated for all of them."""
    count = len(table.modules)
    return (
        f"{count} {'module' if count == 1 else 'modules'}",
        _speeds("rated for", [module.rated_mt_s for module in table.modules]),
        _speeds("configured to", [module.configured_mt_s for module in table.modules]),
    )


def _speeds(words: str, speeds: Sequence[int | None]) -> str:
    distinct = sorted({speed for speed in speeds if speed is not None})
    return "" if None in speeds else f"{words} {' and '.join(map(str, distinct))} MT/s"


def parse_udev(text: str) -> tuple[Module, ...]:
    """Return the slots of udev's database, which systemd's dmi_memory_id fills from SMBIOS (since systemd 248)."""
    devices: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        match = _NAME.fullmatch(line)
        if match is not None:
            devices.setdefault(int(match[1]), {})[match[2]] = match[3].strip()
    return tuple(_udev_module(devices[index]) for index in sorted(devices))


def _udev_module(fields: dict[str, str]) -> Module:
    size = whole_number(fields.get("SIZE"))
    return Module(
        locator=fields.get("LOCATOR") or None,
        bank_locator=fields.get("BANK_LOCATOR") or None,
        type=fields.get("TYPE") or None,
        size_bytes=size or None,
        data_width_bits=plausible_width_bits(whole_number(fields.get("DATA_WIDTH"))),
        rated_mt_s=plausible_mt_s(whole_number(fields.get("SPEED_MTS"))),
        configured_mt_s=plausible_mt_s(whole_number(fields.get("CONFIGURED_SPEED_MTS"))),
        form_factor=None if (form := fields.get("FORM_FACTOR")) in ("Unknown", "Other") else form,
        ranks=whole_number(fields.get("RANK")) or None,
        populated=bool(size) and fields.get("PRESENT") != "0",
    )


def judged_table(slots: Sequence[Module], source: str) -> ModuleTable:
    """Return the table of the slots that are for memory modules, or the reason why it cannot be believed."""
    kept = tuple(slot for slot in slots if not slot.populated or _MODULE_TYPE.fullmatch(slot.type or ""))
    if any(slot.populated for slot in kept):
        return ModuleTable(kept, source)
    types = {slot.type or "unknown" for slot in slots if slot.populated}
    if _UNKNOWN_TO_UDEV in types:
        return ModuleTable((), source, "udev's database lacks the type of these modules: reading it needs root")
    if types:
        named = ", ".join(sorted(types))
        return ModuleTable((), source, f"the firmware's table states no valid memory type ({named[:60]})")
    return ModuleTable((), source)


def _why_not(reader: Reader, machine: Facts) -> str:
    container = machine.text("container") or NO_CONTAINER
    if container != NO_CONTAINER:
        return f"this is a container ({container}): the machine's memory modules cannot be seen from inside"
    if reader.data(SMBIOS_TABLE) is not None:
        return "the firmware lists no memory module"
    if "DMI" in reader.names(SMBIOS_FOLDER) or reader.names("/sys/class/dmi/id"):
        return "reading the memory modules needs root"
    return "the firmware of this machine provides no table of memory modules"


def _speeds_and_amount(table: ModuleTable, machine: Facts) -> dict[str, Fact]:
    """Return how fast the modules run and how wide they are, held against the processor, with the words for both."""
    family = current_catalog().processor_family(machine.text("cpu_model") or "")
    # A pasted table may come without its processors: then its slots' names tell how many there are.
    sockets = max(machine.integer("sockets") or sockets_with_modules(table.slots), 1)
    rated, configured = rated_speed(table.modules, family), configured_speed(table.modules, family)
    kinds = [module.type or "" for module in table.modules]
    if not any(slot.locator or slot.data_width_bits for slot in table.slots):
        amount = _Amount({})  # Apple silicon: one entry for all packages
    elif all(kind.startswith("LPDDR") for kind in kinds):
        amount = _lpddr(table, family, sockets)
    else:
        amount = _channels(table, family, sockets)
    notes: list[Json] = [note for note in (rated.note, configured.note, *amount.notes) if note]
    doubts = [doubt for doubt in (configured.doubt, amount.doubt) if doubt]
    return {
        **_speed("memory_rated_mt_s", rated, table),
        **_speed("memory_configured_mt_s", configured, table),
        **amount.facts,
        **known("memory_notes", list(dict.fromkeys(notes)) or None, table.source, DERIVED),
        **known("memory_doubt", "; ".join(doubts) or None, table.source, DERIVED),
    }


@dataclass(frozen=True)
class _Amount:
    """The facts about channels and width, what was taken for them, and why they may be in doubt."""

    facts: dict[str, Fact]
    notes: tuple[str, ...] = ()
    doubt: str = ""


def _speed(name: str, speed: Speed, table: ModuleTable) -> dict[str, Fact]:
    source = f"{table.source}; {speed.note}" if speed.note else table.source
    return known(name, speed.mt_s, source, DERIVED if speed.note else READ)


def _channels(table: ModuleTable, family: ProcessorFamily | None, sockets: int) -> _Amount:
    per_socket = None if family is None else family.channels
    counted = count_channels(table.slots, per_socket, sockets, lists_empty_slots=table.lists_empty_slots)
    source = f"{table.source}, {counted.note or 'slot names'}"
    facts = _possible(family, sockets)
    if counted.used is None:
        named = max(sockets, sockets_with_modules(table.slots))
        most = len(table.modules) if per_socket is None else min(len(table.modules), per_socket * named)
        facts |= known("memory_channels_range", [1, most], f"{table.source}, slot names", DERIVED)
        return _Amount(facts, doubt=counted.doubt)
    width = ddr_width(table.modules, counted.used)
    with_slots = counted.with_slots if table.lists_empty_slots else None
    facts |= {
        **known("memory_channels", counted.used, source, DERIVED),
        **known("memory_channels_with_slots", with_slots, source, DERIVED),
        **known("memory_width_bits", width.bits, source, DERIVED),
    }
    return _Amount(facts, (counted.note,), width.doubt)


def _possible(family: ProcessorFamily | None, sockets: int) -> dict[str, Fact]:
    if family is None or family.channels is None:
        return {}
    source = f"specs/{FAMILIES_FILE} ({family.source}): {family.channels} a socket, {sockets} x"
    return known("memory_channels_possible", family.channels * sockets, source, DERIVED)


def _lpddr(table: ModuleTable, family: ProcessorFamily | None, sockets: int) -> _Amount:
    """Return the width of LPDDR; its channels of 16 or 32 bits are not counted: no module can be added to them."""
    width = lpddr_width(table.modules, family, sockets)
    source = f"{table.source}, {width.note or 'the widths stated for all packages'}"
    return _Amount(known("memory_width_bits", width.bits, source, DERIVED), (width.note,), width.doubt)


def _common(values: Sequence[T | None]) -> T | None:
    """Return the value that all share, None where they differ or one is unknown."""
    return values[0] if len(set(values)) == 1 else None
