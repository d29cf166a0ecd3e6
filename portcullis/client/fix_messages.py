"""Orders and reports of FIX 4.4 as typed messages: what `client.fix` sends and receives.

Owns which field of a class stands for which tag; each is declared once, beside its type. Fields
that have no name here go out by `more` and are read by `get`. Codes are strings as FIX has them;
the enums name those that Portcullis uses. Numbers are decimal, never float.

Must not know sessions. Specification: FIX 4.4 vol 4; docs/rules-of-engagement.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from portcullis.dictionaries import fix_tags as tags

# "100.5", 100, Decimal("100.5"): written as it is. What is received is a Decimal.
Number = Decimal | int | str
Pairs = tuple[tuple[int, str], ...]

_Reader = Callable[[str], Any]
_READERS: dict[Any, _Reader] = {bool: "Y".__eq__, Decimal: Decimal, int: int, str: str}
_TAGGED: dict[type, tuple[tuple[str, int, _Reader], ...]] = {}
_ENCODING = "latin-1"


class Side(StrEnum):
    """Side(54)."""

    BUY = "1"
    SELL = "2"
    SELL_SHORT = "5"
    SELL_SHORT_EXEMPT = "6"


class OrdType(StrEnum):
    """OrdType(40)."""

    MARKET = "1"
    LIMIT = "2"


class TimeInForce(StrEnum):
    """TimeInForce(59)."""

    DAY = "0"
    GOOD_TILL_CANCEL = "1"
    IMMEDIATE_OR_CANCEL = "3"
    FILL_OR_KILL = "4"


class ExecType(StrEnum):
    """ExecType(150)."""

    NEW = "0"
    CANCELED = "4"
    REPLACED = "5"
    REJECTED = "8"
    EXPIRED = "C"
    RESTATED = "D"
    TRADE = "F"
    TRADE_CORRECT = "G"
    TRADE_CANCEL = "H"
    ORDER_STATUS = "I"


class OrdStatus(StrEnum):
    """OrdStatus(39)."""

    NEW = "0"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    CANCELED = "4"
    REJECTED = "8"
    EXPIRED = "C"


def utc_timestamp(moment: datetime | None = None) -> str:
    """A UTCTimestamp with milliseconds; of now, unless a moment is given."""
    moment = (moment or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%d-%H:%M:%S}.{moment.microsecond // 1000:03d}"


# --- what is sent ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A message to the gateway. None and "" are left out; `more` follows, in the order given."""

    msg_type: ClassVar[bytes]

    more: Pairs = ()

    def body(self) -> bytes:
        """Its fields behind the header. ValueError, TypeError: one cannot be sent, and which."""
        pairs = [(tag, getattr(self, name)) for name, tag, _ in _tagged(type(self))]
        given = [(tag, value) for tag, value in pairs if value not in (None, "")]
        return b"".join(_field(tag, value) for tag, value in (*given, *self.more))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrderSingle(Request):
    """NewOrderSingle(D): an order. cl_ord_id names it, unique among the session's of the day."""

    msg_type = b"D"

    cl_ord_id: Annotated[str, tags.CL_ORD_ID]
    symbol: Annotated[str, tags.SYMBOL]
    side: Annotated[str, tags.SIDE]
    order_qty: Annotated[Number, tags.ORDER_QTY]
    price: Annotated[Number | None, tags.PRICE] = None
    ord_type: Annotated[str, tags.ORD_TYPE] = OrdType.LIMIT
    time_in_force: Annotated[str, tags.TIME_IN_FORCE] = TimeInForce.DAY
    account: Annotated[str, tags.ACCOUNT] = ""
    text: Annotated[str, tags.TEXT] = ""
    transact_time: Annotated[str, tags.TRANSACT_TIME] = field(default_factory=utc_timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelReplaceRequest(NewOrderSingle):
    """OrderCancelReplaceRequest(G): all terms anew. order_qty counts what is filled already."""

    msg_type = b"G"

    orig_cl_ord_id: Annotated[str, tags.ORIG_CL_ORD_ID]
    order_id: Annotated[str, tags.ORDER_ID] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelRequest(Request):
    """OrderCancelRequest(F): end the order whose current id is orig_cl_ord_id."""

    msg_type = b"F"

    cl_ord_id: Annotated[str, tags.CL_ORD_ID]
    orig_cl_ord_id: Annotated[str, tags.ORIG_CL_ORD_ID]
    symbol: Annotated[str, tags.SYMBOL]
    side: Annotated[str, tags.SIDE]
    order_id: Annotated[str, tags.ORDER_ID] = ""
    transact_time: Annotated[str, tags.TRANSACT_TIME] = field(default_factory=utc_timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStatusRequest(Request):
    """OrderStatusRequest(H): an ExecutionReport with ExecType.ORDER_STATUS answers."""

    msg_type = b"H"

    cl_ord_id: Annotated[str, tags.CL_ORD_ID]
    symbol: Annotated[str, tags.SYMBOL]
    side: Annotated[str, tags.SIDE]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMassCancelRequest(Request):
    """OrderMassCancelRequest(q): type "7", all orders of the account, or "1", of a symbol."""

    msg_type = b"q"

    cl_ord_id: Annotated[str, tags.CL_ORD_ID]
    mass_cancel_request_type: Annotated[str, tags.MASS_CANCEL_REQUEST_TYPE] = "7"
    symbol: Annotated[str, tags.SYMBOL] = ""
    side: Annotated[str, tags.SIDE] = ""
    transact_time: Annotated[str, tags.TRANSACT_TIME] = field(default_factory=utc_timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMassStatusRequest(Request):
    """OrderMassStatusRequest(AF): one report an open order, with ExecType.ORDER_STATUS."""

    msg_type = b"AF"

    mass_status_req_id: Annotated[str, tags.MASS_STATUS_REQ_ID]
    mass_status_req_type: Annotated[str, tags.MASS_STATUS_REQ_TYPE] = "7"
    symbol: Annotated[str, tags.SYMBOL] = ""


# --- what is received --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A message from the gateway. fields: all of it, header and trailer too, as it came."""

    msg_type: ClassVar[bytes]

    msg_seq_num: Annotated[int, tags.MSG_SEQ_NUM]
    poss_dup: Annotated[bool, tags.POSS_DUP_FLAG] = False
    poss_resend: Annotated[bool, tags.POSS_RESEND] = False
    text: Annotated[str, tags.TEXT] = ""
    fields: Pairs = field(default=(), repr=False)

    def get(self, tag: int, absent: str = "") -> str:
        """The first value of a tag."""
        return next((value for found, value in self.fields if found == tag), absent)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport(Report):
    """ExecutionReport(8): what became of an order. last_qty, last_px: of a trade alone."""

    msg_type = b"8"

    cl_ord_id: Annotated[str, tags.CL_ORD_ID] = ""
    orig_cl_ord_id: Annotated[str, tags.ORIG_CL_ORD_ID] = ""
    order_id: Annotated[str, tags.ORDER_ID]
    exec_id: Annotated[str, tags.EXEC_ID]
    exec_type: Annotated[str, tags.EXEC_TYPE]
    ord_status: Annotated[str, tags.ORD_STATUS]
    symbol: Annotated[str, tags.SYMBOL] = ""
    side: Annotated[str, tags.SIDE]
    order_qty: Annotated[Decimal | None, tags.ORDER_QTY] = None
    price: Annotated[Decimal | None, tags.PRICE] = None
    last_qty: Annotated[Decimal | None, tags.LAST_QTY] = None
    last_px: Annotated[Decimal | None, tags.LAST_PX] = None
    leaves_qty: Annotated[Decimal, tags.LEAVES_QTY]
    cum_qty: Annotated[Decimal, tags.CUM_QTY]
    avg_px: Annotated[Decimal, tags.AVG_PX]
    ord_rej_reason: Annotated[int | None, tags.ORD_REJ_REASON] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelReject(Report):
    """OrderCancelReject(9): a cancel or replace was refused; the order is as it was."""

    msg_type = b"9"

    cl_ord_id: Annotated[str, tags.CL_ORD_ID]
    orig_cl_ord_id: Annotated[str, tags.ORIG_CL_ORD_ID] = ""
    order_id: Annotated[str, tags.ORDER_ID]
    ord_status: Annotated[str, tags.ORD_STATUS]
    cxl_rej_reason: Annotated[int | None, tags.CXL_REJ_REASON] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMassCancelReport(Report):
    """OrderMassCancelReport(r): how many orders a mass cancel is about; their reports follow."""

    msg_type = b"r"

    cl_ord_id: Annotated[str, tags.CL_ORD_ID] = ""
    mass_cancel_response: Annotated[str, tags.MASS_CANCEL_RESPONSE]
    total_affected_orders: Annotated[int, tags.TOTAL_AFFECTED_ORDERS] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessMessageReject(Report):
    """BusinessMessageReject(j): a message that was well formed cannot be worked on."""

    msg_type = b"j"

    ref_seq_num: Annotated[int | None, tags.REF_SEQ_NUM] = None
    ref_msg_type: Annotated[str, tags.REF_MSG_TYPE]
    business_reject_ref_id: Annotated[str, tags.BUSINESS_REJECT_REF_ID] = ""
    business_reject_reason: Annotated[int, tags.BUSINESS_REJECT_REASON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(Report):
    """Reject(3): a message of ours breaks the dictionary's rules; it has not been seen."""

    msg_type = b"3"

    ref_seq_num: Annotated[int, tags.REF_SEQ_NUM]
    ref_tag_id: Annotated[int | None, tags.REF_TAG_ID] = None
    session_reject_reason: Annotated[int | None, tags.SESSION_REJECT_REASON] = None


REPORTS: dict[bytes, type[Report]] = {
    kind.msg_type: kind
    for kind in (
        ExecutionReport,
        OrderCancelReject,
        OrderMassCancelReport,
        BusinessMessageReject,
        Reject,
    )
}


def read_report(pairs: Pairs) -> Report:
    """The message that these fields are; its type is one of REPORTS."""
    first: dict[int, str] = {}
    for tag, value in pairs:
        first.setdefault(tag, value)
    kind = REPORTS[first[tags.MSG_TYPE].encode()]
    values = {name: read(first[tag]) for name, tag, read in _tagged(kind) if tag in first}
    return kind(fields=pairs, **values)


def _tagged(kind: type[Request] | type[Report]) -> tuple[tuple[str, int, _Reader], ...]:
    """Name, tag and reader of each field of a class that has a tag, by tag."""
    if kind not in _TAGGED:
        hints = get_type_hints(kind, include_extras=True)
        annotated = [
            (name, get_args(hint)) for name, hint in hints.items() if get_origin(hint) is Annotated
        ]
        found = [(name, tag, _reader(hint)) for name, (hint, tag) in annotated]
        _TAGGED[kind] = tuple(sorted(found, key=lambda entry: entry[1]))
    return _TAGGED[kind]


def _reader(hint: Any) -> _Reader:
    return next((_READERS[one] for one in (hint, *get_args(hint)) if one in _READERS), str)


def _field(tag: int, value: Number) -> bytes:
    if isinstance(value, Decimal):
        text = f"{value:f}"
    elif isinstance(value, str | int) and not isinstance(value, bool):
        text = str(value)
    else:
        raise TypeError(f"field {tag} was {value!r}; text, int or Decimal expected")
    if not text or "\x01" in text:
        raise ValueError(f"field {tag} was {text!r}; at least one character, none SOH expected")
    return b"%d=%b\x01" % (tag, text.encode(_ENCODING))
