"""What goes back with a refused order message: its text, its fields, or a j in their place.

Owns their wording; which message is refused and why is `fix_orders`'. Runs once per refused
message, so it is ordinary Python. Must not know the book. Spec: docs/rules-of-engagement.md.
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.fix.scanner import FixScanner
    from cython.cimports.portcullis.dictionaries import fix_tags
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.gateway.catalog import Catalog
    from cython.cimports.portcullis.gateway.fix_door import FixDoor
    from cython.cimports.portcullis.gateway.order_fields import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.fix.scanner import FixScanner
    from portcullis.dictionaries import fix_tags
    from portcullis.engine.why import *
    from portcullis.gateway.catalog import Catalog
    from portcullis.gateway.fix_door import FixDoor
    from portcullis.gateway.order_fields import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

from portcullis.gateway.order_fields import SLOT_OF
from portcullis.gateway.order_terms import TERMS, Use, refused_text
from portcullis.sessions.fix_admin import turned_route
from portcullis.sessions.fix_message import FixMessage

# Of a value not honoured, what its refusal shows.
VALUE_SHOWN_BYTES = 32

# What a refused D gets back raw; 58 not, for the refusal has a text of its own.
_ECHO_SLOTS = {
    tag: slot for tag, slot in SLOT_OF.items() if slot not in (ID_SLOT, ORIG_SLOT, ORDER_ID_SLOT)
} | {fix_tags.TEXT: PASS}
_NAMES = {tag: term.label for tag, term in TERMS.items()}


@cython.cclass
class OrderRefusals(OrderFields):
    """The fields of a message, and what is said where it is refused."""

    def __init__(self, table: RowTable, catalog: Catalog) -> None:
        OrderFields.__init__(self)
        self._table = table
        self._catalog = catalog
        self._kind = 0

    def _value(self, scanner: FixScanner, field: int) -> bytes:
        place: cython.longlong = field
        return bytes(scanner.octets[scanner.value_start[place] : scanner.value_end[place]])

    def _text(self, scanner: FixScanner) -> bytes:
        """Text(58) where the why alone does not say it; empty: its own text will do."""
        tag = self._why_tag
        label = _NAMES.get(tag, f"tag {tag}")
        if self._why == WHY_MISSING_FIELD:
            return f"Required field missing: {label}".encode()
        if self._why == WHY_UNSUPPORTED_TERM:
            value = b""
            term = TERMS.get(tag)
            if term is not None and term.use is not Use.REFUSED:
                value = self._value(scanner, self._why_field)[:VALUE_SHOWN_BYTES]
            return refused_text(tag).encode() + (b"=" + value if value else b"")
        return b""

    def _echo(self, scanner: FixScanner, door: FixDoor) -> bytes:
        """The order's own fields as they came, ascending; the default account where none came.

        What is longer than all carried fields may be stays out, beginning with the last.
        """
        fields: list[tuple[int, bytes]] = []
        place: cython.longlong
        if self._slots[ACCOUNT_SLOT] < 0 and door.default_account:
            name = self._catalog.accounts.name(door.default_account)
            fields.append((fix_tags.ACCOUNT, b"%d=%s\x01" % (fix_tags.ACCOUNT, name)))
        for tag, slot in _ECHO_SLOTS.items():
            place = slot
            if self._slots[place] >= 0:
                value = self._value(scanner, self._slots[place])
                fields.append((tag, b"%d=%s\x01" % (tag, value)))
        for place in range(self._piece_count):
            piece = self._pieces[place * PIECE_WORDS : (place + 1) * PIECE_WORDS]
            if not piece[3] and piece[0] not in _ECHO_SLOTS:
                fields.append((piece[0], bytes(scanner.octets[piece[1] : piece[2]])))
        echo = b""
        for _, raw in sorted(fields):
            if len(echo) + len(raw) <= CARRIED_MAX:
                echo += raw
        return echo

    def _reject_business(self, scanner: FixScanner, at: int, door: FixDoor) -> int:
        """Append a SEND row with BusinessMessageReject(j) for a field that is missing."""
        place: cython.longlong = at
        seq: int = scanner.message[place + M_MSG_SEQ_NUM]
        msg_type = b"D" if self._kind == NEW_ORDER else b"G"
        body = b"45=%d\x0158=Conditionally Required Field Missing (%d)\x01372=%s\x01" % (
            seq,
            self._why_tag,
            msg_type,
        )
        if self._slots[ID_SLOT] >= 0:
            body += b"379=%s\x01" % self._value(scanner, self._slots[ID_SLOT])[:ID_KEPT_MAX]
        items = {ITEM_BODY: body + b"380=5\x01"}
        route = turned_route(FixMessage(scanner, place // MSG_WORDS))
        if route:
            items[ITEM_HEADER] = route
        row = self._table.append_input(
            SEND,
            door.session,
            words={W_IN_SEQ: seq, W_MSG_TYPE: ord("j")},
            items=items,
        )
        return DONE if row else FULL
