"""Memory tables of real machines, as dmidecode prints them, turned into what the SMBIOS parser gives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bandwidth.ceilings.memory import ConfiguredMemory, configured_memory
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.modules.table import facts_of_table, judged_table
from bandwidth.machine.smbios import Module, plausible_mt_s, plausible_width_bits
from bandwidth.units import KIBI

# Not part of a checkout: 900 machines beside it, where they are at hand.
SHARED_MACHINES = Path(__file__).parents[2].parent / "shared" / "data" / "machines.jsonl"
_UNITS = {"kB": KIBI, "MB": KIBI**2, "GB": KIBI**3, "TB": KIBI**4}
_SILENT = {"Unknown", "Other", "Not Specified", "<OUT OF SPEC>", None}
_WITH_CONFIGURED_SPEED = 0x22  # SMBIOS 2.7


def read_machines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def facts_of(machine: Mapping[str, Any]) -> Facts:
    """The facts about a machine's modules, judged as those of this machine are."""
    cpuid = zip(("cpu_vendor", "cpu_family", "cpu_model_number"), machine.get("cpuid") or (), strict=False)
    known = {"sockets": machine["sockets"], "cpu_model": machine["cpu"], **dict(cpuid)}
    facts = Facts({name: Fact(value, "captured", "read") for name, value in known.items() if value is not None})
    length = machine.get("smbios_length")
    slots = [_module(device, length or device["smbios_length"]) for device in machine["devices"]]
    return Facts({**facts, **facts_of_table(judged_table(slots, "captured"), facts)})


def memory_of(machine: Mapping[str, Any]) -> ConfiguredMemory:
    return configured_memory(facts_of(machine))


def _module(device: Mapping[str, str | None], smbios_length: int) -> Module:
    size = re.fullmatch(r"([0-9]+) (kB|MB|GB|TB)", device.get("size") or "")
    has_configured = smbios_length >= _WITH_CONFIGURED_SPEED
    return Module(
        locator=_text(device.get("locator")),
        bank_locator=_text(device.get("bank")),
        type=None if device.get("type") == "<OUT OF SPEC>" else device.get("type"),
        size_bytes=int(size[1]) * _UNITS[size[2]] if size else None,
        data_width_bits=plausible_width_bits(_number(device.get("data_width"))),
        rated_mt_s=plausible_mt_s(_number(device.get("speed"))),
        configured_mt_s=plausible_mt_s(_number(device.get("configured"))) if has_configured else None,
        form_factor=_text(device.get("form_factor")),
        populated=size is not None,
    )


def _text(text: str | None) -> str | None:
    return None if text in _SILENT else (text or "").strip() or None


def _number(text: str | None) -> int | None:
    match = re.match(r"[0-9]+", text or "")
    return int(match[0]) if match else None
