"""Each way to get a configuration wrong, and the line that says so."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from portcullis.gateway import config_document
from portcullis.gateway.auth import PasswordHash
from portcullis.gateway.config import ConfigError, load, parse
from portcullis.gateway.config_sessions import FixClient

ROOT = Path(__file__).parent.parent.parent

INSTRUMENT = """
[[instrument]]
symbol = "BTC-USD"
tick = "0.01"
lot = "0.0001"
"""
SESSION = """
[[session]]
protocol = "fix"
client = "CLIENT1"
account = "ACME"
"""
STREAM = """
[[stream]]
name = "r"
groups = ["239.255.13.1:9881"]
"""
# Every table, and the keys that scripts rely on.
WHOLE = """
[gateway]
name = "PORTCULLIS"
data_dir = "data"
[listen]
fix = "127.0.0.1:9878"
ouch = "127.0.0.1:9879"
control = "127.0.0.1:9880"
[journal]
sync = "interval"
sync_interval = "50ms"
snapshot_every = 20_000_000
[day]
end = "00:00"
timezone = "UTC"
[[stream]]
name = "reports"
groups = ["239.255.13.1:9881"]
interface = "127.0.0.1"
ttl = 0
retransmit = "127.0.0.1:9882"
replay = "127.0.0.1:9883"
[[instrument]]
symbol = "BTC-USD"
ouch = "BTCUSD"
tick = "0.01"
lot = "0.0001"
route = "book"
[[session]]
protocol = "fix"
version = "FIX.4.4"
comp_id = "PORTCULLIS"
client = "CLIENT1"
account = "ACME"
dictionary = "FIX44.xml"
reset_on_logon = false
application = "orders"
[[session]]
protocol = "ouch"
username = "OUCH1"
password_file = "secrets/ouch1"
account = "ACME"
"""

WRONG = [
    # what is written, what the line must say behind "gateway.toml: "
    ("[listen", "expected TOML"),
    ("zzz = 1", "key zzz: unknown; expected one of gateway, listen"),
    (
        "[listne]\nfix = 1",
        "key listne: unknown; did you mean listen? expected one of gateway, listen",
    ),
    (
        '[listen]\nfxi = "127.0.0.1:1"',
        "[listen] key fxi: unknown; did you mean fix? expected one of fix, fix_tls",
    ),
    ("[listen]\nfix = 9878", '[listen] key fix: expected an address such as "127.0.0.1:9878"'),
    ('[listen]\nfix = "9878"', "[listen] key fix: expected an address"),
    ('[listen]\nfix = "127.0.0.1:70000"', "[listen] key fix: expected an address"),
    ('[listen]\nfix = "nowhere:9878"', "[listen] key fix: expected an address"),
    ('listen = "127.0.0.1:9878"', "key listen: expected a table, got str"),
    ('[journal]\nsync = "always"', 'expected "none" or "interval" or "batch", got \'always\''),
    ('[journal]\nsync_interval = "50"', 'key sync_interval: expected a duration such as "50ms"'),
    ("[journal]\nsync_interval = 50", "[journal] key sync_interval: expected a duration"),
    ('[journal]\nsegment_rows = "many"', "[journal] key segment_rows: expected int, got str"),
    ("[journal]\nsegment_rows = 100", "[journal] key segment_rows: expected int >= 32768"),
    ("[journal]\nsegment_rows = 40001", "[journal] key segment_rows: expected int that's"),
    ('[limits]\nread_bytes = "1 MB"', "[limits] key read_bytes: expected a size"),
    ('[limits]\nread_bytes = "16KiB"', "[limits] key read_bytes: expected at least twice"),
    ('[limits]\nmessage_bytes = "61KiB"', '[limits] key message_bytes: expected at most "60KiB"'),
    ("[limits]\norders = 0", "[limits] key orders: expected int >= 1, got 0"),
    ("[limits]\nconnections = 10", "[limits] key unauthenticated: expected at most"),
    ('[day]\ntimezone = "Mars/Base"', "[day] key timezone: expected a zone"),
    ('[day]\nend = "25:00"', "[day] key end: expected a time of day"),
    ('[[stream]]\nname = "r"\ngroups = []', "[[stream]] 1 key groups: expected an array of"),
    (STREAM + 'addresses = ["home"]', "[[stream]] 1 key addresses: expected a network such as"),
    (STREAM + 'password_hash = "a"\npassword_file = "b"', "[[stream]] 1 key password_file: expe"),
    (STREAM + 'replay = "9883"', "[[stream]] 1 key replay: expected an address such as"),
    (STREAM + 'heartbeat = "0s"', '[[stream]] 1 key heartbeat: expected "10ms" to "1m"'),
    (STREAM + 'heartbeat = "2m"', '[[stream]] 1 key heartbeat: expected "10ms" to "1m"'),
    (STREAM + 'stall_max = "1h"', '[[stream]] 1 key stall_max: expected at most "10s"'),
    (STREAM + 'send_buffer = "0B"', "[[stream]] 1 key send_buffer: expected room for a packet of"),
    (SESSION + STREAM + 'accounts = ["AMCE"]', "[[stream]] 1 key accounts: expected the account"),
    (SESSION + 'cancel_grace = "5s"', "[[session]] 1 key cancel_grace: expected cancel_on_disco"),
    (STREAM + "sessions_kept = 0", "[[stream]] 1 key sessions_kept: expected int >= 1, got 0"),
    ('[[instrument]]\nsymbol = "A"\ntick = "1"', "[[instrument]] 1 key lot: missing"),
    (INSTRUMENT.replace('"0.01"', "0.01"), "[[instrument]] 1 key tick: expected a decimal"),
    (INSTRUMENT.replace('"0.01"', '"0.00"'), "[[instrument]] 1 key tick: expected a decimal"),
    (INSTRUMENT.replace('"0.01"', '"-1"'), "[[instrument]] 1 key tick: expected a decimal"),
    (INSTRUMENT.replace('"0.01"', '"0.0000000001"'), "key tick: expected at most 9 decimals"),
    (INSTRUMENT + INSTRUMENT, "[[instrument]] 2 key symbol: stands twice"),
    (
        INSTRUMENT
        + 'ouch = "A"\n'
        + INSTRUMENT.replace('symbol = "', 'symbol = "X')
        + 'ouch = "A"',
        "[[instrument]] 2 key ouch: stands twice",
    ),
    (
        '[listen]\nfix = "127.0.0.1:9001"\ncontrol = "127.0.0.1:9001"',
        "[listen] key control: 127.0.0.1:9001 is taken, by another key",
    ),
    (
        '[listen]\nfix = "0.0.0.0:9001"\n[[stream]]\nname = "s"\ngroups = ["239.255.1.1:9001"]\n'
        'replay = "127.0.0.1:9001"',
        "[[stream]] 1 key replay: 127.0.0.1:9001 is taken, by another key that says 0.0.0.0:9001",
    ),
    (INSTRUMENT + 'ouch = "A"\nprice_max = "1.001"', "price_max: expected at most 2 decimals"),
    (INSTRUMENT + 'price_max = "1.001"', "key price_max: expected at most 2 decimals"),
    (INSTRUMENT + 'price_max = "100000000"\nqty_max = "100000000"', "below 2^62"),
    (INSTRUMENT + 'route = "deribit"', '[[instrument]] 1 key route: expected "book"'),
    (INSTRUMENT + 'halted = "no"', "[[instrument]] 1 key halted: expected bool, got str"),
    (INSTRUMENT.replace('"0.01"', '"0.00001"') + 'ouch = "BTC"', "multiple of 0.0001"),
    (INSTRUMENT.replace("BTC-USD", "BTC USD"), "[[instrument]] 1 key symbol: expected str"),
    ('[[session]]\nprotocol = "fast"', '[[session]] 1 key protocol: expected "fix" or "ouch"'),
    ('[[session]]\nclient = "A"', "[[session]] 1 key protocol: missing"),
    (
        SESSION + 'clinet = "B"',
        "[[session]] 1 key clinet: unknown; did you mean client? expected one of protocol",
    ),
    (SESSION + SESSION, "[[session]] 2 key client: this pair of CompIDs stands twice"),
    (SESSION + 'version = "FIX.4.2"', '[[session]] 1 key version: expected "FIX.4.4"'),
    (SESSION + 'schedule = "day"', "[[session]] 1 key schedule: expected one of none, got 'day'"),
    ('[[schedule]]\nname = "none"', "[[schedule]] 1 key name: taken"),
    (
        '[[schedule]]\nname = "d"\ntimezone = "Mars"',
        "[[schedule]] 1 key timezone: expected a zone",
    ),
    (
        '[[schedule]]\nname = "d"\nwindows = ["8-17"]',
        "[[schedule]] 1 key windows: expected a window",
    ),
    ('[[schedule]]\nname = "d"\nresets = ["8:00"]', "[[schedule]] 1 key resets: expected a time"),
    (SESSION + 'addresses = ["10.0.0.1/8"]', "[[session]] 1 key addresses: expected a network"),
    (SESSION + 'password_hash = "a"\npassword_file = "b"', "key password_file: expected either"),
    (
        SESSION + '[[account]]\nname = "AMCE"',
        "[[session]] 1 key account: expected the name of an [[account]] of this file, got 'ACME'",
    ),
    (
        SESSION + 'accounts = ["DESC"]\n[[account]]\nname = "ACME"\n[[account]]\nname = "DESK"',
        "[[session]] 1 key accounts: expected the name of an [[account]] of this file, got 'DESC'",
    ),
]
WRONG_FILES = [
    # what the session names, what the line must say
    ('password_hash = "secret"', "key password_hash: expected a hash as `portcullis password`"),
    ('password_hash = "scrypt:3:8:1:00:00"', "key password_hash: expected scrypt parameters"),
    ('password_file = "none"', "key password_file: "),
    ('password_file = "empty"', "key password_file: expected a hash"),
    ('dictionary = "FIX45.xml"', "key dictionary: "),
    ('dictionary = "./empty"', "key dictionary: "),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_mistake_is_one_line_that_names_file_key_and_what_was_expected(
    text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "gateway.toml")
    line = str(raised.value)
    assert line.startswith("gateway.toml: ")
    assert said in line
    assert "\n" not in line


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="expected UTF-8"):
        load(path)


@pytest.mark.parametrize(("key", "said"), WRONG_FILES)
def test_what_is_wrong_with_a_file_is_known_when_the_configuration_is_loaded(
    tmp_path: Path, key: str, said: str
) -> None:
    (tmp_path / "empty").write_text("")
    path = tmp_path / "gateway.toml"
    path.write_text(SESSION + key)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert f"{path}: [[session]] 1 {said}" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_embedded_default_is_what_the_documents_promise() -> None:
    config = load(None).config
    assert config.listen.fix == "127.0.0.1:9878"
    assert config.gateway.name == "PORTCULLIS"
    assert [one.symbol for one in config.instrument] == ["BTC-USD", "ETH-USD"]
    sessions = [(one.client, one.account) for one in config.fix_sessions()]
    assert sessions == [("CLIENT1", "CLIENT1"), ("CLIENT2", "CLIENT2")]
    assert config.listen.ouch == "127.0.0.1:9879"
    assert [one.ouch for one in config.instrument] == ["BTCUSD", "ETHUSD"]
    users = [(one.username, one.account) for one in config.ouch_sessions()]
    assert users == [("OUCH1", "OUCH1"), ("OUCH2", "OUCH2")]
    for user in config.ouch_sessions():
        assert user.password_hash is not None
        assert PasswordHash.parse(user.password_hash).accepts(b"PORTCULL")
    (stream,) = config.refilled_streams()
    places = (stream.groups, stream.retransmit, stream.replay)
    assert places == (["239.255.13.1:9881"], "127.0.0.1:9882", "127.0.0.1:9883")


def test_a_configuration_of_every_table_loads() -> None:
    config = parse(WHOLE, "gateway.toml")
    assert [one.name for one in config.refilled_streams()] == ["reports"]


@pytest.mark.parametrize(
    "text",
    [
        SESSION + 'accounts = ["DESK"]\n' + STREAM + 'accounts = ["ACME", "DESK"]',
        SESSION.replace("CLIENT1", "A*") + 'authenticator = "gate:ask"\n'
        + STREAM + 'accounts = ["SHE-WHO-COMES"]',
        SESSION + 'cancel_on_disconnect = true\ncancel_grace = "5s"',
    ],
)  # fmt: skip
def test_what_goes_together_is_taken(text: str) -> None:
    parse(text, "gateway.toml")


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(SESSION)
    assert load(path).path("data") == tmp_path / "data"


def test_values_are_read_in_their_units() -> None:
    text = '[journal]\nsync_interval = "1.5s"\naddress_space = "2GiB"\n[limits]\norders = 7\n'
    config = parse(text + SESSION + 'sending_time_window = "2m"', "gateway.toml")
    assert config.journal.sync_interval == 1_500_000_000
    assert config.journal.address_space == 2 * 1024**3
    session = config.session[0]
    assert isinstance(session, FixClient)
    assert session.sending_time_window == 120_000_000_000


def test_bounds_of_an_instrument_count_in_its_own_decimals() -> None:
    text = INSTRUMENT + 'price_max = "250000.5"\nqty_max = "10"\nprice_decimals = 4\n'
    instrument = parse(text, "gateway.toml").instrument[0]
    assert instrument.price_places == 4
    assert instrument.price_units_max(4) == 2_500_005_000
    assert instrument.qty_units_max(instrument.qty_places) == 100_000


@pytest.mark.parametrize(
    ("tick", "most"),
    [("0.0001", 1_999_999_900), ("0.01", 19_999_999), ("0.5", 1_999_999), ("1", 199_999)],
)
def test_what_ouch_can_say_bounds_prices_of_any_tick(tick: str, most: int) -> None:
    text = INSTRUMENT.replace('"0.01"', f'"{tick}"') + 'ouch = "A"\n'
    instrument = parse(text, "gateway.toml").instrument[0]
    assert instrument.price_units_max(instrument.price_places) == most
    with pytest.raises(ConfigError, match=r"price_max: expected at most 199999\.99"):
        parse(text + 'price_max = "200000"', "gateway.toml")


def test_the_document_says_what_the_schema_says() -> None:
    default = resources.files("portcullis.gateway").joinpath("default.toml").read_text()
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text() == config_document.document(default)


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [("[day]\nsessions_kept", 1, 366), ("[capture]\nfiles", 2, 1_000_000)],
)
def test_the_bounds_that_the_document_names_hold(key: str, least: int, most: int) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    table, name = key.split("\n")
    _, _, keys = page.partition(f"## `{table}`")
    (line,) = (one for one in keys.split("\n## ")[0].splitlines() if f"| `{name}` |" in one)
    assert line.endswith(f" From {least:,} to {most:,}. |")
    for value in (least, most):
        parse(f"{key} = {value}", "gateway.toml")
    for value in (least - 1, most + 1):
        with pytest.raises(ConfigError, match=name):
            parse(f"{key} = {value}", "gateway.toml")
