"""Headers of language models with the real shapes of their tensors, written small: a GGUF file without its weights.

Shapes and key-value heads are those of each model's config.json; types are as llama-quantize mixes Q4_K_M, or one type
for all, which the sums in the tests are worked out with by hand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

F32, F16, Q8_0, Q4_K, Q6_K, MXFP4 = 0, 1, 8, 12, 14, 39
_CODES = {bool: (7, "<?"), int: (4, "<I"), float: (6, "<f")}


def text(value: str) -> bytes:
    """A text as GGUF has it: its length, then its bytes."""
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def value(item: object) -> bytes:
    """A value with its type before it; lists are arrays of numbers, tuples of texts."""
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    if isinstance(item, list):
        kind, code = _CODES[type(item[0])]
        return struct.pack("<IIQ", 9, kind, len(item)) + b"".join(struct.pack(code, one) for one in item)
    if isinstance(item, tuple):
        return struct.pack("<IIQ", 9, 8, len(item)) + b"".join(map(text, item))
    kind, code = _CODES[type(item)]
    return struct.pack("<I", kind) + struct.pack(code, item)


def gguf(keys: dict[str, object], tensors: list[tuple[str, tuple[int, ...], int]], version: int = 3) -> bytes:
    """A header with these keys and tensors (name, shape, type)."""
    parts = [b"GGUF", struct.pack("<IQQ", version, len(tensors), len(keys))]
    parts += [text(name) + value(item) for name, item in keys.items()]
    for name, shape, kind in tensors:
        parts.append(text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", kind, 0))
    return b"".join(parts)


@dataclass(frozen=True)
class Shape:
    """A model's sizes; `latent` and `rotated` of multi-head latent attention, `experts` of a mixture."""

    architecture: str
    name: str
    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context: int
    tied: bool = False
    experts: int = 0
    experts_used: int = 0
    shared_inner: int = 0
    dense_layers: int = 0
    dense_inner: int = 0
    latent: int = 0
    rotated: int = 0
    kind: int = Q4_K
    more: dict[str, object] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, object]:
        """The keys of the header."""
        own = {
            "block_count": self.layers,
            "context_length": self.context,
            "embedding_length": self.width,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.kv_heads,
            "attention.key_length": self.head_size,
            "attention.value_length": self.head_size,
        }
        if self.experts:
            own |= {"expert_count": self.experts, "expert_used_count": self.experts_used}
        if self.latent:
            own |= {"attention.kv_lora_rank": self.latent, "rope.dimension_count": self.rotated}
        prefixed = {f"{self.architecture}.{name}": item for name, item in {**own, **self.more}.items()}
        return {
            "general.architecture": self.architecture,
            "general.name": self.name,
            "tokenizer.ggml.tokens": ("a", "b", "c"),
            **prefixed,
        }

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...], int]]:
        """Every tensor with its shape and type."""
        yield "token_embd.weight", (self.width, self.vocabulary), self.kind
        if not self.tied:
            yield "output.weight", (self.width, self.vocabulary), self.kind
        for layer in range(self.layers):
            for name, shape in (*self._attention(), *self._feed_forward(layer)):
                yield f"blk.{layer}.{name}.weight", shape, self.kind

    def _attention(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        if self.latent:
            yield "attn_q", (self.width, self.heads * self.head_size)
            yield "attn_kv_a_mqa", (self.width, self.latent + self.rotated)
            yield "attn_kv_b", (self.latent, self.heads * 256)
            yield "attn_output", (self.heads * 128, self.width)
            return
        yield "attn_q", (self.width, self.heads * self.head_size)
        for part in ("attn_k", "attn_v"):
            yield part, (self.width, self.kv_heads * self.head_size)
        yield "attn_output", (self.heads * self.head_size, self.width)

    def _feed_forward(self, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        if not self.experts or layer < self.dense_layers:
            inner = self.dense_inner or self.inner
            yield "ffn_gate", (self.width, inner)
            yield "ffn_up", (self.width, inner)
            yield "ffn_down", (inner, self.width)
            return
        yield "ffn_gate_inp", (self.width, self.experts)
        yield "ffn_gate_exps", (self.width, self.inner, self.experts)
        yield "ffn_up_exps", (self.width, self.inner, self.experts)
        yield "ffn_down_exps", (self.inner, self.width, self.experts)
        if self.shared_inner:
            yield "ffn_gate_shexp", (self.width, self.shared_inner)
            yield "ffn_up_shexp", (self.width, self.shared_inner)
            yield "ffn_down_shexp", (self.shared_inner, self.width)

    def header(self) -> bytes:
        """The whole header."""
        return gguf(self.keys, list(self.tensors()))


_WINDOW = "attention.sliding_window"
MODELS = (
    Shape("llama", "Llama 2 7B", 32, 4096, 11008, 32, 32, 128, 32000, 4096),
    Shape("llama", "Llama 3.1 8B", 32, 4096, 14336, 32, 8, 128, 128256, 131072, kind=Q8_0),
    Shape("llama", "Llama 3.3 70B", 80, 8192, 28672, 64, 8, 128, 128256, 131072),
    Shape("qwen2", "Qwen2.5 0.5B", 24, 896, 4864, 14, 2, 64, 151936, 32768, tied=True, kind=F16),
    Shape("llama", "Mixtral 8x7B", 32, 4096, 14336, 32, 8, 128, 32000, 32768, experts=8, experts_used=2),
    Shape("qwen3moe", "Qwen3 30B-A3B", 48, 2048, 768, 32, 4, 128, 151936, 40960, experts=128, experts_used=8),
    Shape("deepseek2", "DeepSeek V2 Lite", 27, 2048, 1408, 16, 16, 192, 102400, 163840, experts=64, experts_used=6,
          shared_inner=2816, dense_layers=1, dense_inner=10944, latent=512, rotated=64),
    Shape("gemma2", "Gemma 2 9B", 42, 3584, 14336, 16, 8, 256, 256000, 8192, tied=True, more={_WINDOW: 4096}),
    Shape("gemma3", "Gemma 3 27B", 62, 5376, 21504, 32, 16, 128, 262208, 131072, tied=True, more={_WINDOW: 1024}),
    Shape("gpt-oss", "gpt-oss-20b", 24, 2880, 2880, 64, 8, 64, 201088, 131072, experts=32, experts_used=4, kind=MXFP4,
          more={_WINDOW: 128}),
)  # fmt: skip
