"""Safetensors: the header of one file, an index of several, config.json beside them, and what is refused."""

from __future__ import annotations

import json
import struct

import pytest

from bandwidth.errors import BandwidthError
from bandwidth.tokens.files import read_model
from bandwidth.tokens.model import Decoding
from bandwidth.tokens.safetensors import read_safetensors

HIDDEN, INNER, VOCABULARY, LAYERS, HEADS, KV_HEADS = 64, 128, 1000, 3, 4, 2
CONFIG = {
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "hidden_size": HIDDEN,
    "max_position_embeddings": 4096,
}


def header(sizes, **more):
    place, entries = 0, {}
    for name, size in sizes.items():
        entries[name] = {"dtype": "BF16", "shape": [size // 2], "data_offsets": [place, place + size]}
        place += size
    content = json.dumps(entries | more).encode()
    return struct.pack("<Q", len(content)) + content


def sizes_of(experts=0):
    sizes = {"model.embed_tokens.weight": 2 * VOCABULARY * HIDDEN, "lm_head.weight": 2 * VOCABULARY * HIDDEN}
    for layer in range(LAYERS):
        sizes[f"model.layers.{layer}.self_attn.q_proj.weight"] = 2 * HIDDEN * HIDDEN
        for expert in range(experts):
            sizes[f"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight"] = 2 * HIDDEN * INNER
        if not experts:
            sizes[f"model.layers.{layer}.mlp.up_proj.weight"] = 2 * HIDDEN * INNER
    return sizes


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_a_dense_model_with_its_configuration(write):
    path = write("model.safetensors", header(sizes_of(), __metadata__={"format": "pt"}))
    write("config.json", CONFIG)
    model = read_safetensors(path)
    by_hand = 2 * (LAYERS * (HIDDEN * HIDDEN + HIDDEN * INNER) + VOCABULARY * HIDDEN)
    assert (model.dense_bytes, model.expert_bytes) == (by_hand, 0)
    assert model.weight_bytes == by_hand + 2 * VOCABULARY * HIDDEN
    assert model.cache_bytes(Decoding(100)) == 100 * LAYERS * 2 * KV_HEADS * (HIDDEN // HEADS) * 2


def test_a_mixture_in_two_files_by_its_index(write):
    sizes = sizes_of(experts=8)
    names = list(sizes)
    write("a.safetensors", header({name: sizes[name] for name in names[:10]}))
    write("b.safetensors", header({name: sizes[name] for name in names[10:]}))
    index = {name: "a.safetensors" if place < 10 else "b.safetensors" for place, name in enumerate(names)}
    path = write("model.safetensors.index.json", {"weight_map": index})
    write("config.json", CONFIG | {"num_experts": 8, "num_experts_per_tok": 2})
    model = read_model(path)
    each = LAYERS * 2 * HIDDEN * INNER
    assert model.expert_bytes == 8 * each
    assert model.read_weight_bytes() == model.dense_bytes + 2 * each
    assert model.read_weight_bytes(10**4) == pytest.approx(model.dense_bytes + 8 * each)


def test_windows_and_a_latent_of_the_configuration(write):
    path = write("model.safetensors", header(sizes_of()))
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    write("config.json", CONFIG | {"sliding_window": 64, "layer_types": kinds})
    assert [layer.window for layer in read_safetensors(path).cache] == [64, None, 64]
    write("config.json", CONFIG | {"sliding_window": 64, "use_sliding_window": False})
    assert {layer.window for layer in read_safetensors(path).cache} == {None}
    write("config.json", {"text_config": CONFIG | {"kv_lora_rank": 512, "qk_rope_head_dim": 64}})
    assert {layer.elements for layer in read_safetensors(path).cache} == {576}


def test_without_a_configuration_the_cache_is_not_counted_and_that_is_said(write):
    model = read_safetensors(write("model.safetensors", header(sizes_of())))
    assert (model.cache, model.layers) == ((), None)
    assert "no config.json" in model.notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a safetensors file"),
        (struct.pack("<Q", 2**60), "is not a safetensors file"),
        (struct.pack("<Q", 100) + b"{}", "ends within its header"),
        (struct.pack("<Q", 2) + b"[]", "its header is not an object"),
        (struct.pack("<Q", 3) + b"{x}", "its header is not JSON"),
        (header({}), "has no tensors"),
        (header({}, x={"data_offsets": [4, 2]}), "ends before it begins"),
        (header({}, x={"data_offsets": ["4", 2]}), "has no offsets"),
        (header(sizes_of(experts=2)), "the number of experts per token is unknown"),
    ],
)
def test_a_bad_file_is_a_line(write, content, words):
    with pytest.raises(BandwidthError) as raised:
        read_safetensors(write("bad.safetensors", content))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({}, "is not an index of safetensors files"),
        ({"weight_map": {"a": 1}}, "is not an index of safetensors files"),
        ({"weight_map": {"a": "gone.safetensors"}}, "gone.safetensors is missing"),
        ({"weight_map": {"a": "../../etc/passwd"}}, "passwd is missing"),  # never outside of the folder
    ],
)
def test_a_bad_index_is_a_line(write, index, words):
    with pytest.raises(BandwidthError, match=words.replace(".", r"\.")):
        read_safetensors(write("model.safetensors.index.json", index))


@pytest.mark.parametrize("value", [-1, "three", 2**50, 1.5])
def test_a_configuration_that_cannot_be_is_named(write, value):
    path = write("model.safetensors", header(sizes_of()))
    write("config.json", CONFIG | {"num_hidden_layers": value})
    with pytest.raises(BandwidthError, match=r"config\.json: num_hidden_layers"):
        read_safetensors(path)
