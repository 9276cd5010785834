"""What pyopencl and the runtimes of OpenCL raise, in one line each that says what to do.

Errors are told apart by their code and by the names of their classes: nothing of pyopencl is imported for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from bandwidth.errors import BandwidthError, HardwareError
from bandwidth.units import format_size

EXTRA = "pip install 'membandwidth[opencl]'"
_RUNTIMES = (
    "install an OpenCL runtime: the driver's package, intel-opencl-icd, rocm-opencl, or Mesa with RUSTICL_ENABLE set"
)
# CL/cl.h and CL/cl_ext.h: the codes that a user can meet and do something about.
DEVICE_NOT_FOUND, DEVICE_NOT_AVAILABLE, PLATFORM_NOT_FOUND = -1, -2, -1001
_NO_MEMORY = {-4, -6, -61}  # of an object, of the host, a buffer's size
_BUILD = {-3, -11, -15, -17}
# The runtime gave up what was queued, or the queue: NVIDIA's and AMD's after a fault or a reset.
_LOST = {-5, -9999, -14, -36, -58}
_CLASSES = {"Error", "LogicError", "RuntimeError", "MemoryError"}


def code_of(error: BaseException) -> int | None:
    """Return the code of an error of OpenCL, None for any other."""
    kind = type(error)
    if not (kind.__module__.startswith("pyopencl") and kind.__name__ in _CLASSES):
        return None
    code = getattr(error, "code", None)
    return int(code) if isinstance(code, int) else 0


def said(error: BaseException, device: int | None = None) -> BandwidthError | None:
    """Return an error of OpenCL as one of ours; None for any other, which is a bug and shows itself."""
    if isinstance(error, BandwidthError):
        return error
    if isinstance(error, ImportError):
        return _of_import(error)
    code, name = code_of(error), "the device" if device is None else f"device {device}"
    if code is None:
        return None
    if code in {PLATFORM_NOT_FOUND, DEVICE_NOT_FOUND}:
        return no_device(())
    if code == DEVICE_NOT_AVAILABLE:
        return HardwareError(f"{name} is not available", "check which process uses it")
    if code in _NO_MEMORY:
        return out_of_memory(device)
    if code in _BUILD:
        return _of_compiler(str(error))
    if code in _LOST:
        return BandwidthError(
            f"{name} was lost during the measurement ({first_line(str(error))})", "check the kernel log; try again"
        )
    line = first_line(str(error))
    return BandwidthError(f"{name} failed ({line})", "check the kernel log; if the device works, report this")


@contextmanager
def told(device: int | None = None) -> Iterator[None]:
    """Let what OpenCL raises inside leave as one of our errors."""
    try:
        yield
    except Exception as error:
        ours = said(error, device)
        if ours is None or ours is error:
            raise
        raise ours from error


def no_device(platforms: tuple[str, ...], processors: int = 0) -> HardwareError:
    """Return the error where there is no GPU, by the names of the platforms that there are."""
    if processors:
        return HardwareError(
            "OpenCL reports no GPU",
            "--engine opencl measures its CPU devices; the target host measures host memory better",
        )
    if any("rusticl" in name.lower() for name in platforms):
        return HardwareError("OpenCL reports no GPU", "set RUSTICL_ENABLE to the GPU's driver, such as radeonsi")
    what = f"OpenCL reports no device ({', '.join(platforms)})" if platforms else "no OpenCL runtime is installed"
    return HardwareError(what, _RUNTIMES)


def no_such_device(number: int, count: int) -> HardwareError:
    """Return the error of a device's number that does not exist."""
    there = "only device 0 exists" if count == 1 else f"devices 0 to {count - 1} exist"
    return HardwareError(f"device {number} does not exist", f"{there} in OpenCL")


def out_of_memory(device: int | None, needed_bytes: int = 0, free_bytes: int = 0) -> BandwidthError:
    """Return the error of a device without enough memory, with the sizes where they are known."""
    sizes = f": {format_size(needed_bytes)} needed, {format_size(free_bytes)} free" if needed_bytes else ""
    name = "the device" if device is None else f"device {device}"
    return BandwidthError(f"{name} has too little memory{sizes}", "use a smaller --size")


def first_line(text: str) -> str:
    """Return what an error says first, in 200 characters at most."""
    lines = [line.strip() for line in text.splitlines() if line.strip("= \t-")]
    return re.sub(r"\s+", " ", lines[0])[:200] if lines else "no details"


def _of_import(error: ImportError) -> BandwidthError:
    if isinstance(error, ModuleNotFoundError) and error.name == "pyopencl":
        return HardwareError("pyopencl, which drives OpenCL, is not installed", EXTRA)
    return HardwareError(
        f"pyopencl is installed but cannot be imported: {first_line(str(error))}", f"reinstall it: {EXTRA}"
    )


def _of_compiler(text: str) -> BandwidthError:
    """Return the error of a build: what is about the compiler's setting is not our source's."""
    found = re.search(r"^.*error:.*$", text, re.MULTILINE)
    line = first_line(found[0] if found else text)
    if "unknown target CPU" in line:
        return HardwareError(
            f"the compiler of the OpenCL runtime does not support this processor ({line})", "install a newer runtime"
        )
    return BandwidthError(f"a kernel does not compile: {line}", "this is a bug: please report it")
