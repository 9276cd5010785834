"""CuPy, and the GPUs that it finds: the one module that imports it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bandwidth.engines.cuda.device import KEEP_IN_MEMORY, count_devices, read_facts
from bandwidth.engines.cuda.errors import cannot_cache, no_such_device, told
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.reader import Reader, SystemReader, read_integer


def load_cupy() -> Any:
    """Import CuPy. Raises HardwareError where it is not there or does not load."""
    _give_cache()
    try:
        with told(None):
            import cupy

            return cupy
    except OSError as error:
        raise cannot_cache(error) from error


def _give_cache() -> None:
    """Let CuPy compile in memory where its folder cannot be made, as in a container without a home.

    CuPy makes the folder as it is imported, and the import fails where that does (_compiler_cache.py of 14.2).
    """
    folder = os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")
    try:
        Path(folder).expanduser().mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user who has no home at all
        os.environ["CUPY_CACHE_DIR"] = os.sep  # one that is there: nothing is written to it
        os.environ[KEEP_IN_MEMORY] = "1"


def devices(
    module: Any = None,
    reader: Reader | None = None,
    numbers: Sequence[int] | None = None,
    *,
    opened: bool = True,
) -> tuple[GpuFacts, ...]:
    """Return the GPUs of some numbers, or every one that this process may use, at least one.

    Raises HardwareError with what to do where there is none, one cannot be used or its number does not exist. It opens
    each of them, which takes some 0.3 s, unless it is told not to.
    """
    module, reader = module or load_cupy(), reader or SystemReader()
    count = count_devices(module)
    for number in numbers or ():
        if number >= count:
            raise no_such_device(number, count)
    numbers = tuple(range(count)) if numbers is None else numbers
    if opened:
        _stand_on(module, numbers)

    def node_of(address: str) -> int | None:
        node = read_integer(reader, f"/sys/bus/pci/devices/{address}/numa_node")
        return node if node is not None and node >= 0 else None

    return tuple(read_facts(module, number, node_of, opened=opened) for number in numbers)


def _stand_on(module: Any, numbers: Sequence[int]) -> None:
    """Make the first of some devices the one to which CuPy returns from any other.

    It would be device 0, which since CUDA 12 is thereby opened: memory is taken there, or refused where it is full.
    """
    for number in numbers[:1]:
        with told(module, number):
            module.cuda.runtime.setDevice(number)
