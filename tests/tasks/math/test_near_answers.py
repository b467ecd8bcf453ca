r"""Answers that are near one another: lists, derivatives, step functions, progressions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


def pairs(table: str) -> list[tuple[str, str]]:
    lines = [line for line in table.strip().splitlines() if line]
    return [(gold.strip(), answer.strip()) for gold, answer in (line.split(";;") for line in lines)]


# Equal in both directions.
EQUAL = r"""
x=2k\pi, k\in\mathbb{Z} ;; x=2n\pi, n\in\mathbb{Z}
x=2, y=1 ;; 2, 1
x=2, y=1 ;; (2,1)
x=2, y=1 ;; \{(2,1)\}
x_1=1, x_2=2 ;; \{1,2\}
\{1,2\} ;; x=1 or x=2
1,1,2 ;; 1,2,1
\{1,1,2\} ;; \{1,2\}
\{1,1,2\} ;; 1,2
\{5,5\} ;; 5
\frac{dx}{dt}=kx-a ;; x'=kx-a
\frac{dx}{dt}=kx-a ;; \dot{x}=kx-a
\frac{dy}{dx}+y=0 ;; y'+y=0
y''+y'=0 ;; \frac{d^2y}{dx^2}+\frac{dy}{dx}=0
\frac{df}{dx} ;; f'(x)
\lfloor\log_2 n\rfloor ;; \lceil\log_2 (n+1)\rceil-1
\lfloor n/2\rfloor+\lceil n/2\rceil ;; n
a \times b ;; b \times a
A\times h ;; h\times A
3\times A ;; A \times 3
a\cdot(b\times c) ;; (b\times c)\cdot a
YES ;; yes
EAST ;; east
MONDAY ;; Monday
E ;; (e)
E ;; option e
(e) ;; e
\underline{7} ;; 7
\therefore 7 ;; 7
14.0 + -1.0i ;; 14-i
(-8)^{1/3} ;; -2
(-8)^{2/3} ;; 4
(-8)^{1/3} ;; 1+\sqrt{3}i
\lim_{x\to0^+} \frac{|x|}{x} ;; 1
\lim_{x\to0^{-}} \frac{|x|}{x} ;; -1
\lim_{x\to0+} 1/x ;; \infty
\frac{d}{dx}x^2 ;; 2x
\frac{d}{dx}3x^2 ;; 6x
\frac{d^2}{dx^2}x^3 ;; 6x
\frac{d}{dx}(x^2\ln x) ;; 2x\ln x+x
\frac{d}{dx}(x^2) \sin x ;; 2x\sin x
\{x\in\mathbb{Z}:0<x<5\} ;; \{1,2,3,4\}
\{x\in\mathbb{Z} \mid 0\le x<2.5\} ;; \{0,1,2\}
x\in[1,2] or x=5 ;; [1,2]\cup\{5\}
1,2,\ldots,10 ;; 1,2,3,\dots,10
1,2,\ldots,5 ;; 1,2,3,4,5
1,2,4,\ldots,16 ;; 1,2,4,8,16
1,3,5,\ldots ;; 1,3,5,7,\ldots
2,4,\ldots,2n ;; 2,4,6,\ldots,2n
1+2+\ldots+10 ;; 1+2+3+\ldots+10
x^2<4 ;; -2<x<2
x^2<4 ;; (-2,2)
x^2-2x-1<0 ;; (1-\sqrt2,1+\sqrt2)
x^3>x ;; (-1,0)\cup(1,\infty)
(x-1)^2>0 ;; x\ne 1
x^2+1>0 ;; \mathbb{R}
x^2<0 ;; \emptyset
|x| ;; \begin{cases} x & x \ge 0 \\ -x & x<0 \end{cases}
|x| ;; \begin{cases} x & x \ge 0 \\ -x & \text{otherwise} \end{cases}
f(x)=|x-1| ;; f(x)=\begin{cases} x-1 & x \ge 1 \\ 1-x & x<1 \end{cases}
\frac{7}{10} ;; 7 out of 10
F=ma ;; F=am
"""

# Different in both directions.
DIFFERENT = r"""
2*pi*R ;; x=2k\pi, k\in\mathbb{Z}
2\pi ;; 2k\pi, k\in\mathbb{Z}
x=2, y=1 ;; \{1,2\}
x=2, y=1 ;; \{1,1,2\}
x=2, y=1 ;; (1,2)
\begin{cases}x=2\\y=1\end{cases} ;; \{1,2\}
\begin{aligned}x&=2\\y&=1\end{aligned} ;; \{1,1,2\}
16,3,1,1 ;; 16,3,16,1
1,1,2 ;; 1,2,2
5 ;; 5,5
-2,-2 ;; -2
1,3,5 ;; 1,1,3,5
\frac{dx}{dt}=kx-a ;; \frac{dx}{dw}=kx-a
\frac{d^2y}{dx^2} ;; \frac{d^2y}{dt^2}
\frac{dx}{dt}+\frac{dx}{dw} ;; 2x'
\frac{dy}{dt}-\frac{dy}{dx} ;; 0
\frac{dV}{dt}=5 ;; \frac{dV}{dr}=5
y'' ;; \frac{dy}{dx}
mn-\lfloor m/2\rfloor ;; mn-m/1.999998
mn-\lfloor m/2\rfloor ;; mn-\lfloor m/1.999998\rfloor
\lfloor 2n/3\rfloor ;; \lfloor 2.000002n/3\rfloor
\lfloor\log_2 n\rfloor ;; \lfloor\log_{2.000002} n\rfloor
\lfloor\log_2 n\rfloor ;; \lfloor\log_2 (n+1)\rfloor
\lfloor\sqrt{n-1}\rfloor ;; \lfloor\sqrt{n}\rfloor
\lfloor x\rfloor ;; \lfloor 1.000001x\rfloor
\infty-\infty ;; 0
0\cdot\infty ;; 0
0/0 ;; 1
\infty/\infty ;; 1
A \times B ;; B \times A
\vec a\times\vec b ;; \vec b\times\vec a
\mathbb{Z}\times\mathbb{R} ;; \mathbb{R}\times\mathbb{Z}
a\cdot(b\times c) ;; a\times(b\times c)
\vec a\cdot(\vec b\times\vec c) ;; \vec a\times(\vec b\times\vec c)
ABC ;; abc
RRL ;; rrl
E ;; e
G ;; g
\underline{x} ;; x
3 + -7 ;; 5
(-8)^{1/3} ;; 2
\lim_{x\to0^+} \frac{|x|}{x} ;; \lim_{x\to0^-} \frac{|x|}{x}
\lim_{x\to0^+} f(x) ;; \lim_{x\to0^-} f(x)
\lim_{x\to a} f(x) ;; f(a)
\frac{d}{dx}3x^2 ;; 0
\frac{d}{dx}(xy) ;; y
\{x\in\mathbb{Z}:0<x<5\} ;; (0,5)
\{x\in\mathbb{Z}:0\le x<5\} ;; \{1,2,3,4\}
x\in[1,2] or x=5 ;; [1,2]
1,2,\ldots,10 ;; 1,2,\ldots,11
1,2,\ldots,5 ;; 1,2,3,4
1,3,5,\ldots ;; 1,3,5,8,\ldots
1,3,5,\ldots ;; 1,3,5
2,4,\ldots,2n ;; 2,4,6,\ldots,2m
x^2<4 ;; -2<x<3
x^2<4 ;; y^2<4
x^2>4 ;; x>2
x^2\le 4 ;; (-2,2)
|x| ;; \begin{cases} x & x \ge 0 \\ x & x<0 \end{cases}
x ;; \begin{cases} x & x \ge 0 \\ -x & x<0 \end{cases}
|x-1| ;; \begin{cases} x-1 & x \ge 1 \\ 1-x & x<0 \end{cases}
7 ;; 7 out of 10
"""


@pytest.mark.parametrize(("gold", "answer"), pairs(EQUAL))
def test_one_answer_in_two_spellings(gold: str, answer: str) -> None:
    assert agrees(gold, answer)
    assert agrees(answer, gold)


@pytest.mark.parametrize(("gold", "answer"), pairs(DIFFERENT))
def test_two_answers(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)
    assert not agrees(answer, gold)


@pytest.mark.parametrize(("gold", "answer"), [("A", "a"), ("D", "d"), ("D", "(d)"), ("J", "j)")])
def test_a_choice_in_small_letters(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


numbers = st.integers(-9, 9)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(numbers, min_size=2, max_size=5), st.lists(numbers, min_size=2, max_size=5))
def test_bare_lists_are_multisets_and_braces_are_sets(first: list[int], second: list[int]) -> None:
    texts = [", ".join(map(str, values)) for values in (first, second)]
    assert agrees(*texts) == (sorted(first) == sorted(second))
    assert agrees(*(f"\\{{{text}\\}}" for text in texts)) == (set(first) == set(second))
    assert agrees(texts[0], f"\\{{{texts[1]}\\}}") == (set(first) == set(second))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(numbers, st.integers(1, 9), st.integers(4, 12), st.integers(2, 3))
def test_an_arithmetic_progression_with_an_end_is_its_elements(
    first: int, step: int, count: int, shown: int
) -> None:
    elements = [first + step * place for place in range(count)]
    text = ", ".join([*map(str, elements[:shown]), r"\ldots", str(elements[-1])])
    assert agrees(text, ", ".join(map(str, elements)))
    assert not agrees(text, ", ".join(map(str, elements[:-1])))
    assert not agrees(text, ", ".join(map(str, [*elements[:-1], elements[-1] + 1])))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.lists(st.fractions(-5, 5, max_denominator=4), min_size=2, max_size=4, unique=True),
    st.sampled_from(("<", r"\le", ">", r"\ge")),
)
def test_an_inequality_of_linear_factors_is_the_set_of_its_solutions(
    roots: list[Fraction], sign: str
) -> None:
    roots = sorted(roots)
    ends = ["-\\infty", *map(str, roots), "\\infty"]
    places = [roots[0] - 1, *((a + b) / 2 for a, b in pairwise(roots)), roots[-1] + 1]
    closed = sign[0] == "\\"
    parts = []
    for place, (lower, upper) in zip(places, pairwise(ends), strict=True):
        value = Fraction(1)
        for root in roots:
            value *= place - root
        if (value > 0) == (sign in (">", r"\ge")):
            left = "[" if closed and lower != ends[0] else "("
            right = "]" if closed and upper != ends[-1] else ")"
            parts.append(f"{left}{lower},{upper}{right}")
    product = "".join(f"(x-({root}))" for root in roots)
    assert agrees(f"{product} {sign} 0", r" \cup ".join(parts))
    assert not agrees(f"{product} {sign} 0", r" \cup ".join(["(-9,-8)", *parts[1:]]))


@settings(max_examples=12, derandomize=True, deadline=None)
@given(st.integers(1, 9), st.integers(2, 9), st.integers(-5, 5))
def test_a_factor_near_one_moves_a_jump(above: int, below: int, shift: int) -> None:
    gold = rf"\lfloor \frac{{{above}n+({shift})}}{{{below}}} \rfloor"
    assert agrees(gold, rf"\lfloor \frac{{{shift}+{above} n}}{{{below}}} \rfloor")
    assert not agrees(gold, rf"\lfloor \frac{{{above}.000002n+({shift})}}{{{below}}} \rfloor")
    assert not agrees(gold, rf"\frac{{{above}n+({shift})}}{{{below}.000001}}")


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.integers(-40, -1), st.sampled_from((3, 5, 7)), st.integers(1, 4))
def test_an_odd_root_as_a_power_is_the_real_root_too(base: int, degree: int, power: int) -> None:
    text = f"({base})^{{{power}/{degree}}}"
    assert agrees(text, rf"(\sqrt[{degree}]{{{base}}})^{power}")
    assert not agrees(text, rf"(\sqrt[{degree}]{{{base}}})^{power} + 1")
