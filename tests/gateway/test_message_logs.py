"""Message and event logs: what came and what went, in order, in QuickFIX's lines, no secrets."""

from __future__ import annotations

import re
import signal
import struct
from pathlib import Path
from typing import Any

import pytest

from portcullis.codecs.soupbintcp import packets
from portcullis.gateway.capture import Capture, CaptureReader
from portcullis.gateway.config import load
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.message_logs import LogFiles, MessageLogs
from portcullis.gateway.registry import LIMITS as LIMIT
from portcullis.gateway.replica import Replica
from portcullis.gateway.saved_state import start_of
from portcullis.journal import rows
from portcullis.journal.snapshots import list_snapshots, read_snapshot
from portcullis.journal.tail import JournalTail
from portcullis.tools.gateway_process import CONFIG, OUCH_CONFIG
from tests.gateway.test_back_office import wait_for
from tests.gateway.test_crash import LIMITS
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess
from tests.support.ouch_client import OuchClient, cancel, enter

LATER_NS = 1 << 62
LINE = re.compile(
    rb"(\d{8}-\d\d:\d\d:\d\d\.\d{3}) : (8=FIX\.4\.4\x019=\d+\x01(35=.*?)10=\d{3}\x01)"
)


class _Turn:
    """What the capture uses of a turn."""

    def __init__(self) -> None:
        self.now_ns = 1
        self.after: list[object] = []


def kept(directory: Path) -> tuple[Capture, EventLog]:
    log = EventLog.to_file(directory / "events.log")
    turn: Any = _Turn()
    received = memoryview(b"wholenextyx")
    return Capture(directory, turn, log, received, file_bytes=100, files=2), log


def messages(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Time and fields of each line."""
    found = []
    for line in path.read_bytes().splitlines():
        match = LINE.fullmatch(line)
        assert match is not None, line
        pairs = [pair.partition(b"=") for pair in match[3].split(b"\x01")[:-1]]
        found.append((match[1].decode(), {t.decode(): v.decode() for t, _, v in pairs}))
    return found


def test_logs_show_both_ways_in_order_and_no_secret(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on("553=user", "554=hushhush", "95=10", "96=hush\x0110=00")
        client.link.sendall(client.order("o1", "1", "1", "100"))
        client.expect("8", t150="0")
        client.link.sendall(
            client.order("o2", "1", "1", "100") + client.order("o3", "1", "1", "100")
        )
        client.expect("8", t11="o2")
        client.expect("8", t11="o3")
        client.log_out()
        gateway.stop()
    octets = b"".join(path.read_bytes() for path in (gateway.data / "capture").iterdir())
    assert b"hush" not in octets
    loaded = load(tmp_path / "gateway.toml")
    tail = JournalTail(gateway.data, 1)
    logs = MessageLogs(loaded, gateway.data, 1)
    while logs.poll(tail, LATER_NS):
        pass
    stem = gateway.data / "logs" / "FIX.4.4-PORTCULLIS-CLIENT1"
    found = messages(stem.with_name(stem.name + ".messages.current.log"))
    assert [(one["49"] == "CLIENT1", one["35"]) for _, one in found] == [
        (True, "A"), (False, "A"), (True, "D"), (False, "8"), (True, "D"), (True, "D"),
        (False, "8"), (False, "8"), (True, "5"), (False, "5"),
    ]  # fmt: skip
    assert (found[0][1]["554"], found[0][1]["96"]) == ("***", "***")
    assert found[3][1]["11"] == "o1"
    assert found[3][1]["52"] == found[3][0]
    assert [time for time, _ in found] == sorted(time for time, _ in found)
    events = stem.with_name(stem.name + ".event.current.log").read_text().splitlines()
    assert [line.partition(" : ")[2] for line in events] == [
        "Logged on", "Logged out", "Disconnected"
    ]  # fmt: skip
    # Another process goes on where this one ended: nothing comes twice.
    again = MessageLogs(loaded, gateway.data, logs.next_row)
    again.poll(JournalTail(gateway.data, logs.next_row), LATER_NS)
    assert messages(stem.with_name(stem.name + ".messages.current.log")) == found


def test_messages_of_one_turn_have_the_time_of_their_rows(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        clients = [FixClient(name, gateway.port) for name in ("CLIENT1", "CLIENT2")]
        for client in clients:
            client.log_on()
        gateway.signal(signal.SIGSTOP)  # both are read in one go then
        for client in clients:
            client.link.sendall(client.order("o", "1", "1", "100"))
        gateway.signal(signal.SIGCONT)
        for client in clients:
            client.expect("8", t150="0")
            client.log_out()
        gateway.stop()
    reader = CaptureReader(gateway.data)
    captured = [record.time_ns for record in reader.records(1 << 20) if b"35=D" in record.octets]
    entered = [
        time_ns
        for batch in JournalTail(gateway.data, 1).batches(1 << 20)
        for head, time_ns in struct.iter_unpack(f"<qq{rows.ROW_BYTES - 16}x", batch.octets)
        if head & 0xFF == rows.NEW_ORDER
    ]
    assert captured == entered
    assert len(captured) == 2


def test_ouch_is_logged_by_names_both_ways_and_without_its_password(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, OUCH_CONFIG + LIMITS) as gateway:
        client = OuchClient(gateway.ouch_port)
        client.log_in(password="hushhush")
        client.expect("S")
        client.send(enter("8=FIX 554=1\n", "B", 7, 1005000), enter("b", "B", 7, 1005000))
        client.expect("J")
        client.expect("A")
        client.send(cancel("b"), b"O")
        assert not client.next()
        client = OuchClient(gateway.ouch_port)
        client.log_in(sequence=3)
        client.expect("A")
        client.expect("C")
        client.link.sendall(packets.packet("R") + packets.packet("L", b"OUCH1 hushhush"))
        assert not client.next()
        gateway.stop()
    octets = b"".join(path.read_bytes() for path in (gateway.data / "capture").iterdir())
    assert octets and b"hush" not in octets
    logs = MessageLogs(load(tmp_path / "gateway.toml"), gateway.data, 1)
    tail = JournalTail(gateway.data, 1)
    while logs.poll(tail, LATER_NS):
        pass
    stem = gateway.data / "logs" / "OUCH-OUCH1"
    lines = stem.with_name(stem.name + ".messages.current.log").read_text().splitlines()
    assert all(re.match(r"\d{8}-\d\d:\d\d:\d\d\.\d{3} : ", line) for line in lines)
    numbers = re.compile(r"(timestamp|reference_number)=\d+")
    entered = (
        "buy_sell=B shares=7 stock=BTCUSD price=1005000 time_in_force=99999 display=Y"
        " capacity=P intermarket_sweep=N minimum_quantity=0 cross_type=N"
    )
    accepted = entered.replace("display=Y ", "display=Y order_reference_number=N ")
    asked = "in Login Request username=OUCH1 sequence="
    assert [numbers.sub(r"\1=N", line[24:]) for line in lines] == [
        "out 1 System Event timestamp=N event_code=S",
        f"{asked}1",
        f"in Enter Order order_token=8=FIX 554=1\\n {entered}",
        f"in Enter Order order_token=b {entered}",
        "out 2 Rejected timestamp=N order_token=8=FIX 554=1\\n reason=O",
        f"out 3 Accepted timestamp=N order_token=b {accepted} order_state=L",
        "in Cancel Order order_token=b shares=0",
        "in No message of OUCH: 4f",
        "out 4 Canceled timestamp=N order_token=b decrement_shares=7 reason=U",
        f"{asked}3",
        "in Login Request OUCH1 ********",
    ]


def test_entries_that_are_young_wait_for_each_other(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        client.close()
        gateway.stop()
    logs = MessageLogs(load(tmp_path / "gateway.toml"), gateway.data, 1)
    tail = JournalTail(gateway.data, 1)
    assert logs.poll(tail, 1) > 0
    assert list((gateway.data / "logs").iterdir()) == []
    assert logs.next_row < tail.next_row
    logs.poll(tail, LATER_NS)
    assert logs.next_row == tail.next_row
    path = gateway.data / "logs" / "FIX.4.4-PORTCULLIS-CLIENT1.messages.current.log"
    assert [one["35"] for _, one in messages(path)] == ["A", "A"]


def test_a_ring_keeps_so_many_files_and_a_reader_goes_on_with_the_oldest(tmp_path: Path) -> None:
    capture, log = kept(tmp_path)
    for number in range(10):
        capture.add_octets(1, number, b"x" * 100)
        capture.write()
    assert len(list((tmp_path / "capture").iterdir())) == 2
    reader = CaptureReader(tmp_path, 1, 0)
    assert [record.time_ns for record in reader.records(1 << 20)] == [8, 9]
    capture.add(1, 10, 9, 10)
    assert list(reader.records(1 << 20)) == []
    capture.write()
    assert [(record.time_ns, record.octets) for record in reader.records(1 << 20)] == [(10, b"y")]
    capture.close()
    log.close()


def test_what_finds_no_room_has_the_rest_written_first_and_nothing_is_lost(tmp_path: Path) -> None:
    capture, log = kept(tmp_path)
    capture.add_octets(1, 1, b"a" * 600_000)
    capture.add_octets(1, 1, b"b" * 600_000)
    found = [record.octets for record in CaptureReader(tmp_path).records(1 << 24)]
    assert found == [b"a" * 600_000, b"b" * 600_000]
    capture.add(1, 1, 0, 5)
    capture.add_octets(1, 1, b"c" * (3 << 20))
    found = [record.octets for record in CaptureReader(tmp_path).records(1 << 24)]
    # The ring, of two files, has run over the first.
    assert found == [b"b" * 600_000, b"whole", b"c" * (3 << 20)]
    capture.close()
    log.close()


def test_a_record_that_was_cut_ends_its_file_and_is_passed_over(tmp_path: Path) -> None:
    capture, log = kept(tmp_path)
    capture.add(1, 1, 0, 5)
    capture.write()
    capture.close()
    (path,) = (tmp_path / "capture").iterdir()
    path.write_bytes(path.read_bytes() + b"\0" * 20)
    path.write_bytes(path.read_bytes()[:-10] + b"\xff")
    capture.add(2, 2, 5, 9)
    capture.write()
    found = [record.octets for record in CaptureReader(tmp_path).records(1 << 20)]
    assert found == [b"whole", b"next"]
    capture.close()
    log.close()


def test_a_disk_that_fails_is_said_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "capture").write_text("no folder")
    capture, log = kept(tmp_path)
    for _ in range(3):
        capture.add(1, 1, 10, 11)
        capture.write()
    log.close()
    assert (tmp_path / "events.log").read_text().count("capture_failed") == 1


def test_a_log_is_put_aside_at_its_bound_and_the_oldest_goes(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "logs", bytes_max=9, files_max=2)
    for number in range(4):
        files.append("s.messages", b"line %d\n%d\n" % (number, number))
        files.flush()
    files.append("s.messages", b"last\n")
    files.flush()
    found = {path.name: path.read_text() for path in (tmp_path / "logs").iterdir()}
    assert found == {
        "s.messages.backup.3.log": "line 2\n2\n",
        "s.messages.backup.4.log": "line 3\n3\n",
        "s.messages.current.log": "last\n",
    }


def test_the_back_office_renders_while_the_gateway_trades(tmp_path: Path) -> None:
    config = CONFIG.replace("enabled = false", "enabled = true") + LIMITS
    with GatewayProcess(tmp_path, config) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        client.link.sendall(client.order("o1", "1", "1", "100"))
        client.expect("8", t150="0")
        path = gateway.data / "logs" / "FIX.4.4-PORTCULLIS-CLIENT1.messages.current.log"
        wait_for(lambda: path.exists() and b"35=8" in path.read_bytes())
        assert [one["35"] for _, one in messages(path)] == ["A", "A", "D", "8"]
        client.close()


def test_a_follower_that_begins_behind_a_snapshot_knows_the_names_from_it(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        gateway.stop()
        sizes = {key: getattr(load(tmp_path / "gateway.toml").config.limits, key) for key in LIMIT}
        replica, tail = Replica(gateway.data, sizes, snapshot_every=1), JournalTail(gateway.data)
        while replica.poll(tail):
            pass
        (path,) = list_snapshots(gateway.data)
        begin = start_of(read_snapshot(path)).next_row
        gateway.start()
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        client.log_out()
        gateway.stop()
    logs = MessageLogs(load(tmp_path / "gateway.toml"), gateway.data, begin)
    while logs.poll(JournalTail(gateway.data, logs.next_row), LATER_NS):
        pass
    path = gateway.data / "logs" / "FIX.4.4-PORTCULLIS-CLIENT1.messages.current.log"
    assert [one["35"] for _, one in messages(path)] == ["A", "A", "5", "5"]


def test_neither_source_runs_ahead_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        for number in range(30):
            client.link.sendall(client.order(f"o{number}", "1", "1", "100"))
            client.expect("8", t150="0")
        client.close()
        gateway.stop()
    monkeypatch.setattr("portcullis.gateway.message_logs.ROWS_A_POLL", 1)
    monkeypatch.setattr("portcullis.gateway.message_logs.CAPTURE_BYTES_A_POLL", 1)
    logs = MessageLogs(load(tmp_path / "gateway.toml"), gateway.data, 1)
    tail, most = JournalTail(gateway.data, 1), 0
    while logs.poll(tail, LATER_NS):
        most = max(most, len(logs._waiting))
    assert most <= 4
    path = gateway.data / "logs" / "FIX.4.4-PORTCULLIS-CLIENT1.messages.current.log"
    assert [one["35"] for _, one in messages(path)] == ["A", "A", *["D", "8"] * 30]


def test_a_message_whose_rows_were_pruned_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portcullis.gateway.message_logs.ROWS_A_POLL", 1)
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        client.link.sendall(client.order("o1", "1", "1", "100"))
        client.expect("8", t150="0")
        client.send("F", "11=o2", "41=o1", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
        client.expect("8", t150="4")
        client.close()
        gateway.stop()
    tail = JournalTail(gateway.data, 1)
    logs = MessageLogs(load(tmp_path / "gateway.toml"), gateway.data, 1)
    (cancel,) = [b.first_row for b in JournalTail(gateway.data, 1).batches(1 << 20)
                 if bytes(b.octets[:1])[0] == rows.CANCEL]  # fmt: skip
    while tail.next_row < cancel:
        logs.poll(tail, LATER_NS)
    logs._table.oldest_row = cancel
    while logs.poll(tail, LATER_NS):
        pass
    path = gateway.data / "logs" / "FIX.4.4-PORTCULLIS-CLIENT1.event.current.log"
    assert f"The message of row {cancel + 1} is not shown" in path.read_text()
