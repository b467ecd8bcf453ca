from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer
from rlvr_fast.tasks.schemes.math.values import Unread


def pairs(table):
    lines = table.strip().replace(" ;;\n", " ;; ").splitlines()
    return [tuple(line.split(" ;; ")) for line in lines]


def same(gold, answer):
    return one_answer(read_answer(gold), read_answer(answer))


# Two spellings of one answer a line, apart by ";;"; a line may go on in the next.
AGREE = r"""
x_1=1, x_2=2 ;; 1,2
(x,y)=(1,2) ;; x=1, y=2
(x,y)=(1,2) ;; (1,2)
x=1,y=2 ;; (1,2)
y=2,x=1 ;; x=1,y=2
x=1, 2 ;; x=2 \text{ or } x=1
x=1 \quad x=2 ;; 1,2
5=x ;; x=5
!= 5 ;; x \ne 5
x \ne -2, 3 ;; x \ne 3 \text{ and } x \ne -2
\left\{\begin{array}{l} x=1\\ y=2\end{array}\right. ;; (x,y)=(1,2)
\begin{aligned} x&=1\\ y&=2\end{aligned} ;; x=1, y=2
2x+4y-3=0 ;; y=-1/2*x+3/4
y=2x+3 ;; 2x-y+3=0
y=2x+3 ;; 2x+3
x^2+y^2=1 ;; 1=x^2+y^2
f(x)=x^2 ;; f(t)=t^2
f(x)=x^2 ;; x^2
y'+ry=0 ;; 2y'+2ry=0
AB \parallel CD ;; CD \parallel AB
a=3 \text{ and } b=4 ;; b=4, a=3
x=\sqrt{4}=2 ;; x=2
x = \sqrt2 \approx 1.414 ;; \sqrt{2}
\text{the line } y=2 ;; y=2
p \to q ;; p \rightarrow q
\neg p \land q ;; q \land \neg p
5 ;; x=5
x=5 ;; 5
e=\frac12 ;; 1/2
F_n = \sum_{k=0}^{n-1} F_k F_{n-k-1} ;; F_n = \sum_{j=0}^{n-1} F_j F_{n-j-1}
N=n ;; n
MR=SRMC ;; SRMC=MR
x=1,y=2 \text{ or } x=3,y=4 ;; (x,y)=(1,2),(3,4)
x=1,y=2; x=3,y=4 ;; (3,4),(1,2)
x \notin \{1,2\} ;; x \ne 1,2
a_n = 2n+1 ;; 2n+1
\frac{x^2}{4}+\frac{y^2}{3}=1 ;; 3x^2+4y^2=12
f(x)=0, f(x)=x ;; f(x)=x \text{ or } f(x)=0
f(x)=0, f(x)=x ;; 0, x
x=2, x=3 ;; \{2,3\}
a = b = 2 ;; b=2, a=2
(a,b,c)=(1,2,3) ;; a=1,b=2,c=3
(a,b,c)=(1,2,3) ;; c=3,a=1,b=2
y = 3x - 2 ;; y - 3x + 2 = 0
y=\frac{1}{2}x+3 ;; x-2y+6=0
x - 2y + 6 = 0 ;; -x+2y=6
(x-1)^2+(y+2)^2=9 ;; x^2+y^2-2x+4y-4=0
(x-1)^2+(y+2)^2=9 ;; (x-1)^2+(y+2)^2=3^2
\frac{x^2}{9}-\frac{y^2}{16}=1 ;; 16x^2-9y^2=144
2x+3y-z=4 ;; z=2x+3y-4
y = x^2 ;; x^2 - y = 0
y^2=4x ;; x=\frac{y^2}{4}
y''+y=0 ;; y''=-y
F=ma ;; ma=F
PV=nRT ;; nRT=PV
E=mc^2 ;; E = m c^{2}
a^2+b^2=c^2 ;; c^2=a^2+b^2
\sin^2 x+\cos^2 x=1 ;; \cos^2 x + \sin^2 x=1
\begin{align*} x&=1\\ y&=2\end{align*} ;; x=1, y=2
(a,b)=(3,4),(4,3) ;; (4,3),(3,4)
(a,b)=(3,4) or (4,3) ;; (a,b)=(4,3) or (a,b)=(3,4)
(x,y,z)=(1,2,3) ;; (1,2,3)
x=1, y=2, z=3 ;; (1,2,3)
A=1,B=2 ;; B=2,A=1
a=1,b=2,c=3 ;; (a,b,c)=(1,2,3)
x = 2 or 3 ;; 2,3
x=2,\ y=3 ;; x=2, y=3
x=2 \text{ and } y=3 ;; y=3,x=2
x = 2; y = 3 ;; x=2,y=3
f(x)=2x \text{ and } f(x)=0 ;; f(x)=0, f(x)=2x
f(x)=0 \text{ for all } x ;; f(x)=0
f(n)=n+1 ;; f(x)=x+1
f = 2x+1 ;; 2x+1
f(x,y)=x+y ;; f(a,b)=a+b
f'(x)=2x ;; 2x
P(x) = x^2+1 ;; x^2+1
a_n = 2^n ;; 2^n
T(n)=2n ;; 2n
S = \{1,2\} ;; \{1,2\}
\angle A = 30^\circ ;; 30^\circ
AB = 5 ;; 5
\text{Area} = 5 ;; 5
Area = 5 ;; 5
\theta = \frac{\pi}{3} ;; \frac{\pi}{3}
\lim_{x\to0} f(x) = 3 ;; 3
\sin x = \frac12 ;; \sin x = 0.5
x^2 = 4 ;; x^2=4
\log_2 x = 3 ;; \log_2x=3
\neg(p \lor q) ;; \lnot(p\vee q)
p \Rightarrow q ;; p \implies q
\{1,2\} ;; x=1,x=2
x ∈ ℝ \ {1} ;; x\ne1
ℝ\{1} ;; x\ne1
R - {1} ;; x\ne1
\overline{AB}\parallel\overline{CD} ;; \overline{AB} \parallel \overline{CD}
r=2\cos\theta ;; r = 2\cos \theta
x^2+y^2-4x=0 ;; (x-2)^2+y^2=4
x=1 and x=2 ;; 1,2
x=1\text{ or }2 ;; \{2,1\}
-1 and 3 ;; x = 3, x = -1
x!=2 ;; x \neq 2
x\not=2 ;; x \neq 2
(x, y) = (1, 2) ;; x = 1 and y = 2
f(x)=x+1 \text{ or } f(x)=-x ;; f(x) = -x, f(x) = x+1
y=-\frac12 x+\frac34 ;; 2x+4y=3
x-3y+2=0 ;; y=\frac{x+2}{3}
3x+4y+14=0 ;; -3x-4y=14
y - 2 = 3(x - 1) ;; y=3x-1
z = x^2 + y^2 ;; x^2+y^2-z=0
\frac{x}{2}+\frac{y}{3}=1 ;; 3x+2y=6
a_{n+1} = 2a_n + 1 ;; a_{n+1}=1+2a_n
F_{n}=F_{n-1}+F_{n-2} ;; F_{n-1}+F_{n-2}=F_n
y''+4y=0 ;; y''=-4y
\frac{dy}{dx}=2x ;; y'=2x
\dot x = -x ;; x'=-x
\lnot p ;; \neg p
x=±5 ;; -5 or 5
"""

# Two different answers a line.
DIFFER = r"""
x=1,y=2 ;; y=2
x=1,y=2 ;; 2,1
x=1,y=2 ;; (2,1)
(x,y)=(1,2) ;; (y,x)=(1,2)
x=5 ;; y=5
y=0 ;; x=0
5 ;; 9=1
5 ;; x+y=5
7 ;; 2x+3=7
5 ;; \ne 5
=5 ;; =6
x=y+1 ;; y=x+1
y=2x+3 ;; y=2x-3
p=q ;; p=r
a=3,b=4 ;; a=4,b=3
p \to q ;; q \to p
\neg p ;; p
f(2)=5 ;; f(3)=5
x^2+y^2=1 ;; x^2+y^2=2
1 ;; x^2+y^2=1
MR=SRMC ;; MC=SRMR
n=3k ;; n=2k
n=3k ;; 3
3 ;; n=3k
x=1,y=2 ;; x=2,y=1
x=1 or x=2 ;; x=1
\text{the line } y=2 ;; \text{the line } x=2
x=3 or x=5 ;; x=5 or x=3.5
AB \parallel CD ;; AC \parallel BD
AB \parallel CD ;; AB \perp CD
5 ;; =5=
5 ;; x_5=
x=1,2,3 ;; x=1,2
y=3x-2 ;; y=3x+2
y=3x-2 ;; 3x-2=1
2x+3y=6 ;; 2x+3y=7
2x+3y=6 ;; 3x+2y=6
x^2+y^2=4 ;; x^2+y^2=2
x^2+y^2=4 ;; 4
F=ma ;; F=mv
PV=nRT ;; PV=nRS
y''+y=0 ;; y''-y=0
y=x^2 ;; y=x
y = x^2 ;; x=y^2
\frac{x^2}{4}+\frac{y^2}{3}=1 ;; \frac{x^2}{3}+\frac{y^2}{4}=1
x\ne0 ;; x=0
n=6k+1 ;; n=6k+5
(a,b)=(3,4) ;; (a,b)=(4,3)
x=1,y=2 ;; x=1
x=1 ;; x=1,y=2
A=1,B=2 ;; A=2,B=1
1 ;; x=1 or x=2
1 ;; x=1,y=1
x=1,y=2 ;; y=1,x=2
f(x)=2x ;; f(x)=3x
f(x)=2x ;; g(x)=2x
f(n)=n ;; n=n
f(x,y)=x-y ;; f(a,b)=b-a
f'(x)=2x ;; f(x)=2x
AB=5 ;; CD=5
\angle A=30 ;; \angle B = 30
\sin x=\frac12 ;; \cos x = \frac12
\sin x=\frac12 ;; \frac12
x^2=4 ;; 4
x^2=4 ;; x=4
\log_2x=3 ;; 3
n!=120 ;; 120
p\implies q ;; q\implies p
p \iff q ;; p\implies q
\neg p\lor q ;; p\lor\neg q
\neg(p\lor q) ;; \neg p\lor q
x = 2 or 3 ;; 2x+3=7
x=1 or y=2 ;; 1,2
x=1 or y=2 ;; x=1, y=2
x=1,2 ;; y=1,2
R - {1} ;; x\ne 2
AB\perp CD ;; AB\parallel CD
y-2=3(x-1) ;; y=3x+1
a_{n+1}=2a_n+1 ;; a_{n+1}=2a_n-1
\frac{dy}{dx}=2x ;; \frac{dx}{dy}=2x
\frac{dy}{dx}=2x ;; y''=2x
\frac{dy}{dx}=2x ;; y=2x
\forall x \exists y ;; \exists y \forall x
F_n=F_{n-1}+F_{n-2} ;; F_n=F_{n-1}+F_{n-3}
\overline{AB}=\overline{CD} ;; \overline{AC}=\overline{BD}
\angle ABC = \angle DEF ;; \angle ACB = \angle DEF
x=1 or y=2 ;; x=2 or y=1
f: A\to B ;; f: B\to A
\lim_{x\to 0} ;; \lim_{x\to 1}
"""


@pytest.mark.parametrize(("gold", "answer"), pairs(AGREE))
def test_two_spellings_of_one_answer(gold, answer):
    assert not isinstance(read_answer(gold), Unread)
    assert same(gold, answer)
    assert same(answer, gold)


@pytest.mark.parametrize(("gold", "answer"), pairs(DIFFER))
def test_two_answers(gold, answer):
    assert not same(gold, answer)
    assert not same(answer, gold)


NAMES = ["a", "b", "p", "q", "u", "x", "y", "z", "AB", r"\theta", "x_1"]
NUMBERS = st.integers(-30, 30)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True), st.data())
def test_assignments_are_by_name(names, data):
    if {*names} <= {*"xyz"}:
        names.sort()  # values without names are those of x, y, z in this order
    values = data.draw(st.lists(NUMBERS, min_size=len(names), max_size=len(names), unique=True))
    rows = list(zip(names, values, strict=True))
    gold = ", ".join(f"{name} = {value}" for name, value in rows)
    mixed = data.draw(st.permutations(rows))
    assert same(gold, r" \text{ and } ".join(f"{name} = {value}" for name, value in mixed))
    left, right = (f"({', '.join(map(str, column))})" for column in zip(*mixed, strict=True))
    assert same(gold, f"{left} = {right}")
    assert same(gold, f"({', '.join(map(str, values))})")
    others = data.draw(st.permutations(values))
    if others != values:
        assert not same(gold, ", ".join(f"{n} = {v}" for n, v in zip(names, others, strict=True)))
        assert not same(gold, f"({', '.join(map(str, others))})")
    assert not same(gold, ", ".join(f"{name} = {value}" for name, value in rows[1:]))


def linear(coefficients, constant, sign="="):
    terms = " + ".join(f"({c}) {n}" for c, n in zip(coefficients, "xyz", strict=False) if c)
    return f"{terms} {sign} {constant}"


COEFFICIENTS = st.lists(st.integers(-9, 9).filter(bool), min_size=2, max_size=3)


@settings(max_examples=20, deadline=None)
@given(COEFFICIENTS, NUMBERS, st.integers(-5, 5).filter(bool), st.integers(0, 2))
def test_a_scaled_equation_is_the_same(coefficients, constant, factor, index):
    gold = linear(coefficients, constant)
    scaled = [factor * c for c in coefficients]
    assert same(gold, linear(scaled, factor * constant))
    assert same(gold, linear([-c for c in scaled], -factor * constant))
    assert not same(gold, linear(scaled, factor * constant + 1))
    index %= len(coefficients)
    changed = [*coefficients]
    changed[index] += 10
    assert not same(gold, linear(changed, constant))
    assert not same(str(constant), gold)


@settings(max_examples=20, deadline=None)
@given(COEFFICIENTS, NUMBERS, st.integers(1, 5), st.sampled_from(["<", r"\le", ">", r"\ge"]))
def test_a_scaled_inequality_keeps_or_turns_its_sign(coefficients, constant, factor, sign):
    turned = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
    gold = linear(coefficients, constant, sign)
    scaled = [factor * c for c in coefficients]
    assert same(gold, linear(scaled, factor * constant, sign))
    assert same(gold, linear([-c for c in scaled], -factor * constant, turned[sign]))
    assert not same(gold, linear(scaled, factor * constant, turned[sign]))
    assert not same(gold, linear([-c for c in scaled], -factor * constant, sign))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(-8, 8), st.integers(-3, 3), st.booleans())
def test_a_family_may_be_shifted_and_renamed(step, start, shift, turned):
    gold = rf"x = {start} + {step} k \pi, k \in \mathbb{{Z}}"
    sign = "-" if turned else "+"
    index = f"(n {'+' if shift >= 0 else '-'} {abs(shift)})"
    assert same(gold, rf"x = {start} {sign} {step} {index} \pi, n \in \mathbb{{Z}}")
    assert same(gold, rf"{start} + {step} m \pi, \text{{ where }} m \text{{ is an integer}}")
    assert not same(gold, rf"x = {start} + {step + 1} k \pi, k \in \mathbb{{Z}}")
    assert not same(gold, rf"x = {start + 1} + {step} k \pi, k \in \mathbb{{Z}}")
    assert not same(gold, rf"x = {start} + {step} k \pi, k \in \mathbb{{N}}")
    assert not same(gold, str(start))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from("ABCDEF"), min_size=3, max_size=5, unique=True),
    st.sampled_from(["<", r"\le", r"\parallel", r"\subset"]),
    st.data(),
)
def test_chains_are_in_order(names, sign, data):
    gold = f" {sign} ".join(names)
    assert same(gold, gold.replace(" ", "  "))
    others = data.draw(st.permutations(names))
    if others not in (names, names[::-1]):
        assert not same(gold, f" {sign} ".join(others))
    if sign != r"\parallel":
        assert not same(gold, f" {sign} ".join(names[::-1]))
