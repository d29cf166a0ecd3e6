"""The FIX codec alone: scan with validation of NewOrderSingle, encoding of ExecutionReport."""

from __future__ import annotations

from time import perf_counter_ns

from portcullis.codecs.fix.layout import M_REJECT_REASON
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.codecs.fix.writer import FixWriter
from portcullis.dictionaries.fix_tables import compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.tools.benchmarks.figures import Figure

BATCH = 300
TIME_NS = 1_795_262_400_123_000_000
ORDER = (
    b"35=D|34=123|49=CLIENT1|52=20261121-12:00:00.123|56=PORTCULLIS|11=ORD0000012|21=1|38=100|40=2|"
    b"44=101.25|54=1|55=BTC-USD|59=0|60=20261121-12:00:00.123|"
).replace(b"|", b"\x01")


def framed(body: bytes) -> bytes:
    """The body with BeginString, BodyLength and CheckSum around it."""
    message = b"8=FIX.4.4\x019=%d\x01%s" % (len(body), body)
    return message + b"10=%03d\x01" % (sum(message) % 256)


def _scan(scanner: FixScanner, size: int, end: int) -> float:
    """Nanoseconds per message of the fastest batch."""
    best = float("inf")
    for _ in range(max(1, size // BATCH)):
        begun = perf_counter_ns()
        count = scanner.scan(0, end)
        best = min(best, (perf_counter_ns() - begun) / count)
    return best


def _encode(writer: FixWriter, size: int) -> float:
    """Nanoseconds per message, called from Python field by field: an upper bound."""
    begun = perf_counter_ns()
    for number in range(size):
        writer.begin(56)
        writer.put_int(34, number)
        writer.put(49, b"PORTCULLIS")
        writer.put_timestamp(52, TIME_NS, 3)
        writer.put(56, b"CLIENT1")
        writer.put_decimal(6, 101_250_000, 6)
        writer.put(11, b"ORD0000012")
        writer.put_int(14, 0)
        writer.put_int(17, number)
        writer.put_int(37, number)
        writer.put_char(39, 48)
        writer.put_char(54, 49)
        writer.put(55, b"BTC-USD")
        writer.put_timestamp(60, TIME_NS, 3)
        writer.put_char(150, 48)
        writer.put_int(151, 100)
        writer.finish()
        if writer.length > 1 << 15:
            writer.take()
    return (perf_counter_ns() - begun) / size


def measure(size: int) -> list[Figure]:
    """Scan and encode about `size` messages each."""
    message = framed(ORDER)
    data = message * BATCH
    scanner = FixScanner(compile_tables(load_dictionary("FIX44.xml")), data)
    nanoseconds = _scan(scanner, size, len(data))
    assert scanner.count == BATCH and scanner.word(BATCH - 1, M_REJECT_REASON) == -1
    note = f"NewOrderSingle of {len(message)} bytes, batches of {BATCH}, the fastest"
    return [
        Figure("scan and validate", nanoseconds, "ns", 180.0, note),
        Figure("encode, from Python", _encode(FixWriter(1 << 16), size), "ns", 0.0, "16 puts"),
    ]
