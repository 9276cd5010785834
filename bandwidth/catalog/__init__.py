"""The catalog: `specs/` read into frozen, checked entries. It computes no bandwidth."""

from bandwidth.catalog.files import link_generations, memory_families, specs_folder
from bandwidth.catalog.model import Link, LinkGeneration, Memory, MemoryFamily

__all__ = [
    "Link",
    "LinkGeneration",
    "Memory",
    "MemoryFamily",
    "link_generations",
    "memory_families",
    "specs_folder",
]
