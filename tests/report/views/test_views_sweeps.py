"""Sweeps as printed: whole and by the letter, bars in blocks and in ASCII, and the same numbers in every format."""

from __future__ import annotations

import csv
import io
import re

import pytest

from bandwidth.report import FORMATS, Table, render
from bandwidth.report.measurement import measurement_document
from bandwidth.report.views.shown import Shown
from bandwidth.report.views.sweeps import knees
from bandwidth.results import Examination

KIB, MIB = 1024, 1024**2
STEADY = (1.0, 1.002, 0.998, 1.001, 0.999, 1.0)
CACHES = {"L1": 48 * KIB, "L2": 2 * MIB, "L3": 32 * MIB}
RATES = {
    4 * KIB: 250.0, 16 * KIB: 300.0, 24 * KIB: 301.0, 32 * KIB: 299.0, 96 * KIB: 121.0, 512 * KIB: 120.0,
    1 * MIB: 119.5, 4 * MIB: 61.0, 16 * MIB: 60.0, 64 * MIB: 33.0, 256 * MIB: 18.5, 384 * MIB: 18.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def result(make_case, make_result):
    def build(path, threads, gb, *, size=512 * MIB, failure="", **variant):
        caches = CACHES if threads == 1 else {level: held * threads for level, held in CACHES.items()}
        case = make_case(
            path=path,
            engine="native",
            threads=threads,
            bytes_per_call=round(gb * 10**9),
            working_set_bytes=size,
            variant=variant,
            caches=caches,
        )
        return make_result(case, STEADY, failure=failure)

    return build


@pytest.fixture(scope="module")
def by_size(make_record, result):
    stores = {"stores": "ordinary"}
    points = [result("copy", 1, gb, size=size, sweep_point=size, **stores) for size, gb in RATES.items()]
    read = [result("read", 2, gb * 2, size=size, sweep_point=size) for size, gb in [*RATES.items()][3::4]]
    wrong = result("read", 2, 1.0, size=6 * KIB, sweep_point=6 * KIB, failure="element 7 is wrong")
    return make_record(*points, *read, wrong)


@pytest.fixture(scope="module")
def by_threads(make_record, result):
    stores = {"stores": "streaming"}
    copies = {1: 19.0, 2: 38.0, 4: 75.0, 8: 140.0, 16: 231.0, 24: 236.5, 32: 235.0}
    return make_record(
        *(result("copy", threads, gb, **stores) for threads, gb in copies.items()),
        *(result("read", threads, 20.0 * threads) for threads in (1, 2, 4)),
    )


def shown(record, format_name="table", *, blocks=True, unit="GB/s"):
    return render(measurement_document(record, Examination({}, ()), unit), format_name, blocks=blocks)


BY_SIZE = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

By size: read, native, 2 threads
   size  level       GB/s  95 % interval
-------  -------  -------  -------------  ------------------------------
  6 KiB  L1       INVALID              -
 32 KiB  L1        598.00  596.81-599.20  ██████████████████████████████
  4 MiB  L2        122.00  121.76-122.24  ██████▏
384 MiB  memory     36.00    35.93-36.07  █▊

By size: copy, native, ordinary stores, 1 thread
   size  level       GB/s  95 % interval
-------  -------  -------  -------------  ------------------------------
  4 KiB  L1        250.00  249.50-250.50  ████████████████████████▉
 16 KiB  L1        300.00  299.40-300.60  █████████████████████████████▉
 24 KiB  L1        301.00  300.40-301.60  ██████████████████████████████
 32 KiB  L1        299.00  298.40-299.60  █████████████████████████████▊
 96 KiB  L2        121.00  120.76-121.24  ████████████
512 KiB  L2        120.00  119.76-120.24  ████████████
  1 MiB  L2        119.50  119.26-119.74  ███████████▉
  4 MiB  L3         61.00    60.88-61.12  ██████▏
 16 MiB  L3         60.00    59.88-60.12  ██████
 64 MiB  past L3    33.00    32.93-33.07  ███▎
256 MiB  memory     18.50    18.46-18.54  █▉
384 MiB  memory     18.00    17.96-18.04  █▊

Plateaus, GB/s
path  engine  stores    threads        L1      L2     L3  memory
----  ------  --------  -------  --------  ------  -----  ------
read  native  -               2  one size       -      -   36.00
copy  native  ordinary        1    300.00  120.00  60.50   18.25

Caches, 2 threads: L1 96 KiB, L2 4 MiB, L3 64 MiB in total.
Caches, 1 thread: L1 48 KiB, L2 2 MiB, L3 32 MiB in total.

Bytes counted per element: read 8 read, copy 8 read + 8 written; INVALID: the
  data was wrong.
"""
BY_THREADS = """\
Host memory of Example 8-Core Processor, 8 cores
Theory: DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory
  DDR4-2933 x4

32 threads
path  engine  stores     median GB/s  95 % interval  ceiling  of  share  n
----  ------  ---------  -----------  -------------  -------  --  -----  -
copy  native  streaming       235.00  234.53-235.47                      6

4 threads
path  engine  stores     median GB/s  95 % interval  ceiling  of  share  n
----  ------  ---------  -----------  -------------  -------  --  -----  -
read  native  -                80.00    79.84-80.16                      6

1 thread
path  engine  stores     median GB/s  95 % interval  ceiling  of  share  n
----  ------  ---------  -----------  -------------  -------  --  -----  -
read  native  -                20.00    19.96-20.04                      6
copy  native  streaming        19.00    18.96-19.04                      6

By threads: read, native
threads   GB/s  of best  per thread
-------  -----  -------  ----------  ------------------------------
      1  20.00   25.0 %       20.00  ███████▌
      2  40.00   50.0 %       20.00  ███████████████
      4  80.00  100.0 %       20.00  ██████████████████████████████

No knee: the rate still rises at 4 threads, the largest count measured.

By threads: copy, native, streaming stores
threads    GB/s  of best  per thread
-------  ------  -------  ----------  ----  ------------------------------
      1   19.00    8.0 %       19.00        ██▍
      2   38.00   16.1 %       19.00        ████▉
      4   75.00   31.7 %       18.75        █████████▌
      8  140.00   59.2 %       17.50        █████████████████▊
     16  231.00   97.7 %       14.44  knee  █████████████████████████████▎
     24  236.50  100.0 %        9.85        ██████████████████████████████
     32  235.00   99.4 %        7.34        █████████████████████████████▊

Knee: 16 threads, the fewest that reach 95.0 % of the best rate (97.7 %).

Bytes counted per element: read 8 read, copy 8 read + 8 written; all verified.
Working set: 512 MiB with 1, 2, 4, 8, 16, 24 and 32 threads.
"""
BY_THREADS_IN_ASCII = """\
      1  20.00   25.0 %       20.00  ########
      2  40.00   50.0 %       20.00  ###############
      4  80.00  100.0 %       20.00  ##############################
      1   19.00    8.0 %       19.00        ##
      2   38.00   16.1 %       19.00        #####
      4   75.00   31.7 %       18.75        ##########
      8  140.00   59.2 %       17.50        ##################
     16  231.00   97.7 %       14.44  knee  #############################
     24  236.50  100.0 %        9.85        ##############################
     32  235.00   99.4 %        7.34        ##############################
"""


def test_a_sweep_over_sizes(by_size):
    assert shown(by_size) == BY_SIZE


def test_a_sweep_over_threads(by_threads):
    assert shown(by_threads) == BY_THREADS


def test_bars_in_ascii(by_threads):
    bars = "\n".join(line for line in shown(by_threads, blocks=False).splitlines() if "#" in line) + "\n"
    assert bars == BY_THREADS_IN_ASCII


def test_ascii_is_what_a_document_is_without_being_asked(by_size, by_threads):
    for record in (by_size, by_threads):
        assert render(measurement_document(record, Examination({}, ())), "table").isascii()


def test_the_text_has_at_most_80_columns(by_size, by_threads):
    assert max(map(len, shown(by_threads).splitlines())) <= 80
    for unit in ("GB/s", "MB/s", "TiB/s"):
        assert max(map(len, shown(by_size, unit=unit).splitlines())) <= 80


def test_bars_are_for_plain_text_and_the_numbers_for_all(by_size, by_threads):
    for record, number in ((by_size, "120.00"), (by_threads, "231.00")):
        for format_name in ("markdown", "latex", "html"):
            text = shown(record, format_name)
            assert number in text
            assert text.isascii()
            assert not re.search("##", text)
        rows = list(csv.DictReader(io.StringIO(shown(record, "csv"))))
        assert len(rows) == len(record.results)
    assert set(FORMATS) == {"table", "markdown", "latex", "html", "csv", "json"}


def test_the_middle_of_a_curve_stands_in_no_other_table(by_threads):
    document = measurement_document(by_threads, Examination({}, ()))
    titles = [block.title for block in document.blocks if isinstance(block, Table)]
    assert titles == [
        "32 threads",
        "4 threads",
        "1 thread",
        "By threads: read, native",
        "By threads: copy, native, streaming stores",
    ]


def test_a_narrow_terminal_has_no_bars(by_size):
    document = measurement_document(by_size, Examination({}, ()))
    assert "#" in render(document, "table", 60)
    assert "#" not in render(document, "table", 48)


def test_kinds_of_cores_have_curves_of_their_own(make_record, result):
    record = make_record(
        *(
            result("read", 2, 10.0, size=size, sweep_point=size, cores=cores)
            for cores in ("performance", "efficiency")
            for size in (4096, 8192, 16384)
        )
    )
    text = shown(record)
    assert "By size: read, native, performance cores, 2 threads" in text
    assert "Caches, 2 threads, efficiency cores: L1 96 KiB" in text
    assert "read, performance cores" in text


def test_a_knee_without_a_neighbour_is_told_as_lying_between(make_record, result):
    rates = {1: 20.0, 16: 99.0, 32: 100.0}
    record = make_record(*(result("read", threads, rate) for threads, rate in rates.items()))
    text = " ".join(shown(record).split())
    between = "Knee: between 1 thread (20.0 % of the best rate) and 16 threads (99.0 %)"
    assert f"{between}; nothing between was measured." in text
    assert "knee" not in text  # no row is marked
    assert knees(Shown(record)) == ["read, native: knee between 1 and 16 threads; nothing between was measured."]


def test_the_answer_of_a_sweep_over_threads_is_the_knee_with_its_rate(make_record, result):
    rates = {1: 20.0, 2: 40.0, 4: 79.0, 8: 80.0}
    rising = make_record(*(result("read", threads, rate) for threads, rate in rates.items() if threads < 8))
    assert knees(Shown(rising)) == ["read, native: no knee up to 4 threads."]
    record = make_record(*(result("read", threads, rate) for threads, rate in rates.items()))
    assert knees(Shown(record)) == ["read, native: 4 of 8 threads reach 79.00 GB/s; more gain less than 5.0 %."]
