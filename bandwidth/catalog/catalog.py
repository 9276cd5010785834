"""The catalog as one object, and the one that the process uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bandwidth.catalog.entries import (
    ARM_CORES_FILE,
    FAMILIES_FILE,
    LINKS_FILE,
    MEMORY_FILE,
    NORMAL_FILE,
    REFERENCE_FILE,
)
from bandwidth.catalog.folders import Folders
from bandwidth.catalog.model import MemoryFamily

if TYPE_CHECKING:
    from bandwidth.catalog.limits import Limits
    from bandwidth.catalog.model import Device, LinkGeneration
    from bandwidth.catalog.processors import ArmCore, ProcessorFamily
    from bandwidth.catalog.published import NormalBand, PublishedFigure
    from bandwidth.catalog.search import Devices


# Words of links' names that names of devices have more often.
_OF_DEVICES = frozenset({"intel", "amd", "ultra", "family", "names", "aliases"})


class Catalog:
    """What the specs state: the package's, and those of the user's folders, which override them by name.

    Each part is read when it is first asked for, and then kept; each raises BandwidthError for a bad file of the
    package. `added` are folders beside the config folder's and BANDWIDTH_SPECS', the last the strongest; `own` is the
    package's folder where it is not the usual one.
    """

    def __init__(self, added: Iterable[Path] = (), own: Path | None = None) -> None:
        self.folders = Folders(added, own)

    # Each is imported with the first use: the peak of a memory needs no link and no device, and is answered at once.

    @cached_property
    def families(self) -> tuple[MemoryFamily, ...]:
        """Every memory family, in the order of specs/memory.toml."""
        return self.folders.entries(MEMORY_FILE, MemoryFamily)

    @cached_property
    def links(self) -> tuple[LinkGeneration, ...]:
        """Every link generation, in the order of specs/links.toml."""
        from bandwidth.catalog.model import LinkGeneration

        return self.folders.entries(LINKS_FILE, LinkGeneration)

    @cached_property
    def link_words(self) -> frozenset[str]:
        """The words of three letters or more in the names of links, small, of a scan of their files as text.

        Makers' names and words of devices are not among them.
        """
        lines = [line for text in self.folders.texts(LINKS_FILE) for line in text.splitlines()]
        named = " ".join(line.lower() for line in lines if line.startswith(("[", "family", "names", "aliases")))
        return frozenset(re.findall(r"[a-z]{3,}", named)) - _OF_DEVICES

    @cached_property
    def devices(self) -> Devices:
        """The devices, to be searched."""
        from bandwidth.catalog.search import Devices

        return Devices(self.folders)

    @cached_property
    def normal_bands(self) -> tuple[NormalBand, ...]:
        """Every band of what is normal: the user's first, then those of specs/normal.toml."""
        from bandwidth.catalog.published import NormalBand, fault_of_range

        return self.folders.users_first(NORMAL_FILE, NormalBand, fault_of_range)

    @cached_property
    def published_figures(self) -> tuple[PublishedFigure, ...]:
        """Every published figure: the user's first, then those of specs/reference.toml."""
        from bandwidth.catalog.published import PublishedFigure, fault_of_figure

        return self.folders.users_first(REFERENCE_FILE, PublishedFigure, fault_of_figure)

    @cached_property
    def processor_families(self) -> tuple[ProcessorFamily, ...]:
        """Every family of processors, exceptions before their rule."""
        from bandwidth.catalog.processors import read_processor_families

        return read_processor_families(self.folders.own / FAMILIES_FILE)

    @cached_property
    def arm_cores(self) -> dict[tuple[int, int], ArmCore]:
        """Every core of Arm's by implementer and part."""
        from bandwidth.catalog.processors import read_arm_cores

        return read_arm_cores(self.folders.own / ARM_CORES_FILE)

    @cached_property
    def limits(self) -> Limits:
        """What processors can move at most beside their memory: caches, lines in flight, links, a cloud's hosts."""
        from bandwidth.catalog.limits import Limits

        return Limits(self.folders)

    def device(self, name: str) -> Device | None:
        """Return the device of a name, None where no product has it. Raises as `Devices.find`."""
        return self.devices.find(name)

    def processors_of_numbers(self, vendor: str, family: int, model: int) -> tuple[Device, ...]:
        """Return what is known of the products that share these numbers of CPUID: the fastest is the most they have.

        Raises BandwidthError as `Devices.processors_of_numbers`.
        """
        return self.devices.processors_of_numbers(vendor, family, model)

    def processor_family(self, name: str) -> ProcessorFamily | None:
        """Return the family of a processor's name, None where none is known."""
        from bandwidth.catalog.processors import family_of

        return family_of(name, self.processor_families)

    def arm_vendor(self, implementer: int) -> str | None:
        """Return who designed the cores of an implementer's number, None for one that is not listed."""
        return next((core.vendor for core in self.arm_cores.values() if core.implementer == implementer), None)


_current = Catalog()


def current_catalog() -> Catalog:
    """Return the catalog that the process uses: the package's specs and the user's, or what `use_catalog` was given."""
    return _current


def use_catalog(catalog: Catalog) -> Catalog:
    """Let the process use another catalog from now on, and return the one that it used before."""
    global _current
    before, _current = _current, catalog
    return before
