"""The Python API keeps its verbs, and importing the package costs next to nothing."""

import subprocess
import sys

import pytest

import bandwidth


def test_every_public_name_is_there():
    for name in bandwidth.__all__:
        assert getattr(bandwidth, name) is not None
    assert dir(bandwidth) == sorted(bandwidth.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'speed'"):
        _ = bandwidth.speed


def test_import_loads_no_library():
    code = (
        "import sys, bandwidth\n"
        "print([name for name in ('numpy', 'cupy', 'pydantic', 'typer', 'rich', 'psutil') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_peak():
    assert bandwidth.peak("DDR4-2933", channels=4).bytes_per_s == 93866666666.66667


def test_measure_gives_a_verified_record(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    record = bandwidth.measure("host", kernels=["copy", "read"], threads=[1], size_bytes=2**22, budget_s=0.5)
    assert [result.case.id for result in record.results] == ["host/read/numpy/1", "host/copy/numpy/1"]
    for result in record.results:
        assert result.is_verified
        assert bandwidth.summarise(result).median_bytes_per_s > 0
    assert "BW001" in bandwidth.examine(record).codes()


def test_measure_compares_with_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    record = bandwidth.measure("host", kernels=["copy"], threads=[1], size_bytes=2**22, budget_s=0.5)
    (row,) = bandwidth.compare(record, record)
    assert row.ratios == (1.0, 1.0)


def test_measure_raises_keyboard_interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bandwidth.measuring.engines.numpy_host.NumpyHostEngine.run_block", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bandwidth.measure("host", kernels=["copy"], size_bytes=2**22, budget_s=0.5)
