"""Which CPUs of a hybrid processor belong to fast cores, and which to frugal ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bandwidth.cpu_list import numbers_of
from bandwidth.machine.reader import Reader, read_integer, whole_number

PERFORMANCE = "performance"
EFFICIENCY = "efficiency"
LOW_POWER_EFFICIENCY = "low power efficiency"
KINDS = (PERFORMANCE, EFFICIENCY, LOW_POWER_EFFICIENCY)  # the fastest first

# One performance monitor a kind of core: intel_hybrid_pmu_type_map in the kernel's arch/x86/events/intel/core.c.
# The last came with Arrow Lake H; Meteor Lake's low power cores stand with the other Atoms.
_INTEL_MONITORS = (
    ("/sys/devices/cpu_core/cpus", PERFORMANCE),
    ("/sys/devices/cpu_atom/cpus", EFFICIENCY),
    ("/sys/devices/cpu_lowpower/cpus", LOW_POWER_EFFICIENCY),
)
_CAPACITY = "/sys/devices/system/cpu/cpu{cpu}/cpu_capacity"
# Firmware grades cores of one kind a little apart. The scheduler's own margin, capacity_greater() in the kernel's
# kernel/sched/fair.c: about 5 % are no difference.
_MARGIN = 1078 / 1024
_MOST_LEVELS = 8


def read_core_kinds(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    """Return the kind of core of each CPU; nothing where all are alike or the system does not tell them apart."""
    if reader.system == "Darwin":
        kinds = _by_performance_level(reader, cpus)
    else:
        kinds = _by_monitor(reader, cpus) or _by_capacity(reader, cpus)
    return kinds if len(set(kinds.values())) > 1 else {}


def core_kinds_source(reader: Reader) -> str:
    """Return where `read_core_kinds` has its answer from."""
    if reader.system == "Darwin":
        return "sysctl hw.perflevel"
    by_monitor = any(numbers_of(reader.text(path)) for path, _ in _INTEL_MONITORS)
    return "/sys/devices/cpu_*/cpus" if by_monitor else _CAPACITY.format(cpu="*")


def kind_rank(kind: str) -> int:
    """Return a number to sort kinds by: the fastest first, a core of no kind after all."""
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def count_kinds(kinds: Sequence[str]) -> dict[str, int]:
    """Return how often each kind occurs, the fastest first; a core of no kind is not counted."""
    return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}


def _by_monitor(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    listed: Mapping[int, str] = {cpu: kind for path, kind in _INTEL_MONITORS for cpu in numbers_of(reader.text(path))}
    return {cpu: listed[cpu] for cpu in cpus if cpu in listed}


def _by_capacity(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    """Return the kinds by Arm's relative capacities, of which the fastest core's is 1024.

    Newer kernels write capacities on x86 too, where they differ by each core's highest clock: not a kind of core.
    """
    if not reader.machine.lower().startswith(("aarch64", "arm")):
        return {}
    read = {cpu: read_integer(reader, _CAPACITY.format(cpu=cpu)) for cpu in cpus}
    capacities = {cpu: capacity for cpu, capacity in read.items() if capacity is not None and capacity > 0}
    highest = max(capacities.values(), default=0)
    return {cpu: PERFORMANCE if capacity * _MARGIN >= highest else EFFICIENCY for cpu, capacity in capacities.items()}


def _by_performance_level(reader: Reader, cpus: Sequence[int]) -> dict[int, str]:
    """Return the kinds of Apple silicon, of which level 0 is the fastest and has the first CPUs."""
    levels = whole_number(reader.run("sysctl", "-n", "hw.nperflevels")) or 0
    kinds: list[str] = []
    for level in range(min(levels, _MOST_LEVELS) if levels > 1 else 0):
        count = whole_number(reader.run("sysctl", "-n", f"hw.perflevel{level}.logicalcpu")) or 0
        kinds += [EFFICIENCY if level else PERFORMANCE] * min(max(count, 0), len(cpus))
    return dict(zip(cpus, kinds, strict=False))
