"""Instruments and accounts as translation and encoders look them up: names to numbers and back.

Owns the byte-string tables that turn Symbol(55) and Account(1) into the small integers that rows
carry, each instrument's scale and bounds, and what a session's client is called. The journal's
INSTRUMENT, ACCOUNT and SESSION rows are the source; `Catalog.apply` takes them one by one. Changes
come once in a while, look-ups with every message: so tables are rebuilt when they grow, and never
while a message is being looked up.

Must not know FIX, nor files. Invariant: a number's name never changes; numbers are from 1.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.octets import same_octets, word_at
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.octets import same_octets, word_at
    from portcullis.journal.table import RowTable

from portcullis.gateway.decimals import avg_px_decimals
from portcullis.journal import rows

# Words of an instrument in `Catalog.instruments`: eight, one cache line. Also in catalog.pxd.
if not cython.compiled:
    INSTRUMENT_WORDS = 8
    I_PRICE_DECIMALS = 0
    I_QTY_DECIMALS = 1
    I_AVG_DECIMALS = 2
    I_TICK = 3
    I_LOT = 4
    I_PRICE_MAX = 5
    I_QTY_MAX = 6
    I_FLAGS = 7

    # Words of an instrument in `Catalog.scales`: a price of OUCH x S_UP / S_DOWN is one here.
    SCALE_WORDS = 4
    S_STOCK = 0
    S_UP = 1
    S_DOWN = 2

    # Words of a name as it stands in a field of 24 bytes.
    NAME_WORDS = 3

NAME_BYTES_MAX = 255  # encoders see to so much room
_OUCH_DECIMALS = 4
_STOCK_BYTES = 8


def _padded(name: bytes) -> bytes:
    """What of a name fits 24 bytes, padded with zeros."""
    return name[: 8 * NAME_WORDS].ljust(8 * NAME_WORDS, b"\0")


@cython.final
@cython.cclass
class NameTable:
    """Byte strings to numbers by open addressing, and numbers back to byte strings."""

    def __init__(self) -> None:
        self.names: list[bytes] = [b""]
        self._build()

    def put(self, name: bytes, number: int) -> None:
        """Give a number its name. ValueError where either is taken otherwise, or unusable."""
        if number < 1 or not 0 < len(name) <= NAME_BYTES_MAX:
            raise ValueError(
                f"a name has 1 to {NAME_BYTES_MAX} bytes and a number from 1, "
                f"not {name!r} and {number}"
            )
        known = self.number(name)
        if known:
            if known != number:
                raise ValueError(f"{name!r} is number {known} already, not {number}")
            return
        if number < len(self.names) and self.names[number]:
            raise ValueError(f"number {number} is {self.names[number]!r} already, not {name!r}")
        self.names.extend([b""] * (number + 1 - len(self.names)))
        self.names[number] = name
        self._build()

    def name(self, number: int) -> bytes:
        """The name of a number; empty where it has none."""
        return self.names[number] if 0 <= number < len(self.names) else b""

    def number(self, name: bytes) -> int:
        """The number of a name; 0 where it has none."""
        if not name:
            return 0
        octets: cython.uchar[::1] = memoryview(bytearray(name + bytes(8)))
        if cython.compiled:
            found = self.find(cython.address(octets[0]), 0, len(name))
        else:
            found = self.find(octets, 0, len(name))
        return found

    def _build(self) -> None:
        size = 64
        while size < 4 * len(self.names):
            size *= 2
        self._mask = size - 1
        self._slots = memoryview(array("q", bytes(8 * size)))
        self.start = memoryview(array("q", bytes(8 * (len(self.names) + 1))))
        # Behind the last name as many bytes as `texts.put_octets` reads.
        self._octets = memoryview(bytearray(b"".join(self.names) + bytes(24)))
        if cython.compiled:
            self.octets = cython.address(self._octets[0])
        else:
            self.octets = self._octets
        self.words = memoryview(array("q", b"".join(map(_padded, self.names))))
        self.count = len(self.names)
        offset = 0
        number: cython.longlong
        for number in range(self.count):
            self.start[number] = offset
            offset += len(self.names[number])
        self.start[self.count] = offset
        place: cython.longlong
        for number in range(1, self.count):
            if not self.names[number]:
                continue
            place = self._hash(self.octets, self.start[number], self.start[number + 1])
            while self._slots[place]:
                place = (place + 1) & self._mask
            self._slots[place] = number

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _hash(
        self, source: cython.p_uchar, start: cython.longlong, end: cython.longlong
    ) -> cython.longlong:
        """Where a name's search begins: its bytes by sevens, each mixed by multiplication."""
        mixed: cython.longlong = 0
        word: cython.longlong
        left: cython.longlong = end - start
        seven: cython.longlong = 0xFFFFFFFFFFFFFF
        while left > 0:
            word = word_at(source, end - left)
            word &= seven if left >= 7 else seven >> (56 - 8 * left)
            # Below 2^62 + 2^55: both modes count alike.
            mixed = ((mixed ^ word) & 0x7FFFFFFF) * 0x5BD1E995 + (word >> 31) * 0x2545F491
            mixed ^= mixed >> 29
            left -= 7
        return mixed & self._mask

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def find(
        self, source: cython.p_uchar, start: cython.longlong, end: cython.longlong
    ) -> cython.longlong:
        """The number of the name source[start:end], or 0; seven more bytes are read behind it.

        No allocation. O(length).
        """
        place: cython.longlong = self._hash(source, start, end)
        length: cython.longlong = end - start
        number: cython.longlong = self._slots[place]
        begin: cython.longlong
        # Ends: at most half the slots are taken. In range: place is masked, number is one put.
        while number:
            begin = self.start[number]
            if self.start[number + 1] - begin == length and same_octets(
                self.octets, begin, source, start, length
            ):
                return number
            place = (place + 1) & self._mask
            number = self._slots[place]
        return 0


@cython.final
@cython.cclass
class Catalog:
    """What is known of instruments and accounts by their numbers."""

    def __init__(self) -> None:
        self.symbols = NameTable()
        self.accounts = NameTable()
        self.instruments = memoryview(array("q", bytes(8 * INSTRUMENT_WORDS)))
        # What OUCH knows of them: names by number, and how its prices scale.
        self.stocks = NameTable()
        self.scales = memoryview(array("q", bytes(8 * SCALE_WORDS)))
        # By session: its client's name.
        self.clients = memoryview(array("q", bytes(8 * NAME_WORDS)))

    def set_instrument(
        self,
        instrument: int,
        symbol: bytes,
        *,
        price_decimals: int,
        qty_decimals: int,
        tick: int,
        lot: int,
        price_max: int,
        qty_max: int,
        flags: int = 0,
        stock: bytes = b"",
    ) -> None:
        """Describe an instrument, or describe it anew under the same number and symbol.

        tick and price_max count 10^-price_decimals, lot and qty_max 10^-qty_decimals; flags are
        INSTRUMENT_ codes of rows; stock its name in OUCH, if it has one. ValueError where a bound
        is not positive, or where price_max x qty_max reaches 2^62.
        """
        if not (0 <= price_decimals <= 18 and 0 <= qty_decimals <= 18):
            raise ValueError(f"{symbol!r}: decimals are from 0 to 18")
        if min(tick, lot, price_max, qty_max) < 1:
            raise ValueError(f"{symbol!r}: tick, lot and bounds are from 1")
        if price_max * qty_max >= 1 << 62:
            raise ValueError(f"{symbol!r}: highest price x largest quantity reaches 2^62")
        self.symbols.put(symbol, instrument)
        words = list(self.instruments)
        words.extend([0] * ((self.symbols.count * INSTRUMENT_WORDS) - len(words)))
        words[instrument * INSTRUMENT_WORDS : (instrument + 1) * INSTRUMENT_WORDS] = [
            price_decimals,
            qty_decimals,
            avg_px_decimals(price_decimals),
            tick,
            lot,
            price_max,
            qty_max,
            flags,
        ]
        self.instruments = memoryview(array("q", words))
        if stock:
            self.stocks.put(stock.ljust(_STOCK_BYTES), instrument)
        words = list(self.scales)
        words.extend([0] * ((self.symbols.count * SCALE_WORDS) - len(words)))
        words[instrument * SCALE_WORDS : (instrument + 1) * SCALE_WORDS] = [
            int.from_bytes(stock, "little"),
            10 ** max(price_decimals - _OUCH_DECIMALS, 0),
            10 ** max(_OUCH_DECIMALS - price_decimals, 0),
            0,
        ]
        self.scales = memoryview(array("q", words))

    def set_account(self, account: int, name: bytes) -> None:
        """Name an account."""
        self.accounts.put(name, account)

    def set_session(self, session: int, key: bytes) -> None:
        """Name a session: FIX.4.4:OURS->THEIRS or OUCH:USER."""
        place: cython.longlong = session * NAME_WORDS
        if place >= len(self.clients):  # twice as many, as there may be thousands
            words = list(self.clients)
            self.clients = memoryview(array("q", words + [0] * (place + NAME_WORDS)))
        client = _padded(key.partition(b"->")[2] or key.removeprefix(b"OUCH:"))
        for word in memoryview(client).cast("q"):
            self.clients[place] = word
            place += 1

    def client(self, session: int) -> bytes:
        """What a session's client is called, as far as 24 bytes say it; empty: it has no name."""
        place = session * NAME_WORDS
        return bytes(memoryview(self.clients)[place : place + NAME_WORDS]).rstrip(b"\0")

    def apply(self, table: RowTable, row: int) -> None:
        """Take an INSTRUMENT, ACCOUNT or SESSION row; any other kind is passed over."""
        words = table.row_words(row)
        kind = words[rows.W_HEAD] & 0xFF
        if kind not in (rows.INSTRUMENT, rows.ACCOUNT, rows.SESSION):
            return
        name = table.item(row, rows.ITEM_NAME)
        if name is None:
            raise ValueError(f"row {row} describes a thing without a name")
        if kind == rows.ACCOUNT:
            self.set_account(words[rows.W_SUBJECT], name)
            return
        if kind == rows.SESSION:
            self.set_session(words[rows.W_SUBJECT], name)
            return
        packed = words[rows.W_DECIMALS]
        self.set_instrument(
            words[rows.W_SUBJECT],
            name,
            price_decimals=packed & 0xFF,
            qty_decimals=(packed >> 8) & 0xFF,
            flags=(packed >> 16) & 0xFF,
            tick=words[rows.W_TICK],
            lot=words[rows.W_LOT],
            price_max=words[rows.W_PRICE_MAX],
            qty_max=words[rows.W_QTY_MAX],
            stock=words[rows.W_STOCK].to_bytes(_STOCK_BYTES, "little").rstrip(b"\0"),
        )
