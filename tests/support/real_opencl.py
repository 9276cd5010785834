"""PoCL, the OpenCL of processors, as two real devices: from PyPI, with nothing left on the disk."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

# What PoCL's compiler takes where it does not know this processor's name, by a flag of /proc/cpuinfo.
_NAMES = (("avx2", b"x86-64-v3"), ("", b"x86-64"))
_UNKNOWN = b"generic\0"
_LONGEST_DEVICE = 4096  # bytes of PoCL's structure of a device
_kept: list[Any] = []

# PoCL reads these once, whoever asks first: they are set while tests are collected, so that no test comes before.
_FOLDER = tempfile.mkdtemp(prefix="pocl")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
os.environ |= {"POCL_CACHE_DIR": _FOLDER, "PYOPENCL_NO_CACHE": "1", "POCL_DEVICES": "pthread pthread"}


def pocl() -> Any:
    """Return pyopencl with two devices of PoCL, or skip with the reason."""
    if "pocl" not in _loaded:
        _loaded["pocl"] = _load()
    module, reason = _loaded["pocl"]
    if reason:
        pytest.skip(reason)
    return module


_loaded: dict[str, tuple[Any, str]] = {}


def _load() -> tuple[Any, str]:
    cl = pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra opencl)")
    try:
        found = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    except cl.Error as error:
        return None, f"no OpenCL runtime is installed (pocl-binary-distribution): {error}"
    own = [device for device in found if device.type & cl.device_type.CPU]
    if len(own) < 2 or len(own) != len(found):
        return None, f"PoCL is not the only runtime of OpenCL here: {[device.name for device in found]}"
    for device in own:
        _name_processor(device)
    return cl, ""


def _name_processor(device: Any) -> None:
    """Give PoCL's compiler a name that it knows where the processor is newer than it.

    PoCL 3.0 then says `generic`, which its own compiler refuses for x86. The name is looked for in the structure of
    the device, every pointer of which is held against the pages that can be read.
    """
    if not device.version.rstrip().endswith("generic"):
        return
    with Path("/proc/self/maps").open() as lines:
        areas = [line.split()[0].split("-") for line in lines if line.split()[1].startswith("r")]
    readable = [(int(low, 16), int(high, 16)) for low, high in areas]
    flags = Path("/proc/cpuinfo").read_text()
    name = ctypes.create_string_buffer(next(name for flag, name in _NAMES if flag in flags))
    _kept.append(name)
    for place in range(device.int_ptr, device.int_ptr + _LONGEST_DEVICE, 8):
        if not any(low <= place < high for low, high in readable):
            break
        pointer = ctypes.c_uint64.from_address(place)
        inside = any(low <= pointer.value < high - len(_UNKNOWN) for low, high in readable)
        if inside and ctypes.string_at(pointer.value, len(_UNKNOWN)) == _UNKNOWN:
            pointer.value = ctypes.addressof(name)
            return
