"""The CUDA engine on a GPU, every path; and, without one, that CuPy has all that the engine calls."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bandwidth.ceilings.gpu import gpu_peak_bytes_per_s
from bandwidth.engines.cuda import driver as cuda
from bandwidth.engines.cuda.device import devices, load_cupy
from bandwidth.engines.cuda.driver import CudaDriver
from bandwidth.engines.devices.engine import DeviceEngine
from bandwidth.engines.devices.requirements import PATHS
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS
from bandwidth.results import Case

MIB = 1024**2
SOURCES = sorted(Path(cuda.__file__).parent.glob("*.py"))
LEAST_BLOCK_S = 0.02
# No memory of a GPU is slower than this, nor any link; far above its peak no rate can be.
LEAST_BYTES_PER_S, MOST_OF_PEAK = 1e9, 1.05
L2_MULTIPLE = 64


@pytest.fixture(scope="module")
def gpus():
    try:
        return devices(load_cupy())
    except BandwidthError as error:
        pytest.skip(f"there is no GPU to measure: {error}")


@pytest.fixture
def engine():
    engine = DeviceEngine(CudaDriver(load_cupy()), seed=3)
    yield engine
    engine.close()


def show(text):
    """What was measured, for `pytest -rP`."""
    sys.stdout.write(f"{text}\n")


def device_case(path, total, target="device:0"):
    arrays = KERNELS[path].arrays if path in KERNELS else {"memcpy": 2}.get(path, 1)
    size = total // (arrays * 16) * arrays * 16
    bytes_per_call = 512 if path == "latency" else size
    return Case(target, path, "cuda", 1, size, bytes_per_call, bytes_per_call // arrays, None)


def link_case(path, kind, size):
    total = size * (2 if path == "bidirectional" else 1)
    return Case("pcie:0", path, "cuda", 1, total, total, total, None, variant={"host_memory": kind})


def measured(engine, case):
    """Seconds of a call, after as many calls as fill a block; everything is checked."""
    assert engine.prepare([case], 60.0) == {}
    calls, block = 1, engine.run_block(case, 1)
    while block.seconds < LEAST_BLOCK_S and calls < 10**6:
        calls = min(calls * 10, int(calls * LEAST_BLOCK_S / block.seconds * 1.2) + 1)
        block = engine.run_block(case, calls)
        assert engine.verify(case, whole=False) == ""
    block = engine.run_block(case, calls)
    assert engine.verify(case, whole=True) == ""
    return block.seconds / calls, block


@pytest.mark.gpu
@pytest.mark.parametrize("path", [*PATHS, "memcpy", "memset"])
def test_a_path_in_memory_is_right_and_within_the_peak(gpus, engine, path):
    gpu = gpus[0]
    arrays = KERNELS[path].arrays if path in KERNELS else 2
    size = min(arrays * L2_MULTIPLE * (gpu.l2_bytes or 64 * MIB), gpu.free_bytes // 2)
    seconds, block = measured(engine, device_case(path, size))
    rate = device_case(path, size).bytes_per_call / seconds
    peak = gpu_peak_bytes_per_s(gpu)
    show(f"{path}: {rate / 1e9:.1f} GB/s of {(peak or 0) / 1e9:.1f} {dict(block.tuning, tried_s=0)}")
    assert rate > LEAST_BYTES_PER_S
    assert peak is None or rate < MOST_OF_PEAK * peak


@pytest.mark.gpu
@pytest.mark.parametrize("path", [*PATHS, "memcpy", "memset"])
@pytest.mark.parametrize("size", [48, 4096 * 3, 3 * MIB + 48])
def test_small_and_odd_sizes_are_right(gpus, engine, path, size):
    measured(engine, device_case(path, size))


@pytest.mark.gpu
def test_a_load_takes_longer_in_memory_than_in_the_cache(gpus, engine):
    far = min(L2_MULTIPLE * (gpus[0].l2_bytes or 64 * MIB), gpus[0].free_bytes // 4)
    times, clocks = [], []
    for size in (64 * 1024, far):
        fresh = DeviceEngine(CudaDriver(load_cupy()), seed=3)
        seconds, block = measured(fresh, device_case("latency", size))
        times.append(seconds / 64)
        clocks.append(block.observed["clock_hz"])
        fresh.close()
    show(f"{[t * 1e9 for t in times]} ns, {clocks} Hz")
    assert 5e-9 < times[0] < times[1] < 5e-6
    assert all(1e8 < clock < 5e9 for clock in clocks)


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((path, "pinned") for path in ("h2d", "d2h", "bidirectional")),
        *((path, "pageable") for path in ("h2d", "d2h")),
        ("h2d", "write_combined"),
    ],
)
@pytest.mark.parametrize("size", [4096, 256 * MIB])
def test_a_transfer_is_right(gpus, engine, path, kind, size):
    seconds, block = measured(engine, link_case(path, kind, size))
    show(
        f"{path} {kind} {size}: {link_case(path, kind, size).bytes_per_call / seconds / 1e9:.2f} GB/s {block.observed}"
    )
    assert size < MIB or size / seconds > LEAST_BYTES_PER_S / 10


@pytest.mark.gpu
@pytest.mark.parametrize(
    "case",
    [
        device_case("memcpy", 96 * MIB),
        device_case("memset", 96 * MIB),
        link_case("h2d", "pinned", 64 * MIB),
        link_case("d2h", "pageable", 64 * MIB),
    ],
    ids=lambda case: case.id,
)
def test_without_a_compiler_copies_are_checked_by_the_host(gpus, case):
    def no_compiler(**_):
        raise RuntimeError("Failed to find CUDA headers.")

    engine = DeviceEngine(CudaDriver(SimpleNamespace(cuda=load_cupy().cuda, RawModule=no_compiler)), seed=3)
    seconds, _ = measured(engine, case)
    show(f"{case.id}, checked by the host: {case.bytes_per_call / seconds / 1e9:.1f} GB/s")
    engine.close()


@pytest.mark.gpu
@pytest.mark.parametrize("path", ["peer", "bidirectional"])
@pytest.mark.parametrize("access", ["on", "off"])
def test_a_copy_between_devices_is_right(gpus, engine, path, access):
    if len(gpus) < 2:
        pytest.skip("there is one GPU, and none to copy to")
    total = 64 * MIB * (2 if path == "bidirectional" else 1)
    variant = {"peer": 1, "peer_access": access}
    case = Case("device:0", path, "cuda", 1, total, total, total, None, variant=variant)
    if engine.prepare([case], 60.0):
        pytest.skip("the driver gives no direct access between the two")
    measured(engine, case)


@pytest.mark.gpu
def test_all_devices_at_once_are_right(gpus, engine):
    if len(gpus) < 2:
        pytest.skip("there is one GPU")
    target = "device:" + ",".join(str(gpu.number) for gpu in gpus)
    measured(engine, device_case("triad", 3 * 256 * MIB * len(gpus), target))


@pytest.mark.gpu
def test_too_much_memory_is_one_line(gpus, engine):
    case = device_case("copy", gpus[0].total_bytes + 1024 * MIB)
    (reason,) = engine.prepare([case], 60.0).values()
    assert reason.startswith("device 0 has too little memory: ")


# --- without one


def test_cupy_has_every_call_of_the_engine():
    """The stand-in has what the engine calls; that CuPy has it too can be seen without a GPU."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    text = "".join(path.read_text("utf-8") for path in SOURCES)
    of_runtime = set(re.findall(r"\bruntime\.(\w+)", text))
    of_cuda = set(re.findall(r"\bmodule\.cuda\.(\w+)", text))
    assert {"memcpyAsync", "memcpyPeerAsync", "hostAllocWriteCombined"} <= of_runtime
    assert {"Stream", "Event", "Memory", "PinnedMemory", "Device"} <= of_cuda
    assert [name for name in sorted(of_runtime) if not hasattr(cupy.cuda.runtime, name)] == []
    assert [name for name in sorted(of_cuda) if not hasattr(cupy.cuda, name)] == []
    assert all(
        hasattr(cupy.cuda.Stream, name) for name in ("begin_capture", "end_capture", "wait_event", "synchronize")
    )
    assert all(hasattr(cupy.cuda.Graph, name) for name in ("upload", "launch"))
