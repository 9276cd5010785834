"""A kernel's work on one vector: it is loaded, put through the kernel's own operators, and stored or only touched."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from bandwidth.engines.host.native_code.flow import DOUBLE, FLAG, WORD, BlockFunction, flag
from bandwidth.engines.host.native_code.processor import ARM, POWER, X86, Processor
from bandwidth.kernels import ELEMENT_BYTES, KEPT_BITS, TAKEN_BITS, Kernel
from bandwidth.vocabulary import STREAMING

# LLVM's letters for a vector register of each family whose every processor has them.
_VECTOR_REGISTERS = {X86: "v", ARM: "w", POWER: "^wa"}


def vector_type(processor: Processor, *, words: bool) -> ir.VectorType:
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
            stored.set_metadata("nontemporal", self._module.add_metadata([flag(1)]))

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
            element = self._builder.bitcast(self._builder.extract_element(vector, flag(lane)), WORD)
            self._builder.asm(kind, "", "r", [element], side_effect=True)

    def _loaded(self, array: str, place: Any) -> Operand:
        value = self._builder.load(self._address(array, place), align=self._alignment)
        return Operand(self._builder, value, self._kernel)

    def _scalar(self) -> Operand:
        """Return the scalar in every lane."""
        scalar, lanes = self._arguments["scalar"], self._processor.lanes
        if self._kernel.words:
            scalar = self._builder.bitcast(scalar, WORD)
        first = self._builder.insert_element(ir.Constant(self._type, ir.Undefined), scalar, flag(0))
        mask = ir.Constant(ir.VectorType(FLAG, lanes), [0] * lanes)
        return Operand(self._builder, self._builder.shuffle_vector(first, first, mask), self._kernel)

    def _address(self, array: str, place: Any) -> Any:
        base = self._builder.inttoptr(self._arguments[array], self._type.element.as_pointer())
        pointer = self._builder.gep(base, [place])
        return self._builder.bitcast(pointer, self._type.as_pointer())
