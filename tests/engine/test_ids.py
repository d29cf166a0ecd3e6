"""The id table against SipHash: its published vectors, by way of a plain implementation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.engine.ids import IdTable

MASK = (1 << 64) - 1
KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)


def siphash_128(
    key: tuple[int, int], message: bytes, per_block: int, at_end: int
) -> tuple[int, int]:
    """From the paper and the reference implementation, byte by byte."""
    state = [
        key[0] ^ 0x736F6D6570736575,
        key[1] ^ 0x646F72616E646F6D ^ 0xEE,
        key[0] ^ 0x6C7967656E657261,
        key[1] ^ 0x7465646279746573,
    ]

    def turn(value: int, bits: int) -> int:
        return (value << bits | value >> 64 - bits) & MASK

    def rounds(count: int) -> None:
        a, b, c, d = state
        for _ in range(count):
            a, c = (a + b) & MASK, (c + d) & MASK
            b, d = turn(b, 13) ^ a, turn(d, 16) ^ c
            a = turn(a, 32)
            c, a = (c + b) & MASK, (a + d) & MASK
            b, d = turn(b, 17) ^ c, turn(d, 21) ^ a
            c = turn(c, 32)
        state[:] = a, b, c, d

    tail = message[len(message) // 8 * 8 :]
    blocks = [message[i : i + 8] for i in range(0, len(message) // 8 * 8, 8)]
    for block in [*blocks, tail.ljust(7, b"\0") + bytes([len(message) & 0xFF])]:
        value = int.from_bytes(block, "little")
        state[3] ^= value
        rounds(per_block)
        state[0] ^= value
    state[2] ^= 0xEE
    rounds(at_end)
    low = state[0] ^ state[1] ^ state[2] ^ state[3]
    state[1] ^= 0xDD
    rounds(at_end)
    return low, state[0] ^ state[1] ^ state[2] ^ state[3]


def test_the_plain_siphash_gives_the_published_vectors() -> None:
    for message, digest in (
        (b"", "a3817f04ba25a8e66df67214c7550293"),
        (b"\0", "da87c1d86b99af44347659119b22fc45"),
        (b"\0\1", "8177228da4a45dc7fca38bdef60affe4"),
    ):
        low, high = siphash_128(KEY, message, 2, 4)
        assert (low.to_bytes(8, "little") + high.to_bytes(8, "little")).hex() == digest


@given(st.integers(0, 2**31 - 1), st.binary(max_size=255))
@settings(max_examples=60)
def test_the_hash_is_siphash_of_session_and_id(session: int, identifier: bytes) -> None:
    table = IdTable(4)
    table.use_key(*KEY)
    message = session.to_bytes(4, "little") + identifier
    assert table.hash_bytes(session, identifier) == siphash_128(KEY, message, 1, 3)


def test_an_id_is_found_under_its_own_session_only() -> None:
    table = IdTable(10)
    assert table.enter(1, b"A", 7)
    assert table.lookup(1, b"A") == 7
    assert table.lookup(2, b"A") == 0


def test_an_id_is_entered_once() -> None:
    table = IdTable(10)
    assert table.enter(1, b"A", 7)
    assert not table.enter(1, b"A", 8)
    assert table.lookup(1, b"A") == 7


def test_a_full_table_forgets_nothing_and_takes_nothing() -> None:
    table = IdTable(100)
    for number in range(100):
        assert table.enter(1, b"%d" % number, number + 1)
    assert not table.enter(1, b"more", 1)
    assert all(table.lookup(1, b"%d" % number) == number + 1 for number in range(100))
    assert table.used == 100


def test_ids_that_differ_in_trailing_zeros_are_different() -> None:
    table = IdTable(10)
    table.enter(1, b"A", 1)
    assert table.lookup(1, b"A\0") == 0


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_capacity_below_one_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match=f"id capacity was {capacity}, must be at least 1"):
        IdTable(capacity)


def test_the_key_cannot_change_under_ids() -> None:
    table = IdTable(2)
    table.enter(1, b"A", 1)
    with pytest.raises(ValueError, match="cannot change"):
        table.use_key(1, 2)


def test_an_id_longer_than_its_length_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 255"):
        IdTable(2).lookup(1, bytes(256))
