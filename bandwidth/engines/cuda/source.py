"""The CUDA source of every kernel, made from the rows of KERNELS: text only, nothing of CuPy.

A row's `value` is worked out on objects whose operators make text. Every access is of 16 bytes. All sources lie in
memory as doubles in [1, 2) that a hash makes of index and seed, so that a check needs no second copy of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bandwidth.kernels import KERNELS, XOR, Kernel

PAIR_BYTES = 16
UNROLLS = (1, 2, 4, 8)
MOST_THREADS = 512
LOADS_PER_CALL = 64
NODE_WORDS = 16  # a node of a latency's cycle fills a line of 128 bytes
OPTIONS = ("-std=c++17",)
# Kernels on device memory: those of one element at a time. The mixes are for the host's stores.
PATHS = tuple(name for name, kernel in KERNELS.items() if "device" in kernel.places)

_HEAD = r"""
typedef unsigned long long u64;

__device__ __forceinline__ u64 bits(double value) { return (u64)__double_as_longlong(value); }
__device__ __forceinline__ u64 bits(u64 value) { return value; }
__device__ __forceinline__ double real(u64 value) { return __longlong_as_double((long long)value); }

// What stands in element i of an array with this seed: a double in [1, 2), its fraction by splitmix64.
__device__ __forceinline__ double number(u64 i, u64 seed) {
  u64 z = i + 0x9E3779B97F4A7C15ull * (seed + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return real(0x3FF0000000000000ull | ((z ^ (z >> 31)) >> 12));
}

__device__ __forceinline__ u64 joined(u64 a, u64 b) { return a ^ b; }
__device__ __forceinline__ double joined(double a, double b) { return a + b; }
__device__ __forceinline__ void deposit(u64* slot, u64 value) { atomicXor(slot, value); }
#if __CUDA_ARCH__ >= 600
__device__ __forceinline__ void deposit(u64* slot, double value) { atomicAdd((double*)slot, value); }
#else  // before Pascal there is no such instruction for doubles
__device__ void deposit(u64* slot, double value) {
  u64 before, seen = *slot;
  do { before = seen; seen = atomicCAS(slot, before, bits(real(before) + value)); } while (seen != before);
}
#endif
__device__ __forceinline__ u64 credited(u64 total, u64 call, u64) { return total + call; }
__device__ __forceinline__ u64 credited(u64 total, u64 call, double) { return bits(real(total) + real(call)); }

// What all threads of a launch have makes one number; out[2] adds it up over the launches: an even number of equal
// exclusive ors would cancel. out[0] is the number in the making, out[1] counts the blocks that are done.
template <class T> __device__ void finish(T value, u64* out) {
  __shared__ T part[32];
  for (int other = 16; other; other >>= 1) value = joined(value, __shfl_xor_sync(0xffffffffu, value, other));
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x) return;
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) value = joined(value, part[warp]);
  deposit(out, value);
  __threadfence();
  if (atomicAdd(out + 1, 1ull) != gridDim.x - 1) return;
  __threadfence();
  out[2] = credited(out[2], atomicExch(out, 0ull), T());
  out[1] = 0;
}

#define FOR_EACH(i, n) \
  for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (u64)gridDim.x * blockDim.x)

// Word 0 of the memory becomes word `first` of the array that the seed makes.
extern "C" __global__ void fill(double2* to, u64 pairs, u64 first, u64 seed) {
  FOR_EACH(i, pairs) to[i] = make_double2(number(first + 2 * i, seed), number(first + 2 * i + 1, seed));
}

// out[0] counts the wrong words, out[1] becomes the first of them.
__device__ __forceinline__ void compare(u64 seen, u64 expected, u64 i, u64* out) {
  if (seen != expected) { atomicAdd(out, 1ull); atomicMin(out + 1, i); }
}
"""

_LATENCY = r"""
extern "C" __global__ void link(u64* nodes, const unsigned* order, u64 count) {
  FOR_EACH(i, count) {
    u64 next = i + 1 == count ? 0 : i + 1;
    nodes[(u64)order[i] * NODE_WORDS] = (u64)(nodes + (u64)order[next] * NODE_WORDS);
  }
}

// One thread; out[0] is where it arrives, out[1] the cycles of its clock.
extern "C" __global__ void chase(u64 start, u64 calls, u64* out) {
  u64 at = start;
  long long begin = clock64();
  for (u64 call = 0; call < calls; ++call) {
    #pragma unroll
    for (int load = 0; load < LOADS_PER_CALL; ++load) asm volatile("ld.global.u64 %0, [%0];" : "+l"(at) :: "memory");
  }
  out[1] = (u64)(clock64() - begin);
  out[0] = at;
}
"""

# No __restrict__: with it the compiler mixes loads and stores, and fewer loads are under way (GPU.md 3). A tile is what
# a block of threads does at once; with as many blocks as tiles, each does one, with fewer they stride over them.
_LOOP = r"""
extern "C" __global__ void __launch_bounds__(MOST_THREADS)
NAME_UNROLL(SOURCES TARGET, double s, u64 pairs) {
  const u64 tile = (u64)blockDim.x * UNROLL;
  START
  for (u64 base = blockIdx.x * tile; base < pairs; base += gridDim.x * tile) {
    u64 i = base + threadIdx.x;
    if (base + tile <= pairs) {
      LOADS
      #pragma unroll
      for (int k = 0; k < UNROLL; ++k) { u64 j = i + (u64)k * blockDim.x; STEP_K }
    } else {
      for (; i < pairs; i += blockDim.x) { u64 j = i; FEW STEP_1 }
    }
  }
  END
}
"""

_LOAD = """PAIR rINDEX[UNROLL];
      #pragma unroll
      for (int k = 0; k < UNROLL; ++k) rINDEX[k] = aINDEX[i + (u64)k * blockDim.x];
      """

_CHECK = r"""
extern "C" __global__ void check_NAME(const u64* seen, u64 count, u64 first, u64 seed, double s, u64* out) {
  FOR_EACH(i, count) compare(seen[i], bits(VALUE), i, out);
}
"""

_EXPECT = r"""
extern "C" __global__ void expect_NAME(u64 count, u64 first, u64 seed, u64* out) {
  TYPE total = 0;
  FOR_EACH(i, count) total = joined(total, VALUE);
  finish(total, out);
}
"""


@dataclass(frozen=True)
class Shape:
    """How a pass is spread: threads a block, 16-byte words of each array a thread has under way, and how many blocks
    for each multiprocessor, 0 for as many as there are tiles: each block then does one."""

    threads: int
    unroll: int
    blocks_per_sm: int

    @property
    def name(self) -> str:
        """The shape in a record: `256/4/0`."""
        return f"{self.threads}/{self.unroll}/{self.blocks_per_sm}"

    def blocks(self, pairs: int, multiprocessors: int) -> int:
        """Return how many blocks a pass over so many pairs is launched with: never more than there are tiles."""
        tiles = -(-pairs // (self.threads * self.unroll))
        return max(min(tiles, self.blocks_per_sm * multiprocessors or tiles), 1)


# The threads of a multiprocessor, 2048 at most, are filled with 8 blocks of 256 and 4 of 512.
SHAPES = tuple(
    Shape(threads, unroll, blocks)
    for threads in (256, 512)
    for unroll in UNROLLS
    for blocks in (0, 2048 // threads, 32)
)


@dataclass(frozen=True)
class Text:
    """An expression of CUDA; operators on it make longer ones, and so does a row's `value`."""

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


def common_source() -> str:
    """Return what every device needs: filling, checking what was filled, and the chase of a latency."""
    latency = _replaced(_LATENCY, NODE_WORDS=NODE_WORDS, LOADS_PER_CALL=LOADS_PER_CALL)
    return _HEAD + check_source(KERNELS["copy"]) + check_source(KERNELS["write"]) + latency


def kernel_source(kernel: Kernel) -> str:
    """Return a module with a kernel's passes, one for each unroll, and its check: `triad_4`, `check_triad`."""
    check = expect_source(kernel) if kernel.reduces else check_source(kernel)
    return _HEAD + check + "".join(pass_source(kernel, unroll) for unroll in UNROLLS)


def names_in(source: str) -> list[str]:
    """Return the names of the kernels in a module's source."""
    return re.findall(r"__global__ void (?:__launch_bounds__\(\d+\)\s)?(\w+)\(", source)


def pass_source(kernel: Kernel, unroll: int) -> str:
    """Return the pass of a kernel with so many loads of each source under way."""
    pair = "ulonglong2" if kernel.words else "double2"
    indices = range(kernel.reads)
    return _replaced(
        _LOOP,
        SOURCES="".join(f"const {pair}* a{index}, " for index in indices),
        TARGET="u64* out" if kernel.reduces else f"{pair}* c",
        LOADS="".join(_LOAD.replace("INDEX", str(index)) for index in indices),
        FEW=" ".join(f"{pair} q{index} = a{index}[j];" for index in indices),
        STEP_K=_step(kernel, pair, [f"r{index}[k]" for index in indices]),
        STEP_1=_step(kernel, pair, [f"q{index}" for index in indices]),
        START=f"{_type(kernel)} total = 0;" if kernel.reduces else "",
        END="finish(total, out);" if kernel.reduces else "",
        PAIR=pair,
        NAME=kernel.name,
        UNROLL=unroll,
        MOST_THREADS=MOST_THREADS,
    )


def check_source(kernel: Kernel) -> str:
    """Return the check of what a kernel leaves: it makes the sources anew and does not read them."""
    return _replaced(_CHECK, NAME=kernel.name, VALUE=value_text(kernel, _made(kernel)))


def expect_source(kernel: Kernel) -> str:
    """Return what makes the number of a reducing kernel from sources that are made anew."""
    made = [f"bits({source})" for source in _made(kernel)] if kernel.words else _made(kernel)
    return _replaced(_EXPECT, NAME=kernel.name, VALUE=value_text(kernel, made), TYPE=_type(kernel))


def _made(kernel: Kernel) -> list[str]:
    return [f"number(first + i, seed + {index})" for index in range(kernel.reads)]


def _step(kernel: Kernel, pair: str, loaded: list[str]) -> str:
    x, y = (value_text(kernel, [f"{word}.{part}" for word in loaded]) for part in "xy")
    if kernel.reduces:
        return f"total = joined(total, {x}); total = joined(total, {y});"
    return f"{pair} v; v.x = {x}; v.y = {y}; c[j] = v;"


def _type(kernel: Kernel) -> str:
    return "u64" if kernel.reduces == XOR else "double"


def _replaced(template: str, **words: object) -> str:
    for word, text in words.items():
        template = template.replace(word, str(text))
    return template
