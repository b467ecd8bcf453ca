r"""Equations, inequalities and other relations; values with a name.

`x = 5`, `x \in \{1, 2\}`, `x < 3`, `1 < x \le 2` say which value or values a name has: they are
`Named`. Every other relation is a `Relation`. Several relations in one text are read together:
`x < 1 or x > 3` is one set, `x = 1 or x = 2` is one list, `x = 2k\pi, k \in \mathbb{Z}` a family.
"""

from __future__ import annotations

import re
from typing import cast

from rlvr_fast.tasks.schemes.math.kinds.choice import Choice
from rlvr_fast.tasks.schemes.math.kinds.collection import List, Tuple
from rlvr_fast.tasks.schemes.math.kinds.ellipsis import DOTS
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.real_set import (
    REALS,
    in_words,
)
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.assignments import (
    expanded_names,
    has_names,
    same_assignments,
)
from rlvr_fast.tasks.schemes.math.parts.equations import same_relations
from rlvr_fast.tasks.schemes.math.parts.families import same_families, same_periodic
from rlvr_fast.tasks.schemes.math.parts.named_values import (
    bare_values,
    is_point,
    is_set_and_element,
    same_integers,
    without_domain,
)
from rlvr_fast.tasks.schemes.math.parts.relation_groups import together
from rlvr_fast.tasks.schemes.math.parts.relation_values import (
    Family,
    Named,
    Relation,
    is_name,
)
from rlvr_fast.tasks.schemes.math.parts.same_names import (
    argument_renamed,
    is_choice_letter,
    same_name_throughout,
    same_names,
)
from rlvr_fast.tasks.schemes.math.parts.solving import SIGN, SIGN_OF, solved, without_left_side
from rlvr_fast.tasks.schemes.math.parts.splitting import (
    CONJUNCTION,
    Split,
    enclosed,
    is_or,
    split,
    words,
)
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Mul, Symbol
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["compare", "read", "read_members"]

_WHERE = words("where|with|for which|for all|for every|for any|for some|for")
_WHERE_MARK, _ALL = re.compile(_WHERE), re.compile(words("for (?:all|every|any)"))
_MEMBERS = re.compile(rf"(?:{CONJUNCTION.pattern})(?:{_WHERE})?|{_WHERE}")
# Wide space between two equations is one space in a cleaned text.
_SPACED = re.compile(r"(?<=[\d)}\]]) (?=[A-Za-z](?:_(?:\w|\{\w+\}))? ?(?:=|\\in\b))")
# "x in [1, 2]" in plain text.
_IN = re.compile(r"^([A-Za-z]\w*) in (?=[\[({\\])")
# "all n >= 3".
_EVERY = re.compile(r"^(?:for )?(?:all|any|every) (?=[A-Za-z](?:_\w)? ?(?:[<>]|\\(?:le|ge|ne)\b))")
_FIGURE = re.compile(
    r"(?:(?:the|an?|equation|of|straight|vertical|horizontal|locus) )*"
    r"(?:line|plane|circle|curve|parabola|ellipse|hyperbola|equation|directrix|asymptote|axis|"
    r"sphere|graph|function)(?: (?:is|of|with|has|equation))*:? ?(?![A-Za-z]{2})",
    re.I,
)
# A set that a parameter runs over, in brackets after a formula.
_OVER = re.compile(r",? ?\(([^()]*(?:\\in(?![a-z])[^()]*\\mathbb[^()]*|integers?))\)$")
_IS = re.compile(r"(?P<name>\\?[A-Za-z]\w*) (?:(?:is|are|being|=) )?(?P<set>[a-z -]+)")
_SET_FIRST = re.compile(r"(?P<set>[a-z -]+?) (?P<name>\\?[A-Za-z]\w*)")
_MAPS = re.compile(
    r"(?:(?P<name>[A-Za-z]) ?(?::|\\colon) ?)?(?P<of>[A-Za-z]) ?\\mapsto ?(?P<formula>[^:]+)"
)
# "3 | n": a bar without another one, that is no mark of a place.
_DIVIDES = re.compile(r"^([\w+*^(){} -]{1,40}?) ?\| ?([^|_^,;:=<>]{1,80})$")
_CUP = re.compile(r"\\cup(?![A-Za-z])")
_CONSTANT = re.compile(
    r"(?:(?:an?|any|some|the|all) )?(?:(?:arbitrary|fixed|real) )*(?:constants?|arbitrary)"
)
_COMMA = re.compile(r"[,;]")
# No words beside the sign of a relation: F = am.
_PRODUCTS = frozenset(("am", "pm"))


def read(text: str, read: Read) -> Value | None:
    """The value of a text with a relation; see `kinds`."""
    if match := _MAPS.fullmatch(text):
        formula = match["formula"]
        return read(f"{match['name']}({match['of']}) = {formula}" if match["name"] else formula)
    text = _DIVIDES.sub(r"\1 \\mid \2", text)
    return read_members(text, read) if SIGN.search(text) or _IN.match(text) else None


def read_members(text: str, read: Read) -> Value | None:
    """The value of a text with relations, or with words for one ("k is an integer")."""
    text = _EVERY.sub("", _IN.sub(r"\1 \\in ", _without_figure(text), count=1))
    if text.count("=") + text.count("\\in ") > 1:
        text = _SPACED.sub(", ", text)
    if match := _OVER.search(text):
        text = f"{text[: match.start()]}, {match[1]}"
    members = split(text, _MEMBERS)
    if members is None:
        return None
    if not members.marks:
        return _relation(text, read) if "\\cup" not in text else _union(text, read)
    groups = _groups(members)
    if groups is not None:
        values = [_members(group, read) for group in groups]
        known = [value for value in values if value is not None]
        return List(tuple(known)) if len(known) == len(values) else None
    return _members(members, read)


def _union(text: str, read: Read) -> Value | None:
    r"""`x < 1 \cup x > 3`, where a union stands between relations, means "or"."""
    parts = split(text, _CUP)
    if parts is None or not parts.marks or not all(map(SIGN.search, parts.parts)):
        return _relation(text, read)
    values = [_relation(part, read) for part in parts.parts]
    known = [value for value in values if value is not None]
    return together(known, True) if len(known) == len(values) else None


def _without_figure(text: str) -> str:
    r"""`\text{the line } y = 2` is its equation."""
    match = _FIGURE.match(text)
    return text[match.end() :] if match and SIGN.search(text, match.end()) else text


def _groups(members: Split) -> list[Split] | None:
    """The members between the stronger separators, where each group has several relations."""
    for strong in (is_or, lambda mark: ";" in mark):
        cuts = [index + 1 for index, mark in enumerate(members.marks) if strong(mark)]
        if not cuts or len(cuts) == len(members.marks):
            continue
        starts, ends = [0, *cuts], [*cuts, len(members.parts)]
        groups = [
            Split(members.parts[start:end], members.marks[start : end - 1])
            for start, end in zip(starts, ends, strict=True)
        ]
        if all(
            len(group.parts) > 1 and all(SIGN.search(part) for part in group.parts)
            for group in groups
        ):
            return groups
    return None


def _members(members: Split, read: Read) -> Value | None:
    values: list[Value] = []
    for part, mark in _with_dots(members):
        if not part:
            return None
        value = _relation(part, read) if "mod" not in part else read(part)
        value = value or _is_in(part) or _side(part, read)
        if isinstance(value, Unread):
            return None
        if _WHERE_MARK.search(mark) and not isinstance(value, Named | Relation):
            if not _ALL.search(mark) or not is_name(value):
                return None
            continue  # f(x) = 0 for all x
        values.append(value)
    if not any(isinstance(value, Named | Relation) for value in values):
        return None
    return together(values, any(is_or(mark) for mark in members.marks))


def _with_dots(members: Split) -> list[tuple[str, str]]:
    r"""The parts and the separator before each, with `k = 0, 1, \ldots, n` as one."""
    parts, marks = members.parts, ("", *members.marks)
    found: list[tuple[str, str]] = []
    start = 0
    while start < len(parts):
        end = start + 1
        while end < len(parts) and not SIGN.search(parts[end]):
            end += 1
        run = parts[start:end]
        if len(run) > 1 and SIGN.search(run[0]) and any(map(DOTS.fullmatch, run)):
            found.append((", ".join(run), marks[start]))
        else:
            found += zip(run, marks[start:end], strict=True)
        start = end
    return found


def _relation(text: str, read: Read) -> Value | None:
    pieces = split(text, SIGN, most=12)
    if pieces is None or not pieces.marks:
        return None
    signs = tuple(SIGN_OF["".join(mark.split())] for mark in pieces.marks)
    first, *others = pieces.parts
    if not all(others):
        return None
    sides = tuple(_side(part, read) for part in pieces.parts if part)
    if any(isinstance(side, Unread) for side in sides):
        return None
    about = read(f"approximately {others[-1]}") if signs[-1] == "~" else None
    if isinstance(about, Unread):
        about = None
    if not first:
        return without_left_side(signs[0], sides[0], about) if len(signs) == 1 else None
    return solved(Relation(signs, sides), about)


def _side(text: str, read: Read) -> Value:
    """A name is read as such: elsewhere the letter A may be a choice and m a unit."""
    term = parse_term(text) if len(text) <= 40 else None
    if term is not None and is_name(Expression(term)) and "\\mathbb" not in text:
        return Expression(term)
    names = _tuple_of_names(text)
    if names is not None:
        return names
    if text in _PRODUCTS:
        return Expression(Mul(tuple(map(Symbol, text))))
    return read(text)


def _tuple_of_names(text: str) -> Value | None:
    """`(A, B)` as two names, which elsewhere are choices."""
    brackets = enclosed(text)
    if brackets is None or brackets[0] + brackets[2] != "()" or len(text) > 80:
        return None
    inside = split(brackets[1], _COMMA)
    terms = [parse_term(part) for part in inside.parts] if inside and inside.marks else []
    parts = tuple(Expression(term) for term in terms if term is not None)
    named = bool(parts) and len(parts) == len(terms) and all(map(is_name, parts))
    return Tuple(parts) if named else None


def _is_in(text: str) -> Value | None:
    """`k is an integer`, `any integer k`."""
    for pattern in (_IS, _SET_FIRST):
        if match := pattern.fullmatch(text):
            term, domain = parse_term(match["name"]), in_words(match["set"])
            if _CONSTANT.fullmatch(match["set"]):
                domain = REALS
            if term is not None and domain is not None and is_name(Expression(term)):
                name = Expression(term)
                return Named(name, domain, Relation(("in",), (name, domain)))
    return None


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two values agree of which one is a relation; see `kinds`."""
    if same_integers(gold, answer):
        return True
    if isinstance(gold, Family) != isinstance(answer, Family):
        gold, answer = without_domain(gold, answer), without_domain(answer, gold)
    if isinstance(gold, Family) or isinstance(answer, Family):
        return same_families(gold, answer, same)
    if isinstance(gold, Named) and isinstance(answer, Named):
        return _both_named(gold, answer, same)
    if isinstance(gold, Named | Relation) and isinstance(answer, Named | Relation):
        return same_relations(_source(gold), _source(answer), same)
    if isinstance(gold, Named):
        expanded = expanded_names(gold)
        if has_names(answer) or isinstance(answer, Tuple):
            if expanded is None and not same_name_throughout(gold.name, answer, same):
                return False
            if expanded is None and isinstance(gold.value, List):
                answer = bare_values(answer)
            return same(gold.value if expanded is None else expanded, answer)
        return same(gold.value, answer)
    if isinstance(answer, Named):
        if isinstance(gold, Choice) and is_choice_letter(answer.name):
            return False  # "B = A" says something of two choices
        expanded = expanded_names(answer)
        if has_names(gold) or isinstance(gold, Tuple):
            if expanded is None and not same_name_throughout(answer.name, gold, same):
                return False
            if expanded is None and isinstance(answer.value, List):
                gold = bare_values(gold)
            return same(gold, answer.value if expanded is None else expanded)
        return same(gold, answer.value)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return False
    return same_assignments(gold, answer, same)


def _source(value: Named | Relation) -> Relation:
    return value.source if isinstance(value, Named) else value


def _both_named(gold: Named, answer: Named, same: Same) -> bool:
    if same_names(gold.name, answer.name, same):
        return (
            same(gold.value, answer.value)
            or same_periodic(gold, answer, same)
            or is_point(gold.value, answer.value, same)
            or is_point(answer.value, gold.value, same)
        )
    if is_set_and_element(gold, answer) or is_set_and_element(answer, gold):
        return same(gold.value, answer.value)
    renamed = argument_renamed(gold.name, gold.value, answer)
    if renamed is not None:
        return same(gold.value, renamed.value)
    first, second = expanded_names(gold), expanded_names(answer)
    if first is not None and second is not None:
        return same(first, second)
    if _is_graph(gold, answer) or _is_graph(answer, gold):
        return same(gold.value, answer.value)
    products = _with_products(gold.source), _with_products(answer.source)
    return same_relations(gold.source, answer.source, same) or (
        None not in products and same_relations(*cast("tuple[Relation, Relation]", products), same)
    )


def _is_graph(first: Named, second: Named) -> bool:
    """Whether y = ... is beside f(x) = ..., with x in the value."""
    if not (isinstance(first.name, Expression) and isinstance(second.name, Expression)):
        return False
    called = second.name.term
    if first.name.term != Symbol("y") or not isinstance(called, Call):
        return False
    names = symbols(called.arguments)
    return called.name in ("f", "g", "h") and names == {"x"} and names <= symbols(second.value)


def _with_products(relation: Relation) -> Relation | None:
    """The relation with runs of capitals as products, where a side has small letters too: PV = nRT.

    A side is read alone, so that PV is a name there.
    """
    names = symbols(relation)
    if not any(len(name) == 1 and name.islower() for name in names):
        return None
    if not any(len(name) == 1 and name.isupper() for name in names):
        return None
    runs = {
        name: Mul(tuple(map(Symbol, name)))
        for name in names
        if len(name) > 1 and name.isalpha() and name.isupper()
    }
    return cast(Relation, put(relation, runs))
