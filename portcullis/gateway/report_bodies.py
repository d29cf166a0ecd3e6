"""Bodies of ExecutionReport(8), OrderCancelReject(9), OrderMassCancelReport(r), from rows alone.

Owns which field a report has, and whence: its own row, the row whose terms are in force, the row
that caused it. So the same rows always give the same bytes. Fields go out ascending, groups whole;
carried fields are merged among them, where the report has none of its own with that tag.

Must not know headers, sequence numbers, sessions or the book.
Spec: FIX 4.4 volume 4; docs/rules-of-engagement.md, "Reports".
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.texts import *
    from cython.cimports.portcullis.codecs.fix.writer import FixWriter
    from cython.cimports.portcullis.dictionaries import fix_tags
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.gateway.carried_fields import CarriedFields
    from cython.cimports.portcullis.gateway.catalog import *
    from cython.cimports.portcullis.gateway.order_fields import CL_ORD_ID_MAX
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.fix.texts import *
    from portcullis.codecs.fix.writer import FixWriter
    from portcullis.dictionaries import fix_tags
    from portcullis.engine.why import *
    from portcullis.gateway.carried_fields import CarriedFields
    from portcullis.gateway.catalog import *
    from portcullis.gateway.order_fields import CL_ORD_ID_MAX
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

from portcullis.engine.why import WHYS

# Also in report_bodies.pxd.
if not cython.compiled:
    ID_MASK = 0x7FFFFFFF


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class ReportBodies:
    """Puts bodies into a writer whose header fields are all put.

    `row` and `cause` are word offsets of rows that exist; so are all that are followed from them,
    for rows never go before those that name them. Hence no bounds checks. The caller has seen to
    MESSAGE_BYTES of room, text rows aside: forty fields of at most 60 bytes, two names of at most
    255 and a text of ours go straight into the writer's buffer.
    """

    def __init__(self, table: RowTable, catalog: Catalog, carried: CarriedFields) -> None:
        self._table = table
        self._words = table.words
        self._catalog = catalog
        self._carried = carried
        texts = b""
        starts = [0] * 257
        for why in range(256):
            starts[why] = len(texts)
            texts += WHYS[why].text.encode() if why in WHYS else b""
        starts[256] = len(texts)
        self._text_octets = memoryview(bytearray(texts + bytes(24)))
        self._text_start = memoryview(array("q", starts))
        self._none_octets = memoryview(bytearray(b"NONE[N/A]".ljust(32, b"\0")))
        if cython.compiled:
            self._source = cython.address(table.octets[0])
            self._text = cython.address(self._text_octets[0])
            self._none = cython.address(self._none_octets[0])
        else:
            self._source = table.octets
            self._text = self._text_octets
            self._none = self._none_octets

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _at(self, row: cython.longlong) -> cython.longlong:
        return (row - self._table.origin_row) * ROW_WORDS

    # --- ExecutionReport(8) ----------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_report(
        self, writer: FixWriter, row: cython.longlong, cause: cython.longlong
    ) -> cython.void:
        """The body of a REPORT, STATUS_REPORT or REFUSED_DUPLICATE row."""
        out: cython.p_uchar = writer.out
        at: cython.longlong = writer.position
        start: cython.longlong = at
        kind: cython.longlong = self._words[row] & 0xFF
        flags: cython.longlong = (self._words[row] >> 8) & 0xFF
        state: cython.longlong = self._words[row + W_STATE]
        exec_type: cython.longlong = state & 0xFF
        reason: cython.longlong = (state >> 16) & 0xFF
        own_row: cython.longlong = self._table.origin_row + row // ROW_WORDS
        cause_row: cython.longlong = self._words[row + W_CAUSE]
        cause_kind: cython.longlong = self._words[cause] & 0xFF
        terms_row: cython.longlong = self._terms_row(row, cause)
        echo: cython.bint = self._echoes(row, cause)
        terms: cython.longlong = cause
        if terms_row != 0:
            terms = self._at(terms_row)
        instrument: cython.longlong = self._words[terms + W_REF] & ID_MASK
        if (self._words[terms] >> 8) & F_SHARES and self._words[row + W_ORDER]:
            instrument = self._words[self._at(self._words[row + W_ORDER]) + W_REF] & ID_MASK
        scale: cython.longlong = instrument * INSTRUMENT_WORDS
        packed: cython.longlong = self._words[terms + W_TERMS]
        own_terms: cython.bint = terms_row != 0 and not echo
        price_decimals: cython.longlong = self._catalog.instruments[scale + I_PRICE_DECIMALS]
        qty_decimals: cython.longlong = self._catalog.instruments[scale + I_QTY_DECIMALS]
        qty: cython.longlong
        side: cython.longlong

        if own_terms:
            at = self._put_account(out, at, row, terms)
        at = put_decimal(
            out,
            at,
            fix_tags.AVG_PX,
            self._words[row + W_AVG_PX],
            self._catalog.instruments[scale + I_AVG_DECIMALS],
        )
        if flags & F_ANSWER and cause_kind <= STATUS:
            at = self._put_id(writer, at, cause, cause_row, fix_tags.CL_ORD_ID)
        elif terms_row != 0:
            at = self._put_id(writer, at, terms, terms_row, fix_tags.CL_ORD_ID)
        at = put_decimal(out, at, fix_tags.CUM_QTY, self._words[row + W_CUM_QTY], qty_decimals)
        at = put_int(out, at, fix_tags.EXEC_ID, own_row)
        if cause_kind == BUST or cause_kind == CORRECT:
            at = put_int(out, at, fix_tags.EXEC_REF_ID, self._words[cause + W_FILL_ROW])
        if own_terms and (packed >> 24) & 0xFF:
            at = put_char(out, at, fix_tags.HANDL_INST, packed >> 24)
        if exec_type == 0x46 or exec_type == 0x47:  # F, G
            at = put_decimal(
                out, at, fix_tags.LAST_PX, self._words[row + W_LAST_PX], price_decimals
            )
            at = put_decimal(
                out, at, fix_tags.LAST_QTY, self._words[row + W_LAST_QTY], qty_decimals
            )
        at = self._put_order_id(out, at, row)
        if own_terms:
            qty = self._words[row + W_ORDER_QTY]
            if qty == 0 or kind == REFUSED_DUPLICATE:
                qty = self._words[terms + W_QTY]
            if qty != 0:
                at = put_decimal(out, at, fix_tags.ORDER_QTY, qty, qty_decimals)
        at = put_char(out, at, fix_tags.ORD_STATUS, state >> 8)
        if own_terms and (packed >> 8) & 0xFF:
            at = put_char(out, at, fix_tags.ORD_TYPE, packed >> 8)
        if flags & F_ANSWER and (cause_kind == CANCEL or cause_kind == REPLACE):
            at = self._put_id(writer, at, cause, cause_row, fix_tags.ORIG_CL_ORD_ID)
        if own_terms and (packed >> 8) & 0xFF == 0x32:
            # Of OUCH the replacement's price has four decimals.
            at = put_decimal(
                out,
                at,
                fix_tags.PRICE,
                self._words[terms + W_PRICE],
                4 if (self._words[terms] >> 8) & F_SHARES else price_decimals,
            )
        if not echo:
            side = (state >> 32) & 0xFF
            at = self._put_side_and_symbol(
                out, at, terms_row, side if side else packed & 0xFF, instrument
            )
        at = self._put_text(writer, at, row)
        if own_terms:
            if (packed >> 16) & 0xFF:
                at = put_char(out, at, fix_tags.TIME_IN_FORCE, packed >> 16)
            at = self._put_transact_time(writer, at, terms, terms_row)
        if reason != NO_REASON and (exec_type == 0x38 or exec_type == 0x49):  # 8, I
            at = put_int(out, at, fix_tags.ORD_REJ_REASON, reason)
        at = put_char(out, at, fix_tags.EXEC_TYPE, exec_type)
        at = put_decimal(
            out, at, fix_tags.LEAVES_QTY, self._words[row + W_LEAVES_QTY], qty_decimals
        )
        if reason != NO_REASON and (exec_type == 0x34 or exec_type == 0x44):  # 4, D
            at = put_int(out, at, fix_tags.EXEC_RESTATEMENT_REASON, reason)
        if cause_kind == DAY and exec_type == 0x44:  # of the day, nothing is filled yet
            at = put_decimal(
                out, at, fix_tags.DAY_ORDER_QTY, self._words[row + W_LEAVES_QTY], qty_decimals
            )
            at = put_int(out, at, fix_tags.DAY_CUM_QTY, 0)
            at = put_int(out, at, fix_tags.DAY_AVG_PX, 0)
        if flags & (F_AGGRESSOR | F_PASSIVE):
            at = put_int(
                out, at, fix_tags.SECONDARY_EXEC_ID, own_row - (1 if flags & F_PASSIVE else 0)
            )
        if cause_kind == MASS_STATUS:
            at = self._put_id(writer, at, cause, cause_row, fix_tags.MASS_STATUS_REQ_ID)
        elif cause_kind == STATUS and terms != cause:
            # OrdStatusReqID(790), all that a status request carries.
            writer.position = at
            self._carried.put(writer, cause_row, ITEM_CARRIED)
            at = writer.position
        if flags & (F_AGGRESSOR | F_PASSIVE):
            at = put_char(
                out, at, fix_tags.LAST_LIQUIDITY_IND, 0x31 if flags & F_PASSIVE else 0x32
            )
        if cause_kind == MASS_STATUS:
            at = put_int(out, at, fix_tags.TOT_NUM_REPORTS, self._words[row + W_LAST_PX])
            at = put_char(out, at, fix_tags.LAST_RPT_REQUESTED, 0x59 if flags & F_LAST else 0x4E)
        writer.position = at
        if terms_row != 0 and (self._words[terms] >> 16) & 0xFFFF:
            self._carried.merge(writer, start, terms_row, ITEM_ECHO if echo else ITEM_CARRIED)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_rest(
        self, writer: FixWriter, row: cython.longlong, cause: cython.longlong
    ) -> cython.void:
        """Of the body of a REPORT or REFUSED_DUPLICATE row what is no number, code or short id.

        A ClOrdID(11) refused for its length, Text(58), a TransactTime(60) that has no word, and
        the fields carried: as `put_report` puts them.
        """
        start: cython.longlong = writer.position
        at: cython.longlong = start
        terms_row: cython.longlong = self._terms_row(row, cause)
        terms: cython.longlong = self._at(terms_row) if terms_row else cause
        echo: cython.bint = self._echoes(row, cause)
        if terms_row and (self._words[terms + W_TERMS] >> 32) & 0xFF > CL_ORD_ID_MAX:
            at = self._put_id(writer, at, terms, terms_row, fix_tags.CL_ORD_ID)
        at = self._put_text(writer, at, row)
        if terms_row and not echo and (self._words[terms + W_TERMS] >> 48) & 0xFF > 9:
            at = self._put_transact_time(writer, at, terms, terms_row)
        writer.position = at
        if terms_row and (self._words[terms] >> 16) & 0xFFFF:
            self._carried.merge(writer, start, terms_row, ITEM_ECHO if echo else ITEM_CARRIED)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _terms_row(self, row: cython.longlong, cause: cython.longlong) -> cython.longlong:
        """The row of the terms that a report says; 0: of none.

        What refuses a command, or knows no order, says the terms that were asked for.
        """
        terms_row: cython.longlong = self._words[row + W_TERMS_ROW]
        if self._words[row] & 0xFF == REFUSED_DUPLICATE or (
            terms_row == 0 and self._words[cause] & 0xFF <= STATUS
        ):
            return self._words[row + W_CAUSE]
        return terms_row

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _echoes(self, row: cython.longlong, cause: cython.longlong) -> cython.bint:
        """Whether a report gives back the order's fields as they came, since none was valid."""
        return (
            self._words[row] & 0xFF != STATUS_REPORT
            and self._words[cause] & 0xFF == NEW_ORDER
            and (self._words[cause] >> 8) & F_REFUSED != 0
        )

    # --- OrderCancelReject(9), OrderMassCancelReport(r) ------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_cancel_reject(
        self, writer: FixWriter, row: cython.longlong, cause: cython.longlong
    ) -> cython.void:
        """The body of a CANCEL_REJECT row."""
        out: cython.p_uchar = writer.out
        at: cython.longlong = writer.position
        state: cython.longlong = self._words[row + W_STATE]
        terms_row: cython.longlong = self._words[row + W_TERMS_ROW]
        cause_row: cython.longlong = self._words[row + W_CAUSE]
        if terms_row != 0:
            at = self._put_account(out, at, row, self._at(terms_row))
        at = self._put_id(writer, at, cause, cause_row, fix_tags.CL_ORD_ID)
        at = self._put_order_id(out, at, row)
        at = put_char(out, at, fix_tags.ORD_STATUS, state >> 8)
        at = self._put_id(writer, at, cause, cause_row, fix_tags.ORIG_CL_ORD_ID)
        at = self._put_text(writer, at, row)
        if (state >> 16) & 0xFF != NO_REASON:
            at = put_int(out, at, fix_tags.CXL_REJ_REASON, (state >> 16) & 0xFF)
        writer.position = put_char(
            out,
            at,
            fix_tags.CXL_REJ_RESPONSE_TO,
            0x31 if self._words[cause] & 0xFF == CANCEL else 0x32,
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_mass_cancel_report(
        self, writer: FixWriter, row: cython.longlong, cause: cython.longlong
    ) -> cython.void:
        """The body of a MASS_CANCEL_REPORT row."""
        out: cython.p_uchar = writer.out
        at: cython.longlong = writer.position
        state: cython.longlong = self._words[row + W_STATE]
        scope: cython.longlong = self._words[cause + W_SCOPE]
        instrument: cython.longlong = self._words[cause + W_REF] & ID_MASK
        cause_row: cython.longlong = self._words[row + W_CAUSE]
        refused: cython.bint = (state >> 24) & 0xFF != WHY_NONE
        at = self._put_id(writer, at, cause, cause_row, fix_tags.CL_ORD_ID)
        # The number of the request's row: what a mass cancel is known by.
        at = put_int(out, at, fix_tags.ORDER_ID, cause_row)
        if (scope >> 8) & 0xFF:
            at = put_char(out, at, fix_tags.SIDE, scope >> 8)
        if instrument:
            at = self._put_name(out, at, fix_tags.SYMBOL, self._catalog.symbols, instrument)
        at = self._put_text(writer, at, row)
        at = put_char(out, at, fix_tags.MASS_CANCEL_REQUEST_TYPE, scope)
        at = put_char(out, at, fix_tags.MASS_CANCEL_RESPONSE, 0x30 if refused else scope)
        if refused:
            at = put_int(out, at, fix_tags.MASS_CANCEL_REJECT_REASON, (state >> 16) & 0xFF)
        else:
            at = put_int(out, at, fix_tags.TOTAL_AFFECTED_ORDERS, self._words[row + W_LAST_PX])
        writer.position = at

    # --- fields ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_order_id(
        self, out: cython.p_uchar, at: cython.longlong, row: cython.longlong
    ) -> cython.longlong:
        """OrderID(37): the row that brought the order; NONE where there is no order."""
        if self._words[row + W_ORDER] != 0:
            return put_int(out, at, fix_tags.ORDER_ID, self._words[row + W_ORDER])
        return put_short(out, at, fix_tags.ORDER_ID, self._none, 0, 4)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_name(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        tag: cython.uint,
        names: NameTable,
        number: cython.longlong,
    ) -> cython.longlong:
        """A field whose value is a name of the catalogue; nothing where it has none."""
        if number <= 0 or number >= names.count:
            return at
        start: cython.longlong = names.start[number]
        return put_octets(out, at, tag, names.octets, start, names.start[number + 1] - start)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_account(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        row: cython.longlong,
        terms: cython.longlong,
    ) -> cython.longlong:
        """Account(1): that of the terms, or where a replacement named none, the order's."""
        account: cython.longlong = self._words[terms + W_REF] >> 32
        if account == 0 and self._table.has_row(self._words[row + W_ORDER]):
            account = self._words[self._at(self._words[row + W_ORDER]) + W_REF] >> 32
        return self._put_name(out, at, fix_tags.ACCOUNT, self._catalog.accounts, account)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_side_and_symbol(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        terms_row: cython.longlong,
        side: cython.longlong,
        instrument: cython.longlong,
    ) -> cython.longlong:
        """54 and 55; 7 (undisclosed) and [N/A] in the answer that no order matches."""
        if side == 0 or terms_row == 0:
            side = 0x37
        at = put_char(out, at, fix_tags.SIDE, side)
        if terms_row != 0:
            return self._put_name(out, at, fix_tags.SYMBOL, self._catalog.symbols, instrument)
        return put_short(out, at, fix_tags.SYMBOL, self._none, 4, 5)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_id(
        self,
        writer: FixWriter,
        at: cython.longlong,
        offset: cython.longlong,
        row: cython.longlong,
        tag: cython.uint,
    ) -> cython.longlong:
        """An id of a command row as field `tag`: its original id where that is 41."""
        orig: cython.bint = tag == fix_tags.ORIG_CL_ORD_ID
        length: cython.longlong = (self._words[offset + W_TERMS] >> (40 if orig else 32)) & 0xFF
        if length > 24:
            writer.position = at
            self._carried.put_value(
                writer, tag, row, ITEM_ORIG_CL_ORD_ID if orig else ITEM_CL_ORD_ID
            )
            return writer.position
        if length > 0:
            return put_short(
                writer.out,
                at,
                tag,
                self._source,
                (offset + (W_ORIG if orig else W_ID)) * 8,
                length,
            )
        return at

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_text(
        self, writer: FixWriter, at: cython.longlong, row: cython.longlong
    ) -> cython.longlong:
        """Text(58) of ours: the cause's own, else that of the why; none leaves a carried one."""
        why: cython.longlong = (self._words[row + W_STATE] >> 24) & 0xFF
        start: cython.longlong = self._text_start[why]
        length: cython.longlong = self._text_start[why + 1] - start
        if (self._words[row] >> 8) & F_CAUSE_TEXT:
            writer.position = at
            if self._carried.put_value(
                writer, fix_tags.TEXT, self._words[row + W_CAUSE], ITEM_TEXT
            ):
                return writer.position
        if length > 0:
            return put_octets(writer.out, at, fix_tags.TEXT, self._text, start, length)
        return at

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_transact_time(
        self,
        writer: FixWriter,
        at: cython.longlong,
        terms: cython.longlong,
        terms_row: cython.longlong,
    ) -> cython.longlong:
        """TransactTime(60) as the client sent it."""
        digits: cython.longlong = (self._words[terms + W_TERMS] >> 48) & 0xFF
        writer.position = at
        if digits <= 9:
            writer.put_timestamp(fix_tags.TRANSACT_TIME, self._words[terms + W_TRANSACT], digits)
        elif (self._words[terms] >> 16) & 0xFFFF:
            self._carried.put_value(writer, fix_tags.TRANSACT_TIME, terms_row, ITEM_TRANSACT)
        return writer.position
