"""What sympy would run of an admitted answer holds numbers, symbols and listed functions only."""

from __future__ import annotations

import ast
import random

import pytest
from sympy.parsing.sympy_parser import standard_transformations, stringify_expr

from rlvr_fast.tasks.schemes.reasoning_gym.answer_grammars import refusal
from rlvr_fast.tasks.schemes.reasoning_gym.expressions import Bounds, refusal_of_expression

ENTRIES = {
    "countdown": {},
    "intermediate_integration": {"answer": "Integral(x, x)", "metadata": {"variable": "x"}},
    "polynomial_multiplication": {"metadata": {"polynomial_expr": "x*(y + 1)"}},
}
PIECES = (
    "1", "2", "12", "0", "007", "1.5", ".5", "3.", "1e3", "1e-2", "2j", "0x1f", "1_0", "5!",
    "0.1[2]",
    "x", "y", "C", "C_1", "S", "N", "Q", "E", "pi", "sin", "log", "Integral", "Rational", "lambda",
    "eval", "open", "__import__", "print", "and", "if", "else", "for", "in", "not", "is", "None",
    "+", "-", "*", "/", "**", "//", "%", "* *", "(", ")", "(", ")", ",", " ", " ", "\n", "\t",
    "\r\n",
    ".", "..", "=", "==", ":=", ":", ";", "[", "]", "{", "}", "'", '"', "#", "\\", "@", "^", "!",
    "~", "<<", "|", "&", "->", "\x0c", "\x00", "\u00a0", "\u2212", "\u00d7", "\u0661", "\ufe62",
    "\uff11",
)  # fmt: skip


def code_of(text: str) -> ast.expr:
    space: dict[str, object] = {}
    exec("from sympy import *", space)
    code = stringify_expr(text, {}, space, standard_transformations)
    return ast.parse(code, mode="eval").body


def strangers(code: ast.expr) -> list[str]:
    """The parts of the code that a grammar should not have let through."""
    allowed = (
        ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.operator, ast.UAdd, ast.USub,
        ast.Constant,
    )  # fmt: skip
    found = []
    for node in ast.walk(code):
        if isinstance(node, ast.Call):
            text = [one for one in node.args if getattr(one, "value", 0).__class__ is str]
            if text and node.func.id not in ("Symbol", "Float"):
                found.append(ast.dump(node))
        elif isinstance(node, ast.Name):
            if node.id in {"eval", "open", "print", "S", "N", "Q", "__import__", "lambdify"}:
                found.append(node.id)
        elif not isinstance(node, allowed):
            found.append(type(node).__name__)
    return found


@pytest.mark.parametrize("dataset", ENTRIES)
def test_random_answers_that_are_admitted_become_harmless_code(dataset):
    rng = random.Random(15)
    admitted = 0
    for _ in range(10_000):
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 9)))
        if refusal(dataset, text, ENTRIES[dataset]) is None:
            admitted += 1
            # sympy runs the text of a quoted expression once more
            for one in {text, text.strip().strip("'\"")}:
                assert strangers(code_of(one)) == [], text
    assert admitted > 50


def test_every_name_that_is_admitted_is_a_symbol_or_a_number():
    from sympy import Expr

    from rlvr_fast.tasks.schemes.reasoning_gym import answer_grammars

    space: dict[str, object] = {}
    exec("from sympy import *", space)
    for name in answer_grammars._SYMBOLS:
        assert isinstance(space.get(name, Expr()), Expr), name


@pytest.mark.parametrize(
    "text",
    [
        "2**1024", "(1/3)**-1000", "((2**10)**10)**10", "(x+1)**1000", "1000**1000*1000**1000",
        "1.5**99", "2**(1/2)**(1/3)", "9**(7/2)", "+".join(["12345678"] * 400),
        "(" * 90 + "1" + ")" * 90,
    ],
)  # fmt: skip
def test_what_is_admitted_is_small(text):
    assert refusal_of_expression(text, names=frozenset("x")) is None


@pytest.mark.parametrize(
    "text",
    [
        "2**1025.5", "2**2000", "((((2**1000)**1000)))", "(1/3)**-2000", "2**2**11", "2**(2**5.5)",
        "x**(3000-1)", "2**(1/(1/2000-1/2001))", "(2**1024*2**1024)**100", "1.0001**99999999",
        "9" * 65, "-" * 200 + "1", "x**x**x**2000", "0.1**(1/0.0001)", "2**-(2**-(-11))",
        "+".join(["1"] * 5000),
    ],
)  # fmt: skip
def test_what_may_be_large_is_refused(text):
    assert refusal_of_expression(text, names=frozenset("x")) is not None


def test_the_bound_holds_for_values():
    """The height of every rational value is at most the bound that the syntax gives it."""
    from fractions import Fraction

    rng = random.Random(3)
    bound = Bounds(height=200.0, exponent_bits=3.0)
    for _ in range(1000):
        text = str(rng.randint(1, 99))
        for _ in range(rng.randint(1, 6)):
            text = f"({text}){rng.choice(['+', '-', '*', '/', '**'])}{rng.randint(1, 9)}"
        if refusal_of_expression(text, bounds=bound) is None:
            value = Fraction(1)
            try:
                value = eval(
                    compile(
                        ast.fix_missing_locations(Fractions().visit(ast.parse(text, mode="eval"))),
                        "text",
                        "eval",
                    ),
                    {"Fraction": Fraction},
                )
            except ZeroDivisionError:
                continue
            assert value.numerator.bit_length() - 1 + value.denominator.bit_length() - 1 <= 200


class Fractions(ast.NodeTransformer):
    """Integers of a syntax tree, except exponents, as fractions."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Call(ast.Name("Fraction", ast.Load()), [node], [])
