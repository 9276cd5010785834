"""How all figures look, as plain data: colours, markers, dashes, and matplotlib's settings.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), which all kinds of colour vision tell apart; lines
differ in marker and dash too and bars in hatching, so that a figure reads in grey.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Blue, vermillion, green, orange, purple, sky blue: black and yellow are too near to a page's ink and paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (9, 3)))
# What a page may give its own colours (write_up/html.py): no series has one of these.
INK = "#1f2328"
GRID = "#d4d8dd"

SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and restyled
    "svg.hashsalt": "bandwidth",
    "pdf.fonttype": 42,  # TrueType: publishers refuse type 3
    "text.parse_math": False,  # a name may hold a dollar
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "lines.markersize": 4.5,
    "lines.linewidth": 1.5,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}
# No date and no version in the files: the same figure is the same file.
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
# What of the environment matplotlib reads: Jupyter names a backend that is not here, and a figure has no date.
_DISTURBING = ("MPLBACKEND", "SOURCE_DATE_EPOCH", "MATPLOTLIBRC")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let matplotlib load and draw with its own settings alone, and without lines of its own on standard error."""
    logger = logging.getLogger("matplotlib")
    level, before = logger.level, {name: os.environ.pop(name) for name in _DISTURBING if name in os.environ}
    logger.setLevel(logging.CRITICAL)
    found = importlib.util.find_spec("matplotlib")
    if found is not None and found.origin is not None:
        os.environ["MATPLOTLIBRC"] = str(Path(found.origin).with_name("mpl-data") / "matplotlibrc")
    try:
        yield
    finally:
        os.environ.pop("MATPLOTLIBRC", None)
        os.environ.update(before)
        logger.setLevel(level)
