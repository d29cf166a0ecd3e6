"""Which keys a configuration has, what they default to and why.

Owns the schema: one class a table, each key with its bounds and its description, so that
docs/configuration.md is made from here (`config_document`); those of sessions stand in
`config_sessions`. Knows no file and no rule between keys; `config` loads, checks and explains.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from portcullis.gateway.config_sessions import FixClient, OuchClient
from portcullis.gateway.config_values import (
    Address,
    Address4,
    Clock,
    CompId,
    Count,
    Decimal,
    Duration,
    Moment,
    Name,
    Size,
    Table,
    Window,
)

OuchSymbol = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,8}$")]
OUCH_PRICE_MAX = Decimal("199999.99")
UNITS_MAX = 10**9  # default bound of prices and quantities: their product stays below 2^62
Decimals = Annotated[int, Meta(ge=0, le=9)]


def ouch_price_units_max(places: int) -> int:
    """OUCH_PRICE_MAX in units of 10^-places, rounded down where it has more decimals."""
    return OUCH_PRICE_MAX.scaled(max(places, 2)) // int(10 ** max(2 - places, 0))


class Gateway(Table, frozen=True):
    name: Annotated[
        CompId,
        Meta(description="The gateway's name: CompID of its sessions where they name none."),
    ] = "PORTCULLIS"
    data_dir: Annotated[
        str,
        Meta(
            description="Where the journal lives; relative to this file. `--data` goes before it."
        ),
    ] = "data"


class Listen(Table, frozen=True):
    fix: Annotated[Address, Meta(description="FIX order entry.")] = Address("127.0.0.1:9878")
    fix_tls: Annotated[
        Address | None, Meta(description="FIX order entry over TLS, as `[tls]` says.")
    ] = None
    ouch: Annotated[
        Address | None, Meta(description="OUCH over SoupBinTCP. Default: there is none.")
    ] = None
    control: Annotated[
        Address | None,
        Meta(
            description="Control port, HTTP: `/health` and `/ready`. Default: none; the operator's"
            " commands work without it."
        ),
    ] = None


class Tls(Table, frozen=True):
    """The gateway's side of TLS; see docs/sessions.md."""

    certificate: Annotated[
        str | None,
        Meta(description="Certificate chain, PEM; relative to this file. Needed for `fix_tls`."),
    ] = None
    key: Annotated[
        str | None, Meta(description="Its private key, PEM, not encrypted; for its owner alone.")
    ] = None
    client_ca: Annotated[
        str | None, Meta(description="Certificates, PEM, of those whose word for clients we take.")
    ] = None
    client_certificates: Annotated[
        Literal["none", "optional", "required"],
        Meta(
            description="Whether clients are asked for a certificate, and must show one. A"
            " session's `certificate` says which."
        ),
    ] = "none"


class Journal(Table, frozen=True):
    sync: Annotated[
        Literal["none", "interval", "batch"],
        Meta(
            description="When written rows are"
            " forced to disk. A killed process loses nothing with any of them; a machine that"
            " stops loses nothing with `batch`, which waits for the disk before anything is sent."
        ),
    ] = "interval"
    sync_interval: Annotated[
        Duration, Meta(description="For `interval`: how much a machine that stops may lose.")
    ] = Duration(50_000_000)
    segment_rows: Annotated[
        int,
        Meta(
            ge=1 << 15,
            le=1 << 26,
            multiple_of=32,
            description="Rows of 128 bytes in one segment file, which a helper process writes"
            " ahead: a second's rows at full rate.",
        ),
    ] = 1 << 20
    address_space: Annotated[
        Size,
        Meta(
            description="Address range reserved for the journal, not"
            " memory; one range holds every row, so this bounds the rows a process can map."
        ),
    ] = Size(1 << 40)
    reserve_rate: Annotated[
        int,
        Meta(
            ge=1,
            description="Messages a second that are read of each session while new orders are"
            " refused because the disk is full: each takes of the rows that are kept for cancels."
            " A mass cancel is one.",
        ),
    ] = 100
    snapshot_every: Annotated[
        Count,
        Meta(
            description="Rows between snapshots, which the back office writes: a start replays at"
            " most about so many."
        ),
    ] = 20_000_000


class Day(Table, frozen=True):
    end: Annotated[
        Clock,
        Meta(
            description="When the trading day ends: Day orders expire, ids are free again, and the"
            " next sessions of OUCH and of streams begin."
        ),
    ] = Clock("00:00")
    timezone: Annotated[str, Meta(description="Zone of `end`, a name of the IANA database.")] = (
        "UTC"
    )
    sessions_kept: Annotated[
        int,
        Meta(
            ge=1,
            le=366,
            description="Days that have ended whose OUCH sessions can still be joined, the latest"
            " of them: a week, as long as `journal prune` keeps rows unless told otherwise. Their"
            " rows are not pruned.",
        ),
    ] = 7


class BackOffice(Table, frozen=True):
    """The process beside the gateway that follows the journal."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether it runs. Without it there is no control port, no view of orders"
            " and books, no snapshot and nothing else that follows the journal; trading is the"
            " same."
        ),
    ] = True


class Capture(Table, frozen=True):
    """What clients send, kept as it came, and the message logs made of it."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether it is kept, and message logs are made. Passwords and the like are"
            " taken out before anything is written."
        ),
    ] = True
    file_bytes: Annotated[
        Size, Meta(description="A file of the ring is ended at so many: some 200,000 orders.")
    ] = Size(32 << 20)
    files: Annotated[
        int, Meta(ge=2, le=1_000_000, description="Files of the ring; the oldest goes.")
    ] = 8
    log_bytes: Annotated[
        Size,
        Meta(description="A message or event log of a session is put aside at so many bytes."),
    ] = Size(64 << 20)
    log_files: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Those put aside that are kept, of each session."),
    ] = 4


class Stream(Table, frozen=True):
    """A stream of reports by multicast; see docs/multicast.md."""

    name: Annotated[Name, Meta(description="Its name.")]
    groups: Annotated[
        list[Address],
        Meta(
            min_length=1,
            max_length=2,
            description="IPv4 multicast groups and ports; a second one is line B, which carries"
            " the same packets.",
        ),
    ]
    content: Annotated[
        Literal["reports", "trades"],
        Meta(
            description="Every report that changes an order or refuses one; or each trade once,"
            " without names."
        ),
    ] = "reports"
    accounts: Annotated[
        list[Name], Meta(description="Of reports, only those of these accounts. None: all.")
    ] = field(default_factory=list)
    interface: Annotated[
        Address4,
        Meta(
            description="IPv4 address of the interface to send from; by it, receivers know the"
            " source."
        ),
    ] = Address4("127.0.0.1")
    ttl: Annotated[
        int,
        Meta(ge=0, le=255, description="How many routers a packet may pass; 0: this host only."),
    ] = 0
    packet_bytes: Annotated[
        int,
        Meta(
            ge=512,
            le=65_507,
            description="Largest packet, MoldUDP64's header counted: what an Ethernet frame of"
            " 1,500 bytes has room for behind IPv4 and UDP. Only a message that is longer by"
            " itself has a longer one.",
        ),
    ] = 1472
    heartbeat: Annotated[
        Duration,
        Meta(
            description="After so long (10ms to 1m) without a packet one without messages says the"
            " next number: so receivers notice that the last messages are missing. MoldUDP64's"
            " usual second."
        ),
    ] = Duration(1_000_000_000)
    end_of_session: Annotated[
        Duration,
        Meta(
            description="When a day has ended, the end of its session is said for so long, each"
            " `heartbeat`, beside the new session's packets: time to miss nine of ten."
        ),
    ] = Duration(10_000_000_000)
    send_buffer: Annotated[
        Size,
        Meta(
            description="Bytes that may wait in each line's socket, as far as the system grants"
            " them (net.core.wmem_max)."
        ),
    ] = Size(4 << 20)
    stall_max: Annotated[
        Duration,
        Meta(
            description="A line whose socket is full holds the stream up for so long, 10s at most;"
            " then it goes on without it: receivers have that from the other line, or ask for it."
        ),
    ] = Duration(100_000_000)
    retransmit: Annotated[
        Address | None,
        Meta(description="Where missing messages are asked for, MoldUDP64. Default: nowhere."),
    ] = None
    replay: Annotated[
        Address | None,
        Meta(
            description="Where it is replayed from any number on, and snapshots are taken:"
            " SoupBinTCP. Default: nowhere."
        ),
    ] = None
    addresses: Annotated[
        list[str], Meta(description="Networks that both serve, as for sessions. None: all.")
    ] = field(default_factory=list)
    password_hash: Annotated[
        str | None,
        Meta(
            description="Password of the replay, as `portcullis password --ouch` makes it."
            " Default: none is asked, as none is for the groups."
        ),
    ] = None
    password_file: Annotated[str | None, Meta(description="As for FIX.")] = None
    requests_per_second: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Requests of one address that are looked at. An answer takes 30 us, so"
            " they are 3% of a processor, and a gap of 5,000 reports in a second. Who asks for"
            " more gets no answer, and asks again.",
        ),
    ] = 1_000
    requests_per_second_in_all: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Of all addresses; half in equal shares.")
    ] = 4_000
    replay_connections: Annotated[
        Count,
        Meta(
            description="Connections to the replay at once; each may have 2 MiB of unread"
            " messages. One more is closed."
        ),
    ] = 64
    sessions_kept: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000,
            description="Sessions, which are trading days, that can be asked for, the live one"
            " counted: who missed a week finds it. Their rows are not pruned.",
        ),
    ] = 5


class Instrument(Table, frozen=True):
    symbol: Annotated[Name, Meta(description="Symbol(55) as clients write it.")]
    tick: Annotated[
        Decimal,
        Meta(
            description="Prices are multiples of it; its digits behind the"
            " point are the instrument's price decimals."
        ),
    ]
    lot: Annotated[
        Decimal,
        Meta(
            description="Quantities are multiples of it; its digits behind"
            " the point are the quantity decimals."
        ),
    ]
    price_decimals: Annotated[
        Decimals | None,
        Meta(
            description="More decimals than `tick`"
            " needs, for a finer tick one day: they are fixed when the symbol is first used.",
        ),
    ] = None
    qty_decimals: Annotated[Decimals | None, Meta(description="The same for `lot`.")] = None
    price_max: Annotated[
        Decimal | None,
        Meta(
            description="Highest price accepted. Default: 10^9"
            " units of the last price digit; with `ouch` 199999.99, which its fills can say."
        ),
    ] = None
    qty_max: Annotated[
        Decimal | None,
        Meta(
            description="Largest quantity accepted. Default: 10^9"
            " units of the last quantity digit. price_max x qty_max in units stays below 2^62, so"
            " that no sum of an order overflows."
        ),
    ] = None
    route: Annotated[
        Literal["book", "deribit"],
        Meta(
            description="Where its orders go. `deribit` is not served by this version and refused."
        ),
    ] = "book"
    ouch: Annotated[
        OuchSymbol | None, Meta(description="Its name in OUCH, for ever. Default: none.")
    ] = None
    short_marking: Annotated[
        bool, Meta(description="Whether sides 5 and 6 (sell short) are accepted.")
    ] = True
    halted: Annotated[bool, Meta(description="Refuse new orders; cancels pass.")] = False

    @property
    def price_places(self) -> int:
        """Decimals that its prices count in."""
        return self.tick.decimals if self.price_decimals is None else self.price_decimals

    @property
    def qty_places(self) -> int:
        """Decimals that its quantities count in."""
        return self.lot.decimals if self.qty_decimals is None else self.qty_decimals

    def price_units_max(self, places: int) -> int:
        """Highest price, in units of 10^-places; ValueError where it has more decimals."""
        if self.price_max is not None:
            return self.price_max.scaled(places)
        return ouch_price_units_max(places) if self.ouch is not None else UNITS_MAX

    def qty_units_max(self, places: int) -> int:
        """Largest quantity, in units of 10^-places; ValueError where it has more decimals."""
        return UNITS_MAX if self.qty_max is None else self.qty_max.scaled(places)


class Account(Table, frozen=True):
    """What holds for an account. Where none is described, an account exists by being named."""

    name: Annotated[Name, Meta(description="Its name, as sessions and orders write it.")]
    self_trade: Annotated[
        Literal["cancel_newest", "cancel_oldest", "cancel_both", "decrement", "none"],
        Meta(
            description="What happens where two orders of the account meet: the incoming order"
            " is cancelled, or the resting one, or both; `decrement` takes the smaller quantity"
            " off both; `none` lets them trade."
        ),
    ] = "cancel_newest"


class Schedule(Table, frozen=True):
    """When sessions may be logged on, and when their numbers begin at 1; see docs/sessions.md."""

    name: Annotated[Name, Meta(description="Its name, as sessions write it; not `none`.")]
    timezone: Annotated[
        str, Meta(description="Zone of all its times, a name of the IANA database.")
    ] = "UTC"
    windows: Annotated[
        list[Window],
        Meta(
            description='When Logons are taken: `"mon-fri 08:00-17:00"` for one window a day (an'
            ' end before its start is the next day\'s), `"sun 18:00-fri 17:00"` for one over'
            " days. At the end of a window clients are logged out. None: always."
        ),
    ] = field(default_factory=list)
    resets: Annotated[
        list[Moment],
        Meta(
            description='When both numbers begin at 1 again: `"mon-fri 07:55"`. Who is connected'
            " then is logged out first. One missed because the gateway was down is made up at its"
            " start. None: numbers go on."
        ),
    ] = field(default_factory=list)


class Limits(Table, frozen=True):
    connections: Annotated[
        Count,
        Meta(
            description="Open connections; one more is closed at"
            " once. The goal of 10,000 sessions and some room."
        ),
    ] = 11_000
    connections_per_address: Annotated[
        Count,
        Meta(
            description="Of them from one address (of IPv6: one /64 network): a thousand sessions"
            " behind one firewall and room, and not all places for whoever is there first."
        ),
    ] = 2_000
    unauthenticated: Annotated[
        Count,
        Meta(
            description="Connections that have not logged on, TLS handshakes among them:"
            " each costs a socket and at most two messages of memory."
        ),
    ] = 4_096
    unauthenticated_per_address: Annotated[
        Count,
        Meta(
            description="Of them from one address: a thousand clients that come back at once,"
            " and one host that holds sockets open does not keep the others out."
        ),
    ] = 1_024
    logon_timeout: Annotated[
        Duration,
        Meta(
            description="Time for the Logon, whole, and the check of its password: a peer that"
            " drips it byte by byte gets no more. A TLS handshake has as long before it."
        ),
    ] = Duration(10_000_000_000)
    message_bytes: Annotated[
        Size,
        Meta(
            description="Longest message, at most 60KiB: an answer repeats a value whole. A bigger"
            " BodyLength is garbled at once, not waited for."
        ),
    ] = Size(16 << 10)
    read_bytes: Annotated[
        Size,
        Meta(
            description="Read per connection and turn of the loop, so"
            " that one flood does not hold the others up."
        ),
    ] = Size(256 << 10)
    write_bytes: Annotated[
        Size, Meta(description="Sent per session and turn, resends included.")
    ] = Size(1 << 20)
    write_high_water: Annotated[
        Size,
        Meta(
            description="Bytes a slow client may leave unread"
            " before its cursor stops; its reports wait in the journal."
        ),
    ] = Size(1 << 20)
    resend_bytes: Annotated[
        Size,
        Meta(
            description="Sent again per turn by all sessions together, 0.1 ms of work:"
            " a resend of a day's messages does not hold the others up."
        ),
    ] = Size(64 << 10)
    max_lag: Annotated[
        int,
        Meta(
            ge=64,
            description="A client that does not read is disconnected when more messages than this"
            " wait for it: what it would read is long past. It gets them on return.",
        ),
    ] = 100_000
    in_doubt_messages: Annotated[
        Count,
        Meta(
            description="Reports that may have been sent and yet lie unread in the buffers of a"
            " broken connection; a reset sends so many again, with 97=Y. 10 MiB, more than Linux"
            " buffers, hold so many of 160 bytes."
        ),
    ] = 65_536
    close_timeout: Annotated[
        Duration,
        Meta(
            description="A client that is to be disconnected has"
            " so long to read what it is owed; then the connection is cut."
        ),
    ] = Duration(5_000_000_000)
    credential_checks: Annotated[
        Count,
        Meta(
            description="Logons whose password waits to be checked; further ones are closed. One"
            " check takes 40 ms of a processor, so these are the 10 s of `logon_timeout`."
        ),
    ] = 256
    credential_checks_per_address: Annotated[
        Count,
        Meta(
            description="Of them from one address. Addresses come by turns: one that brings many"
            " holds the others up by one check each."
        ),
    ] = 128
    failed_logons_per_minute: Annotated[
        Count,
        Meta(
            description="Wrong passwords that one address may send, Logons under names that do not"
            " exist among them; beyond it, its Logons with passwords are closed unchecked. So many"
            " guesses cost 2% of a processor, and fifteen clients that retry a wrong password"
            " every 30 s do not keep others of their address out."
        ),
    ] = 30
    authenticator_timeout: Annotated[
        Duration,
        Meta(
            description="Time for a template's function to answer, half of `logon_timeout`; then"
            " its process is ended and begun anew."
        ),
    ] = Duration(5_000_000_000)
    stop_timeout: Annotated[
        Duration, Meta(description="At a stop: time for clients to answer our Logout.")
    ] = Duration(2_000_000_000)
    orders: Annotated[
        Count, Meta(description="Live orders; full: new ones are refused by name.")
    ] = 1 << 19
    ids: Annotated[
        Count,
        Meta(
            description="ClOrdIDs remembered; full: new orders are refused,"
            " never is an id forgotten."
        ),
    ] = 1 << 21
    levels: Annotated[Count, Meta(description="Price levels over all books.")] = 1 << 16
    echo_ids: Annotated[
        Count,
        Meta(
            description="ClOrdIDs that an echo session remembers until its logout, some MiB; the"
            " oldest are forgotten first."
        ),
    ] = 1 << 16
    instruments: Annotated[Count, Meta(description="Instruments ever configured.")] = 1024
    accounts: Annotated[Count, Meta(description="Accounts ever configured.")] = 4096
    sessions: Annotated[Count, Meta(description="Sessions ever configured.")] = 16_384


class Log(Table, frozen=True):
    file: Annotated[
        str | None,
        Meta(description="Event log, JSON lines; relative to this file. Default: standard error."),
    ] = None
    queue: Annotated[
        Count,
        Meta(
            description="Lines that wait when the log's reader is slow;"
            " further ones are dropped and counted."
        ),
    ] = 4096


class Config(Table, frozen=True):
    """A whole configuration, checked."""

    gateway: Gateway = field(default_factory=Gateway)
    listen: Listen = field(default_factory=Listen)
    tls: Tls = field(default_factory=Tls)
    journal: Journal = field(default_factory=Journal)
    day: Day = field(default_factory=Day)
    back_office: BackOffice = field(default_factory=BackOffice)
    limits: Limits = field(default_factory=Limits)
    log: Log = field(default_factory=Log)
    capture: Capture = field(default_factory=Capture)
    stream: list[Stream] = field(default_factory=list)
    instrument: list[Instrument] = field(default_factory=list)
    account: list[Account] = field(default_factory=list)
    schedule: list[Schedule] = field(default_factory=list)
    session: list[FixClient | OuchClient] = field(default_factory=list)

    def fix_sessions(self) -> list[FixClient]:
        """Those whose client is named; not templates."""
        found = [one for one in self.session if isinstance(one, FixClient)]
        return [one for one in found if one.authenticator is None]

    def templates(self) -> list[FixClient]:
        found = [one for one in self.session if isinstance(one, FixClient)]
        return [one for one in found if one.authenticator is not None]

    def ouch_sessions(self) -> list[OuchClient]:
        return [one for one in self.session if isinstance(one, OuchClient)]

    def comp_id_of(self, session: FixClient) -> str:
        """Our CompID towards a session."""
        return session.comp_id or self.gateway.name

    def refilled_streams(self) -> list[Stream]:
        """Those whose gaps can be filled."""
        return [one for one in self.stream if one.retransmit or one.replay]
