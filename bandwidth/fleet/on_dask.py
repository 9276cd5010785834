"""A Dask cluster as a fleet's: the one module that knows `distributed`."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import queue
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from bandwidth.errors import BandwidthError, UsageError
from bandwidth.fleet import remote_task

CONNECT_S = 10.0
# What a worker's answer to who it is may take; it starts Python once.
DESCRIBE_S = 45.0
SCHEDULER_GONE = "the scheduler has stopped"
FILE_HINT = "use the file written by `dask scheduler --scheduler-file`"
# A terminal sends Ctrl-C to the workers on this machine as well: they are to be stopped, not to print tracebacks.
IGNORE_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
# Where Dask looks for what a client's TLS takes; each may be set in the environment or in a configuration file.
TLS_SETTINGS = ("distributed.comm.tls.ca-file", "distributed.comm.tls.client.cert", "distributed.comm.tls.client.key")
_CHECK = "check its address, and that it runs"
_LONGEST_TOLD = 160
# What Dask and OpenSSL do not say: whether of TLS alone, what the error or one of its causes has in it, what to tell.
_UNSAID = (
    (True, "ssl_context", "requires certificates, and Dask's configuration names none", "set {missing}"),
    (
        True,
        "WRONG_VERSION|RECORD_LAYER|PROTOCOL|IOStream is not idle",
        "speaks no TLS, or another version of it",
        "try {other}",
    ),
    (
        False,
        "ConnectionReset|BrokenPipe|Stream is closed",
        "closed the connection, as a TLS scheduler does",
        "try {other} and its certificates",
    ),
    (None, "MemoryError", "is not a Dask scheduler: another service answers there", _CHECK),
)


def check_installed() -> None:
    """Raise UsageError where `distributed` is not installed; it is not imported."""
    if importlib.util.find_spec("distributed") is None:
        raise UsageError("measuring a fleet needs Dask, which is not installed", "pip install 'membandwidth[fleet]'")


@contextlib.contextmanager
def dask_cluster(scheduler: str | None, scheduler_file: Path | None) -> Iterator[DaskCluster]:
    """Yield a running cluster, by its scheduler's address or file; certificates are those of Dask's configuration.

    Raises BandwidthError where it does not answer within 10 s, or its certificates and those here do not go together.
    """
    with _silent_logs(), _client(scheduler, scheduler_file) as client:
        yield DaskCluster(client)


@contextlib.contextmanager
def local_cluster(count: int) -> Iterator[DaskCluster]:
    """Yield a cluster of `count` workers on this machine, each of which counts as a host: for a try-out."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # the usual port may be another cluster's
            silence_logs=50,
            preload=[IGNORE_INTERRUPTS],
        ) as cluster,
        Client(cluster, timeout=CONNECT_S, set_as_default=False) as client,
    ):
        yield DaskCluster(client, each_worker=True)


@contextlib.contextmanager
def _client(scheduler: str | None, scheduler_file: Path | None) -> Iterator[Any]:
    from distributed import Client

    if scheduler_file is not None and not scheduler_file.is_file():
        raise BandwidthError(f"{scheduler_file} does not exist", FILE_HINT)
    place: dict[str, Any] = {"address": scheduler} if scheduler else {"scheduler_file": str(scheduler_file)}
    try:
        client = _within_limit(lambda: Client(**place, timeout=CONNECT_S, set_as_default=False))
    except Exception as error:
        address = scheduler or _address_in(scheduler_file)
        raise why_unreachable(address, _tls_settings(), error) from error
    try:
        yield client
    finally:
        client.close(timeout=2)


def _address_in(scheduler_file: Path | None) -> str:
    """Return the address in a scheduler's file. Raises BandwidthError where it has none."""
    try:
        return str(json.loads(Path(scheduler_file or "").read_text("utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BandwidthError(f"{scheduler_file} names no scheduler", FILE_HINT) from error


def _tls_settings() -> dict[str, object]:
    """Return what Dask's configuration says of a client's certificates, its variables and files taken together."""
    import dask

    return {name: dask.config.get(name, None) for name in TLS_SETTINGS}


@contextlib.contextmanager
def _silent_logs() -> Iterator[None]:
    """Keep Dask's own words of a connection that ends off the terminal: what came of it is told in ours."""
    import distributed  # noqa: F401 - it sets its handlers up

    handlers = logging.getLogger("distributed").handlers
    before = [(handler, handler.level) for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in before:
            handler.setLevel(level)


def _within_limit(connect: Callable[[], Any]) -> Any:
    """Return what `connect` returns, raise what it raises, or TimeoutError after 10 s.

    Dask's own limit covers the connection and not the greeting: something else that listens there holds it for ever.
    """
    answers: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue()

    def work() -> None:
        try:
            answers.put((connect(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again by who waits
            answers.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        found, error = answers.get(timeout=CONNECT_S + 1)  # Dask's own error says more, if it comes
    except queue.Empty:
        raise TimeoutError(f"no greeting within {CONNECT_S:g} s") from None
    if error is not None:
        raise error
    return found


class DaskTask:
    """A future of Dask's."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def is_done(self) -> bool:
        """Return whether it has ended, well or not."""
        return bool(self._future.done())

    def result(self) -> Any:
        """Return what it returned; raises what it raised, BandwidthError where the cluster has dropped it."""
        try:
            return self._future.result(timeout=CONNECT_S)
        except CancelledError as error:
            is_connected = self._future.client.status == "running"
            raise BandwidthError("the cluster dropped its task" if is_connected else SCHEDULER_GONE) from error

    def cancel(self) -> None:
        """Let go of it; the worker stops its measurement."""
        with contextlib.suppress(Exception):
            self._future.cancel(force=True)


class LostTask:
    """What could not be asked for as the scheduler is gone: it has failed."""

    def is_done(self) -> bool:
        """Return True."""
        return True

    def result(self) -> Any:
        """Raise BandwidthError."""
        raise BandwidthError(SCHEDULER_GONE)

    def cancel(self) -> None:
        """Do nothing."""


class DaskCluster:
    """One worker of each host of a Dask cluster; with `each_worker` every worker counts as a host."""

    def __init__(self, client: Any, *, each_worker: bool = False) -> None:
        import cloudpickle

        self._client, self._each_worker = client, each_worker
        # By value: neither scheduler nor workers need this package to take the task.
        cloudpickle.register_pickle_by_value(remote_task)

    def hosts(self) -> Mapping[str, str]:
        """Return the hosts that are there now, each with the address of its first worker."""
        from distributed.comm import get_address_host

        addresses = sorted(self._client.nthreads())
        if self._each_worker:
            return {f"worker-{number}": address for number, address in enumerate(addresses, start=1)}
        return {get_address_host(address): address for address in reversed(addresses)}

    def workers(self) -> Collection[str]:
        """Return the addresses of all workers that are there now; none where the scheduler is gone."""
        if not self._is_connected():  # it would be asked for 10 s more
            return frozenset()
        try:
            return frozenset(self._client.nthreads())
        except (OSError, TimeoutError, RuntimeError):
            return frozenset()

    def describe(self, address: str) -> DaskTask | LostTask:
        """Ask what host a worker is on."""
        return self._submit(address, remote_task.describe_host, DESCRIBE_S)

    def measure(self, address: str, options: Sequence[str], limit_s: float) -> DaskTask | LostTask:
        """Let a worker measure."""
        return self._submit(address, remote_task.measure_as_task, list(options), limit_s)

    def _submit(self, address: str, function: Any, *arguments: Any) -> DaskTask | LostTask:
        # Not Client.run: it would hold the worker's event loop. Not pure: the same question has a new answer each time.
        options = {"workers": [address], "allow_other_workers": False, "pure": False, "retries": 0}
        try:
            return DaskTask(self._client.submit(function, *arguments, **options))
        except Exception:
            if self._is_connected():
                raise
            return LostTask()

    def _is_connected(self) -> bool:
        return bool(self._client.status == "running")


# --- a scheduler that does not answer ---------------------------------------------------------------------------------


def why_unreachable(address: str, settings: Mapping[str, object], error: BaseException) -> BandwidthError:
    """Return the error for a scheduler that could not be reached: what was wrong, and what to do.

    `settings` are the TLS_SETTINGS of Dask's configuration, None where one is not set. It is told in the words of
    Dask, the system and OpenSSL, but for what those do not say: see _UNSAID, and a file that cannot be read, whose
    name OpenSSL leaves out.
    """
    unreadable = next(_unreadable(settings), None)
    if unreadable is not None:
        return BandwidthError(unreadable, "name readable files")
    causes = list(_causes(error))
    told = " ".join(f"{type(one).__name__}: {one}" for one in causes)
    is_tls = address.startswith("tls://")
    for of_tls, said, what, hint in _UNSAID:
        if of_tls in (None, is_tls) and re.search(said, told):
            other = f"{'tcp' if is_tls else 'tls'}://{address.rpartition('://')[2]}"
            missing = ", ".join(_variable(name) for name in TLS_SETTINGS if not settings.get(name))
            return BandwidthError(f"the scheduler {address} {what}", hint.format(other=other, missing=missing))
    hint = f"{_CHECK}, and Dask's TLS settings: {', '.join(map(_variable, TLS_SETTINGS))}" if is_tls else _CHECK
    return BandwidthError(f"the scheduler {address} does not answer: {_first_cause(causes)}", hint)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, down to the first: ten at most, as a chain may be a ring."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _first_cause(causes: Sequence[BaseException]) -> str:
    """Return what the first of the causes that says anything says, on one short line."""
    words = next((str(one) for one in reversed(causes) if str(one).strip()), type(causes[-1]).__name__)
    return " ".join(words.split())[:_LONGEST_TOLD]


def _unreadable(settings: Mapping[str, object]) -> Iterator[str]:
    """Yield what names a file that cannot be read; Dask takes the text of a certificate itself, too."""
    for name, value in settings.items():
        if not isinstance(value, str) or not value or "\n" in value:
            continue
        try:
            Path(value).open("rb").close()
        except (OSError, ValueError) as error:
            yield f"Dask's TLS setting {name} is {value}, which cannot be read: {getattr(error, 'strerror', error)}"


def _variable(setting: str) -> str:
    """Return the environment variable of a setting of Dask's."""
    return f"DASK_{setting.replace('.', '__').replace('-', '_').upper()}"
