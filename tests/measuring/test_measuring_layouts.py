"""Memory laid out anew: three layouts under the six blocks of an interval, and no more filling than costs little."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from measuring_support import ScriptedEngine, small_topology

from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts
from bandwidth.measuring.layouts import Layouts
from bandwidth.measuring.run import Measurement
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions


@dataclass
class MovableEngine(ScriptedEngine):
    """A scripted engine whose memory can be laid out anew, in `fill_s` seconds; `refuses_at` that layout."""

    layout: int = 1
    refuses_at: int = 0

    def lay_out_anew(self, limit_s):
        self.now += self.fill_s
        self.layout += 1
        self.log.append(("lay out", ""))
        if self.layout == self.refuses_at:
            raise BandwidthError("the system refused the memory", "use a smaller --size")

    def run_block(self, case, calls):
        return replace(super().run_block(case, calls), layout=self.layout)


def run(engine, budget_s=15.0, kernels=("copy",)):
    options = MeasureOptions(budget_s=budget_s, kernels=kernels, threads=("2",), size_bytes=2**24, engines=("numpy",))
    plan = make_plan(options, Facts({}), small_topology(2))
    return Measurement(plan, {"numpy": engine}, clock=engine.clock, shuffle=lambda turns: None).run()


def test_six_blocks_are_of_three_layouts():
    (result,) = run(MovableEngine(lambda case, calls: 0.1, fill_s=0.1)).results
    assert result.samples.stopped_by == "precision"
    assert result.samples.layouts == (1, 1, 2, 2, 3, 3, 3)


def test_filling_takes_a_tenth_of_the_time_at_most_and_goes_on_with_it():
    seconds = iter([0.1, 0.2] * 1000)
    engine = MovableEngine(lambda case, calls: next(seconds), fill_s=0.2)
    (result,) = run(engine, budget_s=30.0).results
    anew = sum(what == "lay out" for what, _ in engine.log)
    assert anew > 5
    assert anew * 0.2 <= 0.1 * engine.now
    assert len(set(result.samples.layouts)) == anew + 1
    assert list(result.samples.layouts) == sorted(result.samples.layouts)


@pytest.mark.parametrize("fill_s", [0.8, 5.0])
def test_memory_that_is_dear_to_fill_is_filled_once(fill_s):
    engine = MovableEngine(lambda case, calls: 0.1, fill_s=fill_s)
    (result,) = run(engine).results
    assert result.samples.layouts == ()
    assert ("lay out", "") not in engine.log


def test_memory_stays_where_little_time_is_left_and_where_all_cases_end():
    engine = MovableEngine(lambda case, calls: 0.1, fill_s=0.1)
    layouts = Layouts(10.0, engine.clock)
    for left_s in (9.0, 0.39):
        layouts.after_round([engine], 1.0, left_s)
    assert engine.layout == 1
    layouts.after_round([engine], 1.0, 9.0)
    layouts.after_round([engine], 1.0, 9.0)
    assert engine.layout == 2
    layouts.after_round([], 1.0, 9.0)
    assert engine.layout == 2


def test_memory_that_is_not_given_again_ends_the_cases_and_keeps_their_samples():
    engine = MovableEngine(lambda case, calls: 0.1, fill_s=0.1, refuses_at=3)
    outcome = run(engine, kernels=("copy", "add"))
    assert [len(result.samples.seconds) for result in outcome.results] == [4, 4]
    assert {result.samples.stopped_by for result in outcome.results} == {"failure"}
    assert all(result.is_verified for result in outcome.results)


def test_an_engine_that_cannot_is_left_alone():
    (result,) = run(ScriptedEngine(lambda case, calls: 0.1, fill_s=0.1)).results
    assert result.samples.layouts == ()
