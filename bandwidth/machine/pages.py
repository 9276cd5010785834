"""The sizes of memory pages, and whether the kernel hands out huge ones: small pages cost address translations."""

from __future__ import annotations

import re

from bandwidth.machine.facts import Fact, known
from bandwidth.machine.reader import Reader, read_integer

_FOLDER = "/sys/kernel/mm/transparent_hugepage"
_MODES = ("always", "madvise", "never")  # transhuge.rst of the kernel's documentation


def page_facts(reader: Reader) -> dict[str, Fact]:
    """Return `page_bytes`, `transparent_huge_pages` (always, madvise or never) and `transparent_huge_page_bytes`.

    A kernel that was built without huge pages has neither of the latter two.
    """
    mode = re.search(r"\[(\w+)\]", reader.text(f"{_FOLDER}/enabled") or "", re.ASCII)
    size = read_integer(reader, f"{_FOLDER}/hpage_pmd_size")
    return {
        **known("page_bytes", reader.page_bytes(), "the C library"),
        **known(
            "transparent_huge_pages", mode[1] if mode is not None and mode[1] in _MODES else None, f"{_FOLDER}/enabled"
        ),
        **known(
            "transparent_huge_page_bytes", size if size is not None and size > 0 else None, f"{_FOLDER}/hpage_pmd_size"
        ),
    }
