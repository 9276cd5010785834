"""What `--specs` does, and what was passed over in one's own specs."""

from pathlib import Path

from bandwidth.cli.output import say
from bandwidth.plain_text import one_line


def use_specs(folder: Path | None) -> None:
    """Take the user's folder of specs. Raises UsageError where it is not there."""
    if folder is None:
        return
    from bandwidth.catalog import Catalog, use_catalog
    from bandwidth.catalog.entries import shown_path, why_unreadable
    from bandwidth.errors import UsageError

    reason = why_unreadable(folder)
    if reason is None:
        raise UsageError(f"--specs {shown_path(folder)} is not a folder", "name a folder of .toml files")
    if reason:
        raise UsageError(f"--specs {shown_path(folder)} cannot be read: {reason}", "name a readable folder")
    use_catalog(Catalog([folder]))


def tell_broken() -> None:
    """Name, on standard error, each of the user's files and entries that was passed over because it is broken."""
    from bandwidth.catalog import current_catalog

    say(*(one_line(f"bandwidth: skipped: {line}") for line in current_catalog().folders.broken))
