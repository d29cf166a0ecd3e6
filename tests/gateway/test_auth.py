"""Credentials: what is accepted, what is refused, and that checks cannot pile up."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from portcullis.gateway.auth import (
    Abandoned,
    Crowded,
    FairQueue,
    PasswordChecker,
    PasswordHash,
)


def test_a_hash_accepts_its_password_and_no_other() -> None:
    known = PasswordHash.parse(str(PasswordHash.make(b"open sesame")))
    assert known.accepts(b"open sesame")
    assert not known.accepts(b"open sesamE")
    assert not known.accepts(b"")


def test_the_hash_is_scrypt_as_the_standard_has_it() -> None:
    # RFC 7914, section 12, third vector: password "pleaseletmein", salt "SodiumChloride".
    digest = (
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    known = PasswordHash.parse(f"scrypt:16384:8:1:{b'SodiumChloride'.hex()}:{digest}")
    assert known.accepts(b"pleaseletmein")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "portcull",
        "scrypt:16384:8:1:00",
        "md5:16384:8:1:00:00",
        "scrypt:1000:8:1:00:00",
        "scrypt:16384:8:x:00:00",
        "scrypt:1073741824:8:1:00:00",
        "scrypt:16384:8:1:zz:00",
    ],
)
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        PasswordHash.parse(text)


KNOWN = PasswordHash(2, 1, 1, b"salt", hashlib.scrypt(b"right", salt=b"salt", n=2, r=1, p=1))


def always() -> bool:
    return True


def test_guesses_that_come_at_once_are_no_more_than_those_one_after_the_other() -> None:
    left = 3

    async def guess(checker: PasswordChecker) -> None:
        nonlocal left
        assert not await checker.check(KNOWN, b"wrong", "a", lambda: left > 0)
        left -= 1

    async def run() -> list[BaseException | None]:
        checker = PasswordChecker(waiting_max=100, waiting_per_address_max=100)
        try:
            guesses = [guess(checker) for _ in range(10)]
            return await asyncio.gather(*guesses, return_exceptions=True)
        finally:
            checker.close()

    answers = asyncio.run(run())
    assert answers[:3] == [None, None, None]
    assert [type(answer) for answer in answers[3:]] == [Crowded] * 7


def test_no_more_checks_wait_than_allowed() -> None:
    async def check() -> list[bool | BaseException]:
        checker = PasswordChecker(waiting_max=2, waiting_per_address_max=2)
        try:
            checks = [checker.check(KNOWN, b"right", str(address), always) for address in range(5)]
            return await asyncio.gather(*checks, return_exceptions=True)
        finally:
            checker.close()

    answers = asyncio.run(check())
    assert answers[:3] == [True, True, True]  # one at work, two that wait
    assert [type(answer) for answer in answers[3:]] == [Crowded, Crowded]


def test_an_address_that_brings_many_holds_the_others_up_by_one_each() -> None:
    async def order() -> list[str]:
        queue = FairQueue(waiting_max=100, waiting_per_address_max=100)
        served: list[str] = []

        async def one(address: str) -> None:
            async with queue.turn(address, always):
                await asyncio.sleep(0)
                served.append(address)

        flood = [one("flood") for _ in range(20)]
        await asyncio.gather(*flood, one("a"), one("b"))
        return served

    served = asyncio.run(order())
    assert len(served) == 22
    assert served.index("a") <= 3 and served.index("b") <= 4


def test_one_address_cannot_fill_the_queue() -> None:
    async def run() -> str:
        queue = FairQueue(waiting_max=10, waiting_per_address_max=2)
        async with queue.turn("flood", always):
            waiting = [asyncio.create_task(_pass(queue, "flood")) for _ in range(3)]
            await asyncio.sleep(0)
            other = asyncio.create_task(_pass(queue, "other"))
            with pytest.raises(Crowded):
                await waiting[-1]
        await asyncio.gather(*waiting[:2])
        return await other

    assert asyncio.run(run()) == "other"


def test_who_goes_while_waiting_leaves_the_turn_to_the_next() -> None:
    async def run() -> str:
        queue = FairQueue(waiting_max=10, waiting_per_address_max=10)
        async with queue.turn("a", always):
            gone, granted, last = (
                asyncio.create_task(_pass(queue, name)) for name in ("b", "c", "d")
            )
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
        granted.cancel()  # in the moment when its turn has come
        return await last

    assert asyncio.run(run()) == "d"


def test_to_go_in_ones_turn_is_not_to_go_while_waiting() -> None:
    ends: list[type[BaseException]] = []

    async def hold(queue: FairQueue) -> None:
        try:
            async with queue.turn("a", always):
                await asyncio.Event().wait()
        except asyncio.CancelledError as end:
            ends.append(type(end))
            raise

    async def run() -> str:
        queue = FairQueue(waiting_max=10, waiting_per_address_max=10)
        tasks = [asyncio.create_task(hold(queue)) for _ in range(2)]
        await asyncio.sleep(0)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.wait(tasks)
        return await _pass(queue, "b")

    assert asyncio.run(run()) == "b"
    assert ends == [asyncio.CancelledError, Abandoned]


async def _pass(queue: FairQueue, address: str) -> str:
    async with queue.turn(address, always):
        return address
