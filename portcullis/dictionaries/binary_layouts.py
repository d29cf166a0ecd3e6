"""Layouts of binary protocols: messages of fixed length, declared with `construct`.

Owns what a declaration is, and what can be read from it: offsets and lengths are `construct`'s,
never written down twice. The protocols' own files (`soupbintcp`, `ouch`, `moldudp64`) hold the
declarations, `binary_offsets_writer` makes constants of them for compiled codecs, `portcullis
dictionary` prints them. Must not know what a field means.

Multi-byte integers are unsigned and big-endian. A field's note (`construct`'s docs) says what its
type does not: padding, units, values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import construct

IN = "in"  # to the gateway
OUT = "out"
BOTH = "both"
_INTEGERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: `size` bytes from `offset` on, a type byte counted."""

    name: str
    offset: int
    size: int
    kind: str
    note: str

    @property
    def code(self) -> str:
        """As `struct` spells it where integers are big-endian."""
        return f"{self.size}s" if self.kind == "alpha" else _INTEGERS[self.size]


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its type byte, then the fields of `layout`.

    letter: empty where the protocol has no type byte. open_ended: any bytes may follow, which are
    another protocol's.
    """

    name: str
    letter: str
    direction: str
    layout: construct.Struct
    open_ended: bool = False

    @property
    def size(self) -> int:
        """Bytes of it, a type byte counted; of an open-ended one, those that are fixed."""
        return len(self.letter) + int(self.layout.sizeof())

    def fields(self) -> Iterator[Field]:
        """The fields in order, a type byte left out."""
        offset = len(self.letter)
        for part in self.layout.subcons:
            size = int(part.sizeof())
            bare = part
            while isinstance(bare, construct.Renamed):  # a name, a note
                bare = bare.subcon
            kind = "alpha" if isinstance(bare, construct.Bytes) else "int"
            yield Field(part.name, offset, size, kind, part.docs)
            offset += size


def constant_name(message: Message) -> str:
    """The prefix of a message's constants: "Enter Order" -> ENTER_ORDER."""
    return message.name.upper().replace(" ", "_")
