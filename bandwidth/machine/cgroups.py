"""Where the control groups of this process lie: they limit its memory and its processor time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandwidth.machine.reader import Reader

_CGROUP = "/proc/self/cgroup"
_V2_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")  # the second beside version 1
_V1_MOUNTS = {
    "memory": ("/sys/fs/cgroup/memory",),
    "cpu": ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"),
}
_DEEPEST_CGROUP = 32


def version_2_folders(reader: Reader) -> Iterator[str]:
    """Yield the folders of this process's cgroup of version 2, from its own up to the root."""
    return _folders(reader, "", _V2_MOUNTS)


def version_1_folders(reader: Reader, controller: str) -> Iterator[str]:
    """Yield the folders of this process's cgroup of version 1 for `memory` or `cpu`, from its own up to the root."""
    mounts = [mount for mount in _V1_MOUNTS[controller] if reader.names(mount)]
    return _folders(reader, controller, mounts[:1])  # one is often a link to the other


def _folders(reader: Reader, controller: str, mounts: Sequence[str]) -> Iterator[str]:
    """Yield the folders of this process's cgroup up to the mount, for the mounts where it may be.

    In a container the path is often the host's, and the mount shows the container's own cgroup at its root: the
    folders in between do not exist and read as nothing.
    """
    path = _path(reader, controller)
    if path is None:
        return
    parts = [part for part in path.split("/") if part][:_DEEPEST_CGROUP]
    if ".." in parts:  # seen from inside a cgroup namespace: outside of what is mounted
        parts = []
    for mount in mounts:
        for depth in range(len(parts), -1, -1):
            yield "/".join((mount, *parts[:depth]))


def _path(reader: Reader, controller: str) -> str | None:
    """Return this process's path in the hierarchy of a version 1 controller, or of version 2 for an empty name."""
    for line in (reader.text(_CGROUP) or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and controller in controllers.split(","):
            return path
    return None
