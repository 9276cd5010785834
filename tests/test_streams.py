"""Paths that are streams: found by any name, written at their end, and never waited for without end."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bandwidth import streams
from bandwidth.errors import UsageError
from bandwidth.streams import descriptor_of, is_stream
from bandwidth.text_files import check_writable, write_atomically

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no such names on Windows")
WRITE = "import sys; from pathlib import Path; from bandwidth.text_files import write_atomically as write; "


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "{link}"])
def test_a_log_is_written_at_its_end(name, tmp_path):
    (tmp_path / "link").symlink_to("/dev/stdout")
    log = tmp_path / "log"
    log.write_text("before\n")
    code = WRITE + f"print('first'); write(Path({name.format(link=tmp_path / 'link')!r}), 'second\\n'); print('third')"
    with log.open("a") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert log.read_text() == "before\nfirst\nsecond\nthird\n"
    assert not stat.S_ISLNK(log.lstat().st_mode)


def test_a_file_that_is_only_named_so_is_none(tmp_path):
    (tmp_path / "fd").mkdir()
    (tmp_path / "fd" / "1").write_text("")
    assert descriptor_of(tmp_path / "fd" / "1") is None
    assert not is_stream(tmp_path / "stdout")
    assert not is_stream(tmp_path / "n" / ("x" * 5000))
    assert not is_stream(Path("a\0b"))


def test_a_descriptor_that_takes_nothing_is_told_first(tmp_path):
    (tmp_path / "file").write_text("mine")
    with (tmp_path / "file").open() as file, pytest.raises(UsageError, match="open for reading only"):
        check_writable(Path(f"/dev/fd/{file.fileno()}"))
    with pytest.raises(UsageError, match="is not open"):
        check_writable(Path("/dev/fd/987"))


def test_a_socket_is_no_place_for_a_file(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(UsageError, match="is a socket"):
            check_writable(tmp_path / "s")


def test_a_pipe_that_nobody_reads_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "READER_WAIT_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    check_writable(tmp_path / "pipe")
    with pytest.raises(UsageError, match="nothing reads from it"):
        write_atomically(tmp_path / "pipe", "text")
    assert time.monotonic() - started < 5


def test_a_pipe_gets_all_of_a_text_larger_than_it_holds(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_atomically(tmp_path / "pipe", "x" * 1_000_000)
    reader.join(10)
    assert found == ["x" * 1_000_000]
