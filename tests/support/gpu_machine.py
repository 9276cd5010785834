"""GPUs that are not here: facts of known cards, a driver's answers, and the stand-in for CuPy behind the whole tool."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import cupy_stand_in
from cupy_stand_in import Operation, StandIn

from bandwidth.engines.devices.engine import DeviceEngine
from bandwidth.engines.interface import EngineEntry
from bandwidth.engines.registry import ENGINES
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.gpu_attributes import GpuFacts
from bandwidth.machine.reader import CapturedReader

KIB, MIB, GIB = 1024, 1024**2, 1024**3
# How fast the stand-in is, in bytes a second: so slow that every block is one call, which NumPy has to work out.
CLOCK_KHZ, MEMORY, LINK = 32, 44e6, 20e6
PCI = "/sys/bus/pci/devices"


def gpu(number: int = 0, **changes: Any) -> GpuFacts:
    """An H200, unless a test says otherwise."""
    given: dict[str, Any] = {
        "number": number,
        "name": "NVIDIA H200",
        "address": f"0000:{number + 1:02x}:00.0",
        "memory_clock_khz": 3_201_000,
        "memory_width_bits": 6144,
        "l2_bytes": 60 * MIB,
        "multiprocessors": 132,
        "free_bytes": 139 * GIB,
        "total_bytes": 140 * GIB,
        "has_ecc": True,
        "has_host_link": False,
        "api": "CUDA 12.9",
        "numa_node": 0,
    }
    return GpuFacts(**given | changes)


def gtx(**changes: Any) -> GpuFacts:
    """A GeForce GTX 1080: 8 GiB behind 2 MiB of L2."""
    return gpu(
        **{
            "name": "NVIDIA GeForce GTX 1080",
            "memory_clock_khz": 5_005_000,
            "memory_width_bits": 256,
            "l2_bytes": 2 * MIB,
            "multiprocessors": 20,
            "free_bytes": 7 * GIB,
            "total_bytes": 8 * GIB,
            "has_ecc": False,
            **changes,
        }
    )


def facts(*gpus: GpuFacts, device_id: str = "2335", available_bytes: int = 256 * GIB) -> Facts:
    """A host with much memory and these cards on its bus."""
    listed = [{"address": one.address, "vendor_id": "10de", "device_id": device_id} for one in gpus]
    return Facts(
        {
            "memory_available_bytes": Fact(available_bytes, "a test", "read"),
            "gpus": Fact(listed, "a test", "read"),
        }
    )


def cuda_entry() -> EngineEntry:
    return ENGINES["cuda"]


class Driver:
    """NVML with one or more H200s; `answers` replace or add by function, and are values or given the handle."""

    def __init__(self, count: int = 1, **answers: Any) -> None:
        self.count, self.answers, self.opened = count, answers, 0

    def open(self) -> bool:
        self.opened += 1
        return True

    def close(self) -> None:
        self.opened -= 1

    def ask(self, function: str, *arguments: Any) -> Any:
        known = {
            "nvmlSystemGetDriverVersion": "570.86.15",
            "nvmlSystemGetCudaDriverVersion_v2": 12_080,
            "nvmlDeviceGetCount": self.count,
            "nvmlDeviceGetName": "NVIDIA H200",
            "nvmlDeviceGetCurrPcieLinkGeneration": 5,
            "nvmlDeviceGetMaxPcieLinkGeneration": 5,
            "nvmlDeviceGetCurrPcieLinkWidth": 16,
            "nvmlDeviceGetMaxPcieLinkWidth": 16,
            "nvmlDeviceGetMaxClockInfo": 3201,
            "nvmlDeviceGetClockInfo": 3201,
            "nvmlDeviceGetCurrentClocksEventReasons": 1,
            "nvmlDeviceGetPerformanceState": 0,
            "nvmlDeviceGetMigMode": [0, 0],
            "nvmlDeviceGetEccMode": [1, 1],
            "nvmlDeviceGetComputeRunningProcesses": [],
        }
        if function == "nvmlDeviceGetHandleByIndex":
            return arguments[0]
        if function == "nvmlDeviceGetPciInfo":
            return SimpleNamespace(domain=0, bus=arguments[0] + 1, device=0, pciDeviceId=0x2335_10DE)
        answer = self.answers.get(function, known.get(function))
        return answer(*arguments) if callable(answer) else answer


def seconds_of(operation: Operation) -> float:
    """What an operation takes on the card: its bytes at the rates above, and some microseconds."""
    name, given = operation.name, operation.arguments
    if name in ("memcpyAsync", "memcpy"):
        of_link = given[3] != cupy_stand_in.Runtime.memcpyDeviceToDevice
        return 8e-6 + given[2] / LINK if of_link else 2e-6 + 2 * given[2] / MEMORY
    if name == "memcpyPeerAsync":
        return 8e-6 + given[4] / (4 * LINK)
    if name == "memsetAsync":
        return 2e-6 + given[2] / MEMORY
    row = cupy_stand_in.KERNELS.get(name.partition("_")[0])
    if row is not None:
        return 2e-6 + row.arrays * 16 * int(given[-1]) / MEMORY
    return 64 * int(given[2]) * 600e-9 if name == "chase" else 1e-4


def stand_in(monkeypatch: Any, count: int = 1, l2_bytes: int = 16 * KIB, **seams: Any) -> StandIn:
    """Put the stand-in behind the whole tool: `measure` finds it as the machine's GPUs, with a tiny L2.

    The engine's clock is the stand-in's too: what the host waits for takes as long as is said here.
    """
    module = StandIn(devices=count, cost=seconds_of, **seams)
    monkeypatch.setattr("bandwidth.engines.devices.engine.DeviceEngine", partial(DeviceEngine, clock=module.clock))
    monkeypatch.setitem(cupy_stand_in.ATTRIBUTES, 38, l2_bytes)
    monkeypatch.setitem(cupy_stand_in.ATTRIBUTES, 36, CLOCK_KHZ)
    monkeypatch.setitem(ENGINES, "cuda", _installed())
    monkeypatch.setattr("bandwidth.engines.cuda.device.load_cupy", lambda: module)
    monkeypatch.setattr("bandwidth.engines.devices.engine.WARM_UP_S", 0.0)
    monkeypatch.setattr("bandwidth.machine.gpu_attributes._may_have_nvidia", lambda reader, found: True)
    return module


def _installed() -> EngineEntry:
    return replace(ENGINES["cuda"], lacks=lambda: "", sign=lambda *_: True)


def reader(**files: str) -> CapturedReader:
    return CapturedReader(files)


# --- records of GPUs that were measured -----------------------------------------------------------------------------

ADDRESS = "0000:01:00.0"
H200 = {
    "device": 0,
    "address": ADDRESS,
    "name": "NVIDIA H200",
    "vendor_id": "10de",
    "device_id": "2335",
    "driver_version": "570.86.15",
    "cuda_runtime_version": "12.9",
    "memory_clock_mhz": 3201,
    "current_link_generation": 1,
    "current_link_width": 16,
    "max_link_generation": 5,
    "max_link_width": 16,
    "ecc_enabled": True,
    "mig_enabled": False,
}
PEAK, SHEET, CODED = 4916.736e9, 4800e9, 63.0153846e9


def seen(**values: float) -> dict[str, Any]:
    """What every block showed."""
    from bandwidth.results import Observed

    return {name: Observed(value, value, value) for name, value in values.items()}


def device_result(
    make_case: Any, make_result: Any, path: str, gb_s: float, target: str = "device:0", **others: Any
) -> Any:
    """A rate of a GPU's memory of six blocks, in GB/s, with the theory of an H200."""
    size = 4 * GIB
    variant = others.pop("variant", {})
    case = make_case(
        target=target,
        path=path,
        engine="cuda",
        cpus=(),
        variant=variant,
        working_set_bytes=size,
        bytes_per_call=size,
        dram_rule_bytes=64 * 60 * MIB,
        caches={"L2": 60 * MIB},
    )
    given = {
        "theory_bytes_per_s": PEAK,
        "vendor_bytes_per_s": SHEET,
        "theory_source": "the driver's attributes: 2 x 3201 MHz x 6144 bit / 8",
        "observed": seen(memory_clock_mhz=3201.0),
    }
    return make_result(case, _blocks(size, gb_s), **given | others)


def link_result(make_case: Any, make_result: Any, path: str, gb_s: float, kind: str = "pinned", **others: Any) -> Any:
    """A rate of copies over a link that was at generation 5 and 16 lanes under load."""
    size = others.pop("size", 512 * MIB)
    variant = {"host_memory": kind, **others.pop("variant", {})}
    case = make_case(
        target=others.pop("target", "pcie:0"),
        path=path,
        engine="cuda",
        cpus=(),
        variant=variant,
        working_set_bytes=size,
        bytes_per_call=size,
        payload_bytes_per_call=size,
        dram_rule_bytes=None,
    )
    given = {
        "theory_bytes_per_s": CODED * (2 if path == "bidirectional" else 1),
        "theory_source": "PCIe 5.0 x16 as negotiated under load: 32 GT/s x 16 x 128/130 / 8 = 63.02 GB/s each way",
        "observed": seen(link_generation=5.0, link_width=16.0),
    }
    return make_result(case, _blocks(size, gb_s), **given | others)


def _blocks(size: int, gb_s: float) -> tuple[float, ...]:
    return tuple(size / (gb_s * 1e9) * factor for factor in (1.0, 1.001, 0.999, 1.0, 1.002, 0.998, 1.0))


def gpu_conditions(**values: Any) -> dict[str, Any]:
    return {"gpus": {ADDRESS: values}}


def two_h200s(make_record: Any, make_case: Any, make_result: Any) -> Any:
    """A record of two H200s behind one switch: memory, links, both at once, between them, and sweeps over size."""

    def device(path: str, gb_s: float, **others: Any) -> Any:
        return device_result(make_case, make_result, path, gb_s, **others)

    def link(path: str, gb_s: float, *kind: str, **others: Any) -> Any:
        return link_result(make_case, make_result, path, gb_s, *kind, **others)

    paths = {"read": 4496.0, "write": 4700.0, "copy": 4100.0, "triad": 4428.0, "memcpy": 4300.0}
    results = [device(path, gb_s, target=f"device:{number}") for number in (0, 1) for path, gb_s in paths.items()]
    both = {"theory_bytes_per_s": 2 * PEAK, "vendor_bytes_per_s": 2 * SHEET}
    results.append(device("triad", 8800.0, target="device:0,1", **both))
    for number in (0, 1):
        to = {"target": f"pcie:{number}"}
        results += [link("h2d", 55.3, **to), link("d2h", 55.1, **to), link("h2d", 11.0, "pageable", **to)]
    results.append(link("h2d", 57.0, target="pcie:0,1", theory_bytes_per_s=2 * CODED))
    no_theory = {"theory_bytes_per_s": None, "theory_source": None, "observed": {}}
    for access, gb_s in (("on", 380.0), ("off", 30.0)):
        for of, to in ((0, 1), (1, 0)):
            peer = link("peer", gb_s + of, target=f"device:{of}", **no_theory)
            results.append(replace(peer, case=replace(peer.case, variant={"peer": to, "peer_access": access})))
    for power in range(6):
        size = 64 * KIB * 8**power
        variant = {"sweep_point": size}
        results.append(link("h2d", size / (8e-6 + size / 55e9) / 1e9, size=size, variant=variant))
    second = {**H200, "device": 1, "address": "0000:02:00.0"}
    values = {"gpus": [H200, second], "cpu_model": "Example", "hostname": "node7"}
    machine = Facts({name: Fact(value, "a test", "read") for name, value in values.items()}).to_json()
    state = {"performance_state": "P0", "memory_clock_mhz": 3201, "throttle_reasons": []}
    before = gpu_conditions(**state, temperature_celsius=36)
    after = gpu_conditions(**state, temperature_celsius=51)
    return make_record(*results, machine=machine, before=before, after=after, memory={})
