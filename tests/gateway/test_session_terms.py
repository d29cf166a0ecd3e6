"""What the configuration agrees on with a session reaches it, its encoders included."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.tools.benchmarks import orders
from portcullis.tools.benchmarks.load import WrongAnswers
from portcullis.tools.benchmarks.orders import MAKER
from portcullis.tools.benchmarks.stages import Chain, Wire
from portcullis.tools.gateway_process import CONFIG
from tests.support.wire import fields, split

SMALL = "[journal]\nsegment_rows = 32768\n[limits]\norders = 1000\nids = 2000\n"


@contextlib.contextmanager
def chain(directory: Path, terms: str) -> Iterator[Chain]:
    config = CONFIG.replace('client = "CLIENT1"', f'client = "CLIENT1"\n{terms}')
    made = Chain(directory, config + SMALL)
    try:
        yield made
    finally:
        made.turn.flush()
        made.close()


def messages(wire: Wire) -> list[dict[int, str]]:
    found = [fields(message) for message in split(b"".join(wire.written))]
    wire.written.clear()
    return found


def say(msg_type: str, seq: int, *body: str) -> bytes:
    return orders.message(msg_type, seq, MAKER, orders.utc_now(), *body)


def test_how_far_we_are_stands_in_every_message(tmp_path: Path) -> None:
    with chain(tmp_path, "last_processed = true") as gateway:
        peer, wire = gateway.log_on(MAKER)
        gateway.feed(peer, orders.maker_flow(20).messages[0] + say("1", 3, "112=X"))
        gateway.feed(peer, say("2", 4, "7=2", "16=2"))
        came = messages(wire)
        assert [(one[35], one[369]) for one in came] == [
            ("A", "1"),
            ("8", "3"),  # by the turn's end both have been taken
            ("0", "3"),
            ("8", "4"),
        ]
        first, again = came[1], came[3]
        changed = {9, 10, 43, 52, 122, 369}
        assert {t: v for t, v in first.items() if t not in changed} == {
            t: v for t, v in again.items() if t not in changed
        }


def test_a_gap_is_asked_for_in_chunks(tmp_path: Path) -> None:
    with chain(tmp_path, "resend_chunk = 3") as gateway:
        peer, wire = gateway.log_on(MAKER)
        gateway.feed(peer, say("0", 9))
        assert (messages(wire)[-1][7], messages(wire)) == ("2", [])
        again = ("43=Y", "122=20260102-12:00:00")
        gateway.feed(peer, say("4", 2, *again, "36=5", "123=Y"))
        assert [(one[7], one[16]) for one in messages(wire)] == [("5", "7")]


@pytest.mark.parametrize("terms", ["heart_bt_int_max = 59", "heart_bt_int_min = 61"])
def test_a_heartbeat_interval_beyond_the_terms_is_told(tmp_path: Path, terms: str) -> None:
    with (
        chain(tmp_path, terms) as gateway,
        pytest.raises(WrongAnswers, match="HeartBtInt must not be"),
    ):
        gateway.log_on(MAKER)


def test_our_rejects_are_sent_again(tmp_path: Path) -> None:
    with chain(tmp_path, "resend_rejects = true") as gateway:
        peer, wire = gateway.log_on(MAKER)
        gateway.feed(peer, say("D", 2, "11=x"))
        gateway.feed(peer, say("2", 3, "7=2", "16=0"))
        first, again = messages(wire)[1:]
        assert (first[35], again[35], again[34], again[43]) == ("3", "3", "2", "Y")


def test_a_dictionary_of_another_version_is_refused(tmp_path: Path) -> None:
    text = (Path(orders.__file__).parents[2] / "dictionaries/FIX44.xml").read_text()
    other = tmp_path / "other.xml"
    other.write_text(text.replace('minor="4"', 'minor="2"', 1))
    with (
        pytest.raises(Exception, match=r"is of FIX\.4\.2, the session of FIX\.4\.4"),
        chain(tmp_path, f'dictionary = "{other}"'),
    ):
        raise AssertionError("it was taken")
