"""What CuPy and the CUDA driver raise, in one line each that says what to do.

Errors are told apart by what they carry and by the names of their classes: nothing of CuPy is imported for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from bandwidth import own_process
from bandwidth.errors import BandwidthError, HardwareError
from bandwidth.units import format_size

ROCM_EXTRA = "pip install 'membandwidth[rocm7]'"
EXTRAS = "pip install 'membandwidth[cuda13]', or [cuda12] for a driver of CUDA 12"
_COMPILERS = "pip install 'cuda-toolkit[cudart,nvrtc]' of CuPy's CUDA version"
_ROCM = "install ROCm 7, or add the folder of its libraries (/opt/rocm/lib) to LD_LIBRARY_PATH"
_ROCM_COMPILERS = "install ROCm's hiprtc and hipcc, and add hipcc's folder (/opt/rocm/bin) to PATH"
_HEADER = re.compile(r"fatal error: '?([\w./+-]+)'?(?:: No such file| file not found)")
# What CuPy says where a part of ROCm's compiler lacks; hipcc it asks where the headers are.
_NO_ROCM_COMPILER = ("libhiprtc", "hipcc", "ROCm root directory")
_IF_WELL = "check `nvidia-smi`; if the GPU works, report this"
_CACHE = "set CUPY_CACHE_DIR to a folder that can be written"
# driver_types.h: cudaError. Those that a user can meet and do something about.
OUT_OF_MEMORY, DRIVER_TOO_OLD, NO_DEVICE, INVALID_DEVICE = 2, 35, 100, 101
PEER_ALREADY_ON, PEER_NOT_ON = 704, 705
_KNOWN: dict[int, tuple[str, str]] = {
    34: (
        "loads a stub instead of the driver (libcuda.so of the CUDA toolkit)",
        "remove the toolkit's `stubs` folder from LD_LIBRARY_PATH",
    ),
    46: ("is in use by another process (exclusive mode), or is unavailable", "`nvidia-smi` lists the process"),
    201: ("lost its context", "see `nvidia-smi` and the kernel's log (Xid); reset it or restart the machine"),
    209: (
        "is of an architecture that this CuPy does not support",
        "install a newer cupy package, or the extra for an older CUDA",
    ),
    217: ("has no peer access to the other device", "use one --device at a time"),
    218: (
        "rejects the compiled code: the driver is older than the compiler",
        "update the driver",
    ),
    222: (
        "rejects the compiled code: the driver is older than the compiler",
        "update the driver",
    ),
    214: ("reported an uncorrectable ECC error", "see `nvidia-smi -q -d ECC`; the card may be failing"),
    304: (
        "cannot be opened: the operating system denies access",
        "check the permissions of /dev/nvidia* in this container",
    ),
    702: (
        "stopped the work: it drives a display, and the display watchdog limits the run time",
        "measure without a display attached",
    ),
    802: (
        "is not ready: the NVLink fabric is not initialised",
        "start nvidia-fabricmanager, or wait until it has started",
    ),
    803: ("has a driver with parts of different versions", "restart the machine after the driver's update"),
    804: (
        "is not supported by CUDA's compatibility package (cuda-compat)",
        "update the driver, or use an image or an extra of an older CUDA",
    ),
}
_DRIVER_ERRORS = {"CUDARuntimeError", "CUDADriverError"}
# The driver gave the device up, in the middle of work: 719 also stands for a fault of our own kernel.
_LOST = {4, 700, 709, 710, 714, 715, 716, 717, 718, 719, 999}
# After these too every later call of the process fails: "terminated and relaunched", says driver_types.h.
_ENDS_PROCESS = _LOST | {201, 214, 702}
UNKNOWN = 999


def said(error: BaseException, device: int | None = None, versions: tuple[int, int] = (0, 0)) -> BandwidthError | None:
    """Return an error of CuPy as one of ours; None for any other, which is a bug and shows itself.

    `device` is the device's number where there is one; `versions` are CUDA's of driver and runtime as integers such as
    12090, 0 where there is none.
    """
    status = getattr(error, "status", None)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, BandwidthError):
        return error
    if isinstance(error, ImportError):
        return _of_import(error)
    if "OutOfMemoryError" in kinds or lacks_memory(error):
        return out_of_memory(device)
    if _is_of_driver(error) and isinstance(status, int):
        if _is_unknown_to_hip(error):
            return BandwidthError(f"{_name(device)} failed ({error})", _IF_WELL)
        return _of_status(status, str(error), device, versions)
    if lacks_rocm_compiler(error):
        return HardwareError("ROCm's compiler (hiprtc, hipcc) is not found", _ROCM_COMPILERS)
    if kinds & {"CompileException", "NVRTCError"}:
        return _of_compiler(_first_line(error), _HEADER.search(str(error)))
    if "DynamicLibNotFoundError" in kinds or "Failed to find CUDA headers" in str(error):
        return HardwareError("CUDA's compiler (NVRTC) or its headers are not found", _COMPILERS)
    return None


def out_of_memory(device: int | None, needed_bytes: int = 0, free_bytes: int = 0) -> BandwidthError:
    """Return the error of a device without enough memory, with the sizes where they are known."""
    sizes = f": {format_size(needed_bytes)} needed, {format_size(free_bytes)} free" if needed_bytes else ""
    return BandwidthError(f"{_name(device)} has too little memory{sizes}", "use a smaller --size")


def host_refused(size_bytes: int) -> BandwidthError:
    """Return the error of a system that gives the driver no page-locked memory."""
    hint = "use a smaller --size; containers and WSL limit page-locked memory"
    return BandwidthError(f"the system refused {format_size(size_bytes)} of page-locked host memory", hint)


def cannot_cache(error: OSError) -> HardwareError:
    """Return the error of a CuPy that can write compiled code nowhere."""
    return HardwareError(f"CuPy cannot write its compiler cache: {_first_line(error)}", _CACHE)


def no_such_device(device: int, count: int) -> HardwareError:
    """Return the error of a device's number that does not exist."""
    there = "only device 0 exists" if count == 1 else f"devices 0 to {count - 1} exist"
    return HardwareError(f"device {device} does not exist", there)


@contextmanager
def told(module: Any, device: int | None = None) -> Iterator[None]:
    """Let what CuPy raises inside leave as one of our errors."""
    try:
        yield
    except Exception as error:
        if _ends_process(error):
            _quiet_destructors()
        ours = said(error, device, _versions(module) if _is_about_driver(error) else (0, 0))
        if ours is None or ours is error:
            raise
        raise (_of_hip(error, ours) if _drives_hip(module) else ours) from error


def is_lost(error: BaseException) -> bool:
    """Return whether the driver gave a device up: every later call of this process on it fails likewise."""
    return _ends_process(error) and not _is_unknown_to_hip(error)


def _ends_process(error: BaseException) -> bool:
    return _is_of_driver(error) and getattr(error, "status", None) in _ENDS_PROCESS


def _is_unknown_to_hip(error: BaseException) -> bool:
    """Return whether HIP cannot say what it was: CuPy answers so too for each call that it does not hand to HIP."""
    return getattr(error, "status", None) == UNKNOWN and str(error).startswith("hipError")


def lacks_rocm_compiler(error: BaseException) -> bool:
    """Return whether a part of ROCm's compiler is not there."""
    if isinstance(error, FileNotFoundError):
        return bool(error.filename == "hipcc")
    return type(error) is RuntimeError and any(sign in str(error) for sign in _NO_ROCM_COMPILER)


def lacks_memory(error: BaseException) -> bool:
    """Return whether the driver had not the memory that was asked for, of the device or of the host."""
    return _is_of_driver(error) and getattr(error, "status", None) == OUT_OF_MEMORY


def is_refusal(error: BaseException) -> bool:
    """Return whether the driver refused one call and goes on."""
    return _is_of_driver(error) and not is_lost(error)


def _is_of_driver(error: BaseException) -> bool:
    return any(kind.__name__ in _DRIVER_ERRORS for kind in type(error).__mro__)


class _Quiet:
    """Python's two hooks for errors, without those of CUDA in destructors. It lives to the end of the process.

    What is freed on a lost device (events, streams, memory) says once more that it is lost, each with a traceback, of
    which Cython prints another one by `sys.excepthook`: that shows no code of Python.
    """

    def __init__(self) -> None:
        self._names = frozenset(_DRIVER_ERRORS)  # globals may be gone when the last of it is freed
        self._before = sys.excepthook, sys.unraisablehook

    def unraised(self, unraisable: Any) -> None:
        if getattr(unraisable.exc_type, "__name__", "") not in self._names:
            self._before[1](unraisable)

    def printed(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if kind.__name__ not in self._names or self._is_of_python(trace):
            self._before[0](kind, error, trace)

    def _is_of_python(self, trace: TracebackType | None) -> bool:
        while trace is not None and trace.tb_frame.f_code.co_filename.endswith(".pyx"):
            trace = trace.tb_next
        return trace is not None


def _quiet_destructors() -> None:
    if own_process.is_own() and not isinstance(getattr(sys.unraisablehook, "__self__", None), _Quiet):
        quiet = _Quiet()
        sys.excepthook, sys.unraisablehook = quiet.printed, quiet.unraised


def _of_import(error: ImportError) -> BandwidthError:
    if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
        return HardwareError("CuPy, which drives the GPU, is not installed", EXTRAS)
    of_rocm = re.search(r"lib(?:amdhip64|roc|hip)\w*\.so\S*: cannot open .*", str(error))
    if of_rocm is not None:
        return HardwareError(f"ROCm's libraries are not found ({of_rocm[0]})", _ROCM)
    hint = "keep one cupy package (see `pip list`): that for the driver's CUDA version"
    return HardwareError(f"CuPy is installed but cannot be imported: {_first_line(error)}", hint)


def _of_status(status: int, text: str, device: int | None, versions: tuple[int, int]) -> BandwidthError:
    if status == DRIVER_TOO_OLD:
        return _of_driver(*versions)
    if status in {NO_DEVICE, INVALID_DEVICE} and (device is None or status == NO_DEVICE):
        hint = "check CUDA_VISIBLE_DEVICES, and --gpus of the container"
        return HardwareError("the driver is loaded and reports no GPU", hint)
    if status == INVALID_DEVICE:
        return HardwareError(f"{_name(device)} does not exist", "`bandwidth system` lists the GPUs")
    if status in _KNOWN:
        what, hint = _KNOWN[status]
        return HardwareError(f"{_name(device)} {what}", hint)
    if status == UNKNOWN and device is None:
        hint = "restart the machine; after a suspend, reloading the module nvidia_uvm may be enough"
        return HardwareError("the NVIDIA driver does not answer", hint)
    if status in _LOST:
        hint = "see `nvidia-smi` and the kernel's log (Xid); try again"
        return BandwidthError(f"{_name(device)} was lost during the measurement ({text})", hint)
    return BandwidthError(f"{_name(device)} failed ({text})", _IF_WELL)


def _drives_hip(module: Any) -> bool:
    return module is not None and bool(module.cuda.runtime.is_hip)


def _of_hip(error: BaseException, ours: BandwidthError) -> BandwidthError:
    """Return an error in the words of AMD's driver, whose codes are CUDA's."""
    if getattr(error, "status", None) in {DRIVER_TOO_OLD, NO_DEVICE}:
        hint = "install AMD's driver, pass /dev/kfd and /dev/dri to the container, check HIP_VISIBLE_DEVICES"
        return HardwareError("ROCm reports no GPU", hint)
    hint = ours.hint.replace("nvidia-smi", "rocm-smi").replace(" (Xid)", "").replace("/dev/nvidia*", "/dev/kfd")
    return type(ours)(ours.message, hint)


def _of_compiler(line: str, header: re.Match[str] | None) -> BandwidthError:
    """Return the error of NVRTC: what is about its own setting and not about our source it begins with its name.

    Our source includes nothing: a `header` that is not found is one that CuPy's own kernels want, of ROCm its Thrust's.
    """
    if header is not None:
        hint = "install the headers listed in CuPy's guide; for ROCm: rocthrust and hipcub"
        return HardwareError(f"CuPy's own kernels do not compile: {header[1]} is not found", hint)
    if "--gpu-architecture" in line:
        hint = "install the extra for an older CUDA if the GPU is older than 2018, else newer packages"
        return HardwareError("CUDA's compiler (NVRTC) does not support this GPU's architecture", hint)
    if line.startswith("nvrtc: error: failed to open"):
        return HardwareError(f"CUDA's compiler (NVRTC) is incomplete ({line})", _COMPILERS)
    return BandwidthError(f"a kernel does not compile: {line}", "this is a bug: please report it")


def _of_driver(driver: int, runtime: int) -> BandwidthError:
    if driver == 0:
        return HardwareError("no NVIDIA driver is installed", "install it, or start the container with --gpus all")
    has, wants = (f"{version // 1000}.{version % 1000 // 10}" for version in (driver, runtime))
    # There are no extras for versions before CUDA 12.
    least = 12
    other = f", or install the extra cuda{driver // 1000}" if least <= driver // 1000 < runtime // 1000 else ""
    return HardwareError(f"the NVIDIA driver supports CUDA {has}, CuPy needs {wants}", f"update the driver{other}")


def _versions(module: Any) -> tuple[int, int]:
    runtime = module.cuda.runtime
    return int(runtime.driverGetVersion()), int(runtime.runtimeGetVersion())


def _is_about_driver(error: BaseException) -> bool:
    return getattr(error, "status", None) == DRIVER_TOO_OLD


def _name(device: int | None) -> str:
    return "the GPU" if device is None else f"device {device}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip("= \t-")]
    return re.sub(r"\s+", " ", lines[0])[:200] if lines else type(error).__name__
