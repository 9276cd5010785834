"""The ceilings of a machine before anything is measured: of reads and writes by all of its cores and by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bandwidth.catalog import current_catalog
from bandwidth.ceilings.memory import HostTheory
from bandwidth.ceilings.of_results import ceilings_of
from bandwidth.machine.facts import Facts
from bandwidth.machine.topology import Topology
from bandwidth.results import Case, Ceiling
from bandwidth.vocabulary import HOST, NATIVE, STREAMING

# Data that no cache holds: what it is in bytes has no part in a memory's ceilings.
_MEMORY_BYTES = 2**40
_PATHS: tuple[tuple[str, dict[str, str]], ...] = (("read", {}), ("write", {"stores": STREAMING}))


@dataclass(frozen=True)
class MachineCeiling:
    """A ceiling of so many cores that read or write (`path`) memory."""

    path: str
    cores: int
    ceiling: Ceiling


def machine_ceilings(facts: Facts, topology: Topology, theory: HostTheory) -> tuple[MachineCeiling, ...]:
    """Return every ceiling of memory that is known of a machine, all cores before one, the lowest of each first.

    Those of caches go with the clock, which only a run sees. Raises BandwidthError for a bad table of the package.
    """
    return tuple(_found(facts, topology, theory))


def _found(facts: Facts, topology: Topology, theory: HostTheory) -> Iterator[MachineCeiling]:
    cpus = topology.physical_core_cpus()
    for used in dict.fromkeys((cpus, cpus[:1])):
        for path, variant in _PATHS:
            case = Case(
                target=HOST,
                path=path,
                engine=NATIVE,
                threads=max(len(used), 1),
                working_set_bytes=_MEMORY_BYTES,
                bytes_per_call=_MEMORY_BYTES,
                payload_bytes_per_call=_MEMORY_BYTES,
                cpus=used,
                variant=variant,
                dram_rule_bytes=_MEMORY_BYTES,
            )
            for ceiling in ceilings_of(case, facts, current_catalog(), topology, theory):
                yield MachineCeiling(path, len(used), ceiling)
