"""`bandwidth tokens` as a user runs it: the screen, JSON, records, this machine, figures, and what is refused."""

from __future__ import annotations

import json

import pytest
from called import Ran
from model_headers import MODELS

from bandwidth.cli import app

SCREEN = """\
Llama 3.3 70B, Q4_K_M: about 43.16 GB, context of 8,192 (KV cache 2.68 GB);
  about 45.85 GB read per token.

                        GB/s  fits           tokens/s at most     expected
--------------------  ------  -------------  ----------------  -----------
2 x GeForce RTX 3090  936.00  yes, of 48 GB              20.4  9.8 to 17.9
DDR5-6000 x2           96.00  -                           2.1   1.1 to 1.9
Quadro RTX 5000       448.00  NO, of 16 GB                  -            -

2 x GeForce RTX 3090: with the layers split over several GPUs, the GPUs take
  turns, so a token takes as long as on one GPU with all layers; tensor
  parallelism (--split tensor) uses all GPUs at once.
Quadro RTX 5000: 45.85 GB do not fit in 16 GB; 27 of 80 layers fit (--gpu-layers
  27/80 --host SPEC).
"""


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = app.run(["tokens", *map(str, arguments)])
        return Ran(code, *capsys.readouterr())

    return run


def test_the_screen(run):
    ran = run("70B:Q4_K_M", "2 x RTX 3090", "DDR5-6000 x2", "Quadro RTX 5000", "--context", "8k")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(SCREEN)
    assert max(map(len, ran.out.splitlines())) <= 80


def test_a_gpu_and_its_host_share_the_layers(run):
    ran = run("70B:Q4_K_M", "RTX 3090", "--gpu-layers", "20/80", "--host", "DDR5-5600 x2", "--json")
    (row,) = json.loads(ran.out)["results"]
    step = json.loads(ran.out)["step_bytes"]
    assert row["ceiling_tokens_per_s"] == pytest.approx(1 / (step * 0.25 / 936e9 + step * 0.75 / 89.6e9), rel=1e-3)
    assert [part["share"] for part in row["parts"]] == [0.25, 0.75]
    assert "without the GPU" in run("70B:Q4_K_M", "RTX 3090", "--gpu-layers", "20/80", "--host", "DDR5-5600 x2").out


def test_a_file_is_read_and_a_rate_taken_as_it_is(run, tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(MODELS[0].header())
    data = json.loads(run(path, "100GB/s", "--context", "1k", "--threads", "8", "--json").out)
    assert data["schema"] == "bandwidth/tokens/1"
    assert data["model"]["is_estimate"] is False
    assert data["results"][0]["ceiling_tokens_per_s"] == pytest.approx(100e9 / data["step_bytes"])
    assert data["cache_bytes"] == 2 * 32 * 32 * 128 * 2 * 1024
    q8 = json.loads(run(path, "100GB/s", "--context", "1k", "--kv", "q8", "--json").out)
    assert q8["cache_bytes"] == data["cache_bytes"] * 34 / 64


def test_a_record_is_a_place(run, request):
    record = request.config.rootpath / "tests" / "data" / "record-1.json"
    data = json.loads(run("8B:Q4_K_M", record, "--json").out)
    assert data["results"][0]["place"].startswith("record-1.json, host")
    assert data["results"][0]["parts"][0]["source"].split()[1] == "measured"


def test_this_machine_is_measured(compiled_for_all, run):
    ran = run("8B:Q4_K_M", "here", "--measure", "--budget", "2s", "--json")
    assert ran.code == 0
    part = json.loads(ran.out)["results"][0]["parts"][0]
    assert "measured now" in part["source"]
    assert part["threads"] >= 1


def test_a_slice_of_a_gpu_has_between_its_part_and_all_of_it(run):
    whole, cut = json.loads(run("1B:Q4_K_M", "NVIDIA L4", "NVIDIA L4-12Q", "--json").out)["results"]
    assert cut["expected_low_tokens_per_s"] == pytest.approx(whole["expected_low_tokens_per_s"] / 2)
    assert cut["expected_high_tokens_per_s"] == whole["expected_high_tokens_per_s"]


def test_a_figure_over_the_context(run, tmp_path):
    pytest.importorskip("matplotlib")
    ran = run("8B:Q4_K_M", "RTX 3090", "--figure", tmp_path / "t.svg")
    assert ran.code == 0
    assert "tokens/s at most" in (tmp_path / "t.svg").read_text()
    ran = run("70B:F16", "RTX 3090", "--figure", tmp_path / "none.svg")
    assert (ran.code, ran.err) == (
        1, "bandwidth: nothing to draw: the model does not fit any place; name a place with more memory\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("nope", "H200"), 1, "'nope' is not a known model; use a .gguf"),
        (("70B:Q4_KM", "H200"), 1, "'70B:Q4_KM': 'Q4_KM' is not a quantisation; did you mean Q4_K_M?"),
        (
            ("70B:Q4_K_M", "GeForec RTX 4090"),
            1,
            "'GeForec RTX 4090' is not a known memory, link or device; did you mean Ge",
        ),
        (("model.bin", "H200"), 1, "model.bin is a pickle file, which is never opened; use a .gguf file"),
        (("https://example.org/m.gguf", "H200"), 1, "https:/example.org/m.gguf is a URL, and nothing is downloaded"),
        (("gone.gguf", "H200"), 1, "gone.gguf does not exist; check the name"),
        (("tests", "H200"), 1, "tests is a folder; use a .gguf file"),
        (("70B:Q4_K_M", "PCIe 4.0 x16"), 2, "'PCIe 4.0 x16' is a link, not a memory"),
        (("70B:Q4_K_M", "0 x RTX 3090"), 2, "'0 x RTX 3090': 0 is not a valid number of devices"),
        (("70B:Q4_K_M", "2 x EPYC 9755"), 2, "'2 x EPYC 9755': only GPUs can share a model"),
        (("70B:Q4_K_M", "gone.json"), 1, "gone.json does not exist"),
        (
            ("70B:Q4_K_M", "H200", "--context", "0"),
            2,
            "--context: '0' is not a number of tokens; write it as 8192 or 8k",
        ),
        (("70B:Q4_K_M", "H200", "--batch", "0"), 2, "--batch 0 is out of range; use 1 to 65,536"),
        (("70B:Q4_K_M", "H200", "--kv", "q9"), 2, "--kv 'q9' is not known; choose from f32, f16"),
        (("70B:Q4_K_M", "H200", "--split", "x"), 2, "--split 'x' is not known; choose from layers, tensor"),
        (("70B:Q4_K_M", "H200", "--threads", "0"), 2, "--threads 0 is out of range"),
        (("70B:Q4_K_M", "H200", "--gpu-layers", "20/80"), 2, "--gpu-layers and --host need each other"),
        (
            ("70B:Q4_K_M", "H200", "--gpu-layers", "90/80", "--host", "90GB/s"),
            2,
            "--gpu-layers: 90 of 80 layers is not a valid split",
        ),
        (("70B:Q4_K_M", "90GB/s", "--gpu-layers", "9/80", "--host", "90GB/s"), 2, "--gpu-layers needs a GPU"),
        (("70B:Q4_K_M", "H200", "--gpu-layers", "9/80", "--host", "H200"), 2, "--host 'H200' is a GPU"),
    ],
)
def test_what_is_refused_is_one_line(run, arguments, code, line):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith(f"bandwidth: {line}")
    assert ran.err.count("\n") == 1
