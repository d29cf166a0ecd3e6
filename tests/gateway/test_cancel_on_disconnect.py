"""Cancel on disconnect: when orders go, which of them, and what a crash changes about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portcullis.engine.layout import SLICE_ORDERS
from portcullis.engine.why import WHY_DISCONNECT
from portcullis.gateway.cancel_on_disconnect import DisconnectCancels, Presence
from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.startup import recover
from portcullis.gateway.turn import Turn
from portcullis.journal import rows
from portcullis.tools.gateway_process import CONFIG
from tests.gateway.test_crash import LIMITS
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

SECOND_NS = 1_000_000_000
GRACE_NS = 5 * SECOND_NS


class Desk:
    """A journal with an engine, and the cancels of session 1; the loop is a list of calls."""

    def __init__(self, directory: Path, grace_ns: int = GRACE_NS) -> None:
        loaded = Loaded(parse(CONFIG.format(port=0) + LIMITS, "g.toml"), "g.toml", directory)
        self.directory = directory
        self.recovered = recover(loaded, directory / "data")
        self.engine = self.recovered.engine
        self.calls: list[Callable[[], None]] = []
        self.turn = Turn(
            self.recovered.journal,
            self.engine,
            self.recovered.index,
            call_soon=self.calls.append,
            start_sync=lambda done: done(),
            resend_bytes=1 << 20,
            fatal=lambda error: None,
            fault=lambda session, error: None,
        )
        self.deadlines = Deadlines()
        log = EventLog.to_file(directory / "events.log")
        self.cancels = DisconnectCancels(
            self.turn, self.deadlines, log, last_ns=self.recovered.last_ns
        )
        self.presence: Presence = self.cancels.watch(1, "one", [1, 2], grace_ns)
        self.close = log.close
        self.start_ns = self.turn.begin()
        self.cancels.start(self.start_ns)
        self.run_loop()

    def run_loop(self) -> None:
        while self.calls:
            self.calls.pop(0)()

    def log_on(self) -> None:
        self.presence.back()
        self.event(rows.EVENT_LOGGED_ON)

    def hang_up(self, now_ns: int) -> None:
        self.event(rows.EVENT_DISCONNECTED)
        self.presence.gone(now_ns)
        self.run_loop()

    def event(self, code: int) -> None:
        self.turn.begin()
        self.turn.append(rows.SESSION_EVENT, 1, words={rows.W_EVENT: code})
        self.run_loop()

    def order(self, session: int, account: int, cl_ord_id: int) -> None:
        words = {
            rows.W_ID: cl_ord_id,
            rows.W_QTY: 10,
            rows.W_PRICE: 100,
            rows.W_REF: 1 | account << 32,
            rows.W_TERMS: ord("1") | ord("2") << 8 | ord("1") << 16 | 8 << 32,
        }
        self.turn.begin()
        self.turn.append(rows.NEW_ORDER, session, words=words)
        self.run_loop()

    def wait_until(self, now_ns: int) -> None:
        self.turn.begin()
        self.deadlines.run(now_ns)
        self.run_loop()

    @property
    def live(self) -> int:
        return len(self.engine.live_orders(1)) + len(self.engine.live_orders(2))

    def cancelled(self) -> list[tuple[int, int, bytes]]:
        """Of each CANCEL_ALL row: session, account, the reason it was written with."""
        table, found = self.turn.table, []
        for row in range(1, table.tail):
            words = table.row_words(row)
            if words[rows.W_HEAD] & 0xFF == rows.CANCEL_ALL:
                assert words[rows.W_TERMS] >> 56 == WHY_DISCONNECT
                reason = table.item(row, rows.ITEM_VALUE) or b""
                found.append((words[rows.W_HEAD] >> 32, words[rows.W_REF] >> 32, reason))
        return found

    def restart(self) -> Desk:
        self.crash()
        return Desk(self.directory)

    def crash(self) -> None:
        self.recovered.journal.abandon()
        self.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    desk.log_on()
    for account in (1, 2):
        desk.order(1, account, account)
    yield desk
    desk.crash()


def test_orders_of_every_account_go_when_the_grace_has_run_out(desk: Desk) -> None:
    desk.order(2, 2, 9)
    desk.hang_up(100)
    desk.wait_until(100 + GRACE_NS - 1)
    assert (desk.live, desk.cancelled()) == (3, [])
    desk.wait_until(100 + GRACE_NS)
    assert desk.live == 1  # the other session's
    assert desk.cancelled() == [(1, 1, b"connection ended"), (1, 2, b"connection ended")]
    assert desk.engine.last_event(1)[0] == rows.EVENT_ORDERS_CANCELLED
    desk.wait_until(100 + 10 * GRACE_NS)
    assert len(desk.cancelled()) == 2


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_clock_that_is_set_neither_ends_nor_stretches_the_grace(desk: Desk, step_s: int) -> None:
    now_ns = 7200 * SECOND_NS
    desk.wait_until(now_ns)
    desk.hang_up(now_ns)
    set_ns = now_ns + step_s * SECOND_NS
    desk.cancels.pass_over(step_s * SECOND_NS)
    desk.wait_until(set_ns + GRACE_NS - 1)
    assert (desk.live, desk.cancelled()) == (2, [])
    desk.wait_until(set_ns + GRACE_NS)
    assert desk.live == 0


def test_who_comes_back_in_time_keeps_the_orders_and_has_the_whole_grace_again(desk: Desk) -> None:
    desk.hang_up(100)
    desk.log_on()
    desk.wait_until(100 + 2 * GRACE_NS)
    desk.hang_up(200 + 2 * GRACE_NS)
    desk.wait_until(200 + 3 * GRACE_NS - 1)
    assert desk.live == 2
    desk.wait_until(200 + 3 * GRACE_NS)
    assert desk.live == 0


def test_a_connection_that_never_logged_on_changes_nothing(desk: Desk) -> None:
    desk.hang_up(100)
    desk.presence.gone(100 + GRACE_NS - 1)
    desk.wait_until(100 + GRACE_NS)
    assert desk.live == 0


def test_without_grace_they_go_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, grace_ns=0)
    desk.log_on()
    desk.order(1, 1, 1)
    desk.hang_up(desk.turn.now_ns)
    assert desk.live == 0
    desk.crash()


def test_a_session_that_was_connected_at_the_crash_has_the_grace_from_the_start_on(
    tmp_path: Path,
) -> None:
    died = Desk(tmp_path)
    died.log_on()
    died.order(1, 1, 1)
    desk = died.restart()
    desk.wait_until(desk.start_ns + GRACE_NS - 1)
    assert desk.live == 1
    desk.wait_until(desk.start_ns + GRACE_NS)
    assert (desk.live, desk.cancelled()[0]) == (0, (1, 1, b"connected when the gateway ended"))
    # What is done is done: another start finds nothing to do.
    again = desk.restart()
    again.wait_until(again.start_ns + GRACE_NS)
    assert len(again.cancelled()) == 2
    again.crash()


def test_a_crash_within_the_grace_leaves_what_was_left_of_it(tmp_path: Path) -> None:
    died = Desk(tmp_path)
    died.log_on()
    died.order(1, 1, 1)
    table = died.turn.table
    died.hang_up(died.turn.now_ns)
    gone_ns = table.time_ns
    table.time_ns += 2 * SECOND_NS
    died.turn.append(rows.TIME_STEP)
    died.turn.settle()
    desk = died.restart()
    assert desk.recovered.last_ns == gone_ns + 2 * SECOND_NS
    desk.wait_until(desk.start_ns + 3 * SECOND_NS - 1)
    assert desk.live == 1
    desk.wait_until(desk.start_ns + 3 * SECOND_NS)
    assert (desk.live, desk.cancelled()[0][2]) == (0, b"disconnected before the gateway ended")
    desk.crash()


def test_a_crash_in_the_middle_of_the_cancelling_does_not_lose_the_rest(tmp_path: Path) -> None:
    died = Desk(tmp_path)
    died.log_on()
    for number in range(SLICE_ORDERS + 1):
        died.order(1, 1, number + 1)
    died.order(1, 2, 1 << 20)
    died.event(rows.EVENT_DISCONNECTED)
    words = {rows.W_REF: 1 << 32, rows.W_TERMS: WHY_DISCONNECT << 56, rows.W_SCOPE: ord("7")}
    died.turn.append(rows.CANCEL_ALL, 1, words=words)
    died.engine.run()
    died.turn.journal.seal()
    assert died.live == 2
    desk = died.restart()
    # The start finishes the command that was under way; the other account waits for its grace.
    assert desk.live == 1
    desk.wait_until(desk.start_ns + GRACE_NS)
    assert desk.live == 0
    desk.crash()


def test_who_comes_back_before_the_engine_had_room_keeps_the_orders(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portcullis.gateway.cancel_on_disconnect.MASS_QUEUE", -1)
    desk.hang_up(100)
    desk.turn.begin()
    desk.deadlines.run(100 + GRACE_NS)
    for _ in range(3):  # it is asked again in every turn
        desk.calls.pop(0)()
    monkeypatch.undo()
    desk.log_on()
    assert (desk.live, desk.cancelled()) == (2, [])
    assert desk.engine.last_event(1)[0] == rows.EVENT_LOGGED_ON


COD = CONFIG.replace('client = "CLIENT1"', 'client = "CLIENT1"\ncancel_on_disconnect = true')


def test_a_client_is_told_why_when_it_comes_back(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, COD + LIMITS) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        client.link.sendall(client.order("o1", "1", "1", "100"))
        client.expect("8", t150="0")
        for way in ("close", "crash"):
            if way == "close":
                client.close()
            else:
                client.link.sendall(client.order("o2", "1", "1", "100"))
                client.expect("8", t150="0", t11="o2")
                gateway.kill()
                gateway.start()
            missed = client.next_in
            client.next_in += 1
            client.log_on()
            client.send("2", f"7={missed}", f"16={missed}")
            name = "o1" if way == "close" else "o2"
            report = client.expect(
                "8", t150="4", t39="4", t11=name, t378="8", t58="Cancelled on disconnect"
            )
            assert 41 not in report
            assert report[151] == "0"
        client.close()


def test_a_client_without_it_keeps_its_orders(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, COD + LIMITS) as gateway:
        client = FixClient("CLIENT2", gateway.port)
        client.log_on()
        client.link.sendall(client.order("o1", "1", "1", "100"))
        client.expect("8", t150="0")
        client.close()
        client.log_on()
        client.send("H", "11=o1", "54=1", "55=BTC-USD")
        client.expect("8", t150="I", t39="0", t11="o1")
        client.close()
