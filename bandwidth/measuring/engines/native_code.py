"""Machine code for the kernels, made from their rows by LLVM: the one module that imports llvmlite.

Each function takes one address, that of a `Job`, and runs a whole block of passes without the interpreter: it meets the
other threads at a barrier, stamps its start, makes its passes, stamps its end. No pass of LLVM's optimiser runs over
the code: what is written here is what is translated, with the vectors as wide and the loop as unrolled as here.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import llvmlite.binding as llvm
from llvmlite import ir

from bandwidth.errors import BandwidthError
from bandwidth.measuring.engines.native_job import CHAIN_LENGTH, CHUNK_BYTES, JOB_FIELDS, Job, Status
from bandwidth.measuring.kernels import ELEMENT_BYTES, KEPT_BITS, ORDINARY, STREAMING, SUM, TAKEN_BITS, XOR, Kernel

LINE_BYTES = 64
PAGE_BYTES = 4096
# One or two arrays in memory are written some pages abreast, as the C library's copy does: a prefetcher follows one
# stream within a page, so more pages keep more requests under way. On a Xeon of 2024, one thread, a streaming copy
# gains a third and an ordinary write a fifth. Three arrays lose by it, and so does what lies in a cache.
PAGES_ABREAST = 4
ABREAST_BYTES = 128
MOST_ABREAST_ARRAYS = 2
# From this much of each array on what follows is chosen for memory, below it for caches.
LARGE_BYTES = 4 * 1024**2
# Widths of vectors below the widest.
HALF_BYTES, NARROW_BYTES = 32, 16
# Bytes of each array that one turn of the inner loop works on: enough that counting and branching cost nothing.
TURN_BYTES = 256
# Sums that run side by side, so that none waits for the one before: two additions a cycle that take four each; an
# exclusive or takes one.
MOST_SUMS = 8
MOST_XORS = 4
# How a pass "reduces" that only loads: no kernel's own.
TOUCH = "touch"
# After this many looks at the barrier a waiting thread lets others run between looks, in case they share its CPU.
PATIENT_LOOKS = 10_000
# No thread waits longer for the others: then the machine has taken CPUs away, and nothing can be timed.
LONGEST_WAIT_NS = 2_000_000_000

# The kernel of a paced load: it is in no table of what can be measured.
READ = Kernel("paced read", 1, 0, (), "", "", lambda sources, _: sources[0], reduces=XOR, words=True)
CHASE, CLOCK, PACED_READ = "chase", "clock", "paced_read"

# A kernel, its kind of store, and the width of its vectors in bytes, 0 for the processor's widest.
Row: TypeAlias = tuple[Kernel, str | None, int]
Body: TypeAlias = Callable[[Any, Sequence[Any]], list[Any]]

_WORD, _FLAG, _DOUBLE = ir.IntType(64), ir.IntType(32), ir.DoubleType()
_TIMESPEC = ir.LiteralStructType([_WORD, _WORD])
_JOB = ir.LiteralStructType([_DOUBLE if kind is ctypes.c_double else _WORD for kind in JOB_FIELDS.values()])
_PLACE_IN_JOB = {name: place for place, name in enumerate(JOB_FIELDS)}


@dataclass(frozen=True)
class Processor:
    """What code is made for: LLVM's names of the system, the processor and its features, and its vectors' width."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int

    @property
    def is_arm(self) -> bool:
        """Whether it is a 64-bit Arm processor."""
        return self.triple.startswith(("aarch64", "arm64"))


def this_processor() -> Processor:
    """Return what LLVM finds this machine to be. Raises BandwidthError where its package makes no code for it."""
    try:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        triple = llvm.get_process_triple()
        llvm.Target.from_triple(triple)
        features = dict(llvm.get_host_cpu_features())
    except RuntimeError as error:
        raise BandwidthError("LLVM's package makes no code for this processor", "the NumPy rows remain") from error
    flattened = ",".join(f"{'+' if has else '-'}{name}" for name, has in sorted(features.items()))
    return Processor(triple, llvm.get_host_cpu_name(), flattened, vector_bytes(triple, features))


def vector_bytes(triple: str, features: Mapping[str, bool]) -> int:
    """Return how many bytes the processor's widest load and store move; on Arm two registers, which STNP stores."""
    if triple.startswith(("aarch64", "arm64")):
        return 32
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


class Library:
    """Compiled functions by name; they live as long as this does. `seconds` tells how long it took to make them,
    `processor` what for.

    Raises BandwidthError where the system allows no new code (a hardened kernel).
    """

    def __init__(self, rows: Iterable[Row], processor: Processor) -> None:
        begin = time.perf_counter()
        try:
            self._compiler = llvm.create_mcjit_compiler(_parsed(rows, processor), _target_machine(processor))
            self._compiler.finalize_object()
        except RuntimeError as error:
            raise BandwidthError("the kernels cannot be compiled here", "--engine numpy can be measured") from error
        self.seconds = time.perf_counter() - begin
        self.processor = processor
        self._functions: dict[str, Callable[[Job], None]] = {}

    def function(self, name: str) -> Callable[[Job], None]:
        """Return a function that takes a Job; calling it lets go of the interpreter's lock. Raises KeyError."""
        if name not in self._functions:
            address = self._compiler.get_function_address(name)
            if not address:
                raise KeyError(name)
            self._functions[name] = ctypes.CFUNCTYPE(None, ctypes.POINTER(Job))(address)
        return self._functions[name]


def assembly(rows: Iterable[Row], processor: Processor) -> str:
    """Return the machine code of some kernels as text, for any processor that LLVM's package knows."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    text: str = _target_machine(processor).emit_assembly(_parsed(rows, processor))
    return text


def function_name(kernel: Kernel, stores: str | None, vector_bytes: int = 0) -> str:
    """Return the name of a kernel's function in a Library."""
    width = f"_{vector_bytes}" if vector_bytes else ""
    return f"{kernel.name}_{stores or 'none'}{width}".replace(" ", "_").replace(":", "_")


def widths(kernel: Kernel, stores: str | None, processor: Processor) -> tuple[int, ...]:
    """Return all widths of vectors that a kernel is compiled with, 0 for the widest."""
    return tuple(dict.fromkeys((*widths_to_try(stores, processor), width_for_memory(kernel, stores, processor))))


def widths_to_try(stores: str | None, processor: Processor) -> tuple[int, ...]:
    """Return the widths of vectors that may be the fastest in caches, 0 for the widest.

    Ordinary stores of 64 bytes fill a second-level cache slower than two of 32 on some processors (Intel's since 2021,
    by a tenth in a triad): there it has to be tried.
    """
    return (0, HALF_BYTES) if stores == ORDINARY and processor.vector_bytes > HALF_BYTES else (0,)


def width_for_memory(kernel: Kernel, stores: str | None, processor: Processor) -> int:
    """Return the width of vectors for arrays in memory, 0 for the widest.

    Narrow loads ask for no more than the memory gives, which leaves the prefetcher its lead: on a Xeon of 2024, one
    thread, a read gains 12 % with vectors of 16 bytes and a line a turn, and a streaming copy 7 % with those of 32.
    """
    wanted = 0
    if kernel.reduces:
        wanted = NARROW_BYTES
    elif stores == STREAMING and kernel.arrays <= MOST_ABREAST_ARRAYS:
        wanted = HALF_BYTES
    return wanted if wanted < processor.vector_bytes and not processor.is_arm else 0


def _target_machine(processor: Processor) -> Any:
    target = llvm.Target.from_triple(processor.triple)
    return target.create_target_machine(cpu=processor.cpu, features=processor.features, opt=3)


def _parsed(rows: Iterable[Row], processor: Processor) -> Any:
    module = ir.Module("bandwidth")
    module.triple = processor.triple
    for kernel, stores, width in rows:
        made_for = replace(processor, vector_bytes=width or processor.vector_bytes)
        turn_bytes = LINE_BYTES if width == NARROW_BYTES else TURN_BYTES
        _Emitter(module, function_name(kernel, stores, width), made_for, turn_bytes).write_kernel(kernel, stores)
    _Emitter(module, CHASE, processor).write_chase()
    _Emitter(module, CLOCK, processor).write_clock()
    _Emitter(module, PACED_READ, processor).write_paced_read()
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    return parsed


class _Operand:
    """A vector in the code that is made, with the operators that a kernel's `value` uses."""

    def __init__(self, builder: ir.IRBuilder, value: Any, kernel: Kernel) -> None:
        self.value = value
        self._builder = builder
        self._kernel = kernel

    def __add__(self, other: _Operand) -> _Operand:
        return self._made("add", other)

    def __mul__(self, other: _Operand) -> _Operand:
        return self._made("mul", other)

    def _made(self, operation: str, other: _Operand) -> _Operand:
        name = operation if self._kernel.words else f"f{operation}"
        flags = ("contract",) if self._kernel.fused else ()  # lets a product and a sum be one instruction
        value = getattr(self._builder, name)(self.value, other.value, flags=flags)
        return _Operand(self._builder, value, self._kernel)


class _Emitter:
    """Writes one function of a module: what every function has in common, and the body of each kind."""

    def __init__(self, module: ir.Module, name: str, processor: Processor, turn_bytes: int = TURN_BYTES) -> None:
        self._turn_bytes = turn_bytes
        self._module = module
        self._processor = processor
        self._function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_JOB.as_pointer()]), name)
        self._builder = ir.IRBuilder(self._function.append_basic_block("entry"))
        self._lanes = processor.vector_bytes // ELEMENT_BYTES
        self._job = {name: self._builder.load(self._field(name)) for name in JOB_FIELDS}
        self._moment = self._builder.alloca(_TIMESPEC)

    # --- the kinds of function

    def write_kernel(self, kernel: Kernel, stores: str | None) -> None:
        """Write passes over all elements, `calls` of them, or fewer where `stop` is set."""
        if kernel.reduces == XOR:
            self._write_xor(kernel)
        else:
            sums = self._timed_passes(self._sums(kernel), lambda sums: self._pass(kernel, stores, sums))
            if kernel.reduces:
                self._set("result", self._builder.bitcast(self._folded(sums), _WORD))
        self._builder.ret_void()

    def _write_xor(self, kernel: Kernel) -> None:
        """Write passes that only load, and a last one that joins all words by exclusive or, in eight columns.

        Arithmetic on vectors of 64 bytes lowers some processors' clock by a tenth, which a read from the first cache
        would show. So the last pass alone is one that can be checked, as it is with what a block of copies leaves.
        """
        builder = self._builder
        self._meet()
        self._stamp("start_ns")
        self._set("made", _word(0))
        with builder.if_then(builder.icmp_unsigned(">", self._job["calls"], _word(1))):

            def one(carried: Sequence[Any]) -> list[Any]:
                self._pass(replace(kernel, reduces=TOUCH), None, [])
                return [builder.add(carried[0], _word(1))]

            def is_enough(made: Any) -> Any:
                is_all = builder.icmp_unsigned(">=", builder.add(made, _word(1)), self._job["calls"])
                return builder.or_(is_all, self._is_stopping())

            self._set("made", *self._until(is_enough, [_word(0)], one))
        vectors = self._pass(kernel, None, self._sums(kernel))
        self._finish(builder.add(builder.load(self._field("made")), _word(1)))
        self._set("result", self._sum_of_columns(vectors))

    def _sum_of_columns(self, vectors: Sequence[Any]) -> Any:
        """Return one word of what was joined by exclusive or: the sum of its eight columns."""
        groups = LINE_BYTES // self._processor.vector_bytes
        return self._folded([self._joined(vectors[group::groups], XOR) for group in range(groups)])

    def write_chase(self) -> None:
        """Write loads of which each gives the address of the next, from `source_0` on.

        A call is CHAIN_LENGTH of them; `result` is where they arrived.
        """

        def turn(carried: Sequence[Any]) -> list[Any]:
            (address,) = carried
            for _ in range(CHAIN_LENGTH):
                address = self._builder.load(self._builder.inttoptr(address, _WORD.as_pointer()))
            return [address]

        self._set("result", *self._timed_passes([self._job["source_0"]], turn))
        self._builder.ret_void()

    def write_clock(self) -> None:
        """Write additions and exclusive ors in turn, each of the result before: one cycle each on every processor.

        Additions alone would be joined by the compiler, and those of small constants are free on recent processors:
        so the operands are values that only the call brings. A call is CHAIN_LENGTH instructions.
        """

        def turn(carried: Sequence[Any]) -> list[Any]:
            (value,) = carried
            for _ in range(CHAIN_LENGTH // 2):
                value = self._builder.add(value, self._job["source_1"])
                value = self._builder.xor(value, self._job["destination"])
            return [value]

        self._set("result", *self._timed_passes([self._job["source_0"]], turn))
        self._builder.ret_void()

    def write_paced_read(self) -> None:
        """Write reading of `source_0`, chunk by chunk over and over until `stop` is set, one each `interval_ns`.

        It is the load beside which a latency is measured. `calls` is the number of the first chunk, `made` counts
        them. With `interval_ns` 0 it reads as fast as it can.
        """
        chunk_elements = _word(CHUNK_BYTES // ELEMENT_BYTES)
        chunks = self._builder.udiv(self._job["elements"], chunk_elements)

        def chunk(carried: Sequence[Any]) -> list[Any]:
            number, *sums = carried
            place = self._builder.add(number, self._job["calls"])
            begin = self._builder.mul(self._builder.urem(place, chunks), chunk_elements)
            end = self._builder.add(begin, chunk_elements)
            sums = self._loop(begin, end, TURN_BYTES, sums, lambda place, sums: self._turn(READ, None, place, sums))
            following = self._builder.add(number, _word(1))
            self._wait_until(self._builder.add(start, self._builder.mul(following, self._job["interval_ns"])))
            return [following, *sums]

        self._meet()
        start = self._stamp("start_ns")
        first = [_word(0), *self._sums(READ)]
        made, *sums = self._until(self._is_stopping, first, chunk)
        self._finish(made)
        self._set("result", self._sum_of_columns(sums))
        self._builder.ret_void()

    # --- what they are made of

    def _timed_passes(self, carried: Sequence[Any], one: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
        """Write the barrier, the stamps, and between them `calls` passes that hand on their values."""

        def a_pass(carried: Sequence[Any]) -> list[Any]:
            made, *values = carried
            return [self._builder.add(made, _word(1)), *one(values)]

        def is_enough(made: Any) -> Any:
            is_all = self._builder.icmp_unsigned(">=", made, self._job["calls"])
            return self._builder.or_(is_all, self._is_stopping(made))

        self._meet()
        self._stamp("start_ns")
        made, *values = self._until(is_enough, [_word(0), *carried], a_pass)
        self._finish(made)
        return values

    def _pass(self, kernel: Kernel, stores: str | None, sums: Sequence[Any]) -> list[Any]:
        """Write one pass: of large arrays several pages side by side, then turns of many lines, then single lines."""

        def turns(length_bytes: int) -> Body:
            return lambda place, sums: self._turn(kernel, stores, place, sums, length_bytes)

        elements, groups = self._job["elements"], _word(0)
        if kernel.writes and kernel.arrays <= MOST_ABREAST_ARRAYS:
            group_bytes = PAGES_ABREAST * PAGE_BYTES
            is_large = self._builder.icmp_unsigned(">=", elements, _word(LARGE_BYTES // ELEMENT_BYTES))
            groups = self._builder.select(is_large, self._rounded_down(elements, group_bytes), groups)
            sums = self._loop(_word(0), groups, group_bytes, sums, self._pages_abreast(kernel, stores))
        whole = self._rounded_down(elements, self._turn_bytes)
        sums = self._loop(groups, whole, self._turn_bytes, sums, turns(self._turn_bytes))
        return self._loop(whole, elements, LINE_BYTES, sums, turns(LINE_BYTES))

    def _pages_abreast(self, kernel: Kernel, stores: str | None) -> Body:
        """Write the work on a group of pages, some lines of each in turn."""
        page = PAGE_BYTES // ELEMENT_BYTES

        def group(begin: Any, sums: Sequence[Any]) -> list[Any]:
            def row(offset: Any, sums: Sequence[Any]) -> list[Any]:
                first = self._builder.add(begin, offset)
                for number in range(PAGES_ABREAST):
                    place = self._builder.add(first, _word(number * page))
                    sums = self._turn(kernel, stores, place, sums, ABREAST_BYTES)
                return list(sums)

            return self._loop(_word(0), _word(page), ABREAST_BYTES, sums, row)

        return group

    def _rounded_down(self, elements: Any, step_bytes: int) -> Any:
        return self._builder.and_(elements, _word(-(step_bytes // ELEMENT_BYTES)))

    def _turn(
        self, kernel: Kernel, stores: str | None, begin: Any, sums: Sequence[Any], length_bytes: int = TURN_BYTES
    ) -> list[Any]:
        """Write the work on the elements from `begin` on, vector by vector."""
        sums = list(sums)
        for vector in range(length_bytes // self._processor.vector_bytes):
            place = self._builder.add(begin, _word(vector * self._lanes))
            sources = [self._loaded(f"source_{index}", place, kernel) for index in range(kernel.reads)]
            value = kernel.value(sources, self._scalar(kernel)).value
            if kernel.reduces == TOUCH:
                self._touch(value)
            elif kernel.reduces:
                index = self._sum_of(vector, kernel)
                sums[index] = self._joined([sums[index], value], kernel.reduces)
            else:
                self._store(value, place, kernel, stores)
        return sums

    def _loaded(self, array: str, place: Any, kernel: Kernel) -> _Operand:
        value = self._builder.load(self._address(array, place, words=kernel.words), align=self._alignment)
        return _Operand(self._builder, value, kernel)

    def _scalar(self, kernel: Kernel) -> _Operand:
        """Return the scalar in every lane."""
        scalar = self._job["scalar"]
        if kernel.words:
            scalar = self._builder.bitcast(scalar, _WORD)
        kind = self._vector_type(words=kernel.words)
        first = self._builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, _flag(0))
        mask = ir.Constant(ir.VectorType(_FLAG, self._lanes), [0] * self._lanes)
        return _Operand(self._builder, self._builder.shuffle_vector(first, first, mask), kernel)

    def _store(self, value: Any, place: Any, kernel: Kernel, stores: str | None) -> None:
        address = self._address("destination", place, words=kernel.words)
        if kernel.updates:
            kind = self._vector_type(words=True)
            kept, taken = (ir.Constant(kind, [bits] * self._lanes) for bits in (KEPT_BITS, TAKEN_BITS))
            old = self._builder.load(address, align=self._alignment)
            value = self._builder.or_(self._builder.and_(old, kept), self._builder.and_(value, taken))
        stored = self._builder.store(value, address, align=self._alignment)
        if stores == STREAMING:
            stored.set_metadata("nontemporal", self._module.add_metadata([_flag(1)]))

    @property
    def _alignment(self) -> int:
        # Arrays begin at a line of 64 bytes or a page. Arm's vectors here are two registers, aligned all the same.
        return self._processor.vector_bytes

    def _address(self, array: str, place: Any, *, words: bool) -> Any:
        element = _WORD if words else _DOUBLE
        base = self._builder.inttoptr(self._job[array], element.as_pointer())
        pointer = self._builder.gep(base, [place])
        return self._builder.bitcast(pointer, self._vector_type(words=words).as_pointer())

    def _vector_type(self, *, words: bool) -> ir.VectorType:
        return ir.VectorType(_WORD if words else _DOUBLE, self._lanes)

    def _zeros(self, *, words: bool) -> Any:
        return ir.Constant(self._vector_type(words=words), [0 if words else 0.0] * self._lanes)

    def _sums(self, kernel: Kernel) -> list[Any]:
        """Return what a reducing kernel begins with."""
        return [self._zeros(words=kernel.words)] * {SUM: MOST_SUMS, XOR: MOST_XORS}.get(kernel.reduces, 0)

    def _sum_of(self, vector: int, kernel: Kernel) -> int:
        """Return which of the sums a vector of a turn joins.

        Two whole lines after each other join the same one: an instruction of three operands takes both at once. Parts
        of a line join one that holds the same columns.
        """
        is_line = kernel.reduces == XOR and self._processor.vector_bytes == LINE_BYTES
        return (vector // 2 if is_line else vector) % (MOST_XORS if kernel.reduces == XOR else MOST_SUMS)

    def _touch(self, vector: Any) -> None:
        """Write that a vector is loaded, and nothing else: instructions that take its registers and are none."""
        register_bytes = 16 if self._processor.is_arm else self._processor.vector_bytes
        lanes = register_bytes // ELEMENT_BYTES
        kind = ir.FunctionType(ir.VoidType(), [ir.VectorType(vector.type.element, lanes)])
        for first in range(0, self._lanes, lanes):
            mask = ir.Constant(ir.VectorType(_FLAG, lanes), list(range(first, first + lanes)))
            part = vector if lanes == self._lanes else self._builder.shuffle_vector(vector, vector, mask)
            self._builder.asm(kind, "", "w" if self._processor.is_arm else "v", [part], side_effect=True)

    def _joined(self, values: Sequence[Any], how: str) -> Any:
        """Return one value of several, vectors or numbers, by sum or exclusive or."""
        total = values[0]
        for value in values[1:]:
            if how == XOR:
                total = self._builder.xor(total, value)
            elif total.type in (_WORD, self._vector_type(words=True)):
                total = self._builder.add(total, value)
            else:
                total = self._builder.fadd(total, value, flags=("contract",))
        return total

    def _folded(self, vectors: Sequence[Any]) -> Any:
        """Return the sum of all lanes of some vectors."""
        vector = self._joined(vectors, SUM)
        return self._joined([self._builder.extract_element(vector, _flag(lane)) for lane in range(self._lanes)], SUM)

    # --- loops

    def _loop(self, begin: Any, end: Any, step_bytes: int, carried: Sequence[Any], body: Body) -> list[Any]:
        """Write a loop over element numbers; `carried` are values that each turn hands to the next."""
        entry, turn, leave = self._builder.block, self._block("turn"), self._block("leave")
        self._builder.cbranch(self._builder.icmp_unsigned("<", begin, end), turn, leave)
        self._builder.position_at_end(turn)
        phis = self._phis([begin, *carried], entry)
        results = body(phis[0], phis[1:])
        following = self._builder.add(phis[0], _word(step_bytes // ELEMENT_BYTES))
        self._close(phis, [following, *results])
        last = self._builder.block
        self._builder.cbranch(self._builder.icmp_unsigned("<", following, end), turn, leave)
        self._builder.position_at_end(leave)
        left = self._phis(carried, entry)
        for phi, value in zip(left, results, strict=True):
            phi.add_incoming(value, last)
        return left

    def _until(
        self,
        is_over: Callable[[Any], Any],
        carried: Sequence[Any],
        body: Callable[[Sequence[Any]], list[Any]],
    ) -> list[Any]:
        """Write a loop that ends when `is_over` of the first carried value, asked after every turn."""
        entry, turn, leave = self._builder.block, self._block("pass"), self._block("passed")
        self._builder.branch(turn)
        self._builder.position_at_end(turn)
        phis = self._phis(carried, entry)
        results = body(phis)
        is_last = is_over(results[0])
        self._close(phis, results)
        self._builder.cbranch(is_last, leave, turn)
        self._builder.position_at_end(leave)
        return results

    def _phis(self, values: Sequence[Any], block: Any) -> list[Any]:
        phis = [self._builder.phi(value.type) for value in values]
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, block)
        return phis

    def _close(self, phis: Sequence[Any], values: Sequence[Any]) -> None:
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, self._builder.block)

    def _block(self, name: str) -> Any:
        return self._function.append_basic_block(name)

    # --- time and the other threads

    def _meet(self) -> None:
        """Write the barrier: come, and look until all have. Ends the function where that does not happen."""
        builder = self._builder
        barrier = builder.inttoptr(self._job["barrier"], _WORD.as_pointer())
        builder.atomic_rmw("add", barrier, _word(1), "seq_cst")
        latest = builder.add(self._now(), _word(LONGEST_WAIT_NS))
        look, wait, let_run, give_up, go = (self._block(name) for name in ("look", "wait", "let_run", "give_up", "go"))
        entry = builder.block
        builder.branch(look)
        builder.position_at_end(look)
        looks = builder.phi(_WORD)
        looks.add_incoming(_word(0), entry)
        here = builder.load_atomic(barrier, "acquire", ELEMENT_BYTES)
        builder.cbranch(builder.icmp_unsigned(">=", here, self._job["threads"]), go, wait)
        builder.position_at_end(wait)
        self._pause()
        following = builder.add(looks, _word(1))
        looks.add_incoming(following, wait)
        builder.cbranch(builder.icmp_unsigned("<", looks, _word(PATIENT_LOOKS)), look, let_run)
        builder.position_at_end(let_run)
        builder.call(self._called("yield_function", []), [])
        is_late = builder.icmp_signed(">", self._now(), latest)
        looks.add_incoming(following, builder.block)
        builder.cbranch(builder.or_(is_late, self._is_stopping()), give_up, look)
        builder.position_at_end(give_up)
        self._set("status", _word(Status.NEVER_MET))
        builder.ret_void()
        builder.position_at_end(go)

    def _finish(self, made: Any) -> None:
        """Write the end of a block: all stores are out, then the stamp."""
        self._builder.fence("seq_cst")
        self._stamp("end_ns")
        self._set("made", made)
        self._set("status", _word(Status.DONE))

    def _wait_until(self, moment: Any) -> None:
        """Write a wait until the clock shows `moment`, or `stop` is set."""
        look, wait, go = (self._block(name) for name in ("pace", "hold", "on"))
        self._builder.branch(look)
        self._builder.position_at_end(look)
        is_early = self._builder.icmp_signed("<", self._now(), moment)
        is_waiting = self._builder.and_(is_early, self._builder.not_(self._is_stopping()))
        self._builder.cbranch(is_waiting, wait, go)
        self._builder.position_at_end(wait)
        self._pause()
        self._builder.branch(look)
        self._builder.position_at_end(go)

    def _is_stopping(self, _: Any = None) -> Any:
        stop = self._builder.inttoptr(self._job["stop"], _FLAG.as_pointer())
        value = self._builder.load_atomic(stop, "monotonic", 4)
        return self._builder.icmp_unsigned("!=", value, _flag(0))

    def _stamp(self, field: str) -> Any:
        now = self._now()
        self._set(field, now)
        return now

    def _now(self) -> Any:
        """Write a reading of the clock in nanoseconds."""
        clock = self._called("clock_function", [_FLAG, _TIMESPEC.as_pointer()])
        self._builder.call(clock, [self._builder.trunc(self._job["clock_number"], _FLAG), self._moment])
        seconds, nanoseconds = (
            self._builder.load(self._builder.gep(self._moment, [_flag(0), _flag(place)])) for place in (0, 1)
        )
        return self._builder.add(self._builder.mul(seconds, _word(1_000_000_000)), nanoseconds)

    def _called(self, field: str, arguments: Sequence[Any]) -> Any:
        kind = ir.FunctionType(_FLAG, arguments)
        return self._builder.inttoptr(self._job[field], kind.as_pointer())

    def _pause(self) -> None:
        """Write the instruction that tells the processor that this is waiting."""
        if self._processor.is_arm:
            hint = self._module.globals.get("llvm.aarch64.hint") or ir.Function(
                self._module, ir.FunctionType(ir.VoidType(), [_FLAG]), "llvm.aarch64.hint"
            )
            self._builder.call(hint, [_flag(1)])
            return
        pause = self._module.globals.get("llvm.x86.sse2.pause") or ir.Function(
            self._module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"
        )
        self._builder.call(pause, [])

    def _field(self, name: str) -> Any:
        (job,) = self._function.args
        return self._builder.gep(job, [_flag(0), _flag(_PLACE_IN_JOB[name])])

    def _set(self, name: str, value: Any) -> None:
        self._builder.store(value, self._field(name))


def _word(value: int) -> Any:
    return ir.Constant(_WORD, value)


def _flag(value: int) -> Any:
    return ir.Constant(_FLAG, value)
