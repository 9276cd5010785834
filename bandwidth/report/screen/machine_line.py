"""A machine in a line or two: its processor, what its memory is, its GPUs, and that it is a virtual one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bandwidth.analysis.recorded import positive
from bandwidth.report.labels import counted_names
from bandwidth.results import Record
from bandwidth.units import format_size
from bandwidth.vocabulary import DEVICE, PCIE

# What makers write into a processor's name and nobody says.
_NOISE = re.compile(
    r"\((?:R|TM|C)\)|\bCPU\b(?= @)|@ [\d.]+ ?GHz|\b\d+-Core\b|\b(?:Processor|with Radeon Graphics)\b", re.IGNORECASE
)


def machine_lines(record: Record) -> list[str]:
    """Return the line that names the machine: processor, cores, memory modules, GPUs that were measured."""
    machine = record.machine
    parts = [processor_words(machine), *memory_words(machine)]
    virtual = machine.get("virtualization")
    if isinstance(virtual, str) and virtual != "none":
        parts.append("virtual machine" if virtual == "hypervisor" else f"virtual machine ({virtual})")
    parts += _container_words(machine)
    used = {number for result in record.results if result.case.kind in (DEVICE, PCIE) for number in result.case.devices}
    names = [str(gpu.get("name", "a GPU")) for number, gpu in record.gpus.items() if number in used]
    return [", ".join([*parts, *([counted_names(names)] if names else [])])]


def _container_words(machine: Mapping[str, Any]) -> list[str]:
    """Return `container (docker)` and `memory limit 4 GiB`, where this process runs in one or has a limit."""
    container, limit, total = (machine.get(name) for name in ("container", "memory_limit_bytes", "memory_total_bytes"))
    words = [f"container ({container})"] if isinstance(container, str) and container != "none" else []
    size = positive(limit)
    is_limited = size is not None and size < (positive(total) or size + 1)
    return [*words, *([f"memory limit {format_size(int(size or 0))}"] if is_limited else [])]


def processor_words(machine: Mapping[str, Any]) -> str:
    """Return `AMD EPYC 9654, 96 cores`."""
    name = str(machine.get("cpu_model") or machine.get("architecture") or "unknown CPU")
    plain = " ".join(_NOISE.sub(" ", name).split()) or name
    cores, sockets = (positive(machine.get(fact)) for fact in ("physical_cores", "sockets"))
    several = f"{sockets:.0f} x " if sockets is not None and sockets > 1 else ""
    if cores is None:
        return f"{several}{plain}"
    return f"{several}{plain}, {cores:.0f} {'core' if cores == 1 else 'cores'}"


def memory_words(machine: Mapping[str, Any]) -> list[str]:
    """Return `2 x 16 GiB DDR5-5600 running at 4800 MT/s`, nothing where no module is seen."""
    listed = machine.get("memory_modules")
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    sizes = Counter(int(size) for module in modules if (size := positive(module.get("size_bytes"))) is not None)
    if not modules or not sizes:
        return []
    kind = str(machine.get("memory_type") or modules[0].get("type") or "memory")
    configured, rated = (positive(machine.get(f"memory_{name}_mt_s")) for name in ("configured", "rated"))
    name = f"{kind}-{rated or configured:.0f}" if rated or configured else kind
    running = f" running at {configured:.0f} MT/s" if configured and rated and configured < rated else ""
    counts = " + ".join(f"{count} x {format_size(size)}" for size, count in sorted(sizes.items()))
    return [f"{counts} {name}{running}"]
