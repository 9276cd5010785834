"""Cases for this machine's own memory, small, and engines whose work a test can plant faults in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from measuring_support import MIB, small_topology

from bandwidth.engines.host.engine import HostEngine
from bandwidth.engines.host.runners import OPERATIONS, NativeRunner, NumpyRunner, Runner
from bandwidth.engines.registry import ENGINES
from bandwidth.kernels import KERNELS
from bandwidth.machine.topology import Topology
from bandwidth.planning.cases import Bench
from bandwidth.planning.selection import CpuSet, cpus_for
from bandwidth.planning.sizing import Sizing
from bandwidth.results import Case

if TYPE_CHECKING:
    from bandwidth.engines.host.native_code.compiled import Library
    from bandwidth.engines.host.native_code.processor import LlvmProcessor
    from bandwidth.engines.host.native_code.shapes import Row

# So small beside it that the lead-in of a block goes over all of the arrays.
RULE_BYTES = 256 * MIB


def build_host_case(
    kernel: str = "copy",
    engine: str = "native",
    *,
    threads: int = 2,
    size_bytes: int = 3 * MIB,
    stores: str | None = None,
    variant: Mapping[str, str | int] | None = None,
    topology: Topology | None = None,
    rule_bytes: int = RULE_BYTES,
    cpus: tuple[int, ...] | None = None,
) -> Case:
    """Return the case that a plan would make of this; of the native kernels with the first kind of store they have."""
    topology = topology or small_topology(2)
    bench = Bench(topology, tuple(ENGINES.values()), (kernel,))
    row, entry = KERNELS[kernel], ENGINES[engine]
    kinds = bench.stores_of(entry, row)
    cpu_set = CpuSet(cpus or cpus_for(topology, threads))
    sizing = Sizing(size_bytes, rule_bytes, "a test")
    return bench.case(entry, row, cpu_set, sizing, stores if stores in kinds else kinds[0], variant)


def build_latency_case(
    size_bytes: int = MIB,
    *,
    threads: int = 1,
    topology: Topology | None = None,
    cpus: tuple[int, ...] | None = None,
    **variant: str | int,
) -> Case:
    """Return a latency over so many bytes."""
    topology = topology or small_topology(2)
    bench = Bench(topology, tuple(ENGINES.values()), ())
    cpu_set = CpuSet(cpus or cpus_for(topology, threads))
    return bench.latency_case(cpu_set, Sizing(size_bytes, RULE_BYTES, "a test"), variant)


@pytest.fixture(scope="session")
def host_case() -> Callable[..., Case]:
    return build_host_case


@pytest.fixture(scope="session")
def latency_case() -> Callable[..., Case]:
    return build_latency_case


@pytest.fixture(scope="session")
def compiler() -> type[Library]:
    """Return what compiles a library of functions."""
    from bandwidth.engines.host.native_code.compiled import Library

    return Library


@pytest.fixture(scope="session")
def libraries_made(compiler: type[Library]) -> Callable[..., Library]:
    """Return what compiles a library for the first who needs it, and gives it to the others."""
    made: dict[Any, Library] = {}

    def library(rows: Iterable[Row], processor: LlvmProcessor, chains: Iterable[int] = ()) -> Library:
        key = (tuple(rows), processor, tuple(chains))
        if key not in made:
            made[key] = compiler(*key)
        return made[key]

    return library


def _compile_by(monkeypatch: pytest.MonkeyPatch, library: Callable[..., Library]) -> None:
    for module in ("native_code.compiled", "latency"):
        monkeypatch.setattr(f"bandwidth.engines.host.{module}.Library", library)


@pytest.fixture
def compiled_for_all(libraries_made: Callable[..., Library], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines that need the same code share it: to compile takes longer than most of their tests."""
    _compile_by(monkeypatch, libraries_made)


@pytest.fixture
def compiled_anew(compiled_for_all: None, compiler: type[Library], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each engine compile for itself: in tests of compiling, or where other constants go into the code."""
    _compile_by(monkeypatch, compiler)


@pytest.fixture
def host_engine(compiled_for_all: None) -> Iterator[Callable[..., HostEngine]]:
    """Return engines, prepared for the cases given; `operations` and `function_of` are the seams for NumPy and code.

    Shapes are the defaults unless `shapes` says otherwise.
    """
    engines = []

    def make(
        *cases: Case,
        operations: Mapping[str, Any] | None = None,
        function_of: Any = None,
        topology: Topology | None = None,
        limit_s: float = 60.0,
        shapes: Any = None,
        **seams: Any,
    ) -> HostEngine:
        runners: dict[str, Runner] = {
            "native": NativeRunner(function_of, shapes),
            "numpy": NumpyRunner({**OPERATIONS, **(operations or {})}),
        }
        engine = HostEngine(topology or small_topology(2), runners, seed=7, **seams)
        engines.append(engine)
        engine.refused = engine.prepare(cases, limit_s)
        return engine

    yield make
    for engine in engines:
        engine.close()
