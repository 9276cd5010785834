"""The answer: a row for each place, the split over a GPU and its host, and what would make it faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bandwidth.catalog.decoding import HostFit
from bandwidth.errors import UsageError
from bandwidth.tokens.decode import Load, Place, Rate, best_threads, fits, needed_bytes, rate_of, step_s
from bandwidth.tokens.model import Decoding, LanguageModel
from bandwidth.units import format_decimal, format_decimal_size, format_duration

# A gain below this is not worth a sentence.
LEAST_GAIN = 1.05
# Mixes that people choose from, from large to small: what is proposed where a model does not fit.
PROPOSED = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "IQ3_XXS", "Q2_K", "IQ2_XXS")
# Points of the figure, from an empty context to the longest that is asked about.
POINTS = 33
LONGEST_FIGURE = 131_072


@dataclass(frozen=True)
class PlaceRow:
    """One place, or a GPU with its host: whether it fits, and tokens a second, None where it does not."""

    name: str
    loads: tuple[Load, ...]
    fits: bool | None
    rate: Rate | None

    @property
    def is_split(self) -> bool:
        """Whether a GPU and its host share the model."""
        return len(self.loads) > 1


@dataclass(frozen=True)
class TokensAnswer:
    """All rows, and sentences on why and what would help."""

    model: LanguageModel
    decoding: Decoding
    rows: tuple[PlaceRow, ...]
    advice: tuple[str, ...]
    fit: HostFit
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class GpuLayers:
    """`--gpu-layers 20/80`: how many of a model's layers a GPU holds. Raises UsageError for what cannot be."""

    on_gpu: int
    layers: int

    def __post_init__(self) -> None:
        if not 0 <= self.on_gpu <= self.layers or not self.layers >= 1:
            raise UsageError(f"{self.on_gpu} of {self.layers} layers is not a valid split", "write it as 20/80")

    @property
    def share(self) -> float:
        """The share of the model that the GPU holds; every layer counts as equal."""
        return self.on_gpu / self.layers


def tokens_answer(
    model: LanguageModel,
    decoding: Decoding,
    places: Sequence[Place],
    fit: HostFit,
    bits: dict[str, float],
    *,
    host: Place | None = None,
    gpu_layers: GpuLayers | None = None,
) -> TokensAnswer:
    """Return the answer for some places; with `gpu_layers` each GPU shares the model with `host`."""
    rows = tuple(_row(model, decoding, place, fit, host, gpu_layers) for place in places)
    advice = tuple(
        dict.fromkeys((*_advice_on_model(model, decoding), *_advice_on_rows(model, decoding, rows, fit, bits)))
    )
    return TokensAnswer(model, decoding, rows, advice, fit, _assumptions(model, decoding, rows))


def _row(
    model: LanguageModel,
    decoding: Decoding,
    place: Place,
    fit: HostFit,
    host: Place | None,
    gpu_layers: GpuLayers | None,
) -> PlaceRow:
    loads: tuple[Load, ...] = (Load(place),)
    name = place.name
    if gpu_layers is not None and host is not None and place.is_device:
        loads = tuple(load for load in (Load(place, gpu_layers.share), Load(host, 1 - gpu_layers.share)) if load.share)
        name = f"{place.name}, {gpu_layers.on_gpu} of {gpu_layers.layers}"
    held = [fits(model, decoding, load) for load in loads]
    does_fit = False if False in held else None if None in held else True
    return PlaceRow(name, loads, does_fit, None if does_fit is False else rate_of(model, decoding, loads, fit))


def over_context(found: TokensAnswer, row: PlaceRow, longest: int | None = None) -> list[tuple[int, Rate]]:
    """Return a row's rate for contexts from none to the longest, those that fit."""
    end = longest or min(found.model.longest_context or LONGEST_FIGURE, LONGEST_FIGURE)
    contexts = dict.fromkeys(round(end * step / (POINTS - 1)) for step in range(POINTS))
    points = []
    for context in contexts:
        decoding = replace(found.decoding, context=context)
        if all(fits(found.model, decoding, load) is not False for load in row.loads):
            points.append((context, rate_of(found.model, decoding, row.loads, found.fit)))
    return points


# --- why, and what would help -----------------------------------------------------------------------------------------


def _advice_on_model(model: LanguageModel, decoding: Decoding) -> Iterator[str]:
    turning = model.context_that_doubles(decoding)
    if turning is not None and turning <= (model.longest_context or LONGEST_FIGURE):
        yield (
            f"Beyond a context of {turning:,} tokens, reading the KV cache takes longer than the weights; at "
            f"{decoding.context:,} it is {_cache_share(model, decoding):.0%} of the bytes per token."
        )
    if model.is_mixture and decoding.batch == 1:
        share = model.read_weight_bytes() / model.weight_bytes
        yield (
            f"A token reads {model.experts_used} of {model.experts} experts: {share:.0%} of the weights, but all "
            "weights must fit."
        )


def _cache_share(model: LanguageModel, decoding: Decoding) -> float:
    return model.cache_bytes(decoding) / model.step_bytes(decoding)


def _advice_on_rows(
    model: LanguageModel, decoding: Decoding, rows: Sequence[PlaceRow], fit: HostFit, bits: dict[str, float]
) -> Iterator[str]:
    for row in rows:
        if row.fits is False:
            yield _too_large(model, decoding, row, bits)
        elif row.is_split:
            yield from _split_times(model, decoding, row, fit)
        elif not row.loads[0].place.is_device:
            yield from _on_host(model, decoding, row, fit)
        elif row.loads[0].place.count > 1 and row.loads[0].place.split == "layers":
            yield (
                f"{row.name}: with the layers split over several GPUs, the GPUs take turns, so a token takes as long "
                "as on one GPU with all layers; tensor parallelism (--split tensor) uses all GPUs at once."
            )


def _too_large(model: LanguageModel, decoding: Decoding, row: PlaceRow, bits: dict[str, float]) -> str:
    """Return how much is lacking, and what of the model would fit: another mix, or so many layers."""
    load = next(load for load in row.loads if fits(model, decoding, load) is False)
    held, needed = load.place.all_capacity_bytes or 0, needed_bytes(model, decoding) * load.share
    text = f"{row.name}: {format_decimal_size(round(needed))} do not fit in {format_decimal_size(held)}"
    if not row.is_split and load.place.is_device and model.layers:
        whole = int(model.layers * held / needed)
        text += f"; {whole} of {model.layers} layers fit (--gpu-layers {whole}/{model.layers} --host SPEC)"
    room = held / load.share - model.cache_bytes(decoding)
    smaller = _mix_that_fits(model, room, bits)
    return f"{text}; {smaller} fits." if smaller else f"{text}."


def _mix_that_fits(model: LanguageModel, room_bytes: float, bits: dict[str, float]) -> str:
    """Return the largest usual mix that fits, "" where none does, or the model's own bits are not known."""
    _, _, own = model.name.rpartition(", ")
    now = bits.get(own)
    if now is None:
        return ""
    return next(
        (mix for mix in PROPOSED if bits[mix] < now and model.weight_bytes * bits[mix] / now <= room_bytes),
        "",
    )


def _split_times(model: LanguageModel, decoding: Decoding, row: PlaceRow, fit: HostFit) -> Iterator[str]:
    times = [step_s(model, decoding, load) for load in row.loads]
    sizes = [format_decimal_size(round(model.step_bytes(decoding) * load.share)) for load in row.loads]
    alone = rate_of(model, decoding, (Load(row.loads[1].place),), fit)
    yield (
        f"{row.name}: {sizes[0]} on the GPU take {format_duration(times[0])}, {sizes[1]} on the host "
        f"{format_duration(times[1])}; without the GPU {shown_rate(alone.ceiling)} tokens/s at most."
    )


def _on_host(model: LanguageModel, decoding: Decoding, row: PlaceRow, fit: HostFit) -> Iterator[str]:
    place = row.loads[0].place
    size = model.step_bytes(decoding)
    if place.host.sockets > 1:
        yield f"{row.name}: a second socket does not speed up one sequence: half of the data crosses the link."
    best = best_threads(place, size, fit)
    if place.host.threads is not None and place.host.threads > best:
        fewer = replace(place, host=replace(place.host, threads=best))
        now, then = (rate_of(model, decoding, (Load(one),), fit).expected[1] for one in (place, fewer))
        if then > now * LEAST_GAIN:
            yield f"{row.name}: {best} threads should be faster than {place.host.threads} (--threads {best})."


def _assumptions(model: LanguageModel, decoding: Decoding, rows: Sequence[PlaceRow]) -> tuple[str, ...]:
    places = [load.place for row in rows for load in row.loads]
    sources = dict.fromkeys(place.device_fit.source for place in places if place.device_fit is not None)
    notes = dict.fromkeys(note for place in places for note in place.notes)
    unknown = [place for place in places if not place.is_device and place.host.threads is None]
    return (
        f"decoding with batch {decoding.batch}; prompt processing is compute bound and not included",
        *([] if not model.is_estimate else ["sizes are estimated; a model file gives exact sizes"]),
        *(["thread count unknown: expected covers the usual counts (--threads N)"] if unknown else []),
        *model.notes,
        *notes,
        *(f"expected on GPUs: {source}" for source in sources),
    )


def shown_rate(tokens_per_s: float) -> str:
    """Return tokens a second as people say them: two digits below ten, whole numbers above a hundred."""
    digits = 2 if tokens_per_s < 1 else 1 if tokens_per_s < 100 else 0
    return f"{tokens_per_s:,.{digits}f}" if digits else format_decimal(round(tokens_per_s))
