"""One client of a scenario, whatever its protocol: its connection and what it counts.

Owns what the runner asks of all protocols alike. Must not know steps' order nor results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from portcullis.tools.conform.link import Link, StreamLink, TargetError
from portcullis.tools.conform.matching import FieldCheck
from portcullis.tools.conform.scenario import Step
from portcullis.tools.conform.target import Client, Target
from portcullis.tools.conform.wire import Fields, Message, StreamWire, Wire


class Party(ABC):
    """A client. letter: as scenarios call it. is_known: whether its numbers are."""

    wire: Wire
    # How long after the first login messages of the past may come; 0: none do.
    past_s = 0.0

    def __init__(
        self, letter: str, client: Client, target: Target, now_ns: Callable[[], int]
    ) -> None:
        self.letter = letter
        self.client = client
        self.target = target
        self.now_ns = now_ns
        self.link: Link | None = None
        # Whether orders of this scenario may rest with the target when it ends.
        self.leaves_orders = False
        self.is_known = False
        # Whether each Logon begins the numbers anew without being asked.
        self.resets_by_itself = target.reset == "logon"

    def open_link(self) -> Link:
        """The connection; TargetError where the scenario has none now."""
        if self.link is None:
            raise TargetError(f"client {self.letter} is not connected here")
        return self.link

    async def connect(self) -> None:
        """Open a new connection; TargetError where that cannot be done."""
        await self.drop()
        self.link = await self.open()
        self.on_connect()

    async def drop(self) -> None:
        """Close the connection, if there is one."""
        if self.link is not None:
            await self.link.close()
            self.link = None

    def forget(self) -> None:
        """Nothing is known of the numbers any more."""
        self.is_known = False

    @abstractmethod
    async def open(self) -> Link:
        """A new connection, with a new wire; TargetError where it cannot be had."""

    @abstractmethod
    def on_connect(self) -> None:
        """A connection was made."""

    @abstractmethod
    def logon(self, step: Step) -> tuple[Step | None, list[Step]]:
        """What to send, if anything, in order to log on, and of what one is the answer.

        The step's fields are added.
        """

    @abstractmethod
    def logout(self, step: Step) -> tuple[Step | None, Step | None]:
        """What to send and to expect in order to log out; None: nothing."""

    @abstractmethod
    def encode(self, msg_type: str, fields: Fields, counts: bool) -> bytes:
        """The bytes of a message with what it does not say filled in; counts: it has a number."""

    @abstractmethod
    def sent(self, octets: bytes) -> None:
        """These bytes go out."""

    @abstractmethod
    def header_checks(self, step: Step, message: Message) -> list[FieldCheck]:
        """What every received message must have, but for what the step says itself."""

    @abstractmethod
    def took(self, message: Message) -> None:
        """A received message is dealt with: count it."""

    @abstractmethod
    def is_passed_over(self, message: Message, expected: Sequence[Step]) -> bool:
        """Whether it comes unasked, as Heartbeats do, and is none of what is expected."""

    @abstractmethod
    def local(self) -> Mapping[str, str]:
        """Names of templates that depend on the client."""

    @abstractmethod
    def goodbye(self) -> list[bytes]:
        """What to send at a scenario's end so that the target has it behind itself."""

    @abstractmethod
    def is_goodbye(self, message: Message) -> bool:
        """Whether this answers it."""


class StreamParty(Party):
    """A client on a TCP connection."""

    def __init__(
        self, letter: str, client: Client, target: Target, now_ns: Callable[[], int]
    ) -> None:
        super().__init__(letter, client, target, now_ns)
        self.wire = self.new_wire()

    async def open(self) -> Link:
        target = self.target
        return await StreamLink.connect(
            target.host, target.port, self.new_wire(), target.connect_s
        )

    @abstractmethod
    def new_wire(self) -> StreamWire:
        """A wire for a new connection, which also becomes `wire`."""
