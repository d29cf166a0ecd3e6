"""Clients that nobody has configured: let in by a function of the operator's, known ever after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.gateway.config import ConfigError, load
from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

HOOK = """
from portcullis.gateway.authenticator import LogonAnswer

def authenticate(request):
    if request.password != "sesame" or request.address != "127.0.0.1":
        return None
    return LogonAnswer(account=request.client[6:])
"""
TEMPLATE = """
[[session]]
protocol = "fix"
client = "RETAIL*"
account = "RETAIL"
authenticator = "venue_hook:authenticate"
sessions_max = 2
[journal]
segment_rows = 131072
[limits]
orders = 1000
ids = 2000
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    (tmp_path / "venue_hook.py").write_text(HOOK)
    with GatewayProcess(tmp_path, CONFIG + TEMPLATE) as gateway:
        yield gateway


def is_refused(client: FixClient, password: str = "sesame") -> bool:
    client.connect().send("A", "98=0", "108=30", f"554={password}", seq=client.next_out)
    try:
        return client.is_closed_by_peer()
    finally:
        client.close()


def reasons(gateway: GatewayProcess) -> list[str]:
    return [event["reason"] for event in gateway.events() if "reason" in event]


def test_a_client_not_known_in_advance_trades_and_is_known_after_a_restart(
    gateway: GatewayProcess,
) -> None:
    client, other = FixClient("RETAIL7", gateway.port), FixClient("CLIENT2", gateway.port)
    client.log_on("554=sesame")
    other.log_on()
    client.link.sendall(client.order("o1", "1", "2", "10", "59=1"))
    assert client.expect("8", t150="0")[1] == "7"  # the account that the function named
    other.link.sendall(other.order("s1", "2", "1", "10"))
    other.expect("8", t150="0")
    other.expect("8", t150="F")
    client.expect("8", t150="F", t151="1")
    other.close()
    client.close()
    client.log_on("554=sesame")  # the numbers go on
    client.close()
    gateway.kill()

    gateway.start()
    assert is_refused(client, "guess")
    client.log_on("554=sesame")
    assert client.barrier() == []
    client.send("F", "11=o2", "41=o1", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
    client.expect("8", t150="4", t11="o2", t1="7")
    client.log_out()


def test_who_the_function_does_not_know_is_closed_and_leaves_nothing(
    gateway: GatewayProcess,
) -> None:
    client = FixClient("RETAIL7", gateway.port)
    assert is_refused(client, "guess")
    assert is_refused(FixClient("WHOLESALE", gateway.port))
    assert is_refused(FixClient("RETAIL\x7f7", gateway.port))
    client.next_out = 1
    client.log_on("554=sesame")
    assert is_refused(
        FixClient("RETAIL7", gateway.port), "guess"
    )  # and nobody disturbs who is logged on
    assert client.barrier() == []
    client.close()
    assert "the authenticator said no" in reasons(gateway)
    assert "sesame" not in gateway.log.read_text()
    assert "session_new" in gateway.log.read_text()


def test_what_the_function_gets_wrong_is_logged_and_hurts_nobody(gateway: GatewayProcess) -> None:
    nameless = FixClient("RETAIL", gateway.port)  # an account without a name
    assert is_refused(nameless)
    assert "authenticator: expected a LogonAnswer or None of it" in reasons(gateway)
    client = FixClient("CLIENT1", gateway.port)
    client.log_on()
    client.close()


def test_a_template_makes_so_many_sessions_and_no_more(gateway: GatewayProcess) -> None:
    for number in (1, 2):
        client = FixClient(f"RETAIL{number}", gateway.port)
        client.log_on("554=sesame")
        client.close()
    assert is_refused(FixClient("RETAIL3", gateway.port))
    gateway.kill()
    gateway.start()
    assert is_refused(FixClient("RETAIL3", gateway.port))
    client.log_on("554=sesame")  # those that it made come back
    client.close()
    assert "the template has no room for more sessions: sessions_max" in reasons(gateway)


def test_an_account_once_given_stays(gateway: GatewayProcess, tmp_path: Path) -> None:
    client = FixClient("RETAIL7", gateway.port)
    client.log_on("554=sesame")
    client.close()
    gateway.kill()
    (tmp_path / "venue_hook.py").write_text(HOOK.replace("request.client[6:]", "'OTHER'"))
    gateway.start()
    assert is_refused(client)
    assert "its account is 7 for ever" in reasons(gateway)


def test_one_live_connection_for_each(gateway: GatewayProcess) -> None:
    client = FixClient("RETAIL1", gateway.port)
    client.log_on("554=sesame")
    assert is_refused(FixClient("RETAIL1", gateway.port))
    client.expect("1")  # it is asked whether it lives
    client.send("0", "112=TEST")
    assert client.barrier() == []
    client.close()


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("venue_hook:", "no_such_module:", "key authenticator: no module no_such_module is found"),
        ("venue_hook:", "venue_hook", "[[session]] 3 key authenticator: expected str matching"),
        ("sessions_max = 2", 'password_hash = "x"', "key authenticator: expected either this"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    (tmp_path / "venue_hook.py").write_text(HOOK)
    path = tmp_path / "gateway.toml"
    text = CONFIG.format(port=0) + TEMPLATE
    path.write_text(text)
    load(path)
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as error:
        load(path)
    assert said in str(error.value)
