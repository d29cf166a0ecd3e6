"""The reader of QuickFIX's XML format: each construct, and each error as one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.dictionaries import fix_xml
from portcullis.dictionaries.fix_dictionary import FixDictionary, FixMember
from portcullis.dictionaries.fix_xml import DictionaryError, load_dictionary, parse_dictionary

SMALL = """\
<fix type='FIX' major='4' minor='4' servicepack='0'>
 <header>
  <field name='BeginString' required='Y'/>
 </header>
 <trailer>
  <field name='CheckSum' required='Y'/>
 </trailer>
 <messages>
  <message name='Heartbeat' msgtype='0' msgcat='admin'>
   <field name='TestReqID' required='N'/>
  </message>
  <message name='NewOrderSingle' msgtype='D' msgcat='app'>
   <component name='Parties' required='N'/>
   <field name='Side' required='Y'/>
   <component name='Instrument' required='Y'/>
   <group name='NoAllocs' required='N'>
    <field name='AllocAccount' required='Y'/>
    <component name='Parties' required='N'/>
   </group>
  </message>
  <message name='News' msgtype='B'/>
 </messages>
 <components>
  <component name='Instrument'>
   <field name='Symbol' required='Y'/>
   <field name='EncodedIssuerLen' required='N'/>
   <field name='EncodedIssuer' required='N'/>
  </component>
  <component name='Parties'>
   <group name='NoPartyIDs' required='Y'>
    <field name='PartyID' required='Y'/>
    <group name='NoPartySubIDs' required='N'>
     <field name='PartySubID' required='N'/>
    </group>
   </group>
  </component>
 </components>
 <fields>
  <field number='8' name='BeginString' type='STRING'/>
  <field number='10' name='CheckSum' type='STRING'/>
  <field number='18' name='ExecInst' type='MULTIPLEVALUESTRING'>
   <value enum='1' description='NOT_HELD'/>
   <value enum='2' description='WORK'/>
  </field>
  <field number='54' name='Side' type='CHAR'>
   <value enum='1' description='BUY'/>
   <value enum='2' description='SELL'/>
  </field>
  <field number='55' name='Symbol' type='STRING'/>
  <field number='78' name='NoAllocs' type='NUMINGROUP'/>
  <field number='79' name='AllocAccount' type='STRING'/>
  <field number='112' name='TestReqID' type='STRING'/>
  <field number='348' name='EncodedIssuerLen' type='LENGTH'/>
  <field number='349' name='EncodedIssuer' type='DATA'/>
  <field number='448' name='PartyID' type='STRING'/>
  <field number='453' name='NoPartyIDs' type='NUMINGROUP'/>
  <field number='523' name='PartySubID' type='STRING'/>
  <field number='802' name='NoPartySubIDs' type='NUMINGROUP'/>
 </fields>
</fix>
"""


def read(text: str) -> FixDictionary:
    return parse_dictionary(text.encode(), "small.xml")


def read_changed(old: str, new: str) -> FixDictionary:
    assert SMALL.count(old) == 1
    return read(SMALL.replace(old, new))


def tags(members: tuple[FixMember, ...]) -> list[int]:
    return [member.tag for member in members]


def fix(fields: str = "", messages: str = "", components: str = "", **attributes: str) -> str:
    """A dictionary of those elements."""
    head = {"type": "FIX", "major": "4", "minor": "4"} | attributes
    shown = " ".join(f"{name}='{value}'" for name, value in head.items())
    return (
        f"<fix {shown}><messages>{messages}</messages><components>{components}</components>"
        f"<fields>{fields}</fields></fix>"
    )


# --- what is read ------------------------------------------------------------------------------


def test_components_stand_inline_and_groups_nest() -> None:
    order = read(SMALL).messages[b"D"]
    assert order.name == "NewOrderSingle"
    assert tags(order.members) == [453, 54, 55, 348, 349, 78]
    parties, _, symbol, _, _, allocs = order.members
    assert tags(parties.members) == [448, 802]
    assert parties.delimiter == 448
    assert tags(parties.members[1].members) == [523]
    assert tags(allocs.members) == [79, 453]
    assert allocs.delimiter == 79
    assert allocs.is_group and not symbol.is_group
    assert symbol.delimiter == 0


def test_a_member_is_required_when_it_and_its_component_are() -> None:
    order = read(SMALL).messages[b"D"]
    required = {member.tag: member.required for member in order.members}
    # NoPartyIDs is required within Parties, but Parties is not required.
    assert required == {453: False, 54: True, 55: True, 348: False, 349: False, 78: False}
    assert [member.required for member in order.members[0].members] == [True, False]


def test_fields_are_found_by_tag_and_by_name() -> None:
    dictionary = read(SMALL)
    side = dictionary.fields[54]
    assert dictionary.fields_by_name["Side"] is side
    assert (side.name, side.type, side.open) == ("Side", "CHAR", False)
    assert dict(side.values) == {b"1": "BUY", b"2": "SELL"}
    assert dictionary.fields[55].open
    assert dictionary.messages_by_name["News"] is dictionary.messages[b"B"]


def test_a_field_of_several_values_is_known_as_such() -> None:
    dictionary = read(SMALL)
    assert dictionary.fields[18].is_multiple
    assert not dictionary.fields[54].is_multiple


def test_header_and_trailer_are_read_and_may_be_missing() -> None:
    dictionary = read(SMALL)
    assert (tags(dictionary.header), tags(dictionary.trailer)) == ([8], [10])
    bare = read(fix())
    assert (bare.header, bare.trailer, dict(bare.messages)) == ((), (), {})


def test_a_message_without_a_body_is_named_only() -> None:
    dictionary = read(SMALL)
    assert dictionary.messages[b"B"].is_named_only
    assert not dictionary.messages[b"0"].is_named_only


def test_admin_is_what_the_standard_says_whatever_msgcat_says() -> None:
    dictionary = read_changed("msgtype='B'", "msgtype='n' msgcat='admin'")
    assert dictionary.messages[b"0"].is_admin
    assert not dictionary.messages[b"n"].is_admin


@pytest.mark.parametrize(
    ("attributes", "version"),
    [
        ({}, "FIX.4.4"),
        ({"minor": "0", "servicepack": "0"}, "FIX.4.0"),
        ({"type": "FIXT", "major": "1", "minor": "1"}, "FIXT.1.1"),
        ({"major": "5", "minor": "0", "servicepack": "2"}, "FIX.5.0SP2"),
        ({"major": "5", "minor": "0", "servicepack": "SP1"}, "FIX.5.0SP1"),
    ],
)
def test_the_version_comes_from_the_root(attributes: dict[str, str], version: str) -> None:
    assert read(fix(**attributes)).version == version


def test_the_root_without_a_type_is_fix() -> None:
    text = "<fix major='4' minor='2'><messages/><fields/></fix>"
    assert read(text).version == "FIX.4.2"


def test_sections_come_in_any_order() -> None:
    fields = SMALL.index(" <fields>")
    messages = SMALL.index(" <header>")
    end = SMALL.index("</fix>")
    turned = SMALL[:messages] + SMALL[fields:end] + SMALL[messages:fields] + SMALL[end:]
    assert read(turned) == read(SMALL)


def test_required_may_be_left_out_or_small() -> None:
    assert (
        not read_changed("name='Side' required='Y'", "name='Side'")
        .messages[b"D"]
        .members[1]
        .required
    )
    assert (
        read_changed("name='TestReqID' required='N'", "name='TestReqID' required='y'")
        .messages[b"0"]
        .members[0]
        .required
    )


def test_unknown_attributes_and_types_are_taken_as_they_come() -> None:
    dictionary = read_changed(
        "'55' name='Symbol' type='STRING'", "'55' name='Symbol' type='XidRef' added='4'"
    )
    assert dictionary.fields[55].type == "XIDREF"


@pytest.mark.parametrize("spelled", ["Y", "true"])
def test_other_values_may_be_allowed(spelled: str) -> None:
    dictionary = read_changed("type='CHAR'", f"type='CHAR' allowOtherValues='{spelled}'")
    assert dictionary.fields[54].open
    assert len(dictionary.fields[54].values) == 2


def test_a_value_listed_twice_keeps_its_first_description() -> None:
    dictionary = read_changed("enum='2' description='SELL'", "enum='1' description='SELL'")
    assert dict(dictionary.fields[54].values) == {b"1": "BUY"}


def test_a_value_without_description_is_taken() -> None:
    dictionary = read_changed(" description='SELL'", "")
    assert dictionary.fields[54].values[b"2"] == ""


def test_a_field_listed_twice_in_a_section_counts_once_and_is_required_if_either_is() -> None:
    dictionary = read_changed(
        "<field name='TestReqID' required='N'/>",
        "<field name='TestReqID'/><field name='Side'/><field name='TestReqID' required='Y'/>",
    )
    members = dictionary.messages[b"0"].members
    assert tags(members) == [112, 54]
    assert [member.required for member in members] == [True, False]


@pytest.mark.parametrize("minor", ["0", "1"])
def test_a_char_of_fix_40_and_41_is_text(minor: str) -> None:
    dictionary = read_changed("minor='4'", f"minor='{minor}'")
    assert dictionary.fields[54].type == "STRING"


# --- length and data ---------------------------------------------------------------------------


def test_a_data_field_and_its_length_know_each_other_by_name() -> None:
    fields = read(SMALL).fields
    assert fields[349].is_data
    assert (fields[349].length_tag, fields[349].data_tag) == (348, 0)
    assert (fields[348].length_tag, fields[348].data_tag) == (0, 349)
    assert not fields[348].is_data


def test_a_data_field_named_otherwise_takes_the_length_that_is_used_before_it() -> None:
    fields = read(
        fix(
            # Beside Blob stands here a length of something else.
            "<field number='5000' name='SizeOfBlob' type='LENGTH'/>"
            "<field number='5002' name='MaxMessageSize' type='LENGTH'/>"
            "<field number='5001' name='Blob' type='XMLDATA'/>",
            "<message name='Own' msgtype='U1'><field name='SizeOfBlob'/><field name='Blob'/>"
            "</message>",
        )
    ).fields
    assert (fields[5001].length_tag, fields[5000].data_tag) == (5000, 5001)
    assert fields[5002].data_tag == 0


def test_a_data_field_without_any_length_is_taken() -> None:
    dictionary = read_changed("'55' name='Symbol' type='STRING'", "'55' name='Symbol' type='DATA'")
    assert dictionary.fields[55].is_data
    assert dictionary.fields[55].length_tag == 0


# --- errors ------------------------------------------------------------------------------------


TEST_REQ_ID = "<field name='TestReqID' required='N'/>"
NEWS = "name='News' msgtype='B'"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "type='FIX' ",
            "type='FAST' ",
            "<fix>: attribute type: 'FAST' found, expected FIX or FIXT",
        ),
        (
            "major='4' ",
            "",
            "<fix>: expected attribute major",
        ),
        (
            "minor='4'",
            "minor='x'",
            "<fix>: attribute minor: 'x' found, expected a whole number from 0 to 99",
        ),
        (
            "servicepack='0'",
            "servicepack='two'",
            "<fix>: attribute servicepack: 'two' found, expected a whole number",
        ),
        (
            " <header>",
            " <heading/><header>",
            "<heading>: expected one of <header>, <trailer>, <messages>, <components>, <fields>",
        ),
        (
            " <header>",
            " <header/><header>",
            "<header>: expected once",
        ),
        (
            "<message name='News' msgtype='B'/>",
            "<field name='Side'/>",
            "<field Side>: expected <message> in <messages>",
        ),
        (
            NEWS,
            "msgtype='B'",
            "<message>: expected attribute name",
        ),
        (
            NEWS,
            "name='News'",
            "<message News>: expected attribute msgtype",
        ),
        (
            NEWS,
            "name='News' msgtype='D'",
            "<message News>: attribute msgtype: 'D' found, "
            "expected a value used once among messages",
        ),
        (
            NEWS,
            "name='Heartbeat' msgtype='B'",
            "<message Heartbeat>: attribute name: 'Heartbeat' found, "
            "expected a name used once among messages",
        ),
        (
            NEWS,
            "name='News' msgtype='B C'",
            "<message News>: attribute msgtype: 'B C' found, expected 1 to 8 letters and digits",
        ),
        (
            TEST_REQ_ID,
            "<field name='TestReqId'/>",
            "<field TestReqId>: attribute name: 'TestReqId' found, expected a field of <fields>",
        ),
        (
            TEST_REQ_ID,
            "<field/>",
            "<field>: expected attribute name",
        ),
        (
            TEST_REQ_ID,
            "<value/>",
            "<value>: expected one of <field>, <group>, <component>",
        ),
        (
            TEST_REQ_ID,
            "<field name='TestReqID'><value/></field>",
            "<value>: expected nothing in a field reference",
        ),
        (
            "name='TestReqID' required='N'",
            "name='TestReqID' required='X'",
            "<field TestReqID>: attribute required: 'X' found, expected Y or N",
        ),
        (
            "<component name='Instrument' required='Y'/>",
            "<component name='Instr'/>",
            "<component Instr>: attribute name: 'Instr' found, "
            "expected a component of <components>",
        ),
        (
            "<group name='NoPartySubIDs' required='N'>\n"
            "     <field name='PartySubID' required='N'/>",
            "<group name='NoPartySubIDs'>",
            "<group NoPartySubIDs>: expected members, the first of which begins each entry",
        ),
        (
            "<group name='NoAllocs' required='N'>",
            "<group name='NoPartyIDs'>",
            "<group NoPartyIDs>: expected NoPartyIDs with the same members as earlier in it",
        ),
        (
            "'54' name='Side'",
            "'54' name='CheckSum'",
            "<field CheckSum>: attribute name: 'CheckSum' found, "
            "expected a name used once among fields",
        ),
        (
            "number='54'",
            "number='0'",
            "<field Side>: attribute number: '0' found, "
            "expected a whole number from 1 to 999999999",
        ),
        (
            "number='54'",
            "number='1000000000'",
            "<field Side>: attribute number: '1000000000' found, "
            "expected a whole number from 1 to 999999999",
        ),
        (
            "number='54'",
            "number='-5'",
            "<field Side>: attribute number: '-5' found, "
            "expected a whole number from 1 to 999999999",
        ),
        (
            "'54' name='Side'",
            "'54' name='Si de'",
            "<field Si de>: attribute name: 'Si de' found, "
            "expected a name of letters, digits and underscores",
        ),
        (
            "enum='2' description='SELL'",
            "description='SELL'",
            "<value>: expected attribute enum",
        ),
        (
            "enum='2' description='SELL'",
            "enum='&#9;'",
            "<value>: attribute enum: '\\t' found, expected printable characters",
        ),
        (
            "<value enum='2' description='SELL'/>",
            "<field name='Side'/>",
            "<field Side>: expected <value> in a field definition",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_place_and_expectation(
    old: str, new: str, message: str
) -> None:
    line = SMALL[: SMALL.index(old)].count("\n") + 1
    with pytest.raises(DictionaryError) as caught:
        read_changed(old, new)
    assert str(caught.value) == f"small.xml:{line}: {message}"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("</fix>", "</fax>", "</fix>", "mismatched tag, expected well-formed XML"),
        (
            "number='54'",
            "number='55'",
            "<field number='55'",
            "<field Symbol>: attribute number: '55' found, "
            "expected a number used once among fields",
        ),
        (
            "<component name='Instrument'>",
            "<component name='Parties'>",
            "<component name='Parties'>",
            "<component Parties>: attribute name: 'Parties' found, "
            "expected a name used once among components",
        ),
        (
            "<field name='Symbol' required='Y'/>",
            "<component name='Instrument'/>",
            "<field name='Symbol' required='Y'/>",
            "<component Instrument>: attribute name: 'Instrument' found, "
            "expected a component that does not contain itself",
        ),
    ],
)
def test_what_only_shows_at_another_place_names_that_place(
    old: str, new: str, place: str, message: str
) -> None:
    line = SMALL[: SMALL.rindex(place)].count("\n") + 1
    with pytest.raises(DictionaryError) as caught:
        read_changed(old, new)
    assert str(caught.value) == f"small.xml:{line}: {message}"


def test_a_file_cut_short_is_refused() -> None:
    with pytest.raises(DictionaryError, match="no element found, expected well-formed XML"):
        read(SMALL[: SMALL.index("</fix>")])


@pytest.mark.parametrize("section", ["messages", "fields"])
def test_a_dictionary_without_a_needed_section_is_refused(section: str) -> None:
    text = fix().replace(f"<{section}></{section}>", "")
    with pytest.raises(DictionaryError, match=rf"small.xml:1: <fix>: expected <{section}> in it"):
        read(text)


def test_another_document_is_refused() -> None:
    with pytest.raises(DictionaryError, match=r"small\.xml:1: <html>: expected <fix>"):
        read("<html/>")


def test_an_error_shows_no_more_than_the_beginning_of_a_long_value() -> None:
    with pytest.raises(DictionaryError) as caught:
        read_changed("number='54'", f"number='{'9' * 10_000}'")
    assert len(str(caught.value)) < 200


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(DictionaryError, match=r"small\.xml.*expected"):
        parse_dictionary(b"<?xml version='1.0' encoding='nonsense'?><fix/>", "small.xml")


# --- what a hostile file may not do ------------------------------------------------------------


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE fix>",
        "<!DOCTYPE fix SYSTEM 'file:///etc/passwd'>",
        "<!DOCTYPE fix [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]>",
        "<!DOCTYPE fix [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
    ],
)
def test_a_document_type_is_refused_and_with_it_every_entity(doctype: str) -> None:
    with pytest.raises(DictionaryError) as caught:
        read("<?xml version='1.0'?>\n" + doctype + SMALL)
    assert str(caught.value) == (
        "small.xml:2: <!DOCTYPE> found, expected none: entities are not read"
    )


def test_a_file_above_the_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fix_xml, "FILE_BYTES_MAX", len(SMALL))
    file = tmp_path / "large.xml"
    file.write_text(SMALL)
    assert load_dictionary(file).version == "FIX.4.4"
    file.write_text(SMALL + " ")
    with pytest.raises(DictionaryError, match=r"large\.xml: too large, expected at most"):
        load_dictionary(file)


def test_too_many_elements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_xml, "ELEMENTS_MAX", 10)
    with pytest.raises(DictionaryError, match="too many elements, expected at most 10"):
        read(SMALL)


def test_elements_nested_too_deep_are_refused() -> None:
    with pytest.raises(DictionaryError, match="is nested too deep, expected at most 32 levels"):
        read(fix(messages="<group>" * 100 + "</group>" * 100))


@pytest.mark.parametrize("turned", [False, True])
def test_components_nested_without_end_are_refused(turned: bool) -> None:
    fields = "".join(f"<field number='{n}' name='F{n}' type='INT'/>" for n in range(1, 2000))
    chain = [
        f"<component name='C{n}'><group name='F{n}'><component name='C{n + 1}'/></group>"
        "</component>"
        for n in range(1, 1998)
    ] + ["<component name='C1998'><field name='F1999'/></component>"]
    with pytest.raises(DictionaryError, match="expected at most 32 levels"):
        read(fix(fields, components="".join(reversed(chain) if turned else chain)))


def test_components_that_double_at_each_level_are_refused() -> None:
    """Twenty levels, each with two groups of the level below: a million fields in 4 kB."""
    fields = "".join(
        f"<field number='{n}' name='F{n}' type='INT'/>"
        f"<field number='{n + 50}' name='G{n}' type='INT'/>"
        for n in range(1, 21)
    )
    chain = ["<component name='C0'><field name='F20'/></component>"] + [
        f"<component name='C{n}'><group name='F{n}'><component name='C{n - 1}'/></group>"
        f"<group name='G{n}'><component name='C{n - 1}'/></group></component>"
        for n in range(1, 20)
    ]
    with pytest.raises(DictionaryError, match="expected at most 50000 fields in it"):
        read(fix(fields, components="".join(chain)))


@given(st.data())
def test_a_damaged_dictionary_is_read_or_refused_in_one_line(data: st.DataObject) -> None:
    text = SMALL.encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 20, len(text))))
    damage = data.draw(
        st.sampled_from(
            [b"", b"'", b"<", b"/>", b"\x00", b"\xff", b"'Side'", b"<field/>", b"&a;", b"Y"]
        )
    )
    try:
        parse_dictionary(text[:start] + damage + text[end:], "small.xml")
    except DictionaryError as error:
        assert str(error).startswith("small.xml")
        assert "expected" in str(error)
        assert len(str(error).splitlines()) == 1


# --- names and paths ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["FIX44", "FIX44.xml"])
def test_a_bare_name_is_a_dictionary_of_the_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(fix())
    assert b"D" in load_dictionary(name).messages


@pytest.mark.parametrize("made", [Path, lambda name: f"./{name}"])
def test_a_path_is_a_file_even_if_the_package_has_the_name(
    made: Callable[[str], str | Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FIX44.xml").write_text(fix())
    assert dict(load_dictionary(made("FIX44.xml")).messages) == {}


def test_a_bare_name_unknown_to_the_package_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "OURS.xml").write_text(fix(minor="2"))
    assert load_dictionary("OURS.xml").version == "FIX.4.2"


@pytest.mark.parametrize("name", ["none.xml", "no\0ne.xml", "."])
def test_a_file_that_cannot_be_read_is_told_with_what_the_package_has(name: str) -> None:
    with pytest.raises(DictionaryError, match=r"expected a dictionary file .*\(FIX44\)"):
        load_dictionary(name)
