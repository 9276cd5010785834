"""The processor, and whether it is a real one: hypervisors and containers hide what lies beneath."""

from __future__ import annotations

import re

from bandwidth.machine.facts import ASSUMED, DERIVED, READ, Fact, known
from bandwidth.machine.reader import Reader, read_integer, read_line, whole_number

NO_VIRTUALIZATION = "none"
NO_CONTAINER = "none"

_CPUINFO = "/proc/cpuinfo"
_CPU_FOLDER = "/sys/devices/system/cpu"
_DMI_FOLDER = "/sys/class/dmi/id"

# MIDR_EL1.Implementer, as in the kernel's arch/arm64/include/asm/cputype.h.
_ARM_VENDORS = {
    0x41: "ARM",
    0x42: "Broadcom",
    0x43: "Cavium",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "APM",
    0x51: "Qualcomm",
    0x61: "Apple",
    0x6D: "Microsoft",
    0xC0: "Ampere",
}
# MIDR_EL1.PartNum of the same file, and util-linux sys-utils/lscpu-arm.c.
_ARM_MODELS = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73",
    (0x41, 0xD0A): "Cortex-A75",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD0D): "Cortex-A77",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4A): "Neoverse-E1",
    (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD84): "Neoverse-V3",
    (0x41, 0xD8E): "Neoverse-N3",
    (0x43, 0x0AF): "ThunderX2",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "TaiShan v110",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1a",
}
# What a hypervisor's firmware calls the machine (sys_vendor and product_name), in systemd's src/basic/virt.c too.
_VIRTUAL_PRODUCTS = (
    ("kvm", "KVM"),
    ("vmware", "VMware"),
    ("virtualbox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("hvm domu", "Xen"),
    ("microsoft corporation virtual machine", "Hyper-V"),
    ("parallels", "Parallels"),
    ("qemu", "QEMU"),
    ("bochs", "Bochs"),
    ("bhyve", "bhyve"),
    ("apple virtualization", "Apple Virtualization"),
)
# These lend whole machines under the same names: they count unless the processor says that it is a real one.
_CLOUD_PRODUCTS = (
    ("openstack", "OpenStack"),
    ("google compute engine", "Google Compute Engine"),
    ("amazon ec2", "Amazon EC2"),
)
# The kernel's Documentation/ABI/testing/sysfs-devices-system-cpu; "notimplemented" says nothing.
_SMT_SETTINGS = ("on", "off", "forceoff", "notsupported")
_CONTAINER_FILES = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))
_CONTAINER_VARIABLES = (
    ("APPTAINER_CONTAINER", "apptainer"),
    ("SINGULARITY_CONTAINER", "singularity"),
    ("KUBERNETES_SERVICE_HOST", "kubernetes"),
)
_CONTAINER_CGROUPS = (
    ("kubepods", "kubernetes"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("containerd", "containerd"),
    ("lxc", "lxc"),
)


def processor_facts(reader: Reader) -> dict[str, Fact]:
    """Return `cpu_vendor`, `cpu_family`, `cpu_model_number` and `cpu_model`, as far as the system tells them."""
    if reader.system == "Darwin":
        return _from_sysctl(reader)
    if reader.system == "Windows":
        return _from_identifier(reader.environment("PROCESSOR_IDENTIFIER") or "")
    fields = _first_processor(reader.text(_CPUINFO) or "")
    if "CPU implementer" in fields:
        return _from_arm(fields)
    return _from_x86(fields) if "vendor_id" in fields or "model name" in fields else _from_power(fields)


def virtualization_facts(reader: Reader) -> dict[str, Fact]:
    """Return `virtualization`: the hypervisor, `hypervisor` where it is not known which, `none` on bare metal."""
    if reader.system == "Darwin":
        return _darwin_virtualization(reader)
    flags = _first_processor(reader.text(_CPUINFO) or "").get("flags")
    present = None if flags is None else "hypervisor" in flags.split()
    for source, name in (
        *_hypervisor_by_file(reader),
        *_hypervisor_by_product(reader, may_be_cloud=present is not False),
    ):
        return known("virtualization", name, source)
    if present is None:  # Arm has no such flag: without DMI nothing tells
        return {}
    return known("virtualization", "hypervisor" if present else NO_VIRTUALIZATION, f"{_CPUINFO} flags")


def container_facts(reader: Reader) -> dict[str, Fact]:
    """Return `container`: the container's kind, `none` where nothing points to one; nothing outside Linux."""
    if reader.system != "Linux":
        return {}
    for path, name in _CONTAINER_FILES:
        if reader.text(path) is not None:
            return known("container", name, path)
    for variable, name in _CONTAINER_VARIABLES:
        if reader.environment(variable):
            return known("container", name, f"environment variable {variable}")
    marker = read_line(reader, "/run/systemd/container")
    if marker is not None:
        return known("container", marker, "/run/systemd/container")
    cgroup = reader.text("/proc/self/cgroup") or ""
    for needle, name in _CONTAINER_CGROUPS:
        if needle in cgroup:
            return known("container", name, "/proc/self/cgroup", DERIVED)
    return known("container", NO_CONTAINER, "no trace of a container", ASSUMED)


def boost_facts(reader: Reader) -> dict[str, Fact]:
    """Return `boost`: whether the clock may rise above the processor's base clock (turbo); nothing if not told."""
    for path, on in (("cpufreq/boost", 1), ("intel_pstate/no_turbo", 0)):
        setting = read_integer(reader, f"{_CPU_FOLDER}/{path}")
        if setting in (0, 1):
            return known("boost", setting == on, f"{_CPU_FOLDER}/{path}")
    return {}


def smt_facts(reader: Reader) -> dict[str, Fact]:
    """Return `smt_control`: on, off, forceoff, notsupported, or a number of threads on POWER."""
    path = f"{_CPU_FOLDER}/smt/control"
    setting = read_line(reader, path)
    told = setting is not None and (setting in _SMT_SETTINGS or re.fullmatch(r"[0-9]{1,2}", setting, re.ASCII))
    return known("smt_control", setting if told else None, path)


def _first_processor(cpuinfo: str) -> dict[str, str]:
    """Return the fields of the first processor; POWER's and Arm's closing block on the board is left out."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        if not line.strip() and fields:
            break
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def _from_x86(fields: dict[str, str]) -> dict[str, Fact]:
    return {
        **known("cpu_vendor", fields.get("vendor_id") or None, _CPUINFO),
        **known("cpu_family", whole_number(fields.get("cpu family")), _CPUINFO),
        **known("cpu_model_number", whole_number(fields.get("model")), _CPUINFO),
        **known("cpu_model", fields.get("model name") or None, _CPUINFO),
    }


def _from_arm(fields: dict[str, str]) -> dict[str, Fact]:
    implementer, part = _hexadecimal(fields.get("CPU implementer")), _hexadecimal(fields.get("CPU part"))
    if implementer is None:
        return {}
    vendor = _ARM_VENDORS.get(implementer)
    model = _ARM_MODELS.get((implementer, part)) if part is not None else None
    named = f"{vendor} {model}" if vendor and model else None
    return {
        **known("cpu_vendor", vendor, f"{_CPUINFO} CPU implementer"),
        **known("cpu_model_number", part, f"{_CPUINFO} CPU part"),
        **known("cpu_model", fields.get("model name") or named, _CPUINFO, READ if "model name" in fields else DERIVED),
    }


def _from_power(fields: dict[str, str]) -> dict[str, Fact]:
    model = fields.get("cpu") or fields.get("uarch")  # POWER, and RISC-V since Linux 5.18
    vendor = "IBM" if (model or "").upper().startswith("POWER") else None
    return {
        **known("cpu_vendor", vendor, f"{_CPUINFO} cpu", DERIVED),
        **known("cpu_model", model or None, f"{_CPUINFO} cpu"),
    }


def _from_sysctl(reader: Reader) -> dict[str, Fact]:
    def answer(name: str) -> str | None:
        return (reader.run("sysctl", "-n", f"machdep.cpu.{name}") or "").strip() or None

    model = answer("brand_string")
    apple = "Apple" if (model or "").startswith("Apple") else None
    return {
        **known("cpu_vendor", answer("vendor") or apple, "sysctl machdep.cpu"),
        **known("cpu_family", whole_number(answer("family")), "sysctl machdep.cpu.family"),
        **known("cpu_model_number", whole_number(answer("model")), "sysctl machdep.cpu.model"),
        **known("cpu_model", model, "sysctl machdep.cpu.brand_string"),
    }


def _from_identifier(identifier: str) -> dict[str, Fact]:
    """Return the facts of Windows' `Intel64 Family 6 Model 158 Stepping 10, GenuineIntel`."""
    source = "environment variable PROCESSOR_IDENTIFIER"
    numbers = re.search(r"Family ([0-9]{1,6}) Model ([0-9]{1,6})", identifier, re.ASCII)
    vendor = identifier.rpartition(",")[2].strip() if "," in identifier else None
    return {
        **known("cpu_vendor", vendor or None, source),
        **known("cpu_family", int(numbers[1]) if numbers else None, source),
        **known("cpu_model_number", int(numbers[2]) if numbers else None, source),
        **known("cpu_model", identifier.strip() or None, source),
    }


def _darwin_virtualization(reader: Reader) -> dict[str, Fact]:
    present = whole_number(reader.run("sysctl", "-n", "kern.hv_vmm_present"))
    if present is None:
        return {}
    return known("virtualization", "hypervisor" if present else NO_VIRTUALIZATION, "sysctl kern.hv_vmm_present")


def _hypervisor_by_file(reader: Reader) -> tuple[tuple[str, str], ...]:
    kind = read_line(reader, "/sys/hypervisor/type")
    return (("/sys/hypervisor/type", kind.capitalize()),) if kind else ()


def _hypervisor_by_product(reader: Reader, *, may_be_cloud: bool) -> tuple[tuple[str, str], ...]:
    names = [read_line(reader, f"{_DMI_FOLDER}/{name}") or "" for name in ("sys_vendor", "product_name")]
    product = " ".join(names).lower()
    if product.endswith(".metal") or "-metal" in product:  # Amazon's m6i.metal is a whole machine
        return ()
    table = (*_VIRTUAL_PRODUCTS, *_CLOUD_PRODUCTS) if may_be_cloud else _VIRTUAL_PRODUCTS
    return tuple((f"{_DMI_FOLDER}/product_name", name) for needle, name in table if needle in product)


def _hexadecimal(text: str | None) -> int | None:
    return int(text, 16) if text and re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text, re.ASCII) else None
