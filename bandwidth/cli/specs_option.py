"""The option that adds a folder of one's own specs, and the names that shell completion offers."""

from pathlib import Path
from typing import Annotated

import typer

SpecsOption = Annotated[
    Path | None, typer.Option("--specs", metavar="DIR", help="Own specs, also by $BANDWIDTH_SPECS; they override.")
]


def use_specs(folder: Path | None) -> None:
    """Take the user's folder of specs. Raises UsageError where it is not there."""
    if folder is None:
        return
    from bandwidth.catalog.files import add_specs_folder
    from bandwidth.catalog.search import forget_places
    from bandwidth.errors import UsageError
    from bandwidth.theory.notation import forget_specs

    if not folder.is_dir():
        raise UsageError(f"--specs {folder} is not a folder", "name a folder of .toml files")
    add_specs_folder(folder)
    forget_places()
    forget_specs()


def complete_device(incomplete: str) -> list[str]:
    """Return the devices' names that begin with what was typed, or have all of its words."""
    from bandwidth.catalog.search import device_places, search_devices

    names = dict.fromkeys(place.name for place in device_places().values())
    started = [name for name in names if name.lower().startswith(incomplete.lower())]
    return started or (search_devices(incomplete) if incomplete else [])
