"""`bandwidth compare` as a user runs it: whole outputs, every format, and what it refuses."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from typing import NamedTuple

import pytest

from bandwidth.cli import app
from bandwidth.findings import examine
from bandwidth.results.files import save

GB = 10**9
NASTY = "=cmd()|<script>alert(1)</script>_50%\nx"

TWO_RECORDS = """\
before (reference): before.json: Example 8-Core Processor, 8 cores, DDR4-2933
  x4, 2026-01-02
after: after.json: Example 8-Core Processor, 8 cores, DDR4-2933 x4, 2026-01-02

path   engine  stores     threads  before GB/s  after GB/s   ratio        range
-----  ------  ---------  -------  -----------  ----------  ------  -----------
copy   native  streaming        8        70.00       35.00  0.500*  0.500-0.500
triad  native  streaming        8        72.00     INVALID       -            -
read   native  -                1        12.00       12.10   1.008  0.976-1.017
write  numpy   -                1            -        9.00       -            -
copy   numpy   -                1        10.00       11.00  1.100?            -

Theory GB/s, and the share of it
path   engine  stores     threads  before   share  after   share
-----  ------  ---------  -------  ------  ------  -----  ------
copy   native  streaming        8   93.87  74.6 %  93.87  37.3 %
triad  native  streaming        8   93.87  76.7 %  93.87       -
read   native  -                1   93.87  12.8 %  93.87  12.9 %
write  numpy   -                1       -       -  93.87   9.6 %
copy   numpy   -                1   93.87  10.7 %  93.87  11.7 %

* the difference is larger than the noise.
? too few samples to tell it from noise.
Working sets differ, 256 MiB and 512 MiB: host/copy/numpy/1.

What differs between the set-ups:
  kernel: 6.1.0 (before), 6.8.0 (after)
  governor: performance (before), powersave (after)
  modules: 8 (before), 4 (after)

"""
METHOD = """\
Method: a ratio is of two medians; its range comes from the ends of both 95 %
  intervals (order statistics). A difference is beyond the noise where the two
  intervals have no value in common, a cautious test; below six samples nothing
  is said of noise. Results are matched by id and nothing else.
"""
BESIDE_THEORY = """\
before (reference): before.json: Example 8-Core Processor, 8 cores, DDR4-2933
  x4, 2026-01-02
DDR5-4800: theory, DDR5-4800 x12: 4800 MT/s x 8 B x 12 = 460.80 GB/s
H200: theory, H200: 6.402 Gbps x 128 B x 6 = 4,916.74 GB/s; H200, PCIe 5.0 x16:
  32 GT/s x 16 x 128/130 / 8 = 63.02 GB/s

Medians
path   engine  stores     threads  before GB/s  DDR5-4800 GB/s  H200 GB/s
-----  ------  ---------  -------  -----------  --------------  ---------
copy   native  streaming        8        70.00          460.80   4,916.74
triad  native  streaming        8        72.00          460.80   4,916.74
read   native  -                1        12.00          460.80   4,916.74
copy   numpy   -                1        10.00          460.80   4,916.74

Ratio to before
path   engine  stores     threads  DDR5-4800        range   H200        range
-----  ------  ---------  -------  ---------  -----------  -----  -----------
copy   native  streaming        8      6.583  6.583-6.583   70.2    70.2-70.2
triad  native  streaming        8      6.400  6.400-6.400   68.3    68.3-68.3
read   native  -                1       38.4    37.5-38.7  409.7  399.7-413.2
copy   numpy   -                1       46.1    46.1-46.1  491.7  491.7-491.7

Theory GB/s, and the share of it
path   engine  stores     threads  before   share
-----  ------  ---------  -------  ------  ------
copy   native  streaming        8   93.87  74.6 %
triad  native  streaming        8   93.87  76.7 %
read   native  -                1   93.87  12.8 %
copy   numpy   -                1   93.87  10.7 %

"""
FOUR = """\
host/read/native/1
     median GB/s  ratio        range   noise  theory   share
---  -----------  -----  -----------  ------  ------  ------
n10        12.00  1.000  0.967-1.034  within   93.87  12.8 %
n11        12.00  1.000  0.967-1.034  within   93.87  12.8 %
n12        12.00  1.000  0.967-1.034  within   93.87  12.8 %
n13        12.00  1.000  0.967-1.034  within   93.87  12.8 %
"""
PUBLISHED = """\
before, Example 8-Core Processor, beside published figures
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

Yours is the fastest result of each path. A share is of the peak that the
  published figure was stated against.
"""


class Ran(NamedTuple):
    """What one call left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(app, "COMMANDS", tuple(dict.fromkeys((*app.COMMANDS, "compare"))))


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
    assert ran == Ran(0, BESIDE_THEORY + METHOD, "")


def test_three_records_fit_in_80_columns(run, pair, build):
    build("third.json", ("copy", "native", 8, "streaming", (70.0,) * 6), machine={"hostname": "x" * 60})
    out = run("before.json", "after.json", "third.json").out
    assert max(map(len, out.splitlines())) <= 80
    assert "Medians\n" in out
    assert "Ratio to before\n" in out


def test_more_than_three_stand_below_each_other(run, build):
    for number in range(10, 14):
        read = ("read", "native", 1, "", (11.8, 12.0, 12.0, 12.0, 12.0, 12.2))
        build(f"r{number}.json", read, machine={"hostname": f"n{number}.example.org"})
    out = run(*(f"r{number}.json" for number in range(10, 14))).out
    assert FOUR in out
    assert "n10 (reference): r10.json" in out
    assert "example.org" not in out


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
    table = run(*arguments).out.split("\n\n* the")[0].partition("2026-01-02\n\n")[2]
    wanted = numbers_of(table)
    assert len(wanted) > 15
    for name in ("markdown", "html", "latex"):
        assert wanted <= numbers_of(run(*arguments, "--format", name).out)
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
        lines = [line for line in out.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    if name == "json":
        assert json.loads(out)["columns"][0]["hostname"] == NASTY


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
    assert "17 points of sweeps, and checks at half a size, not shown: --all shows them." in out
    assert "Of latencies the ratio is of the times: above 1 is slower." in out
    everything = run("one.json", "two.json", "--all").out
    assert len(re.findall(r"^latency, [0-9]+ [KM]iB", everything, re.MULTILINE)) == 17
    assert "not shown" not in everything


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
        0, "w, Example 8-Core Processor: no figure is published here of what it measured.\n", ""
    )


# --- bad input


@pytest.mark.parametrize(
    ("code", "arguments", "parts"),
    [
        (2, (), ("RECORD|SPEC",)),
        (2, ("before.json",), ("a comparison needs two", "name another")),
        (2, ("H200", "DDR4-2933"), ("no record is among them", "bandwidth theory")),
        (2, ("-", "before.json"), ("- is no record",)),
        (2, ("before.json", "./before.json"), ("'./before.json' is named twice",)),
        (2, ("before.json", "H200", "h200"), ("'h200' is named twice",)),
        (2, ("--reference-set", "H200"), ("'H200' is no file", "takes records")),
        (2, ("--reference-set", "before.json", "--reference", "H200"), ("stands by itself",)),
        (2, ("before.json", "after.json", "--format", "xml"), ("--format 'xml'",)),
        (1, ("before.json", "none.json"), ("none.json does not exist",)),
        (1, ("before.json", "H2000"), ("'H2000' is no memory, link or device",)),
        (1, ("before.json", "a" * 500), ("SPEC of 500 characters",)),
        (1, ("before.json", "."), (". cannot be read",)),
        (1, ("before.json", "newer.json"), ("newer.json has schema 9", "update bandwidth")),
        (1, ("before.json", "cut.json"), ("cut.json is not whole JSON",)),
        (1, ("before.json", "other.json"), ("other.json is not a record of bandwidth",)),
        (1, ("before.json", "empty.json"), ("empty.json holds no result",)),
        (1, ("before.json", "negative.json"), ("negative.json: results.0.samples_s.0",)),
        (1, ("before.json", "nan.json"), ("nan.json is not whole JSON: NaN",)),
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
