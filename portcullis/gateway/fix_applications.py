"""What may stand behind a FIX session: order entry, or an echo for conformance runs.

Owns how application messages that are in sequence and valid leave the session. Order entry hands
whole runs of them to the translation. Must not know states of sessions, nor sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from portcullis.codecs.fix.layout import (
    M_FIRST_BODY_FIELD,
    M_FIRST_FIELD,
    M_FIRST_TRAILER_FIELD,
    MSG_WORDS,
)
from portcullis.dictionaries.fix_dictionary import FixDictionary, FixMember
from portcullis.dictionaries.fix_tags import (
    BEGIN_STRING,
    BODY_LENGTH,
    CL_ORD_ID,
    LAST_MSG_SEQ_NUM_PROCESSED,
    MSG_SEQ_NUM,
    MSG_TYPE,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    SENDER_COMP_ID,
    SENDING_TIME,
    TARGET_COMP_ID,
)
from portcullis.gateway.fix_door import FixDoor
from portcullis.gateway.fix_orders import FixOrders
from portcullis.gateway.row_store import RowStore
from portcullis.gateway.turn import Turn
from portcullis.sessions.fix_message import FixMessage, Scanner

NEW_ORDER_SINGLE = b"D"
# What the echo sends back: NewOrderSingle, SecurityDefinition, Email.
ECHO_TYPES = frozenset((NEW_ORDER_SINGLE, b"d", b"C"))
# Header fields that are not sent back: each message of ours has its own, or none.
_OWN_HEADER = frozenset(
    (
        BEGIN_STRING,
        BODY_LENGTH,
        MSG_TYPE,
        MSG_SEQ_NUM,
        POSS_DUP_FLAG,
        SENDER_COMP_ID,
        SENDING_TIME,
        TARGET_COMP_ID,
        ORIG_SENDING_TIME,
        LAST_MSG_SEQ_NUM_PROCESSED,
    )
)
_Groups = Mapping[int, frozenset[int]]


class OrderEntry:
    """Orders and requests become command rows."""

    def __init__(self, turn: Turn, orders: FixOrders, door: FixDoor) -> None:
        self._turn = turn
        self._orders = orders
        self._door = door

    def on_messages(self, scanner: Scanner, first: int, count: int) -> int:
        self._orders.disk_full = not self._turn.journal.can_take_orders
        taken: int = self._orders.translate(scanner, first, count, self._door)
        while taken < count:
            if not self._orders.full:
                raise RuntimeError("a session let a message through that is no order")
            self._turn.make_room()
            more = self._orders.translate(scanner, first + taken, count - taken, self._door)
            if not more:
                raise RuntimeError("an empty batch has no room for an order")
            taken += more
        return count


class Echo:
    """Application messages go back as they came, under numbers of ours, their fields ascending.

    What QuickFIX's acceptance server does, and its scenarios expect: body and further header
    fields text for text, a repeating group in one piece behind its counter, data behind its
    length. An order that may have been sent before (97=Y) under a ClOrdID(11) that the session
    has seen is swallowed; a logout forgets those. ids_max: how many are remembered, the oldest go.
    """

    def __init__(self, store: RowStore, dictionary: FixDictionary, *, ids_max: int) -> None:
        self._store = store
        self._dictionary = dictionary
        self._header = _tags_within(dictionary.header)
        self._bodies = {
            msg_type: _tags_within(dictionary.messages[msg_type].members)
            for msg_type in ECHO_TYPES & dictionary.messages.keys()
        }
        self._ids_max = ids_max
        # In the order in which they came.
        self._seen: dict[bytes, None] = {}

    def forget(self) -> None:
        """The session has logged out: ids may come again."""
        self._seen.clear()

    def on_messages(self, scanner: Scanner, first: int, count: int) -> int:
        for index in range(first, first + count):
            message = FixMessage(scanner, index)
            if message.msg_type == NEW_ORDER_SINGLE and self._is_repeated(message):
                self._store.advance(message.msg_seq_num + 1)
                continue
            words = scanner.message[index * MSG_WORDS : (index + 1) * MSG_WORDS]
            body, trailer = words[M_FIRST_BODY_FIELD], words[M_FIRST_TRAILER_FIELD]
            header = self._fields(scanner, words[M_FIRST_FIELD], body, self._header)
            self._store.send(
                message.msg_type,
                _joined(self._fields(scanner, body, trailer, self._bodies[message.msg_type])),
                header=_joined([piece for piece in header if piece[0] not in _OWN_HEADER]),
                in_seq=message.msg_seq_num,
            )
        return count

    def _is_repeated(self, message: FixMessage) -> bool:
        cl_ord_id = message.get(CL_ORD_ID) or b""
        if cl_ord_id in self._seen:
            return message.poss_resend
        if len(self._seen) >= self._ids_max:
            del self._seen[next(iter(self._seen))]
        self._seen[cl_ord_id] = None
        return False

    def _fields(
        self, scanner: Scanner, first: int, end: int, groups: _Groups
    ) -> list[tuple[int, bytes]]:
        """Fields by tag, ascending; members of a group, and data, are part of the one before."""
        pieces: list[tuple[int, bytes]] = []
        members: frozenset[int] = frozenset()
        for field in range(first, end):
            tag = scanner.tag[field]
            value = bytes(scanner.octets[scanner.value_start[field] : scanner.value_end[field]])
            piece = b"%d=%s\x01" % (tag, value)
            described = self._dictionary.fields.get(tag)
            if pieces and (tag in members or (described and described.length_tag)):
                pieces[-1] = (pieces[-1][0], pieces[-1][1] + piece)
            else:
                pieces.append((tag, piece))
                members = groups.get(tag, frozenset())
        return sorted(pieces, key=itemgetter(0))


def _joined(pieces: list[tuple[int, bytes]]) -> bytes:
    return b"".join(octets for _, octets in pieces)


def _tags_within(members: tuple[FixMember, ...]) -> _Groups:
    """For each group among the members, by the tag of its counter, the tags that stand in it."""
    return {
        member.tag: frozenset(tags_of(member.members)) for member in members if member.is_group
    }


def tags_of(members: tuple[FixMember, ...]) -> list[int]:
    """Tags of the members, those within groups included."""
    found = []
    for member in members:
        found += [member.tag, *tags_of(member.members)]
    return found
