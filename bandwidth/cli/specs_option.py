"""What `--specs` does, what was passed over in one's own specs, and the names that shell completion offers."""

from pathlib import Path

from bandwidth.cli.output import say
from bandwidth.plain_text import one_line


def use_specs(folder: Path | None) -> None:
    """Take the user's folder of specs. Raises UsageError where it is not there."""
    if folder is None:
        return
    from bandwidth.catalog.files import add_specs_folder, shown_path, why_unreadable
    from bandwidth.catalog.normal import forget_bands
    from bandwidth.catalog.reference import forget_figures
    from bandwidth.catalog.search import forget_devices
    from bandwidth.errors import UsageError
    from bandwidth.theory.notation import forget_specs

    reason = why_unreadable(folder)
    if reason is None:
        raise UsageError(f"--specs {shown_path(folder)} is not a folder", "name a folder of .toml files")
    if reason:
        raise UsageError(f"--specs {shown_path(folder)} cannot be read: {reason}", "name a folder that can be")
    add_specs_folder(folder)
    forget_devices()
    forget_specs()
    forget_bands()
    forget_figures()


def tell_broken() -> None:
    """Name, on standard error, each of the user's files and entries that was passed over because it is broken."""
    from bandwidth.catalog.files import broken_specs

    say(*(one_line(f"bandwidth: passed over: {line}") for line in broken_specs()))


def complete_device(incomplete: str) -> list[str]:
    """Return the devices' names that begin with what was typed, or have all of its words."""
    from bandwidth.catalog.places import all_places
    from bandwidth.catalog.search import search_devices

    names = [place.name for place in all_places()]
    started = [name for name in names if name.lower().startswith(incomplete.lower())]
    return started or (search_devices(incomplete) if incomplete else [])
