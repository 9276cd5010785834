"""The shapes that won on this model of processor, in a file of the user's cache folder: never needed, never trusted.

A file of another version, another processor or another grid counts for nothing, and so does one that cannot be read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bandwidth.engines.host.native_code.processor import LlvmProcessor
from bandwidth.engines.host.native_code.shapes import Shape, grid_digest, shape_of
from bandwidth.errors import BandwidthError
from bandwidth.text_files import read_text, write_atomically

SCHEMA = "bandwidth/shapes/1"
# A shape's file has a few hundred bytes for each question; what is larger is not ours.
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Winner:
    """A shape that won, how fast it was in bytes per second, and when, ISO 8601 in UTC."""

    shape: Shape
    bytes_per_s: float
    tried_at: str

    @classmethod
    def now(cls, shape: Shape, bytes_per_s: float) -> Winner:
        """Return one of this moment."""
        return cls(shape, bytes_per_s, datetime.now(UTC).isoformat(timespec="seconds"))


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


class ShapeCache:
    """Keeps winners by the names of their questions. `model` names the processor, as its system does.

    Each change is merged into the file as it then is, and put in its place at once: of two runs at the same moment one
    may lose what the other has just found, which is then tried anew. `note` says why nothing was taken or kept, ""
    where all is well.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._folder = folder
        self._model = model
        self.note = ""

    def path(self, processor: LlvmProcessor) -> Path:
        """Return the file of a processor."""
        told = json.dumps(self._processor(processor), sort_keys=True)
        return self._folder / f"shapes-{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"

    def load(self, processor: LlvmProcessor) -> dict[str, Winner]:
        """Return the winners that are known, none where the file is not one of this version and processor."""
        path = self.path(processor)
        try:
            is_small = path.stat().st_size <= MOST_BYTES
            saved = json.loads(read_text(path, "the file with the kernel shapes", "delete it")) if is_small else None
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError, BandwidthError):
            self.note = "the file with the tuned kernel shapes cannot be read: they are tuned again"
            return {}
        winners = self._winners(saved, processor)
        if winners is None:
            self.note = (
                "the file with the tuned kernel shapes is for another version or processor: they are tuned again"
            )
            return {}
        found = {str(name): _winner(one) for name, one in winners.items()}
        return {name: winner for name, winner in found.items() if winner is not None}

    def keep(self, processor: LlvmProcessor, name: str, winner: Winner) -> None:
        """Write down a winner. Where nothing can be written the next run tries anew."""
        winners = self.load(processor) | {name: winner}
        saved = {
            "schema": SCHEMA,
            "processor": self._processor(processor),
            "grid": grid_digest(processor),
            "winners": {key: {**asdict(one), "shape": one.shape.to_json()} for key, one in sorted(winners.items())},
        }
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self.path(processor), json.dumps(saved, indent=1) + "\n")
        except (OSError, BandwidthError):  # a read-only home, a full disk: no reason to measure nothing
            self.note = "the tuned kernel shapes cannot be written to the cache folder: the next run tunes them again"

    def _processor(self, processor: LlvmProcessor) -> dict[str, Any]:
        return {"model": self._model, **asdict(processor)}

    def _winners(self, saved: Any, processor: LlvmProcessor) -> dict[str, Any] | None:
        """Return what stands in a file of this version, processor and grid; None where it is of another."""
        winners = saved.get("winners") if isinstance(saved, dict) else None
        own = (SCHEMA, self._processor(processor), grid_digest(processor))
        is_own = winners is not None and (saved.get("schema"), saved.get("processor"), saved.get("grid")) == own
        return winners if is_own and isinstance(winners, dict) else None


def _winner(saved: Any) -> Winner | None:
    try:
        winner = Winner(shape_of(saved["shape"]), float(saved["bytes_per_s"]), str(saved["tried_at"]))
        datetime.fromisoformat(winner.tried_at)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    return winner
