"""Peers that mean harm, or that stand still: each costs little, and nobody else notices."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.gateway.auth import PasswordHash
from portcullis.tools.gateway_process import CONFIG, OUCH_CONFIG
from tests.support import counted_hashes
from tests.support.fix_client import TIMEOUT_S, FixClient, utc_now
from tests.support.gateway_process import GatewayProcess

LIMITS = """
[journal]
segment_rows = 131072
[limits]
logon_timeout = "3s"
unauthenticated = 100
orders = 20000
ids = 40000
"""
STRANGERS = 1000
GROWTH_MAX = 32 << 20


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        yield gateway


@pytest.fixture
def victim(gateway: GatewayProcess) -> Iterator[FixClient]:
    """A client that only wants to trade."""
    client = FixClient("CLIENT2", gateway.port)
    client.log_on()
    yield client
    client.close()


def assert_trades(client: FixClient) -> None:
    """The client's order is answered as if nobody else were there."""
    cl_ord_id = f"v{client.next_out}"
    client.link.sendall(client.order(cl_ord_id, "1", "1", "10"))
    client.expect("8", t150="0", t11=cl_ord_id)


def connect(gateway: GatewayProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT_S)


def wait_for_end(link: socket.socket) -> bytes:
    """All that is said until the other side closes."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while octets := link.recv(65536):
            said += octets
    return said


def fills_in(octets: bytes) -> list[tuple[int, int]]:
    """MsgSeqNum(34) and LeavesQty(151) of the whole reports, faster than message by message."""
    whole = rb"\x0135=8\x0134=(\d+)\x01.*?\x01151=(\d+)\x01.*?\x0110=\d{3}\x01"
    return [(int(seq), int(left)) for seq, left in re.findall(whole, octets, re.DOTALL)]


def hostile_openings(rng: random.Random) -> list[bytes]:
    client = FixClient("CLIENT1", 0)
    logon = client.frame("A", "98=0", "108=30", seq=1)
    return [
        bytes(rng.randrange(256) for _ in range(5000)) + b"10=000\x01",
        b"GET / HTTP/1.1\r\n\r\n8=FIX.4.4\x01" + logon,
        b"8=FIX.4.4\x019=100000000\x0135=A\x01" + b"x" * 1000,
        b"8=FIX.4.4\x019=99999999999999999999\x0135=A\x01",
        b"8=FIX.4.4\x019=-5\x0135=A\x01" + logon,
        logon.replace(b"CLIENT1", b"CLIENT9"),
        FixClient("CLIENT1", 0).frame("D", "11=1", "55=BTC-USD", seq=1),
        FixClient("NOBODY", 0).frame("A", "98=0", "108=30", seq=1),
        client.frame("A", "98=0", "108=30", "56=OTHER", seq=1),
        client.frame("A", "98=0", "108=30", "52=20200101-00:00:00", seq=1),
        client.frame("A", "98=0", "108=30", seq=1).replace(b"FIX.4.4", b"FIX.4.2"),
    ]


def test_a_hostile_opening_is_closed_without_a_word(
    gateway: GatewayProcess, victim: FixClient, seed: int
) -> None:
    with contextlib.ExitStack() as links:
        opened = []
        for opening in hostile_openings(random.Random(seed)):
            opened.append((links.enter_context(connect(gateway)), opening))
            opened[-1][0].sendall(opening)
            assert_trades(victim)
        for link, opening in opened:  # some are waited for, to go on
            assert wait_for_end(link) == b"", opening[:60]
    assert_trades(victim)


def test_a_logon_that_comes_drop_by_drop_is_out_of_time(
    gateway: GatewayProcess, victim: FixClient
) -> None:
    logon = FixClient("CLIENT1", 0).frame("A", "98=0", "108=30", seq=1)
    with connect(gateway) as link:
        link.settimeout(0.1)
        with contextlib.suppress(ConnectionError):
            for octet in logon:
                link.sendall(bytes([octet]))
                with contextlib.suppress(TimeoutError):
                    if link.recv(1) == b"":
                        break
            else:
                raise AssertionError("the whole Logon was waited for")
    assert_trades(victim)


def test_who_hangs_up_half_way_is_forgotten(gateway: GatewayProcess, victim: FixClient) -> None:
    with connect(gateway) as link:
        link.sendall(b"8=FIX.4.4\x019=100\x0135=A")
        link.shutdown(socket.SHUT_WR)
        assert wait_for_end(link) == b""
    assert_trades(victim)


def test_a_thousand_strangers_cost_little(gateway: GatewayProcess, victim: FixClient) -> None:
    before = gateway.memory_bytes
    with contextlib.ExitStack() as links:
        strangers = []
        for _ in range(STRANGERS):
            with contextlib.suppress(ConnectionError):
                link = links.enter_context(connect(gateway))
                link.sendall(b"8=FIX.4.4\x019=10000\x0135=A\x01" + b"x" * 8000)
                strangers.append(link)
        assert_trades(victim)
        assert gateway.memory_bytes - before < GROWTH_MAX
        for link in strangers:
            assert wait_for_end(link) == b""
    assert_trades(victim)


def test_a_flood_of_garbage_after_the_logon_costs_little(
    gateway: GatewayProcess, victim: FixClient, seed: int
) -> None:
    rng = random.Random(seed)
    flood = FixClient("CLIENT1", gateway.port)
    flood.log_on()
    before = gateway.memory_bytes
    garbage = b"".join(
        flood.frame("0", seq=n).replace(b"10=", b"11=") + rng.randbytes(200) for n in range(60)
    )
    with contextlib.suppress(ConnectionError):
        for _ in range(5):
            flood.link.sendall(garbage)
    assert_trades(victim)
    assert gateway.memory_bytes - before < GROWTH_MAX
    assert gateway.log.stat().st_size < 1 << 20
    flood.close()


def test_who_does_not_read_stops_its_own_cursor_only(
    gateway: GatewayProcess, victim: FixClient
) -> None:
    orders = 1600  # whose reports are more than the kernel and the gateway hold for a socket
    text = "58=" + "x" * 3500
    slow = FixClient("CLIENT1", gateway.port)
    slow.log_on()
    slow.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    before = gateway.memory_bytes
    for number in range(orders):
        slow.link.sendall(slow.order(f"s{number}", "2", "1", "100", text))
        if number % 500 == 0:
            assert_trades(victim)
    assert_trades(victim)
    assert gateway.memory_bytes - before < GROWTH_MAX
    for number in range(orders):
        slow.expect("8", t150="0", t11=f"s{number}", t58=text[3:])
    assert slow.barrier() == []
    slow.close()


def test_who_falls_too_far_behind_is_cut_and_gets_the_rest_on_return(tmp_path: Path) -> None:
    fills = 1600  # whose reports are more than the kernel and the gateway hold for a socket
    with GatewayProcess(tmp_path, CONFIG + LIMITS + "max_lag = 100\n") as gateway:
        slow, other = FixClient("CLIENT1", gateway.port), FixClient("CLIENT2", gateway.port)
        slow.log_on()
        other.log_on()
        slow.link.sendall(slow.order("s", "2", str(fills), "100", "58=" + "x" * 3500))
        slow.expect("8", t150="0")
        for first in range(0, fills, 50):
            orders = (other.order(f"b{first + n}", "1", "1", "100") for n in range(50))
            other.link.sendall(b"".join(orders))
            for _ in range(50):
                other.expect("8", t150="0")
                other.expect("8", t150="F")
        waited_until = time.monotonic() + TIMEOUT_S
        while '"slow_consumer"' not in gateway.log.read_text():
            assert time.monotonic() < waited_until, "it was not cut"
            other.barrier()
        before = fills_in(wait_for_end(slow.link))
        assert 0 < len(before) < fills
        slow.next_in = fills + 3
        slow.log_on()
        slow.send("2", f"7={len(before) + 3}", f"16={fills + 2}")
        octets = b""
        while len(fills_in(octets)) < fills - len(before):
            octets += slow.link.recv(1 << 20)
        numbers = [(seq + 3, fills - 1 - seq) for seq in range(fills)]
        assert before + fills_in(octets) == numbers
        assert slow.barrier() == []
        slow.close()
        other.close()


def test_a_wrong_password_is_closed_without_a_word(tmp_path: Path) -> None:
    digest = hashlib.scrypt(b"sesame", salt=b"salt", n=1024, r=8, p=1, dklen=32)
    secret = f"scrypt:1024:8:1:{b'salt'.hex()}:{digest.hex()}"
    config = CONFIG.replace(
        'client = "CLIENT1"', f'client = "CLIENT1"\npassword_hash = "{secret}"'
    )
    with GatewayProcess(tmp_path, config) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        for fields in ((), ("554=guessed",), ("141=Y", "554=guessed")):
            client.connect()
            client.send("A", "98=0", "108=30", *fields, seq=1)
            assert client.is_closed_by_peer()
        client.log_on("554=sesame")
        assert client.next_in == 2
        client.link.sendall(client.order("o1", "1", "1", "10"))
        client.expect("8", t150="0")
        client.close()
        assert "sesame" not in gateway.log.read_text()
        assert "guessed" not in gateway.log.read_text()


def test_a_client_may_not_come_from_elsewhere(tmp_path: Path) -> None:
    networks = 'client = "CLIENT1"\naddresses = ["10.0.0.0/8"]'
    with GatewayProcess(tmp_path, CONFIG.replace('client = "CLIENT1"', networks)) as gateway:
        client = FixClient("CLIENT1", gateway.port).connect()
        client.send("A", "98=0", "108=30", f"52={utc_now()}")
        assert client.is_closed_by_peer()
        client.close()


# --- who guesses passwords, and who only knows the CompIDs ---------------------------------------


def guarded(password: str, more: str = "", n: int = 1 << 10) -> str:
    """CLIENT1 has that password."""
    digest = hashlib.scrypt(
        password.encode(), salt=b"salt", n=n, r=8, p=1, maxmem=1 << 28, dklen=32
    )
    secret = f"scrypt:{n}:8:1:{b'salt'.hex()}:{digest.hex()}"
    named = 'client = "CLIENT1"'
    return CONFIG.replace(named, f'{named}\npassword_hash = "{secret}"\n{more}')


def test_a_stranger_who_knows_the_comp_ids_holds_no_place(tmp_path: Path) -> None:
    # A hash that takes long, so that guesses are being checked when the client comes.
    config = guarded("sesame", n=1 << 15) + LIMITS.replace("3s", "20s")
    with GatewayProcess(tmp_path, config) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        with contextlib.ExitStack() as links:
            guess = FixClient("CLIENT1", 0).frame("A", "98=0", "108=30", "554=guess", seq=1)
            guessers = [links.enter_context(connect(gateway)) for _ in range(5)]
            for link in guessers:
                link.sendall(guess)
            client.log_on("554=sesame")  # waits for its turn, behind one address's guesses
            for link in guessers:
                assert wait_for_end(link) == b""
            # Nor does a guess make the one that is connected show life.
            with connect(gateway) as link:
                link.sendall(guess)
                assert wait_for_end(link) == b""
        assert client.barrier() == []
        client.close()


def test_a_flood_of_guesses_is_closed_unchecked_and_the_other_trades(tmp_path: Path) -> None:
    config = guarded("sesame") + LIMITS
    with GatewayProcess(tmp_path, config) as gateway:
        victim = FixClient("CLIENT2", gateway.port)
        victim.log_on()
        for number in range(60):
            guesser = FixClient("CLIENT1", gateway.port).connect()
            guesser.send("A", "98=0", "108=30", f"554=hunter{number}", seq=1)
            assert guesser.is_closed_by_peer()
            guesser.close()
        assert_trades(victim)
        reasons = [line for line in gateway.log.read_text().splitlines() if "refused" in line]
        assert any("wrong password" in line for line in reasons)
        # The right one, too, until the failures of this address have worn off.
        guesser = FixClient("CLIENT1", gateway.port).connect()
        guesser.send("A", "98=0", "108=30", "554=sesame", seq=1)
        assert guesser.is_closed_by_peer()
        guesser.close()
        victim.close()
        assert "hunter" not in gateway.log.read_text()


def login(username: str, password: str) -> bytes:
    body = b"L" + username.ljust(6).encode() + password.ljust(10).encode() + b" " * 29 + b"1"
    return len(body).to_bytes(2, "big") + body


def test_no_time_tells_whether_a_name_exists(tmp_path: Path) -> None:
    """Whoever is refused has waited for one hash, as costly as that of a wrong password."""
    secret = PasswordHash.make(b"sesame", n=1 << 10)
    config = OUCH_CONFIG.replace('firm = "ACME"', f'password_hash = "{secret}"', 1)
    for name in ("CLIENT1", "CLIENT2"):
        config = config.replace(
            f'client = "{name}"', f'client = "{name}"\npassword_hash = "{secret}"'
        )
    config = config.replace('client = "CLIENT2"', 'client = "CLIENT2"\naddresses = ["10.0.0.0/8"]')
    hashes = tmp_path / "hashes"
    environment = {counted_hashes.VARIABLE: str(hashes), "PYTHONPATH": str(Path.cwd())}
    guess = ("98=0", "108=30", "554=guess")
    with GatewayProcess(tmp_path, config, environment, [counted_hashes.__file__]) as gateway:
        openings = [
            (gateway.port, FixClient(name, 0).frame("A", *guess, seq=1))
            for name in ("CLIENT1", "CLIENT2", "NOBODY")
        ] + [(gateway.ouch_port, login(name, "guess")) for name in ("OUCH1", "NOBODY")]
        for number, (port, opening) in enumerate(openings, 1):
            with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as link:
                link.sendall(opening)
                answer = wait_for_end(link)
            assert hashes.read_text().splitlines() == ["1024 8 1"] * number, opening
            assert answer == (b"" if port == gateway.port else b"\x00\x02JA")


def test_names_that_do_not_exist_count_as_wrong_passwords(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, guarded("sesame") + LIMITS) as gateway:
        for number in range(31):
            guesser = FixClient(f"NOBODY{number}", gateway.port).connect()
            guesser.send("A", "98=0", "108=30", "554=guess", seq=1)
            assert guesser.is_closed_by_peer()
            guesser.close()
        client = FixClient("CLIENT1", gateway.port).connect()
        client.send("A", "98=0", "108=30", "554=sesame", seq=1)
        assert client.is_closed_by_peer()
        client.close()
        assert "too many failed Logons from this address" in gateway.log.read_text()


def test_one_address_gets_its_share_of_connections_only(tmp_path: Path) -> None:
    limits = LIMITS.replace("logon_timeout", "unauthenticated_per_address = 3\nlogon_timeout")
    with GatewayProcess(tmp_path, CONFIG + limits) as gateway, contextlib.ExitStack() as links:
        held = [links.enter_context(connect(gateway)) for _ in range(3)]
        with connect(gateway) as link:
            assert wait_for_end(link) == b""
        # Another address still gets in: the whole of 127.0.0.0/8 is this machine.
        other = links.enter_context(socket.socket())
        other.settimeout(TIMEOUT_S)
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", gateway.port))
        other.sendall(FixClient("CLIENT1", 0).frame("A", "98=0", "108=30", seq=1))
        assert b"35=A" in other.recv(4096)
        for link in held:
            assert wait_for_end(link) == b""  # out of time
        assert "of this address that have not logged on" in gateway.log.read_text()


def test_what_comes_behind_a_logon_that_is_checked_is_bounded(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, guarded("sesame") + LIMITS) as gateway:
        client = FixClient("CLIENT1", gateway.port).connect()
        logon = client.frame("A", "98=0", "108=30", "554=sesame")
        client.link.sendall(logon + client.order("o1", "1", "1", "10"))
        client.expect("A")
        client.expect("8", t150="0", t11="o1")
        client.close()
        hasty = FixClient("CLIENT1", gateway.port).connect()
        hasty.link.sendall(hasty.frame("A", "98=0", "108=30", "554=x", seq=1) + bytes(60 << 10))
        assert hasty.is_closed_by_peer()
        hasty.close()


def test_no_way_to_fail_a_logon_puts_its_secrets_into_the_log(tmp_path: Path) -> None:
    config = guarded("sesame", 'logon_reject = "logout"') + LIMITS
    secrets = ("554=hunter2a", "925=hunter2b", "95=8", "96=hunter2c")
    with GatewayProcess(tmp_path, config) as gateway:
        for name, fields in (
            ("CLIENT1", ()),
            ("NOBODY", ()),
            ("CLIENT1", ("56=OTHER",)),
            ("CLIENT1", ("52=20200101-00:00:00",)),
            ("CLIENT1", ("34=x",)),
            ("CLIENT1", ("9999=hunter2d",)),
            ("CLIENT2", ("98=1",)),
            ("CLIENT2", ("108=hunter2e",)),
        ):
            client = FixClient(name, gateway.port).connect()
            client.send("A", *(fields or ("98=0",)), *secrets, seq=1)
            wait_for_end(client.link)
            client.close()
        log = gateway.log.read_text()
        assert "refused" in log
        assert "hunter2" not in log
