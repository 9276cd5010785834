"""How much memory there is, how much of it this process may use, and how it is handed out and copied.

Control groups limit memory and processor time; small pages cost address translations; the firmware promises a bandwidth
of each NUMA node (ACPI's HMAT, as the kernel's numaperf.rst shows it); and from some size on the C library's copies,
which are NumPy's, bypass the caches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bandwidth.machine.facts import DERIVED, Fact, Facts, Json, known
from bandwidth.machine.reader import NODE_FOLDER, Reader, read_integer, whole_number
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


# --- control groups -------------------------------------------------------------------------------------------------

_CGROUP = "/proc/self/cgroup"
_V2_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")  # the second beside version 1
_V1_MOUNTS = {
    "memory": ("/sys/fs/cgroup/memory",),
    "cpu": ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"),
}
_DEEPEST_CGROUP = 32


def version_2_folders(reader: Reader) -> Iterator[str]:
    """Yield the folders of this process's cgroup of version 2, from its own up to the root."""
    return _folders(reader, "", _V2_MOUNTS)


def version_1_folders(reader: Reader, controller: str) -> Iterator[str]:
    """Yield the folders of this process's cgroup of version 1 for `memory` or `cpu`, from its own up to the root."""
    mounts = [mount for mount in _V1_MOUNTS[controller] if reader.names(mount)]
    return _folders(reader, controller, mounts[:1])  # one is often a link to the other


def _folders(reader: Reader, controller: str, mounts: Sequence[str]) -> Iterator[str]:
    """Yield the folders of this process's cgroup up to the mount, for the mounts where it may be.

    In a container the path is often the host's, and the mount shows the container's own cgroup at its root: the
    folders in between do not exist and read as nothing.
    """
    path = _path(reader, controller)
    if path is None:
        return
    parts = [part for part in path.split("/") if part][:_DEEPEST_CGROUP]
    if ".." in parts:  # seen from inside a cgroup namespace: outside of what is mounted
        parts = []
    for mount in mounts:
        for depth in range(len(parts), -1, -1):
            yield "/".join((mount, *parts[:depth]))


def _path(reader: Reader, controller: str) -> str | None:
    """Return this process's path in the hierarchy of a version 1 controller, or of version 2 for an empty name."""
    for line in (reader.text(_CGROUP) or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and controller in controllers.split(","):
            return path
    return None


# --- pages ----------------------------------------------------------------------------------------------------------

_FOLDER = "/sys/kernel/mm/transparent_hugepage"
_MODES = ("always", "madvise", "never")  # transhuge.rst of the kernel's documentation


def page_facts(reader: Reader) -> dict[str, Fact]:
    """Return `page_bytes`, `transparent_huge_pages` (always, madvise or never) and `transparent_huge_page_bytes`.

    A kernel that was built without huge pages has neither of the latter two.
    """
    mode = re.search(r"\[(\w+)\]", reader.text(f"{_FOLDER}/enabled") or "", re.ASCII)
    size = read_integer(reader, f"{_FOLDER}/hpage_pmd_size")
    return {
        **known("page_bytes", reader.page_bytes(), "the C library"),
        **known(
            "transparent_huge_pages", mode[1] if mode is not None and mode[1] in _MODES else None, f"{_FOLDER}/enabled"
        ),
        **known(
            "transparent_huge_page_bytes", size if size is not None and size > 0 else None, f"{_FOLDER}/hpage_pmd_size"
        ),
    }


# --- the firmware's figures -----------------------------------------------------------------------------------------

_INITIATORS = "access0/initiators"  # as the best placed processor or other initiator sees the node
_MOST_MB_S = 1_000_000_000  # the table's entry times its base unit may be anything; a petabyte a second is noise


def hmat_facts(reader: Reader) -> dict[str, Fact]:
    """Return `numa_node_read_bandwidth_mb_s` and `numa_node_write_bandwidth_mb_s`: the MB/s of each node by number.

    The figures are the firmware's and nobody has measured them. A node without a figure is left out; most
    machines have none at all.
    """
    return {
        name: fact
        for direction in ("read", "write")
        for name, fact in _direction(reader, f"{direction}_bandwidth").items()
    }


def _direction(reader: Reader, name: str) -> dict[str, Fact]:
    nodes = sorted(
        int(node[4:]) for node in reader.names(NODE_FOLDER) if re.fullmatch(r"node[0-9]{1,6}", node, re.ASCII)
    )
    read = {str(node): read_integer(reader, f"{NODE_FOLDER}/node{node}/{_INITIATORS}/{name}") for node in nodes}
    figures: dict[str, Json] = {node: mb_s for node, mb_s in read.items() if mb_s and 0 < mb_s <= _MOST_MB_S}
    return known(f"numa_node_{name}_mb_s", figures or None, f"{NODE_FOLDER}/node*/{_INITIATORS}/{name} (firmware's)")


# --- the C library's copies -----------------------------------------------------------------------------------------

# Where the ABI of each architecture puts glibc's dynamic loader; on others it has no such threshold.
_LOADERS = {
    "x86_64": "/lib64/ld-linux-x86-64.so.2",
    "amd64": "/lib64/ld-linux-x86-64.so.2",
    "i686": "/lib/ld-linux.so.2",
    "i386": "/lib/ld-linux.so.2",
}
_LINE = re.compile(r"^glibc\.cpu\.x86_non_temporal_threshold: 0x([0-9a-fA-F]{1,16})(?: |$)", re.ASCII | re.MULTILINE)
_OLDEST = (2, 33)  # glibc's NEWS for 2.33: the loader can list its tunables


def streaming_threshold_facts(reader: Reader) -> dict[str, Fact]:
    """Return `c_library_streaming_threshold_bytes`: larger copies of glibc on x86 use streaming stores.

    The loader works it out from the caches at each start, as it did for this process, and heeds GLIBC_TUNABLES.
    """
    loader = _LOADERS.get(reader.machine.lower())
    if reader.system != "Linux" or loader is None or not _can_list(reader.c_library() or ""):
        return {}
    found = _LINE.search(reader.run(loader, "--list-tunables") or "")
    threshold = int(found[1], 16) if found else 0  # 0: not worked out
    override = " with GLIBC_TUNABLES" if reader.environment("GLIBC_TUNABLES") else ""
    return known("c_library_streaming_threshold_bytes", threshold or None, f"{loader} --list-tunables{override}")


def _can_list(c_library: str) -> bool:
    version = re.match(r"glibc ([0-9]{1,3})\.([0-9]{1,3})", c_library, re.ASCII)
    return version is not None and (int(version[1]), int(version[2])) >= _OLDEST
