"""NVIDIA GPUs as their driver describes them: NVML, by the package nvidia-ml-py, where both are installed.

Any call may be refused: GeForce has no ECC, a vGPU no link, MIG no clocks. What is refused is left out.
"""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Protocol

from bandwidth.machine.facts import Json

NVML = "NVML"
_MEMORY_CLOCK = 2  # nvml.h: NVML_CLOCK_MEM
_ENABLED = (0, 1)  # nvml.h: NVML_FEATURE_DISABLED, NVML_FEATURE_ENABLED
_MOST_GPUS = 64  # a machine has at most 16; the bound is for an answer that is garbled
_LONGEST_TEXT = 100
# What a number must lie within to be believed; a performance state of 32 is "unknown".
_WIDTH_BITS = range(8, 65_537)
_CLOCK_MHZ = range(1, 100_001)
_GENERATIONS = range(1, 17)
_LANES = range(1, 33)
_STATES = range(16)
_BYTES = range(1, 2**63)


class Nvml(Protocol):
    """NVML, opened before the first question and closed after the last. Nothing raises."""

    def open(self) -> bool:
        """Return whether there is a driver to ask; only then `close` is called."""

    def ask(self, function: str, *arguments: object) -> object:
        """Return the answer of a function by its name in nvml.h, None where it is refused or not known."""

    def close(self) -> None:
        """Let the driver go."""


class SystemNvml:
    """The driver of this machine, through `pynvml`, imported when it is opened."""

    def __init__(self) -> None:
        self._library: ModuleType | None = None

    def open(self) -> bool:
        """Return whether the package is installed and the driver answers."""
        self._library = _pynvml()
        if self._library is not None and not self._call("nvmlInit")[0]:
            self._library = None
        return self._library is not None

    def ask(self, function: str, *arguments: object) -> object:
        """Return the driver's answer, None where it refuses."""
        return self._call(function, *arguments)[1]

    def close(self) -> None:
        """Let the driver go."""
        self._call("nvmlShutdown")
        self._library = None

    def _call(self, function: str, *arguments: object) -> tuple[bool, object]:
        """Return whether a call succeeded, and its answer: NVML answers some with nothing."""
        if self._library is None:
            return False, None
        # An older package lacks a function, an older driver the symbol; names may not be UTF-8 (ValueError).
        refusals = (AttributeError, TypeError, ValueError, OSError, ctypes.ArgumentError)
        try:
            return True, getattr(self._library, function)(*arguments)
        except (*refusals, self._library.NVMLError):
            return False, None


def _pynvml() -> ModuleType | None:
    import importlib
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the retired package `pynvml` warns and works
            library = importlib.import_module("pynvml")
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    # Another module of this name, or a folder of it, is not the one.
    error = getattr(library, "NVMLError", None)
    return library if isinstance(error, type) and issubclass(error, Exception) else None


def nvml_gpus(nvml: Nvml) -> dict[str, dict[str, Json]]:
    """Return what the driver knows of each GPU by PCI address, nothing where there is no driver.

    `memory_clock_mhz` is the highest, not the present one, as idle clocks lie; `max_link_generation` and
    `max_link_width` are what GPU and slot can do together, the current ones as the GPU is now.
    """
    if not nvml.open():
        return {}
    try:
        driver = _text(nvml.ask("nvmlSystemGetDriverVersion"))
        count = _within(nvml.ask("nvmlDeviceGetCount"), range(1, _MOST_GPUS + 1)) or 0
        handles = [nvml.ask("nvmlDeviceGetHandleByIndex", index) for index in range(count)]
        located = ((_address(nvml, handle), handle) for handle in handles if handle is not None)
        return {address: _gpu(nvml, handle, driver) for address, handle in located if address is not None}
    finally:
        nvml.close()


def _address(nvml: Nvml, handle: object) -> str | None:
    """Return the address as sysfs writes it: NVML's index and its order are its own."""
    info = nvml.ask("nvmlDeviceGetPciInfo", handle)
    domain = _within(getattr(info, "domain", None), range(2**32))
    bus, device = (_within(getattr(info, name, None), range(256)) for name in ("bus", "device"))
    return None if domain is None or bus is None or device is None else f"{domain:04x}:{bus:02x}:{device:02x}.0"


def _gpu(nvml: Nvml, handle: object, driver: str | None) -> dict[str, Json]:
    state = _within(nvml.ask("nvmlDeviceGetPerformanceState", handle), _STATES)
    facts: dict[str, Json | None] = {
        "vendor": "NVIDIA",
        "name": _text(nvml.ask("nvmlDeviceGetName", handle)),
        "memory_bytes": _within(getattr(nvml.ask("nvmlDeviceGetMemoryInfo", handle), "total", None), _BYTES),
        "memory_width_bits": _within(nvml.ask("nvmlDeviceGetMemoryBusWidth", handle), _WIDTH_BITS),
        "memory_clock_mhz": _within(nvml.ask("nvmlDeviceGetMaxClockInfo", handle, _MEMORY_CLOCK), _CLOCK_MHZ),
        "current_link_generation": _within(nvml.ask("nvmlDeviceGetCurrPcieLinkGeneration", handle), _GENERATIONS),
        "max_link_generation": _within(nvml.ask("nvmlDeviceGetMaxPcieLinkGeneration", handle), _GENERATIONS),
        "current_link_width": _within(nvml.ask("nvmlDeviceGetCurrPcieLinkWidth", handle), _LANES),
        "max_link_width": _within(nvml.ask("nvmlDeviceGetMaxPcieLinkWidth", handle), _LANES),
        "driver_version": driver,
        "ecc_enabled": _mode(nvml.ask("nvmlDeviceGetEccMode", handle)),
        "mig_enabled": _mode(nvml.ask("nvmlDeviceGetMigMode", handle)),
        "performance_state": None if state is None else f"P{state}",
    }
    return {name: value for name, value in facts.items() if value is not None}


def _mode(answer: object) -> bool | None:
    """Return the present one of a pair of modes, the other of which is due at the next reset."""
    if not isinstance(answer, (list, tuple)) or not answer or answer[0] not in _ENABLED:
        return None
    return bool(answer[0])


def _within(answer: object, bounds: range) -> int | None:
    return answer if isinstance(answer, int) and not isinstance(answer, bool) and answer in bounds else None


def _text(answer: object) -> str | None:
    """Return a text without what cannot be printed; older packages answer in bytes."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    if not isinstance(text, str):
        return None
    return "".join(character for character in text if character.isprintable()).strip()[:_LONGEST_TEXT] or None
