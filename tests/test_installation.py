"""The package finds its specs and runs from a wheel, from an editable install and from a checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PEAK = """
import bandwidth
from bandwidth.catalog import specs_folder
print(bandwidth.peak('DDR4-2933 x4').bytes_per_s)
print(specs_folder())
"""


def run_python(code, folder, **variables):
    """Run code in another folder with the libraries of this interpreter, and return the lines that it prints."""
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": "", **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def build(hook, folder):
    """Build by a hook of the build backend, as pip does, and return the wheel's path."""
    code = f"import hatchling.build as b, sys; print(b.{hook}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.mark.slow
def test_wheel_carries_its_specs(tmp_path):
    wheel = build("build_wheel", tmp_path)
    target = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(target)
    assert "bandwidth/specs/memory.toml" in names
    assert "bandwidth/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "specs/")) or "__pycache__" in name]
    peak, specs = run_python(PEAK, tmp_path, PYTHONPATH=str(target))
    assert peak == "93866666666.66667"
    assert Path(specs) == target / "bandwidth" / "specs"


@pytest.mark.slow
def test_wheel_declares_the_command_and_the_libraries(tmp_path):
    with zipfile.ZipFile(build("build_wheel", tmp_path)) as archive:
        folder = next(name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name)
        assert folder.startswith("membandwidth-")
        assert "bandwidth = bandwidth.__main__:main" in archive.read(f"{folder}/entry_points.txt").decode()
        needs = archive.read(f"{folder}/METADATA").decode()
    for library in ("numpy", "typer", "rich", "tabulate", "pydantic", "psutil"):
        assert f"Requires-Dist: {library}" in needs


@pytest.mark.slow
def test_editable_install_reads_the_checkout(tmp_path):
    wheel = build("build_editable", tmp_path)
    target = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    code = f"import site; site.addsitedir({str(target)!r})\n{PEAK}"
    peak, specs = run_python(code, tmp_path)
    assert peak == "93866666666.66667"
    assert Path(specs) == ROOT / "specs"


def test_checkout_runs_without_an_install(tmp_path):
    peak, specs = run_python(PEAK, tmp_path, PYTHONPATH=str(ROOT))
    assert peak == "93866666666.66667"
    assert Path(specs) == ROOT / "specs"


def test_version_is_the_same_everywhere():
    import bandwidth

    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## {bandwidth.__version__}" in changelog
