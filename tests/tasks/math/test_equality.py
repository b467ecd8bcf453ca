"""Equality of terms: identities and near misses, both ways, and hostile terms."""

from __future__ import annotations

import importlib
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.terms.nodes import (
    Add,
    Bound,
    Call,
    Constant,
    Mul,
    Number,
    Pow,
    Root,
    Symbol,
    Term,
)
from rlvr_fast.tasks.schemes.math.writing import clean

BENCH = Path(__file__).resolve().parents[3] / "bench"


def term(text: str) -> Term:
    found = parse_term(clean(text))
    assert found is not None, text
    return found


def equal(first: str, second: str) -> bool:
    one, other = term(first), term(second)
    verdict = equal_terms(one, other)
    assert equal_terms(other, one) is verdict, "the order of the two decides"
    return verdict


SAME = [
    # constants
    (r"\sqrt{3+2\sqrt 2}", r"1+\sqrt2"),
    (r"\sqrt[3]{2+\sqrt5}+\sqrt[3]{2-\sqrt5}", "1"),
    (r"\sqrt[3]{-8}", "-2"),
    (r"4\arctan\frac15-\arctan\frac1{239}", r"\frac{\pi}{4}"),
    (r"\sin 10^\circ \sin 50^\circ \sin 70^\circ", r"\frac18"),
    (r"\log_2 8", "3"),
    (r"\lfloor \log_{10} 1000 \rfloor", "3"),
    (r"\lfloor \sqrt{2}^2 \rfloor", "2"),
    (r"\binom{10}{3}", "120"),
    ("7!!", "105"),
    (r"10^{10^{10}}", r"10^{10000000000}"),
    (r"1.6\times 10^{-19}", "1.6e-19"),
    (r"40+\sin\pi", "40"),
    # complex numbers
    (r"e^{i\pi/4}", r"\frac{\sqrt2}{2}(1+i)"),
    (r"\cos 60^\circ + i \sin 60^\circ", r"\frac{1+i\sqrt3}{2}"),
    ("i^3", "-i"),
    (r"\sqrt{-4}", "2i"),
    ("|3+4i|", "5"),
    ("i^i", r"e^{-\pi/2}"),
    ("(1+i)^{10}", "32i"),
    (r"\operatorname{Re}(3+4i)", "3"),
    # logarithms without a base: one base on both sides
    (r"\log 1000", "3"),
    (r"\log e", "1"),
    (r"\log x", r"\ln x"),
    # symbols
    (r"\frac{a-b}{b-a}", "-1"),
    ("|x|", r"\sqrt{x^2}"),
    (r"\sqrt{4x}", r"2\sqrt{x}"),
    (r"\sqrt{x}\sqrt{y}", r"\sqrt{xy}"),
    (r"\ln(xy)", r"\ln x+\ln y"),
    ("x^{2/3}", r"\sqrt[3]{x}^2"),
    ("2^{x+1}", r"2\cdot 2^x"),
    (r"\cos 2x", r"1-2\sin^2 x"),
    (r"\sin^2 x+\cos^2 x", "1"),
    (r"\arcsin x+\arccos x", r"\pi/2"),
    (r"\sqrt{(x-1)(2-x)}", r"\sqrt{x-1}\sqrt{2-x}"),
    ("e^{ix}", r"\cos x+i\sin x"),
    (r"a^{\log_a b}", "b"),
    (r"\max(a,b)", r"\frac{a+b+|a-b|}{2}"),
    (r"\gcd(a,b)", r"\gcd(b,a)"),
    ("n!", "n(n-1)!"),
    (r"\binom{2n}{n}", r"\frac{(2n)!}{(n!)^2}"),
    ("(-1)^{n+1}", "-(-1)^n"),
    (r"\cos n\pi", "(-1)^n"),
    (r"\lfloor x \rfloor+1", r"\lfloor x+1 \rfloor"),
    (r"\lfloor n/2\rfloor+\lceil n/2 \rceil", "n"),
    ("f(x+1)", "f(1+x)"),
    # operators
    (r"\sum_{k=1}^n k", r"\frac{n(n+1)}{2}"),
    (r"\sum_{k=0}^n \binom{n}{k}", "2^n"),
    (r"\prod_{k=1}^n k", "n!"),
    (r"\int_0^1 x dx", "1/2"),
    (r"\int_0^1 \int_0^x xy\,dy\,dx", "1/8"),
    (r"\lim_{x\to 0} \frac{\sin x}{x}", "1"),
    (r"\lim_{n\to\infty} (1+\frac1n)^n", "e"),
    (r"\lim_{n\to\infty} \sum_{k=1}^n \frac1{2^k}", "1"),
    (r"\lim_{x\to\infty} x", r"\infty"),
    # no values, one structure
    (r"\frac{0}{0}", r"\frac{0}{0}"),
    (r"\ln(-x^2-1)", r"\ln(-1-x^2)"),
    ("2003^{2002^{2001}}", "2003^{2002^{2001}}"),
    # a decimal of many digits may be rounded or cut
    (r"\pi", "3.14159265"),
    (r"\pi", "3.1415926"),
    (r"-\sqrt2", "-1.41421356"),
    ("1/3", "0.3333333"),
    ("2/3", "0.66666667"),
]

DIFFERENT = [
    ("1.6e-19", "9.1e-31"),
    ("2^{2020}-1", "2^{2020}+1"),
    ("100!+1", "100!"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
    (r"\sqrt{2^{2020}+1}", "2^{1010}"),
    ("e^{1000}+1", "e^{1000}"),
    (r"e^{\pi\sqrt{163}}", "262537412640768744"),
    ("e^{-10^{100}}", "0"),
    ("e^{-10^{100}}", "e^{-10^{101}}"),
    (r"\sin(10^{1000000})", r"\sin(10^{1000000})+1"),
    (r"i\sin(10^{1000000})", "0"),
    (r"\lfloor \sin(10^{1000000}) \rfloor", "0"),
    ("2003^{2002^{2001}}", "2003^{2002^{2000}}"),
    ("(((2^{100})!)!)!", "(((2^{101})!)!)!"),
    ("10^{10^{10}}", "10^{10^{10}}+1"),
    ("(-8)^{2/3}", "-4"),
    (r"\sqrt{-4}", "-2"),
    (r"\log 1000 + \log e", "4"),
    (r"\sqrt{x^2}", "x"),
    ("|x|", "x"),
    ("(x^2)^{3/2}", "x^3"),
    (r"\sqrt[4]{x^4}", "x"),
    (r"\sqrt{x^2y^2}", "xy"),
    (r"\lfloor x \rfloor", "x"),
    (r"\lfloor x \rfloor", r"\lceil x \rceil"),
    (r"\overline{z}", "z"),
    ("x", "y"),
    ("x", "X"),
    ("x_1", "x_2"),
    ("e^{ix}", r"\cos x-i\sin x"),
    ("f(2)", "f(3)"),
    ("f(a,b)", "f(b,a)"),
    ("f(x)+f(y)", "f(x+y)"),
    ("f(2x)", "2f(x)"),
    ("f(-x)", "f(x)"),
    ("f(-x)", "-f(x)"),
    ("f(x)", "g(x)"),
    ("f_1(x)", "f_2(x)"),
    ("(x-1)(x-2)(x-3)(x-4)", "0"),
    ("(-1)^{n+1}", "(-1)^n"),
    (r"\binom{2n}{n}", r"\frac{(2n)!}{n!}"),
    (r"\sum_{k=1}^n k", r"\frac{n(n-1)}{2}"),
    (r"\sum_{n=1}^{10^9} n", "5"),
    (r"\sum_{n=0}^{\infty} 2^n", "-1"),
    (r"\sum_{n=1}^{\infty} n", r"-\frac{1}{12}"),
    (r"\sum_{n=1}^{\infty} (-1)^n", r"-\frac12"),
    (r"\int_{-1}^{1} \frac{1}{x} dx", "0"),
    (r"\int_{-1}^{1} \frac{1}{x^2} dx", "-2"),
    (r"\int_0^\infty \sin x dx", "1"),
    (r"\lim_{n\to\infty} \frac{1}{n}", "10^{-30}"),
    (r"\lim_{n\to\infty} \frac{n}{n+1}", "1+10^{-20}"),
    (r"\lim_{x\to 0}\sin\frac1x", "0"),
    (r"\lim_{x\to 0}\frac{|x|}{x}", "1"),
    (r"\infty", r"-\infty"),
    (r"\infty", "5"),
    (r"\frac{1}{0}", r"\frac{2}{0}"),
    (r"\frac{1}{0}", r"\infty"),
    (r"\pi", "3.14159"),
    (r"\pi", "3.14159264"),
    ("1/3", "0.333333"),
    ("1/8", "0.12500001"),
    ("0.33333333333", "0.333333333333"),
    ("1.0000000000000001", "1"),
    ("0", "0.0000001"),
]

# Seconds each: extrapolated series, improper integrals.
SLOW_SAME = [
    (r"\sum_{k=1}^{\infty} \frac{1}{k^2}", r"\frac{\pi^2}{6}"),
    (r"\sum_{k=1}^{\infty} \frac{(-1)^{k+1}}{k}", r"\ln 2"),
    (r"\sum_{k=1}^{\infty} \frac{1}{k(k+1)}", "1"),
    (r"\prod_{k=2}^{\infty} (1-\frac{1}{k^2})", r"\frac12"),
    (r"\sum_{n=0}^{\infty} \frac{x^n}{n!}", "e^x"),
    (r"\sum_{n=0}^{\infty} x^n", r"\frac{1}{1-x}"),
    (r"\int_0^{\infty} e^{-x^2} dx", r"\frac{\sqrt{\pi}}{2}"),
    (r"\int_{-\infty}^{\infty} \frac{1}{1+x^2} dx", r"\pi"),
    (r"\int_0^1 \ln x\,dx", "-1"),
    (r"\int_0^1 \frac{1}{\sqrt x} dx", "2"),
    (r"\int_{-1}^1 \sqrt{1-x^2} dx", r"\frac{\pi}{2}"),
    (r"\int_1^x \frac1t dt", r"\ln x"),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_one_value(first: str, second: str) -> None:
    assert equal(first, second)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_two_values(first: str, second: str) -> None:
    assert not equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), SLOW_SAME)
def test_one_value_of_an_operator(first: str, second: str) -> None:
    assert equal(first, second)
    assert not equal(first, f"({second}) + 10^{{-12}}")


@pytest.mark.parametrize(
    "text",
    [
        "9^{9^{9^{9}}}",
        "(10^{10^{10}})!",
        r"\binom{1000000000}{500000000}",
        "e^{e^{e^{e^{e^e}}}}",
        r"\zeta(1+10^{-100})",
        r"\prod_{k=1}^{1000} k^k",
        r"\log_{1+10^{-5000}} 2",
        r"(1+10^{-1000})^{10^{1000}}",
        "1/3^{50000}+1/7^{30000}",
        "x^{x^{x^{x}}}",
    ],
)
def test_large_terms_end(text: str) -> None:
    assert equal(text, text)
    assert not equal(text, "5")
    assert not equal(text, "x+1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        r"\sum_{i=1}^{10000}\sum_{j=1}^{10000} ij",
        r"\sum_{k=1}^\infty \frac{1}{k}",
        r"\sum_{k=2}^\infty \frac{1}{k\ln k}",
        r"\sum_{k=1}^\infty\sum_{j=1}^\infty \frac{1}{k^2j^2}",
        r"\int_0^{1000} \sin(x^2) dx",
    ],
)
def test_long_operators_end(text: str) -> None:
    assert not equal(text, "5")
    assert not equal(text, "x+1")


# Properties -----------------------------------------------------------------------------------

_rationals = st.fractions(min_value=-50, max_value=50, max_denominator=40)
_numbers = _rationals.map(Number)
_leaves = st.one_of(
    _numbers,
    st.sampled_from([Constant("pi"), Constant("e"), Symbol("x"), Symbol("y"), Symbol("n")]),
    st.integers(2, 60).map(lambda n: Root(Number(Fraction(2)), Number(Fraction(n)))),
)


def _grown(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(Add),
        pairs.map(Mul),
        inner.map(lambda t: Call("sin", (t,))),
        inner.map(lambda t: Call("f", (t,))),
        st.tuples(inner, st.integers(2, 3)).map(lambda p: Pow(p[0], Number(Fraction(p[1])))),
    )


_terms = st.recursive(_leaves, _grown, max_leaves=8)


def _turned(node: Term) -> Term:
    """The same sums and products, in the other order."""
    match node:
        case Add(parts):
            return Add(tuple(map(_turned, reversed(parts))))
        case Mul(parts):
            return Mul(tuple(map(_turned, reversed(parts))))
        case Pow(base, exponent):
            return Pow(_turned(base), exponent)
        case Call(name, arguments):
            return Call(name, tuple(map(_turned, arguments)))
    return node


@settings(deadline=None, max_examples=60, derandomize=True)
@given(_terms)
def test_order_of_parts_does_not_matter(node: Term) -> None:
    assert equal_terms(node, _turned(node))
    assert equal_terms(
        node, Add((Mul((Number(Fraction(3)), node)), Mul((Number(Fraction(-2)), node))))
    )


@settings(deadline=None, max_examples=60, derandomize=True)
@given(_terms, st.integers(1, 40), st.sampled_from([-1, 1]))
def test_a_small_difference_is_one(node: Term, places: int, sign: int) -> None:
    near = Add((node, Number(Fraction(sign, 10**places))))
    assert not equal_terms(node, near)
    assert not equal_terms(near, node)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(_rationals, _rationals)
def test_rational_numbers_are_exact(first: Fraction, second: Fraction) -> None:
    assert equal_terms(Number(first), Number(second)) is (first == second)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.lists(_rationals, min_size=1, max_size=4), st.integers(0, 4), _rationals)
def test_factors_and_coefficients_of_a_polynomial(
    roots: list[Fraction], place: int, change: Fraction
) -> None:
    x = Symbol("x")
    coefficients = [Fraction(1)]
    for root in roots:
        moved = [Fraction(0), *coefficients]
        coefficients = [
            m - root * c for m, c in zip(moved, [*coefficients, Fraction(0)], strict=True)
        ]
    factored = Mul(tuple(Add((x, Number(-root))) for root in (*roots, Fraction(0))))

    def expanded(values: list[Fraction]) -> Term:
        powers = [Pow(x, Number(Fraction(n + 1))) for n in range(len(values))]
        return Add(tuple(Mul((Number(v), p)) for v, p in zip(values, powers, strict=True)))

    assert equal_terms(factored, expanded(coefficients))
    changed = list(coefficients)
    changed[place % len(changed)] += change
    assert equal_terms(factored, expanded(changed)) is (change == 0)


def test_a_bound_name_is_no_symbol() -> None:
    def total(name: str) -> Term:
        body = Call("f", (Symbol(name),))
        return Bound("sum", name, Number(Fraction(1)), Symbol("n"), body)

    assert equal_terms(total("k"), total("j"))
    unread = [
        Bound("integral", name, None, None, Call("f", (Symbol(name),))) for name in ("t", "u", "v")
    ]
    assert equal_terms(unread[0], unread[1])
    assert not equal_terms(unread[0], Bound("integral", "t", None, None, Symbol("u")))


# Pairs of known value -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verdict_pairs() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        return importlib.import_module("verdict_pairs")
    finally:
        sys.path.remove(str(BENCH))


def _check_pairs(pairs: ModuleType, seed: int, count: int) -> None:
    import random

    from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer

    draw = random.Random(seed)
    missed, right = [], 0
    for _ in range(count):
        pair = pairs.make_pair(draw)
        if pair is None:
            continue
        verdict = one_answer(read_answer(pair.gold), read_answer(pair.answer))
        assert pair.equal or not verdict, pair
        right += pair.equal
        if pair.equal and not verdict:
            missed.append(pair)
    assert right > count / 10
    assert len(missed) <= right / 100, missed


def test_pairs_of_known_value(verdict_pairs: ModuleType) -> None:
    _check_pairs(verdict_pairs, 1, 800)


@pytest.mark.slow
def test_many_pairs_of_known_value(verdict_pairs: ModuleType) -> None:
    _check_pairs(verdict_pairs, 2, 15_000)
