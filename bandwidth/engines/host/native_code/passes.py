"""A pass of a kernel over its arrays: in which order, how much at a time, and what becomes of each vector.

A vector is loaded, put through the kernel's own operators, and stored or only touched; a reducing kernel keeps sums
from vector to vector, of which one number is made in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from llvmlite import ir

from bandwidth.engines.host.native_code.flow import (
    DOUBLE,
    FLAG,
    WORD,
    BlockFunction,
    Body,
    i32,
    i64,
)
from bandwidth.engines.host.native_code.processor import ARM, POWER, X86, LlvmProcessor
from bandwidth.engines.host.native_code.shapes import LARGE_BYTES, MOST_ABREAST_ARRAYS, NARROW_BYTES, PLAIN, Shape
from bandwidth.kernels import ELEMENT_BYTES, KEPT_BITS, SUM, TAKEN_BITS, XOR, Kernel
from bandwidth.vocabulary import LINE_BYTES, PAGE_BYTES, STREAMING

# One or two arrays in memory are written some pages abreast, as the C library's copy does: a prefetcher follows one
# stream within a page, so more pages keep more requests under way. On a Xeon of 2024, one thread, a streaming copy
# gains a third and an ordinary write a fifth. Three arrays lose by it, and so does what lies in a cache.
PAGES_ABREAST = 4
ABREAST_BYTES = 128
# Bytes of each array that one turn of the inner loop works on: enough that counting and branching cost nothing.
TURN_BYTES = 256
# A generator of all numbers below any power of two: a factor of good spectral test (Steele and Vigna, "Computationally
# easy, spectrally good multipliers", 2021), any odd step, any start; and how many of its lines are asked for at a time.
SHUFFLE_FACTOR, SHUFFLE_STEP, SHUFFLE_START = 0xD134_2543_DE82_EF95, 0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03
SHUFFLED_ABREAST = 8
LINE_ELEMENTS = LINE_BYTES // ELEMENT_BYTES
# How a pass "reduces" that only loads: no kernel's own.
TOUCH = "touch"


class Passes:
    """Writes passes of one kernel into a function; a reducing one hands on `sums` from turn to turn."""

    def __init__(
        self, function: BlockFunction, kernel: Kernel, stores: str | None = None, shape: Shape = PLAIN
    ) -> None:
        self.sums = Sums(function, kernel)
        self._function = function
        self._builder = function.builder
        self._kernel = kernel
        self._stores = stores
        self._shape = shape
        self._turn_bytes = shape.turn_bytes or (LINE_BYTES if shape.vector_bytes == NARROW_BYTES else TURN_BYTES)
        self._vectors = Vectors(function, kernel)

    def one(self, sums: Sequence[Any]) -> list[Any]:
        """Write one pass: of large arrays several pages side by side, then turns of many lines, then single lines."""
        if self._kernel.shuffled:
            return self._shuffled(sums)
        loop, elements, groups = self._function.loop, self._function.arguments["elements"], i64(0)
        pages = self._shape.pages or PAGES_ABREAST
        by_default = bool(self._kernel.writes) and self._kernel.arrays <= MOST_ABREAST_ARRAYS
        if self._shape.pages > 1 or (by_default and not self._shape.pages):
            groups = self._rounded_down(elements, pages * PAGE_BYTES)
            if not self._shape.pages:
                is_large = self._builder.icmp_unsigned(">=", elements, i64(LARGE_BYTES // ELEMENT_BYTES))
                groups = self._builder.select(is_large, groups, i64(0))
            sums = loop(i64(0), groups, pages * PAGE_BYTES, sums, self._pages_abreast)
        whole = self._rounded_down(elements, self._turn_bytes)
        sums = loop(groups, whole, self._turn_bytes, sums, self._turns(self._turn_bytes))
        return loop(whole, elements, LINE_BYTES, sums, self._turns(LINE_BYTES))

    def turn(self, begin: Any, sums: Sequence[Any], length_bytes: int = TURN_BYTES) -> list[Any]:
        """Write the work on the elements from `begin` on, vector by vector."""
        sums, processor = list(sums), self._function.processor
        if self._shape.prefetch_bytes:
            for line_bytes in range(0, length_bytes, LINE_BYTES):
                ahead = (self._shape.prefetch_bytes + line_bytes) // ELEMENT_BYTES
                self._vectors.ask_for(self._builder.add(begin, i64(ahead)))
        for vector in range(length_bytes // processor.vector_bytes):
            place = self._builder.add(begin, i64(vector * processor.lanes))
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
        page, length_bytes = PAGE_BYTES // ELEMENT_BYTES, self._shape.page_turn_bytes or ABREAST_BYTES

        def row(offset: Any, sums: Sequence[Any]) -> list[Any]:
            first = self._builder.add(begin, offset)
            for number in range(self._shape.pages or PAGES_ABREAST):
                sums = self.turn(self._builder.add(first, i64(number * page)), sums, length_bytes)
            return list(sums)

        return self._function.loop(i64(0), i64(page), length_bytes, sums, row)

    def _shuffled(self, sums: Sequence[Any]) -> list[Any]:
        """Write one pass over the lines in random order, so that no load waits for another or can be guessed.

        The numbers of the lines are those of a congruential generator modulo a power of two, which takes every value
        once (Hull and Dobell, 1962), its high bits mixed into the regular low ones; several of its steps are under way
        side by side. Lines beyond the largest power of two come after the others, in their order.
        """
        builder, elements = self._builder, self._function.arguments["elements"]
        lines = builder.lshr(elements, i64(LINE_ELEMENTS.bit_length() - 1))
        bits = builder.sub(i64(63), builder.ctlz(builder.or_(lines, i64(1)), ir.Constant(ir.IntType(1), 0)))
        mask = builder.sub(builder.shl(i64(1), bits), i64(1))
        half = builder.add(builder.lshr(bits, i64(1)), i64(1))
        has_room = builder.icmp_unsigned(">=", lines, i64(SHUFFLED_ABREAST))
        whole = builder.select(has_room, builder.mul(builder.add(mask, i64(1)), i64(LINE_ELEMENTS)), i64(0))
        first, states = SHUFFLE_START, []
        for _ in range(SHUFFLED_ABREAST):
            states.append(i64(first))
            first = (first * SHUFFLE_FACTOR + SHUFFLE_STEP) % 2**64
        factor, step = _stepped(SHUFFLED_ABREAST)

        def turn(_: Any, carried: Sequence[Any]) -> list[Any]:
            states, sums = list(carried[:SHUFFLED_ABREAST]), list(carried[SHUFFLED_ABREAST:])
            for index, state in enumerate(states):
                number = builder.and_(state, mask)
                line = builder.xor(number, builder.lshr(number, half))
                sums = self.turn(builder.mul(line, i64(LINE_ELEMENTS)), sums, LINE_BYTES)
                states[index] = builder.add(builder.mul(state, i64(factor)), i64(step))
            return [*states, *sums]

        carried = self._function.loop(i64(0), whole, SHUFFLED_ABREAST * LINE_BYTES, [*states, *sums], turn)
        left = carried[SHUFFLED_ABREAST:]
        return self._function.loop(whole, elements, LINE_BYTES, left, self._turns(LINE_BYTES))

    def _rounded_down(self, elements: Any, step_bytes: int) -> Any:
        return self._builder.and_(elements, i64(-(step_bytes // ELEMENT_BYTES)))


def _stepped(steps: int) -> tuple[int, int]:
    """Return the factor and the step that make so many steps of the generator one, modulo 2^64."""
    factor, step = 1, 0
    for _ in range(steps):
        factor, step = factor * SHUFFLE_FACTOR % 2**64, (step * SHUFFLE_FACTOR + SHUFFLE_STEP) % 2**64
    return factor, step


# --- sums -----------------------------------------------------------------------------------------------------------

# Sums that run side by side, so that none waits for the one before: two additions a cycle that take four each; an
# exclusive or takes one.
MOST_SUMS = 8
MOST_XORS = 4


class Sums:
    """Writes the sums of one kernel in a function: vectors that are joined by its SUM or XOR."""

    def __init__(self, function: BlockFunction, kernel: Kernel) -> None:
        self._builder = function.builder
        self._processor = function.processor
        self._kernel = kernel

    def first(self) -> list[Any]:
        """Return what a reducing kernel begins with."""
        words = self._kernel.words
        zeros = ir.Constant(vector_type(self._processor, words=words), [0 if words else 0.0] * self._processor.lanes)
        return [zeros] * {SUM: MOST_SUMS, XOR: MOST_XORS}.get(self._kernel.reduces, 0)

    def join(self, sums: list[Any], vector: int, value: Any) -> None:
        """Write that the value of a vector of a turn joins one of the sums."""
        index = self._index(vector)
        sums[index] = self._joined([sums[index], value], self._kernel.reduces)

    def folded(self, vectors: Sequence[Any]) -> Any:
        """Return the sum of all lanes of some vectors."""
        vector, lanes = self._joined(vectors, SUM), range(self._processor.lanes)
        return self._joined([self._builder.extract_element(vector, i32(lane)) for lane in lanes], SUM)

    def of_columns(self, vectors: Sequence[Any]) -> Any:
        """Return one word of what was joined by exclusive or: the sum of its eight columns."""
        groups = LINE_BYTES // self._processor.vector_bytes
        return self.folded([self._joined(vectors[group::groups], XOR) for group in range(groups)])

    def _index(self, vector: int) -> int:
        """Return which of the sums a vector of a turn joins.

        Two whole lines after each other join the same one: an instruction of three operands takes both at once. Parts
        of a line join one that holds the same columns.
        """
        is_xor = self._kernel.reduces == XOR
        is_line = is_xor and self._processor.vector_bytes == LINE_BYTES
        return (vector // 2 if is_line else vector) % (MOST_XORS if is_xor else MOST_SUMS)

    def _joined(self, values: Sequence[Any], how: str) -> Any:
        """Return one value of several, vectors or numbers, by sum or exclusive or."""
        total = values[0]
        for value in values[1:]:
            if how == XOR:
                total = self._builder.xor(total, value)
            elif total.type in (WORD, vector_type(self._processor, words=True)):
                total = self._builder.add(total, value)
            else:
                total = self._builder.fadd(total, value, flags=("contract",))
        return total


# --- vectors --------------------------------------------------------------------------------------------------------

# LLVM's letters for a vector register of each family whose every processor has them.
_VECTOR_REGISTERS = {X86: "v", ARM: "w", POWER: "^wa"}


def vector_type(processor: LlvmProcessor, *, words: bool) -> ir.VectorType:
    """Return the type of a vector of words, or of doubles."""
    return ir.VectorType(WORD if words else DOUBLE, processor.lanes)


class Operand:
    """A vector in the code that is made, with the operators that a kernel's `value` uses."""

    def __init__(self, builder: ir.IRBuilder, value: Any, kernel: Kernel) -> None:
        self.value = value
        self._builder = builder
        self._kernel = kernel

    def __add__(self, other: Operand) -> Operand:
        return self._made("add", other)

    def __sub__(self, other: Operand) -> Operand:
        return self._made("sub", other)

    def __mul__(self, other: Operand) -> Operand:
        return self._made("mul", other)

    def _made(self, operation: str, other: Operand) -> Operand:
        name = operation if self._kernel.words else f"f{operation}"
        flags = ("contract",) if self._kernel.fused else ()  # lets a product and a sum be one instruction
        value = getattr(self._builder, name)(self.value, other.value, flags=flags)
        return Operand(self._builder, value, self._kernel)


class Vectors:
    """Writes what a kernel does with one vector of each array; a place is the number of its first element."""

    def __init__(self, function: BlockFunction, kernel: Kernel) -> None:
        self._module = function.module
        self._builder = function.builder
        self._arguments = function.arguments
        self._processor = function.processor
        self._kernel = kernel
        self._type = vector_type(function.processor, words=kernel.words)
        # Arrays begin at a line of 64 bytes or a page. Arm's vectors here are two registers, aligned all the same.
        self._alignment = function.processor.vector_bytes

    def value(self, place: Any) -> Any:
        """Write the kernel's value at a place, from what its sources hold there."""
        sources = [self._loaded(f"source_{index}", place) for index in range(self._kernel.reads)]
        return self._kernel.value(sources, self._scalar()).value

    def store(self, value: Any, place: Any, stores: str | None) -> None:
        """Write a store to the destination, which keeps every other bit of its words where the kernel updates it."""
        address = self._address("destination", place)
        if self._kernel.updates:
            kept, taken = (ir.Constant(self._type, [bits] * self._processor.lanes) for bits in (KEPT_BITS, TAKEN_BITS))
            old = self._builder.load(address, align=self._alignment)
            value = self._builder.or_(self._builder.and_(old, kept), self._builder.and_(value, taken))
        stored = self._builder.store(value, address, align=self._alignment)
        if stores == STREAMING:
            stored.set_metadata("nontemporal", self._module.add_metadata([i32(1)]))

    def ask_for(self, place: Any) -> None:
        """Write that the line at a place of each source is asked for: past the end of the memory it is no error."""
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, FLAG, FLAG, FLAG])
        name = "llvm.prefetch.p0"
        function = self._module.globals.get(name) or ir.Function(self._module, kind, name)
        for index in range(self._kernel.reads):
            address = self._builder.bitcast(self._address(f"source_{index}", place), byte)
            # To be read, to be kept in all caches, and data.
            self._builder.call(function, [address, i32(0), i32(3), i32(1)])

    def touch(self, vector: Any) -> None:
        """Write that a vector is loaded, and nothing else: instructions that take its registers and are none."""
        constraint = _VECTOR_REGISTERS.get(self._processor.family)
        if constraint is None:
            self._touch_lanes(vector)
            return
        all_lanes = self._processor.lanes
        register_bytes = 16 if self._processor.is_arm else self._processor.vector_bytes
        lanes = register_bytes // ELEMENT_BYTES
        kind = ir.FunctionType(ir.VoidType(), [ir.VectorType(vector.type.element, lanes)])
        for first in range(0, all_lanes, lanes):
            mask = ir.Constant(ir.VectorType(FLAG, lanes), list(range(first, first + lanes)))
            part = vector if lanes == all_lanes else self._builder.shuffle_vector(vector, vector, mask)
            self._builder.asm(kind, "", constraint, [part], side_effect=True)

    def _touch_lanes(self, vector: Any) -> None:
        """Write the same of each element, for processors that may have no vectors at all."""
        kind = ir.FunctionType(ir.VoidType(), [WORD])
        for lane in range(self._processor.lanes):
            element = self._builder.bitcast(self._builder.extract_element(vector, i32(lane)), WORD)
            self._builder.asm(kind, "", "r", [element], side_effect=True)

    def _loaded(self, array: str, place: Any) -> Operand:
        value = self._builder.load(self._address(array, place), align=self._alignment)
        return Operand(self._builder, value, self._kernel)

    def _scalar(self) -> Operand:
        """Return the scalar in every lane."""
        scalar, lanes = self._arguments["scalar"], self._processor.lanes
        if self._kernel.words:
            scalar = self._builder.bitcast(scalar, WORD)
        first = self._builder.insert_element(ir.Constant(self._type, ir.Undefined), scalar, i32(0))
        mask = ir.Constant(ir.VectorType(FLAG, lanes), [0] * lanes)
        return Operand(self._builder, self._builder.shuffle_vector(first, first, mask), self._kernel)

    def _address(self, array: str, place: Any) -> Any:
        base = self._builder.inttoptr(self._arguments[array], self._type.element.as_pointer())
        pointer = self._builder.gep(base, [place])
        return self._builder.bitcast(pointer, self._type.as_pointer())
