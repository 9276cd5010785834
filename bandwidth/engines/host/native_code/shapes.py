"""The shapes of compiled passes: how those of a kernel may be laid out, which are tried where, and the defaults.

No shape is the fastest everywhere: on a Xeon of 2024 four pages abreast gain a third in a streaming copy, on an EPYC of
2022 they lose an eighth. So a few are tried on the spot (shape_trials.py), and this is what there is to try.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from bandwidth.engines.host.native_code.processor import LlvmProcessor
from bandwidth.kernels import Kernel
from bandwidth.units import KIBI
from bandwidth.vocabulary import ORDINARY, STREAMING

# From this much of each array on the default is chosen for memory, below it for caches.
LARGE_BYTES = 4 * 1024**2
# Widths of vectors below the widest.
HALF_BYTES, NARROW_BYTES = 32, 16
# Kernels of at most so many arrays gain by more requests under way to memory: narrower vectors, and pages abreast.
MOST_ABREAST_ARRAYS = 2


@dataclass(frozen=True)
class Shape:
    """How the passes of a kernel are laid out; 0 stands for what the default does.

    `vector_bytes` is the width of the vectors, 0 for the processor's widest; `turn_bytes` how much of each array a turn
    of the loop works on; `pages` how many pages are worked on abreast, 1 for one after the other, and `page_turn_bytes`
    how much of each in turn; `prefetch_bytes` how far ahead each source is asked for, 0 for not at all.
    """

    vector_bytes: int = 0
    turn_bytes: int = 0
    pages: int = 0
    page_turn_bytes: int = 0
    prefetch_bytes: int = 0

    def to_json(self) -> dict[str, int]:
        """Return what it says, by the names of its fields: what is left out is as by default."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}

    @property
    def suffix(self) -> str:
        """What its functions' names end with, "" for the default of the widest vectors."""
        letters = {"turn_bytes": "t", "pages": "a", "page_turn_bytes": "b", "prefetch_bytes": "p"}
        said = self.to_json()
        width = f"_{self.vector_bytes}" if self.vector_bytes else ""
        return width + "".join(f"_{letter}{said[name]}" for name, letter in letters.items() if name in said)


# Counts up where the code that is made of a shape changes: what won before is then tried anew.
_CODE = 1
# A kernel, its kind of store, and the shape of its passes.
Row: TypeAlias = tuple[Kernel, str | None, Shape]
PLAIN = Shape()


def shape_of(saved: Mapping[str, Any]) -> Shape:
    """Return the shape that `to_json` wrote; raises TypeError for what it never wrote."""
    if not all(type(value) is int for value in saved.values()):
        raise TypeError("a shape is whole numbers")
    return Shape(**saved)


def function_name(kernel: Kernel, stores: str | None, shape: Shape = PLAIN) -> str:
    """Return the name of a kernel's function in a Library."""
    return f"{kernel.name}_{stores or 'none'}{shape.suffix}".replace(" ", "_").replace(":", "_")


# --- the defaults ---------------------------------------------------------------------------------------------------


def default_shape(kernel: Kernel, stores: str | None, array_bytes: int, processor: LlvmProcessor) -> Shape:
    """Return the shape that is taken where none is tried, by what each array holds."""
    return _for_memory(kernel, stores, processor) if array_bytes >= LARGE_BYTES else PLAIN


def default_rows(kernels: Iterable[tuple[Kernel, str | None]], processor: LlvmProcessor) -> list[Row]:
    """Return the rows of some kernels and kinds of store that default shapes may need: for caches and for memory."""
    rows = [(kernel, stores, shape) for kernel, stores in kernels for shape in _defaults(kernel, stores, processor)]
    return list({function_name(*row): row for row in rows}.values())


def _defaults(kernel: Kernel, stores: str | None, processor: LlvmProcessor) -> tuple[Shape, ...]:
    """Return the shapes of a kernel that were found before any is tried.

    Ordinary stores of 64 bytes fill a second-level cache slower than two of 32 on some processors (Intel's since 2021,
    by a tenth in a triad).
    """
    has_half = stores == ORDINARY and processor.vector_bytes > HALF_BYTES
    near = (PLAIN, Shape(HALF_BYTES)) if has_half else (PLAIN,)
    return tuple(dict.fromkeys((*near, _for_memory(kernel, stores, processor))))


def _for_memory(kernel: Kernel, stores: str | None, processor: LlvmProcessor) -> Shape:
    """Return the default shape for arrays in memory.

    Narrow loads ask for no more than the memory gives, which leaves the prefetcher its lead: on a Xeon of 2024, one
    thread, a read gains 12 % with vectors of 16 bytes and a line a turn, and a streaming copy 7 % with those of 32.
    """
    wanted = 0
    if kernel.reduces and not kernel.shuffled:
        wanted = NARROW_BYTES
    elif stores == STREAMING and kernel.arrays <= MOST_ABREAST_ARRAYS:
        wanted = HALF_BYTES
    return Shape(wanted) if wanted < processor.vector_bytes and not processor.is_arm else PLAIN


# --- what is tried --------------------------------------------------------------------------------------------------

# Where the data lies, as far as shapes differ: in a core's own caches, in the last one, in memory.
NEAR, FAR, MEMORY = "near", "far", "memory"
_PLACES = {"L1": NEAR, "L2": NEAR, "L3": FAR, "L4": FAR}


def _in_turn(vector_bytes: int, turn_bytes: int = 256, prefetch_bytes: int = 0) -> Shape:
    return Shape(vector_bytes, turn_bytes, 1, 0, prefetch_bytes)


def _abreast(vector_bytes: int, pages: int, page_turn_bytes: int) -> Shape:
    return Shape(vector_bytes, 0, pages, page_turn_bytes)


# What is tried beside the default, by how many arrays are read and written, where they lie, and the kind of store. All
# won somewhere: on an EPYC of 2025, one thread, vectors of 32 bytes and one page after the other gain a fourth in a
# streaming copy from memory, and asking 1 KiB ahead a fifth in a triad from the third level.
_SEQUENTIAL = (_in_turn(64), _in_turn(32), _in_turn(64, 64), _in_turn(16, 64))
_AHEAD = (_in_turn(64, 256, 1 * KIBI), _in_turn(32, 256, 1 * KIBI), _in_turn(32, 256, 512))
_GRIDS: dict[tuple[int, int], dict[tuple[str, str | None], tuple[Shape, ...]]] = {
    (1, 0): {
        (NEAR, None): (_in_turn(64, 512), _in_turn(32), _in_turn(64, 128)),
        (FAR, None): (Shape(16), _in_turn(64), *_AHEAD),
        (MEMORY, None): (_in_turn(32), _in_turn(64, 256, 512), _in_turn(32, 256, 1 * KIBI), _abreast(64, 4, 128)),
    },
    (2, 0): {
        (NEAR, None): (_in_turn(64, 512), _in_turn(32)),
        (FAR, None): (Shape(16), _in_turn(64), *_AHEAD[:2]),
        (MEMORY, None): (_in_turn(32), _in_turn(64), _in_turn(32, 256, 1 * KIBI)),
    },
    (0, 1): {
        (NEAR, ORDINARY): (Shape(32), _in_turn(64, 512)),
        (FAR, ORDINARY): (_in_turn(64), _in_turn(32), _abreast(64, 2, 256)),
        (MEMORY, ORDINARY): (_in_turn(32), _in_turn(64, 64), _abreast(64, 8, 64)),
        (MEMORY, STREAMING): (_in_turn(32), _in_turn(64), _abreast(64, 8, 64)),
    },
    (1, 1): {
        (NEAR, ORDINARY): (Shape(32), _in_turn(64, 512), _in_turn(64, 128)),
        (FAR, ORDINARY): (_in_turn(64), _abreast(64, 2, 256), *_AHEAD),
        (MEMORY, ORDINARY): (*_SEQUENTIAL, _in_turn(64, 256, 2 * KIBI), _in_turn(32, 256, 1 * KIBI)),
        (MEMORY, STREAMING): (*_SEQUENTIAL, _abreast(32, 8, 128), _in_turn(32, 256, 2 * KIBI)),
    },
    (2, 1): {
        (NEAR, ORDINARY): (Shape(32), _in_turn(64, 512), _in_turn(64, 128)),
        (FAR, ORDINARY): (_in_turn(32), _in_turn(64, 512), *_AHEAD),
        (MEMORY, ORDINARY): (_in_turn(32), _in_turn(64, 64), _in_turn(64, 256, 512), _in_turn(32, 256, 1 * KIBI)),
        (MEMORY, STREAMING): (_in_turn(32), _in_turn(16), _abreast(32, 4, 128), _in_turn(32, 256, 1 * KIBI)),
    },
}


def place_of(level: str) -> str:
    """Return where the data of a level lies: `near`, `far` or `memory`."""
    return _PLACES.get(level, MEMORY)


def shapes_to_try(
    kernel: Kernel, stores: str | None, level: str, array_bytes: int, processor: LlvmProcessor
) -> tuple[Shape, ...]:
    """Return the shapes to try, the default first: it alone where no other ever won. See `Shape`."""
    default = default_shape(kernel, stores, array_bytes, processor)
    has_others = not (kernel.updates or kernel.shuffled)
    others = _GRIDS.get((kernel.reads, kernel.writes), {}).get((place_of(level), stores), ()) if has_others else ()
    return tuple(dict.fromkeys((default, *(_that_fits(shape, processor) for shape in others))))


def _that_fits(shape: Shape, processor: LlvmProcessor) -> Shape:
    """Return a shape with the vectors that a processor has: Arm's are of one width here."""
    is_narrower = shape.vector_bytes < processor.vector_bytes and not processor.is_arm
    return shape if is_narrower else replace(shape, vector_bytes=0)


def grid_digest(processor: LlvmProcessor) -> str:
    """Return a short text that differs where other shapes would be tried, or other code made of them."""
    told = repr((_GRIDS, processor, _CODE))
    return hashlib.sha256(told.encode()).hexdigest()[:16]
