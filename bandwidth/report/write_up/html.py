"""A write-up as one HTML file that needs no network: figures inline, readable in print, in the dark and on a phone.

The standard library's `html.escape` is all that is needed here: there are five kinds of elements, and the tables come
from `formats`. A template engine would be one more dependency for the same lines.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from bandwidth.report.document import Table
from bandwidth.report.figures.data import Bars, Figure
from bandwidth.report.figures.style import GRID, INK
from bandwidth.report.formats import shown_table
from bandwidth.report.markup import html_table
from bandwidth.report.write_up.content import Block, Form, Items, Section, WriteUp

_STYLE = """\
:root { color-scheme: light dark; --ink: #1f2328; --soft: #57606a; --paper: #ffffff; --grid: #d4d8dd; --band: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9da7b1; --paper: #14181d; --grid: #3a424b; --band: #1c2128; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .75rem; padding-top: .75rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h2.part { border-top-width: 1px; font-size: 1.2rem; margin-top: 2.25rem; }
.about { color: var(--soft); margin: 0; }
nav ul { padding-left: 1.2rem; columns: 16rem; column-gap: 2.5rem; margin: 1.5rem 0; }
nav li { margin: 0; padding: .15rem 0; break-inside: avoid; }
a { color: inherit; }
ul { padding-left: 1.2rem; }
li { margin: .3rem 0; }
.scroll { overflow-x: auto; margin: .75rem 0 1.5rem; }
.scroll:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2.5rem); }
th, td { padding: .25rem .6rem; text-align: left; vertical-align: top; overflow-wrap: normal; }
th { border-bottom: 1.5px solid var(--ink); white-space: nowrap; }
td { border-bottom: 1px solid var(--grid); }
td:not(.wide), th { white-space: nowrap; }
td.wide { min-width: 11rem; overflow-wrap: anywhere; }
tbody tr:nth-child(even) { background: var(--band); }
figure { margin: 1rem 0 1.75rem; }
figure svg { display: block; width: 100%; height: auto; }
figure svg text { font-family: inherit !important; }
figcaption { color: var(--soft); font-size: .875rem; max-width: 46rem; }
figcaption b { color: var(--ink); }
figure.opening svg { max-width: calc(var(--drawn) * 1.5) !important; }
.option { white-space: nowrap; }
@media (max-width: 40rem) {
  .scroll > svg { width: 100vw; min-width: min(33rem, var(--drawn)); }
  figure.opening .scroll > svg { width: 100%; min-width: 0; }
  table { font-size: .8rem; }
  th, td { padding: .25rem .4rem; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #333; --paper: #fff; --grid: #bbb; --band: #fff; }
  @page { margin: 15mm; }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, li, p { break-inside: avoid; }
  figure svg { max-height: 195mm; }
  figure.opening svg { max-width: calc(var(--drawn) * 1.1) !important; }
  .scroll:not(:has(tr:nth-child(20))) { break-inside: avoid; }
  thead, caption, figure .scroll { break-after: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 7.5pt; }
  thead { display: table-header-group; }
}
"""


_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# 72 points are an inch, an inch is 96 of CSS's pixels, and 16 of them are a rem unless the reader chose another size.
POINTS_PER_REM = 12
_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(url\(#|xlink:href="#|href="#)([^")]+)')


def html_page(write_up: WriteUp, drawings: Mapping[str, str]) -> str:
    """Return the page; `drawings` are the figures' elements by their names (`inline_svg`), none for no figures."""
    title = html.escape(write_up.title)
    base = min(section.level for section in write_up.sections)
    about = "\n".join(f'<p class="about">{html.escape(line)}</p>' for line in write_up.lines)
    first, *others = (
        _section(section, number, base, drawings) for number, section in enumerate(write_up.sections, start=1)
    )
    # What comes first is the answer, unless it is a record's heading.
    before, after = ([first], others) if write_up.sections[0].blocks else ([], [first, *others])
    body = "\n".join([*before, *([_contents(write_up)] if after else []), *after])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{_STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{about}
</header>
<main>
{body}
</main>
</body>
</html>
"""


def _contents(write_up: WriteUp) -> str:
    """Return links to the sections below them; of several records, to each record."""
    levels = {section.level for section in write_up.sections}
    links = "\n".join(
        f'<li><a href="#part-{number}">{html.escape(section.title)}</a></li>'
        for number, section in enumerate(write_up.sections, start=1)
        if section.level == min(levels) and (number > 1 or not section.blocks)
    )
    return f'<nav aria-label="Contents">\n<ul>\n{links}\n</ul>\n</nav>'


def _section(section: Section, number: int, base: int, drawings: Mapping[str, str]) -> str:
    tag = f"h{section.level - base + 2}"  # no level of headings is left out, with one record or several
    kind = "" if section.level == 1 else ' class="part"'
    parts = [f'<{tag}{kind} id="part-{number}">{html.escape(section.title)}</{tag}>']
    return "\n".join([*parts, *(_block(block, section.title, drawings) for block in section.blocks)])


def _block(block: Block, section: str, drawings: Mapping[str, str]) -> str:
    if isinstance(block, Figure):
        return _figure(block, drawings)
    if isinstance(block, Items):
        return "\n".join(["<ul>", *(f"<li>{_text(text)}</li>" for text in block.texts), "</ul>"])
    if isinstance(block, Table):
        return _table(block, section)
    return f"<p>{_text(block)}</p>".replace("\n", "<br>\n")


def _text(text: str) -> str:
    """Return a text escaped, its options kept whole: a line is not to end within `--budget`."""
    return _OPTION.sub(r'<span class="option">\g<0></span>', html.escape(text))


def _figure(figure: Figure, drawings: Mapping[str, str]) -> str:
    if figure.name not in drawings:
        return ""
    caption = f"<b>{html.escape(figure.title)}.</b> {html.escape(figure.caption)}"
    inside = f'<div class="scroll" tabindex="0" role="group" aria-label="{html.escape(figure.title)}">'
    is_opening = isinstance(figure.picture, Bars) and figure.picture.width_inches is not None
    start = '<figure class="opening">' if is_opening else "<figure>"
    return f"{start}\n{inside}\n{drawings[figure.name]}\n</div>\n<figcaption>{caption}</figcaption>\n</figure>"


def _table(table: Table, section: str) -> str:
    """Return a table that can be scrolled by itself, by the keyboard too, where the window is narrow."""
    name = html.escape(table.title or section)
    inside = html_table(shown_table(table), in_page=True)
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">\n{inside}\n</div>'


# --- figures --------------------------------------------------------------------------------------------------------


def inline_svg(svg: str, figure: Figure) -> str:
    """Return an SVG file's text as an element of a page.

    It says what it shows (`role="img"`, title and desc), its ids are its own among several figures of one page, and
    its ink and grid take the page's colours, so that it reads in the dark too.
    """
    body = svg[svg.index("<svg") :].strip()
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = _ID.sub(rf'id="{figure.name}-\1"', body)
    body = _REFERENCE.sub(rf"\g<1>{figure.name}-\g<2>", body)
    body = body.replace(INK, "currentColor").replace(GRID, "var(--grid)")
    start, end = re.match(r"<svg[^>]*", body), body.index(">")
    size = re.search(r'viewBox="0 0 ([0-9.]+) [0-9.]+"', start[0] if start else "")
    # As wide as it was drawn, so that all figures' letters have one size; a narrow page scrolls the wide ones.
    width = f' style="--drawn: {float(size[1]) / POINTS_PER_REM:.1f}rem; max-width: var(--drawn)"' if size else ""
    told = f"<title>{html.escape(figure.title)}</title><desc>{html.escape(figure.description)}</desc>"
    opened = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img"'
        f' aria-label="{html.escape(f"{figure.title}. {figure.description}")}" {size[0] if size else ""}{width}>'
    )
    return f"{opened}{told}{body[end + 1 :]}"


FORM = Form((".html", ".htm"), html_page)
