"""A pass of a kernel over its arrays: in which order, and how much of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from bandwidth.engines.host.native_code.flow import BlockFunction, Body, word
from bandwidth.engines.host.native_code.rows import LARGE_BYTES, MOST_ABREAST_ARRAYS
from bandwidth.engines.host.native_code.sums import Sums
from bandwidth.engines.host.native_code.vectors import Vectors
from bandwidth.kernels import ELEMENT_BYTES, Kernel
from bandwidth.vocabulary import LINE_BYTES, PAGE_BYTES

# One or two arrays in memory are written some pages abreast, as the C library's copy does: a prefetcher follows one
# stream within a page, so more pages keep more requests under way. On a Xeon of 2024, one thread, a streaming copy
# gains a third and an ordinary write a fifth. Three arrays lose by it, and so does what lies in a cache.
PAGES_ABREAST = 4
ABREAST_BYTES = 128
# Bytes of each array that one turn of the inner loop works on: enough that counting and branching cost nothing.
TURN_BYTES = 256
# How a pass "reduces" that only loads: no kernel's own.
TOUCH = "touch"


class Passes:
    """Writes passes of one kernel into a function; a reducing one hands on `sums` from turn to turn."""

    def __init__(
        self, function: BlockFunction, kernel: Kernel, stores: str | None = None, turn_bytes: int = TURN_BYTES
    ) -> None:
        self.sums = Sums(function, kernel)
        self._function = function
        self._builder = function.builder
        self._kernel = kernel
        self._stores = stores
        self._turn_bytes = turn_bytes
        self._vectors = Vectors(function, kernel)

    def one(self, sums: Sequence[Any]) -> list[Any]:
        """Write one pass: of large arrays several pages side by side, then turns of many lines, then single lines."""
        loop, elements, groups = self._function.loop, self._function.arguments["elements"], word(0)
        if self._kernel.writes and self._kernel.arrays <= MOST_ABREAST_ARRAYS:
            group_bytes = PAGES_ABREAST * PAGE_BYTES
            is_large = self._builder.icmp_unsigned(">=", elements, word(LARGE_BYTES // ELEMENT_BYTES))
            groups = self._builder.select(is_large, self._rounded_down(elements, group_bytes), groups)
            sums = loop(word(0), groups, group_bytes, sums, self._pages_abreast)
        whole = self._rounded_down(elements, self._turn_bytes)
        sums = loop(groups, whole, self._turn_bytes, sums, self._turns(self._turn_bytes))
        return loop(whole, elements, LINE_BYTES, sums, self._turns(LINE_BYTES))

    def turn(self, begin: Any, sums: Sequence[Any], length_bytes: int = TURN_BYTES) -> list[Any]:
        """Write the work on the elements from `begin` on, vector by vector."""
        sums, processor = list(sums), self._function.processor
        for vector in range(length_bytes // processor.vector_bytes):
            place = self._builder.add(begin, word(vector * processor.lanes))
            value = self._vectors.value(place)
            if self._kernel.reduces == TOUCH:
                self._vectors.touch(value)
            elif self._kernel.reduces:
                self.sums.join(sums, vector, value)
            else:
                self._vectors.store(value, place, self._stores)
        return sums

    def _turns(self, length_bytes: int) -> Body:
        return partial(self.turn, length_bytes=length_bytes)

    def _pages_abreast(self, begin: Any, sums: Sequence[Any]) -> list[Any]:
        """Write the work on a group of pages, some lines of each in turn."""
        page = PAGE_BYTES // ELEMENT_BYTES

        def row(offset: Any, sums: Sequence[Any]) -> list[Any]:
            first = self._builder.add(begin, offset)
            for number in range(PAGES_ABREAST):
                sums = self.turn(self._builder.add(first, word(number * page)), sums, ABREAST_BYTES)
            return list(sums)

        return self._function.loop(word(0), word(page), ABREAST_BYTES, sums, row)

    def _rounded_down(self, elements: Any, step_bytes: int) -> Any:
        return self._builder.and_(elements, word(-(step_bytes // ELEMENT_BYTES)))
