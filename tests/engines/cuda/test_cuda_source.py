"""The kernels' source: compiled for every architecture without a GPU, and run by a processor in the place of one."""

from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess

import numpy as np
import pytest
from cupy_stand_in import numbers

from bandwidth.engines.cuda.source import (
    PATHS,
    SHAPES,
    UNROLLS,
    Shape,
    common_source,
    kernel_source,
    names_in,
)
from bandwidth.engines.devices.coded import LINEAR_THREADS
from bandwidth.kernels import KERNELS, SUM

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
LOAD, STORE = r"ld\.global[.\w]*\.v2\.(?:f64|u64|b64)", r"st\.global[.\w]*\.v2\.(?:f64|u64|b64)"
NARROW = r"(?:ld|st)\.global(?:\.(?!v2)\w+)*\.(?:f64|u64|b64|b32|u32|f32)\s"


@functools.cache
def ptx_of(source: str, architecture: int) -> str:
    pytest.importorskip("cupy", reason="CuPy is not installed, and NVRTC is called through it")
    from cupy.cuda import nvrtc

    try:
        program = nvrtc.createProgram(source, "kernels.cu", (), ())
    except RuntimeError as error:
        pytest.skip(f"NVRTC is not installed (nvidia-cuda-nvrtc-cu12): {error}")
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture=compute_{architecture}", "-std=c++17"))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    return nvrtc.getPTX(program).decode()


def entry(ptx: str, name: str) -> str:
    """The code of one kernel."""
    begin = ptx.index(f".entry {name}(")
    return ptx[begin : ptx.index("\n}", begin)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_common_kernels_compile(architecture):
    ptx = ptx_of(common_source(), architecture)
    assert set(re.findall(r"\.entry (\w+)\(", ptx)) == {"fill", "check_copy", "check_write", "link", "chase"}
    assert len(re.findall(r"ld\.global\.u64", entry(ptx, "chase"))) % 64 == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("path", PATHS)
def test_every_kernel_compiles_with_accesses_of_16_bytes_all_loads_before_the_first_store(path, architecture):
    row, ptx = KERNELS[path], ptx_of(kernel_source(KERNELS[path]), architecture)
    for unroll in UNROLLS:
        code = entry(ptx, f"{path}_{unroll}")
        body = [line for line in code.splitlines() if re.search(f"{LOAD}|{STORE}", line)]
        # Once unrolled, and once for what is left over.
        assert len([line for line in body if re.search(LOAD, line)]) >= row.reads * (unroll + 1)
        if row.writes:
            assert len([line for line in body if re.search(STORE, line)]) >= unroll + 1
            assert re.findall(NARROW, code) == []
        kinds = "".join("L" if re.search(LOAD, line) else "S" for line in body)
        assert "L" * row.reads * unroll + "S" * row.writes * unroll in kinds


def test_every_kernel_of_a_module_is_loaded_before_it_is_used():
    assert names_in(kernel_source(KERNELS["dot"])) == ["fill", "expect_dot", "dot_1", "dot_2", "dot_4", "dot_8"]
    assert names_in(common_source()) == ["fill", "check_copy", "check_write", "link", "chase"]


def test_the_sources_are_made_from_the_rows():
    assert "v.x = (r0[k].x + (s * r1[k].x));" in kernel_source(KERNELS["triad"])
    assert "__restrict__" not in "".join(kernel_source(KERNELS[path]) for path in PATHS)


@pytest.mark.parametrize(("pairs", "blocks"), [(1, 1), (1024, 1), (1025, 2), (2**32 * 1024, 32), (40 * 1024, 32)])
def test_a_shape_launches_no_more_blocks_than_there_are_tiles(pairs, blocks):
    assert Shape(256, 4, 8).blocks(pairs, 4) == blocks
    assert Shape(256, 4, 0).blocks(pairs, 4) == -(-pairs // 1024)


def test_the_shapes_differ():
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) == 24


def test_the_threads_of_a_group_can_be_halved_as_hips_sums_do():
    assert {threads.bit_count() for threads in (LINEAR_THREADS, *(shape.threads for shape in SHAPES))} == {1}


# --- run by a processor: blocks and threads one after the other

SHIM = r"""
#include <cstring>
typedef unsigned long long u64;
#include <math.h>
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(n)
struct Three { unsigned x; };
static Three blockIdx, threadIdx, blockDim, gridDim;
struct double2 { double x, y; };
struct ulonglong2 { unsigned long long x, y; };
static double2 make_double2(double x, double y) { return {x, y}; }
static long long __double_as_longlong(double v) { long long b; memcpy(&b, &v, 8); return b; }
static double __longlong_as_double(long long b) { double v; memcpy(&v, &b, 8); return v; }
static u64 atomicAdd(u64* p, u64 v) { auto o = *p; *p += v; return o; }
static double atomicAdd(double* p, double v) { auto o = *p; *p += v; return o; }
static u64 atomicXor(u64* p, u64 v) { auto o = *p; *p ^= v; return o; }
static u64 atomicMin(u64* p, u64 v) { auto o = *p; if (v < o) *p = v; return o; }
static u64 atomicCAS(u64* p, u64 c, u64 v) { auto o = *p; if (o == c) *p = v; return o; }
static u64 atomicExch(u64* p, u64 v) { auto o = *p; *p = v; return o; }
static void __threadfence() {}
"""
# Threads run one after the other and cannot meet: each deposits what it has, and the last of all closes the launch.
FINISH = r"""
template <class T> void finish(T value, u64* out) {
  deposit(out, value);
  if (atomicAdd(out + 1, 1ull) != (u64)gridDim.x * blockDim.x - 1) return;
  out[2] = credited(out[2], atomicExch(out, 0ull), T());
  out[1] = 0;
}
"""


def launcher(name: str, declared: str) -> str:
    """A function in C that runs a kernel over its grid; its parameters are those of the kernel."""
    names = ", ".join(part.split()[-1].lstrip("*") for part in declared.split(","))
    return f"""
extern "C" void run_{name}(unsigned blocks, unsigned threads, {declared}) {{
  gridDim.x = blocks; blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x) {name}({names});
}}
"""


@pytest.fixture(scope="module")
def on_processor(tmp_path_factory):
    """The kernels of a path, compiled for this processor: name to function."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ to run the kernels by")

    @functools.cache
    def build(path, architecture=900):
        source = kernel_source(KERNELS[path]) if path else common_source()
        begin, end = source.index("template <class T>"), source.index("#define FOR_EACH")
        source = SHIM + source[:begin] + FINISH + source[end:]
        source = re.sub(r'extern "C" __global__ void chase.*?\n}\n', "", source, flags=re.DOTALL)
        kernels = re.findall(r"__global__ void\s+(?:__launch_bounds__\(\d+\)\s+)?(\w+)\(([^)]*)\)", source)
        folder = tmp_path_factory.mktemp(path or "common")
        text = source + "".join(launcher(*kernel) for kernel in kernels)
        (folder / "k.cc").write_text(text.replace("#pragma unroll", ""))
        command = [
            compiler,
            "-std=c++17",
            "-O1",
            "-ffp-contract=off",
            "-w",
            "-shared",
            "-fPIC",
            "-Wl,-Bsymbolic",
            f"-D__CUDA_ARCH__={architecture}",
        ]  # the C library has a `link` too
        subprocess.run([*command, "-o", folder / "k.so", folder / "k.cc"], check=True)
        return ctypes.CDLL(str(folder / "k.so"))

    return build


def test_the_source_for_hip_has_no_word_of_nvidias_machine_and_is_whole(tmp_path):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ to preprocess the source")
    more = "#define __shared__ static\nstatic void __syncthreads() {}\nstatic long long clock64() { return 0; }\n"
    for source in (common_source(), *(kernel_source(KERNELS[path]) for path in PATHS)):
        (tmp_path / "k.cc").write_text(SHIM + more + source)
        command = [compiler, "-std=c++17", "-w", "-D__HIPCC__"]
        subprocess.run([*command, "-fsyntax-only", tmp_path / "k.cc"], check=True)
        text = subprocess.run(
            [*command, "-E", "-P", tmp_path / "k.cc"], check=True, capture_output=True, text=True
        ).stdout
        assert [word for word in ("ld.global", "__shfl", "volatile u64") if word in text] == []


def address(array):
    return ctypes.c_void_p(array.ctypes.data)


def c(value):
    return ctypes.c_double(value) if isinstance(value, float) else ctypes.c_ulonglong(value)


def made(pairs, seed, first=0):
    return numbers(first, 2 * pairs, seed)


@pytest.mark.parametrize("first", [0, 513])
def test_the_fill_makes_the_numbers_that_the_tests_make(on_processor, first):
    to = np.zeros(1000)
    on_processor("").run_fill(3, 32, address(to), c(500), c(first), c(99))
    assert np.array_equal(to, made(500, 99, first))
    assert (to >= 1).all()
    assert (to < 2).all()


@pytest.mark.parametrize("blocks", [1, 3, 0])
@pytest.mark.parametrize("pairs", [1, 31, 512, 4099])
@pytest.mark.parametrize("unroll", UNROLLS)
@pytest.mark.parametrize("path", PATHS)
def test_a_pass_reaches_every_element_once_and_none_beyond(on_processor, path, unroll, pairs, blocks):
    row, threads = KERNELS[path], 64
    sources = [made(pairs, 5 + index) for index in range(row.reads)]
    out = np.zeros(4, np.uint64) if row.reduces else np.full(2 * pairs + 4, -7.0)
    grid = blocks or Shape(threads, unroll, 0).blocks(pairs, 1)
    function = getattr(on_processor(path), f"run_{path}_{unroll}")
    for _ in range(3):
        function(grid, threads, *map(address, sources), address(out), c(0.5), c(pairs))
    operands = [source.view(np.uint64) for source in sources] if row.words else sources
    value = row.value(operands, 0.5)
    if not row.reduces:
        assert np.array_equal(out[:-4], np.broadcast_to(value, 2 * pairs))
        assert (out[-4:] == -7).all()
    elif row.reduces == SUM:
        assert out[2:3].view(float)[0] == pytest.approx(3 * value.sum(), rel=1e-14)
    else:
        assert int(out[2]) == 3 * int(np.bitwise_xor.reduce(value)) % 2**64
    assert not row.reduces or out[:2].tolist() == [0, 0]


@pytest.mark.parametrize("path", [path for path in PATHS if not KERNELS[path].reduces])
def test_a_check_counts_the_wrong_words_and_names_the_first(on_processor, path):
    row, first = KERNELS[path], 1024
    seen = np.broadcast_to(row.value([made(700, 3 + i, first) for i in range(row.reads)], 0.25), 1400).copy()
    function = getattr(on_processor(path), f"run_check_{path}")
    for wrong in ([], [1399], [17, 18, 1000]):
        spoiled, out = seen.copy(), np.array([0, 2**64 - 1], np.uint64)
        spoiled.view(np.uint64)[wrong] ^= np.uint64(1)
        function(2, 64, address(spoiled), c(1400), c(first), c(3), c(0.25), address(out))
        assert out.tolist() == [len(wrong), wrong[0] if wrong else 2**64 - 1]


@pytest.mark.parametrize("architecture", [520, 900])  # the first has no instruction to add to a double in memory
@pytest.mark.parametrize("path", [path for path in PATHS if KERNELS[path].reduces])
def test_what_is_expected_of_a_reduction_is_what_a_pass_makes(on_processor, path, architecture):
    row, out, library = KERNELS[path], np.zeros((2, 4), np.uint64), on_processor(path, architecture)
    sources = [made(900, 11 + index) for index in range(row.reads)]
    getattr(library, f"run_{path}_4")(3, 64, *map(address, sources), address(out[0]), c(0.0), c(900))
    getattr(library, f"run_expect_{path}")(5, 64, c(1800), c(0), c(11), address(out[1]))
    if row.reduces == SUM:
        seen, expected = out[:, 2].copy().view(float)
        assert seen == pytest.approx(expected, rel=1e-14)
    else:
        assert out[0, 2] == out[1, 2]


def test_the_cycle_leads_through_every_line(on_processor):
    order = np.random.default_rng(1).permutation(129).astype(np.uint32)
    nodes = np.zeros(129 * 16, np.uint64)
    on_processor("").run_link(2, 32, address(nodes), address(order), c(129))
    at, seen = int(nodes.ctypes.data), []
    for _ in range(129):
        seen.append((at - nodes.ctypes.data) // 128)
        at = int(nodes[(at - nodes.ctypes.data) // 8])
    assert sorted(seen) == list(range(129))
    assert at == nodes.ctypes.data
