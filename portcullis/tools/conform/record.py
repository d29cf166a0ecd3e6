"""Turns what a FIX session said into a scenario: times and ids stand for any.

Owns the way from messages to lines of our language. What a client made up (ClOrdIDs and the like)
becomes `{new ...}`, what the gateway made up is caught where it first comes; what follows refers
to both. Messages come from a log, or from a live session that passes through. Must not know
how a scenario is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import simplefix
import simplefix.errors

from portcullis.tools.conform.fix_names import MESSAGES, SECRETS
from portcullis.tools.conform.link import TargetError, reason
from portcullis.tools.conform.values import SOH, number_of

LOG_BYTES_MAX = 64 << 20
MESSAGES_MAX = 100_000
READ_BYTES = 1 << 16
# The tool fills these in itself, or they are the frame's.
_OWN = frozenset((8, 9, 10, 34, 35, 49, 52, 56))
_TIMES = frozenset((42, 60, 122))
# Ids, and what names them in variables.
_IDS = {
    11: "order", 41: "order", 526: "order", 583: "order", 37: "venue_order", 17: "exec",
    19: "exec", 527: "match", 198: "venue_order", 112: "test", 584: "status", 790: "status",
    379: "order",
}  # fmt: skip
# Numbers of messages: of whom, the speaker (True) or the one spoken to.
_NUMBERS = {7: False, 16: False, 36: True, 45: False}
_MESSAGE = re.compile(rb"8=FIXT?\.[^\x01|^]*([\x01|^]).*?\1?10=\d{3}(?=\1|\s|$)", re.DOTALL)


class RecordError(Exception):
    """Nothing can be recorded from this; the text says why."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message. by_client: whether the initiator of the session sent it."""

    by_client: bool
    fields: tuple[tuple[int, str], ...]

    def get(self, tag: int) -> str:
        return next((value for key, value in self.fields if key == tag), "")


def read_log(path: Path) -> list[Spoken]:
    """The messages of a log, one session's: the first Logon in it is the client's.

    Takes QuickFIX's logs, Portcullis' and any text that has messages in it, with SOH, `|` or
    `^` between fields. RecordError where there are none, or more sessions than one.
    """
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from None
    if len(octets) > LOG_BYTES_MAX:
        raise RecordError(f"{path}: more than {LOG_BYTES_MAX} bytes")
    found = [
        _fields(match[0].replace(match[1], b"\x01") + b"\x01")
        for match in _MESSAGE.finditer(octets)
    ]
    messages = [Spoken(False, fields) for fields in found if fields]
    logon = next((one for one in messages if one.get(35) == "A"), None)
    if logon is None:
        raise RecordError(f"{path}: no Logon in it: expected FIX messages, one session's")
    client, target = logon.get(49), logon.get(56)
    others = {frozenset((one.get(49), one.get(56))) for one in messages} - {
        frozenset((client, target))
    }
    if others:
        names = ", ".join("/".join(sorted(pair)) for pair in sorted(map(sorted, others)))
        raise RecordError(f"{path}: more than one session: {client}/{target} and {names}")
    return [Spoken(one.get(49) == client, one.fields) for one in messages]


def _fields(octets: bytes) -> tuple[tuple[int, str], ...]:
    parser = simplefix.FixParser(allow_empty_values=True)
    try:
        parser.append_buffer(octets)
        message = parser.get_message()
    except simplefix.errors.ParsingError:
        return ()
    if message is None:
        return ()
    return tuple((int(tag), value.decode("latin-1")) for tag, value in message.pairs)


def as_scenario(messages: Iterable[Spoken], name: str, title: str) -> str:
    """The text of a `.scenario` file. RecordError where nothing was said."""
    writer = _Writer()
    lines = [line for message in messages for line in writer.lines(message)]
    if not lines:
        raise RecordError("no message was recorded")
    if not writer.ended:
        lines.append("disconnect")
    opening = ["# Recorded. Times and ids stand for any; look at what else should not be literal."]
    opening += ["protocol fix", "area     Recorded", "", f"scenario {name} {title}"]
    opening.append("  rule Recorded from a session: the answers are as they were.")
    return "\n".join([*opening, *(f"  {line}" for line in lines)]) + "\n"


class _Writer:
    """Lines for messages, with the names that were given to values so far."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._logons = 0
        # Who has said Logout on this connection: True, the client.
        self._logouts: set[bool] = set()
        self._next = {True: 1, False: 1}

    @property
    def ended(self) -> bool:
        """Whether the connection has come to its end."""
        return bool(self._logouts)

    def lines(self, message: Spoken) -> list[str]:
        """What this message is in a scenario; none: `logon` says it, or nobody was there."""
        msg_type = message.get(35)
        if msg_type == "0" and not message.get(112):
            self._count(message)
            return [] if not message.by_client else ["send Heartbeat"]
        if len(self._logouts) == 2 and not (msg_type == "A" and message.by_client):
            self._count(message)  # numbered while the client was away
            return []
        opening = []
        if msg_type == "A" and message.by_client:
            self._logons += 1
            self._logouts.clear()
            opening = ["disconnect", "connect"]  # of another connection than the first
            if message.get(141) == "Y":
                self._next = {True: 1, False: 1}
        if msg_type == "A" and self._logons == 1:
            self._count(message)
            if not message.by_client:
                return []
            fields = [
                f"{tag}={value}" for tag, value in message.fields if tag == 108 and value != "30"
            ]
            return [" ".join(["logon", *fields])]
        if msg_type == "5":
            self._logouts.add(message.by_client)
        name = MESSAGES.get(msg_type, msg_type)
        shown = self._number(message) + [
            text
            for tag, value in message.fields
            if tag not in _OWN and (text := self._field(tag, value, message.by_client))
        ]
        self._count(message)
        verb = "send" if message.by_client else "expect"
        return [*opening, f"{verb} {name} {'|'.join(shown)}".rstrip()]

    def _number(self, message: Spoken) -> list[str]:
        """MsgSeqNum(34), where it is not just the next."""
        number = message.get(34)
        count = number_of(number)
        if count is None:
            return ["!34"] if message.by_client else []
        if message.get(141) == "Y" and message.by_client:
            return [f"34={number}"]  # the numbers begin anew
        expected = self._next[message.by_client]
        if count == expected:
            return []
        return [f"34={self._relative(count, message.by_client)}"]

    def _relative(self, number: int, of_client: bool) -> str:
        """A message number as one before or behind the next of the client, or of the other."""
        offset = number - self._next[of_client]
        return f"{{{'next' if of_client else 'theirs'}{f'{offset:+d}' if offset else ''}}}"

    def _count(self, message: Spoken) -> None:
        number = number_of(message.get(34))
        if number is not None and message.get(43) != "Y":
            self._next[message.by_client] = number + 1

    def _field(self, tag: int, value: str, by_client: bool) -> str:
        if tag in SECRETS:
            return "" if not by_client else f"{tag}={{password}}"
        if tag in _TIMES:
            return f"{tag}={{now}}" if by_client else f"{tag}=*"
        if tag in _NUMBERS and (number := number_of(value)):
            of_client = by_client is _NUMBERS[tag]
            return f"{tag}={self._relative(number, of_client)}"
        kind = _IDS.get(tag)
        if kind is None or value in ("NONE", "0", ""):
            escaped = value.replace("\\", "\\\\").replace("|", "\\|").replace(SOH, "\\x01")
            return f"{tag}={escaped}"
        known = self._names.get((kind, value))
        if known is not None:
            return f"{tag}={{{known}}}"
        taken = sum(one == kind for one, _ in self._names)
        new = self._names[kind, value] = f"{kind}{taken + 1}"
        return f"{tag}={{{'new' if by_client else 'get'} {new}}}"


class Passage:
    """A live session that passes through: what either side says is kept."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self.spoken: list[Spoken] = []
        self.fault = ""
        self.ended = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_used = False

    def stop(self) -> None:
        """End now, whoever is connected."""
        self._stopping.set()
        if not self._is_used:
            self.ended.set()

    async def pass_through(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection of a client, until either side closes; another is refused."""
        if self._is_used:  # what two say at once would be no scenario
            writer.transport.abort()
            click.echo("refused another connection: one session is recorded", err=True)
            return
        self._is_used = True
        try:
            there, away = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            self.fault = f"cannot connect to {self._host}:{self._port}: {reason(error)}"
            writer.transport.abort()
            self.ended.set()
            return
        ways = [
            asyncio.create_task(self._carry(reader, away, True)),
            asyncio.create_task(self._carry(there, writer, False)),
            asyncio.create_task(self._stopping.wait()),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        writer.close()
        away.close()
        self.ended.set()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by_client: bool
    ) -> None:
        parser = simplefix.FixParser(allow_empty_values=True)
        try:
            while octets := await reader.read(READ_BYTES):
                writer.write(octets)
                await writer.drain()
                parser.append_buffer(octets)
                while (found := parser.get_message()) is not None:
                    fields = tuple((int(t), v.decode("latin-1")) for t, v in found.pairs)
                    if len(self.spoken) < MESSAGES_MAX:
                        self.spoken.append(Spoken(by_client, fields))
        except simplefix.errors.ParsingError:
            self.fault = f"what the {'client' if by_client else 'target'} says is no FIX"
        except OSError:
            return


async def record_live(host: str, port: int, listen_host: str, listen_port: int) -> list[Spoken]:
    """Let one client through to the target, and give what was said when it has gone.

    An interrupt ends it as well. TargetError where it cannot listen, RecordError where it came to
    nothing.
    """
    passage = Passage(host, port)
    try:
        server = await asyncio.start_server(passage.pass_through, listen_host, listen_port)
    except OSError as error:
        text = f"cannot listen on {listen_host}:{listen_port}: {reason(error)}"
        raise TargetError(text) from None
    loop = asyncio.get_running_loop()
    # Only the main thread of a process is interrupted.
    with contextlib.suppress(ValueError, RuntimeError):
        loop.add_signal_handler(signal.SIGINT, passage.stop)
    async with server:
        await passage.ended.wait()
    if not passage.spoken and passage.fault:
        raise RecordError(passage.fault)
    return passage.spoken
