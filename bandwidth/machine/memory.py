"""How much memory there is, and how much of it this process may use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandwidth.machine.facts import DERIVED, Fact, Facts, Json, known
from bandwidth.machine.reader import Reader, read_integer, whole_number
from bandwidth.units import KIBI

_MEMINFO = "/proc/meminfo"
_CGROUP = "/proc/self/cgroup"
_V2_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")  # the second beside version 1
_V1_MEMORY_MOUNTS = ("/sys/fs/cgroup/memory",)
_V1_CPU_MOUNTS = ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct")
# Version 1 writes "no limit" as the largest multiple of the page size below 2^63.
_V1_UNLIMITED_BYTES = 1 << 60
_DEEPEST_CGROUP = 32


def memory_facts(reader: Reader) -> dict[str, Fact]:
    """Return sizes in bytes (`memory_total_bytes`, `memory_available_bytes`, the cgroup's limit) and huge pages.

    `memory_limit_bytes` is the smallest limit from this process's cgroup up to the root, `memory_used_bytes` what
    is charged there, `memory_limit_left_bytes` the least that any of the limits leaves.
    """
    return {**_sizes(reader), **_limits(reader), **_huge_pages(reader), **_node_sizes(reader)}


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
    for folder in _folders(reader, "", _V2_MOUNTS):
        limit = read_integer(reader, f"{folder}/memory.max")  # "max" is no number: no limit
        if limit is not None:
            used = read_integer(reader, f"{folder}/memory.current") or 0
            yield limit, max(used - _statistic(reader, folder, "inactive_file"), 0), f"{folder}/memory.max"


def _v1_limits(reader: Reader) -> Iterator[tuple[int, int, str]]:
    for folder in _folders(reader, "memory", _V1_MEMORY_MOUNTS):
        limit = read_integer(reader, f"{folder}/memory.limit_in_bytes")
        if limit is not None and 0 <= limit < _V1_UNLIMITED_BYTES:
            used = read_integer(reader, f"{folder}/memory.usage_in_bytes") or 0
            used -= _statistic(reader, folder, "total_inactive_file")
            yield limit, max(used, 0), f"{folder}/memory.limit_in_bytes"


def _statistic(reader: Reader, folder: str, name: str) -> int:
    match = re.search(rf"^{name} ([0-9]{{1,18}})$", reader.text(f"{folder}/memory.stat") or "", re.ASCII | re.MULTILINE)
    return int(match[1]) if match else 0


def _v2_quotas(reader: Reader) -> Iterator[tuple[float, str]]:
    for folder in _folders(reader, "", _V2_MOUNTS):
        words = (reader.text(f"{folder}/cpu.max") or "").split()  # quota and period in us, "max" for none
        quota = _quota(words[0], words[1]) if len(words) == 2 else None
        if quota is not None:
            yield quota, f"{folder}/cpu.max"


def _v1_quotas(reader: Reader) -> Iterator[tuple[float, str]]:
    for folder in _folders(reader, "cpu", _V1_CPU_MOUNTS):
        quota = _quota(reader.text(f"{folder}/cpu.cfs_quota_us"), reader.text(f"{folder}/cpu.cfs_period_us"))
        if quota is not None:
            yield quota, f"{folder}/cpu.cfs_quota_us"


def _quota(quota_us: str | None, period_us: str | None) -> float | None:
    quota, period = whole_number(quota_us), whole_number(period_us)
    return quota / period if quota is not None and period is not None and quota > 0 and period > 0 else None


def _folders(reader: Reader, controller: str, mounts: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders of this process's cgroup up to the mount, for the mounts where it may be.

    In a container the path is often the host's, and the mount shows the container's own cgroup at its root: the
    folders in between do not exist and read as nothing.
    """
    path = _cgroup_path(reader, controller)
    if path is None:
        return
    parts = [part for part in path.split("/") if part][:_DEEPEST_CGROUP]
    if ".." in parts:  # seen from inside a cgroup namespace: outside of what is mounted
        parts = []
    for mount in mounts:
        for depth in range(len(parts), -1, -1):
            yield "/".join((mount, *parts[:depth]))


def _cgroup_path(reader: Reader, controller: str) -> str | None:
    """Return this process's path in the hierarchy of a version 1 controller, or of version 2 for an empty name."""
    for line in (reader.text(_CGROUP) or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and controller in controllers.split(","):
            return path
    return None


def _huge_pages(reader: Reader) -> dict[str, Fact]:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    chosen = re.search(r"\[(\w+)\]", reader.text(path) or "", re.ASCII)
    return known("transparent_huge_pages", chosen[1] if chosen else None, path)


def _node_sizes(reader: Reader) -> dict[str, Fact]:
    folder = "/sys/devices/system/node"
    sizes: dict[str, Json] = {}
    for name in reader.names(folder):
        found = re.search(r"MemTotal:\s+([0-9]{1,18}) kB", reader.text(f"{folder}/{name}/meminfo") or "", re.ASCII)
        if found and re.fullmatch(r"node[0-9]{1,6}", name, re.ASCII):
            sizes[name.removeprefix("node")] = int(found[1]) * KIBI
    return known("numa_node_memory_bytes", sizes or None, f"{folder}/node*/meminfo")
