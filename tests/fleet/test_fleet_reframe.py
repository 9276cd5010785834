"""The regression test for ReFrame of `bandwidth explain fleet`, run once as a site would run it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TEST = Path(__file__).parents[1] / "data" / "reframe" / "memory_bandwidth.py"
TINY = "host --size 2MiB --budget 300ms --kernel copy --threads 1 --engine numpy"

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("reframe") is None, reason="ReFrame-HPC is not installed"),
]


def test_reframe_takes_its_figures_from_the_record(tmp_path):
    report = tmp_path / "report.json"
    program = "import sys; from reframe.frontend.cli import main; sys.exit(main())"
    command = ["-c", str(TEST), "-r", "-S", f"options={TINY}", "--prefix", str(tmp_path), "--report-file", str(report)]
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": binaries, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (case,) = json.loads(report.read_text("utf-8"))["runs"][0]["testcases"]
    figures = {name.rpartition(":")[2]: figure for name, figure in case["perfvalues"].items()}
    assert figures["host_copy_numpy_1"][0] > 0
    assert figures["host_copy_numpy_1"][4] == "GB/s"
