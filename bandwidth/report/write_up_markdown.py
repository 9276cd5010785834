"""A write-up as Markdown with `pipe` tables, and figures in files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bandwidth.report.document import Document, Table
from bandwidth.report.figures import Figure
from bandwidth.report.formats import render
from bandwidth.report.write_up import Block, Items, Section, WriteUp

# Backslashes stand before what CommonMark and older readers alike take literally then; markup needs entities.
_MARKS = str.maketrans(
    {**{mark: f"\\{mark}" for mark in "\\`*_[]"}, "&": "&amp;", "<": "&lt;", ">": "&gt;", "~": "&#126;", "$": "&#36;"}
)
# What makes a heading, a list, a rule, a quote or a table of a line that begins so.
_BEGINNING = re.compile(r"^(\s*)([#+=|-]|[0-9]+[.)](?=\s|$))", re.MULTILINE)


def markdown_text(write_up: WriteUp, files: Mapping[str, str]) -> str:
    """Return the text; `files` are the figures' paths from it by their names, none for no figures."""
    parts = [f"# {_escaped(write_up.title)}", "  \n".join(map(_escaped, write_up.lines))]
    base = min(section.level for section in write_up.sections)
    for section in write_up.sections:
        parts += _section(section, section.level - base + 2, files)
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, depth: int, files: Mapping[str, str]) -> list[str]:
    return [
        f"{'#' * depth} {_escaped(section.title)}",
        *(_block(block, files) for block in section.blocks),
    ]


def _block(block: Block, files: Mapping[str, str]) -> str:
    if isinstance(block, Figure):
        return _figure(block, files)
    if isinstance(block, Items):
        return "\n".join(f"- {_escaped(text)}" for text in block.texts)
    if isinstance(block, Table):
        return render(Document((_escaped_table(block),), {}, ()), "markdown").strip()
    return render(Document((_escaped(block),), {}, ()), "markdown").strip()


def _figure(figure: Figure, files: Mapping[str, str]) -> str:
    if figure.name not in files:
        return ""
    told = _escaped(f"{figure.title}. {figure.description}")
    return f"![{told}]({files[figure.name]})\n\n**{_escaped(figure.title)}.** {_escaped(figure.caption)}"


def _escaped_table(table: Table) -> Table:
    """Return a table whose texts are no markup; the upright stroke is escaped where the table is written."""
    columns = tuple(replace(column, header=_inside(column.header)) for column in table.columns)
    rows = tuple(tuple(_inside(cell) for cell in row) for row in table.rows)
    return replace(table, columns=columns, rows=rows, title=_inside(table.title))


def _inside(text: str) -> str:
    return text.translate(_MARKS).replace("\n", " ")


def _escaped(text: str) -> str:
    return _BEGINNING.sub(r"\1\\\2", text.translate(_MARKS))
