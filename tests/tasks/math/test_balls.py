"""Values of terms: exact numbers, balls, domains, operators."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import pytest
from flint import acb, arb, ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.evaluation import exact
from rlvr_fast.tasks.schemes.math.evaluation.balls import Evaluation
from rlvr_fast.tasks.schemes.math.evaluation.generic_functions import generic_value
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import (
    Budget,
    NoValue,
    OutOfBudget,
    TooMuch,
    Undefined,
)
from rlvr_fast.tasks.schemes.math.evaluation.points import points
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.terms.facts import facts, structure
from rlvr_fast.tasks.schemes.math.terms.nodes import Bound, Call, Number, Symbol, Term
from rlvr_fast.tasks.schemes.math.writing import clean


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    before = ctx.prec
    ctx.prec = 128
    yield
    ctx.prec = before


def value(text: str, *, real: bool = False, **point: object) -> fmpq | arb | acb:
    term = parse_term(clean(text))
    assert term is not None, text
    return Evaluation(point, Budget(), real=real).value(term)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2^{10}", fmpq(1024)),
        (r"\frac{3}{4}-\frac14", fmpq(1, 2)),
        ("0.25", fmpq(1, 4)),
        (r"\sqrt{\frac{9}{16}}", fmpq(3, 4)),
        (r"\sqrt[3]{-27}", fmpq(-3)),
        ("8^{2/3}", fmpq(4)),
        ("5!", fmpq(120)),
        ("8!!", fmpq(384)),
        ("7!!", fmpq(105)),
        (r"\binom{5}{2}", fmpq(10)),
        (r"\binom{2}{5}", fmpq(0)),
        (r"\lfloor -2.5 \rfloor", fmpq(-3)),
        (r"\lceil -2.5 \rceil", fmpq(-2)),
        (r"7 \bmod 3", fmpq(1)),
        (r"\gcd(12,18)", fmpq(6)),
        (r"\max(1,2,3)", fmpq(3)),
        (r"\min(1,2,3)", fmpq(1)),
        (r"\sum_{k=1}^{100} k", fmpq(5050)),
        (r"\prod_{k=1}^{5} k", fmpq(120)),
        (r"\sum_{k=1}^{0} k", fmpq(0)),
        (r"\sin 0", fmpq(0)),
        ("e^0", fmpq(1)),
    ],
)
def test_rational_values_are_exact(text: str, wanted: fmpq) -> None:
    found = value(text)
    assert isinstance(found, fmpq)
    assert found == wanted


def test_large_values_are_exact() -> None:
    assert value("2^{2020}+1") - value("2^{2020}") == 1
    assert value("2004!") == math.factorial(2004)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"\sin 1", math.sin(1)),
        (r"\arctan 2", math.atan(2)),
        (r"\arcsin \frac12", math.pi / 6),
        (r"\cosh 1", math.cosh(1)),
        (r"\ln 10", math.log(10)),
        (r"\log_2 10", math.log2(10)),
        ("2^{0.3}", 2**0.3),
        (r"\sqrt{2}^{3}", math.sqrt(8)),
        ("e^{-2}", math.exp(-2)),
        (r"\pi^2", math.pi**2),
        (r"\cos 60^\circ", 0.5),
        (r"\int_0^2 x^2 dx", 8 / 3),
    ],
)
def test_a_ball_holds_the_value(text: str, wanted: float) -> None:
    found = value(text)
    real = found.real if isinstance(found, acb) else arb(found)
    assert abs(float(real.mid()) - wanted) < 1e-14
    assert real.rad() < arb(2) ** -50


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{1}{0}",
        "0^{-1}",
        r"\sqrt{-1}",
        r"\sqrt{x}",
        r"\ln x",
        "x^{1/2}",
        r"\arcsin 2",
        r"\arccosh \frac12",
        "(-1)!",
        r"\log_1 5",
        r"5 \bmod 0",
        "x^{-2.5}",
    ],
)
def test_outside_the_real_domain_is_no_value(text: str) -> None:
    with pytest.raises(NoValue):
        value(text, real=True, x=fmpq(-2))


def test_complex_numbers_have_principal_values() -> None:
    assert value(r"\sqrt{-4}") == acb(0, 2)
    assert value("i^3") == acb(0, -1)
    assert abs(value("(-8)^{2/3}") - acb(-2, arb(12).sqrt())) < arb("1e-30")


@pytest.mark.parametrize("text", ["(10^6)!!", r"\sum_{k=1}^{10^9} k"])
def test_too_much_is_refused(text: str) -> None:
    with pytest.raises(TooMuch):
        value(text)


def test_the_budget_ends_an_evaluation() -> None:
    term = parse_term(clean(r"\sum_{k=1}^{1000} k"))
    assert term is not None
    with pytest.raises(OutOfBudget):
        Evaluation({}, Budget(100), real=True).value(term)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.fractions(min_value=0, max_value=10**6), st.integers(2, 7))
def test_exact_roots(number: Fraction, degree: int) -> None:
    inside = fmpq(number.numerator, number.denominator)
    assert exact.root(inside**degree, degree) == inside
    found = exact.root(inside, degree)
    assert found is None or found**degree == inside


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(0, 60), st.integers(-2, 62))
def test_exact_binomials(top: int, low: int) -> None:
    wanted = math.comb(top, low) if low >= 0 else 0
    assert exact.binomial(fmpq(top), low) == wanted


def test_powers_out_of_bounds_are_not_computed() -> None:
    assert exact.power(fmpq(2), 10**6) is None
    assert exact.power(fmpq(-1), 10**30 + 1) == -1
    assert exact.factorial(10**6) is None
    with pytest.raises(ZeroDivisionError):
        exact.power(fmpq(0), -1)


def test_unknown_functions_have_no_special_property() -> None:
    a, b = arb(2), arb(3)
    assert generic_value("f", [a, b]) != generic_value("f", [b, a])
    assert generic_value("f", [a]) != generic_value("g", [a])
    assert generic_value("f", [a]) != generic_value("f", [b])
    assert generic_value("f", [-a]) != -generic_value("f", [a])
    assert generic_value("f", [-a]) != generic_value("f", [a])
    assert generic_value("f", [a + b]) != generic_value("f", [a]) + generic_value("f", [b])
    assert generic_value("f", [a]).overlaps(generic_value("f", [arb(4).sqrt()]))
    assert generic_value("f", [acb(a)]).real.overlaps(generic_value("f", [a]))


def _of(text: str) -> Term:
    found = parse_term(clean(text))
    assert found is not None, text
    return found


def test_facts_of_a_term() -> None:
    assert facts(_of("x+y")).symbols == {"x", "y"}
    assert facts(_of(r"\binom{n}{k}+x")).integers == {"n", "k"}
    assert facts(_of(r"\sum_{k=1}^n k^2")).symbols == {"n"}
    assert facts(_of(r"\sum_{k=1}^n k^2")).integers == {"n"}
    assert facts(_of("(-1)^n")).exponents == {"n"}
    assert facts(_of("2+3i")).imaginary
    assert facts(_of(r"\log x")).plain_log
    assert not facts(_of(r"\log_2 x")).plain_log
    assert facts(Call("conjugate", (Symbol("z"),))).complexes == {"z"}


def test_structure_is_blind_to_order_and_bound_names() -> None:
    assert structure(_of("a+b+c")) == structure(_of("c+(b+a)"))
    assert structure(_of("a-b")) != structure(_of("b-a"))
    one, zero = Number(Fraction(1)), Number(Fraction(0))

    def nested(outer: str, inner: str, body: str) -> Term:
        return Bound("sum", outer, zero, one, Bound("sum", inner, zero, one, Symbol(body)))

    assert structure(nested("i", "j", "i")) == structure(nested("j", "i", "j"))
    assert structure(nested("i", "j", "i")) != structure(nested("i", "j", "j"))
    assert structure(nested("i", "i", "i")) == structure(nested("i", "j", "j"))


def test_points_follow_from_the_names() -> None:
    assert list(points({"x", "y"}, count=40)) == list(points({"y", "x"}, count=40))


def test_points_have_all_signs_and_sizes() -> None:
    found = list(points({"x", "y", "z"}, count=24))
    signs = {tuple(bool(point[name] > 0) for name in "xyz") for point in found}
    assert len(signs) >= 7
    sizes = [abs(float(arb(point["x"]))) for point in found]  # type: ignore[arg-type]
    assert min(sizes) < 1
    assert max(sizes) > 10
    assert all(point["x"].q != 1 for point in found)  # type: ignore[union-attr]
    naturals = list(points({"n"}, count=24, naturals={"n"}))
    assert all(point["n"].q == 1 for point in naturals)  # type: ignore[union-attr]
    assert len({str(point["n"]) for point in naturals}) >= 10


def test_no_value_is_named() -> None:
    with pytest.raises(Undefined):
        value(r"\frac{x}{0}", x=fmpq(1))
