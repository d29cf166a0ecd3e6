"""All FIX sessions of a gateway, made from the configuration and from its templates.

Owns how a session's settings become its parts: numbers, machine, application, schedule, guard. Who
is let in is for `fix_gate`. Must not know bytes or sockets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import msgspec

from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_dictionary import FixDictionary
from portcullis.gateway.admission import parse_networks
from portcullis.gateway.auth import FairQueue
from portcullis.gateway.authenticator import Authenticator
from portcullis.gateway.cancel_on_disconnect import DisconnectCancels
from portcullis.gateway.config import Loaded
from portcullis.gateway.config_sessions import FixClient
from portcullis.gateway.config_values import ASCII_NAME
from portcullis.gateway.fix_applications import ECHO_TYPES, Echo, OrderEntry, tags_of
from portcullis.gateway.fix_door import FixDoor
from portcullis.gateway.fix_gate import Applicant, Entry, Guard, Identity
from portcullis.gateway.fix_orders import FixOrders
from portcullis.gateway.fix_peer import FixPeer, Surroundings
from portcullis.gateway.fix_reports import FixReports
from portcullis.gateway.redaction import SECRET_TAGS
from portcullis.gateway.registry import session_key
from portcullis.gateway.row_store import RowStore
from portcullis.gateway.startup import Recovered
from portcullis.gateway.timetables import Timetable, schedules_of
from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_message import Scratch

_FIRST_DICTIONARY = "FIX44.xml"  # its Logon is the one by which sessions are found
_SECOND_NS = 1_000_000_000
_TIMESTAMP_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


@dataclass(frozen=True, slots=True)
class _Reading:
    """What sessions of one dictionary share."""

    dictionary: FixDictionary
    scanner: FixScanner
    scratch: Scratch


class FixPeers:
    """The peers, by identity. buffer: the shared receive buffer."""

    def __init__(
        self,
        shared: Surroundings,
        loaded: Loaded,
        recovered: Recovered,
        quarantined: set[str],
        buffer: memoryview,
    ) -> None:
        self._shared = shared
        self._loaded = loaded
        self._recovered = recovered
        self._quarantined = quarantined
        self._buffer = buffer
        self.cancels = DisconnectCancels(
            shared.turn, shared.deadlines, shared.log, last_ns=recovered.last_ns
        )
        self._readings: dict[str, _Reading] = {}
        # Its dictionary's Logon is the one by which sessions are found.
        self.first_scanner = self._reading(_FIRST_DICTIONARY).scanner
        table, catalog = recovered.journal.table, recovered.registry.catalog
        self._orders = FixOrders(table, catalog)
        self._reports = FixReports(table, catalog)
        self._timetables = {
            name: Timetable(schedule, shared.deadlines)
            for name, schedule in schedules_of(loaded.config).items()
        }
        limits = loaded.config.limits
        self._templates = loaded.config.templates()
        # By entry point: what says who of those that templates fit may log on.
        self.authenticators = {
            one.authenticator: Authenticator(
                one.authenticator,
                loaded.folder,
                timeout_s=limits.authenticator_timeout / _SECOND_NS,
                queue=FairQueue(
                    waiting_max=limits.credential_checks,
                    waiting_per_address_max=limits.credential_checks_per_address,
                ),
            )
            for one in self._templates
            if one.authenticator is not None
        }
        # Sessions made so, by template.
        self._made: Counter[str] = Counter()
        self.entries: dict[Identity, Entry] = {}
        self._keys = {number: key.decode() for number, key in recovered.registry.sessions()}
        for one in loaded.config.fix_sessions():
            identity, entry = self._make(one)
            self.entries[identity] = entry
        self._enter_known()

    def __iter__(self) -> Iterator[FixPeer]:
        return (entry.peer for entry in self.entries.values())

    def key_of(self, session: int) -> str:
        """The key of a session by its id; empty where it has none."""
        return self._keys.get(session, "")

    def cut_slow(self, max_lag: int) -> None:
        """Close the connections whose clients do not read and are further behind than that."""
        for peer in list(self._shared.slow):
            if peer.store.lag > max_lag:
                peer.cut()

    # --- who is not known in advance -------------------------------------------------------------

    def applicant(self, identity: Identity) -> Applicant | None:
        """Who has no session, but a template fits; None: none does."""
        config = self._loaded.config
        begin_string, client, comp_id = (part.decode("latin-1") for part in identity)
        for template in self._templates:
            if (
                begin_string == template.version
                and comp_id == config.comp_id_of(template)
                and fnmatchcase(client, template.client)
                and re.fullmatch(ASCII_NAME, client)
            ):
                settings = msgspec.structs.replace(template, client=client)
                return Applicant(
                    session_key(config, template),
                    settings,
                    session_key(config, settings),
                    self._session_config(settings),
                    self._guard(settings),
                )
        return None

    def add(self, applicant: Applicant, account: str | None) -> Entry:
        """Its session, from now on: rows in the journal, as for one of the configuration.

        account: None: that of the template. ValueError says why it can have none.
        """
        if self._made[applicant.template] >= applicant.settings.sessions_max:
            raise ValueError("the template has no room for more sessions: sessions_max")
        settings = applicant.settings
        if account is not None:
            settings = msgspec.structs.replace(settings, account=account)
        turn, registry = self._shared.turn, self._recovered.registry
        for change in registry.session_changes(self._loaded.config, settings):
            row = turn.append(change.kind, words=change.words, items=change.items)
            registry.apply(turn.table, row)
        return self._enter(applicant.template, settings)

    def _enter_known(self) -> None:
        """Sessions of the journal that a template fits and the configuration does not name."""
        registry, config = self._recovered.registry, self._loaded.config
        named = {entry.key for entry in self.entries.values()}
        for key in sorted(set(self._keys.values()) - named):
            for template in self._templates:
                prefix, _, pattern = session_key(config, template).rpartition("->")
                client = key.removeprefix(f"{prefix}->")
                if client != key and fnmatchcase(client, pattern):
                    account = registry.account_of(key.encode())
                    settings = msgspec.structs.replace(template, client=client, account=account)
                    self._enter(session_key(config, template), settings)
                    break

    def _enter(self, template: str, settings: FixClient) -> Entry:
        identity, entry = self._make(settings)
        self._keys[entry.peer.store.session] = entry.key
        self.entries[identity] = entry
        self._made[template] += 1
        return entry

    # --- from the configuration ------------------------------------------------------------------

    def _reading(self, name: str) -> _Reading:
        reading = self._readings.get(name)
        if reading is None:
            dictionary, tables = self._loaded.files.reading(name)
            most = self._loaded.config.limits.message_bytes
            scanner = FixScanner(tables, self._buffer, max_message_bytes=most)
            reading = _Reading(dictionary, scanner, Scratch(tables, most))
            self._readings[name] = reading
        return reading

    def _make(self, one: FixClient) -> tuple[Identity, Entry]:
        config, recovered = self._loaded.config, self._recovered
        key = session_key(config, one)
        comp_id = config.comp_id_of(one).encode()
        client = one.client.encode()
        registry = recovered.registry
        names = (one.account, *one.accounts)
        door = FixDoor(
            registry.session(key.encode()),
            comp_id=comp_id,
            client=client,
            begin_string=one.version.encode(),
            default_account=registry.catalog.accounts.number(one.account.encode()),
            accounts=[registry.catalog.accounts.number(name.encode()) for name in names],
            timestamp_digits=_TIMESTAMP_DIGITS[one.timestamp],
            stale_after_ns=one.stale_after,
            missing_conditional="j" if one.missing_conditional == "j" else "8",
            manages_account=one.manages_account,
            says_processed=one.last_processed,
            resends_rejects=one.resend_rejects,
        )
        store = RowStore(
            self._shared.turn,
            self._reports,
            door,
            budget_bytes=config.limits.write_bytes,
            in_doubt_max=config.limits.in_doubt_messages,
            first_in_doubt=recovered.unsent.first_seq.get(door.session, 0),
            unsent=recovered.unsent.left.get(door.session),
            reset_asked_ns=recovered.unsent.asked_ns.get(door.session, 0),
        )
        reading = self._reading(one.dictionary)
        settings = self._session_config(one)
        application: OrderEntry | Echo = OrderEntry(self._shared.turn, self._orders, door)
        forget = None
        if one.application == "echo":
            application = Echo(store, reading.dictionary, ids_max=config.limits.echo_ids)
            forget = application.forget
        timetable = self._timetables.get(one.schedule)
        presence = None
        if one.cancel_on_disconnect:
            accounts = list(door.accounts)[: door.account_count]
            presence = self.cancels.watch(door.session, key, accounts, one.cancel_grace)
        peer = FixPeer(
            self._shared,
            key,
            settings,
            store,
            application,
            reading.scanner,
            reading.scratch,
            quarantined=key in self._quarantined,
            timetable=timetable,
            resets_done_ns=max(
                recovered.unsent.reset_ns.get(door.session, 0),
                registry.scheduled_ns[door.session],
            ),
            messages_per_second=one.messages_per_second,
            rejects_over_rate=one.over_rate == "reject",
            forget=forget,
            presence=presence,
            redacts=_has_secrets(reading.dictionary, settings.application_types),
        )
        if timetable is not None:
            timetable.join(peer, self._shared.turn.now_ns)
        return (settings.begin_string, client, comp_id), Entry(peer, self._guard(one), one.account)

    def _session_config(self, one: FixClient) -> FixSessionConfig:
        config = self._loaded.config
        terms = FixSessionConfig(
            comp_id=config.comp_id_of(one).encode(),
            client=one.client.encode(),
            begin_string=one.version.encode(),
            reset_on_logon=one.reset_on_logon,
            accept_reset=one.accept_reset,
            logon_reject=one.logon_reject,
            next_expected=one.next_expected,
            heart_bt_int_min=one.heart_bt_int_min,
            heart_bt_int_max=one.heart_bt_int_max,
            logout_timeout_ns=one.logout_timeout,
            close_timeout_ns=one.logout_timeout,
            resend_timeout_ns=one.resend_timeout,
            resend_chunk=one.resend_chunk,
            sending_time_window_ns=one.sending_time_window,
            logon_timeout_ns=config.limits.logon_timeout,
            held_messages_max=one.held_messages_max,
            held_bytes_max=one.held_bytes_max,
        )
        return replace(terms, application_types=ECHO_TYPES) if one.application == "echo" else terms

    def _guard(self, one: FixClient) -> Guard:
        return Guard(
            is_enabled=one.enabled,
            networks=tuple(parse_networks(one.addresses)),
            password=self._loaded.files.password(one),
            needs_tls=one.tls,
            certificate=one.certificate or "",
            authenticator=self.authenticators.get(one.authenticator or ""),
        )


def _has_secrets(dictionary: FixDictionary, types: frozenset[bytes]) -> bool:
    """Whether a message of these types may have a secret field."""
    found = [dictionary.messages[one].members for one in types if one in dictionary.messages]
    tags = {tag for members in (dictionary.header, *found) for tag in tags_of(members)}
    return bool(tags & SECRET_TAGS)
