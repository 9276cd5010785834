"""What a reducing kernel keeps from vector to vector, and how one number is made of it in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from bandwidth.engines.host.native_code.flow import WORD, BlockFunction, flag
from bandwidth.engines.host.native_code.vectors import vector_type
from bandwidth.kernels import SUM, XOR, Kernel
from bandwidth.vocabulary import LINE_BYTES

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
        return self._joined([self._builder.extract_element(vector, flag(lane)) for lane in lanes], SUM)

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
