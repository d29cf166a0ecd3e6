"""FIX tag=value in: frames, splits and validates 1..n messages in one pass over a shared buffer.

Owns the field table (tag, value_start, value_end) and the message table (`codecs.fix.layout`),
filled anew by each `scan`. Knows no session and no clock: what is wrong
with a message is stored, not acted on. Bytes of the buffer never move; all offsets are absolute.

Faults. The first in the order of the fields wins; a field is checked for: tag in the dictionary
(373=0; 3 says the same and is not used), order of sections (14), place in the message (2) or group
(15; 16 names the counter), repetition (13), value present (4), format (6), enumeration (5).
A group is checked for its count (16) and required members (1) where it ends. An unknown MsgType
(11) comes before all that follows it. Required fields (1) are checked last: header, then body.
A value cannot hold SOH (17): what follows it is no tag, so the message is garbled.

Spec: FIX 4.4 volume 1 (data types), volume 2 (header, trailer, garbled messages).
"""

# mypy: disable-error-code="valid-type,no-any-return,misc"
from __future__ import annotations

from array import array

from portcullis.dictionaries.fix_tables import FixTables

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.frames import FixFrames
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.fix.shapes import FIELDS_MAX, FixShapes
    from cython.cimports.portcullis.codecs.octets import *
    from cython.cimports.portcullis.dictionaries.fix_tables import *
    from cython.cimports.portcullis.dictionaries.fix_tags import *
else:
    from portcullis.codecs.fix.frames import FixFrames
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.fix.shapes import FIELDS_MAX, FixShapes
    from portcullis.codecs.octets import *
    from portcullis.dictionaries.fix_tables import *
    from portcullis.dictionaries.fix_tags import *


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class FixScanner(FixFrames):
    """Scans a buffer that keeps filling; bound once to it and to the tables of a dictionary.

    buffer: bytes-like, contiguous, not resized while the scanner lives. max_message_bytes bounds
    one message, and so what a caller has to keep of a partial one. `messages_max` bounds a batch.
    Not for two threads at once. After `scan`: `count` messages stand in the tables, `consumed` is
    the offset behind the last of them, `needed` the length of the partial message there as far
    as it is known (0: not known, or nothing there), `full` says that the tables ended the batch,
    not the bytes: handle it, then scan on from `consumed`.

    No bounds checks: `scan` checks the offsets, and a frame ends with SOH, so that no search
    leaves it; `_scan` leaves room for a row and for as many fields as a frame can hold; tags are
    compared with the size of `tag_info`, whose slots and maps are those of the same tables.
    """

    def __init__(
        self,
        tables: FixTables,
        buffer: object,
        *,
        max_message_bytes: int = 65536,
        messages_max: int = 1024,
    ) -> None:
        FixFrames.__init__(self, buffer, max_message_bytes)
        # The shortest field, "1=", and its SOH take three bytes: one message always finds room.
        self._field_capacity = max(max_message_bytes // 3 + 1, 16 * messages_max)
        self.tag = memoryview(array("i", bytes(4 * self._field_capacity)))
        self.value_start = memoryview(array("i", bytes(4 * self._field_capacity)))
        self.value_end = memoryview(array("i", bytes(4 * self._field_capacity)))
        self._message_capacity = messages_max
        self.message = memoryview(array("q", bytes(8 * MSG_WORDS * messages_max)))
        self.count = self.consumed = 0
        self.full = False
        self._bind_tables(tables)
        self._stamps = memoryview(array("q", bytes(8 * self._slot_count)))
        self._next_stamp = 1
        self._levels = memoryview(array("q", bytes(8 * LEVEL_WORDS * GROUP_DEPTH_MAX)))
        self._section_seen = memoryview(array("q", bytes(8 * 4)))
        self._reason = self._reason_tag = self._reason_field = -1
        self._section = self._level = self._base = self._seen = self._stamp = 0
        self._position = self._group_count = self._group_entries = 0
        self._group_tag = self._group_field = 0
        self._data_length = 0
        self._tag = 0
        # Of no text: the byte that both have, the eighth, would differ.
        self._minute_first, self._minute_last, self._minute_ns = 0, 1, 0
        self._shapes = FixShapes(tables.enum_bits)
        self._is_common = False

    def _bind_tables(self, tables: FixTables) -> None:
        self.tables = tables
        self._tag_info = tables.tag_info
        self._tag_count = len(tables.tag_info)
        self._slot_count = tables.slot_count
        self._length_pair = tables.length_pair
        self._members = tables.members
        self._type_table = tables.type_table
        self._type_places = len(tables.type_table) // 3
        self._enum_bits = tables.enum_bits
        self._enum_table = tables.enum_table
        self._enum_places = len(tables.enum_table) // 3
        self._enum_octets = tables.enum_octets
        self._begin_string = memoryview(tables.begin_string)
        self._begin_string_length = len(tables.begin_string)
        self._prefix = memoryview(b"8=" + tables.begin_string + b"\x019=")
        self._prefix_length = len(self._prefix)
        self._switches = tables.switches
        self._section_base = memoryview(array("q", bytes(8 * 4)))
        self._section_base[SECTION_HEADER] = MAP_HEADER * self._slot_count
        self._section_base[SECTION_TRAILER] = MAP_TRAILER * self._slot_count
        self._begin_string_slot = tables.tag_info[BEGIN_STRING] & 0xFFFF
        self._body_length_slot = tables.tag_info[BODY_LENGTH] & 0xFFFF
        self._msg_type_slot = tables.tag_info[MSG_TYPE] & 0xFFFF
        self._check_sum_slot = tables.tag_info[CHECK_SUM] & 0xFFFF
        # What a frame has by being one counts as seen from the start.
        self._frame_seen = 0
        for slot in (self._begin_string_slot, self._body_length_slot, self._msg_type_slot):
            word = tables.members[MAP_HEADER * tables.slot_count + slot]
            self._frame_seen |= 1 << (word >> MEMBER_REQUIRED_SHIFT)
        word = tables.members[MAP_TRAILER * tables.slot_count + self._check_sum_slot]
        self._trailer_seen = 1 << (word >> MEMBER_REQUIRED_SHIFT)

    # --- batches -------------------------------------------------------------------------------

    @cython.ccall
    @cython.exceptval(-1, check=False)
    def scan(self, start: cython.longlong, end: cython.longlong) -> cython.longlong:
        """Scan what stands between the offsets; give the number of messages, garbled ones too.

        As many as the tables hold. The message table is overwritten. No allocation. IndexError
        where the offsets are not those of the buffer.
        """
        if not 0 <= start <= end <= len(self.octets):
            raise IndexError(f"no bytes {start} to {end} in a buffer of {len(self.octets)}")
        return self._scan(start, end)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _scan(self, start: cython.longlong, end: cython.longlong) -> cython.longlong:
        position: cython.longlong = start
        count: cython.longlong = 0
        field: cython.longlong = 0
        status: cython.int
        is_plain: cython.bint
        self.needed = 0
        self.full = False
        while position < end:
            if count == self._message_capacity:
                self.full = True
                break
            is_plain = self._find_plain_frame(position, end)
            status = MSG_OK if is_plain else self.frame(position, end)
            if status == MSG_PARTIAL:
                break
            if status == MSG_OK:
                if field + (self.frame_end - position) // 3 > self._field_capacity:
                    self.full = True
                    break
                status = self._read_message(count, position, field, is_plain)
                field += self.message[count * MSG_WORDS + M_FIELD_COUNT]
            if status != MSG_OK:
                self._put_unread(count, status, position, field)
            position = self.frame_end
            count += 1
        self.count = count
        self.consumed = position
        return count

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_plain_frame(self, start: cython.longlong, end: cython.longlong) -> cython.bint:
        """Whether a whole frame of the dictionary's BeginString is here, as `frame` would say.

        False says nothing: ask `frame`. No bounds checks: 32 bytes are there, so the prefix and
        the number behind it; the trailer's word ends where the frame does.
        """
        octets: cython.p_uchar
        prefix: cython.p_uchar
        if cython.compiled:
            octets = cython.cast(cython.p_uchar, cython.address(self.octets[0]))
            prefix = cython.cast(cython.p_uchar, cython.address(self._prefix[0]))
        else:
            octets = self.octets
            prefix = self._prefix
        size: cython.longlong = self._prefix_length
        position: cython.longlong = start + size
        digits_end: cython.longlong = position + 6
        body_end: cython.longlong
        length: cython.longlong = 0
        if end - start < 32 or size < 8 or size > 16:
            return False
        # Two words that overlap cover the prefix.
        if word_at(octets, start) != word_at(prefix, 0) or word_at(
            octets, position - 8
        ) != word_at(prefix, size - 8):
            return False
        while 48 <= octets[position] <= 57 and position < digits_end:
            length = length * 10 + octets[position] - 48
            position += 1
        body_end = position + 1 + length
        if (
            octets[position] != SOH
            or position == start + size
            or body_end + 7 > end
            or body_end + 7 - start > self.max_message_bytes
            or octets[body_end - 1] != SOH  # |10=ddd|
            or octets[body_end] != 49
            or octets[body_end + 1] != 48
            or octets[body_end + 2] != 61
            or not 48 <= octets[body_end + 3] <= 57
            or not 48 <= octets[body_end + 4] <= 57
            or not 48 <= octets[body_end + 5] <= 57
            or octets[body_end + 6] != SOH
        ):
            return False
        self.body_start = position + 1
        self.body_end = body_end
        self.frame_end = body_end + 7
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_unread(
        self,
        count: cython.longlong,
        status: cython.int,
        start: cython.longlong,
        field: cython.longlong,
    ) -> cython.void:
        """The row of a message that was not split: no fields, nothing known."""
        m: cython.longlong = count * MSG_WORDS
        index: cython.longlong
        for index in range(MSG_WORDS):
            self.message[m + index] = -1
        self.message[m + M_STATUS] = status
        self.message[m + M_START] = start
        self.message[m + M_END] = self.frame_end
        self.message[m + M_FIRST_FIELD] = field
        self.message[m + M_FIELD_COUNT] = 0
        self.message[m + M_FLAGS] = 0

    # --- messages ------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_message(
        self,
        count: cython.longlong,
        start: cython.longlong,
        first: cython.longlong,
        is_plain: cython.bint,
    ) -> cython.int:
        """Split and validate the frame found: its row, and its fields from index `first`.

        is_plain: its BeginString is known to be the dictionary's.
        """
        octets: cython.p_uchar
        if cython.compiled:
            octets = cython.cast(cython.p_uchar, cython.address(self.octets[0]))
        else:
            octets = self.octets
        m: cython.longlong = count * MSG_WORDS
        body: cython.longlong = self.body_start
        end: cython.longlong = self.body_end
        check_sum: cython.int = sum_octets(octets, start, end)
        stated: cython.int = (
            (octets[end + 3] - 48) * 100 + (octets[end + 4] - 48) * 10 + (octets[end + 5] - 48)
        )
        self.message[m + M_FIELD_COUNT] = 0
        if check_sum != stated or end - body < 4:
            return MSG_GARBLED
        if octets[body] != 51 or octets[body + 1] != 53 or octets[body + 2] != 61:  # 35=
            return MSG_GARBLED
        position: cython.longlong
        field: cython.longlong = -1
        # A MsgType of one letter may be of a known shape.
        has_shape: cython.bint = is_plain and octets[body + 4] == SOH
        if has_shape:
            field = self._read_known(m, start, first)
        if field < 0:
            position = self._open_message(m, start, first, is_plain)
            field = self._split(m, position, end, first + 3)
            if field < 0:
                return MSG_GARBLED
            self._close_message(m, field)
            if has_shape and self._is_common and self._reason < 0:
                self._learn_shape(m, first + 3, field)
        self.tag[field] = CHECK_SUM
        self.value_start[field] = end + 3
        self.value_end[field] = end + 6
        self.message[m + M_STATUS] = MSG_OK
        self.message[m + M_FIELD_COUNT] = field + 1 - first
        self.message[m + M_CHECKSUM] = check_sum
        self.message[m + M_REJECT_REASON] = self._reason
        self.message[m + M_REJECT_TAG] = self._reason_tag
        self.message[m + M_REJECT_FIELD] = self._reason_field
        return MSG_OK

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_known(
        self, m: cython.longlong, start: cython.longlong, first: cython.longlong
    ) -> cython.longlong:
        """Read the plain frame found if it is of a known shape; give the index of CheckSum(10).

        -1: it is not, or not by what stands in its values.
        """
        body: cython.longlong = self.body_start
        field: cython.longlong
        self.message[m + M_MSG_SEQ_NUM] = -1
        self.message[m + M_SENDING_TIME] = -1
        self.message[m + M_SENDER_COMP_ID_FIELD] = -1
        self.message[m + M_TARGET_COMP_ID_FIELD] = -1
        self.message[m + M_MSG_SEQ_NUM_FIELD] = -1
        self.message[m + M_SENDING_TIME_FIELD] = -1
        if cython.compiled:
            field = self._shapes.read(
                cython.cast(cython.p_uchar, cython.address(self.octets[0])),
                body + 5,
                self.body_end,
                first + 3,
                cython.address(self.message[m]),
                cython.address(self.tag[0]),
                cython.address(self.value_start[0]),
                cython.address(self.value_end[0]),
            )
        else:
            field = self._shapes.read(
                self.octets,
                body + 5,
                self.body_end,
                first + 3,
                self.message[m : m + MSG_WORDS],
                self.tag,
                self.value_start,
                self.value_end,
            )
        if field < 0:
            return -1
        self.tag[first] = BEGIN_STRING
        self.value_start[first] = start + 2
        self.value_end[first] = start + 2 + self._begin_string_length
        self.tag[first + 1] = BODY_LENGTH
        self.value_start[first + 1] = start + self._prefix_length
        self.value_end[first + 1] = body - 1
        self.tag[first + 2] = MSG_TYPE
        self.value_start[first + 2] = body + 3
        self.value_end[first + 2] = body + 4
        self.message[m + M_START] = start
        self.message[m + M_END] = self.frame_end
        self.message[m + M_FIRST_FIELD] = first
        self.message[m + M_ORIG_SENDING_TIME] = -1
        self.message[m + M_FLAGS] = 0
        self.message[m + M_BEGIN_STRING_FIELD] = first
        self.message[m + M_MSG_TYPE_FIELD] = first + 2
        self.message[m + M_ORIG_SENDING_TIME_FIELD] = -1
        self._reason = -1
        self._reason_tag = -1
        self._reason_field = -1
        return field

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _learn_shape(
        self, m: cython.longlong, first: cython.longlong, behind: cython.longlong
    ) -> cython.void:
        """Let the shape of a message be known that is valid, each of its fields a common one."""
        octets: cython.p_uchar
        field: cython.longlong
        info: cython.longlong
        if cython.compiled:
            octets = cython.cast(cython.p_uchar, cython.address(self.octets[0]))
        else:
            octets = self.octets
        if behind - first > FIELDS_MAX:
            return
        self._shapes.begin(
            self.message[m + M_MSG_TYPE],
            self.message[m + M_FIRST_BODY_FIELD] - first,
            self.message[m + M_MESSAGE_INDEX],
        )
        for field in range(first, behind):
            info = self._tag_info[self.tag[field]]
            if (info >> INFO_TYPE_SHIFT) & 0xFF == TYPE_UTC_TIMESTAMP:
                self.parse_utc_timestamp(self.value_start[field], self.value_end[field])
            self._shapes.add(
                octets,
                self.value_end[field - 1] + 1,
                self.value_start[field],
                self.value_end[field],
                self.tag[field],
                info,
                self.number,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _open_message(
        self,
        m: cython.longlong,
        start: cython.longlong,
        first: cython.longlong,
        is_plain: cython.bint,
    ) -> cython.longlong:
        """Begin the row, read fields 8, 9, 35, choose the maps; give where the fourth begins."""
        body: cython.longlong = self.body_start
        begin: cython.longlong = start + 2
        index: cython.longlong
        flags: cython.longlong = 0
        length: cython.longlong
        packed: cython.longlong = 0
        position: cython.longlong = begin
        if is_plain:
            position += self._begin_string_length
        while self.octets[position] != SOH:
            position += 1
        self.tag[first] = BEGIN_STRING
        self.value_start[first] = begin
        self.value_end[first] = position
        length = position - begin
        if length != self._begin_string_length:
            flags = FLAG_BEGIN_STRING_DIFFERS
        elif not is_plain:
            for index in range(length):
                if self.octets[begin + index] != self._begin_string[index]:
                    flags = FLAG_BEGIN_STRING_DIFFERS
        self.tag[first + 1] = BODY_LENGTH
        self.value_start[first + 1] = position + 3
        self.value_end[first + 1] = body - 1
        position = body + 3
        while self.octets[position] != SOH:
            packed |= cython.cast(cython.longlong, self.octets[position]) << (
                8 * ((position - body - 3) & 7)
            )
            position += 1
        self.tag[first + 2] = MSG_TYPE
        self.value_start[first + 2] = body + 3
        self.value_end[first + 2] = position
        length = position - body - 3
        if length == 0 or length > 7:
            packed = -1
        self.message[m + M_START] = start
        self.message[m + M_END] = self.frame_end
        self.message[m + M_FIRST_FIELD] = first
        self.message[m + M_FIRST_BODY_FIELD] = -1
        self.message[m + M_FIRST_TRAILER_FIELD] = -1
        self.message[m + M_MSG_TYPE] = packed
        self.message[m + M_MSG_SEQ_NUM] = -1
        self.message[m + M_SENDING_TIME] = -1
        self.message[m + M_ORIG_SENDING_TIME] = -1
        self.message[m + M_FLAGS] = flags
        self.message[m + M_BEGIN_STRING_FIELD] = first
        self.message[m + M_MSG_TYPE_FIELD] = first + 2
        self.message[m + M_SENDER_COMP_ID_FIELD] = -1
        self.message[m + M_TARGET_COMP_ID_FIELD] = -1
        self.message[m + M_MSG_SEQ_NUM_FIELD] = -1
        self.message[m + M_SENDING_TIME_FIELD] = -1
        self.message[m + M_ORIG_SENDING_TIME_FIELD] = -1
        self._open_validation(m, first + 2, length)
        return position + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _open_validation(
        self, m: cython.longlong, type_field: cython.longlong, type_length: cython.longlong
    ) -> cython.void:
        """Begin in the header, with the fields of the frame seen, and find the body's map."""
        place: cython.longlong
        self._stamp = self._next_stamp
        self._next_stamp += 1
        self._section = SECTION_HEADER
        self._level = 0
        self._base = self._section_base[SECTION_HEADER]
        self._seen = self._frame_seen
        self._section_seen[SECTION_BODY] = 0
        self._section_seen[SECTION_TRAILER] = self._trailer_seen
        self._stamps[self._begin_string_slot] = self._stamp
        self._stamps[self._body_length_slot] = self._stamp
        self._stamps[self._msg_type_slot] = self._stamp
        self._reason = -1
        self._reason_tag = -1
        self._reason_field = -1
        place = self._find_type(self.message[m + M_MSG_TYPE], self.value_start[type_field])
        if place < 0:
            self.message[m + M_MESSAGE_INDEX] = -1
            self._section_base[SECTION_BODY] = 0
            self._fault(4 if type_length == 0 else 11, MSG_TYPE, type_field)
        else:
            self.message[m + M_MESSAGE_INDEX] = self._type_table[place * 3 + 2]
            self._section_base[SECTION_BODY] = self._type_table[place * 3 + 1] * self._slot_count

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_type(self, packed: cython.longlong, start: cython.longlong) -> cython.longlong:
        """Place of a packed MsgType in the table of types, or -1."""
        place: cython.longlong
        hashed: cython.longlong = HASH_BASIS
        position: cython.longlong = start
        if packed == -1:
            return -1
        while self.octets[position] != SOH:
            hashed = ((hashed ^ self.octets[position]) * HASH_PRIME) & HASH_MASK
            position += 1
        place = hashed & (self._type_places - 1)
        while self._type_table[place * 3] != 0:
            if self._type_table[place * 3] == packed:
                return place
            place = (place + 1) & (self._type_places - 1)
        return -1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _split(
        self,
        m: cython.longlong,
        position: cython.longlong,
        end: cython.longlong,
        first: cython.longlong,
    ) -> cython.longlong:
        """Split and validate the fields up to `end`; give the index behind them, -1: garbled.

        The last byte before `end` is SOH, so a search for it ends there, and the trailer's seven
        bytes stand behind it. Fields as they mostly are get done here: members of the present
        section, outside of groups, met once, valid, of a common format. All else, and so every
        fault, goes to `_check`, which has nothing to undo. `section` is none while no field can
        be as they mostly are: inside a group, and behind the first fault.
        """
        octets: cython.p_uchar
        tag_info: cython.p_longlong
        members: cython.p_longlong
        enum_bits: cython.p_longlong
        stamps: cython.p_longlong
        row: cython.p_longlong
        tags: cython.p_int
        starts: cython.p_int
        ends: cython.p_int
        if cython.compiled:
            octets = cython.cast(cython.p_uchar, cython.address(self.octets[0]))
            tag_info = cython.cast(cython.p_longlong, cython.address(self._tag_info[0]))
            members = cython.cast(cython.p_longlong, cython.address(self._members[0]))
            enum_bits = cython.cast(cython.p_longlong, cython.address(self._enum_bits[0]))
            stamps = cython.address(self._stamps[0])
            row = cython.address(self.message[m])
            tags = cython.address(self.tag[0])
            starts = cython.address(self.value_start[0])
            ends = cython.address(self.value_end[0])
        else:
            octets = self.octets
            tag_info = self._tag_info
            members = self._members
            enum_bits = self._enum_bits
            stamps = self._stamps
            row = self.message[m : m + MSG_WORDS]
            tags = self.tag
            starts = self.value_start
            ends = self.value_end
        tag_count: cython.longlong = self._tag_count
        field: cython.longlong = first
        start: cython.longlong
        tag: cython.longlong
        info: cython.longlong
        slot: cython.longlong
        word: cython.longlong
        kind: cython.longlong
        enum: cython.longlong
        number: cython.longlong = 0
        place: cython.longlong
        octet: cython.int
        is_done: cython.bint
        data_tag: cython.longlong = 0
        base: cython.longlong = self._base
        seen: cython.longlong = self._seen
        stamp: cython.longlong = self._stamp
        section: cython.longlong = -1 if self._reason >= 0 else SECTION_HEADER
        self._is_common = True
        while position < end:
            # Tag: up to six digits, no leading zero, not above the highest of the dictionary.
            start = position
            tag = octets[start] - 48
            position += 1
            octet = octets[position] - 48
            while 0 <= octet <= 9:
                tag = tag * 10 + octet
                position += 1
                octet = octets[position] - 48
            if (
                octet == 13  # '='
                and 49 <= octets[start] <= 57
                and tag < tag_count
                and position <= start + 6
            ):
                position += 1
                info = tag_info[tag]
            else:
                position = self._read_odd_tag(start, field)
                if position < 0:
                    return -1
                tag = self._tag
                info = 0
            # Value.
            start = position
            tags[field] = tag
            starts[field] = start
            octet = octets[start]
            if data_tag != 0:
                position = self._end_of_data(field, tag, data_tag, end)
                data_tag = 0
                position = find_soh(octets, position)
            elif octets[start + 1] == SOH and octet != SOH:
                position = start + 1
            else:
                position = find_soh(octets, position)
            ends[field] = position
            # Section: from header to body happens in every message.
            is_done = False
            place = (info >> INFO_SECTION_SHIFT) & 0xFF
            if place != section and section == SECTION_HEADER and place == SECTION_BODY:
                if self._section_base[SECTION_BODY] != 0:
                    if row[M_FIRST_BODY_FIELD] < 0:
                        row[M_FIRST_BODY_FIELD] = field
                    self._seen = seen
                    self._enter_section(SECTION_BODY, tag, field)
                    base = self._base
                    seen = self._seen
                    section = SECTION_BODY
            if place == section:
                # Place, and not met before.
                slot = info & 0xFFFF
                word = members[base + slot]
                if word & ~MEMBER_GROUP_MASK == word != 0 and stamps[slot] != stamp:
                    # Format and enumeration.
                    enum = info >> INFO_ENUM_SHIFT
                    kind = (info >> INFO_TYPE_SHIFT) & 0xFF
                    if kind == TYPE_CHAR:
                        is_done = position == start + 1
                    elif kind == TYPE_STRING:
                        is_done = position > start
                    elif kind == TYPE_FLOAT:
                        is_done = is_plain_decimal(octets, start, position)
                    elif kind == TYPE_UTC_TIMESTAMP:
                        number = self._time_at(octets, start, position)
                        is_done = number >= 0
                    elif kind == TYPE_UNSIGNED or kind == TYPE_INT:
                        number = plain_number(octets, start, position)
                        is_done = number >= 0
                    elif kind == TYPE_BOOLEAN:
                        is_done = position == start + 1 and (octet == 89 or octet == 78)
                    if enum != 0 and is_done:
                        is_done = (
                            position == start + 1
                            and (enum_bits[enum * 4 + (octet >> 6)] >> (octet & 63)) & 1
                        )
                    # What sessions need of the header; not met before, so it is the first.
                    if section == SECTION_HEADER and is_done:
                        if tag == MSG_SEQ_NUM:
                            row[M_MSG_SEQ_NUM_FIELD] = field
                            row[M_MSG_SEQ_NUM] = number
                        elif tag == SENDER_COMP_ID:
                            row[M_SENDER_COMP_ID_FIELD] = field
                        elif tag == TARGET_COMP_ID:
                            row[M_TARGET_COMP_ID_FIELD] = field
                        elif tag == SENDING_TIME:
                            row[M_SENDING_TIME_FIELD] = field
                            row[M_SENDING_TIME] = number
                        else:
                            is_done = False
                    if is_done:
                        stamps[slot] = stamp
                        seen |= cython.cast(cython.longlong, 1) << (word >> MEMBER_REQUIRED_SHIFT)
            if not is_done:
                self._is_common = False
                self._seen = seen
                data_tag = self._check(m, field, tag)
                base = self._base
                seen = self._seen
                stamp = self._stamp
                section = self._section
                if self._reason >= 0 or self._level > 0:
                    section = -1
            position += 1
            field += 1
        self._seen = seen
        if data_tag != 0 and self._data_length > 0:
            self._fault(1, data_tag, -1)
        return field

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_odd_tag(self, start: cython.longlong, field: cython.longlong) -> cython.longlong:
        """Read any tag into `_tag`; give where its value begins, or -1 where none stands here."""
        position: cython.longlong = start
        tag: cython.longlong = 0
        # A sign is a wrong number, but a number: 373=0 names it.
        is_signed: cython.bint = self.octets[start] == 45
        if is_signed:
            position += 1
        while self._digit_at(position) and position - start <= NUMBER_DIGITS_MAX:
            tag = tag * 10 + self.octets[position] - 48
            position += 1
        if self.octets[position] != 61 or position == start + is_signed:
            return -1
        if position - start > NUMBER_DIGITS_MAX and not is_signed:
            return -1
        self._tag = -tag if is_signed else tag
        if self.octets[start] == 48:  # a leading zero, or tag 0
            self._fault(0, tag, field)
        return position + 1

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _time_at(
        self, octets: cython.p_uchar, start: cython.longlong, end: cython.longlong
    ) -> cython.longlong:
        """Nanoseconds of the UTCTimestamp that stands here; -1: none, or out of range.

        Times come minute by minute: the text of the last one read is kept, in two words that
        overlap, and compared before any digit of it is read again.
        """
        millisecond: cython.longlong
        minute_ns: cython.longlong = 60_000_000_000
        if cython.compiled:
            if (
                end == start + 21
                and word_at(octets, start) == self._minute_first
                and word_at(octets, start + 7) == self._minute_last
                and 48 <= octets[start + 15] <= 53
                and 48 <= octets[start + 16] <= 57
                and octets[start + 17] == 46
                and 48 <= octets[start + 18] <= 57
                and 48 <= octets[start + 19] <= 57
                and 48 <= octets[start + 20] <= 57
            ):
                millisecond = (
                    octets[start + 15] * 10000
                    + octets[start + 16] * 1000
                    + octets[start + 18] * 100
                    + octets[start + 19] * 10
                    + octets[start + 20]
                    - 48 * 11111
                )
                return self._minute_ns + millisecond * 1_000_000
        if self.parse_utc_timestamp(start, end) != VALUE_OK:
            return -1
        if cython.compiled and octets[start + 15] < 54:  # second 60 is the next minute's
            self._minute_first = word_at(octets, start)
            self._minute_last = word_at(octets, start + 7)
            self._minute_ns = self.number - self.number % minute_ns
        return self.number

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _end_of_data(
        self,
        field: cython.longlong,
        tag: cython.longlong,
        data_tag: cython.longlong,
        end: cython.longlong,
    ) -> cython.longlong:
        """Where the value behind a length ends; where it begins if the length is wrong."""
        start: cython.longlong = self.value_start[field]
        position: cython.longlong = start + self._data_length
        if tag != data_tag:
            if self._data_length > 0:
                self._fault(1, data_tag, -1)
            return start
        if position >= end or self.octets[position] != SOH:
            self._fault(5, self.tag[field - 1], field - 1)
            return start
        return position

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _fault(
        self, reason: cython.longlong, tag: cython.longlong, field: cython.longlong
    ) -> cython.void:
        """Keep the first fault of the message: 373, 371 and the field, -1 where it is missing."""
        if self._reason < 0:
            self._reason = reason
            self._reason_tag = tag
            self._reason_field = field

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check(
        self, m: cython.longlong, field: cython.longlong, tag: cython.longlong
    ) -> cython.longlong:
        """Read what the header says and validate a field; give the data tag it announces, or 0."""
        info: cython.longlong = 0
        section: cython.longlong
        slot: cython.longlong
        kind: cython.longlong
        data_tag: cython.longlong = 0
        if 0 < tag < self._tag_count:
            info = self._tag_info[tag]
        slot = info & 0xFFFF
        kind = (info >> INFO_TYPE_SHIFT) & 0xFF
        section = (info >> INFO_SECTION_SHIFT) & 0xFF
        if section == SECTION_HEADER:
            self._read_header(m, field, tag)
        elif section == SECTION_TRAILER:
            if self.message[m + M_FIRST_TRAILER_FIELD] < 0:
                self.message[m + M_FIRST_TRAILER_FIELD] = field
        elif self.message[m + M_FIRST_BODY_FIELD] < 0:
            self.message[m + M_FIRST_BODY_FIELD] = field
        if kind == TYPE_LENGTH:
            data_tag = self._announced(slot, field)
        if self._reason < 0:
            if info == 0:
                self._check_unknown(tag, field)
            elif section != SECTION_BODY or self._section_base[SECTION_BODY] != 0:
                self._check_known(field, tag, slot, kind, section, info >> INFO_ENUM_SHIFT)
            if self._reason >= 0 and section == SECTION_HEADER:
                self.message[m + M_FLAGS] |= FLAG_HEADER_FAULT
        return data_tag

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _announced(self, slot: cython.longlong, field: cython.longlong) -> cython.longlong:
        """The data tag that a length field announces, its length in `_data_length`; 0: none."""
        if self.parse_int(self.value_start[field], self.value_end[field]) != VALUE_OK:
            return 0
        self._data_length = self.number
        return 0 if self.number < 0 else self._length_pair[slot]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _read_header(
        self, m: cython.longlong, field: cython.longlong, tag: cython.longlong
    ) -> cython.void:
        """Take what sessions need of a header field, wherever it stands; the first one counts."""
        start: cython.longlong = self.value_start[field]
        end: cython.longlong = self.value_end[field]
        if tag == MSG_SEQ_NUM:
            if self.message[m + M_MSG_SEQ_NUM_FIELD] < 0:
                self.message[m + M_MSG_SEQ_NUM_FIELD] = field
                if self.parse_int(start, end) == VALUE_OK and self.number >= 0:
                    self.message[m + M_MSG_SEQ_NUM] = self.number
        elif tag == SENDER_COMP_ID:
            if self.message[m + M_SENDER_COMP_ID_FIELD] < 0:
                self.message[m + M_SENDER_COMP_ID_FIELD] = field
        elif tag == TARGET_COMP_ID:
            if self.message[m + M_TARGET_COMP_ID_FIELD] < 0:
                self.message[m + M_TARGET_COMP_ID_FIELD] = field
        elif tag == SENDING_TIME:
            if self.message[m + M_SENDING_TIME_FIELD] < 0:
                self.message[m + M_SENDING_TIME_FIELD] = field
                if self.parse_utc_timestamp(start, end) == VALUE_OK:
                    self.message[m + M_SENDING_TIME] = self.number
        elif tag == ORIG_SENDING_TIME:
            self.message[m + M_FLAGS] |= FLAG_ORIG_SENDING_TIME
            if self.message[m + M_ORIG_SENDING_TIME_FIELD] < 0:
                self.message[m + M_ORIG_SENDING_TIME_FIELD] = field
                if self.parse_utc_timestamp(start, end) == VALUE_OK:
                    self.message[m + M_ORIG_SENDING_TIME] = self.number
        elif tag == POSS_DUP_FLAG:
            if end == start + 1 and self.octets[start] == 89:  # Y
                self.message[m + M_FLAGS] |= FLAG_POSS_DUP
        elif tag == POSS_RESEND:
            if end == start + 1 and self.octets[start] == 89:
                self.message[m + M_FLAGS] |= FLAG_POSS_RESEND
        elif (
            tag == ON_BEHALF_OF_COMP_ID
            or tag == ON_BEHALF_OF_SUB_ID
            or tag == ON_BEHALF_OF_LOCATION_ID
            or tag == DELIVER_TO_COMP_ID
            or tag == DELIVER_TO_SUB_ID
            or tag == DELIVER_TO_LOCATION_ID
        ):
            self.message[m + M_FLAGS] |= FLAG_ROUTED
        else:
            self.message[m + M_FLAGS] |= FLAG_OTHER_HEADER

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_unknown(self, tag: cython.longlong, field: cython.longlong) -> cython.void:
        """A tag that is not in the dictionary."""
        if tag > 0:
            if self._switches & ALLOW_UNKNOWN:
                return
            if tag >= USER_DEFINED_FIRST and not self._switches & CHECK_USER_DEFINED:
                return
        self._fault(0, tag, field)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_known(
        self,
        field: cython.longlong,
        tag: cython.longlong,
        slot: cython.longlong,
        kind: cython.longlong,
        section: cython.longlong,
        enum: cython.longlong,
    ) -> cython.void:
        """Place, repetition, value, format, enumeration; in this order, up to the first fault."""
        word: cython.longlong
        start: cython.longlong = self.value_start[field]
        end: cython.longlong = self.value_end[field]
        if section != self._section and not self._enter_section(section, tag, field):
            return
        word = self._members[self._base + slot]
        if word == 0 or self._level > 0:
            word = self._find_place(field, tag, slot)
            if word == 0:
                return
        elif self._stamps[slot] == self._stamp:
            self._fault(13, tag, field)
            return
        self._stamps[slot] = self._stamp
        self._seen |= cython.cast(cython.longlong, 1) << (word >> MEMBER_REQUIRED_SHIFT)
        if start == end:
            if self._switches & CHECK_HAVE_VALUES:
                self._fault(4, tag, field)
            return
        if kind > TYPE_STRING and not self.has_format(kind, start, end):
            self._fault(6, tag, field)
            return
        if enum != 0 and not self._in_enumeration(enum, kind, start, end):
            self._fault(5, tag, field)
            return
        if kind == TYPE_DATA:
            self._check_data(field, tag, slot)
        if word & MEMBER_GROUP_MASK:
            self._open_group(field, tag, word & MEMBER_GROUP_MASK)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_data(
        self, field: cython.longlong, tag: cython.longlong, slot: cython.longlong
    ) -> cython.void:
        """Data stands directly behind its length (14); without one it is missing (1)."""
        length_tag: cython.longlong = self._length_pair[slot]
        if length_tag == 0 or self.tag[field - 1] == length_tag:
            return
        slot = self._tag_info[length_tag] & 0xFFFF
        if self._stamps[slot] == self._stamp:
            self._fault(14, tag, field)
        else:
            self._fault(1, length_tag, -1)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _digit_at(self, position: cython.longlong) -> cython.bint:
        return 48 <= self.octets[position] <= 57

    # --- sections and groups -------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _enter_section(
        self, section: cython.longlong, tag: cython.longlong, field: cython.longlong
    ) -> cython.bint:
        """Go over to another section; false, with the fault kept, where it is not its turn."""
        while self._level > 0:
            if not self._close_group():
                return False
        if section < self._section and self._switches & CHECK_ORDER:
            self._fault(14, tag, field)
            return False
        self._section_seen[self._section] = self._seen
        self._section = section
        self._seen = self._section_seen[section]
        self._base = self._section_base[section]
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_place(
        self, field: cython.longlong, tag: cython.longlong, slot: cython.longlong
    ) -> cython.longlong:
        """The member word of a field inside groups or ending some; 0: not to be checked.

        With a fault kept, or where fields that a message does not have are allowed, gives 0.
        """
        level: cython.longlong = self._level
        word: cython.longlong = self._members[self._base + slot]
        outer: cython.longlong = word
        while outer == 0 and level > 0:
            level -= 1
            outer = self._members[self._levels[level * LEVEL_WORDS + LEVEL_BASE] + slot]
        if outer == 0:
            if not self._switches & ALLOW_UNKNOWN:
                self._fault(2, tag, field)
            return 0
        while self._level > level:
            if not self._close_group():
                return 0
        if level > 0:
            if not self._check_member(field, tag, slot, outer):
                return 0
        elif self._stamps[slot] == self._stamp:
            self._fault(13, tag, field)
            return 0
        return outer

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_member(
        self,
        field: cython.longlong,
        tag: cython.longlong,
        slot: cython.longlong,
        word: cython.longlong,
    ) -> cython.bint:
        """Order, repetition and number of the entries of a group, at one of its members."""
        position: cython.longlong = (word >> MEMBER_POSITION_SHIFT) & MEMBER_POSITION_MASK
        if position == 1:
            if self._group_entries > 0 and not self._check_required(self._base):
                return False
            if self._group_entries == self._group_count:
                self._fault(16, self._group_tag, self._group_field)
                return False
            self._group_entries += 1
            self._seen = 0
            self._position = 0
            self._stamp = self._next_stamp
            self._next_stamp += 1
        elif self._group_entries == 0:
            self._fault(15, tag, field)
            return False
        elif self._stamps[slot] == self._stamp:
            self._fault(13, tag, field)
            return False
        elif position < self._position and self._switches & CHECK_GROUP_ORDER:
            self._fault(15, tag, field)
            return False
        self._position = position
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _open_group(
        self, field: cython.longlong, tag: cython.longlong, group: cython.longlong
    ) -> cython.void:
        """Put the present level aside and begin a group whose counter is this field."""
        place: cython.longlong = self._level * LEVEL_WORDS
        if self.parse_int(self.value_start[field], self.value_end[field]) != VALUE_OK:
            self._fault(5, tag, field)
            return
        if self._level == GROUP_DEPTH_MAX:
            self._fault(99, tag, field)
            return
        self._levels[place + LEVEL_BASE] = self._base
        self._levels[place + LEVEL_STAMP] = self._stamp
        self._levels[place + LEVEL_POSITION] = self._position
        self._levels[place + LEVEL_SEEN] = self._seen
        self._levels[place + LEVEL_COUNT] = self._group_count
        self._levels[place + LEVEL_ENTRIES] = self._group_entries
        self._levels[place + LEVEL_TAG] = self._group_tag
        self._levels[place + LEVEL_FIELD] = self._group_field
        self._level += 1
        self._base = group * self._slot_count
        self._stamp = self._next_stamp
        self._next_stamp += 1
        self._position = 0
        self._seen = 0
        self._group_count = self.number
        self._group_entries = 0
        self._group_tag = tag
        self._group_field = field

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _close_group(self) -> cython.bint:
        """End the innermost group: its last entry is whole, and there are as many as announced."""
        place: cython.longlong
        if self._group_entries > 0 and not self._check_required(self._base):
            return False
        if self._group_entries != self._group_count:
            self._fault(16, self._group_tag, self._group_field)
            return False
        self._level -= 1
        place = self._level * LEVEL_WORDS
        self._base = self._levels[place + LEVEL_BASE]
        self._stamp = self._levels[place + LEVEL_STAMP]
        self._position = self._levels[place + LEVEL_POSITION]
        self._seen = self._levels[place + LEVEL_SEEN]
        self._group_count = self._levels[place + LEVEL_COUNT]
        self._group_entries = self._levels[place + LEVEL_ENTRIES]
        self._group_tag = self._levels[place + LEVEL_TAG]
        self._group_field = self._levels[place + LEVEL_FIELD]
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_required(self, base: cython.longlong) -> cython.bint:
        """Whether `_seen` has all that the map requires; else the first missing is the fault."""
        missing: cython.longlong = self._members[base] & ~self._seen
        bit: cython.longlong = 1
        tag: cython.longlong = 1
        word: cython.longlong = 0
        if missing == 0:
            return True
        while not (missing >> bit) & 1:
            bit += 1
        while word >> MEMBER_REQUIRED_SHIFT != bit:
            tag += 1
            word = 0
            if self._tag_info[tag] != 0:
                word = self._members[base + (self._tag_info[tag] & 0xFFFF)]
        self._fault(1, tag, -1)
        return False

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _close_message(self, m: cython.longlong, field: cython.longlong) -> cython.void:
        """At CheckSum(10), field `field`: end open groups, then look for what is required."""
        section: cython.longlong
        if self.message[m + M_FIRST_TRAILER_FIELD] < 0:
            self.message[m + M_FIRST_TRAILER_FIELD] = field
        if self.message[m + M_FIRST_BODY_FIELD] < 0:
            self.message[m + M_FIRST_BODY_FIELD] = self.message[m + M_FIRST_TRAILER_FIELD]
        if self._reason >= 0:
            return
        while self._level > 0:
            if not self._close_group():
                return
        if self._stamps[self._check_sum_slot] == self._stamp:
            self._fault(13, CHECK_SUM, field)
            return
        self._section_seen[self._section] = self._seen
        for section in range(SECTION_HEADER, SECTION_TRAILER + 1):
            self._seen = self._section_seen[section]
            if not self._check_required(self._section_base[section]):
                if section == SECTION_HEADER:
                    self.message[m + M_FLAGS] |= FLAG_HEADER_FAULT
                return

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _in_enumeration(
        self,
        enum: cython.longlong,
        kind: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
    ) -> cython.bint:
        """Whether the value, or each of its values separated by single blanks, is enumerated."""
        position: cython.longlong = start
        if kind != TYPE_MULTIPLE_STRING and kind != TYPE_MULTIPLE_CHAR:
            return self._is_enumerated(enum, start, end)
        while position < end:
            if self.octets[position] == 32:
                if not self._is_enumerated(enum, start, position):
                    return False
                start = position + 1
            position += 1
        return self._is_enumerated(enum, start, end)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_enumerated(
        self, enum: cython.longlong, start: cython.longlong, end: cython.longlong
    ) -> cython.bint:
        length: cython.longlong = end - start
        octet: cython.longlong
        place: cython.longlong
        offset: cython.longlong
        index: cython.longlong
        hashed: cython.longlong
        if length == 1:
            octet = self.octets[start]
            return (self._enum_bits[enum * 4 + (octet >> 6)] >> (octet & 63)) & 1
        hashed = ((enum * HASH_PRIME) ^ HASH_BASIS) & HASH_MASK
        for index in range(start, end):
            hashed = ((hashed ^ self.octets[index]) * HASH_PRIME) & HASH_MASK
        place = hashed & (self._enum_places - 1)
        while self._enum_table[place * 3] != 0:
            if self._enum_table[place * 3] == enum and self._enum_table[place * 3 + 2] == length:
                offset = self._enum_table[place * 3 + 1]
                index = 0
                while (
                    index < length
                    and self._enum_octets[offset + index] == self.octets[start + index]
                ):
                    index += 1
                if index == length:
                    return True
            place = (place + 1) & (self._enum_places - 1)
        return False

    # --- for callers in Python -----------------------------------------------------------------

    def word(self, index: int, word: int) -> int:
        """A word (M_ constant) of message `index` of the last scan."""
        if not 0 <= word < MSG_WORDS:
            raise IndexError(f"no word {word} among {MSG_WORDS}")
        return self.message[self._row(index) + word]

    def message_bytes(self, index: int) -> bytes:
        """A copy of the bytes of message `index`, as they came."""
        m = self._row(index)
        return bytes(self.octets[self.message[m + M_START] : self.message[m + M_END]])

    def get(self, index: int, tag: int) -> bytes | None:
        """The value of the first field of that tag in message `index`, or None."""
        return next((value for found, value in self.fields(index) if found == tag), None)

    def fields(self, index: int) -> list[tuple[int, bytes]]:
        """All fields of message `index` in their order; none where it is not MSG_OK."""
        m = self._row(index)
        first = self.message[m + M_FIRST_FIELD]
        return [
            (self.tag[field], self.value(field))
            for field in range(first, first + self.message[m + M_FIELD_COUNT])
        ]

    def value(self, field: int) -> bytes:
        """A copy of the value of a field of the field table."""
        if not 0 <= field < self._field_capacity:
            raise IndexError(f"no field {field} among {self._field_capacity}")
        return bytes(self.octets[self.value_start[field] : self.value_end[field]])

    def _row(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"no message {index} among {self.count}")
        return index * MSG_WORDS
