"""The facts of another machine, from its SMBIOS and the text of its /proc/cpuinfo: as `collect` gives this one's."""

from __future__ import annotations

import re
from pathlib import Path

from bandwidth.catalog import current_catalog
from bandwidth.machine.cpuinfo import facts_of_cpuinfo, facts_of_lscpu, flags_of_cpuinfo, is_lscpu, sockets_of_cpuinfo
from bandwidth.machine.dmi.file import dmi_of, kernel_text, text_of
from bandwidth.machine.facts import ASSUMED, DERIVED, GIVEN, Fact, Facts, known
from bandwidth.machine.modules.table import ModuleTable, facts_of_table, judged_table
from bandwidth.machine.processor import hypervisor_of
from bandwidth.machine.smbios import Dmi, ProcessorSocket

CPUINFO_HINT = "use that machine's /proc/cpuinfo, or the output of its lscpu"
# Firmware that exists in hypervisors only, by type 0's vendor.
_VIRTUAL_FIRMWARE = {"seabios": "QEMU", "bochs": "Bochs", "xen": "Xen", "innotek gmbh": "VirtualBox"}
# The most slots a processor has taken are 24 (Xeon E7 v4, buffered); a table with twice that many is made up. Where the
# processors are not listed, 384 are those of 16 sockets.
_SLOTS_A_SOCKET, _MOST_SLOTS = 48, 384
# Processors that are sold for boards with several sockets: Xeons but those of one socket (E3, E, D, W, E5-1600, 3400),
# EPYCs but the P, 3000, 4000 and 8000, and so on.
_BESIDE_OTHERS = re.compile(
    r"xeon(?!.*(?:\be3-|\be-2|\bd-|\bw-|\bw[3579]-|\be5-1|\b[xl]?34\d\d))|epyc(?! (?:[348]\d{3}|\w+p)\b)|"
    r"opteron(?!(?:\(tm\))?(?: processor)? [13]\d)|kunpeng|hygon|altra|thunderx|power\d",
    re.IGNORECASE,
)
# "CPU1_DIMM_A1", "P0_Node0_Channel0_Dimm0", "PROC 2 DIMM 3"
_SOCKET_WORD = re.compile(
    r"(?<![A-Z])(?:CPU|PROC(?:ESSOR)?|SOCKET)[ _]?([0-9]{1,2})(?![0-9])|^P([0-9]{1,2})(?=[ _-])", re.MULTILINE
)
_CPU_FACTS = ("cpu_vendor", "cpu_family", "cpu_model_number", "cpu_model")


def facts_of_content(
    content: bytes, source: str, cpuinfo: bytes | None = None, cpuinfo_source: str = "", sockets: int | None = None
) -> Facts:
    """Return what is known of the machine that a file is of: see `facts_of_dmi`.

    Without `cpuinfo` the file itself may have it: people paste several commands' outputs in one go. Sources are paths:
    an error says them whole, a fact the file's name alone, which stands in every row of a table.
    Raises BandwidthError where the file is no SMBIOS in any form.
    """
    dmi = dmi_of(content, source)
    source, cpuinfo_source = Path(source).name, Path(cpuinfo_source).name
    if cpuinfo is None:
        return facts_of_dmi(dmi, source, kernel_text(content), source, sockets)
    return facts_of_dmi(dmi, source, text_of(cpuinfo), cpuinfo_source, sockets)


def facts_of_dmi(
    dmi: Dmi, source: str, cpuinfo: str | None = None, cpuinfo_source: str = "", sockets: int | None = None
) -> Facts:
    """Return what is known of the machine that a table is of; `cpuinfo` is its /proc/cpuinfo, or lscpu's text.

    What the kernel says of the processor counts before what the firmware says. The number of sockets is `sockets`
    where the user says it, else the firmware's, the kernel's, or that of the slots' names; a virtual machine has one.
    Where none tells, and the processor may stand beside others, the modules are not held against it.
    """
    kernel = {} if cpuinfo is None else _of_kernel(cpuinfo, cpuinfo_source)
    firmware = _processor(dmi.processor, f"{source}, type 4")
    has_name = any(name in kernel for name in ("cpu_model", "cpu_family"))
    processor = kernel if has_name else {**firmware, **kernel}
    virtual = _virtualization(dmi, source, kernel)
    machine = {
        **known("system_vendor", dmi.system_vendor, f"{source}, type 1"),
        **known("product_name", dmi.product_name, f"{source}, type 1"),
        **known("board_vendor", dmi.board_vendor, f"{source}, type 2"),
        **known("board_name", dmi.board_name, f"{source}, type 2"),
        **{name: processor[name] for name in _CPU_FACTS if name in processor},
        **_sockets(dmi, source, kernel, sockets, is_virtual=bool(virtual)),
        **_cores(dmi, source),
        **virtual,
        **known("memory_interleave_depth", dmi.interleave_depth, f"{source}, type 20"),
    }
    compared = Facts(machine)
    if "sockets" not in machine and _BESIDE_OTHERS.search(compared.text("cpu_model") or ""):
        compared = Facts({name: fact for name, fact in machine.items() if name not in _CPU_FACTS})
    return Facts({**machine, **facts_of_table(_table(dmi, source), compared)})


def _table(dmi: Dmi, source: str) -> ModuleTable:
    """Return the slots, or the reason why they tell nothing."""
    if dmi.doubt:
        return ModuleTable((), source, f"{dmi.doubt}: use the complete output")
    most = _SLOTS_A_SOCKET * dmi.populated_sockets or _MOST_SLOTS
    if len(dmi.slots) > most:
        return ModuleTable((), source, f"the table lists {len(dmi.slots)} memory devices, more than any machine has")
    table = judged_table(dmi.slots, source)
    if table.modules or table.reason:
        return table
    return ModuleTable((), source, _why_none(dmi))


def _why_none(dmi: Dmi) -> str:
    if not dmi.slots:
        return "the table lists no memory device"
    return "no memory device states a size" if any(slot.type for slot in dmi.slots) else "every slot is empty"


def _of_kernel(text: str, source: str) -> dict[str, Fact]:
    if is_lscpu(text):
        return facts_of_lscpu(text, source)
    flags = flags_of_cpuinfo(text)
    present = flags is not None and "hypervisor" in flags
    return {
        **facts_of_cpuinfo(text, source),
        **known("sockets", sockets_of_cpuinfo(text), f"{source} physical id"),
        **known("virtualization", "hypervisor" if present else None, f"{source} flags"),
    }


def _processor(socket: ProcessorSocket | None, source: str) -> dict[str, Fact]:
    if socket is None:
        return {}
    if socket.implementer is not None:
        core = current_catalog().arm_cores.get((socket.implementer, socket.part or 0))
        named = None if core is None else f"{core.vendor} {core.name}"
        return {
            **known("cpu_vendor", None if core is None else core.vendor, source),
            **known("cpu_model_number", socket.part, source),
            **known("cpu_model", socket.name or named, source, DERIVED),
        }
    return {
        **known("cpu_vendor", socket.vendor, source, DERIVED),
        **known("cpu_family", socket.family, source),
        **known("cpu_model_number", socket.model, source),
        **known("cpu_model", socket.name, source),
    }


def _sockets(dmi: Dmi, source: str, kernel: dict[str, Fact], given: int | None, *, is_virtual: bool) -> dict[str, Fact]:
    if given is not None:
        return known("sockets", given, "--sockets", GIVEN)
    if is_virtual:
        return known("sockets", 1, "one socket for a virtual machine", ASSUMED)
    if dmi.populated_sockets:
        return known("sockets", dmi.populated_sockets, f"{source}, type 4")
    if "sockets" in kernel:
        return {"sockets": kernel["sockets"]}
    return known("sockets", _named_sockets(dmi), f"{source}, slot names", DERIVED)


def _named_sockets(dmi: Dmi) -> int | None:
    """Return how many sockets the names of the filled slots speak of, None where one names none."""
    names = [f"{slot.locator or ''}\n{slot.bank_locator or ''}" for slot in dmi.slots if slot.populated]
    found = [_SOCKET_WORD.search(name.upper()) for name in names]
    return len({match[1] or match[2] for match in found if match}) or None if all(found) else None


def _cores(dmi: Dmi, source: str) -> dict[str, Fact]:
    """Return the cores of all sockets, where each says how many it has."""
    counts = [socket.cores for socket in dmi.sockets if socket.populated]
    if not counts or None in counts:
        return {}
    return known("physical_cores", sum(count or 0 for count in counts), f"{source}, type 4")


def _virtualization(dmi: Dmi, source: str, kernel: dict[str, Fact]) -> dict[str, Fact]:
    """Return `virtualization` where something speaks for a hypervisor; that nothing does proves no real machine."""
    named = hypervisor_of(dmi.system_vendor or "", dmi.product_name or "", may_be_cloud=True)
    named = named or _VIRTUAL_FIRMWARE.get((dmi.firmware_vendor or "").lower())
    named = named or ("hypervisor" if dmi.says_virtual else None)
    if named is not None:
        return known("virtualization", named, f"{source}, types 0 and 1")
    return {name: fact for name, fact in kernel.items() if name == "virtualization"}
