"""Who may log on: CompIDs name the session, then address and password must fit.

Owns credentials and their checking. A password is kept as an scrypt hash, and one check takes
40 ms of a processor, so checks run in one thread that does nothing else (hashlib releases the
GIL), and only so many wait for it: a flood of Logons cannot queue up work. Must not know a
session's state; nothing of a session moves before the answer here is yes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

# OWASP's advice for interactive logons that must stay below 50 ms.
SCRYPT_N = 1 << 14
SCRYPT_R = 8
SCRYPT_P = 1
_SCRYPT_MEMORY_MAX = 128 << 20
_SALT_BYTES = 16
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """An scrypt hash with its parameters, written `scrypt:n:r:p:salt:hash` with hex bytes."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """ValueError where the text is no hash or asks for more memory than is granted."""
        kind, *parts = text.strip().split(":")
        if kind != "scrypt" or len(parts) != 5:
            raise ValueError("expected a hash as `portcullis password` prints it")
        n, r, p = (int(part) for part in parts[:3])
        if n < 2 or n & (n - 1) or r < 1 or p < 1 or 128 * n * r * p > _SCRYPT_MEMORY_MAX:
            raise ValueError("expected scrypt parameters n, r, p within 128 MiB of memory")
        return cls(n, r, p, bytes.fromhex(parts[3]), bytes.fromhex(parts[4]))

    @classmethod
    def make(cls, password: bytes) -> PasswordHash:
        salt = os.urandom(_SALT_BYTES)
        bare = cls(SCRYPT_N, SCRYPT_R, SCRYPT_P, salt, b"")
        return cls(SCRYPT_N, SCRYPT_R, SCRYPT_P, salt, bare._hash(password))

    def __str__(self) -> str:
        return f"scrypt:{self.n}:{self.r}:{self.p}:{self.salt.hex()}:{self.digest.hex()}"

    def accepts(self, password: bytes) -> bool:
        """Whether the password is the one; takes some 40 ms."""
        return hmac.compare_digest(self._hash(password), self.digest)

    def _hash(self, password: bytes) -> bytes:
        return hashlib.scrypt(
            password,
            salt=self.salt,
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=2 * _SCRYPT_MEMORY_MAX,
            dklen=len(self.digest) or _HASH_BYTES,
        )


def address_allowed(networks: list[str], host: str) -> bool:
    """Whether a peer's address lies in one of the networks; none given: any does."""
    if not networks:
        return True
    address = ipaddress.ip_address(host)
    return any(address in ipaddress.ip_network(network) for network in networks)


class PasswordChecker:
    """Checks passwords off the event loop, at most `pending_max` at once."""

    def __init__(self, *, pending_max: int) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._pending = 0
        self._pending_max = pending_max

    async def check(self, known: PasswordHash | None, password: bytes) -> bool:
        """Whether the password fits; None known: any does. Too many waiting: it does not."""
        if known is None:
            return True
        if self._pending >= self._pending_max:
            return False
        self._pending += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, known.accepts, password)
        finally:
            self._pending -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
