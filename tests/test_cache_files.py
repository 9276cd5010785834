"""The cache folder, and the files in it: whole or nothing, of this head or nothing."""

from pathlib import Path

import pytest

from bandwidth.cache_files import FOREIGN, MOST_BYTES, UNREADABLE, CacheFile, cache_folder

HEAD = {"schema": "bandwidth/example/1", "of": {"model": "one"}}


@pytest.fixture
def cached(tmp_path):
    return CacheFile(tmp_path / "bandwidth" / "example.json", HEAD, "entries")


@pytest.mark.parametrize(
    ("environment", "platform", "folder"),
    [
        ({}, "linux", "/home/one/.cache/bandwidth"),
        ({"XDG_CACHE_HOME": "/var/cache/one"}, "linux", "/var/cache/one/bandwidth"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "/home/one/.cache/bandwidth"),
        ({}, "darwin", "/home/one/Library/Caches/bandwidth"),
        ({"LOCALAPPDATA": "/users/one/local"}, "win32", "/users/one/local/bandwidth"),
    ],
)
def test_the_folder_is_the_platforms(environment, platform, folder):
    assert cache_folder(environment, platform, lambda: Path("/home/one")) == Path(folder)


def test_without_a_home_there_is_no_folder():
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    assert cache_folder({}, "linux", no_home) is None


def test_what_is_kept_is_there_again_and_no_file_is_no_fault(cached):
    assert cached.load() == ({}, "")
    assert cached.keep({"copy": [1.5, 2.5]})
    assert cached.load() == ({"copy": [1.5, 2.5]}, "")
    assert cached.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("head", [{**HEAD, "schema": "bandwidth/example/2"}, {**HEAD, "of": {"model": "two"}}])
def test_a_file_with_another_head_counts_for_nothing(cached, head):
    CacheFile(cached.path, head, "entries").keep({"copy": [1.5]})
    assert cached.load() == ({}, FOREIGN)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", UNREADABLE),
        ("{", UNREADABLE),
        ("[" * 100_000, UNREADABLE),
        ("[1]", FOREIGN),
        (" " * (MOST_BYTES + 1), FOREIGN),
    ],
)
def test_what_is_no_such_file_is_told(cached, text, fault):
    cached.keep({})
    cached.path.write_text(text, encoding="utf-8")
    assert cached.load() == ({}, fault)


def test_where_nothing_can_be_written_that_is_returned(tmp_path):
    (tmp_path / "bandwidth").write_text("a file", encoding="utf-8")
    assert not CacheFile(tmp_path / "bandwidth" / "example.json", HEAD, "entries").keep({})
