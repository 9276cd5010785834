"""How much memory there is, and how much of it this process may use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandwidth.machine.cgroups import version_1_folders, version_2_folders
from bandwidth.machine.facts import DERIVED, Fact, Facts, known
from bandwidth.machine.reader import Reader, read_integer, whole_number
from bandwidth.units import KIBI

_MEMINFO = "/proc/meminfo"
# Version 1 writes "no limit" as the largest multiple of the page size below 2^63.
_V1_UNLIMITED_BYTES = 1 << 60


def memory_facts(reader: Reader) -> dict[str, Fact]:
    """Return sizes in bytes (`memory_total_bytes`, `memory_available_bytes`, the cgroup's limit).

    `memory_limit_bytes` is the smallest limit from this process's cgroup up to the root, `memory_used_bytes` what
    is charged there, `memory_limit_left_bytes` the least that any of the limits leaves.
    """
    return {**_sizes(reader), **_limits(reader)}


def cpu_quota_facts(reader: Reader) -> dict[str, Fact]:
    """Return `cpu_quota`, in CPUs: the smallest quota from this process's cgroup up to the root; nothing without."""
    quotas = [*_v2_quotas(reader), *_v1_quotas(reader)]
    if not quotas:
        return {}
    quota, source = min(quotas)
    return known("cpu_quota", quota, source)


def usable_memory_bytes(facts: Facts) -> int | None:
    """Return the smaller of what is available and what the cgroup leaves, None where neither is known."""
    sizes = [facts.integer(name) for name in ("memory_available_bytes", "memory_limit_left_bytes")]
    return min((size for size in sizes if size is not None), default=None)


def _sizes(reader: Reader) -> dict[str, Fact]:
    meminfo = _meminfo(reader.text(_MEMINFO) or "")
    facts: dict[str, Fact] = {}
    for name, field, ask in (
        ("memory_total_bytes", "MemTotal", reader.total_memory_bytes),
        ("memory_available_bytes", "MemAvailable", reader.available_memory_bytes),
    ):
        source = _MEMINFO if field in meminfo else "psutil.virtual_memory"
        facts |= known(name, meminfo[field] if field in meminfo else ask(), source)
    return facts


def _meminfo(text: str) -> dict[str, int]:
    """Return the sizes of /proc/meminfo in bytes; the `kB` that it writes are KiB."""
    found = re.findall(r"(\w+):\s+([0-9]{1,18}) kB", text, re.ASCII)
    return {name: int(size) * KIBI for name, size in found}


def _limits(reader: Reader) -> dict[str, Fact]:
    limits = [*_v2_limits(reader), *_v1_limits(reader)]
    if not limits:
        return {}
    limit, used, source = min(limits, key=lambda found: found[0])
    left = min(limit - min(used, limit) for limit, used, _ in limits)
    return {
        **known("memory_limit_bytes", limit, source),
        **known("memory_used_bytes", used, source, DERIVED),
        **known("memory_limit_left_bytes", left, source, DERIVED),
    }


def _v2_limits(reader: Reader) -> Iterator[tuple[int, int, str]]:
    """Yield limit, use and file of every cgroup with a limit. Page cache that can be dropped counts as free."""
    for folder in version_2_folders(reader):
        limit = read_integer(reader, f"{folder}/memory.max")  # "max" is no number: no limit
        if limit is not None:
            used = read_integer(reader, f"{folder}/memory.current") or 0
            yield limit, max(used - _statistic(reader, folder, "inactive_file"), 0), f"{folder}/memory.max"


def _v1_limits(reader: Reader) -> Iterator[tuple[int, int, str]]:
    for folder in version_1_folders(reader, "memory"):
        limit = read_integer(reader, f"{folder}/memory.limit_in_bytes")
        if limit is not None and 0 <= limit < _V1_UNLIMITED_BYTES:
            used = read_integer(reader, f"{folder}/memory.usage_in_bytes") or 0
            used -= _statistic(reader, folder, "total_inactive_file")
            yield limit, max(used, 0), f"{folder}/memory.limit_in_bytes"


def _statistic(reader: Reader, folder: str, name: str) -> int:
    match = re.search(rf"^{name} ([0-9]{{1,18}})$", reader.text(f"{folder}/memory.stat") or "", re.ASCII | re.MULTILINE)
    return int(match[1]) if match else 0


def _v2_quotas(reader: Reader) -> Iterator[tuple[float, str]]:
    for folder in version_2_folders(reader):
        words = (reader.text(f"{folder}/cpu.max") or "").split()  # quota and period in us, "max" for none
        quota = _quota(words[0], words[1]) if len(words) == 2 else None
        if quota is not None:
            yield quota, f"{folder}/cpu.max"


def _v1_quotas(reader: Reader) -> Iterator[tuple[float, str]]:
    for folder in version_1_folders(reader, "cpu"):
        quota = _quota(reader.text(f"{folder}/cpu.cfs_quota_us"), reader.text(f"{folder}/cpu.cfs_period_us"))
        if quota is not None:
            yield quota, f"{folder}/cpu.cfs_quota_us"


def _quota(quota_us: str | None, period_us: str | None) -> float | None:
    quota, period = whole_number(quota_us), whole_number(period_us)
    return quota / period if quota is not None and period is not None and quota > 0 and period > 0 else None
