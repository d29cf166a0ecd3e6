"""The values a configuration file is written in: durations, sizes, addresses, decimals, times.

Owns how each is spelt and what each becomes, and what a table of them is; knows no key. Every
parser raises ValueError whose text says what was expected, and `config` puts file and key in front
of it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from portcullis.sessions import schedule

ASCII_NAME = r"^[!-~]{1,64}$"
CompId = Annotated[str, Meta(pattern=ASCII_NAME)]
Name = Annotated[str, Meta(pattern=r"^[!-~]{1,24}$")]
EntryPoint = Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
Count = Annotated[int, Meta(ge=1, le=1 << 31)]
Rate = Annotated[int, Meta(ge=0, le=10_000_000)]  # 0: any
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB|TiB)")
_OCTETS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_DECIMAL = re.compile(r"\d{1,18}(?:\.\d{1,18})?")
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; unknown keys are refused, for a misspelt limit is no limit."""


class Duration(int):
    """Nanoseconds, written "50ms", "2s", "1.5m"."""

    spelling = 'a duration such as "50ms" (units: ns, us, ms, s, m, h)'

    @classmethod
    def parse(cls, text: str) -> Duration:
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError
        whole, _, fraction = match[1].partition(".")
        unit = _NANOSECONDS[match[2]]
        return cls(int(whole + fraction) * unit // 10 ** len(fraction))


class Size(int):
    """Bytes, written "64KiB", "1MiB"."""

    spelling = 'a size such as "64KiB" (units: B, KiB, MiB, GiB, TiB)'

    @classmethod
    def parse(cls, text: str) -> Size:
        match = _SIZE.fullmatch(text)
        if match is None:
            raise ValueError
        return cls(int(match[1]) * _OCTETS[match[2]])


class Address(str):
    """Where to listen or send, written "127.0.0.1:9878" or "[::1]:9878"; port 0: any free one."""

    spelling = 'an address such as "127.0.0.1:9878"'

    @classmethod
    def parse(cls, text: str) -> Address:
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError
        ipaddress.ip_address(host.strip("[]"))
        return cls(text)

    @property
    def host(self) -> str:
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.rpartition(":")[2])


class Address4(str):
    """An IPv4 address without a port, written "127.0.0.1"."""

    spelling = 'an IPv4 address such as "127.0.0.1"'

    @classmethod
    def parse(cls, text: str) -> Address4:
        ipaddress.IPv4Address(text)
        return cls(text)


class Decimal(str):
    """A number above zero, written "0.01"; kept as text, for no float may touch a price."""

    spelling = 'a decimal above zero, in quotes, such as "0.01"'

    @classmethod
    def parse(cls, text: str) -> Decimal:
        if _DECIMAL.fullmatch(text) is None or not text.strip("0."):
            raise ValueError
        return cls(text)

    @property
    def decimals(self) -> int:
        """Digits behind the point that matter."""
        return len(self.partition(".")[2].rstrip("0"))

    def scaled(self, decimals: int) -> int:
        """The number in units of 10^-decimals; ValueError where it has more digits than that."""
        if self.decimals > decimals:
            raise ValueError(f"{self} has more than {decimals} decimals")
        whole, _, fraction = self.partition(".")
        return int(whole + fraction.rstrip("0").ljust(decimals, "0"))


class Clock(str):
    """A time of day, written "00:00"."""

    spelling = 'a time of day such as "17:00"'

    @classmethod
    def parse(cls, text: str) -> Clock:
        if _CLOCK.fullmatch(text) is None:
            raise ValueError
        return cls(text)


class Window(str):
    """When a schedule lets sessions log on: once a week, or at the same times of several days."""

    spelling = schedule.WINDOW_SPELLING

    @classmethod
    def parse(cls, text: str) -> Window:
        schedule.parse_window(text)
        return cls(text)


class Moment(str):
    """Times of the week, the same on several days."""

    spelling = schedule.MOMENT_SPELLING

    @classmethod
    def parse(cls, text: str) -> Moment:
        schedule.parse_moments(text)
        return cls(text)


VALUE_TYPES = (Duration, Size, Address, Address4, Decimal, Clock, Window, Moment)


def decode(kind: type[Any], value: object) -> object:
    """Parse a value of one of the types above (msgspec's hook for types it does not know)."""
    for known in VALUE_TYPES:
        if kind is known:
            if isinstance(value, str):
                try:
                    return known.parse(value)
                except ValueError:
                    pass
            raise ValueError(f"Expected {known.spelling}, got {value!r}")
    raise NotImplementedError(kind)
