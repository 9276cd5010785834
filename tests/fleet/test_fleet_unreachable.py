"""What keeps a scheduler from answering, from errors as Dask and OpenSSL raise them: their words and what to do."""

from __future__ import annotations

import socket
import ssl

import pytest

from bandwidth.fleet.on_dask import TLS_SETTINGS, why_unreachable

NONE_SET = dict.fromkeys(TLS_SETTINGS)
CHECK = "check its address, and that it runs"
CHECK_TLS = (
    f"{CHECK}, and Dask's TLS settings: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT, DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"
)


def chained(error, cause):
    error.__cause__ = cause
    return error


def timed_out(cause):
    return chained(OSError("Timed out trying to connect to tcp://x:1 after 10 s"), cause)


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        (
            "tcp://x:1",
            timed_out(TimeoutError()),
            f"does not answer: Timed out trying to connect to tcp://x:1 after 10 s; {CHECK}",
        ),
        (
            "tcp://x:1",
            timed_out(ConnectionRefusedError(111, "Connection refused")),
            f"does not answer: [Errno 111] Connection refused; {CHECK}",
        ),
        (
            "tcp://x:1",
            timed_out(socket.gaierror(-2, "Name or service not known")),
            f"does not answer: [Errno -2] Name or service not known; {CHECK}",
        ),
        (
            "tcp://x",
            ValueError("missing port number in address 'x'"),
            f"does not answer: missing port number in address 'x'; {CHECK}",
        ),
        (
            "tcp://x:1",
            RuntimeError("encryption required by Dask configuration, refusing communication from/to 'tcp://x:1'"),
            "does not answer: encryption required by Dask configuration, refusing communication from/to 'tcp://x:1'; "
            f"{CHECK}",
        ),
        (
            "tcp://x:1",
            OSError("in <TCP>: ConnectionResetError: [Errno 104] Connection reset by peer"),
            "closed the connection, as a TLS scheduler does; try tls://x:1 and its certificates",
        ),
        (
            "tls://x:1",
            chained(
                OSError("Timed out"), ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)")
            ),
            "speaks no TLS, or another version of it; try tcp://x:1",
        ),
        (
            "tls://x:1",
            chained(
                OSError("Timed out"), ssl.SSLError(1, "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert expired")
            ),
            f"does not answer: [SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert expired; {CHECK_TLS}",
        ),
    ],
)
def test_a_cause_is_told_with_what_to_do(address, error, said):
    assert str(why_unreachable(address, NONE_SET, error)) == f"the scheduler {address} {said}"


def test_what_is_not_known_is_told_in_its_own_words_and_short():
    line = str(why_unreachable("tcp://x:1", NONE_SET, LookupError("a word\n" * 100)))
    assert line.startswith("the scheduler tcp://x:1 does not answer: a word a word")
    assert line.endswith(f"; {CHECK}")
    assert len(line) < 300


def test_a_certificate_that_cannot_be_read_is_named(tmp_path):
    text = "-----BEGIN CERTIFICATE-----\nthe text itself, which Dask takes too"
    settings = {TLS_SETTINGS[0]: text, TLS_SETTINGS[1]: str(tmp_path / "no.pem"), TLS_SETTINGS[2]: None}
    line = str(why_unreachable("tls://x:1", settings, FileNotFoundError(2, "No such file or directory")))
    assert line == (
        f"Dask's TLS setting distributed.comm.tls.client.cert is {tmp_path}/no.pem, which cannot be read: "
        "No such file or directory; name readable files"
    )


def test_a_key_of_another_certificate_is_told():
    error = ssl.SSLError(1, "[X509: KEY_VALUES_MISMATCH] key values mismatch (_ssl.c:3926)")
    line = str(why_unreachable("tls://x:1", NONE_SET, error))
    assert "does not answer: [X509: KEY_VALUES_MISMATCH] key values mismatch (_ssl.c:3926); " in line
    assert line.endswith(CHECK_TLS)


def test_a_ring_of_causes_ends():
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    assert "does not answer: " in str(why_unreachable("tcp://x:1", NONE_SET, first))
