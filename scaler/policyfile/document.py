"""A YAML file as plain values, with the place of every one of them.

Scalars are read by the strict half of YAML 1.2: only `true` and `false` are booleans, only plain decimals are numbers, and
everything else (`no`, `on`, `22:30`, `0777`, `1_000`, `0x1F`) is the text that was written. Numbers with a point are Decimals.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal

import yaml

from scaler.policyfile.problems import Location, Mark, Problem, dotted, policy_error, quoted

_MAX_DEPTH = 50
"""The format itself is 7 deep; PyYAML's composer is recursive and would end in a RecursionError near 1,000."""

_TAG = "tag:yaml.org,2002:"
_ALIAS = "alias"
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,14})?\.[0-9]{1,18}")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")

_SYNTAX = (
    ("'\\t'", "a tab stands where YAML allows only spaces. Indent with spaces."),
    (
        "mapping values are not allowed",
        "a key is not allowed here: wrong indentation, or text with ': ' in it, which needs quotes.",
    ),
    ("could not find expected ':'", "this line is no 'key: value', or a quote before it is not closed."),
    ("another document", "a second document begins here. A policy file holds one."),
    ("second occurrence", "an anchor (&name) of this name stands above. Remove both: aliases are not supported."),
    ("nested too deeply", f"this is nested more than {_MAX_DEPTH} deep. No policy is."),
)
"""PyYAML's words (6.0, scanner.py, parser.py, composer.py) and ours."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way to begin without the resolvers of YAML 1.1
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]
            return yaml.ScalarNode(_ALIAS, event.anchor, event.start_mark, event.end_mark)
        if self._depth >= _MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.add_implicit_resolver(_TAG + "bool", re.compile(rf"(?:{_BOOL.pattern})\Z"), list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "null", re.compile(rf"(?:{_NULL.pattern})\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_TAG + "int", re.compile(rf"(?:{_INT.pattern})\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", re.compile(rf"(?:{_FLOAT.pattern})\Z"), list("-+.0123456789"))


@dataclass(slots=True)
class Document:
    """The values of one file and where they stand."""

    file: str
    value: object = None
    problems: list[Problem] = field(default_factory=list)
    broken: set[Location] = field(default_factory=set)
    """Values that could not be read: nothing more is said of them."""
    values: dict[Location, Mark] = field(default_factory=dict)
    keys: dict[Location, Mark] = field(default_factory=dict)

    def key_mark(self, location: Location) -> Mark:
        """Where its key stands; for what has no key (list entries, what is missing) the nearest thing around it."""
        while location not in self.keys and location not in self.values:
            location = location[:-1]
        return self.keys.get(location) or self.values[location]

    def value_mark(self, location: Location) -> Mark:
        """Where the value stands, or the nearest thing around it."""
        return self.values.get(location) or self.key_mark(location)

    def complain(self, mark: Mark, text: str) -> None:
        self.problems.append(Problem(mark, text))


def read_document(file: str, text: str) -> Document:
    """Read one YAML document. What is wrong with single values is collected in `problems`.

    Raises:
        PolicyError: it is no YAML, or empty.
    """
    node = _compose(file, text)
    document = Document(file)
    if node is None or (node.tag == _TAG + "null" and isinstance(node, yaml.ScalarNode)):
        raise policy_error(
            file, [Problem(Mark(1, 1), "the file is empty. Begin with `version: 1`; `scale policy init` writes an example.")]
        )
    document.value = _value(document, node, ())
    return document


def _compose(file: str, text: str) -> yaml.Node | None:
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.reader.ReaderError as error:
        problem = Problem(place(text, error.position), "a character that YAML does not allow. Is this a text file?")
    except yaml.MarkedYAMLError as error:
        problem = _syntax_problem(text, error)
    except (ValueError, OverflowError):
        # PyYAML passes the digits of "\U00110000" and of %YAML directives to chr() and int() unchecked.
        mark = _mark(loader.get_mark()) if loader else Mark(1, 1)
        problem = Problem(mark, "a number or an escape like \\U here is out of range.")
    finally:
        if loader is not None:
            loader.dispose()
    raise policy_error(file, [problem]) from None


def _syntax_problem(text: str, error: yaml.MarkedYAMLError) -> Problem:
    words = error.problem or "it cannot be read"
    mark = _mark(error.problem_mark or error.context_mark)
    meaning = next((ours for theirs, ours in _SYNTAX if theirs in words), f"this is not YAML: {words}.")
    lines = text.splitlines()
    if mark.line <= len(lines) and "{address}" in lines[mark.line - 1]:
        meaning += " Put a value that holds {address} in quotes."
    return Problem(mark, meaning)


def place(text: str, position: int) -> Mark:
    """The line and column of a character."""
    before = text[:position]
    return Mark(before.count("\n") + 1, position - before.rfind("\n"))


def _mark(mark: yaml.Mark | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def _value(document: Document, node: yaml.Node, location: Location) -> object:
    mark = _mark(node.start_mark)
    document.values[location] = mark
    if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        return _mapping(document, node, location)
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        return [_value(document, item, (*location, index)) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        try:
            return _scalar(node, location)
        except ValueError as error:
            document.complain(mark, str(error))
    else:
        document.complain(mark, _unknown_tag(node))
    document.broken.add(location)
    return None


def _mapping(document: Document, node: yaml.MappingNode, location: Location) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value_node in node.value:
        mark = _mark(key_node.start_mark)
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _ALIAS or _NOT_TEXT.search(key):
            document.complain(mark, f"a key in {dotted(location)} is not a word. Write keys as plain text.")
        elif key in result:
            first = document.keys[(*location, key)].line
            document.complain(mark, f"the key {quoted(key)} stands twice in {dotted(location)}, first in line {first}. Keep one.")
        else:
            document.keys[(*location, key)] = mark
            result[key] = _value(document, value_node, (*location, key))
    return result


def _scalar(node: yaml.ScalarNode, location: Location) -> object:
    """Build a value; raises ValueError with what is wrong."""
    text: str = node.value
    if node.tag == _ALIAS:
        raise ValueError(f"aliases (*{text}) are not supported. What several targets share goes to the top of the file.")
    if _NOT_TEXT.search(text):
        raise ValueError("a character here is no text (a NUL or half of a surrogate pair).")
    match node.tag.removeprefix(_TAG):
        case "str":
            return text
        case "null":
            raise ValueError(f"{dotted(location)} has no value. Write one, or remove the line.")
        case "bool" if _BOOL.fullmatch(text):
            return text.lower() == "true"
        case "int" if _INT.fullmatch(text):
            return int(text)
        case "float" if _FLOAT.fullmatch(text):
            return Decimal(text)
    raise ValueError(_unknown_tag(node))


def _unknown_tag(node: yaml.Node) -> str:
    return f"tags like {node.tag.replace(_TAG, '!!')} are not supported. Write the value without one."
