"""What a kernel must have left: worked out on NumPy arrays by the kernel's own row, and held against what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bandwidth.engines.host.layout import Doubles, Part, pieces
from bandwidth.kernels import TAKEN_BITS, XOR, Kernel, kernel_of
from bandwidth.results import Case

# A sum of products is added up in at least this many sums side by side, by any engine: NumPy's pairwise sums have more.
FEWEST_SUMS = 16
ROUNDING = 2.0**-52
# Words of a line, and of the rows in which lines are joined first.
COLUMNS = 8
ROW = 1024


def _operands(kernel: Kernel, arrays: Sequence[Doubles], scalar: float) -> tuple[list[Any], Any]:
    """Return arrays and scalar as what the kernel works on: doubles, or the same bits as words."""
    if not kernel.words:
        return list(arrays), np.float64(scalar)
    return [array.view(np.uint64) for array in _contiguous(arrays)], np.float64(scalar).view(np.uint64)


def _contiguous(arrays: Sequence[Doubles]) -> list[Doubles]:
    return [np.ascontiguousarray(array) for array in arrays]


def first_difference(case: Case, part: Part, elements: slice, scalar: float) -> int | None:
    """Return the first of some elements that is not what the kernel leaves, or None."""
    kernel = kernel_of(case.path, case.variant)
    sources, operand = _operands(kernel, [source[elements] for source in part.sources], scalar)
    expected, destination = kernel.value(sources, operand), part.destination[elements]
    if kernel.updates:
        (words,) = (array.view(np.uint64) for array in _contiguous([destination]))
        same = np.equal(words & np.uint64(TAKEN_BITS), expected & np.uint64(TAKEN_BITS))
    else:
        same = np.equal(destination, expected)
    return None if bool(np.all(same)) else int(np.argmin(same))


def wrong_at(thread: int, element: int, length: int) -> str:
    """Return where a destination is wrong, in words."""
    return f"element {element:,} of {length:,} of thread {thread} has a wrong value"


def reduced(kernel: Kernel, sources: Sequence[Doubles]) -> Any:
    """Return what a reducing kernel makes of its sources in one pass: a sum, or the exclusive or of each column.

    The words stand in eight columns, a line in a row, because compiled code joins whole vectors.
    """
    total: Any = np.zeros(COLUMNS, np.uint64) if kernel.reduces == XOR else 0.0
    # Pieces of all the sources at once: what is read stays in a cache between the operations on it.
    for group in zip(*(pieces(source) for source in sources), strict=True):
        operands, scalar = _operands(kernel, group, 0.0)
        value = kernel.value(operands, scalar)
        total = total ^ _columns(value) if kernel.reduces == XOR else total + float(np.add.reduce(value))
    return total


def _columns(words: Any) -> Any:
    """Return the exclusive or of each of the eight columns of some words; long rows first, which is faster."""
    long = len(words) // ROW * ROW
    rows = np.bitwise_xor.reduce(words[:long].reshape(-1, ROW), axis=0).reshape(-1, COLUMNS)
    rest = words[long:].reshape(-1, COLUMNS)
    joined: Any = np.bitwise_xor.reduce(np.concatenate([rows, rest]), axis=0)
    return joined


def is_result(kernel: Kernel, expected: Any, calls: int, seen: Any, length: int) -> bool:
    """Return whether what was seen is right: exactly that of the last pass for words, of all for sums of products.

    Each of at least 16 running sums adds `length * calls / 16` positive products, and each addition is off by half a
    unit in the last place at most.
    """
    if kernel.reduces == XOR:
        return bool(expected % 2**64 == seen)
    tolerance = max(length * calls / FEWEST_SUMS, FEWEST_SUMS) * ROUNDING
    return bool(abs(seen - expected * calls) <= tolerance * abs(expected * calls))
