"""What a configuration names outside itself: dictionaries, password hashes, certificates.

Owns their reading, once each, so that what is wrong with one is said when the configuration is
loaded, before a row is written or anybody can connect. Must not know sockets or the journal.
"""

from __future__ import annotations

import ssl
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from portcullis.dictionaries.fix_dictionary import FixDictionary
from portcullis.dictionaries.fix_tables import FixTables, compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.gateway.auth import PasswordHash
from portcullis.gateway.config_schema import Stream, Tls
from portcullis.gateway.config_sessions import FixClient, OuchClient
from portcullis.gateway.tls import server_context


class Reading(NamedTuple):
    """A dictionary, and the tables by which a scanner reads with it."""

    dictionary: FixDictionary
    tables: FixTables


class ConfigFiles:
    """The files that sessions name. folder: where relative paths begin."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readings: dict[str, Reading] = {}
        self._hashes: dict[Path, str] = {}
        self._tls: ssl.SSLContext | None = None

    def check(self, session: FixClient | OuchClient | Stream) -> None:
        """Read all that a session or stream names. ValueError says key and what is wrong."""
        self.password(session)
        if isinstance(session, FixClient):
            if session.authenticator is not None:
                self._find_module(session.authenticator)
            version = self.reading(session.dictionary).dictionary.version
            if version != session.version:
                raise ValueError(
                    f"key dictionary: {session.dictionary} is of {version}, "
                    f"the session of {session.version}"
                )

    def reading(self, name: str) -> Reading:
        """A dictionary: a file, or by its bare name one that comes with the package."""
        found = self._readings.get(name)
        if found is None:
            local = self._folder / name
            try:
                dictionary = load_dictionary(local if "/" in name or local.is_file() else name)
                found = Reading(dictionary, compile_tables(dictionary))
            except ValueError as error:
                raise ValueError(f"key dictionary: {error}") from None
            self._readings[name] = found
        return found

    def tls(self, settings: Tls) -> ssl.SSLContext:
        """What connections over TLS are taken in with."""
        if self._tls is None:
            self._tls = server_context(settings, self._folder)
        return self._tls

    def password(self, session: FixClient | OuchClient | Stream) -> PasswordHash | None:
        """The hash that guards a session, or a stream's replay; None: no password is asked."""
        key, text = "password_hash", session.password_hash
        if session.password_file is not None:
            key, text = "password_file", self._text(self._folder / session.password_file)
        if text is None:
            return None
        try:
            return PasswordHash.parse(text)
        except ValueError as error:
            raise ValueError(f"key {key}: {error}") from None

    def _find_module(self, entry_point: str) -> None:
        """ValueError where an authenticator's module is not there; nothing of it is run."""
        package = entry_point.partition(":")[0].partition(".")[0]
        if PathFinder.find_spec(package, [str(self._folder.resolve()), *sys.path]) is None:
            raise ValueError(f"key authenticator: no module {package} is found")

    def _text(self, path: Path) -> str:
        if path not in self._hashes:
            try:
                self._hashes[path] = path.read_text(encoding="ascii")
            except OSError as error:
                raise ValueError(f"key password_file: {path}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ValueError(f"key password_file: {path}: expected ASCII text") from None
        return self._hashes[path]
