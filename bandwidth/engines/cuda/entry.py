"""NVIDIA's GPUs, as the registry lists them; CuPy is imported where the engine is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from bandwidth.engines.interface import DeviceMaker, Engine, EngineEntry, Site
from bandwidth.kernels import kernels_in


def _make(_: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.cuda.engine import cuda_engine

    return cuda_engine(site.topology, site.telemetry, found=site.gpus)


def _lacks_cupy() -> str:
    from bandwidth.engines.cuda.errors import EXTRAS

    is_there = importlib.util.find_spec("cupy") is not None
    return "" if is_there else f"CuPy, which drives the GPU, is not installed: {EXTRAS}"


def _maker() -> DeviceMaker:
    from bandwidth.engines.cuda import device, passes, requirements, source

    return DeviceMaker(
        find=lambda numbers: device.devices(numbers=numbers),
        sight=lambda numbers: device.devices(numbers=numbers, opened=False),
        needed_bytes=requirements.needed_bytes,
        kept_free_bytes=device.KEPT_FREE_BYTES,
        loads_per_call=source.LOADS_PER_CALL,
        line_bytes=passes.NODE_BYTES,
    )


ENTRIES = (
    EngineEntry(
        "cuda",
        ("device", "pcie"),
        (*kernels_in("device", first="triad"), "memcpy", "memset"),
        _make,
        "NVIDIA GPUs through CuPy",
        lacks=_lacks_cupy,
        maker=_maker,
    ),
)
