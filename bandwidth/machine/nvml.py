"""NVIDIA GPUs as their driver describes them: NVML, by the package nvidia-ml-py, where both are installed.

Any call may be refused: GeForce has no ECC, a vGPU no link, MIG no clocks. What is refused is left out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from types import ModuleType
from typing import Protocol

from bandwidth.machine.facts import Json

NVML = "NVML"
_SM_CLOCK, _MEMORY_CLOCK = 1, 2  # nvml.h: NVML_CLOCK_SM, NVML_CLOCK_MEM
_POWER_POLICY, _THERMAL_POLICY = 0, 1  # nvml.h: NVML_PERF_POLICY_POWER, _THERMAL
_CELSIUS_SENSOR = 0  # nvml.h: NVML_TEMPERATURE_GPU
# nvml.h: nvmlClocksEventReason..., those that hold a GPU at work below its clocks; idle and applied settings are none.
THROTTLE_REASONS = {
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x20: "heat, by the driver",
    0x40: "heat, by the hardware",
    0x80: "power brake, by the hardware",
}
_VIRTUAL_MODES = {1: "passed through", 2: "vGPU", 3: "host of vGPUs", 4: "host of vGPUs"}
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
_MASKS = range(2**63)
_MILLIWATTS = range(1, 10**8)
_CELSIUS = range(1, 200)
_IDENTIFIERS = range(1, 2**32)
_MOST_PROCESSES = 10_000


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
        # Where the driver lacks the newest form of a function, the package raises what is no NVMLError.
        lacking = getattr(self._library, "NVMLLibraryMismatchError", self._library.NVMLError)
        try:
            return True, getattr(self._library, function)(*arguments)
        except (*refusals, self._library.NVMLError, lacking):
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

    `memory_clock_mhz` and `sm_clock_mhz` are the highest, as idle clocks lie, the current ones as the GPU is now, with
    the `throttle_reasons` in words; `max_link_generation` and `max_link_width` are what GPU and slot can do together.
    """
    if not nvml.open():
        return {}
    try:
        system: dict[str, Json | None] = {
            "driver_version": _text(nvml.ask("nvmlSystemGetDriverVersion")),
            "cuda_driver_version": _cuda_version(nvml.ask("nvmlSystemGetCudaDriverVersion_v2")),
            "confidential_compute": _confidential(nvml.ask("nvmlSystemGetConfComputeState")),
        }
        return {address: _gpu(nvml, handle, system) for address, handle in _handles(nvml).items()}
    finally:
        nvml.close()


def read_gpu_conditions(nvml: Nvml, own_process: int) -> dict[str, Json]:
    """Return what may spoil a measurement of each GPU by PCI address, what is refused left out.

    Clocks and performance state as they are now, `throttle_reasons` in words, temperature, power, how many other
    processes compute on it; counters to be subtracted: `power_held_ns` and `heat_held_ns`, for which its clocks were
    held down.
    """
    if not nvml.open():
        return {}
    try:
        return {address: _condition(nvml, handle, own_process) for address, handle in _handles(nvml).items()}
    finally:
        nvml.close()


class NvmlLook:
    """Sees a GPU and its link while work is under way; the driver is opened once, because that takes its time."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._is_open = nvml.open()
        self._found = _handles(nvml) if self._is_open else {}

    def __call__(self, address: str) -> dict[str, float]:
        """Return the link's generation and width, the clocks, and whether the clocks are held down (0 or 1)."""
        handle = self._found.get(address)
        if handle is None:
            return {}
        ask = self._nvml.ask
        reasons = _reasons(self._nvml, handle)
        seen = {
            "link_generation": _within(ask("nvmlDeviceGetCurrPcieLinkGeneration", handle), _GENERATIONS),
            "link_width": _within(ask("nvmlDeviceGetCurrPcieLinkWidth", handle), _LANES),
            "memory_clock_mhz": _within(ask("nvmlDeviceGetClockInfo", handle, _MEMORY_CLOCK), _CLOCK_MHZ),
            "sm_clock_mhz": _within(ask("nvmlDeviceGetClockInfo", handle, _SM_CLOCK), _CLOCK_MHZ),
            "throttled": None if reasons is None else int(bool(reasons)),
        }
        return {name: float(value) for name, value in seen.items() if value is not None}

    def close(self) -> None:
        """Let the driver go."""
        if self._is_open:
            self._nvml.close()
            self._is_open, self._found = False, {}


def _handles(nvml: Nvml) -> dict[str, object]:
    """Return NVML's handles by PCI address: its index and its order are its own."""
    count = _within(nvml.ask("nvmlDeviceGetCount"), range(1, _MOST_GPUS + 1)) or 0
    handles = [nvml.ask("nvmlDeviceGetHandleByIndex", index) for index in range(count)]
    located = ((_address(nvml, handle), handle) for handle in handles if handle is not None)
    return {address: handle for address, handle in located if address is not None}


def _condition(nvml: Nvml, handle: object, own_process: int) -> dict[str, Json]:
    state = _within(nvml.ask("nvmlDeviceGetPerformanceState", handle), _STATES)
    reasons = _reasons(nvml, handle)
    found: dict[str, Json | None] = {
        "memory_clock_mhz": _within(nvml.ask("nvmlDeviceGetClockInfo", handle, _MEMORY_CLOCK), _CLOCK_MHZ),
        "sm_clock_mhz": _within(nvml.ask("nvmlDeviceGetClockInfo", handle, _SM_CLOCK), _CLOCK_MHZ),
        "performance_state": None if state is None else f"P{state}",
        "throttle_reasons": None if reasons is None else [*reasons],
        "power_held_ns": _held_ns(nvml, handle, _POWER_POLICY),
        "heat_held_ns": _held_ns(nvml, handle, _THERMAL_POLICY),
        "temperature_celsius": _within(nvml.ask("nvmlDeviceGetTemperature", handle, _CELSIUS_SENSOR), _CELSIUS),
        "power_milliwatts": _within(nvml.ask("nvmlDeviceGetPowerUsage", handle), _MILLIWATTS),
        "other_processes": _others(nvml.ask("nvmlDeviceGetComputeRunningProcesses", handle), own_process),
    }
    return {name: value for name, value in found.items() if value is not None}


def _reasons(nvml: Nvml, handle: object) -> list[str] | None:
    """Return why the clocks are held down, in words; the call has a newer and an older name."""
    for function in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        mask = _within(nvml.ask(function, handle), _MASKS)
        if mask is not None:
            return [words for bit, words in THROTTLE_REASONS.items() if mask & bit]
    return None


def _held_ns(nvml: Nvml, handle: object, policy: int) -> int | None:
    answer = nvml.ask("nvmlDeviceGetViolationStatus", handle, policy)
    held: object = getattr(answer, "violationTime", None)
    return _within(held, _MASKS)


def _others(answer: object, own_process: int) -> int | None:
    """Return how many other processes compute on a GPU. In a container the numbers of processes may be others."""
    if not isinstance(answer, (list, tuple)) or len(answer) > _MOST_PROCESSES:
        return None
    others: list[object] = [getattr(process, "pid", own_process) for process in answer]
    return sum(1 for process in others if process != own_process)


def _cuda_version(answer: object) -> str | None:
    number = _within(answer, range(1000, 10**6))
    return None if number is None else f"{number // 1000}.{number % 1000 // 10}"


def _confidential(answer: object) -> bool | None:
    feature = _within(getattr(answer, "ccFeature", None), range(2))
    return None if feature is None else bool(feature)


def _address(nvml: Nvml, handle: object) -> str | None:
    """Return the address as sysfs writes it: NVML's index and its order are its own."""
    info = nvml.ask("nvmlDeviceGetPciInfo", handle)
    domain = _within(getattr(info, "domain", None), range(2**32))
    bus, device = (_within(getattr(info, name, None), range(256)) for name in ("bus", "device"))
    return None if domain is None or bus is None or device is None else f"{domain:04x}:{bus:02x}:{device:02x}.0"


def _gpu(nvml: Nvml, handle: object, system: Mapping[str, Json | None]) -> dict[str, Json]:
    mode = _within(nvml.ask("nvmlDeviceGetVirtualizationMode", handle), range(16))
    identifier = _within(getattr(nvml.ask("nvmlDeviceGetPciInfo", handle), "pciDeviceId", None), _IDENTIFIERS)
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
        **system,
        **_identifiers(identifier),
        "sm_clock_mhz": _within(nvml.ask("nvmlDeviceGetMaxClockInfo", handle, _SM_CLOCK), _CLOCK_MHZ),
        "current_memory_clock_mhz": _within(nvml.ask("nvmlDeviceGetClockInfo", handle, _MEMORY_CLOCK), _CLOCK_MHZ),
        "current_sm_clock_mhz": _within(nvml.ask("nvmlDeviceGetClockInfo", handle, _SM_CLOCK), _CLOCK_MHZ),
        "throttle_reasons": None if (reasons := _reasons(nvml, handle)) is None else [*reasons],
        "power_limit_milliwatts": _within(nvml.ask("nvmlDeviceGetPowerManagementLimit", handle), _MILLIWATTS),
        "persistence": _switch(nvml.ask("nvmlDeviceGetPersistenceMode", handle)),
        "virtual": None if mode is None else _VIRTUAL_MODES.get(mode),
        "ecc_enabled": _mode(nvml.ask("nvmlDeviceGetEccMode", handle)),
        "mig_enabled": _mode(nvml.ask("nvmlDeviceGetMigMode", handle)),
        "performance_state": None if state is None else f"P{state}",
    }
    return {name: value for name, value in facts.items() if value is not None}


def _identifiers(number: int | None) -> dict[str, Json | None]:
    """Return vendor and device of a PCI ID: the device is its upper half."""
    if number is None:
        return {}
    return {"vendor_id": f"{number & 0xFFFF:04x}", "device_id": f"{number >> 16:04x}"}


def _switch(answer: object) -> bool | None:
    return bool(answer) if answer in _ENABLED and not isinstance(answer, bool) else None


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
