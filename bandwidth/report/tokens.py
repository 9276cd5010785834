"""What `bandwidth tokens` prints: the model in a line, a row for each place, why, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bandwidth.report.document import Column, Document, Table
from bandwidth.report.figures.data import MOST_SERIES, Curves, Figure, Point, Series, series_description
from bandwidth.tokens.answer import PlaceRow, TokensAnswer, over_context, shown_rate
from bandwidth.tokens.decode import Load, fits, needed_bytes
from bandwidth.tokens.model import Decoding, LanguageModel
from bandwidth.units import format_decimal_size, format_rate

SCHEMA = "bandwidth/tokens/1"
WIDEST_PLACE = 28


def tokens_document(found: TokensAnswer, unit: str) -> Document:
    """Return the document of an answer."""
    rows = [_json_row(found, row) for row in found.rows]
    table = Table(
        (
            Column("", wrap_at=WIDEST_PLACE),
            Column(unit, "right"),
            Column("fits", "left"),
            Column("tokens/s at most", "right", two_lines=True),
            Column("expected", "right"),
        ),
        tuple(_cells(row, unit) for row in found.rows),
    )
    advice = "\n".join(found.advice)
    assumed = "\n".join(["Assumptions:", *(f"  {text}" for text in found.assumptions)])
    blocks: tuple[Table | str, ...] = (
        headline(found.model, found.decoding),
        table,
        *([advice] if advice else []),
        assumed,
    )
    return Document(blocks, _data(found, rows), rows)


def headline(model: LanguageModel, decoding: Decoding) -> str:
    """Return the model in a line: what it is, how large, and what a token reads."""
    cache = model.cache_bytes(decoding)
    context = f", context of {decoding.context:,} (KV cache {format_decimal_size(round(cache))})" if cache else ""
    step = model.step_bytes(decoding)
    each = "token" if decoding.batch == 1 else f"step of {decoding.batch} tokens"
    about = "about " if model.is_estimate else ""
    return (
        f"{model.name}: {about}{format_decimal_size(model.weight_bytes)}{context}; {about}"
        f"{format_decimal_size(round(step))} read per {each}."
    )


def _cells(row: PlaceRow, unit: str) -> tuple[str, ...]:
    rates = " + ".join(format_rate(load.place.bytes_per_s, unit) for load in row.loads)
    if row.rate is None:
        return (row.name, rates, _fits(row), "-", "-")
    low, high = row.rate.expected
    return (
        row.name,
        rates,
        _fits(row),
        shown_rate(row.rate.ceiling),
        f"{shown_rate(low)} to {shown_rate(high)}",
    )


def _fits(row: PlaceRow) -> str:
    sizes = [load.place.all_capacity_bytes for load in row.loads]
    whole = "/".join(format_decimal_size(size) for size in sizes if size)
    return {True: f"yes, of {whole}", False: f"NO, of {whole}", None: "-"}[row.fits] if whole else "-"


# --- data -------------------------------------------------------------------------------------------------------------


def _data(found: TokensAnswer, rows: list[dict[str, Any]]) -> dict[str, Any]:
    model, decoding = found.model, found.decoding
    return {
        "schema": SCHEMA,
        "model": {
            "name": model.name,
            "weight_bytes": model.weight_bytes,
            "read_weight_bytes": model.read_weight_bytes(decoding.batch),
            "experts": model.experts,
            "experts_used": model.experts_used,
            "layers": model.layers,
            "longest_context": model.longest_context,
            "is_estimate": model.is_estimate,
            "source": model.source,
            "notes": list(model.notes),
        },
        "context": decoding.context,
        "batch": decoding.batch,
        "cache_type": decoding.cache_type,
        "cache_bytes": model.cache_bytes(decoding),
        "step_bytes": model.step_bytes(decoding),
        "needed_bytes": needed_bytes(model, decoding),
        "advice": list(found.advice),
        "assumptions": list(found.assumptions),
        "results": rows,
    }


def _json_row(found: TokensAnswer, row: PlaceRow) -> dict[str, Any]:
    rate = row.rate
    return {
        "place": row.name,
        "fits": row.fits,
        "ceiling_tokens_per_s": None if rate is None else rate.ceiling,
        "expected_low_tokens_per_s": None if rate is None else rate.expected[0],
        "expected_high_tokens_per_s": None if rate is None else rate.expected[1],
        "parts": [_json_load(found, load) for load in row.loads],
    }


def _json_load(found: TokensAnswer, load: Load) -> dict[str, Any]:
    place = load.place
    return {
        "place": place.name,
        "share": load.share,
        "bytes_per_s": place.bytes_per_s,
        "count": place.count,
        "split": place.split,
        "capacity_bytes": place.all_capacity_bytes,
        "fits": fits(found.model, found.decoding, load),
        "threads": place.host.threads,
        "source": place.source,
    }


# --- the figure -------------------------------------------------------------------------------------------------------


def tokens_figure(found: TokensAnswer) -> Figure:
    """Return tokens a second over the context, a line for each place that holds the model, as many as tell apart."""
    series = tuple(_series(found))[:MOST_SERIES]
    picture = Curves("context, tokens", "tokens/s at most", series)
    caption = (
        f"{headline(found.model, found.decoding)} At most: the limit by bandwidth; a line ends where weights and "
        "KV cache no longer fit."
    )
    described = series_description(series, lambda context: f"{context:,.0f} tokens", "tokens/s")
    return Figure("tokens", f"{found.model.name}: tokens a second over the context", picture, caption, described)


def _series(found: TokensAnswer) -> Iterator[Series]:
    for row in found.rows:
        points = tuple(Point(context, rate.ceiling) for context, rate in over_context(found, row))
        if points:
            yield Series(row.name, points)
