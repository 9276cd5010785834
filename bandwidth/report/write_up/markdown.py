"""A write-up as Markdown with `pipe` tables, and figures in files beside it."""

from __future__ import annotations

from collections.abc import Mapping

from bandwidth.report.document import Document
from bandwidth.report.figures.data import Figure
from bandwidth.report.formats import markdown_escaped, render
from bandwidth.report.write_up.content import Block, Form, Items, Section, WriteUp


def markdown_text(write_up: WriteUp, files: Mapping[str, str]) -> str:
    """Return the text; `files` are the figures' paths from it by their names, none for no figures."""
    parts = [f"# {markdown_escaped(write_up.title)}", "  \n".join(map(markdown_escaped, write_up.lines))]
    base = min(section.level for section in write_up.sections)
    for section in write_up.sections:
        parts += _section(section, section.level - base + 2, files)
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, depth: int, files: Mapping[str, str]) -> list[str]:
    return [
        f"{'#' * depth} {markdown_escaped(section.title)}",
        *(_block(block, files) for block in section.blocks),
    ]


def _block(block: Block, files: Mapping[str, str]) -> str:
    if isinstance(block, Figure):
        return _figure(block, files)
    if isinstance(block, Items):
        return "\n".join(f"- {markdown_escaped(text)}" for text in block.texts)
    return render(Document((block,), {}, ()), "markdown").strip()


def _figure(figure: Figure, files: Mapping[str, str]) -> str:
    if figure.name not in files:
        return ""
    title, told = markdown_escaped(figure.title), markdown_escaped(f"{figure.title}. {figure.description}")
    return f"![{told}]({files[figure.name]})\n\n**{title}.** {markdown_escaped(figure.caption)}"


FORM = Form((".md", ".markdown"), markdown_text, beside="svg")
