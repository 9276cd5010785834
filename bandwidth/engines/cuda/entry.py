"""NVIDIA's GPUs, and AMD's by HIP, as the registry lists them; CuPy is imported where the engine is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bandwidth.engines.devices.paths import DEVICE_PATHS
from bandwidth.engines.interface import DeviceMaker, Engine, EngineEntry, OffloadMaker, Site
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import AMD_ID, NVIDIA_CONTROL, NVIDIA_ID, has_vendor
from bandwidth.machine.reader import Reader
from bandwidth.vocabulary import DEVICE, PCIE


def _make(_: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.cuda import device
    from bandwidth.engines.cuda.driver import CudaDriver
    from bandwidth.engines.devices.engine import device_engine

    return device_engine(CudaDriver(device.load_cupy()), site)


def _lacks_cupy() -> str:
    from bandwidth.engines.cuda.errors import EXTRAS

    return "" if _platform() == "cuda" else f"CuPy, which drives the GPU, is not installed: {EXTRAS}"


def _lacks_rocm() -> str:
    from bandwidth.engines.cuda.errors import ROCM_EXTRA

    return "" if _platform() == "rocm" else f"CuPy for ROCm, which drives the GPU, is not installed: {ROCM_EXTRA}"


def _platform() -> str:
    """Return what the installed CuPy is built for, `cuda` or `rocm`, "" where there is none; nothing is imported.

    A wheel says so in a file of its own: {"cuda": "rocm-7.0"}.
    """
    found = importlib.util.find_spec("cupy")
    if found is None:
        return ""
    told = [Path(folder, ".data", "_wheel.json") for folder in found.submodule_search_locations or ()]
    return "rocm" if any("rocm" in file.read_text("utf-8") for file in told if file.is_file()) else "cuda"


def _maker() -> DeviceMaker:
    from bandwidth.engines.cuda import device

    return DeviceMaker(
        find=lambda numbers, _: device.devices(numbers=numbers),
        sight=lambda numbers, _: device.devices(numbers=numbers, opened=False),
        advice="nvidia-smi",
    )


def _maker_of_hip() -> DeviceMaker:
    return replace(_maker(), advice="rocm-smi")


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


def has_amd_gpu(reader: Reader, facts: Facts) -> bool:  # noqa: ARG001 -- the bus tells, by the facts
    """Return whether an AMD GPU is on the bus, and the CuPy that reaches it by HIP is installed."""
    return has_vendor(facts, AMD_ID) and not _lacks_rocm()


ENTRIES = (
    EngineEntry(
        "cuda",
        (DEVICE, PCIE),
        DEVICE_PATHS,
        _make,
        "NVIDIA GPUs through CuPy",
        label="CUDA",
        lacks=_lacks_cupy,
        maker=_maker,
        sign=has_gpu,
        offload=_offload,
    ),
    EngineEntry(
        "hip",
        (DEVICE, PCIE),
        DEVICE_PATHS,
        _make,
        "AMD GPUs through CuPy for ROCm",
        label="HIP",
        lacks=_lacks_rocm,
        maker=_maker_of_hip,
        sign=has_amd_gpu,
        offload=_offload,
    ),
)
