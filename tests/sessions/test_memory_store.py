"""The store in memory numbers, keeps and frames; a resend differs from the first in five tags."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.memory_store import MemoryStore, utc_timestamp
from tests.support.clock import NOON_NS, SECOND_NS
from tests.support.wire import readable, split, wire

CONFIG = FixSessionConfig(begin_string=b"FIX.4.4", comp_id=b"PORTCULLIS", client=b"CLIENT1")


def texts(store: MemoryStore) -> list[str]:
    return [readable(message) for message in split(store.take())]


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(CONFIG)
    made.time_ns = NOON_NS
    made.attach()
    return made


def test_a_message_goes_out_with_its_header_ascending(store: MemoryStore) -> None:
    store.send(b"8", b"37=1\x01", header=b"115=A\x01128=B\x01", poss_resend=True)
    assert texts(store) == [
        readable(
            wire(
                "35=8|34=1|49=PORTCULLIS|52=20260102-12:00:00.000|56=CLIENT1|97=Y|115=A|128=B|37=1"
            )
        )
    ]


def test_a_resend_has_its_first_time_in_its_place(store: MemoryStore) -> None:
    store.send(b"8", b"37=1\x01", header=b"115=A\x01128=B\x01")
    store.take()
    store.time_ns += SECOND_NS
    store.resend(1, 0)
    assert texts(store) == [
        readable(
            wire(
                "35=8|34=1|43=Y|49=PORTCULLIS|52=20260102-12:00:01.000|56=CLIENT1|115=A|"
                "122=20260102-12:00:00.000|128=B|37=1"
            )
        )
    ]


def test_what_is_sent_while_detached_is_numbered_and_kept() -> None:
    store = MemoryStore(CONFIG, next_out=7, next_in=3)
    store.send(b"8", b"37=1\x01", in_seq=3)
    assert store.take() == b""
    assert (store.next_out, store.next_in, store.last_sent_ns) == (8, 4, 0)


def test_what_was_forgotten_is_filled() -> None:
    store = MemoryStore(CONFIG, kept_max=2)
    store.time_ns = NOON_NS
    for number in range(1, 6):
        store.send(b"8", b"37=%d\x01" % number)
    store.attach()
    store.resend(1, 0)
    sent = texts(store)
    assert [text.split("|")[2:4] for text in sent] == [
        ["35=4", "34=1"],
        ["35=8", "34=4"],
        ["35=8", "34=5"],
    ]
    assert sent[0].endswith("|36=4|123=Y|" + sent[0][-7:])


def test_a_reset_forgets_what_was_sent(store: MemoryStore) -> None:
    store.send(b"8", b"37=1\x01")
    store.take()
    store.reset(1, 1)
    store.resend(1, 0)
    assert store.take() == b""
    assert (store.next_out, store.next_in) == (1, 1)


def test_a_lost_connection_takes_what_was_not_written(store: MemoryStore) -> None:
    store.send(b"8", b"37=1\x01")
    store.detach()
    assert store.take() == b""


@pytest.mark.parametrize(
    ("digits", "fraction"), [(0, b""), (3, b".001"), (6, b".001999"), (9, b".001999001")]
)
def test_a_timestamp_has_as_many_digits_as_asked(digits: int, fraction: bytes) -> None:
    assert utc_timestamp(NOON_NS + 1_999_001, digits) == b"20260102-12:00:00" + fraction


def test_how_far_we_are_stands_in_each_header_where_it_is_agreed_on() -> None:
    store = MemoryStore(replace(CONFIG, last_processed=True), next_in=8)
    store.time_ns = NOON_NS
    store.attach()
    store.send(b"8", b"37=1\x01", header=b"128=B\x01", in_seq=8)
    store.advance(12)
    store.resend(1, 1)
    first, again = texts(store)
    assert "|56=CLIENT1|128=B|369=8|37=1|" in first
    assert "|128=B|369=11|37=1|" in again


def test_rejects_are_sent_again_where_it_is_agreed_on() -> None:
    store = MemoryStore(replace(CONFIG, resend_rejects=True))
    store.attach()
    store.send(b"3", b"45=2\x01")
    store.send(b"0", b"")
    assert not store.is_resending
    store.take()
    store.resend(1, 0)
    assert store.is_resending
    assert [text.split("|")[2:4] for text in texts(store)] == [
        ["35=3", "34=1"],
        ["35=4", "34=2"],
    ]
    assert not store.is_resending
