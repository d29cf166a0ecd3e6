"""The words of the scanner's message table, its statuses, flags and the codes of value parsers.

What scanner, sessions and translation agree on. A message is MSG_WORDS 64-bit words; the words
named ..._FIELD are indexes into the field table, -1 where the field is absent. This file is the
source; `layout.pxd` beside it is made from it (`python -m portcullis.codecs.fix.layout`), so that
compiled modules see C constants, and a test holds the two together.
"""

from __future__ import annotations

MSG_WORDS = 24

M_STATUS = 0  # MSG_OK, MSG_GARBLED, MSG_TOO_LONG
M_START = 1  # offset of its first byte
M_END = 2  # offset behind its last byte
M_FIRST_FIELD = 3  # index of field 8 in the field table
M_FIELD_COUNT = 4  # fields, 8 and 10 included; 0 unless MSG_OK
M_FIRST_BODY_FIELD = 5  # index of the first field that is not in the header
M_FIRST_TRAILER_FIELD = 6  # index of the first field of the trailer
M_MSG_TYPE = 7  # MsgType(35), its bytes packed little-endian; -1: empty, or above 7 bytes
M_MSG_SEQ_NUM = 8  # MsgSeqNum(34); -1: missing, or not a number
M_SENDING_TIME = 9  # SendingTime(52), nanoseconds since the epoch; -1: missing, or not a time
M_ORIG_SENDING_TIME = 10  # OrigSendingTime(122), likewise
M_FLAGS = 11  # FLAG_ codes
M_REJECT_REASON = 12  # SessionRejectReason(373) of the first fault; -1: valid
M_REJECT_TAG = 13  # RefTagID(371) of it; may be 0 or negative; meaningless without a reason
M_REJECT_FIELD = 14  # the field at fault; -1: none, or one that is missing
M_BEGIN_STRING_FIELD = 15
M_MSG_TYPE_FIELD = 16
M_SENDER_COMP_ID_FIELD = 17  # 49
M_TARGET_COMP_ID_FIELD = 18  # 56
M_MSG_SEQ_NUM_FIELD = 19  # 34
M_SENDING_TIME_FIELD = 20  # 52
M_ORIG_SENDING_TIME_FIELD = 21  # 122
M_MESSAGE_INDEX = 22  # place of the MsgType among those of the dictionary; -1: not named there
M_CHECKSUM = 23  # sum of its bytes as computed, 0 to 255

MSG_OK = 0  # framed, checksum right, split into fields; valid where M_REJECT_REASON is -1
MSG_GARBLED = 1  # to be ignored, whatever it was; its bytes are M_START to M_END
MSG_TOO_LONG = 2  # longer than max_message_bytes, or says so in BodyLength(9)
MSG_PARTIAL = 3  # never stored: the rest of the message has yet to come

FLAG_POSS_DUP = 1  # 43=Y
FLAG_POSS_RESEND = 2  # 97=Y
FLAG_ORIG_SENDING_TIME = 4  # has 122
FLAG_ROUTED = 8  # has one of 115, 116, 128, 129, 144, 145
FLAG_OTHER_HEADER = 16  # has a header field not named in this file (50, 57, 369, ...)
FLAG_BEGIN_STRING_DIFFERS = 32  # 8 is not the version of the dictionary
FLAG_HEADER_FAULT = 64  # the reject is about a field of the header

# What parsers of values give back; the value itself is left in `number`.
VALUE_OK = 0
VALUE_FORMAT = 1  # not of this format: 373=6
VALUE_RANGE = 2  # of this format, but above what 64 bits hold safely (2^62), or a year past 2261
VALUE_DECIMALS = 3  # decimals beyond the scale that are not zero

# Bounds and private places of the scanner.
BEGIN_STRING_BYTES_MAX = 32
NUMBER_DIGITS_MAX = 9  # of a tag and of BodyLength(9)
GROUP_DEPTH_MAX = 16  # groups within groups; FIX 4.4 nests four
LEVEL_WORDS = 8  # what is put aside of the level around a group:
LEVEL_BASE = 0  # where its map begins in the table of members
LEVEL_STAMP = 1  # what marks a field as seen in the present entry
LEVEL_POSITION = 2  # place of the last member, as the dictionary orders them
LEVEL_SEEN = 3  # bits of the required members seen
LEVEL_COUNT = 4  # entries announced
LEVEL_ENTRIES = 5  # entries begun
LEVEL_TAG = 6  # tag of the field that counts
LEVEL_FIELD = 7  # its index

# What the writer keeps free for any put beside the bytes given: tag, '=', a number of 64 bits with
# sign, point and decimals, or a time, and SOH. The trailer and what is in front fit it, too.
FIXED_ROOM = 64

SOH = 1


def declarations() -> str:
    """The text of layout.pxd: every constant above as an anonymous C enumeration."""
    lines = [
        "# Made from layout.py by `python -m portcullis.codecs.fix.layout`; not edited by hand."
    ]
    lines += ["", "cdef enum:"]
    lines += [
        f"    {name} = {value}"
        for name, value in globals().items()
        if name.isupper() and type(value) is int
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_suffix(".pxd").write_text(declarations())
