"""What CuPy raises becomes one line that says what to do; CuPy's own errors can be made without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import cupy_stand_in
import pytest
from cupy_stand_in import StandIn

from bandwidth import own_process
from bandwidth.engines.cuda.device import devices, load_cupy
from bandwidth.engines.cuda.errors import is_refusal, said, told
from bandwidth.errors import BandwidthError, HardwareError


def errors_of(name):
    """The class of an error, CuPy's own where it is installed."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    return {
        "CUDARuntimeError": cupy.cuda.runtime.CUDARuntimeError,
        "OutOfMemoryError": cupy.cuda.memory.OutOfMemoryError,
    }[name]


@pytest.fixture(autouse=True)
def hooks(monkeypatch):
    """Python's hooks for errors, which a lost device changes for good, as before."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)


LINES = {
    2: "device 0 has too little memory; use a smaller --size",
    46: "device 0 is in use by another process (exclusive mode), or is unavailable; `nvidia-smi` lists the process",
    100: "the driver is loaded and reports no GPU; check CUDA_VISIBLE_DEVICES, and --gpus of the container",
    101: "device 0 does not exist; `bandwidth system` lists the GPUs",
    34: "device 0 loads a stub instead of the driver (libcuda.so of the CUDA toolkit); remove the toolkit's `stubs`"
    " folder from LD_LIBRARY_PATH",
    804: "device 0 is not supported by CUDA's compatibility package (cuda-compat); update"
    " the driver, or use an image or an extra of an older CUDA",
    802: "device 0 is not ready: the NVLink fabric is not initialised; start nvidia-fabricmanager, or wait"
    " until it has started",
    803: "device 0 has a driver with parts of different versions; restart the machine after the driver's update",
}


@pytest.mark.parametrize("status", LINES)
@pytest.mark.parametrize("real", [False, True], ids=["stand-in", "cupy"])
def test_a_status_says_what_to_do(status, real):
    kind = errors_of("CUDARuntimeError") if real else cupy_stand_in.CUDARuntimeError
    assert str(said(kind(status), 0)) == LINES[status]


@pytest.mark.parametrize("status", [700, 719, 999])
def test_a_device_that_is_lost_is_named_with_the_drivers_words(status):
    error = said(errors_of("CUDARuntimeError")(status), 1)
    assert str(error).startswith("device 1 was lost during the measurement (cudaError")
    assert error.exit_code == 1


def test_what_hip_cannot_say_is_no_lost_device():
    error = named("CUDARuntimeError", "hipErrorUnknown: unknown error")
    error.status = 999
    assert is_refusal(error)
    with pytest.raises(BandwidthError) as caught, told(StandIn(is_hip=True), 0):
        raise error
    assert str(caught.value) == (
        "device 0 failed (hipErrorUnknown: unknown error); check `rocm-smi`; if the GPU works, report this"
    )


def test_a_driver_that_answers_nothing_is_no_lost_device():
    error = said(errors_of("CUDARuntimeError")(999))
    assert str(error).startswith("the NVIDIA driver does not answer; restart the machine")


@pytest.mark.parametrize(
    ("driver", "runtime", "line"),
    [
        (0, 12_090, "no NVIDIA driver is installed; install it, or start the container with --gpus all"),
        (
            12_040,
            13_000,
            "the NVIDIA driver supports CUDA 12.4, CuPy needs 13.0; update the driver, or install the extra cuda12",
        ),
        (11_080, 12_090, "the NVIDIA driver supports CUDA 11.8, CuPy needs 12.9; update the driver"),
    ],
)
def test_no_driver_and_an_old_one_are_told_apart(driver, runtime, line):
    module = StandIn(versions=(driver, runtime), raises={"getDeviceCount": cupy_stand_in.CUDARuntimeError(35)})
    with pytest.raises(HardwareError) as caught:
        devices(module)
    assert str(caught.value) == line
    assert caught.value.exit_code == 3


def test_the_real_cupy_without_a_driver_says_so():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if cupy.cuda.runtime.driverGetVersion():
        pytest.skip("there is a driver")
    with pytest.raises(HardwareError, match="no NVIDIA driver is installed; install it"):
        devices(cupy)


def test_memory_that_is_used_up_is_a_smaller_size():
    of_a_launch = named("CUDADriverError", "CUDA_ERROR_OUT_OF_MEMORY: out of memory")
    of_a_launch.status = 2
    for error in (errors_of("OutOfMemoryError")(100, 10, 0), of_a_launch):
        assert str(said(error, 2)) == "device 2 has too little memory; use a smaller --size"


def named(name, text):
    return type(name, (Exception,), {})(text)


NO_HIPCC = (
    "ROCm's compiler (hiprtc, hipcc) is not found; install ROCm's hiprtc and hipcc, and add hipcc's folder"
    " (/opt/rocm/bin) to PATH"
)
LACKING_OF_ROCM = (
    FileNotFoundError(2, "No such file or directory", "hipcc"),
    RuntimeError("Failed to auto-detect ROCm root directory. Please specify `ROCM_HOME` environment variable."),
    RuntimeError("CuPy failed to load libhiprtc.so.7: OSError: libhiprtc.so.7: cannot open shared object file"),
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ModuleNotFoundError("No module named 'cupy'", name="cupy"),
            "CuPy, which drives the GPU, is not installed; pip install 'membandwidth[cuda13]', or [cuda12] for a driver"
            " of CUDA 12",
        ),
        (
            ImportError("\n====\nCuPy is not correctly installed.\n  more"),
            "CuPy is installed but cannot be imported: CuPy is not correctly installed.; keep one cupy package (see "
            "`pip list`): that for the driver's CUDA version",
        ),
        (
            RuntimeError("Failed to find CUDA headers"),
            "CUDA's compiler (NVRTC) or its headers are not found; pip install 'cuda-toolkit[cudart,nvrtc]' of CuPy's"
            " CUDA version",
        ),
        (
            named("DynamicLibNotFoundError", "Failure finding libnvrtc.so"),
            "CUDA's compiler (NVRTC) or its headers are not found; pip install 'cuda-toolkit[cudart,nvrtc]' of CuPy's"
            " CUDA version",
        ),
        (
            named("CompileException", "nvrtc: error: invalid value for --gpu-architecture (-arch)\n"),
            "CUDA's compiler (NVRTC) does not support this GPU's architecture; install the extra for an older CUDA"
            " if the GPU is older than 2018, else newer packages",
        ),
        (
            named("CompileException", "nvrtc: error: failed to open libnvrtc-builtins.so.13.0.\n"),
            "CUDA's compiler (NVRTC) is incomplete (nvrtc: error: failed to open libnvrtc-builtins.so.13.0.);"
            " pip install 'cuda-toolkit[cudart,nvrtc]' of CuPy's CUDA version",
        ),
        (
            type("DynamicLibNotAvailableError", (type(named("DynamicLibNotFoundError", "")),), {})("no such library"),
            "CUDA's compiler (NVRTC) or its headers are not found; pip install 'cuda-toolkit[cudart,nvrtc]' of CuPy's"
            " CUDA version",
        ),
        (
            ImportError(
                "\n====\nFailed to import CuPy.\n\nOriginal error:\n  ImportError: libamdhip64.so.7: cannot open it\n=="
            ),
            "ROCm's libraries are not found (libamdhip64.so.7: cannot open it); install ROCm 7, or add the folder of"
            " its libraries (/opt/rocm/lib) to LD_LIBRARY_PATH",
        ),
        *((error, NO_HIPCC) for error in LACKING_OF_ROCM),
        (
            named(
                "CompileException",
                "In file included from complex.h:23:\nns.h:1:10: fatal error: 'thrust/ns.h' file not found",
            ),
            "CuPy's own kernels do not compile: thrust/ns.h is not found; install the headers listed in CuPy's guide;"
            " for ROCm: rocthrust and hipcub",
        ),
        (
            named("CompileException", "kern.cu(3): error: expected a ;\n\n1 error"),
            "a kernel does not compile: kern.cu(3): error: expected a ;; this is a bug: please report it",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_not_installed_or_does_not_compile(error, line):
    assert str(said(error)) == line
    assert "\n" not in str(said(error))


def test_any_other_error_is_a_bug_and_shows_itself():
    assert said(ValueError("x")) is None
    with pytest.raises(ZeroDivisionError), told(StandIn()):
        _ = 1 / 0


def test_our_own_errors_pass():
    with pytest.raises(BandwidthError, match=r"^mine$"), told(StandIn()):
        raise BandwidthError("mine")


def test_a_cupy_that_does_not_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(HardwareError, match=r"cannot be imported|not installed"):
        load_cupy()
    monkeypatch.setitem(sys.modules, "cupy", types.ModuleType("cupy"))
    assert load_cupy().__name__ == "cupy"


def test_a_home_that_cannot_be_written_keeps_code_in_memory(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setitem(sys.modules, "cupy", types.ModuleType("cupy"))
    monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "made" / "here"))
    load_cupy()
    assert (tmp_path / "made" / "here").is_dir()
    assert os.environ["CUPY_CACHE_IN_MEMORY"] == ""
    for folder in (str(tmp_path / "file" / "below"), "~nobody-of-this-name/cache"):
        monkeypatch.setenv("CUPY_CACHE_DIR", folder)
        monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "")
        load_cupy()
        assert os.environ["CUPY_CACHE_IN_MEMORY"] == "1"
        assert Path(os.environ["CUPY_CACHE_DIR"]).is_dir()


REAL = {
    "a home that is not there": """
from bandwidth.engines.cuda.device import load_cupy
load_cupy()
""",
    "freed where the driver refuses": """
import cupy, sys
from bandwidth import own_process
from bandwidth.engines.cuda import errors as cuda_errors
own_process.claim()
cuda_errors._quiet_destructors()
memory = cupy.cuda.memory.Memory.__new__(cupy.cuda.memory.Memory)
memory.ptr = 16
del memory
pinned = cupy.cuda.PinnedMemory(0)
pinned.ptr = 16
del pinned
left = cupy.cuda.memory.Memory.__new__(cupy.cuda.memory.Memory)
left.ptr = 16  # freed as the process ends
""",
}


@pytest.mark.parametrize("code", REAL.values(), ids=REAL)
def test_the_real_cupy_is_silent(code, tmp_path):
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if cupy.cuda.runtime.driverGetVersion():
        pytest.skip("there is a driver")
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "HOME": str(tmp_path / "file" / "home")}
    if "memory" in code:
        environment["HOME"] = str(tmp_path)
    environment.pop("CUPY_CACHE_DIR", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_whoever_imports_the_package_keeps_the_hooks_for_errors():
    before = sys.excepthook, sys.unraisablehook
    with pytest.raises(BandwidthError, match="was lost"), told(StandIn(), 0):
        raise cupy_stand_in.CUDARuntimeError(719)
    assert (sys.excepthook, sys.unraisablehook) == before


def test_an_error_that_nobody_catches_is_printed_even_so(capsys, monkeypatch):
    monkeypatch.setattr(own_process, "_claimed", [True])
    is_lost = cupy_stand_in.CUDARuntimeError(719)
    with pytest.raises(BandwidthError, match="was lost"), told(StandIn(), 0):
        raise is_lost
    try:
        raise cupy_stand_in.CUDARuntimeError(719)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert "CUDARuntimeError" in capsys.readouterr().err


def test_asking_whether_something_lacks_imports_no_cupy():
    code = (
        "import sys; from bandwidth.engines.registry import ENGINES; ENGINES['cuda'].lacks();"
        "sys.exit(any(name.split('.')[0].startswith('cupy') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
