"""A gateway process with a small journal and small tables, so that a start costs little.

What the test's own configuration says of either stands.
"""

from __future__ import annotations

from portcullis.tools import gateway_process

SMALL = (
    ("[journal]", "segment_rows = 32768"),
    ("[limits]", "orders = 20000\nids = 40000"),
)


class GatewayProcess(gateway_process.GatewayProcess):
    """`portcullis serve` as `portcullis.tools.gateway_process` has it, small."""

    def configure(self, config: str) -> None:
        tables = [f"\n{name}\n{text}\n" for name, text in SMALL if name not in config]
        super().configure(config + "".join(tables))
