"""Orders whose time runs out, soonest first.

Owns a binary heap of (time, slot) and each slot's place in it, so that one that ends otherwise is
taken out at once. Must not know orders, nor what time it is.

Invariants: places are 1 to `count`, a parent's pair is not above its children's; a slot stands at
most once. Bounds checks are off: slots are the book's, and the heap has a place for each of them.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class Expiries:
    """Room for slots 1 to `slots`."""

    def __init__(self, slots: int) -> None:
        self._times = memoryview(bytearray(8 * (slots + 2))).cast("q")
        self._slots = memoryview(bytearray(8 * (slots + 2))).cast("q")
        self._places = memoryview(bytearray(8 * (slots + 2))).cast("q")
        self.count = 0

    def next_ns(self) -> int:
        """When the next order's time runs out; 0: none does."""
        return self._times[1] if self.count else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put(self, slot: cython.longlong, time_ns: cython.longlong) -> cython.void:
        """Give a slot a time, or another time. O(log count)."""
        place: cython.longlong = self._places[slot]
        if place == 0:
            self.count += 1
            place = self.count
        self._set(place, time_ns, slot)
        self._rise(place)
        self._sink(self._places[slot])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def drop(self, slot: cython.longlong) -> cython.void:
        """Take a slot out, if it is in. O(log count)."""
        place: cython.longlong = self._places[slot]
        if place == 0:
            return
        self._places[slot] = 0
        last: cython.longlong = self.count
        self.count -= 1
        if place != last:
            moved: cython.longlong = self._slots[last]
            self._set(place, self._times[last], moved)
            self._rise(place)
            self._sink(self._places[moved])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def due(self, time_ns: cython.longlong) -> cython.longlong:
        """The slot whose time runs out first, if it has by `time_ns`; else 0."""
        return self._slots[1] if self.count and self._times[1] <= time_ns else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def time_of(self, slot: cython.longlong) -> cython.longlong:
        """A slot's time; 0: it has none."""
        return self._times[self._places[slot]] if self._places[slot] else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _set(
        self, place: cython.longlong, time_ns: cython.longlong, slot: cython.longlong
    ) -> cython.void:
        self._times[place] = time_ns
        self._slots[place] = slot
        self._places[slot] = place

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_before(self, one: cython.longlong, other: cython.longlong) -> cython.bint:
        """By time; slots decide where times are equal, so that replay goes the same way."""
        if self._times[one] != self._times[other]:
            return self._times[one] < self._times[other]
        return self._slots[one] < self._slots[other]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _swap(self, one: cython.longlong, other: cython.longlong) -> cython.void:
        time_ns: cython.longlong = self._times[one]
        slot: cython.longlong = self._slots[one]
        self._set(one, self._times[other], self._slots[other])
        self._set(other, time_ns, slot)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _rise(self, place: cython.longlong) -> cython.void:
        while place > 1 and self._is_before(place, place >> 1):
            self._swap(place, place >> 1)
            place = place >> 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _sink(self, place: cython.longlong) -> cython.void:
        child: cython.longlong = 2 * place
        while child <= self.count:
            if child < self.count and self._is_before(child + 1, child):
                child += 1
            if not self._is_before(child, place):
                break
            self._swap(place, child)
            place = child
            child = 2 * place
