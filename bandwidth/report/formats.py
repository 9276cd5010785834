"""The table of formats: each turns a Document into one text that ends in a new line."""

from __future__ import annotations

import io
import re
import textwrap
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from bandwidth.plain_text import one_line, visible
from bandwidth.report.document import Column, Document, Table, Verbatim
from bandwidth.report.markup import as_html, as_latex, paragraphs

# Backslashes stand before what CommonMark and older readers alike take literally then; markup needs entities.
_MARKDOWN_MARKS = str.maketrans(
    {**{mark: f"\\{mark}" for mark in "\\`*_[]"}, "&": "&amp;", "<": "&lt;", ">": "&gt;", "~": "&#126;", "$": "&#36;"}
)
# What makes a heading, a list, a rule, a quote or a table of a line that begins so.
_MARKDOWN_BEGINNING = re.compile(r"^(\s*)([#+=|-]|[0-9]+[.)](?=\s|$))", re.MULTILINE)
# What GitHub makes a link of by itself (GFM, "Autolinks"), and other readers for other schemes.
_MARKDOWN_ADDRESS = re.compile(r"\b(?:[a-z][a-z0-9+.-]*:(?=//)|(?:mailto|xmpp|javascript|data):|www\.)", re.IGNORECASE)

DEFAULT_WIDTH = 80
# What a spreadsheet takes for the start of a formula (OWASP, CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# A number stays on the line of its unit.
_NUMBER_WITH_UNIT = re.compile(r"(\d) (%|(?:[GMk]i?B/s|[KMG]iB|MT/s|MHz|Gbps|GT/s|bytes?|bits?|s|ms|us|ns|GHz)\b)")
_GAP = "  "  # between two columns
# A finding on the screen: what follows its mark is set in behind it.
_MARKED = re.compile(r" +(?:!!|ok|--)  ")
LONGEST_BAR = 30
# A shorter one shows nothing that the numbers do not.
SHORTEST_SCALE = 8
_FULL_BLOCK = "\N{FULL BLOCK}"
# Eighths of a column, from one to seven.
_PARTS = "\u258f\u258e\u258d\u258c\u258b\u258a\u2589"
_STEPS = len(_PARTS) + 1
_ASCII_BAR = "#"
_NO_BREAK = "\N{NO-BREAK SPACE}"


def render(document: Document, format_name: str, width: int = DEFAULT_WIDTH, *, blocks: bool = False) -> str:
    """Return the document as text in one of FORMATS.

    Plain text wraps its lines to `width` columns, and draws bars with block characters where `blocks` says that they
    can be shown, else in ASCII. No text of a record or a machine brings control characters or markup with it. Raises
    KeyError for another name: the command line has checked it.
    """
    document = _shown(document)
    if format_name == "table":
        return _as_table(document, width, blocks=blocks)
    return FORMATS[format_name](document)


def _shown(document: Document) -> Document:
    """Return the document with every text safe to show; a cell and a remark are a line each. JSON has escapes."""
    blocks = tuple(shown_table(block) if isinstance(block, Table) else _shown_text(block) for block in document.blocks)
    return replace(document, blocks=blocks, remarks=tuple(map(visible, document.remarks)))


def _shown_text(text: str) -> str:
    return Verbatim(visible(text)) if isinstance(text, Verbatim) else visible(text)


def shown_table(table: Table) -> Table:
    """Return a table with every text safe to show, each header and cell on a line."""
    columns = tuple(replace(column, header=one_line(column.header)) for column in table.columns)
    rows = tuple(tuple(visible(cell).replace("\n", " ") for cell in row) for row in table.rows)
    return replace(table, columns=columns, rows=rows, title=visible(table.title))


# --- plain text -----------------------------------------------------------------------------------------------------


def _as_table(document: Document, width: int = DEFAULT_WIDTH, *, blocks: bool = False) -> str:
    tables = [part for part in document.blocks if isinstance(part, Table)]
    texts = _text_tables(tables, width, blocks=blocks)
    parts = [texts.pop(0) if isinstance(part, Table) else wrapped(part, width) for part in document.blocks]
    remarks = "\n".join(wrapped(remark, width) for remark in document.remarks)
    return paragraphs([*parts, *([remarks] if remarks else [])])


def wrapped(text: str, width: int) -> str:
    """Wrap each line, what follows set in by two, or behind the mark of a finding; a line's own indent stays.

    What is Verbatim stays as it is.
    """
    if isinstance(text, Verbatim):
        return text
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    found = _MARKED.match(line)
    indent = line[: len(line) - len(line.lstrip(" "))] + "  " if found is None else " " * len(found[0])
    whole = _NUMBER_WITH_UNIT.sub(rf"\1{_NO_BREAK}\2", line)
    wrapped = textwrap.fill(whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return wrapped.replace(_NO_BREAK, " ")


def _text_tables(tables: Sequence[Table], width: int, *, blocks: bool) -> list[str]:
    """Return the text of each table; those with the same columns are laid out as one, so that they line up."""
    alike: dict[tuple[Column, ...], list[tuple[str, ...]]] = {}
    for table in tables:
        alike.setdefault(table.columns, []).extend(table.rows)
    bodies = {columns: _laid_out(columns, rows, width) for columns, rows in alike.items()}
    texts = []
    for table in tables:
        head, lines = bodies[table.columns]
        own, bodies[table.columns] = lines[: len(table.rows)], (head, lines[len(table.rows) :])
        texts.append(_text_table(table, head, own, width, blocks=blocks))
    return texts


def _laid_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> tuple[list[str], list[str]]:
    """Return the lines of the header with its rule, and the text of each row, which may have several lines.

    Headers that may take two lines do so where the rows would be too wide otherwise, and are not with them.
    """
    cells = [[_wrapped_cell(cell, column.wrap_at) for cell, column in zip(row, columns, strict=True)] for row in rows]
    table = Table(tuple(columns), tuple(map(tuple, cells)))
    body = _tabulated(table, "simple")
    if _width(body) > width and _width(shorter := _tabulated(_with_short_headers(table), "simple")) <= width:
        body = shorter
    while _width(body) > width and any(column.spare for column in table.columns):
        table = _without_spare(table)
        body = _tabulated(table, "simple")
    lines = body.split("\n")
    heights = [max(cell.count("\n") + 1 for cell in row) for row in table.rows]
    start = len(lines) - sum(heights)
    ends = list(accumulate(heights, initial=start))
    return lines[:start], ["\n".join(lines[low:high]) for low, high in pairwise(ends)]


def _without_spare(table: Table) -> Table:
    """Return the table without the column that can be spared first."""
    place = max(range(len(table.columns)), key=lambda number: table.columns[number].spare)
    columns = (*table.columns[:place], *table.columns[place + 1 :])
    return replace(table, columns=columns, rows=tuple((*row[:place], *row[place + 1 :]) for row in table.rows))


def _text_table(table: Table, head: Sequence[str], rows: Sequence[str], width: int, *, blocks: bool) -> str:
    lines, reach = [*head, *rows], max(map(_width, (*head, *rows)))
    bars = drawn_bars(table.bars, width - reach - len(_GAP), blocks=blocks)
    if bars is not None:
        rule = "-" * max(map(len, bars))
        beside = (*[""] * (len(head) - 1), rule, *bars)
        lines = [_with_bar(line, bar, reach) for line, bar in zip(lines, beside, strict=True)]
    return "\n".join([*([table.title] if table.title else []), *lines])


def _with_bar(row: str, bar: str, reach: int) -> str:
    """Return a row's text with its bar beside the first line, `reach` columns away."""
    first, *others = row.split("\n")
    return "\n".join(line.rstrip() for line in (f"{first:<{reach}}{_GAP}{bar}", *others))


def drawn_bars(values: Sequence[float | None], columns: int, *, blocks: bool) -> tuple[str, ...] | None:
    """Return a bar for each value, the largest LONGEST_BAR columns long or as long as there is room.

    None where the room is too small. With `blocks` a bar is exact to an eighth of a column, else it is made of `#`.
    What is above zero has a bar however short.
    """
    longest = max((value for value in values if value is not None), default=0.0)
    room = min(LONGEST_BAR, columns)
    if room < SHORTEST_SCALE or longest <= 0:
        return None
    return tuple("" if value is None else _bar(value / longest * room, blocks=blocks) for value in values)


def _bar(length: float, *, blocks: bool) -> str:
    """Return a bar of so many columns, at least the smallest step of one where the length is above zero."""
    if length <= 0:
        return ""
    if not blocks:
        return _ASCII_BAR * max(round(length), 1)
    whole, part = divmod(max(round(length * _STEPS), 1), _STEPS)
    return _FULL_BLOCK * whole + (_PARTS[part - 1] if part else "")


def _with_short_headers(table: Table) -> Table:
    """Return the table with headers that take two lines, of those that may, where they are wider than their cells."""
    cells = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.columns)
    columns = [
        replace(column, header=_short_header(column.header, below)) if column.two_lines else column
        for column, below in zip(table.columns, cells, strict=True)
    ]
    return replace(table, columns=tuple(columns))


def _short_header(header: str, cells: Sequence[str]) -> str:
    room = max([1, *map(_width, cells)])
    return textwrap.fill(header, room, break_long_words=False, break_on_hyphens=False)


def _width(text: str) -> int:
    return max(map(len, text.split("\n")))


def _wrapped_cell(cell: str, wrap_at: int | None) -> str:
    return cell if wrap_at is None else textwrap.fill(cell, wrap_at)


# --- Markdown -------------------------------------------------------------------------------------------------------


def _as_markdown(document: Document) -> str:
    blocks = [_markdown_table(block) if isinstance(block, Table) else _markdown(block) for block in document.blocks]
    return paragraphs([*blocks, *(f"- {_markdown(remark)}" for remark in document.remarks)])


def _markdown_table(table: Table) -> str:
    columns = tuple(Column(_markdown_cell(column.header), column.align) for column in table.columns)
    rows = tuple(tuple(_markdown_cell(cell) for cell in row) for row in table.rows)
    body = _tabulated(Table(columns, rows), "pipe")
    return f"**{_markdown_cell(table.title)}**\n\n{body}" if table.title else body


def _markdown_cell(text: str) -> str:
    """Return a text for a cell: on one line, no markup, and no end of the cell."""
    return _without_marks(text).replace("\n", " ").replace("|", r"\|")


def markdown_escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: no markup inside its lines and none that begins one, no link."""
    return _MARKDOWN_BEGINNING.sub(r"\1\\\2", _without_marks(text))


def _without_marks(text: str) -> str:
    return _MARKDOWN_ADDRESS.sub(_unlinked, text.translate(_MARKDOWN_MARKS))


def _unlinked(found: re.Match[str]) -> str:
    """Return the start of an address so that a reader who makes links of bare addresses makes none of it."""
    return found[0].replace(":", "&#58;").replace(".", "&#46;")


def _markdown(text: str) -> str:
    """Return lines that stay lines, by two spaces at the end of each but the last, and no markup in them.

    What is Verbatim stands in a fence longer than any row of backticks in it.
    """
    if isinstance(text, Verbatim):
        fence = "`" * max(3, *(len(row) + 1 for row in re.findall("`+", text)), 0)
        return f"{fence}text\n{text}\n{fence}"
    return markdown_escaped(text).replace("\n", "  \n")


# --- what tabulate lays out -----------------------------------------------------------------------------------------


# tabulate has one padding for all who use it in a process: ours is set for one table at a time.
_PADDING_LOCK = threading.Lock()


def _tabulated(table: Table, style: str) -> str:
    import tabulate  # a program that asks for another format need not wait for it

    with _PADDING_LOCK:
        before = tabulate.MIN_PADDING
        tabulate.MIN_PADDING = 0  # a header needs no more room than its column: two spaces would be added to each
        try:
            # The texts are final: tabulate is not to read numbers into them and write them anew.
            return tabulate.tabulate(
                table.rows,
                headers=[column.header for column in table.columns],
                tablefmt=style,
                colalign=[column.align for column in table.columns] if table.rows else None,
                disable_numparse=True,
            )
        finally:
            tabulate.MIN_PADDING = before


# --- for programs ---------------------------------------------------------------------------------------------------


def _as_json(document: Document) -> str:
    import json  # here and below: only this format needs it, and a table is to appear at once

    return json.dumps(document.data, indent=2, allow_nan=False) + "\n"


def _as_csv(document: Document) -> str:
    """Return one header and one row a result; a list is joined by semicolons, an unknown is empty."""
    import csv

    fields = list(dict.fromkeys(name for record in document.records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n", restval="")
    writer.writeheader()
    for record in document.records:
        writer.writerow({name: _csv_cell(value) for name, value in record.items()})
    return text.getvalue()


def _csv_cell(value: object) -> object:
    """Return a value for a cell; a text that a spreadsheet would work out as a formula is quoted."""
    if isinstance(value, (list, tuple)):
        value = "; ".join(str(item) for item in value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        value = f"'{value}"
    if isinstance(value, str):
        return visible(value)
    return "" if value is None else value


# --- the one list ---------------------------------------------------------------------------------------------------


FORMATS: dict[str, Callable[[Document], str]] = {
    "table": _as_table,
    "markdown": _as_markdown,
    "csv": _as_csv,
    "json": _as_json,
    "latex": as_latex,
    "html": as_html,
}
