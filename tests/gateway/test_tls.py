"""FIX over TLS: trading, client certificates, and peers that never finish a handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from portcullis.gateway.auth import PasswordHash
from portcullis.gateway.config import ConfigError, load
from portcullis.tools.gateway_process import CONFIG, free_port
from tests.support.fix_client import TIMEOUT_S, FixClient
from tests.support.gateway_process import GatewayProcess

SMALL = """
[journal]
segment_rows = 131072
[limits]
orders = 20000
ids = 40000
unauthenticated_per_address = 50
"""


class Authority:
    """Certificates for a test: the gateway's, clients', and a stranger's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ours = trustme.CA()
        self.ours.cert_pem.write_to_path(str(folder / "ca.pem"))
        server = self.ours.issue_cert("localhost")
        server.private_key_pem.write_to_path(str(folder / "key.pem"))
        for number, blob in enumerate(server.cert_chain_pems):
            blob.write_to_path(str(folder / "chain.pem"), append=number > 0)

    def client(self, name: str | None, ca: trustme.CA | None = None) -> ssl.SSLContext:
        """A client's context, with a certificate of that name."""
        context = ssl.create_default_context()
        self.ours.configure_trust(context)
        if name is not None:
            (ca or self.ours).issue_cert(name).configure_cert(context)
        return context


class TlsClient(FixClient):
    """A client over TLS."""

    def __init__(self, name: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(name, port)
        self._context = context

    def connect(self) -> FixClient:
        super().connect()
        self._socket = self._context.wrap_socket(self.link, server_hostname="localhost")
        return self


class TlsGateway(GatewayProcess):
    """A gateway that listens for both; CLIENT1 must show the certificate "one.example"."""

    def __init__(self, directory: Path, limits: str = "") -> None:
        directory.mkdir(exist_ok=True)
        self.authority = Authority(directory)
        self.tls_port = free_port()
        listen = f'[listen]\nfix_tls = "127.0.0.1:{self.tls_port}"'
        config = CONFIG.replace("[listen]", listen)
        config = config.replace(
            'client = "CLIENT1"', 'client = "CLIENT1"\ncertificate = "one.example"'
        )
        config += """
[[session]]
protocol = "fix"
client = "CLIENT3"
account = "CLIENT3"
tls = true
messages_per_second = 100
password_hash = "{hash}"
[[session]]
protocol = "fix"
client = "CLIENT4"
account = "CLIENT4"
password_hash = "{hash}"
logon_reject = "logout"
[tls]
certificate = "chain.pem"
key = "key.pem"
client_ca = "ca.pem"
client_certificates = "optional"
"""
        secret = PasswordHash.make(b"sesame")
        super().__init__(directory, config.replace("{hash}", str(secret)) + SMALL + limits)

    def client(self, name: str, certificate: str | None = None) -> TlsClient:
        return TlsClient(name, self.tls_port, self.authority.client(certificate))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[TlsGateway]:
    with TlsGateway(tmp_path / "gateway") as gateway:
        yield gateway


def is_refused(client: FixClient) -> bool:
    """Whether its Logon is answered by closing."""
    client.connect().send("A", "98=0", "108=30", seq=1)
    try:
        return client.is_closed_by_peer()
    finally:
        client.close()


def test_both_sides_of_a_trade_over_tls_and_plain(gateway: TlsGateway) -> None:
    seller, buyer = gateway.client("CLIENT1", "one.example"), FixClient("CLIENT2", gateway.port)
    for client in (seller, buyer):
        client.log_on()
    seller.link.sendall(seller.order("s1", "2", "1", "100"))
    seller.expect("8", t150="0")
    buyer.link.sendall(buyer.order("b1", "1", "1", "100"))
    buyer.expect("8", t150="0")
    buyer.expect("8", t150="F")
    seller.expect("8", t150="F")
    for client in (seller, buyer):
        client.log_out()


def test_more_than_a_read_and_a_write_take_arrives_whole_and_in_order(gateway: TlsGateway) -> None:
    client = gateway.client("CLIENT2")
    client.log_on()
    # 1.4 MB each way, unread until all is sent: several reads of the shared buffer, and a cursor
    # that stops at a full socket.
    orders, text = 400, "58=" + "x" * 3500
    client.link.sendall(
        b"".join(client.order(f"o{n}", "1", "1", "10", text) for n in range(orders))
    )
    for n in range(orders):
        client.expect("8", t150="0", t11=f"o{n}", t58=text[3:])
    client.send("2", "7=2", "16=0")
    for n in range(orders):
        client.expect("8", t43="Y", t11=f"o{n}")
    client.log_out()


def test_a_session_with_a_certificate_lets_nobody_else_in(gateway: TlsGateway) -> None:
    for client in (
        gateway.client("CLIENT1"),
        gateway.client("CLIENT1", "two.example"),
        FixClient("CLIENT1", gateway.port),
    ):
        assert is_refused(client)
    client = gateway.client("CLIENT1", "one.example")
    client.log_on()
    assert is_refused(gateway.client("CLIENT1"))  # and nobody makes it show life
    assert client.barrier() == []
    client.close()
    log = gateway.log.read_text()
    assert '"reason":"certificate"' in log
    assert '"reason":"not over TLS"' in log


def test_a_session_for_tls_alone_is_refused_without(gateway: TlsGateway) -> None:
    assert is_refused(FixClient("CLIENT3", gateway.port))
    client = gateway.client("CLIENT3")
    client.log_on("554=sesame")
    client.close()


def test_who_is_refused_and_does_not_hang_up_holds_no_place(gateway: TlsGateway) -> None:
    stranger, client = gateway.client("CLIENT4"), gateway.client("CLIENT4")
    stranger.connect().send("A", "98=0", "108=30", "554=guess")
    stranger.expect("5", t58="Logon refused")  # and it does not say that it has seen the end
    client.next_in = 2
    client.log_on("554=sesame")
    assert client.barrier() == []
    stranger.close()
    assert client.barrier() == []
    client.close()


def test_reading_stops_and_goes_on_over_tls_too(gateway: TlsGateway) -> None:
    client = gateway.client("CLIENT3")
    client.connect()
    # It stops once for the password, and again for what comes faster than it may.
    logon = client.frame("A", "98=0", "108=30", "554=sesame")
    orders = [client.order(f"o{n}", "1", "1", "10") for n in range(150)]
    client.link.sendall(logon + b"".join(orders[:20]))
    client.link.sendall(b"".join(orders[20:]))
    client.expect("A")
    for n in range(150):
        client.expect("8", t150="0", t11=f"o{n}")
    client.log_out()


def test_a_certificate_of_somebody_else_ends_the_handshake(gateway: TlsGateway) -> None:
    stranger = gateway.authority.client("one.example", trustme.CA())
    client = TlsClient("CLIENT1", gateway.tls_port, stranger)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        client.log_on()
    client.close()
    # Under TLS 1.3 a client is done before its certificate is looked at: the next one is behind.
    other = gateway.client("CLIENT2")
    other.log_on()
    other.close()
    said = "its certificate has expired or is not from client_ca"
    assert f'"event":"handshake_failed","host":"127.0.0.1","reason":"{said}"' in (
        gateway.log.read_text()
    )


def test_what_is_no_tls_is_called_so(gateway: TlsGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.tls_port), TIMEOUT_S) as link:
        link.sendall(b"8=FIX.4.4\x019=5\x01" + bytes(40))
        with contextlib.suppress(ConnectionError):
            while link.recv(1024):
                pass
    deadline_s = time.monotonic() + TIMEOUT_S
    while '"reason":"what it sent is not TLS"' not in gateway.log.read_text():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_handshakes_that_never_end_hold_places_for_a_while_only(tmp_path: Path) -> None:
    limits = 'logon_timeout = "3s"\n'
    with TlsGateway(tmp_path / "gateway", limits) as gateway, contextlib.ExitStack() as links:
        address = ("127.0.0.1", gateway.tls_port)
        held = [
            links.enter_context(socket.create_connection(address, TIMEOUT_S)) for _ in range(60)
        ]
        for number, link in enumerate(held):
            with contextlib.suppress(ConnectionError):
                link.sendall(b"8=FIX.4.4" if number % 2 else b"\x16\x03\x01\x02\x00")
        for link in held:
            with contextlib.suppress(ConnectionError):
                while link.recv(4096):
                    pass
        client = gateway.client("CLIENT2")
        client.log_on()
        client.close()
    assert "of this address that have not logged on" in gateway.log.read_text()


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('key = "key.pem"', "", "[tls] key certificate: expected with key"),
        ('"key.pem"', '"none.pem"', "[tls] key key: {}/none.pem: No such file"),
        ('"key.pem"', '"ca.pem"', "[tls] key key: {}/ca.pem: expected a private key in PEM form"),
        ('"key.pem"', '"other.pem"', "[tls] key key: {}/other.pem is not the key of {}/chain.pem"),
        ('"key.pem"', '"locked.pem"', "[tls] key key: {}/locked.pem is encrypted: expected a"),
        ('"key.pem"', '"broken.pem"', "chain.pem, {}/broken.pem: expected a certificate and its"),
        ('"chain.pem"', '"none.pem"', "[tls] key certificate: {}/none.pem: No such file"),
        ('"chain.pem"', '"key.pem"', "[tls] key certificate: {}/key.pem: expected a certificate"),
        ('client_ca = "ca.pem"', "", "[tls] key client_ca: expected"),
        (
            '"ca.pem"',
            '"key.pem"',
            "[tls] key client_ca: {}/key.pem: expected a certificate",
        ),
        ('"ca.pem"', '"bad-ca.pem"', "{}/bad-ca.pem: expected certificates, and one cannot be"),
        ('"optional"', '"none"', "[[session]] 1 key certificate: expected [tls]"),
        ("fix_tls", "fix", "[[session]] 1 key tls: expected [listen] fix_tls"),
    ],
)
def test_what_is_wrong_with_tls_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    Authority(tmp_path)
    begin, end = "-----BEGIN ", "-----\nAAAA\n-----END "
    for name, kind in (
        ("broken", "PRIVATE KEY"),
        ("locked", "ENCRYPTED PRIVATE KEY"),
        ("bad-ca", "CERTIFICATE"),
    ):
        (tmp_path / f"{name}.pem").write_text(f"{begin}{kind}{end}{kind}-----\n")
    (tmp_path / "other").mkdir()
    Authority(tmp_path / "other")
    (tmp_path / "other" / "key.pem").rename(tmp_path / "other.pem")
    text = """
[listen]
fix_tls = "127.0.0.1:0"
[tls]
certificate = "chain.pem"
key = "key.pem"
client_ca = "ca.pem"
client_certificates = "optional"
[[session]]
protocol = "fix"
client = "CLIENT1"
account = "CLIENT1"
certificate = "one.example"
"""
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    load(path)
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as error:
        load(path)
    assert said.replace("{}", str(tmp_path)) in str(error.value)
