"""The layout of rows as data: numpy dtypes, and what `journal dump` prints.

Owns the names, places and types of the fields of each kind of row; `rows.py` is where they come
from and says what they mean. Must not import numpy: a description is what `numpy.dtype` takes.

    rows = numpy.memmap(path, numpy.dtype(ROW), "r", HEADER_BYTES)
    reports = rows[rows["kind"] == REPORT].view(numpy.dtype(describe(REPORT)))
"""

from __future__ import annotations

from typing import NamedTuple, TypedDict

from portcullis.journal import rows as r


class Field(NamedTuple):
    """A field of a row: in which word, at which byte of it, numpy's name of its type."""

    name: str
    word: int
    byte: int = 0
    type: str = "<i8"


class Description(TypedDict):
    """What numpy.dtype takes."""

    names: list[str]
    formats: list[str]
    offsets: list[int]
    itemsize: int


HEAD = (
    Field("kind", r.W_HEAD, 0, "u1"),
    Field("flags", r.W_HEAD, 1, "u1"),
    Field("text_rows", r.W_HEAD, 2, "<u2"),
    Field("session", r.W_HEAD, 4, "<u4"),
    Field("time_ns", r.W_TIME),
)
SEAL = (
    Field("row_count", r.W_SEAL_A, 0, "<u2"),
    Field("segment", r.W_SEAL_A, 2, "<u2"),
    Field("chain", r.W_SEAL_A, 4, "<u4"),
    Field("first_row", r.W_SEAL_B, 0, "<u4"),
    Field("crc", r.W_SEAL_B, 4, "<u4"),
)

_IN = (Field("in_seq", r.W_IN_SEQ),)
_COMMAND = (
    *_IN,
    Field("cl_ord_id", r.W_ID, 0, "S24"),
    Field("order_qty", r.W_QTY),
    Field("price", r.W_PRICE),
    Field("instrument", r.W_REF, 0, "<u4"),
    Field("account", r.W_REF, 4, "<u4"),
    Field("side", r.W_TERMS, 0, "S1"),
    Field("ord_type", r.W_TERMS, 1, "S1"),
    Field("time_in_force", r.W_TERMS, 2, "S1"),
    Field("handl_inst", r.W_TERMS, 3, "S1"),
    Field("id_length", r.W_TERMS, 4, "u1"),
    Field("orig_length", r.W_TERMS, 5, "u1"),
    Field("transact_digits", r.W_TERMS, 6, "u1"),
    Field("why", r.W_TERMS, 7, "u1"),
    Field("transact_time_ns", r.W_TRANSACT),
)
_ORIG = (Field("orig_cl_ord_id", r.W_ORIG, 0, "S24"),)
_SCOPE = (Field("scope", r.W_SCOPE, 0, "S1"), Field("scope_side", r.W_SCOPE, 1, "S1"))
_OUT = (
    Field("out_seq", r.W_OUT_SEQ),
    Field("previous_row", r.W_PREV),
    Field("cause_row", r.W_CAUSE),
)
_STATE = (
    Field("exec_type", r.W_STATE, 0, "S1"),
    Field("ord_status", r.W_STATE, 1, "S1"),
    Field("reason", r.W_STATE, 2, "u1"),
    Field("why", r.W_STATE, 3, "u1"),
    Field("side", r.W_STATE, 4, "S1"),
)
_REPORT = (
    *_OUT,
    Field("terms_row", r.W_TERMS_ROW),
    Field("order_id", r.W_ORDER),
    Field("last_px", r.W_LAST_PX),
    Field("last_qty", r.W_LAST_QTY),
    Field("leaves_qty", r.W_LEAVES_QTY),
    Field("cum_qty", r.W_CUM_QTY),
    Field("avg_px", r.W_AVG_PX),
    Field("order_qty", r.W_ORDER_QTY),
    *_STATE,
)
_FILL = (
    Field("fill_row", r.W_FILL_ROW),
    Field("fill_qty", r.W_FILL_QTY),
    Field("fill_price", r.W_FILL_PRICE),
)

# Fields of each kind between head and seal. The secret key of a GENESIS row is left out.
KIND_FIELDS: dict[int, tuple[Field, ...]] = {
    r.NEW_ORDER: (
        *_COMMAND,
        Field("firm", r.W_FIRM, 0, "S4"),
        Field("capacity", r.W_FIRM, 4, "S1"),
        Field("customer_type", r.W_FIRM, 5, "S1"),
    ),
    r.CANCEL: _COMMAND + _ORIG,
    r.REPLACE: _COMMAND + _ORIG,
    r.STATUS: _COMMAND,
    r.MODIFY: _COMMAND + _ORIG,
    r.MASS_CANCEL: _COMMAND + _SCOPE,
    r.MASS_STATUS: _COMMAND + _SCOPE,
    r.CANCEL_ALL: _COMMAND + _SCOPE,
    r.SEND: (*_IN, Field("msg_type", r.W_MSG_TYPE, 0, "S8"), Field("reissue_row", r.W_REISSUE)),
    r.ADVANCE: (*_IN, Field("next_in", r.W_NEXT_IN), Field("next_out", r.W_NEXT_OUT)),
    r.RESET: (
        *_IN,
        Field("next_in", r.W_NEXT_IN),
        Field("next_out", r.W_NEXT_OUT),
        Field("in_doubt", r.W_UNSENT),
        Field("in_doubt_last_row", r.W_UNSENT_ROW),
    ),
    r.SESSION_EVENT: (*_IN, Field("event", r.W_EVENT), Field("in_doubt", r.W_NEXT_OUT)),
    r.GENESIS: (),
    r.START: (),
    r.STOP: (),
    r.INSTRUMENT: (
        Field("subject", r.W_SUBJECT),
        Field("price_decimals", r.W_DECIMALS, 0, "u1"),
        Field("qty_decimals", r.W_DECIMALS, 1, "u1"),
        Field("instrument_flags", r.W_DECIMALS, 2, "u1"),
        Field("tick", r.W_TICK),
        Field("lot", r.W_LOT),
        Field("price_max", r.W_PRICE_MAX),
        Field("qty_max", r.W_QTY_MAX),
        Field("stock", r.W_STOCK, 0, "S8"),
    ),
    r.ACCOUNT: (Field("subject", r.W_SUBJECT), Field("self_trade_prevention", r.W_STP)),
    r.SESSION: (
        Field("subject", r.W_SUBJECT),
        Field("account", r.W_ACCOUNT),
        Field("session_flags", r.W_SESSION_FLAGS),
        Field("schedule", r.W_SCHEDULE),
    ),
    r.SETTING: (Field("subject", r.W_SUBJECT), Field("limit", r.W_LIMIT)),
    r.TIME_STEP: (),
    r.ROLL: (Field("next_row", r.W_NEXT_ROW),),
    r.DAY: (Field("day", r.W_DAY),),
    r.OPERATOR: (),
    r.STREAM: (
        Field("subject", r.W_SUBJECT),
        Field("content", r.W_CONTENT),
        Field("day", r.W_STREAM_DAY),
    ),
    r.EXPIRE: (),
    r.BUST: _COMMAND[:2] + _FILL,
    r.CORRECT: (
        *_COMMAND[:2],
        *_FILL,
        Field("new_qty", r.W_NEW_QTY),
        Field("new_price", r.W_NEW_PRICE),
    ),
    r.REPORT: _REPORT,
    r.STATUS_REPORT: _REPORT,
    r.CANCEL_REJECT: _REPORT,
    r.MASS_CANCEL_REPORT: _REPORT,
    r.SENT: _OUT,
    r.REFUSED_DUPLICATE: _REPORT,
    r.SYSTEM_EVENT: (*_OUT, Field("session_day", r.W_SESSION_DAY), _STATE[0]),
    r.TEXT: (Field("text", 1, 0, f"V{r.TEXT_BYTES}"),),
}
_FIRST_KIND = list(vars(r)).index("EMPTY")
_LAST_KIND = list(vars(r)).index("TEXT")
KIND_NAMES: dict[int, str] = {
    value: name.lower()
    for place, (name, value) in enumerate(vars(r).items())
    if _FIRST_KIND < place <= _LAST_KIND and name != "FIRST_OUTPUT"
}
ITEM_NAMES: dict[int, str] = {
    value: name.removeprefix("ITEM_").lower()
    for name, value in vars(r).items()
    if name.startswith("ITEM_") and name not in ("ITEM_HEAD", "ITEM_BYTES_MAX", "ITEM_END")
}


def _description(fields: tuple[Field, ...]) -> Description:
    return {
        "names": [field.name for field in fields],
        "formats": [field.type for field in fields],
        "offsets": [field.word * 8 + field.byte for field in fields],
        "itemsize": r.ROW_BYTES,
    }


def describe(kind: int) -> Description:
    """The dtype of one kind's rows: head, the kind's own fields, seal. KeyError: no such kind."""
    head = (
        HEAD[:-1] if kind == r.TEXT else HEAD
    )  # the text of a TEXT row stands in place of a time
    return _description(head + KIND_FIELDS[kind] + SEAL)


# Any row (a TEXT row has no time): head, its words 2 to 13 as numbers `word_2` to `word_13`, seal;
# in its place of a batch's first row, where that is not the last, `sealed_ns`.
ROW: Description = _description(
    (
        *HEAD,
        *(Field(f"word_{word}", word) for word in range(r.W_IN_SEQ, r.W_SEAL_A)),
        *SEAL,
        Field("sealed_ns", r.W_SEALED),
    )
)
