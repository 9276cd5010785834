"""Every way to look at the results of a record, listed once: what a terminal prints and what a write-up holds.

A view is a file beside this one and a line of VIEWS. Its functions take a `Shown` and return nothing where the record
has nothing of their kind: a view without results is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bandwidth.report.document import Table
from bandwidth.report.figures.data import Figure
from bandwidth.report.views import (
    gpus,
    latency,
    links,
    loaded,
    mixes,
    nodes,
    peers,
    provenance,
    rate_bars,
    rates,
    roofline,
    samples,
    sizes,
    threads,
    zeros,
)
from bandwidth.report.views.shown import Shown


def nothing(shown: Shown) -> tuple[()]:  # noqa: ARG001 - it stands where a view has no function of its own
    """Return no table, line or figure."""
    return ()


@dataclass(frozen=True)
class View:
    """One view: the part of a write-up that it stands in, its tables and lines, and its figures.

    `blocks` are for the terminal, and for a write-up too unless that has others of its own, `in_write_up`.
    """

    section: str
    blocks: Callable[[Shown], Sequence[Table | str]] = nothing
    figures: Callable[[Shown], Sequence[Figure]] = nothing
    in_write_up: Callable[[Shown], Sequence[Table | str]] | None = None

    def written(self, shown: Shown) -> Sequence[Table | str]:
        """Return the tables and lines for a write-up."""
        return (self.in_write_up or self.blocks)(shown)


SUMMARY = "Summary"
_RATES, _BY_SIZE = "Rates beside theory", "By size"
# In the order of the terminal; a part of a write-up stands where its first view stands.
VIEWS = (
    View(SUMMARY, rates.heading),
    View(SUMMARY, rates.tables, in_write_up=rates.one_table),
    View(_RATES, figures=rate_bars.figures),
    View(_RATES, mixes.tables),
    View(_RATES, zeros.tables),
    View("By number of threads", threads.blocks, threads.figures),
    View(_BY_SIZE, sizes.blocks, sizes.figures),
    View("Latency", latency.blocks, latency.figures),
    View("Latency under load", loaded.tables, loaded.figures),
    View("Between NUMA nodes", nodes.blocks, nodes.figures),
    View(SUMMARY, gpus.heading),
    View(SUMMARY, gpus.rates),
    View(_BY_SIZE, gpus.sweeps, gpus.sweep_figures),
    View(SUMMARY, links.rates),
    View(_BY_SIZE, links.sweeps, links.sweep_figures),
    View("Between GPUs", peers.tables, peers.figures),
    View("Roofline", figures=roofline.figures),
    View("All samples", figures=samples.figures),
    View("Provenance", in_write_up=provenance.tables),
)
