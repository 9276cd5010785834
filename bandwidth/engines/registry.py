"""The engines that are here, by name. A new maker of devices is a folder with an `entry`, and its line in `_FOLDERS`.

Engines are imported when they are made.
"""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.engines.cuda import entry as cuda
from bandwidth.engines.host import entry as host
from bandwidth.engines.interface import Counters, Engine, EngineEntry, Site, Telemetry
from bandwidth.engines.opencl import entry as opencl
from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Fact, Json, known
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.topology import Topology

# In the order in which results stand in a table.
_FOLDERS = (host, cuda, opencl)
ENGINES: dict[str, EngineEntry] = {entry.name: entry for folder in _FOLDERS for entry in folder.ENTRIES}


def engines_of(target: str) -> dict[str, EngineEntry]:
    """Return the engines that can measure a target."""
    return {name: entry for name, entry in ENGINES.items() if target in entry.targets}


def engine_label(name: str) -> str:
    """Return what people call an engine; one that is not known, of an older or later record, by its name."""
    return (ENGINES[name].label if name in ENGINES else "") or name


def device_facts() -> dict[str, Fact]:
    """Return `compute_devices`: what the engines find here that are listed, nothing where they find none."""
    found: list[Json] = []
    sources = []
    for entry in ENGINES.values():
        if not entry.is_listed or entry.maker is None or entry.lacks():
            continue
        try:
            gpus = entry.maker().sight(None, True)
        except BandwidthError:
            continue  # `measure device` says why there is none
        sources.append(entry.what)
        found += [{"engine": entry.name, **gpu.as_listed()} for gpu in gpus]
    return known("compute_devices", found, "; ".join(sources)) if found else {}


def make_engines(
    names: Sequence[str],
    topology: Topology,
    gpus: Sequence[GpuFacts] = (),
    telemetry: Telemetry | None = None,
    *,
    retunes: bool = False,
    counters: Counters | None = None,
) -> dict[str, Engine]:
    """Return the engines of these names for a machine's layout; those that are made by one call are one object."""
    site = Site(topology, tuple(gpus), telemetry, retunes, counters)
    makes = dict.fromkeys(ENGINES[name].make for name in names)
    made = {make: make([name for name in names if ENGINES[name].make is make], site) for make in makes}
    return {name: made[ENGINES[name].make] for name in names}
