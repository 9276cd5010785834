"""Language models by name (specs/language_models.tsv), and the bits of a weight by quantisation (quantisations.tsv)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bandwidth.catalog.processors import read_table

MODELS_FILE = "language_models.tsv"
QUANTISATIONS_FILE = "quantisations.tsv"
_MODEL_COLUMNS = (
    *("name", "aliases", "parameters_b", "active_b", "experts", "experts_used", "layers"),
    *("cache_layers", "cache_elements", "window", "turn", "context", "source"),
)
_UNKNOWN = "-"


@dataclass(frozen=True)
class NamedModel:
    """A language model as its maker states it; see specs/language_models.tsv. Parameters are counted, not in billions.

    `active` are the parameters that a token reads; `experts` 0 where all are read.
    """

    name: str
    aliases: tuple[str, ...]
    parameters: float
    active: float
    experts: int
    experts_used: int
    layers: int
    cache_layers: int
    cache_elements: int
    window: int | None
    turn: int
    context: int
    source: str


def read_language_models(folder: Path) -> tuple[NamedModel, ...]:
    """Return every model of the table. Raises BandwidthError as `read_table`."""
    return read_table(folder / MODELS_FILE, _MODEL_COLUMNS, "a model", _model)


def read_quantisations(folder: Path) -> dict[str, float]:
    """Return the bits of a weight by the name of the mix, in capitals. Raises BandwidthError as `read_table`."""
    rows = read_table(folder / QUANTISATIONS_FILE, ("name", "bits", "source"), "a quantisation", tuple)
    return {name: float(bits) for name, bits, _ in rows}


def _model(cells: list[str]) -> NamedModel:
    name, aliases, parameters, active, experts, used, layers, kept, elements, window, turn, context, source = cells
    total = float(parameters) * 1e9
    return NamedModel(
        name=name,
        aliases=() if aliases == _UNKNOWN else tuple(aliases.split("; ")),
        parameters=total,
        active=total if active == _UNKNOWN else float(active) * 1e9,
        experts=_number(experts),
        experts_used=_number(used),
        layers=int(layers),
        cache_layers=int(kept),
        cache_elements=int(elements),
        window=_number(window) or None,
        turn=_number(turn),
        context=int(context),
        source=source,
    )


def _number(cell: str) -> int:
    return 0 if cell == _UNKNOWN else int(cell)
