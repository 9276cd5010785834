"""The write-up: whole in its three formats, with the numbers of the others, and nothing in it that is not text.

`BANDWIDTH_WRITE_GOLDEN=1` writes the golden files anew: look at the difference before it is kept.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bandwidth.analysis.plain_results import plain_results
from bandwidth.findings import examine
from bandwidth.plain_text import escaped
from bandwidth.report import FORMATS, render
from bandwidth.report.measurement import measurement_document
from bandwidth.report.write_up.anonymise import anonymised
from bandwidth.report.write_up.content import NO_FINDINGS, make_write_up
from bandwidth.report.write_up.html import html_page
from bandwidth.report.write_up.latex import latex_text
from bandwidth.report.write_up.markdown import markdown_text
from bandwidth.results import summarise
from bandwidth.results.files import load, record_to_json
from bandwidth.units import format_percent, format_rate

DATA = Path(__file__).parents[2] / "data" / "report"
EVIL = "a|<script>alert('x')</script>_%&#$~^{}\\=cmd()\nnext [b] --x"
WRITERS = {"html": html_page, "markdown": markdown_text, "latex": latex_text}


@pytest.fixture(scope="module")
def record():
    return load(DATA / "record.json")


@pytest.fixture(scope="module")
def write_up(record):
    return make_write_up([record], flops=1e12)


def stubs(write_up):
    """Return each figure as its name: how it looks is tested by itself."""
    return {figure.name: f"figures/{figure.name}.x" for figure in write_up.figures}


def written(format_name, *records, **options):
    found = make_write_up(records, **options)
    return WRITERS[format_name](found, stubs(found))


def plain(format_name, text):
    """Return a document's text as it is read: markup and escapes taken back, every blank a single space."""
    if format_name == "html":
        text = re.sub(r"</?span[^>]*>", "", text.split("</style>")[-1])
        text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    elif format_name == "latex":
        text = re.sub(r"\\allowbreak\{\}|\\nopagebreak", "", text).replace("-{}-", "--").replace("\\%", "%")
        text = text.replace("\\_", "_").replace("&", " ").replace("\\textquotesingle{}", "'").replace("{[}", "[")
        text = text.replace("\\textquotedbl{}", '"')
    elif format_name == "markdown":
        text = html.unescape(re.sub(r"\\(.)", r"\1", text)).replace("|", " ")
    return " ".join(text.split())


@pytest.mark.parametrize(("format_name", "file"), [("html", "one.html"), ("markdown", "one.md"), ("latex", "one.tex")])
def test_a_write_up_whole(format_name, file, write_up):
    text = WRITERS[format_name](write_up, stubs(write_up))
    if os.environ.get("BANDWIDTH_WRITE_GOLDEN"):
        (DATA / file).write_text(text, "utf-8")
    assert text == (DATA / file).read_text("utf-8")


# --- the same numbers everywhere ------------------------------------------------------------------------------------


def shown_figures(record):
    """Return what a reader must find of each rate that stands for itself: median, best, efficiency."""
    for result in plain_results(record):
        summary = summarise(result)
        if summary.median_bytes_per_s is not None:
            texts = [format_rate(summary.median_bytes_per_s), format_rate(summary.best_bytes_per_s)]
            is_possible = summary.efficiency is not None and summary.efficiency <= 1
            yield result, [*texts, format_percent(summary.efficiency) if is_possible else "INVALID"]


@pytest.mark.parametrize("format_name", ["table", "markdown", "html", "latex"])
def test_the_formats_for_people_carry_the_same_numbers(format_name, record):
    text = plain(format_name, render(measurement_document(record, examine(record)), format_name))
    assert [one for _, texts in shown_figures(record) for one in texts if one not in text] == []


@pytest.mark.parametrize("format_name", WRITERS)
def test_the_write_up_carries_the_same_numbers_in_each_row(format_name, record):
    text = plain(format_name, written(format_name, record))
    for result, numbers in shown_figures(record):
        case = result.case
        median, best, share = map(re.escape, numbers)
        how = f"{case.engine} {case.variant.get('stores', '-')}"
        start, count = rf"\b{case.threads} {case.path} {median}!? {share}", len(result.samples.seconds)
        assert re.search(rf"{start} [\d.,]+ [\d.,-]+ {best}!? {count} {how}", text), case.id


def test_json_and_csv_carry_them_with_every_digit(record):
    document = measurement_document(record, examine(record))
    from_json = {one["id"]: one for one in json.loads(render(document, "json"))["results"]}
    from_csv = {one["id"]: one for one in csv.DictReader(io.StringIO(render(document, "csv")))}
    assert set(from_json) == set(from_csv) == {result.case.id for result in record.results}
    for result in record.results:
        median = summarise(result).median_bytes_per_s
        assert from_json[result.case.id]["median_bytes_per_s"] == median
        assert from_csv[result.case.id]["median_bytes_per_s"] == ("" if median is None else repr(median))
    assert set(FORMATS) == {"table", "markdown", "csv", "json", "latex", "html"}


@pytest.mark.parametrize("format_name", WRITERS)
def test_all_that_the_terminal_shows_stands_in_the_write_up(format_name, record):
    text = plain(format_name, written(format_name, record))
    document = measurement_document(record, examine(record))
    for block in (block for block in document.blocks[1:] if isinstance(block, str)):
        assert all(plain("text", line) in text for line in block.split("\n"))
    codes = {remark.split(":")[0] for remark in document.remarks}
    assert codes
    assert all(f"{code}: " in text for code in codes)


@pytest.mark.parametrize("format_name", WRITERS)
def test_the_unit_is_the_one_asked_for(format_name, record):
    text = written(format_name, record, unit="MB/s")
    assert "median MB/s" in text
    assert "75,000.00" in text
    assert "75,000.00" not in written(format_name, record)


# --- provenance -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", WRITERS)
def test_the_provenance_names_command_versions_machine_load_and_times(format_name, record):
    text = plain(format_name, written(format_name, record))
    for part in (
        "bandwidth measure all --facts /home/alice/facts.json --save runs/node7.json",
        "taken at 2026-01-02T03:04:05+00:00",
        "numpy version 2.1.0",
        "kernel 6.1.0",
        "Example GPU",
        "load average 1min 0.1 0.1",
        "cpus allowed 0-7",
        "46 measured, 1 not run",
    ):
        assert part in text, part


def test_facts_without_their_sources_stand_alone(make_record, make_result):
    text = written("markdown", make_record(make_result()))
    assert "| cpus allowed   | 0-7" in text


# --- several records, few results -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", WRITERS)
def test_several_records_stand_one_after_the_other(format_name, record, make_record, make_result):
    other = make_record(make_result(), machine={"cpu_model": "Other", "hostname": "b"})
    text = plain(format_name, written(format_name, record, other))
    assert text.index("Record 1: Example 8-Core Processor") < text.index("Record 2: Other")
    found = make_write_up([record, other])
    assert {figure.name.split("-")[1] for figure in found.figures} == {"1", "2"}
    assert len({figure.name for figure in found.figures}) == len(found.figures)


def test_a_quiet_record_says_that_nothing_was_found(make_record, make_result):
    record = make_record(make_result(theory_bytes_per_s=None), memory={}, machine={})
    if not examine(record).codes():
        assert NO_FINDINGS in written("html", record)


def test_without_figures_there_are_none(record):
    found = make_write_up([record], figures=False)
    assert found.figures == ()
    assert "All samples" not in [section.title for section in found.sections]
    assert "figure" not in html_page(found, {}).split("</style>")[1]


# --- what would break a format --------------------------------------------------------------------------------------


def evil(record):
    machine = {"hostname": EVIL, "cpu_model": EVIL, "gpus": [{"name": EVIL}], EVIL: EVIL}
    first = replace(record.results[0], theory_source=EVIL, failure=EVIL)
    second = replace(record.results[1], case=replace(record.results[1].case, path=EVIL, engine=EVIL))
    return replace(
        record,
        machine=machine,
        command=("bandwidth", "measure", EVIL),
        notes=(EVIL,),
        results=(first, second, *record.results[2:]),
        memory={"spec": EVIL, "source": EVIL, "bytes_per_s": 1e9, "working": EVIL},
    )


class Tags(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open = set(), set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_shows_markup_and_never_runs_it(record):
    text = written("html", evil(record))
    page = Tags()
    page.feed(text)
    assert page.open == []
    assert "script" not in page.tags
    assert not {name for name in page.attributes if name.startswith("on")}
    assert html.escape(escaped(EVIL)) in text
    assert "http" not in re.sub(r'<meta http-equiv="Content-Security-Policy"', "", text)


def test_markdown_has_no_markup_of_a_name(record):
    text = written("markdown", evil(record))
    assert "<" not in text
    widths = [
        {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table.strip().splitlines()}
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    ]
    assert widths
    assert all(len(width) == 1 for width in widths)
    assert "&lt;script&gt;" in text
    assert r"\_%" in text


def test_latex_has_no_command_of_a_name(record):
    text = written("latex", evil(record))
    body = text.split("\\begin{document}")[1]
    assert r"\_\%\&\#\$" in body
    known = r"\\(?:[%&#$_{}\\^]|(?:text\w+|ensuremath|begin|end|item|toprule|midrule|bottomrule|end(?:first)?head|par"
    known += (
        r"|small|medskip|footnotesize|nopagebreak|allowbreak|subsection|fitted|linewidth|multicolumn|makebox|maketitle"
    )
    known += r"|setlength|itemsep|raggedright|arraybackslash)(?![a-z]))"
    assert "\\" not in re.sub(known, "", body)
    assert not re.search(r"\\\\\s*\[", body), "a bracket after a new line is its argument"
    assert "--" not in body.replace("-{}-", ""), "two hyphens become a dash"


def test_what_latin_1_lacks_stands_as_its_number_in_latex(make_record, make_result):
    text = written("latex", make_record(make_result(), machine={"cpu_model": "Prozessor \u00fc \u4e2d"}))
    assert "\u00fc" in text
    assert "[U+4E2D]" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\nb"), ("a\x1b[0m", "a\\x1b[0m"), ("\u202eab", "\\u202eab"), ("\u00fc \u4e2d", "\u00fc \u4e2d")],
)
def test_what_does_not_print_is_written_out(text, shown):
    assert escaped(text) == shown


# --- without names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", WRITERS)
def test_anonymised_nothing_names_machine_or_owner(format_name, record):
    whole, bare = written(format_name, record), written(format_name, anonymised(record))
    for name in ("node7", "alice", "SN-0042", "01234567-89ab", "runs/"):
        assert name in plain(format_name, whole) or name == "01234567-89ab"
        assert name not in bare
    assert "--facts [file] --save [file]" in plain(format_name, bare).replace("'", "")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("on node7: read", "on [host]: read"),
        ("node7.example.org", "[host]"),
        ("node70 and anode7", "node70 and anode7"),
        ("from /home/bob/x.json, 2", "from [file], 2"),
        ("C:\\Users\\bob\\x.json", "[file]"),
        ("~bob/x and ../x", "[file] and [file]"),
        ("/proc/cpuinfo at 3 GB/s", "/proc/cpuinfo at 3 GB/s"),
        ("52:54:00:12:34:56", "[id]"),
    ],
)
def test_names_in_a_text(text, left, record):
    assert anonymised(replace(record, notes=(text,))).notes == (left,)


def test_anonymising_keeps_every_number(record):
    before, after = (record_to_json(one, examine(one))["results"] for one in (record, anonymised(record)))
    assert [one["median_bytes_per_s"] for one in before] == [one["median_bytes_per_s"] for one in after]
    assert [one["id"] for one in before] == [one["id"] for one in after]


@pytest.mark.parametrize("command", [("-o", "secret"), ("--save=secret",), ("secret.json",), ("--facts", "secret")])
def test_files_in_a_command_are_left_out(command, record):
    assert "secret" not in " ".join(anonymised(replace(record, command=("bandwidth", *command))).command)


def test_csv_has_no_formula_of_a_name(record):
    first = replace(record.results[0], theory_source="=cmd()", case=replace(record.results[0].case, target=EVIL))
    shown = replace(record, results=(first, *record.results[1:]))
    rows = list(csv.DictReader(io.StringIO(render(measurement_document(shown, examine(shown)), "csv"))))
    assert len(rows) == len(record.results)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]
    assert rows[0]["target"] == EVIL
