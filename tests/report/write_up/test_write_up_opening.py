"""What opens a write-up: the sentence with its numbers, or that nothing can be concluded; and tables figures first."""

from __future__ import annotations

import pytest

from bandwidth.report.document import Column, Table
from bandwidth.report.views.shown import Shown
from bandwidth.report.write_up.opening import figures_first, opening_blocks

STEADY, NOISY = (1.0, 1.001, 0.999, 1.0, 1.002, 0.998), (0.5, 0.7, 0.9, 1.1, 1.4, 2.0)


@pytest.fixture
def opened(make_case, make_result, make_record):
    """Return what opens the record of rates given as (threads, GB/s, blocks, GB/s of theory)."""

    def build(*rates, **overrides):
        results = [
            make_result(
                make_case(path="read", engine="native", threads=threads),
                tuple(256 * 1024**2 / gb / 1e9 * block for block in blocks),
                theory_bytes_per_s=None if theory is None else theory * 1e9,
            )
            for threads, gb, blocks, theory in rates
        ]
        return opening_blocks(Shown(make_record(*results, **overrides)), with_figure=False)

    return build


def test_it_is_a_sentence_a_table_and_the_working_of_the_peak(opened):
    sentence, table, working = opened((8, 75.0, STEADY, 93.8), (1, 14.0, STEADY, 93.8))
    assert sentence == "All cores, read: 75.00 GB/s, 80.0 % of the peak of 93.80 GB/s. One core, read: 14.00 GB/s."
    assert [row[:3] for row in table.rows] == [("All cores", "75.00", "80.0 %"), ("One core", "14.00", "14.9 %")]
    assert working == "Theory of DDR4-2933 x4: 2933.33 MT/s x 8 B x 4 = 93.87 GB/s, from --memory DDR4-2933 x4."


def test_of_noise_nothing_is_concluded(opened):
    sentence = opened((8, 75.0, NOISY, 93.8), (1, 14.0, STEADY, 93.8))[0]
    assert sentence.startswith("UNRELIABLE: this run allows no conclusion about all cores: its 95 % interval")
    assert sentence.endswith("One core, read: 14.00 GB/s.")
    assert "75.00" not in sentence


def test_a_rate_above_its_peak_is_invalid(opened):
    sentence, table, *_ = opened((8, 95.0, STEADY, 93.8))
    assert "All cores, read: INVALID, 95.00 GB/s is above the theoretical peak (BW002)." in sentence
    assert table.rows[0][2] == "INVALID"


def test_without_a_theory_there_is_no_share(opened):
    sentence, table = opened((8, 75.0, STEADY, None), memory={})
    assert sentence == "All cores, read: 75.00 GB/s."
    assert table.rows[0][2:4] == ("-", "-")


def test_nothing_opens_a_record_without_a_role(make_case, make_result, make_record):
    record = make_record(make_result(make_case(variant={"mix": "2:1"})))
    assert opening_blocks(Shown(record), with_figure=True) == ()


def test_median_and_share_stand_before_engine_and_stores():
    heads = ("path", "engine", "stores", "theory GB/s", "median GB/s", "95 % interval", "share", "n")
    table = Table(tuple(map(Column, heads)), (tuple(heads),), "T")
    found = figures_first(table)
    assert found.title == "T"
    assert [column.header for column in found.columns] == list(found.rows[0])
    assert found.rows[0] == ("path", "median GB/s", "share", "theory GB/s", "95 % interval", "n", "engine", "stores")
    other = Table((Column("engine"), Column("GB/s")), (("native", "1"),))
    assert figures_first(other) is other


def test_fewer_threads_than_cores_are_not_called_all_of_them(opened):
    sentence, table, _ = opened((4, 40.0, STEADY, 93.8), (1, 14.0, STEADY, 93.8))
    assert sentence.startswith("4 of 8 cores, read: 40.00 GB/s")
    assert table.rows[0][0] == "4 of 8 cores"
