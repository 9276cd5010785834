"""A record, and what would be measured: by the letter, within 80 columns, and the same numbers in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import partial

import pytest
from measuring_support import small_topology, two_socket_topology

from bandwidth.findings import examine
from bandwidth.machine.facts import Facts
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.report import FORMATS, Table, render
from bandwidth.report.left_out import MOST_NAMED
from bandwidth.report.measurement import measurement_document, plan_document
from bandwidth.results import Examination, Finding, NotRun, Observed, summarise
from bandwidth.results.files import parse, record_to_json

MIB = 1024**2
GB = 10**9
THEORY = 93866666666.66667
STREAMING = {"stores": "streaming"}
STEADY = (1.0, 1.002, 0.998, 1.001, 0.999, 1.0)
UNKNOWN_MEMORY = {
    "bytes_per_s": None,
    "reason": "this is a virtual machine: its memory modules cannot be seen",
    "hint": 'use --memory "DDR5-4800 x12" or set BANDWIDTH_MEMORY',
}


@pytest.fixture(scope="module")
def ordinary(make_record, result):
    return make_record(
        result("copy", 1, 18.4, theory_bytes_per_s=THEORY),
        result("read", 1, 12.0, theory_bytes_per_s=THEORY),
        result("copy", 1, 18.8, size=256 * MIB, variant={"sweep_point": 256 * MIB}),
        result("copy", 8, 71.5, size=1024 * MIB, theory_bytes_per_s=THEORY),
        result("add", 8, 65.25, size=1024 * MIB, theory_bytes_per_s=THEORY),
        not_run=(NotRun("host/write/numpy/1", "the budget of 1 s was used up; use a longer --budget"),),
    )


@pytest.fixture(scope="module")
def troubled(make_record, result):
    return make_record(
        result("copy", 1, 18.4, (1.0, 1.1, 0.9, 1.0, 1.2, 0.8), theory_bytes_per_s=20 * GB),  # the best is above
        result("read", 1, 18.4, (1.0, 1.1, 0.9, 1.0, 1.2, 0.8)),
        result("scale", 1, 18.4, (1.0,), failure="element 7 of 512 of thread 0 has a wrong value"),
        result("write", 1, 30.0, (1.0, 1.0), theory_bytes_per_s=20 * GB),  # the median too
        machine={"architecture": "aarch64", "physical_cores": 1},
        memory=UNKNOWN_MEMORY,
    )


@pytest.fixture(scope="module")
def server(make_record, result):
    """Both engines, both kinds of stores and a node's all cores: the default run, shortened."""

    def rows(threads, share):
        build = partial(result, threads=threads, size=2048 * MIB, theory_bytes_per_s=460.8e9)
        for path, gb in (("copy", 360.0), ("read", 300.0)):
            yield build(path, gb=gb * share)
        yield build("dot", gb=380.1 * share, engine="native")
        for path, gb in (("triad", 374.0), ("copy", 378.9)):
            yield build(path, gb=gb * share * 0.7, engine="native", variant={"stores": "ordinary"})
            yield build(path, gb=gb * share, engine="native", variant={"stores": "streaming"})
        yield build("read", gb=389.2 * share, engine="native")

    half = result("copy", 1, 19.1, engine="native", size=1024 * MIB, variant=STREAMING | {"sweep_point": 1024 * MIB})
    return make_record(*rows(1, 0.05), half, *rows(96, 1.0), notes=("This machine has one NUMA node.",))


NOTHING_FOUND = Examination({}, ())


def shown(record, format_name="table", unit="GB/s", examination=None):
    return render(measurement_document(record, examination or examine(record), unit), format_name)


def tables_of(record, unit="GB/s"):
    document = measurement_document(record, NOTHING_FOUND, unit)
    return {block.title: block for block in document.blocks if isinstance(block, Table)}


def row_of(table, number=0):
    return dict(zip([column.header for column in table.columns], table.rows[number], strict=True))


ORDINARY = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

8 threads
path  engine  median GB/s  95 % interval  ceiling  of       share  n
----  ------  -----------  -------------  -------  ------  ------  -
copy  numpy         71.50    71.36-71.64    93.87  theory  76.2 %  6
add   numpy         65.25    65.12-65.38    93.87  theory  69.5 %  6

1 thread
path  engine  median GB/s  95 % interval  ceiling  of       share  n
----  ------  -----------  -------------  -------  ------  ------  -
read  numpy         12.00    11.98-12.02    93.87  theory  12.8 %  6
copy  numpy         18.40    18.36-18.44    93.87  theory  19.6 %  6

Bytes counted per element: read 8 read, copy 8 read + 8 written, add 16 read + 8
  written; all verified.
Working set: 512 MiB with 1 thread.
Working set: 1 GiB with 8 threads.
Cache check: with half the data copy (numpy) with 1 thread ran at 1.02 of the
  rate (memory: at most 1.05).

1 of 6 cases not measured (1 s used). --budget 5s measures all.
Not run: write, numpy, 1 thread.
"""
SERVER = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

96 threads
path   engine  stores     median GB/s  95 % interval  ceiling  of       share  n
-----  ------  ---------  -----------  -------------  -------  ------  ------  -
read   native  -               389.20  388.42-389.98   460.80  theory  84.5 %  6
read   numpy   -               300.00  299.40-300.60   460.80  theory  65.1 %  6
copy   native  streaming       378.90  378.14-379.66   460.80  theory  82.2 %  6
copy   native  ordinary        265.23  264.70-265.76   460.80  theory  57.6 %  6
copy   numpy   -               360.00  359.28-360.72   460.80  theory  78.1 %  6
triad  native  streaming       374.00  373.25-374.75   460.80  theory  81.2 %  6
triad  native  ordinary        261.80  261.28-262.32   460.80  theory  56.8 %  6
dot    native  -               380.10  379.34-380.86   460.80  theory  82.5 %  6

1 thread
path   engine  stores     median GB/s  95 % interval  ceiling  of       share  n
-----  ------  ---------  -----------  -------------  -------  ------  ------  -
read   native  -                19.46    19.42-19.50   460.80  theory   4.2 %  6
read   numpy   -                15.00    14.97-15.03   460.80  theory   3.3 %  6
copy   native  streaming        18.95    18.91-18.98   460.80  theory   4.1 %  6
copy   native  ordinary         13.26    13.24-13.29   460.80  theory   2.9 %  6
copy   numpy   -                18.00    17.96-18.04   460.80  theory   3.9 %  6
triad  native  streaming        18.70    18.66-18.74   460.80  theory   4.1 %  6
triad  native  ordinary         13.09    13.06-13.12   460.80  theory   2.8 %  6
dot    native  -                19.00    18.97-19.04   460.80  theory   4.1 %  6

Bytes counted per element: read 8 read, copy 8 read + 8 written, triad 16 read +
  8 written, dot 16 read; all verified.
Working set: 2 GiB with 1 and 96 threads.
Cache check: with half the data copy (native, streaming) with 1 thread ran at
  1.01 of the rate (memory: at most 1.05).

This machine has one NUMA node.
"""
TROUBLED = """\
Host memory of aarch64, 1 core
Theory: unknown (see BW010 below)

1 thread
path   engine  median GB/s  95 % interval  ceiling  of        share  n
-----  ------  -----------  -------------  -------  ------  -------  -
read   numpy         18.40    15.33-23.00                            6
write  numpy        30.00!              -    20.00  theory  INVALID  2
copy   numpy         18.40    15.33-23.00    20.00  theory   92.0 %  6
scale  numpy       INVALID              -                            1

Bytes counted per element: read 8 read, write 8 written, copy 8 read + 8
  written, scale 8 read + 8 written; INVALID: the data was wrong.
! marks a rate above the theoretical peak, which is invalid: see BW002 below.
Working set: 512 MiB with 1 thread.

BW006: scale, one core, NumPy: verification failed: element 7 is wrong; run
  again.
BW002: copy, one core, NumPy: 23.00 GB/s is 115.0 % of the theory; the theory
  may be wrong. Also: write, one core, NumPy.
BW010: the memory's peak is not known here; use --memory "DDR5-4800 x12".
"""


def test_the_table_of_an_ordinary_run(ordinary):
    assert shown(ordinary, examination=NOTHING_FOUND) == ORDINARY


def test_the_table_of_both_engines_on_a_server(server):
    assert shown(server, examination=NOTHING_FOUND) == SERVER


def test_the_table_of_a_run_with_trouble(troubled):
    wrong = Finding("BW006", "verification failed: element 7 is wrong", "run again")
    above = Finding("BW002", "23.00 GB/s is 115.0 % of the theory", "the theory may be wrong")
    found = {"host/scale/numpy/1": (wrong,), "host/copy/numpy/1": (above,), "host/write/numpy/1": (above,)}
    unknown = Finding("BW010", "the memory's peak is not known here", 'use --memory "DDR5-4800 x12"')
    assert shown(troubled, examination=Examination(found, (unknown,))) == TROUBLED


def test_the_table_of_a_run_that_was_interrupted_at_once(make_record):
    record = make_record(not_run=(NotRun("host/copy/numpy/1", "interrupted before its first sample"),), machine={})
    assert shown(record) == (
        "Host memory of this machine\n"
        "Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory\n"
        "  DDR4-2933 x4\n\n"
        "Not run: copy, numpy, 1 thread: interrupted before its first sample.\n"
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


def test_a_header_takes_two_lines_before_a_table_outgrows_the_terminal(make_record, result):
    seconds, others = STEADY * 160, {"engine": "native", "variant": STREAMING, "theory_bytes_per_s": 370e9}
    record = make_record(result("triad", 96, 378.9, seconds, **others), result("triad", 1, 18.9, STEADY, **others))
    lines = shown(record, examination=NOTHING_FOUND).splitlines()
    assert max(map(len, lines)) <= 80
    below_headers = [lines[place + 1].strip() for place, line in enumerate(lines) if line.startswith("path ")]
    assert below_headers == ["GB/s", "GB/s"]
    assert len({len(line) for line in lines if line.startswith("triad")}) == 1  # both tables line up
    assert "| median GB/s |" in shown(record, "markdown")


def test_the_unit_stands_in_the_header_and_counts_for_every_rate(ordinary):
    row = row_of(tables_of(ordinary, "MB/s")["1 thread"], 1)
    assert (row["path"], row["median MB/s"]) == ("copy", "18,400.00")
    assert row["95 % interval"] == "18,363.27-18,436.87"
    assert (row["ceiling"], row["of"]) == ("93,866.67", "theory")


def test_rows_stand_by_kernel_then_engine_then_streaming_stores_first(server):
    table = tables_of(server)["96 threads"]
    assert [row[:3] for row in table.rows] == [
        ("read", "native", "-"),
        ("read", "numpy", "-"),
        ("copy", "native", "streaming"),
        ("copy", "native", "ordinary"),
        ("copy", "numpy", "-"),
        ("triad", "native", "streaming"),
        ("triad", "native", "ordinary"),
        ("dot", "native", "-"),
    ]


def test_every_result_stands_somewhere(make_record, result):
    lone = [
        result("copy", 1, 3.21, size=4096, variant={"sweep_point": 4096}),
        result("copy", 1, 4.32, variant={"memory_node": 3}),
    ]
    text = " ".join(shown(make_record(*lone), examination=NOTHING_FOUND).split())
    assert "Too few points for a curve: copy, numpy, 1 thread, 4 KiB: 3.21 GB/s; " in text
    assert "copy, numpy, memory node 3, 1 thread, 512 MiB: 4.32 GB/s." in text


def test_notes_are_lines_of_their_own(server):
    assert "\n\nThis machine has one NUMA node.\n" in shown(server)


@pytest.mark.parametrize(
    ("seconds", "share", "median"), [((1.0,) * 6, "100.0 %", "20.00"), ((0.99,) * 6, "INVALID", "20.20!")]
)
def test_a_share_above_100_percent_is_never_a_plain_number(make_record, result, seconds, share, median):
    record = make_record(result("copy", 1, 20.0, seconds, theory_bytes_per_s=20 * GB))
    row = row_of(tables_of(record)["1 thread"])
    assert (row["share"], row["median GB/s"]) == (share, median)
    assert ("BW002" in shown(record)) == ("!" in median)


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
    assert [remark.split(":")[0] for remark in document.remarks] == [
        "BW006",
        "BW002",
        "BW003",
        "BW008",
        "BW046",
        "BW010",
    ]
    (unstable,) = [remark for remark in document.remarks if remark.startswith("BW003")]
    assert unstable.startswith("BW003: copy, one core, NumPy: ")
    assert unstable.endswith(" Also: read, one core, NumPy.")


def test_a_check_that_strikes_a_sweep_names_a_few_and_counts_the_rest(make_record, result):
    points = [
        result("copy", 1, 10.0, size=size, variant={"sweep_point": size}) for size in range(4096, 4096 * 30, 4096)
    ]
    finding = Finding("BW003", "it is unstable", "look")
    found = {point.case.id: (finding,) for point in points[1:]}
    (remark,) = measurement_document(make_record(*points), Examination(found, ())).remarks
    assert remark.count("one core") == 1 + MOST_NAMED
    assert remark.endswith(" and 19 more.")


def test_a_sweep_that_was_not_reached_names_a_few_and_counts_the_rest(make_record):
    skipped = tuple(NotRun(f"host/copy/native/1/{size}", "the budget was used up") for size in range(30))
    text = " ".join(shown(make_record(not_run=skipped)).split())
    assert text.count("native") == MOST_NAMED
    assert text.endswith("copy, native, 1 thread, 7 and 22 more: the budget was used up.")


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


UNITS = ("bytes_per_s", "ns")
ADDED_IN_CSV = {
    "samples",
    *(f"{name}_{end}_{unit}" for name in ("ci95", "run_to_run") for end in ("low", "high") for unit in UNITS),
    *("median_ns", "best_ns", "median_cycles"),
    *("clock_hz", "load_bytes_per_s", "huge_page_share", "placed_share", "link_generation", "link_width"),
}


def test_csv_has_what_json_has(ordinary):
    rows = list(csv.DictReader(io.StringIO(shown(ordinary, "csv"))))
    for row, written in zip(rows, json.loads(shown(ordinary, "json"))["results"], strict=True):
        assert set(row) == set(written) - {"samples_s", "ci95_bytes_per_s", "tuning", "observed"} | ADDED_IN_CSV
        for name in ("median_bytes_per_s", "best_bytes_per_s", "working_set_bytes", "threads", "start_skew_s"):
            assert float(row[name]) == written[name]
        assert [float(row[f"ci95_{end}_bytes_per_s"]) for end in ("low", "high")] == written["ci95_bytes_per_s"]
    assert rows[2]["variant"] == f"sweep_point={256 * MIB}"


def test_csv_gives_rates_and_latencies_the_same_columns(make_record, make_case, make_result):
    case = make_case(path="latency", bytes_per_call=8 * 10**9, caches={"L1": 32768, "L2": 1048576})
    latency = make_result(case, (90.0,) * 6, observed={"clock_hz": Observed(4e9, 3.9e9, 4.1e9)})
    for results in ((latency,), (make_result(),), (make_result(), latency)):
        rows = list(csv.DictReader(io.StringIO(shown(make_record(*results), "csv"))))
        assert set(rows[0]) >= ADDED_IN_CSV
    rate, found = rows
    assert [found[name] for name in ("median_ns", "best_ns", "ci95_low_ns", "ci95_high_ns")] == ["90.0"] * 4
    assert (found["median_cycles"], found["clock_hz"], found["load_bytes_per_s"]) == ("360.0", "4000000000.0", "")
    assert (found["median_bytes_per_s"], found["caches"]) == ("", "L1=32768 L2=1048576")
    assert (rate["median_ns"], rate["clock_hz"]) == ("", "")


def test_intervals_from_run_to_run_are_shown_as_such(make_record, make_result):
    earlier = (0.0202, 0.0198, 0.0204)
    record = make_record(make_result(seconds=(0.02,) * 8, earlier_s_per_call=earlier))
    text = shown(record, "table")
    assert "95 % intervals: from run to run, 3 earlier runs (explain median)." in text
    (row,) = csv.DictReader(io.StringIO(shown(record, "csv")))
    interval = summarise(record.results[0]).run_to_run
    ends = [float(row[f"run_to_run_{end}_bytes_per_s"]) for end in ("low", "high")]
    assert ends == pytest.approx([interval.low, interval.high])
    assert row["run_to_run_low_ns"] == ""
    assert float(row["ci95_low_bytes_per_s"]) > ends[0]


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


def text_of(topology, **options):
    return render(plan_document([make_plan(MeasureOptions(**options), Facts({}), topology)]), "table")


def test_one_reason_stands_below_and_an_unknown_theory_has_no_column():
    lines = text_of(small_topology(1), kernels=("copy",), engines=("numpy",), size_bytes=2**22).splitlines()
    assert lines[:6] == [
        "case                   working set",
        "---------------------  -----------",
        "copy, numpy, 1 thread        4 MiB",
        "",
        "Why this size: --size.",
        "",
    ]


def test_several_reasons_are_numbered():
    text = text_of(two_socket_topology(), kernels=("read",), engines=("native",), memory="DDR5-4800 x12")
    assert text.splitlines()[:12] == [
        "case                              working set  why  theory GB/s",
        "--------------------------------  -----------  ---  -----------",
        "read, native, 128 threads               2 GiB    1       921.60",
        "read, native, 128 threads, 1 GiB        1 GiB    2            -",
        "read, native, 1 thread                256 MiB    3       460.80",
        "read, native, 1 thread, 128 MiB       128 MiB    2            -",
        "",
        "Why this size:",
        "1: 4 x 512 MiB of last-level cache in 16 caches.",
        "2: half the size, to show that no cache holds the data.",
        "3: the minimum for memory; last-level cache 32 MiB.",
        "",
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"sweep": "size"}, {"sweep": "threads"}, {"latency": True}, {"numa": True}, {"zeros": True}],
    ids=str,
)
def test_it_fits_eighty_columns_on_many_cores(options):
    text = text_of(two_socket_topology(memory_only_nodes=1), memory="DDR5-4800 x12", **options)
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_to_measure_is_said_with_the_reason_and_no_table():
    text = text_of(small_topology(2), numa=True)
    assert text == "Nothing to measure.\n\nThis machine has one NUMA node, so it has no remote memory.\n"
