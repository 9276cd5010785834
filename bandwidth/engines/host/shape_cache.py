"""The shapes that won on this model of processor, in a file of the user's cache folder: never needed, never trusted.

A file of another version, another processor or another grid counts for nothing, and so does one that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bandwidth.cache_files import CacheFile, digest
from bandwidth.engines.host.native_code.processor import LlvmProcessor
from bandwidth.engines.host.native_code.shapes import Shape, grid_digest, shape_of

SCHEMA = "bandwidth/shapes/2"


@dataclass(frozen=True)
class Winner:
    """A shape that won, how fast it was in bytes per second, in trials how long, and when, ISO 8601 in UTC."""

    shape: Shape
    bytes_per_s: float
    trial_s: float
    tried_at: str

    @classmethod
    def now(cls, shape: Shape, bytes_per_s: float, trial_s: float) -> Winner:
        """Return one of this moment."""
        return cls(shape, bytes_per_s, trial_s, datetime.now(UTC).isoformat(timespec="seconds"))


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
        return self._folder / f"shapes-{digest(self._told(processor))}.json"

    def load(self, processor: LlvmProcessor) -> dict[str, Winner]:
        """Return the winners that are known, none where the file is not one of this version and processor."""
        winners, fault = self._file(processor).load()
        if fault:
            self.note = f"the file with the tuned kernel shapes {fault}: they are tuned again"
        found = {str(name): _winner(one) for name, one in winners.items()}
        return {name: winner for name, winner in found.items() if winner is not None}

    def keep(self, processor: LlvmProcessor, name: str, winner: Winner) -> None:
        """Write down a winner. Where nothing can be written the next run tries anew."""
        winners = self.load(processor) | {name: winner}
        entries = {key: {**asdict(one), "shape": one.shape.to_json()} for key, one in sorted(winners.items())}
        if not self._file(processor).keep(entries):
            self.note = "the tuned kernel shapes cannot be written to the cache folder: the next run tunes them again"

    def _file(self, processor: LlvmProcessor) -> CacheFile:
        head = {"schema": SCHEMA, "processor": self._told(processor), "grid": grid_digest(processor)}
        return CacheFile(self.path(processor), head, "winners")

    def _told(self, processor: LlvmProcessor) -> Mapping[str, Any]:
        return {"model": self._model, **asdict(processor)}


def _winner(saved: Any) -> Winner | None:
    try:
        rate, trial_s = float(saved["bytes_per_s"]), float(saved["trial_s"])
        winner = Winner(shape_of(saved["shape"]), rate, trial_s, str(saved["tried_at"]))
        datetime.fromisoformat(winner.tried_at)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    return winner
