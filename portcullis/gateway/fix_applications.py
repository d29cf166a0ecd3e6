"""What may stand behind a FIX session: order entry, or an echo for conformance runs.

Owns how application messages that are in sequence and valid leave the session. Order entry hands
whole runs of them to the translation. Must not know states of sessions, nor sockets.
"""

from __future__ import annotations

from portcullis.codecs.fix.layout import (
    M_FIRST_BODY_FIELD,
    M_FIRST_TRAILER_FIELD,
    MSG_WORDS,
)
from portcullis.dictionaries.fix_dictionary import FixDictionary, FixMember
from portcullis.dictionaries.fix_tags import CL_ORD_ID
from portcullis.gateway.fix_door import FixDoor
from portcullis.gateway.fix_orders import FixOrders
from portcullis.gateway.turn import Turn
from portcullis.sessions.fix_message import FixMessage, Scanner
from portcullis.sessions.store import SequenceStore

# What the echo sends back: NewOrderSingle, SecurityDefinition, Email.
ECHO_TYPES = frozenset((b"D", b"d", b"C"))


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
            self._turn.settle()
            more = self._orders.translate(scanner, first + taken, count - taken, self._door)
            if not more:
                raise RuntimeError("an empty batch has no room for an order")
            taken += more
        return count


class Echo:
    """Application messages go back as they came, under numbers of ours, their fields ascending.

    An order that may have been sent before (97=Y) under the same ClOrdID(11) is swallowed.
    """

    def __init__(self, store: SequenceStore, dictionary: FixDictionary) -> None:
        self._store = store
        self._groups: dict[int, frozenset[int]] = {}
        for message in dictionary.messages.values():
            self._add_groups(message.members)
        self._seen: set[bytes] = set()

    def forget(self) -> None:
        """The session has logged out: ids may come again."""
        self._seen.clear()

    def on_messages(self, scanner: Scanner, first: int, count: int) -> int:
        for index in range(first, first + count):
            message = FixMessage(scanner, index)
            cl_ord_id = message.get(CL_ORD_ID)
            if message.poss_resend and cl_ord_id in self._seen:
                self._store.advance(message.msg_seq_num + 1)
                continue
            if cl_ord_id is not None:
                self._seen.add(cl_ord_id)
            self._store.send(
                message.msg_type,
                self._body(scanner, index),
                in_seq=message.msg_seq_num,
                poss_resend=message.poss_resend,
            )
        return count

    def _add_groups(self, members: tuple[FixMember, ...]) -> None:
        for member in members:
            if member.members:
                self._groups[member.tag] = frozenset(_tags(member.members))
                self._add_groups(member.members)

    def _body(self, scanner: Scanner, index: int) -> bytes:
        """The body's fields, ascending; a group stays in one piece behind its counter."""
        words = scanner.message[index * MSG_WORDS : (index + 1) * MSG_WORDS]
        pieces: list[tuple[int, bytes]] = []
        members: frozenset[int] = frozenset()
        for field in range(words[M_FIRST_BODY_FIELD], words[M_FIRST_TRAILER_FIELD]):
            tag = scanner.tag[field]
            value = bytes(scanner.octets[scanner.value_start[field] : scanner.value_end[field]])
            piece = b"%d=%s\x01" % (tag, value)
            if tag in members:
                pieces[-1] = (pieces[-1][0], pieces[-1][1] + piece)
            else:
                pieces.append((tag, piece))
                members = self._groups.get(tag, frozenset())
        return b"".join(piece for _, piece in sorted(pieces))


def _tags(members: tuple[FixMember, ...]) -> list[int]:
    """Tags of the members, those within groups included."""
    found = []
    for member in members:
        found += [member.tag, *_tags(member.members)]
    return found
