"""The table of a record: whole and by the letter, within 80 columns, and the same numbers in every format."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from bandwidth.findings import examine
from bandwidth.report import FORMATS, Table, render
from bandwidth.report.measurement import measurement_document
from bandwidth.results import NotRun
from bandwidth.results.files import parse, record_to_json

MIB = 1024**2
GB = 10**9
THEORY = 93866666666.66667
STEADY = (1.0, 1.002, 0.998, 1.001, 0.999, 1.0)
UNKNOWN_MEMORY = {
    "bytes_per_s": None,
    "reason": "this is a virtual machine: its memory modules cannot be seen",
    "hint": 'give --memory "DDR5-4800 x12" or BANDWIDTH_MEMORY',
}


@pytest.fixture(scope="module")
def result(make_case, make_result):
    """Return a result of `gb` GB in each of the blocks; a field of Case goes into `case`."""

    def build(path, threads, gb, seconds=STEADY, *, size=512 * MIB, variant=None, **others):
        case = make_case(
            path=path, threads=threads, bytes_per_call=int(gb * GB), working_set_bytes=size, variant=variant or {}
        )
        return make_result(case, seconds, **others)

    return build


@pytest.fixture(scope="module")
def ordinary(make_record, result):
    return make_record(
        result("copy", 1, 18.4, theory_bytes_per_s=THEORY),
        result("read", 1, 12.0, theory_bytes_per_s=THEORY),
        result("copy", 1, 18.8, size=256 * MIB, variant={"sweep_point": 256 * MIB}),
        result("copy", 8, 71.5, size=1024 * MIB, theory_bytes_per_s=THEORY),
        result("add", 8, 65.25, size=1024 * MIB, theory_bytes_per_s=THEORY),
        not_run=(NotRun("host/write/numpy/1", "the budget of 1 s did not reach it; give a longer --budget"),),
    )


@pytest.fixture(scope="module")
def troubled(make_record, result):
    return make_record(
        result("copy", 1, 18.4, (1.0, 1.1, 0.9, 1.0, 1.2, 0.8), theory_bytes_per_s=20 * GB),  # the best is above
        result("read", 1, 18.4, (1.0, 1.1, 0.9, 1.0, 1.2, 0.8)),
        result("scale", 1, 18.4, (1.0,), failure="element 7 of 512 of thread 0 is not what the kernel leaves there"),
        result("write", 1, 30.0, (1.0, 1.0), theory_bytes_per_s=20 * GB),  # the median too
        machine={"architecture": "aarch64", "physical_cores": 1},
        memory=UNKNOWN_MEMORY,
    )


def shown(record, format_name="table", unit="GB/s"):
    return render(measurement_document(record, examine(record), unit), format_name)


ORDINARY = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

path  engine  threads  median GB/s  95 % interval   best  theory   share  n
----  ------  -------  -----------  -------------  -----  ------  ------  -
copy  numpy         1        18.40    18.36-18.44  18.44   93.87  19.6 %  6
read  numpy         1        12.00    11.98-12.02  12.02   93.87  12.8 %  6
copy  numpy         8        71.50    71.36-71.64  71.64   93.87  76.2 %  6
add   numpy         8        65.25    65.12-65.38  65.38   93.87  69.5 %  6

Counted, bytes an element: copy 8 read + 8 written, read 8 read, add 16 read + 8
  written; all verified.
Working set: 512 MiB with 1 thread.
Working set: 1 GiB with 8 threads.
At half the working set copy with 1 thread runs at 1.02 of its rate.

Not run: host/write/numpy/1: the budget of 1 s did not reach it; give a longer
  --budget.
"""

TROUBLED = """\
Host memory of aarch64, 1 core
Theory: not known here (BW010 below says why)

path   engine  threads  median GB/s  95 % interval    best  theory    share  n
-----  ------  -------  -----------  -------------  ------  ------  -------  -
copy   numpy         1        18.40    15.33-23.00  23.00!   20.00   92.0 %  6
read   numpy         1        18.40    15.33-23.00   23.00       -        -  6
scale  numpy         1      INVALID              -       -       -        -  1
write  numpy         1       30.00!              -  30.00!   20.00  INVALID  2

Counted, bytes an element: copy 8 read + 8 written, read 8 read, scale 8 read +
  8 written, write 8 written; INVALID: the data was wrong.
! exceeds the theory, which nothing real does: BW002 below.
Working set: 512 MiB with 1 thread.

BW006: host/scale/numpy/1: verification failed: element 7 of 512 of thread 0 is
  not what the kernel leaves there; the rate is withheld; run again, and report
  it if it stays: memory, or bandwidth itself, is at fault.
BW002: host/copy/numpy/1: 23.00 GB/s is 115.0 % of the theory, 20.00 GB/s;
  nothing real exceeds 100 %; the theory may be wrong (see --memory), or a cache
  served the data (give a larger --size). Also: host/write/numpy/1.
BW003: host/copy/numpy/1: the 95 % interval reaches 25.0 % from the median, more
  than 5.0 %; stop what else runs on the machine, or give a longer --budget.
  Also: host/read/numpy/1.
BW008: host/write/numpy/1: only 2 samples (it stopped by precision); an interval
  needs 6; give a longer --budget or fewer kernels.
BW010: the memory's peak is not known here: this is a virtual machine: its
  memory modules cannot be seen; give --memory "DDR5-4800 x12" or
  BANDWIDTH_MEMORY.
"""


def test_the_table_of_an_ordinary_run(ordinary):
    assert shown(ordinary) == ORDINARY


def test_the_table_of_a_run_with_trouble(troubled):
    assert shown(troubled) == TROUBLED


def test_the_table_of_a_run_that_was_interrupted_at_once(make_record):
    record = make_record(not_run=(NotRun("host/copy/numpy/1", "interrupted before its first sample"),), machine={})
    assert shown(record) == (
        "Host memory of this machine\n"
        "Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory\n"
        "  DDR4-2933 x4\n\n"
        "Not run: host/copy/numpy/1: interrupted before its first sample.\n"
    )


def test_the_table_has_at_most_80_columns(ordinary, make_record, result):
    servers = make_record(
        *(
            result(path, threads, gb, theory_bytes_per_s=921.6e9, seconds=STEADY * 160)
            for path, threads, gb in (("scale", 1, 12.34), ("copy", 128, 756.5), ("write", 256, 391.0))
        ),
        memory=UNKNOWN_MEMORY,
        machine={"cpu_model": "AMD EPYC 9755 128-Core Processor", "physical_cores": 256},
    )
    for record in (ordinary, servers):
        assert max(map(len, shown(record).splitlines())) <= 80


def test_the_unit_stands_in_the_header_and_counts_for_every_rate(ordinary):
    table = next(
        block for block in measurement_document(ordinary, examine(ordinary), "MB/s").blocks if isinstance(block, Table)
    )
    headers = [column.header for column in table.columns]
    row = dict(zip(headers, table.rows[0], strict=True))
    assert row["median MB/s"] == "18,400.00"
    assert row["95 % interval"] == "18,363.27-18,436.87"
    assert (row["best"], row["theory"]) == ("18,436.87", "93,866.67")


@pytest.mark.parametrize(
    ("seconds", "share", "best"), [((1.0,) * 6, "100.0 %", "20.00"), ((0.99,) * 6, "INVALID", "20.20!")]
)
def test_a_share_above_100_percent_is_never_a_plain_number(make_record, result, seconds, share, best):
    record = make_record(result("copy", 1, 20.0, seconds, theory_bytes_per_s=20 * GB))
    table = next(block for block in measurement_document(record, examine(record)).blocks if isinstance(block, Table))
    row = dict(zip([column.header for column in table.columns], table.rows[0], strict=True))
    assert (row["share"], row["best"]) == (share, best)
    assert ("BW002" in shown(record)) == ("!" in best)


def test_an_unverified_rate_stands_nowhere(make_record, result):
    record = make_record(result("copy", 1, 12.34, (1.0,) * 8, failure="element 7 is wrong", theory_bytes_per_s=THEORY))
    for format_name in FORMATS:
        text = shown(record, format_name)
        assert "12.34" not in text
        assert str(12_340_000_000.0) not in text
        assert "element 7 is wrong" in text or format_name == "csv"
    assert "INVALID" in shown(record)


def test_one_check_on_several_results_is_one_line(troubled):
    document = measurement_document(troubled, examine(troubled))
    assert [remark.split(":")[0] for remark in document.remarks] == ["BW006", "BW002", "BW003", "BW008", "BW010"]
    (unstable,) = [remark for remark in document.remarks if remark.startswith("BW003")]
    assert unstable.startswith("BW003: host/copy/numpy/1: ")
    assert unstable.endswith(" Also: host/read/numpy/1.")


# --- other formats


def test_csv_has_one_row_a_result_and_no_findings_text(ordinary, troubled):
    for record in (ordinary, troubled):
        rows = list(csv.DictReader(io.StringIO(shown(record, "csv"))))
        assert [row["id"] for row in rows] == [result.case.id for result in record.results]
        assert all(None not in row and None not in row.values() for row in rows)
    rows = {row["path"]: row for row in rows}
    assert rows["copy"]["findings"] == "BW002; BW003"
    assert (rows["scale"]["verified"], rows["scale"]["median_bytes_per_s"]) == ("False", "")
    assert rows["scale"]["failure"].startswith("element 7")
    assert (rows["write"]["samples"], rows["write"]["ci95_low_bytes_per_s"]) == ("2", "")


def test_csv_has_what_json_has(ordinary):
    rows = list(csv.DictReader(io.StringIO(shown(ordinary, "csv"))))
    for row, written in zip(rows, json.loads(shown(ordinary, "json"))["results"], strict=True):
        assert set(row) == (
            set(written) - {"samples_s", "ci95_bytes_per_s", "tuning"}
            | {"samples", "ci95_low_bytes_per_s", "ci95_high_bytes_per_s"}
        )
        for name in ("median_bytes_per_s", "best_bytes_per_s", "working_set_bytes", "threads", "start_skew_s"):
            assert float(row[name]) == written[name]
        assert [float(row[f"ci95_{end}_bytes_per_s"]) for end in ("low", "high")] == written["ci95_bytes_per_s"]
    assert rows[2]["variant"] == f"sweep_point={256 * MIB}"


def test_json_is_a_record_whatever_the_unit(ordinary):
    text = shown(ordinary, "json", "MiB/s")
    assert parse(text, "-") == ordinary
    assert json.loads(text) == json.loads(json.dumps(record_to_json(ordinary, examine(ordinary))))


def test_the_same_numbers_stand_in_all_formats(ordinary):
    medians = ["18.40", "12.00", "71.50", "65.25"]
    for format_name in ("table", "markdown", "latex", "html"):
        text = shown(ordinary, format_name)
        for number in (*medians, "18.36-18.44", "93.87", "19.6", "76.2"):
            assert number in text, (format_name, number)
    written = json.loads(shown(ordinary, "json"))["results"]
    in_json = [one["median_bytes_per_s"] for one in written if not one["variant"]]
    rows = csv.DictReader(io.StringIO(shown(ordinary, "csv")))
    in_csv = [float(row["median_bytes_per_s"]) for row in rows if not row["variant"]]
    assert [f"{rate / GB:.2f}" for rate in in_json] == [f"{rate / GB:.2f}" for rate in in_csv] == medians


def test_no_format_has_escapes(ordinary, troubled):
    for record in (ordinary, troubled):
        assert not any(re.search(r"\x1b", shown(record, format_name)) for format_name in FORMATS)
