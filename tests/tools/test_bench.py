"""The benchmarks still run, and their own checks hold; how fast is not asked here."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from portcullis.dictionaries.ouch import INBOUND
from portcullis.tools import bench
from portcullis.tools.benchmarks import orders, ouch_orders
from portcullis.tools.main import main
from tests.support.wire import fields, split


@pytest.mark.parametrize("name", bench.BENCHMARKS)
def test_a_benchmark_runs_at_a_tiny_size(name: str) -> None:
    done = CliRunner().invoke(main, ["bench", "--check", name], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"{name}: ran" in done.output


def test_the_reference_mix_is_eight_rests_one_cancel_one_trade() -> None:
    flow = orders.taker_flow(100)
    kinds = [fields(octets)[35] for octets in flow.messages]
    assert (kinds.count("D"), kinds.count("F")) == (90, 10)
    assert flow.answers == {"0": 90, "4": 10, "F": 10}
    assert flow.passive_fills == len(orders.maker_flow(100).messages) == 10


def test_each_cancel_of_the_mix_names_an_order_sent_before_and_still_open() -> None:
    sent: set[str] = set()
    for octets in orders.taker_flow(100).messages:
        message = fields(octets)
        if message[35] == "F":
            assert message[41] in sent
            sent.remove(message[41])
        elif message[44] != "100.00":
            sent.add(message[11])


def test_prebuilt_messages_are_framed_as_another_codec_reads_them() -> None:
    flow = orders.taker_flow(20)
    messages = split(b"".join(flow.messages))
    assert messages == flow.messages
    assert [int(fields(octets)[34]) for octets in messages] == list(range(2, 22))


def test_the_ouch_mix_is_the_same_as_its_declaration_reads_it() -> None:
    flow = ouch_orders.taker_flow(100)
    layouts = {message.letter: message for message in INBOUND}
    resting: set[bytes] = set()
    for octets in flow.messages:
        assert int.from_bytes(octets[:2], "big") == len(octets) - 2
        layout = layouts[chr(octets[3])]
        assert layout.size == len(octets) - 3
        message = layout.layout.parse(octets[4:])
        if layout.letter == "X":
            resting.remove(message.order_token)
        elif message.price != 1_000_000:
            resting.add(message.order_token)
    assert flow.answers == {"A": 90, "C": 10, "E": 10}
    assert flow.passive_fills == len(ouch_orders.maker_flow(100).messages) == 10
