"""GGUF headers with the real shapes of ten models: bytes a token are sums worked out by hand; bad files are a line."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_headers import F16, F32, MODELS, MXFP4, Q4_K, Q8_0, Shape, gguf

from bandwidth.errors import BandwidthError
from bandwidth.tokens.gguf import read_gguf
from bandwidth.tokens.model import CacheLayer, Decoding

BYTES = {F32: 4, F16: 2, Q8_0: 34 / 32, Q4_K: 144 / 256, MXFP4: 17 / 32}
BY_NAME = {shape.name: shape for shape in MODELS}


def written(path, content):
    path.write_bytes(content)
    return path


def read(tmp_path, shape):
    return read_gguf(written(tmp_path / "model.gguf", shape.header()))


def weights_by_hand(shape):
    """Weights that a token reads, and of all experts, by the sizes of the layers and not by the tensors' names."""
    if shape.latent:
        attention = shape.width * (shape.heads * shape.head_size + shape.latent + shape.rotated)
        attention += shape.latent * shape.heads * 256 + shape.heads * 128 * shape.width
    else:
        attention = 2 * shape.width * shape.head_size * (shape.heads + shape.kv_heads)
    mixed = shape.layers - shape.dense_layers if shape.experts else 0
    plain = (shape.layers - mixed) * 3 * shape.width * (shape.dense_inner or shape.inner)
    each_expert = mixed * 3 * shape.width * shape.inner
    router = mixed * shape.width * shape.experts
    shared = mixed * 3 * shape.width * shape.shared_inner
    dense = shape.layers * attention + plain + router + shared + shape.width * shape.vocabulary
    return dense + shape.experts_used * each_expert, shape.experts * each_expert


@pytest.mark.parametrize("name", BY_NAME)
def test_the_bytes_that_a_token_reads_are_the_sum_of_the_tensors(tmp_path, name):
    shape = BY_NAME[name]
    model = read(tmp_path, shape)
    read_weights, experts = weights_by_hand(shape)
    assert model.read_weight_bytes() == pytest.approx(read_weights * BYTES[shape.kind], rel=1e-12)
    assert model.expert_bytes == experts * BYTES[shape.kind]
    assert model.name == name
    looked_up = 0 if shape.tied else shape.width * shape.vocabulary * BYTES[shape.kind]
    assert model.weight_bytes == model.dense_bytes + model.expert_bytes + looked_up
    assert not model.is_estimate


@pytest.mark.parametrize(
    ("name", "bytes_at_8k"),
    [
        ("Llama 2 7B", 2 * 32 * 32 * 128 * 2 * 8192),
        ("Llama 3.3 70B", 2 * 80 * 8 * 128 * 2 * 8192),  # 2.68 GB
        ("Mixtral 8x7B", 2 * 32 * 8 * 128 * 2 * 8192),
        ("DeepSeek V2 Lite", 27 * 576 * 2 * 8192),  # the latent and its rotated part, once
        ("Gemma 2 9B", 2 * 8 * 256 * 2 * 21 * (8192 + 4096)),  # every second layer sees its window
        ("Gemma 3 27B", 2 * 16 * 128 * 2 * (10 * 8192 + 52 * 1024)),  # every sixth sees all
        ("gpt-oss-20b", 2 * 8 * 64 * 2 * 12 * (8192 + 128)),
    ],
)
def test_the_cache_is_what_the_layers_keep(tmp_path, name, bytes_at_8k):
    assert read(tmp_path, BY_NAME[name]).cache_bytes(Decoding(8192)) == bytes_at_8k


def test_a_stated_turn_and_heads_of_each_layer_are_taken(tmp_path):
    shape = Shape("cohere2", "x", 4, 64, 128, 4, 4, 16, 100, 4096, more={
        "attention.sliding_window": 128, "attention.sliding_window_pattern": [True, False, True, False],
        "attention.head_count_kv": [4, 2, 0, 1],
    })  # fmt: skip
    assert read(tmp_path, shape).cache == (CacheLayer(128, 128), CacheLayer(64), CacheLayer(32))


def test_a_split_model_is_read_whole_and_a_missing_part_is_named(tmp_path):
    shape = BY_NAME["Llama 3.1 8B"]
    tensors = list(shape.tensors())
    for number, part in enumerate((tensors[:100], tensors[100:]), 1):
        keys = shape.keys if number == 1 else {"general.architecture": "llama"}
        written(tmp_path / f"big-{number:05d}-of-00002.gguf", gguf(keys, part))
    whole = read(tmp_path, shape)
    parts = read_gguf(tmp_path / "big-00002-of-00002.gguf")
    assert (parts.weight_bytes, parts.dense_bytes, parts.cache) == (whole.weight_bytes, whole.dense_bytes, whole.cache)
    (tmp_path / "big-00001-of-00002.gguf").unlink()
    with pytest.raises(BandwidthError, match=r"big-00001-of-00002\.gguf is missing: the model has 2 parts"):
        read_gguf(tmp_path / "big-00002-of-00002.gguf")


def test_a_header_without_weights_is_said(tmp_path):
    assert "shorter than its weights" in read(tmp_path, BY_NAME["Llama 2 7B"]).notes[0]


GOOD = BY_NAME["Llama 2 7B"].header()
MANY = struct.pack("<Q", 2**62)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "ends within its header"),
        (b"GGML" + GOOD[4:], "is not a GGUF file"),
        (b"PK\x03\x04" + GOOD, "is not a GGUF file"),
        (GOOD[:4] + struct.pack("<I", 1) + GOOD[8:], "its version is 1"),
        (GOOD[:100], "ends within its header"),
        (GOOD[:-3], "ends within its header"),
        (GOOD[:8] + MANY + GOOD[16:], "4,611,686,018,427,387,904 tensors"),
        (GOOD[:16] + MANY + GOOD[24:], "4,611,686,018,427,387,904 keys"),
        (GOOD[:24] + MANY + GOOD[32:], "a text of 4,611,686,018,427,387,904 bytes"),
        (gguf({"a": "b"}, [("t", (4,), F32)]), "contains no language model"),
        (gguf({"general.architecture": "llama"}, []), "contains no language model"),
        (gguf({"general.architecture": "llama"}, [("t", (4,), 99)]), "tensor 't' is of type 99"),
        (
            gguf({"general.architecture": "llama", "llama.block_count": "x"}, [("t", (4,), F32)]),
            "llama.block_count is 'x'",
        ),
    ],
)
def test_a_bad_file_is_a_line(tmp_path, content, words):
    path = written(tmp_path / "bad.gguf", content)
    with pytest.raises(BandwidthError) as raised:
        read_gguf(path)
    assert words in str(raised.value)
    assert "bad.gguf" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_more_experts_used_than_there_are_is_a_line(tmp_path):
    shape = Shape("llama", "x", 2, 64, 128, 4, 4, 16, 100, 4096, experts=2, experts_used=3)
    with pytest.raises(BandwidthError, match="3 of 2 experts"):
        read(tmp_path, shape)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_does_anything_else_than_a_line(tmp_path_factory, data):
    content = bytearray(BY_NAME["gpt-oss-20b"].header())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = written(
        tmp_path_factory.mktemp("damaged") / "x.gguf", bytes(content[: data.draw(st.integers(0, len(content)))])
    )
    with suppress(BandwidthError):
        read_gguf(path).step_bytes(Decoding(4096))
