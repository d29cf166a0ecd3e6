"""The tag constants: how fields are spelled, and that the files are those of the dictionary."""

from __future__ import annotations

import pytest

from portcullis.dictionaries import fix_tags, fix_tags_writer


@pytest.mark.parametrize(
    ("field", "constant"),
    [
        ("Account", "ACCOUNT"),
        ("ClOrdID", "CL_ORD_ID"),
        ("MsgSeqNum", "MSG_SEQ_NUM"),
        ("NoPartyIDs", "NO_PARTY_IDS"),
        ("NoNestedPartySubIDs", "NO_NESTED_PARTY_SUB_IDS"),
        ("CFICode", "CFI_CODE"),
        ("SecurityIDSource", "SECURITY_ID_SOURCE"),
        ("IOIID", "IOI_ID"),
        ("IOIQualifier", "IOI_QUALIFIER"),
        ("DKReason", "DK_REASON"),
        ("GTBookingInst", "GT_BOOKING_INST"),
        ("UnderlyingCPRegType", "UNDERLYING_CP_REG_TYPE"),
        ("OrderQty2", "ORDER_QTY2"),
        ("NoMDEntries", "NO_MD_ENTRIES"),
    ],
)
def test_a_constant_is_the_field_in_words(field: str, constant: str) -> None:
    assert fix_tags_writer.constant_name(field) == constant


def test_the_files_are_those_the_dictionary_gives() -> None:
    constants = fix_tags_writer.tag_constants()
    module = fix_tags_writer.MODULE
    assert module.read_text() == fix_tags_writer.module_text(constants)
    declarations = module.with_suffix(".pxd")
    assert declarations.read_text() == fix_tags_writer.declarations_text(constants)


def test_the_constants_are_tags_of_fix_44() -> None:
    assert (fix_tags.BEGIN_STRING, fix_tags.BODY_LENGTH, fix_tags.CHECK_SUM) == (8, 9, 10)
    assert (fix_tags.MSG_SEQ_NUM, fix_tags.CL_ORD_ID, fix_tags.NO_PARTY_IDS) == (34, 11, 453)
    assert (fix_tags.NEXT_EXPECTED_MSG_SEQ_NUM, fix_tags.LAST_LIQUIDITY_IND) == (789, 851)
