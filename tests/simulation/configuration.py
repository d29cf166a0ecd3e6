"""How the simulated gateway is configured: small, so that bounds are met and starts are quick.

Owns the clients' names, and when numbers begin anew by schedule. Must not know what goes wrong.
"""

from __future__ import annotations

from tests.support.streams import STREAMS

FIX_NAMES = ("CLIENT1", "CLIENT2", "CLIENT3")
OUCH_NAMES = ("OUCH1", "OUCH2")
# The session whose numbers begin anew by schedule.
SCHEDULED = "CLIENT3"
_GATEWAY = """
[gateway]
name = "PORTCULLIS"

[listen]
fix = "127.0.0.1:1"
ouch = "127.0.0.1:2"

[back_office]
enabled = false

[capture]
enabled = false

[journal]
sync = "{sync}"
segment_rows = 32768
address_space = "2GiB"

[limits]
orders = 2048
ids = {ids}
levels = 1024
sessions = 16
accounts = 16
instruments = 4
write_bytes = "16KiB"
write_high_water = "16KiB"
resend_bytes = "16KiB"
read_bytes = "32KiB"
max_lag = 3000

[[instrument]]
symbol = "BTC-USD"
ouch = "BTCUSD"
tick = "0.01"
lot = "1"
"""
_FIX = """
[[session]]
protocol = "fix"
client = "{name}"
account = "{name}"
{more}
"""
_SCHEDULE = """
[[schedule]]
name = "often"
timezone = "UTC"
resets = [{resets}]
"""
_OUCH = """
[[session]]
protocol = "ouch"
username = "{name}"
account = "{name}"
"""


def configuration(sync: str, ids: int, resets_s: list[int]) -> str:
    """A configuration, TOML. ids: room for so many. resets_s: seconds of a day, [] for none."""
    text = _GATEWAY.format(sync=sync, ids=ids) + STREAMS
    for name in FIX_NAMES:
        is_scheduled = name == SCHEDULED and resets_s
        text += _FIX.format(name=name, more='schedule = "often"' if is_scheduled else "")
    if resets_s:
        shown = ", ".join(
            f'"daily {one // 3600:02d}:{one // 60 % 60:02d}:{one % 60:02d}"' for one in resets_s
        )
        text += _SCHEDULE.format(resets=shown)
    return text + "".join(_OUCH.format(name=name) for name in OUCH_NAMES)
