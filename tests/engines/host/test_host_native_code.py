"""Machine code: it does what the kernels' rows say, in the widest vectors, with the stores that were asked for."""

import ctypes
import functools
import math
import re
import subprocess
import sys
import threading

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measuring_support import small_topology
from windows_code import TRIPLE, WindowsLibrary, windows_processor

from bandwidth.engines.host.engine import HostEngine
from bandwidth.engines.host.native_code import passes
from bandwidth.engines.host.native_code.compiled import Library, assembly, module_of, this_processor
from bandwidth.engines.host.native_code.kernel_arguments import (
    ADDITION_CHAINS,
    ARGUMENT_FIELDS,
    CHUNK_BYTES,
    Barrier,
    KernelArguments,
    Status,
)
from bandwidth.engines.host.native_code.processor import PACED_MIX, PACED_READ, LlvmProcessor, vector_bytes
from bandwidth.engines.host.native_code.shapes import (
    PLAIN,
    Shape,
    default_rows,
    function_name,
    grid_digest,
    shape_of,
    shapes_to_try,
)
from bandwidth.engines.host.runners import NO_STREAMING, NativeRunner
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KEPT_BITS, KERNELS, TAKEN_BITS, XOR, Kernel
from bandwidth.vocabulary import ORDINARY, STREAMING

ROWS = [(kernel, stores) for kernel in KERNELS.values() for stores in kernel.stores or (None,)]
COMPILED = [(*row, PLAIN) for row in ROWS]
LEVELS = ("L1", "L2", "L3", "memory")
X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
PROCESSORS = {
    "AVX-512": LlvmProcessor(X86, "x86-64-v4", "", 64),
    "AVX2": LlvmProcessor(X86, "x86-64-v3", "", 32),
    "SSE2": LlvmProcessor(X86, "x86-64", "", 16),
    "Arm": LlvmProcessor(ARM, "generic", "", 32),
    "Arm with SVE": LlvmProcessor(ARM, "neoverse-v1", "", 32),
    "Apple": LlvmProcessor("arm64-apple-darwin", "apple-m1", "", 32),
    "Windows": LlvmProcessor(TRIPLE, "x86-64-v4", "", 64),
}
STREAMING_STORES = {name: r"stnp" if "x86" not in cpu.triple else r"v?movnt\w+" for name, cpu in PROCESSORS.items()}


@functools.cache
def functions(name):
    """Return the machine code of each function by its name, as lists of instructions with their operands."""
    found, current = {}, []
    for line in assembly(COMPILED, PROCESSORS[name]).splitlines():
        if label := re.match(r"_?([a-z]\w*):", line):
            current = found.setdefault(label[1], [])
        elif instruction := re.match(r"\s+([a-z]\w*)\s*(.*?)\s*(?:[#;@].*)?$", line):
            current.append((instruction[1], instruction[2]))
    return found


@functools.cache
def written_loads(name):
    """Return how many loads of a vector were written into each function, before LLVM made machine code of them."""
    text = str(llvm.parse_assembly(str(module_of(COMPILED, PROCESSORS[name]))))
    bodies = re.findall(r"^define void @(\w+)\((.*?)^}", text, re.MULTILINE | re.DOTALL)
    return {function: len(re.findall(r"= load <", body)) for function, body in bodies}


def code_of(name, kernel, stores):
    return functions(name)[function_name(kernel, stores)]


REGISTER_BYTES = {"x": 16, "y": 32, "z": 64}


def moved(name, code):
    """Return the bytes of each load and of each store of a vector that is not the stack's, a constant or one value."""
    return _moved_on_arm(code) if "x86" not in PROCESSORS[name].triple else _moved_on_x86(code)


def _moved_on_x86(code):
    loads, stores, constants = [], [], {"%rsp", "%rip"}
    for instruction, operands in code:
        if constant := re.fullmatch(r"\$\.LCPI\w+, (%\w+)", operands):
            constants.add(constant[1])
        register = re.search(r"%([xyz])mm", operands)
        place = re.search(r"\((%\w+)[^)]*\)", operands)
        is_own = place and (place[1] in constants and "," not in place[0])
        one_value = re.match(r"v?p?(broadcast|mov(s[sd]|q|d|ddup|[hl]p[sd])$)", instruction)
        if register and place and not is_own and not one_value:
            is_store = operands.endswith(")")
            (stores if is_store else loads).append(REGISTER_BYTES[register[1]])
    return loads, stores


def _moved_on_arm(code):
    loads, stores = [], []
    for instruction, operands in code:
        kind = re.fullmatch(r"(ld|st)(n?p|u?r)", instruction)
        if kind and operands.startswith("q") and "[sp" not in operands:
            (loads if kind[1] == "ld" else stores).append(32 if kind[2].endswith("p") else 16)
    return loads, stores


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize(("kernel", "stores"), [row for row in ROWS if row[1]])
def test_stores_are_of_the_kind_that_was_asked_for_and_as_wide_as_can_be(name, kernel, stores):
    code = code_of(name, kernel, stores)
    streaming = [instruction for instruction, _ in code if re.fullmatch(STREAMING_STORES[name], instruction)]
    _, stored = moved(name, code)
    if stores == STREAMING:
        assert set(stored) == {PROCESSORS[name].vector_bytes}
        assert len(streaming) == len(stored)
    else:
        assert streaming == []
        assert max(stored) == PROCESSORS[name].vector_bytes


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize(("kernel", "stores"), ROWS)
def test_loads_are_as_wide_as_the_vectors_and_all_that_were_written_are_kept(name, kernel, stores):
    loaded, stored = moved(name, code_of(name, kernel, stores))
    assert sum(loaded) == written_loads(name)[function_name(kernel, stores)] * PROCESSORS[name].vector_bytes
    assert max(loaded, default=PROCESSORS[name].vector_bytes) == PROCESSORS[name].vector_bytes
    if kernel.writes:
        assert sum(loaded) == (kernel.reads + kernel.updates) * sum(stored)
    else:
        assert loaded


@pytest.mark.parametrize("name", ["AVX-512", "AVX2", "SSE2"])
@pytest.mark.parametrize(("kernel", "stores"), ROWS)
def test_every_load_on_x86_is_as_wide_as_the_vectors(name, kernel, stores):
    loaded, stored = moved(name, code_of(name, kernel, stores))
    assert {*loaded, *stored} == {PROCESSORS[name].vector_bytes}


@pytest.mark.parametrize("name", PROCESSORS)
def test_no_kernel_became_a_call_of_the_c_library(name):
    assert not re.search(r"mem(cpy|set|move)", str(functions(name)))


@pytest.mark.parametrize("name", PROCESSORS)
def test_triad_and_dot_are_one_multiplication_and_addition_where_there_is_one(name):
    fused = r"vfmadd\w+|fmla"
    for kernel, stores in [(KERNELS["triad"], STREAMING), (KERNELS["triad"], ORDINARY), (KERNELS["dot"], None)]:
        instructions = {instruction for instruction, _ in code_of(name, kernel, stores)}
        assert any(re.fullmatch(fused, one) for one in instructions) == (name != "SSE2")
    assert not any(re.fullmatch(fused, one) for one, _ in code_of(name, KERNELS["add"], STREAMING))


@pytest.mark.parametrize("name", PROCESSORS)
def test_waiting_thread_tells_the_processor(name):
    for function, code in functions(name).items():
        hint = {"pause", "yield"} | {one for one, operands in code if (one, operands) == ("hint", "#1")}
        assert hint & {instruction for instruction, _ in code}, function


@pytest.mark.parametrize("name", PROCESSORS)
def test_chase_and_clock_are_chains_of_their_length(name):
    # A load whose result is the address of the next: all but those at the ends go from a register to itself.
    dependent = re.compile(r"\((%r\w+)\), \1|x(\d+), \[x\2\]")
    loads = [one for one, operands in functions(name)["chase"] if dependent.fullmatch(operands)]
    assert 60 <= len(loads) <= 64
    clock = [one.rstrip("q") for one, _ in functions(name)["clock"]]
    assert clock.count("xor") + clock.count("eor") >= 32
    assert clock.count("add") >= 32


@pytest.mark.parametrize("name", PROCESSORS)
def test_additions_stay_additions_in_registers(name):
    code = functions(name)["additions"]
    added = re.compile(r"%r\w+, %r\w+" if "x86" in PROCESSORS[name].triple else r"x\d+, x\d+, x\d+")
    adds = [one for one, operands in code if re.fullmatch(r"addq?", one) and added.fullmatch(operands)]
    assert len(adds) >= 8 * ADDITION_CHAINS  # none is joined with another


@pytest.mark.parametrize(
    ("triple", "features", "expected"),
    [
        (X86, {"avx512f": True, "avx2": True}, 64),
        (X86, {"avx512f": False, "avx2": True}, 32),
        (X86, {"avx": True}, 16),
        (X86, {}, 16),
        (ARM, {"neon": True}, 32),
        ("arm64-apple-darwin", {}, 32),
    ],
)
def test_width_of_vectors(triple, features, expected):
    assert vector_bytes(triple, features) == expected


def test_names_of_functions_are_all_different_and_plain():
    names = [function_name(*row) for row in every_shape(PROCESSORS["AVX-512"])]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"\w+", name) for name in names)


# --- what the code does


def every_shape(processor):
    """Return the rows with all shapes that may be taken or tried, at any level, the default ones included."""
    tried = [
        (kernel, stores, shape)
        for kernel, stores in ROWS
        for level in LEVELS
        for array_bytes in (4096, 2**30)
        for shape in shapes_to_try(kernel, stores, level, array_bytes, processor)
    ]
    return list(dict.fromkeys((*default_rows(ROWS, processor), *tried)))


def _runnable():
    """Return processors whose code runs here: this one, and narrower ones of the same kind."""
    this = this_processor()
    narrower = {"AVX2": 32, "SSE2": 16} if this.triple.startswith("x86_64") else {}
    return {"widest": this} | {name: PROCESSORS[name] for name, width in narrower.items() if width < this.vector_bytes}


@pytest.fixture(scope="module")
def libraries():
    """Return compiled kernels by processor, in every shape for this one; in `abreast` ones small arrays are large."""
    made = {name: Library(default_rows(ROWS, processor), processor) for name, processor in _runnable().items()}
    made["widest"].add(every_shape(made["widest"].processor))
    if made["widest"].processor.family == "x86":
        made["Windows"] = WindowsLibrary(default_rows(ROWS, windows_processor()), windows_processor())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "LARGE_BYTES", 16 * 1024)
        return made | {f"{name} abreast": Library(default_rows(ROWS, cpu), cpu) for name, cpu in _runnable().items()}


def test_code_for_windows_calls_nothing_by_name_and_needs_no_stack_to_be_probed():
    """Frames of a page or more take a call of __chkstk there, which no library has that the code is linked with."""
    instructions = [one for code in functions("Windows").values() for one in code]
    called = {operands for instruction, operands in instructions if re.fullmatch(r"callq?", instruction)}
    assert called
    assert all(re.fullmatch(r"\*(%r\w+|-?\d*\(%r[sb]p\))", operands) for operands in called)
    frames = [int(found[1]) for one, operands in instructions if (found := re.fullmatch(r"\$(\d+), %rsp", operands))]
    assert 0 < max(frames) < 4096


def test_every_shape_asks_ahead_and_goes_as_wide_as_it_says():
    processor = PROCESSORS["AVX-512"]
    row = (KERNELS["copy"], STREAMING, Shape(32, 128, 1, 0, 1024))
    body = assembly([row], processor).split("copy_streaming_32_t128_a1_p1024:")[1].split("chase:")[0]
    turn, line = 128 // 64, 1
    assert len(re.findall(r"prefetcht0\s+\d+", body)) == turn + line
    assert len(re.findall(r"vmovntps\s+%ymm", body)) == (128 + 64) // 32


def test_a_shape_is_saved_as_what_it_says_and_read_back():
    for _, _, shape in every_shape(PROCESSORS["AVX-512"]):
        assert shape_of(shape.to_json()) == shape
    for saved in ({"vector_bytes": "32"}, {"wings": 2}, {"pages": True}):
        with pytest.raises(TypeError):
            shape_of(saved)


@pytest.mark.parametrize("name", PROCESSORS)
def test_the_grid_is_small_has_the_default_first_and_no_vector_that_is_not_there(name):
    processor = PROCESSORS[name]
    for kernel, stores in ROWS:
        for level in LEVELS:
            shapes = shapes_to_try(kernel, stores, level, 2**30, processor)
            assert len(shapes) <= 8
            assert (kernel, stores, shapes[0]) in default_rows(ROWS, processor)
            assert all(shape.vector_bytes < processor.vector_bytes for shape in shapes)
    assert len({grid_digest(processor) for processor in PROCESSORS.values()}) == len(PROCESSORS)


def test_time_of_compiling_is_kept(libraries):
    assert all(library.seconds > 0 for library in libraries.values())


GUARD = 64  # elements before and after each array


class Array:
    """Random doubles between 0 and 1, from a line on, with guards around."""

    def __init__(self, length, line, random):
        raw = random.random(length + 2 * GUARD + 8 * (line + 1))
        begin = -(raw.ctypes.data // 8) % 8 + 8 * line
        self.all = raw[begin : begin + length + 2 * GUARD]
        self.inner = self.all[GUARD : GUARD + length]
        self.before = self.all.copy()

    @property
    def address(self):
        assert self.inner.ctypes.data % 64 == 0
        return self.inner.ctypes.data

    def is_untouched(self):
        return np.array_equal(self.all.view(np.uint64), self.before.view(np.uint64))

    def guards_are_untouched(self):
        ends = (slice(None, GUARD), slice(len(self.all) - GUARD, None))
        return all(np.array_equal(self.all[end].view(np.uint64), self.before[end].view(np.uint64)) for end in ends)


def expected(kernel, sources, before, scalar):
    """Return what the kernel must leave in the destination, as words."""
    if not kernel.words:
        value = kernel.value(sources, np.float64(scalar))
        return np.broadcast_to(value, before.shape).astype(np.float64).view(np.uint64)
    value = kernel.value([source.view(np.uint64) for source in sources], np.float64(scalar).view(np.uint64))
    return (before.view(np.uint64) & np.uint64(KEPT_BITS)) | (value & np.uint64(TAKEN_BITS))


def check(library, kernel, stores, shape, lengths, calls, scalar, random):
    """Run a kernel on arrays of random data and hold what it leaves, and what it leaves alone, against NumPy."""
    length, *lines = lengths
    arrays = [Array(length, line, random) for line in lines]
    sources, destination = arrays[: kernel.reads], arrays[-1]
    barrier = Barrier()
    barrier.open()
    arguments = barrier.arguments(
        threads=1, destination=destination.address, elements=length, calls=calls, scalar=scalar
    )
    for index, source in enumerate(sources):
        setattr(arguments, f"source_{index}", source.address)
    library.function(function_name(kernel, stores, shape))(arguments)
    assert (arguments.status, arguments.made) == (Status.DONE, calls)
    assert 0 < arguments.start_ns <= arguments.end_ns
    assert all(source.is_untouched() for source in sources)
    read = [source.inner for source in sources]
    if kernel.writes:
        assert destination.guards_are_untouched()
        before = destination.before[GUARD : GUARD + length]
        assert np.array_equal(destination.inner.view(np.uint64), expected(kernel, read, before, scalar))
        return
    assert destination.is_untouched()
    if kernel.reduces == XOR:
        assert arguments.result == sum_of_columns(read[0].view(np.uint64))
    else:
        seen = np.uint64(arguments.result).view(np.float64)
        assert seen == pytest.approx(math.fsum(read[0] * read[1]) * calls, rel=1e-12)


@settings(max_examples=300, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    which=st.tuples(st.integers(0, 5), st.integers(0, 20)),
    lines=st.one_of(st.integers(1, 70), st.integers(1, 1500), st.integers(250, 260)),
    offsets=st.tuples(*[st.integers(0, 80)] * 3),
    calls=st.integers(1, 3),
    exponent=st.integers(-8, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_compiled_kernels_do_what_their_rows_say_and_touch_nothing_else(
    libraries, row, which, lines, offsets, calls, exponent, seed
):
    library = libraries[sorted(libraries)[which[0] % len(libraries)]]
    shapes = [shape for *own, shape in library.rows if tuple(own) == row]
    shape = shapes[which[1] % len(shapes)]
    random = np.random.default_rng(seed)
    scalar = 2.0**exponent if row[0].fused else 1 + random.random()
    check(library, *row, shape, (8 * lines, *offsets), calls, scalar, random)


@pytest.mark.parametrize(("kernel", "stores"), ROWS)
@pytest.mark.parametrize("lines", [65_536 - 1, 65_536, 65_536 + 257])
def test_arrays_around_the_size_from_which_pages_are_worked_on_abreast(kernel, stores, lines, libraries):
    for shape in {shape for *own, shape in libraries["widest"].rows if own == [kernel, stores]}:
        check(libraries["widest"], kernel, stores, shape, (8 * lines, 0, 1, 2), 1, 2.0, np.random.default_rng(lines))


def test_update_reads_what_it_overwrites(libraries):
    """The engine's check cannot see it, as it does not know what stood there: so it is held here."""
    for name, kernel in KERNELS.items():
        if kernel.updates:
            random = np.random.default_rng(1)
            check(libraries["widest"], kernel, ORDINARY, PLAIN, (4096, 0, 0, 0), 2, 1.5, random)
            assert kernel.stores == (ORDINARY,), name


# --- the paced load


def paced(library, words, barrier, name=PACED_READ, **fields):
    arguments = barrier.arguments(threads=1, source_0=words.ctypes.data, elements=len(words), **fields)
    library.function(name)(arguments)
    return arguments


def lines_of(count, random):
    raw = random.integers(0, 2**63, count + 8, dtype=np.uint64)
    begin = -(raw.ctypes.data // 8) % 8
    return raw[begin : begin + count]


def sum_of_columns(words):
    """What a read's last pass makes of its words: the exclusive or of each of eight columns, added up."""
    return sum(map(int, np.bitwise_xor.reduce(words.reshape(-1, 8), axis=0))) % 2**64


@pytest.mark.parametrize("first", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("name", ["widest", "SSE2"])
def test_paced_read_begins_where_it_is_told_and_reads_all_of_a_chunk(first, name, libraries):
    if name not in libraries:
        pytest.skip("this processor has no such vectors")
    words, barrier, chunk = lines_of(4 * CHUNK_BYTES // 8, np.random.default_rng(5)), Barrier(), CHUNK_BYTES // 8
    barrier.open()
    barrier.stop()  # the chunk that is under way is read to its end
    arguments = paced(libraries[name], words, barrier, calls=first)
    begin = first % 4 * chunk
    assert (arguments.made, arguments.result) == (1, sum_of_columns(words[begin : begin + chunk]))


def test_paced_read_keeps_its_pace(libraries):
    words, barrier = lines_of(2 * CHUNK_BYTES // 8, np.random.default_rng(5)), Barrier()
    barrier.open()
    timer = threading.Timer(0.1, barrier.stop)
    timer.start()
    arguments = paced(libraries["widest"], words, barrier, interval_ns=2_000_000)
    timer.join()
    assert arguments.status == Status.DONE
    assert 5 <= arguments.made <= (arguments.end_ns - arguments.start_ns) / 2_000_000 + 2


def test_paced_read_ends_in_the_middle_of_a_long_wait(libraries):
    words, barrier = lines_of(CHUNK_BYTES // 8, np.random.default_rng(5)), Barrier()
    barrier.open()
    timer = threading.Timer(0.05, barrier.stop)
    timer.start()
    arguments = paced(libraries["widest"], words, barrier, interval_ns=10**12)
    timer.join()
    assert arguments.made == 1
    assert arguments.end_ns - arguments.start_ns < 10**9


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("first", [0, 5])
def test_paced_mix_updates_every_such_chunk_once_and_leaves_the_others(libraries, every, first):
    """Ten chunks are gone through; of those that are updated every other bit of each word is the scalar's."""
    words, barrier = lines_of(10 * CHUNK_BYTES // 8, np.random.default_rng(5)), Barrier()
    before = words.copy()
    barrier.open()
    barrier.stop()  # each call works on one chunk and ends
    made = [
        paced(
            libraries["widest"], words, barrier, PACED_MIX,
            source_1=every, destination=words.ctypes.data, calls=first + number, scalar=1.5,
        ).made
        for number in range(10)
    ]  # fmt: skip
    assert made == [1] * 10
    numbers = np.arange(first, first + 10)
    is_updated = np.zeros(10, bool)
    is_updated[numbers % 10] = numbers % every == 0
    taken = np.float64(1.5).view(np.uint64) & np.uint64(TAKEN_BITS)
    expected = np.where(np.repeat(is_updated, CHUNK_BYTES // 8), before & np.uint64(KEPT_BITS) | taken, before)
    assert np.array_equal(words, expected)


def test_argument_sets_fields_are_where_the_code_looks_for_them():
    assert [name for name, _ in KernelArguments._fields_] == list(ARGUMENT_FIELDS)
    assert all(ctypes.sizeof(kind) == 8 for _, kind in KernelArguments._fields_)


# --- processors that are not here


EVERY_KERNEL = """
import sys
from bandwidth.engines.host.native_code import compiled, processor, shapes
from bandwidth.kernels import KERNELS

triple, cpu = sys.argv[1:]
made_for = processor.LlvmProcessor(triple, cpu, "", processor.vector_bytes(triple, {}))
table = [(kernel, stores) for kernel in KERNELS.values() for stores in kernel.stores or (None,)]
tried = [(*row, shape) for row in table for shape in shapes.shapes_to_try(*row, "memory", 2**30, made_for)]
table = list(dict.fromkeys((*shapes.default_rows(table, made_for), *tried)))
text = compiled.assembly(table, made_for)
assert all(f"{shapes.function_name(*row)}:" in text for row in table)
print(made_for.family, made_for.has_streaming_stores)
"""
ELSEWHERE = {
    ("x86_64-unknown-linux-gnu", ""): "x86 True",
    ("aarch64-unknown-linux-gnu", ""): "Arm True",
    ("powerpc64le-unknown-linux-gnu", ""): "Power False",
    ("riscv64-unknown-linux-gnu", ""): "RISC-V False",
    ("riscv64-unknown-linux-gnu", "sifive-x280"): "RISC-V False",
    ("s390x-unknown-linux-gnu", ""): "Z False",
    ("s390x-unknown-linux-gnu", "z14"): "Z False",
    ("loongarch64-unknown-linux-gnu", ""): "LoongArch False",
}


@pytest.mark.parametrize(("triple", "cpu"), ELSEWHERE)
def test_the_whole_table_is_compiled_for_every_family(triple, cpu):
    """In a process of its own: what LLVM does not take ends the interpreter."""
    try:
        llvm.initialize_all_targets()
        llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this package of LLVM makes no code for {triple}")
    arguments = [sys.executable, "-c", EVERY_KERNEL, triple, cpu]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == ELSEWHERE[triple, cpu]


@pytest.mark.parametrize("triple", ["i686-unknown-linux-gnu", "armv7l-unknown-linux-gnueabihf", "mips64el-linux-gnu"])
def test_a_family_that_no_code_is_written_for_is_refused(triple, monkeypatch):
    monkeypatch.setattr(llvm, "get_process_triple", lambda: triple)
    monkeypatch.setattr(llvm.Target, "from_triple", lambda _: None)
    with pytest.raises(BandwidthError, match=f"no code is written for processors of '{triple}'; the NumPy rows remain"):
        this_processor()


def test_without_streaming_stores_their_rows_are_refused_and_the_others_run(host_case, monkeypatch):
    cases = {stores: host_case("copy", stores=stores, size_bytes=2**20) for stores in (STREAMING, ORDINARY)}
    monkeypatch.setattr(LlvmProcessor, "has_streaming_stores", False)
    engine = HostEngine(small_topology(2), {"native": NativeRunner()})
    assert engine.prepare([*cases.values()], 60.0) == {cases[STREAMING].id: NO_STREAMING}
    engine.run_block(cases[ORDINARY], 2)
    assert engine.verify(cases[ORDINARY], whole=True) == ""
    engine.close()


@pytest.mark.parametrize("name", ["AVX2", "Arm"])
def test_a_row_of_its_own_may_subtract(name):
    """A new kernel is one row: what stands there in operators becomes code, without a word elsewhere."""
    difference = Kernel("difference", 2, 1, ("host",), "c[i] = a[i] - b[i]", "24", lambda a, _: a[0] - a[1])
    code = assembly([(difference, ORDINARY, PLAIN)], PROCESSORS[name])
    assert re.search(r"\bv?f?sub(pd)?\b.*", code.split("difference_ordinary:")[1])
