"""Machine code for Windows, run where there is none: a calling convention is the code's business, not the system's.

On x86-64 LLVM calls functions of either convention. So what is compiled for Windows, the very object that llvmlite
would make there, runs here behind a bridge of one function, and calls a clock and a yield of Windows' convention that
are made of this system's own.
"""

from __future__ import annotations

import ctypes
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import pytest

from bandwidth.engines.host.native_code.compiled import Library, this_processor
from bandwidth.engines.host.native_code.kernel_arguments import KernelArguments
from bandwidth.engines.host.native_code.processor import LlvmProcessor

# What llvmlite makes of `x86_64-pc-windows-msvc` on Windows: there its compiler takes ELF objects only.
TRIPLE = "x86_64-pc-windows-msvc-elf"
TICKS_PER_S = 10_000_000
NS_PER_TICK = 100

_BRIDGE = """
define win64cc i32 @counter(ptr %place) {{
  %ticks = call i64 @ticks()
  store i64 %ticks, ptr %place
  ret i32 1
}}

define win64cc i32 @switch() {{
  %result = call i32 inttoptr (i64 {sched_yield} to ptr)()
  ret i32 %result
}}

define void @run(ptr %function, ptr %arguments) {{
  call win64cc void %function(ptr %arguments)
  ret void
}}
"""
_OWN_TICKS = """
define i64 @ticks() {{
  %moment = alloca {{ i64, i64 }}
  %failed = call i32 inttoptr (i64 {clock_gettime} to ptr)(i32 {number}, ptr %moment)
  %seconds = load i64, ptr %moment
  %place = getelementptr {{ i64, i64 }}, ptr %moment, i32 0, i32 1
  %nanoseconds = load i64, ptr %place
  %whole = mul i64 %seconds, 1000000000
  %all = add i64 %whole, %nanoseconds
  %ticks = udiv i64 %all, {ns_per_tick}
  ret i64 %ticks
}}
"""
_SCRIPTED_TICKS = """
define i64 @ticks() {{
  %ticks = call i64 inttoptr (i64 {callback} to ptr)()
  ret i64 %ticks
}}
"""
TICKS = ctypes.CFUNCTYPE(ctypes.c_int64)


class Bridge:
    """The way from here into code for Windows; `counter` and `switch` are the addresses of what that calls.

    `ticks` is a seam: the tests give a clock that shows what they say.
    """

    def __init__(self, ticks: Callable[[], int] | None = None) -> None:
        library = ctypes.CDLL(None)
        self._ticks = None if ticks is None else TICKS(ticks)
        text = (_BRIDGE + (_OWN_TICKS if ticks is None else _SCRIPTED_TICKS)).format(
            sched_yield=_address(library.sched_yield),
            clock_gettime=_address(library.clock_gettime),
            number=time.CLOCK_MONOTONIC,
            ns_per_tick=NS_PER_TICK,
            callback=0 if self._ticks is None else _address(self._ticks),
        )
        triple = this_processor().triple
        module = llvm.parse_assembly(f'target triple = "{triple}"\n{text}')
        self._compiler = llvm.create_mcjit_compiler(module, llvm.Target.from_triple(triple).create_target_machine())
        self._compiler.finalize_object()
        self.counter, self.switch = map(self._compiler.get_function_address, ("counter", "switch"))
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(KernelArguments))
        self._run = run(self._compiler.get_function_address("run"))

    def function(self, library: Library, name: str) -> Callable[[KernelArguments], None]:
        """Return a function of a library that was made for Windows."""
        address = library._compiler.get_function_address(name)
        if not address:
            raise KeyError(name)
        return lambda arguments: self._run(address, ctypes.byref(arguments))


@cache
def bridge() -> Bridge:
    """Return a bridge that is kept; skips the test where code for Windows on x86-64 cannot run."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("code for Windows on x86-64 runs on such a processor alone")
    return Bridge()


def windows_processor() -> LlvmProcessor:
    """Return this processor as it would be found under Windows."""
    return replace(this_processor(), triple=TRIPLE)


class WindowsLibrary(Library):
    """A library of code for Windows that runs here; each function takes the clock and the yield of its bridge."""

    def function(self, name: str) -> Callable[[KernelArguments], None]:
        """Return a function. See `Library`."""
        way = bridge()
        function = way.function(self, name)

        def run(arguments: KernelArguments) -> None:
            arguments.clock_function, arguments.clock_number = way.counter, TICKS_PER_S
            arguments.yield_function = way.switch
            function(arguments)

        return run


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
