"""FIX messages to rows: each field of D and G, each refusal by its code, each bound."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from portcullis.codecs.fix import writer
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.gateway import (
    carried_fields,
    catalog,
    fix_reports,
    order_fields,
    report_bodies,
)
from portcullis.gateway.order_terms import TERMS, Use
from portcullis.journal import rows as r
from tests.gateway.test_order_terms import FIELDS, flat
from tests.support.fix_desk import FIX44, START_NS, FixDesk, body, parse

TIME = "60=20261121-00:00:00.123"
ORDER = f"D|11=a|54=1|55=BTC-USD|38=1.5|40=2|44=50000.05|{TIME}"
SAMPLES = {
    "CHAR": "x",
    "BOOLEAN": "Y",
    "UTCTIMESTAMP": "20261121-00:00:00",
    "LOCALMKTDATE": "20261121",
    "MONTHYEAR": "202611",
    "CURRENCY": "USD",
    "COUNTRY": "US",
    "EXCHANGE": "XNYS",
}
MEMBER_OF_GROUP = {
    tag: counter
    for counter, member in FIELDS["D"].items()
    for tag in flat(member.members)
    if member.members
}


@cache
def dictionary():
    return load_dictionary(FIX44)


def sample(tag: int) -> str:
    """A valid value of a field."""
    field = dictionary().fields[tag]
    if field.values:
        return next(iter(field.values)).decode()
    return SAMPLES.get(field.type.upper(), "1")


def with_field(tag: int, value: str) -> str:
    """The field as text; a group counter with one member, a length with its data."""
    field = dictionary().fields[tag]
    if field.data_tag:
        return f"{tag}=3|{field.data_tag}=abc"
    member = FIELDS["D"].get(tag) or FIELDS["G"][tag]
    if member.members:
        first = member.members[0].field.tag
        return f"{tag}=1|{first}={sample(first)}"
    return f"{tag}={value}"


def alone(use: Use) -> list[int]:
    """Tags of a use that can stand in a D by themselves."""
    return sorted(
        tag
        for tag, term in TERMS.items()
        if term.use is use
        and "D" in term.messages
        and tag not in MEMBER_OF_GROUP
        and not dictionary().fields[tag].length_tag
    )


def answer(text: str, **options: object) -> dict[int, str]:
    """The last report that a fresh desk gives to one message."""
    reports = FixDesk(**options).send(text)
    return dict(reports[-1])


def refusal(text: str, **options: object) -> tuple[str, str, str]:
    """ExecType, OrdRejReason and Text of the answer."""
    fields = answer(text, **options)
    return fields[150], fields.get(103, ""), fields.get(58, "")


@pytest.fixture(scope="module")
def desk() -> FixDesk:
    return FixDesk()


ids = iter(range(1_000_000))


def fresh() -> str:
    return f"id{next(ids)}"


@pytest.mark.parametrize("tag", alone(Use.REFUSED))
def test_a_refused_field_is_refused_by_its_name(desk: FixDesk, tag: int) -> None:
    order = ORDER.replace("11=a", f"11={fresh()}")
    (report,) = desk.send(f"{order}|{with_field(tag, sample(tag))}")
    fields = dict(report)
    assert (fields[150], fields[39], fields[103]) == ("8", "8", "11")
    assert fields[58] == f"Unsupported order term: {TERMS[tag].label}"
    assert tag not in fields


@pytest.mark.parametrize("tag", [t for t in alone(Use.CARRIED) if t not in (453, 60)])
def test_a_carried_field_comes_back_on_each_report(desk: FixDesk, tag: int) -> None:
    cl_ord_id = fresh()
    value = TERMS[tag].values[0] if TERMS[tag].values else sample(tag)
    order = ORDER.replace("11=a", f"11={cl_ord_id}")
    (new,) = desk.send(f"{order}|{with_field(tag, value)}")
    (end,) = desk.send(f"F|11={fresh()}|41={cl_ord_id}|54=1|55=BTC-USD|{TIME}")
    assert dict(new)[150] == "0" and dict(end)[150] == "4"
    assert dict(new)[tag] == dict(end)[tag] == value


@pytest.mark.parametrize("tag", alone(Use.KEPT))
def test_a_kept_field_is_stored_and_not_sent_back(desk: FixDesk, tag: int) -> None:
    value = TERMS[tag].values[0] if TERMS[tag].values else sample(tag)
    before = desk.table.tail
    (new,) = desk.send(f"{ORDER.replace('11=a', f'11={fresh()}')}|{with_field(tag, value)}")
    assert dict(new)[150] == "0"
    assert tag not in dict(new)
    kept = desk.table.item(before, r.ITEM_KEPT)
    assert kept is not None and kept.startswith(b"%d=" % tag)


@pytest.mark.parametrize(
    "tag", [t for t in alone(Use.CARRIED) + alone(Use.KEPT) if TERMS[t].values]
)
def test_a_value_that_is_not_ours_is_refused(desk: FixDesk, tag: int) -> None:
    field = dictionary().fields[tag]
    others = [v.decode() for v in field.values if v.decode() not in TERMS[tag].values]
    value = others[0] if others else "Y"
    (report,) = desk.send(f"{ORDER.replace('11=a', f'11={fresh()}')}|{tag}={value}")
    assert (dict(report)[103], dict(report)[58]) == (
        "11",
        f"Unsupported order term: {TERMS[tag].label}={value}",
    )


@pytest.mark.parametrize(
    ("text", "reason", "shown"),
    [
        (ORDER.replace("40=2", "40=3"), "11", "Unsupported order term: OrdType(40)=3"),
        (ORDER + "|59=6", "11", "Unsupported order term: TimeInForce(59)=6"),
        (ORDER + "|59=2", "11", "Unsupported order term: TimeInForce(59)=2"),
        (ORDER.replace("54=1", "54=5"), "11", "Unsupported order term: Side(54)=5"),
        (ORDER.replace("54=1", "54=8"), "11", "Unsupported order term: Side(54)=8"),
        (ORDER.replace("40=2", "40=1"), "11", "Price(44) on a market order"),
        (ORDER.replace("|38=1.5", ""), "99", "Required field missing: OrderQty(38)"),
        (ORDER.replace("|44=50000.05", ""), "99", "Required field missing: Price(44)"),
        (ORDER.replace("|55=BTC-USD", ""), "99", "Required field missing: Symbol(55)"),
        (ORDER.replace("BTC-USD", "NO-USD"), "1", "Unknown symbol"),
        (ORDER.replace("BTC-USD", "BTC-US"), "1", "Unknown symbol"),
        (ORDER + "|1=OTHER", "15", "Account(1) is not allowed for this session"),
        (ORDER + "|1=NOBODY", "15", "Account(1) is not allowed for this session"),
        (ORDER.replace("38=1.5", "38=1.5005"), "13", "OrderQty(38) is not a multiple of the lot"),
        (ORDER.replace("38=1.5", "38=1.50001"), "13", "OrderQty(38) is not a multiple of the lot"),
        (ORDER.replace("38=1.5", "38=0"), "13", "OrderQty(38) is out of range"),
        (ORDER.replace("38=1.5", "38=-1"), "13", "OrderQty(38) is out of range"),
        (ORDER.replace("38=1.5", "38=100000.001"), "13", "OrderQty(38) is out of range"),
        (ORDER.replace("38=1.5", "38=" + "9" * 30), "13", "OrderQty(38) is out of range"),
        (ORDER.replace("50000.05", "50000.01"), "99", "Price(44) is not a multiple of the tick"),
        (ORDER.replace("50000.05", "50000.051"), "99", "Price(44) is not a multiple of the tick"),
        (ORDER.replace("50000.05", "0"), "99", "Price(44) is out of range"),
        (ORDER.replace("50000.05", "-5"), "99", "Price(44) is out of range"),
        (ORDER.replace("50000.05", "10000000.05"), "99", "Price(44) is out of range"),
        (
            ORDER.replace("11=a", "11=" + "x" * 37),
            "99",
            "ClOrdID(11) is longer than 36 characters",
        ),
        (ORDER + "|58=" + "x" * 5000, "99", "Fields to be carried are longer than 4096 bytes"),
        (ORDER + "|48=BTC-USD", "99", "Required field missing: SecurityIDSource(22)"),
        (ORDER + "|48=BTC-USD|22=1", "11", "Unsupported order term: SecurityIDSource(22)=1"),
        (ORDER + "|48=SHRT-USD|22=8", "1", "Unknown symbol"),
        # The first check that fails is the answer: terms before symbols, symbols before numbers.
        (ORDER.replace("BTC-USD", "NO") + "|18=1", "11", "Unsupported order term: ExecInst(18)"),
        (ORDER.replace("BTC-USD", "NO").replace("38=1.5", "38=0"), "1", "Unknown symbol"),
    ],
)
def test_a_refusal_has_its_code_and_text(text: str, reason: str, shown: str) -> None:
    assert refusal(text) == ("8", reason, shown)


def test_a_refused_order_gets_back_what_it_said() -> None:
    fields = answer(
        ORDER.replace("38=1.5", "38=002000.00001") + "|453=1|448=F|447=D|452=1|526=mine|58=note"
    )
    assert (fields[38], fields[448], fields[526]) == ("002000.00001", "F", "mine")
    assert fields[1] == "ACME"
    assert fields[58] == "OrderQty(38) is not a multiple of the lot"


@pytest.mark.parametrize("qty", ["100000", "0.001", "002000.000", ".5", "5."])
def test_a_quantity_up_to_the_bound_is_taken(qty: str) -> None:
    assert answer(ORDER.replace("38=1.5", f"38={qty}"))[150] == "0"


@pytest.mark.parametrize("price", ["10000000", "0.05", "00.050"])
def test_a_price_up_to_the_bound_is_taken(price: str) -> None:
    assert answer(ORDER.replace("50000.05", price))[150] == "0"


@pytest.mark.parametrize("size", [1, 8, 23, 24, 25, 36])
def test_an_id_of_any_length_up_to_36_comes_back(size: int) -> None:
    desk = FixDesk()
    cl_ord_id = "x" * (size - 1) + "y"
    (new,) = desk.send(ORDER.replace("11=a", f"11={cl_ord_id}"))
    assert dict(new)[11] == cl_ord_id
    (end,) = desk.send(f"F|11=c{cl_ord_id[1:]}|41={cl_ord_id}|54=1|55=BTC-USD|{TIME}")
    assert (dict(end)[11], dict(end)[41], dict(end)[150]) == ("c" + cl_ord_id[1:], cl_ord_id, "4")


def test_an_id_too_long_comes_back_with_its_refusal() -> None:
    assert answer(ORDER.replace("11=a", "11=" + "x" * 40))[11] == "x" * 40


def test_short_marking_passes_where_the_instrument_allows_it() -> None:
    order = ORDER.replace("BTC-USD", "SHRT-USD")
    assert answer(order.replace("54=1", "54=5"))[54] == "5"
    assert answer(order.replace("54=1", "54=6"))[54] == "6"


def test_an_instrument_may_be_named_by_security_id() -> None:
    fields = answer(ORDER.replace("55=BTC-USD", "48=BTC-USD|22=8"))
    assert (fields[150], fields[55], fields[48], fields[22]) == ("0", "BTC-USD", "BTC-USD", "8")


def test_another_allowed_account_is_reported() -> None:
    assert answer(ORDER + "|1=SHARED")[1] == "SHARED"
    assert answer(ORDER)[1] == "ACME"


@pytest.mark.parametrize("missing", [38, 44, 55])
def test_missing_fields_are_a_business_reject_where_the_session_says_so(missing: int) -> None:
    desk = FixDesk(missing_conditional="j")
    text = "|".join(f for f in ORDER.split("|") if not f.startswith(f"{missing}="))
    (report,) = desk.send(text)
    assert dict(report)[35] == "j"
    assert body(report) == (
        f"45=1|58=Conditionally Required Field Missing ({missing})|372=D|379=a|380=5"
    )
    # The id is not burnt.
    assert dict(desk.send(ORDER)[0])[150] == "0"


def test_a_business_reject_turns_the_route_round() -> None:
    desk = FixDesk(missing_conditional="j")
    text = ORDER.replace("|38=1.5", "")
    assert text != ORDER
    (report,) = desk.send(text, head="115=DESK|129=CB")
    assert [field for field in report if field[0] in (115, 116, 128, 129)] == [
        (116, "CB"),
        (128, "DESK"),
    ]


def test_an_old_possible_duplicate_must_not_trade() -> None:
    for kind, extra in (("D", ""), ("G", "|41=a")):
        desk = FixDesk()
        if kind == "G":
            desk.send(ORDER)
        text = ORDER.replace("D|11=a", f"{kind}|11=b") + extra
        desk.table.time_ns = START_NS + 5_000_000_001
        (report,) = desk.send(text, head="43=Y|122=20261121-00:00:00.000")
        fields = dict(report)
        assert (fields.get(103), fields.get(102)) == (("8", None) if kind == "D" else (None, "99"))
        assert fields[58] == "Possible duplicate is too old to trade"


def test_a_young_possible_duplicate_is_an_order() -> None:
    desk = FixDesk()
    desk.table.time_ns = START_NS + 5_000_000_000
    (report,) = desk.send(ORDER, head="43=Y|122=20261121-00:00:00.000")
    assert dict(report)[150] == "0"


def test_a_possible_resend_of_a_known_order_is_answered_with_its_state() -> None:
    desk = FixDesk()
    desk.send(ORDER)
    (again,) = desk.send(ORDER, head="97=Y")
    assert (dict(again)[150], dict(again)[39], dict(again)[11]) == ("I", "0", "a")


def test_a_timestamp_comes_back_digit_for_digit() -> None:
    for stamp in (
        "20261121-00:00:00",
        "20261121-23:59:59.999999999",
        "20240229-12:00:00.5",
        "20261231-23:59:60",
        "20261231-23:59:59.123456789012",
    ):
        order = ORDER.replace(TIME, f"60={stamp}")
        assert answer(order)[60] == stamp


@pytest.mark.parametrize(
    ("change", "reason", "shown"),
    [
        ("18=1", "99", "Unsupported order term: ExecInst(18)"),
        ("586=20261121-00:00:00", "99", "Unsupported order term: OrigOrdModTime(586)"),
        ("66=L", "99", "Unsupported order term: ListID(66)"),
    ],
)
def test_a_refused_replacement_is_a_cancel_reject(change: str, reason: str, shown: str) -> None:
    desk = FixDesk()
    desk.send(ORDER)
    (report,) = desk.send(ORDER.replace("D|11=a", "G|11=b|41=a") + f"|{change}")
    fields = dict(report)
    assert (fields[35], fields[434], fields[102]) == ("9", "2", reason)
    assert (fields[58], fields[11], fields[41], fields[39]) == (shown, "b", "a", "0")


def test_a_replacement_without_an_account_keeps_the_orders_own() -> None:
    desk = FixDesk()
    desk.send(ORDER + "|1=SHARED")
    (report,) = desk.send(ORDER.replace("D|11=a", "G|11=b|41=a"))
    assert (dict(report)[150], dict(report)[1]) == ("5", "SHARED")


def test_order_id_must_name_the_order_of_orig_cl_ord_id() -> None:
    desk = FixDesk()
    order_id = dict(desk.send(ORDER)[0])[37]
    cancel = f"F|11=c|41=a|54=1|55=BTC-USD|{TIME}|37="
    (wrong,) = desk.send(cancel + "12345678")
    (text,) = desk.send(cancel.replace("11=c", "11=d") + "ours")
    (right,) = desk.send(cancel.replace("11=c", "11=e") + order_id)
    assert [dict(m).get(102) for m in (wrong, text, right)] == ["1", "1", None]
    assert dict(right)[150] == "4"


@pytest.mark.parametrize(
    ("text", "reason", "shown"),
    [
        ("q|11=m|530=6|336=x", "0", "Mass request type is not supported"),
        ("q|11=m|530=1|55=NO", "1", "Unknown symbol"),
        ("q|11=m|530=1", "99", "Required field missing: Symbol(55)"),
        ("q|11=m|530=7|55=BTC-USD", "99", "Symbol(55) in a request for all orders"),
    ],
)
def test_a_refused_mass_cancel_says_why(text: str, reason: str, shown: str) -> None:
    (report,) = FixDesk().send(f"{text}|{TIME}")
    fields = dict(report)
    assert (fields[35], fields[531], fields[532], fields[58]) == ("r", "0", reason, shown)


def test_a_mass_cancel_of_one_side_of_one_instrument_spares_the_rest() -> None:
    desk = FixDesk()
    desk.send(ORDER, ORDER.replace("11=a", "11=b").replace("54=1", "54=2").replace("05", "10"))
    report, end = desk.send(f"q|11=m|530=1|55=BTC-USD|54=2|{TIME}")
    assert body(report).startswith("11=m|37=")
    assert dict(report)[533] == "1"
    assert (dict(end)[11], dict(end)[150], dict(end)[58]) == ("b", "4", "Mass cancel")


def test_a_mass_status_gives_one_report_an_order_and_marks_the_last() -> None:
    desk = FixDesk()
    desk.send(ORDER, ORDER.replace("11=a", "11=b"))
    reports = [dict(m) for m in desk.send("AF|584=s|585=7")]
    assert [(m[150], m[584], m[911], m[912]) for m in reports] == [
        ("I", "s", "2", "N"),
        ("I", "s", "2", "Y"),
    ]
    (none,) = FixDesk().send("AF|584=s|585=7")
    assert body(none) == (
        "6=0|14=0|17=19|37=NONE|39=8|54=7|55=[N/A]|150=I|151=0|584=s|911=0|912=Y"
    )
    (refused,) = FixDesk().send("AF|584=s|585=3")
    assert (dict(refused)[39], dict(refused)[911]) == ("8", "0")
    assert dict(refused)[58] == "Mass request type is not supported"


def test_translation_stops_where_the_batch_is_full_and_goes_on_from_there() -> None:
    desk = FixDesk()
    desk.table.open_batch(8192, 16)
    texts = [ORDER.replace("11=a", f"11=o{i}") + "|58=four items" for i in range(20)]
    count = desk.scan(b"".join(desk.wire(text) for text in texts))
    done = turns = 0
    while done < count:
        taken = desk.orders.translate(desk.scanner, done, count - done, desk.doors[1])
        assert taken < count - done or not desk.orders.full
        done += taken
        turns += 1
        desk.run()
        desk.table.open_batch(8192, 16)
    assert turns == 3  # an order with a text takes two rows
    reports = parse(desk.encode(1, desk.sent[1]))
    assert [dict(m)[11] for m in reports] == [f"o{i}" for i in range(20)]


def test_other_message_types_are_left_to_the_caller() -> None:
    desk = FixDesk()
    news = "B|148=headline|33=1|58=line"
    count = desk.scan(b"".join(desk.wire(text) for text in (ORDER, news, ORDER)))
    assert desk.orders.translate(desk.scanner, 0, count, desk.doors[1]) == 1
    assert not desk.orders.full


def test_both_halves_of_the_constants_agree() -> None:
    for module in (carried_fields, catalog, fix_reports, order_fields, report_bodies, writer):
        source = Path(module.__file__).parent / f"{module.__name__.rsplit('.', 1)[1]}.py"
        text = source.read_text()
        for line in source.with_suffix(".pxd").read_text().splitlines():
            name, found, value = line.strip().partition(" = ")
            if found:
                pythonic = [w for w in text.splitlines() if w.strip().startswith(f"{name} = ")]
                assert len(pythonic) == 1, name
                assert eval(pythonic[0].split(" = ")[1]) == eval(value), name
