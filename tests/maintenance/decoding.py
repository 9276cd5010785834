"""Fits what processors get of their read rate when they decode, and writes specs/decoding_host.toml.

    python tests/maintenance/decoding.py RUNS.csv [GPU_RUNS.csv]

RUNS.csv are runs of llama-bench beside the machine's measured read rate, in the columns of `llm.csv` that
SpareCores/sc-inspector-data (CC BY-SA 4.0) gives; the runs are not part of this project, the few numbers fitted are.
The ends are quantiles of the logarithm of tokens/s x bytes / read rate, linear in what `HostEnd` names (quantile
regression by reweighted least squares). Coverage is of families of instances that the other half was fitted on.

GPU_RUNS.csv are runs on GPUs (`llm_gpu.csv` of the same set). For each kind of memory the time a layer and the share of
the peak that part off a tenth of the runs at either end are searched on a grid and printed, with how many runs the
numbers in specs/decoding.toml hold: those are set by hand near them, wide enough for cards that were not fitted.
"""

from __future__ import annotations

import csv
import dataclasses
import sys
from pathlib import Path

import numpy as np

from bandwidth.catalog.decoding import HOST_DECODING_FILE, MOST_SOCKETS, HostEnd, HostFit, read_device_fits
from bandwidth.catalog.entries import specs_folder
from bandwidth.theory import peaks

QUANTILES = {"low": 0.075, "high": 0.925}
# Smaller models are no memory's measure: they fit in caches, or nearly.
SMALLEST_BYTES = 1.2e9
STEPS = 300
NAMES = tuple(field.name for field in dataclasses.fields(HostEnd))[1:-1]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run on processors: what was read each second at most, and the share of it that decoding got."""

    family: str
    model: str
    threads: int
    sockets: int
    maker: str
    model_bytes: float
    read_bytes_per_s: float
    share: float


def read_runs(path: Path) -> list[Run]:
    """Return the runs on processors whose model is larger than the last-level caches."""
    with path.open(newline="", encoding="utf-8") as file:
        found = [_run(row) for row in csv.DictReader(file)]
    return [run for run in found if run is not None]


def _run(row: dict[str, str]) -> Run | None:
    rates = [float(row[name]) for name in ("read_GBs_bw_mem", "read_GBs_membench") if row[name]]
    size = float(row["file_bytes"])
    if row["gpu"] or not rates or size < SMALLEST_BYTES or size <= _caches(row["l3"]):
        return None
    rate = max(rates) * 1e9
    share = float(row["tokens_per_s"]) * size / rate
    return Run(
        row["family"],
        row["model"],
        int(row["threads"]),
        int(row["sockets"] or 1),
        _maker(row["cpu"]),
        size,
        rate,
        share,
    )


def _caches(text: str) -> int:
    first = text.split()[0] if text else ""
    return int(first) if first.isdigit() else 0


def _maker(name: str) -> str:
    if "amd" in name.lower():
        return "AMD"
    return "Intel" if "intel" in name.lower() else "Arm"


def features(runs: list[Run]) -> np.ndarray:
    """Return a row of numbers for each run, in the order of NAMES."""
    doublings = np.log2([run.threads for run in runs])
    each = np.array([run.read_bytes_per_s / run.threads for run in runs])
    return np.stack(
        [
            np.ones(len(runs)),
            doublings,
            np.maximum(doublings - 5, 0),
            np.maximum(doublings - 7, 0),
            np.log2([min(run.sockets, MOST_SOCKETS) for run in runs]),
            np.log2(np.array([run.model_bytes for run in runs]) / 4e9),
            np.log2(each / 8e9),
            np.array([run.maker == "AMD" for run in runs], float),
            np.array([run.maker == "Arm" for run in runs], float),
        ],
        axis=1,
    )


def fit_end(runs: list[Run], quantile: float) -> np.ndarray:
    """Return the numbers of one end: quantile regression by least squares that are reweighted."""
    x, y = features(runs), np.log([run.share for run in runs])
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    for _ in range(STEPS):
        rest = y - x @ weights
        each = np.where(rest > 0, quantile, 1 - quantile) / np.maximum(np.abs(rest), 1e-3)
        scaled = x * each[:, None]
        weights = np.linalg.solve(x.T @ scaled + 1e-6 * np.eye(x.shape[1]), scaled.T @ y)
    return weights


def host_fit(runs: list[Run], source: str = "fitted") -> HostFit:
    """Return both ends fitted on some runs."""
    ends = {
        name: HostEnd(name, **dict(zip(NAMES, map(float, fit_end(runs, quantile)), strict=True)), source=source)
        for name, quantile in QUANTILES.items()
    }
    return HostFit(ends["low"], ends["high"])


def holds(run: Run, fit: HostFit) -> bool:
    """Whether a run lies between both ends."""
    ends = [
        fit.share(end, run.threads, run.sockets, run.maker, run.model_bytes, run.read_bytes_per_s)
        for end in ("low", "high")
    ]
    return ends[0] <= run.share <= ends[1]


def cross_checked(runs: list[Run]) -> list[bool]:
    """Return whether each run lies in the range that the other half of the families was fitted on."""
    families = sorted({run.family for run in runs})
    half = set(families[::2])
    fits = {inside: host_fit([run for run in runs if (run.family in half) != inside]) for inside in (True, False)}
    return [holds(run, fits[run.family in half]) for run in runs]


def main() -> None:
    """Fit, write the file and print how the fit does."""
    runs = read_runs(Path(sys.argv[1]))
    checked = cross_checked(runs)
    _print_coverage("half fitted, other half asked", runs, checked)
    share = sum(checked) / len(checked)
    families = len({run.family for run in runs})
    source = (
        f"fitted on {len(runs)} runs of llama-bench (models of 1.5 to 43 GB, {families} families of cloud machines, "
        f"SpareCores/sc-inspector-data); {share:.0%} of those of families not fitted on lie between"
    )
    fit = host_fit(runs, source)
    _print_coverage("all fitted, all asked", runs, [holds(run, fit) for run in runs])
    lines = ["# Written by tests/maintenance/decoding.py; what the numbers are says bandwidth/catalog/decoding.py.\n"]
    for end in (fit.low, fit.high):
        lines.append(f'["{end.name}"]')
        lines += [f"{name} = {getattr(end, name):.3f}" for name in NAMES]
        lines.append(f'source = "{end.source}"\n')
    (specs_folder() / HOST_DECODING_FILE).write_text("\n".join(lines), encoding="utf-8")
    for path in sys.argv[2:]:
        print_devices(read_device_runs(Path(path)))


# --- GPUs -------------------------------------------------------------------------------------------------------------

LAYERS = {"gemma-2b": 18, "llama-7b": 32, "phi-4-q4": 40, "Llama-3.": 80, "SmolLM-1": 30, "qwen1_5-": 24}
S_PER_LAYER, SHARES = np.linspace(5e-6, 250e-6, 99), np.linspace(0.3, 1, 71)


@dataclasses.dataclass(frozen=True)
class DeviceRun:
    """One run on a GPU: the seconds of a token, its layers, the seconds that its bytes take at the peak, its part."""

    kind: str
    token_s: float
    layers: int
    peak_s: float
    part: float


def read_device_runs(path: Path) -> list[DeviceRun]:
    """Return the runs on one GPU; a slice of a GPU (`NVIDIA L4-12Q`) has its part of the memory."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_device_run(row) for row in csv.DictReader(file)]


def _device_run(row: dict[str, str]) -> DeviceRun:
    name = row["gpu"].split(", ")[0]
    whole, _, cut = name.rpartition("-") if name.endswith("Q") else (name, "", "")
    memory = peaks(whole)[0]
    part = min(1.0, int(cut[:-1]) * 1e9 / memory.capacity_bytes) if cut else 1.0
    kind = "HBM" if memory.family.startswith("HBM") else "GDDR"
    peak_s = float(row["weights_bytes"]) / memory.bytes_per_s
    return DeviceRun(kind, 1 / float(row["tokens_per_s"]), LAYERS[row["model"][:8]], peak_s, part)


def device_end(runs: list[DeviceRun], quantile: float) -> tuple[float, float]:
    """Return the time a layer and the share of the peak that have so many of the runs below their time."""
    layers, peak_s, token_s = (
        np.array([getattr(run, name) for run in runs]) for name in ("layers", "peak_s", "token_s")
    )

    def loss(each: float, share: float) -> float:
        over = np.log(token_s) - np.log(layers * each + peak_s / share)
        return float(np.where(over > 0, quantile * over, (quantile - 1) * over).mean())

    return min(((each, share) for each in S_PER_LAYER for share in SHARES), key=lambda pair: loss(*pair))


def print_devices(runs: list[DeviceRun]) -> None:
    """Print both ends of each kind of memory, and how many runs the numbers in specs hold."""
    fits = read_device_fits(specs_folder())
    for kind in ("HBM", "GDDR"):
        own, fit = [run for run in runs if run.kind == kind], fits[kind]
        whole = [run for run in own if run.part == 1.0]
        for end, quantile in (("fast", 0.1), ("slow", 0.9)):
            each, share = device_end(whole, quantile)
            print(
                f"{kind}, {end}: {each * 1e6:.0f} us a layer, {share:.2f} of the peak ({len(whole)} runs on whole GPUs)"
            )
        inside = [
            run.layers * fit.fast_s_per_layer + run.peak_s / fit.fast_share
            <= run.token_s
            <= (run.layers * fit.slow_s_per_layer + run.peak_s / fit.slow_share) / run.part
            for run in own
        ]
        print(f"{kind}: specs/decoding.toml holds {sum(inside)} of {len(inside)} runs")


def _print_coverage(what: str, runs: list[Run], inside: list[bool]) -> None:
    print(f"{what}: {sum(inside)} of {len(runs)} = {sum(inside) / len(runs):.1%}")
    for of in (_model, _bucket, _sockets):
        for name in sorted({of(run) for run in runs}):
            got = [ok for run, ok in zip(runs, inside, strict=True) if of(run) == name]
            print(f"  {name:<34} {sum(got):>5} of {len(got):>5}  {sum(got) / len(got):.1%}")


def _model(run: Run) -> str:
    return f"model {run.model[:24]}"


def _sockets(run: Run) -> str:
    return f"sockets {run.sockets:>3}"


def _bucket(run: Run) -> str:
    limit = next(limit for limit in (2, 4, 8, 16, 32, 64, 128, 10**6) if run.threads <= limit)
    return f"threads up to {limit:>7}"


if __name__ == "__main__":
    main()
