"""Every name and number of the entries against the whole catalog."""

import re

import pytest

from bandwidth.catalog import current_catalog

DEVICES = current_catalog().devices


def test_catalog_holds_at_least_four_hundred_devices_of_every_kind():
    devices = DEVICES.all()
    assert len(devices) >= 400
    assert {device.kind for device in devices} == {"gpu", "cpu", "soc", "accelerator", "console"}


def test_each_name_of_proc_cpuinfo_hits_exactly_one_entry():
    owners = {}
    for device in DEVICES.all():
        for name in device.model_names:
            assert name not in owners, f"{name} stands under {owners.get(name)} and {device.name}"
            owners[name] = device.name
    assert len(owners) > 100
    for name, owner in owners.items():
        assert DEVICES.processor("", -1, -1, name).name == owner


def test_each_pci_id_names_one_entry_unless_the_driver_s_name_decides():
    owners = {}
    for device in DEVICES.all():
        for identity in device.pci_ids:
            owners.setdefault(identity, []).append(device)
    for identity, devices in owners.items():
        vendor_id, device_id = identity.split(":")
        assert len(devices) == 1 or DEVICES.by_pci_id(vendor_id, device_id, "") is None
        for device in devices:
            assert DEVICES.by_pci_id(vendor_id, device_id, device.name).name == device.name
    assert len(owners) > 300


# How PCI's register of vendors names the makers of GPUs, and how many of their entries have an ID at least.
@pytest.mark.parametrize(
    ("maker", "vendor_id", "least"), [("NVIDIA", "10de", 100), ("AMD", "1002", 33), ("Intel", "8086", 11)]
)
def test_a_pci_id_is_its_maker_s_and_written_as_sysfs_does(maker, vendor_id, least):
    named = [device for device in DEVICES.all() if device.maker in (maker, FORMER.get(maker)) and device.pci_ids]
    assert len(named) >= least
    for device in named:
        assert all(re.fullmatch(rf"{vendor_id}:[0-9a-f]{{4}}", identity) for identity in device.pci_ids), device.name


FORMER = {"AMD": "ATI"}


def test_no_other_maker_s_entry_has_a_pci_id():
    assert {device.maker for device in DEVICES.all() if device.pci_ids} <= {"NVIDIA", "AMD", "ATI", "Intel"}


def test_every_device_answers_to_its_own_name_and_aliases():
    for device in DEVICES.all():
        for name in (device.name, *device.aliases):
            assert DEVICES.find(name).name == device.name


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("RTX 5090", "GeForce RTX 5090"),
        ("NVIDIA H200", "H200"),
        ("GTX 285", "GeForce GTX 285"),
        ("EPYC 9755", "EPYC 9755"),
        ("MI300X", "Instinct MI300X"),
        ("quadro rtx5000", "Quadro RTX 5000"),
        ("RTX 5090 Laptop", "GeForce RTX 5090 Laptop GPU"),
    ],
)
def test_well_known_names(query, name):
    assert DEVICES.find(query).name == name
