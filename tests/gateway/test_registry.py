"""From a configuration to rows, and back: ids stay, whatever happens to the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcullis.gateway.config import ConfigError, Loaded, parse
from portcullis.gateway.registry import Registry
from portcullis.journal import rows
from portcullis.journal.table import RowTable

TWO = """
[[instrument]]
symbol = "BTC-USD"
tick = "0.01"
lot = "0.0001"
[[instrument]]
symbol = "ETH-USD"
tick = "0.5"
lot = "1"
[[session]]
protocol = "fix"
client = "CLIENT1"
account = "ACME"
accounts = ["OTHER"]
[[session]]
protocol = "fix"
client = "CLIENT2"
account = "OTHER"
"""
ACME = '[[account]]\nname = "ACME"\n'


class Books:
    """A table of rows and the registry that follows it."""

    def __init__(self) -> None:
        self.table = RowTable(bytearray(rows.BATCH_ROWS * rows.ROW_BYTES))
        self.registry = Registry()

    def configure(self, text: str) -> list[int]:
        """Append what changes; give the kinds of the rows."""
        kinds = []
        loaded = Loaded(parse(text, "g.toml"), "g.toml", Path())
        self.registry.check(loaded)
        for change in self.registry.changes(loaded):
            row = self.table.append_input(change.kind, words=change.words, items=change.items)
            self.registry.apply(self.table, row)
            kinds.append(change.kind)
        return kinds


def test_what_is_configured_is_known_by_its_name() -> None:
    books = Books()
    kinds = books.configure(TWO)
    settings = [rows.SETTING] * 6
    assert kinds == settings + [rows.INSTRUMENT] * 2 + [rows.ACCOUNT] * 2 + [rows.SESSION] * 2
    catalog = books.registry.catalog
    assert catalog.symbols.number(b"ETH-USD") == 2
    assert catalog.accounts.number(b"OTHER") == 2
    assert books.registry.session(b"FIX.4.4:PORTCULLIS->CLIENT2") == 2


def test_the_same_again_is_no_row() -> None:
    books = Books()
    books.configure(TWO)
    assert books.configure(TWO) == []


def test_ids_do_not_follow_the_order_of_the_file() -> None:
    books = Books()
    books.configure(TWO)
    tables = TWO.split("[[")
    turned = "[[" + "[[".join([tables[2], tables[1], tables[4], tables[3]])
    assert books.configure(turned) == []
    assert books.registry.session(b"FIX.4.4:PORTCULLIS->CLIENT2") == 2


def test_a_registry_that_reads_the_rows_knows_the_same() -> None:
    books = Books()
    books.configure(TWO)
    again = Registry()
    again.apply_batch(books.table, 1, books.table.tail - 1)
    loaded = Loaded(parse(TWO, "g.toml"), "g.toml", Path())
    assert list(again.changes(loaded)) == []
    assert again.sessions() == books.registry.sessions()


def test_what_is_no_longer_named_is_halted() -> None:
    books = Books()
    books.configure(TWO)
    assert books.configure(TWO.replace("BTC-USD", "XRP-USD")) == [rows.INSTRUMENT] * 2
    assert books.registry.catalog.symbols.number(b"XRP-USD") == 3
    halted = books.table.row_words(books.table.tail - 2)
    assert halted[rows.W_SUBJECT] == 1
    assert halted[rows.W_DECIMALS] >> 16 & rows.INSTRUMENT_HALTED


def test_a_name_in_ouch_is_not_taken_over_from_an_instrument_that_is_no_longer_named() -> None:
    books = Books()
    named = TWO.replace('symbol = "ETH-USD"', 'symbol = "ETH-USD"\nouch = "ETHUSD"')
    books.configure(named)
    with pytest.raises(
        ConfigError, match="2 key ouch: expected another, for it is that of ETH-USD"
    ):
        books.configure(named.replace("ETH-USD", "XRP-USD"))
    assert books.configure(named) == []


def test_a_coarser_tick_keeps_the_decimals_that_prices_count_in() -> None:
    books = Books()
    books.configure(TWO)
    assert books.configure(TWO.replace('"0.01"', '"0.5"')) == [rows.INSTRUMENT]
    changed = books.table.row_words(books.table.tail - 2)
    assert (changed[rows.W_DECIMALS] & 0xFF, changed[rows.W_TICK]) == (2, 50)


def test_a_finer_tick_is_refused() -> None:
    books = Books()
    books.configure(TWO)
    with pytest.raises(ConfigError, match=r"g\.toml: \[\[instrument\]\] 1 key tick: expected at"):
        books.configure(TWO.replace('"0.01"', '"0.001"'))


def test_more_than_the_tables_hold_is_refused() -> None:
    books = Books()
    with pytest.raises(ConfigError, match=r"\[limits\] key accounts: expected more than 2"):
        books.configure("[limits]\naccounts = 2\n" + TWO)


def test_how_an_account_trades_with_itself_is_a_row_when_it_changes() -> None:
    books = Books()
    books.configure(TWO)
    described = TWO + ACME + '[[account]]\nname = "OTHER"\nself_trade = "decrement"\n'
    assert books.configure(described) == [rows.ACCOUNT]
    changed = books.table.row_words(books.table.tail - 2)
    assert (changed[rows.W_SUBJECT], changed[rows.W_STP]) == (2, rows.STP_DECREMENT)
    assert books.configure(described) == []
    assert books.configure(TWO) == [rows.ACCOUNT]
    assert books.table.row_words(books.table.tail - 2)[rows.W_STP] == rows.STP_CANCEL_NEWEST


def test_an_account_needs_no_session() -> None:
    books = Books()
    books.configure('[[account]]\nname = "DESK"\n')
    assert books.registry.catalog.accounts.number(b"DESK") == 1


def test_a_refused_configuration_has_written_nothing() -> None:
    books = Books()
    with pytest.raises(ConfigError):
        books.configure("[limits]\nsessions = 2\n" + TWO)
    assert books.table.tail == 1


def test_bounds_are_held_in_the_decimals_a_symbol_was_first_used_with() -> None:
    books = Books()
    fine = TWO.replace('"0.01"', '"0.00000001"\nprice_max = "20"').replace(
        'lot = "0.0001"', 'lot = "0.00000001"\nqty_max = "10"'
    )
    books.configure(fine)
    coarse = TWO.replace('"0.01"', '"1"\nprice_max = "1000000"').replace(
        'lot = "0.0001"', 'lot = "1"\nqty_max = "1000000"'
    )
    with pytest.raises(
        ConfigError, match=r"\[\[instrument\]\] 1 keys price_max, qty_max: .*2\^62"
    ):
        books.configure(coarse)
