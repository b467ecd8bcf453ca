r"""Answers that are values: what holds in one region only, doubles, equations times a factor."""

from __future__ import annotations

import pytest
from flint import ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.answers import verify_answers
from rlvr_fast.tasks.schemes.math.evaluation.balls import Evaluation
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import Budget, OutOfBudget
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


def pairs(table: str) -> list[tuple[str, str]]:
    lines = [line for line in table.strip().splitlines() if line]
    return [(gold.strip(), answer.strip()) for gold, answer in (line.split(";;") for line in lines)]


# Equal in both directions.
EQUAL = pairs(r"""
\ln|x| ;; \ln x
\sqrt{a-b}^2 ;; a-b
\binom{2}{k} ;; \frac{2}{k!(2-k)!}
3 ;; round(2.6)
45^\circ ;; 45
\frac{\partial}{\partial x}(x^2y) ;; 2xy
\frac{\partial^2}{\partial x \partial y}(x^2y) ;; 2x
(\cos\theta+i\sin\theta)^n ;; \cos n\theta+i\sin n\theta
(e^{i\theta})^n ;; e^{in\theta}
i^{4n} ;; 1
5+3i ;; 5+3j
5+3i ;; 5+3*I
e^{i\pi/3} ;; exp(I*pi/3)
\max S ;; \max(S)
\max(a,b) ;; \max(b,a)
\infty ;; inf
7 \bmod 3 ;; Mod(7,3)
1+2+\cdots+n ;; 1+2+3+\dots+n
\ddot{v}_o ;; \frac{d^2 v_o}{dt^2}
\dot{x}_1 ;; x_1'
\vec{v}_1 ;; \vec{v_1}
\sqrt[3]{7} ;; 1.9129311827723892
m \frac{dv}{dt}+bv=f ;; \dot{v} = \frac{f-bv}{m}
\frac{x^2}{a^2}+\frac{y^2}{b^2}=1 ;; b^2x^2+a^2y^2=a^2b^2
PV=nRT ;; P=\frac{nRT}{V}
\frac{a}{b}=\frac{c}{d} ;; ad=bc
x \ne \frac1y ;; xy \ne 1
\sum_{k=1}^{2023} k\cdot k! ;; 2024!-1
2\sin x ;; 2sinx
2\sin x\cos x ;; 2sinxcosx
\cos 2x \sin x ;; cos2xsinx
2\theta ;; 2 theta
5 ;; 5 logs
5 ;; 5 tanks
5 ;; 5 pints
5 ;; 5 seconds
5 ;; 5 boxes
\binom{10^{30}}{2} ;; 10^{30}(10^{30}-1)/2
""")
# Different in both directions.
DIFFERENT = pairs(r"""
\ln|x| ;; \ln(-x)
\sqrt{xy} ;; \sqrt{-x}\sqrt{-y}
\tau\ln\frac1\Delta ;; \tau\ln\binom{1}{\Delta}
\lfloor n/2\rfloor ;; \lfloor n/2\rceil
2 ;; \lfloor 2.5\rceil
3 ;; round(2.5)
\pi ;; \pi^\circ
\frac{\partial}{\partial x}(x^2y) ;; x^2
\frac{\partial f}{\partial x} ;; \frac{\partial f}{\partial y}
e^{2\pi i n} ;; 1
i^n ;; 1
3i ;; 3I
R i ;; R*I
\max S ;; \min S
\max S ;; S
\gcd S ;; S
\operatorname{inf}[X] ;; \operatorname{inf}[Y]
1+2+\cdots+10 ;; 1+2-\cdots+10
1-\frac12+\frac13-\cdots ;; 1-\frac12+\frac13+\cdots
\ddot{v}_o ;; \dot{v}_o
\hat{x}_1 ;; x_1
\sqrt{2} ;; 1.4142135623730961
\frac{1}{2} ;; 0.50000000000000001
x=1 ;; xy=y
x=1 ;; x(x-1)=0
y=\frac1x ;; xy=2
y<\frac1x ;; xy<1
\frac{a}{b}=\frac{c}{d} ;; ac=bd
2 ;; 2sinx
2 ;; 2logx
2 ;; 2coswt
2 ;; 2sintheta
2 ;; 2alpha
2 ;; 2pirh
2 ;; 2axby
2 ;; 2arctanx
2 ;; 2 coth
\cos 2 ;; cos2xsinx
""")


@pytest.mark.parametrize(("first", "second"), EQUAL)
def test_one_value(first: str, second: str) -> None:
    assert agrees(first, second)
    assert agrees(second, first)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_two_values(first: str, second: str) -> None:
    assert not agrees(first, second)
    assert not agrees(second, first)


def test_canonical_forms_give_the_same_verdicts() -> None:
    both = EQUAL + DIFFERENT
    verdicts = verify_answers([gold for gold, _ in both], [answer for _, answer in both])
    wanted = ["correct"] * len(EQUAL) + ["incorrect"] * len(DIFFERENT)
    assert list(zip(both, verdicts, strict=True)) == list(zip(both, wanted, strict=True))


@given(number=st.integers(2, 10**6), degree=st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_the_root_that_a_program_prints(number: int, degree: int) -> None:
    printed = repr(number ** (1 / degree))
    if round(float(printed)) ** degree == number or len(printed) < 17:
        return  # rational, or of fewer digits
    gold = rf"\sqrt[{degree}]{{{number}}}"
    assert agrees(gold, printed)
    assert agrees(printed, gold)
    digit = 9 - int(printed[-4])
    assert not agrees(gold, f"{printed[:-4]}{digit}{printed[-3:]}")


@given(
    factor=st.sampled_from(["m", "R", "m^2", "mn", "mR"]),
    left=st.sampled_from(["v", "x'", r"\frac{v}{R}", "a^2"]),
    right=st.sampled_from(["f", "f-bv", r"\frac{f}{m}", "3"]),
)
@settings(max_examples=40, deadline=None)
def test_an_equation_times_a_denominator(factor: str, left: str, right: str) -> None:
    divided = rf"{left} + 2 = \frac{{{right}}}{{{factor}}}"
    times = rf"{factor}({left} + 2) = {right}"
    assert agrees(divided, times)
    assert agrees(times, divided)
    assert not agrees(divided, rf"{factor}({left} - 2) = {right}")
    assert not agrees(divided, rf"{left} + 2 = {factor}({right})")


@pytest.mark.parametrize("function", [r"\Gamma(x)", r"\zeta(x)", "x!", r"\binom{x}{3/7}"])
def test_long_functions_count_as_many_nodes(function: str) -> None:
    term = parse_term(function)
    assert term is not None
    before = ctx.prec
    ctx.prec = 1 << 14
    try:
        with pytest.raises(OutOfBudget):
            Evaluation({"x": fmpq(22, 7)}, Budget(500), real=True).value(term)
    finally:
        ctx.prec = before
