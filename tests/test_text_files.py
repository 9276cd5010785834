"""Files that are replaced keep what is theirs, several are written together or not at all, and names are checked."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from bandwidth.errors import BandwidthError, UsageError
from bandwidth.text_files import check_plain, check_writable, read_text, write_atomically, write_together


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "run.json"
    path.write_text("old")
    path.chmod(mode)
    write_atomically(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_root_leaves_a_file_to_its_owner(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")
    os.chown(path, 4242, 4243)
    path.chmod(0o640)
    write_atomically(path, "new")
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4242, 4243, 0o640)


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".json")
    check_writable(path)
    write_atomically(path, "new")
    assert path.read_text() == "new"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of another file system."""
    other = Path("/dev/shm")  # noqa: S108 - a file system of its own, not a place for temporary files
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev or not os.access(other, os.W_OK):
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=other) as folder:
        yield Path(folder)


def test_links_to_another_file_system_stay(tmp_path, elsewhere):
    (elsewhere / "real.html").write_text("old")
    (tmp_path / "link.html").symlink_to(elsewhere / "real.html")
    write_together({tmp_path / "link.html": b"page", tmp_path / "figure.svg": b"figure"})
    assert (tmp_path / "link.html").is_symlink()
    assert (elsewhere / "real.html").read_bytes() == b"page"
    assert names(elsewhere) == ["real.html"]
    assert names(tmp_path) == ["figure.svg", "link.html"]


def test_where_the_last_of_several_cannot_take_its_place_the_others_come_back(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    replace = Path.replace

    def last_fails(self, target):
        if Path(target).name == "c":
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", last_fails)
    with pytest.raises(UsageError, match="c cannot be written: Input/output error"):
        write_together({tmp_path / "a": b"new", tmp_path / "b": b"new", tmp_path / "c": b"new"})
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_what_is_no_plain_file_of_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(BandwidthError, match="is not a regular file"):
        check_plain(tmp_path / "pipe.json")
    check_plain(tmp_path / "none.json")


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path):
    (tmp_path / "windows.json").write_bytes(b"\xef\xbb\xbf{}")
    assert read_text(tmp_path / "windows.json", "a record", "") == "{}"


def test_halves_of_characters_are_written_as_escapes(tmp_path):
    write_atomically(tmp_path / "a.txt", "\ud800")
    assert (tmp_path / "a.txt").read_text() == "\\ud800"
