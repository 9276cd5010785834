"""What an engine of devices measures, whoever made them."""

from __future__ import annotations

from bandwidth.kernels import kernels_in
from bandwidth.vocabulary import DEVICE

DEVICE_PATHS = (*kernels_in(DEVICE, first="triad"), "memcpy", "memset")
