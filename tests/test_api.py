"""The Python API keeps its verbs, and importing the package costs next to nothing."""

import subprocess
import sys

import pytest

import bandwidth

pytestmark = pytest.mark.usefixtures("compiled_for_all")


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


def ids_of(record):
    """Return the ids of all that was planned: how much of it a short budget reaches is the machine's to say."""
    return {result.case.id for result in record.results} | {skipped.id for skipped in record.not_run}


def test_measure_gives_a_verified_record(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    record = bandwidth.measure("host", kernels=["copy", "read"], threads=[1], size_bytes=2**22, budget_s=0.5)
    ids = ["read/native/1", "read/numpy/1", "copy/native/1/streaming", "copy/native/1/ordinary", "copy/numpy/1"]
    assert ids_of(record) == {f"host/{case_id}" for case_id in ids}
    assert record.results
    for result in record.results:
        assert result.is_verified
        assert bandwidth.summarise(result).median_bytes_per_s > 0
    assert "BW001" in bandwidth.examine(record).codes()
    asked = {"kernels": ["copy", "read"], "threads": ["1"], "size_bytes": 2**22, "budget_s": 0.5}
    assert record.options == {"target": "host", **asked}


def test_measure_compares_with_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    record = bandwidth.measure("host", kernels="copy", engines="numpy", threads=1, size_bytes=2**22, budget_s=0.5)
    (row,) = bandwidth.compare(record, record)
    assert row.ratios == (1.0, 1.0)


def test_measure_raises_keyboard_interrupt_with_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bandwidth.engines.host.engine.HostEngine.run_block", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        bandwidth.measure("host", kernels=["copy"], size_bytes=2**22, budget_s=0.5)
    (record,) = caught.value.args
    assert record.results == ()
    assert {skipped.reason for skipped in record.not_run} == {"interrupted before its first sample"}


def test_measure_takes_studies(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    record = bandwidth.measure("host", sweep="size", sweep_range=(2**12, 2**14), threads=1, budget_s=0.5)
    assert ids_of(record) == {f"host/read/native/1/{size}" for size in (4096, 6144, 8192, 12288, 16384)}
    assert {tuple(result.case.variant) for result in record.results} == {("sweep_point",)}
    record = bandwidth.measure("host", mixes="2:1", size_bytes=2**20, threads=1, budget_s=0.5)
    assert ids_of(record) == {"host/mix/native/1/ordinary/2:1", "host/triad/native/1/streaming"}


@pytest.mark.parametrize("sweep_range", [(4096,), (1, 2, 3), (1.5, 4.0), ("4KiB", "8KiB")])
def test_a_range_that_is_none_is_refused(sweep_range):
    with pytest.raises(bandwidth.BandwidthError, match="is not two whole numbers"):
        bandwidth.measure("host", sweep="size", sweep_range=sweep_range)
