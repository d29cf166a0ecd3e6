"""Loading a configuration: TOML in, checked values or one clear line out.

Owns how files are found and how what is wrong is said: ConfigError names file, key and what was
expected, and nothing listens before all is checked. The keys themselves are in `config_schema`;
what they mean for the engine is in `registry`.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
import zoneinfo
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from portcullis.gateway.config_files import ConfigFiles
from portcullis.gateway.config_schema import (
    OUCH_PRICE_MAX,
    Config,
    Instrument,
    Stream,
    ouch_price_units_max,
)
from portcullis.gateway.config_sessions import FixClient, OuchClient
from portcullis.gateway.config_values import Address, decode

EMBEDDED = "embedded default"
NO_SCHEDULE = "none"
MESSAGE_BYTES_MAX = 60 << 10  # an answer that repeats a whole value must fit a text item of 64 KiB
PRODUCT_MAX = 1 << 62  # price x quantity of an order, in units: see docs/architecture.md, Numbers
DECIMALS_MAX = 9  # with them and a bound of 2^62 a price still has nine digits before the point
OUCH_DECIMALS = 4  # of prices on the wire
STREAMS_MAX = 16
STREAM_NAME_MAX = 16  # characters of a name in a stream's messages
# Of a stream, in nanoseconds: more often were a packet a turn, seldom a loss that nobody notices.
HEARTBEAT_MIN, HEARTBEAT_MAX = 10_000_000, 60_000_000_000
STALL_MAX = 10_000_000_000  # a line that takes nothing for longer is dead, and holds up the other
_ZONE = 'expected a zone such as "UTC"'
_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration, where its relative paths begin, and the files it names."""

    config: Config
    source: str
    folder: Path
    # What was loaded: the back office is given the same.
    text: str = ""
    files: ConfigFiles = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", ConfigFiles(self.folder))

    def path(self, text: str) -> Path:
        """A path of the file: relative ones begin at its folder."""
        return self.folder / text


def load(path: Path | None) -> Loaded:
    """Load a file, or the embedded default. ConfigError says what is wrong in one line."""
    if path is None:
        text = resources.files("portcullis.gateway").joinpath("default.toml").read_text()
        return _with_files(Loaded(parse(text, EMBEDDED), EMBEDDED, Path(), text))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text") from None
    return _with_files(Loaded(parse(text, str(path)), str(path), path.parent, text))


def _with_files(loaded: Loaded) -> Loaded:
    """The same, once every file that it names has been read."""
    if loaded.config.listen.fix_tls is not None:
        try:
            loaded.files.tls(loaded.config.tls)
        except ValueError as error:
            raise ConfigError(f"{loaded.source}: [tls] {error}") from None
    for table in ("session", "stream"):
        for number, one in enumerate(getattr(loaded.config, table), 1):
            try:
                loaded.files.check(one)
            except ValueError as error:
                raise ConfigError(f"{loaded.source}: [[{table}]] {number} {error}") from None
    return loaded


def parse(text: str, source: str) -> Config:
    """Turn TOML into a checked configuration."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: expected TOML: {error}") from None
    try:
        config = msgspec.convert(document, Config, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_explain(str(error), document)}") from None
    problem = _inconsistency(config)
    if problem is not None:
        raise ConfigError(f"{source}: {problem}")
    return config


def _decode(kind: type[Any], value: object) -> object:
    return decode(kind, value)


# --- what is wrong, in words -------------------------------------------------------------------


def _explain(message: str, document: dict[str, Any]) -> str:
    """msgspec's message as `[table] key name: what was expected`."""
    match = _WHERE.search(message)
    path = match["path"] if match else ""
    text = message[: match.start()] if match else message
    steps: list[str | int] = [
        int(step) if step.isdigit() else step for step in re.findall(r"\w+", path)
    ]
    kind, value = _walk(steps, document)
    unknown = _UNKNOWN.match(text)
    if unknown:
        known = _keys(kind)
        close = difflib.get_close_matches(unknown["name"], known, 1)
        meant = f"did you mean {close[0]}? " if close else ""
        place = _place([*steps, unknown["name"]])
        return f"{place}: unknown; {meant}expected one of {', '.join(known)}"
    missing = _MISSING.match(text)
    if missing:
        return f"{_place([*steps, missing['name']])}: missing; it has no default"
    if text.startswith(("Invalid enum value", "Invalid value")):
        choices = " or ".join(f'"{choice}"' for choice in _choices(kind))
        return f"{_place(steps)}: expected {choices}, got {value!r}"
    said = text.replace("`array`", "an array").replace("`object`", "a table").replace("`", "")
    if ", got" not in said and value is not None:
        said += f", got {value!r}"
    return f"{_place(steps)}: {said[0].lower()}{said[1:]}"


def _place(steps: list[str | int]) -> str:
    """Where it stands, as TOML shows it: `[listen] key fix`, `[[session]] 2 key client`."""
    where = ""
    names = [step for step in steps if isinstance(step, str)]
    table = names[0] if names else ""
    position = steps[1] if len(steps) > 1 and isinstance(steps[1], int) else None
    if position is not None:
        where = f"[[{table}]] {position + 1}"
    elif len(names) > 1:
        where = f"[{table}]"
    else:
        return f"key {table}"
    return f"{where} key {names[1]}" if len(names) > 1 else where


def _walk(steps: list[str | int], document: Any) -> tuple[Any, Any]:
    """The type that stands at a place of the schema, and the value that stands there."""
    kind: Any = Config
    value: Any = document
    for step in steps:
        if isinstance(step, int):
            value = value[step]
            kind = get_args(kind)[0]
        elif step == "protocol":
            return Literal["fix", "ouch"], value.get(step)
        else:
            kind = get_type_hints(_one(kind, value))[step]
            value = value.get(step)
        if get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind):
            kind = next(part for part in get_args(kind) if part is not type(None))
    return _one(kind, value), value


def _one(kind: Any, value: Any) -> Any:
    """Of the two kinds of session, the one meant."""
    if get_origin(kind) in (Union, UnionType):
        ouch = isinstance(value, dict) and value.get("protocol") == "ouch"
        return OuchClient if ouch else FixClient
    return kind


def _keys(kind: Any) -> list[str]:
    names = [entry.name for entry in msgspec.structs.fields(kind)]
    return ["protocol", *names] if kind in (FixClient, OuchClient) else names


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


# --- what does not go together -----------------------------------------------------------------


def _inconsistency(config: Config) -> str | None:
    """The first rule between keys that does not hold, or None."""
    seen: set[str] = set()
    ouch_names: set[str] = set()
    for number, instrument in enumerate(config.instrument, 1):
        problem = _instrument_problem(instrument)
        if instrument.symbol in seen:
            problem = "key symbol: stands twice"
        if instrument.ouch in ouch_names:
            problem = "key ouch: stands twice"
        if problem:
            return f"[[instrument]] {number} {problem}"
        seen.add(instrument.symbol)
        if instrument.ouch:
            ouch_names.add(instrument.ouch)
    accounts = [account.name for account in config.account]
    for number, name in enumerate(accounts):
        if name in accounts[:number]:
            return f"[[account]] {number + 1} key name: stands twice"
    schedules = {NO_SCHEDULE}
    for number, schedule in enumerate(config.schedule, 1):
        if schedule.name in schedules:
            return f"[[schedule]] {number} key name: taken"
        if not _is_zone(schedule.timezone):
            return f"[[schedule]] {number} key timezone: {_ZONE}, got {schedule.timezone!r}"
        schedules.add(schedule.name)
    identities: set[tuple[str, str]] = set()
    for number, session in enumerate(config.session, 1):
        if isinstance(session, OuchClient):
            identity, key = ("", session.username.upper()), "username"
            problem = _guard_problem(session)
        else:
            identity, key = (config.comp_id_of(session), session.client), "client"
            problem = _session_problem(session, schedules) or _tls_problem(session, config)
        problem = problem or _account_problem(session, accounts)
        if identity in identities:
            what = "name" if key == "username" else "pair of CompIDs"
            problem = f"key {key}: this {what} stands twice"
        if problem:
            return f"[[session]] {number} {problem}"
        identities.add(identity)
    problem = _stream_problem(config, accounts) or _listener_problem(config)
    if problem:
        return problem
    if config.ouch_sessions() and config.listen.ouch is None:
        return "[listen] key ouch: missing; there are OUCH users, and nowhere to log in"
    if not _is_zone(config.day.timezone):
        return f"[day] key timezone: {_ZONE}, got {config.day.timezone!r}"
    limits = config.limits
    if limits.unauthenticated > limits.connections:
        return "[limits] key unauthenticated: expected at most limits.connections"
    if limits.message_bytes > MESSAGE_BYTES_MAX:
        return f'[limits] key message_bytes: expected at most "{MESSAGE_BYTES_MAX >> 10}KiB"'
    if limits.read_bytes < 2 * limits.message_bytes:
        return "[limits] key read_bytes: expected at least twice limits.message_bytes"
    for key, named in (("instruments", config.instrument), ("sessions", config.session)):
        if len(named) > getattr(limits, key):
            return f"[limits] key {key}: expected at least {len(named)}, for so many are named"
    return None


def _instrument_problem(instrument: Instrument) -> str | None:
    if instrument.route != "book":
        return f'key route: expected "book"; "{instrument.route}" is not served by this version'
    if instrument.ouch is not None and instrument.tick.decimals > OUCH_DECIMALS:
        return "key tick: expected a multiple of 0.0001, for the instrument has an OUCH name"
    prices, quantities = instrument.price_places, instrument.qty_places
    for key, places, value in (
        ("tick", prices, instrument.tick),
        ("lot", quantities, instrument.lot),
        ("price_max", prices, instrument.price_max),
        ("qty_max", quantities, instrument.qty_max),
    ):
        if places > DECIMALS_MAX:
            return f"key {key}: expected at most {DECIMALS_MAX} decimals, got {value}"
        if value is not None and value.decimals > places:
            return f"key {key}: expected at most {places} decimals, got {value}"
    price_max = instrument.price_units_max(prices)
    if instrument.ouch is not None and price_max > ouch_price_units_max(prices):
        return f"key price_max: expected at most {OUCH_PRICE_MAX}, for it has an OUCH name"
    if price_max * instrument.qty_units_max(quantities) >= PRODUCT_MAX:
        return "key price_max: expected price_max x qty_max, in units of tick and lot, below 2^62"
    return None


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _account_problem(session: FixClient | OuchClient, described: list[str]) -> str | None:
    """A name that is none of the accounts described, where any is: a slip of the pen."""
    further = session.accounts if isinstance(session, FixClient) else []
    for key, name in (("account", session.account), *(("accounts", name) for name in further)):
        if described and name not in described:
            return f"key {key}: expected the name of an [[account]] of this file, got {name!r}"
    return None


def _accounts_named(config: Config) -> set[str]:
    """Those of the sessions."""
    named = {session.account for session in config.session}
    for session in (*config.fix_sessions(), *config.templates()):
        named.update(session.accounts)
    return named


def _stream_problem(config: Config, described: list[str]) -> str | None:
    """The first rule about streams that does not hold."""
    if len(config.stream) > STREAMS_MAX:
        return f"[[stream]]: expected at most {STREAMS_MAX}, for every turn walks through each"
    names: set[str] = set()
    groups: set[str] = set()
    for number, stream in enumerate(config.stream, 1):
        where = f"[[stream]] {number} key"
        if stream.name in names:
            return f"{where} name: stands twice"
        names.add(stream.name)
        for group in stream.groups:
            address = ipaddress.ip_address(group.host)
            if address.version != 4 or not address.is_multicast or not group.port:
                return f"{where} groups: expected an IPv4 multicast group and port, got {group!r}"
            if group in groups:
                return f"{where} groups: {group} stands twice"
            groups.add(group)
        if (problem := _guard_problem(stream)) is not None:
            return f"[[stream]] {number} {problem}"
        if stream.content == "trades" and stream.accounts:
            return f"{where} accounts: expected none, for trades are told without names"
        for name in stream.accounts:
            if described and name not in described:
                return f"{where} accounts: expected the name of an [[account]], got {name!r}"
            if not described and name not in _accounts_named(config) and not config.templates():
                return f"{where} accounts: expected the account of a [[session]], got {name!r}"
        if not HEARTBEAT_MIN <= stream.heartbeat <= HEARTBEAT_MAX:
            return f'{where} heartbeat: expected "10ms" to "1m"'
        if stream.stall_max > STALL_MAX:
            return f'{where} stall_max: expected at most "10s"'
        if stream.send_buffer < stream.packet_bytes:
            return f"{where} send_buffer: expected room for a packet of {stream.packet_bytes} B"
    if any(stream.content == "reports" for stream in config.stream):
        return _long_account(config)
    return None


def _listener_problem(config: Config) -> str | None:
    """An address of TCP that two would listen on: until one of them does, both may take it."""
    listen = config.listen
    named = [
        (f"[listen] key {key}", getattr(listen, key))
        for key in ("fix", "fix_tls", "ouch", "control")
    ]
    named += [(f"[[stream]] {n} key replay", one.replay) for n, one in enumerate(config.stream, 1)]
    taken: list[Address] = []
    for where, address in named:
        if address is None or not address.port:
            continue
        for other in taken:
            hosts = {ipaddress.ip_address(one.host) for one in (address, other)}
            if address.port == other.port and (
                len(hosts) == 1 or any(host.is_unspecified for host in hosts)
            ):
                return f"{where}: {address} is taken, by another key that says {other}"
        taken.append(address)
    return None


def _long_account(config: Config) -> str | None:
    """An account whose name a stream's message has no room for."""
    named = [(f"[[account]] {n} key name", [one.name]) for n, one in enumerate(config.account, 1)]
    for number, session in enumerate(config.session, 1):
        further = session.accounts if isinstance(session, FixClient) else []
        named.append((f"[[session]] {number} key account", [session.account, *further]))
    named += [
        (f"[[stream]] {n} key accounts", one.accounts) for n, one in enumerate(config.stream, 1)
    ]
    for where, names in named:
        for name in names:
            if len(name) > STREAM_NAME_MAX:
                return (
                    f"{where}: expected at most {STREAM_NAME_MAX} characters, for a [[stream]] "
                    f"says them, got {name!r}"
                )
    return None


def _tls_problem(session: FixClient, config: Config) -> str | None:
    if (session.tls or session.certificate) and config.listen.fix_tls is None:
        return "key tls: expected [listen] fix_tls, for the session may come over TLS only"
    if session.certificate and config.tls.client_certificates == "none":
        return "key certificate: expected [tls] client_certificates to ask for one"
    return None


def _session_problem(session: FixClient, schedules: set[str]) -> str | None:
    if session.schedule not in schedules:
        known = ", ".join(sorted(schedules))
        return f"key schedule: expected one of {known}, got {session.schedule!r}"
    if session.authenticator and (session.password_hash or session.password_file):
        return "key authenticator: expected either this or a password"
    return _guard_problem(session)


def _guard_problem(session: FixClient | OuchClient | Stream) -> str | None:
    if session.password_hash and session.password_file:
        return "key password_file: expected either this or password_hash"
    for text in session.addresses:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            return f'key addresses: expected a network such as "10.1.0.0/16", got {text!r}'
    if not isinstance(session, Stream) and session.cancel_grace > 0:
        if not session.cancel_on_disconnect:
            return "key cancel_grace: expected cancel_on_disconnect = true with it"
    return None
