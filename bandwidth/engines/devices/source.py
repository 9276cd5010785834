"""The source of every kernel, made from the rows of KERNELS: text only, in the words of a maker's language.

A row's `value` is worked out on objects whose operators make text. Every access is of 16 bytes. All sources lie in
memory as numbers in [1, 2) that a hash makes of index and seed, so that a check needs no second copy of them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bandwidth.engines.devices.surface import LOADS_PER_CALL, NODE_WORDS, STREAM, STRETCH
from bandwidth.kernels import KERNELS, XOR, Kernel

UNROLLS = (1, 2, 4, 8)
MOST_THREADS = 512


@dataclass(frozen=True)
class Dialect:
    """The words of a language of kernels: how a kernel begins, how a thread knows its place, and its types.

    `head` goes before all, `latency` behind what all devices need. `real` are the types of an element and of 16 bytes
    of them with the parts of those; `word_parts` how the elements of a word are named, one of "" where a word is one.
    `begin_number` to `end_number` are the parts of a kernel that makes a number, `sum_type` the type that it sums in;
    `begin_check` to `end_check` those of one that counts wrong words. `in_stretches`: each thread fills and
    checks a stretch, as a processor wants it. `$WORD` and the like in them are a kernel's own.
    """

    head: str
    latency: str
    kernel: str
    bounded_kernel: str
    memory: str
    group: str
    groups: str
    thread: str
    threads: str
    real: str
    real_pair: str
    real_parts: str
    word_pair: str
    word_parts: tuple[str, ...]
    sum_type: str
    begin_number: str
    join: str
    end_number: str
    begin_check: str
    compare: str
    end_check: str
    in_stretches: bool = False

    def said(self, text: str) -> str:
        """Return a template in these words."""
        return _replaced(
            text,
            BOUNDED_KERNEL=self.bounded_kernel,
            KERNEL=self.kernel,
            MEMORY=self.memory,
            GROUPS=self.groups,
            GROUP=self.group,
            THREADS=self.threads,
            THREAD=self.thread,
            REAL=self.real,
            MOST_THREADS=MOST_THREADS,
        )


# A tile is what a group of threads does at once; with as many groups as tiles, each does one, with fewer they stride
# over them. No __restrict__: with it the compiler mixes loads and stores, and fewer loads are under way (GPU.md 3).
_TILES = r"""
$BOUNDED_KERNEL
${NAME}_${ENDING}($SOURCES $TARGET, $REAL s, u64 pairs) {
  const u64 tile = (u64)$THREADS * $UNROLL;
  $START
  for (u64 base = $GROUP * tile; base < pairs; base += $GROUPS * tile) {
    u64 i = base + $THREAD;
    if (base + tile <= pairs) {
      $LOADS
      #pragma unroll
      for (int k = 0; k < $UNROLL; ++k) { u64 j = i + (u64)k * $THREADS; $STEP_K }
    } else {
      for (; i < pairs; i += $THREADS) { u64 j = i; $FEW $STEP_1 }
    }
  }
  $END
}
"""

# Each thread has a stretch of its own, as a processor's cores want it.
_STRETCH = r"""
$BOUNDED_KERNEL
${NAME}_${ENDING}($SOURCES $TARGET, $REAL s, u64 pairs) {
  const u64 all = (u64)$GROUPS * $THREADS, own = (pairs + all - 1) / all;
  const u64 begin = ((u64)$GROUP * $THREADS + $THREAD) * own, end = begin + own < pairs ? begin + own : pairs;
  $START
  for (u64 j = begin; j < end; ++j) { $FEW $STEP_1 }
  $END
}
"""

_LOAD = """$PAIR r${INDEX}[$UNROLL];
      #pragma unroll
      for (int k = 0; k < $UNROLL; ++k) r${INDEX}[k] = a${INDEX}[i + (u64)k * $THREADS];
      """

# What fills and checks goes over all words: by turns, or each thread over a stretch.
_BY_TURNS = r"""
#define FOR_EACH(i, n) \
  for (u64 i = (u64)$GROUP * $THREADS + $THREAD; i < n; i += (u64)$GROUPS * $THREADS)
"""

_IN_STRETCHES = r"""
#define FOR_EACH(i, n) \
  for (u64 all = (u64)$GROUPS * $THREADS, own = (n + all - 1) / all, i = ((u64)$GROUP * $THREADS + $THREAD) * own, \
       end = i + own < n ? i + own : n; i < end; ++i)
"""

_CHECK = r"""
$KERNEL check_${NAME}(${MEMORY}const u64* seen, u64 count, u64 first, u64 seed, $REAL s, ${MEMORY}u64* out) {
  $BEGIN
  FOR_EACH(i, count) { $COMPARE }
  $END
}
"""

_EXPECT = r"""
$KERNEL expect_${NAME}(u64 count, u64 first, u64 seed, ${MEMORY}u64* out) {
  $BEGIN
  FOR_EACH(i, count) { $ADDED }
  $END
}
"""


@dataclass(frozen=True)
class Text:
    """An expression; operators on it make longer ones, and so does a row's `value`."""

    code: str

    def __add__(self, other: Any) -> Text:
        return self._with("+", other)

    def __sub__(self, other: Any) -> Text:
        return self._with("-", other)

    def __mul__(self, other: Any) -> Text:
        return self._with("*", other)

    def __truediv__(self, other: Any) -> Text:
        return self._with("/", other)

    def __xor__(self, other: Any) -> Text:
        return self._with("^", other)

    def _with(self, sign: str, other: Any) -> Text:
        right = other.code if isinstance(other, Text) else repr(other)
        return Text(f"({self.code} {sign} {right})")


def value_text(kernel: Kernel, sources: Iterable[str], scalar: str = "s") -> str:
    """Return the expression of one element of a kernel, from the expressions of its sources."""
    return str(kernel.value([Text(source) for source in sources], Text(scalar)).code)


def common_source(dialect: Dialect) -> str:
    """Return what every device needs: filling, checking what was filled, and the chase of a latency."""
    checks = check_source(dialect, KERNELS["copy"]) + check_source(dialect, KERNELS["write"])
    latency = _replaced(dialect.latency, NODE_WORDS=NODE_WORDS, LOADS_PER_CALL=LOADS_PER_CALL)
    return head_source(dialect) + checks + latency


def head_source(dialect: Dialect) -> str:
    """Return what all kernels are made from, and the one that fills."""
    for_each = dialect.said(_IN_STRETCHES if dialect.in_stretches else _BY_TURNS).strip()
    return _replaced(dialect.head, FOR_EACH=for_each, MOST_THREADS=MOST_THREADS)


def kernel_source(dialect: Dialect, kernel: Kernel, endings: Sequence[str]) -> str:
    """Return a module with a kernel's passes, one for each ending of a shape, and its check: `triad_4`."""
    check = (expect_source if kernel.reduces else check_source)(dialect, kernel)
    return head_source(dialect) + check + "".join(pass_source(dialect, kernel, ending) for ending in endings)


def names_in(source: str) -> list[str]:
    """Return the names of the kernels in a module's source."""
    return re.findall(r"__(?:global__|kernel)\s+void\s+(?:__launch_bounds__\(\d+\)\s+)?(\w+)\(", source)


def pass_source(dialect: Dialect, kernel: Kernel, ending: str) -> str:
    """Return the pass of a kernel: with so many loads of each source under way, or in stretches."""
    pair = dialect.word_pair if kernel.words else dialect.real_pair
    indices, in_stretches = range(kernel.reads), ending in (STRETCH, STREAM)
    store = "PAST_CACHES(c + j, v);" if ending == STREAM else "c[j] = v;"
    begin, end = _number_ends(dialect, kernel)
    text = _replaced(
        _STRETCH if in_stretches else _TILES,
        SOURCES="".join(f"${{MEMORY}}const {pair}* a{index}, " for index in indices),
        TARGET="${MEMORY}u64* out" if kernel.reduces else f"${{MEMORY}}{pair}* c",
        LOADS="".join(_replaced(_LOAD, INDEX=index) for index in indices),
        FEW=" ".join(f"{pair} q{index} = a{index}[j];" for index in indices),
        STEP_K=_step(dialect, kernel, pair, [f"r{index}[k]" for index in indices], store),
        STEP_1=_step(dialect, kernel, pair, [f"q{index}" for index in indices], store),
        START=begin,
        END=end,
        PAIR=pair,
        NAME=kernel.name,
        ENDING=ending,
        UNROLL=1 if in_stretches else ending,
    )
    return dialect.said(text)


def check_source(dialect: Dialect, kernel: Kernel) -> str:
    """Return the check of what a kernel leaves: it makes the sources anew and does not read them."""
    values = ", ".join(value_text(kernel, _made(kernel, part)) for part in dialect.word_parts)
    text = _replaced(_CHECK, BEGIN=dialect.begin_check, COMPARE=dialect.compare, END=dialect.end_check)
    return dialect.said(_replaced(text, NAME=kernel.name, WORD=f"bits({values})"))


def expect_source(dialect: Dialect, kernel: Kernel) -> str:
    """Return what makes the number of a reducing kernel from sources that are made anew."""
    begin, end = _number_ends(dialect, kernel)
    if kernel.words:
        values = [value_text(kernel, [f"bits({source})" for source in _made(kernel, "")])]
    else:
        values = [value_text(kernel, _made(kernel, part)) for part in dialect.word_parts]
    added = " ".join(_joined(dialect, kernel, value) for value in values)
    text = _replaced(_EXPECT, BEGIN=begin, ADDED=added, END=end, NAME=kernel.name)
    return dialect.said(text)


def _made(kernel: Kernel, part: str) -> list[str]:
    return [f"number(first + i, seed + {index}){part}" for index in range(kernel.reads)]


def _step(dialect: Dialect, kernel: Kernel, pair: str, loaded: Sequence[str], store: str) -> str:
    parts = "xy" if kernel.words else dialect.real_parts
    values = {part: value_text(kernel, [f"{word}.{part}" for word in loaded]) for part in parts}
    if kernel.reduces:
        return " ".join(_joined(dialect, kernel, value) for value in values.values())
    return f"{pair} v; {' '.join(f'v.{part} = {value};' for part, value in values.items())} {store}"


def _joined(dialect: Dialect, kernel: Kernel, value: str) -> str:
    return _replaced(dialect.join, KIND=kernel.reduces, VALUE=value)


def _number_ends(dialect: Dialect, kernel: Kernel) -> tuple[str, str]:
    """Return how a kernel that makes a number begins and ends; nothing of any other."""
    if not kernel.reduces:
        return "", ""
    words = {"TYPE": "u64" if kernel.reduces == XOR else dialect.sum_type, "KIND": kernel.reduces}
    return _replaced(dialect.begin_number, **words), _replaced(dialect.end_number, **words)


def _replaced(template: str, **words: object) -> str:
    """Put texts in the place of `$WORD`; what they have of such words in turn is replaced too."""
    before, text = "", template
    while text != before:
        before, text = text, string.Template(text).safe_substitute(words)
    return text
