"""FIX order messages in: D, F, G, H, q and AF become command rows, or rows that say why not.

Owns the way from a scanned message to a row: which fields decide (`order_terms`), which names
stand for which numbers (`catalog`), what a quantity, a price and an id must look like. It refuses
what can be refused without the book; such a row carries F_REFUSED and its why, and the engine
answers it in its turn. What has no word in the row goes into items behind it, raw.

The scanner has validated each message against the dictionary, and the session has found it in
sequence. Must not know the book, sockets or the way reports are written.

Checks of a D or G, in this order; the first that fails is the answer: length of ClOrdID(11), room
in the journal, age of a PossDup, fields and values not honoured, price on a market order, fields
missing, symbol, account, side, quantity, price. Spec: docs/rules-of-engagement.md.
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.libc.string import memcmp, memcpy
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.fix.scanner import FixScanner
    from cython.cimports.portcullis.dictionaries import fix_tags
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.gateway.catalog import *
    from cython.cimports.portcullis.gateway.fix_door import FixDoor
    from cython.cimports.portcullis.gateway.order_fields import *
    from cython.cimports.portcullis.gateway.order_refusals import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.fix.scanner import FixScanner
    from portcullis.dictionaries import fix_tags
    from portcullis.engine.why import *
    from portcullis.gateway.catalog import *
    from portcullis.gateway.fix_door import FixDoor
    from portcullis.gateway.order_fields import *
    from portcullis.gateway.order_refusals import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class FixOrders(OrderRefusals):
    """Appends command rows to `table` for the messages of any number of sessions.

    No bounds checks: proofs stand where indexes do.

    disk_full: refuse D and G, for the rows that are left are kept for cancels.
    """

    def __init__(self, table: RowTable, catalog: Catalog) -> None:
        OrderRefusals.__init__(self, table, catalog)
        self._words = table.words
        self._octets = table.octets
        self._second_text = memoryview(bytearray(17))
        self._second_ns = 0
        self.full = False
        self.disk_full = False

    def translate(self, scanner: FixScanner, first: int, count: int, door: FixDoor) -> int:
        """Append rows for `count` messages from message `first` on; give how many were taken.

        Fewer than asked: the next one found the batch full (`full` is true: run the engine, seal,
        call again from there), or is of a type that is not translated here (`full` is false).
        The messages are valid, in sequence, and of the session of `door`.
        """
        index: cython.longlong
        at: cython.longlong
        code: cython.longlong
        begin: cython.longlong = first
        end: cython.longlong = count
        self.full = False
        if cython.compiled:
            self._source = cython.cast(cython.p_uchar, cython.address(scanner.octets[0]))
        else:
            self._source = scanner.octets
        for index in range(end):
            at = (begin + index) * MSG_WORDS
            code = self._read(scanner, at, door)
            if code == REFUSED:
                code = self._refuse(scanner, at, door)
            if code != DONE:
                self.full = code == FULL
                return index
        return count

    # --- reading a message -------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read(self, scanner: FixScanner, at: cython.longlong, door: FixDoor) -> cython.longlong:
        """Translate the message whose words are at `at`. No allocation. O(fields)."""
        msg_type: cython.longlong = scanner.message[at + M_MSG_TYPE]
        self._instrument = 0
        self._account = 0
        self._qty = 0
        self._price = 0
        self._scope = 0
        self._terms = 0
        if msg_type == 0x44:  # D
            self._kind = NEW_ORDER
            self._collect(scanner, at, 0)
            return self._read_order(scanner, at, door)
        if msg_type == 0x46:  # F
            self._kind = CANCEL
            self._collect(scanner, at, TAGS)
        elif msg_type == 0x47:  # G
            self._kind = REPLACE
            self._collect(scanner, at, 0)
            return self._read_order(scanner, at, door)
        elif msg_type == 0x48:  # H
            self._kind = STATUS
            self._collect(scanner, at, 2 * TAGS)
        elif msg_type == 0x71:  # q
            self._kind = MASS_CANCEL
            self._collect(scanner, at, 3 * TAGS)
        elif msg_type == 0x4641:  # AF
            self._kind = MASS_STATUS
            self._collect(scanner, at, 4 * TAGS)
        else:
            return UNKNOWN
        return self._read_request(scanner, at, door)

    # --- orders and replacements ---------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_order(
        self, scanner: FixScanner, at: cython.longlong, door: FixDoor
    ) -> cython.longlong:
        """Read a D or G; all of it, even where a reason to refuse is found early."""
        self._check_id(scanner)
        if self.disk_full:
            self._fail(WHY_DISK_FULL, 0, -1)
        if (
            scanner.message[at + M_FLAGS] & FLAG_POSS_DUP
            and self._table.time_ns - scanner.message[at + M_ORIG_SENDING_TIME]
            > door.stale_after_ns
        ):
            self._fail(WHY_STALE, fix_tags.ORIG_SENDING_TIME, -1)
        if self._term_why != 0:
            self._fail(self._term_why, self._term_tag, self._term_field)
        side: cython.longlong = self._char(scanner, SIDE_SLOT)
        ord_type: cython.longlong = self._char(scanner, ORD_TYPE_SLOT)
        time_in_force: cython.longlong = 0x30  # FIX 4.4: absent means Day
        if self._slots[TIME_IN_FORCE_SLOT] >= 0:
            time_in_force = self._char(scanner, TIME_IN_FORCE_SLOT)
        self._terms = (
            side
            | (ord_type << 8)
            | (time_in_force << 16)
            | (self._char(scanner, HANDL_INST_SLOT) << 24)
        )
        if ord_type != 0x31 and ord_type != 0x32:
            self._fail_slot(WHY_UNSUPPORTED_TERM, fix_tags.ORD_TYPE, ORD_TYPE_SLOT)
        # Day 0, GTC 1, IOC 3, FOK 4.
        if time_in_force < 0x30 or time_in_force > 0x34 or time_in_force == 0x32:
            self._fail_slot(WHY_UNSUPPORTED_TERM, fix_tags.TIME_IN_FORCE, TIME_IN_FORCE_SLOT)
        if ord_type == 0x31 and self._slots[PRICE_SLOT] >= 0:
            self._fail_slot(WHY_PRICE_ON_MARKET, fix_tags.PRICE, PRICE_SLOT)
        if self._slots[QTY_SLOT] < 0:
            self._fail(WHY_MISSING_FIELD, fix_tags.ORDER_QTY, -1)
        if ord_type == 0x32 and self._slots[PRICE_SLOT] < 0:
            self._fail(WHY_MISSING_FIELD, fix_tags.PRICE, -1)
        self._find_instrument(scanner, True)
        self._find_account(scanner, door)
        if side != 0x31 and side != 0x32:
            # 5 and 6, sell short and short exempt, where the instrument says so.
            if (side != 0x35 and side != 0x36) or not (
                self._catalog.instruments[self._instrument * INSTRUMENT_WORDS + I_FLAGS]
                & INSTRUMENT_SHORT_MARKING
            ):
                self._fail_slot(WHY_UNSUPPORTED_TERM, fix_tags.SIDE, SIDE_SLOT)
        if self._instrument != 0:
            self._read_numbers(scanner, ord_type)
        if self._why != 0:
            return REFUSED
        return self._append(scanner, at, door)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_numbers(self, scanner: FixScanner, ord_type: cython.longlong) -> cython.void:
        """Quantity and price on the scale of the instrument, within its bounds."""
        # In range: the number is one the catalogue gave.
        of: cython.longlong = self._instrument * INSTRUMENT_WORDS
        field: cython.longlong = self._slots[QTY_SLOT]
        code: cython.longlong
        value: cython.longlong
        step: cython.longlong
        if field >= 0:
            code = scanner.parse_decimal(
                scanner.value_start[field],
                scanner.value_end[field],
                self._catalog.instruments[of + I_QTY_DECIMALS],
            )
            value = scanner.number
            step = self._catalog.instruments[of + I_LOT]
            if code == VALUE_DECIMALS:
                self._fail(WHY_LOT, fix_tags.ORDER_QTY, field)
            elif (
                code != VALUE_OK or value <= 0 or value > self._catalog.instruments[of + I_QTY_MAX]
            ):
                self._fail(WHY_BAD_QTY, fix_tags.ORDER_QTY, field)
            elif step > 1 and value % step != 0:
                self._fail(WHY_LOT, fix_tags.ORDER_QTY, field)
            else:
                self._qty = value
        field = self._slots[PRICE_SLOT]
        if field >= 0 and ord_type == 0x32:
            code = scanner.parse_decimal(
                scanner.value_start[field],
                scanner.value_end[field],
                self._catalog.instruments[of + I_PRICE_DECIMALS],
            )
            value = scanner.number
            step = self._catalog.instruments[of + I_TICK]
            if code == VALUE_DECIMALS:
                self._fail(WHY_TICK, fix_tags.PRICE, field)
            elif (
                code != VALUE_OK
                or value <= 0
                or value > self._catalog.instruments[of + I_PRICE_MAX]
            ):
                self._fail(WHY_BAD_PRICE, fix_tags.PRICE, field)
            elif step > 1 and value % step != 0:
                self._fail(WHY_TICK, fix_tags.PRICE, field)
            else:
                self._price = value

    # --- what all messages share ---------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _fail_slot(
        self, why: cython.longlong, tag: cython.longlong, slot: cython.longlong
    ) -> cython.void:
        """Refuse the field in a slot: as missing, where nothing stands there."""
        if self._slots[slot] < 0:
            why = WHY_MISSING_FIELD
        self._fail(why, tag, self._slots[slot])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _char(self, scanner: FixScanner, slot: cython.longlong) -> cython.longlong:
        """The one character of the field in a slot; 0: absent, or longer."""
        field: cython.longlong = self._slots[slot]
        if field < 0 or scanner.value_end[field] - scanner.value_start[field] != 1:
            return 0
        return self._source[scanner.value_start[field]]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_id(self, scanner: FixScanner) -> cython.void:
        field: cython.longlong = self._slots[ID_SLOT]
        if field < 0:
            self._fail(WHY_MISSING_FIELD, fix_tags.CL_ORD_ID, -1)
        elif scanner.value_end[field] - scanner.value_start[field] > CL_ORD_ID_MAX:
            self._fail(WHY_ID_TOO_LONG, fix_tags.CL_ORD_ID, field)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_instrument(self, scanner: FixScanner, required: cython.bint) -> cython.void:
        """Symbol(55), or SecurityID(48) with 22=8; both name the same where both are sent."""
        symbol: cython.longlong = self._slots[SYMBOL_SLOT]
        security: cython.longlong = self._slots[SECURITY_ID_SLOT]
        source: cython.longlong = self._slots[ID_SOURCE_SLOT]
        found: cython.longlong = 0
        if symbol >= 0:
            found = self._catalog.symbols.find(
                self._source, scanner.value_start[symbol], scanner.value_end[symbol]
            )
        elif security < 0:
            if required:
                self._fail(WHY_MISSING_FIELD, fix_tags.SYMBOL, -1)
            return
        if security >= 0 or source >= 0:
            found = self._find_security(scanner, symbol, security, source, found)
        if found == 0:
            self._fail(WHY_UNKNOWN_SYMBOL, fix_tags.SYMBOL, symbol)
        self._instrument = found

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_security(
        self,
        scanner: FixScanner,
        symbol: cython.longlong,
        security: cython.longlong,
        source: cython.longlong,
        found: cython.longlong,
    ) -> cython.longlong:
        """What 48 and 22 name; 0 where that is nothing, or not what 55 named."""
        if security < 0:
            self._fail(WHY_MISSING_FIELD, fix_tags.SECURITY_ID, -1)
            return found
        if source < 0:
            self._fail(WHY_MISSING_FIELD, fix_tags.SECURITY_ID_SOURCE, -1)
            return found
        if self._char(scanner, ID_SOURCE_SLOT) != 0x38:  # 8: exchange symbol
            self._fail(WHY_UNSUPPORTED_TERM, fix_tags.SECURITY_ID_SOURCE, source)
            return found
        second: cython.longlong = self._catalog.symbols.find(
            self._source, scanner.value_start[security], scanner.value_end[security]
        )
        if symbol >= 0 and second != found:
            return 0
        if self._kind == NEW_ORDER or self._kind == REPLACE:
            self._add_piece(scanner, fix_tags.SECURITY_ID_SOURCE, source, source, False)
            self._add_piece(scanner, fix_tags.SECURITY_ID, security, security, False)
        return second

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_account(self, scanner: FixScanner, door: FixDoor) -> cython.void:
        """The account named, if the session may name it; a D without one gets the default."""
        field: cython.longlong = self._slots[ACCOUNT_SLOT]
        if field >= 0:
            self._account = self._catalog.accounts.find(
                self._source, scanner.value_start[field], scanner.value_end[field]
            )
            if not door.allows(self._account):
                self._account = 0
                self._fail(WHY_UNKNOWN_ACCOUNT, fix_tags.ACCOUNT, field)
        elif self._kind != REPLACE:
            self._account = door.default_account
            if self._account == 0 and self._kind == NEW_ORDER:
                self._fail(WHY_MISSING_FIELD, fix_tags.ACCOUNT, -1)

    # --- cancels, status requests, mass commands ------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_request(
        self, scanner: FixScanner, at: cython.longlong, door: FixDoor
    ) -> cython.longlong:
        """Read an F, H, q or AF."""
        self._terms = self._char(scanner, SIDE_SLOT)
        self._check_id(scanner)
        if self._kind == CANCEL or self._kind == STATUS:
            self._find_instrument(scanner, self._kind == CANCEL)
        else:
            self._scope = self._char(scanner, SCOPE_SLOT) | (self._terms << 8)
            if self._scope & 0xFF == 0x31:  # 1: of one instrument
                self._find_instrument(scanner, True)
            elif self._scope & 0xFF != 0x37:  # 7: all orders
                self._fail(WHY_SCOPE_UNSUPPORTED, 0, self._slots[SCOPE_SLOT])
            elif self._slots[SYMBOL_SLOT] >= 0 or self._slots[SECURITY_ID_SLOT] >= 0:
                self._fail(WHY_SCOPE_CONTRADICTS, fix_tags.SYMBOL, self._slots[SYMBOL_SLOT])
        self._find_account(scanner, door)
        if self._why != 0 and not (self._kind == STATUS):
            return REFUSED
        return self._append(scanner, at, door)

    # --- writing the row ---------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _append(self, scanner: FixScanner, at: cython.longlong, door: FixDoor) -> cython.longlong:
        """Append the row of the message read, with its items; FULL changes nothing."""
        flags: cython.longlong = 0
        id_start: cython.longlong = 0
        id_length: cython.longlong = 0
        orig_start: cython.longlong = 0
        orig_length: cython.longlong = 0
        digits: cython.longlong = NO_TRANSACT
        transact: cython.longlong = 0
        raw_start: cython.longlong
        index: cython.longlong
        field: cython.longlong = self._slots[ID_SLOT]
        if field >= 0:
            id_start = scanner.value_start[field]
            id_length = min(scanner.value_end[field] - id_start, ID_KEPT_MAX)
            if id_length > 24:
                flags |= F_LONG_ID
                self._put_field(ITEM_CL_ORD_ID, id_start, id_length)
        field = self._slots[ORIG_SLOT]
        if field >= 0:
            orig_start = scanner.value_start[field]
            orig_length = min(scanner.value_end[field] - orig_start, ID_KEPT_MAX)
            if orig_length > 24:
                flags |= F_LONG_ORIG
                self._put_field(ITEM_ORIG_CL_ORD_ID, orig_start, orig_length)
        field = self._slots[TRANSACT_SLOT]
        if field >= 0:
            if self._reads_back(scanner, field):
                transact = self._transact
                digits = self._digits
            elif self._kind == NEW_ORDER or self._kind == REPLACE:
                self._put_field(
                    ITEM_TRANSACT,
                    scanner.value_start[field],
                    scanner.value_end[field] - scanner.value_start[field],
                )
        if self._slots[ORDER_ID_SLOT] >= 0:
            flags |= self._put_order_id(scanner, door)
        if self._why != 0:
            flags |= F_REFUSED
        elif self._piece_count > 0:
            if not (self._put_pieces(ITEM_CARRIED, 0) and self._put_pieces(ITEM_KEPT, 1)):
                self._fail(WHY_TOO_LONG, 0, -1)
                return REFUSED
        if scanner.message[at + M_FLAGS] & FLAG_POSS_RESEND:
            flags |= F_POSS_RESEND
        offset: cython.longlong = self._table.open_input(
            self._kind,
            flags,
            door.session,
            1 + (self._item_bytes + TEXT_BYTES - 1) // TEXT_BYTES,
        )
        if offset < 0:
            return FULL
        # In range: open_input gave a row of ROW_WORDS words, all zero behind its head.
        self._words[offset + W_IN_SEQ] = scanner.message[at + M_MSG_SEQ_NUM]
        raw_start = (offset + W_ID) * 8
        self._copy(raw_start, id_start, min(id_length, 24))
        self._words[offset + W_QTY] = self._qty
        self._words[offset + W_PRICE] = self._price
        self._words[offset + W_REF] = self._instrument | (self._account << 32)
        self._words[offset + W_TERMS] = (
            self._terms
            | (id_length << 32)
            | (orig_length << 40)
            | (digits << 48)
            | (self._why << 56)
        )
        self._words[offset + W_TRANSACT] = transact
        if self._kind == CANCEL or self._kind == REPLACE:
            raw_start = (offset + W_ORIG) * 8
            self._copy(raw_start, orig_start, min(orig_length, 24))
        elif self._kind == MASS_CANCEL or self._kind == MASS_STATUS:
            self._words[offset + W_SCOPE] = self._scope
        if self._item_count > 0:
            self._table.text_open(self._table.tail - 1)
            for index in range(self._item_count):
                self._table.text_put(
                    self._items[index * 3],
                    self._raw,
                    self._items[index * 3 + 1],
                    self._items[index * 3 + 2],
                )
        return DONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _reads_back(self, scanner: FixScanner, field: cython.longlong) -> cython.bint:
        """Read a timestamp; false where nanoseconds and digits don't say all of it.

        So it is with a leap second. The second read last is not read again: the scanner has
        checked the format, so what stands behind an equal second is its fraction.
        """
        start: cython.longlong = scanner.value_start[field]
        end: cython.longlong = scanner.value_end[field]
        fraction: cython.longlong = 0
        place: cython.longlong
        if end > start + 27:
            return False
        if not self._is_last_second(start):
            if (
                scanner.parse_utc_timestamp(start, end) != VALUE_OK
                or self._source[start + 15] == 0x36
            ):
                return False
            self._second_ns = scanner.number - scanner.number % 1_000_000_000
            if cython.compiled:
                memcpy(cython.address(self._second_text[0]), self._source + start, 17)
            else:
                self._second_text[:] = self._source[start : start + 17]
        self._digits = max(end - start - 18, 0)
        for place in range(start + 18, end):
            fraction = fraction * 10 + self._source[place] - 48
        for _place in range(self._digits, 9):
            fraction *= 10
        self._transact = self._second_ns + fraction
        return True

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_last_second(self, start: cython.longlong) -> cython.bint:
        """Whether the second read last stands here; a value of 60 has 17 bytes at least."""
        if cython.compiled:
            return memcmp(cython.address(self._second_text[0]), self._source + start, 17) == 0
        else:
            return self._second_text == self._source[start : start + 17]

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _copy(
        self, target: cython.longlong, start: cython.longlong, length: cython.longlong
    ) -> cython.void:
        """Copy bytes of the message into a row."""
        if cython.compiled:
            memcpy(cython.address(self._octets[target]), self._source + start, length)
        else:
            self._octets[target : target + length] = self._source[start : start + length]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_order_id(self, scanner: FixScanner, door: FixDoor) -> cython.longlong:
        """OrderID(37) as an item, and the session it belongs to where this one manages it."""
        field: cython.longlong = self._slots[ORDER_ID_SLOT]
        order: cython.longlong = -1  # no order has it
        if scanner.parse_int(scanner.value_start[field], scanner.value_end[field]) == VALUE_OK:
            order = scanner.number
        self._put_number(ITEM_ORDER_ID, order)
        if not door.manages_account or not self._table.has_row(order):
            return F_ORDER_ID
        # In range: the table has the row.
        head: cython.longlong = self._words[self._table.at(order) + W_HEAD]
        account: cython.longlong = self._words[self._table.at(order) + W_REF] >> 32
        owner: cython.longlong = head >> 32
        if head & 0xFF != NEW_ORDER or owner == door.session or not door.allows(account):
            return F_ORDER_ID
        self._put_number(ITEM_FOR_SESSION, owner)
        return F_ORDER_ID | F_FOR_SESSION

    # --- refusals ------------------------------------------------------------------------------

    def _refuse(self, scanner: FixScanner, at: int, door: FixDoor) -> int:
        """Append the row of a message that is refused: its text, and what goes back with it."""
        place: cython.longlong = at
        why: int = self._why
        if (
            why == WHY_MISSING_FIELD
            and door.missing_by_reject
            and self._kind in (NEW_ORDER, REPLACE)
        ):
            return self._reject_business(scanner, place, door)
        self._raw_used = 0
        self._item_count = 0
        self._item_bytes = 0
        text = self._text(scanner)
        if text:
            self._put_bytes(ITEM_TEXT, text)
        if self._kind == NEW_ORDER:
            self._put_bytes(ITEM_ECHO, self._echo(scanner, door))
        return self._append(scanner, place, door)
