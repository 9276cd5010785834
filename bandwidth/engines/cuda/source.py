"""The source of every kernel in CUDA C++: what is CUDA's own of it; the passes and checks are the common ones."""

from __future__ import annotations

from bandwidth.engines.devices import source as common
from bandwidth.engines.devices.requirements import PATHS
from bandwidth.engines.devices.source import UNROLLS, Dialect, names_in
from bandwidth.engines.devices.surface import Shape
from bandwidth.kernels import Kernel

__all__ = ["OPTIONS", "PATHS", "SHAPES", "UNROLLS", "Shape", "common_source", "kernel_source", "names_in"]

OPTIONS = ("-std=c++17",)
# The threads of a multiprocessor, 2048 at most, are filled with 8 blocks of 256 and 4 of 512.
SHAPES = tuple(
    Shape(threads, unroll, blocks)
    for threads in (256, 512)
    for unroll in UNROLLS
    for blocks in (0, 2048 // threads, 32)
)

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
#ifdef __HIPCC__  // waves of 32 or of 64: halves of the block, whose threads are a power of two
  __shared__ T part[$MOST_THREADS];
  part[threadIdx.x] = value;
  for (unsigned half = blockDim.x / 2; half; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) part[threadIdx.x] = joined(part[threadIdx.x], part[threadIdx.x + half]);
  }
  if (threadIdx.x) return;
  value = part[0];
#else
  __shared__ T part[32];
  for (int other = 16; other; other >>= 1) value = joined(value, __shfl_xor_sync(0xffffffffu, value, other));
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x) return;
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) value = joined(value, part[warp]);
#endif
  deposit(out, value);
  __threadfence();
  if (atomicAdd(out + 1, 1ull) != gridDim.x - 1) return;
  __threadfence();
  out[2] = credited(out[2], atomicExch(out, 0ull), T());
  out[1] = 0;
}

$FOR_EACH

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
    nodes[(u64)order[i] * $NODE_WORDS] = (u64)(nodes + (u64)order[next] * $NODE_WORDS);
  }
}

#ifdef __HIPCC__  // a volatile load of AMD's passes by the caches (LLVM's D94214): the compiler is held back otherwise
#define IN_ORDER asm volatile("" ::: "memory");
#else
#define IN_ORDER
#endif

// One thread; out[0] is the byte where it arrives, out[1] the cycles of its clock.
extern "C" __global__ void chase(u64 nodes, u64 offset, u64 calls, u64* out) {
  u64 at = nodes + offset;
  long long begin = clock64();
  IN_ORDER
  for (u64 call = 0; call < calls; ++call) {
    #pragma unroll
#ifdef __HIPCC__
    for (int load = 0; load < $LOADS_PER_CALL; ++load) at = *(const u64*)at;
#else
    for (int load = 0; load < $LOADS_PER_CALL; ++load) asm volatile("ld.global.u64 %0, [%0];" : "+l"(at) :: "memory");
#endif
  }
  out[0] = at - nodes;  // waits for the last load
  IN_ORDER
  out[1] = (u64)(clock64() - begin);
}
"""

_WORDS = Dialect(
    head=_HEAD,
    latency=_LATENCY,
    kernel='extern "C" __global__ void',
    bounded_kernel='extern "C" __global__ void __launch_bounds__($MOST_THREADS)',
    memory="",
    group="blockIdx.x",
    groups="gridDim.x",
    thread="threadIdx.x",
    threads="blockDim.x",
    real="double",
    real_pair="double2",
    real_parts="xy",
    word_pair="ulonglong2",
    word_parts=("",),
    sum_type="double",
    begin_number="$TYPE total = 0;",
    join="total = joined(total, $VALUE);",
    end_number="finish(total, out);",
    begin_check="",
    compare="compare(seen[i], $WORD, i, out);",
    end_check="",
)


def common_source() -> str:
    """Return what every device needs: filling, checking what was filled, and the chase of a latency."""
    return common.common_source(_WORDS)


def kernel_source(kernel: Kernel) -> str:
    """Return a module with a kernel's passes, one for each unroll, and its check: `triad_4`, `check_triad`."""
    return common.kernel_source(_WORDS, kernel, tuple(map(str, UNROLLS)))
