"""HTML, and LaTeX with booktabs: a document, and a table by itself for a write-up.

Cells are padded to their columns, so that the source reads as a table too.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from bandwidth.report.document import Column, Document, Table, Verbatim

_LATEX_SPECIALS = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "#$%&_{}"},
    **{character: rf"\ensuremath{{{character}}}" for character in "<>"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_IN_TEXT = str.maketrans(_LATEX_SPECIALS)
_IN_CELLS = str.maketrans({**_LATEX_SPECIALS, "^": r"\^{}"})
# What the rows of a table stand between, by the name of the format: no cell can hold it.
AROUND_ROWS = {"html": ("<tbody>\n", "</tbody>"), "latex": ("\\midrule\n", "\\bottomrule")}


def paragraphs(blocks: Sequence[str]) -> str:
    """Join blocks with an empty line between them."""
    return "\n\n".join(blocks) + "\n"


def _padded(table: Table) -> tuple[list[str], list[list[str]]]:
    """Return the headers and the rows, each text as wide as the widest of its column."""
    cells = [[cell.strip() for cell in row] for row in table.rows]
    headers = [column.header for column in table.columns]
    widths = [max(map(len, texts)) for texts in zip(headers, *cells, strict=True)]

    def line(texts: Sequence[str]) -> list[str]:
        return [_aligned(*one) for one in zip(texts, table.columns, widths, strict=True)]

    return line(headers), [line(row) for row in cells]


def _aligned(text: str, column: Column, width: int) -> str:
    return text.rjust(width) if column.align == "right" else text.ljust(width)


# --- HTML -----------------------------------------------------------------------------------------------------------


def as_html(document: Document) -> str:
    """Return the tables and paragraphs of a document, without a page around them."""
    blocks = [html_table(block) if isinstance(block, Table) else _paragraph(block) for block in document.blocks]
    return paragraphs([*blocks, *map(_paragraph, document.remarks)])


def html_table(table: Table, *, in_page: bool = False) -> str:
    """Return a table; `in_page` says of each header what it heads, and marks the cells of long texts as `wide`.

    There its title is in a span, which stays in view where the table is wider than the window.
    """
    headers, rows = _padded(table)
    open_span, close_span = ("<span>", "</span>") if in_page else ("", "")
    scope, wide = (' scope="col"', ' class="wide"') if in_page else ("", "")
    heads = [f"th{scope}{_style(column)}" for column in table.columns]
    cells = [f"td{wide if column.wrap_at is not None else ''}{_style(column)}" for column in table.columns]
    start, end = AROUND_ROWS["html"]
    return "".join(
        [
            "<table>\n",
            f"<caption>{open_span}{html.escape(table.title)}{close_span}</caption>\n" if table.title else "",
            f"<thead>\n{_html_row(heads, headers)}</thead>\n{start}",
            *(_html_row(cells, row) for row in rows),
            f"{end}\n</table>",
        ]
    )


def _style(column: Column) -> str:
    return ' style="text-align: right;"' if column.align == "right" else ""


def _html_row(tags: Sequence[str], texts: Sequence[str]) -> str:
    cells = (f"<{tag}>{html.escape(text)}</{tag[:2]}>" for tag, text in zip(tags, texts, strict=True))
    return f"<tr>{''.join(cells)}</tr>\n"


def _paragraph(text: str) -> str:
    if isinstance(text, Verbatim):
        return f"<pre>{html.escape(text)}</pre>"
    return f"<p>{html.escape(text)}</p>".replace("\n", "<br>\n")


# --- LaTeX ----------------------------------------------------------------------------------------------------------


def as_latex(document: Document) -> str:
    """Return the tables and paragraphs of a document, without a preamble."""
    blocks = [latex_table(block) if isinstance(block, Table) else _latex_text(block) for block in document.blocks]
    return paragraphs([*blocks, *map(latex_escaped, document.remarks)])


def _latex_text(text: str) -> str:
    """Return a text as LaTeX; what is Verbatim in letters of one width, with all of its spaces."""
    if not isinstance(text, Verbatim):
        return latex_escaped(text)
    lines = (latex_escaped(line).replace(" ", "~") for line in text.split("\n"))
    return "{\\ttfamily\\noindent\n" + " \\\\\n".join(line or "~" for line in lines) + "\\par}"


def latex_escaped(text: str) -> str:
    """Return a text that LaTeX shows as it is, its lines as lines."""
    return text.translate(_IN_TEXT).replace("\n", " \\\\\n")


def latex_letters(table: Table) -> str:
    """Return how the columns are aligned, a letter each."""
    return "".join(column.align[0] for column in table.columns)


def latex_lines(table: Table) -> tuple[str, list[str]]:
    """Return the line of the headers and those of the rows."""
    headers, rows = _padded(table)
    return _latex_row(headers), [_latex_row(row) for row in rows]


def latex_numbers(table: Table) -> tuple[list[str], str, list[str]]:
    """Return the columns' letters, the line of the headers and those of the rows, with numbers as siunitx takes them.

    A column of numbers is an S with their digits: a number stands bare, without commas, which siunitx writes itself,
    and all else in braces. Where all are percentages their sign stands in the header.
    """
    cells = [[row[place].strip() for row in table.rows] for place in range(len(table.columns))]
    columns = [_number_column(column, texts) for column, texts in zip(table.columns, cells, strict=True)]
    letters, heads, bodies = zip(*columns, strict=True)
    return list(letters), _joined_row(heads), [_joined_row(row) for row in zip(*bodies, strict=True)]


_NUMBER = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?( %)?")


def _number_column(column: Column, texts: Sequence[str]) -> tuple[str, str, list[str]]:
    """Return the letter, the header and the cells of one column."""
    known = [_NUMBER.fullmatch(text) for text in texts]
    numbers = [found for found in known if found is not None]
    is_percent = bool(numbers) and all(found[3] for found in numbers)
    if not numbers or column.align != "right" or (not is_percent and any(found[3] for found in numbers)):
        return column.align[0], _in_cell(column.header), [_in_cell(text) for text in texts]
    whole = max(len(found[1].replace(",", "")) for found in numbers)
    part = max(len(found[2] or "") for found in numbers)
    sign = r" (\%)" if is_percent else ""
    cells = [
        f"{{{_in_cell(text)}}}" if found is None else f"{found[1].replace(',', '')}{f'.{found[2]}' if found[2] else ''}"
        for text, found in zip(texts, known, strict=True)
    ]
    return f"S[table-format={whole}.{part}]", f"{{{_in_cell(column.header)}{sign}}}", cells


def _in_cell(text: str) -> str:
    return text.translate(_IN_CELLS)


def _joined_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def latex_table(table: Table) -> str:
    """Return a table, its title as a line above it."""
    header, rows = latex_lines(table)
    start, end = AROUND_ROWS["latex"]
    body = "".join(f"{row}\n" for row in rows)
    text = f"\\begin{{tabular}}{{{latex_letters(table)}}}\n\\toprule\n{header}\n{start}{body}{end}\n\\end{{tabular}}"
    return f"{latex_escaped(table.title)}\n\n{text}" if table.title else text


def _latex_row(cells: Sequence[str]) -> str:
    return "&".join(f" {cell.translate(_IN_CELLS)} " for cell in cells) + "\\\\"
