"""The back office: the process beside the gateway that does everything slow.

Owns the order of its work: followers read the journal in turn, a slice each; between two slices
the control port answers. What it knows of the gateway it reads from the journal or asks over the
operator's socket. Must never be waited for by the gateway: it may be killed, stopped or slow.

Started by `back_office_watch` with a descriptor that holds its orders; ends with its standard
input. `python -m portcullis.gateway.back_office` is not for people.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from portcullis.gateway.back_office_watch import Orders
from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.control_port import make_app, serve_control
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.followers import Followed, make_followers
from portcullis.gateway.operator_port import OperatorError, Request, call
from portcullis.gateway.refills import Refills
from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import Replica
from portcullis.gateway.report_index import ReportIndex
from portcullis.gateway.row_check import RowCheck
from portcullis.gateway.views import view_routes

IDLE_S = 0.02  # between two looks at a journal that had nothing new
SECOND_S = 1.0
# A follower that has stood still for so long, though there are rows, is stale.
STALE_S = 10.0
GATEWAY_WAIT_S = 2.0
# The gateway has the processor first.
_NICE = 5


class BackOffice:
    """What the process holds. gateway: the last answer to `state`; its age says if it answers."""

    def __init__(self, loaded: Loaded, directory: Path, log: EventLog) -> None:
        self.directory = directory
        self.log = log
        self.gateway: dict[str, Any] = {}
        self.gateway_trouble = "the gateway has not been asked yet"
        # Since the epoch: when it answered last, and the same where it answers no more, else 0.
        self._answered_ns = time.time_ns()
        self.silent_since_ns = 0
        sizes: dict[str, int] = {key: getattr(loaded.config.limits, key) for key in LIMITS}
        every = loaded.config.journal.snapshot_every
        self.replica = Followed(
            "replica",
            lambda _row: self._check_before(
                Replica(
                    directory,
                    sizes,
                    snapshot_every=every,
                    days_kept=loaded.config.day.sessions_kept,
                )
            ),
            directory,
            log,
        )
        self._is_first_replica = True
        # Where the rows before those that it began with are damaged; 0: nowhere.
        self._damaged_row = 0
        kept = {one.name: one.sessions_kept for one in loaded.config.refilled_streams()}
        self.reports = Followed(
            ReportIndex.name,
            lambda next_row: ReportIndex(directory, kept, next_row),
            directory,
            log,
        )
        self.followers = [self.replica, *make_followers(loaded, directory, log)]
        if kept:
            self.followers.append(self.reports)
        # By follower: its row when last looked at, and since when it stands there.
        self._stands: dict[str, tuple[int, float]] = {}
        self._told: set[str] = set()

    def _check_before(self, replica: Replica) -> Replica:
        """Have the rows checked that the first replica has not read, once."""
        end_row = replica.next_row
        if self._is_first_replica and end_row > 1:
            ended = partial(self._checked, end_row)
            check = Followed(
                RowCheck.name,
                lambda next_row: RowCheck(next_row, end_row, ended),
                self.directory,
                self.log,
                keeps_place=False,
            )
            self.followers = [*self.followers, check]
        self._is_first_replica = False
        return replica

    def _checked(self, end_row: int, damaged_row: int) -> None:
        self.followers = [one for one in self.followers if one.name != RowCheck.name]
        self._damaged_row = damaged_row
        if not damaged_row:
            self.log.emit("rows_checked", before_row=end_row)

    def look(self) -> None:
        """Ask the gateway how it is, write cursors down, tell what is amiss. Once a second."""
        try:
            self.gateway = call(self.directory, Request(do="state"), wait_s=GATEWAY_WAIT_S)
            self.gateway_trouble = ""
            self._answered_ns, self.silent_since_ns = time.time_ns(), 0
        except OperatorError as error:
            self.gateway_trouble = str(error)
            self.silent_since_ns = self._answered_ns
        for followed in self.followers:
            followed.keep()
            followed.sealed_row = self.gateway.get("last_row", 0)
        found = {trouble["text"] for trouble in self.troubles()}
        for text in sorted(found - self._told):
            self.log.emit("trouble", text=text)
        for text in sorted(self._told - found):
            self.log.emit("trouble_over", text=text)
        self._told = found

    def troubles(self) -> list[dict[str, str]]:
        """All that is not as it should be, in the gateway and here."""
        found = list(self.gateway.get("troubles", []))
        if self.gateway_trouble:
            found.append({"code": "gateway_silent", "text": self.gateway_trouble})
        if self._damaged_row:
            text = (
                f"the journal is damaged at row {self._damaged_row}, before the snapshot that the "
                "start began at: what clients ask for again from there may be wrong; "
                "portcullis journal verify finds it again"
            )
            found.append({"code": "journal_damaged", "text": text})
        for followed in self.followers:
            if followed.trouble:
                text = f"follower {followed.name} has stopped, and is tried again: "
                found.append({"code": "follower_failed", "text": text + followed.trouble})
            elif followed.damaged_row:
                text = (
                    f"the journal is damaged at row {followed.damaged_row}: follower "
                    f"{followed.name} stands before it; portcullis journal repair shows the rest"
                )
                found.append({"code": "journal_damaged", "text": text})
            elif self._is_stale(followed):
                text = (
                    f"follower {followed.name} has stood at row {followed.row} for "
                    f"{STALE_S:g} s, and the journal is at row {self.gateway['last_row']}"
                )
                found.append({"code": "follower_stale", "text": text})
        return found

    def _is_stale(self, followed: Followed) -> bool:
        now = time.monotonic()
        row, since = self._stands.setdefault(followed.name, (followed.row, now))
        if row != followed.row or followed.row >= self.gateway.get("last_row", 0):
            self._stands[followed.name] = (followed.row, now)
            return False
        return now - since > STALE_S

    def health(self) -> dict[str, Any]:
        """What /health says."""
        troubles = self.troubles()
        return {
            "status": "degraded" if troubles else "ok",
            "troubles": troubles,
            "gateway": {name: value for name, value in self.gateway.items() if name != "troubles"},
            "followers": {
                followed.name: {
                    "row": followed.row,
                    "behind_rows": max(self.gateway.get("last_row", 0) - followed.row, 0),
                }
                for followed in self.followers
            },
        }

    def is_ready(self) -> bool:
        """Whether orders are taken."""
        return not self.gateway_trouble and bool(self.gateway.get("can_take_orders"))


async def run(orders: Orders) -> None:
    """Work until standard input ends."""
    loaded = Loaded(
        parse(orders.text, orders.source), orders.source, Path(orders.folder), orders.text
    )
    settings = loaded.config.log
    if settings.file is None:
        log = EventLog(sys.stderr.fileno(), queue_max=settings.queue)
    else:
        log = EventLog.to_file(loaded.path(settings.file), queue_max=settings.queue)
    office = BackOffice(loaded, Path(orders.directory), log)
    control = _socket(orders.control)
    refills = Refills(
        loaded,
        office.reports,
        office.replica,
        {name: (_socket(one), _socket(other)) for name, (one, other) in orders.refills.items()},
        log,
    )
    app = make_app(
        office, [*view_routes(office.replica, lambda: office.silent_since_ns), refills.route()]
    )
    serving = asyncio.create_task(serve_control(app, office.directory, control))
    looking = asyncio.create_task(_look_each_second(office))
    ended = asyncio.create_task(_lifeline())
    while not ended.done():
        for task in (serving, looking):
            if task.done():  # by a signal, or by an exception: the gateway starts another
                task.result()
                return
        has_work = False
        for followed in office.followers:
            has_work = followed.poll() > 0 or has_work
            has_work = refills.pump() or has_work
            await asyncio.sleep(0)  # who asks for something waits for one of them, not for all
        if not has_work:
            await asyncio.sleep(IDLE_S)
    refills.close()
    serving.cancel()
    looking.cancel()
    for followed in office.followers:
        followed.keep()
    log.close()


def _socket(descriptor: int) -> socket.socket | None:
    return None if descriptor < 0 else socket.socket(fileno=descriptor)


async def _look_each_second(office: BackOffice) -> None:
    while True:
        await asyncio.to_thread(office.look)
        await asyncio.sleep(SECOND_S)


async def _lifeline() -> None:
    """Until the gateway lets go of our standard input."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            ended.set()

    loop.add_reader(sys.stdin.fileno(), readable)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())


def main() -> None:
    """Run on the orders in the descriptor that the first argument names."""
    os.nice(_NICE)
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        orders = msgspec.json.decode(file.read(), type=Orders)
    asyncio.run(run(orders))


if __name__ == "__main__":
    main()
