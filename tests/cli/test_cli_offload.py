"""`bandwidth offload` as a user runs it: whole outputs, every format, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from bandwidth.cli import app
from bandwidth.engines.cuda import end_to_end as whole
from bandwidth.errors import HardwareError
from bandwidth.findings import examine
from bandwidth.offload import answer
from bandwidth.offload.figures import Source
from bandwidth.results.files import save

GIVEN = ["--host", "90GB/s", "--device", "900GB/s", "--link", "12GB/s"]
TUTORIAL = ["--host", "DDR4-2933 x4", "--device", "Quadro RTX 5000", "--link", "PCIe 3.0 x16"]
IMAGES = """\
The GPU pays from 8 passes over 47.04 MB on, transfer included. With many passes
  it is at most 4.56 times as fast.

bandwidth          GB/s  source  detail
---------------  ------  ------  ------------------------
host's memory     93.87  theory  DDR4-2933 x4
link              15.75  theory  PCIe 3.0 x16, coded rate
device's memory  448.00  theory  Quadro RTX 5000

latency             us  source   detail
------------------  --  -------  ----------------------------------------------
call on the host     1  default  a NumPy call on one element: 0.7 us on a Xeon
call on the device   5  default  2 to 3 us queued, 7 to 10 with synchronisation
                                 (CSCS's ReFrame references, P100 to A100)
transfer            10  default  5 to 7 us to submit a copy (Wu et al., arXiv
                                 2602.21548), plus the wait for it

data      GPU is faster from  limit for many passes
--------  ------------------  ---------------------
47.04 MB            8 passes                   4.56

passes  GPU is faster from  limit for much data
------  ------------------  -------------------
     1               never                0.162
    10             2.41 MB                 1.24
   100            526.6 kB                 3.72

data      passes     host   device  speed-up  faster
--------  ------  -------  -------  --------  ------
47.04 MB       1   502 us  3.11 ms     0.162  host
47.04 MB      10  5.02 ms   4.1 ms      1.23  device
47.04 MB     100  50.2 ms    14 ms      3.59  device

o host, # device, * both, 100 passes; X equal, at 526.6 kB
    36 ms |                                                           oo
          |                                                        ooo
          |                                                     ooo
          |                                                  ooo      ##
          |                                               ooo      ###
          |                                            ooo     ####
          |                                         ooo     ###
  1.98 ms |                                      ooo    ####
          |                                  oooo  #####
          |                               o**######
          |###########################***X#
          |                       oooo
          |                  ooooo
          |          oooooooo
   109 us |oooooooooo
          +-------------------------------------------------------------
           8.23 kB                                               33.7 MB

Assumptions:
  The work is memory bound: arithmetic is never the limit, on host or device.
  Each pass reads all of the data once; the first touch of memory (page faults,
    allocation) is not counted.
  The input crosses the link once, from pinned memory; the result is negligible.
  No overlap: transfers and passes run one after the other.
  Data that fits in the host's cache is read faster than shown: no record has a
    sweep over size.
"""


@pytest.fixture
def run(capsys):
    """Run the command; return its exit code and what it wrote."""

    def called(*arguments):
        code = app.run(["offload", *map(str, arguments)])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return called


def test_the_image_set_of_the_tutorial(run):
    """60,000 images of 28 x 28 bytes: one pass does not pay, ten do."""
    found = run(*TUTORIAL, "--size", 60_000 * 28 * 28, "--passes", "1,10,100")
    assert (found.code, found.err) == (0, "")
    assert found.out == IMAGES


def test_the_device_brings_its_own_link(run):
    own, named = (json.loads(run(*arguments, "--json").out) for arguments in (TUTORIAL[:4], TUTORIAL))
    assert own["sources"]["link"]["text"] == "Quadro RTX 5000, PCIe 3.0 x16, coded rate"
    assert own["rows"] == named["rows"]


def test_a_models_weights_read_once_a_token(run):
    arguments = ("--host", "DDR5-4800 x12", "--device", "H200", "--size", "140GB", "--passes", "1,10,1000")
    found = json.loads(run(*arguments, "--json").out)
    assert found["break_even_passes"] == 9  # tokens, where the weights have to be brought first
    assert [round(row["speedup"], 2) for row in found["rows"]] == [0.14, 1.21, 9.9]
    there = json.loads(run(*arguments, "--json", "--resident").out)
    assert there["break_even_passes"] == 1
    assert there["asymptotic_speedup"] == pytest.approx(10.67)


def test_json_has_what_the_contract_says(run):
    found = json.loads(run(*GIVEN, "--json").out)
    assert found["schema"] == "bandwidth/offload/1"
    assert found["host_bytes_per_s"] == 90e9
    assert found["link_bytes_per_s"] == 12e9
    assert found["device_bytes_per_s"] == 900e9
    assert all(isinstance(text, str) for text in found["assumptions"])
    assert {"break_even_passes", "break_even_bytes", "asymptotic_speedup"} <= set(found)
    assert found["break_even_bytes"] is None
    assert {"bytes", "passes", "host_s", "device_s", "speedup"} <= set(found["rows"][0])
    assert len(found["rows"]) == 15
    row = found["rows"][3]
    assert (row["bytes"], row["passes"]) == (10**7, 1)
    assert row["host_s"] == pytest.approx(1e-6 + 1e7 / 90e9)
    assert row["device_s"] == pytest.approx(1e-5 + 1e7 / 12e9 + 5e-6 + 1e7 / 900e9)


def test_csv_is_a_row_for_each_size_and_number_of_passes(run):
    rows = list(csv.DictReader(io.StringIO(run(*GIVEN, "--size", "1MB,2MB", "--passes", "3", "--format", "csv").out)))
    assert [(row["bytes"], row["passes"]) for row in rows] == [("1000000", "3"), ("2000000", "3")]


@pytest.mark.parametrize("name", ["markdown", "latex", "html"])
def test_other_formats_have_the_tables_and_no_picture_of_characters(run, name):
    found = run(*GIVEN, "--format", name)
    assert found.code == 0
    assert "GPU is faster from" in found.out
    assert "| oo" not in found.out
    assert "o host" not in found.out


def test_a_table_stays_within_eighty_columns(run):
    assert max(map(len, run(*TUTORIAL, "--devices", 4, "--result", "100%", "--overlap").out.splitlines())) <= 80


def test_the_options_of_the_work_reach_the_model(run):
    def seconds(*options):
        latencies = ("--host-latency", "0", "--launch-latency", "0s", "--link-latency", "0")
        arguments = (*GIVEN, *latencies, "--size", "9GB", "--passes", "1", "--json", *options)
        return json.loads(run(*arguments).out)["rows"][0]["device_s"]

    assert seconds() == pytest.approx(0.75 + 0.01)
    assert seconds("--resident") == pytest.approx(0.01)
    assert seconds("--overlap") == pytest.approx(0.75)
    assert seconds("--result", "100%") == pytest.approx(1.51)
    assert seconds("--result", "1.2GB") == pytest.approx(0.86)
    assert seconds("--devices", "3") == pytest.approx(0.25 + 0.01 / 3)
    assert seconds("--devices", "3", "--shared-link") == pytest.approx(0.75 + 0.01 / 3)
    assert seconds("--link", "PCIe 4.0 x16") == pytest.approx(9 / 31.50769 + 0.01)
    assert seconds("--link", "PCIe 4.0 x16", "--pageable") == pytest.approx(18 / 31.50769 + 0.01)
    assert seconds("--link-latency", "1s") == pytest.approx(1.76)


SHARED = """\
CPU and GPU of M4 Max (40-core GPU) share one memory: nothing is transferred.
  When the GPU pays depends on the rate that each of them reaches, which is
  unknown. Measure both and use --record, or give two rates: --host RATE
  --device RATE --resident.

bandwidth        GB/s  source  detail
-------------  ------  ------  --------------------
shared memory  546.13  theory  M4 Max (40-core GPU)

latency             us  source   detail
------------------  --  -------  ----------------------------------------------
call on the host     1  default  a NumPy call on one element: 0.7 us on a Xeon
call on the device   5  default  2 to 3 us queued, 7 to 10 with synchronisation
                                 (CSCS's ReFrame references, P100 to A100)

Assumptions:
  The work is memory bound: arithmetic is never the limit, on host or device.
  Each pass reads all of the data once; the first touch of memory (page faults,
    allocation) is not counted.
  Nothing is transferred: host and GPU access the same data and the same result.
  Data that fits in the host's cache is read faster than shown: no record has a
    sweep over size.
"""
MAC = ("--device", "M4 Max (40-core GPU)")


def test_memory_that_both_share_is_said_and_no_link_asked_for(run):
    found = run(*MAC, "--size", "47MB")
    assert (found.code, found.err) == (0, "")
    assert found.out.strip() == SHARED.strip()
    other = run(*MAC, "--host", "DDR5-5600 x2")
    assert other.code == 0
    assert "--host 'DDR5-5600 x2' (89.60 GB/s) is not the memory of M4 Max" in " ".join(other.out.split())


def test_what_the_processor_reaches_decides_from_which_size_on_a_gpu_in_its_memory_pays(run):
    found = run(*MAC, "--host", "220GB/s")
    assert " ".join(found.out.split()).startswith(
        "CPU and GPU of M4 Max (40-core GPU) share one memory: nothing is transferred. The GPU pays from 1.47 MB on,"
        " for any number of passes, and is at most 2.48 times as fast. bandwidth GB/s"
    )
    assert not any(line.startswith(("link", "transfer")) for line in found.out.splitlines())
    never = run(*MAC, "--host", "600GB/s").out
    assert "The GPU does not pay: it reaches 0.91 of the host's speed." in " ".join(never.split())


def test_json_of_shared_memory_has_nulls_for_what_there_is_not(run):
    unknown = json.loads(run(*MAC, "--json").out)
    assert (unknown["shared_memory"], unknown["link_bytes_per_s"], unknown["sources"]["link"]) == (True, None, None)
    assert unknown["host_bytes_per_s"] == unknown["device_bytes_per_s"] == pytest.approx(546.13e9, rel=1e-5)
    assert (unknown["rows"], unknown["break_even_passes"], unknown["asymptotic_speedup"]) == ([], None, None)
    known = json.loads(run(*MAC, "--host", "220GB/s", "--json").out)
    assert known["break_even_bytes"] == pytest.approx(1_473_400, abs=1000)
    own = json.loads(run(*GIVEN, "--json").out)
    assert (own["shared_memory"], own["sources"]["link"]["kind"]) == (False, "given")
    assert {*own} == {*unknown}


def test_nothing_is_drawn_of_a_peak_that_both_share(run, tmp_path):
    pytest.importorskip("matplotlib")
    found = run(*MAC, "--figure", tmp_path / "offload.svg")
    assert (found.code, found.out, [*tmp_path.iterdir()]) == (2, "", [])
    assert "its peak does not show which is faster; give the rate of the CPU with --host RATE" in found.err


@pytest.mark.parametrize("device", ["GB200", "GH200 144GB HBM3e"])
def test_the_link_of_a_superchip_is_known(run, device):
    found = json.loads(run("--host", "Grace", "--device", device, "--json").out)
    assert found["link_bytes_per_s"] == 450e9
    assert found["sources"]["link"]["text"] == f"{device}, NVLink-C2C, coded rate"


def test_a_link_that_outruns_the_hosts_memory_moves_at_its_rate_and_says_so(run):
    found = run("--host", "DDR5-5600 x2", "--device", "GB200", "--size", "47MB")
    assert found.out.startswith("The GPU pays from 2 passes over 47 MB on")
    assert "limits the transfer: data moves at the memory's rate" in " ".join(found.out.split())


@pytest.fixture
def saved(tmp_path, make_case, make_result, make_record):
    """A record with a host, a device and its link."""
    pinned = {"variant": {"host_memory": "pinned"}}
    rated = [
        make_result(make_case(target="host", path="read", engine="native", threads=8), (256 * 2**20 / 40e9,) * 8),
        make_result(make_case(target="device:0", path="read", engine="cuda"), (256 * 2**20 / 800e9,) * 8),
        make_result(make_case(target="pcie:0", path="h2d", engine="cuda", **pinned), (256 * 2**20 / 12e9,) * 8),
    ]
    record = make_record(*rated)
    path = tmp_path / "run.json"
    save(record, examine(record), path)
    return SimpleNamespace(path=path, record=record)


def test_a_record_gives_the_figures(run, saved):
    found = run("--record", saved.path, "--size", "100MB", "--passes", "1,10")
    assert found.code == 0
    assert "run.json: read, native, 8 threads" in found.out
    assert "run.json: h2d, pinned, link of device 0" in found.out
    mixed = json.loads(run("--record", saved.path, "--device", "H200", "--json").out)
    assert [mixed["sources"][name]["kind"] for name in ("host", "link", "device")] == ["record", "theory", "theory"]


def test_what_is_missing_is_measured_with_measure(run, saved, monkeypatch):
    targets = []

    def measured_now(target, **_):
        targets.append(target)
        return Source(answer.THIS_MACHINE, saved.record, "measured")

    monkeypatch.setattr(answer, "measured_now", measured_now)
    found = json.loads(run("--measure", "--host", "90GB/s", "--json").out)
    assert targets == ["device", "pcie"]
    assert found["sources"]["device"] == {"kind": "measured", "text": "this machine, now: read, device 0"}


class Room(np.ndarray):
    def set(self, data):
        self[:] = data


class Here:
    def __init__(self, number):
        self.number = number

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_measured_times_stand_beside_the_models_with_its_error(run, monkeypatch):
    module = SimpleNamespace(
        empty=lambda count, dtype: np.empty(count, dtype).view(Room),
        cuda=SimpleNamespace(
            Device=Here,
            PinnedMemory=lambda size, flags: bytearray(size),
            PinnedMemoryPointer=lambda memory, _: memory,
        ),
    )
    monkeypatch.setattr(answer, "check_gpu", lambda: None)
    monkeypatch.setattr(whole, "load_cupy", lambda: module)
    monkeypatch.setattr(whole, "devices", lambda *_, **__: ())
    arguments = (*GIVEN, "--measured", "--size", "1MB,2MB", "--passes", "2")
    found = run(*arguments)
    assert found.code == 0
    assert "Measured, data.sum() from end to end" in found.out
    assert "model off by" in found.out
    assert "The model deviates from the measurement by at most" in found.out
    rows = json.loads(run(*arguments, "--json").out)["rows"]
    for row in rows:
        assert row["host_error"] == pytest.approx(row["host_s"] / row["measured_host_s"] - 1)
        assert row["device_error"] == pytest.approx(row["device_s"] / row["measured_device_s"] - 1)


def test_measured_in_one_memory_is_timed_without_a_move(run, monkeypatch, make_case, make_result, make_record):
    facts = {"device": 0, "name": "Orin", "unified_memory": True}
    rates = (("host", "numpy", 40e9), ("device:0", "cuda", 60e9))
    results = [
        make_result(make_case(target=target, path="read", engine=engine, threads=1), (256 * 2**20 / rate,) * 8)
        for target, engine, rate in rates
    ]
    record = make_record(*results, machine={"gpus": [facts]})
    seen = []

    @contextmanager
    def end_to_end(most_bytes, **options):
        seen.append(options)
        yield lambda size, passes: answer.Timed(2.0, 1.0)

    monkeypatch.setattr(answer, "check_gpu", lambda: None)
    monkeypatch.setattr(answer, "end_to_end", end_to_end)
    monkeypatch.setattr(answer, "measured_now", lambda *_, **__: Source(answer.THIS_MACHINE, record, "measured"))
    found = run("--measured", "--size", "1MB", "--passes", "2")
    assert found.code == 0
    assert found.out.startswith("Orin and its processor share one memory: nothing is transferred.")
    assert "Measured, data.sum() from end to end" in found.out
    assert seen == [{"host_memory": "pinned", "resident": True}]
    refused = run("--measured", "--host", "DDR5-5600 x2", "--device", "Ryzen 7 7840U")
    assert refused.code == 2
    assert "--measured: Ryzen 7 7840U and its graphics share one memory" in refused.err


def test_measured_without_a_gpu_ends_with_three_before_anything_is_measured(run, monkeypatch):
    def lacks():
        raise HardwareError("CuPy, which drives the GPU, is not installed", "pip install it")

    monkeypatch.setattr("bandwidth.engines.cuda.device.load_cupy", lacks)
    found = run("--measured")
    assert (found.code, found.out) == (3, "")
    assert found.err == "bandwidth: CuPy, which drives the GPU, is not installed; pip install it\n"


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_a_figure_is_written(run, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"offload{suffix}"
    assert run(*TUTORIAL, "--figure", path).code == 0
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "the bandwidth of the host's memory is missing; use --host"),
        (["--host", "H200"], 2, "the bandwidth of the device's memory is missing; use --device"),
        (["--host", "90GB/s", "--device", "900GB/s"], 2, "the bandwidth of the link (pinned) is missing; use --link"),
        (
            ["--host", "90GB/s", "--device", "HBM3 6.4Gbps x5"],
            2,
            "the host link of 'HBM3 6.4Gbps x5' is unknown; use --link",
        ),
        (["--host", "nonsense", "--device", "H200"], 1, "--host: 'nonsense' is not a known memory, link or device"),
        (["--record", "nowhere.json"], 1, "nowhere.json does not exist"),
        ([*GIVEN, "--size", "0"], 2, "--size: '0' is not a whole number of bytes above zero"),
        ([*GIVEN, "--size", "-5MB"], 2, "--size: '-5MB' is not a size"),
        ([*GIVEN, "--size", "1MB,,2MB"], 2, "--size '1MB,,2MB' has an empty value"),
        ([*GIVEN, "--passes", "0"], 2, "--passes: '0' is not a number of passes"),
        ([*GIVEN, "--passes", "-1"], 2, "--passes: '-1' is not a number of passes"),
        ([*GIVEN, "--passes", "1.5"], 2, "--passes: '1.5' is not a number of passes"),
        ([*GIVEN, "--passes", "9" * 50], 2, "is not a number of passes"),
        ([*GIVEN, "--result", "-1"], 2, "--result: '-1' is not a size"),
        ([*GIVEN, "--result", "all%"], 2, "--result: 'all%' is not a percentage"),
        ([*GIVEN, "--devices", "0"], 2, "--devices 0 is out of range"),
        ([*GIVEN, "--shared-link"], 2, "--shared-link needs several GPUs"),
        ([*GIVEN, "--link-latency", "soon"], 2, "--link-latency: 'soon' is not a duration"),
        ([*GIVEN, "--measured", "--overlap"], 2, "--measured covers one GPU without overlap"),
        ([*MAC, "--devices", "2"], 2, "--devices 2: CPU and GPU of M4 Max (40-core GPU) share one memory"),
        (
            ["--device", "Radeon 780M"],
            2,
            "--device 'Radeon 780M' uses the memory of its processor, which is unknown",
        ),
        ([*GIVEN, "--figure", "x.gif"], 2, "--figure 'x.gif' does not end in .svg"),
        ([*GIVEN, "--format", "yaml"], 2, "--format 'yaml' is not known"),
        (["--host", "PCIe 4.0 x16", "--device", "H200"], 2, "--host 'PCIe 4.0 x16' is a link"),
    ],
)
def test_what_is_refused_is_one_line(run, arguments, code, said):
    found = run(*arguments)
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert found.err.count("\n") == 1
