"""The six formats: a small document whole in each, what would break a format escaped in it, and bars to one scale."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import pytest
import tabulate
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.plain_text import visible
from bandwidth.report import FORMATS, Column, Document, Table, render
from bandwidth.report.formats import LONGEST_BAR, SHORTEST_SCALE, drawn_bars
from bandwidth.report.markup import html_table, latex_table

RECORDS = [
    {"name": "DDR4-2933 x4", "bytes_per_s": 93866666666.66667, "notes": ["one", "two"]},
    {"name": "a|b <script>", "bytes_per_s": None, "notes": []},
]
SMALL = Document(
    blocks=(
        Table(
            (Column("name"), Column("GB/s", "right")),
            (("DDR4-2933 x4", "93.87"), ("a|b <script>", "1e3")),
            title="Peaks",
        ),
        "One line.\nAnother.",
    ),
    data={"schema": "test/1", "results": RECORDS},
    records=RECORDS,
    remarks=("BW001: a remark of 50 %.",),
)
GOLDEN = {
    "table": """\
Peaks
name           GB/s
------------  -----
DDR4-2933 x4  93.87
a|b <script>    1e3

One line.
Another.

BW001: a remark of 50 %.
""",
    "markdown": """\
**Peaks**

| name                |  GB/s |
|:--------------------|------:|
| DDR4-2933 x4        | 93.87 |
| a\\|b &lt;script&gt; |   1e3 |

One line.\x20\x20
Another.

- BW001: a remark of 50 %.
""",
    "csv": """\
name,bytes_per_s,notes
DDR4-2933 x4,93866666666.66667,one; two
a|b <script>,,
""",
    "json": """\
{
  "schema": "test/1",
  "results": [
    {
      "name": "DDR4-2933 x4",
      "bytes_per_s": 93866666666.66667,
      "notes": [
        "one",
        "two"
      ]
    },
    {
      "name": "a|b <script>",
      "bytes_per_s": null,
      "notes": []
    }
  ]
}
""",
    "latex": """\
Peaks

\\begin{tabular}{lr}
\\toprule
 name         &  GB/s \\\\
\\midrule
 DDR4-2933 x4 & 93.87 \\\\
 a|b \\ensuremath{<}script\\ensuremath{>} &   1e3 \\\\
\\bottomrule
\\end{tabular}

One line. \\\\
Another.

BW001: a remark of 50 \\%.
""",
    "html": """\
<table>
<caption>Peaks</caption>
<thead>
<tr><th>name        </th><th style="text-align: right;"> GB/s</th></tr>
</thead>
<tbody>
<tr><td>DDR4-2933 x4</td><td style="text-align: right;">93.87</td></tr>
<tr><td>a|b &lt;script&gt;</td><td style="text-align: right;">  1e3</td></tr>
</tbody>
</table>

<p>One line.<br>
Another.</p>

<p>BW001: a remark of 50 %.</p>
""",
}


def table_of(*cells, header="name", title=""):
    return Document((Table((Column(header),), tuple((cell,) for cell in cells), title),), {}, [])


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_small_document_whole(format_name):
    assert render(SMALL, format_name) == GOLDEN[format_name]


def test_every_format_is_tried():
    assert tuple(FORMATS) == tuple(GOLDEN)


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_text_ends_in_one_new_line(format_name):
    text = render(SMALL, format_name)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_an_unknown_format_is_a_key_error():
    with pytest.raises(KeyError):
        render(SMALL, "xml")


@pytest.mark.parametrize("format_name", ["table", "markdown", "latex", "html"])
def test_number_like_texts_are_not_written_anew(format_name):
    text = render(table_of("1e3", "007", "1,234.50", "0x10", "-", "1.10"), format_name)
    for cell in ("1e3", "007", "1,234.50", "0x10", "1.10"):
        assert cell in text


def test_a_pipe_in_markdown_does_not_begin_a_column():
    text = render(table_of("a|b", header="c|d"), "markdown")
    assert r"| a\|b" in text
    assert r"| c\|d" in text
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 2 for line in text.splitlines())


def test_html_shows_markup_and_never_runs_it():
    evil = "<script>alert('x')</script> & \"quoted\""
    document = Document((*table_of(evil, header=evil, title=evil).blocks, evil), {}, [], (evil,))
    text = render(document, "html")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5
    assert set(re.findall(r"</?([a-z]+)", text)) == {"table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    assert evil in html.unescape(text)


LATEX = {"%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", ">": r"\ensuremath{>}",
         "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "<": r"\ensuremath{<}"}  # fmt: skip


@pytest.mark.parametrize(("character", "written"), LATEX.items())
def test_specials_of_latex_are_escaped_everywhere(character, written):
    text = f"a{character}b"
    document = Document((*table_of(text, header=text, title=text).blocks, text), {}, [], (text,))
    assert render(document, "latex").count(f"a{written}b") == 5
    assert f"a{character}b" not in render(document, "latex")


def test_the_hat_is_escaped_in_latex_too():
    text = render(Document((*table_of("a^b").blocks, "a^b"), {}, []), "latex")
    assert r"a\^{}b" in text
    assert r"a\textasciicircum{}b" in text
    assert "a^b" not in text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_never_carries_what_is_no_json(number):
    with pytest.raises(ValueError, match="Out of range float values"):
        render(Document((), {"rate": number}, []), "json")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_and_csv_keep_every_digit(number):
    document = Document((), {"rate": number}, [{"rate": number}])
    assert json.loads(render(document, "json"))["rate"] == number
    (row,) = csv.DictReader(io.StringIO(render(document, "csv")))
    assert float(row["rate"]) == number


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=4))
def test_csv_is_read_back_whatever_stands_in_it(texts):
    records = [{"text": text, "other": None} for text in texts]
    rows = list(csv.DictReader(io.StringIO(render(Document((), {}, records), "csv"))))
    quoted = [f"'{text}" if text[0] in "=+-@" else text for text in texts]
    assert rows == [{"text": visible(text), "other": ""} for text in quoted]


@pytest.mark.parametrize("name", ["=cmd()|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", "\t=1"])
def test_csv_holds_no_formula(name):
    text = render(Document((), {}, [{"host": name, "rate": -1.5, "list": [name, "b"]}]), "csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {"host": f"'{name}", "rate": "-1.5", "list": f"'{name}; b"}


def test_markdown_holds_no_markup_of_html():
    table = Table((Column("<b>"),), (("<script>x</script>|",),), "<i>")
    text = render(Document((table, "<u>"), {}, [], ("<s>",)), "markdown")
    assert "<" not in text
    assert "&lt;script&gt;x&lt;/script&gt;\\|" in text


def test_csv_has_the_fields_of_all_records_and_leaves_the_unknown_empty():
    records = [{"a": 1}, {"a": 2, "b": ["x", "y"]}, {"b": 'with "quotes", and\nlines'}]
    assert render(Document((), {}, records), "csv") == 'a,b\n1,\n2,x; y\n,"with ""quotes"", and\nlines"\n'


def test_csv_leaves_remarks_to_standard_error():
    assert "BW001" not in render(SMALL, "csv")


def test_plain_text_is_wrapped_and_what_follows_is_set_in():
    document = Document(("word " * 30 + "end", "  set in " + "word " * 20), {}, [], ("remark " * 20,))
    lines = render(document, "table", width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[1].startswith("  word")
    assert next(line for line in lines if "set in" in line).startswith("  set in")
    assert lines[lines.index(next(line for line in lines if "set in" in line)) + 1].startswith("    word")


def test_a_long_word_is_not_broken():
    word = "x" * 60 + "-" + "y" * 60
    assert word in render(Document((word,), {}, []), "table", width=40).splitlines()


def test_a_column_wraps_in_plain_text_where_it_says_so():
    document = Document((Table((Column("wide", wrap_at=10), Column("n")), (("one two three", "1"),)),), {}, [])
    assert render(document, "table") == "wide     n\n-------  -\none two  1\nthree\n"
    assert "one two three" in render(document, "markdown")


EIGHTHS = " ▏▎▍▌▋▊▉█"
VALUES = st.lists(st.none() | st.floats(0, 1e15), min_size=1, max_size=20)


def length(bar):
    """The columns that a bar fills, parts of a column as eighths."""
    return sum(1 if character == "#" else EIGHTHS.index(character) / 8 for character in bar)


def test_bars_begin_at_zero():
    assert drawn_bars([80.0, 40.0, 20.0, 0.0, None], 8, blocks=False) == ("#" * 8, "#" * 4, "##", "", "")
    assert drawn_bars([80.0, 45.0, 20.0, 0.0, None], 8, blocks=True) == ("█" * 8, "████▌", "██", "", "")


def test_what_is_there_is_seen():
    assert drawn_bars([1000.0, 0.001], 20, blocks=True)[1] == "▏"
    assert drawn_bars([1000.0, 0.001], 20, blocks=False)[1] == "#"


@pytest.mark.parametrize("values", [[], [None], [0.0, None]])
def test_nothing_to_draw_is_no_bar(values):
    assert drawn_bars(values, 30, blocks=True) is None


def test_without_room_there_are_no_bars():
    assert drawn_bars([1.0], SHORTEST_SCALE - 1, blocks=True) is None
    assert drawn_bars([1.0], SHORTEST_SCALE, blocks=True) is not None


@given(VALUES, st.integers(SHORTEST_SCALE, 100), st.booleans())
def test_bars_keep_to_their_room_and_their_order(values, columns, blocks):
    bars = drawn_bars(values, columns, blocks=blocks)
    known = [value for value in values if value is not None]
    if not any(known):
        assert bars is None
        return
    assert max(map(length, bars)) == min(columns, LONGEST_BAR)
    pairs = sorted((value, length(bar)) for value, bar in zip(values, bars, strict=True) if value is not None)
    assert [bar for _, bar in pairs] == sorted(bar for _, bar in pairs)
    longest = max(known)
    step = 1 / 8 if blocks else 1
    assert all(abs(bar - value / longest * min(columns, LONGEST_BAR)) <= step for value, bar in pairs)


def test_a_row_of_several_lines_keeps_its_bar_beside_the_first():
    columns = (Column("words", wrap_at=9), Column("n", "right"))
    table = Table(columns, (("one two three", "1"), ("four", "2")), bars=(1.0, 2.0))
    assert render(Document((table,), {}, []), "table", 30) == (
        "words    n\n-------  -  ------------------\none two  1  #########\nthree\nfour     2  ##################\n"
    )


# --- markup -----------------------------------------------------------------------------------------------------------

CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ["^~\\{}", "<&>#$%_", " x "]
)
COLUMNS = st.builds(Column, CELLS, st.sampled_from(["left", "right"]))


@given(st.lists(COLUMNS, min_size=1, max_size=4), st.data())
def test_tables_of_markup_are_those_that_tabulate_writes(columns, data):
    row = st.tuples(*(CELLS for _ in columns))
    table = Table(tuple(columns), tuple(data.draw(st.lists(row, min_size=1, max_size=4))))
    written = {"html": html_table(table), "latex_booktabs": latex_table(table)}
    for style, text in written.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tabulate, "MIN_PADDING", 0)
            expected = tabulate.tabulate(
                table.rows,
                headers=[column.header for column in columns],
                tablefmt=style,
                colalign=[column.align for column in columns],
                disable_numparse=True,
            )
        assert text == str(expected)


def test_a_table_without_rows_still_says_how_its_columns_stand():
    table = Table((Column("name"), Column("GB/s", "right")), ())
    assert "\\begin{tabular}{lr}" in latex_table(table)
    assert html_table(table).endswith("<tbody>\n</tbody>\n</table>")


def test_a_table_in_a_page_tells_its_headers_and_its_wide_cells():
    table = Table((Column("fact", wrap_at=22), Column("GB/s", "right")), (("a", "1"),), "Facts")
    assert html_table(table, in_page=True).split("\n")[1:6] == [
        "<caption><span>Facts</span></caption>",
        "<thead>",
        '<tr><th scope="col">fact</th><th scope="col" style="text-align: right;">GB/s</th></tr>',
        "</thead>",
        "<tbody>",
    ]
    row = '<tr><td class="wide">a   </td><td style="text-align: right;">   1</td></tr>'
    assert row in html_table(table, in_page=True)
