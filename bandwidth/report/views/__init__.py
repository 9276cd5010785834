"""Every way to look at the results of a record, listed once: what a terminal prints and what a write-up holds.

A view is its functions, in a file of one theme beside this one, and a line of VIEWS. They take a `Shown` and return
nothing where the record has nothing of their kind: a view without results is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bandwidth.report.document import Table
from bandwidth.report.figures.data import Figure
from bandwidth.report.views import charts, cores, gpus, latency, matrices, provenance, rates, sweeps
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
_RATES, _BY_SIZE = "Rates and theory", "By size"
# In the order of the terminal; a part of a write-up stands where its first view stands.
VIEWS = (
    View(SUMMARY, rates.host_heading),
    View(SUMMARY, rates.host_rates, in_write_up=rates.host_rates_in_one),
    View(_RATES, figures=charts.rate_bars),
    View(_RATES, rates.mix_tables),
    View(_RATES, rates.zeros_tables),
    View(_RATES, rates.random_tables),
    View(_RATES, rates.counter_tables),
    View("By number of threads", sweeps.thread_blocks, sweeps.thread_figures),
    View(_BY_SIZE, sweeps.host_size_blocks, sweeps.host_size_figures),
    View("Latency", latency.latency_blocks, latency.latency_figures),
    View("Latency under load", latency.load_tables, latency.load_figures),
    View("Loads at once", latency.chain_blocks),
    View("Core-to-core latency", cores.pair_blocks, cores.pair_figures),
    View("Between NUMA nodes", matrices.node_blocks, matrices.node_figures),
    View(SUMMARY, gpus.gpu_heading),
    View(SUMMARY, gpus.gpu_rates),
    View(_BY_SIZE, gpus.gpu_sweeps, gpus.gpu_sweep_figures),
    View(SUMMARY, gpus.link_rates),
    View(_BY_SIZE, gpus.link_sweeps, gpus.link_sweep_figures),
    View("Between GPUs", matrices.peer_tables, matrices.peer_figures),
    View("Roofline", figures=charts.roofline),
    View("All samples", figures=charts.sample_strip),
    View("Provenance", in_write_up=provenance.tables),
)
