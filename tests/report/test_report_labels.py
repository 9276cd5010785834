"""What a rate counts, in words: one text for the table and for the captions of figures."""

from __future__ import annotations

import pytest

from bandwidth.report.figures.data import caption
from bandwidth.report.labels import counted_bytes, id_words, target_words, variant_words
from bandwidth.report.measurement import measurement_document
from bandwidth.results import Examination


@pytest.mark.parametrize(
    ("paths", "counted"),
    [
        (["triad", "copy", "copy"], "copy 8 read + 8 written, triad 16 read + 8 written"),
        (["memset", "read", "memcpy"], "read 8 read, memcpy 8 read + 8 written, memset 8 written"),
        (["latency", "h2d", "of a later version"], ""),
        ([], ""),
    ],
)
def test_what_is_counted_stands_in_the_order_of_the_tables(paths, counted, make_case, make_result, make_record):
    results = [make_result(make_case(path=path)) for path in paths]
    assert counted_bytes(results) == counted
    record = make_record(*results)
    for text in (
        caption(record, results),
        "\n".join(map(str, measurement_document(record, Examination({}, ())).blocks)),
    ):
        assert (f"Bytes counted per element: {counted}" in text) == bool(counted)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("host", "host"),
        ("device:0", "device 0"),
        ("device:0,1", "devices 0,1"),
        ("pcie:3", "link of device 3"),
        ("pcie:0,1", "link of devices 0,1"),
        ("device:\x1b", "device"),
    ],
)
def test_a_target_is_said_in_words(target, words, make_case):
    assert target_words(make_case(target=target)) == words


def test_an_id_is_said_in_words():
    assert id_words("host/copy/native/2/streaming") == "copy, native, 2 threads, streaming"
    assert id_words("pcie:0/h2d/cuda/1/pinned") == "h2d, cuda, link of device 0, pinned"


def test_any_key_of_a_record_of_another_version_is_shown_as_it_stands():
    variant = {"stores": "streaming", "cores": "big", "{x}": "y", "a_{0.__class__}": 1, "data": "{}", "load": "40%"}
    assert variant_words({**variant, "mix": "2:1"}, "stores") == [
        "big cores",
        "{x} y",
        "a {0.  class  } 1",
        "{}",
        "load 40%",
    ]
