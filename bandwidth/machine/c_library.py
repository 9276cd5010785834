"""From which size on the C library's copies bypass the caches: NumPy's copies are its `memcpy`."""

from __future__ import annotations

import re

from bandwidth.machine.facts import Fact, known
from bandwidth.machine.reader import Reader

# Where the ABI of each architecture puts glibc's dynamic loader; on others it has no such threshold.
_LOADERS = {
    "x86_64": "/lib64/ld-linux-x86-64.so.2",
    "amd64": "/lib64/ld-linux-x86-64.so.2",
    "i686": "/lib/ld-linux.so.2",
    "i386": "/lib/ld-linux.so.2",
}
_LINE = re.compile(r"^glibc\.cpu\.x86_non_temporal_threshold: 0x([0-9a-fA-F]{1,16})(?: |$)", re.ASCII | re.MULTILINE)
_OLDEST = (2, 33)  # glibc's NEWS for 2.33: the loader can list its tunables


def streaming_threshold_facts(reader: Reader) -> dict[str, Fact]:
    """Return `c_library_streaming_threshold_bytes`: larger copies of glibc on x86 use streaming stores.

    The loader works it out from the caches at each start, as it did for this process, and heeds GLIBC_TUNABLES.
    """
    loader = _LOADERS.get(reader.machine.lower())
    if reader.system != "Linux" or loader is None or not _can_list(reader.c_library() or ""):
        return {}
    found = _LINE.search(reader.run(loader, "--list-tunables") or "")
    threshold = int(found[1], 16) if found else 0  # 0: not worked out
    override = " with GLIBC_TUNABLES" if reader.environment("GLIBC_TUNABLES") else ""
    return known("c_library_streaming_threshold_bytes", threshold or None, f"{loader} --list-tunables{override}")


def _can_list(c_library: str) -> bool:
    version = re.match(r"glibc ([0-9]{1,3})\.([0-9]{1,3})", c_library, re.ASCII)
    return version is not None and (int(version[1]), int(version[2])) >= _OLDEST
