from __future__ import annotations

import pytest

from bandwidth.machine.reader import CapturedReader, SystemReader
from bandwidth.machine.system_memory import page_facts

FOLDER = "/sys/kernel/mm/transparent_hugepage"


def plain(files, **keywords):
    return {name: fact.value for name, fact in page_facts(CapturedReader(files, **keywords)).items()}


def test_pages_of_a_linux_machine():
    files = {f"{FOLDER}/enabled": "always [madvise] never\n", f"{FOLDER}/hpage_pmd_size": "2097152\n"}
    assert plain(files, page_bytes=4096) == {
        "page_bytes": 4096,
        "transparent_huge_pages": "madvise",
        "transparent_huge_page_bytes": 2097152,
    }


def test_an_arm_kernel_with_large_pages():
    files = {f"{FOLDER}/enabled": "[always] madvise never\n", f"{FOLDER}/hpage_pmd_size": "536870912\n"}
    assert plain(files, page_bytes=65536)["transparent_huge_page_bytes"] == 512 * 1024**2


def test_a_mac_has_only_a_page_size():
    assert plain({}, system="Darwin", page_bytes=16384) == {"page_bytes": 16384}


@pytest.mark.parametrize("enabled", ["", "always madvise never", "[sometimes]", "[", "\0[]"])
@pytest.mark.parametrize("size", ["", "0", "-1", "2M", "9" * 30])
def test_garbage_is_left_out(enabled, size):
    assert plain({f"{FOLDER}/enabled": enabled, f"{FOLDER}/hpage_pmd_size": size}) == {}


def test_this_machine_has_pages():
    size = SystemReader().page_bytes() or 0
    assert size >= 4096
    assert size & (size - 1) == 0
