"""What the processor is documented to take at most, and what memory is behind a cloud's instance."""

from __future__ import annotations

import re

from bandwidth.catalog import current_catalog
from bandwidth.catalog.limits import CloudInstance
from bandwidth.ceilings.bounds import Host, device_of, gb_s, lower
from bandwidth.ceilings.memory import HostTheory, memory_of
from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import ASSUMED, Facts
from bandwidth.results import Case, Ceiling
from bandwidth.theory import Peak, peak
from bandwidth.vocabulary import HIGH, MEDIUM, Confidence

# Of these the memory runs at most as documented; elsewhere users clock it higher (XMP, EXPO).
SERVERS = re.compile(r"\b(?:EPYC|Xeon|Graviton|Neoverse|Altra|POWER)", re.IGNORECASE)
# More than any core of a server draws from memory: a chiplet's link to the rest of an EPYC 9005 carries as much.
_MOST_OF_A_CORE = 64e9
_WHOLE_MACHINE = re.compile(r"\.metal(?:-|$)")


def platform_peak(facts: Facts) -> Peak | None:
    """Return the most that this machine's processor takes a socket, by the catalog; it is not what is plugged in.

    None where the processor is not in the catalog. Raises BandwidthError for an entry that is not as it should be.
    """
    device = device_of(facts, current_catalog())
    return None if device is None else peak(device.name)


def platform_ceiling(case: Case, host: Host, theory: HostTheory) -> Ceiling | None:
    """Return the most that the processors whose memory a case uses are documented to take: "up to".

    None where the processor is not known, or the memory is and is faster than documented (XMP). Of high confidence for
    a server whose sockets are known. A virtual machine may have the memory of sockets that it does not show: there only
    where its cores could not draw more than one socket gives.
    """
    found = _documented(host)
    if found is None or not case.meets_dram_rule:
        return None
    socket_bytes_per_s, name, source = found
    whole = _of_sockets(case, host, socket_bytes_per_s, f"up to {gb_s(socket_bytes_per_s)} of {name}")
    expected = theory.expected(case, host.topology).bytes_per_s
    if whole is None or (expected is not None and expected > whole[0]):
        return None
    is_sure = SERVERS.search(name) is not None and _is_of_shown_sockets(case, host, whole[0])
    return _ceiling("platform", case, host, whole, source, HIGH if is_sure else MEDIUM)


def instance_ceiling(case: Case, host: Host) -> Ceiling | None:
    """Return the memory of the host behind a cloud's virtual machine: of all its guests together, never of one's own.

    None where the firmware does not name an instance that the catalog knows.
    """
    instance = host.instance
    if instance is None or not case.meets_dram_rule or _WHOLE_MACHINE.search(_product(host.facts)):
        return None
    memory = _memory_of_instance(host, instance)
    if memory is None:
        return None
    text = f"{memory.short_working} behind {instance.host}, shared with the other guests"
    whole = _of_sockets(case, host, memory.bytes_per_s, text)
    source = f"{instance.name} by the firmware's {_product(host.facts)}; {instance.source}"
    confidence = lower(instance.confidence, MEDIUM)
    return None if whole is None else _ceiling("instance", case, host, whole, source, confidence)


def _is_of_shown_sockets(case: Case, host: Host, bytes_per_s: float) -> bool:
    taken = host.topology.sockets_taken
    if host.is_virtual or (taken is not None and taken.confidence == ASSUMED):
        return len(host.cores_of(case)) * _MOST_OF_A_CORE <= bytes_per_s
    return True


def _of_sockets(case: Case, host: Host, socket_bytes_per_s: float, text: str) -> tuple[float, str] | None:
    """Return a socket's figure for the sockets, or the part of one, whose memory a case uses, with its working."""
    sockets, share = memory_of(case, host.topology)
    if share is None or not sockets:
        return None
    count = "" if len(sockets) == 1 else f" x {len(sockets)} sockets"
    part = "" if share == 1 else f" x {share:.3g}, a node's share"
    return socket_bytes_per_s * len(sockets) * share, f"{text}{count}{part}"


def _ceiling(
    kind: str, case: Case, host: Host, whole: tuple[float, str], source: str, confidence: Confidence
) -> Ceiling | None:
    traffic = host.traffic(case)
    rate = None if traffic is None else traffic.most(both=whole[0])
    if traffic is None or rate is None:
        return None
    sure = lower(confidence, MEDIUM) if traffic.read + traffic.write > 1 else confidence
    return Ceiling(kind, rate, f"{whole[1]}{traffic.words}", source, sure)


def _documented(host: Host) -> tuple[float, str, str] | None:
    """Return what one socket takes at most, whose it is, and where that stands; None where it is not known."""
    try:
        device = host.device
        if device is not None:
            found = peak(device.name)
            vendor = found.vendor_bytes_per_s
            # Buffers behind a link have more channels than the maker lists (E7): then its own figure is the higher one.
            is_vendors = vendor is not None and (device.ceiling == "vendor" or vendor > found.bytes_per_s)
            figure = vendor if is_vendors and vendor is not None else found.bytes_per_s
            working = "the maker's figure" if is_vendors else found.short_working
            return figure, f"{device.name} ({working})", f"specs/devices: {device.source}"
    except BandwidthError as error:  # a user's broken entry: a measurement must not fail by it
        host.catalog.folders.note_broken(error)
        return None
    instance = host.instance
    if instance is None or not _WHOLE_MACHINE.search(_product(host.facts)):
        return None
    memory = _memory_of_instance(host, instance)
    if memory is None:
        return None
    return memory.bytes_per_s, f"{instance.host} ({memory.short_working})", instance.source


def _memory_of_instance(host: Host, instance: CloudInstance) -> Peak | None:
    return host.peak_of(f"cloud_instances.tsv: [{instance.name}]: memory", instance.memory, "memory")


def _product(facts: Facts) -> str:
    return facts.text("product_name") or ""
