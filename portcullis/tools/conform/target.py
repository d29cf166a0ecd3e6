"""What is under test: where it is, who may log on to it, and what it offers.

Owns the profile: read from a TOML file, from the command line, or both. Must not know scenarios.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from portcullis.tools.conform.values import number_of

PORT_MAX = 65535


class TargetConfigError(Exception):
    """The profile or an option cannot be used; the text says what was expected."""


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who logs on. name: CompID or username; password: Password(554) or SoupBinTCP's."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: str = ""


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The profile. Clients are dealt out in order: as many to each scenario as it needs.

    Without clients or symbols those of our embedded default are meant, see `meant_for`.
    reset: how numbers begin anew: by ResetSeqNumFlag(141)=Y, or at each Logon by itself.
    application: what answers orders: an echo of each, or ExecutionReports.
    price, qty: a limit price and quantity that are accepted; multiples of qty are, too.
    offers: what scenarios with `needs` ask for and this target has.
    operator: commands for what only its operator can do; `{name}` in them is a scenario's value.
    leeway_s: how much later than a scenario says something may come, on a busy machine.
    groups: HOST:PORT of a MoldUDP64 stream, line A, then line B; interface: where they are heard.
    """

    comp_id: str = "PORTCULLIS"
    clients: list[Client] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    reset: Literal["flag", "logon"] = "flag"
    application: Literal["orders", "echo"] = "orders"
    price: str = "100"
    qty: str = "10"
    offers: list[str] = field(default_factory=list)
    operator: dict[str, str] = field(default_factory=dict)
    groups: Annotated[list[str], Meta(min_length=1, max_length=2)] = field(
        default_factory=lambda: ["239.255.13.1:9881"]
    )
    interface: str = "127.0.0.1"
    leeway_s: Annotated[float, Meta(ge=0, le=600)] = 0.0
    patience_s: Annotated[float, Meta(gt=0, le=600)] = 5.0
    connect_s: Annotated[float, Meta(gt=0, le=600)] = 5.0
    scenario_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    host: str = "127.0.0.1"
    port: int = 0

    def meant_for(self, protocol: str) -> tuple[list[Client], list[str]]:
        """Clients and symbols, where scenarios speak this."""
        names = ("OUCH1", "OUCH2") if protocol == "ouch" else ("CLIENT1", "CLIENT2")
        password = "portcull" if protocol == "ouch" else ""
        clients = self.clients or [Client(name, password) for name in names]
        return clients, self.symbols or ["BTCUSD" if protocol == "ouch" else "BTC-USD"]

    @property
    def offered(self) -> frozenset[str]:
        """What scenarios may ask for with `needs`."""
        kept = ("continuity",) if self.reset == "flag" else ()
        lines = ("line-b",) if len(self.groups) > 1 else ()
        return frozenset((*self.offers, *self.operator, self.application, *kept, *lines))


def read_profile(path: Path) -> dict[str, object]:
    """The keys of a profile file, checked; TargetConfigError names file, key and expectation."""
    try:
        values = msgspec.toml.decode(path.read_bytes(), type=dict[str, object])
        msgspec.convert(values, Target)
    except OSError as error:
        raise TargetConfigError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise TargetConfigError(f"{path}: {error}") from None
    return values


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT; TargetConfigError where it is none."""
    host, _, digits = text.rpartition(":")
    port = number_of(digits)
    if not host or not port or port > PORT_MAX:
        raise TargetConfigError(f"{text!r} is no HOST:PORT")
    return host.strip("[]"), port


def make_target(address: str, values: dict[str, object]) -> Target:
    """The target of these values; TargetConfigError where one is not usable."""
    host, port = parse_address(address)
    try:
        target = msgspec.convert({**values, "host": host, "port": port}, Target)
    except msgspec.ValidationError as error:
        raise TargetConfigError(str(error)) from None
    for group in target.groups:
        parse_address(group)
    for name, command in target.operator.items():
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise TargetConfigError(f"operator.{name}: {error}: {command}") from None
        if not words:
            raise TargetConfigError(f"operator.{name}: expected a command")
    return target
