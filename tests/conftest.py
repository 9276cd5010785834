"""Builders of cases, results and records: plain functions with keyword overrides, quiet unless a test asks for more."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bandwidth.catalog import Catalog, current_catalog, use_catalog
from bandwidth.own_process import without_collector
from bandwidth.report.figures import drawing as figures_drawing
from bandwidth.results import Case, Conditions, Record, Result, Samples

pytest_plugins = ["host_cases"]  # builders of host cases and engines, for the engines and the plans

MIB = 1024**2
KNOWN_MEMORY = {
    "spec": "DDR4-2933 x4",
    "bytes_per_s": 93866666666.66667,
    "sockets": 1,
    "source": "--memory DDR4-2933 x4",
    "working": "(1466.67 MHz x 2) x 8 bytes x 4 channels = 93,866.67 MB/s = 93.87 GB/s",
    "short_working": "2933.33 MT/s x 8 B x 4 = 93.87 GB/s",
}
IDLE = {"load_average_1min": 0.1, "cpu_pressure_percent": 0.5, "steal_ticks": 10, "total_ticks": 100_000}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, never look through what was collected, which lives until the end, and look
    seldom through what tests leave."""
    with without_collector():
        found = yield
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    return found


def build_case(**overrides: Any) -> Case:
    """Return a copy of 256 MiB with one thread, large enough to count as memory."""
    size, threads = overrides.get("working_set_bytes", 256 * MIB), overrides.get("threads", 1)
    values = {
        "target": "host",
        "path": "copy",
        "engine": "numpy",
        "threads": threads,
        "working_set_bytes": size,
        "bytes_per_call": size,
        "payload_bytes_per_call": max(size // 2, 1),
        "traffic_bytes_per_call": None,
        "cpus": tuple(range(threads)),
        "dram_rule_bytes": 256 * MIB,
    }
    return Case(**(values | overrides))


def build_result(case: Case | None = None, seconds: tuple[float, ...] = (0.02,) * 8, **overrides: Any) -> Result:
    """Return a verified result whose blocks took `seconds`; a field of Samples may be given like one of Result."""
    of_samples = {"calls_per_sample": 1, "start_skew_s": 0.0, "stopped_by": "precision", "layouts": ()}
    samples = Samples(seconds, **{name: overrides.pop(name, value) for name, value in of_samples.items()})
    return Result(case or build_case(), samples, **overrides)


def build_record(*results: Result, **overrides: Any) -> Record:
    """Return a record of an idle machine of eight CPUs whose memory is known; `before` and `after` are conditions."""
    before, after = overrides.pop("before", IDLE), overrides.pop("after", IDLE | {"total_ticks": 200_000})
    values = {
        "tool_version": "0.1.0",
        "taken_at": "2026-01-02T03:04:05+00:00",
        "command": ("bandwidth", "measure"),
        "machine": {
            "cpu_model": "Example 8-Core Processor",
            "physical_cores": 8,
            "logical_cpus": 8,
            "cpus_allowed": "0-7",
        },
        "conditions": Conditions(before, after),
        "results": results,
        "not_run": (),
        "memory": KNOWN_MEMORY,
    }
    return Record(**(values | overrides))


@pytest.fixture(autouse=True)
def catalog_of_all():
    """Give the next test the catalog of all again, whichever this one used."""
    before = current_catalog()
    yield
    use_catalog(before)


@pytest.fixture
def user_specs(tmp_path, monkeypatch):
    """Return an empty folder of the user's own specs; the process uses a catalog that has not read it yet."""
    monkeypatch.setenv("BANDWIDTH_SPECS", str(tmp_path))
    use_catalog(Catalog())
    return tmp_path


@pytest.fixture(scope="session", autouse=True)
def lock_of_the_session(tmp_path_factory):
    """Give the tests a lock of their own: another measurement on this machine is none of their business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BANDWIDTH_LOCK_FOLDER", str(tmp_path_factory.mktemp("lock")))
        yield


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    return build_case


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Result]:
    return build_result


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    return build_record


@pytest.fixture(autouse=True, scope="session")
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keep what won in a folder of this session: the user's own is never read and never written to."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def no_earlier_runs(own_cache_folder: Path) -> Iterator[None]:
    """Let no test know the runs of the tests before it."""
    yield
    for path in own_cache_folder.glob("bandwidth/earlier-runs-*"):
        path.unlink()


@pytest.fixture(scope="session")
def drawings() -> Callable[..., bytes]:
    return functools.cache(figures_drawing.draw)


@pytest.fixture(scope="module")
def drawn_once(drawings: Callable[..., bytes]) -> Iterator[None]:
    """Draw a figure for the first write-up that has it, and give the others the same drawing.

    That it would be the same is held by tests/report/figures/test_figures.py.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures_drawing, "draw", drawings)
        yield
