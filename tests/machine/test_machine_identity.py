"""What tells one machine from another: hashes of its ids, never the ids, and nothing that many machines have alike."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest

from bandwidth.machine.identity import identity_facts
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader, SystemReader
from bandwidth.report.write_up.anonymise import anonymised

MACHINE_ID = "3d1219c7c4c5404aaa1f6d2a48adfda4"
BOOT_ID = "e37bb88c-c096-4a09-accb-5276b3fdc837"
IDS = {"/etc/machine-id": f"{MACHINE_ID}\n", "/proc/sys/kernel/random/boot_id": f"{BOOT_ID}\n"}
PI = {"/proc/device-tree/serial-number": "10000000e4c9aa01\0"}


def hashes(files, **others):
    return {name: fact.value for name, fact in identity_facts(CapturedReader(files, **others)).items()}


def test_ids_are_known_by_their_hashes_alone():
    found = hashes({**IDS, **PI})
    assert set(found) == {"machine_serial_hash", "machine_id_hash", "boot_id_hash"}
    assert all(re.fullmatch(r"[0-9a-f]{32}", value) for value in found.values())
    assert len(set(found.values())) == 3
    text = str(identity_facts(CapturedReader({**IDS, **PI})))
    assert not any(secret in text for secret in (MACHINE_ID, BOOT_ID, "e4c9aa01"))
    assert found["machine_id_hash"] != hashlib.sha256(MACHINE_ID.encode()).hexdigest()[:32]


def test_the_hash_is_keyed_by_the_id_as_systemd_makes_it():
    """sd_id128_get_machine_app_specific: HMAC-SHA256 of the application's id, keyed by the machine's."""
    from bandwidth.machine import identity

    digest = hmac.new(bytes.fromhex(MACHINE_ID), identity._APPLICATION, hashlib.sha256).hexdigest()
    assert hashes(IDS)["machine_id_hash"] == digest[:32]


def test_the_same_machine_has_the_same_hashes_and_another_has_others():
    assert hashes({**IDS, **PI}) == hashes({**IDS, **PI})
    other = {"/etc/machine-id": "0" * 31 + "1\n", "/proc/sys/kernel/random/boot_id": "0" * 31 + "1"}
    serial = {"/proc/device-tree/serial-number": "10000000e4c9aa02"}
    assert not set(hashes({**other, **serial}).values()) & set(hashes({**IDS, **PI}).values())


@pytest.mark.parametrize("content", ["", "\n", "uninitialized\n", "0" * 32, "x" * 32, MACHINE_ID[:31], MACHINE_ID * 2])
def test_what_is_no_id_is_left_out(content):
    assert hashes({"/etc/machine-id": content}) == {}


def test_the_id_that_an_image_brings_along_is_no_machines():
    assert set(hashes({**IDS, "/.dockerenv": ""})) == {"boot_id_hash"}
    assert set(hashes({**IDS, "/run/systemd/container": "lxc\n"})) == {"boot_id_hash"}


@pytest.mark.parametrize(
    "number",
    [
        *(
            "To Be Filled By O.E.M.",
            "Default string",
            "None",
            "N/A",
            "Not Specified",
            "0",
            "00000000",
            "System Serial Number",
        ),
        *("123456789", "0123456789ABCDEF", "ffffffff-ffff-ffff-ffff-ffffffffffff", "..............", "", "\0"),
        *("03000200-0400-0500-0006-000700080009", "00000000-0000-0000-0000-000000000000", "unknown", "xxxxxxx"),
    ],
)
def test_what_makers_leave_in_the_place_of_a_number_is_none(number):
    assert hashes({"/sys/class/dmi/id/product_serial": f"{number}\n"}) == {}
    good = {"/sys/class/dmi/id/product_uuid": f"{number}\n", "/sys/class/dmi/id/product_serial": "CZ3021ABCD\n"}
    assert set(hashes(good)) == {"machine_serial_hash"}


def test_the_chip_of_a_board_is_the_last_of_its_device_trees_names():
    tree = {"/proc/device-tree/compatible": "radxa,rock-5b\0rockchip,rk3588\0"}
    assert hashes(tree) == {"soc": "rockchip,rk3588"}


def test_other_systems_tell_nothing():
    assert hashes({}, system="Darwin", machine="arm64") == {}


def test_the_facts_of_this_machine_hold_hashes_and_no_ids():
    facts = str(collect(SystemReader()).to_json())
    boot = SystemReader().text("/proc/sys/kernel/random/boot_id")
    assert not boot or boot.strip() not in facts
    assert not boot or "boot_id_hash" in facts


def test_an_anonymous_record_has_none_of_them(make_record):
    found = hashes({**IDS, **PI})
    record = anonymised(make_record(machine={**found, "sources": {name: {"source": "x"} for name in found}}))
    assert not set(found) & {*record.machine, *record.machine["sources"]}
