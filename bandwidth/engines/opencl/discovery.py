"""Which devices OpenCL shows here, and what they are. GPUs come first, so that their numbers do not change.

What is known of vendors' pitfalls is heeded here: how large one array may be, how much memory there is, where a
device is on the PCI bus.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Sequence
from typing import Any

from bandwidth.engines.opencl.errors import code_of, no_device, no_such_device, told
from bandwidth.kernels import ELEMENT_BYTES
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import AMD_ID, INTEL_ID, NVIDIA_ID, GpuFacts
from bandwidth.machine.reader import Reader, SystemReader, read_integer
from bandwidth.machine.system_memory import memory_facts, usable_memory_bytes

SINGLE_BYTES = 4
# CL/cl_ext.h. What pyopencl lacks is asked for by its number.
_PCI_BUS_INFO = 0x410F  # cl_khr_pci_bus_info: domain, bus, device, function
_NV_PCI_BUS, _NV_PCI_SLOT, _NV_PCI_DOMAIN = 0x4008, 0x4009, 0x400A
_AMD_TOPOLOGY, _AMD_FREE_MEMORY = 0x4037, 0x4039
# Intel's runtime gives wrong results of larger buffers unless they are asked for in a special way.
_INTEL_LARGEST_BYTES = 4 * 1024**3 - 4096
# Of memory that it shares with the host a device may take this part of what can be used now.
_UNIFIED_SHARE = 0.5
# What a runtime that is confused answers; no device has so many of anything.
_MOST = 2**62


def load_pyopencl() -> Any:
    """Import pyopencl. Raises HardwareError where it is not there or does not load."""
    # Compiled code is made anew each time: what is kept on the disk can be of another driver.
    os.environ.setdefault("PYOPENCL_NO_CACHE", "1")
    with told():
        import pyopencl

        return pyopencl


def raw_devices(module: Any, *, is_asked: bool) -> list[Any]:
    """Return the devices of all platforms, GPUs first; processors only where the engine was asked for by its name.

    Raises HardwareError where there is none.
    """
    with told():
        platforms = module.get_platforms()
    found: list[Any] = []
    for platform in platforms:
        try:
            found += platform.get_devices()
        except Exception as error:
            if code_of(error) is None:
                raise  # none of OpenCL's: a bug that shows itself
            # A platform without devices, or that does not start, hides no other.
    gpus = [device for device in found if not is_processor(module, device)]
    processors = [device for device in found if is_processor(module, device)]
    devices = [*gpus, *processors] if is_asked else gpus
    if not devices:
        raise no_device(tuple(str(platform.name) for platform in platforms), len(processors))
    return devices


def devices(
    module: Any = None, numbers: Sequence[int] | None = None, reader: Reader | None = None, *, is_asked: bool = False
) -> tuple[GpuFacts, ...]:
    """Return the devices of some numbers, or all, at least one.

    Raises HardwareError with what to do where there is none or a number does not exist.
    """
    module, reader = module or load_pyopencl(), reader or SystemReader()
    found = raw_devices(module, is_asked=is_asked)
    for number in numbers or ():
        if number >= len(found):
            raise no_such_device(number, len(found))
    wanted = range(len(found)) if numbers is None else numbers
    return tuple(read_facts(module, found[number], number, reader) for number in wanted)


def read_facts(module: Any, device: Any, number: int, reader: Reader) -> GpuFacts:
    """Return what a device is."""
    with told(number):
        total, is_unified = asked_number(device, "global_mem_size"), bool(asked_number(device, "host_unified_memory"))
        address, processor = pci_address(device), is_processor(module, device)
        node = read_integer(reader, f"/sys/bus/pci/devices/{address}/numa_node") if address else None
        return GpuFacts(
            number,
            _text(device, "name") or "an OpenCL device",
            address,
            0,
            0,
            asked_number(device, "global_mem_cache_size"),
            max(asked_number(device, "max_compute_units"), 1),
            _free_bytes(device, total, reader, is_unified=is_unified),
            total,
            bool(asked_number(device, "error_correction_support")),
            False,
            api=api_of(device),
            told={
                "opencl_platform": _text(device.platform, "name"),
                "opencl_driver_version": _text(device, "driver_version"),
                "double_precision": element_bytes(device) == ELEMENT_BYTES,
            },
            numa_node=node if node is not None and node >= 0 else None,
            largest_bytes=largest_bytes(device, total, processor=processor),
            is_unified=is_unified,
            is_processor=processor,
        )


def is_processor(module: Any, device: Any) -> bool:
    """Return whether a device is the host's processor."""
    return bool(asked_number(device, "type") & module.device_type.CPU)


def api_of(device: Any) -> str:
    """Return the version and the platform: `OpenCL 3.0, Portable Computing Language`."""
    words = _text(device, "version").split()
    version = " ".join(words[:2]) if words[:1] == ["OpenCL"] else "OpenCL"
    platform = _text(device.platform, "name")
    return f"{version}, {platform}" if platform else version


def element_bytes(device: Any) -> int:
    """Return the bytes of an element: 8, or 4 where the device has no double precision."""
    return ELEMENT_BYTES if asked_number(device, "double_fp_config") else SINGLE_BYTES


def largest_bytes(device: Any, total: int, *, processor: bool) -> int | None:
    """Return the largest single array, None where it may be all of the memory."""
    largest = asked_number(device, "max_mem_alloc_size") or total
    if asked_number(device, "vendor_id") == int(INTEL_ID, 16) and not processor:
        largest = min(largest, _INTEL_LARGEST_BYTES)
    return largest if largest < total else None


def _free_bytes(device: Any, total: int, reader: Reader, *, is_unified: bool) -> int:
    """Return the memory that may be taken: AMD's driver tells it, without which it would spill into the host's."""
    free = total
    if asked_number(device, "vendor_id") == int(AMD_ID, 16):
        told_kib = _raw(device, _AMD_FREE_MEMORY, "<Q")
        free = min(free, told_kib[0] * 1024) if told_kib and told_kib[0] else free
    usable = usable_memory_bytes(Facts(memory_facts(reader))) if is_unified else None
    return free if usable is None else min(free, int(usable * _UNIFIED_SHARE))


def asked_number(device: Any, name: str) -> int:
    """Return a number that the runtime tells, 0 where it tells none or one that cannot be."""
    try:
        value = int(getattr(device, name))
    except Exception as error:
        if code_of(error) is None and not isinstance(error, (AttributeError, TypeError, ValueError)):
            raise
        return 0  # an older runtime does not know it
    return value if 0 <= value < _MOST else 0


def _text(thing: Any, name: str) -> str:
    try:
        return " ".join(str(getattr(thing, name)).split())[:100]
    except Exception as error:
        if code_of(error) is None and not isinstance(error, UnicodeDecodeError):
            raise
        return ""


# --- on the PCI bus -------------------------------------------------------------------------------------------------


def pci_address(device: Any, ask: Callable[[Any, int, str], tuple[int, ...] | None] | None = None) -> str | None:
    """Return the PCI address as sysfs writes it, None where the device tells none.

    By the standard's extension, else by NVIDIA's attributes (a slot is eight times the device and the function), else
    by AMD's, which has no domain.
    """
    ask = ask or _raw
    standard = ask(device, _PCI_BUS_INFO, "<IIII")
    if standard and any(standard):
        domain, bus, slot, function = standard
        return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
    vendor = asked_number(device, "vendor_id")
    if vendor == int(NVIDIA_ID, 16):
        parts = [ask(device, which, "<I") for which in (_NV_PCI_DOMAIN, _NV_PCI_BUS, _NV_PCI_SLOT)]
        if parts[1] is not None and parts[2] is not None:
            domain, bus, slot = (part[0] if part else 0 for part in parts)
            return f"{domain:04x}:{bus:02x}:{slot >> 3:02x}.{slot & 7:x}"
    topology = ask(device, _AMD_TOPOLOGY, "<I17xBBB") if vendor == int(AMD_ID, 16) else None
    if topology and any(topology[1:]):
        _, bus, slot, function = topology
        return f"0000:{bus:02x}:{slot:02x}.{function:x}"
    return None


def _raw(device: Any, which: int, form: str) -> tuple[int, ...] | None:
    """Return what the runtime answers to a question that pyopencl does not know, None where it has no answer."""
    handle = getattr(device, "int_ptr", None)
    library = _library()
    if handle is None or library is None:
        return None
    answer, size = ctypes.create_string_buffer(64), ctypes.c_size_t(0)
    given = (ctypes.c_void_p(handle), ctypes.c_uint32(which), ctypes.c_size_t(64), answer, ctypes.byref(size))
    wanted = struct.calcsize(form)
    if library.clGetDeviceInfo(*given) != 0 or size.value < wanted:
        return None
    return struct.unpack(form, answer.raw[:wanted])


def _library() -> Any:
    """Return the loader of OpenCL that pyopencl has loaded, None where it cannot be found."""
    try:
        maps = open("/proc/self/maps", encoding="utf-8")  # noqa: SIM115, PTH123
    except OSError:
        return None
    with maps:
        names = (line.split(maxsplit=5)[-1].strip() for line in maps if "libOpenCL" in line)
        path = next(names, None)
    return None if path is None else ctypes.CDLL(path)
