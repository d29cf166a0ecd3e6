"""The examples of docs/clients.md, and the example script, do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.client.fix import NewOrderSingle, Side
from portcullis.client.ouch import EnterOrder, Executed
from tests.support.client_scripts import CONFIG, LIMIT_S, fix_client, ouch_client, run
from tests.support.gateway_process import GatewayProcess

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "clients.md").read_text()
# Each script, with the output that stands behind it, if any.
SCRIPTS = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), CONFIG) as gateway:
        yield gateway


@pytest.mark.parametrize(("script", "output"), SCRIPTS, ids=range(len(SCRIPTS)))
def test_a_script_of_the_page_runs(
    script: str, output: str, gateway: GatewayProcess, tmp_path: Path
) -> None:
    script = script.replace("9878", str(gateway.port)).replace("9879", str(gateway.ouch_port))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if output:
        assert done.stdout == output


def test_the_fix_example_ends_with_its_own_fill_and_not_with_that_of_an_older_order(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    async def rest() -> None:
        """A bid that the example's offer meets, and an offer for the example's bid."""
        for client, side, price in (("CLIENT2", Side.BUY, "100.6"), ("CLIENT1", Side.SELL, "101")):
            async with fix_client(gateway, client, reset=True) as link:
                order = NewOrderSingle(
                    cl_ord_id="old", symbol="BTC-USD", side=side, order_qty="0.5", price=price
                )
                await link.send(order)
                await link.receive()

    run(rest())
    test_a_script_of_the_page_runs(
        SCRIPTS[0][0], "ExecutionReport\n0 0 None None\nF 2 0.5 101\n", gateway, tmp_path
    )


@pytest.mark.parametrize(
    ("example", "arguments"),
    [("quoter.py", []), ("quoter.py", ["127.0.0.1", "port", "OUCH1", "x"]), ("fill_ratio.py", [])],
)
def test_an_example_called_wrongly_says_its_usage_in_one_line(
    example: str, arguments: list[str]
) -> None:
    if example == "fill_ratio.py":
        pytest.importorskip("pyarrow")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / example), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"usage: {example} ") and done.stderr.count("\n") == 1


def test_the_quoter_comes_back_after_a_kill(gateway: GatewayProcess) -> None:
    command = [sys.executable, "-u", str(ROOT / "examples" / "quoter.py")]
    command += ["127.0.0.1", str(gateway.ouch_port), "OUCH3", "portcull"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as quoter:
        assert quoter.stdout is not None
        limit = threading.Timer(LIMIT_S, quoter.kill)
        limit.start()

        def said() -> str:
            return quoter.stdout.readline().strip()  # type: ignore[union-attr]

        async def take(token: str) -> None:
            async with ouch_client(gateway, "OUCH4") as taker:
                order = EnterOrder(
                    order_token=token, buy_sell="B", shares=5000, stock="BTCUSD", price="100.5"
                )
                await taker.send(order)
                async for message in taker:
                    if isinstance(message, Executed) and message.order_token == token:
                        break

        try:
            assert said().startswith("logged in to session ")
            assert said() == "offering 5000 at 100.5000"
            run(take("one"))
            assert [said(), said()] == ["sold 5000 at 100.5000", "offering 5000 at 100.5000"]
            gateway.kill()
            assert said().endswith("; again in 1 s")
            gateway.start()
            while not (line := said()).startswith("logged in to session "):
                assert line.endswith("; again in 1 s")
            run(take("two"))
            assert [said(), said()] == ["sold 5000 at 100.5000", "offering 5000 at 100.5000"]
        finally:
            limit.cancel()
            quoter.kill()
