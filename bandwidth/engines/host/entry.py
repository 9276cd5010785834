"""The host's engines, as the registry lists them; what they need is imported where they are made."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bandwidth.engines.interface import Engine, EngineEntry, Site
from bandwidth.kernels import KERNELS, kernels_in
from bandwidth.machine.processor import processor_facts
from bandwidth.machine.reader import SystemReader
from bandwidth.vocabulary import HOST

if TYPE_CHECKING:
    from bandwidth.engines.host.shape_cache import ShapeCache


def _make(names: Sequence[str], site: Site) -> Engine:
    from bandwidth.engines.host.engine import HostEngine
    from bandwidth.engines.host.runners import NativeRunner, NumpyRunner, Runner
    from bandwidth.engines.host.shape_trials import TriedShapes

    def native() -> Runner:
        return NativeRunner(shapes=TriedShapes(_shape_cache(), anew=site.retunes))

    runners: dict[str, Callable[[], Runner]] = {"native": native, "numpy": NumpyRunner}
    return HostEngine(site.topology, {name: runners[name]() for name in names}, counters=site.counters)


def _shape_cache() -> ShapeCache | None:
    """Return where the shapes are kept that won on processors of this model, None where there is no such place."""
    from bandwidth.cache_files import cache_folder
    from bandwidth.engines.host.shape_cache import ShapeCache

    folder, facts = cache_folder(), processor_facts(SystemReader())
    named = ("cpu_vendor", "cpu_family", "cpu_model_number", "cpu_model")
    model = " ".join(str(facts[name].value) for name in named if name in facts)
    return None if folder is None else ShapeCache(folder, model)


def _lacks_llvm() -> str:
    is_there = importlib.util.find_spec("llvmlite") is not None
    return "" if is_there else "llvmlite is not installed: pip install 'membandwidth[native]'"


ENTRIES = (
    EngineEntry(
        "native",
        (HOST,),
        kernels_in(HOST),
        _make,
        "the limit of the memory",
        label="compiled",
        has_stores=True,
        lacks=_lacks_llvm,
    ),
    EngineEntry(
        "numpy",
        (HOST,),
        tuple(name for name in kernels_in(HOST) if KERNELS[name].numpy),
        _make,
        "the limit of NumPy code",
        label="NumPy",
    ),
)
