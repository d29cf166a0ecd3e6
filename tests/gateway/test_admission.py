"""Places and attempts: counted per address and in all, given back, worn off."""

from __future__ import annotations

import pytest

from portcullis.gateway.admission import Admission, Place, address_of, is_allowed, parse_networks
from portcullis.gateway.config_schema import Limits

SECOND_NS = 1_000_000_000


def admission(**limits: int) -> Admission:
    return Admission(Limits(**limits))


def place(found: Place | str) -> Place:
    assert isinstance(found, Place), found
    return found


# --- networks ----------------------------------------------------------------------------------


def test_networks_bound_where_a_peer_may_come_from() -> None:
    networks = parse_networks(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"])
    assert is_allowed([], "203.0.113.9")
    for host in ("10.255.0.1", "192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1"):
        assert is_allowed(networks, host), host
    for host in ("192.0.2.2", "2001:db9::1", "::ffff:11.0.0.1", "nowhere", ""):
        assert not is_allowed(networks, host), host


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_address_of_ipv6_is_its_network(host: str, address: str) -> None:
    assert address_of(host) == address


# --- places ------------------------------------------------------------------------------------


def test_places_are_bounded_in_all_and_given_back() -> None:
    one = admission(connections=2)
    first, second = place(one.take("192.0.2.1")), place(one.take("192.0.2.2"))
    assert one.take("192.0.2.3") == "too many connections"
    for _ in range(2):  # the second time does nothing
        one.release(first)
    place(one.take("192.0.2.3"))
    assert one.take("192.0.2.4") == "too many connections"
    one.authenticated(second)
    assert one.take("192.0.2.4") == "too many connections"


def test_one_address_has_its_share_of_places_only() -> None:
    one = admission(connections_per_address=2)
    for _ in range(2):
        one.authenticated(place(one.take("192.0.2.1")))
    assert one.take("192.0.2.1") == "too many connections of this address"
    place(one.take("192.0.2.2"))


def test_strangers_are_bounded_and_count_no_more_once_they_have_logged_on() -> None:
    one = admission(unauthenticated=3, unauthenticated_per_address=2)
    first = place(one.take("192.0.2.1"))
    place(one.take("192.0.2.1"))
    assert one.take("192.0.2.1") == "too many of this address that have not logged on"
    one.authenticated(first)
    place(one.take("192.0.2.1"))
    place(one.take("192.0.2.2"))
    assert one.take("192.0.2.3") == "too many that have not logged on"


# --- attempts ----------------------------------------------------------------------------------


def test_wrong_passwords_of_an_address_wear_off() -> None:
    one = admission(failed_logons_per_minute=30)
    bad, other = place(one.take("2001:db8::1")), place(one.take("192.0.2.2"))
    now_ns = 1_000 * SECOND_NS
    for _ in range(30):
        assert one.may_try(bad, now_ns)
        one.failed(bad, now_ns)
    assert not one.may_try(place(one.take("2001:db8::2")), now_ns)  # of the same network
    assert one.may_try(other, now_ns)
    assert not one.may_try(bad, now_ns + SECOND_NS)  # each takes two seconds
    assert one.may_try(bad, now_ns + 21 * SECOND_NS // 10)
    one.failed(bad, now_ns + 21 * SECOND_NS // 10)
    assert not one.may_try(bad, now_ns + 3 * SECOND_NS)
    assert one.may_try(bad, now_ns + 70 * SECOND_NS)


def test_a_clock_that_was_set_back_wears_nothing_off() -> None:
    one = admission(failed_logons_per_minute=1)
    bad = place(one.take("192.0.2.1"))
    one.failed(bad, 1_000 * SECOND_NS)
    assert not one.may_try(bad, 500 * SECOND_NS)
