"""The catalog: `specs/` read into frozen, checked entries. It computes no bandwidth.

What a memory needs stands here; links (`catalog.link`), devices (`catalog.device`) and their search are imported by
whom they concern, so that the peak of a memory is answered at once.
"""

from bandwidth.catalog.files import memory_families, specs_folder
from bandwidth.catalog.memory import Memory, MemoryFamily

__all__ = ["Memory", "MemoryFamily", "memory_families", "specs_folder"]
