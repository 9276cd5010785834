"""A scheduler that speaks TLS, with certificates that `openssl` makes here, and the usual mistakes, a line each."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from bandwidth.errors import BandwidthError
from bandwidth.fleet.on_dask import dask_cluster
from tests.support.pages import blocks

distributed = pytest.importorskip("distributed", reason="the extra `fleet` (distributed) is not installed")
pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here, which makes the certificates"),
    # Dask's own threads and sockets, as it closes.
    pytest.mark.filterwarnings("ignore"),
]
TINY = ["host", "--size", "2MiB", "--budget", "100ms", "--kernel", "copy", "--threads", "1", "--engine", "numpy"]
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(*arguments):
    program = shutil.which("openssl")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_authority(folder):
    """An authority, and a certificate with its key that it has signed."""
    folder.mkdir()
    ca, ca_key, asked = folder / "ca.pem", folder / "ca-key.pem", folder / "me.csr"
    openssl("req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={folder.name}", "-keyout", ca_key, "-out", ca)
    openssl("req", *KEY, "-subj", "/CN=fleet", "-keyout", folder / "me-key.pem", "-out", asked)
    sign = ["-CA", ca, "-CAkey", ca_key, "-set_serial", "1", "-days", "2"]
    openssl("x509", "-req", "-in", asked, *sign, "-out", folder / "me.pem")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two authorities: `cluster` is the scheduler's, `stranger` is another."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("cluster", "stranger"):
        make_authority(folder / name)
    return folder


def certificates(place):
    files = {"cert": str(place / "me.pem"), "key": str(place / "me-key.pem")}
    return {f"tls_{role}_{name}": file for role in ("client", "scheduler", "worker") for name, file in files.items()}


@pytest.fixture(scope="module")
def address(folder):
    """A scheduler with one worker, both over TLS."""
    place = folder / "cluster"
    security = distributed.Security(tls_ca_file=str(place / "ca.pem"), require_encryption=True, **certificates(place))
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tls://",
        security=security,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        silence_logs=50,
    ) as cluster:
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        yield cluster.scheduler_address


def variables(authority, own):
    """The variables by which a user tells Dask of certificates."""
    start = "DASK_DISTRIBUTED__COMM__TLS__"
    client = {f"{start}CLIENT__CERT": str(own / "me.pem"), f"{start}CLIENT__KEY": str(own / "me-key.pem")}
    return {f"{start}CA_FILE": str(authority / "ca.pem"), **client}


def measure(address, tmp_path, **environment):
    """Run the command as a user does, with no setting of Dask's but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    return subprocess.run(
        [sys.executable, "-m", "bandwidth", "fleet", "measure", "--scheduler", address, "--save", "runs", "--", *TINY],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=tmp_path,
        env={**kept, "DASK_CONFIG": str(tmp_path), **environment},
    )


def settings_by_variables(folder, tmp_path):
    return variables(folder / "cluster", folder / "cluster")


def settings_by_the_file_of_the_topic(folder, tmp_path):
    (text,) = blocks("yaml")
    assert text.startswith("distributed:\n")
    assert text.count("/home/me/cluster/") == 3
    (tmp_path / "tls.yaml").write_text(text.replace("/home/me/cluster", str(folder / "cluster")), "utf-8")
    return {}


@pytest.mark.parametrize("settings", [settings_by_variables, settings_by_the_file_of_the_topic])
def test_a_fleet_is_measured_over_tls(address, folder, tmp_path, settings):
    done = measure(address, tmp_path, **settings(folder, tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr  # one machine alone cannot be judged
    assert done.stderr.startswith("[1/1] 127.0.0.1: saved runs/")
    assert len(list(tmp_path.glob("runs/*.json"))) == 1


@pytest.mark.parametrize(
    ("authority", "own", "scheme", "said"),
    [
        (
            None,
            None,
            "tls",
            "requires certificates, and Dask's configuration names none; set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT, DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
        ),
        (
            "cluster",
            "stranger",
            "tls",
            "does not answer: .*(alert unknown ca|Stream is closed|[Cc]onnection reset|[Bb]roken pipe|EOF occurred).*; "
            "check its address, and that it runs, and Dask's TLS settings: .*CLIENT__CERT.*",
        ),
        (
            "stranger",
            "stranger",
            "tls",
            "does not answer: .*certificate verify failed: .*certificate.*; check its address, and that it runs, and "
            "Dask's TLS settings: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, .*",
        ),
        (
            None,
            None,
            "tcp",
            r"closed the connection, as a TLS scheduler does; try tls://127\.0\.0\.1:\d+ and its .*",
        ),
    ],
    ids=["no certificates", "a stranger's certificate", "a stranger's authority", "tcp to tls"],
)
def test_a_mistake_is_one_line_that_says_what_to_do(address, folder, tmp_path, authority, own, scheme, said):
    given = variables(folder / authority, folder / own) if authority else {}
    done = measure(f"{scheme}{address[3:]}", tmp_path, **given)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"bandwidth: the scheduler {scheme}://127\.0\.0\.1:\d+ {said}\n", done.stderr), done.stderr


# --- what is no scheduler over TLS ------------------------------------------------------------------------------------


@pytest.fixture
def answering():
    """Something else that listens: it says what it is told to, and keeps the connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    kept = []

    def start(answer):
        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.sendall(answer)
                kept.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield start
    listening.close()
    for connection in kept:
        connection.close()


# In a process of its own: a connection that is never answered is held by Dask until that process ends; as the command
# does, it ends without waiting for it.
CONNECT = """
import os, sys
from bandwidth.errors import BandwidthError
from bandwidth.fleet import on_dask
on_dask.CONNECT_S = float(sys.argv[2])
try:
    with on_dask.dask_cluster(sys.argv[1], None):
        sys.exit("it is no scheduler")
except BandwidthError as error:
    print(error, flush=True)
    os._exit(0)
"""


def connected(address, folder, limit_s=10.0):
    """What is said of an address, with the cluster's certificates."""
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, address, str(limit_s)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
        env={**os.environ, **variables(folder / "cluster", folder / "cluster")},
    )
    return done.stdout


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("tcp", "is not a Dask scheduler: another service answers there"),
        ("tls", "speaks no TLS, or another version of it; try tcp://"),
    ],
)
def test_something_else_that_speaks_is_told(answering, folder, scheme, said):
    assert said in connected(f"{scheme}://{answering(b'HTTP/1.1 400 Bad Request')}", folder)


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_something_else_that_is_silent_is_not_waited_for(answering, folder, scheme):
    said = connected(f"{scheme}://{answering(b'')}", folder, limit_s=0.5)
    assert re.search(r"does not answer: (Timed out .* after .* s|no greeting within .* s); check its address", said), (
        said
    )


@pytest.fixture
def _configured(folder):
    import dask

    names = {"ca-file": "ca.pem", "client.cert": "me.pem", "client.key": "me-key.pem"}
    given = {f"distributed.comm.tls.{name}": str(folder / "cluster" / file) for name, file in names.items()}
    with dask.config.set(given):
        yield


@pytest.mark.usefixtures("_configured")
def test_a_scheduler_that_goes_is_told_for_each_host_that_is_left(address):
    with dask_cluster(address, None) as found:
        (worker,) = found.hosts().values()
        found._client.close()
        task = found.measure(worker, TINY, 10)
        assert task.is_done()
        with pytest.raises(BandwidthError, match="the scheduler has stopped"):
            task.result()
        assert not found.workers()
