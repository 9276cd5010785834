"""What the host's engines need of the operating system: one interface, and a module for each system that has its own.

Nothing else in the engines asks which system this is, but for LLVM's name of it. `here` says which one answers.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it needs NumPy, and a plan is made without
    from bandwidth.engines.host.operating_system.interface import OperatingSystem


@cache
def here(platform: str = sys.platform) -> OperatingSystem:
    """Return the operating system of a platform, as `sys.platform` names it: the one that this process runs on."""
    if platform == "win32":
        from bandwidth.engines.host.operating_system.windows import Windows
        from bandwidth.machine.windows.calls import this_windows

        return Windows(this_windows())
    if platform.startswith("linux"):
        from bandwidth.engines.host.operating_system.linux import Linux

        return Linux()
    from bandwidth.engines.host.operating_system.posix import Posix

    return Posix()
