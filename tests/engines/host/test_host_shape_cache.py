"""The file of shapes that won: where it is, what it takes for its own, and two runs at once."""

import json
import threading

import pytest

from bandwidth.engines.host.native_code.processor import LlvmProcessor
from bandwidth.engines.host.native_code.shapes import Shape
from bandwidth.engines.host.shape_cache import ShapeCache, Winner

PROCESSOR = LlvmProcessor("x86_64-unknown-linux-gnu", "znver4", "", 64)
SHAPE = Shape(32, 256, 1, 0, 1024)
WINNER = Winner(SHAPE, 5e10, 1.5e-3, "2026-11-26T03:00:00+00:00")


@pytest.fixture
def cache(tmp_path):
    return ShapeCache(tmp_path / "bandwidth", "AMD EPYC 9654")


def changed(cache, change):
    """Change what the file says."""
    path = cache.path(PROCESSOR)
    saved = json.loads(path.read_text(encoding="utf-8"))
    change(saved)
    path.write_text(json.dumps(saved), encoding="utf-8")


def test_what_is_kept_is_there_the_next_time(cache, tmp_path):
    assert cache.load(PROCESSOR) == {}
    cache.keep(PROCESSOR, "copy", WINNER)
    again = ShapeCache(tmp_path / "bandwidth", "AMD EPYC 9654")
    assert again.load(PROCESSOR) == {"copy": WINNER}
    assert (cache.note, again.note) == ("", "")


def test_another_model_or_what_code_is_made_for_has_another_file(cache, tmp_path):
    cache.keep(PROCESSOR, "copy", WINNER)
    assert ShapeCache(tmp_path / "bandwidth", "AMD EPYC 9755").load(PROCESSOR) == {}
    assert cache.load(LlvmProcessor("x86_64-unknown-linux-gnu", "znver5", "", 64)) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: saved.update(schema="bandwidth/shapes/0"),
        lambda saved: saved.update(grid="0123456789abcdef"),
        lambda saved: saved["processor"].update(model="another"),
        lambda saved: saved.update(winners=[]),
        lambda saved: saved.clear(),
        lambda saved: saved.update(more=" " * 2_000_000),
    ],
)
def test_a_file_of_another_version_or_processor_counts_for_nothing_and_is_written_anew(change, cache):
    cache.keep(PROCESSOR, "copy", WINNER)
    changed(cache, change)
    assert cache.load(PROCESSOR) == {}
    assert "another version or processor" in cache.note
    cache.keep(PROCESSOR, "read", WINNER)
    assert cache.load(PROCESSOR) == {"read": WINNER}


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_file_of_shapes_is_said(text, cache):
    cache.keep(PROCESSOR, "copy", WINNER)
    cache.path(PROCESSOR).write_bytes(text)
    assert cache.load(PROCESSOR) == {}
    assert cache.note == "the file with the tuned kernel shapes cannot be read: they are tuned again"


@pytest.mark.parametrize(
    "winner",
    [
        None,
        {},
        {"shape": {"pages": "4"}, "bytes_per_s": 1.0, "trial_s": 1e-3, "tried_at": "2026-01-01"},
        {"shape": {"sails": 4}, "bytes_per_s": 1.0, "trial_s": 1e-3, "tried_at": "2026-01-01"},
        {"shape": [], "bytes_per_s": 1.0, "trial_s": 1e-3, "tried_at": "2026-01-01"},
        {"shape": {}, "bytes_per_s": 1.0, "tried_at": "2026-01-01"},
        {"shape": {}, "bytes_per_s": "fast", "trial_s": 1e-3, "tried_at": "2026-01-01"},
        {"shape": {}, "bytes_per_s": 1.0, "trial_s": 1e-3, "tried_at": "\x1b[31myesterday"},
    ],
)
def test_a_winner_that_was_never_written_is_passed_over_and_the_others_stand(winner, cache):
    cache.keep(PROCESSOR, "copy", WINNER)
    changed(cache, lambda saved: saved["winners"].update(read=winner))
    assert cache.load(PROCESSOR) == {"copy": WINNER}


def test_runs_at_once_never_leave_a_file_that_is_half_written_or_mixed(cache, tmp_path):
    """Each writes its own winners and reads all: whatever is read is whole, and says what somebody wrote."""
    wrong, winners = (
        [],
        {f"question {number}": Winner(Shape(16, number), 1e9, 1.5e-3, WINNER.tried_at) for number in range(4)},
    )
    begin = threading.Barrier(len(winners))

    def one(name):
        own = ShapeCache(tmp_path / "bandwidth", "AMD EPYC 9654")
        begin.wait()
        for _ in range(20):
            own.keep(PROCESSOR, name, winners[name])
            wrong.extend(pair for pair in own.load(PROCESSOR).items() if winners[pair[0]] != pair[1])
        wrong.extend([own.note] if own.note else [])

    threads = [threading.Thread(target=one, args=[name]) for name in winners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    left = cache.load(PROCESSOR)
    assert left
    assert all(winners[name] == winner for name, winner in left.items())
    assert [path.name for path in (tmp_path / "bandwidth").iterdir()] == [cache.path(PROCESSOR).name]


def test_a_folder_that_cannot_be_written_to_costs_nothing_but_a_line(tmp_path):
    (tmp_path / "bandwidth").write_text("a file", encoding="utf-8")
    cache = ShapeCache(tmp_path / "bandwidth", "AMD EPYC 9654")
    cache.keep(PROCESSOR, "copy", WINNER)
    assert cache.note.startswith("the tuned kernel shapes cannot be written to the cache folder")
