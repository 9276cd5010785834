from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.engines.cuda.entry import has_gpu
from bandwidth.machine.facts import Facts
from bandwidth.machine.gpu_attributes import KFD_FOLDER, gpu_facts, kfd_gpus, sysfs_link
from bandwidth.machine.nvml import NvmlLook, SystemNvml, nvml_gpus, read_gpu_conditions
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader, SystemReader
from bandwidth.machine.system_memory import hmat_facts

PCI = "/sys/bus/pci/devices"
NODE = "/sys/devices/system/node"
GIB = 1024**3


class CapturedNvml:
    """A driver made of captured answers, by function and by function and GPU; what it lacks it refuses."""

    def __init__(self, answers, *, present=True):
        self.answers, self.present, self.calls = answers, present, []

    def open(self):
        self.calls.append("open")
        return self.present

    def ask(self, function, *arguments):
        self.calls.append(function)
        return next((answer for key, answer in self.answers.items() if key == (function, *arguments)), None)

    def close(self):
        self.calls.append("close")


def h100(index=0, bus=0x17):
    """Return the answers of an H100 SXM in the forms of nvidia-ml-py."""
    gpu = f"handle {index}"
    return {
        ("nvmlDeviceGetHandleByIndex", index): gpu,
        ("nvmlDeviceGetPciInfo", gpu): SimpleNamespace(domain=0, bus=bus, device=0, busId=f"00000000:{bus:02X}:00.0"),
        ("nvmlDeviceGetName", gpu): "NVIDIA H100 80GB HBM3",
        ("nvmlDeviceGetMemoryInfo", gpu): SimpleNamespace(total=80 * GIB, used=0, free=80 * GIB),
        ("nvmlDeviceGetMemoryBusWidth", gpu): 5120,
        ("nvmlDeviceGetMaxClockInfo", gpu, 2): 2619,
        ("nvmlDeviceGetCurrPcieLinkGeneration", gpu): 1,
        ("nvmlDeviceGetMaxPcieLinkGeneration", gpu): 5,
        ("nvmlDeviceGetCurrPcieLinkWidth", gpu): 16,
        ("nvmlDeviceGetMaxPcieLinkWidth", gpu): 16,
        ("nvmlDeviceGetEccMode", gpu): [1, 0],
        ("nvmlDeviceGetMigMode", gpu): [0, 1],
        ("nvmlDeviceGetPerformanceState", gpu): 8,
    }


def system(*gpus):
    answers = {("nvmlDeviceGetCount",): len(gpus), ("nvmlSystemGetDriverVersion",): "550.54.15"}
    return answers | {key: value for gpu in gpus for key, value in gpu.items()}


H100 = {
    "vendor": "NVIDIA",
    "name": "NVIDIA H100 80GB HBM3",
    "memory_bytes": 80 * GIB,
    "memory_width_bits": 5120,
    "memory_clock_mhz": 2619,
    "current_link_generation": 1,
    "max_link_generation": 5,
    "current_link_width": 16,
    "max_link_width": 16,
    "driver_version": "550.54.15",
    "ecc_enabled": True,
    "mig_enabled": False,
    "performance_state": "P8",
}


def pci(address, kind="0x030200", vendor="0x10de", device="0x2330", **files):
    written = {"class": kind, "vendor": vendor, "device": device, **files}
    return {f"{PCI}/{address}/{name}": f"{text}\n" for name, text in written.items()}


def test_nvidia_is_merged_by_address_not_by_order():
    files = {
        **pci("0000:01:00.0", "0x030000", "0x1a03", "0x2000"),
        **pci("0000:17:00.0", max_link_speed="32.0 GT/s PCIe", max_link_width="8"),
        **pci("0000:3d:00.0"),
    }
    nvml = CapturedNvml(system(h100(0, 0x3D), h100(1, 0x17)))
    fact = gpu_facts(CapturedReader(files), nvml)["gpus"]
    ids = {"vendor_id": "10de", "device_id": "2330"}
    assert fact.value == [
        {"address": "0000:01:00.0", "vendor": "ASPEED", "vendor_id": "1a03", "device_id": "2000"},
        {"address": "0000:17:00.0", **ids, "max_link_gt_s": 32.0, **H100},
        {"address": "0000:3d:00.0", **ids, **H100},
    ]
    assert fact.source == f"{PCI}, NVML"
    assert (nvml.calls[0], nvml.calls[-1], nvml.calls.count("open"), nvml.calls.count("close")) == (
        "open",
        "close",
        1,
        1,
    )


def test_without_the_driver_sysfs_stands():
    nvml = CapturedNvml({}, present=False)
    fact = gpu_facts(CapturedReader(pci("0000:17:00.0")), nvml)["gpus"]
    assert fact.value == [{"address": "0000:17:00.0", "vendor": "NVIDIA", "vendor_id": "10de", "device_id": "2330"}]
    assert fact.source == PCI
    assert nvml.calls == ["open"]


def test_the_driver_is_asked_only_where_a_gpu_may_be():
    nvml = CapturedNvml(system(h100()))
    assert gpu_facts(CapturedReader(pci("0000:01:00.0", vendor="0x1a03")), nvml)["gpus"].source == PCI
    assert nvml.calls == []
    hidden = gpu_facts(CapturedReader({"/dev/nvidiactl": ""}), nvml)  # a sandbox without the PCI bus
    assert hidden["gpus"].value == [{"address": "0000:17:00.0", **H100}]
    elsewhere = gpu_facts(CapturedReader({}, system="Windows"), nvml)["gpus"]
    assert (elsewhere.value, elsewhere.source) == (hidden["gpus"].value, "NVML")
    assert gpu_facts(CapturedReader({}, system="Windows"), CapturedNvml({})) == {}


def test_what_is_refused_is_left_out():
    answers = system(h100())
    for refused in [key for key in answers if key[0] not in ("nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex")]:
        fewer = {key: value for key, value in answers.items() if key != refused}
        found = nvml_gpus(CapturedNvml(fewer))
        if refused[0] == "nvmlDeviceGetPciInfo":
            assert found == {}
        else:
            assert len(found["0000:17:00.0"]) == len(H100) - 1
    assert nvml_gpus(CapturedNvml({("nvmlDeviceGetCount",): 1})) == {}


def test_bytes_of_an_older_package_and_an_unknown_state():
    answers = system(h100())
    answers[("nvmlSystemGetDriverVersion",)] = b"470.10\xff"
    answers[("nvmlDeviceGetPerformanceState", "handle 0")] = 32
    answers[("nvmlDeviceGetMemoryBusWidth", "handle 0")] = 0
    found = nvml_gpus(CapturedNvml(answers))["0000:17:00.0"]
    assert found["driver_version"] == "470.10\ufffd"
    assert "performance_state" not in found
    assert "memory_width_bits" not in found


ANSWERS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9)


@settings(deadline=None)
@given(st.data())
def test_any_answer_is_survived(data):
    answers = system(h100())
    for key in data.draw(st.sets(st.sampled_from(sorted(answers)))):
        answers[key] = data.draw(ANSWERS | st.lists(ANSWERS, max_size=2) | st.builds(SimpleNamespace, total=ANSWERS))
    facts = Facts(gpu_facts(CapturedReader(pci("0000:17:00.0")), CapturedNvml(answers)))
    assert Facts.from_json(facts.to_json()) == facts


class FakeError(Exception):
    """What the package raises for a refusal."""


def fake_library(monkeypatch, **functions):
    library = ModuleType("pynvml")
    vars(library).update({"NVMLError": FakeError, **functions})
    monkeypatch.setitem(sys.modules, "pynvml", library)


def refuse(*_):
    raise FakeError


def test_the_real_door_wraps_every_call(monkeypatch):
    closed = []
    fake_library(
        monkeypatch,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: closed.append(True),
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetName=refuse,
        nvmlDeviceGetMigMode=lambda _: b"\xff".decode(),
    )
    nvml = SystemNvml()
    assert nvml.ask("nvmlDeviceGetCount") is None  # not open
    assert nvml.open()
    assert nvml.ask("nvmlDeviceGetCount") == 2
    for refused in ("nvmlDeviceGetName", "nvmlDeviceGetMigMode", "nvmlDeviceOfTomorrow"):
        assert nvml.ask(refused, 0) is None
    assert nvml.ask("nvmlDeviceGetCount", "too", "many") is None
    nvml.close()
    assert closed == [True]
    assert nvml.ask("nvmlDeviceGetCount") is None


def test_a_driver_without_the_newest_form_of_a_function_refuses(monkeypatch):
    """nvidia-ml-py then raises what is no NVMLError: `throwOnVersionMismatch` in its source."""
    mismatch = type("NVMLLibraryMismatchError", (Exception,), {})

    def processes(_):
        raise mismatch

    functions = {"nvmlInit": lambda: None, "nvmlDeviceGetComputeRunningProcesses": processes}
    fake_library(monkeypatch, NVMLLibraryMismatchError=mismatch, **functions)
    nvml = SystemNvml()
    assert nvml.open()
    assert nvml.ask("nvmlDeviceGetComputeRunningProcesses", 0) is None


def test_no_driver_no_package_or_another_package_of_the_name(monkeypatch):
    fake_library(monkeypatch, nvmlInit=refuse)
    assert not SystemNvml().open()
    monkeypatch.setitem(sys.modules, "pynvml", ModuleType("pynvml"))
    assert not SystemNvml().open()
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if not installed
    assert not SystemNvml().open()
    assert nvml_gpus(SystemNvml()) == {}


def test_a_captured_machine_never_meets_the_real_driver(monkeypatch):
    opened = []
    monkeypatch.setattr(SystemNvml, "open", lambda _: opened.append(True))
    captured = CapturedReader(pci("0000:17:00.0"))
    collect(captured)
    assert opened == []
    monkeypatch.setattr(SystemReader, "names", lambda _, path: captured.names(path))
    monkeypatch.setattr(SystemReader, "data", lambda _, path: captured.data(path))
    collect(SystemReader())
    assert opened == [True]


# AMD


def kfd_node(node, name, banks=(), **properties):
    files = {f"{KFD_FOLDER}/{node}/name": f"{name}\n", f"{KFD_FOLDER}/{node}/gpu_id": "1\n"}
    files[f"{KFD_FOLDER}/{node}/properties"] = lines(properties)
    for index, bank in enumerate(banks):
        files[f"{KFD_FOLDER}/{node}/mem_banks/{index}/properties"] = lines(bank)
    return files


def lines(numbers):
    return "".join(f"{name} {number}\n" for name, number in numbers.items())


def bank(gib, width, clock, heap=1):
    return {"heap_type": heap, "size_in_bytes": gib * GIB, "flags": 0, "width": width, "mem_clk_max": clock}


def amd(node, name, banks, location, device=0x740C, domain=0):
    return kfd_node(
        node, name, banks,
        cpu_cores_count=0, simd_count=440, vendor_id=0x1002, device_id=device, location_id=location, domain=domain,
        unique_id=1234567890123456789,
    )  # fmt: skip


def test_amd_is_merged_by_address():
    files = {
        **pci("0000:c1:00.0", "0x038000", "0x1002", "0x740c", max_link_speed="16.0 GT/s PCIe"),
        **kfd_node(0, "", [bank(512, 0, 0, heap=0)], cpu_cores_count=64, simd_count=0, vendor_id=0),
        **amd(1, "aldebaran", [bank(64, 4096, 1600)], 0xC100),
    }
    fact = gpu_facts(CapturedReader(files))["gpus"]
    assert fact.value == [
        {
            "address": "0000:c1:00.0",
            "vendor": "AMD",
            "vendor_id": "1002",
            "device_id": "740c",
            "max_link_gt_s": 16.0,
            "name": "aldebaran",
            "memory_bytes": 64 * GIB,
            "memory_width_bits": 4096,
            "memory_clock_mhz": 1600,
        }
    ]
    assert fact.source == f"{PCI}, {KFD_FOLDER}"
    assert "1234567890123456789" not in str(fact.value)


@pytest.mark.parametrize("number", [1 << 28, 1])
def test_partitions_of_an_accelerator_that_is_no_display_controller(number):
    """An MI300X has class 1200; its second partition says so in the location, above the address or in its function."""
    files = {
        **pci("0002:26:00.0", "0x120000", "0x1002", "0x74a1", numa_node="1", current_link_width="16"),
        **amd(1, "ip discovery", [bank(96, 8192, 1300)], 0x2600, 0x74A1, 2),
        **amd(2, "ip discovery", [bank(96, 8192, 1300)], number | 0x2600, 0x74A1, 2),
    }
    [gpu] = gpu_facts(CapturedReader(files))["gpus"].value
    assert (gpu["address"], gpu["numa_node"], gpu["current_link_width"]) == ("0002:26:00.0", 1, 16)
    assert gpu["memory_width_bits"] == 8192
    assert "memory_bytes" not in gpu


def test_virtual_functions_are_gpus_of_their_own():
    files = {
        **pci("0000:26:02.0", "0x120000", "0x1002", "0x74b5"),
        **pci("0000:26:02.1", "0x120000", "0x1002", "0x74b5"),
        **amd(1, "ip discovery", [bank(192, 8192, 1300)], 0x2610, 0x74B5),
        **amd(2, "ip discovery", [bank(192, 8192, 1300)], 0x2611, 0x74B5),
    }
    gpus = gpu_facts(CapturedReader(files))["gpus"].value
    assert [gpu["address"] for gpu in gpus] == ["0000:26:02.0", "0000:26:02.1"]
    assert [gpu["memory_bytes"] for gpu in gpus] == [192 * GIB] * 2


def test_memory_in_and_out_of_reach_of_the_cpu():
    files = amd(1, "navi21", [bank(1, 256, 1000), bank(15, 256, 1000, heap=2), bank(4, 64, 800, heap=0)], 0x0300 | 0x9)
    assert kfd_gpus(CapturedReader(files))["0000:03:01.1"]["memory_bytes"] == 16 * GIB
    unknown = amd(1, "", [bank(0, 0, 0)], 0x0300)
    assert kfd_gpus(CapturedReader(unknown)) == {
        "0000:03:00.0": {"vendor": "AMD", "vendor_id": "1002", "device_id": "740c"}
    }


KFD_TEXT = st.text(max_size=60) | st.lists(
    st.tuples(
        st.sampled_from(
            ["vendor_id", "simd_count", "location_id", "domain", "device_id", "heap_type", "width", "mem_clk_max",
             "size_in_bytes"]
        ),
        st.sampled_from([0, 1, 2, 0x1002]) | st.integers(-1, 10**20),
    )
).map(lambda pairs: "".join(f"{name} {number}\n" for name, number in pairs))  # fmt: skip


@given(KFD_TEXT, KFD_TEXT, st.text(max_size=20))
def test_any_kfd_text_is_survived(properties, banked, name):
    node = f"{KFD_FOLDER}/1"
    files = {
        f"{node}/properties": "vendor_id 4098\nsimd_count 8\nlocation_id 768\n" + properties,
        f"{node}/mem_banks/0/properties": banked,
        f"{node}/name": name,
    }
    facts = Facts(gpu_facts(CapturedReader(files)))
    assert Facts.from_json(facts.to_json()) == facts


# HMAT


def hmat(node, read=None, write=None):
    folder = f"{NODE}/node{node}/access0/initiators"
    files = {"read_bandwidth": read, "write_bandwidth": write}
    return {f"{folder}/{name}": f"{value}\n" for name, value in files.items() if value is not None}


def test_the_firmware_s_bandwidth_of_each_node():
    files = {**hmat(0, 307200, 307000), **hmat(10, 65536), **hmat(2, 819200, 0)}
    facts = hmat_facts(CapturedReader(files))
    assert facts["numa_node_read_bandwidth_mb_s"].value == {"0": 307200, "2": 819200, "10": 65536}
    assert facts["numa_node_write_bandwidth_mb_s"].value == {"0": 307000}
    assert "firmware" in facts["numa_node_read_bandwidth_mb_s"].source
    assert collect(CapturedReader(files))["numa_node_read_bandwidth_mb_s"].confidence == "read"


@pytest.mark.parametrize("text", ["", "x", "0", "-5", "1.5", "9" * 19, "9" * 30, "\0", "1 2"])
def test_no_or_garbled_hmat_is_no_fact(text):
    assert hmat_facts(CapturedReader(hmat(0, text, text))) == {}
    assert hmat_facts(CapturedReader({f"{NODE}/nodeX/access0/initiators/read_bandwidth": "1\n"})) == {}


# --- at work, and before and after it


AT_WORK = {
    ("nvmlDeviceGetClockInfo", "handle 0", 2): 2619,
    ("nvmlDeviceGetClockInfo", "handle 0", 1): 1980,
    ("nvmlDeviceGetCurrentClocksThrottleReasons", "handle 0"): 0x1 | 0x4 | 0x20,
    ("nvmlDeviceGetViolationStatus", "handle 0", 0): SimpleNamespace(referenceTime=1, violationTime=5_000),
    ("nvmlDeviceGetTemperature", "handle 0", 0): 61,
    ("nvmlDeviceGetPowerUsage", "handle 0"): 612_000,
    ("nvmlDeviceGetComputeRunningProcesses", "handle 0"): [SimpleNamespace(pid=7), SimpleNamespace(pid=8)],
    ("nvmlDeviceGetPowerManagementLimit", "handle 0"): 700_000,
    ("nvmlDeviceGetVirtualizationMode", "handle 0"): 2,
    ("nvmlDeviceGetPersistenceMode", "handle 0"): 1,
    ("nvmlDeviceGetMaxClockInfo", "handle 0", 1): 1980,
    ("nvmlSystemGetCudaDriverVersion_v2",): 12_040,
    ("nvmlSystemGetConfComputeState",): SimpleNamespace(ccFeature=1),
}


def test_the_conditions_of_a_gpu():
    nvml = CapturedNvml(system(h100()) | AT_WORK)
    assert read_gpu_conditions(nvml, 7) == {
        "0000:17:00.0": {
            "memory_clock_mhz": 2619,
            "sm_clock_mhz": 1980,
            "performance_state": "P8",
            "throttle_reasons": ["power limit", "heat, by the driver"],
            "power_held_ns": 5_000,
            "temperature_celsius": 61,
            "power_milliwatts": 612_000,
            "other_processes": 1,
        }
    }
    assert nvml.calls.count("open") == nvml.calls.count("close") == 1
    assert read_gpu_conditions(CapturedNvml({}, present=False), 7) == {}


def test_more_facts_of_a_gpu():
    info = SimpleNamespace(domain=0, bus=0x17, device=0, pciDeviceId=0x2330_10DE)
    answers = system(h100()) | AT_WORK | {("nvmlDeviceGetPciInfo", "handle 0"): info}
    found = nvml_gpus(CapturedNvml(answers))["0000:17:00.0"]
    more = {name: value for name, value in found.items() if name not in H100}
    assert more == {
        "vendor_id": "10de",
        "device_id": "2330",
        "sm_clock_mhz": 1980,
        "current_memory_clock_mhz": 2619,
        "current_sm_clock_mhz": 1980,
        "throttle_reasons": ["power limit", "heat, by the driver"],
        "power_limit_milliwatts": 700_000,
        "persistence": True,
        "virtual": "vGPU",
        "cuda_driver_version": "12.4",
        "confidential_compute": True,
    }


def test_a_gpu_is_seen_at_work_with_the_driver_opened_once():
    nvml = CapturedNvml(system(h100()) | AT_WORK)
    look = NvmlLook(nvml)
    seen = {
        "link_generation": 1.0,
        "link_width": 16.0,
        "memory_clock_mhz": 2619.0,
        "sm_clock_mhz": 1980.0,
        "throttled": 1.0,
    }
    assert look("0000:17:00.0") == look("0000:17:00.0") == seen
    assert look("0000:99:00.0") == {}
    look.close()
    look.close()
    assert nvml.calls.count("open") == nvml.calls.count("close") == 1
    assert NvmlLook(CapturedNvml({}, present=False))("0000:17:00.0") == {}


@pytest.mark.parametrize("refused", sorted(AT_WORK, key=str))
def test_what_is_refused_at_work_is_left_out(refused):
    answers = {key: value for key, value in (system(h100()) | AT_WORK).items() if key != refused}
    assert "0000:17:00.0" in read_gpu_conditions(CapturedNvml(answers), 7)
    assert NvmlLook(CapturedNvml(answers))("0000:17:00.0")["link_width"] == 16


def test_a_link_by_sysfs():
    files = pci("0000:17:00.0", current_link_speed="16.0 GT/s PCIe", current_link_width="8")
    assert sysfs_link(CapturedReader(files), "0000:17:00.0") == {"link_generation": 4.0, "link_width": 8.0}
    assert sysfs_link(CapturedReader({}), "0000:17:00.0") == {}
    odd = pci("0000:17:00.0", current_link_speed="Unknown", current_link_width="8")
    assert sysfs_link(CapturedReader(odd), "0000:17:00.0") == {}


def test_a_sign_of_an_nvidia_gpu():
    def sign(files):
        reader = CapturedReader(files)
        return has_gpu(reader, Facts(gpu_facts(reader)))

    assert sign(pci("0000:17:00.0"))
    assert sign({"/dev/nvidiactl": ""})
    assert not sign(pci("0000:01:00.0", vendor="0x1a03"))
    assert not sign({"/dev/dxg": ""})  # every WSL has it
    assert not sign({})


def device(address, **files):
    return {f"{PCI}/{address}/{name.rstrip('_')}": f"{text}\n" for name, text in files.items()}


def test_gpus_and_their_links():
    files = {
        **device("0000:00:1f.0", class_="0x060100", vendor="0x8086", device="0x1b81"),
        **device("0000:02:00.0", class_="0x030000", vendor="0x1a03", device="0x2000", current_link_speed="Unknown"),
        **device(
            "0000:17:00.0",
            class_="0x030200",
            vendor="0x10de",
            device="0x2335",
            numa_node="0",
            current_link_speed="2.5 GT/s PCIe",
            max_link_speed="32.0 GT/s PCIe",
            current_link_width="16",
            max_link_width="16",
        ),
    }
    assert gpu_facts(CapturedReader(files))["gpus"].value == [
        {"address": "0000:02:00.0", "vendor": "ASPEED", "vendor_id": "1a03", "device_id": "2000"},
        {
            "address": "0000:17:00.0",
            "vendor": "NVIDIA",
            "vendor_id": "10de",
            "device_id": "2335",
            "numa_node": 0,
            "current_link_gt_s": 2.5,
            "max_link_gt_s": 32.0,
            "current_link_width": 16,
            "max_link_width": 16,
        },
    ]


def test_no_gpu_is_an_empty_list_and_unknown_is_nothing():
    assert gpu_facts(CapturedReader({}))["gpus"].value == []
    assert gpu_facts(CapturedReader({}, system="Darwin")) == {}


def test_a_link_that_is_not_pcie_has_no_facts():
    files = device(
        "0000:00:02.0", class_="0x030000", vendor="0x8086", device="oops", numa_node="-1", max_link_width="255",
        current_link_width="0",
    )  # fmt: skip
    assert gpu_facts(CapturedReader(files))["gpus"].value == [
        {"address": "0000:00:02.0", "vendor": "Intel", "vendor_id": "8086"}
    ]
