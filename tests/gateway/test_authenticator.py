"""The operator's own function, asked in its own process: answers, faults, and time-outs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from portcullis.gateway.auth import FairQueue
from portcullis.gateway.authenticator import (
    Authenticator,
    AuthenticatorError,
    LogonAnswer,
    LogonRequest,
)
from tests.support.fix_client import TIMEOUT_S

HOOK = """
import os, sys, time
from portcullis.gateway.authenticator import LogonAnswer

def authenticate(request):
    print("asked about", request)
    if request.client == "SLOW":
        time.sleep(60)
    if request.client == "FORKS":
        os.fork()
        time.sleep(60)
    if request.client == "EXITS":
        sys.exit(request.password)
    if request.client == "GONE":
        os._exit(1)
    if request.client == "WRONG":
        return "yes"
    if request.client == "RAISES":
        raise KeyError(request.password)
    if request.password != "sesame":
        return None
    return LogonAnswer(account=request.username)

number = 5
"""


def always() -> bool:
    return True


def request(client: str, password: str = "sesame") -> LogonRequest:
    return LogonRequest(client, "PORTCULLIS", "ALICE", password, "192.0.2.1", [])


def run(
    folder: Path,
    work: Callable[[Authenticator], Awaitable[Any]],
    entry_point: str = "hook:authenticate",
) -> Any:
    """Let work have an authenticator, in an event loop."""
    (folder / "hook.py").write_text(HOOK)

    async def whole() -> Any:
        queue = FairQueue(waiting_max=8, waiting_per_address_max=8)
        one = Authenticator(entry_point, folder, timeout_s=TIMEOUT_S, queue=queue)
        try:
            return await work(one)
        finally:
            await one.close()

    return asyncio.run(whole())


async def takes_too_long(one: Authenticator, client: str) -> None:
    """Ask about a client that it never answers; what is asked later has its time again."""
    one._timeout_s = 1.0
    with pytest.raises(AuthenticatorError, match="no answer in time"):
        await one.ask(request(client), "a", always)
    one._timeout_s = TIMEOUT_S


def test_the_function_says_who_may_log_on_and_with_which_accounts(tmp_path: Path) -> None:
    async def work(one: Authenticator) -> list[LogonAnswer | None]:
        return [await one.ask(request("A", word), "a", always) for word in ("sesame", "other")]

    assert run(tmp_path, work) == [LogonAnswer("ALICE"), None]


def test_what_it_raises_is_told_without_its_text_and_it_goes_on(tmp_path: Path) -> None:
    async def work(one: Authenticator) -> tuple[list[str], LogonAnswer | None]:
        said = []
        for client in ("RAISES", "EXITS", "WRONG", "GONE"):
            with pytest.raises(AuthenticatorError) as error:
                await one.ask(request(client, "hunter2"), "a", always)
            said.append(str(error.value))
        return said, await one.ask(request("A"), "a", always)

    said, answer = run(tmp_path, work)
    assert said == [
        "authenticator: KeyError in hook.py:19",
        "authenticator: SystemExit in hook.py:13",
        "authenticator: expected a LogonAnswer or None of it",
        "authenticator: it ended, or gave no answer",
    ]
    assert answer == LogonAnswer("ALICE")


def test_one_that_takes_too_long_is_ended_and_begun_anew(tmp_path: Path) -> None:
    async def work(one: Authenticator) -> LogonAnswer | None:
        await one.start()
        await takes_too_long(one, "SLOW")
        return await one.ask(request("A"), "a", always)

    assert run(tmp_path, work) is not None


def test_one_that_hangs_with_a_child_of_its_own_is_begun_anew_all_the_same(
    tmp_path: Path,
) -> None:
    async def work(one: Authenticator) -> LogonAnswer | None:
        await one.start()
        await takes_too_long(one, "FORKS")
        return await one.ask(request("A"), "a", always)

    assert run(tmp_path, work) is not None


def test_who_goes_while_it_is_asked_does_not_mix_up_the_answers(tmp_path: Path) -> None:
    async def work(one: Authenticator) -> list[LogonAnswer | None]:
        await one.start()
        gone = asyncio.create_task(one.ask(request("A", "other"), "a", always))
        await asyncio.sleep(0)
        gone.cancel()
        return list(
            await asyncio.gather(*(one.ask(request("A", w), "a", always) for w in ("sesame", "x")))
        )

    assert run(tmp_path, work) == [LogonAnswer("ALICE"), None]


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        ("nowhere:authenticate", "nowhere:authenticate cannot be loaded: ModuleNotFoundError"),
        ("hook:nothing", "hook:nothing is no function"),
        ("hook:number", "hook:number is no function"),
    ],
)
def test_an_entry_point_that_is_none_is_said_at_the_start(
    tmp_path: Path, entry_point: str, said: str
) -> None:
    with pytest.raises(AuthenticatorError, match=said):
        run(tmp_path, lambda one: one.start(), entry_point)


def test_a_request_in_a_log_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(request("A", "hunter2"))
