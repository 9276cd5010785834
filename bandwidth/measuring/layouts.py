"""When the memory of a run is laid out anew: an interval over the blocks of one layout is of that layout's luck too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bandwidth.engines.interface import Engine, LaysOutAnew
from bandwidth.errors import BandwidthError

# After so many rounds, so that the six blocks of an interval are of three layouts.
ROUNDS_PER_LAYOUT = 2
LEAST_LAYOUTS = 3
# All filling beyond the first takes no more than a tenth of the budget for the least number of layouts, and for more no
# more than a twentieth of the time so far.
FILLING_SHARE = 0.1
MORE_FILLING_SHARE = 0.05
# Filling may take so many times what it took before: where less time is left, what lies there stays.
FILLING_MARGIN = 4


class Layouts:
    """Counts the rounds of a run and lays its memory out anew. `clock` gives seconds, `budget_s` is that of the run."""

    def __init__(self, budget_s: float, clock: Callable[[], float]) -> None:
        self._budget_s = budget_s
        self._clock = clock
        self._rounds = 0
        self._filled_s: list[float] = []  # of each layout but the first

    def after_round(self, engines: Iterable[Engine], elapsed_s: float, limit_s: float) -> dict[int, str]:
        """Lay out the memory of some engines anew where that is due and costs little.

        Returns why one has no memory any more, by its identity.
        """
        self._rounds += 1
        movable = [engine for engine in engines if isinstance(engine, LaysOutAnew) and engine.fill_s > 0]
        if sum(engine.fill_s for engine in movable) * FILLING_MARGIN > limit_s:
            return {}
        if not movable or self._rounds % ROUNDS_PER_LAYOUT or not self._is_cheap(movable, elapsed_s):
            return {}
        begin, failed = self._clock(), {}
        for engine in movable:
            try:
                engine.lay_out_anew(limit_s)
            except BandwidthError as error:
                failed[id(engine)] = str(error)
        self._filled_s.append(self._clock() - begin)
        return failed

    def _is_cheap(self, movable: Iterable[LaysOutAnew], elapsed_s: float) -> bool:
        fill_s, missing = sum(engine.fill_s for engine in movable), LEAST_LAYOUTS - 1 - len(self._filled_s)
        planned_s = sum(self._filled_s) + fill_s * max(missing, 1)
        return planned_s <= (FILLING_SHARE * self._budget_s if missing > 0 else MORE_FILLING_SHARE * elapsed_s)
