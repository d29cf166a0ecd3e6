"""Order slots, price levels and books: who rests where, in which order of priority.

Owns the slots of live orders, the two sides of each instrument's book, and each account's list of
its live orders. Must not know rows, reports, ids nor rules of matching; it moves what it is told.

A side is a ladder: a sorted block of (key, level) with the best at its end, since that is where
most orders come and go; a level is a first-in-first-out list of slots. Blocks double when full and
are given back when a side empties. All arrays are allocated at start.

Invariants: an order with O_LEVEL above 0 stands in just that level's list; L_QTY and L_ORDERS are
the sums over the list; keys of a ladder rise strictly; a slot in use stands in its account's list,
which is in order of arrival. Why bounds checks are off below: slots and levels come from the pools
(1 to capacity), sides from instruments that the caller has range-checked, ladder indexes run
within [base, base + count) of a block that the arena holds.
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
    from cython.cimports.portcullis.journal.rows import *
else:
    from portcullis.engine.layout import *
    from portcullis.journal.rows import *

# Block sizes are powers of two; so many free lists, one for each exponent.
_SIZES = 64


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _arena(instruments: cython.longlong, levels: cython.longlong) -> cython.longlong:
    """Ladder entries: a smallest block for each side, and twice for the blocks that large sides
    leave behind while they double."""
    return 2 * (instruments + 1) * LADDER_ROOM_MIN + 4 * levels + LADDER_ROOM_MIN


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class Book:
    """Slots, levels and ladders of all instruments. Each capacity is a number of records."""

    def __init__(self, *, orders: int, levels: int, instruments: int, accounts: int) -> None:
        # What the tables hold, and, by `limit`, what is in force.
        self._orders_max = orders
        self._levels_max = levels
        self._instruments_max = instruments
        self.order_capacity = orders
        self.level_capacity = levels
        self.instrument_capacity = instruments
        self.account_capacity = accounts
        self.orders = zeroed(ORDER_WORDS * (orders + 1))
        self.levels = zeroed(LEVEL_WORDS * (levels + 1))
        self.sides = zeroed(SIDE_WORDS * 2 * (instruments + 1))
        self.accounts = zeroed(ACCOUNT_WORDS * (accounts + 1))
        self._arena_size = _arena(instruments, levels)
        self.ladders = zeroed(LADDER_WORDS * self._arena_size)
        self._arena_used = 1
        self._free_blocks = zeroed(_SIZES)
        self._free_slot = 0
        self._slots_used = 0
        self._free_level = 0
        self._levels_used = 0
        self.orders_live = 0
        self.levels_live = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def limit(self, what: cython.longlong, capacity: cython.longlong) -> cython.bint:
        """Put a capacity in force, be it below what is in use; False where tables are smaller.

        What finds room then depends on capacities in force alone, not on how large tables are.
        """
        if capacity < 1:
            return False
        if what == LIMIT_ORDERS:
            if capacity > self._orders_max:
                return False
            self.order_capacity = capacity
        elif what == LIMIT_LEVELS:
            if capacity > self._levels_max:
                return False
            self.level_capacity = capacity
        elif what == LIMIT_INSTRUMENTS:
            if capacity > self._instruments_max:
                return False
            self.instrument_capacity = capacity
        self._arena_size = _arena(self.instrument_capacity, self.level_capacity)
        return True

    # --- slots -------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def take_slot(self) -> cython.longlong:
        """A free slot, 0 where all are in use. O(1)."""
        slot: cython.longlong = self._free_slot
        # A capacity may have been lowered below what is in use.
        if self.orders_live >= self.order_capacity:
            return 0
        if slot:
            self._free_slot = self.orders[slot * ORDER_WORDS + O_NEXT]
        else:
            self._slots_used += 1
            slot = self._slots_used
        self.orders_live += 1
        return slot

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def free_slot(self, slot: cython.longlong) -> cython.void:
        """Give a slot back; it stands in no level and no account's list. O(1)."""
        self.orders[slot * ORDER_WORDS + O_ROW] = 0
        self.orders[slot * ORDER_WORDS + O_NEXT] = self._free_slot
        self._free_slot = slot
        self.orders_live -= 1

    # --- lists of accounts -------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def enlist(self, slot: cython.longlong) -> cython.void:
        """Add an order at the end of its account's list. O(1)."""
        order: cython.longlong = slot * ORDER_WORDS
        account: cython.longlong = (self.orders[order + O_REF] >> 32) * ACCOUNT_WORDS
        last: cython.longlong = self.accounts[account + A_LAST]
        self.orders[order + O_ACCOUNT_NEXT] = 0
        self.orders[order + O_ACCOUNT_PREV] = last
        if last:
            self.orders[last * ORDER_WORDS + O_ACCOUNT_NEXT] = slot
        else:
            self.accounts[account + A_FIRST] = slot
        self.accounts[account + A_LAST] = slot
        self.accounts[account + A_ORDERS] += 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def delist(self, slot: cython.longlong) -> cython.void:
        """Take an order out of its account's list. O(1)."""
        order: cython.longlong = slot * ORDER_WORDS
        account: cython.longlong = (self.orders[order + O_REF] >> 32) * ACCOUNT_WORDS
        behind: cython.longlong = self.orders[order + O_ACCOUNT_NEXT]
        before: cython.longlong = self.orders[order + O_ACCOUNT_PREV]
        if before:
            self.orders[before * ORDER_WORDS + O_ACCOUNT_NEXT] = behind
        else:
            self.accounts[account + A_FIRST] = behind
        if behind:
            self.orders[behind * ORDER_WORDS + O_ACCOUNT_PREV] = before
        else:
            self.accounts[account + A_LAST] = before
        self.accounts[account + A_ORDERS] -= 1

    # --- ladders -----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _search(self, side: cython.longlong, key: cython.longlong) -> cython.longlong:
        """First entry of the side's ladder whose key is not below `key`; gallops from the best."""
        low: cython.longlong = self.sides[side * SIDE_WORDS + B_BASE]
        high: cython.longlong = low + self.sides[side * SIDE_WORDS + B_COUNT]
        step: cython.longlong = 1
        # Entries from `high` on are not below the key.
        while high - step >= low and self.ladders[(high - step) * LADDER_WORDS] >= key:
            high -= step
            step += step
        if high - step >= low:
            low = high - step + 1
        middle: cython.longlong
        while low < high:
            middle = (low + high) >> 1
            if self.ladders[middle * LADDER_WORDS] >= key:
                high = middle
            else:
                low = middle + 1
        return low

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _level_at(self, side: cython.longlong, key: cython.longlong) -> cython.longlong:
        """The level of a key, 0 where there is none."""
        entry: cython.longlong = self._search(side, key)
        end: cython.longlong = (
            self.sides[side * SIDE_WORDS + B_BASE] + self.sides[side * SIDE_WORDS + B_COUNT]
        )
        if entry < end and self.ladders[entry * LADDER_WORDS] == key:
            return self.ladders[entry * LADDER_WORDS + 1]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _give_block(self, base: cython.longlong, room: cython.longlong) -> cython.void:
        """Keep a block for the next side that needs one of its size."""
        size: cython.longlong = 0
        while (1 << size) < room:
            size += 1
        self.ladders[base * LADDER_WORDS] = self._free_blocks[size]
        self._free_blocks[size] = base

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _grow(self, side: cython.longlong) -> cython.bint:
        """Move a side to a block of twice the room; False where the arena has none. O(levels)."""
        place: cython.longlong = side * SIDE_WORDS
        old_base: cython.longlong = self.sides[place + B_BASE]
        old_room: cython.longlong = self.sides[place + B_ROOM]
        room: cython.longlong = 2 * old_room if old_room else LADDER_ROOM_MIN
        size: cython.longlong = 0
        while (cython.cast(cython.longlong, 1) << size) < room:
            size += 1
        base: cython.longlong = self._free_blocks[size]
        if base:
            self._free_blocks[size] = self.ladders[base * LADDER_WORDS]
        elif self._arena_used + room <= self._arena_size:
            base = self._arena_used
            self._arena_used += room
        else:
            return False
        index: cython.longlong
        for index in range(self.sides[place + B_COUNT] * LADDER_WORDS):
            self.ladders[base * LADDER_WORDS + index] = self.ladders[
                old_base * LADDER_WORDS + index
            ]
        if old_room:
            self._give_block(old_base, old_room)
        self.sides[place + B_BASE] = base
        self.sides[place + B_ROOM] = room
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def has_room(self, side: cython.longlong, price: cython.longlong) -> cython.bint:
        """Make sure that an order at this price can rest; `add` then cannot fail.

        It holds until another order is added on this side.
        """
        place: cython.longlong = side * SIDE_WORDS
        if self.levels_live < self.level_capacity and (
            self.sides[place + B_COUNT] < self.sides[place + B_ROOM] or self._grow(side)
        ):
            return True
        return self._level_at(side, -price if side & 1 else price) != 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _open_level(
        self, side: cython.longlong, entry: cython.longlong, key: cython.longlong
    ) -> cython.longlong:
        """Put a new level before `entry`. `has_room` has seen to the room. O(levels better)."""
        level: cython.longlong = self._free_level
        if level:
            self._free_level = self.levels[level * LEVEL_WORDS + L_FIRST]
        else:
            self._levels_used += 1
            level = self._levels_used
        place: cython.longlong = side * SIDE_WORDS
        index: cython.longlong = self.sides[place + B_BASE] + self.sides[place + B_COUNT]
        while index > entry:
            self.ladders[index * LADDER_WORDS] = self.ladders[(index - 1) * LADDER_WORDS]
            self.ladders[index * LADDER_WORDS + 1] = self.ladders[(index - 1) * LADDER_WORDS + 1]
            index -= 1
        self.ladders[entry * LADDER_WORDS] = key
        self.ladders[entry * LADDER_WORDS + 1] = level
        self.sides[place + B_COUNT] += 1
        self.levels_live += 1
        self.levels[level * LEVEL_WORDS + L_FIRST] = 0
        self.levels[level * LEVEL_WORDS + L_LAST] = 0
        self.levels[level * LEVEL_WORDS + L_QTY] = 0
        self.levels[level * LEVEL_WORDS + L_ORDERS] = 0
        return level

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _close_level(
        self, side: cython.longlong, key: cython.longlong, level: cython.longlong
    ) -> cython.void:
        """Take an empty level out of its ladder. O(levels better)."""
        place: cython.longlong = side * SIDE_WORDS
        index: cython.longlong = self._search(side, key)
        count: cython.longlong = self.sides[place + B_COUNT] - 1
        last: cython.longlong = self.sides[place + B_BASE] + count
        while index < last:
            self.ladders[index * LADDER_WORDS] = self.ladders[(index + 1) * LADDER_WORDS]
            self.ladders[index * LADDER_WORDS + 1] = self.ladders[(index + 1) * LADDER_WORDS + 1]
            index += 1
        self.sides[place + B_COUNT] = count
        self.levels[level * LEVEL_WORDS + L_FIRST] = self._free_level
        self._free_level = level
        self.levels_live -= 1

    # --- resting -----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def side_of(self, slot: cython.longlong) -> cython.longlong:
        """The side an order belongs to: 2 x instrument, + 1 where it sells."""
        order: cython.longlong = slot * ORDER_WORDS
        instrument: cython.longlong = self.orders[order + O_REF] & ID_MASK
        if self.orders[order + O_META] & 0xFF == SIDE_BUY:
            return 2 * instrument
        return 2 * instrument + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def add(self, slot: cython.longlong) -> cython.void:
        """Rest an order at its price, behind all others there. `has_room` came before."""
        order: cython.longlong = slot * ORDER_WORDS
        side: cython.longlong = self.side_of(slot)
        price: cython.longlong = self.orders[order + O_PRICE]
        key: cython.longlong = -price if side & 1 else price
        entry: cython.longlong = self._search(side, key)
        end: cython.longlong = (
            self.sides[side * SIDE_WORDS + B_BASE] + self.sides[side * SIDE_WORDS + B_COUNT]
        )
        level: cython.longlong
        if entry < end and self.ladders[entry * LADDER_WORDS] == key:
            level = self.ladders[entry * LADDER_WORDS + 1]
        else:
            level = self._open_level(side, entry, key)
        last: cython.longlong = self.levels[level * LEVEL_WORDS + L_LAST]
        self.orders[order + O_LEVEL] = level
        self.orders[order + O_NEXT] = 0
        self.orders[order + O_PREV] = last
        if last:
            self.orders[last * ORDER_WORDS + O_NEXT] = slot
        else:
            self.levels[level * LEVEL_WORDS + L_FIRST] = slot
        self.levels[level * LEVEL_WORDS + L_LAST] = slot
        self.levels[level * LEVEL_WORDS + L_QTY] += self.orders[order + O_LEAVES]
        self.levels[level * LEVEL_WORDS + L_ORDERS] += 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def lift(self, slot: cython.longlong) -> cython.longlong:
        """Take a resting order out, to rest elsewhere on its side; give the side whose level it
        closed, or 0. The room for `add` stays. O(1), but for the last order of its level."""
        order: cython.longlong = slot * ORDER_WORDS
        level: cython.longlong = self.orders[order + O_LEVEL]
        record: cython.longlong = level * LEVEL_WORDS
        behind: cython.longlong = self.orders[order + O_NEXT]
        before: cython.longlong = self.orders[order + O_PREV]
        if before:
            self.orders[before * ORDER_WORDS + O_NEXT] = behind
        else:
            self.levels[record + L_FIRST] = behind
        if behind:
            self.orders[behind * ORDER_WORDS + O_PREV] = before
        else:
            self.levels[record + L_LAST] = before
        self.orders[order + O_LEVEL] = 0
        self.levels[record + L_QTY] -= self.orders[order + O_LEAVES]
        self.levels[record + L_ORDERS] -= 1
        if self.levels[record + L_ORDERS]:
            return 0
        side: cython.longlong = self.side_of(slot)
        price: cython.longlong = self.orders[order + O_PRICE]
        self._close_level(side, -price if side & 1 else price, level)
        return side

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def remove(self, slot: cython.longlong) -> cython.void:
        """Take a resting order out for good: a side left empty gives its block back."""
        place: cython.longlong = self.lift(slot) * SIDE_WORDS
        if (
            place
            and self.sides[place + B_COUNT] == 0
            and self.sides[place + B_ROOM] > LADDER_ROOM_MIN
        ):
            self._give_block(self.sides[place + B_BASE], self.sides[place + B_ROOM])
            self.sides[place + B_BASE] = 0
            self.sides[place + B_ROOM] = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def reduce(self, slot: cython.longlong, qty: cython.longlong) -> cython.void:
        """Lower the open quantity of an order, resting or not, by 0 < qty <= its leaves. O(1).

        An order left with nothing keeps its place until the caller removes it.
        """
        order: cython.longlong = slot * ORDER_WORDS
        level: cython.longlong = self.orders[order + O_LEVEL]
        self.orders[order + O_LEAVES] -= qty
        if level:
            self.levels[level * LEVEL_WORDS + L_QTY] -= qty

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def best(self, side: cython.longlong) -> cython.longlong:
        """The order first in priority on a side, 0 where it is empty. O(1)."""
        count: cython.longlong = self.sides[side * SIDE_WORDS + B_COUNT]
        if count == 0:
            return 0
        entry: cython.longlong = self.sides[side * SIDE_WORDS + B_BASE] + count - 1
        level: cython.longlong = self.ladders[entry * LADDER_WORDS + 1]
        return self.levels[level * LEVEL_WORDS + L_FIRST]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def available(
        self,
        side: cython.longlong,
        key_min: cython.longlong,
        wanted: cython.longlong,
        account: cython.longlong,
        skip_own: cython.bint,
    ) -> cython.bint:
        """Whether others' orders with keys from key_min up fill `wanted`, best first.

        account: whose orders do not count, 0: all count. At such an order the search ends, or
        goes on behind it where skip_own. O(orders passed).
        """
        base: cython.longlong = self.sides[side * SIDE_WORDS + B_BASE]
        entry: cython.longlong = base + self.sides[side * SIDE_WORDS + B_COUNT] - 1
        slot: cython.longlong
        order: cython.longlong
        while entry >= base and self.ladders[entry * LADDER_WORDS] >= key_min:
            slot = self.levels[self.ladders[entry * LADDER_WORDS + 1] * LEVEL_WORDS + L_FIRST]
            while slot:
                order = slot * ORDER_WORDS
                if account == 0 or (self.orders[order + O_REF] >> 32) != account:
                    wanted -= self.orders[order + O_LEAVES]
                    if wanted <= 0:
                        return True
                elif not skip_own:
                    return False
                slot = self.orders[order + O_NEXT]
            entry -= 1
        return False

    # --- for tests and tools -----------------------------------------------------------------

    def depth(self, instrument: int, sells: bool) -> list[tuple[int, int, int]]:
        """Price, open quantity and number of orders of each level of a side, best first."""
        if not 1 <= instrument <= self.instrument_capacity:
            raise IndexError(f"instrument {instrument} is not in 1 to {self.instrument_capacity}")
        place = (2 * instrument + sells) * SIDE_WORDS
        base, count = self.sides[place + B_BASE], self.sides[place + B_COUNT]
        found = []
        for entry in range(base + count - 1, base - 1, -1):
            key = self.ladders[entry * LADDER_WORDS]
            record = self.ladders[entry * LADDER_WORDS + 1] * LEVEL_WORDS
            found.append(
                (
                    -key if sells else key,
                    self.levels[record + L_QTY],
                    self.levels[record + L_ORDERS],
                )
            )
        return found

    def resting(self, instrument: int, sells: bool) -> list[int]:
        """The slots of a side in priority."""
        if not 1 <= instrument <= self.instrument_capacity:
            raise IndexError(f"instrument {instrument} is not in 1 to {self.instrument_capacity}")
        place = (2 * instrument + sells) * SIDE_WORDS
        base, count = self.sides[place + B_BASE], self.sides[place + B_COUNT]
        found = []
        for entry in range(base + count - 1, base - 1, -1):
            slot = self.levels[self.ladders[entry * LADDER_WORDS + 1] * LEVEL_WORDS + L_FIRST]
            while slot:
                found.append(slot)
                slot = self.orders[slot * ORDER_WORDS + O_NEXT]
        return found

    def order_words(self, slot: int) -> list[int]:
        """A copy of the words of an order's record."""
        if not 1 <= slot <= self.order_capacity:
            raise IndexError(f"slot {slot} is not in 1 to {self.order_capacity}")
        return list(self.orders[slot * ORDER_WORDS : (slot + 1) * ORDER_WORDS])
