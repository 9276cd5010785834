"""The real CuPy for ROCm without a GPU and without ROCm: in an environment of its own, over a stand-in of HIP.

The stand-in (`hip_stand_in/`) is made by g++ for each session. The environment is kept in the folder for temporary
files: it takes half a gigabyte and a download of 73 MB. Its interpreter runs this checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).parent / "hip_stand_in"
# What CuPy's wheel loads: all of it is one library here, which has the versions of all their symbols.
LIBRARY = "libamdhip64.so.7"
OTHERS = ("libhiprtc.so.7", "librocfft.so.0", "libroctracer64.so.4", "libroctx64.so.4")
INSTALL_S, COMPILE_S, RUN_S = 900, 120, 300


class Rocm:
    """An interpreter with CuPy for ROCm, and what it has to be told to find the stand-in."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.libraries = python, folder / "rocm"
        self.variables = {
            "PATH": f"{self.libraries}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": str(self.libraries),
            "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CUPY_CACHE_DIR": str(folder / "kernels"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "BANDWIDTH_LOCK_FOLDER": str(folder),
            "HIP_STAND_IN_HEADER": str(STAND_IN / "device.hpp"),
        }

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the interpreter; variables of the environment are added to its own."""
        return subprocess.run(
            [self.python, *arguments],
            env=self.variables | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_S,
        )


def rocm(folder: Path) -> Rocm:
    """Return the environment with a stand-in that is made in `folder`, or skip with the reason."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("CuPy for ROCm has wheels for Linux on x86-64 alone")
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ to make the stand-in of HIP")
    made = Rocm(_environment() / "bin" / "python", folder)
    _build(compiler, made.libraries)
    return made


def _build(compiler: str, folder: Path) -> None:
    folder.mkdir()
    script = f"-Wl,--version-script={STAND_IN / 'versions.map'}"
    options = ("-std=c++17", "-O2", "-U_FORTIFY_SOURCE", "-shared", "-fPIC", script, f"-Wl,-soname,{LIBRARY}")
    sources = sorted(STAND_IN.glob("*.cpp"))
    subprocess.run([compiler, *options, "-o", folder / LIBRARY, *sources, "-ldl"], check=True, timeout=COMPILE_S)
    for name in OTHERS:
        (folder / name).symlink_to(LIBRARY)
    shutil.copy(STAND_IN / "hipcc", folder)


def _environment() -> Path:
    """Return the environment for what pyproject.toml wants now, which is made unless it is there."""
    wanted = _requirements()
    key = hashlib.sha256(json.dumps([sys.version, sys.executable, *wanted]).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), f"bandwidth-rocm-{os.getuid()}-{key}")
    if not folder.exists():
        _install(folder, wanted)
    if folder.stat().st_uid != os.getuid():
        pytest.skip(f"{folder} is another user's")
    return folder


def _requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["rocm7"]]


def _install(folder: Path, wanted: list[str]) -> None:
    """Install beside the folder, and move it there whole: an environment's interpreter finds itself anywhere."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        made = Path(beside, "environment")
        subprocess.run([sys.executable, "-m", "venv", made], check=True, timeout=INSTALL_S)
        done = subprocess.run(
            [made / "bin" / "python", "-m", "pip", "install", "--quiet", "--retries", "1", *wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_S,
        )
        if done.returncode:
            pytest.skip(f"CuPy for ROCm cannot be had: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}")
        made.rename(folder)
