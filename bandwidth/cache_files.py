"""Small JSON files in the user's cache folder: what may be lost at any time, is never needed and never trusted."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bandwidth.errors import BandwidthError
from bandwidth.text_files import read_text, write_atomically

# What is larger is not ours.
MOST_BYTES = 1_000_000
UNREADABLE, FOREIGN = "cannot be read", "is for another version or processor"


def cache_folder(
    environment: Mapping[str, str] = os.environ, platform: str = sys.platform, home: Callable[[], Path] = Path.home
) -> Path | None:
    """Return the folder for what may be lost at any time, as the platform has it; None where there is no home.

    XDG_CACHE_HOME or ~/.cache, ~/Library/Caches on macOS, LOCALAPPDATA on Windows.
    """
    name = "LOCALAPPDATA" if platform == "win32" else "XDG_CACHE_HOME"
    given = Path(environment.get(name, ""))
    if given.is_absolute():  # a relative one is to be passed over, says the specification
        return given / "bandwidth"
    try:
        return home() / ("Library/Caches" if platform == "darwin" else ".cache") / "bandwidth"
    except RuntimeError:  # the user has none
        return None


class Loaded(NamedTuple):
    """The entries of a file by name, and what is wrong with it: "", UNREADABLE or FOREIGN; then there are none."""

    entries: dict[str, Any]
    fault: str


class CacheFile(NamedTuple):
    """A file with `entries` under a key. `head` says what they are of: a file with another one counts for nothing."""

    path: Path
    head: Mapping[str, Any]
    key: str

    def load(self) -> Loaded:
        """Return what stands there; nothing, and no fault, where there is no file."""
        try:
            is_small = self.path.stat().st_size <= MOST_BYTES
            saved = json.loads(read_text(self.path, "the cache file", "delete it")) if is_small else None
        except FileNotFoundError:
            return Loaded({}, "")
        except (OSError, ValueError, RecursionError, BandwidthError):
            return Loaded({}, UNREADABLE)
        entries = saved.get(self.key) if isinstance(saved, dict) else None
        is_own = isinstance(saved, dict) and all(saved.get(name) == told for name, told in self.head.items())
        return Loaded({}, FOREIGN) if not is_own or not isinstance(entries, dict) else Loaded(entries, "")

    def keep(self, entries: Mapping[str, Any]) -> bool:
        """Put the entries in the file's place at once; return whether they could be written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self.path, json.dumps({**self.head, self.key: entries}) + "\n")
        except (OSError, BandwidthError):  # a read-only home, a full disk: no reason to measure nothing
            return False
        return True


def digest(told: Mapping[str, Any]) -> str:
    """Return a short name of what a file is of."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
