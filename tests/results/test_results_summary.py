"""Work that is done once for each object: not again while that lives, and dropped with it."""

from __future__ import annotations

import gc
import weakref

import pytest

from bandwidth.results.summary import chain_curves, once_each


class Thing:
    """As records are: equal to another of the same content, and without a hash."""

    __hash__ = None

    def __eq__(self, other):
        return isinstance(other, Thing)


def test_it_is_done_once_for_each_object_however_alike_they_are():
    asked = []
    found = once_each(lambda thing: asked.append(id(thing)) or len(asked))
    one, other = Thing(), Thing()
    assert [found(one), found(other), found(one), found(other)] == [1, 2, 1, 2]
    assert asked == [id(one), id(other)]


def test_what_was_found_goes_with_its_object():
    class Value:
        pass

    found = once_each(lambda thing: Value())
    for _ in range(100):  # the next often stands where the last one stood, and is another
        thing = Thing()
        kept = weakref.ref(found(thing))
        assert kept() is found(thing)
        del thing
        gc.collect(0)
        assert kept() is None


@pytest.fixture
def chains(make_case, make_result):
    """Return a latency of so many chains at once, at so many nanoseconds a load."""

    def build(count, ns, **variant):
        variant["chains"] = f"{count}-chains"
        case = make_case(path="latency", engine="native", bytes_per_call=8 * 1000, variant=variant)
        return make_result(case, (ns * 1e-6,) * 6)

    return build


def test_lines_under_way_are_the_latency_over_the_time_of_a_load(chains):
    (curve,) = chain_curves([chains(32, 4.0), chains(1, 96.0), chains(8, 12.0)])
    assert [point.result.case.chains for point in curve.points] == [1, 8, 32]
    assert [round(point.lines, 6) for point in curve.points] == [1.0, 8.0, 24.0]
    assert curve.most_lines == pytest.approx(24.0)


def test_chains_without_the_single_one_or_of_two_cores_make_no_curve(chains, make_result):
    assert chain_curves([chains(2, 48.0), chains(8, 12.0), chains(32, 4.0)]) == ()
    assert chain_curves([chains(1, 96.0), chains(8, 12.0)]) == ()
    kinds = [chains(count, 96.0 / count, cores=kind) for kind in ("fast", "slow") for count in (1, 2, 4)]
    assert len(chain_curves([*kinds, make_result()])) == 2


def test_a_number_of_chains_that_is_none_is_one_chain(make_case):
    odd = ("x", "", "-3-chains", "1e9", "0-chains", 7)
    assert [make_case(variant={"chains": text}).chains for text in odd] == [1, 1, 1, 1, 1, 7]
