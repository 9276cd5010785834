"""Latencies as printed: by size with plateaus, and under load."""

from __future__ import annotations

import pytest

from bandwidth.report import render
from bandwidth.report.measurement import measurement_document
from bandwidth.report.views import latency
from bandwidth.report.views.shown import Shown
from bandwidth.results import Examination, Observed

KIB, MIB = 1024, 1024**2
STEADY = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0)
CACHES = {"L1": 48 * KIB, "L2": 2 * MIB, "L3": 32 * MIB}
CLOCK = {"clock_hz": Observed(3.7e9, 3.6e9, 3.71e9)}
NS = {
    8 * KIB: 1.35, 16 * KIB: 1.35, 32 * KIB: 1.36, 96 * KIB: 3.8, 512 * KIB: 3.9, 1 * MIB: 4.0,
    4 * MIB: 14.0, 16 * MIB: 15.2, 64 * MIB: 61.0, 256 * MIB: 95.4, 512 * MIB: 98.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def result(make_case, make_result):
    def build(ns, *, size=512 * MIB, threads=1, observed=CLOCK, failure="", **variant):
        case = make_case(
            path="latency",
            engine="native",
            threads=threads,
            bytes_per_call=8 * 10**9,
            working_set_bytes=size,
            variant=variant,
            caches=CACHES,
        )
        return make_result(case, tuple(ns * share for share in STEADY), observed=observed, failure=failure)

    return build


@pytest.fixture(scope="module")
def by_size(make_record, result):
    huge = CLOCK | {"huge_page_share": Observed(1.0, 0.98, 1.0)}
    return make_record(*(result(ns, size=size, sweep_point=size, observed=huge) for size, ns in NS.items()))


@pytest.fixture(scope="module")
def loaded(make_record, result):
    def at(load, ns, gb):
        observed = CLOCK | {"load_bytes_per_s": Observed(gb * 1e9, 0.0, 1e12)}
        return result(ns, threads=8, load=f"{load}%", observed=observed)

    curve = ((0, 98.0, 0.0), (25, 101.0, 45.2), (50, 112.0, 90.1), (75, 151.5, 134.8), (100, 312.0, 171.3))
    return make_record(*(at(*point) for point in curve))


def shown(record, format_name="table"):
    return render(measurement_document(record, Examination({}, ())), format_name, blocks=True)


BY_SIZE = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

Latency by size: native, 1 thread
   size  level       ns  cycles  95 % interval, ns
-------  -------  -----  ------  -----------------  ----------------------------
  8 KiB  L1        1.35     5.0          1.34-1.36  ▍
 16 KiB  L1        1.35     5.0          1.34-1.36  ▍
 32 KiB  L1        1.36     5.0          1.35-1.37  ▍
 96 KiB  L2        3.80    14.1          3.76-3.84  █▏
512 KiB  L2        3.90    14.4          3.86-3.94  █▏
  1 MiB  L2        4.00    14.8          3.96-4.04  █▏
  4 MiB  L3       14.00    51.8        13.86-14.14  ████
 16 MiB  L3       15.20    56.2        15.05-15.35  ████▍
 64 MiB  past L3  61.00   225.7        60.39-61.61  █████████████████▍
256 MiB  memory   95.40   353.0        94.45-96.35  ███████████████████████████▎
512 MiB  memory   98.10   363.0        97.12-99.08  ████████████████████████████

Plateaus of latency: native, 1 thread
level    holds     ns  cycles  points
------  ------  -----  ------  ------
L1      48 KiB   1.35     5.0       3
L2       2 MiB   3.90    14.4       3
L3      32 MiB  14.60    54.0       2
memory          96.75   358.0       2

Each load depends on the previous one, in a random cycle over all of the data.
Cycles of the core's clock in the same run, 3.70 GHz, measured with dependent
  adds.
Huge pages were requested and hold 98.0 % to 100.0 % of the data, depending on
  size; median 100.0 %.

All verified.
"""
LOADED = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

Latency under load: native, 8 threads, 7 of them reading
 load  others read GB/s      ns   cycles  95 % interval, ns
-----  ----------------  ------  -------  -----------------  -------------------
  0 %              0.00   98.00    362.6        97.02-98.98  ██████
 25 %             45.20  101.00    373.7       99.99-102.01  ██████▏
 50 %             90.10  112.00    414.4      110.88-113.12  ██████▉
 75 %            134.80  151.50    560.5      149.98-153.02  █████████▎
100 %            171.30  312.00  1,154.4      308.88-315.12  ███████████████████

All verified.
Working set: 512 MiB with 8 threads.
"""


def test_latency_by_size(by_size):
    assert shown(by_size) == BY_SIZE


def test_latency_under_load(loaded):
    assert shown(loaded) == LOADED


def test_latency_under_a_load_that_writes_says_how_much_of_it(make_record, result):
    seen = CLOCK | {"load_bytes_per_s": Observed(61e9, 0.0, 1e12)}
    points = [result(ns, threads=8, load=load, writes="33%-writes", observed=seen) for load, ns in (("20%", 99.0),)]
    text = shown(make_record(*points))
    assert "Latency under load: native, 8 threads, 7 of them moving data, 33 % written" in text
    assert "others move GB/s" in text
    assert " 61.00  99.00 " in text


def test_the_figure_has_a_curve_for_each_share_of_writes(make_record, result, loaded):
    seen = CLOCK | {"load_bytes_per_s": Observed(61e9, 0.0, 1e12)}
    writing = [result(ns, threads=8, load=load, writes="50%-writes", observed=seen) for load, ns in (("20%", 99.0),)]
    (figure,) = latency.load_figures(Shown(make_record(*loaded.results, *writing)))
    names = [series.label for series in figure.picture.series]
    assert len(names) == 2
    assert names[1].endswith("50 % written")
    assert "read, or read and write, at a share of their maximum rate" in figure.caption


def test_the_text_has_at_most_80_columns(by_size, loaded):
    for record in (by_size, loaded):
        assert max(map(len, shown(record).splitlines())) <= 80


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "Huge pages were requested; this system does not report whether they were used."),
        (Observed(1.0, 1.0, 1.0), "Huge pages were requested and hold 100.0 % of the data."),
        (Observed(0.0, 0.0, 0.0), "Huge pages were requested and hold 0.0 % of the data."),
    ],
)
def test_huge_pages_are_told_of(make_record, result, share, words):
    observed = {} if share is None else {"huge_page_share": share}
    sizes = (4096, 8192, 16384)
    text = shown(make_record(*(result(1.0, size=size, sweep_point=size, observed=observed) for size in sizes)))
    assert words in text
    assert "GHz" not in text  # the clock was not seen: no cycles
    assert " -  " in text


def test_a_latency_that_failed_is_withheld(make_record, result):
    points = [(size, "wrong" if size == 8192 else "") for size in (4096, 8192, 16384, 32768)]
    record = make_record(*(result(7.77, size=size, sweep_point=size, failure=wrong) for size, wrong in points))
    text = shown(record)
    assert text.count("INVALID") == 2  # in its row, and below
    assert text.count(" 7.77 ") == 3 + 1  # the others, and the plateau


def test_one_latency_alone_is_a_line(make_record, result):
    text = " ".join(shown(make_record(result(95.5))).split())
    assert "latency, native, 1 thread, 512 MiB: 95.50 ns." in text


@pytest.mark.parametrize("format_name", ["markdown", "latex", "html"])
def test_other_formats_have_the_numbers(by_size, loaded, format_name):
    assert all(number in shown(by_size, format_name) for number in ("95.40", "353.0", "past L3"))
    assert all(number in shown(loaded, format_name) for number in ("312.00", "171.30"))


def test_loads_at_once_are_printed_with_the_lines_that_were_under_way(make_record, make_case, make_result):
    def one(count, ns):
        variant = {"chains": f"{count}-chains"}
        case = make_case(path="latency", engine="native", bytes_per_call=8 * 10**9, variant=variant)
        return make_result(case, tuple(ns * share for share in STEADY), observed=CLOCK)

    record = make_record(*(one(count, ns) for count, ns in ((1, 96.0), (8, 12.0), (32, 4.0))))
    text = render(measurement_document(record, Examination({}, ())), "table")
    assert "Loads at once: native, 1 thread" in text
    assert [line.split()[-1] for line in text.splitlines() if line.lstrip()[:2].strip() in ("1", "8", "32")] == [
        "1.0",
        "8.0",
        "24.0",
    ]
    assert "at most 24.0" in " ".join(text.split())
    assert text.count("96.00") == 1  # it stands in no other table
