"""A function that is being written: the fields of its arguments, its loops, its time and the other threads.

Threads meet at a barrier, stamp their start and their end, and wait for each other.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite import ir

from bandwidth.engines.host.native_code.kernel_arguments import ARGUMENT_FIELDS, Status
from bandwidth.engines.host.native_code.processor import ARM, X86, LlvmProcessor
from bandwidth.kernels import ELEMENT_BYTES

# The turn of a loop: takes an element number and the values that are handed on, and returns those for the next.
Body: TypeAlias = Callable[[Any, Sequence[Any]], list[Any]]

WORD, FLAG, DOUBLE = ir.IntType(64), ir.IntType(32), ir.DoubleType()
_JOB = ir.LiteralStructType([DOUBLE if kind is ctypes.c_double else WORD for kind in ARGUMENT_FIELDS.values()])
_PLACE_IN_JOB = {name: place for place, name in enumerate(ARGUMENT_FIELDS)}


def i64(value: int) -> Any:
    """Return a constant of 64 bits."""
    return ir.Constant(WORD, value)


def i32(value: int) -> Any:
    """Return a constant of 32 bits."""
    return ir.Constant(FLAG, value)


class BlockFunction:
    """One function of a module; it takes the address of a `KernelArguments`, whose fields as it begins are `arguments`.

    Whatever is written into it is written by `builder`, which stands where the next instruction goes.
    """

    def __init__(self, module: ir.Module, name: str, processor: LlvmProcessor) -> None:
        self.module = module
        self.processor = processor
        self._function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_JOB.as_pointer()]), name)
        self.builder = ir.IRBuilder(self._function.append_basic_block("entry"))
        self.arguments = {name: self.builder.load(self.field(name)) for name in ARGUMENT_FIELDS}

    # --- the arguments

    def field(self, name: str) -> Any:
        """Return the address of a field of the arguments."""
        (arguments,) = self._function.args
        return self.builder.gep(arguments, [i32(0), i32(_PLACE_IN_JOB[name])])

    def set(self, name: str, value: Any) -> None:
        """Write a value into a field of the arguments."""
        self.builder.store(value, self.field(name))

    def function_in(self, field: str, arguments: Sequence[Any]) -> Any:
        """Return the system's function whose address a field of the arguments holds."""
        kind = ir.FunctionType(FLAG, arguments)
        return self.builder.inttoptr(self.arguments[field], kind.as_pointer())

    # --- loops

    def loop(self, begin: Any, end: Any, step_bytes: int, carried: Sequence[Any], body: Body) -> list[Any]:
        """Write a loop over element numbers; `carried` are values that each turn hands to the next."""
        entry, turn, leave = self.builder.block, self.block("turn"), self.block("leave")
        self.builder.cbranch(self.builder.icmp_unsigned("<", begin, end), turn, leave)
        self.builder.position_at_end(turn)
        phis = self._phis([begin, *carried], entry)
        results = body(phis[0], phis[1:])
        following = self.builder.add(phis[0], i64(step_bytes // ELEMENT_BYTES))
        self._close(phis, [following, *results])
        last = self.builder.block
        self.builder.cbranch(self.builder.icmp_unsigned("<", following, end), turn, leave)
        self.builder.position_at_end(leave)
        left = self._phis(carried, entry)
        for phi, value in zip(left, results, strict=True):
            phi.add_incoming(value, last)
        return left

    def until(
        self,
        is_over: Callable[[Any], Any],
        carried: Sequence[Any],
        body: Callable[[Sequence[Any]], list[Any]],
    ) -> list[Any]:
        """Write a loop that ends when `is_over` of the first carried value, asked after every turn."""
        entry, turn, leave = self.builder.block, self.block("pass"), self.block("passed")
        self.builder.branch(turn)
        self.builder.position_at_end(turn)
        phis = self._phis(carried, entry)
        results = body(phis)
        is_last = is_over(results[0])
        self._close(phis, results)
        self.builder.cbranch(is_last, leave, turn)
        self.builder.position_at_end(leave)
        return results

    def block(self, name: str) -> Any:
        """Return a new block of instructions, which nothing leads to yet."""
        return self._function.append_basic_block(name)

    def _phis(self, values: Sequence[Any], block: Any) -> list[Any]:
        phis = [self.builder.phi(value.type) for value in values]
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, block)
        return phis

    def _close(self, phis: Sequence[Any], values: Sequence[Any]) -> None:
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, self.builder.block)


# --- timed loops ----------------------------------------------------------------------------------------------------

# After this many looks at the barrier a waiting thread lets others run between looks, in case they share its CPU.
PATIENT_LOOKS = 10_000
# And one that waits for a line looks at the time once in so many looks.
LOOKS_PER_TIME = 1024
# No thread waits longer for the others: then the machine has taken CPUs away, and nothing can be timed.
LONGEST_WAIT_NS = 2_000_000_000

_TIMESPEC = ir.LiteralStructType([WORD, WORD])


class TimedFunction(BlockFunction):
    """A function that starts with the other threads of its block, and tells when it started and ended."""

    def __init__(self, module: ir.Module, name: str, processor: LlvmProcessor) -> None:
        super().__init__(module, name, processor)
        self._moment = self.builder.alloca(_TIMESPEC)

    def timed_passes(self, carried: Sequence[Any], one: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
        """Write the barrier, the stamps, and between them `calls` passes that hand on their values."""

        def a_pass(carried: Sequence[Any]) -> list[Any]:
            made, *values = carried
            return [self.builder.add(made, i64(1)), *one(values)]

        def is_enough(made: Any) -> Any:
            is_all = self.builder.icmp_unsigned(">=", made, self.arguments["calls"])
            return self.builder.or_(is_all, self.is_stopping())

        self.meet()
        self.stamp("start_ns")
        made, *values = self.until(is_enough, [i64(0), *carried], a_pass)
        self.finish(made)
        return values

    def meet(self) -> None:
        """Write the barrier: come, and look until all have. Ends the function where that does not happen."""
        builder = self.builder
        barrier = builder.inttoptr(self.arguments["barrier"], WORD.as_pointer())
        builder.atomic_rmw("add", barrier, i64(1), "seq_cst")
        latest = builder.add(self.now(), i64(LONGEST_WAIT_NS))
        look, wait, let_run, give_up, go = (self.block(name) for name in ("look", "wait", "let_run", "give_up", "go"))
        entry = builder.block
        builder.branch(look)
        builder.position_at_end(look)
        looks = builder.phi(WORD)
        looks.add_incoming(i64(0), entry)
        here = builder.load_atomic(barrier, "acquire", ELEMENT_BYTES)
        builder.cbranch(builder.icmp_unsigned(">=", here, self.arguments["threads"]), go, wait)
        builder.position_at_end(wait)
        self._pause()
        following = builder.add(looks, i64(1))
        looks.add_incoming(following, wait)
        builder.cbranch(builder.icmp_unsigned("<", looks, i64(PATIENT_LOOKS)), look, let_run)
        builder.position_at_end(let_run)
        builder.call(self.function_in("yield_function", []), [])
        is_late = builder.icmp_signed(">", self.now(), latest)
        is_over = builder.or_(is_late, self.is_stopping())
        # All may have come, and one ended the work, while this one had no CPU.
        here = builder.load_atomic(barrier, "acquire", ELEMENT_BYTES)
        is_alone = builder.icmp_unsigned("<", here, self.arguments["threads"])
        looks.add_incoming(following, builder.block)
        builder.cbranch(builder.and_(is_over, is_alone), give_up, look)
        builder.position_at_end(give_up)
        self.set("status", i64(Status.NEVER_MET))
        builder.ret_void()
        builder.position_at_end(go)

    def stamp(self, field: str) -> Any:
        """Write the time into a field, and return it."""
        now = self.now()
        self.set(field, now)
        return now

    def finish(self, made: Any) -> None:
        """Write the end of a block: all stores are out, then the stamp."""
        self.builder.fence("seq_cst")
        self.stamp("end_ns")
        self.set("made", made)
        self.set("status", i64(Status.DONE))

    def wait_until(self, moment: Any) -> None:
        """Write a wait until the clock shows `moment`, or `stop` is set."""
        look, wait, go = (self.block(name) for name in ("pace", "hold", "on"))
        self.builder.branch(look)
        self.builder.position_at_end(look)
        is_early = self.builder.icmp_signed("<", self.now(), moment)
        is_waiting = self.builder.and_(is_early, self.builder.not_(self.is_stopping()))
        self.builder.cbranch(is_waiting, wait, go)
        self.builder.position_at_end(wait)
        self._pause()
        self.builder.branch(look)
        self.builder.position_at_end(go)

    def look_for(self, place: Any, value: Any, deadline: Any, leave: Callable[[], None]) -> None:
        """Write looks at a word until it is no less than `value`; `leave` writes the end where that comes too late.

        There is no pause between looks: it would take longer than a line that comes from another core.
        """
        builder = self.builder
        look, again, ask, late, go = (self.block(name) for name in ("glance", "again", "ask", "late", "there"))
        entry = builder.block
        builder.branch(look)
        builder.position_at_end(look)
        looks = builder.phi(WORD)
        looks.add_incoming(i64(0), entry)
        here = builder.load_atomic(place, "acquire", ELEMENT_BYTES)
        builder.cbranch(builder.icmp_unsigned(">=", here, value), go, again)
        builder.position_at_end(again)
        following = builder.add(looks, i64(1))
        looks.add_incoming(following, again)
        is_time = builder.icmp_unsigned("==", builder.urem(following, i64(LOOKS_PER_TIME)), i64(0))
        builder.cbranch(is_time, ask, look)
        builder.position_at_end(ask)
        is_late = builder.or_(builder.icmp_signed(">", self.now(), deadline), self.is_stopping())
        looks.add_incoming(following, builder.block)
        builder.cbranch(is_late, late, look)
        builder.position_at_end(late)
        leave()
        builder.ret_void()
        builder.position_at_end(go)

    def is_stopping(self, _: Any = None) -> Any:
        """Write a look at `stop`. It may be asked as the end of a loop, whose first value it does not need."""
        stop = self.builder.inttoptr(self.arguments["stop"], FLAG.as_pointer())
        value = self.builder.load_atomic(stop, "monotonic", 4)
        return self.builder.icmp_unsigned("!=", value, i32(0))

    def now(self) -> Any:
        """Write a reading of the clock in nanoseconds."""
        if self.processor.is_windows:
            return self._counted_ns()
        clock = self.function_in("clock_function", [FLAG, _TIMESPEC.as_pointer()])
        self.builder.call(clock, [self.builder.trunc(self.arguments["clock_number"], FLAG), self._moment])
        seconds, nanoseconds = (
            self.builder.load(self.builder.gep(self._moment, [i32(0), i32(place)])) for place in (0, 1)
        )
        return self.builder.add(self.builder.mul(seconds, i64(1_000_000_000)), nanoseconds)

    def _counted_ns(self) -> Any:
        """Write the same of Windows' counter: whole seconds first, so that no product is longer than 64 bits."""
        builder, per_s = self.builder, self.arguments["clock_number"]
        place = builder.gep(self._moment, [i32(0), i32(0)])
        builder.call(self.function_in("clock_function", [WORD.as_pointer()]), [place])
        ticks, second = builder.load(place), i64(1_000_000_000)
        rest = builder.udiv(builder.mul(builder.urem(ticks, per_s), second), per_s)
        return builder.add(builder.mul(builder.udiv(ticks, per_s), second), rest)

    def _pause(self) -> None:
        """Write the instruction that tells the processor that this is waiting, where LLVM has one for its family.

        Elsewhere there is none: RISC-V's and Power's are hints that only an assembler writes, and waiting threads let
        others run all the same.
        """
        if self.processor.family == X86:
            self.builder.call(self._intrinsic("llvm.x86.sse2.pause", []), [])
        elif self.processor.family == ARM:
            self.builder.call(self._intrinsic("llvm.aarch64.hint", [FLAG]), [i32(1)])

    def _intrinsic(self, name: str, arguments: Sequence[Any]) -> Any:
        """Return a function that LLVM turns into one instruction, declared once in a module."""
        declared = self.module.globals.get(name)
        return declared or ir.Function(self.module, ir.FunctionType(ir.VoidType(), arguments), name)
