"""Writes `fix_tags.py` and `fix_tags.pxd`: a constant for each tag that FIX44.xml uses.

Used is a field that stands in the header, the trailer or a message; one that is only listed has
no place in our code. Owns the spelling of the constants, nothing else. The two files are
committed, so that editors, type checkers and compiled modules see plain constants; a test holds
them to the dictionary. Run `python -m portcullis.dictionaries.fix_tags_writer` after a change of
FIX44.xml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from portcullis.dictionaries.fix_xml import load_dictionary

SOURCE = "FIX44.xml"
MODULE = Path(__file__).with_name("fix_tags.py")
COMMAND = "python -m portcullis.dictionaries.fix_tags_writer"

# A word begins at a capital after a small letter or digit, and at the last capital of a run that
# a small letter follows: ClOrdID -> CL_ORD_ID, CFICode -> CFI_CODE.
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def constant_name(field_name: str) -> str:
    """The constant of a field: NoPartyIDs -> NO_PARTY_IDS."""
    # Runs of capitals whose bounds the letters don't show: a plural, and IOI before ID.
    plain = field_name.replace("IDs", "Ids").replace("IOIID", "IoiId")
    return _WORD.sub("_", plain).upper()


def tag_constants() -> dict[str, int]:
    """Constant name -> tag, ascending by tag."""
    dictionary = load_dictionary(SOURCE)
    used: dict[int, str] = {}
    unseen = [*dictionary.header, *dictionary.trailer]
    for message in dictionary.messages.values():
        unseen.extend(message.members)
    while unseen:
        member = unseen.pop()
        used[member.tag] = constant_name(member.field.name)
        unseen.extend(member.members)
    constants = {used[tag]: tag for tag in sorted(used)}
    if len(constants) != len(used):
        raise ValueError(f"{SOURCE}: two field names give the same constant")
    return constants


def module_text(constants: Mapping[str, int]) -> str:
    """The text of fix_tags.py."""
    lines = [
        f"# Made from {SOURCE} by `{COMMAND}`; not edited by hand.",
        '"""Tags of FIX 4.4 by the name of their field."""',
        "",
    ]
    lines.extend(f"{name} = {tag}" for name, tag in constants.items())
    return "\n".join(lines) + "\n"


def declarations_text(constants: Mapping[str, int]) -> str:
    """The text of fix_tags.pxd: the same constants as an anonymous C enumeration."""
    lines = [f"# Made from {SOURCE} by `{COMMAND}`; not edited by hand.", "", "cdef enum:"]
    lines.extend(f"    {name} = {tag}" for name, tag in constants.items())
    return "\n".join(lines) + "\n"


def main() -> None:
    constants = tag_constants()
    MODULE.write_text(module_text(constants))
    MODULE.with_suffix(".pxd").write_text(declarations_text(constants))


if __name__ == "__main__":
    main()
