"""The text of docs/configuration.md, made from the schema so that the two cannot differ.

Owns the page's wording around the tables of keys. `python -m portcullis.gateway.config_document`
writes it; a test compares.
"""

from __future__ import annotations

import msgspec
from msgspec import inspect

from portcullis.gateway import config_schema as schema
from portcullis.gateway.config_sessions import FixClient, OuchClient
from portcullis.gateway.config_values import Duration, Size

_OPENING = """# Configuration

Made from `portcullis/gateway/config_schema.py` by `python -m portcullis.gateway.config_document`;
not edited by hand.

`portcullis serve --config FILE --data DIR` reads TOML. Without `--config` it runs on the default
at the end of this page. Whatever is wrong is said in one line that names file, key and what was
expected, and the exit code is 2, before anything listens.

Files that it names (dictionaries, password hashes) are read then, too, before a row is written.

An account exists by being named in a session, and a start logs each new one (`accounts_new`).
Where any `[[account]]` stands, all have to: then a misspelt name is an error.

A restart takes a changed file up: what differs is written to the journal. Instruments, accounts
and sessions keep their place in it for ever. An instrument that is no longer named is halted, a
session that is no longer named cannot log on; their orders stay.

`orders`, `ids`, `levels`, `instruments`, `accounts` and `sessions` of `[limits]` are written to
the journal too, and hold from the start on that changed them: each may be raised and lowered. One
lowered below what is in use refuses what is new until there is room. The last three must stay
above the number that the journal knows. Tables are as large as the largest that ever held.

Durations are written "50ms" (ns, us, ms, s, m, h), sizes "64KiB" (B, KiB, MiB, GiB, TiB),
addresses "127.0.0.1:9878", and prices and quantities in quotes, for they are decimals and not
floating-point numbers. Relative paths begin at the folder of the file.
"""

_TABLES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("[gateway]", schema.Gateway),
    ("[listen]", schema.Listen),
    ("[tls]", schema.Tls),
    ("[[instrument]]", schema.Instrument),
    ("[[account]]", schema.Account),
    ("[[schedule]]", schema.Schedule),
    ('[[session]], protocol = "fix"', FixClient),
    ('[[session]], protocol = "ouch"', OuchClient),
    ("[journal]", schema.Journal),
    ("[limits]", schema.Limits),
    ("[log]", schema.Log),
    ("[capture]", schema.Capture),
    ("[day]", schema.Day),
    ("[[stream]]", schema.Stream),
)

_DURATIONS = (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000))
_SHORT_DURATIONS = (("ms", 1_000_000), ("us", 1_000), ("ns", 1))
_SIZES = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))
_UNITS = {Duration: (*_DURATIONS, *_SHORT_DURATIONS), Size: _SIZES}


def document(default_toml: str) -> str:
    """The whole page. default_toml: the embedded default."""
    parts = [_OPENING]
    for title, table in _TABLES:
        parts.append(f"\n## `{title}`\n\n| key | default | what it is |\n|---|---|---|\n")
        fields = inspect.type_info(table)
        assert isinstance(fields, inspect.StructType)
        for entry in fields.fields:
            parts.append(f"| `{entry.name}` | {_default(entry)} | {_description(entry.type)} |\n")
    parts.append(f"\n## The embedded default\n\n```toml\n{default_toml.rstrip()}\n```\n")
    return "".join(parts)


def _description(kind: inspect.Type) -> str:
    """What the key's Meta says, with the values it may have: those listed, or its bounds."""
    text = ""
    if isinstance(kind, inspect.Metadata):
        text = (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    if isinstance(kind, inspect.UnionType):  # of a value, and none
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    if isinstance(kind, inspect.IntType):
        text += _bounds(kind)
    if isinstance(kind, inspect.LiteralType):
        text += " One of " + ", ".join(f'`"{value}"`' for value in kind.values) + "."
    return text


def _bounds(kind: inspect.IntType) -> str:
    """The least and the greatest number, and what it has to be a multiple of."""
    if kind.ge is None:
        return ""
    most = f" to {'2^31' if kind.le == 1 << 31 else f'{kind.le:,}'}" if kind.le else " on"
    multiple = f", a multiple of {kind.multiple_of}" if kind.multiple_of else ""
    return f" From {kind.ge:,}{most}{multiple}."


def _default(entry: inspect.Field) -> str:
    if entry.default_factory is not msgspec.NODEFAULT:
        return "`[]`"
    value = entry.default
    if value is msgspec.NODEFAULT:
        return "required"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    for kind, units in _UNITS.items():
        if isinstance(value, kind) and isinstance(value, int):
            unit, size = next((u, s) for u, s in units if value % s == 0)
            return f'`"{value // size}{unit}"`'
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


if __name__ == "__main__":
    from importlib import resources
    from pathlib import Path

    default = resources.files("portcullis.gateway").joinpath("default.toml").read_text()
    target = Path(__file__).parent.parent.parent / "docs" / "configuration.md"
    target.write_text(document(default))
