"""When no further journal segment can be made: new orders are refused by name, cancels pass."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from portcullis import _build
from portcullis.tools.gateway_process import CONFIG
from tests.gateway.test_back_office import Venue, wait_for
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

# Two segments and no more: 65,536 rows of 128 bytes.
SMALL = """
[journal]
segment_rows = 32768
address_space = "8MiB"
[limits]
orders = 20000
ids = 40000
"""
# Carried with the order, so that an order takes some thirty rows.
TEXT = "58=" + "x" * 3500
AT_ONCE = 20
# Files may grow to this: a segment of 32,768 rows does not fit, all else does.
FULL_BYTES = 1 << 22
EXIT_JOURNAL = 3
fills_journals = pytest.mark.skipif(_build.is_pure(), reason="fills a journal, for half a minute")


def fill(client: FixClient, prefix: str) -> tuple[int, dict[int, str]]:
    """Orders until one is refused; how many were not, and the refusal."""
    for first in range(0, 4000, AT_ONCE):
        some = range(first, first + AT_ONCE)
        client.link.sendall(
            b"".join(client.order(f"{prefix}{number}", "1", "1", "10", TEXT) for number in some)
        )
        reports = [client.receive() for _ in some]
        if refused := [report for report in reports if report[150] == "8"]:
            return first + AT_ONCE - len(refused), refused[0]
    raise AssertionError("no order was refused")


def cancel(client: FixClient, name: str) -> None:
    client.send("F", f"11=c-{name}", f"41={name}", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
    client.expect("8", t150="4", t41=name)


@fills_journals
def test_orders_are_refused_and_cancels_pass_until_a_restart_makes_room(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG + SMALL) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        client.expect_much()
        _, refusal = fill(client, "o")
        assert (refusal[39], refusal[103]) == ("8", "99")
        assert refusal[58].startswith("Journal has no room for new orders")
        cancel(client, "o0")
        client.log_out()
        assert gateway.stop() == 0

        gateway.start()
        client.log_on()
        client.link.sendall(client.order("o-more", "1", "1", "10"))
        client.expect("8", t150="0")
        cancel(client, "o1")
        client.close()


class Disk:
    """The disk as the gateway and its maker of segments find it."""

    def __init__(self, gateway: GatewayProcess) -> None:
        children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
        makers = [
            int(child)
            for child in children
            if b"portcullis.journal.maker" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        assert makers
        self._processes = [gateway.pid, *makers]

    def set(self, *, is_full: bool) -> None:
        for process in self._processes:
            _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
            soft = FULL_BYTES if is_full else hard
            resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))


@fills_journals
def test_a_full_disk_is_said_everywhere_and_over_once_there_is_room(tmp_path: Path) -> None:
    venue = Venue(tmp_path, "reserve_rate = 300")
    with venue.gateway as gateway:
        venue.log_on()
        venue.caught_up()
        client, other = venue.buyer, venue.seller
        client.expect_much()
        disk = Disk(gateway)
        disk.set(is_full=True)
        accepted, refusal = fill(client, "a")
        assert refusal[58].startswith("Journal has no room for new orders")
        for name in ("a0", f"a{accepted - 1}"):
            cancel(client, name)
        # A flood of orders is read slowly: what is left is for cancels.
        before = venue.state()["last_row"]
        other.link.sendall(b"".join(other.order(f"f{n}", "1", "1", "10") for n in range(6000)))
        cancel(client, "a1")
        assert venue.state()["last_row"] - before < 6000
        assert {other.receive()[150] for _ in range(10)} == {"8"}
        other.close()

        wait_for(lambda: venue.get("/ready")[0] == 503)
        (trouble,) = wait_for(lambda: venue.get("/health")[1]["troubles"])
        assert trouble["code"] == "journal_full"
        assert "new orders are refused, cancels pass" in trouble["text"]
        assert "(File too large)" in trouble["text"]
        wait_for(lambda: trouble["text"] in [one.get("text") for one in gateway.events()])

        disk.set(is_full=False)
        wait_for(lambda: venue.state()["can_take_orders"])
        client.link.sendall(client.order("after", "1", "1", "10"))
        client.expect("8", t150="0", t11="after")
        wait_for(lambda: venue.get("/health")[1]["status"] == "ok")
        told = [one for one in gateway.events() if one.get("text") == trouble["text"]]
        assert {one["event"] for one in told} == {"trouble", "trouble_over"}

        # Once more, and nobody makes room: with the last reserved row the process ends.
        disk.set(is_full=True)
        fill(client, "b")
        with pytest.raises(ConnectionError):
            while True:
                client.link.sendall(client.order("again", "1", "1", "10", TEXT))
        assert gateway.wait() == EXIT_JOURNAL
        (fatal,) = gateway.events("fatal")
        assert "what was reserved for cancels" in fatal["error"] and not fatal["session"]
        assert not (gateway.data / "quarantine").exists()
        gateway.start()
        for one in (client, other):
            one.close()
