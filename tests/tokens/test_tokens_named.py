"""Models without a file: names, sizes with a mix, bytes; what the tables say, and what is refused."""

from __future__ import annotations

import pytest

from bandwidth.catalog.entries import specs_folder
from bandwidth.catalog.language_models import read_language_models, read_quantisations
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.tokens.model import Decoding
from bandwidth.tokens.named import Known, named_model, parse_parameters

KNOWN = Known(read_language_models(specs_folder()), read_quantisations(specs_folder()))


def model(text, **options):
    return named_model(text, KNOWN, **options)


def test_the_usual_size_of_a_mix():
    # llama-quantize's page: 43.1 GB for the Q4_K_M of the 70B
    assert model("70B:Q4_K_M").weight_bytes == pytest.approx(43.1e9, rel=0.005)
    assert model("llama-3.3-70b:q4_k_m").name == "Llama 3.3 70B, Q4_K_M"
    assert model("70B:Q4_K_M").cache_bytes(Decoding(8192)) == 2 * 80 * 8 * 128 * 2 * 8192


def test_a_mixture_reads_what_is_active():
    mixture = model("Mixtral 8x7B:F16")
    assert mixture.weight_bytes == pytest.approx(2 * 46.70e9)
    assert mixture.read_weight_bytes() == pytest.approx(2 * 12.88e9)
    assert mixture.read_weight_bytes(1000) == pytest.approx(2 * 46.70e9)


def test_a_number_of_weights_takes_the_cache_of_the_model_about_as_large():
    found = model("33B:Q8_0")
    assert found.weight_bytes == pytest.approx(33e9 * 8.5008 / 8)
    assert found.layers == 64
    assert "KV cache as for" in found.notes[0]
    assert model("1000B:Q8_0").cache or "not counted" in model("1000B:Q8_0").notes[0]
    assert model("31B:Q8_0", active="3B").read_weight_bytes() == pytest.approx(3e9 * 8.5008 / 8)


def test_bytes_say_nothing_of_the_cache():
    found = model("40GB", layers=80)
    assert (found.weight_bytes, found.dense_bytes, found.layers) == (40 * 10**9, 40 * 10**9, 80)
    assert found.context_that_doubles(Decoding()) is None
    assert "not counted" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("70B", {}, "does not state the quantisation; add it: 70B:Q4_K_M"),
        ("Llama 3.3 70B", {}, "does not state the quantisation"),
        ("70B:Q9", {}, "'Q9' is not a quantisation; known: IQ1_S"),
        ("70B:Q4_KM", {}, "'Q4_KM' is not a quantisation; did you mean Q4_K_M?"),
        ("70B:q4-k-n", {}, "'q4-k-n' is not a quantisation; did you mean Q4_K_S or Q4_K_M?"),
        ("70B:Q8", {}, "'Q8' is not a quantisation; did you mean Q8_0?"),
        ("Lama 3.1 8B:Q8_0", {}, "'Lama 3.1 8B' is not a known model; did you mean Llama 3.1 8B? use"),
        ("Qwen3 9B:Q8_0", {}, "is not a known model; use a .gguf"),
        ("Mixtrl 8x7B", {}, "'Mixtrl 8x7B' is not a known model; did you mean Mixtral 8x7B? use"),
        ("nothing", {}, "is not a known model"),
        ("nothing:Q4_K_M", {}, "'nothing' is not a known model"),
        ("0B:Q4_K_M", {}, "is not a known model"),
        ("", {}, "is not a known model"),
        ("70B:Q4_K_M", {"active": "3B"}, "Llama 3.3 70B is known"),
        ("33B:Q4_K_M", {"active": "40B"}, "--active 40B is more than 33B"),
        ("33B:Q4_K_M", {"layers": 0}, "--layers 0 is out of range"),
        ("40GB", {"active": "3B"}, "--active needs a number of weights"),
    ],
)
def test_what_is_refused(text, options, words):
    with pytest.raises(BandwidthError) as raised:
        model(text, **options)
    assert words in str(raised.value)
    assert isinstance(raised.value, UsageError) == bool(options)


@pytest.mark.parametrize(("text", "count"), [("70B", 70e9), ("0.5b", 5e8), ("135M", 135e6), ("1T", 1e12)])
def test_numbers_of_weights(text, count):
    assert parse_parameters(text) == count


def test_every_row_of_the_table_is_sound():
    names = [name for one in KNOWN.models for name in (one.name, *one.aliases)]
    assert len({name.lower() for name in names}) == len(names)
    for one in KNOWN.models:
        found = model(f"{one.name}:F16")
        assert found.weight_bytes == pytest.approx(2 * one.parameters)
        assert found.read_weight_bytes() == pytest.approx(2 * one.active, rel=1e-6)
        assert found.dense_bytes > 0
        assert (one.window is None) == (one.turn == 0)
