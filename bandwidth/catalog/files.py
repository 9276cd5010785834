"""The spec files' names, and where the package's own lie."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from bandwidth.errors import BandwidthError

MEMORY_FILE = "memory.toml"
LINKS_FILE = "links.toml"
NORMAL_FILE = "normal.toml"
REFERENCE_FILE = "reference.toml"
FAMILIES_FILE = "processor_families.tsv"
ARM_CORES_FILE = "arm_cores.tsv"
DEVICES_FOLDER = "devices"
LONGEST_PATH = 200


@cache  # where the package lies does not change while it runs
def specs_folder() -> Path:
    """Return the folder of the specs: inside the package in a wheel, beside it in a checkout or an editable install.

    Raises BandwidthError where there is neither.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "specs", package.parent / "specs"):
        if (folder / MEMORY_FILE).is_file():
            return folder
    raise BandwidthError("the specs of memories and links are missing", "install membandwidth again")


def why_unreadable(folder: Path) -> str | None:
    """Return why a folder cannot be read, nothing where it can, None where there is none."""
    try:
        with os.scandir(folder):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or "the system does not say why"
    except ValueError:  # a null character
        return "it is no name of a folder"


def shown_path(path: Path) -> str:
    """Return a path as errors name it: one of thousands of letters is cut."""
    text = str(path)
    return text if len(text) <= LONGEST_PATH else f"{text[:LONGEST_PATH]}..."
