"""One measurement at a time on a machine."""

import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from types import SimpleNamespace

import pytest

from bandwidth.errors import BandwidthError
from bandwidth.measuring import lock
from bandwidth.measuring.lock import FOLDER_VARIABLE, LOCK_NAME, LockedError, machine_lock


def test_second_lock_is_refused_in_one_line(tmp_path):
    refused = pytest.raises(BandwidthError, match="another measurement is running on this machine")
    with machine_lock(tmp_path), refused, machine_lock(tmp_path):
        pass


def test_lock_is_free_again_after_its_end(tmp_path):
    for _ in range(2):
        with machine_lock(tmp_path):
            pass


def test_lock_goes_with_a_process_that_is_killed(tmp_path):
    code = (
        "import sys, time, pathlib; from bandwidth.measuring.lock import machine_lock\n"
        "with machine_lock(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BandwidthError), machine_lock(tmp_path):
            pass
        holder.kill()
    with machine_lock(tmp_path):
        pass


def test_folder_that_cannot_hold_a_lock_is_named(tmp_path):
    with pytest.raises(BandwidthError, match="cannot be locked"), machine_lock(tmp_path / "missing"):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_or_link_of_that_name_is_neither_waited_for_nor_followed(tmp_path):
    os.mkfifo(tmp_path / LOCK_NAME)
    with pytest.raises(BandwidthError, match="cannot be locked: it is not a regular file"), machine_lock(tmp_path):
        pass
    (tmp_path / LOCK_NAME).unlink()
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BandwidthError, match="cannot be locked"), machine_lock(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="this system has no permissions of that kind")
def test_every_user_sees_the_same_lock_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        with machine_lock(tmp_path):
            assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


# --- one place a system


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Let this system have two places for the lock, and return them."""
    found = (tmp_path / "run-lock", tmp_path / "shm")
    for place in found:
        place.mkdir()
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(lock, "PLACES", {sys.platform: tuple(map(str, found))})
    return found


def refuses(**surroundings):
    with (
        pytest.raises(LockedError, match="another measurement is running on this machine"),
        machine_lock(**surroundings),
    ):
        pass


def test_no_folder_for_temporary_files_hides_a_measurement_from_another(places, tmp_path):
    """Slurm gives each job a TMPDIR, systemd a /tmp, macOS one a user: the lock is none of theirs."""
    code = (
        "import sys; from bandwidth.measuring import lock\n"
        "lock.PLACES = {sys.platform: tuple(sys.argv[1:])}\n"
        "with lock.machine_lock() as held: print(*held.paths, flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code, *map(str, places)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline().split() == [str(place / LOCK_NAME) for place in places]
        assert tempfile.gettempdir() != str(tmp_path)
        refuses()
        holder.stdin.close()
    with machine_lock():
        pass


@pytest.mark.parametrize("hidden", [0, 1])
def test_one_place_that_both_see_is_enough(places, tmp_path, monkeypatch, hidden):
    """A batch system may give a job its own /dev/shm, and a distribution may let only root write to /run/lock."""
    own = tmp_path / "of-the-job"
    own.mkdir()
    others = [str(own) if number == hidden else str(place) for number, place in enumerate(places)]
    with machine_lock():
        monkeypatch.setattr(lock, "PLACES", {sys.platform: tuple(others)})
        refuses()
        assert not (own / LOCK_NAME).exists() or hidden == 0  # the first that is held ends the try
    with machine_lock() as held:
        assert held.paths == tuple(f"{place}/{LOCK_NAME}" for place in others)


def test_what_was_refused_holds_nothing(places, monkeypatch):
    with machine_lock(places[1]):
        refuses()
        monkeypatch.setattr(lock, "PLACES", {sys.platform: (str(places[0]),)})
        with machine_lock():
            pass


def test_a_place_that_is_not_there_or_spoiled_is_passed_over(places, tmp_path):
    (places[0] / LOCK_NAME).symlink_to(tmp_path / "elsewhere")
    with machine_lock() as held:
        assert held.paths == (str(places[1] / LOCK_NAME),)
        assert held.note == ""
        refuses()
    assert not (tmp_path / "elsewhere").exists()


def test_without_any_place_the_temporary_folder_serves_and_the_note_says_so(places, tmp_path, monkeypatch):
    for place in places:
        place.rmdir()
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    with machine_lock() as held:
        assert held.paths == (str(own / LOCK_NAME),)
        assert f"is in {own}, because {places[0]} and {places[1]} cannot be written" in held.note
        refuses()
    own.rename(tmp_path / "gone")
    with pytest.raises(BandwidthError, match="cannot be locked"), machine_lock():
        pass


def test_a_folder_that_containers_share_can_be_named(places, tmp_path, monkeypatch):
    shared = tmp_path / "of-the-host"
    shared.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared))
    with machine_lock() as held:
        assert held.paths == (str(shared / LOCK_NAME),)
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared / "missing"))
    with pytest.raises(BandwidthError, match=f"set {FOLDER_VARIABLE} to another folder"), machine_lock():
        pass


# --- Windows


@pytest.fixture
def msvcrt(monkeypatch):
    """Let this system lock files as Windows does: by bytes, refused with EACCES where another descriptor has them."""
    held, errors = {}, []

    def locking(descriptor, mode, length):
        assert (mode, length) == (module.LK_NBLCK, 1)
        if errors:
            raise OSError(*errors)
        file = os.fstat(descriptor).st_ino
        if held.setdefault(file, descriptor) != descriptor:
            raise OSError(errno.EACCES, "Permission denied")

    def close(descriptor):
        file = os.fstat(descriptor).st_ino
        if held.get(file) == descriptor:
            del held[file]
        shut(descriptor)

    shut, module = os.close, SimpleNamespace(locking=locking, LK_NBLCK=2, errors=errors)
    monkeypatch.setattr(os, "close", close)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    return module


def test_windows_locks_refuse_a_second_and_are_free_after_the_first(tmp_path, msvcrt):
    for _ in range(2):
        with machine_lock(tmp_path):
            refuses(folder=tmp_path)


def test_a_folder_without_locks_is_no_other_measurement_on_windows(tmp_path, msvcrt):
    msvcrt.errors[:] = [errno.EINVAL, "Invalid argument"]
    with pytest.raises(BandwidthError, match="cannot be locked: Invalid argument"), machine_lock(tmp_path):
        pass


# --- waiting for it


def test_it_is_waited_for_and_told_once(tmp_path):
    told, free = [], threading.Event()

    def hold():
        with machine_lock(tmp_path):
            held.set()
            free.wait(20)

    held = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)

    def tell(words):
        told.append(words)
        free.set()

    with machine_lock(tmp_path, wait_s=20.0, tell=tell):
        pass
    holder.join()
    assert told == ["another measurement is running on this machine: waiting up to 20 s for it"]


def test_it_is_waited_for_no_longer_than_said(tmp_path):
    with machine_lock(tmp_path):
        begin = time.monotonic()
        late = pytest.raises(LockedError, match=r"is running on this machine, after 0\.3 s of waiting")
        with late, machine_lock(tmp_path, wait_s=0.3):
            pass
        assert 0.3 <= time.monotonic() - begin < 5
