"""Names to numbers and back, and what describes an instrument."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.gateway.catalog import Catalog, NameTable


@given(st.sets(st.binary(min_size=1, max_size=40), max_size=200), st.binary(max_size=40))
def test_a_table_of_names_is_a_dictionary(names: set[bytes], other: bytes) -> None:
    table = NameTable()
    numbers = {name: number for number, name in enumerate(sorted(names), 1)}
    for name, number in numbers.items():
        table.put(name, number)
    assert {name: table.number(name) for name in names} == numbers
    assert [table.name(number) for number in numbers.values()] == list(numbers)
    assert table.number(other) == numbers.get(other, 0)


def test_neither_name_nor_number_is_given_twice() -> None:
    table = NameTable()
    table.put(b"A", 1)
    table.put(b"A", 1)
    for name, number in ((b"A", 2), (b"B", 1), (b"", 3), (b"C", 0)):
        with pytest.raises(ValueError):
            table.put(name, number)


def test_bounds_whose_product_is_too_large_are_refused() -> None:
    catalog = Catalog()
    scale = {"price_decimals": 2, "qty_decimals": 4, "tick": 1, "lot": 1}
    catalog.set_instrument(1, b"A", price_max=1 << 31, qty_max=(1 << 31) - 1, **scale)
    with pytest.raises(ValueError, match="2\\^62"):
        catalog.set_instrument(2, b"B", price_max=1 << 31, qty_max=1 << 31, **scale)
    with pytest.raises(ValueError, match="from 1"):
        catalog.set_instrument(2, b"B", price_max=1, qty_max=0, **scale)


def test_a_client_is_called_as_its_session_is_without_the_gateway() -> None:
    catalog = Catalog()
    catalog.set_session(2, b"FIX.4.4:OURS->THEIRS")
    catalog.set_session(5, b"OUCH:USER")
    catalog.set_session(3, b"FIX.4.4:OURS->" + b"X" * 30)
    names = [catalog.client(session) for session in range(8)]
    assert names == [b"", b"", b"THEIRS", b"X" * 24, b"", b"USER", b"", b""]
