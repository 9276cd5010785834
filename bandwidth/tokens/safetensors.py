"""Reads what safetensors files say of a model: the header of each, an index of several, and config.json beside them.

A safetensors file begins with the length of its header in eight bytes and the header as JSON, which names each tensor
with its type, shape and place; nothing else of it is read. Format: README of huggingface/safetensors.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bandwidth.errors import BandwidthError
from bandwidth.text_files import read_text
from bandwidth.tokens.model import CacheLayer, LanguageModel

MOST_HEADER_BYTES = 100_000_000  # the format's own bound
MOST_FILES, MOST_LAYERS = 1000, 10_000
INDEX_SUFFIX = ".safetensors.index.json"
_EXPERT = re.compile(r"\.experts?\.(?:[0-9]+\.|(?:gate_up|gate|up|down)_proj)|\.(?:w1|w2|w3)\.experts")
_EMBEDDING = re.compile(r"(?:^|\.)(?:embed_tokens|wte|word_embeddings|tok_embeddings)\.weight$")
_OUTPUT = re.compile(r"(?:^|\.)(?:lm_head|output|embed_out)\.weight$")


def read_safetensors(path: Path) -> LanguageModel:
    """Return the model of a .safetensors file, or of an index with its files. Raises BandwidthError for any fault."""
    files = _files(path)
    sizes: dict[str, int] = {}
    for file in files:
        sizes |= _tensor_sizes(file)
    if not sizes:
        raise BandwidthError(f"{path} has no tensors", "name a file with model weights")
    return _model(path, sizes, _configuration(path))


def _files(path: Path) -> list[Path]:
    if not path.name.endswith(INDEX_SUFFIX):
        return [path]
    names = _object(path, _json(path, read_text(path, "an index", "check the file"))).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise BandwidthError(
            f"{path} is not an index of safetensors files", "its weight_map must name a file for each tensor"
        )
    files = [path.with_name(Path(name).name) for name in dict.fromkeys(names.values())]
    if len(files) > MOST_FILES:
        raise BandwidthError(f"{path} names {len(files):,} files", f"at most {MOST_FILES:,} are read")
    if missing := [file for file in files if not file.is_file()]:
        raise BandwidthError(f"{missing[0]} is missing: {path.name} names it", "put all files into one folder")
    return files


def _tensor_sizes(path: Path) -> dict[str, int]:
    """Return the bytes of each tensor of one file."""
    header = _object(path, _json(path, _header(path)))
    sizes = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        place = tensor.get("data_offsets") if isinstance(tensor, dict) else None
        if not (isinstance(place, list) and len(place) == 2 and all(type(end) is int for end in place)):
            raise BandwidthError(f"{path}: tensor {name[:60]!a} has no offsets", "the file is damaged")
        if not 0 <= place[0] <= place[1]:
            raise BandwidthError(f"{path}: tensor {name[:60]!a} ends before it begins", "the file is damaged")
        sizes[name] = place[1] - place[0]
    return sizes


def _header(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= MOST_HEADER_BYTES:
                raise BandwidthError(f"{path} is not a safetensors file", "use a .gguf or .safetensors file, or a size")
            content = file.read(length)
    except OSError as error:
        raise BandwidthError(f"{path} cannot be read: {error.strerror}", "check the file") from error
    if len(content) < length:
        raise BandwidthError(f"{path} ends within its header", "download it again")
    return content.decode("utf-8", "replace")


def _json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BandwidthError(f"{path} is not a safetensors file: its header is not JSON", "check the file") from error


def _object(path: Path, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BandwidthError(f"{path} is not a safetensors file: its header is not an object", "check the file")
    return value


def _configuration(path: Path) -> Mapping[str, Any]:
    """Return config.json beside the weights, nothing where there is none; of a model for images, the part for text."""
    file = path.with_name("config.json")
    if not file.is_file():
        return {}
    configuration = _object(file, _json(file, read_text(file, "a configuration", "check the file")))
    part = configuration.get("text_config")
    return configuration | part if isinstance(part, dict) else configuration


# --- what they say ----------------------------------------------------------------------------------------------------


def _model(path: Path, sizes: Mapping[str, int], configuration: Mapping[str, Any]) -> LanguageModel:
    is_tied = not any(_OUTPUT.search(name) for name in sizes)
    read = {name: size for name, size in sizes.items() if is_tied or not _EMBEDDING.search(name)}
    experts = sum(size for name, size in read.items() if _EXPERT.search(name))
    config = _Configuration(path.with_name("config.json"), configuration)
    if experts and not config.first("num_experts", "num_local_experts", "n_routed_experts"):
        raise BandwidthError(
            f"{path}: the number of experts per token is unknown", "put config.json in the same folder"
        )
    notes = () if configuration else ("no config.json in the same folder: the KV cache is unknown and not counted",)
    return LanguageModel(
        name=str(configuration.get("_name_or_path") or path.resolve().parent.name or path.stem),
        weight_bytes=sum(sizes.values()),
        dense_bytes=sum(read.values()) - experts,
        expert_bytes=experts,
        experts=config.first("num_experts", "num_local_experts", "n_routed_experts"),
        experts_used=config.first("num_experts_per_tok", "experts_per_token", "moe_topk"),
        layers=config.first("num_hidden_layers", "n_layer") or None,
        cache=_cache(config),
        longest_context=config.first("max_position_embeddings") or None,
        source=f"{path.name}: {len(sizes)} tensors",
        notes=notes,
    )


class _Configuration:
    """Numbers of config.json, checked."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self._path, self.values = path, values

    def first(self, *names: str, otherwise: int = 0) -> int:
        """Return the first number at least 0 that is there. Raises BandwidthError for another value."""
        for name in names:
            value = self.values.get(name)
            if value is None:
                continue
            if type(value) is not int or not 0 <= value < 2**40:
                raise BandwidthError(f"{self._path}: {name} is {str(value)[:40]!a}", "check the file")
            return value
        return otherwise


def _cache(config: _Configuration) -> tuple[CacheLayer, ...]:
    layers = min(config.first("num_hidden_layers", "n_layer"), MOST_LAYERS)
    heads = config.first("num_attention_heads", "n_head")
    if not layers or not heads:
        return ()
    latent = config.first("kv_lora_rank")
    if latent:
        return (CacheLayer(latent + config.first("qk_rope_head_dim")),) * layers
    size = config.first("head_dim", otherwise=config.first("hidden_size", "n_embd") // heads)
    elements = 2 * size * config.first("num_key_value_heads", otherwise=heads)
    return tuple(CacheLayer(elements, window) for window in _windows(config, layers))


def _windows(config: _Configuration, layers: int) -> list[int | None]:
    """Return each layer's window: `layer_types` names them, else `sliding_window_pattern` says how many make a turn."""
    window = config.first("sliding_window", "attention_chunk_size") or None
    kinds, turn = config.values.get("layer_types"), config.first("sliding_window_pattern")
    if window is None or config.values.get("use_sliding_window") is False:
        return [None] * layers
    if isinstance(kinds, list) and len(kinds) >= layers:
        return [None if kind == "full_attention" else window for kind in kinds[:layers]]
    if turn:
        return [None if (layer + 1) % turn == 0 else window for layer in range(layers)]
    return [window] * layers
