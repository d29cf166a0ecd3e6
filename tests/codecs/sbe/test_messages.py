"""SBE messages: the specification's bytes, and a decoder made from the schema by other means."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.codecs.sbe.messages import SbeCodec, SbeError, report_stream
from portcullis.dictionaries.sbe_schema import (
    REPORT_STREAM,
    SbeField,
    SchemaError,
    read_schema,
)
from portcullis.engine import why
from tests.support.sbe_decoder import decode

CODEC = report_stream()
MESSAGES = {message.name: message for message in CODEC.schema.messages}

# NewOrderSingle of the specification's examples: schema, and bytes without their framing.
EXAMPLE = """<?xml version="1.0"?>
<sbe:messageSchema xmlns:sbe="http://fixprotocol.io/2016/sbe" id="91" version="0">
  <types>
    <composite name="messageHeader">
      <type name="blockLength" primitiveType="uint16"/>
      <type name="templateId" primitiveType="uint16"/>
      <type name="schemaId" primitiveType="uint16"/>
      <type name="version" primitiveType="uint16"/>
    </composite>
    <type name="idString" primitiveType="char" length="8"/>
    <type name="timestamp" primitiveType="uint64"/>
    <type name="qty" primitiveType="int32"/>
    <type name="mantissa" primitiveType="int64" presence="optional"/>
    <enum name="Side" encodingType="char">
      <validValue name="Buy">1</validValue><validValue name="Sell">2</validValue>
    </enum>
    <enum name="OrdType" encodingType="char"><validValue name="Limit">2</validValue></enum>
  </types>
  <sbe:message name="NewOrderSingle" id="99" blockLength="54">
    <field name="ClOrdId" id="11" type="idString"/>
    <field name="Account" id="1" type="idString"/>
    <field name="Symbol" id="55" type="idString"/>
    <field name="Side" id="54" type="Side"/>
    <field name="TransactTime" id="60" type="timestamp"/>
    <field name="OrderQty" id="38" type="qty"/>
    <field name="OrdType" id="40" type="OrdType"/>
    <field name="Price" id="44" type="mantissa"/>
    <field name="StopPx" id="99" type="mantissa"/>
  </sbe:message>
</sbe:messageSchema>
"""
OCTETS = bytes.fromhex(
    "36006300 5b000000 4f52443030303031 4143435430310000 47454d3400000000 31 80 16b33b13652915"
    "07000000 32 1a85010000000000 0000000000000080"
)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> SbeCodec:
    path = tmp_path_factory.mktemp("schema") / "example.xml"
    path.write_text(EXAMPLE)
    return SbeCodec(read_schema(path))


def test_the_specifications_example_reads_and_writes_as_it_says(example: SbeCodec) -> None:
    name, values = example.decode(OCTETS)
    assert (name, values) == (
        "NewOrderSingle",
        {
            "ClOrdId": "ORD00001",
            "Account": "ACCT01",
            "Symbol": "GEM4",
            "Side": "Buy",
            "TransactTime": 1524861082122000000,
            "OrderQty": 7,
            "OrdType": "Limit",
            "Price": 99610,
            "StopPx": None,
        },
    )
    assert example.encode(name, values) == OCTETS


def field_values(field: SbeField) -> st.SearchStrategy[Any]:
    if field.length > 1:
        text = st.text("ABCxyz019-", min_size=1, max_size=field.length)
        return text | st.none()
    bits = 8 * field.size
    signed = field.letter in "bhiq"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    number = st.sampled_from([low, high]) | st.integers(low, high)
    known: st.SearchStrategy[Any] = st.sampled_from(sorted(field.values.values()))
    found = known if field.values else number.filter(lambda value: value != field.null)
    return found if field.null is None else found | st.none()


# Characters that are bytes; empty is absent.
DATA = st.none() | st.text(st.characters(max_codepoint=255), min_size=1, max_size=300)


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_encoded_a_decoder_made_from_the_schema_alone_reads(
    name: str, data: st.DataObject
) -> None:
    fields = MESSAGES[name].fields
    values = {field.name: data.draw(field_values(field), field.name) for field in fields}
    octets_of = {one.name: data.draw(DATA, one.name) for one in MESSAGES[name].data}
    values |= octets_of
    octets = CODEC.encode(name, values)
    assert len(octets) == CODEC.size(name) + sum(len(one or "") for one in octets_of.values())
    assert decode(octets) == (name, values)
    assert CODEC.decode(octets) == (name, values)


def test_a_later_versions_longer_block_and_unknown_value_are_read_as_far_as_they_are_known() -> (
    None
):
    octets = bytearray(CODEC.encode("EndOfSnapshot", {"nextSequence": 7}))
    octets[0] += 4
    octets[6] = 1
    octets += b"more"
    assert CODEC.decode(octets).values == {"streamSession": None, "nextSequence": 7}
    trade = bytearray(CODEC.encode("Trade", {**TRADE, "aggressorSide": "Buy"}))
    trade[-1] = ord("Z")
    assert CODEC.decode(trade).values["aggressorSide"] == ord("Z")
    report = bytearray(
        CODEC.encode("ExecutionReport", {**REPORT, "text": "why", "carried": "15="})
    )
    block = CODEC.size("ExecutionReport") - 4
    longer = int.from_bytes(report[:2], "little") + 3
    report[:2] = longer.to_bytes(2, "little")
    report[block:block] = b"new"
    report += b"\2\0and data behind"
    assert CODEC.decode(report).values["text"] == "why"
    assert CODEC.decode(report).values["carried"] == "15="


@pytest.mark.parametrize("cut", range(1, 11))
def test_data_that_is_cut_short_is_refused(cut: int) -> None:
    octets = CODEC.encode("ExecutionReport", {**REPORT, "text": "why", "carried": "15="})
    with pytest.raises(SbeError, match=r"ExecutionReport\.\w+ ends at byte \d+ of \d+"):
        CODEC.decode(octets[:-cut])


def test_data_has_as_many_bytes_as_its_length_can_say() -> None:
    values = {**REPORT, "text": "x" * 65_534}
    assert CODEC.decode(CODEC.encode("ExecutionReport", values)).values["text"] == "x" * 65_534
    with pytest.raises(SbeError, match=r"ExecutionReport.text was .*, expected up to 65534"):
        CODEC.encode("ExecutionReport", {**REPORT, "text": "x" * 65_535})


REPORT: dict[str, Any] = {
    name: 0
    for name in (
        "engineTime", "publishTime", "execId", "leavesQty", "cumQty", "avgPx", "priceDecimals",
        "qtyDecimals", "avgPxDecimals",
    )
} | {"execType": "New", "ordStatus": "New", "side": "Buy", "why": "NoReason"}  # fmt: skip
TRADE: dict[str, Any] = {
    "engineTime": 1,
    "publishTime": 1,
    "execId": 2,
    "matchNumber": 2,
    "priceDecimals": 2,
    "qtyDecimals": 4,
    "execType": "Trade",
}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (TRADE, "Trade.aggressorSide is missing"),
        ({**TRADE, "aggressorSide": "Both"}, "Trade.aggressorSide was 'Both', expected one of"),
        ({**TRADE, "side": "Buy"}, "Trade has no field side"),
        ({**TRADE, "aggressorSide": "Buy", "execId": -1}, "Trade.execId was -1, expected 0 to"),
        ({**TRADE, "aggressorSide": "Buy", "symbol": "X" * 25}, "up to 24 characters"),
    ],
)
def test_a_value_that_does_not_fit_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SbeError, match=message):
        CODEC.encode("Trade", values)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"\0" * 7, "8 bytes at least, not 7"),
        (bytes.fromhex("1200 0400 7513 0000") + b"\0" * 17, "has 18 bytes .* not 17"),
        (bytes.fromhex("1100 0400 7513 0000") + b"\0" * 18, "has 18 bytes .* not 17"),
        (bytes.fromhex("1200 0900 7513 0000") + b"\0" * 18, "template 9 of schema 4981"),
        (bytes.fromhex("1200 0400 7613 0000") + b"\0" * 18, "schema 4982 is not known"),
    ],
)
def test_what_is_no_message_of_the_schema_is_refused(octets: bytes, message: str) -> None:
    with pytest.raises(SbeError, match=message):
        CODEC.decode(octets)


def test_every_reason_of_the_engine_has_its_name_and_text_in_the_schema() -> None:
    names = {
        value: "".join(word.capitalize() for word in name.removeprefix("WHY_").split("_"))
        for name, value in vars(why).items()
        if name.startswith("WHY_")
    }
    names[why.WHY_NONE] = "NoReason"
    field = next(one for one in MESSAGES["ExecutionReport"].fields if one.name == "why")
    assert field.values == names
    texts = {
        int(value.text or ""): value.get("description", "")
        for value in ET.parse(REPORT_STREAM).getroot().iterfind(".//enum[@name='Why']/validValue")
    }
    assert texts == {value: why.WHYS[value].text for value in names}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id="91"', 'id="91" byteOrder="bigEndian"', "expected littleEndian"),
        ('blockLength="54"', 'blockLength="53"', "beyond its block of 53"),
        ('id="1" type', 'id="1" offset="7" type', "Account begins within ClOrdId"),
        ('<field name="Side"', '<group name="Side"', "has a group"),
        ('<field name="Side"', '<data name="Side"', "has a data"),
    ],
)
def test_a_schema_that_is_not_taken_says_why(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "schema.xml"
    path.write_text(EXAMPLE.replace(old, new))
    with pytest.raises(SchemaError, match=message):
        read_schema(path)
