"""What a FIX dictionary says, as immutable values: fields, members, groups, messages.

Owns the shape that readers produce (`fix_xml`) and that the validation tables, the tag constants
and the command line consume. Knows no file format and no codec.

Components are gone here: their members stand inline, in order, where they were referred to. A
member is required when it and each component on the way to it are. A field that stands twice in
one section counts once, at its first place, and is required if either is: dictionaries in use do
that (RegistrationInstructions of FIX 4.3 names OwnershipType twice).

Spec: FIX 4.4 volume 1 (fields, components, repeating groups), volume 2 (header, trailer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portcullis.dictionaries.fix_msg_types import ADMIN_MSG_TYPES

# Their value may hold any byte and is as long as the length field before it says.
DATA_TYPES = frozenset({"DATA", "XMLDATA"})

# Their value is one or more values separated by single blanks, each of them enumerated.
MULTIPLE_VALUE_TYPES = frozenset(
    {"MULTIPLEVALUESTRING", "MULTIPLESTRINGVALUE", "MULTIPLECHARVALUE"}
)


@dataclass(frozen=True, slots=True)
class FixField:
    """A field of the dictionary, wherever it is used."""

    tag: int
    name: str
    # Upper case, as the dictionary spells it; one unknown to us is to be taken as STRING.
    type: str
    # Enumerated value -> its description; empty: not enumerated.
    values: Mapping[bytes, str]
    # Values beside the enumerated ones are allowed, or none is enumerated.
    open: bool
    # Data fields: tag of the field that gives the length. 0: none known, so it ends at SOH.
    length_tag: int = 0
    # Length fields: tag of the data field that follows. 0: it gives no field's length.
    data_tag: int = 0

    @property
    def is_data(self) -> bool:
        return self.type in DATA_TYPES

    @property
    def is_multiple(self) -> bool:
        return self.type in MULTIPLE_VALUE_TYPES


@dataclass(frozen=True, slots=True)
class FixMember:
    """A field at its place in a section; with members of its own it counts a repeating group."""

    field: FixField
    # In a group: required in each entry.
    required: bool
    members: tuple[FixMember, ...] = ()

    @property
    def tag(self) -> int:
        return self.field.tag

    @property
    def is_group(self) -> bool:
        return bool(self.members)

    @property
    def delimiter(self) -> int:
        """Tag that begins each entry of the group: its first member. 0: not a group."""
        return self.members[0].field.tag if self.members else 0


@dataclass(frozen=True, slots=True)
class FixMessage:
    """A message type and its body, header and trailer left out."""

    msg_type: bytes
    name: str
    members: tuple[FixMember, ...]

    @property
    def is_admin(self) -> bool:
        """By the standard, not by msgcat: QuickFIX's FIX44.xml calls XMLnonFIX(n) admin."""
        return self.msg_type in ADMIN_MSG_TYPES

    @property
    def is_named_only(self) -> bool:
        """The type exists, but the dictionary tells nothing of its body: not to be validated."""
        return not self.members


@dataclass(frozen=True, slots=True)
class FixDictionary:
    """A whole dictionary. Iteration follows the file it came from."""

    # As BeginString(8) spells it, with the service pack behind: FIX.4.4, FIXT.1.1, FIX.5.0SP2.
    version: str
    # Empty for FIX 5.0 and later, whose header and trailer are those of FIXT 1.1.
    header: tuple[FixMember, ...]
    trailer: tuple[FixMember, ...]
    # By MsgType(35).
    messages: Mapping[bytes, FixMessage]
    messages_by_name: Mapping[str, FixMessage]
    # By tag.
    fields: Mapping[int, FixField]
    fields_by_name: Mapping[str, FixField]
