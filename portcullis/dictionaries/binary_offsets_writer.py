"""Writes the constants by which compiled codecs read and write binary messages.

For each protocol `<name>_offsets.py` and `<name>_offsets.pxd`: of each message its type byte, if
it has one, its length and each field's offset, all counted from the message's first byte. Made
from the declarations (`binary_layouts`), committed, and held to them by a test. So are those of
the report stream, made from its SBE schema; there offsets count from the block behind the header.
Run `python -m portcullis.dictionaries.binary_offsets_writer` after a change of a declaration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from portcullis.dictionaries import moldudp64, ouch, soupbintcp
from portcullis.dictionaries.binary_layouts import Message, constant_name
from portcullis.dictionaries.sbe_schema import REPORT_STREAM, read_schema

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
    "moldudp64": (
        moldudp64.MESSAGES,
        {
            "BLOCK_HEADER_BYTES": moldudp64.BLOCK_HEADER_BYTES,
            "COUNT_HEARTBEAT": moldudp64.COUNT_HEARTBEAT,
            "COUNT_END_OF_SESSION": moldudp64.COUNT_END_OF_SESSION,
            "MESSAGES_MAX": moldudp64.MESSAGES_MAX,
        },
    ),
}


def constants(protocol: str) -> dict[str, int]:
    """Constant name -> value: <MESSAGE>_TYPE, <MESSAGE>_BYTES, <MESSAGE>_<FIELD>."""
    messages, found = PROTOCOLS[protocol]
    found = dict(found)
    for message in messages:
        prefix = constant_name(message)
        if message.letter:
            found[f"{prefix}_TYPE"] = ord(message.letter)
        found[f"{prefix}_BYTES"] = message.size
        for field in message.fields():
            found[f"{prefix}_{field.name.upper()}"] = field.offset
    return found


def schema_constants() -> dict[str, int]:
    """The same of the report stream: <MESSAGE>_TEMPLATE_ID, _BLOCK_LENGTH, _BODY_BYTES, _<FIELD>.

    _BODY_BYTES: what stands behind the header where all data is empty.
    """
    schema = read_schema()
    found = {
        "SCHEMA_ID": schema.schema_id,
        "VERSION": schema.version,
        "HEADER_BYTES": schema.header_length,
    }
    found |= {f"HEADER_{_capitals(field.name)}": field.offset for field in schema.header}
    for message in schema.messages:
        prefix = _capitals(message.name)
        found[f"{prefix}_TEMPLATE_ID"] = message.template_id
        found[f"{prefix}_BLOCK_LENGTH"] = message.block_length
        found[f"{prefix}_BODY_BYTES"] = message.size
        for field in message.fields:
            found[f"{prefix}_{_capitals(field.name)}"] = field.offset
    return found


def _capitals(name: str) -> str:
    """ExecutionReport, clOrdId -> EXECUTION_REPORT, CL_ORD_ID."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def all_constants() -> dict[Path, dict[str, int]]:
    """By declaration: what its `_offsets` files hold."""
    found = {FOLDER / f"{protocol}.py": constants(protocol) for protocol in PROTOCOLS}
    found[REPORT_STREAM] = schema_constants()
    return found


def offsets_path(declaration: Path) -> Path:
    """Where the constants of a declaration stand; beside it the .pxd."""
    return declaration.with_name(f"{declaration.stem}_offsets.py")


def module_text(declaration: Path, values: Mapping[str, int]) -> str:
    """The text of <protocol>_offsets.py."""
    lines = [
        f"# Made from {declaration.name} by `{COMMAND}`.",
        f'"""Types, lengths and offsets of the messages that `{declaration.stem}` declares."""',
        "",
    ]
    lines.extend(f"{name} = {value}" for name, value in values.items())
    return "\n".join(lines) + "\n"


def declarations_text(declaration: Path, values: Mapping[str, int]) -> str:
    """The text of the .pxd: the same constants as an anonymous C enumeration."""
    lines = [f"# Made from {declaration.name} by `{COMMAND}`.", "", "cdef enum:"]
    lines.extend(f"    {name} = {value}" for name, value in values.items())
    return "\n".join(lines) + "\n"


def main() -> None:
    for declaration, values in all_constants().items():
        path = offsets_path(declaration)
        _write(path, module_text(declaration, values))
        _write(path.with_suffix(".pxd"), declarations_text(declaration, values))


def _write(path: Path, text: str) -> None:
    """Leave a file alone that says it already: a new time on it would compile its users again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


if __name__ == "__main__":
    main()
