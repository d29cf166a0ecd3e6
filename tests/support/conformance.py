"""What conformance runs against our gateway need: its configuration, and profiles of it.

Sessions E1.. echo, O1.. trade (two share a symbol S1..), ISLD/TW44 are those of QuickFIX's suite,
U1.. are OUCH users (of T1..).
"""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from portcullis.tools.conform.command import command

LANES = 8
# The password "portcull", as `portcullis password` hashes it.
PORTCULL = (
    "scrypt:16384:8:1:fbbc74801dda67ce53da5cd4ea3c8622"
    ":3e3884cb2fec489eb63fc17930d170ed864f4067e8f014ae955d2194187691f6"
)


def _sessions() -> str:
    blocks = []
    for lane in range(1, LANES + 1):
        # FIX and OUCH run side by side, and must not trade with each other.
        for named in (f'symbol = "S{lane}"', f'symbol = "T{lane}"\nouch = "T{lane}"'):
            blocks.append(f'[[instrument]]\n{named}\ntick = "0.01"\nlot = "1"')
    for number in range(1, 2 * LANES + 1):
        blocks += [
            f'[[session]]\nprotocol = "fix"\nclient = "E{number}"\naccount = "E{number}"\n'
            'application = "echo"',
            f'[[session]]\nprotocol = "fix"\nclient = "O{number}"\naccount = "O{number}"',
            f'[[session]]\nprotocol = "ouch"\nusername = "U{number}"\naccount = "U{number}"\n'
            f'password_hash = "{PORTCULL}"',
        ]
    return "\n\n".join(blocks)


CONFIG = f"""
[gateway]
name = "PORTCULLIS"

[listen]
fix = "127.0.0.1:{{port}}"
ouch = "127.0.0.1:{{ouch_port}}"

[limits]
orders = 10000
ids = 40000
logon_timeout = "10s"

[[session]]
protocol = "fix"
comp_id = "ISLD"
client = "TW44"
account = "TW44"
application = "echo"
reset_on_logon = true

{_sessions()}
"""

_NUMBERS = range(1, 2 * LANES + 1)
ECHO = [f"--client=E{number}" for number in _NUMBERS] + ["--application=echo"]
OUCH = [f"--client=U{number}:portcull" for number in _NUMBERS] + [
    f"--symbol=T{lane}" for lane in range(1, LANES + 1)
]
ORDERS = [f"--client=O{number}" for number in _NUMBERS] + [
    f"--symbol=S{lane}" for lane in range(1, LANES + 1)
]

# For a machine that has much else to do.
PATIENT = ["--patience=60", "--leeway=60"]


def conform(*arguments: str | Path) -> Result:
    """`portcullis conform` with these arguments, in this process."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments])
