"""The echo application from outside, byte for byte. Messages are framed here, not by our codec.

In texts | stands for the delimiter, in data too.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import TIMEOUT_S, utc_now
from tests.support.gateway_process import GatewayProcess

ECHO = CONFIG.replace('client = "CLIENT1"', 'client = "CLIENT1"\napplication = "echo"')
ORDER = "11={id}|21=1|38=002000.00|40=1|54=1|55=INTC|60=20260102-12:00:00|"


def framed(text: str) -> bytes:
    """A message from its fields behind BodyLength(9); | stands for SOH, \\x02 for | itself."""
    octets = text.replace("|", "\x01").replace("\x02", "|").encode()
    whole = b"8=FIX.4.4\x019=%d\x01" % len(octets) + octets
    return whole + b"10=%03d\x01" % (sum(whole) % 256)


class RawClient:
    """Sends and compares whole messages as text; numbers are its caller's."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._came = b""
        self.next_out = 1

    def send(self, msg_type: str, header: str, body: str) -> None:
        """header: what stands behind TargetCompID(56)."""
        start = f"35={msg_type}|34={self.next_out}|49=CLIENT1|52={utc_now()}|56=PORTCULLIS|"
        self.next_out += 1
        self._socket.sendall(framed(start + header + body))

    def receive(self) -> str:
        """The next message from MsgType(35) to the end of its body, times as T."""
        while (end := re.search(rb"\x0110=\d{3}\x01(?=8=FIX|\Z)", self._came)) is None:
            octets = self._socket.recv(1 << 16)
            assert octets, "the gateway hung up"
            self._came += octets
        message, self._came = self._came[: end.end()], self._came[end.end() :]
        text = message.decode().replace("\x01", "|")
        text = text[text.index("|35=") + 1 : text.rindex("10=")]
        assert message == framed(text)
        return re.sub(r"\|(52|122)=[^|]*", r"|\1=T", text)

    def close(self) -> None:
        """Hang up, and wait until the gateway has."""
        if self._socket.fileno() < 0:
            return
        self._socket.shutdown(socket.SHUT_WR)
        while self._socket.recv(1 << 16):
            pass
        self._socket.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(
        tmp_path_factory.mktemp("echo"), ECHO + "\n[limits]\necho_ids = 3\n"
    ) as it:
        yield it


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[RawClient]:
    client = RawClient(gateway.port)
    client.send("A", "", "98=0|108=30|141=Y|")
    assert client.receive().startswith("35=A|")
    yield client
    client.close()


def answer(number: int, msg_type: str, header: str = "") -> str:
    return f"35={msg_type}|34={number}|49=PORTCULLIS|52=T|56=CLIENT1|{header}"


def test_an_order_comes_back_text_for_text_and_ascending(client: RawClient) -> None:
    client.send("D", "", "60=20260102-12:00:00|55=INTC|54=1|40=1|38=002000.00|21=1|11=id|")
    assert client.receive() == answer(2, "D") + ORDER.format(id="id")


def test_further_header_fields_come_back_in_their_order(client: RawClient) -> None:
    extras = "145=CHI|97=N|50=DESK|115=JCD|57=X|347=UTF-8|369=1|"
    client.send("D", extras, ORDER.format(id="id"))
    ours = "35=D|34=2|49=PORTCULLIS|50=DESK|52=T|56=CLIENT1|57=X|97=N|115=JCD|145=CHI|347=UTF-8|"
    assert client.receive() == ours + ORDER.format(id="id")


def test_data_of_the_header_may_hold_the_delimiter(client: RawClient) -> None:
    client.send(
        "D", "212=8|213=<a|34=7>|90=5|91=a|9=b|122=20260102-12:00:00|", ORDER.format(id="a")
    )
    ours = "35=D|34=2|49=PORTCULLIS|52=T|56=CLIENT1|90=5|91=a|9=b|212=8|213=<a|34=7>|"
    assert client.receive() == ours + ORDER.format(id="a")


def test_groups_stay_whole_and_a_counter_of_zero_stands_alone(client: RawClient) -> None:
    client.send(
        "d", "",
        "320=q|322=r|323=1|555=2|600=L1|604=1|605=alt|606=8|623=1|600=L2|58=none|454=0|55=TBS|",
    )  # fmt: skip
    legs = "555=2|600=L1|604=1|605=alt|606=8|623=1|600=L2|"
    assert client.receive() == answer(2, "d") + "55=TBS|58=none|320=q|322=r|323=1|454=0|" + legs


def test_an_email_comes_back_with_its_data(client: RawClient) -> None:
    client.send(
        "C", "",
        "164=t|147=hello|94=0|95=3|96=a|b|33=2|58=one|354=3|355=x|y|58=two|11=mail|",
    )  # fmt: skip
    lines = "33=2|58=one|354=3|355=x|y|58=two|"
    assert client.receive() == (
        answer(2, "C") + "11=mail|" + lines + "94=0|95=3|96=a|b|147=hello|164=t|"
    )
    # An id is seen in orders alone.
    client.send("D", "97=Y|", ORDER.format(id="mail"))
    assert client.receive() == answer(3, "D", "97=Y|") + ORDER.format(id="mail")


def test_an_order_seen_before_is_swallowed_and_its_number_counted(client: RawClient) -> None:
    client.send("D", "", ORDER.format(id="id"))
    assert client.receive().startswith(answer(2, "D"))
    client.send("D", "97=Y|", ORDER.format(id="id"))
    client.send("D", "", ORDER.format(id="id"))
    assert client.receive() == answer(3, "D") + ORDER.format(id="id")
    client.send("D", "97=Y|", ORDER.format(id="new"))
    assert client.receive() == answer(4, "D", "97=Y|") + ORDER.format(id="new")


def test_a_logout_forgets_what_was_seen(gateway: GatewayProcess, client: RawClient) -> None:
    client.send("D", "", ORDER.format(id="id"))
    assert client.receive().startswith(answer(2, "D"))
    client.send("5", "", "")
    assert client.receive() == answer(3, "5")
    client.close()
    again = RawClient(gateway.port)
    again.next_out = client.next_out
    again.send("A", "", "98=0|108=30|")
    assert again.receive().startswith("35=A|34=4|")
    again.send("D", "97=Y|", ORDER.format(id="id"))
    assert again.receive() == answer(5, "D", "97=Y|") + ORDER.format(id="id")
    again.close()


def test_only_so_many_ids_are_remembered(client: RawClient) -> None:
    for number, cl_ord_id in enumerate(("a", "b", "c", "d"), 2):
        client.send("D", "", ORDER.format(id=cl_ord_id))
        assert client.receive() == answer(number, "D") + ORDER.format(id=cl_ord_id)
    client.send("D", "97=Y|", ORDER.format(id="b"))
    client.send("D", "97=Y|", ORDER.format(id="a"))
    assert client.receive() == answer(6, "D", "97=Y|") + ORDER.format(id="a")


def test_what_was_echoed_comes_again_the_same(client: RawClient) -> None:
    client.send("D", "97=Y|115=JCD|", ORDER.format(id="id"))
    assert client.receive() == answer(2, "D", "97=Y|115=JCD|") + ORDER.format(id="id")
    client.send("2", "", "7=2|16=0|")
    again = "35=D|34=2|43=Y|49=PORTCULLIS|52=T|56=CLIENT1|97=Y|115=JCD|122=T|"
    assert client.receive() == again + ORDER.format(id="id")


def test_other_application_types_are_not_supported(client: RawClient) -> None:
    client.send("8", "115=JCD|", "37=id|17=id|150=0|39=0|55=WLRI|54=1|151=10|14=0|6=0.0|")
    text = "45=2|58=Unsupported Message Type|372=8|380=3|"
    assert client.receive() == answer(2, "j", "128=JCD|") + text
    client.send("F", "", "11=c|41=id|54=1|55=INTC|60=20260102-12:00:00|")
    assert client.receive() == answer(3, "j") + "45=3|58=Unsupported Message Type|372=F|380=3|"
