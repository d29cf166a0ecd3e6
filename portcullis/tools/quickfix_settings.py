"""A QuickFIX configuration file, read and turned into ours.

Owns the reading of the format (one [DEFAULT] section whose settings hold for every [SESSION] that
follows, `Name=value`, names of either case, # comments), and the table of what each setting
becomes. Nothing is dropped in silence: what we cannot honour, and what nobody knows, is a `Remark`
with its line; only what changes nothing (a value that says what we do anyway) is passed over.
Values are never repeated in remarks, for they may be secrets. Must not know the command line.

Specification: QuickFIX's configuration page; QuickFIX/J's, QuickFIX/Go's and QuickFIX/n's where
they have names of their own. docs/operating.md shows what is honoured.
"""

from __future__ import annotations

import contextlib
import re
import zoneinfo
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

_NAME_MAX = 24  # of an account
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s+(\S+))?")
_NEVER_STALE = "876000h"  # a hundred years: CheckLatency=N
_PRECISIONS = {
    "0": "s", "3": "ms", "6": "us", "9": "ns",
    "SECONDS": "s", "MILLIS": "ms", "MICROS": "us", "NANOS": "ns",
}  # fmt: skip

# What we cannot do, by name in lower case: why, and the values for which that changes nothing.
_ALWAYS = frozenset(("Y",))
_NEVER = frozenset(("N",))
_CANNOT: dict[str, tuple[str, frozenset[str]]] = {
    "allowposdup": ("a possible duplicate needs its OrigSendingTime(122)", _NEVER),
    "allowunknownmsgfields": ("messages are validated: widen the dictionary instead", _NEVER),
    "appdatadictionary": ("FIXT 1.1 is not spoken", frozenset()),
    "checkcompid": ("CompIDs are always checked", _ALWAYS),
    "checkgaps": ("numbers are always checked", _ALWAYS),
    "closedresendinterval": ("ResendRequests end at 0", _NEVER),
    "defaultapplverid": ("FIXT 1.1 is not spoken", frozenset()),
    "disconnectonerror": ("a fault is answered by Logout, then closed", _NEVER),
    "forceresendwhencorruptedstore": ("the journal is checked at the start", _NEVER),
    "ignorepossdupresendrequests": ("ResendRequests are always answered", _NEVER),
    "logonday": ("windows are those of the [[schedule]]", frozenset()),
    "logontime": ("windows are those of the [[schedule]]", frozenset()),
    "logoutday": ("windows are those of the [[schedule]]", frozenset()),
    "logouttime": ("windows are those of the [[schedule]]", frozenset()),
    "maxscheduledwriterequests": ("limits.max_lag bounds what a slow client costs", frozenset()),
    "persistmessages": ("the journal keeps every message", _ALWAYS),
    "preservemessagefieldsorder": ("fields go out ascending", _NEVER),
    "rejectinvalidmessage": ("invalid messages are always rejected", _ALWAYS),
    "rejectmessageonunhandledexception": ("a fault of ours stops the gateway", _NEVER),
    "refreshonlogon": ("one process owns the journal", _NEVER),
    "requiresorigsendingtime": ("a possible duplicate needs it", _ALWAYS),
    "resetondisconnect": ("numbers go on: see reset_on_logon and [[schedule]] resets", _NEVER),
    "resetonerror": ("numbers go on: see reset_on_logon and [[schedule]] resets", _NEVER),
    "resetonlogout": ("numbers go on: see reset_on_logon and [[schedule]] resets", _NEVER),
    "senderlocationid": ("a session is known by its CompIDs alone", frozenset()),
    "sendersubid": ("a session is known by its CompIDs alone", frozenset()),
    "sendredundantresendrequests": ("a request is repeated after resend_timeout", _NEVER),
    "sessionqualifier": ("a session is known by its CompIDs alone", frozenset()),
    "targetlocationid": ("a session is known by its CompIDs alone", frozenset()),
    "targetsubid": ("a session is known by its CompIDs alone", frozenset()),
    "transportdatadictionary": ("FIXT 1.1 is not spoken", frozenset()),
    "usedatadictionary": ("messages are always validated", _ALWAYS),
    "uselocaltime": ("times have the zone of their [[schedule]]: say TimeZone", _NEVER),
    "validatechecksum": ("checksums are always checked", _ALWAYS),
    "validatefieldshavevalues": ("an empty field is always rejected", _ALWAYS),
    "validatefieldsoutoforder": ("fields out of order are always rejected", _ALWAYS),
    "validateincomingmessage": ("messages are always validated", _ALWAYS),
    "validatelengthandchecksum": ("frames are always checked", _ALWAYS),
    "validatesequencenumbers": ("numbers are always checked", _ALWAYS),
    "validateunorderedgroupfields": ("members of groups must be in order", _ALWAYS),
    "validateuserdefinedfields": ("fields must be in the dictionary", _ALWAYS),
    "filestorepath": ("the journal in gateway.data_dir is the store", frozenset()),
    "filelogpath": (
        "the back office writes logs/ in gateway.data_dir",
        frozenset(),
    ),
    "filelogbackuppath": ("see FileLogPath", frozenset()),
}
# Of initiators, or read by acceptors of QuickFIX as little as by us.
_NO_MATTER = frozenset(
    ("heartbtint", "reconnectinterval", "socketconnecthost", "socketconnectport", "socketnodelay",
     "socketreuseaddress", "sendresetseqnumflag")
)  # fmt: skip


class Setting(NamedTuple):
    """One line of the file."""

    line: int
    name: str
    value: str


class Remark(NamedTuple):
    """What the TOML does not do as the file says."""

    line: int
    name: str
    text: str


@dataclass(slots=True)
class Section:
    """A [SESSION] with the defaults before it. settings: by name in lower case."""

    line: int
    settings: dict[str, Setting]


@dataclass(slots=True)
class Imported:
    """Our tables, as a TOML document has them, and what is not in them."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    schedules: list[dict[str, Any]] = field(default_factory=list)
    # Sessions for clients not known in advance: they lack the function that knows them.
    templates: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def read_sections(text: str) -> tuple[list[Section], list[Remark]]:
    """The sessions of a file, and lines that say nothing."""
    defaults: dict[str, Setting] = {}
    sections: list[Section] = []
    remarks: list[Remark] = []
    now: dict[str, Setting] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        name, equals, value = (part.strip() for part in line.partition("="))
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            title = line.strip("[]").strip().upper()
            if title == "DEFAULT":
                now = defaults
            elif title == "SESSION":
                sections.append(Section(number, {}))
                now = sections[-1].settings
            else:
                # Nor is its text: who knows what it is.
                remarks.append(Remark(number, "section", "expected [DEFAULT] or [SESSION]"))
                now = {}
        elif not equals or now is None:
            # Its text is not repeated: it may be half of a secret.
            remarks.append(Remark(number, "line", "expected [SECTION], then Name=value"))
        else:
            now[name.lower()] = Setting(number, name, value)
    for section in sections:
        section.settings = defaults | section.settings
    return sections, remarks


def import_settings(text: str, folders: Iterable[Path]) -> Imported:
    """Turn a file's text into our tables. folders: where files that it names may be."""
    return _Import(folders).take(text)


class _Import:
    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._into = Imported()
        self._told: set[tuple[int, str]] = set()
        self._schedules: dict[tuple[str, str, str], str] = {}
        self._identities: set[tuple[str, str]] = set()
        self._settings: dict[str, Setting] = {}
        self._session: dict[str, Any] = {}

    def take(self, text: str) -> Imported:
        sections, self._into.remarks = read_sections(text)
        for section in sections:
            self._settings = section.settings
            self._take_session(section.line)
        self._into.remarks.sort()
        return self._into

    # --- one session ---------------------------------------------------------------------------

    def _take_session(self, line: int) -> None:
        if not self._is_ours(line):
            return
        ours, theirs = self._value("SenderCompID"), self._value("TargetCompID")
        account = re.sub(r"[^!-~]", "_", theirs)[:_NAME_MAX]
        self._session = {
            "protocol": "fix", "comp_id": ours, "client": theirs, "account": account,
        }  # fmt: skip
        self._identities.add((ours, theirs))
        self._take_address()
        self._take_schedule()
        for key, setting in self._settings.items():
            honour = _HONOURED.get(key)
            if honour is not None:
                honour(self, setting)
            elif key in _CANNOT:
                why, harmless = _CANNOT[key]
                if setting.value.upper() not in harmless:
                    self._cannot(setting, why)
            elif key not in _KNOWN:
                self._cannot(setting, "not known here")
        if not self._is_template():
            self._into.sessions.append(self._session)
            return
        why = "a template needs a function of yours, see docs/sessions.md: it stands as a comment"
        self._cannot(self._settings["targetcompid"], why)
        self._into.templates.append(self._session | {"authenticator": "MODULE:FUNCTION"})

    def _is_ours(self, line: int) -> bool:
        """Whether this is an acceptor's session that can be had at all."""
        kind, version = self._settings.get("connectiontype"), self._settings.get("beginstring")
        if kind is not None and kind.value.lower() != "acceptor":
            self._cannot(kind, "only acceptors are taken over; the session is left out")
        elif version is None or version.value != "FIX.4.4":
            at = version or Setting(line, "BeginString", "")
            self._cannot(at, "only FIX.4.4 is spoken; the session is left out")
        elif not self._value("SenderCompID") or not self._value("TargetCompID"):
            at = Setting(line, "SESSION", "")
            self._cannot(at, "needs SenderCompID and TargetCompID; it is left out")
        elif not all(re.fullmatch(r"[!-~]{1,64}", self._value(n)) for n in _COMP_IDS):
            self._cannot(self._settings["targetcompid"], "not 1 to 64 characters; left out")
        elif self._value("SenderCompID") == "*":
            at = self._settings["sendercompid"]
            self._cannot(at, "our own CompID is no pattern; the session is left out")
        elif (self._value("SenderCompID"), self._value("TargetCompID")) in self._identities:
            at = self._settings["targetcompid"]
            self._cannot(at, "a session with these CompIDs stands before; it is left out")
        else:
            return True
        return False

    def _is_template(self) -> bool:
        return self._value("AcceptorTemplate").upper() == "Y" or self._value("TargetCompID") == "*"

    def _value(self, name: str) -> str:
        setting = self._settings.get(name.lower())
        return setting.value if setting else ""

    def _cannot(self, setting: Setting, why: str) -> None:
        if (setting.line, why) not in self._told:
            self._told.add((setting.line, why))
            self._into.remarks.append(Remark(setting.line, setting.name, why))

    def _table(self, name: str) -> dict[str, Any]:
        return self._into.tables.setdefault(name, {})

    # --- where and when -------------------------------------------------------------------------

    def _take_address(self) -> None:
        port = self._settings.get("socketacceptport")
        number = _count(port.value) if port is not None else None
        if port is None or number is None or not 0 < number < 1 << 16:
            at = port or Setting(0, "SocketAcceptPort", "")
            self._cannot(at, "expected a port; the default of listen.fix stands")
            return
        over_tls = self._is_tls()
        host = self._value("SocketAcceptAddress") or self._value("SocketAcceptHost") or "0.0.0.0"
        if not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", host):
            named = self._settings.get("socketacceptaddress") or self._settings["socketaccepthost"]
            self._cannot(named, "expected an IP address; 127.0.0.1 stands in its place")
            host = "127.0.0.1"
        address = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
        if self._table("listen").setdefault("fix_tls" if over_tls else "fix", address) != address:
            self._cannot(port, "there is one address for all sessions, the first that stands")

    def _is_tls(self) -> bool:
        """Whether the session comes over TLS, and the certificates are there for it."""
        on = next((self._settings[key] for key in _TLS_SWITCHES if key in self._settings), None)
        files = {
            ours: next((self._settings[key] for key in keys if key in self._settings), None)
            for ours, keys in _TLS_FILES.items()
        }
        if (on is None or on.value.upper() != "Y") and files["certificate"] is None:
            return False
        found = {ours: self._file(one) for ours, one in files.items() if one is not None}
        certificate, key = found.get("certificate"), found.get("key")
        if certificate is None or key is None:
            at = files["certificate"] or on or Setting(0, "SocketUseSSL", "Y")
            self._cannot(at, "[tls] needs certificate and key as PEM files; the session is plain")
            return False
        self._table("tls").update({"certificate": certificate, "key": key})
        if found.get("client_ca"):
            self._table("tls").update(client_ca=found["client_ca"], client_certificates="optional")
        self._session["tls"] = True
        return True

    def _file(self, setting: Setting) -> str | None:
        """The file a setting names, None with a remark where it is not there."""
        found = self._found(setting.value)
        if found is None:
            self._cannot(setting, "no such file")
        return found

    def _found(self, name: str) -> str | None:
        """The whole path of a file that is there."""
        for folder in self._folders:
            # What the system takes for no name, too long for one, is not there either.
            with contextlib.suppress(OSError):
                if (folder / name).is_file():
                    return str((folder / name).resolve())
        return None

    def _take_schedule(self) -> None:
        if self._value("NonStopSession").upper() == "Y":
            return
        start, end = self._settings.get("starttime"), self._settings.get("endtime")
        if start is None or end is None:
            return
        times = []
        for one in (start, end):
            match = _TIME.fullmatch(one.value)
            if match is None or int(match[1]) > 23 or int(match[2]) > 59:
                self._cannot(one, "expected HH:MM:SS; the session is always open")
                return
            times.append((f"{int(match[1]):02}:{match[2]}:{match[3] or '00'}", match[4]))
        zone = self._value("TimeZone") or times[0][1] or "UTC"
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, too
            at = self._settings.get("timezone", start)
            self._cannot(at, "not a zone of the IANA database; the session is always open")
            return
        window, reset = self._week(times[0][0], times[1][0])
        if reset:
            self._session["schedule"] = self._schedule(zone, window, reset)

    def _week(self, start: str, end: str) -> tuple[str, str]:
        """The window, empty: always open; and the reset, at its beginning as QuickFIX has it."""
        named = [self._settings.get(key) for key in ("startday", "endday", "weekdays")]
        days = [one and _day_names(one.value) for one in named]
        for setting, names in zip(named, days, strict=True):
            if setting is not None and not names:
                self._cannot(setting, "expected days of the week; the session is always open")
                return "", ""
        first, last, weekdays = days
        if first and last:
            if (first, start) == (last, end):
                return "", f"{first[0]} {start}"
            return f"{first[0]} {start}-{last[0]} {end}", f"{first[0]} {start}"
        on = ",".join(weekdays) if weekdays else "daily"
        if start == end and not weekdays:
            return "", f"daily {start}"
        return f"{on} {start}-{end}", f"{on} {start}"

    def _schedule(self, zone: str, window: str, reset: str) -> str:
        key = (zone, window, reset)
        if key not in self._schedules:
            name = self._schedules[key] = f"schedule-{len(self._schedules) + 1}"
            table: dict[str, Any] = {"name": name, "timezone": zone, "resets": [reset]}
            if window:
                table["windows"] = [window]
            self._into.schedules.append(table)
        return self._schedules[key]

    # --- settings with a key of ours ------------------------------------------------------------

    def switch(self, key: str, setting: Setting) -> None:
        if setting.value.upper() not in ("Y", "N"):
            self._cannot(setting, "expected Y or N")
        elif setting.value.upper() == "Y":
            self._session[key] = True

    def number(self, key: str, setting: Setting, unit: str) -> None:
        """A count, or with a unit a duration. Of 0 a session has no such limit."""
        count = _count(setting.value)
        if count is None:
            self._cannot(setting, "expected a number")
        else:
            self._session[key] = f"{count}{unit}" if unit else count

    def latency(self, setting: Setting) -> None:
        if setting.value.upper() == "N":
            self._session["sending_time_window"] = _NEVER_STALE

    def max_latency(self, setting: Setting) -> None:
        if self._value("CheckLatency").upper() != "N":
            self.number("sending_time_window", setting, "s")

    def logon_timeout(self, setting: Setting) -> None:
        seconds = _count(setting.value)
        if not seconds:
            self._cannot(setting, "expected seconds")
            return
        wanted = f"{seconds}s"
        if self._table("limits").setdefault("logon_timeout", wanted) != wanted:
            self._cannot(setting, "there is one for all sessions, the first that stands")

    def precision(self, setting: Setting) -> None:
        found = _PRECISIONS.get(setting.value.upper())
        if found is None:
            self._cannot(setting, "times are sent with 0, 3, 6 or 9 digits")
        else:
            self._session["timestamp"] = found

    def milliseconds(self, setting: Setting) -> None:
        if setting.value.upper() == "N":
            self._session.setdefault("timestamp", "s")

    def addresses(self, setting: Setting) -> None:
        self._session["addresses"] = [one.strip() for one in setting.value.split(",")]
        for one in self._session["addresses"]:
            if not re.fullmatch(r"[0-9a-fA-F.:]+(/\d+)?", one):
                self._cannot(setting, "expected addresses; every address is refused")
                self._session["addresses"] = ["255.255.255.255/32"]
                return

    def dictionary(self, setting: Setting) -> None:
        found = self._found(setting.value)
        if found is not None:
            self._session["dictionary"] = found
        elif setting.value != "FIX44.xml":
            self._cannot(setting, "no such file; the FIX44.xml that comes along stands for it")


def _count(text: str) -> int | None:
    """A number of at most nine digits; None: it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _day_names(text: str) -> list[str]:
    """Days as schedules write them; none where one is no day."""
    found = [one.strip().lower()[:3] for one in text.split(",")]
    short = {"su": "sun", "mo": "mon", "tu": "tue", "we": "wed", "th": "thu", "fr": "fri"}
    found = [short.get(one, "sat" if one == "sa" else one) for one in found]
    return found if all(one in _DAYS for one in found) else []


_COMP_IDS = ("SenderCompID", "TargetCompID")
_TLS_SWITCHES = ("socketusessl", "sslenable")
_TLS_FILES = {
    "certificate": ("servercertificatefile", "socketcertificatefile"),
    "key": ("servercertificatekeyfile", "socketprivatekeyfile"),
    "client_ca": ("certificationauthoritiesfile", "socketcafile"),
}
_HONOURED: dict[str, Callable[[_Import, Setting], None]] = {
    "resetonlogon": lambda to, s: to.switch("reset_on_logon", s),
    "sendnextexpectedmsgseqnum": lambda to, s: to.switch("next_expected", s),
    "enablenextexpectedmsgseqnum": lambda to, s: to.switch("next_expected", s),
    "enablelastmsgseqnumprocessed": lambda to, s: to.switch("last_processed", s),
    "resendsessionlevelrejects": lambda to, s: to.switch("resend_rejects", s),
    "resendrequestchunksize": lambda to, s: to.number("resend_chunk", s, ""),
    "logouttimeout": lambda to, s: to.number("logout_timeout", s, "s"),
    "logontimeout": _Import.logon_timeout,
    "checklatency": _Import.latency,
    "maxlatency": _Import.max_latency,
    "timestampprecision": _Import.precision,
    "millisecondsintimestamp": _Import.milliseconds,
    "allowedremoteaddresses": _Import.addresses,
    "datadictionary": _Import.dictionary,
}
# Dealt with by name in the code above.
_KNOWN = (
    _NO_MATTER
    | frozenset(
        ("beginstring", "connectiontype", "sendercompid", "targetcompid", "acceptortemplate",
         "socketacceptport", "socketacceptaddress", "socketaccepthost", "nonstopsession",
         "starttime", "endtime", "startday", "endday", "weekdays", "timezone", *_TLS_SWITCHES)
    )
    | {key for keys in _TLS_FILES.values() for key in keys}
)  # fmt: skip
