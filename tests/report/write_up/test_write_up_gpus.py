"""The write-up of a record of GPUs alone: whole, and with all that the terminal shows.

`BANDWIDTH_WRITE_GOLDEN=1` writes the golden file anew: look at the difference before it is kept.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from gpu_machine import two_h200s

from bandwidth.findings import examine
from bandwidth.report.document import Table
from bandwidth.report.figures.data import Bars, Heatmap
from bandwidth.report.measurement import measurement_document
from bandwidth.report.write_up.content import NO_RATES, make_write_up
from bandwidth.report.write_up.files import FORMS, text_alone
from bandwidth.report.write_up.markdown import markdown_text
from bandwidth.report.write_up.opening import figures_first

GOLDEN = Path(__file__).parents[2] / "data" / "report" / "gpus.md"


@pytest.fixture(scope="module")
def record(make_record, make_case, make_result):
    return two_h200s(make_record, make_case, make_result)


@pytest.fixture(scope="module")
def write_up(record):
    return make_write_up([record])


def test_a_write_up_whole(write_up):
    text = markdown_text(write_up, {figure.name: f"figures/{figure.name}.x" for figure in write_up.figures})
    if os.environ.get("BANDWIDTH_WRITE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def test_every_block_of_the_terminal_stands_in_it_once(record, write_up):
    blocks = [block for section in write_up.sections for block in section.blocks]
    lines = [line for section in write_up.sections for block in section.blocks for line in getattr(block, "texts", ())]
    for block in measurement_document(record, examine(record)).blocks:
        if isinstance(block, Table):
            block = figures_first(block)
        if isinstance(block, str) and block not in blocks:
            assert [line for line in block.split("\n") if lines.count(line) != 1] == []
        else:
            # Two devices have the same line of theory; each table has a title of its own.
            assert blocks.count(block) == (1 if not isinstance(block, str) else blocks.count(block))
            assert block in blocks


def test_memory_links_and_copies_between_gpus_have_scales_of_their_own(write_up):
    pictures = {figure.name: figure.picture for figure in write_up.figures}
    assert list(pictures)[:3] == ["in-short", "rates-of-gpus", "rates-of-links"]
    memory, links = pictures["rates-of-gpus"], pictures["rates-of-links"]
    assert isinstance(memory, Bars)
    assert isinstance(links, Bars)
    assert [title for title, _ in memory.panels] == ["device 0", "device 1", "devices 0,1"]
    assert max(bar.value for _, bars in links.panels for bar in bars) < 100
    matrix = pictures["between-gpus-one-way-direct-access-on"]
    assert isinstance(matrix, Heatmap)
    assert matrix.texts == (("-", "380.00"), ("381.00", "-"))
    assert "2 pairs" in str(pictures["samples"])


def test_a_sweep_alone_has_no_rates_that_stand_for_themselves(record):
    swept = replace(record, results=tuple(one for one in record.results if "sweep_point" in one.case.variant))
    curves, _, summary, *_ = make_write_up([swept]).sections
    assert curves.title == "By size"
    assert summary.blocks[-1] == NO_RATES


def test_the_roof_is_one_devices_memory(record):
    figures = {figure.name: figure for figure in make_write_up([record], flops=34e12).figures}
    assert "the median of read, cuda, device 0" in figures["roofline"].caption
    assert [mark.label for mark in figures["roofline"].picture.roofs] == [
        "measured 4,496.00 GB/s",
        "theory 4,916.74 GB/s",
    ]


def test_a_host_beside_gpus_is_named_and_has_its_own_table(record, make_result, make_record):
    both = make_record(make_result(), *record.results, machine=dict(record.machine))
    found = make_write_up([both])
    assert found.title == "Memory bandwidth of Example and 2 x NVIDIA H200"
    summary = next(section for section in found.sections if section.title == "Summary").blocks
    assert str(summary[0]).startswith("Host memory of Example")
    assert summary[1].columns[0].header == "threads"
    assert [name for name in ("rates", "rates-of-gpus") if name in [figure.name for figure in found.figures]] == [
        "rates",
        "rates-of-gpus",
    ]


@pytest.mark.parametrize("format_name", ["markdown", "latex"])
def test_without_a_place_for_figures_no_part_is_empty(write_up, format_name):
    text = text_alone(write_up, FORMS[format_name])
    assert "By size" in text
    assert "Rates and theory" not in text
    assert "All samples" not in text
