"""Which devices OpenCL shows, and the pitfalls of vendors: each is guarded, here on devices that are not there."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from bandwidth.engines.opencl import discovery
from bandwidth.engines.opencl.discovery import devices, element_bytes, largest_bytes, pci_address
from bandwidth.engines.opencl.errors import said
from bandwidth.errors import HardwareError
from bandwidth.machine.reader import CapturedReader

GIB = 1024**3
CPU, GPU = 2, 4
NVIDIA, AMD, INTEL = 0x10DE, 0x1002, 0x8086


class Error(Exception):
    """As pyopencl's, told by its module and its code."""

    def __init__(self, code):
        super().__init__(f"clSomething failed: {code}")
        self.code = code


Error.__module__ = "pyopencl._cl"


class Device:
    def __init__(self, **given):
        self.given = {
            "name": "A card", "version": "OpenCL 3.0 X", "driver_version": "1", "type": GPU, "vendor_id": NVIDIA,
            "global_mem_size": 8 * GIB, "max_mem_alloc_size": 2 * GIB, "global_mem_cache_size": 1024,
            "max_compute_units": 4, "double_fp_config": 63, "host_unified_memory": 0, "error_correction_support": 1,
            "platform": SimpleNamespace(name="Maker"), "int_ptr": None, **given,
        }  # fmt: skip

    def __getattr__(self, name):
        if name not in self.given:
            raise Error(-30)  # INVALID_VALUE
        if isinstance(self.given[name], Exception):
            raise self.given[name]
        return self.given[name]


def module_of(*platforms):
    def devices_of(found):
        def get_devices():
            if isinstance(found, Exception):
                raise found
            return list(found)

        return get_devices

    shown = [SimpleNamespace(name=name, get_devices=devices_of(found)) for name, found in platforms]
    return SimpleNamespace(get_platforms=lambda: shown, device_type=SimpleNamespace(CPU=CPU))


NO_FILES = CapturedReader({"/proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 2000000 kB\n"})


def found(*given, numbers=None, is_asked=False):
    return devices(module_of(("Maker", given)), numbers, NO_FILES, is_asked=is_asked)


def test_the_facts_of_a_card():
    (card,) = found(Device())
    assert (card.name, card.api, card.total_bytes, card.free_bytes) == ("A card", "OpenCL 3.0, Maker", 8 * GIB, 8 * GIB)
    assert (card.largest_bytes, card.is_unified, card.is_processor, card.address) == (2 * GIB, False, False, None)
    assert card.told["double_precision"] is True


def test_gpus_come_first_and_processors_on_request_only():
    processor = Device(type=CPU, name="A processor", host_unified_memory=1)
    assert [card.name for card in found(processor, Device())] == ["A card"]
    both = found(processor, Device(), is_asked=True)
    assert [(card.number, card.name) for card in both] == [(0, "A card"), (1, "A processor")]
    assert both[1].free_bytes == 1_000_000 * 1024  # half of what the host has left
    with pytest.raises(HardwareError, match="OpenCL reports no GPU; --engine opencl measures its CPU devices"):
        found(processor)


@pytest.mark.parametrize(
    ("platforms", "message"),
    [
        ((), "no OpenCL runtime is installed; install an OpenCL runtime"),
        ((("Maker", ()),), r"OpenCL reports no device \(Maker\)"),
        ((("Maker", Error(-1)),), r"OpenCL reports no device \(Maker\)"),  # DEVICE_NOT_FOUND
        ((("rusticl", ()),), "OpenCL reports no GPU; set RUSTICL_ENABLE"),
    ],
)
def test_no_device_is_one_line_with_what_to_do(platforms, message):
    with pytest.raises(HardwareError, match=message):
        devices(module_of(*platforms), None, NO_FILES)


def test_a_loader_without_runtimes_and_one_platform_that_fails():
    def fails():
        raise Error(-1001)  # PLATFORM_NOT_FOUND_KHR

    with pytest.raises(HardwareError, match="no OpenCL runtime is installed"):
        devices(SimpleNamespace(get_platforms=fails), None, NO_FILES)
    module = module_of(("Broken", Error(-6)), ("Maker", (Device(),)))
    assert [card.name for card in devices(module, None, NO_FILES)] == ["A card"]
    with pytest.raises(HardwareError, match="device 1 does not exist; only device 0 exists in OpenCL"):
        devices(module, [1], NO_FILES)


def test_a_driver_that_answers_nonsense_is_one_that_tells_nothing():
    (card,) = found(
        Device(
            global_mem_cache_size=-5,
            max_compute_units="many",
            max_mem_alloc_size=2**64 - 1,
            version="?",
            name=Error(-5),
        )
    )
    assert (card.l2_bytes, card.multiprocessors, card.largest_bytes) == (0, 1, None)
    assert (card.name, card.api) == ("an OpenCL device", "OpenCL, Maker")


def test_single_precision_where_there_is_no_double():
    assert [element_bytes(Device(double_fp_config=config)) for config in (63, 0, Error(-30))] == [8, 4, 4]


def test_intels_cards_get_no_array_above_4_gib():
    arc = Device(vendor_id=INTEL, global_mem_size=16 * GIB, max_mem_alloc_size=16 * GIB)
    assert largest_bytes(arc, 16 * GIB, processor=False) == 4 * GIB - 4096
    assert largest_bytes(arc, 16 * GIB, processor=True) is None


def answers(**known):
    """What the runtime answers to the questions of a name, packed as it packs them."""
    numbers = {"khr": 0x410F, "bus": 0x4008, "slot": 0x4009, "domain": 0x400A, "amd": 0x4037, "free": 0x4039}
    by_number = {numbers[name]: value for name, value in known.items()}

    def ask(device, which, form):
        answer = by_number.get(which)
        return None if answer is None else struct.unpack(form, struct.pack(form, *answer))

    return ask


@pytest.mark.parametrize(
    ("vendor", "known", "address"),
    [
        (NVIDIA, {"khr": (1, 0x81, 0, 0)}, "0001:81:00.0"),
        (NVIDIA, {"bus": (0x3B,), "slot": (8,), "domain": (2,)}, "0002:3b:01.0"),
        (NVIDIA, {"bus": (0x3B,), "slot": (0,)}, "0000:3b:00.0"),
        (AMD, {"amd": (1, 0xC3, 0, 1)}, "0000:c3:00.1"),
        (AMD, {"khr": (0, 0, 0, 0), "amd": (1, 0, 0, 0)}, None),
        (INTEL, {}, None),
    ],
)
def test_the_pci_address_by_what_each_vendor_tells(vendor, known, address):
    assert pci_address(Device(vendor_id=vendor), answers(**known)) == address


def test_amds_free_memory_counts_where_it_would_spill_into_the_hosts(monkeypatch):
    monkeypatch.setattr(discovery, "_raw", answers(free=(3 * 1024**2,)))
    assert found(Device(vendor_id=AMD))[0].free_bytes == 3 * GIB
    assert found(Device())[0].free_bytes == 8 * GIB


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Error(-4), "device 3 has too little memory; use a smaller --size"),
        (Error(-61), "device 3 has too little memory; use a smaller --size"),
        (
            Error(-5),
            "device 3 was lost during the measurement (clSomething failed: -5); check the kernel log; try again",
        ),
        (Error(-2), "device 3 is not available; check which process uses it"),
        (ModuleNotFoundError("x", name="pyopencl"), "pyopencl, which drives OpenCL, is not installed; pip install"),
        (ImportError("libOpenCL.so.1: no such file"), "pyopencl is installed but cannot be imported: libOpenCL.so.1"),
    ],
)
def test_each_error_is_one_line(error, line):
    assert str(said(error, 3)).startswith(line)
    assert said(ValueError("ours")) is None


def test_a_processor_that_the_runtimes_compiler_does_not_know():
    error = Error(-11)
    error.args = ("build failed\n\nBuild on <X>:\n\nerror: unknown target CPU 'generic'\n",)
    assert str(said(error)) == (
        "the compiler of the OpenCL runtime does not support this processor (error: unknown target CPU 'generic'); "
        "install a newer runtime"
    )
