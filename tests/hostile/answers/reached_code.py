"""Which code of Reasoning Gym a verifier reaches, read from its source: nothing is run."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import Any

EVALUATORS = {eval, exec, compile, __import__}
# Modules that have no function which runs text as code, or none that a verifier reaches: read by
# hand. An object of any other module counts as one that evaluates.
HARMLESS = {"reasoning_gym", "numpy", "magiccube", "zss"} | set(sys.stdlib_module_names)
# Stands for the verifier of a dataset that is not known before the problem is.
ANOTHER = object()
EVALUATING_MODULES = {"pickle", "subprocess", "importlib", "code", "codeop", "marshal", "shelve"}


def evaluators_reached(dataset_class: type) -> set[str]:
    """Names of what the verifier of a dataset reaches that may run text as code."""
    found: set[str] = set()
    for function in reached(dataset_class):
        for thing in mentioned(function, dataset_class):
            if thing is ANOTHER:
                found.add(f"{function.__qualname__}: the verifier of another dataset")
            elif evaluates(thing):
                found.add(f"{function.__qualname__}: {getattr(thing, '__name__', thing)}")
    return found


def reached(dataset_class: type) -> list[types.FunctionType]:
    """`score_answer` of a dataset, and the functions of the package that it may call."""
    waiting = [dataset_class.score_answer]
    seen: dict[types.FunctionType, None] = {}
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen[function] = None
        waiting += [
            inner
            for thing in mentioned(function, dataset_class)
            for inner in functions_of(thing)
            if written(inner)
        ]
    return list(seen)


def functions_of(thing: Any) -> Iterator[types.FunctionType]:
    if not str(getattr(thing, "__module__", "")).startswith("reasoning_gym"):
        return
    if isinstance(thing, type):
        for member in vars(thing).values():
            member = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(member, types.FunctionType):
                yield member
    elif isinstance(thing, types.FunctionType):
        yield thing


def written(function: types.FunctionType) -> bool:
    """Whether the package has the source of a function: dataclasses write some themselves."""
    return "reasoning_gym" in function.__code__.co_filename


def mentioned(function: types.FunctionType, owner: type) -> Iterator[Any]:
    """What the names in a function's source stand for.

    An attribute of an object that is not known may be any function of that name in the package.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield from named(function, node.id)
        elif isinstance(node, ast.Attribute):
            holder = (
                list(named(function, node.value.id)) if isinstance(node.value, ast.Name) else []
            )
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                holder = [owner]
            known = [getattr(one, node.attr) for one in holder if hasattr(one, node.attr)]
            if node.attr == "score_answer":
                yield ANOTHER
            elif known:
                yield from (getattr(one, "__func__", one) for one in known)
            else:
                yield from of_that_name(node.attr)


def named(function: types.FunctionType, name: str) -> Iterator[Any]:
    for scope in (function.__globals__, vars(builtins)):
        if name in scope:
            yield scope[name]
            return


def of_that_name(name: str) -> list[types.FunctionType]:
    members = (vars(made).get(name) for made in classes())
    members = (getattr(member, "__func__", member) for member in members)
    return [member for member in members if isinstance(member, types.FunctionType)]


@functools.cache
def classes() -> list[type]:
    """The classes of the package, whose modules are imported with it.

    Sokoban's game is not: whether it is there depends on the tests before.
    """
    return [
        thing
        for module_name, module in list(sys.modules.items())
        if module_name.startswith("reasoning_gym.") and ".contrib." not in module_name
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module_name
    ]


def evaluates(thing: Any) -> bool:
    if isinstance(thing, types.ModuleType):
        return False  # its attributes are looked at
    try:
        if thing in EVALUATORS:
            return True
    except TypeError:
        return False
    if not callable(thing):
        return False
    module = str(getattr(thing, "__module__", "") or "").partition(".")[0]
    return module in EVALUATING_MODULES or (module != "" and module not in HARMLESS)
