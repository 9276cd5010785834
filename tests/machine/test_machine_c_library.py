from __future__ import annotations

import platform
import sys

import pytest

from bandwidth.machine.reader import CapturedReader, SystemReader
from bandwidth.machine.system_memory import streaming_threshold_facts

LOADER = "/lib64/ld-linux-x86-64.so.2"
NAME = "c_library_streaming_threshold_bytes"
TUNABLES = """\
glibc.rtld.nns: 0x4 (min: 0x1, max: 0x10)
glibc.elision.skip_lock_after_retries: 3 (min: 0, max: 2147483647)
glibc.cpu.x86_rep_movsb_threshold: 0x840 (min: 0x200, max: 0xffffffffffffffff)
glibc.cpu.x86_non_temporal_threshold: 0xb580000 (min: 0x4040, max: 0xfffffffffffffff)
glibc.cpu.x86_shstk:
"""


class Counting(CapturedReader):
    """A reader that notes the commands it is asked to run."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.ran = []

    def run(self, *command):
        self.ran.append(command)
        return super().run(*command)


def reader(output=TUNABLES, machine="x86_64", c_library="glibc 2.36", loader=LOADER, **keywords):
    return Counting({}, {(loader, "--list-tunables"): output}, machine=machine, c_library=c_library, **keywords)


def test_the_threshold_of_glibc():
    asked = reader()
    fact = streaming_threshold_facts(asked)[NAME]
    assert (fact.value, fact.source) == (0xB580000, f"{LOADER} --list-tunables")
    assert asked.ran == [(LOADER, "--list-tunables")]


def test_an_override_is_named_as_such():
    changed = TUNABLES.replace("0xb580000", "0x1000000")
    asked = reader(changed, environment={"GLIBC_TUNABLES": "glibc.cpu.x86_non_temporal_threshold=0x1000000"})
    fact = streaming_threshold_facts(asked)[NAME]
    assert (fact.value, fact.source) == (16 * 1024**2, f"{LOADER} --list-tunables with GLIBC_TUNABLES")


def test_32_bit_x86_has_another_loader():
    asked = reader(machine="i686", loader="/lib/ld-linux.so.2")
    assert streaming_threshold_facts(asked)[NAME].value == 0xB580000


@pytest.mark.parametrize(
    "keywords",
    [
        {"c_library": "musl 1.2.5"},
        {"c_library": None},
        {"c_library": "glibc"},
        {"c_library": "glibc 2.31"},
        {"machine": "aarch64"},
        {"machine": "ppc64le"},
        {"system": "Darwin"},
        {"system": "Windows", "machine": "AMD64"},
    ],
)
def test_nothing_runs_where_there_is_no_such_threshold(keywords):
    asked = reader(**keywords)
    assert streaming_threshold_facts(asked) == {}
    assert asked.ran == []


@pytest.mark.parametrize(
    "value", ["", "0x0 (min: 0x0)", "garbage", "0x", "0x" + "f" * 17, "0x1g", "12", "-0x1", "\0", "0x10,"]
)
def test_garbage_is_left_out(value):
    assert streaming_threshold_facts(reader(f"glibc.cpu.x86_non_temporal_threshold: {value}\n")) == {}


def test_a_loader_that_fails_or_is_missing():
    assert streaming_threshold_facts(Counting({}, c_library="glibc 2.36")) == {}


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="needs glibc on x86-64",
)
def test_the_real_loader_heeds_the_environment(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.cpu.x86_non_temporal_threshold=0x1000000")
    facts = streaming_threshold_facts(SystemReader())
    if not facts:
        pytest.skip("this glibc does not list its tunables")
    assert facts[NAME].value == 16 * 1024**2
