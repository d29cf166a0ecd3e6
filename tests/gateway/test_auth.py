"""Credentials: what is accepted, what is refused, and that checks cannot pile up."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from portcullis.gateway.auth import PasswordChecker, PasswordHash, address_allowed


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


def test_networks_bound_where_a_peer_may_come_from() -> None:
    assert address_allowed([], "203.0.113.9")
    assert address_allowed(["10.0.0.0/8", "192.0.2.1"], "192.0.2.1")
    assert not address_allowed(["10.0.0.0/8", "192.0.2.1"], "192.0.2.2")


def test_no_more_checks_wait_than_allowed() -> None:
    salt = b"salt"
    digest = hashlib.scrypt(b"right", salt=salt, n=2, r=1, p=1, dklen=16)
    known = PasswordHash(2, 1, 1, salt, digest)

    async def check() -> list[bool]:
        checker = PasswordChecker(pending_max=2)
        try:
            return list(await asyncio.gather(*(checker.check(known, b"right") for _ in range(5))))
        finally:
            checker.close()

    assert asyncio.run(check()) == [True, True, False, False, False]


def test_where_no_password_is_set_none_is_asked() -> None:
    async def check() -> bool:
        checker = PasswordChecker(pending_max=1)
        try:
            return await checker.check(None, b"")
        finally:
            checker.close()

    assert asyncio.run(check())
