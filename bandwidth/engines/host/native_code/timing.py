"""A function's time and the other threads: the barrier where they meet, the stamps, and waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from bandwidth.engines.host.native_code.flow import FLAG, WORD, BlockFunction, flag, word
from bandwidth.engines.host.native_code.kernel_arguments import Status
from bandwidth.engines.host.native_code.processor import ARM, X86, Processor
from bandwidth.kernels import ELEMENT_BYTES

# After this many looks at the barrier a waiting thread lets others run between looks, in case they share its CPU.
PATIENT_LOOKS = 10_000
# No thread waits longer for the others: then the machine has taken CPUs away, and nothing can be timed.
LONGEST_WAIT_NS = 2_000_000_000

_TIMESPEC = ir.LiteralStructType([WORD, WORD])


class TimedFunction(BlockFunction):
    """A function that starts with the other threads of its block, and tells when it started and ended."""

    def __init__(self, module: ir.Module, name: str, processor: Processor) -> None:
        super().__init__(module, name, processor)
        self._moment = self.builder.alloca(_TIMESPEC)

    def timed_passes(self, carried: Sequence[Any], one: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
        """Write the barrier, the stamps, and between them `calls` passes that hand on their values."""

        def a_pass(carried: Sequence[Any]) -> list[Any]:
            made, *values = carried
            return [self.builder.add(made, word(1)), *one(values)]

        def is_enough(made: Any) -> Any:
            is_all = self.builder.icmp_unsigned(">=", made, self.arguments["calls"])
            return self.builder.or_(is_all, self.is_stopping())

        self.meet()
        self.stamp("start_ns")
        made, *values = self.until(is_enough, [word(0), *carried], a_pass)
        self.finish(made)
        return values

    def meet(self) -> None:
        """Write the barrier: come, and look until all have. Ends the function where that does not happen."""
        builder = self.builder
        barrier = builder.inttoptr(self.arguments["barrier"], WORD.as_pointer())
        builder.atomic_rmw("add", barrier, word(1), "seq_cst")
        latest = builder.add(self._now(), word(LONGEST_WAIT_NS))
        look, wait, let_run, give_up, go = (self.block(name) for name in ("look", "wait", "let_run", "give_up", "go"))
        entry = builder.block
        builder.branch(look)
        builder.position_at_end(look)
        looks = builder.phi(WORD)
        looks.add_incoming(word(0), entry)
        here = builder.load_atomic(barrier, "acquire", ELEMENT_BYTES)
        builder.cbranch(builder.icmp_unsigned(">=", here, self.arguments["threads"]), go, wait)
        builder.position_at_end(wait)
        self._pause()
        following = builder.add(looks, word(1))
        looks.add_incoming(following, wait)
        builder.cbranch(builder.icmp_unsigned("<", looks, word(PATIENT_LOOKS)), look, let_run)
        builder.position_at_end(let_run)
        builder.call(self.function_in("yield_function", []), [])
        is_late = builder.icmp_signed(">", self._now(), latest)
        looks.add_incoming(following, builder.block)
        builder.cbranch(builder.or_(is_late, self.is_stopping()), give_up, look)
        builder.position_at_end(give_up)
        self.set("status", word(Status.NEVER_MET))
        builder.ret_void()
        builder.position_at_end(go)

    def stamp(self, field: str) -> Any:
        """Write the time into a field, and return it."""
        now = self._now()
        self.set(field, now)
        return now

    def finish(self, made: Any) -> None:
        """Write the end of a block: all stores are out, then the stamp."""
        self.builder.fence("seq_cst")
        self.stamp("end_ns")
        self.set("made", made)
        self.set("status", word(Status.DONE))

    def wait_until(self, moment: Any) -> None:
        """Write a wait until the clock shows `moment`, or `stop` is set."""
        look, wait, go = (self.block(name) for name in ("pace", "hold", "on"))
        self.builder.branch(look)
        self.builder.position_at_end(look)
        is_early = self.builder.icmp_signed("<", self._now(), moment)
        is_waiting = self.builder.and_(is_early, self.builder.not_(self.is_stopping()))
        self.builder.cbranch(is_waiting, wait, go)
        self.builder.position_at_end(wait)
        self._pause()
        self.builder.branch(look)
        self.builder.position_at_end(go)

    def is_stopping(self, _: Any = None) -> Any:
        """Write a look at `stop`. It may be asked as the end of a loop, whose first value it does not need."""
        stop = self.builder.inttoptr(self.arguments["stop"], FLAG.as_pointer())
        value = self.builder.load_atomic(stop, "monotonic", 4)
        return self.builder.icmp_unsigned("!=", value, flag(0))

    def _now(self) -> Any:
        """Write a reading of the clock in nanoseconds."""
        clock = self.function_in("clock_function", [FLAG, _TIMESPEC.as_pointer()])
        self.builder.call(clock, [self.builder.trunc(self.arguments["clock_number"], FLAG), self._moment])
        seconds, nanoseconds = (
            self.builder.load(self.builder.gep(self._moment, [flag(0), flag(place)])) for place in (0, 1)
        )
        return self.builder.add(self.builder.mul(seconds, word(1_000_000_000)), nanoseconds)

    def _pause(self) -> None:
        """Write the instruction that tells the processor that this is waiting, where LLVM has one for its family.

        Elsewhere there is none: RISC-V's and Power's are hints that only an assembler writes, and waiting threads let
        others run all the same.
        """
        if self.processor.family == X86:
            self.builder.call(self._intrinsic("llvm.x86.sse2.pause", []), [])
        elif self.processor.family == ARM:
            self.builder.call(self._intrinsic("llvm.aarch64.hint", [FLAG]), [flag(1)])

    def _intrinsic(self, name: str, arguments: Sequence[Any]) -> Any:
        """Return a function that LLVM turns into one instruction, declared once in a module."""
        declared = self.module.globals.get(name)
        return declared or ir.Function(self.module, ir.FunctionType(ir.VoidType(), arguments), name)
