"""Values of fields as scenarios write them: times, fresh ids, captured values, sums.

Owns the templates of both languages: `{...}` of ours, `<TIME>` of QuickFIX's. Must not know
messages nor sockets; times come from a function handed in.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal

SOH = "\x01"
# Stand in a raw message for the BodyLength(9) and CheckSum(10) that it would need.
LENGTH_MARK = "\0length\0"
SUM_MARK = "\0sum\0"
WRONG_SUM_MARK = "\0wrong sum\0"
FILL_MAX = 1 << 22

_BRACES = re.compile(r"\{([^{}]*)\}")
_NOW = re.compile(r"now(?:([+-])(\d{1,6})(s|m|h))?(?: (s|ms|us|ns|date))?")
_SUM = re.compile(r"(\w+) ?([+*-]) ?(\d{1,30}(?:\.\d{1,30})?)")
_FILL = re.compile(r"fill (\d{1,9})(?: (.+))?")
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{0,30})?", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*")
_QUICKFIX_TIME = re.compile(r"<TIME([+-]\d+)?>")
_OFFSET_DIGITS = 6  # eleven days
_NUMBER_DIGITS = 20  # of a sequence number: SoupBinTCP's field has as many
_MARKS = {"length": LENGTH_MARK, "sum": SUM_MARK, "wrongsum": WRONG_SUM_MARK}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")


class TemplateError(Exception):
    """A template cannot be rendered; the text says why."""


def utc(now_ns: int, precision: str = "ms") -> str:
    """UTCTimestamp; precision: s, ms, us, ns, or `date` for the day alone."""
    text = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now_ns // 1_000_000_000))
    if precision == "date":
        return text[:8]
    digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[precision]
    if digits == 0:
        return text
    return f"{text}.{now_ns % 1_000_000_000:09d}"[: len(text) + 1 + digits]


def number_of(text: str | None) -> int | None:
    """The number that a text says; None where it says none that anybody counts to."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > _NUMBER_DIGITS:
        return None
    return int(text)


def unescaped(text: str) -> str:
    """`\\x01` and `\\|` as what they stand for."""
    return _ESCAPE.sub(
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) == 3 else found[1], text
    )


def plain(number: Decimal) -> str:
    """A number as FIX writes it: no exponent, no trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Values:
    """What a scenario's templates stand for while it runs.

    given: what the target is, by name. fresh: makes an id that was never used. now_ns: wall clock.
    """

    def __init__(
        self, given: Mapping[str, str], fresh: Callable[[], str], now_ns: Callable[[], int]
    ) -> None:
        self.known = dict(given)
        self._fresh = fresh
        self._now_ns = now_ns

    def render(self, template: str, local: Mapping[str, str]) -> str:
        """The text; local: names that depend on the client, before all others."""
        if "{" not in template:
            return template
        return _BRACES.sub(lambda found: self._value(found[1].strip(), local), template)

    def render_quickfix(self, template: str) -> str:
        """The same for QuickFIX's language."""

        def time_of(found: re.Match[str]) -> str:
            offset = found[1] or "+0"
            if len(offset) > _OFFSET_DIGITS + 1:
                raise TemplateError(
                    f"<TIME{offset[:10]}...>: expected at most {_OFFSET_DIGITS} digits of seconds"
                )
            return utc(self._now_ns() + int(offset) * 1_000_000_000, "s")

        return _QUICKFIX_TIME.sub(time_of, template)

    def _value(self, expression: str, local: Mapping[str, str]) -> str:
        if found := _NOW.fullmatch(expression):
            sign, count, unit, precision = found.groups()
            offset = int(f"{sign}{count}") * _SECONDS[unit] if sign else 0
            return utc(self._now_ns() + offset * 1_000_000_000, precision or "ms")
        word, _, rest = expression.partition(" ")
        if word == "new":
            self.known[rest] = self._fresh()
            return self.known[rest]
        if found := _FILL.fullmatch(expression):
            return (found[2] or "A") * min(int(found[1]), FILL_MAX)
        if expression in _MARKS:
            return _MARKS[expression]
        if found := _SUM.fullmatch(expression):
            return self._sum(self._look_up(found[1], local), found[2], found[3])
        return self._look_up(expression, local)

    def _look_up(self, name: str, local: Mapping[str, str]) -> str:
        value = local.get(name, self.known.get(name))
        if value is None:
            raise TemplateError(f"nothing is known as {{{name}}}")
        return value

    def _sum(self, value: str, sign: str, operand: str) -> str:
        if not _NUMBER.fullmatch(value):
            raise TemplateError(f"{value[:40]!r} is no number, so {sign}{operand} means nothing")
        left, right = Decimal(value), Decimal(operand)
        result = {"+": left + right, "-": left - right, "*": left * right}[sign]
        return plain(result)


def names_of(template: str) -> tuple[list[str], list[str]]:
    """Names that a template uses, and names that it makes (`new`, `get`)."""
    used, made = [], []
    for expression in _BRACES.findall(template):
        expression = expression.strip()
        word, _, rest = expression.partition(" ")
        if word in ("new", "get"):
            made.append(rest)
        elif any(kind.fullmatch(expression) for kind in (_FILL, _NOW)) or expression in _MARKS:
            continue
        elif found := _SUM.fullmatch(expression):
            used.append(found[1])
        else:
            used.append(expression)
    return used, made


def is_name(text: str) -> bool:
    """Whether a template may use this as a name."""
    return _NAME.fullmatch(text) is not None
