"""Work that is done once for each object: not again while that lives, and dropped with it."""

from __future__ import annotations

import gc
import weakref

from bandwidth.results.summary import once_each


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
