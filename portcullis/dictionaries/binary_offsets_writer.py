"""Writes the constants by which compiled codecs read and write binary messages.

For each protocol `<name>_offsets.py` and `<name>_offsets.pxd`: of each message its type byte, its
length and each field's offset, all counted from the type byte. Made from the declarations
(`binary_layouts`), committed, and held to them by a test.
Run `python -m portcullis.dictionaries.binary_offsets_writer` after a change of a declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from portcullis.dictionaries import ouch, soupbintcp
from portcullis.dictionaries.binary_layouts import Message, constant_name

COMMAND = "python -m portcullis.dictionaries.binary_offsets_writer"
FOLDER = Path(__file__).parent
# By protocol: its messages, and further constants of its declaration.
PROTOCOLS: dict[str, tuple[tuple[Message, ...], dict[str, int]]] = {
    "soupbintcp": (
        soupbintcp.MESSAGES,
        {"HEADER_BYTES": soupbintcp.HEADER_BYTES, "LENGTH_MAX": soupbintcp.LENGTH_MAX},
    ),
    "ouch": (
        ouch.MESSAGES,
        {
            "PRICE_MARKET": ouch.PRICE_MARKET,
            "PRICE_HIGHEST": ouch.PRICE_HIGHEST,
            "SHARES_MAX": ouch.SHARES_MAX,
            "TIME_IN_FORCE_MAX": ouch.TIME_IN_FORCE_MAX,
        },
    ),
}


def constants(protocol: str) -> dict[str, int]:
    """Constant name -> value: <MESSAGE>_TYPE, <MESSAGE>_BYTES, <MESSAGE>_<FIELD>."""
    messages, found = PROTOCOLS[protocol]
    found = dict(found)
    for message in messages:
        prefix = constant_name(message)
        found[f"{prefix}_TYPE"] = ord(message.letter)
        found[f"{prefix}_BYTES"] = message.size
        for field in message.fields():
            found[f"{prefix}_{field.name.upper()}"] = field.offset
    return found


def module_text(protocol: str, values: Mapping[str, int]) -> str:
    """The text of <protocol>_offsets.py."""
    lines = [
        f"# Made from {protocol}.py by `{COMMAND}`.",
        f'"""Types, lengths and offsets of the messages that `{protocol}` declares."""',
        "",
    ]
    lines.extend(f"{name} = {value}" for name, value in values.items())
    return "\n".join(lines) + "\n"


def declarations_text(protocol: str, values: Mapping[str, int]) -> str:
    """The text of the .pxd: the same constants as an anonymous C enumeration."""
    lines = [f"# Made from {protocol}.py by `{COMMAND}`.", "", "cdef enum:"]
    lines.extend(f"    {name} = {value}" for name, value in values.items())
    return "\n".join(lines) + "\n"


def main() -> None:
    for protocol in PROTOCOLS:
        values = constants(protocol)
        path = FOLDER / f"{protocol}_offsets.py"
        path.write_text(module_text(protocol, values))
        path.with_suffix(".pxd").write_text(declarations_text(protocol, values))


if __name__ == "__main__":
    main()
