"""The only door to the machine: every probe reads through a Reader, so that tests can feed captured text."""

from __future__ import annotations

import mmap
import os
import platform
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

COMMAND_TIMEOUT_S = 5  # sysctl answers within milliseconds; a command that hangs must not hold up the tool
_NOTHING: Mapping[tuple[str, ...], str] = MappingProxyType({})
# Where Linux describes processors, NUMA nodes and the machine.
CPU_FOLDER, NODE_FOLDER, DMI_FOLDER = "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/class/dmi/id"

Value = TypeVar("Value")


class Reader(Protocol):
    """What a probe may ask of a machine. Nothing raises: what cannot be read is None, or empty."""

    @property
    def system(self) -> str:
        """Return the operating system as `platform.system` names it: Linux, Darwin, Windows."""

    @property
    def machine(self) -> str:
        """Return the architecture as `platform.machine` names it: x86_64, aarch64, arm64, AMD64."""

    def text(self, path: str) -> str | None:
        """Return a file's text, undecodable bytes replaced; None where it does not exist or may not be read."""

    def data(self, path: str) -> bytes | None:
        """Return a file's bytes; None where it does not exist or may not be read."""

    def names(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in a folder, empty where there is none."""

    def run(self, *command: str) -> str | None:
        """Return the standard output of a short system command, None where it fails."""

    def environment(self, name: str) -> str | None:
        """Return an environment variable."""

    def allowed_cpus(self) -> tuple[int, ...] | None:
        """Return the CPUs that this process may run on, None where the system does not say."""

    def processor_table(self) -> bytes | None:
        """Return Windows' table of cores, packages, nodes and caches, None on other systems."""

    def logical_cpus(self) -> int:
        """Return how many CPUs the system shows, at least 1."""

    def physical_cores(self) -> int | None:
        """Return how many physical cores the system counts."""

    def total_memory_bytes(self) -> int | None:
        """Return the size of the memory."""

    def available_memory_bytes(self) -> int | None:
        """Return how much memory can be had without swapping."""

    def page_bytes(self) -> int | None:
        """Return the size of an ordinary memory page."""

    def hostname(self) -> str:
        """Return the name of the machine."""

    def load_average(self) -> float | None:
        """Return the load of the last minute, in processes."""

    def on_battery(self) -> bool | None:
        """Return whether a battery is being drained; for systems that have no /sys to say so."""

    def os_version(self) -> str:
        """Return the name and version of the operating system, such as `macOS 15.1`."""

    def kernel(self) -> str:
        """Return the release of the kernel."""

    def python_version(self) -> str:
        """Return the version of the interpreter."""

    def package_version(self, name: str) -> str | None:
        """Return the version of an installed distribution, without importing it."""

    def c_library(self) -> str | None:
        """Return the C library and its version, such as `glibc 2.39`."""


class SystemReader:
    """The machine that this process runs on."""

    @property
    def system(self) -> str:
        """Return the operating system's name."""
        return platform.system()

    @property
    def machine(self) -> str:
        """Return the architecture's name."""
        return platform.machine()

    def text(self, path: str) -> str | None:
        """Return a file's text, None where it cannot be read."""
        content = self.data(path)
        return None if content is None else content.decode(errors="replace")

    def data(self, path: str) -> bytes | None:
        """Return a file's bytes, None where it cannot be read."""
        try:
            return Path(path).read_bytes()
        except (OSError, ValueError):  # ValueError: a path with a zero byte
            return None

    def names(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in a folder."""
        try:
            return tuple(sorted(os.listdir(path)))  # noqa: PTH208  # names are wanted, not Path objects
        except (OSError, ValueError):
            return ()

    def run(self, *command: str) -> str | None:
        """Return the standard output of a command, None where it fails or takes longer than five seconds."""
        import subprocess

        try:
            done = subprocess.run(  # noqa: S603  # the commands are literals of the probes, no shell sees them
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def environment(self, name: str) -> str | None:
        """Return an environment variable."""
        return os.environ.get(name)

    def allowed_cpus(self) -> tuple[int, ...] | None:
        """Return the CPUs of this process, None outside Linux and Windows."""
        if self.system == "Windows":
            from bandwidth.machine.windows.processors import own_cpus

            return own_cpus()
        if sys.platform != "linux":
            return None
        try:
            return tuple(sorted(os.sched_getaffinity(0)))
        except OSError:
            return None

    def processor_table(self) -> bytes | None:
        """Return the records of GetLogicalProcessorInformationEx, None outside Windows."""
        from bandwidth.machine.windows.processors import own_table

        return own_table() if self.system == "Windows" else None

    def logical_cpus(self) -> int:
        """Return how many CPUs the system shows."""
        return os.cpu_count() or 1

    def physical_cores(self) -> int | None:
        """Return psutil's count of cores."""
        return _from_psutil(lambda psutil: psutil.cpu_count(logical=False))

    def total_memory_bytes(self) -> int | None:
        """Return psutil's memory size."""
        return _from_psutil(lambda psutil: int(psutil.virtual_memory().total)) or None

    def available_memory_bytes(self) -> int | None:
        """Return psutil's available memory."""
        return _from_psutil(lambda psutil: int(psutil.virtual_memory().available)) or None

    def page_bytes(self) -> int | None:
        """Return the interpreter's page size."""
        return mmap.PAGESIZE

    def hostname(self) -> str:
        """Return the name of the machine."""
        return platform.node()

    def load_average(self) -> float | None:
        """Return the load of the last minute, None on Windows: psutil would start a thread to emulate it."""
        try:
            return os.getloadavg()[0]
        except (AttributeError, OSError):
            return None

    def on_battery(self) -> bool | None:
        """Return whether psutil sees a battery that is not plugged in."""
        battery = _from_psutil(lambda psutil: psutil.sensors_battery())
        return None if battery is None or battery.power_plugged is None else not battery.power_plugged

    def os_version(self) -> str:
        """Return the name and version of the operating system."""
        if sys.platform == "darwin":
            return f"macOS {platform.mac_ver()[0]}"
        return f"{platform.system()} {platform.release()}"

    def kernel(self) -> str:
        """Return the release of the kernel."""
        return platform.release()

    def python_version(self) -> str:
        """Return the version of the interpreter."""
        return platform.python_version()

    def package_version(self, name: str) -> str | None:
        """Return the version of an installed distribution."""
        from importlib import metadata

        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    def c_library(self) -> str | None:
        """Return the C library that the interpreter runs on, where the system names it."""
        try:
            named = os.confstr("CS_GNU_LIBC_VERSION")
        except (AttributeError, ValueError, OSError):  # no glibc
            named = None
        return named or " ".join(platform.libc_ver()).strip() or None


def _from_psutil(ask: Callable[[Any], Value]) -> Value | None:
    """Return what psutil says, None where it stumbles: it takes the files of /proc for whole, and for there."""
    import psutil

    try:
        return ask(psutil)
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError):
        return None


class CapturedReader:
    """A machine made of captured text: files by path, commands by their words, and the rest by keyword."""

    def __init__(
        self,
        files: Mapping[str, str | bytes],
        commands: Mapping[tuple[str, ...], str] = _NOTHING,
        system: str = "Linux",
        machine: str = "x86_64",
        *,
        environment: Mapping[str, str] | None = None,
        allowed_cpus: tuple[int, ...] | None = None,
        processor_table: bytes | None = None,
        logical_cpus: int = 1,
        physical_cores: int | None = None,
        total_memory_bytes: int | None = None,
        available_memory_bytes: int | None = None,
        page_bytes: int | None = None,
        hostname: str = "captured",
        load_average: float | None = None,
        on_battery: bool | None = None,
        os_version: str = "",
        kernel: str = "",
        python_version: str = "3.11.0",
        packages: Mapping[str, str] | None = None,
        c_library: str | None = None,
    ) -> None:
        self.system = system
        self.machine = machine
        self._files = dict(files)
        self._folders = _folders(self._files)
        self._commands = dict(commands)
        self._environment = dict(environment or {})
        self._packages = dict(packages or {})
        self._allowed_cpus = allowed_cpus
        self._processor_table = processor_table
        self._logical_cpus = logical_cpus
        self._physical_cores = physical_cores
        self._total_memory_bytes = total_memory_bytes
        self._available_memory_bytes = available_memory_bytes
        self._page_bytes = page_bytes
        self._hostname = hostname
        self._load_average = load_average
        self._on_battery = on_battery
        self._os_version = os_version
        self._kernel = kernel
        self._python_version = python_version
        self._c_library = c_library

    def text(self, path: str) -> str | None:
        """Return the captured text of a file."""
        content = self._files.get(path)
        return content.decode(errors="replace") if isinstance(content, bytes) else content

    def data(self, path: str) -> bytes | None:
        """Return the captured bytes of a file."""
        content = self._files.get(path)
        return content.encode() if isinstance(content, str) else content

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names that the captured paths put into a folder."""
        return tuple(sorted(self._folders.get(path.rstrip("/") or "/", ())))

    def run(self, *command: str) -> str | None:
        """Return the captured output of a command."""
        return self._commands.get(command)

    def environment(self, name: str) -> str | None:
        """Return the captured environment variable."""
        return self._environment.get(name)

    def allowed_cpus(self) -> tuple[int, ...] | None:
        """Return the captured affinity."""
        return self._allowed_cpus

    def processor_table(self) -> bytes | None:
        """Return the captured table."""
        return self._processor_table

    def logical_cpus(self) -> int:
        """Return the captured count."""
        return self._logical_cpus

    def physical_cores(self) -> int | None:
        """Return the captured count."""
        return self._physical_cores

    def total_memory_bytes(self) -> int | None:
        """Return the captured size."""
        return self._total_memory_bytes

    def available_memory_bytes(self) -> int | None:
        """Return the captured size."""
        return self._available_memory_bytes

    def page_bytes(self) -> int | None:
        """Return the captured size."""
        return self._page_bytes

    def hostname(self) -> str:
        """Return the captured name."""
        return self._hostname

    def load_average(self) -> float | None:
        """Return the captured load."""
        return self._load_average

    def on_battery(self) -> bool | None:
        """Return the captured state."""
        return self._on_battery

    def os_version(self) -> str:
        """Return the captured version."""
        return self._os_version

    def kernel(self) -> str:
        """Return the captured release."""
        return self._kernel

    def python_version(self) -> str:
        """Return the captured version."""
        return self._python_version

    def package_version(self, name: str) -> str | None:
        """Return the captured version."""
        return self._packages.get(name)

    def c_library(self) -> str | None:
        """Return the captured library."""
        return self._c_library


def read_integer(reader: Reader, path: str) -> int | None:
    """Return the whole number that a file holds, None where it holds anything else."""
    return whole_number(reader.text(path))


def whole_number(text: str | None) -> int | None:
    """Return the whole number that a text is, None where it is none or has more than 20 digits."""
    digits = (text or "").strip()
    unsigned = digits.removeprefix("-")
    return int(digits) if unsigned.isascii() and unsigned.isdigit() and len(unsigned) <= 20 else None


def read_line(reader: Reader, path: str) -> str | None:
    """Return the text of a one-line file without the space around it, None where it is empty or missing."""
    return (reader.text(path) or "").strip() or None


def _folders(files: Mapping[str, str | bytes]) -> dict[str, set[str]]:
    folders: dict[str, set[str]] = {}
    for path in files:
        parts = (PurePosixPath(path), *PurePosixPath(path).parents)
        for child, parent in pairwise(parts):
            folders.setdefault(str(parent), set()).add(child.name)
    return folders
