"""Devices of OpenCL, as the registry lists them; pyopencl is imported where the engine is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from bandwidth.engines.devices.paths import DEVICE_PATHS
from bandwidth.engines.interface import DeviceMaker, Engine, EngineEntry, Site
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import AMD_ID, INTEL_ID, NVIDIA_ID, GpuFacts, has_vendor
from bandwidth.machine.reader import Reader
from bandwidth.vocabulary import DEVICE, PCIE


def _make(_: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.devices.engine import device_engine
    from bandwidth.engines.opencl.discovery import load_pyopencl
    from bandwidth.engines.opencl.driver import ClDriver

    # The numbers are those under which the plan found them: with processors where those were asked for.
    is_asked = any(gpu.is_processor for gpu in site.gpus)
    return device_engine(ClDriver(load_pyopencl(), is_asked=is_asked), site)


def _lacks_pyopencl() -> str:
    is_there = importlib.util.find_spec("pyopencl") is not None
    return "" if is_there else "pyopencl, which drives OpenCL, is not installed: pip install 'membandwidth[opencl]'"


def _maker() -> DeviceMaker:
    from bandwidth.engines.opencl import device, discovery

    def find(numbers: Sequence[int] | None, is_asked: bool) -> tuple[GpuFacts, ...]:
        return discovery.devices(numbers=numbers, is_asked=is_asked)

    return DeviceMaker(find=find, sight=find, host_memory=device.HOST_KINDS, has_peers=False)


def has_gpu(reader: Reader, facts: Facts) -> bool:  # noqa: ARG001 -- the bus tells, by the facts
    """Return whether a GPU of a maker with an OpenCL runtime is on the bus, and pyopencl is there to reach it."""
    return has_vendor(facts, NVIDIA_ID, AMD_ID, INTEL_ID) and not _lacks_pyopencl()


ENTRIES = (
    EngineEntry(
        "opencl",
        (DEVICE, PCIE),
        DEVICE_PATHS,
        _make,
        "GPUs of any maker, and processors, through OpenCL",
        label="OpenCL",
        lacks=_lacks_pyopencl,
        maker=_maker,
        sign=has_gpu,
        is_listed=True,
    ),
)
