"""Typed FIX messages: the fields that go out, what is read, and what cannot be sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from portcullis.client.fix import (
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    Reject,
    Side,
    utc_timestamp,
)
from portcullis.client.fix_messages import read_report
from tests.support.wire import readable

WHEN = "20261121-10:00:00.000"
TERMS: dict[str, Any] = {
    "cl_ord_id": "a",
    "symbol": "BTC-USD",
    "side": Side.BUY,
    "order_qty": 1,
    "price": "100.50",
    "transact_time": WHEN,
}


def test_fields_go_out_by_tag_and_further_ones_behind_them_as_given() -> None:
    order = NewOrderSingle(**TERMS, more=((453, "1"), (448, "desk"), (447, "D"), (452, "13")))
    assert readable(order.body()) == (
        f"11=a|38=1|40=2|44=100.50|54=1|55=BTC-USD|59=0|60={WHEN}|453=1|448=desk|447=D|452=13|"
    )
    replace = OrderCancelReplaceRequest(**TERMS, orig_cl_ord_id="b", account="ACME")
    assert readable(replace.body()) == (
        f"1=ACME|11=a|38=1|40=2|41=b|44=100.50|54=1|55=BTC-USD|59=0|60={WHEN}|"
    )


def test_a_decimal_goes_out_without_an_exponent() -> None:
    order = NewOrderSingle(**{**TERMS, "price": Decimal("1E+2"), "order_qty": Decimal("1E-4")})
    assert "|38=0.0001|40=2|44=100|" in readable(order.body())


@pytest.mark.parametrize(
    ("terms", "error", "text"),
    [
        ({"price": 100.5}, TypeError, "field 44 was 100.5; text, int or Decimal expected"),
        ({"text": "a\x01b"}, ValueError, "field 58 .* none SOH"),
        ({"more": ((18, ""),)}, ValueError, "field 18 .* at least one character"),
    ],
)
def test_what_cannot_be_sent_is_an_error_that_names_the_field(
    terms: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        NewOrderSingle(**{**TERMS, **terms}).body()


def test_times_are_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 21, 1, 2, 3, 4999, timezone(timedelta(hours=2)))
    assert utc_timestamp(moment) == "20261120-23:02:03.004"
    now = datetime.strptime(utc_timestamp(), "%Y%m%d-%H:%M:%S.%f").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=10)


def pairs(text: str) -> tuple[tuple[int, str], ...]:
    fields = (field.partition("=") for field in text.split("|"))
    return tuple((int(tag), value) for tag, _, value in fields)


def test_a_report_has_its_fields_by_name_and_all_of_them_by_tag() -> None:
    report = read_report(
        pairs(
            "35=8|34=7|43=Y|6=100.5|11=a|14=0.50|17=39|31=100.5|32=0.5|37=37|38=1|39=1|44=100.5|"
            "54=1|55=BTC-USD|58=one|58=two|150=F|151=0.5|527=38"
        )
    )
    assert report == ExecutionReport(
        msg_seq_num=7,
        poss_dup=True,
        text="one",
        cl_ord_id="a",
        order_id="37",
        exec_id="39",
        exec_type="F",
        ord_status="1",
        symbol="BTC-USD",
        side="1",
        order_qty=Decimal(1),
        price=Decimal("100.5"),
        last_qty=Decimal("0.5"),
        last_px=Decimal("100.5"),
        leaves_qty=Decimal("0.5"),
        cum_qty=Decimal("0.5"),
        avg_px=Decimal("100.5"),
        fields=report.fields,
    )
    assert report.get(527) == "38"
    assert report.get(9999, "none") == "none"


def test_a_reject_need_not_name_a_field() -> None:
    reject = read_report(pairs("35=3|34=2|45=9|58=CompID problem|373=9"))
    assert isinstance(reject, Reject)
    assert (reject.ref_seq_num, reject.ref_tag_id) == (9, None)
    assert (reject.session_reject_reason, reject.text) == (9, "CompID problem")
