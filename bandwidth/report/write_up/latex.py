"""A write-up as LaTeX with booktabs, and figures as PDF beside it; pdfLaTeX, XeLaTeX and LuaLaTeX take it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bandwidth.plain_text import visible
from bandwidth.report.document import Table
from bandwidth.report.figures.data import Figure
from bandwidth.report.formats import shown_table
from bandwidth.report.markup import latex_escaped, latex_letters, latex_lines, latex_numbers
from bandwidth.report.write_up.content import Block, Form, Items, Section, WriteUp

_CLASS = r"\documentclass[10pt,a4paper]{article}"
_CLASS_OF_TWO_COLUMNS = r"\documentclass[10pt,a4paper,twocolumn]{article}"
# Numbers in a row at their decimal points, and groups of three digits as everywhere else in the document.
_NUMBERS = r"""\usepackage{siunitx}
\sisetup{group-separator={,},group-minimum-digits=4}
"""
# A document of many floats, which stand at the top of pages, needs more of them at once than LaTeX keeps.
_FLOATS = r"""\extrafloats{300}
\renewcommand{\dbltopfraction}{0.9}
\renewcommand{\dblfloatpagefraction}{0.7}
\setcounter{dbltopnumber}{6}
"""
_PREAMBLE = r"""
\usepackage{iftex}
\ifpdftex
  \usepackage[utf8]{inputenc}
  \usepackage[T1]{fontenc}
\fi
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{textcomp}
\usepackage[margin=18mm]{geometry}
\usepackage{booktabs,longtable,array,graphicx}
\usepackage[hidelinks]{hyperref}
\setlength{\tabcolsep}{4pt}
\setlength{\LTleft}{0pt}
\setlength{\parindent}{0pt}
\setlength{\parskip}{5pt}
\raggedright
% A figure as it was drawn, and smaller where the page has no room for it.
\newsavebox{\drawn}
\newcommand{\fitted}[1]{\sbox{\drawn}{\includegraphics{#1}}%
  \ifdim\wd\drawn>\linewidth\includegraphics[width=\linewidth,height=0.85\textheight,keepaspectratio]{#1}%
  \else\ifdim\ht\drawn>0.85\textheight\includegraphics[height=0.85\textheight]{#1}%
  \else\usebox{\drawn}\fi\fi}
"""
# What a page holds of rows in a float: a longer one would run out of it.
MOST_ROWS = 45
# pdfLaTeX stops at a character that its fonts lack: what is not Latin-1 is written as its number.
_LATIN_1 = 0x100
# What TeX's fonts draw together or bend: two hyphens are an option's beginning here, and no dash.
_PLAIN = {"--": "-{}-", "'": "\\textquotesingle{}", "`": "\\textasciigrave{}", '"': "\\textquotedbl{}", ",,": ",{},"}
# A new line's command takes a bracket that follows for its argument.
_BRACKET = re.compile(r"(\\\\\s*)\[")


@dataclass(frozen=True)
class Look:
    """How a document looks beside the plain one: numbers in columns of siunitx, and text in two columns."""

    siunitx: bool = False
    two_columns: bool = False

    @property
    def preamble(self) -> str:
        """What stands before the title."""
        start = _CLASS_OF_TWO_COLUMNS if self.two_columns else _CLASS
        return f"{start}{_PREAMBLE}{_NUMBERS if self.siunitx else ''}{_FLOATS if self.two_columns else ''}"


PLAIN = Look()


def form_of(look: Look) -> Form:
    """Return the form of documents that look so."""
    return Form((".tex",), partial(latex_text, look=look), beside="pdf")


def latex_text(write_up: WriteUp, files: Mapping[str, str], look: Look = PLAIN) -> str:
    """Return the document; `files` are the figures' paths from it by their names, none for no figures."""
    parts = [
        f"{look.preamble}\\title{{{_escaped(write_up.title)}}}",
        "\\date{" + " \\\\ ".join(_guarded(_escaped(line)) for line in write_up.lines) + "}",
        "\\begin{document}\n\\maketitle",
    ]
    for section in write_up.sections:
        parts += _section(section, files, look)
    return "\n\n".join(part for part in [*parts, "\\end{document}"] if part) + "\n"


def _section(section: Section, files: Mapping[str, str], look: Look) -> list[str]:
    command = "section" if section.level == 1 else "subsection"
    return [
        f"\\{command}*{{{_escaped(section.title)}}}",
        *(_block(block, files, look, section.title) for block in section.blocks),
    ]


def _block(block: Block, files: Mapping[str, str], look: Look, section: str) -> str:
    if isinstance(block, Figure):
        return _figure(block, files, look)
    if isinstance(block, Items):
        items = "\n".join(f"\\item {_guarded(_escaped(text))}" for text in block.texts)
        return f"\\begin{{itemize}}\\setlength{{\\itemsep}}{{0pt}}\n{items}\n\\end{{itemize}}"
    return _table(block, look, section) if isinstance(block, Table) else _escaped(block)


def _figure(figure: Figure, files: Mapping[str, str], look: Look) -> str:
    if figure.name not in files:
        return ""
    drawn = f"\\fitted{{{files[figure.name]}}}"
    caption = f"\\textbf{{{_escaped(figure.title)}.}} {_escaped(figure.caption)}"
    if look.two_columns:
        return _float("figure*", f"{drawn}\n\\caption{{{caption}}}")
    return f"\\begin{{center}}\n{drawn}\n\\end{{center}}\n{{\\small {caption}\\par}}"


def _float(kind: str, content: str) -> str:
    return f"\\begin{{{kind}}}[tp]\n\\centering\n{content}\n\\end{{{kind}}}"


def _table(table: Table, look: Look, section: str) -> str:
    """Return a table that may run over pages; its title is its first row, so that it never stands alone on a page.

    Columns of long texts have a width to wrap in. Of two columns of text it spans both, and a long one is several;
    one without a title has that of its section, as it may stand on another page.
    """
    shown = shown_table(table)
    plain = (list(latex_letters(shown)), *latex_lines(shown))
    own_letters, header, rows = latex_numbers(shown) if look.siunitx else plain
    head, lines = _plain(header), [_plain(row) for row in rows]
    if any(column.wrap_at is not None for column in table.columns):  # paths are too long for a column
        head, *lines = (text.replace("/", "/\\allowbreak{}") for text in (head, *lines))
    letters = _widths(shown, own_letters)
    if look.two_columns:
        pieces = [lines[start : start + MOST_ROWS] for start in range(0, max(len(lines), 1), MOST_ROWS)]
        return "\n\n".join(_in_float(table.title or section, letters, head, piece) for piece in pieces)
    return _over_pages(table, letters, head, lines)


def _in_float(title: str, letters: str, head: str, rows: Sequence[str]) -> str:
    body = "".join(f"{row}\n" for row in rows)
    rules = f"\\toprule\n{head}\n\\midrule\n{body}\\bottomrule"
    inside = f"\\begin{{tabular}}{{{letters}}}\n{rules}\n\\end{{tabular}}"
    return _float("table*", f"\\caption{{{_escaped(title)}}}\n\\footnotesize\n{inside}")


def _over_pages(table: Table, letters: str, head: str, rows: Sequence[str]) -> str:
    title = f"\\makebox[0pt][l]{{\\textbf{{{_escaped(table.title)}}}}}"  # no wider than the columns below it
    lines = [
        f"{{\\medskip\\footnotesize\n\\begin{{longtable}}{{{letters}}}",
        *([f"\\multicolumn{{{len(table.columns)}}}{{@{{}}l}}{{{title}}} \\\\"] if table.title else []),
        f"\\toprule\n{head}\n\\midrule\n\\endfirsthead",
        f"\\toprule\n{head}\n\\midrule\n\\endhead",
        *rows,
        "\\bottomrule\n\\end{longtable}\\par}",
    ]
    return "\n".join(lines)


def _widths(table: Table, letters: Sequence[str]) -> str:
    """Return the columns' letters, `p` with a share of the line for those that wrap."""
    whole = sum(column.wrap_at or 0 for column in table.columns)
    room = 0.9 if all(column.wrap_at for column in table.columns) else 0.5
    return "".join(
        letter
        if column.wrap_at is None
        else f">{{\\raggedright\\arraybackslash}}p{{{room * column.wrap_at / whole:.3f}\\linewidth}}"
        for letter, column in zip(letters, table.columns, strict=True)
    )


def _escaped(text: str) -> str:
    """Return a text that LaTeX shows as it is, within Latin-1 and with every bracket plain text."""
    return _plain(latex_escaped(visible(text)).strip())


def _plain(text: str) -> str:
    """Return LaTeX within Latin-1 that TeX's fonts leave as it is, and with no bracket for a command to take."""
    known = "".join(one if ord(one) < _LATIN_1 else f"[U+{ord(one):04X}]" for one in text)
    for drawn, plain in _PLAIN.items():
        known = known.replace(drawn, plain)
    return _BRACKET.sub(r"\1{[}", known)


def _guarded(text: str) -> str:
    """Return a text that a command may stand before: a bracket at its beginning is no argument."""
    return f"{{[}}{text[1:]}" if text.startswith("[") else text


FORM = form_of(PLAIN)
