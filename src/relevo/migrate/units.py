"""A module as its declarations: which are exported, which refer to which, and which touch a provider."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tree_sitter import Node

from relevo.migrate.known import KEY_NAME, KEY_VALUE, host_in
from relevo.migrate.source import FUNCTIONS, Source, name_of, names_in, text, unwrap, walk
from relevo.migrate.source import field as part
from relevo.migrate.table import KEYS, URLS
from relevo.migrate.values import env_name

_DECLARATIONS: Final = frozenset({"lexical_declaration", "variable_declaration"})
_CLASSES: Final = frozenset({"class_declaration", "class", "abstract_class_declaration"})
_TYPES: Final = frozenset({"interface_declaration", "type_alias_declaration", "ambient_declaration"})
_FIELDS: Final = frozenset({"field_definition", "public_field_definition"})
ROW_FIELDS: Final = frozenset({*KEYS, *URLS} - {"key", "url", "token", "env", "host"})


@dataclass(slots=True, eq=False)
class Unit:
    """One declaration, or one member of a class or of an object."""

    name: str
    node: Node
    """What goes when the unit goes: the whole statement or member."""
    function: Node | None
    public: bool = False
    owner: str | None = None
    """The class or object that it is a member of."""
    uses: set[str] = field(default_factory=set)
    is_type: bool = False


def units_of(source: Source) -> list[Unit]:
    """Every declaration at the top of a module, and every member of its classes and of its objects of functions."""
    units: list[Unit] = []
    for statement in source.root.named_children:
        units += _units(statement, exported=False)
    exported = exports_of(source)
    for unit in units:
        unit.public = unit.public or unit.name in exported.values()
    by_name = {unit.name: unit for unit in units}
    for unit in list(by_name.values()):
        if unit.public and unit.function is None:  # what an exported object is made of
            for name in unit.uses & set(by_name):
                by_name[name].public = by_name[name].public or by_name[name].function is not None
    for unit in units:
        if unit.owner:
            unit.public = not unit.name.startswith(("#", "_")) and "private " not in text(unit.node)[:40]
    return units


def exports_of(source: Source) -> dict[str, str]:
    """Exported name to local name; `default` is one of them. Of ES modules and of CommonJS."""
    found: dict[str, str] = {}
    for node in source.root.named_children:
        if node.type == "export_statement":
            found.update(_exported(node))
        elif node.type == "expression_statement":
            left, right = _assigned(node)
            if left == "module.exports" and right is not None and right.type == "object":
                for child in right.named_children:
                    value = part(child, "value")
                    name = text(child) if child.type == "shorthand_property_identifier" else name_of(child)
                    if name:
                        found[name] = text(value) if value is not None and value.type == "identifier" else name
            elif left == "module.exports" and right is not None:
                found["default"] = text(right) if right.type == "identifier" else name_of(right) or "default"
            elif left.startswith(("exports.", "module.exports.")):
                name = left.rpartition(".")[2]
                found[name] = text(right) if right is not None and right.type == "identifier" else name
    return found


def _exported(node: Node) -> Iterator[tuple[str, str]]:
    declaration, value = part(node, "declaration"), part(node, "value")
    default = any(child.type == "default" for child in node.children)
    inner = declaration or value
    for child in node.named_children:
        if child.type == "export_clause":
            for specifier in child.named_children:
                name, alias = part(specifier, "name"), part(specifier, "alias")
                if name is not None:
                    yield text(alias or name), text(name)
    if inner is None:
        return
    if default:
        yield "default", text(inner) if inner.type == "identifier" else name_of(inner) or "default"
    elif inner.type in _DECLARATIONS:
        for child in inner.named_children:
            if child.type == "variable_declarator":
                yield name_of(child) or "", name_of(child) or ""
    elif inner.type not in _TYPES and name_of(inner):
        yield name_of(inner) or "", name_of(inner) or ""


def _assigned(node: Node) -> tuple[str, Node | None]:
    inner = node.named_children[0] if node.named_children else None
    if inner is None or inner.type != "assignment_expression":
        return "", None
    left = part(inner, "left")
    return (text(left) if left is not None else ""), part(inner, "right")


def _units(statement: Node, *, exported: bool) -> Iterator[Unit]:
    inner = statement
    if statement.type == "export_statement":
        found = part(statement, "declaration") or part(statement, "value")
        if found is None:
            return
        inner, exported = found, True
    if inner.type in _TYPES:
        yield Unit(name_of(inner) or "", statement, None, exported, uses=names_in(inner), is_type=True)
    elif inner.type in FUNCTIONS:
        yield Unit(name_of(inner) or "default", statement, inner, exported, uses=names_in(inner))
    elif inner.type in _DECLARATIONS:
        rows = [child for child in inner.named_children if child.type == "variable_declarator"]
        for row in rows:
            value = part(row, "value")
            node = statement if len(rows) == 1 else row
            yield from _valued(name_of(row) or "", node, unwrap(value) if value is not None else None, exported)
    elif inner.type in _CLASSES or inner.type == "object":
        yield from _valued(name_of(inner) or "default", statement, inner, exported)
    elif inner.type == "expression_statement":
        left, right = _assigned(inner)
        if left.startswith(("module.exports", "exports.")) and right is not None:
            yield from _valued(left.rpartition(".")[2], statement, right, exported=True)
        else:
            yield Unit("", statement, None, uses=names_in(inner))


def _valued(name: str, statement: Node, value: Node | None, exported: bool) -> Iterator[Unit]:  # noqa: FBT001
    function = value if value is not None and value.type in FUNCTIONS else None
    members = [] if value is None else _members(value, name)
    uses = names_in(statement)
    if members:
        uses = {text(c) for c in statement.named_children if c.type == "identifier"}
        uses |= {text(child) for child in _outside(value, members)}
    yield Unit(name, statement, function, exported, uses=uses)
    yield from members


def _outside(value: Node | None, members: list[Unit]) -> Iterator[Node]:
    inside = [(m.node.start_byte, m.node.end_byte) for m in members]
    for node in walk(value) if value is not None else ():
        within = any(start <= node.start_byte and node.end_byte <= end for start, end in inside)
        if not within and node.type in {"identifier", "shorthand_property_identifier"}:
            yield node


def _members(value: Node, owner: str) -> list[Unit]:
    body = part(value, "body") if value.type in _CLASSES else value if value.type == "object" else None
    found = []
    for child in body.named_children if body is not None else ():
        given = part(child, "value")
        if child.type == "method_definition":
            found.append(Unit(name_of(child) or "", child, child, owner=owner, uses=names_in(child)))
        elif child.type in _FIELDS or (child.type == "pair" and given is not None and given.type in FUNCTIONS):
            function = given if given is not None and given.type in FUNCTIONS else None
            found.append(Unit(name_of(child) or "", child, function, owner=owner, uses=names_in(child)))
    has_function = any(unit.function is not None for unit in found)
    return found if has_function or value.type in _CLASSES else []


def names_provider(node: Node, skip: tuple[Node, ...] = ()) -> Node | None:
    """The first place within a node that names a provider's host or a key: reason enough to look at a module."""
    return _first(node, skip, _names)


def touches_provider(node: Node, skip: tuple[Node, ...] = (), fields: frozenset[str] = ROW_FIELDS) -> Node | None:
    """As `names_provider`, and a row's address or key, under the names in `fields`, as well."""
    return _first(node, skip, lambda child: _names(child) or _takes_row(child, fields))


def _first(node: Node, skip: tuple[Node, ...], fits: Callable[[Node], bool]) -> Node | None:
    for child in walk(node):
        if any(s.start_byte <= child.start_byte and child.end_byte <= s.end_byte for s in skip):
            continue
        if fits(child):
            return child
    return None


def _names(node: Node) -> bool:
    if node.type in {"string", "template_string"}:
        written = text(node)
        named = host_in(written) or KEY_VALUE.search(written) or KEY_NAME.fullmatch(written.strip("'\"`"))
        return bool(named)
    variable = env_name(node)
    return variable is not None and KEY_NAME.search(variable) is not None


def _takes_row(node: Node, fields: frozenset[str]) -> bool:
    if node.type == "subscript_expression":
        return text(node).replace("?.", "").startswith(("import.meta.env[", "process.env["))
    if node.type == "member_expression":
        return (name_of(node) or "") in fields
    return node.type == "object_pattern" and bool(fields & names_in(node))
