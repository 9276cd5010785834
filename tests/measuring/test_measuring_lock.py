"""One measurement at a time on a machine."""

import os
import subprocess
import sys

import pytest

from bandwidth.errors import BandwidthError
from bandwidth.measuring.lock import LOCK_NAME, machine_lock


def test_second_lock_is_refused_in_one_line(tmp_path):
    refused = pytest.raises(BandwidthError, match="another measurement runs on this machine")
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
    with pytest.raises(BandwidthError, match="cannot be locked: it is no plain file"), machine_lock(tmp_path):
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
