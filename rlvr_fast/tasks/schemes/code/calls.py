"""Calls of a function that runs in a sandbox; only plain values cross."""

from __future__ import annotations

import decimal
import fractions
import json
from collections.abc import Callable, Sequence
from typing import Any

from rlvr_fast.tasks.sandbox import Supervision

__all__ = ["CallError", "Caller", "decoded", "encoded", "served"]

# Runs in the sandbox. Its word is JSON: the name of the function, and lists of files. The first
# list whose files all compile is the program, a module that is not `__main__`. The server answers
# each request on standard input with one line on standard output; prints of the answer go to
# standard error. The answer can write such lines too: they are values that it returns, no more.
# Values are JSON, or an object of one kind and its content.
SERVER = """
def _serve():
    import collections.abc, decimal, fractions, itertools, json, os, sys, types

    sys.set_int_max_str_digits(0)
    most = 1_000_000
    long = 1 << 12  # bits of a number that is sent in base 16, which takes linear time
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb", 0)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)

    def encoded(value):
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            value = int(value)
            return value if value.bit_length() < long else {"hexadecimal": hex(value)}
        if isinstance(value, float):
            return float(value)
        if isinstance(value, str):
            return str(value)
        if isinstance(value, list):
            return [encoded(item) for item in value]
        for kind, name in (tuple, "tuple"), (set, "set"), (frozenset, "set"), (range, "range"):
            if isinstance(value, kind):
                if kind is range:
                    return {name: [value.start, value.stop, value.step]}
                return {name: [encoded(item) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[encoded(key), encoded(item)] for key, item in value.items()]}
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": value.hex()}
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if isinstance(value, fractions.Fraction):
            return {"fraction": [value.numerator, value.denominator]}
        if isinstance(value, decimal.Decimal):
            return {"decimal": str(value)}
        if isinstance(value, collections.abc.Iterable):
            items = list(itertools.islice(value, most))
            return {"iterator": [encoded(item) for item in items]}
        raise TypeError(f"a {type(value).__name__} is no plain value")

    def plain(value):
        if isinstance(value, list):
            return [plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        (kind, content), = value.items()
        if kind == "dict":
            return {plain(key): plain(item) for key, item in content}
        if kind == "bytes":
            return bytes.fromhex(content)
        if kind == "complex":
            return complex(*content)
        if kind == "hexadecimal":
            return int(content, 16)
        items = [plain(item) for item in content]
        return {"tuple": tuple, "set": set}[kind](items)

    def serve(function):
        for line in requests:
            arguments = [plain(item) for item in json.loads(line)]
            try:
                reply = {"value": encoded(function(*arguments))}
                text = json.dumps(reply)
            except BaseException as error:
                text = json.dumps({"raised": type(error).__name__})
            replies.write(text.encode() + b"\\n")

    def compiled(files):
        found = []
        for name in files:
            with open(name, "rb") as file:
                found.append(compile(file.read(), name, "exec", dont_inherit=True))
        return found

    def program(lists):
        for number, files in enumerate(lists, 1):
            try:
                return compiled(files)
            except (SyntaxError, ValueError):
                if number == len(lists):
                    raise

    def function(name, lists):
        module = types.ModuleType("answer")
        sys.modules["answer"] = module
        for code in program(lists):
            exec(code, module.__dict__)
        if "." in name:
            name, _, method = name.partition(".")
            if name in module.__dict__:
                return getattr(module.__dict__[name](), method)
            name = method
        return module.__dict__[name]

    told = json.loads(sys.argv[1])
    serve(function(told["function"], told["programs"]))


_serve()
"""

LONG = 1 << 12  # bits of a number that is sent in base 16, as by the server
MOST_RANGE = 1_000_000
MOST_HEXADECIMAL = 1 << 20  # characters
MOST_DIGITS = 4000  # of a Decimal; the int type's own limit is 4300


def served(function: str, programs: Sequence[Sequence[str]]) -> tuple[dict[str, str], list[str]]:
    """The files and the command of a sandbox in which a function waits for calls.

    Args:
        function: its name; `Class.method` is a method of a new object where the program has the
            class, else the function `method`.
        programs: the ways to read an answer, each a list of sources that run one after the other in
            one module. The first that is valid Python is the program.
    """
    files = {"main.py": SERVER}
    names: list[list[str]] = []
    for number, sources in enumerate(programs):
        last = len(sources) - 1
        parts = ["answer" if part == last else f"before{part}" for part in range(len(sources))]
        names.append([f"{part}{number or ''}.py" for part in parts])
        files.update(zip(names[-1], sources, strict=True))
    told = json.dumps({"function": function, "programs": names})
    return files, ["python", "main.py", told]


class CallError(Exception):
    """The function raised, ended, or returned what is no plain value."""


class Caller:
    """The function, called like a local one."""

    def __init__(self, running: Supervision) -> None:
        """Takes the sandbox that runs `SERVER`."""
        self._running = running

    def __call__(self, *arguments: Any) -> Any:
        """The value that the function returns.

        Raises:
            CallError: there is none.
        """
        self._running.write(json.dumps([encoded(item) for item in arguments]).encode() + b"\n")
        line = self._running.line()
        if line is None:
            raise CallError("the program ended")
        try:
            reply = json.loads(line)
            if not isinstance(reply, dict) or set(reply) != {"value"}:
                raise CallError(f"the function raised {str(reply)[:200]}")
            return decoded(reply["value"])
        except (ValueError, TypeError, RecursionError, ArithmeticError) as error:
            raise CallError(f"not a plain value: {error}") from error


def encoded(value: Any) -> Any:
    """JSON that `SERVER` reads: of the plain values that tests pass to a function.

    Raises:
        TypeError: another kind of value.
    """
    if isinstance(value, int) and value.bit_length() >= LONG:
        return {"hexadecimal": hex(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encoded(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {"set": [encoded(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encoded(key), encoded(item)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    raise TypeError(f"a test passes a {type(value).__name__}, which is no plain value")


def decoded(value: Any) -> Any:
    """The value of a reply: exact built-in types, so that no method of the answer's is called.

    Raises:
        ValueError, TypeError, ArithmeticError, RecursionError: not a reply of `SERVER`.
    """
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind not in _KINDS:
        raise ValueError(f"unknown kind {kind!r}")
    return _KINDS[kind](content)


def _items(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("expected a list")
    return [decoded(item) for item in content]


def _range(content: Any) -> range:
    found = range(*_items(content))
    if len(found) > MOST_RANGE:
        raise ValueError("a range of too many numbers")
    return found


def _fraction(content: Any) -> fractions.Fraction:
    above, below = content
    if not (isinstance(above, int) and isinstance(below, int)):
        raise TypeError("expected two integers")  # Fraction reads '1e999999999' digit by digit
    return fractions.Fraction(above, below)


def _complex(content: Any) -> complex:
    real, imaginary = content
    if not (isinstance(real, int | float) and isinstance(imaginary, int | float)):
        raise TypeError("expected two numbers")
    return complex(real, imaginary)


def _decimal(content: Any) -> decimal.Decimal:
    found = decimal.Decimal(str(content))
    if not found.is_finite() or abs(found.adjusted()) > MOST_DIGITS:
        raise ValueError("no finite decimal")
    return found


def _hexadecimal(content: Any) -> int:
    if not isinstance(content, str) or len(content) > MOST_HEXADECIMAL:
        raise ValueError("too long a number")
    return int(content, 16)


_KINDS: dict[str, Callable[[Any], Any]] = {
    "tuple": lambda content: tuple(_items(content)),
    "set": lambda content: set(_items(content)),
    "dict": lambda content: dict(_items(pair) for pair in content),
    "iterator": lambda content: iter(_items(content)),
    "range": _range,
    "hexadecimal": _hexadecimal,
    "bytes": lambda content: bytes.fromhex(content),
    "complex": _complex,
    "fraction": _fraction,
    "decimal": _decimal,
}
