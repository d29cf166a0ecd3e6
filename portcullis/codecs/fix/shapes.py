"""Messages like the one before: a quick reading where a client repeats the order of its fields.

Owns, for each MsgType of one letter, the shape of a message that was found valid: the texts
`tag=` in their order, and how each value is checked. Programs write their messages the same way
each time, and all that a dictionary asks of tags, their places and their order, and of what is
required, depends on the shape alone. So of a message of a known shape only the values are looked
at: with its frame and checksum, an order takes 1,420 instructions, not 2,450.

Judges nothing: where a message is otherwise, be it in its last byte, the caller reads it from its
start by the rules, and learns the type's shape anew if all of its fields were of the common kind.
Must not know sessions, nor what a dictionary asks: a message with groups or data has no shape.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.octets import *
    from cython.cimports.portcullis.dictionaries.fix_tables import *
    from cython.cimports.portcullis.dictionaries.fix_tags import *
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.octets import *
    from portcullis.dictionaries.fix_tables import *
    from portcullis.dictionaries.fix_tags import *

# Also in shapes.pxd.
if not cython.compiled:
    SHAPES = 32  # a power of two; letters of one case never share a place
    FIELDS_MAX = 31  # of a shape, MsgType and what stands before it not counted
    FIELD_WORDS = 8
    SHAPE_WORDS = (FIELDS_MAX + 1) * FIELD_WORDS
    # The words of a shape, before those of its fields.
    SH_TYPE = 0  # the letter; 0: no shape
    SH_COUNT = 1
    SH_BODY = 2  # which field is the first of the body
    SH_INDEX = 3  # place of the MsgType in the dictionary
    # The words of a field.
    F_TEXT = 0  # `tag=`, the first byte lowest
    F_MASK = 1  # the bits that it has
    F_INFO = 2  # its size; << 8: TYPE_; << 16: tag; << 48, << 56: M_ words for number and field
    F_ENUM = 3  # where the enumeration's bits begin; 0: there is none
    F_FIRST = 4  # UTCTimestamp: the minute last read, YYYYMMDD-HH:MM:, in two words that overlap
    F_LAST = 5
    F_MINUTE_NS = 6
    F_LENGTH = 7  # UTCTimestamp: how long it is


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _time_at(
    octets: cython.p_uchar,
    start: cython.longlong,
    end: cython.longlong,
    shape: cython.p_ulonglong,
    at: cython.longlong,
) -> cython.longlong:
    """Nanoseconds of a UTCTimestamp of the length and in the minute last read; -1: it is
    another minute, or none."""
    second: cython.longlong
    place: cython.longlong
    fraction: cython.longlong = 0
    if (
        word_at(octets, start) != shape[at + F_FIRST]
        or word_at(octets, start + 7) != shape[at + F_LAST]
        or not 48 <= octets[start + 15] <= 53
        or not 48 <= octets[start + 16] <= 57
    ):
        return -1
    second = octets[start + 15] * 10 + octets[start + 16] - 528
    if end > start + 17:
        if octets[start + 17] != 46:
            return -1
        for place in range(start + 18, end):
            if not 48 <= octets[place] <= 57:
                return -1
            fraction = fraction * 10 + octets[place] - 48
        if end == start + 21:
            fraction *= 1_000_000
        else:
            for _place in range(end, start + 27):
                fraction *= 10
    return shape[at + F_MINUTE_NS] + second * 1_000_000_000 + fraction


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class FixShapes:
    """Shapes of messages. enum_bits: of the dictionary, four words for each enumeration.

    No bounds checks: a letter's place is below SHAPES, whoever adds keeps to FIELDS_MAX, and the
    fields read are fewer than the bytes, for which the caller has room.
    """

    def __init__(self, enum_bits: memoryview[int]) -> None:
        self._enum_bits = enum_bits
        self._shapes = memoryview(array("Q", bytes(8 * SHAPES * SHAPE_WORDS)))
        # Of the shape that is being learnt.
        self._at = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def read(
        self,
        octets: cython.p_uchar,
        position: cython.longlong,
        end: cython.longlong,
        first: cython.longlong,
        row: cython.p_longlong,
        tags: cython.p_int,
        starts: cython.p_int,
        ends: cython.p_int,
    ) -> cython.longlong:
        """Read fields from `position`, behind `35=x`, to `end`: into the field table from index
        `first`, and what sessions need into `row`. Give the index behind them.

        -1: the message is not of a known shape; tables and row then hold nothing of use.
        Behind the end stand seven more bytes, as each search needs.
        """
        letter: cython.ulonglong = octets[position - 2]
        place: cython.longlong = (letter & (SHAPES - 1)) * SHAPE_WORDS
        shape: cython.p_ulonglong
        enum_bits: cython.p_longlong
        at: cython.longlong = 0
        field: cython.longlong = first
        start: cython.longlong
        info: cython.longlong
        kind: cython.longlong
        enum: cython.longlong
        number: cython.longlong
        # Plain pointers: what is stored might else be a memoryview's, which is then read again.
        if cython.compiled:
            shape = cython.address(self._shapes[place])
            enum_bits = cython.cast(cython.p_longlong, cython.address(self._enum_bits[0]))
        else:
            shape = self._shapes[place : place + SHAPE_WORDS]
            enum_bits = self._enum_bits
        if shape[SH_TYPE] != letter:
            return -1
        behind: cython.longlong = first + shape[SH_COUNT]
        while field < behind:
            at += FIELD_WORDS
            if (
                position >= end
                or (word_at(octets, position) ^ shape[at + F_TEXT]) & shape[at + F_MASK]
            ):
                return -1
            info = shape[at + F_INFO]
            enum = shape[at + F_ENUM]
            kind = (info >> 8) & 0xFF
            start = position + (info & 0xFF)
            number = 0
            if kind == TYPE_CHAR:
                position = start + 1
                if octets[position] != SOH or octets[start] == SOH:
                    return -1
            elif kind == TYPE_UTC_TIMESTAMP:
                position = start + shape[at + F_LENGTH]
                if position >= end or octets[position] != SOH:
                    return -1
                number = _time_at(octets, start, position, shape, at)
                if number < 0:
                    return -1
            else:
                position = find_soh(octets, start)
                if kind == TYPE_STRING:
                    if position == start:
                        return -1
                elif kind == TYPE_FLOAT:
                    if not is_plain_decimal(octets, start, position):
                        return -1
                elif kind == TYPE_BOOLEAN:
                    if position != start + 1 or (octets[start] != 89 and octets[start] != 78):
                        return -1
                else:
                    number = plain_number(octets, start, position)
                    if number < 0:
                        return -1
            if enum != 0 and (
                position != start + 1
                or not (enum_bits[enum + (octets[start] >> 6)] >> (octets[start] & 63)) & 1
            ):
                return -1
            tags[field] = (info >> 16) & 0xFFFFFF
            starts[field] = start
            ends[field] = position
            info >>= 48
            if info != 0:
                # Of what has no number, it goes to M_STATUS, which the caller sets last.
                row[info & 0xFF] = number
                row[info >> 8] = field
            position += 1
            field += 1
        if position != end:
            return -1
        row[M_FIRST_BODY_FIELD] = first + shape[SH_BODY]
        row[M_FIRST_TRAILER_FIELD] = field
        row[M_MSG_TYPE] = letter
        row[M_MESSAGE_INDEX] = shape[SH_INDEX]
        return field

    # --- learning ------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def begin(
        self, letter: cython.longlong, body: cython.longlong, index: cython.longlong
    ) -> cython.void:
        """Begin the shape of a MsgType anew: `add` each of its fields, at most FIELDS_MAX.

        body: which of them is the first of the body; index: the place of the type.
        """
        self._at = (letter & (SHAPES - 1)) * SHAPE_WORDS
        self._shapes[self._at + SH_TYPE] = letter
        self._shapes[self._at + SH_COUNT] = 0
        self._shapes[self._at + SH_BODY] = body
        self._shapes[self._at + SH_INDEX] = index

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def add(
        self,
        octets: cython.p_uchar,
        text: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
        tag: cython.longlong,
        info: cython.longlong,
        time_ns: cython.longlong,
    ) -> cython.void:
        """Add a field whose text begins at `text` and whose value at `start`, to end at `end`.

        info: the dictionary's word on the tag. time_ns: the value, where it is a UTCTimestamp.
        """
        size: cython.longlong = start - text
        kind: cython.longlong = (info >> INFO_TYPE_SHIFT) & 0xFF
        number: cython.longlong = M_STATUS
        index: cython.longlong = M_STATUS
        mask: cython.ulonglong = 1
        minute_ns: cython.longlong = 60_000_000_000
        at: cython.longlong
        self._shapes[self._at + SH_COUNT] += 1
        at = self._at + self._shapes[self._at + SH_COUNT] * FIELD_WORDS
        if (info >> INFO_SECTION_SHIFT) & 0xFF == SECTION_HEADER:
            if tag == MSG_SEQ_NUM:
                number, index = M_MSG_SEQ_NUM, M_MSG_SEQ_NUM_FIELD
            elif tag == SENDING_TIME:
                number, index = M_SENDING_TIME, M_SENDING_TIME_FIELD
            elif tag == SENDER_COMP_ID:
                index = M_SENDER_COMP_ID_FIELD
            elif tag == TARGET_COMP_ID:
                index = M_TARGET_COMP_ID_FIELD
        mask = (mask << (8 * size)) - 1
        self._shapes[at + F_TEXT] = word_at(octets, text) & mask
        self._shapes[at + F_MASK] = mask
        self._shapes[at + F_INFO] = (
            size | (kind << 8) | (tag << 16) | (number << 48) | (index << 56)
        )
        self._shapes[at + F_ENUM] = 4 * (info >> INFO_ENUM_SHIFT)
        # Of no text: the byte that both words have would differ.
        self._shapes[at + F_FIRST] = 0
        self._shapes[at + F_LAST] = 1
        self._shapes[at + F_LENGTH] = end - start
        # Second 60 is of the next minute, and nanoseconds don't say what is finer than they.
        if kind == TYPE_UTC_TIMESTAMP and octets[start + 15] < 54 and end - start <= 27:
            self._shapes[at + F_FIRST] = word_at(octets, start)
            self._shapes[at + F_LAST] = word_at(octets, start + 7)
            self._shapes[at + F_MINUTE_NS] = time_ns - time_ns % minute_ns
