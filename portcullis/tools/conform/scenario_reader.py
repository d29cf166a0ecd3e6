"""Reads our own scenario language: `.scenario` files, each with one or more scenarios.

Owns its grammar (docs/conformance.md) and the checks that need no target: verbs, clients, names
used before they are known. Must not know how a step is carried out.
"""

from __future__ import annotations

import re
from pathlib import Path

from portcullis.tools.conform.binary_layouts import NAMES
from portcullis.tools.conform.fix_names import TYPES
from portcullis.tools.conform.scenario import (
    ABSENT,
    Scenario,
    ScenarioError,
    Step,
    Timing,
    Verb,
    duration,
    is_tag,
)
from portcullis.tools.conform.values import is_name, names_of, unescaped

PROTOCOLS = ("fix", *NAMES)
ROLES = ("client", "venue")
# Known from the start: what the target is, and what each client counts.
GIVEN = frozenset(
    "us them next theirs symbol price qty answer user password session sequence".split()
)
_SCENARIO_KEYS = ("fix", "quickfix", "rule", "needs")
_WITH_MESSAGE = frozenset((Verb.SEND, Verb.GARBLE, Verb.EXPECT, Verb.AND, Verb.OR, Verb.MAYBE))
_WITH_FIELDS = _WITH_MESSAGE | {Verb.LOGON, Verb.LOGOUT}
_WITH_TEXT = frozenset(
    (Verb.RAW, Verb.DRIP, Verb.LET, Verb.SAY, Verb.OPERATE, Verb.SILENT, Verb.WAIT)
)
_CLIENT = re.compile(r"([A-Z]): *(.*)")
_TIMING = re.compile(
    r"\s;\s*(?:within\s+(?P<within>[\d.]+m?s)"
    r"|(?P<low>[\d.]+m?s)\s+to\s+(?P<high>[\d.]+m?s)\s+after\s+(?P<since>ours|theirs))\s*$"
)
_SPLIT = re.compile(r"(?<!\\)\|")


def read(path: Path, corpus: str) -> list[Scenario]:
    """The scenarios of a file, in order; ScenarioError names the first line that is wrong."""
    return _Reader(path, corpus).read()


class _Reader:
    """The state of one reading."""

    def __init__(self, path: Path, corpus: str) -> None:
        self._path = path
        self._corpus = corpus
        self._protocol = "fix"
        self._role = "client"
        self._area = ""
        self._definitions: dict[str, str] = {}
        self._scenarios: list[Scenario] = []
        self._line = 0
        self._begin()

    def _begin(self) -> None:
        self._head: tuple[int, str, str] | None = None
        self._keys: dict[str, list[str]] = {key: [] for key in _SCENARIO_KEYS}
        self._steps: list[Step] = []
        self._known = set(GIVEN)

    def _error(self, text: str) -> ScenarioError:
        return ScenarioError(self._path, self._line, text)

    def read(self) -> list[Scenario]:
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise ScenarioError(self._path, 0, f"not UTF-8 at byte {error.start}") from None
        for self._line, line in enumerate(lines, 1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                self._take(stripped)
        self._finish()
        if not self._scenarios:
            raise ScenarioError(self._path, 0, "no line begins with `scenario`")
        return self._scenarios

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word == "scenario":
            self._finish()
            name, _, title = rest.partition(" ")
            if not name or not title:
                raise self._error("expected `scenario NAME TITLE`")
            if any(name == scenario.name for scenario in self._scenarios):
                raise self._error(f"a second scenario is called {name}")
            self._head = (self._line, name, title.strip())
        elif self._head is None:
            self._take_opening(word, rest)
        elif word in _SCENARIO_KEYS and not self._steps:
            self._keys[word].append(rest)
        else:
            self._steps.append(self._step(line))

    def _take_opening(self, word: str, rest: str) -> None:
        if word == "protocol":
            if rest not in PROTOCOLS:
                raise self._error(f"protocol {rest}: expected one of {', '.join(PROTOCOLS)}")
            self._protocol = rest
        elif word == "role":
            if rest not in ROLES:
                raise self._error(f"role {rest}: expected one of {', '.join(ROLES)}")
            self._role = rest
        elif word == "area":
            self._area = rest
        elif word == "define":
            name, _, fields = rest.partition(" ")
            if not is_name(name):
                raise self._error("expected `define NAME FIELDS`")
            self._definitions[name] = fields.strip()
        else:
            raise self._error(
                f"{word!r} before the first scenario: expected protocol, role, area, define or"
                " scenario"
            )

    def _finish(self) -> None:
        """The scenario that was begun is whole."""
        if self._head is None:
            return
        line, name, title = self._head
        if not self._steps:
            raise ScenarioError(self._path, line, f"scenario {name} has no steps")
        keys = self._keys
        self._scenarios.append(
            Scenario(
                corpus=self._corpus,
                name=name,
                title=title,
                path=self._path,
                line=line,
                steps=tuple(self._steps),
                protocol=self._protocol,
                role=self._role,
                area=self._area,
                fix_cases=tuple(" ".join(keys["fix"]).replace(",", " ").split()),
                quickfix_cases=tuple(" ".join(keys["quickfix"]).replace(",", " ").split()),
                rule=" ".join(keys["rule"]),
                needs=tuple(" ".join(keys["needs"]).replace(",", " ").split()),
                clients=tuple(sorted({step.client for step in self._steps})),
            )
        )
        self._begin()

    # --- steps -----------------------------------------------------------------------------------

    def _step(self, line: str) -> Step:
        rest, client = line, "A"
        if found := _CLIENT.fullmatch(line):
            client, rest = found[1], found[2]
        timing = None
        if found := _TIMING.search(rest):
            timing, rest = self._timing(found), rest[: found.start()]
        word, _, argument = rest.partition(" ")
        argument = argument.strip()
        try:
            verb = Verb(word)
        except ValueError:
            raise self._error(
                f"unknown step {word!r}: expected one of {', '.join(Verb)}"
            ) from None
        message = ""
        if verb in _WITH_MESSAGE:
            word, _, argument = argument.partition(" ")
            message = self._message(word)
        elif verb in (Verb.SILENT, Verb.WAIT):
            self._duration(argument)
        elif verb not in _WITH_FIELDS | _WITH_TEXT and argument:
            raise self._error(f"{verb} takes nothing behind it")
        if verb in (Verb.AND, Verb.OR):
            before = self._steps[-1].verb if self._steps else None
            if before not in (Verb.EXPECT, verb) or self._steps[-1].client != client:
                raise self._error(f"`{verb}` follows an `expect` or `{verb}` of the same client")
        fields = self._fields(argument, ()) if verb in _WITH_FIELDS else ()
        if verb is Verb.LET:
            self._check_let(argument)
        self._check_names(verb, fields, argument if verb in _WITH_TEXT else "")
        text = self._octets(argument) if verb in (Verb.RAW, Verb.DRIP) else argument
        return Step(self._line, line, verb, client, message, fields, text, timing)

    def _message(self, word: str) -> str:
        if not word:
            raise self._error("expected a message behind it, such as Logon or A")
        if self._protocol == "fix":
            if len(word) > 2 and word not in TYPES and not word.startswith("{"):
                raise self._error(f"unknown message {word!r}: expected a name or MsgType(35)")
            return TYPES.get(word, word)
        names = NAMES[self._protocol]
        if word not in names:
            raise self._error(f"unknown message {word!r}: expected one of {', '.join(names)}")
        return word

    def _fields(self, text: str, within: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Fields in the order written; `@name` inserts a definition's.

        A field written behind a definition replaces the definition's, in its place; one written
        twice stands twice, as members of groups do.
        """
        fields: list[tuple[str, str]] = []
        inserted: set[str] = set()
        for piece in (piece.strip() for piece in _SPLIT.split(text)):
            if not piece:
                continue
            if piece.startswith("@"):
                name = piece[1:]
                if name not in self._definitions or name in within:
                    raise self._error(f"nothing is defined as @{name}")
                more = self._fields(self._definitions[name], (*within, name))
                fields += more
                inserted |= {name for name, _ in more}
                continue
            name, equals, value = piece.partition("=")
            if piece.startswith("!"):
                name, value = piece[1:], ABSENT
            elif not equals:
                raise self._error(f"{piece!r} is no field: expected NAME=VALUE, !NAME or @NAME")
            if self._protocol == "fix" and not is_tag(name):
                raise self._error(f"{name!r} is no tag")
            pair = (name, self._octets(value) if value != ABSENT else value)
            if name in inserted:
                place = next(i for i, (old, _) in enumerate(fields) if old == name)
                fields = [*fields[:place], pair] + [f for f in fields[place + 1 :] if f[0] != name]
                inserted.discard(name)
            else:
                fields.append(pair)
        return tuple(fields)

    def _octets(self, text: str) -> str:
        """Text of a message without its escapes: each character is one byte."""
        if wrong := [char for char in text if ord(char) > 0xFF]:
            raise self._error(f"{wrong[0]!r} is no single byte: write its bytes as \\xNN")
        return unescaped(text)

    def _timing(self, found: re.Match[str]) -> Timing:
        if found["within"]:
            return Timing(0.0, self._duration(found["within"]))
        low, high = self._duration(found["low"]), self._duration(found["high"])
        return Timing(low, high, found["since"])

    def _duration(self, text: str) -> float:
        try:
            return duration(text)
        except ValueError as error:
            raise self._error(str(error)) from None

    def _check_let(self, argument: str) -> None:
        name, equals, _ = argument.partition("=")
        if not equals or not is_name(name.strip()):
            raise self._error("expected `let NAME = VALUE`")

    def _check_pattern(self, pattern: str) -> None:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise self._error(f"~{pattern[:40]} is no regular expression: {error}") from None

    def _check_names(self, verb: Verb, fields: tuple[tuple[str, str], ...], argument: str) -> None:
        templates = [value for _, value in fields]
        if verb is Verb.LET:
            name, _, value = argument.partition("=")
            templates.append(value)
        elif verb in (Verb.RAW, Verb.DRIP):
            templates.append(argument)
        for template in templates:
            if template.startswith("~"):
                self._check_pattern(template[1:])
            used, made = names_of(template)
            # A name may be made and used by one message: 11={new id}|526={id}.
            for name in made:
                if not is_name(name) or name in GIVEN:
                    raise self._error(
                        f"expected a name of your own behind `new` or `get`, not {name!r}"
                    )
            self._known.update(made)
            for used_name in used:
                if used_name not in self._known:
                    raise self._error(f"nothing is known as {{{used_name}}} here")
        if verb is Verb.LET:
            self._known.add(name.strip())
