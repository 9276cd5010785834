"""The catalog: `specs/` read into frozen, checked entries. It computes no bandwidth.

`current_catalog()` is the one that the process uses. What a memory needs is imported here; the search of devices
(`catalog.search`) and the tables that it reads by whom they concern, so that the peak of a memory is answered at once.
"""

from bandwidth.catalog.catalog import Catalog, current_catalog, use_catalog
from bandwidth.catalog.entries import specs_folder
from bandwidth.catalog.model import Memory, MemoryFamily

__all__ = ["Catalog", "Memory", "MemoryFamily", "current_catalog", "specs_folder", "use_catalog"]
