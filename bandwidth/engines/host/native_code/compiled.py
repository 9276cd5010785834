"""LLVM at work: what it finds this machine to be, and the functions that it makes of the rows.

Each function makes a block: one for each row, and those that every library has.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from bandwidth.engines.host.native_code.flow import WORD, TimedFunction, i64
from bandwidth.engines.host.native_code.kernel_arguments import (
    ADDITION_CHAINS,
    CHAIN_ADDITIONS,
    CHAIN_LENGTH,
    CHUNK_BYTES,
    INTERRUPTED_NS,
    KernelArguments,
)
from bandwidth.engines.host.native_code.passes import TOUCH, TURN_BYTES, Passes
from bandwidth.engines.host.native_code.processor import (
    ADDITIONS,
    CHASE,
    CLOCK,
    HOPS,
    PACED_MIX,
    PACED_READ,
    LlvmProcessor,
    chases_name,
    vector_bytes,
)
from bandwidth.engines.host.native_code.shapes import Row, Shape, function_name
from bandwidth.errors import BandwidthError
from bandwidth.kernels import ELEMENT_BYTES, XOR, Kernel
from bandwidth.vocabulary import ORDINARY


def this_processor() -> LlvmProcessor:
    """Return what LLVM finds this machine to be. Raises BandwidthError where its package makes no code for it."""
    try:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        triple = llvm.get_process_triple()
        llvm.Target.from_triple(triple)
        features = dict(llvm.get_host_cpu_features())
    except RuntimeError as error:
        raise BandwidthError("LLVM's package makes no code for this processor", "the NumPy rows remain") from error
    processor = LlvmProcessor(triple, llvm.get_host_cpu_name(), _flat(features), vector_bytes(triple, features))
    if not processor.family:
        raise BandwidthError(f"no code is written for processors of {triple!a}", "the NumPy rows remain")
    return processor


def _flat(features: Mapping[str, bool]) -> str:
    return ",".join(f"{'+' if has else '-'}{name}" for name, has in sorted(features.items()))


class Library:
    """Compiled functions by name; they live as long as this does. `seconds` tells how long it took to make them,
    `processor` what for, `rows` what of.

    `chains` are the numbers of chains of loads that are to be followed at once. Raises BandwidthError where the system
    allows no new code (a hardened kernel).
    """

    def __init__(self, rows: Iterable[Row], processor: LlvmProcessor, chains: Iterable[int] = ()) -> None:
        begin = time.perf_counter()
        named = {function_name(*row): row for row in rows}
        try:
            module = _parsed(module_of(named.values(), processor, chains))
            self._compiler = llvm.create_mcjit_compiler(module, _target_machine(processor))
            self._compiler.finalize_object()
        except RuntimeError as error:
            raise BandwidthError("the kernels cannot be compiled here", "--engine numpy can be measured") from error
        self.seconds = time.perf_counter() - begin
        self.processor = processor
        self.rows = [*named.values()]
        self._functions: dict[str, Callable[[KernelArguments], None]] = {}

    def add(self, rows: Iterable[Row]) -> None:
        """Compile those of some rows that are not there yet."""
        lacking = [row for row in rows if row not in self.rows]
        if lacking:
            self._compiler.add_module(_parsed(rows_of(lacking, self.processor)))
            self._compiler.finalize_object()
            self.rows += lacking

    def function(self, name: str) -> Callable[[KernelArguments], None]:
        """Return a function of KernelArguments; calling it lets go of the interpreter's lock. Raises KeyError."""
        if name not in self._functions:
            address = self._compiler.get_function_address(name)
            if not address:
                raise KeyError(name)
            self._functions[name] = ctypes.CFUNCTYPE(None, ctypes.POINTER(KernelArguments))(address)
        return self._functions[name]


def assembly(rows: Iterable[Row], processor: LlvmProcessor) -> str:
    """Return the machine code of some kernels as text, for any processor that LLVM's package knows."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    text: str = _target_machine(processor).emit_assembly(_parsed(module_of(rows, processor)))
    return text


def _target_machine(processor: LlvmProcessor) -> Any:
    target = llvm.Target.from_triple(processor.triple)
    return target.create_target_machine(cpu=processor.cpu, features=processor.features, opt=3)


def _parsed(module: ir.Module) -> Any:
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    return parsed


# --- a module's functions -------------------------------------------------------------------------------------------

# Instructions of each chain in a turn of a loop, so that the loop itself costs little.
_UNROLLED = 8
# The kernels of a paced load: they are in no table of what can be measured.
READ = Kernel("paced read", 1, 0, (), "", "", lambda sources, _: sources[0], reduces=XOR, words=True)
UPDATE = Kernel("paced update", 0, 1, (), "", "", lambda _, scalar: scalar, words=True, updates=True)


def module_of(rows: Iterable[Row], processor: LlvmProcessor, chains: Iterable[int] = ()) -> ir.Module:
    """Return the code of some rows as LLVM reads it, with the functions that every library has."""
    module = rows_of(rows, processor)
    _write_chase(TimedFunction(module, CHASE, processor))
    _write_clock(TimedFunction(module, CLOCK, processor))
    _write_paced(TimedFunction(module, PACED_READ, processor))
    _write_paced(TimedFunction(module, PACED_MIX, processor), updates=True)
    _write_hops(TimedFunction(module, HOPS, processor))
    _write_additions(TimedFunction(module, ADDITIONS, processor))
    for count in chains:
        _write_chases(TimedFunction(module, chases_name(count), processor), count)
    return module


def rows_of(rows: Iterable[Row], processor: LlvmProcessor) -> ir.Module:
    """Return the code of some rows alone."""
    module = ir.Module("bandwidth")
    module.triple = processor.triple
    for row in rows:
        _write_row(module, row, processor)
    return module


def _write_row(module: ir.Module, row: Row, processor: LlvmProcessor) -> None:
    """Write passes over all elements, `calls` of them, or fewer where `stop` is set."""
    kernel, stores, shape = row
    made_for = replace(processor, vector_bytes=shape.vector_bytes or processor.vector_bytes)
    function = TimedFunction(module, function_name(*row), made_for)
    if kernel.reduces == XOR:
        _write_xor(function, kernel, shape)
    else:
        _write_passes(function, kernel, stores, shape)
    function.builder.ret_void()


def _write_passes(function: TimedFunction, kernel: Kernel, stores: str | None, shape: Shape) -> None:
    """Write passes that are all alike."""
    passes = Passes(function, kernel, stores, shape)
    sums = function.timed_passes(passes.sums.first(), passes.one)
    if kernel.reduces:
        function.set("result", function.builder.bitcast(passes.sums.folded(sums), WORD))


def _write_xor(function: TimedFunction, kernel: Kernel, shape: Shape) -> None:
    """Write passes that only load, and a last one that joins all words by exclusive or, in eight columns.

    Arithmetic on vectors of 64 bytes lowers some processors' clock by a tenth, which a read from the first cache
    would show. So the last pass alone is one that can be checked, as it is with what a block of copies leaves.
    """
    builder, calls = function.builder, function.arguments["calls"]
    touching = Passes(function, replace(kernel, reduces=TOUCH), None, shape)
    joining = Passes(function, kernel, None, shape)

    def one(carried: Sequence[Any]) -> list[Any]:
        touching.one([])
        return [builder.add(carried[0], i64(1))]

    def is_enough(made: Any) -> Any:
        is_all = builder.icmp_unsigned(">=", builder.add(made, i64(1)), calls)
        return builder.or_(is_all, function.is_stopping())

    function.meet()
    function.stamp("start_ns")
    function.set("made", i64(0))
    with builder.if_then(builder.icmp_unsigned(">", calls, i64(1))):
        function.set("made", *function.until(is_enough, [i64(0)], one))
    vectors = joining.one(joining.sums.first())
    function.finish(builder.add(builder.load(function.field("made")), i64(1)))
    function.set("result", joining.sums.of_columns(vectors))


def _write_chase(function: TimedFunction) -> None:
    """Write loads of which each gives the address of the next, from `source_0` on.

    A call is CHAIN_LENGTH of them; `result` is where they arrived.
    """
    builder = function.builder

    def turn(carried: Sequence[Any]) -> list[Any]:
        (address,) = carried
        for _ in range(CHAIN_LENGTH):
            address = builder.load(builder.inttoptr(address, WORD.as_pointer()))
        return [address]

    function.set("result", *function.timed_passes([function.arguments["source_0"]], turn))
    builder.ret_void()


def _write_chases(function: TimedFunction, count: int) -> None:
    """Write several chains of such loads that know nothing of each other, a load of each in turn.

    `source_0` is the address of a word for each chain that holds where it begins, `destination` of one for where it
    arrived. A call is CHAIN_LENGTH loads of each.
    """
    builder = function.builder

    def words(field: str) -> list[Any]:
        first = builder.inttoptr(function.arguments[field], WORD.as_pointer())
        return [builder.gep(first, [i64(number)]) for number in range(count)]

    def turn(_: Any, addresses: Sequence[Any]) -> list[Any]:
        for _ in range(_UNROLLED):
            addresses = [builder.load(builder.inttoptr(address, WORD.as_pointer())) for address in addresses]
        return list(addresses)

    def one(addresses: Sequence[Any]) -> list[Any]:
        return function.loop(i64(0), i64(CHAIN_LENGTH // _UNROLLED), ELEMENT_BYTES, addresses, turn)

    arrived = function.timed_passes([builder.load(word) for word in words("source_0")], one)
    for word, address in zip(words("destination"), arrived, strict=True):
        builder.store(address, word)
    builder.ret_void()


def _write_clock(function: TimedFunction) -> None:
    """Write additions and exclusive ors in turn, each of the result before: one cycle each on every processor.

    Additions alone would be joined by the compiler, and those of small constants are free on recent processors:
    so the operands are values that only the call brings. A call is CHAIN_LENGTH instructions.
    """
    builder = function.builder

    def turn(carried: Sequence[Any]) -> list[Any]:
        (value,) = carried
        for _ in range(CHAIN_LENGTH // 2):
            value = builder.add(value, function.arguments["source_1"])
            value = builder.xor(value, function.arguments["destination"])
        return [value]

    function.set("result", *function.timed_passes([function.arguments["source_0"]], turn))
    builder.ret_void()


def _write_paced(function: TimedFunction, *, updates: bool = False) -> None:
    """Write reading of `source_0`, chunk by chunk over and over until `stop` is set, one each `interval_ns`.

    It is the load beside which a latency is measured. `calls` is the number of the first chunk, `made` counts
    them. With `interval_ns` 0 it reads as fast as it can. Where it `updates`, every chunk whose number `source_1`
    divides is not only read: every other bit of its words is taken from the scalar, so that all of it is written back.
    """
    builder, arguments, reading = function.builder, function.arguments, Passes(function, READ)
    updating = Passes(function, UPDATE, ORDINARY)
    chunk_elements = i64(CHUNK_BYTES // ELEMENT_BYTES)
    chunks = builder.udiv(arguments["elements"], chunk_elements)

    def chunk(carried: Sequence[Any]) -> list[Any]:
        number, *sums = carried
        place = builder.add(number, arguments["calls"])
        begin = builder.mul(builder.urem(place, chunks), chunk_elements)
        end = builder.add(begin, chunk_elements)
        read_from = begin
        if updates:
            is_read = builder.icmp_unsigned("!=", builder.urem(place, arguments["source_1"]), i64(0))
            function.loop(begin, builder.select(is_read, begin, end), TURN_BYTES, [], updating.turn)
            read_from = builder.select(is_read, begin, end)
        sums = function.loop(read_from, end, TURN_BYTES, sums, reading.turn)
        following = builder.add(number, i64(1))
        function.wait_until(builder.add(start, builder.mul(following, arguments["interval_ns"])))
        return [following, *sums]

    function.meet()
    start = function.stamp("start_ns")
    made, *sums = function.until(function.is_stopping, [i64(0), *reading.sums.first()], chunk)
    function.finish(made)
    function.set("result", reading.sums.of_columns(sums))
    builder.ret_void()


# --- probes of the threads' cores -----------------------------------------------------------------------------------


def _write_hops(function: TimedFunction) -> None:
    """Write a thread's part of a word that goes round a ring of them, each waiting for it in a line of its own.

    `source_0` is the address of the own line, `destination` that of the next thread's, `source_1` 1 for the thread that
    begins and 0 for the others. A pass is `elements` rounds; `calls` of them are made, fewer where `interval_ns` is
    over. Each line counts the rounds, so that what it holds in the end tells how often the word came by. `fastest_ns`
    is the shortest pass, the first apart: the ring was not whole then.
    """
    builder, arguments = function.builder, function.arguments
    own, following = (builder.inttoptr(arguments[name], WORD.as_pointer()) for name in ("source_0", "destination"))

    def a_pass(carried: Sequence[Any]) -> list[Any]:
        begin, made, fastest = carried

        def leave() -> None:
            function.finish(made)
            function.set("fastest_ns", fastest)

        def a_round(number: Any, _: Sequence[Any]) -> list[Any]:
            count = builder.add(builder.add(number, builder.mul(made, arguments["elements"])), i64(1))
            function.look_for(own, builder.sub(count, arguments["source_1"]), deadline, leave)
            builder.store_atomic(count, following, "release", ELEMENT_BYTES)
            return []

        function.loop(i64(0), arguments["elements"], ELEMENT_BYTES, [], a_round)
        now = function.now()
        took = builder.sub(now, begin)
        is_better = builder.or_(builder.icmp_unsigned("==", fastest, i64(0)), builder.icmp_unsigned("<", took, fastest))
        counts = builder.and_(is_better, builder.icmp_unsigned(">", made, i64(0)))
        following_made = builder.add(made, i64(1))
        is_last = builder.icmp_unsigned(">=", following_made, arguments["calls"])
        ending = builder.select(is_last, deadline, now)
        return [ending, following_made, builder.select(counts, took, fastest)]

    def is_over(now: Any) -> Any:
        return builder.or_(builder.icmp_signed(">=", now, deadline), function.is_stopping())

    function.meet()
    start = function.stamp("start_ns")
    deadline = builder.add(start, arguments["interval_ns"])
    _, made, fastest = function.until(is_over, [start, i64(0), i64(0)], a_pass)
    function.finish(made)
    function.set("fastest_ns", fastest)
    builder.ret_void()


def _write_additions(function: TimedFunction) -> None:
    """Write additions in registers, in chains side by side, for `interval_ns`: what a core can do without the memory.

    The chains begin at `source_0` and the numbers after it, and `source_1` is added. Behind each addition stands code
    that is none and takes its result, so that the compiler joins no two. A pass is CHAIN_ADDITIONS of each chain;
    `made` counts them, `lost_ns` is the time of those that were interrupted, `result` the sum of the chains.
    """
    builder, arguments = function.builder, function.arguments
    same = ir.FunctionType(WORD, [WORD])

    def turn(_: Any, values: Sequence[Any]) -> list[Any]:
        for _ in range(_UNROLLED):
            sums = [builder.add(value, arguments["source_1"]) for value in values]
            values = [builder.asm(same, "", "=r,0", [value], side_effect=True) for value in sums]
        return list(values)

    def a_pass(carried: Sequence[Any]) -> list[Any]:
        _, made, lost, begin, *values = carried
        values = function.loop(i64(0), i64(CHAIN_ADDITIONS // _UNROLLED), ELEMENT_BYTES, values, turn)
        now = function.now()
        took = builder.sub(now, begin)
        was_interrupted = builder.icmp_unsigned(">", took, i64(INTERRUPTED_NS))
        lost = builder.select(was_interrupted, builder.add(lost, took), lost)
        return [now, builder.add(made, i64(1)), lost, now, *values]

    def is_over(now: Any) -> Any:
        return builder.or_(builder.icmp_signed(">=", now, deadline), function.is_stopping())

    function.meet()
    start = function.stamp("start_ns")
    deadline = builder.add(start, arguments["interval_ns"])
    begins = [builder.add(arguments["source_0"], i64(number)) for number in range(ADDITION_CHAINS)]
    _, made, lost, _, *values = function.until(is_over, [start, i64(0), i64(0), start, *begins], a_pass)
    function.finish(made)
    function.set("lost_ns", lost)
    total = values[0]
    for value in values[1:]:
        total = builder.add(total, value)
    function.set("result", total)
    builder.ret_void()
