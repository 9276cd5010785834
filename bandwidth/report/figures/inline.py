"""A drawn SVG as a part of an HTML page: named for those who cannot see it, in the page's own ink."""

from __future__ import annotations

import html
import re

from bandwidth.report.figures.data import Figure
from bandwidth.report.figures.style import GRID, INK

# 72 points are an inch, an inch is 96 of CSS's pixels, and 16 of them are a rem unless the reader chose another size.
POINTS_PER_REM = 12
_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(url\(#|xlink:href="#|href="#)([^")]+)')


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
