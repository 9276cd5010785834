"""Models without their files: `40GB`, `70B:Q4_K_M`, `Llama 3.1 8B:Q8_0`, `30B:Q4_K_M` with `--active 3B`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bandwidth.catalog.language_models import NamedModel
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.tokens.model import CacheLayer, LanguageModel
from bandwidth.units import parse_size_bytes

BITS_PER_BYTE = 8
EXAMPLES = "use a .gguf or .safetensors file, 70B:Q4_K_M, a name such as Llama 3.1 8B:Q8_0, or a size: 40GB"
# A model of another size keeps much the same for each position if it is about as large.
ALIKE = 0.25
MOST_LAYERS, MOST_PARAMETERS = 10_000, 1e15
MOST_NEAR = 3
NEAR = 0.75  # difflib's ratio: a slip or two in eight letters
_COUNT = re.compile(r"(?P<number>[0-9]{1,6}(?:\.[0-9]{1,4})?)\s*(?P<unit>[kmbt])", re.IGNORECASE | re.ASCII)
_PER_UNIT = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_NUMBERS = re.compile(r"[0-9]+", re.ASCII)
_WORDS = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Known:
    """What the tables say: models by name, and the bits of a weight by quantisation."""

    models: tuple[NamedModel, ...]
    bits: dict[str, float]


def parse_parameters(text: str) -> float:
    """Return the number of weights of `70B` or `135M`. Raises BandwidthError for another text, and for none."""
    match = _COUNT.fullmatch(text.strip())
    count = 0.0 if match is None else float(match["number"]) * _PER_UNIT[match["unit"].lower()]
    if not 0 < count <= MOST_PARAMETERS:
        raise BandwidthError(f"{text[:40]!a} is not a number of weights", "write it as 70B or 135M")
    return count


def named_model(text: str, known: Known, *, active: str | None = None, layers: int | None = None) -> LanguageModel:
    """Return the model of a text that is no file. `active` are the weights a token reads (`3B`), `layers` theirs.

    Raises BandwidthError for a text that is none, UsageError for options that do not go with it.
    """
    if layers is not None and not 1 <= layers <= MOST_LAYERS:
        raise UsageError(f"--layers {layers} is out of range", f"use 1 to {MOST_LAYERS:,}")
    name, _, mix = text.rpartition(":")
    if not name:
        return _sized(text, known, active=active, layers=layers)
    bits = known.bits.get(mix.strip().upper().replace("-", "_"))
    if bits is None:
        raise BandwidthError(f"{text[:60]!a}: {mix.strip()[:20]!a} is not a quantisation", _mixes(mix, known))
    model = _of_name(name, known)
    if model is None:
        return _of_size(name, mix.strip().upper(), bits, known, active=active, layers=layers)
    if active is not None or layers is not None:
        raise UsageError(f"{model.name} is known", "omit --active and --layers")
    return _weighed(model, f"{model.name}, {mix.strip().upper()}", bits)


def _mixes(mix: str, known: Known) -> str:
    """Return what to write for a quantisation that is none: those that may be meant, else all."""
    near = _near(_key(mix), {_key(name): name for name in known.bits})
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known.bits)}"


def _no_model(name: str, known: Known) -> BandwidthError:
    """Return the refusal of a name that is no model's, with those of its numbers that may be meant."""
    names = (one for model in known.models for one in (model.name, *model.aliases))
    near = _near(_key(name), {_key(one): one for one in names if _NUMBERS.findall(one) == _NUMBERS.findall(name)})
    hint = f"did you mean {' or '.join(near)}? {EXAMPLES}" if near else EXAMPLES
    return BandwidthError(f"{name[:60]!a} is not a known model", hint)


def _near(wanted: str, known: Mapping[str, str]) -> list[str]:
    """Return up to three of some names, given by their keys: that of the same key, else those written much alike."""
    keys = [wanted] if wanted in known else difflib.get_close_matches(wanted, known, MOST_NEAR, NEAR)
    return list(dict.fromkeys(known[key] for key in keys))


def _sized(text: str, known: Known, *, active: str | None, layers: int | None) -> LanguageModel:
    """Return a model of which the bytes alone are known."""
    if _of_name(text, known) is not None or _COUNT.fullmatch(text.strip()):
        raise BandwidthError(f"{text[:60]!a} does not state the quantisation", f"add it: {text.strip()}:Q4_K_M")
    try:
        size = parse_size_bytes(text)
    except BandwidthError as error:
        raise _no_model(text, known) from error
    if active is not None:
        raise UsageError("--active needs a number of weights", "write the model as 30B:Q4_K_M")
    return LanguageModel(
        name=text.strip(),
        weight_bytes=size,
        dense_bytes=size,
        layers=layers,
        is_estimate=True,
        source="the given size",
        notes=("the KV cache is unknown for a bare size and is not counted",),
    )


def _of_name(name: str, known: Known) -> NamedModel | None:
    """Return the model of a name or of one of its aliases, written in any way."""
    wanted = _key(name)
    return next((model for model in known.models if wanted in map(_key, (model.name, *model.aliases))), None)


def _key(name: str) -> str:
    return "".join(_WORDS.findall(name.lower()))


def _of_size(
    name: str, mix: str, bits: float, known: Known, *, active: str | None, layers: int | None
) -> LanguageModel:
    """Return a model of so many weights, with the cache of the known one that is about as large."""
    try:
        parameters = parse_parameters(name)
    except BandwidthError as error:
        raise _no_model(name, known) from error
    read = parameters if active is None else parse_parameters(active)
    if read > parameters:
        raise UsageError(f"--active {active} is more than {name}", "state the active weights per token")
    alike = min(known.models, key=lambda model: abs(model.parameters / parameters - 1))
    is_alike = abs(alike.parameters / parameters - 1) <= ALIKE and (layers is None or layers == alike.layers)
    shown = f"{name.strip()} {mix}"
    model = LanguageModel(
        name=shown,
        weight_bytes=round(parameters * bits / BITS_PER_BYTE),
        dense_bytes=round(read * bits / BITS_PER_BYTE),
        layers=layers or (alike.layers if is_alike else None),
        cache=_cache(alike) if is_alike else (),
        is_estimate=True,
        source=f"{parameters / 1e9:g} billion weights at {bits:g} bits",
        notes=(
            f"KV cache as for {alike.name}"
            if is_alike
            else "the KV cache is unknown and not counted: use a model file",
        ),
    )
    return model if active is None else replace(model, notes=(*model.notes, f"{active.strip()} read per token"))


def _weighed(model: NamedModel, shown: str, bits: float) -> LanguageModel:
    """Return a known model with weights of so many bits; its experts follow from what a token reads of them."""
    bytes_each = bits / BITS_PER_BYTE
    experts = 0.0
    if model.experts:
        experts = (model.parameters - model.active) / (1 - model.experts_used / model.experts)
    return LanguageModel(
        name=shown,
        weight_bytes=round(model.parameters * bytes_each),
        dense_bytes=round((model.parameters - experts) * bytes_each),
        expert_bytes=round(experts * bytes_each),
        experts=model.experts,
        experts_used=model.experts_used,
        layers=model.layers,
        cache=_cache(model),
        longest_context=model.context,
        is_estimate=True,
        source=f"{model.parameters / 1e9:g} billion weights at {bits:g} bits (the mix's usual size)",
    )


def _cache(model: NamedModel) -> tuple[CacheLayer, ...]:
    return tuple(
        CacheLayer(model.cache_elements, model.window if model.turn and (layer + 1) % model.turn else None)
        for layer in range(model.cache_layers)
    )
