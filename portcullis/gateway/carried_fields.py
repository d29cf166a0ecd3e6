"""Raw fields that rows carry: put into a message as they are, or merged among its own by tag.

Owns the way from the items of TEXT rows to bytes of a message. Carried fields are ascending, with
groups whole; so are the message's own. Where both have a tag, the message's own stands. Must not
know what a row or a message means, nor sequence numbers.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy
    from cython.cimports.portcullis.codecs.fix.writer import FixWriter
    from cython.cimports.portcullis.dictionaries import fix_tags
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.fix.writer import FixWriter
    from portcullis.dictionaries import fix_tags
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

# Also in carried_fields.pxd.
if not cython.compiled:
    NO_TAG = 1 << 30


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class CarriedFields:
    """Items of `table` as fields of messages.

    No bounds checks: offsets are of rows that exist, lengths those of their items, at most
    ITEM_BYTES_MAX; own fields take at most a text and 2048 bytes.
    """

    def __init__(self, table: RowTable) -> None:
        self._table = table
        self._carried_octets = memoryview(bytearray(ITEM_BYTES_MAX + 1))
        self._own_octets = memoryview(bytearray(2 * ITEM_BYTES_MAX))
        if cython.compiled:
            self._rows = cython.address(table.octets[0])
            self._carried = cython.address(self._carried_octets[0])
            self._own = cython.address(self._own_octets[0])
        else:
            self._rows = table.octets
            self._carried = self._carried_octets
            self._own = self._own_octets

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_value(
        self,
        writer: FixWriter,
        tag: cython.longlong,
        row: cython.longlong,
        code: cython.longlong,
    ) -> cython.bint:
        """Put an item as the value of field `tag`; false where the row has none."""
        length: cython.longlong = self._load(row, code)
        if length >= 0:
            writer.put_octets(tag, self._carried, 0, length)
        return length >= 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put(self, writer: FixWriter, row: cython.longlong, code: cython.longlong) -> cython.void:
        """Put an item of raw fields as it is; nothing where the row has none."""
        length: cython.longlong = self._load(row, code)
        if length > 0:
            writer.put_raw(self._carried, 0, length)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def merge(
        self,
        writer: FixWriter,
        start: cython.longlong,
        row: cython.longlong,
        code: cython.longlong,
    ) -> cython.void:
        """Merge an item of raw fields into what was put from position `start` on. O(bytes)."""
        length: cython.longlong = self._load(row, code)
        own_size: cython.longlong = writer.position - start
        if length <= 0 or own_size < 0:
            return
        _copy(self._own, 0, writer.out, start, own_size)
        writer.position = start
        own: cython.longlong = 0  # up to here put again
        next_own: cython.longlong = 0
        own_tag: cython.longlong = _tag_at(self._own, 0, own_size)
        place: cython.longlong = 0
        end: cython.longlong
        tag: cython.longlong = NO_TAG
        data_size: cython.longlong = 0  # of a field that comes and may hold SOH, SOH aside
        while place < length:
            tag = _tag_in_group(tag, _tag_at(self._carried, place, length))
            end = _field_end(self._carried, place + data_size, length)
            data_size = 0
            if tag == fix_tags.SECURE_DATA_LEN:
                data_size = 3 + _number_of(self._carried, place, end - 1)
            elif tag == fix_tags.XML_DATA_LEN:
                data_size = 4 + _number_of(self._carried, place, end - 1)
            while own_tag < tag:
                next_own = _field_end(self._own, next_own, own_size)
                own_tag = _tag_at(self._own, next_own, own_size)
            if own_tag != tag:
                writer.put_raw(self._own, own, next_own - own)
                own = next_own
                writer.put_raw(self._carried, place, end - place)
            place = end
        writer.put_raw(self._own, own, own_size - own)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _load(self, row: cython.longlong, code: cython.longlong) -> cython.longlong:
        """Take an item out of its TEXT rows; give its length, -1 where the row has none."""
        found: cython.longlong = self._table.text_find(row, code)
        if found < 0:
            return -1
        length: cython.longlong = found & 0xFFFF
        place: cython.longlong = found >> 16
        first: cython.longlong = (row + 1 - self._table.origin_row) * ROW_BYTES + TEXT_START
        done: cython.longlong = 0
        part: cython.longlong
        while done < length:
            part = min(TEXT_BYTES - place % TEXT_BYTES, length - done)
            _copy(
                self._carried,
                done,
                self._rows,
                first + place // TEXT_BYTES * ROW_BYTES + place % TEXT_BYTES,
                part,
            )
            done += part
            place += part
        return length


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _copy(
    target: cython.p_uchar,
    at: cython.longlong,
    source: cython.p_uchar,
    start: cython.longlong,
    length: cython.longlong,
) -> cython.void:
    if cython.compiled:
        memcpy(target + at, source + start, length)
    else:
        target[at : at + length] = source[start : start + length]


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _tag_at(
    octets: cython.p_uchar, place: cython.longlong, end: cython.longlong
) -> cython.longlong:
    """Tag of the field that begins at `place`; NO_TAG at the end."""
    tag: cython.longlong = 0
    if place >= end:
        return NO_TAG
    while place < end and octets[place] != 61:
        tag = tag * 10 + octets[place] - 48
        place += 1
    return tag


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _field_end(
    octets: cython.p_uchar, place: cython.longlong, end: cython.longlong
) -> cython.longlong:
    """Where the next field begins."""
    while place < end and octets[place] != 1:
        place += 1
    return min(place + 1, end)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _number_of(
    octets: cython.p_uchar, place: cython.longlong, end: cython.longlong
) -> cython.longlong:
    """The value of the field from `place` to `end`, which a scanner has found to be a number."""
    number: cython.longlong = 0
    while octets[place] != 61:
        place += 1
    place += 1
    while place < end:
        number = number * 10 + octets[place] - 48
        place += 1
    return number


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _tag_in_group(before: cython.longlong, tag: cython.longlong) -> cython.longlong:
    """Where a field stands: members of the party group keep the place of its counter."""
    if before == fix_tags.NO_PARTY_IDS and (
        tag == fix_tags.PARTY_ID
        or tag == fix_tags.PARTY_ID_SOURCE
        or tag == fix_tags.PARTY_ROLE
        or tag == fix_tags.NO_PARTY_SUB_IDS
        or tag == fix_tags.PARTY_SUB_ID
        or tag == fix_tags.PARTY_SUB_ID_TYPE
    ):
        return before
    return tag
