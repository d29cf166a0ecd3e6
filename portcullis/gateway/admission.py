"""Who may connect, and how often somebody may be wrong: counts and budgets per address.

Owns the places that connections take, from their accept to their end, and the failed attempts of
each address. Knows no protocol: every door of the gateway asks here. Must not know sockets, and
reads no clock.

An address is an IPv4 address, or the /64 network of an IPv6 address: that much belongs to one
customer, who would else have 2^64 addresses to come from.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence

from portcullis.gateway.config_schema import Limits

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MINUTE_NS = 60_000_000_000
# Addresses whose failures are remembered; beyond it the oldest are forgotten.
_ADDRESSES_MAX = 65_536


def parse_networks(texts: Iterable[str]) -> list[Network]:
    """Networks such as "10.1.0.0/16" or "2001:db8::/32"; ValueError where one is none."""
    return [ipaddress.ip_network(text) for text in texts]


def is_allowed(networks: Sequence[Network], host: str) -> bool:
    """Whether a peer's address lies in one of the networks; none given: any does."""
    if not networks:
        return True
    address = _parse(host)
    return address is not None and any(address in network for network in networks)


def address_of(host: str) -> str:
    """What a peer's host counts as; see above."""
    address = _parse(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address or host)


def _parse(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Place:
    """What one connection takes up. host: where it comes from, address: what that counts as."""

    __slots__ = ("address", "host", "is_stranger", "is_taken")

    def __init__(self, host: str, address: str) -> None:
        self.host = host
        self.address = address
        # Whether it has not logged on yet.
        self.is_stranger = True
        self.is_taken = True


class Admission:
    """The places of a gateway, and what each address has left of its attempts."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connections: Counter[str] = Counter()
        self._strangers: Counter[str] = Counter()
        self._connection_count = 0
        self._stranger_count = 0
        # By address, latest last: failed attempts not yet worn off, and when that was counted.
        self._failed: dict[str, tuple[float, int]] = {}

    def take(self, host: str) -> Place | str:
        """A place for a new connection, or why there is none. O(1)."""
        limits = self._limits
        address = address_of(host)
        for used, most, reason in (
            (self._connection_count, limits.connections, "too many connections"),
            (self._stranger_count, limits.unauthenticated, "too many that have not logged on"),
            (
                self._connections[address],
                limits.connections_per_address,
                "too many connections of this address",
            ),
            (
                self._strangers[address],
                limits.unauthenticated_per_address,
                "too many of this address that have not logged on",
            ),
        ):
            if used >= most:
                return reason
        self._connections[address] += 1
        self._strangers[address] += 1
        self._connection_count += 1
        self._stranger_count += 1
        return Place(host, address)

    def authenticated(self, place: Place) -> None:
        """It has logged on."""
        if place.is_stranger:
            place.is_stranger = False
            self._stranger_count -= 1
            _subtract(self._strangers, place.address)

    def release(self, place: Place) -> None:
        """It is gone; a second time does nothing."""
        if place.is_taken:
            place.is_taken = False
            self.authenticated(place)
            self._connection_count -= 1
            _subtract(self._connections, place.address)

    # --- attempts --------------------------------------------------------------------------------

    def may_try(self, place: Place, now_ns: int) -> bool:
        """Whether credentials from there are looked at; not after too many wrong ones."""
        return self._failures(place.address, now_ns) + 1 <= self._limits.failed_logons_per_minute

    def failed(self, place: Place, now_ns: int) -> None:
        """Credentials from there were wrong."""
        failures = self._failures(place.address, now_ns) + 1
        self._failed.pop(place.address, None)
        self._failed[place.address] = (failures, now_ns)
        if len(self._failed) > _ADDRESSES_MAX:
            del self._failed[next(iter(self._failed))]

    def _failures(self, address: str, now_ns: int) -> float:
        """Failed attempts that have not worn off: a minute's worth does each minute."""
        failures, counted_ns = self._failed.get(address, (0.0, now_ns))
        worn = max(0, now_ns - counted_ns) / _MINUTE_NS * self._limits.failed_logons_per_minute
        return max(0.0, failures - worn)


def _subtract(counter: Counter[str], address: str) -> None:
    counter[address] -= 1
    if not counter[address]:
        del counter[address]
