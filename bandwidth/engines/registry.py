"""What measures: an engine lays out data, runs timed blocks of a case, and checks what they left.

A new engine is one module here and one line in ENGINES. Engines are imported when they are asked for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence

from bandwidth.engines.interface import DeviceMaker, Engine, EngineEntry, Look, Site
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.topology import Topology


def engines_of(target: str) -> dict[str, EngineEntry]:
    """Return the engines that can measure a target."""
    return {name: entry for name, entry in ENGINES.items() if target in entry.targets}


def make_engines(
    names: Sequence[str], topology: Topology, gpus: Sequence[GpuFacts] = (), look: Look | None = None
) -> dict[str, Engine]:
    """Return the engines of these names for a machine's layout; those of one family are one object."""
    site = Site(topology, tuple(gpus), look)
    families = dict.fromkeys(ENGINES[name].family for name in names)
    made = {family: FAMILIES[family]([n for n in names if ENGINES[n].family == family], site) for family in families}
    return {name: made[ENGINES[name].family] for name in names}


def _host(names: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.host.engine import HostEngine
    from bandwidth.engines.host.native_runner import NativeRunner
    from bandwidth.engines.host.numpy_runner import NumpyRunner
    from bandwidth.engines.host.runner import Runner

    runners: dict[str, Callable[[], Runner]] = {"native": NativeRunner, "numpy": NumpyRunner}
    return HostEngine(site.topology, {name: runners[name]() for name in names})


def _lacks_llvm() -> str:
    from bandwidth.engines.host.native_code.job import has_system_functions

    if not has_system_functions():
        return "they run on Linux and macOS"
    is_there = importlib.util.find_spec("llvmlite") is not None
    return "" if is_there else "llvmlite is not installed: pip install 'membandwidth[native]'"


def _cuda(_: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.cuda.engine import cuda_engine

    return cuda_engine(site.topology, site.look, found=site.gpus)


def _lacks_cupy() -> str:
    from bandwidth.engines.cuda.errors import EXTRAS

    return (
        ""
        if importlib.util.find_spec("cupy") is not None
        else f"CuPy, which drives the GPU, is not installed: {EXTRAS}"
    )


def _cuda_maker() -> DeviceMaker:
    from bandwidth.engines.cuda import cases as cuda_cases
    from bandwidth.engines.cuda import device as cuda_device
    from bandwidth.engines.cuda import discovery as cuda_finding
    from bandwidth.engines.cuda import passes as cuda_passes
    from bandwidth.engines.cuda import source as cuda_kernels

    return DeviceMaker(
        find=lambda numbers: cuda_finding.devices(numbers=numbers),
        sight=lambda numbers: cuda_finding.devices(numbers=numbers, opened=False),
        needed_bytes=cuda_cases.needed_bytes,
        kept_free_bytes=cuda_device.KEPT_FREE_BYTES,
        loads_per_call=cuda_kernels.LOADS_PER_CALL,
        line_bytes=cuda_passes.NODE_BYTES,
    )


FAMILIES: dict[str, Callable[[Sequence[str], Site], Engine]] = {"host": _host, "cuda": _cuda}
# In the order in which results stand in a table.
ENGINES: dict[str, EngineEntry] = {
    "native": EngineEntry(
        "native",
        ("host",),
        ("copy", "read", "triad", "write", "scale", "add", "dot"),
        "host",
        "what the memory can do",
        has_stores=True,
        lacks=_lacks_llvm,
    ),
    "numpy": EngineEntry("numpy", ("host",), ("copy", "read", "write", "scale", "add"), "host", "what NumPy code gets"),
    "cuda": EngineEntry(
        "cuda",
        ("device", "pcie"),
        ("triad", "copy", "read", "write", "scale", "add", "dot", "memcpy", "memset"),
        "cuda",
        "NVIDIA GPUs through CuPy",
        lacks=_lacks_cupy,
        maker=_cuda_maker,
    ),
}
