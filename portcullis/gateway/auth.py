"""Passwords: how they are kept, and how they are checked without holding anybody up.

A password is kept as an scrypt hash, and one check takes 40 ms of a processor. So checks run in
one thread that does nothing else (hashlib releases the GIL), only so many wait for it, and they
wait by turns of their addresses: a flood of Logons from one of them neither queues up work nor
keeps others out. Knows no protocol; nothing of a session moves before the answer here is yes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
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
    def make(cls, password: bytes, n: int = SCRYPT_N) -> PasswordHash:
        salt = os.urandom(_SALT_BYTES)
        bare = cls(n, SCRYPT_R, SCRYPT_P, salt, b"")
        return cls(n, SCRYPT_R, SCRYPT_P, salt, bare._hash(password))

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


class Crowded(Exception):
    """Not looked at: too many wait already, or too many before were wrong. The text says which."""


class Abandoned(asyncio.CancelledError):
    """Cancelled in its turn: whoever asked has gone, and the work was done for nothing."""


class FairQueue:
    """One at a time, and those that wait come by turns of their addresses.

    So an address that brings many holds the others up by one each time. waiting_max: of all,
    waiting_per_address_max: of one address.
    """

    def __init__(self, *, waiting_max: int, waiting_per_address_max: int) -> None:
        self._waiting_max = waiting_max
        self._waiting_per_address_max = waiting_per_address_max
        # By address, whose turn comes next first.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._count = 0
        self._is_busy = False

    @contextlib.asynccontextmanager
    async def turn(self, address: str, may_try: Callable[[], bool]) -> AsyncIterator[None]:
        """Wait for the address's turn, and have it as long as the context lasts.

        may_try: asked when the turn has come, for those before may have used up what the address
        may get wrong. Crowded where not, or where too many wait; Abandoned where it is cancelled
        in its turn.
        """
        if self._is_busy:
            await self._wait(address)
        self._is_busy = True
        try:
            if not may_try():
                raise Crowded("too many wrong ones from this address")
            yield
        except asyncio.CancelledError:
            raise Abandoned from None
        finally:
            self._pass_on()

    async def _wait(self, address: str) -> None:
        queue = self._waiting.get(address, deque())
        if self._count >= self._waiting_max or len(queue) >= self._waiting_per_address_max:
            raise Crowded("too many wait to be looked at")
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        self._waiting[address] = queue
        self._count += 1
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # it was our turn just then
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """The next one's turn."""
        while self._waiting:
            address, queue = next(iter(self._waiting.items()))
            del self._waiting[address]
            following = queue.popleft()
            self._count -= 1
            if queue:
                self._waiting[address] = queue  # behind the others
            if not following.done():  # else it was cancelled
                following.set_result(None)
                return
        self._is_busy = False


class PasswordChecker:
    """Checks passwords off the event loop, one at a time."""

    def __init__(self, *, waiting_max: int, waiting_per_address_max: int) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._queue = FairQueue(
            waiting_max=waiting_max, waiting_per_address_max=waiting_per_address_max
        )

    async def check(
        self, known: PasswordHash, password: bytes, address: str, may_try: Callable[[], bool]
    ) -> bool:
        """Whether the password fits; Crowded, Abandoned as `FairQueue.turn` has them."""
        async with self._queue.turn(address, may_try):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, known.accepts, password)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
