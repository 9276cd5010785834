"""Ceilings by hand, splits, and expected ranges held against runs of llama-bench where they lie beside the project."""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from bandwidth.catalog.decoding import read_device_fits, read_host_fit
from bandwidth.catalog.entries import specs_folder
from bandwidth.tokens.decode import Host, Load, Place, best_threads, fits, needed_bytes, rate_of, step_s
from bandwidth.tokens.model import CacheLayer, Decoding, LanguageModel

FIT, DEVICES = read_host_fit(specs_folder()), read_device_fits(specs_folder())
MODEL = LanguageModel("40 GB", 40 * 10**9, 40 * 10**9, "test", layers=80)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
# Of each model of the runs: the bytes of its embeddings, which are looked up and not read (vocabulary x width in Q4_K;
# those of gemma are its last layer too), and its layers.
EMBEDDINGS = {
    "gemma-2b": (0, 18),
    "llama-7b": (32_000 * 4096 * 144 // 256, 32),
    "phi-4-q4": (100_352 * 5120 * 144 // 256, 40),
    "Llama-3.": (128_256 * 8192 * 144 // 256, 80),
    "SmolLM-1": (0, 30),
    "qwen1_5-": (151_936 * 1024 * 144 // 256, 24),
}


def place(rate=1e12, **more):
    return Place("p", rate, rate, rate, "test", **more)


def test_a_step_takes_bytes_over_bandwidth():
    assert step_s(MODEL, Decoding(), Load(place())) == 0.04
    rate = rate_of(MODEL, Decoding(), [Load(place())], FIT)
    assert rate.ceiling == pytest.approx(25)
    assert 0 < rate.expected[0] < rate.expected[1] <= rate.ceiling


def test_places_take_turns_and_tensor_parallelism_reads_at_once():
    gpu = place(device_fit=DEVICES["GDDR"], capacity_bytes=24 * 10**9, count=2)
    assert rate_of(MODEL, Decoding(), [Load(gpu)], FIT).ceiling == pytest.approx(25)
    at_once = place(device_fit=DEVICES["GDDR"], count=2, split="tensor")
    assert rate_of(MODEL, Decoding(), [Load(at_once)], FIT).ceiling == pytest.approx(50)
    split = [Load(place(device_fit=DEVICES["GDDR"]), 0.25), Load(place(1e11), 0.75)]
    assert rate_of(MODEL, Decoding(), split, FIT).ceiling == pytest.approx(1 / (0.01 + 0.3))
    assert fits(MODEL, Decoding(), Load(gpu)) is True
    assert fits(MODEL, Decoding(), Load(place(capacity_bytes=39 * 10**9))) is False
    assert fits(MODEL, Decoding(), Load(place())) is None


def test_a_batch_reads_the_weights_once_and_each_cache():
    model = LanguageModel("m", 10**9, 10**9, "test", layers=1, cache=(CacheLayer(1000),))
    decoding = Decoding(context=1000, batch=8)
    assert model.step_bytes(decoding) == 10**9 + 8 * 2 * 10**6
    assert needed_bytes(model, decoding) == 10**9 + 8 * 2 * 10**6
    ceiling = rate_of(model, decoding, [Load(place(1e9))], FIT).ceiling
    assert ceiling == pytest.approx(8 / 1.016)
    assert model.context_that_doubles(Decoding()) == 500_000


def test_an_unknown_number_of_threads_is_the_widest_range():
    known = [
        rate_of(MODEL, Decoding(), [Load(place(2e11, host=Host(threads)))], FIT).expected
        for threads in (4, 8, 16, 32, 64)
    ]
    wide = rate_of(MODEL, Decoding(), [Load(place(2e11))], FIT).expected
    assert wide == pytest.approx((min(low for low, _ in known), max(high for _, high in known)))
    assert best_threads(place(2e11), 4e9, FIT) in (4, 8, 16, 32, 64)


# --- against runs -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs():
    if not (SHARED / "llm.csv").is_file():
        pytest.skip("the runs of llama-bench do not lie beside the project")
    path = Path(__file__).resolve().parents[1] / "maintenance" / "decoding.py"
    specification = importlib.util.spec_from_file_location("decoding_maintenance", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["decoding_maintenance"] = module
    specification.loader.exec_module(module)
    return module.read_runs(SHARED / "llm.csv")


def expected_of(run):
    embeddings, layers = EMBEDDINGS[run.model[:8]]
    size = int(run.model_bytes)
    model = LanguageModel(run.model, size, size - embeddings, "test", layers=layers)
    host = Host(run.threads, run.sockets, run.maker)
    return rate_of(model, Decoding(), [Load(place(run.read_bytes_per_s, host=host))], FIT)


def test_runs_on_processors_exceed_the_ceiling_in_at_most_two_of_a_hundred(runs):
    over = [run for run in runs if run.share * run.read_bytes_per_s / run.model_bytes > expected_of(run).ceiling]
    assert len(runs) > 1000
    assert len(over) / len(runs) <= 0.02


def test_the_expected_range_holds_four_of_five_runs_of_any_size_and_number_of_threads(runs):
    groups = defaultdict(list)
    for run in runs:
        low, high = expected_of(run).expected
        rate = run.share * run.read_bytes_per_s / run.model_bytes
        bucket = next(limit for limit in (2, 4, 8, 16, 32, 64, 128, 10**6) if run.threads <= limit)
        for group in ("all", run.model[:8], f"up to {bucket} threads"):
            groups[group].append(low <= rate <= high)
    shares = {group: sum(inside) / len(inside) for group, inside in groups.items()}
    assert {group: share for group, share in shares.items() if not 0.75 <= share <= 0.90} == {}


GPUS_GB_S = {
    "Tesla M60": 160.4, "Tesla T4": 320, "Tesla V100-PCIE-16GB": 898, "Tesla V100-SXM2-16GB": 898,
    "Tesla V100-SXM2-32GB": 898, "Tesla V100S-PCIE-32GB": 1134, "NVIDIA L4": 300, "NVIDIA L40S": 864,
    "NVIDIA A100 80GB PCIe": 1935, "NVIDIA A100-SXM4-40GB": 1555, "NVIDIA A100-SXM4-80GB": 2039,
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": 1597, "NVIDIA A16": 200, "NVIDIA A40": 696,
}  # fmt: skip
SLICED_GB = {"NVIDIA A16": 16, "NVIDIA A40": 48, "NVIDIA L4": 24}


def test_the_expected_range_holds_four_of_five_runs_on_gpus():
    if not (SHARED / "llm_gpu.csv").is_file():
        pytest.skip("the runs of llama-bench do not lie beside the project")
    with (SHARED / "llm_gpu.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    inside, over = [], 0
    for row in rows:
        name, _, cut = row["gpu"].split(", ")[0].rpartition("-") if row["gpu"].endswith("Q") else (row["gpu"], "", "")
        part = int(cut[:-1]) / SLICED_GB[name] if cut else 1.0
        fit = DEVICES["HBM" if "V100" in name or "A100" in name else "GDDR"]
        gpu = place(GPUS_GB_S[name] * 1e9, device_fit=fit, part=min(1.0, part))
        embeddings, layers = EMBEDDINGS[row["model"][:8]]
        size = int(row["weights_bytes"])
        model = LanguageModel("m", size, size - embeddings, "test", layers=layers)
        rate = rate_of(model, Decoding(), [Load(gpu)], FIT)
        inside.append(rate.expected[0] <= float(row["tokens_per_s"]) <= rate.expected[1])
        over += float(row["tokens_per_s"]) > rate.ceiling
    assert sum(inside) / len(inside) >= 0.8
    assert over == 0
