"""The source of every kernel in OpenCL C, with double or, where a device has none, single precision.

A group of work-items leaves its own number in the memory of results, and the host joins them: that needs no atomic
operation, which not every device has for 64 bits.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from bandwidth.engines.devices import source as common
from bandwidth.engines.devices.source import MOST_THREADS, UNROLLS, Dialect
from bandwidth.engines.devices.surface import STREAM, STRETCH, Shape
from bandwidth.kernels import ELEMENT_BYTES, XOR, Kernel

# No product and sum in one where the check has two: what is written has to be the same bits.
OPTIONS = ("-cl-std=CL1.2",)
# A number of a kernel takes two words a group: a sum, or an exclusive or added up over the calls in 128 bits.
GROUP_WORDS = 2
# A product of two numbers in [1, 2) of single precision is a whole number of these: as integers they add up exactly.
FIXED_POINT = 2**23
MOST_GROUPS = 32  # a multiprocessor's, of a kernel that leaves a number for each

_HEAD = r"""
#pragma OPENCL FP_CONTRACT OFF
$PRECISION
typedef ulong u64;

// Stores past the caches, where the compiler has them.
#if defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
#define PAST_CACHES(place, value) __builtin_nontemporal_store(value, place)
#endif
#endif
#ifndef PAST_CACHES
#define PAST_CACHES(place, value) (*(place) = (value))
#endif

// What stands in word i of an array with this seed: by splitmix64.
u64 hashed(u64 i, u64 seed) {
  u64 z = i + 0x9E3779B97F4A7C15UL * (seed + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
  return z ^ (z >> 31);
}
$NUMBER

$FOR_EACH

// Word 0 of the memory becomes word `first` of the array that the seed makes.
__kernel void fill(__global $PAIR* to, u64 pairs, u64 first, u64 seed) {
  FOR_EACH(i, pairs) to[i] = ($PAIR)(number(first + 2 * i, seed), number(first + 2 * i + 1, seed));
}
"""

# A word is one double in [1, 2).
_DOUBLE = r"""
double number(u64 i, u64 seed) { return as_double(0x3FF0000000000000UL | (hashed(i, seed) >> 12)); }
u64 bits(double value) { return as_ulong(value); }
"""

# A word is two floats in [1, 2).
_FLOAT = r"""
float2 number(u64 i, u64 seed) {
  u64 z = hashed(i, seed);
  return as_float2(0x3F8000003F800000UL | (z & 0x007FFFFF007FFFFFUL));
}
u64 bits_of(float2 value) { return as_ulong(value); }
#define bits(...) bits_of((float2)(__VA_ARGS__))
"""

_LATENCY = r"""
// Each line has the word where the next begins.
__kernel void link(__global u64* nodes, __global const uint* order, u64 count) {
  FOR_EACH(i, count) {
    u64 next = i + 1 == count ? 0 : i + 1;
    nodes[(u64)order[i] * $NODE_WORDS] = (u64)order[next] * $NODE_WORDS;
  }
}

// One work-item; out[0] is the byte where it arrives, out[1] would be a clock's, which OpenCL has not.
__kernel void chase(__global const u64* nodes, u64 offset, u64 calls, __global u64* out) {
  u64 at = offset / sizeof(u64);
  for (u64 call = 0; call < calls; ++call) {
    #pragma unroll
    for (int load = 0; load < $LOADS_PER_CALL; ++load) at = nodes[at];
  }
  out[0] = at * sizeof(u64);
  out[1] = 0;
}
"""

# Of all work-items of a group the first joins the numbers.
_END_NUMBER = r"""part[get_local_id(0)] = total;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (get_local_id(0) == 0) {
    for (uint other = 1; other < get_local_size(0); ++other) JOIN_$KIND(total, part[other]);
    CREDIT_$KIND(out + 2 * get_group_id(0), total);
  }"""
_END_CHECK = r"""parts[get_local_id(0)] = wrong; firsts[get_local_id(0)] = least;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (get_local_id(0) == 0) {
    for (uint other = 1; other < get_local_size(0); ++other) {
      wrong += parts[other]; least = min(least, firsts[other]);
    }
    out[2 * get_group_id(0)] = wrong; out[2 * get_group_id(0) + 1] = least;
  }"""
_JOINS = r"""
#define JOIN_xor(total, value) total ^= (value)
#define CREDIT_xor(slot, value) { u64 low = (slot)[0]; (slot)[0] = low + value; (slot)[1] += (slot)[0] < low; }
"""
_SUM_DOUBLE = r"""
#define JOIN_sum(total, value) total += (value)
#define ADD_sum(total, value) total += (value)
#define CREDIT_sum(slot, value) (slot)[0] = as_ulong(as_double((slot)[0]) + value)
"""
_SUM_FLOAT = r"""
#define JOIN_sum(total, value) total += (value)
#define ADD_sum(total, value) total += convert_ulong((value) * FIXED_POINT.0f)
#define CREDIT_sum(slot, value) (slot)[0] += value
"""
_ADD_XOR = "#define ADD_xor(total, value) JOIN_xor(total, value)\n"


def _head(precision: str, number: str, joins: str, pair: str) -> str:
    text = _HEAD.replace("$PRECISION", precision).replace("$NUMBER", number + _JOINS + joins + _ADD_XOR)
    return text.replace("$PAIR", pair).replace("FIXED_POINT", str(FIXED_POINT))


_DOUBLES = Dialect(
    head=_head("#pragma OPENCL EXTENSION cl_khr_fp64 : enable", _DOUBLE, _SUM_DOUBLE, "double2"),
    latency=_LATENCY,
    kernel="__kernel void",
    bounded_kernel="__kernel void",
    memory="__global ",
    group="get_group_id(0)",
    groups="get_num_groups(0)",
    thread="get_local_id(0)",
    threads="get_local_size(0)",
    real="double",
    real_pair="double2",
    real_parts="xy",
    word_pair="ulong2",
    word_parts=("",),
    sum_type="double",
    begin_number="__local $TYPE part[$MOST_THREADS]; $TYPE total = 0;",
    join="ADD_$KIND(total, $VALUE);",
    end_number=_END_NUMBER,
    begin_check=(
        "__local u64 parts[$MOST_THREADS]; __local u64 firsts[$MOST_THREADS];"
        " u64 wrong = 0, least = 0xFFFFFFFFFFFFFFFFUL;"
    ),
    compare="if (seen[i] != $WORD) { ++wrong; least = min(least, i); }",
    end_check=_END_CHECK,
)
_FLOATS = replace(
    _DOUBLES,
    head=_head("", _FLOAT, _SUM_FLOAT, "float4"),
    real="float",
    real_pair="float4",
    real_parts="xyzw",
    word_parts=(".x", ".y"),
    sum_type="u64",
)


def module_source(kernel: Kernel | None, element_bytes: int, shapes: tuple[Shape, ...]) -> str:
    """Return a module with a kernel's passes, one for each ending of the shapes, and its check.

    Without a kernel it is what every device needs: filling, checking what was filled, and the chase of a latency.
    """
    words = _DOUBLES if element_bytes == ELEMENT_BYTES else _FLOATS
    words = replace(words, in_stretches=any(shape.form == STRETCH for shape in shapes))
    if kernel is None:
        return common.common_source(words)
    return common.kernel_source(words, kernel, tuple(dict.fromkeys(shape.ending for shape in shapes)))


def gpu_shapes(kernel: Kernel, most_threads: int) -> tuple[Shape, ...]:
    """Return the shapes that are tried on a GPU: of a kernel that makes a number no more groups than have a place."""
    threads = [count for count in (256, MOST_THREADS) if count <= most_threads] or [most_threads]
    return tuple(
        Shape(count, unroll, blocks)
        for count in threads
        for unroll in UNROLLS
        for blocks in ((8, MOST_GROUPS) if kernel.reduces else (0, 8, MOST_GROUPS))
    )


def processor_shapes(kernel: Kernel, most_threads: int) -> tuple[Shape, ...]:
    """Return the shapes that are tried on a processor: long stretches, and stores past the caches too."""
    forms = (STRETCH, STREAM) if kernel.writes else (STRETCH,)
    return tuple(
        Shape(threads, 1, blocks, form)
        for form in forms
        for threads in (1, 8)
        for blocks in (1, 8, MOST_GROUPS)
        if threads <= most_threads
    )


def joined(kernel: Kernel, words: list[int], calls: int, element_bytes: int) -> int | float:
    """Return the number of all groups: of one call for an exclusive or, -1 where calls differed; else of all calls."""
    pairs = list(zip(words[::GROUP_WORDS], words[1::GROUP_WORDS], strict=True))
    if kernel.reduces == XOR:
        total = 0
        for low, high in pairs:
            one, rest = divmod(high << 64 | low, calls)
            if rest:
                return -1
            total ^= one
        return total
    if element_bytes == ELEMENT_BYTES:
        return sum(_real(low) for low, _ in pairs)
    return sum(low for low, _ in pairs) % 2**64


def _real(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])
