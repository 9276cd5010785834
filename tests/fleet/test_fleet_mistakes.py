"""What keeps a scheduler from answering, from errors as Dask and OpenSSL raise them: a cause and what to do."""

from __future__ import annotations

import socket
import ssl

import pytest

from bandwidth.fleet.mistakes import TLS_SETTINGS, explain

NONE_SET = dict.fromkeys(TLS_SETTINGS)


def chained(error, cause):
    error.__cause__ = cause
    return error


def timed_out(cause):
    return chained(OSError("Timed out trying to connect to tcp://x:1 after 10 s"), cause)


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("tcp://x:1", timed_out(TimeoutError()), "does not answer within 10 s; check its address, and that it runs"),
        (
            "tcp://x:1",
            timed_out(OSError("in <X>: ConnectionRefusedError: [Errno 111] Connection refused")),
            "does not answer within 10 s: nothing listens there; check its address, and that it runs",
        ),
        (
            "tcp://x:1",
            timed_out(socket.gaierror(-2, "Name or service not known")),
            "does not answer within 10 s: its name is not known; check its address, and that it runs",
        ),
        ("tcp://x", ValueError("missing port number in address 'x'"), "has no such address; write tcp://login:8786"),
        (
            "tcp://x:1",
            RuntimeError("encryption required by Dask configuration, refusing communication from/to 'tcp://x:1'"),
            "has no encryption, which Dask's configuration requires; try tls://x:1",
        ),
        (
            "tls://x:1",
            OSError("in <TLS>: ConnectionResetError: [Errno 104] Connection reset by peer"),
            "closed the connection, perhaps as it refuses the certificate of this client; "
            "set DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT to one that the cluster's authority signed",
        ),
        (
            "tls://x:1",
            OSError("in <TLS>: SSLEOFError: EOF occurred in violation of protocol (_ssl.c:2427)"),
            "closed the connection, perhaps as it refuses the certificate of this client; "
            "set DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT to one that the cluster's authority signed",
        ),
        (
            "tls://x:1",
            OSError("in <TLS>: SSLError: [SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert expired (_ssl.c:1)"),
            "refuses the certificate of this client: sslv3 alert expired; "
            "set DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT to one that the cluster's authority signed",
        ),
    ],
)
def test_a_cause_is_told_with_what_to_do(address, error, said):
    assert str(explain(address, NONE_SET, error)) == f"the scheduler {address} {said}"


def test_what_is_not_known_is_told_in_its_own_words_and_short():
    line = str(explain("tcp://x:1", NONE_SET, LookupError("a word\n" * 100)))
    assert line.startswith("the scheduler tcp://x:1 does not answer: LookupError: a word a word")
    assert line.endswith("; check its address, and that it runs, and Dask's TLS settings")
    assert len(line) < 300


def test_a_certificate_that_cannot_be_read_is_named(tmp_path):
    text = "-----BEGIN CERTIFICATE-----\nthe text itself, which Dask takes too"
    settings = {TLS_SETTINGS[0]: text, TLS_SETTINGS[1]: str(tmp_path / "no.pem"), TLS_SETTINGS[2]: None}
    line = str(explain("tls://x:1", settings, FileNotFoundError(2, "No such file or directory")))
    assert line == (
        f"Dask's TLS setting distributed.comm.tls.client.cert is {tmp_path}/no.pem, which cannot be read: "
        "No such file or directory; name files that can be read here"
    )


def test_a_key_of_another_certificate_is_told():
    error = ssl.SSLError(1, "[X509: KEY_VALUES_MISMATCH] key values mismatch (_ssl.c:3926)")
    line = str(explain("tls://x:1", NONE_SET, error))
    assert line == (
        "Dask's TLS settings cannot be used: key values mismatch; give a certificate and the key that belongs to it"
    )


def test_a_ring_of_causes_ends():
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    assert "does not answer: OSError: a" in str(explain("tcp://x:1", NONE_SET, first))
