"""LLVM at work: what it finds this machine to be, and the functions that it makes of the rows."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import llvmlite.binding as llvm

from bandwidth.engines.host.native_code.emitter import module_of
from bandwidth.engines.host.native_code.kernel_arguments import KernelArguments
from bandwidth.engines.host.native_code.processor import Processor, vector_bytes
from bandwidth.engines.host.native_code.rows import Row
from bandwidth.errors import BandwidthError


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
    processor = Processor(triple, llvm.get_host_cpu_name(), _flat(features), vector_bytes(triple, features))
    if not processor.family:
        raise BandwidthError(f"no code is written for processors of {triple!a}", "the NumPy rows remain")
    return processor


def _flat(features: Mapping[str, bool]) -> str:
    return ",".join(f"{'+' if has else '-'}{name}" for name, has in sorted(features.items()))


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
        self._functions: dict[str, Callable[[KernelArguments], None]] = {}

    def function(self, name: str) -> Callable[[KernelArguments], None]:
        """Return a function of KernelArguments; calling it lets go of the interpreter's lock. Raises KeyError."""
        if name not in self._functions:
            address = self._compiler.get_function_address(name)
            if not address:
                raise KeyError(name)
            self._functions[name] = ctypes.CFUNCTYPE(None, ctypes.POINTER(KernelArguments))(address)
        return self._functions[name]


def assembly(rows: Iterable[Row], processor: Processor) -> str:
    """Return the machine code of some kernels as text, for any processor that LLVM's package knows."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    text: str = _target_machine(processor).emit_assembly(_parsed(rows, processor))
    return text


def _target_machine(processor: Processor) -> Any:
    target = llvm.Target.from_triple(processor.triple)
    return target.create_target_machine(cpu=processor.cpu, features=processor.features, opt=3)


def _parsed(rows: Iterable[Row], processor: Processor) -> Any:
    parsed = llvm.parse_assembly(str(module_of(rows, processor)))
    parsed.verify()
    return parsed
