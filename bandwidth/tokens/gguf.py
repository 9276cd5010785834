"""Reads the header of a GGUF file: what a model's tensors are, and how it attends; the weights are never read.

The package `gguf` reads it too, but takes 0.2 s more to import than NumPy, brings an HTTP client with it, and reads all
that a header says is there. Here everything is bounded, as a file may be foreign or cut off.
Format: docs/gguf.md of ggml-org/ggml; keys and tensor names: gguf-py/gguf/constants.py of ggml-org/llama.cpp.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bandwidth.errors import BandwidthError
from bandwidth.tokens.model import CacheLayer, LanguageModel

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# The largest vocabularies take 20 MB of a header; counts beyond these are no model's.
MOST_HEADER_BYTES = 128 * 1024 * 1024
MOST_TENSORS, MOST_KEYS, MOST_DIMENSIONS, MOST_PARTS = 1_000_000, 65_536, 8, 1000
LONGEST_KEPT_ARRAY, LONGEST_NAME = 4096, 1024
# Elements and bytes of a block, by the number of the type (GGML_QUANT_SIZES).
BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 40),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
    40: (64, 36),
    41: (128, 18),
}
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_PART = re.compile(r"-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf$")
_LAYER = re.compile(r"blk\.([0-9]+)\.")
_EXPERTS = re.compile(r"\.ffn_(?:gate|up|down|gate_up)(?:_ch)?exps\.|\.ffn_(?:gate|up|down|gate_up)_exps\.")
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
# Tensors of a head that predicts further tokens; decoding without speculation does not read it (llama.cpp, nextn).
_SPECULATIVE = re.compile(r"\.nextn\.")
# How many layers make a turn in which the last attends to all positions and the others to a window, where a file names
# the window and not the turn (set_swa_pattern in llama.cpp's src/models/*.cpp). Others attend as if there were none.
TURNS = {
    **dict.fromkeys(("gemma2", "gpt-oss"), 2),
    **dict.fromkeys(("cohere2", "exaone4", "olmo2", "afmoe", "llama4"), 4),
    "gemma3n": 5,
    "gemma3": 6,
    "plamo3": 8,
}
# Of these the window is fixed and stands in no key.
WINDOWS = {"llama4": 8192}

Value = int | float | bool | str | list[int | float | bool]


@dataclass(frozen=True)
class Tensor:
    """One tensor: its name and the bytes that it takes."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Header:
    """What a header says: its keys (long arrays left out) and its tensors."""

    path: Path
    keys: Mapping[str, Value]
    tensors: tuple[Tensor, ...]


def read_gguf(path: Path) -> LanguageModel:
    """Return the model of a GGUF file, of all its parts where it is split. Raises BandwidthError for any fault."""
    headers = [read_header(part) for part in _parts(path)]
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    return _model(headers[0], tensors, is_whole=all(_has_weights(header) for header in headers))


def _parts(path: Path) -> list[Path]:
    """Return the files of a split model in their order, the file itself for another."""
    match = _PART.search(path.name)
    if match is None:
        return [path]
    count = int(match["count"])
    if not 1 <= count <= MOST_PARTS:
        raise BandwidthError(f"{path} is one of {count:,} parts", f"at most {MOST_PARTS:,} are read")
    stem = path.name[: match.start()]
    parts = [path.with_name(f"{stem}-{number:05d}-of-{count:05d}.gguf") for number in range(1, count + 1)]
    if missing := [part for part in parts if not part.is_file()]:
        raise BandwidthError(f"{missing[0]} is missing: the model has {count} parts", "put all parts into one folder")
    return parts


def read_header(path: Path) -> Header:
    """Return what the header of one file says. Raises BandwidthError for any fault."""
    try:
        with path.open("rb") as file:
            return _Reader(path, file).header()
    except OSError as error:
        raise BandwidthError(f"{path} cannot be read: {error.strerror}", "check the file") from error


def _has_weights(header: Header) -> bool:
    """Whether the file is at least as large as its tensors: a header alone says as much as the whole."""
    return header.path.stat().st_size >= sum(tensor.size_bytes for tensor in header.tensors)


class _Reader:
    """Reads a header from its start, within bounds."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file, self._left = path, file, MOST_HEADER_BYTES

    def header(self) -> Header:
        if self._bytes(4) != MAGIC:
            raise BandwidthError(
                f"{self._path} is not a GGUF file", "use a .gguf or .safetensors file, or a size: 40GB"
            )
        if (version := self._number("I")) not in VERSIONS:
            raise self._fault(f"its version is {version}", f"versions {VERSIONS[0]} and {VERSIONS[1]} are supported")
        tensors, keys = self._count("tensors", MOST_TENSORS), self._count("keys", MOST_KEYS)
        values = dict(pair for _ in range(keys) if (pair := self._pair()) is not None)
        return Header(self._path, values, tuple(self._tensor() for _ in range(tensors)))

    def _pair(self) -> tuple[str, Value] | None:
        name = self._text(LONGEST_NAME)
        value = self._value(self._number("I"))
        return None if value is None else (name, value)

    def _value(self, kind: int) -> Value | None:
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        if kind == _STRING:
            return self._text(self._left)
        if kind == _ARRAY:
            return self._array()
        raise self._fault(f"a value of type {kind}", "the file is damaged")

    def _array(self) -> list[int | float | bool] | None:
        """Return a short array of numbers; others, such as a vocabulary, are passed over."""
        kind, length = self._number("I"), self._number("Q")
        if kind in _NUMBERS:
            size = struct.calcsize(_NUMBERS[kind])
            content = self._bytes(size * length, f"an array of {length:,} values")
            if length > LONGEST_KEPT_ARRAY:
                return None
            return list(struct.unpack(f"<{length}{_NUMBERS[kind]}", content))
        if kind != _STRING:
            raise self._fault(f"an array of type {kind}", "the file is damaged")
        if length * 8 > self._left:  # each has its length before it
            raise self._fault(f"an array of {length:,} texts", "the file is damaged")
        for _ in range(length):
            self._bytes(self._number("Q"), "a text")
        return None

    def _tensor(self) -> Tensor:
        name, dimensions = self._text(LONGEST_NAME), self._number("I")
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise self._fault(f"tensor {name[:60]!a} has {dimensions} dimensions", "the file is damaged")
        shape = [self._number("Q") for _ in range(dimensions)]
        kind, _ = self._number("I"), self._number("Q")  # the second is where it begins
        if kind not in BLOCKS:
            raise self._fault(f"tensor {name[:60]!a} is of type {kind}", "a newer version of bandwidth may support it")
        elements, size = BLOCKS[kind]
        return Tensor(name, math.ceil(math.prod(shape) / elements) * size)

    def _count(self, what: str, most: int) -> int:
        count = self._number("Q")
        if count > most:
            raise self._fault(f"{count:,} {what}", "the file is damaged")
        return count

    def _text(self, longest: int) -> str:
        length = self._number("Q")
        if length > longest:
            raise self._fault(f"a text of {length:,} bytes", "the file is damaged")
        return self._bytes(length).decode("utf-8", "replace")

    def _number(self, code: str) -> int:
        number: int = struct.unpack(f"<{code}", self._bytes(struct.calcsize(code)))[0]
        return number

    def _bytes(self, size: int, what: str = "its header") -> bytes:
        if size > self._left:
            raise self._fault(f"{what} is longer than {MOST_HEADER_BYTES // 1024**2} MiB", "the file is damaged")
        self._left -= size
        content = self._file.read(size)
        if len(content) < size:
            raise self._fault("it ends within its header", "download it again")
        return content

    def _fault(self, what: str, hint: str) -> BandwidthError:
        return BandwidthError(f"{self._path}: {what}", hint)


# --- what the keys and tensors say ------------------------------------------------------------------------------------


def _model(header: Header, tensors: tuple[Tensor, ...], *, is_whole: bool) -> LanguageModel:
    keys = header.keys
    architecture = keys.get("general.architecture")
    if not isinstance(architecture, str) or not tensors:
        raise BandwidthError(f"{header.path} contains no language model", "name the file with its weights")
    is_tied = all(tensor.name != _OUTPUT for tensor in tensors)  # then the embeddings are the last layer too, and read
    read = [tensor for tensor in tensors if _is_read(tensor, is_tied=is_tied)]
    experts = sum(tensor.size_bytes for tensor in read if _EXPERTS.search(tensor.name))
    own = _Keys(header.path, architecture, keys)
    notes = () if is_whole else ("the file is shorter than its weights; the sizes are from its header",)
    return LanguageModel(
        name=_name(keys, header.path),
        weight_bytes=sum(tensor.size_bytes for tensor in tensors),
        dense_bytes=sum(tensor.size_bytes for tensor in read) - experts,
        expert_bytes=experts,
        experts=own.number("expert_count", 0),
        experts_used=own.number("expert_used_count", 0),
        layers=own.number("block_count", 0) or None,
        cache=_cache(own, tensors),
        longest_context=own.number("context_length", 0) or None,
        source=f"{header.path.name}: {len(tensors)} tensors",
        notes=notes,
    )


def _is_read(tensor: Tensor, *, is_tied: bool) -> bool:
    if tensor.name == _EMBEDDING:
        return is_tied
    return not _SPECULATIVE.search(tensor.name)


def _name(keys: Mapping[str, Value], path: Path) -> str:
    name = keys.get("general.name")
    return name if isinstance(name, str) and name.strip() else path.stem


@dataclass(frozen=True)
class _Keys:
    """The keys of a file's architecture, checked."""

    path: Path
    architecture: str
    values: Mapping[str, Value]

    def number(self, name: str, otherwise: int) -> int:
        """Return a number at least 0. Raises BandwidthError for another value."""
        value = self.values.get(f"{self.architecture}.{name}", otherwise)
        if isinstance(value, list):
            value = max(value, default=0)
        if not isinstance(value, int) or not 0 <= value < 2**40:
            raise BandwidthError(f"{self.path}: {self.architecture}.{name} is {str(value)[:40]!a}", "check the file")
        return int(value)

    def each_layer(self, name: str, layers: int, otherwise: int) -> list[int]:
        """Return a number for each layer: a list has one each."""
        value = self.values.get(f"{self.architecture}.{name}")
        if isinstance(value, list) and len(value) >= layers:
            return [int(item) for item in value[:layers]]
        return [self.number(name, otherwise)] * layers


def _cache(keys: _Keys, tensors: tuple[Tensor, ...]) -> tuple[CacheLayer, ...]:
    """Return what each layer keeps; layers without keys of their own (state spaces, shared caches) keep nothing."""
    layers = keys.number("block_count", 0)
    attending = {int(match[1]) for tensor in tensors if (match := _LAYER.match(tensor.name)) and _keeps(tensor.name)}
    layers = min(layers, 10_000)
    elements, windows = _elements(keys, layers), _windows(keys, layers)
    shared = keys.number("attention.shared_kv_layers", 0)
    return tuple(
        CacheLayer(count, window)
        for layer, (count, window) in enumerate(zip(elements, windows, strict=True))
        if layer in attending and count and layer < layers - shared
    )


def _keeps(name: str) -> bool:
    return any(part in name for part in (".attn_k.", ".attn_qkv.", ".attn_kv_a_mqa."))


def _elements(keys: _Keys, layers: int) -> list[int]:
    """Return the numbers that each layer keeps of a position: the latent and its positions, or keys and values."""
    latent = keys.number("attention.kv_lora_rank", 0)
    heads = keys.number("attention.head_count", 1) or 1
    width = keys.number("embedding_length", 0) // heads
    key, value = keys.number("attention.key_length", width), keys.number("attention.value_length", width)
    if latent:  # multi-head latent attention keeps the latent once, with the rotated part beside it
        return [latent + keys.number("rope.dimension_count", 0)] * layers
    return [count * (key + value) for count in keys.each_layer("attention.head_count_kv", layers, heads)]


def _windows(keys: _Keys, layers: int) -> list[int | None]:
    """Return the window of each layer, None for those that attend to all positions."""
    window = keys.number("attention.sliding_window", WINDOWS.get(keys.architecture, 0))
    stated = keys.values.get(f"{keys.architecture}.attention.sliding_window_pattern")
    if not window:
        return [None] * layers
    if isinstance(stated, list) and stated:
        return [window if stated[layer % len(stated)] else None for layer in range(layers)]
    turn = stated if isinstance(stated, int) and not isinstance(stated, bool) else TURNS.get(keys.architecture, 1)
    return [window if turn == 0 or layer % turn < turn - 1 else None for layer in range(layers)]
