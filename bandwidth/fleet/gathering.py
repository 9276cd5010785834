"""One measurement on each host of a cluster, whoever runs it: hosts take turns where they are one machine.

The cluster is an interface of few methods, so that hosts which die, hang or lack the package can be played in tests.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bandwidth.errors import BandwidthError, UsageError
from bandwidth.fleet.machines import LABEL_FACT, moment
from bandwidth.results import Record
from bandwidth.results.files import parse
from bandwidth.text_files import write_atomically
from bandwidth.version import __version__

TICK_S = 0.1
# How often the cluster is asked who is there: a task of a worker that died would be waited for for ever.
WATCH_S = 1.0
# A worker that is alive answers within this; it may be starting Python on a slow shared file system.
ANSWER_S = 60.0
# The default budget is 15 s, 60 s of a study; the rest is for compiling and filling the arrays on large machines.
DEFAULT_LIMIT_S = 300.0
# What a worker may take beyond the limit to stop its measurement and to send what there is.
GRACE_S = 15.0
# The fleet keeps the records; how they are shown is said before the `--`.
REFUSED_OPTIONS = ("--save", "-o", "--output", "--plan", "--format", "--json", "--facts", "-h", "--help")


class Task(Protocol):
    """Something that a worker does."""

    def is_done(self) -> bool:
        """Return whether it has ended, well or not."""

    def result(self) -> Any:
        """Return what it returned; raises what it raised."""

    def cancel(self) -> None:
        """Let go of it: nobody waits for it any more."""


class Cluster(Protocol):
    """Who does tasks, by the address of one worker of each host."""

    def hosts(self) -> Mapping[str, str]:
        """Return the hosts that are there now, each with its worker's address."""

    def workers(self) -> Collection[str]:
        """Return the addresses of all workers that are there now."""

    def describe(self, address: str) -> Task:
        """Ask what host a worker is on: see remote_task.describe_host."""

    def measure(self, address: str, options: Sequence[str], limit_s: float) -> Task:
        """Let a worker measure: see remote_task.run_measurement."""


@dataclass(frozen=True)
class Gathered:
    """What came of one host: the file of its record, or why there is none; with both, the record is not whole."""

    host: str
    path: Path | None
    reason: str = ""
    note: str = ""
    record_text: str = field(default="", repr=False)  # the record that no folder took


@dataclass
class _Host:
    """A host on its way: where it is, what it is, and what is asked of it."""

    name: str
    address: str
    machine: str = ""
    hostname: str = ""
    label: str = ""
    version: str = ""
    task: Task | None = None
    deadline: float = 0.0


def check_options(options: Sequence[str]) -> None:
    """Raise UsageError for options of `measure` that make no sense on a fleet."""
    for option in options:
        name = option.partition("=")[0]
        if name in REFUSED_OPTIONS or (option.startswith("-o") and not option.startswith("--")):
            raise UsageError(
                f"{name[:40]!a} cannot be used with fleet measure",
                "records are saved with --save FOLDER, before the --",
            )


def gather(
    cluster: Cluster,
    options: Sequence[str],
    folder: Path,
    *,
    one_at_a_time: bool = False,
    limit_s: float = DEFAULT_LIMIT_S,
    labels: Mapping[str, str] | None = None,
    answer_s: float = ANSWER_S,
) -> Iterator[Gathered]:
    """Measure once on each host and yield what came of it as it comes; each record is saved in `folder` at once.

    Hosts that are one machine take turns, as two measurements spoil each other; with `one_at_a_time` all do. A host
    that fails, leaves, or has not answered `limit_s` after its turn began is told, and the rest goes on. `labels` are
    names for hosts; without, those of one name get their addresses. Whoever stops reading stops the measurements.
    """
    hosts = [_Host(name, address) for name, address in sorted(cluster.hosts().items())]
    waiting: list[_Host] = []
    try:
        yield from _describe(cluster, hosts, waiting, answer_s)
        _name(waiting, labels or {})
        yield from _measure(cluster, waiting, options, folder, limit_s, one_at_a_time=one_at_a_time)
    finally:
        for host in hosts:
            if host.task is not None and not host.task.is_done():
                host.task.cancel()


def _describe(cluster: Cluster, hosts: list[_Host], waiting: list[_Host], answer_s: float) -> Iterator[Gathered]:
    """Ask each host what it is; those that can measure go to `waiting`."""
    for host in hosts:
        host.task, host.deadline = cluster.describe(host.address), time.monotonic() + answer_s
    for host, answer, reason in _ended(cluster, list(hosts)):
        if reason or "lacks" in answer:
            yield Gathered(host.name, None, reason or f"the package is missing: {answer['lacks']}")
            continue
        host.hostname, host.machine = str(answer.get("hostname", "")), str(answer.get("machine", ""))
        host.version = str(answer.get("version", ""))
        waiting.append(host)


def _name(hosts: Sequence[_Host], labels: Mapping[str, str]) -> None:
    """Give a label to each host that has one, or shares its name with another."""
    names = [host.hostname for host in hosts]
    for host in hosts:
        host.label = labels.get(host.name, host.name if names.count(host.hostname) > 1 else "")


def _measure(
    cluster: Cluster,
    waiting: list[_Host],
    options: Sequence[str],
    folder: Path,
    limit_s: float,
    *,
    one_at_a_time: bool,
) -> Iterator[Gathered]:
    waiting.sort(key=lambda host: host.name)
    running: list[_Host] = []

    def start() -> list[_Host]:
        """Start every host whose machine is free."""
        for host in list(waiting):
            busy = {other.machine for other in running}
            if host.machine in busy or (one_at_a_time and running):
                continue
            waiting.remove(host)
            host.task = cluster.measure(host.address, options, limit_s)
            host.deadline = time.monotonic() + limit_s + GRACE_S
            running.append(host)
        return running

    for host, answer, reason in _ended(cluster, running, start):
        yield Gathered(host.name, None, reason) if reason else _kept(host, answer, folder, limit_s)


def _ended(
    cluster: Cluster, running: list[_Host], start: Callable[[], Any] = lambda: None
) -> Iterator[tuple[_Host, dict[str, Any], str]]:
    """Yield each host as its task ends, with its answer, or the reason why there is none, until none is left."""
    start()
    watched = time.monotonic()
    while running:
        now = time.monotonic()
        there = None
        if now - watched >= WATCH_S:
            watched, there = now, cluster.workers()
        for host in list(running):
            answer, reason = _answer(host, now, there)
            if answer is not None or reason:
                running.remove(host)
                yield host, answer or {}, reason
        start()
        if running:
            time.sleep(TICK_S)


def _answer(host: _Host, now: float, there: Collection[str] | None) -> tuple[dict[str, Any] | None, str]:
    """Return a host's answer and no reason, or None and the reason why it never comes, or neither: not yet.

    `there` are the workers, None where they were not asked for this time.
    """
    assert host.task is not None  # noqa: S101 - only hosts with a task are waited for
    if host.task.is_done():
        try:
            answer = host.task.result()
        except BandwidthError as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001 - whatever happened there, the other hosts go on
            return None, f"its worker failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return (answer, "") if isinstance(answer, dict) else (None, "its worker sent an unexpected reply")
    if there is not None and host.address not in there:
        host.task.cancel()
        return None, f"its worker {host.address} left the cluster before it answered"
    if now >= host.deadline:
        host.task.cancel()
        return None, f"its worker {host.address} did not answer in time: it is busy or hangs; try a longer --limit"
    return None, ""


def _kept(host: _Host, answer: Mapping[str, Any], folder: Path, limit_s: float) -> Gathered:
    """Save the record of a host; one that is cut short is kept and told."""
    code, said, text = answer.get("code"), str(answer.get("said", "")), str(answer.get("record", ""))
    reason = ""
    if code is None:
        reason = f"stopped after {limit_s:g} s; use a longer --limit or a shorter --budget"
    elif code != 0:
        reason = said.removeprefix("bandwidth: ") or f"`bandwidth measure` ended with exit code {code} and no message"
    if not text:
        return Gathered(host.name, None, reason or "no record was produced")
    try:
        name, content = _labelled(text, host)
    except BandwidthError as error:
        return Gathered(host.name, None, str(error))
    path, trouble = _save(name, content, folder)
    if path is None:
        return Gathered(host.name, None, f"{trouble}; its record is on standard output", record_text=content)
    reason = "; ".join(filter(None, (trouble, reason)))
    other = host.version and host.version != __version__
    return Gathered(host.name, path, reason, f"bandwidth {host.version} there, {__version__} here" if other else "")


def _save(name: str, content: str, folder: Path) -> tuple[Path | None, str]:
    """Write a record to the folder, else to one for temporary files: it is measured. Return where, and what went wrong.

    Where neither takes it there is no path.
    """
    try:
        write_atomically(folder / name, content)
    except UsageError as error:
        trouble = error.message
    else:
        return folder / name, ""
    try:
        path = Path(tempfile.mkdtemp(prefix="bandwidth-")) / name
        write_atomically(path, content)
    except (OSError, UsageError):
        return None, trouble
    return path, f"{trouble}; it is in {path}"


def _labelled(text: str, host: _Host) -> tuple[str, str]:
    """Return a record's name and text as it came, with its host's label; it is checked first. Raises BandwidthError."""
    record = _checked(text, host)
    content = json.loads(text)
    if host.label:
        content["machine"][LABEL_FACT] = host.label
        sources = content["machine"].setdefault("sources", {})
        if isinstance(sources, dict):
            sources[LABEL_FACT] = {"source": "bandwidth fleet measure", "confidence": "given"}
    parts = [str(record.machine.get("hostname") or host.name), host.label]
    taken = moment(record.taken_at).strftime("%Y%m%dT%H%M%SZ")
    name = "-".join([_plain(part) for part in parts if part] + [f"{taken}.json"])
    return name, json.dumps(content, indent=1, allow_nan=False) + "\n"


def _checked(text: str, host: _Host) -> Record:
    try:
        return parse(text, f"the record of {host.name}")
    except BandwidthError as error:
        if host.version == __version__:
            raise
        hint = f"bandwidth is {host.version} there and {__version__} here: install one version"
        raise BandwidthError(error.message, hint) from error


def _plain(text: str) -> str:
    """Return a text as a part of a file's name: a host may be called anything."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._") else "_" for letter in text)[:80]
