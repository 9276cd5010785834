"""The folders of specs: the package's own, and the user's, which override it by name.

A user's (the config folder, BANDWIDTH_SPECS, `--specs`) may be broken: that is noted, passed over, and affects nothing
else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from bandwidth.catalog.entries import (
    DEVICES_FOLDER,
    GRAPHICS_FILE,
    LINKS_FILE,
    MEMORY_FILE,
    NORMAL_FILE,
    PROCESSORS_FILE,
    REFERENCE_FILE,
    Entry,
    error_of_fault,
    no_fault,
    parse_entries,
    parsed_file,
    read_entries,
    shown_path,
    specs_folder,
    why_unreadable,
)
from bandwidth.catalog.products import ProductTable
from bandwidth.errors import BandwidthError
from bandwidth.text_files import check_plain

SPECS_VARIABLE = "BANDWIDTH_SPECS"
MEND = f"correct --specs or {SPECS_VARIABLE}, or make it readable for this user"
_NO_DEVICES = (MEMORY_FILE, LINKS_FILE, NORMAL_FILE, REFERENCE_FILE)


class Folders:
    """The folders of one catalog: `added` are the user's by option, `own` the package's where it is not the usual one.

    `broken` holds a line for each of the user's folders, files and entries that was passed over so far.
    """

    def __init__(self, added: Iterable[Path] = (), own: Path | None = None) -> None:
        self._added = tuple(added)
        self._own = own
        self._broken: dict[str, None] = {}

    @property
    def own(self) -> Path:
        """The package's folder. Raises BandwidthError where it is missing."""
        return self._own or specs_folder()

    @cached_property
    def users(self) -> tuple[Path, ...]:
        """The user's own folders, the last the strongest: the config folder, BANDWIDTH_SPECS, those added.

        One that cannot be read is passed over and noted. Raises BandwidthError for one that is named and not there.
        """
        by_variable = [Path(part) for part in os.environ.get(SPECS_VARIABLE, "").split(os.pathsep) if part]
        named = [*by_variable, *self._added]
        for folder in named:
            if why_unreadable(folder) is None:
                raise BandwidthError(f"the specs folder {shown_path(folder)} does not exist", MEND)
        try:
            folders = [_config_folder() / "bandwidth" / "specs", *named]
        except RuntimeError:  # a user without a home
            folders = named
        return tuple(folder for folder in folders if self._is_readable(folder))

    @property
    def broken(self) -> tuple[str, ...]:
        """What was passed over so far, a line each."""
        return tuple(self._broken)

    def note_broken(self, error: BandwidthError) -> None:
        """Keep what is wrong with a user's file or entry: it is passed over, and told once by whoever prints."""
        self._broken[str(error)] = None

    def own_device_files(self) -> tuple[Path, ...]:
        """Return the package's own files of devices."""
        return tuple(sorted((self.own / DEVICES_FOLDER).glob("*.toml")))

    def user_device_files(self) -> tuple[Path, ...]:
        """Return the user's files of devices, the strongest last: `*.toml` and `devices/*.toml` in each folder.

        One that is no plain file is passed over and noted.
        """
        return tuple(
            path
            for folder in self.users
            for place in (folder, folder / DEVICES_FOLDER)
            if self._is_readable(place)
            for path in sorted(place.glob("*.toml"))
            if path.name not in _NO_DEVICES and self._is_plain(path)
        )

    @cached_property
    def own_tables(self) -> tuple[ProductTable, ...]:
        """The package's own tables of products. Raises BandwidthError for one that cannot be read."""
        paths = [self.own / name for name in (PROCESSORS_FILE, GRAPHICS_FILE)]
        return tuple(ProductTable(path, path.name) for path in paths if path.is_file())

    def user_tables(self) -> Iterator[ProductTable]:
        """Yield the user's tables of products, the strongest last; one that cannot be read is passed over and noted."""
        for path in (folder / name for folder in self.users for name in (PROCESSORS_FILE, GRAPHICS_FILE)):
            if path.is_file() and self._is_plain(path):
                try:
                    yield ProductTable(path, str(path))
                except BandwidthError as error:
                    self.note_broken(error)

    def entries(self, file_name: str, kind: type[Entry]) -> tuple[Entry, ...]:
        """Return the entries of the package's file; those of the user's files take the place of the same names.

        Raises BandwidthError for a bad file of the package, or a folder of the user's that is named and not there.
        """
        own = {entry.name: entry for entry in read_entries(self.own / file_name, kind)}
        return tuple({**own, **self._user_entries(file_name, kind)}.values())

    def texts(self, file_name: str) -> Iterator[str]:
        """Yield the text of the package's file, and of the user's files of that name which can be read."""
        for path in (self.own / file_name, *(folder / file_name for folder in self.users)):
            if path.is_file() and self._is_plain(path):
                with suppress(OSError, UnicodeDecodeError):  # whoever reads its entries tells of it
                    yield path.read_text("utf-8")

    def users_first(
        self, file_name: str, kind: type[Entry], fault_of: Callable[[Entry], str] = no_fault
    ) -> tuple[Entry, ...]:
        """Return every entry: the user's first, then those of the package's file that none of them has the name of.

        `fault_of` is that of `read_entries`. What is wrong with the user's is noted and passed over, their folder that
        is not there too: a measurement must not fail by it. Raises BandwidthError for a bad file of the package.
        """
        ours = read_entries(self.own / file_name, kind, fault_of)
        try:
            users = self._user_entries(file_name, kind)
        except BandwidthError as error:  # a folder that is named and not there
            self.note_broken(error)
            users = {}
        faults = {name: fault_of(entry) for name, entry in users.items()}
        for name, wrong in faults.items():
            if wrong:
                self.note_broken(error_of_fault(file_name, name, wrong))
        sound = {name: entry for name, entry in users.items() if not faults[name]}
        return (*sound.values(), *(entry for entry in ours if entry.name not in sound))

    def _user_entries(self, file_name: str, kind: type[Entry]) -> dict[str, Entry]:
        """Return the entries of the user's files of a name, the strongest where several have one of the same name."""
        by_name: dict[str, Entry] = {}
        for path in (folder / file_name for folder in self.users):
            try:
                path.lstat()
            except OSError:  # there is none
                continue
            if not self._is_plain(path):
                continue
            try:
                tables = parsed_file(path)
            except BandwidthError as error:
                self.note_broken(error)
                continue
            for name, entry in parse_entries(path, tables, kind):
                if isinstance(entry, BandwidthError):
                    self.note_broken(entry)
                else:
                    by_name[name] = entry
        return by_name

    def _is_readable(self, folder: Path) -> bool:
        """Return whether a folder can be read; one that is there and cannot is noted."""
        reason = why_unreadable(folder)
        if reason:
            self.note_broken(BandwidthError(f"{shown_path(folder)} cannot be read: {reason}", MEND))
        return reason == ""

    def _is_plain(self, path: Path) -> bool:
        try:
            check_plain(path)
        except BandwidthError as error:
            self.note_broken(error)
            return False
        return True


def _config_folder() -> Path:
    """Return the folder of the user's settings. Raises RuntimeError for a user without a home."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
