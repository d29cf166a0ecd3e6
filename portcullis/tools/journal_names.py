"""A journal's numbers as people write them: symbols, accounts, sessions, decimals, texts.

Owns the way from the fields of a row, as `journal.reader` gives them, to what `journal dump` and
`stats` print. Follows the configuration rows and no other process. Must not know seals or files
beyond the segment that a row stands in.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from portcullis.engine.why import WHYS
from portcullis.gateway.decimals import avg_px_decimals, decimal
from portcullis.gateway.registry import key_meant
from portcullis.journal import rows as r
from portcullis.journal.errors import DamageError
from portcullis.journal.fills import Match
from portcullis.journal.reader import dump, row_fields
from portcullis.journal.segments import HEADER_BYTES, list_segments, segment_path
from portcullis.tools.conform.values import number_of

_CONFIGURATION = frozenset(("instrument", "account", "session"))
# Reports whose last_px and last_qty are counts.
_COUNTS = frozenset(("status_report", "mass_cancel_report"))
_PRICES = ("price", "last_px", "fill_price", "new_price", "tick", "price_max")
_QUANTITIES = (
    "order_qty", "last_qty", "leaves_qty", "cum_qty", "fill_qty", "new_qty", "lot", "qty_max",
)  # fmt: skip
_EVENTS = {
    value: name.removeprefix("EVENT_").lower()
    for name, value in vars(r).items()
    if name.startswith("EVENT_")
}


class JournalNames:
    """What the configuration rows of a journal call its numbers. Reads the journal once."""

    def __init__(self, directory: Path) -> None:
        self._segments = list_segments(directory, from_first=False)
        self._directory = directory
        self._names: dict[str, dict[int, str]] = {kind: {} for kind in _CONFIGURATION}
        # By instrument: decimals of its prices and of its quantities.
        self._decimals: dict[int, tuple[int, int]] = {}
        with suppress(DamageError):  # whoever reads the rows is told of it
            for shown in dump(directory, kinds=_CONFIGURATION):
                subject = shown["subject"]
                self._names[shown["kind"]][subject] = shown["items"]["name"]
                if "tick" in shown:
                    self._decimals[subject] = shown["price_decimals"], shown["qty_decimals"]
        self._instrument_of = lru_cache(maxsize=1 << 16)(self._read_instrument)

    def session(self, number: int) -> str:
        """A session's key; "-" for nobody, its number where the journal does not name it."""
        return self._names["session"].get(number, str(number or "-"))

    def session_meant(self, name: str) -> int:
        """The number of the session that a name stands for, as `key_meant` has it, or that it is.

        ValueError: there is none.
        """
        numbers = {key: number for number, key in self._names["session"].items()}
        if (number := number_of(name)) is not None:
            return number
        return numbers[key_meant(name, numbers)]

    def match(self, match: Match) -> str:
        """A match in words; by its number alone where the rows of its names are gone."""
        if not (terms := self.terms(match.instrument, match.qty, match.price)):
            return f"match {match.number}"
        first, second = map(self.session, match.sessions)
        return f"match {match.number} ({terms} between {first} and {second})"

    def match_fields(self, match: Match) -> dict[str, str]:
        """The same for programs."""
        aggressor, passive = map(self.session, match.sessions)
        symbol = self._names["instrument"].get(match.instrument)
        return {
            **({"symbol": symbol} if symbol else {}),
            **self.terms_fields(match.instrument, match.qty, match.price),
            "aggressor": aggressor,
            "passive": passive,
        }

    def terms(self, instrument: int, qty: int, price: int) -> str:
        """What is traded, and for how much each; "": the rows of its names are gone."""
        if not (fields := self.terms_fields(instrument, qty, price)):
            return ""
        return f"{fields['qty']} {self._names['instrument'][instrument]} at {fields['price']}"

    def terms_fields(self, instrument: int, qty: int, price: int) -> dict[str, str]:
        """Quantity and price as decimals; none where the rows of the instrument are gone."""
        if instrument not in self._decimals:
            return {}
        prices, quantities = self._decimals[instrument]
        return {"qty": decimal(qty, quantities), "price": decimal(price, prices)}

    def readable(self, shown: dict[str, Any]) -> dict[str, Any]:
        """The same fields with names for numbers, and prices and quantities as decimals."""
        told = dict(shown)
        told["session"] = self.session(told["session"])
        instrument = self._instrument(shown)
        if instrument in self._decimals:
            self._scale(told, *self._decimals[instrument])
        for kind in ("instrument", "account"):
            if told.get(kind):
                told[kind] = self._names[kind].get(told[kind], told[kind])
        if told.get("why") in WHYS and told["why"]:
            told["why"] = repr(WHYS[told["why"]].text)
        if told.get("reason") == r.NO_REASON:
            del told["reason"]
        items = told.get("items", {})
        if told["kind"] == "stream" and items.get("value"):  # its accounts
            numbers = memoryview(items["value"].encode("latin-1")).cast("I")
            names = (self._names["account"].get(one, str(one)) for one in numbers)
            told["items"] = {**items, "value": ",".join(names)}
        if told["kind"] == "operator" and items.get("value"):
            told["items"] = {**items, "value": self._arguments(items["value"])}
        if "event" in told:
            told["event"] = _EVENTS.get(told["event"], told["event"])
        return told

    def _scale(self, told: dict[str, Any], prices: int, quantities: int) -> None:
        counts = told["kind"] in _COUNTS
        for names, places in ((_PRICES, prices), (_QUANTITIES, quantities)):
            for name in names:
                if told.get(name) and not (counts and name.startswith("last_")):
                    told[name] = decimal(told[name], places)
        if told.get("avg_px"):
            told["avg_px"] = decimal(told["avg_px"], avg_px_decimals(prices))

    def _arguments(self, octets: str) -> str:
        """An operator's arguments, what is in units of a match's instrument as decimals."""
        told = json.loads(octets)
        instrument = self._instrument_of(told.get("match", 0))
        if instrument in self._decimals:
            prices, quantities = self._decimals[instrument]
            units = {"price": prices, "qty": quantities}
            units |= dict.fromkeys(("sum", "other_sum"), prices + quantities)
            for name, places in units.items():
                if name in told:
                    told[name] = decimal(told[name], places)
        return json.dumps(told)

    def _instrument(self, shown: dict[str, Any]) -> int:
        """The instrument that a row is about; 0: none."""
        if "tick" in shown:
            return int(shown["subject"])
        if "instrument" in shown:
            return int(shown["instrument"])
        return self._instrument_of(shown.get("terms_row") or shown.get("fill_row") or 0)

    def _read_instrument(self, row: int) -> int:
        """The instrument of a command's row; 0 where the journal no longer has it."""
        for header in self._segments:
            if header.first_row <= row < header.end_row:
                descriptor = os.open(segment_path(self._directory, header.number), os.O_RDONLY)
                try:
                    at = HEADER_BYTES + (row - header.first_row) * r.ROW_BYTES
                    octets = os.pread(descriptor, r.ROW_BYTES, at)
                finally:
                    os.close(descriptor)
                head = bytes((*octets[:2], 0, 0, *octets[4:]))  # without its TEXT rows
                fields = row_fields(memoryview(head), row)
                terms = fields.get("terms_row")  # of a fill, that a bust or correction names
                return self._instrument_of(terms) if terms else int(fields.get("instrument", 0))
        return 0
