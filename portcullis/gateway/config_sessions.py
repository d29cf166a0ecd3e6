"""Which keys a session has, of FIX and of OUCH, what they default to and why.

Owns two tables of the schema (`config_schema`), as that describes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from portcullis.gateway.config_values import (
    CompId,
    Count,
    Duration,
    EntryPoint,
    Name,
    Rate,
    Size,
    Table,
)


class FixClient(Table, frozen=True, tag_field="protocol", tag="fix"):
    """A FIX session, or with an `authenticator` a template of sessions."""

    client: Annotated[
        CompId,
        Meta(description="Their CompID; of a template a pattern of CompIDs, such as `RETAIL*`."),
    ]
    account: Annotated[Name, Meta(description="The account of orders that name none.")]
    comp_id: Annotated[
        CompId | None,
        Meta(description="Ours: the SenderCompID of what we send. Default: `gateway.name`."),
    ] = None
    version: Annotated[Literal["FIX.4.4"], Meta(description="BeginString.")] = "FIX.4.4"
    accounts: Annotated[list[Name], Meta(description="Further accounts its orders may name.")] = (
        field(default_factory=list)
    )
    dictionary: Annotated[
        str,
        Meta(
            description="Dictionary in QuickFIX's XML format: a file, or"
            " the one that comes with Portcullis."
        ),
    ] = "FIX44.xml"
    application: Annotated[
        Literal["orders", "echo"],
        Meta(description="`echo` sends application messages back, for session conformance runs."),
    ] = "orders"
    schedule: Annotated[
        Name,
        Meta(description="Name of its `[[schedule]]`; `none`: always open, numbers never reset."),
    ] = "none"
    enabled: Annotated[bool, Meta(description="False: Logons are answered by closing.")] = True
    addresses: Annotated[
        list[str],
        Meta(description='Networks it may come from, such as "10.1.0.0/16"; none: from anywhere.'),
    ] = field(default_factory=list)
    tls: Annotated[bool, Meta(description="Whether it may come over TLS only.")] = False
    certificate: Annotated[
        str | None,
        Meta(
            description="Name that its client certificate must have, as common name or DNS name;"
            " so it may come over TLS only."
        ),
    ] = None
    password_hash: Annotated[
        str | None,
        Meta(
            description="Password(554) as"
            " `scrypt:n:r:p:salt:hash`, as `portcullis password` makes it. Default: none is asked."
        ),
    ] = None
    password_file: Annotated[
        str | None,
        Meta(description="File that holds such a hash; relative to this file."),
    ] = None
    authenticator: Annotated[
        EntryPoint | None,
        Meta(
            description="Makes this a template: a function `module:function` of yours says who of"
            " those that the pattern fits may log on. Their sessions have all settings of the"
            " template. See docs/sessions.md.",
        ),
    ] = None
    sessions_max: Annotated[
        Count,
        Meta(
            description="Of a template: sessions that it makes at most. One that was made is known"
            " for ever and counts among `[limits] sessions`."
        ),
    ] = 1000
    reset_on_logon: Annotated[bool, Meta(description="Both numbers to 1 at each Logon.")] = False
    accept_reset: Annotated[
        Literal["always", "once_per_day", "never"],
        Meta(description="Whether ResetSeqNumFlag(141)=Y is honoured."),
    ] = "always"
    logon_reject: Annotated[
        Literal["silent", "logout"],
        Meta(description="How a Logon that fails authentication is answered."),
    ] = "silent"
    next_expected: Annotated[
        bool, Meta(description="NextExpectedMsgSeqNum(789) in our Logon, and theirs obeyed.")
    ] = False
    last_processed: Annotated[
        bool,
        Meta(
            description="LastMsgSeqNumProcessed(369) in all that we send: how far we are when it"
            " goes out."
        ),
    ] = False
    heart_bt_int_min: Annotated[
        int,
        Meta(ge=0, le=86_400, description="Least HeartBtInt(108), seconds; 0 admits none at all."),
    ] = 0
    heart_bt_int_max: Annotated[
        int, Meta(ge=1, le=86_400, description="And the greatest: a day, more would mean none.")
    ] = 86_400
    logout_timeout: Annotated[
        Duration,
        Meta(
            description="How long we wait for the answer to our Logout, and after"
            " our answer to theirs for them to close: QuickFIX's default."
        ),
    ] = Duration(2_000_000_000)
    resend_timeout: Annotated[
        Duration,
        Meta(
            description="A ResendRequest of ours without progress for so long is sent again; after"
            " three the session is logged out."
        ),
    ] = Duration(10_000_000_000)
    resend_chunk: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 31,
            description="So many messages are asked for by one ResendRequest; 0: all that is"
            " missing.",
        ),
    ] = 0
    resend_rejects: Annotated[
        bool,
        Meta(
            description="Our Rejects(3) are sent again when asked for, as the standard allows;"
            " else they are gap-filled like all session messages, as other engines do."
        ),
    ] = False
    sending_time_window: Annotated[
        Duration,
        Meta(description="How far SendingTime(52) may be from our clock: QuickFIX's default."),
    ] = Duration(120_000_000_000)
    stale_after: Annotated[
        Duration,
        Meta(
            description="A possible duplicate (43=Y) that was first"
            " sent longer ago than this must not trade."
        ),
    ] = Duration(5_000_000_000)
    messages_per_second: Annotated[
        Rate,
        Meta(
            description="Messages it may send a second, a second's worth at once. 0, the default:"
            " no limit, for reads are shared by turns and the rate of the whole is what was"
            " measured. What waits is kept, up to `read_bytes` of each session.",
        ),
    ] = 0
    over_rate: Annotated[
        Literal["delay", "reject"],
        Meta(
            description="What comes faster: `delay` reads on when it may come; `reject` answers"
            " application messages by BusinessMessageReject, up to the same rate once more, and"
            " then delays."
        ),
    ] = "delay"
    missing_conditional: Annotated[
        Literal["report", "j"],
        Meta(
            description="How an order without"
            " 38, 44 or 55 is answered: refused by 8, or by BusinessMessageReject."
        ),
    ] = "report"
    mass_cancel_scope: Annotated[
        Literal["account", "session"],
        Meta(
            description="What a mass cancel reaches: the account's orders, whichever session sent"
            " them, or only those that this session sent."
        ),
    ] = "account"
    gtc_restate: Annotated[
        bool,
        Meta(
            description="At the beginning of each day every order that lives on is told anew:"
            " 150=D with 378=1, and 424 to 426 for the day. Else such an order says nothing."
        ),
    ] = False
    manages_account: Annotated[
        bool,
        Meta(
            description="May cancel and replace, by OrderID(37), what other sessions of its"
            " accounts have ordered."
        ),
    ] = False
    cancel_on_disconnect: Annotated[
        bool,
        Meta(
            description="Cancel its orders, in all accounts that it may name, when its connection"
            " has ended, by a Logout too, and it has not logged on again within `cancel_grace`."
        ),
    ] = False
    cancel_grace: Annotated[
        Duration,
        Meta(
            description="Time to come back before that. QuickFIX's clients try every 30 s unless"
            " told otherwise. A stop or crash of the gateway does not use it up."
        ),
    ] = Duration(0)
    timestamp: Annotated[
        Literal["s", "ms", "us", "ns"],
        Meta(description="How fine the times are that we send, 52 and 60."),
    ] = "ms"
    held_messages_max: Annotated[
        Count,
        Meta(
            description="Messages kept that came ahead of a gap:"
            " a second of a busy client. What does not fit is asked for again."
        ),
    ] = 4096
    held_bytes_max: Annotated[Size, Meta(description="And their bytes.")] = Size(2 << 20)


class OuchClient(Table, frozen=True, tag_field="protocol", tag="ouch"):
    """A user of OUCH over SoupBinTCP."""

    username: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9]{1,6}$", description="SoupBinTCP username, in any case."),
    ]
    account: Annotated[Name, Meta(description="The account of its orders.")]
    firm: Annotated[
        str,
        Meta(pattern=r"^[A-Z0-9]{0,4}$", description="Firm its orders may name. Default: none."),
    ] = ""
    enabled: Annotated[bool, Meta(description="False: logins are not authorized.")] = True
    addresses: Annotated[list[str], Meta(description="As for FIX.")] = field(default_factory=list)
    password_hash: Annotated[
        str | None,
        Meta(
            description="As `portcullis password --ouch` makes it, which folds capitals."
            " Default: no password is asked."
        ),
    ] = None
    password_file: Annotated[str | None, Meta(description="As for FIX.")] = None
    cancel_on_disconnect: Annotated[
        bool, Meta(description="As for FIX: its orders go when it has gone, however it went.")
    ] = False
    cancel_grace: Annotated[
        Duration,
        Meta(
            description="Time to come back before that, as for FIX. It begins where the gateway"
            " sees the end: of a silent connection after 15 s."
        ),
    ] = Duration(0)
    messages_per_second: Annotated[
        Rate,
        Meta(
            description="As for FIX, of packets. A known token is passed over, and is two rows of"
            " the journal all the same: this bounds them."
        ),
    ] = 0
    over_rate: Annotated[
        Literal["delay", "reject"],
        Meta(
            description="As for FIX; `reject` answers an Enter Order by Rejected and carries out"
            " the rest, for OUCH has no refusal that leaves an order as it is."
        ),
    ] = "delay"
