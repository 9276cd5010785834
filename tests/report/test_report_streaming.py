"""A long table written piece by piece: with one piece as whole documents are, with several as one of them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from bandwidth.report import FORMATS, render
from bandwidth.report.streaming import streamed
from bandwidth.report.theory import TheoryRow, TheoryView, theory_document
from bandwidth.theory import peaks

SPECS = ["DDR4-2933 x4", "H200", "PCIe 4.0 x16", "EPYC 9755", "DDR4-3200", "GDDR6 14Gbps 256-bit", "DDR4-1600 x1024"]
VIEW = TheoryView(all_columns=True)


def document(*specs, view=VIEW):
    return theory_document([TheoryRow(peak) for spec in specs for peak in peaks(spec)], view)


def written(format_name, *pieces):
    return "".join(streamed(pieces, format_name, 80))


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("view", [VIEW, replace(VIEW, explain=True)])
def test_a_single_piece_is_the_whole_document(format_name, view):
    whole = document(*SPECS, view=view)
    assert written(format_name, whole) == render(whole, format_name)
    assert written(format_name) == ""


@pytest.mark.parametrize("format_name", ["csv", "json"])
def test_pieces_for_programs_are_the_same_text_as_the_whole(format_name):
    pieces = [document(*SPECS[:2]), document(*SPECS[2:5]), document(*SPECS[5:])]
    assert written(format_name, *pieces) == render(document(*SPECS), format_name)


@pytest.mark.parametrize("format_name", ["table", "markdown", "html", "latex"])
def test_pieces_for_people_have_one_header_and_every_cell(format_name):
    pieces, whole = [document(*SPECS[:2]), document(*SPECS[2:5]), document(*SPECS[5:])], document(*SPECS)
    text = written(format_name, *pieces)
    expected = render(whole, format_name)

    def words(text):
        return [" ".join(re.sub("([<>&])", r" \1 ", line).split()) for line in text.splitlines()]

    bare = [[line for line in words(one) if "-----" not in line] for one in (text, expected)]
    assert bare[0] == bare[1]


def test_columns_keep_the_width_of_the_first_piece():
    text = written("table", document(*SPECS[:2]), document("PCIe 4.0 x16"), document("H200 SXM"))
    lines = text.split("\n\n")[0].splitlines()
    end_of_peaks = lines[0].index("peak GB/s") + len("peak GB/s") - 1
    assert all(
        line[end_of_peaks].isdigit() and line[end_of_peaks + 1 : end_of_peaks + 3].strip() == "" for line in lines[2:]
    )
    wide = written("table", document("DDR4-3200"), document("DDR4-1600 x1024")).splitlines()
    assert " ".join(wide[-1].split()) == "DDR4-1600 x1024 1600 MT/s x 64 bit x 1024 13,107.20"


def test_what_must_not_be_missed_stands_once_below_the_last_row():
    text = written("table", document("H200"), document("DDR4-2933"), document("H200"))
    assert text.count("H200: 3201 MHz") == 1
    assert text.index("DDR4-2933") < text.rindex("H200 ") < text.index("H200: 3201 MHz")


def test_workings_stand_below_the_piece_that_they_are_of():
    view = replace(VIEW, explain=True)
    text = written("table", document("DDR4-2933", view=view), document("DDR4-3200", view=view))
    assert text.index("source:") < text.index("DDR4-3200")
    assert text.count("peak GB/s") == 2


def test_a_list_of_numbers_and_texts_is_json_as_it_would_be_whole():
    records = [{"a": [], "b": {}, "c": [1, 2.5, None, True, {"d": "\u00e9\n"}], "e": 1e300, "f": "x"}, {"a": False}]
    pieces = [
        replace(document("DDR4-2933"), data={"schema": "x/1", "results": [one]}, records=[one]) for one in records
    ]
    assert written("json", *pieces) == json.dumps({"schema": "x/1", "results": records}, indent=2) + "\n"
    bad = replace(pieces[0], records=[{"a": float("nan")}])
    with pytest.raises(ValueError, match="not JSON compliant"):
        written("json", bad)


def test_cells_of_csv_are_quoted_in_every_piece():
    text = written("csv", document("DDR4-2933"), document("H200"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["query"] for row in rows] == ["DDR4-2933", "H200", "H200"]
