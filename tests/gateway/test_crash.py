"""What was under way when a gateway died or a client left is done, and told in order."""

from __future__ import annotations

from array import array
from pathlib import Path

from portcullis.engine.layout import SLICE_ORDERS
from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.startup import recover
from portcullis.gateway.unsent import unsent_behind
from portcullis.journal import rows
from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import FixClient, utc_now
from tests.support.gateway_process import GatewayProcess

LIMITS = """
[journal]
segment_rows = 32768
address_space = "1GiB"
[limits]
orders = 20000
ids = 40000
levels = 1000
sessions = 10
accounts = 10
instruments = 10
"""
ORDERS = 3 * SLICE_ORDERS


def test_a_mass_cancel_that_a_crash_interrupted_is_finished_by_the_start(tmp_path: Path) -> None:
    loaded = Loaded(parse(CONFIG.format(port=0) + LIMITS, "g.toml"), "g.toml", tmp_path)
    died = recover(loaded, tmp_path / "data")
    table = died.journal.table
    for number in range(ORDERS):
        words = {
            rows.W_ID: number + 1,
            rows.W_QTY: 10,
            rows.W_PRICE: 100,
            rows.W_REF: 1 | 1 << 32,
            rows.W_TERMS: ord("1") | ord("2") << 8 | ord("1") << 16 | 8 << 32,
        }
        assert table.append_input(rows.NEW_ORDER, 1, words=words)
    died.engine.run()
    died.journal.seal()
    table.append_input(rows.MASS_CANCEL, 1, words={rows.W_ID: 1, rows.W_SCOPE: ord("7")})
    died.engine.run()
    died.journal.seal()
    assert 0 < len(died.engine.live_orders(1)) < ORDERS
    died.journal.abandon()

    started = recover(loaded, tmp_path / "data")
    assert started.engine.live_orders(1) == []
    # The orders' reports, the answer to the mass cancel, and each order's cancel.
    assert started.index.head_seq(1) == 2 * ORDERS + 1
    started.journal.abandon()


def test_numbers_begin_anew_with_the_logon_though_a_mass_cancel_goes_on(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        client.link.sendall(b"".join(client.order(f"o{n}", "1", "1", "10") for n in range(ORDERS)))
        client.barrier()
        mass = client.frame("q", "11=m", "530=7", f"60={utc_now()}")
        client.link.sendall(mass + client.frame("A", "98=0", "108=30", "141=Y", seq=1))
        client.next_in, client.next_out = 1, 2
        client.expect("A", t34="1")
        came = [client.receive() for _ in range(ORDERS + 1)]
        assert len({one[11] for one in came if one[35] == "8" and one[150] == "4"}) == ORDERS
        client.close()


def test_a_fill_behind_a_crash_comes_after_a_logon_that_resets(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        buyer, seller = (FixClient(name, gateway.port) for name in ("CLIENT1", "CLIENT2"))
        buyer.log_on()
        buyer.link.sendall(buyer.order("b1", "1", "1", "100"))
        buyer.expect("8", t150="0")
        gateway.kill()
        gateway.start()
        seller.log_on()
        seller.link.sendall(seller.order("s1", "2", "1", "100"))
        seller.expect("8", t150="0")
        seller.expect("8", t150="F")
        buyer.next_in = buyer.next_out = 1
        buyer.log_on("141=Y")
        # What was sent before the crash may come again; nothing says that it was sent.
        buyer.expect("8", t11="b1", t150="0", t97="Y")
        buyer.expect("8", t11="b1", t150="F", t97="Y")
        assert buyer.barrier() == []
        for client in (buyer, seller):
            client.close()


def test_what_a_reset_left_owed_is_found_again_by_the_next_start(tmp_path: Path) -> None:
    loaded = Loaded(parse(CONFIG.format(port=0) + LIMITS, "g.toml"), "g.toml", tmp_path)
    died = recover(loaded, tmp_path / "data")
    table = died.journal.table

    def append(kind: int, words: dict[int, int]) -> None:
        table.append_input(kind, 1, words=words)
        first = table.batch_first
        died.engine.run()
        died.index.observe(first, died.journal.seal())

    for number in (1, 2, 3):
        # Terms that the engine refuses, with a report each.
        append(rows.NEW_ORDER, {rows.W_ID: number})
    owed: list[int] = []
    died.index.walk(1, 1, found := memoryview(array("q", [0] * 3)))
    owed.extend(found)
    assert all(owed)
    unsent = {rows.W_UNSENT: 2, rows.W_UNSENT_ROW: died.index.head_row(1)}
    append(rows.RESET, {rows.W_NEXT_IN: 1, rows.W_NEXT_OUT: 1, **unsent})
    append(rows.SEND, {rows.W_REISSUE: owed[1]})
    died.journal.abandon()

    second = recover(loaded, tmp_path / "data")
    assert second.unsent.first_seq[1] == 1
    assert second.unsent.left[1].tolist() == [owed[2]]
    # Another reset: what was numbered anew is in doubt again.
    left = unsent_behind(second.journal.table, second.index.head_row(1), 1, second.unsent.left[1])
    assert left.tolist() == owed[1:]
    second.journal.abandon()


def test_what_is_owed_stays_in_order_and_costs_a_reset_nothing(tmp_path: Path) -> None:
    loaded = Loaded(parse(CONFIG.format(port=0) + LIMITS, "g.toml"), "g.toml", tmp_path)
    recovered = recover(loaded, tmp_path / "data")
    table, engine, index = recovered.journal.table, recovered.engine, recovered.index

    def append(kind: int, words: dict[int, int]) -> int:
        """Give the row that it was answered by."""
        table.append_input(kind, 1, words=words)
        first = table.batch_first
        engine.run()
        index.observe(first, recovered.journal.seal())
        return index.head_row(1)

    def behind(left: array[int]) -> array[int]:
        return unsent_behind(table, index.head_row(1), 1, left)

    told = [append(rows.NEW_ORDER, {rows.W_ID: number}) for number in range(6)]
    words = {rows.W_NEXT_IN: 1, rows.W_NEXT_OUT: 1, rows.W_UNSENT: 1, rows.W_UNSENT_ROW: told[-1]}
    append(rows.RESET, words)
    append(rows.SEND, {rows.W_REISSUE: told[0]})
    later = append(rows.NEW_ORDER, {rows.W_ID: 7})
    # What was numbered anew, what is left, what was first told behind the reset.
    assert behind(array("q", told[1:])).tolist() == [*told, later]
    # Whatever was left: each once, ascending.
    for left in ([], told[:1], told[3:], [*told, later]):
        assert behind(array("q", left)).tolist() == sorted({told[0], later, *left})
    # Nothing in doubt: a client may ask for a reset as often as it likes, however much it is owed.
    left = array("q", told)
    assert unsent_behind(table, index.head_row(1), 0, left) is left
    recovered.journal.abandon()
