"""What joins chiplets to their processor, and sockets to each other: reads and writes each by themselves."""

from __future__ import annotations

from functools import lru_cache

from bandwidth.catalog.limits import ChipletLink
from bandwidth.ceilings.bounds import Host, gb_s, is_of_zeros, lower
from bandwidth.machine.topology import Cache
from bandwidth.results import Case, Ceiling
from bandwidth.vocabulary import MEDIUM

_HZ_PER_MHZ = 1e6


def fabric_ceiling(case: Case, host: Host) -> Ceiling | None:
    """Return what the links of the chiplets that a case's CPUs are on carry between them and the memory.

    The chiplets are seen by their L3 caches. A virtual machine does not show where its CPUs are: there it is a range,
    from one chiplet to one for each core, of which the upper end is the ceiling. None where the processor's links are
    not known, or the case moves nothing over them.
    """
    traffic = host.traffic(case)
    if traffic is None or not case.meets_dram_rule or is_of_zeros(case):
        return None
    found = _links_of(case, host)
    if found is None:
        return None
    link, count = found
    hz, clock_words = _clock(link, host)
    one_read, one_write = link.read * hz, link.write * hz
    rate = traffic.most(read=one_read * count, write=one_write * count)
    if rate is None:
        return None
    least = traffic.most(read=one_read, write=one_write) or 0.0
    chiplets = "1 chiplet" if count == 1 else f"{count} chiplets"
    if host.is_virtual:
        several = f"; {gb_s(least)} if all CPUs are on one" if count > 1 else ""
        chiplets = f"at most {chiplets} (a virtual machine hides them{several})"
    working = (
        f"{link.read:g} B read and {link.write:g} B written per clock x {clock_words} x {chiplets}: "
        f"{gb_s(one_read * count)} and {gb_s(one_write * count)}{traffic.words}"
    )
    is_range = host.is_virtual and 0 < least < rate
    confidence = lower(link.confidence, MEDIUM)
    return Ceiling("fabric", rate, working, f"{link.name}: {link.source}", confidence, least if is_range else None)


def socket_link_ceiling(case: Case, host: Host) -> Ceiling | None:
    """Return what the links between two sockets carry each way, for a case whose memory is on another socket.

    None where memory and CPUs are on one, or the links are not known.
    """
    traffic = host.traffic(case)
    if traffic is None or not case.meets_dram_rule or not _is_remote(case, host):
        return None
    link = host.catalog.limits.socket_link(host.processor())
    if link is None:
        return None
    each_way = host.peak_of(f"socket_links.tsv: [{link.name}]: link", link.link, "link")
    if each_way is None:
        return None
    rate = traffic.most(read=each_way.bytes_per_s, write=each_way.bytes_per_s)
    if rate is None:
        return None
    working = f"{link.link}: {each_way.short_working} = {gb_s(each_way.bytes_per_s)} each way{traffic.words}"
    return Ceiling("socket_link", rate, working, f"{link.name}: {link.source}", lower(link.confidence, MEDIUM))


@lru_cache(maxsize=256)  # all cases of a run work on a few sets of CPUs
def chiplets_of(cpus_used: tuple[int, ...], host: Host, l3_caches: int) -> frozenset[tuple[int, int]] | None:
    """Return the chiplets of a case's CPUs, by socket and number in it; None where an L3 cache is not known.

    `l3_caches` is how many a chiplet has; those of one have CPUs with neighbouring numbers.
    """
    touched = set()
    cpus = set(cpus_used)
    for chiplet, caches in _chiplets(host, l3_caches).items():
        own = {cpu for cache in caches for cpu in cache.cpus}
        if cpus & own:
            touched.add(chiplet)
            cpus -= own
    return frozenset(touched) if touched and not cpus else None


def _links_of(case: Case, host: Host) -> tuple[ChipletLink, int] | None:
    """Return the link of a chiplet of this machine, and how many a case uses (at most, in a virtual machine)."""
    limits, processor = host.catalog.limits, host.processor()
    usual = limits.chiplet_link(processor, None)
    if usual is None:
        return None
    if host.is_virtual:
        cores = len(host.cores_of(case))
        return (usual, cores) if cores else None
    chiplets = _chiplets(host, usual.l3_caches)
    in_socket = max((number + 1 for _, number in chiplets), default=0)
    used = chiplets_of(case.cpus, host, usual.l3_caches)
    link = limits.chiplet_link(processor, in_socket)
    return None if used is None or link is None else (link, len(used))


@lru_cache(maxsize=16)
def _chiplets(host: Host, l3_caches: int) -> dict[tuple[int, int], list[Cache]]:
    """Return the L3 caches of each chiplet, by socket and number in it."""
    socket_of = {cpu: core.socket for core in host.topology.cores for cpu in core.cpus}
    by_socket: dict[int, list[Cache]] = {}
    for cache in sorted((one for one in host.topology.caches if one.level == 3), key=lambda one: min(one.cpus)):
        sockets = {socket_of[cpu] for cpu in cache.cpus if cpu in socket_of}
        # Of a cache whose CPUs this process may not use the socket is not told: it counts with those before it.
        socket = min(sockets) if sockets else max(by_socket, default=0)
        by_socket.setdefault(socket, []).append(cache)
    return {
        (socket, number): caches[number * l3_caches : (number + 1) * l3_caches]
        for socket, caches in by_socket.items()
        for number in range(-(-len(caches) // l3_caches))
    }


def _clock(link: ChipletLink, host: Host) -> tuple[float, str]:
    """Return the fabric's clock in Hz, and how it stands in a working."""
    mhz = link.clock.mhz
    rate = host.facts.integer("memory_configured_mt_s") if link.clock.is_coupled else None
    if rate is not None and 0 < rate / 2 < mhz:
        return rate / 2 * _HZ_PER_MHZ, f"{rate / 2:g} MHz, the memory's clock"
    return mhz * _HZ_PER_MHZ, f"{'up to ' if link.clock.is_coupled else ''}{mhz:g} MHz"


def _is_remote(case: Case, host: Host) -> bool:
    cpu_node, memory_node = case.variant.get("cpu_node"), case.variant.get("memory_node")
    if cpu_node is None or memory_node is None or cpu_node == memory_node:
        return False
    sockets = [{core.socket for core in host.topology.cores if core.node == node} for node in (cpu_node, memory_node)]
    return all(len(found) == 1 for found in sockets) and sockets[0] != sockets[1]
