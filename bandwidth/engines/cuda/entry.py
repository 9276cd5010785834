"""NVIDIA's GPUs, as the registry lists them; CuPy is imported where the engine is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from bandwidth.engines.interface import DeviceMaker, Engine, EngineEntry, OffloadMaker, Site
from bandwidth.kernels import kernels_in
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import NVIDIA_CONTROL, NVIDIA_ID, has_vendor
from bandwidth.machine.reader import Reader


def _make(_: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.cuda import device
    from bandwidth.engines.cuda.driver import CudaDriver
    from bandwidth.engines.devices.engine import device_engine

    return device_engine(CudaDriver(device.load_cupy()), site)


def _lacks_cupy() -> str:
    from bandwidth.engines.cuda.errors import EXTRAS

    is_there = importlib.util.find_spec("cupy") is not None
    return "" if is_there else f"CuPy, which drives the GPU, is not installed: {EXTRAS}"


def _maker() -> DeviceMaker:
    from bandwidth.engines.cuda import device

    return DeviceMaker(
        find=lambda numbers, _: device.devices(numbers=numbers),
        sight=lambda numbers, _: device.devices(numbers=numbers, opened=False),
        advice="nvidia-smi",
    )


def _offload() -> OffloadMaker:
    from bandwidth.engines.cuda import end_to_end

    return OffloadMaker(
        end_to_end.EXPRESSION,
        end_to_end.RESULT_BYTES,
        check=end_to_end.check_gpu,
        make=lambda most_bytes, pinned, resident: end_to_end.EndToEnd(most_bytes, pinned=pinned, resident=resident),
    )


def has_gpu(reader: Reader, facts: Facts) -> bool:
    """Return whether an NVIDIA GPU is here: on the bus, by its driver, or by the driver's device in a container."""
    is_driver = reader.system == "Linux" and NVIDIA_CONTROL in reader.names("/dev")
    return has_vendor(facts, NVIDIA_ID) or is_driver


ENTRIES = (
    EngineEntry(
        "cuda",
        ("device", "pcie"),
        (*kernels_in("device", first="triad"), "memcpy", "memset"),
        _make,
        "NVIDIA GPUs through CuPy",
        lacks=_lacks_cupy,
        maker=_maker,
        sign=has_gpu,
        offload=_offload,
    ),
)
