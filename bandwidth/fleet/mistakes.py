"""What keeps a Dask scheduler from answering and what to do about it, from what Dask or OpenSSL says: one line each."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from bandwidth.errors import BandwidthError

# Where Dask looks for what a client's TLS takes; each may be set in the environment or in a configuration file.
TLS_SETTINGS = ("distributed.comm.tls.ca-file", "distributed.comm.tls.client.cert", "distributed.comm.tls.client.key")
_AUTHORITY, _CERTIFICATE, _ = TLS_SETTINGS
_CLOSED = "ConnectionReset|BrokenPipe|Stream is closed|SSLEOFError"
_CHECK = "check its address, and that it runs"
_LONGEST_TOLD = 160
# By the scheme of the address (empty: any) and what the error or one of its causes says; the first that fits counts.
_MISTAKES = (
    ("tls", "ssl_context", "takes certificates, and Dask's configuration has none here", "{give}"),
    ("tls", "CERTIFICATE_VERIFY_FAILED", "shows a certificate that is not accepted here: {verified}", "{authority}"),
    ("tls", "(?i)alert[ _](?!protocol|handshake)", "refuses the certificate of this client: {reason}", "{client}"),
    ("tls", _CLOSED, "closed the connection, perhaps as it refuses the certificate of this client", "{client}"),
    ("tls", "SSLError|FatalCommClosed|IOStream is not idle", "speaks no TLS, or another version of it", "try {other}"),
    ("tcp", "encryption required", "has no encryption, which Dask's configuration requires", "try {other}"),
    ("tcp", _CLOSED, "closed the connection, as those that speak TLS do", "try {other}, and its certificates"),
    ("", "MemoryError", "is none of Dask's: something else answers there", _CHECK),
    ("", "gaierror|Name or service", "does not answer within 10 s: its name is not known", _CHECK),
    ("", "ConnectionRefused", "does not answer within 10 s: nothing listens there", _CHECK),
    ("", "Timed out|TimeoutError|no greeting", "does not answer within 10 s", _CHECK),
    ("", "missing port|invalid literal|unknown address scheme", "has no such address", "write tcp://login:8786"),
)


def explain(address: str, settings: Mapping[str, object], error: BaseException) -> BandwidthError:
    """Return the error for a scheduler that could not be reached: what was wrong, and what to do.

    `settings` are the TLS_SETTINGS of Dask's configuration, None where one is not set. What is not known here is
    told in Dask's words.
    """
    unreadable = next(_unreadable(settings), None)
    if unreadable is not None:
        return BandwidthError(unreadable, "name files that can be read here")
    causes = list(_causes(error))
    if isinstance(error, ssl.SSLError):  # raised itself, so before any connection: Dask wraps those of connections
        what = f"Dask's TLS settings cannot be used: {_reason(causes)}"
        return BandwidthError(what, "give a certificate and the key that belongs to it")
    told = " ".join(f"{type(one).__name__}: {one}" for one in causes)
    scheme = "tls" if address.startswith("tls://") else "tcp"
    for of_scheme, said, what, hint in _MISTAKES:
        if of_scheme in ("", scheme) and re.search(said, told):
            words = _words(address, settings, causes)
            return BandwidthError(f"the scheduler {address} {what.format(**words)}", hint.format(**words))
    first = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_TOLD]
    return BandwidthError(f"the scheduler {address} does not answer: {first}", f"{_CHECK}, and Dask's TLS settings")


def _words(address: str, settings: Mapping[str, object], causes: list[BaseException]) -> dict[str, str]:
    """Return what the lines above have in them."""
    missing = [_variable(name) for name in TLS_SETTINGS if not settings.get(name)]
    host = address.rpartition("://")[2]
    return {
        "give": f"set {', '.join(missing)}",
        "authority": f"set {_variable(_AUTHORITY)} to the certificate of the cluster's authority",
        "client": f"set {_variable(_CERTIFICATE)} to one that the cluster's authority signed",
        "verified": str(next((getattr(one, "verify_message", "") for one in reversed(causes)), "") or _reason(causes)),
        "reason": _reason(causes),
        "other": f"tcp://{host}" if address.startswith("tls://") else f"tls://{host}",
    }


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, down to the first: ten at most, as a chain may be a ring."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _reason(causes: list[BaseException]) -> str:
    """Return what OpenSSL says, without its codes and places: `[SSL: X] what it says (_ssl.c:1)`."""
    said = next((str(one) for one in causes if "[" in str(one)), "") or str(causes[-1]) or type(causes[-1]).__name__
    match = re.search(r"\[[A-Z0-9: _]+\]:? *([^(\[]+)", said)
    return " ".join((match[1] if match else said).split())[:_LONGEST_TOLD]


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
