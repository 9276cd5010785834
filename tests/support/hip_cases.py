"""What is run in the environment of `real_rocm`: the engine with the real CuPy, and as JSON what came of it.

`python hip_cases.py PART`: the stand-in plants what is to go wrong, and tells what was called.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gpu_cases import EVERY, device_case, link_case, peer_case

from bandwidth import own_process
from bandwidth.engines.cuda.device import devices, load_cupy
from bandwidth.engines.cuda.driver import CudaDriver
from bandwidth.engines.devices.engine import DeviceEngine
from bandwidth.engines.devices.requirements import PATHS
from bandwidth.errors import BandwidthError
from bandwidth.results import Case

CALLS = (1, 3, 140)  # of which the last are graphs
# What a copy or set may lack; of a kernel and a chase only that it does nothing.
FAULTS = ("skip", "short", "flip")
GIB = 1024**3
# Whatever HIP does not do with a graph, the calls are queued one by one.
NO_GRAPH = (
    "hipMemcpyPeerAsync:1:900",
    "hipGraphInstantiate:1:801",
    "hipGraphInstantiate:1:999",
    "hipGraphLaunch:1:801",
)


class StandIn:
    """The library that CuPy has loaded."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libamdhip64.so.7")
        self._library.stand_in_calls.restype = self._library.stand_in_timed_firsts.restype = ctypes.c_long

    @contextmanager
    def planted(self, faults: str) -> Iterator[None]:
        """Let calls go wrong inside: see `Fault` of the stand-in."""
        self._library.stand_in_plan(faults.encode())
        try:
            yield
        finally:
            self._library.stand_in_plan(b"")

    def graphs(self) -> int:
        """How many graphs were launched up to now."""
        return int(self._library.stand_in_calls(b"hipGraphLaunch"))

    def timed_firsts(self) -> int:
        """How many first launches, which bring code or a graph to a device, were between two events that were read."""
        return int(self._library.stand_in_timed_firsts())


def engine_of(*cases: Case) -> DeviceEngine:
    engine = DeviceEngine(CudaDriver(load_cupy()), seed=5)
    refused = engine.prepare(cases, 1e6)
    if refused:
        raise AssertionError(refused)
    return engine


def facts() -> Any:
    return [dataclasses.asdict(gpu) for gpu in devices(load_cupy())]


def cases() -> Any:
    """Every case, all by one engine: what each block showed, and what both checks of it said."""
    engine, stand_in = engine_of(*EVERY), StandIn()

    def seen(case: Case, calls: int) -> dict[str, Any]:
        graphs, firsts = stand_in.graphs(), stand_in.timed_firsts()
        block = engine.run_block(case, calls)
        return {
            "is_timed": block.seconds > 0,
            "graphs": stand_in.graphs() - graphs,
            "timed_firsts": stand_in.timed_firsts() - firsts,
            "wrong": [engine.verify(case, whole=whole) for whole in (False, True)],
        }

    made = {case.id: [seen(case, calls) for calls in CALLS] for case in EVERY}
    engine.close()
    return made


def timed_call(case: Case) -> str:
    """Return the name of the call or kernel that is timed in a case."""
    if case.path in PATHS:
        return f"{case.path}_*"
    named = {"latency": "chase", "memset": "hipMemsetAsync"}
    if case.path in named:
        return named[case.path]
    if "peer" in case.variant:
        return "hipMemcpyPeerAsync"
    return "hipMemcpy" if case.variant.get("host_memory") == "pageable" else "hipMemcpyAsync"


def faults() -> Any:
    """What the check of a block says into which something was planted, after one that was right: of few and many."""
    engine, stand_in = engine_of(*EVERY), StandIn()

    def said(case: Case, fault: str, calls: int) -> str:
        engine.run_block(case, calls)
        if wrong := engine.verify(case, whole=True):
            raise AssertionError(f"{case.id} is wrong before: {wrong}")
        with stand_in.planted(f"{timed_call(case)}:0:{fault}"):
            engine.run_block(case, calls)
        return engine.verify(case, whole=True)

    made: dict[str, list[str]] = {}
    for case in EVERY:
        of_case = FAULTS if timed_call(case).startswith("hip") else FAULTS[:1]
        made |= {f"{case.id} {fault}": [said(case, fault, calls) for calls in CALLS[1:]] for fault in of_case}
    engine.close()
    return made


def no_graph() -> Any:
    """What the check says, and how many graphs were launched, where HIP refuses a graph in one way or another."""
    case, stand_in = peer_case(), StandIn()
    engine = engine_of(case)
    made = {}
    for fault in NO_GRAPH:
        graphs = stand_in.graphs()
        with stand_in.planted(fault):
            engine.run_block(case, CALLS[-1])
        made[fault] = [engine.verify(case, whole=True), stand_in.graphs() - graphs]
    engine.close()
    return made


def refusals() -> Any:
    """Why cases are refused: too much memory, and what HIP refuses to take."""
    stand_in, made = StandIn(), {}
    for name, fault, case in (
        ("too large", "", device_case("copy", 4 * GIB)),
        ("no memory", "hipMalloc:2:2", device_case("copy")),
        ("no host memory", "hipHostMalloc:1:2", link_case()),
        ("no kernel", "hipModuleGetFunction:1:500", device_case("copy")),
    ):
        engine = DeviceEngine(CudaDriver(load_cupy()), seed=5)
        with stand_in.planted(fault):
            made[name] = engine.prepare([case], 1e6)[case.id]
        engine.close()
    return made


def lost() -> Any:
    """What is said of a device that is lost in the middle of work, and of the check of that block."""
    own_process.claim()  # as the command does: what is freed of a lost device is then silent
    case = device_case("triad")
    engine = engine_of(case)
    engine.run_block(case, 1)
    made = []
    with StandIn().planted("hipEventSynchronize:1:719"):
        try:
            engine.run_block(case, 1)
        except BandwidthError as error:
            made.append(str(error))
    made.append(engine.verify(case, whole=True))
    engine.close()
    return made


PARTS: dict[str, Callable[[], Any]] = {part.__name__: part for part in (facts, cases, faults, no_graph, refusals, lost)}


if __name__ == "__main__":
    json.dump(PARTS[sys.argv[1]](), sys.stdout)
