"""The table of formats: each turns a Document into one text that ends in a new line."""

from __future__ import annotations

import html
import io
import re
import textwrap
from collections.abc import Callable

import tabulate

from bandwidth.report.document import Column, Document, Table

_LATEX_SPECIALS = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{character: "\\" + character for character in "#$%&_{}"},
        **{character: rf"\ensuremath{{{character}}}" for character in "<>"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


DEFAULT_WIDTH = 80
# A number stays on the line of its unit.
_NUMBER_WITH_UNIT = re.compile(r"(\d) (%|(?:[GMk]i?B/s|[KMG]iB|MT/s|MHz|Gbps|GT/s|bytes?|bits?|s|ms|us)\b)")
_NO_BREAK = "\N{NO-BREAK SPACE}"


def render(document: Document, format_name: str, width: int = DEFAULT_WIDTH) -> str:
    """Return the document as text in one of FORMATS; plain text wraps its lines to `width` columns.

    Raises KeyError for another name: the command line has checked it.
    """
    if format_name == "table":
        return _as_table(document, width)
    return FORMATS[format_name](document)


def _as_table(document: Document, width: int = DEFAULT_WIDTH) -> str:
    blocks = [_text_table(block) if isinstance(block, Table) else _wrapped(block, width) for block in document.blocks]
    remarks = "\n".join(_wrapped(remark, width) for remark in document.remarks)
    return _joined([*blocks, *([remarks] if remarks else [])])


def _wrapped(text: str, width: int) -> str:
    """Wrap each line, what follows set in by two; a line's own indent stays."""
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip(" "))]
    whole = _NUMBER_WITH_UNIT.sub(rf"\1{_NO_BREAK}\2", line)
    wrapped = textwrap.fill(
        whole, width, subsequent_indent=indent + "  ", break_long_words=False, break_on_hyphens=False
    )
    return wrapped.replace(_NO_BREAK, " ")


def _as_markdown(document: Document) -> str:
    blocks = [_markdown_table(block) if isinstance(block, Table) else _markdown(block) for block in document.blocks]
    return _joined([*blocks, *(f"- {remark}" for remark in document.remarks)])


def _as_latex(document: Document) -> str:
    blocks = [_latex_table(block) if isinstance(block, Table) else _latex(block) for block in document.blocks]
    return _joined([*blocks, *(_latex(remark) for remark in document.remarks)])


def _as_html(document: Document) -> str:
    blocks = [_html_table(block) if isinstance(block, Table) else _paragraph(block) for block in document.blocks]
    return _joined([*blocks, *(_paragraph(remark) for remark in document.remarks)])


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
    if isinstance(value, (list, tuple)):
        return "; ".join(str(item) for item in value)
    return "" if value is None else value


def _text_table(table: Table) -> str:
    rows = tuple(
        tuple(_wrapped_cell(cell, column.wrap_at) for cell, column in zip(row, table.columns, strict=True))
        for row in table.rows
    )
    body = _tabulated(Table(table.columns, rows), "simple")
    return f"{table.title}\n{body}" if table.title else body


def _wrapped_cell(cell: str, wrap_at: int | None) -> str:
    return cell if wrap_at is None else textwrap.fill(cell, wrap_at)


def _markdown_table(table: Table) -> str:
    columns = tuple(Column(column.header.replace("|", r"\|"), column.align) for column in table.columns)
    rows = tuple(tuple(cell.replace("|", r"\|") for cell in row) for row in table.rows)
    body = _tabulated(Table(columns, rows), "pipe")
    return f"**{table.title}**\n\n{body}" if table.title else body


def _latex_table(table: Table) -> str:
    body = _tabulated(table, "latex_booktabs")
    return f"{_latex(table.title)}\n\n{body}" if table.title else body


def _html_table(table: Table) -> str:
    body = _tabulated(table, "html")
    return (
        body.replace("<table>", f"<table>\n<caption>{html.escape(table.title)}</caption>", 1) if table.title else body
    )


# A header needs no more room than its column: tabulate would add two spaces to each.
tabulate.MIN_PADDING = 0


def _tabulated(table: Table, style: str) -> str:
    # The texts are final: tabulate is not to read numbers into them and write them anew.
    return tabulate.tabulate(
        table.rows,
        headers=[column.header for column in table.columns],
        tablefmt=style,
        colalign=[column.align for column in table.columns] if table.rows else None,
        disable_numparse=True,
    )


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>".replace("\n", "<br>\n")


def _latex(text: str) -> str:
    return text.translate(_LATEX_SPECIALS).replace("\n", " \\\\\n")


def _markdown(text: str) -> str:
    """Return lines that stay lines: two spaces at the end of each but the last."""
    return text.replace("\n", "  \n")


def _joined(blocks: list[str]) -> str:
    """Join blocks with an empty line between them."""
    return "\n\n".join(blocks) + "\n"


FORMATS: dict[str, Callable[[Document], str]] = {
    "table": _as_table,
    "markdown": _as_markdown,
    "csv": _as_csv,
    "json": _as_json,
    "latex": _as_latex,
    "html": _as_html,
}
