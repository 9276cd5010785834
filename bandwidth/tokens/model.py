"""A language model as far as its memory traffic goes: the bytes of its weights, and of its cache for each position.

Decoding one token reads every active weight once and the keys and values of all positions before it (batch 1). Sources
of the arithmetic: vllm-project/vllm#7379, ggml-org/llama.cpp#1437, and the layouts in llama.cpp's src/models.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from bandwidth.errors import BandwidthError, UsageError

# Bytes of an element of the cache, by the name that llama.cpp's --cache-type-k takes: blocks of 32 with a 16-bit scale.
CACHE_BYTES: dict[str, Fraction] = {
    "f32": Fraction(4),
    "f16": Fraction(2),
    "bf16": Fraction(2),
    "fp8": Fraction(1),
    "q8": Fraction(34, 32),
    "q5": Fraction(22, 32),
    "q4": Fraction(18, 32),
}
LONGEST_CONTEXT = 100_000_000
LARGEST_BATCH = 65_536


@dataclass(frozen=True)
class CacheLayer:
    """What one layer keeps of each position: how many numbers, and of how many positions at most (None: of all)."""

    elements: int
    window: int | None = None


@dataclass(frozen=True)
class Decoding:
    """How it is run: positions before the token, sequences at once, and what the cache's numbers are stored as.

    Raises UsageError for what cannot be.
    """

    context: int = 0
    batch: int = 1
    cache_type: str = "f16"

    def __post_init__(self) -> None:
        if not 0 <= self.context <= LONGEST_CONTEXT:
            raise UsageError(f"--context {self.context} is out of range", f"use 1 to {LONGEST_CONTEXT:,} tokens")
        if not 1 <= self.batch <= LARGEST_BATCH:
            raise UsageError(f"--batch {self.batch} is out of range", f"use 1 to {LARGEST_BATCH:,}")
        if self.cache_type not in CACHE_BYTES:
            raise UsageError(f"--kv {self.cache_type[:20]!a} is not known", f"choose from {', '.join(CACHE_BYTES)}")


@dataclass(frozen=True)
class LanguageModel:
    """A model's bytes. All are of the weights as they are stored, and of one copy.

    `weight_bytes` has to fit; `dense_bytes` of it is read for each token whatever it is; `expert_bytes` are all experts
    together, of which `experts_used` of `experts` are read for a token. What is in neither is looked up, not read (the
    table of embeddings). `cache` has a layer each, empty where nothing is known of it. `is_estimate`: from a size and
    not from a file.
    """

    name: str
    weight_bytes: int
    dense_bytes: int
    source: str
    expert_bytes: int = 0
    experts: int = 0
    experts_used: int = 0
    layers: int | None = None
    cache: tuple[CacheLayer, ...] = ()
    longest_context: int | None = None
    is_estimate: bool = False
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.expert_bytes and not 1 <= self.experts_used <= self.experts:
            raise BandwidthError(
                f"{self.name}: {self.experts_used} of {self.experts} experts is invalid", "check the model's file"
            )

    @property
    def is_mixture(self) -> bool:
        """Whether it has experts of which a token uses some."""
        return self.expert_bytes > 0

    def read_weight_bytes(self, batch: int = 1) -> float:
        """Return the bytes of weights that one step of a batch reads: all dense ones, and the experts that it meets.

        Each sequence picks its experts by itself; the share that a batch meets is worked out as if evenly.
        """
        if not self.is_mixture:
            return float(self.dense_bytes)
        missed = (1 - self.experts_used / self.experts) ** batch
        return self.dense_bytes + self.expert_bytes * (1 - missed)

    def cache_bytes(self, decoding: Decoding) -> float:
        """Return the bytes of the cache of all positions and sequences: what has to fit, and what a step reads."""
        elements = sum(_positions(layer, decoding.context) * layer.elements for layer in self.cache)
        return float(elements * CACHE_BYTES[decoding.cache_type] * decoding.batch)

    def step_bytes(self, decoding: Decoding) -> float:
        """Return the bytes that one step reads, which writes a token of each sequence."""
        return self.read_weight_bytes(decoding.batch) + self.cache_bytes(decoding)

    def context_that_doubles(self, decoding: Decoding) -> int | None:
        """Return the context from which the cache is read for longer than the weights, None where there is none."""
        goal = self.read_weight_bytes(decoding.batch)
        low, high = 0, LONGEST_CONTEXT
        if not self.cache or self.cache_bytes(_at(decoding, high)) < goal:
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.cache_bytes(_at(decoding, middle)) >= goal else (middle + 1, high)
        return low


def _positions(layer: CacheLayer, context: int) -> int:
    return context if layer.window is None else min(context, layer.window)


def _at(decoding: Decoding, context: int) -> Decoding:
    return Decoding(context, decoding.batch, decoding.cache_type)
