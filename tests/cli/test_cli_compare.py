"""`bandwidth compare` as a user runs it: whole outputs, every format, and what it refuses."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from pathlib import Path

import pytest
from called import Ran
from screens import Run, host

from bandwidth.cli import app
from bandwidth.findings import examine
from bandwidth.results.files import save

GB = 10**9
NASTY = "=cmd()|<script>alert(1)</script>_50%\nx"

TWO_RECORDS = """\
after copies 0.50 x before with all cores (35.00 against 70.00 GB/s); with one
  core 1.01 x, within the noise.

before (reference): Example, 8 cores, DDR4-2933 x4, 2026-01-02
after: Example, 8 cores, DDR4-2933 x4, 2026-01-02

by role             before   after
---------  -------  ------  ------
all cores  GB/s      70.00   35.00
           of peak  74.6 %  37.3 %
           ratio     1.000  0.500*
one core   GB/s      12.00   12.10
           of peak  12.8 %  12.9 %
           ratio     1.000   1.008

Compared: copy, compiled, streaming stores (all cores); read, compiled (one
  core).
All cores: 8 threads.

path   engine  stores     threads  before GB/s  after GB/s   ratio        range
-----  ------  ---------  -------  -----------  ----------  ------  -----------
copy   native  streaming        8        70.00       35.00  0.500*  0.500-0.500
triad  native  streaming        8        72.00     INVALID       -            -
read   native  -                1        12.00       12.10   1.008  0.976-1.017
copy   numpy   -                1        10.00       11.00  1.100?            -

Measured the same way on all: 4 results, 1 different by more than the noise:
  0.500 (copy, native, streaming stores, 8 threads).
* the difference is larger than the noise.
? too few samples to distinguish it from noise.
Not shown (--all): 1 not in common, or points of sweeps.
Working sets differ, 256 MiB and 512 MiB: copy, numpy, 1 thread.

Differences in configuration:
  kernel: 6.1.0 (before), 6.8.0 (after)
  governor: performance (before), powersave (after)
  modules: 8 (before), 4 (after)

"""
BESIDE_THEORY = """\
The peak of DDR5-4800 is 6.58 x what before copies with all cores (460.80
  against 70.00 GB/s); with one core 38.4 x.
The peak of H200 is 70.2 x what before copies with all cores (4,916.74 against
  70.00 GB/s); with one core 409.7 x.

before (reference): Example, 8 cores, DDR4-2933 x4, 2026-01-02
DDR5-4800: theory, DDR5-4800 x12: 4800 MT/s x 8 B x 12 = 460.80 GB/s
H200: theory, H200: 6.402 Gbps x 128 B x 6 = 4,916.74 GB/s; H200, PCIe 5.0 x16:
  32 GT/s x 16 x 128/130 / 8 = 63.02 GB/s

by role             before  DDR5-4800      H200
---------  -------  ------  ---------  --------
all cores  GB/s      70.00     460.80  4,916.74
           of peak  74.6 %          -         -
           ratio     1.000      6.583      70.2
one core   GB/s      12.00     460.80  4,916.74
           of peak  12.8 %          -         -
           ratio     1.000       38.4     409.7

Compared: copy, compiled, streaming stores (all cores); read, compiled (one
  core).
All cores: 8 threads.

path   engine  stores     threads  before  DDR5-4800  ratio      H200  ratio
                                     GB/s       GB/s             GB/s
-----  ------  ---------  -------  ------  ---------  -----  --------  -----
copy   native  streaming        8   70.00     460.80  6.583  4,916.74   70.2
triad  native  streaming        8   72.00     460.80  6.400  4,916.74   68.3
read   native  -                1   12.00     460.80   38.4  4,916.74  409.7
copy   numpy   -                1   10.00     460.80   46.1  4,916.74  491.7
"""
SIX = """\
Fastest: n6 reads 6.00 x n1 with all cores (57.60 against 9.60 GB/s).
Slowest of the others: n2 reads 2.00 x n1 with all cores (19.20 against
  9.60 GB/s).

n1 (reference): Part 1, 8 cores, DDR4-2933 x4, 2026-01-02, r1.json
n2: Part 2, 8 cores, DDR4-2933 x4, 2026-01-02, r2.json
n3: Part 3, 8 cores, DDR4-2933 x4, 2026-01-02, r3.json
n4: Part 4, 8 cores, DDR4-2933 x4, 2026-01-02, r4.json
n5: Part 5, 8 cores, DDR4-2933 x4, 2026-01-02, r5.json
n6: Part 6, 8 cores, DDR4-2933 x4, 2026-01-02, r6.json

by role                 n1      n2      n3      n4      n5      n6
---------  -------  ------  ------  ------  ------  ------  ------
all cores  GB/s       9.60   19.20   28.80   38.40   48.00   57.60
           of peak  10.2 %  20.5 %  30.7 %  40.9 %  51.1 %  61.4 %
           ratio     1.000  2.000*  3.000*  4.000*  5.000*  6.000*
one core   GB/s       1.20    2.40    3.60    4.80    6.00    7.20
           of peak   1.3 %   2.6 %   3.8 %   5.1 %   6.4 %   7.7 %
           ratio     1.000  2.000*  3.000*  4.000*  5.000*  6.000*

Compared: read, compiled (all cores, one core).
All cores: 8 threads.

8 threads, GB/s, native
        n1     n2     n3     n4     n5     n6
----  ----  -----  -----  -----  -----  -----
read  9.60  19.20  28.80  38.40  48.00  57.60

1 thread, GB/s, native
        n1     n2     n3     n4     n5     n6
----  ----  -----  -----  -----  -----  -----
read  1.20   2.40   3.60   4.80   6.00   7.20

Measured the same way on all: 2 results, 2 different by more than the noise:
  2.000 (read, native, 8 threads) to 6.000 (read, native, 8 threads).
* the difference is larger than the noise.
"""
EIGHT = """\
By role; ratio to n1
    all cores GB/s  of peak   ratio  one core GB/s
--  --------------  -------  ------  -------------
n1            9.60   10.2 %   1.000           1.20
n2           19.20   20.5 %  2.000*           2.40
n3           28.80   30.7 %  3.000*           3.60
n4           38.40   40.9 %  4.000*           4.80
n5           48.00   51.1 %  5.000*           6.00
n6           57.60   61.4 %  6.000*           7.20
n7           67.20   71.6 %  7.000*           8.40
n8           76.80   81.8 %  8.000*           9.60
"""
METHOD = "A ratio is of two medians; its range comes from the ends of both 95 % intervals.\n"
PUBLISHED = """\
before, Example 8-Core Processor, and published figures
path   threads  yours   share  published        share  of    whose
                 GB/s               GB/s
-----  -------  -----  ------  ---------  -----------  ----  ----------------
copy         8  70.00  74.6 %          -  75.0-85.0 %  peak  host memory, all
                                                             cores (any)
triad        8  72.00  76.7 %          -  75.0-85.0 %  peak  host memory, all
                                                             cores (any)
read         1  12.00  12.8 %          -  75.0-85.0 %  peak  host memory, all
                                                             cores (any)

Published figures:
  host memory, all cores: all cores; McCalpin's rule for STREAM; source: the
    project's notes on method (McCalpin's 75 to 85 % rule)

Your figure is the fastest result of each path. A share is of the peak that the
  published figure refers to.
"""


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = app.run(["compare", *arguments])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def build(make_record, make_case, make_result, tmp_path):
    """Save a record of results given as (path, engine, threads, stores, rates in GB/s); return it."""

    def one(path, engine, threads, stores, rates, size=256 * 1024**2, **overrides):
        variant = {"stores": stores} if stores else {}
        case = make_case(path=path, engine=engine, threads=threads, variant=variant, working_set_bytes=size)
        return make_result(
            case, tuple(size / rate / GB for rate in rates), theory_bytes_per_s=93866666666.66667, **overrides
        )

    def build(name, *rows, machine=None, governors=("performance",), **overrides):
        facts = {"cpu_model": "Example 8-Core Processor", "physical_cores": 8, **(machine or {})}
        results = [one(*row[:5], **(row[5] if len(row) > 5 else {})) for row in rows]
        record = make_record(*results, machine=facts, before={"governors": list(governors)}, **overrides)
        save(record, examine(record), tmp_path / name)
        return record

    return build


@pytest.fixture
def pair(build):
    """Save the same machine before and after something went wrong, as before.json and after.json."""
    read = (11.9, 12.0, 12.0, 12.0, 12.0, 12.3)
    build(
        "before.json",
        ("copy", "native", 8, "streaming", (70.0,) * 6),
        ("triad", "native", 8, "streaming", (72.0,) * 6),
        ("read", "native", 1, "", read),
        ("copy", "numpy", 1, "", (10.0,) * 6),
        machine={"kernel": "6.1.0", "memory_modules": [{}] * 8},
    )
    build(
        "after.json",
        ("copy", "native", 8, "streaming", (35.0,) * 6),
        ("triad", "native", 8, "streaming", (72.0,) * 6, {"failure": "wrong"}),
        ("read", "native", 1, "", (12.0, 12.1, 12.1, 12.1, 12.1, 12.1)),
        ("copy", "numpy", 1, "", (11.0,) * 5, {"size": 512 * 1024**2}),
        ("write", "numpy", 1, "", (9.0,) * 6),
        machine={"kernel": "6.8.0", "memory_modules": [{}] * 4},
        governors=("powersave",),
    )


def test_two_records_side_by_side(run, pair):
    assert run("before.json", "after.json") == Ran(0, TWO_RECORDS + METHOD, "")
    assert run("before.json", "after.json", "--quiet") == Ran(0, TWO_RECORDS.rstrip("\n") + "\n", "")


def test_a_record_beside_theory(run, pair):
    ran = run("before.json", "DDR5-4800 x12", "H200")
    assert ran == Ran(0, BESIDE_THEORY, "")


def test_three_records_fit_in_80_columns(run, pair, build):
    build("third.json", ("copy", "native", 8, "streaming", (70.0,) * 6), machine={"hostname": "x" * 60})
    out = run("before.json", "after.json", "third.json").out
    assert max(map(len, out.splitlines())) <= 80
    assert "Ratio to before\n" not in out
    everything = run("before.json", "after.json", "third.json", "--all").out
    assert max(map(len, everything.splitlines())) <= 80
    assert "Medians\n" in everything
    assert "Ratio to before\n" in everything


@pytest.mark.parametrize(
    ("names", "most"),
    [
        (("EPYC with 96", "the same with 11"), 40),
        (("EPYC with 96", "the same with 11", "Xeon with two"), 40),
        (("EPYC with 96", "Ryzen with two", "hybrid"), 40),
        (("EPYC with 96", "the same with 11", "Xeon with two", "Mac", "virtual EPYC", "hybrid"), 60),
    ],
)
def test_two_and_three_machines_fit_on_a_screen_and_six_on_one_and_a_half(run, tmp_path, monkeypatch, names, most):
    monkeypatch.chdir(tmp_path)
    files = [f"machine-{number}.json" for number in range(len(names))]
    for name, file in zip(names, files, strict=True):
        record = Run(host(name), 25e9, 100e9).record()
        save(record, examine(record), Path(file))
    lines = run(*files).out.splitlines()
    assert len(lines) <= most
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("by role") for line in lines)


@pytest.fixture
def fleet(build):
    """Save eight machines that read 1.2, 2.4, 3.6 ... GB/s with one core, with all 8 times that; return the files."""
    for number in range(1, 9):
        rows = [("read", "native", threads, "", (1.2 * number * threads,) * 6) for threads in (8, 1)]
        build(f"r{number}.json", *rows, machine={"hostname": f"n{number}.example.org", "cpu_model": f"Part {number}"})
    return [f"r{number}.json" for number in range(1, 9)]


def test_four_to_six_stand_beside_each_other(run, fleet):
    assert run(*fleet[:6]) == Ran(0, SIX, "")


def test_more_than_six_are_rows_of_the_table_by_role(run, fleet):
    ran = run(*fleet)
    assert EIGHT in ran.out
    assert "Not shown (--all): 2 more in common." in ran.out
    everything = run(*fleet, "--all").out
    assert "read, native, 8 threads\n" in everything
    assert everything.count("\nn8 ") == 3
    assert "example.org" not in everything


def test_machines_that_are_alike_are_one_sentence(run, build):
    for number in range(4):
        build(f"r{number}.json", ("read", "native", 1, "", (11.8, 12.0, 12.0, 12.0, 12.0, 12.2)))
    out = run(*(f"r{number}.json" for number in range(4))).out
    assert out.startswith("All 3 others read as fast as r0 with one core, within the noise.\n\n")


def test_nothing_is_concluded_of_what_cannot_be_compared(run, build):
    build("noisy.json", ("read", "native", 8, "", (50.0, 60.0, 70.0, 80.0, 90.0, 100.0)))
    build("few.json", ("read", "native", 8, "", (70.0,) * 5))
    build("fast.json", ("read", "native", 8, "", (94.0,) * 6))
    build("good.json", ("read", "native", 8, "", (70.0,) * 6))
    out = " ".join(run("good.json", "noisy.json", "few.json", "fast.json").out.split())
    assert out.startswith("UNRELIABLE: the results of these roles cannot be compared. No conclusion.")
    assert "!! noisy (all cores): its 95 % interval extends" in out
    assert "!! few (all cores): 5 of the 6 blocks that an interval needs. No conclusion." in out
    assert "!! fast (all cores): above the theoretical peak" in out


@pytest.mark.parametrize(
    ("mine", "theirs", "compared"),
    [
        (("read", "native", 8, ""), ("read", "native", 96, ""), "read, compiled (all cores)"),
        (("copy", "native", 8, "streaming"), ("copy", "native", 96, "ordinary"), "copy, compiled (all cores)"),
        (("copy", "native", 8, "streaming"), ("copy", "numpy", 96, ""), "copy, fastest engine (all cores)"),
    ],
)
def test_a_role_is_compared_in_the_way_that_both_have(run, build, mine, theirs, compared):
    build("mine.json", (*mine, (40.0,) * 6), ("write", "native", 8, "streaming", (30.0,) * 6))
    build("theirs.json", (*theirs, (80.0,) * 6), ("triad", "native", 96, "streaming", (90.0,) * 6))
    out = run("mine.json", "theirs.json").out
    assert f"Compared: {compared}.\n" in out
    assert "theirs" in out
    assert " 2.00 x mine with all cores (80.00 against 40.00 GB/s).\n" in out


def test_fewer_threads_than_cores_are_told(run, build):
    build("mine.json", ("read", "native", 4, "", (40.0,) * 6))
    build("theirs.json", ("read", "native", 8, "", (70.0,) * 6))
    assert "All cores: 4 and 8 threads.\n!! mine: 4 threads of 8 cores.\n" in run("mine.json", "theirs.json").out


def test_different_paths_are_not_compared(run, build):
    build("mine.json", ("read", "native", 8, "", (70.0,) * 6))
    build("theirs.json", ("write", "native", 8, "streaming", (70.0,) * 6))
    out = " ".join(run("mine.json", "theirs.json").out.split())
    assert out.startswith("Nothing to compare by role: all cores, one core, GPU memory and link")
    assert "No result was measured the same way on all of them" in out


def test_the_reference_may_be_any_of_them_or_another(run, pair):
    def ratios(*arguments):
        rows = json.loads(run(*arguments, "--json").out)["rows"]
        return {value["column"]: value["ratio"] for value in rows[0]["values"]}

    assert ratios("before.json", "after.json") == {"before": 1.0, "after": pytest.approx(0.5)}
    assert ratios("before.json", "after.json", "--reference", "./after.json")["before"] == pytest.approx(2)
    by_theory = ratios("before.json", "after.json", "--reference", "DDR4-2933 x4")
    assert by_theory["before"] == pytest.approx(70 / 93.8666666)
    assert by_theory["DDR4-2933"] == 1.0


# --- formats


def numbers_of(text):
    return set(re.findall(r"\d+\.\d+", text))


def test_every_format_carries_the_same_numbers(run, pair):
    arguments = ("before.json", "after.json")
    table = run(*arguments, "--all").out.split("\n\nMeasured")[0].partition("2026-01-02\n\n")[2]
    wanted = numbers_of(table)
    assert len(wanted) > 15
    for name in ("markdown", "html", "latex"):
        assert wanted <= numbers_of(run(*arguments, "--all", "--format", name).out)
    data = json.loads(run(*arguments, "--json").out)
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").out)))
    values = [(row, value) for row in data["rows"] for value in row["values"]]
    assert len(rows) == len(values) == 9
    for flat, (row, value) in zip(rows, values, strict=True):
        assert (flat["id"], flat["column"]) == (row["id"], value["column"])
        for name in ("median_bytes_per_s", "ratio", "theory_bytes_per_s", "efficiency", "working_set_bytes"):
            assert flat[name] == ("" if value[name] is None else str(value[name]))
    shown = {f"{value['median_bytes_per_s'] / GB:.2f}" for _, value in values if value["median_bytes_per_s"]}
    assert shown <= wanted


def test_json_has_the_fields_that_scripts_rely_on(run, pair):
    data = json.loads(run("before.json", "H200", "--json").out)
    assert data["schema"] == "bandwidth/comparison/1"
    assert data["reference"] == "before"
    assert [(column["kind"], column["source"]) for column in data["columns"]] == [
        ("record", "before.json"),
        ("theory", "H200"),
    ]
    row = data["rows"][0]
    assert (row["id"], row["kind"], row["counted_per_payload_byte"]) == (
        "host/copy/native/8/streaming",
        "rate",
        2.0,
    )
    assert set(row["values"][0]) == {
        *("column", "median_bytes_per_s", "ci95_bytes_per_s", "samples", "working_set_bytes"),
        *("theory_bytes_per_s", "efficiency", "ratio", "ratio_range", "beyond_noise"),
    }
    assert row["values"][1]["samples"] is None
    assert row["values"][1]["ci95_bytes_per_s"] is None


def test_differences_stand_in_json_by_column(run, pair):
    data = json.loads(run("before.json", "after.json", "--json").out)
    assert {one["name"]: one["values"] for one in data["differences"]} == {
        "kernel": {"before": "6.1.0", "after": "6.8.0"},
        "governor": {"before": "performance", "after": "powersave"},
        "modules": {"before": "8", "after": "4"},
    }


@pytest.mark.parametrize("name", ["table", "markdown", "csv", "json", "latex", "html"])
def test_names_of_any_content_break_no_format(run, build, tmp_path, name):
    row = ("copy", "numpy", 1, "", (10.0,) * 6)
    build("one.json", row, machine={"hostname": NASTY, "cpu_model": NASTY, "kernel": NASTY})
    build("two.json", row, machine={"hostname": "b\x1b[31m\r\n", "cpu_model": "x", "kernel": "y"})
    out = run("one.json", "two.json", "--format", name).out
    assert "\x1b" not in out.replace("\\u001b", "")
    if name == "html":
        assert "<script" not in out
        assert html.escape("<script>alert(1)") in out
    if name == "latex":
        assert not re.search(r"(?<!\\)[%_](?!\{)", out.replace("\\_", "").replace("\\%", ""))
    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert len(rows) == 2
    if name == "markdown":
        tables = re.findall(r"(?:^\|.*\n)+", out, re.MULTILINE)
        bars = [{len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()} for table in tables]
        assert [len(one) for one in bars] == [1, 1]
    if name == "json":
        assert json.loads(out)["columns"][0]["hostname"] == NASTY


def test_html_is_a_whole_page(run, pair, tmp_path):
    ran = run("before.json", "after.json", "--format", "html", "-o", "x.html")
    assert (ran.code, ran.out) == (0, "")
    text = (tmp_path / "x.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "<h1>before and after side by side</h1>" in text
    assert text.index("after copies 0.50 x before with all cores") < text.index("<table>")


# --- sweeps and latencies


def test_sweeps_are_shown_by_plateaus_and_all_points_on_request(run, make_record, make_case, make_result, tmp_path):
    caches = {"L1": 32 * 1024, "L2": 1024**2, "L3": 32 * 1024**2}
    for name, slower in (("one.json", 1), ("two.json", 2)):
        sizes = [2**power * 1024 for power in range(3, 20)]
        record = make_record(
            *(
                make_result(
                    make_case(
                        path="latency",
                        engine="native",
                        working_set_bytes=size,
                        bytes_per_call=8,
                        payload_bytes_per_call=8,
                        variant={"sweep_point": size},
                        caches=caches,
                    ),
                    (1e-9 * size / 8192 * slower,) * 6,
                )
                for size in sizes
            )
        )
        save(record, examine(record), tmp_path / name)
    out = run("one.json", "two.json").out
    assert "Latency, plateaus of sweeps by size\n" in out
    assert "latency, L1      native        1       1.50       3.00  2.000      -\n" in out
    assert "Not shown (--all): 17 not in common, or points of sweeps." in out
    assert "Latency ratios compare times: above 1 is slower." in out
    everything = run("one.json", "two.json", "--all").out
    assert len(re.findall(r"^latency, [0-9]+ [KM]iB", everything, re.MULTILINE)) == 17
    assert "Not shown" not in everything


# --- published figures


@pytest.mark.usefixtures("user_specs")  # none of this machine's
def test_a_record_beside_published_figures(run, pair):
    assert run("--reference-set", "before.json") == Ran(0, PUBLISHED, "")


@pytest.mark.usefixtures("user_specs")  # none of this machine's
def test_published_figures_of_its_own_family_come_first(run, build):
    machine = {"cpu_vendor": "AuthenticAMD", "cpu_family": 25, "cpu_model_number": 17, "cpu_model": "AMD EPYC 9999"}
    build("epyc.json", ("triad", "native", 64, "streaming", (70.0,) * 6), machine=machine)
    data = json.loads(run("--reference-set", "epyc.json", "--json").out)
    assert (data["schema"], set(data)) == ("bandwidth/published/1", {"schema", "columns", "published"})
    (found,) = data["published"]
    assert (found["published"], found["match"]) == ("EPYC 9004", "its family")
    assert found["published_low_bytes_per_s"] == 378e9
    assert found["published_low_share"] == pytest.approx(0.820, abs=1e-3)
    assert found["published_source"]


@pytest.mark.usefixtures("user_specs")  # none of this machine's
def test_a_record_without_any_published_path_says_so(run, build):
    build("w.json", ("write", "native", 8, "streaming", (70.0,) * 6))
    assert run("--reference-set", "w.json") == Ran(
        0, "w, Example 8-Core Processor: the catalog has no published figure for these\n  results.\n", ""
    )


# --- bad input


@pytest.mark.parametrize(
    ("code", "arguments", "parts"),
    [
        (2, (), ("RECORD|SPEC",)),
        (2, ("before.json",), ("compare needs two records, or a record and a SPEC", "name another")),
        (2, ("H200", "DDR4-2933"), ("compare needs a record", "bandwidth theory")),
        (2, ("-", "before.json"), ("a record cannot be read from standard input (-)", "save it and name the file")),
        (2, ("before.json", "./before.json"), ("'./before.json' is named twice",)),
        (2, ("before.json", "H200", "h200"), ("'h200' is named twice",)),
        (2, ("--reference-set", "H200"), ("'H200' is not a file", "takes records")),
        (2, ("--reference-set", "before.json", "--reference", "H200"), ("cannot be combined",)),
        (2, ("before.json", "after.json", "--format", "xml"), ("--format 'xml'",)),
        (1, ("before.json", "none.json"), ("none.json does not exist",)),
        (1, ("before.json", "H2000"), ("'H2000' is not a known memory, link or device",)),
        (1, ("before.json", "a" * 500), ("SPEC of 500 characters",)),
        (1, ("before.json", "."), (". cannot be read",)),
        (1, ("before.json", "newer.json"), ("newer.json has schema 9", "update bandwidth")),
        (1, ("before.json", "cut.json"), ("cut.json is not complete JSON",)),
        (1, ("before.json", "other.json"), ("other.json is not a record of bandwidth",)),
        (1, ("before.json", "empty.json"), ("empty.json contains no result",)),
        (1, ("before.json", "negative.json"), ("negative.json: results.0.samples_s.0",)),
        (1, ("before.json", "nan.json"), ("nan.json is not complete JSON: NaN",)),
        (1, ("before.json", "zero.json"), ("zero.json: results.0.bytes_per_call",)),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(run, pair, build, tmp_path, code, arguments, parts):
    text = (tmp_path / "before.json").read_text()
    (tmp_path / "newer.json").write_text(text.replace("bandwidth/record/1", "bandwidth/record/9"))
    (tmp_path / "cut.json").write_text(text[: len(text) // 2])
    (tmp_path / "other.json").write_text('{"schema": "fio/1"}')
    content = json.loads(text)
    for name, field, value in (
        ("negative", "samples_s", [-1.0] * 6),
        ("nan", "samples_s", [float("nan")] * 6),
        ("zero", "bytes_per_call", 0),
    ):
        content["results"][0] = json.loads(text)["results"][0] | {field: value}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    build("empty.json")
    ran = run(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("bandwidth: ")
    assert ran.err.count("\n") == 1
    for part in parts:
        assert part in ran.err


def test_nothing_half_written_stays(run, pair, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert run("before.json", "after.json", "-o", "none/x.html", "--format", "html").code == 2
    assert sorted(tmp_path.iterdir()) == before
