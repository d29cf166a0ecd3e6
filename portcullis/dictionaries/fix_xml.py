"""Reads a dictionary in QuickFIX's XML format, of any FIX version, into a `FixDictionary`.

Owns the file format: elements `fix`, `header`, `trailer`, `messages`, `components`, `fields` and
what stands in them. Knows neither what a session does with a dictionary nor a codec's tables.

A dictionary may come from anywhere, so nothing in it is trusted. A document type declaration is
refused, and with it every entity. Size, nesting and what components expand to are bounded. What
is wrong is one line: file and line, element, attribute, what was found and what was expected.

What is taken as it comes, because dictionaries in use have it: sections in any order, attributes
unknown to us, `required` left out (N), types left out or unknown to us, enumerated values listed
twice, fields listed twice in one section, a message without a body (named only).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from xml.parsers import expat

from portcullis.dictionaries.fix_dictionary import (
    DATA_TYPES,
    FixDictionary,
    FixField,
    FixMember,
    FixMessage,
)

# The largest dictionary in use (FIX 5.0 SP2) has 1.5 MB and 24,000 elements.
FILE_BYTES_MAX = 16 * 1024 * 1024
ELEMENTS_MAX = 250_000
# Elements within elements, and components and groups within one another. In use: 5 and 8.
DEPTH_MAX = 32
# Fields of one section, those of groups within groups counted too.
SECTION_FIELDS_MAX = 50_000
TAG_MAX = 999_999_999

_PACKAGED = Path(__file__).parent
_SECTIONS = ("header", "trailer", "messages", "components", "fields")
_MEMBERS = ("field", "group", "component")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[0-9]{1,9}")


class DictionaryError(ValueError):
    """A dictionary could not be read; the text is one line that names place and expectation."""


class _Element:
    """An XML element with the line it begins on, which the standard tree does not keep."""

    __slots__ = ("attributes", "children", "line", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], line: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[_Element] = []
        self.line = line


def load_dictionary(path: str | Path) -> FixDictionary:
    """Read the dictionary of that name or path. Raise DictionaryError.

    A bare name (FIX44, FIX44.xml) is first looked for among the dictionaries that come with the
    package; anything with a directory in it, and every Path, is a file.
    """
    file = _locate(path)
    origin = _one_line(str(file))
    try:
        with file.open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        packaged = ", ".join(sorted(entry.stem for entry in _PACKAGED.glob("FIX*.xml")))
        raise DictionaryError(
            f"{origin}: {reason}, expected a dictionary file or the name of one that comes "
            f"with the package ({packaged})"
        ) from None
    if len(data) > FILE_BYTES_MAX:
        raise DictionaryError(f"{origin}: too large, expected at most {FILE_BYTES_MAX} bytes")
    return parse_dictionary(data, origin)


def parse_dictionary(data: bytes, origin: str) -> FixDictionary:
    """Read a dictionary from its bytes; `origin` names them in errors. Raise DictionaryError."""
    return _Reader(origin, _parse_xml(data, origin)).read()


def _locate(path: str | Path) -> Path:
    if isinstance(path, str) and Path(path).name == path:
        packaged = _PACKAGED / (path if path.endswith(".xml") else path + ".xml")
        if packaged.is_file():
            return packaged
    return Path(path)


def _parse_xml(data: bytes, origin: str) -> _Element:
    parser = expat.ParserCreate()
    document = _Element("", {}, 0)
    open_elements = [document]
    elements = 0

    def fail(what: str) -> DictionaryError:
        return DictionaryError(f"{origin}:{parser.CurrentLineNumber}: {what}")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal elements
        elements += 1
        if elements > ELEMENTS_MAX:
            raise fail(f"too many elements, expected at most {ELEMENTS_MAX}")
        if len(open_elements) > DEPTH_MAX:
            raise fail(f"<{_shown(tag)}> is nested too deep, expected at most {DEPTH_MAX} levels")
        element = _Element(tag, attributes, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(tag: str) -> None:
        open_elements.pop()

    def doctype(name: str, system_id: str | None, public_id: str | None, internal: bool) -> None:
        raise fail("<!DOCTYPE> found, expected none: entities are not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DictionaryError(
            f"{origin}:{error.lineno}: {expat.ErrorString(error.code)}, expected well-formed XML"
        ) from None
    except (LookupError, ValueError) as error:
        if isinstance(error, DictionaryError):
            raise
        raise DictionaryError(f"{origin}: {_shown(str(error))}, expected UTF-8") from None
    return document.children[0]


def _shown(text: str) -> str:
    """A value from the file as part of a one-line error."""
    return _one_line(text if len(text) <= 60 else text[:60] + "...")


def _one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]


class _Reader:
    """Turns one element tree into a dictionary; `read` is called once."""

    def __init__(self, origin: str, root: _Element) -> None:
        self._origin = origin
        self._root = root
        self._sections: dict[str, _Element] = {}
        self._fields: dict[str, FixField] = {}
        self._components: dict[str, _Element] = {}
        self._expanded: dict[str, tuple[FixMember, ...]] = {}
        self._open_components: list[str] = []
        self._depth = 0

    def read(self) -> FixDictionary:
        version = self._read_version()
        self._read_sections()
        for component in self._children("components", "component"):
            name = self._name(component)
            if name in self._components:
                raise self._wrong(component, "name", "a name used once among components")
            self._components[name] = component
        self._read_fields(version)
        for name in self._components:
            self._expand_component(name)
        messages: dict[bytes, FixMessage] = {}
        by_name: dict[str, FixMessage] = {}
        for element in self._children("messages", "message"):
            message = self._read_message(element)
            if message.msg_type in messages:
                raise self._wrong(element, "msgtype", "a value used once among messages")
            if message.name in by_name:
                raise self._wrong(element, "name", "a name used once among messages")
            messages[message.msg_type] = message
            by_name[message.name] = message
        return FixDictionary(
            version=version,
            header=self._read_bounded(self._sections.get("header")),
            trailer=self._read_bounded(self._sections.get("trailer")),
            messages=MappingProxyType(messages),
            messages_by_name=MappingProxyType(by_name),
            fields=MappingProxyType({field.tag: field for field in self._fields.values()}),
            fields_by_name=MappingProxyType(self._fields),
        )

    # --- document ------------------------------------------------------------------------------

    def _read_version(self) -> str:
        root = self._root
        if root.tag != "fix":
            raise self._error(root, "expected <fix> as the outermost element")
        kind = root.attributes.get("type", "FIX")
        if kind not in ("FIX", "FIXT"):
            raise self._wrong(root, "type", "FIX or FIXT")
        major = self._number(root, "major", 1, 99)
        version = f"{kind}.{major}.{self._number(root, 'minor', 0, 99)}"
        pack = root.attributes.get("servicepack", "0").removeprefix("SP")
        if not _NUMBER.fullmatch(pack):
            raise self._wrong(root, "servicepack", "a whole number")
        return version if int(pack) == 0 else f"{version}SP{int(pack)}"

    def _read_sections(self) -> None:
        for section in self._root.children:
            if section.tag not in _SECTIONS:
                raise self._error(section, "expected one of " + _listed(_SECTIONS))
            if section.tag in self._sections:
                raise self._error(section, "expected once")
            self._sections[section.tag] = section
        for name in ("messages", "fields"):
            if name not in self._sections:
                raise self._error(self._root, f"expected <{name}> in it")

    def _read_message(self, element: _Element) -> FixMessage:
        msg_type = self._attribute(element, "msgtype")
        if not (msg_type.isascii() and msg_type.isalnum() and len(msg_type) <= 8):
            raise self._wrong(element, "msgtype", "1 to 8 letters and digits")
        return FixMessage(msg_type.encode(), self._name(element), self._read_bounded(element))

    # --- fields --------------------------------------------------------------------------------

    def _read_fields(self, version: str) -> None:
        elements: dict[str, _Element] = {}
        tags: dict[str, int] = {}
        taken: set[int] = set()
        for element in self._children("fields", "field"):
            name = self._name(element)
            tag = self._number(element, "number", 1, TAG_MAX)
            if tag in taken:
                raise self._wrong(element, "number", "a number used once among fields")
            if name in elements:
                raise self._wrong(element, "name", "a name used once among fields")
            taken.add(tag)
            elements[name] = element
            tags[name] = tag
        lengths = self._length_fields(elements)
        data = {length: name for name, length in lengths.items()}
        for name, element in elements.items():
            values = self._read_values(element)
            others = element.attributes.get("allowOtherValues", "").upper() in ("Y", "TRUE")
            self._fields[name] = FixField(
                tag=tags[name],
                name=name,
                type=_type(element, version),
                values=MappingProxyType(values),
                open=others or not values,
                length_tag=tags[lengths[name]] if name in lengths else 0,
                data_tag=tags[data[name]] if name in data else 0,
            )

    def _read_values(self, field: _Element) -> dict[bytes, str]:
        values: dict[bytes, str] = {}
        for element in field.children:
            if element.tag != "value":
                raise self._error(element, "expected <value> in a field definition")
            value = self._attribute(element, "enum")
            if not value.isprintable():
                raise self._wrong(element, "enum", "printable characters")
            values.setdefault(value.encode(), element.attributes.get("description", ""))
        return values

    def _length_fields(self, elements: Mapping[str, _Element]) -> dict[str, str]:
        """Name of each data field -> name of its length field.

        By name (EncodedText, EncodedTextLen); a data field named otherwise has the LENGTH that
        stands before it wherever it is used.
        """
        data = [name for name, element in elements.items() if _type(element) in DATA_TYPES]
        lengths = {
            name: name + suffix
            for name in data
            for suffix in ("Length", "Len")
            if name + suffix in elements
        }
        others = set(data) - lengths.keys()
        if others:
            users = [section for tag, section in self._sections.items() if tag != "fields"]
            for before, element in (pair for section in users for pair in _neighbours(section)):
                name = element.attributes.get("name", "")
                length = elements.get(before.attributes.get("name", ""))
                if name in others and length is not None and _type(length) == "LENGTH":
                    lengths.setdefault(name, length.attributes["name"])
        return lengths

    # --- members -------------------------------------------------------------------------------

    def _read_bounded(self, element: _Element | None) -> tuple[FixMember, ...]:
        """The members of a whole section or component, which must not expand without bound."""
        if element is None:
            return ()
        members = self._read_members(element)
        unseen = [(member, 1) for member in members]
        count = 0
        while unseen:
            member, depth = unseen.pop()
            count += 1
            if count > SECTION_FIELDS_MAX:
                raise self._error(element, f"expected at most {SECTION_FIELDS_MAX} fields in it")
            if depth > DEPTH_MAX:
                raise self._error(element, f"expected at most {DEPTH_MAX} levels of groups in it")
            unseen.extend((inner, depth + 1) for inner in member.members)
        return members

    def _read_members(self, parent: _Element) -> tuple[FixMember, ...]:
        """The members of a section, group or component, components' members in their place."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._error(parent, f"expected at most {DEPTH_MAX} levels of components, groups")
        members: dict[int, FixMember] = {}
        for element in parent.children:
            if element.tag not in _MEMBERS:
                raise self._error(element, "expected one of " + _listed(_MEMBERS))
            required = self._required(element)
            if element.tag == "component":
                for member in self._expand_component(self._name(element), element):
                    self._add(members, member, required and member.required, element)
            else:
                member = FixMember(self._field(element), required, self._read_group(element))
                self._add(members, member, required, element)
        self._depth -= 1
        return tuple(members.values())

    def _read_group(self, element: _Element) -> tuple[FixMember, ...]:
        if element.tag == "field":
            if element.children:
                raise self._error(element.children[0], "expected nothing in a field reference")
            return ()
        members = self._read_members(element)
        if not members:
            raise self._error(element, "expected members, the first of which begins each entry")
        return members

    def _add(
        self, members: dict[int, FixMember], member: FixMember, required: bool, at: _Element
    ) -> None:
        tag = member.field.tag
        before = members.get(tag)
        if before is not None:
            if before.members != member.members:
                raise self._error(
                    at, f"expected {member.field.name} with the same members as earlier in it"
                )
            required = required or before.required
        if required != member.required:
            member = FixMember(member.field, required, member.members)
        members[tag] = member

    def _expand_component(self, name: str, at: _Element | None = None) -> tuple[FixMember, ...]:
        if name in self._expanded:
            return self._expanded[name]
        element = self._components.get(name)
        if at is not None and element is None:
            raise self._wrong(at, "name", "a component of <components>")
        assert element is not None
        if name in self._open_components:
            raise self._wrong(at or element, "name", "a component that does not contain itself")
        self._open_components.append(name)
        members = self._read_bounded(element)
        self._open_components.pop()
        self._expanded[name] = members
        return members

    # --- attributes ----------------------------------------------------------------------------

    def _children(self, section: str, tag: str) -> Iterable[_Element]:
        found = self._sections.get(section)
        for element in found.children if found is not None else ():
            if element.tag != tag:
                raise self._error(element, f"expected <{tag}> in <{section}>")
            yield element

    def _attribute(self, element: _Element, name: str) -> str:
        if not element.attributes.get(name):
            raise self._error(element, f"expected attribute {name}")
        return element.attributes[name]

    def _name(self, element: _Element) -> str:
        name = self._attribute(element, "name")
        if not _NAME.fullmatch(name):
            raise self._wrong(element, "name", "a name of letters, digits and underscores")
        return name

    def _number(self, element: _Element, name: str, lowest: int, highest: int) -> int:
        text = self._attribute(element, name)
        if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
            raise self._wrong(element, name, f"a whole number from {lowest} to {highest}")
        return int(text)

    def _required(self, element: _Element) -> bool:
        required = element.attributes.get("required", "N")
        if required not in ("Y", "N", "y", "n"):
            raise self._wrong(element, "required", "Y or N")
        return required in "Yy"

    def _field(self, element: _Element) -> FixField:
        field = self._fields.get(self._name(element))
        if field is None:
            raise self._wrong(element, "name", "a field of <fields>")
        return field

    def _wrong(self, element: _Element, attribute: str, expected: str) -> DictionaryError:
        value = _shown(element.attributes.get(attribute, ""))
        return self._error(element, f"attribute {attribute}: '{value}' found, expected {expected}")

    def _error(self, element: _Element, what: str) -> DictionaryError:
        name = element.attributes.get("name")
        shown = f"<{_shown(element.tag)}>" if name is None else f"<{element.tag} {_shown(name)}>"
        return DictionaryError(f"{self._origin}:{element.line}: {shown}: {what}")


def _type(element: _Element, version: str = "") -> str:
    """The field's type; CHAR of FIX 4.0 and 4.1 was text of any length, as STRING is now."""
    kind = element.attributes.get("type", "").upper() or "STRING"
    return "STRING" if kind == "CHAR" and version in ("FIX.4.0", "FIX.4.1") else kind


def _neighbours(element: _Element) -> Iterable[tuple[_Element, _Element]]:
    children = element.children
    yield from itertools.pairwise(children)
    for child in children:
        yield from _neighbours(child)


def _listed(tags: Iterable[str]) -> str:
    return ", ".join(f"<{tag}>" for tag in tags)
