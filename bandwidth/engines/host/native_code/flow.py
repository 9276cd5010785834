"""A function that is being written: the fields of the arguments that it is told, and its loops."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite import ir

from bandwidth.engines.host.native_code.kernel_arguments import ARGUMENT_FIELDS
from bandwidth.engines.host.native_code.processor import Processor
from bandwidth.kernels import ELEMENT_BYTES

# The turn of a loop: takes an element number and the values that are handed on, and returns those for the next.
Body: TypeAlias = Callable[[Any, Sequence[Any]], list[Any]]

WORD, FLAG, DOUBLE = ir.IntType(64), ir.IntType(32), ir.DoubleType()
_JOB = ir.LiteralStructType([DOUBLE if kind is ctypes.c_double else WORD for kind in ARGUMENT_FIELDS.values()])
_PLACE_IN_JOB = {name: place for place, name in enumerate(ARGUMENT_FIELDS)}


def word(value: int) -> Any:
    """Return a constant of 64 bits."""
    return ir.Constant(WORD, value)


def flag(value: int) -> Any:
    """Return a constant of 32 bits."""
    return ir.Constant(FLAG, value)


class BlockFunction:
    """One function of a module; it takes the address of a `KernelArguments`, whose fields as it begins are `arguments`.

    Whatever is written into it is written by `builder`, which stands where the next instruction goes.
    """

    def __init__(self, module: ir.Module, name: str, processor: Processor) -> None:
        self.module = module
        self.processor = processor
        self._function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_JOB.as_pointer()]), name)
        self.builder = ir.IRBuilder(self._function.append_basic_block("entry"))
        self.arguments = {name: self.builder.load(self.field(name)) for name in ARGUMENT_FIELDS}

    # --- the arguments

    def field(self, name: str) -> Any:
        """Return the address of a field of the arguments."""
        (arguments,) = self._function.args
        return self.builder.gep(arguments, [flag(0), flag(_PLACE_IN_JOB[name])])

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
        following = self.builder.add(phis[0], word(step_bytes // ELEMENT_BYTES))
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
