"""The body fields of one FIX order message, found by meaning, and the items they become.

Owns the slots that the fields that decide are found in, the raw pieces that are carried or kept,
the first reason to refuse, and the items that will stand behind the message's row. Which field
goes where is `order_terms`' for D and G, and a short list for other messages. Must not know
what a field's value means, nor the catalogue, the table of rows or sessions.
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.fix.scanner import FixScanner
    from cython.cimports.portcullis.dictionaries import fix_tags
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.fix.scanner import FixScanner
    from portcullis.dictionaries import fix_tags
    from portcullis.engine.why import *
    from portcullis.journal.rows import *

from portcullis.gateway.order_terms import CARRIED_GROUP, CARRIED_GROUP_MEMBERS, TERMS, Use

# Bounds that compiled code reads stand in order_fields.pxd too; a test holds the two together.
if not cython.compiled:
    # A longer ClOrdID(11) is refused: the report stream has room for no longer one.
    CL_ORD_ID_MAX = 36
    # What of an id is stored, to be sent back with its refusal.
    ID_KEPT_MAX = 255
    # Carried fields go out with each report of the order, so they have a bound of their own.
    CARRIED_MAX = 4096
    # Items of one message: carried, kept, text, echo, two ids, a time; the rest is small.
    RAW_MAX = 16384
    NO_TRANSACT = 255

# Where a message's fields are found, by meaning: fields that decide, one slot each. Slot 0 takes
# what is passed over. Above SLOTS: what else is done with a field. Also in order_fields.pxd.
if not cython.compiled:
    SLOTS = 16
    PASS = 0
    ACCOUNT_SLOT = 1
    ID_SLOT = 2
    HANDL_INST_SLOT = 3
    ID_SOURCE_SLOT = 4
    ORDER_ID_SLOT = 5
    QTY_SLOT = 6
    ORD_TYPE_SLOT = 7
    ORIG_SLOT = 8
    PRICE_SLOT = 9
    SECURITY_ID_SLOT = 10
    SIDE_SLOT = 11
    SYMBOL_SLOT = 12
    TIME_IN_FORCE_SLOT = 13
    TRANSACT_SLOT = 14
    SCOPE_SLOT = 15
    CARRY = 64
    CARRY_GROUP = 65
    KEEP = 66
    REFUSE = 67

    TAGS = 1024
    PIECE_WORDS = 4
    PIECES = 64
    ITEMS = 8

    DONE = 0
    FULL = 1
    UNKNOWN = 2
    REFUSED = 3

SLOT_OF = {
    fix_tags.ACCOUNT: ACCOUNT_SLOT,
    fix_tags.CL_ORD_ID: ID_SLOT,
    fix_tags.HANDL_INST: HANDL_INST_SLOT,
    fix_tags.SECURITY_ID_SOURCE: ID_SOURCE_SLOT,
    fix_tags.ORDER_ID: ORDER_ID_SLOT,
    fix_tags.ORDER_QTY: QTY_SLOT,
    fix_tags.ORD_TYPE: ORD_TYPE_SLOT,
    fix_tags.ORIG_CL_ORD_ID: ORIG_SLOT,
    fix_tags.PRICE: PRICE_SLOT,
    fix_tags.SECURITY_ID: SECURITY_ID_SLOT,
    fix_tags.SIDE: SIDE_SLOT,
    fix_tags.SYMBOL: SYMBOL_SLOT,
    fix_tags.TIME_IN_FORCE: TIME_IN_FORCE_SLOT,
    fix_tags.TRANSACT_TIME: TRANSACT_SLOT,
}
# Fields read of the other messages; the rest of them changes nothing and is passed over.
_CANCEL_SLOTS = {
    tag: SLOT_OF[tag]
    for tag in (
        fix_tags.ACCOUNT,
        fix_tags.CL_ORD_ID,
        fix_tags.SECURITY_ID_SOURCE,
        fix_tags.ORDER_ID,
        fix_tags.ORIG_CL_ORD_ID,
        fix_tags.SECURITY_ID,
        fix_tags.SIDE,
        fix_tags.SYMBOL,
        fix_tags.TRANSACT_TIME,
    )
}
_STATUS_SLOTS = _CANCEL_SLOTS | {fix_tags.ORD_STATUS_REQ_ID: CARRY}
_MASS_CANCEL_SLOTS = _CANCEL_SLOTS | {fix_tags.MASS_CANCEL_REQUEST_TYPE: SCOPE_SLOT}
_MASS_STATUS_SLOTS = _CANCEL_SLOTS | {
    fix_tags.MASS_STATUS_REQ_ID: ID_SLOT,
    fix_tags.MASS_STATUS_REQ_TYPE: SCOPE_SLOT,
}


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.cclass
class OrderFields:
    """The fields of the message read last. No bounds checks: proofs stand where indexes do."""

    def __init__(self) -> None:
        actions = bytearray([REFUSE]) * TAGS + bytearray(4 * TAGS)
        values = [0] * TAGS
        for tag, term in TERMS.items():
            if tag in SLOT_OF:
                actions[tag] = SLOT_OF[tag]
            elif tag == CARRIED_GROUP:
                actions[tag] = CARRY_GROUP
            elif term.use in (Use.CARRIED, Use.KEPT):
                actions[tag] = CARRY if term.use is Use.CARRIED else KEEP
                if term.values:
                    values[tag] = int.from_bytes(term.values[0].encode(), "little")
        others = (_CANCEL_SLOTS, _STATUS_SLOTS, _MASS_CANCEL_SLOTS, _MASS_STATUS_SLOTS)
        for place, slots in enumerate(others, 1):
            for tag, slot in slots.items():
                actions[place * TAGS + tag] = slot
        self._actions = memoryview(actions)
        self._values = memoryview(array("q", values))
        self._group = memoryview(bytearray(tag in CARRIED_GROUP_MEMBERS for tag in range(TAGS)))
        self._slots = memoryview(array("q", bytes(8 * SLOTS)))
        self._pieces = memoryview(array("q", bytes(8 * PIECES * PIECE_WORDS)))
        self._raw = memoryview(bytearray(RAW_MAX))
        self._items = memoryview(array("q", bytes(8 * ITEMS * 3)))
        # Of the message being read; until one is, what may be pointed to.
        if cython.compiled:
            self._source = cython.address(self._raw[0])
        else:
            self._source = self._raw
        self._forget()

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _forget(self) -> cython.void:
        """Begin anew, for another message."""
        self._why = 0
        self._why_tag = 0
        self._why_field = -1
        self._term_why = 0
        self._term_tag = 0
        self._term_field = -1
        self._piece_count = 0
        self._item_count = 0
        self._item_bytes = 0
        self._raw_used = 0

    # --- reading -------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _collect(
        self, scanner: FixScanner, at: cython.longlong, table: cython.longlong
    ) -> cython.void:
        """Sort the body's fields into slots and pieces; note the first that is refused."""
        self._forget()
        slot: cython.longlong
        for slot in range(SLOTS):
            self._slots[slot] = -1
        field: cython.longlong = scanner.message[at + M_FIRST_BODY_FIELD]
        end: cython.longlong = scanner.message[at + M_FIRST_TRAILER_FIELD]
        tag: cython.longlong
        action: cython.longlong
        first: cython.longlong
        tags: cython.p_int = cython.address(scanner.tag[0]) if cython.compiled else scanner.tag
        while field < end:
            tag = tags[field]
            # In range: table is one of five, each of TAGS bytes.
            if tag < TAGS:
                action = self._actions[table + tag]
            else:
                action = REFUSE if table == 0 else PASS
            if action < SLOTS:
                self._slots[action] = field
            elif action == REFUSE:
                self._note_term(WHY_UNSUPPORTED_TERM, tag, field)
            else:
                first = field
                if action == CARRY_GROUP:
                    while (
                        field + 1 < end and tags[field + 1] < TAGS and self._group[tags[field + 1]]
                    ):
                        field += 1
                elif table == 0 and self._values[tag] != 0:
                    if self._packed(scanner, field) != self._values[tag]:
                        self._note_term(WHY_UNSUPPORTED_TERM, tag, field)
                self._add_piece(scanner, tag, first, field, action == KEEP)
            field += 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _fail(
        self, why: cython.longlong, tag: cython.longlong, field: cython.longlong
    ) -> cython.void:
        """Keep the first reason to refuse; field: the one at fault, -1 where it is missing."""
        if self._why == 0:
            self._why = why
            self._why_tag = tag
            self._why_field = field

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _note_term(
        self, why: cython.longlong, tag: cython.longlong, field: cython.longlong
    ) -> cython.void:
        """Keep the first field not honoured, until ids and age have been looked at."""
        if self._term_why == 0:
            self._term_why = why
            self._term_tag = tag
            self._term_field = field

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _packed(self, scanner: FixScanner, field: cython.longlong) -> cython.longlong:
        """A value of up to seven bytes as an integer; -1: longer."""
        start: cython.longlong = scanner.value_start[field]
        end: cython.longlong = scanner.value_end[field]
        if end - start > 7:
            return -1
        value: cython.longlong = 0
        while end > start:
            end -= 1
            value = (value << 8) | self._source[end]
        return value

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _add_piece(
        self,
        scanner: FixScanner,
        tag: cython.longlong,
        first: cython.longlong,
        last: cython.longlong,
        kept: cython.bint,
    ) -> cython.void:
        """Note raw fields first..last, in the order of tags."""
        if self._piece_count == PIECES:
            self._note_term(WHY_TOO_LONG, tag, first)
            return
        place: cython.longlong = self._piece_count
        # In range: place < PIECES, and word 0 to 3 of each.
        while place > 0 and self._pieces[(place - 1) * PIECE_WORDS] > tag:
            self._pieces[place * PIECE_WORDS] = self._pieces[(place - 1) * PIECE_WORDS]
            self._pieces[place * PIECE_WORDS + 1] = self._pieces[(place - 1) * PIECE_WORDS + 1]
            self._pieces[place * PIECE_WORDS + 2] = self._pieces[(place - 1) * PIECE_WORDS + 2]
            self._pieces[place * PIECE_WORDS + 3] = self._pieces[(place - 1) * PIECE_WORDS + 3]
            place -= 1
        self._pieces[place * PIECE_WORDS] = tag
        # A field's bytes begin behind the SOH of the one before; a header stands before all.
        self._pieces[place * PIECE_WORDS + 1] = scanner.value_end[first - 1] + 1
        self._pieces[place * PIECE_WORDS + 2] = scanner.value_end[last] + 1
        self._pieces[place * PIECE_WORDS + 3] = kept
        self._piece_count += 1

    # --- items ---------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_raw(self, start: cython.longlong, end: cython.longlong) -> cython.bint:
        """Copy bytes of the message to the raw text; false where there is no room."""
        if self._raw_used + end - start > RAW_MAX:
            return False
        index: cython.longlong
        for index in range(end - start):
            self._raw[self._raw_used + index] = self._source[start + index]
        self._raw_used += end - start
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_item(self, code: cython.longlong, start: cython.longlong) -> cython.void:
        """The raw text from `start` on is an item."""
        # In range: fewer than ITEMS codes are ever put, each once.
        self._items[self._item_count * 3] = code
        self._items[self._item_count * 3 + 1] = start
        self._items[self._item_count * 3 + 2] = self._raw_used
        self._item_count += 1
        self._item_bytes += ITEM_HEAD + self._raw_used - start

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_pieces(self, code: cython.longlong, kept: cython.longlong) -> cython.bint:
        """Make an item of the pieces that are kept, or of those that are carried."""
        start: cython.longlong = self._raw_used
        index: cython.longlong
        for index in range(self._piece_count):
            if self._pieces[index * PIECE_WORDS + 3] == kept:
                if (
                    self._raw_used
                    - start
                    + self._pieces[index * PIECE_WORDS + 2]
                    - self._pieces[index * PIECE_WORDS + 1]
                    > CARRIED_MAX
                ):
                    return False
                self._put_raw(
                    self._pieces[index * PIECE_WORDS + 1], self._pieces[index * PIECE_WORDS + 2]
                )
        if self._raw_used > start:
            self._put_item(code, start)
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_field(
        self, code: cython.longlong, start: cython.longlong, length: cython.longlong
    ) -> cython.void:
        raw_start: cython.longlong = self._raw_used
        self._put_raw(start, start + length)
        self._put_item(code, raw_start)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_number(self, code: cython.longlong, value: cython.longlong) -> cython.void:
        """An item of eight bytes, little-endian."""
        start: cython.longlong = self._raw_used
        index: cython.longlong
        for index in range(8):
            self._raw[start + index] = (value >> (8 * index)) & 0xFF
        self._raw_used += 8
        self._put_item(code, start)

    def _put_bytes(self, code: int, content: bytes) -> None:
        start: cython.longlong = self._raw_used
        for octet in content:
            self._raw[self._raw_used] = octet
            self._raw_used += 1
        self._put_item(code, start)
