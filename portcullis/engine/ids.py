"""The table of order ids: which id a session has used, and what became of it.

Owns one open-addressing table of fixed capacity, allocated at start. An id stands for itself by
the 128-bit SipHash-1-3 of session (four bytes, little-endian) and id bytes, under a secret key
from the journal's first row: a client can neither aim at one chain of the table nor make two ids
equal. One half of the hash says where to look, the other is kept and compared; the id itself is
not kept. So two ids are taken for one with a chance of 2^-64 per entry looked at, which is less
than two per order. An entry has 16 bytes, and four share a cache line: one line answers for
nearly every id.

Nothing is forgotten unless the caller removes it: when `used` reaches `capacity`, the caller
refuses. Must not know what an order is; references are the caller's (`layout.REF_`), below 2^48, 0
means empty. Beside it an entry keeps how far from its place it stands: that tells which of the
entries of forgotten ids are still needed to find others, though half of the hash is not kept.

Invariants: at most half the entries hold ids, and what is forgotten is cleared while few come, so
every search ends at an empty entry; no entry between the place of an id and where it stands is
empty; an id stays at its index until it is forgotten.
Specification: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (SipHash-c-d), with the
128-bit output of their reference implementation; docs/rules-of-engagement.md, "Ids and chains".
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

from portcullis.engine.memory import zeroed

if cython.compiled:
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.prefetch import prefetch
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.layout import *
    from portcullis.journal.table import RowTable

# Blocks of the longest message: 4 bytes of session, 255 of id, and the length byte.
_BLOCKS_MAX = 33


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _mix(v: cython.p_ulonglong) -> cython.void:
    """A round of SipHash: the four words of its state are mixed, 64 bits each."""
    all_bits: cython.ulonglong = 0xFFFFFFFFFFFFFFFF
    v0: cython.ulonglong = (v[0] + v[1]) & all_bits
    v1: cython.ulonglong = (((v[1] << 13) & all_bits) | (v[1] >> 51)) ^ v0
    v2: cython.ulonglong = (v[2] + v[3]) & all_bits
    v3: cython.ulonglong = (((v[3] << 16) & all_bits) | (v[3] >> 48)) ^ v2
    v0 = ((v0 << 32) & all_bits) | (v0 >> 32)
    v0 = (v0 + v3) & all_bits
    v2 = (v2 + v1) & all_bits
    v[3] = (((v3 << 21) & all_bits) | (v3 >> 43)) ^ v0
    v[1] = (((v1 << 17) & all_bits) | (v1 >> 47)) ^ v2
    v[2] = ((v2 << 32) & all_bits) | (v2 >> 32)
    v[0] = v0


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class IdTable:
    """Ids of all sessions. capacity: ids that fit; more are the caller's to refuse."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"id capacity was {capacity}, must be at least 1")
        size = 1 << (2 * capacity - 1).bit_length()
        self.capacity = capacity
        self.used = 0
        self._mask = size - 1
        # Entry: first word of the hash, reference.
        self._entries = zeroed(2 * size, "Q")
        self._blocks = zeroed(_BLOCKS_MAX, "Q")
        self._key_low = 0
        self._key_high = 0
        self.first = 0
        self.second = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def limit(self, capacity: cython.longlong) -> cython.bint:
        """Change the capacity, be it below `used`; False where the table has no such room."""
        if capacity < 1 or 2 * capacity > self._mask + 1:
            return False
        self.capacity = capacity
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def set_key(self, low: cython.longlong, high: cython.longlong) -> cython.void:
        """Take the secret key; the caller does so while the table is empty."""
        all_bits: cython.ulonglong = 0xFFFFFFFFFFFFFFFF
        self._key_low = cython.cast(cython.ulonglong, low) & all_bits
        self._key_high = cython.cast(cython.ulonglong, high) & all_bits

    # --- hashing -----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def hash_short(
        self,
        session: cython.longlong,
        a: cython.longlong,
        b: cython.longlong,
        c: cython.longlong,
        length: cython.longlong,
    ) -> cython.void:
        """Hash an id of up to 24 bytes given as zero-padded words; `find` then looks for it."""
        all_bits: cython.ulonglong = 0xFFFFFFFFFFFFFFFF
        x: cython.ulonglong = cython.cast(cython.ulonglong, a) & all_bits
        y: cython.ulonglong = cython.cast(cython.ulonglong, b) & all_bits
        z: cython.ulonglong = cython.cast(cython.ulonglong, c) & all_bits
        octets: cython.ulonglong = (length if length < 24 else 24) + 4
        last: cython.longlong = octets >> 3
        # In range: last <= 28 / 8.
        self._blocks[0] = cython.cast(cython.ulonglong, session) | ((x << 32) & all_bits)
        self._blocks[1] = (x >> 32) | ((y << 32) & all_bits)
        self._blocks[2] = (y >> 32) | ((z << 32) & all_bits)
        self._blocks[3] = z >> 32
        self._blocks[last] |= octets << 56
        self._hash_blocks(last + 1)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def hash_text(
        self,
        session: cython.longlong,
        table: RowTable,
        owner: cython.longlong,
        position: cython.longlong,
        length: cython.longlong,
    ) -> cython.void:
        """Hash an id that stands in a text item of row `owner`. O(length)."""
        octets: cython.longlong = (length if length < 255 else 255) + 4
        index: cython.longlong
        value: cython.ulonglong
        for index in range((octets >> 3) + 1):
            self._blocks[index] = 0
        self._blocks[0] = cython.cast(cython.ulonglong, session)
        for index in range(4, octets):
            value = table.text_octet(owner, position + index - 4)
            self._blocks[index >> 3] |= value << ((index & 7) << 3)
        value = octets & 0xFF
        self._blocks[octets >> 3] |= value << 56
        self._hash_blocks((octets >> 3) + 1)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_blocks(self, count: cython.longlong) -> cython.void:
        """SipHash-1-3 with 128 bits of output over `count` blocks, the length in the last."""
        v: cython.ulonglong[4]
        index: cython.longlong
        v = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]
        v[0] ^= self._key_low
        v[1] ^= self._key_high ^ 0xEE
        v[2] ^= self._key_low
        v[3] ^= self._key_high
        for index in range(count):
            v[3] ^= self._blocks[index]
            _mix(v)
            v[0] ^= self._blocks[index]
        v[2] ^= 0xEE
        _mix(v)
        _mix(v)
        _mix(v)
        self.first = v[0] ^ v[1] ^ v[2] ^ v[3]
        v[1] ^= 0xDD
        _mix(v)
        _mix(v)
        _mix(v)
        self.second = v[0] ^ v[1] ^ v[2] ^ v[3]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def recall(self, first: cython.ulonglong, second: cython.ulonglong) -> cython.void:
        """Take a hash made before as the last one."""
        self.first = first
        self.second = second

    # --- the table ---------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def fetch(self) -> cython.void:
        """Have the place of the id hashed last brought near, for a `find` that comes soon."""
        if cython.compiled:
            prefetch(cython.address(self._entries[2 * (self.second & self._mask)]))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def find(self) -> cython.longlong:
        """Index of the id hashed last, or -1 - (place for it) where it is not in the table."""
        # In range: the mask keeps index below the size; ends, since half the entries are empty.
        index: cython.longlong = self.second & self._mask
        while self._entries[2 * index + 1] != 0:
            if self._entries[2 * index] == self.first:
                return index
            index = (index + 1) & self._mask
        return -1 - index

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put(self, missing: cython.longlong, reference: cython.longlong) -> cython.longlong:
        """Enter the id that `find` just missed; give its index, which stays.

        The caller has seen used < capacity; reference is above 0.
        """
        index: cython.longlong = -1 - missing
        # Distances stay far below 2^16: half the entries are empty, and nobody can aim.
        distance: cython.ulonglong = (index - (self.second & self._mask)) & self._mask
        self._entries[2 * index] = self.first
        self._entries[2 * index + 1] = cython.cast(cython.ulonglong, reference) | (
            distance << REFERENCE_BITS
        )
        self.used += 1
        return index

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def reference(self, index: cython.longlong) -> cython.longlong:
        """What stands for the id at an index that `find` or `put` gave."""
        low_bits: cython.ulonglong = (cython.cast(cython.ulonglong, 1) << REFERENCE_BITS) - 1
        return cython.cast(cython.longlong, self._entries[2 * index + 1] & low_bits)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def refer(self, index: cython.longlong, reference: cython.longlong) -> cython.void:
        """Change what stands for the id at an index that `find` or `put` gave."""
        distance: cython.ulonglong = self._entries[2 * index + 1] >> REFERENCE_BITS
        self._entries[2 * index + 1] = cython.cast(cython.ulonglong, reference) | (
            distance << REFERENCE_BITS
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def current(self, index: cython.longlong) -> cython.longlong:
        """The id that an order goes by now; shortens the chain it walked."""
        end: cython.longlong = index
        reference: cython.longlong = self.reference(end)
        while reference & 3 == REF_SUPERSEDED:
            end = reference >> 2
            reference = self.reference(end)
        while index != end:
            reference = self.reference(index)
            self.refer(index, (end << 2) | REF_SUPERSEDED)
            index = reference >> 2
        return end

    # --- removing ----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def bury(self, index: cython.longlong) -> cython.void:
        """Forget the id at an index. Its entry stays, as REF_FREED, for searches to pass over."""
        self._entries[2 * index] = 0
        self._entries[2 * index + 1] = REF_FREED
        self.used -= 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def clear(self, last: cython.longlong, count: cython.longlong) -> cython.void:
        """Empty buried entries that no id needs to be found, of `count` from `last` downwards.

        An id needs all entries from its place to where it stands. O(count).
        """
        # In range: the mask keeps indexes below the size. Ends: half the entries are empty.
        # So many entries below the one looked at are still needed by ids above it.
        needed: cython.longlong = -1
        step: cython.longlong = 1
        word: cython.ulonglong = self._entries[2 * ((last + step) & self._mask) + 1]
        while word != 0:
            if word != REF_FREED:
                needed = max(needed, cython.cast(cython.longlong, word >> REFERENCE_BITS) - step)
            step += 1
            word = self._entries[2 * ((last + step) & self._mask) + 1]
        index: cython.longlong
        for index in range(last, last - count, -1):
            word = self._entries[2 * index + 1]
            if word == 0:
                needed = -1
            elif word != REF_FREED:
                needed = max(needed, cython.cast(cython.longlong, word >> REFERENCE_BITS))
            elif needed < 0:
                self._entries[2 * index + 1] = 0
            needed -= 1

    # --- for the state hash, tests and tools -------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def size(self) -> cython.longlong:
        """Entries, used and empty."""
        return self._mask + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def key_word(self, index: cython.longlong) -> cython.ulonglong:
        """The word of the hash that is kept at an index."""
        return self._entries[2 * index]

    def hash_bytes(self, session: int, identifier: bytes) -> tuple[int, int]:
        """The two words of an id's hash."""
        if len(identifier) > 255:
            raise ValueError(f"an id of {len(identifier)} bytes is longer than 255")
        message = session.to_bytes(4, "little") + identifier
        padded = message.ljust(len(message) // 8 * 8 + 7, b"\0") + bytes([len(message) & 0xFF])
        place: cython.longlong
        for index in range(len(padded) // 8):
            place = index
            self._blocks[place] = int.from_bytes(padded[8 * index : 8 * index + 8], "little")
        self._hash_blocks(len(padded) // 8)
        return self.first, self.second

    def lookup(self, session: int, identifier: bytes) -> int:
        """Reference of an id, or 0."""
        self.hash_bytes(session, identifier)
        found = self.find()
        return self.reference(found) if found >= 0 else 0

    def enter(self, session: int, identifier: bytes, reference: int) -> bool:
        """Enter an id, unless it is there already or the table is full."""
        if reference <= 0:
            raise ValueError(f"reference was {reference}, must be above 0")
        self.hash_bytes(session, identifier)
        found = self.find()
        if found >= 0 or self.used >= self.capacity:
            return False
        self.put(found, reference)
        return True

    def use_key(self, low: int, high: int) -> None:
        """Take the secret key, as `set_key`, while no id stands."""
        if self.used:
            raise ValueError("the key of a table that holds ids cannot change")
        self.set_key(low, high)
