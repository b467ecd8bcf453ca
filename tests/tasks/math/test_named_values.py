"""Relations, sets and functions that say one thing in other words, and those that say another."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer
from rlvr_fast.tasks.schemes.math.values import Unread


def pairs(table):
    return [tuple(line.split(" ;; ")) for line in table.strip().splitlines()]


def same(gold, answer):
    return one_answer(read_answer(gold), read_answer(answer))


# Two spellings of one answer a line.
AGREE = r"""
n \equiv 1 \pmod 2 ;; n \text{ is odd}
n \text{ is even} ;; n=2k
n \text{ is even} ;; 2 \mid n
n \equiv 0 \pmod 2 ;; \text{even integers}
n \text{ is divisible by } 6 ;; n \equiv 0 \pmod 6
n \text{ is divisible by } 6 ;; 6|n
\text{all multiples of } 3 ;; n=3k
3 \nmid n ;; n \text{ is not divisible by } 3
3 \nmid n ;; n \equiv 1, 2 \pmod 3
\{2k : k\in\mathbb{Z}\} ;; \text{the even integers}
f(x)=cx \text{ for any constant } c ;; f(x)=kx
f(x)=cx, \text{ where } c \text{ is an arbitrary real constant} ;; f(x)=cx
f(x)=ax+b, a,b\in\mathbb{R} ;; f(x)=cx+d, c,d\in\mathbb{R}
f(x)=0 ;; f(x)=0 \text{ for all real } x
f(x)=x ;; \forall x\in\mathbb{R}, f(x)=x
f(x)=x,f(x)=-x ;; f(x)=x \text{ for all } x, f(x)=-x \text{ for all } x
f(x)=\frac{1}{x}, x\neq 0 ;; f(x)=\frac1x
f(x)=\ln x, x>0 ;; f(x)=\ln x
f(x)=x^2+1 ;; x \mapsto x^2+1
f(x)=x^2+1 ;; f: t \mapsto t^2+1
f(x)=0 \text{ or } f(x)=x ;; f(x)\in\{0,x\}
a_n=3\cdot 2^{n-1} ;; a_n = 3\cdot2^{n-1}, n\ge 1
n=1,2,3,\ldots ;; n \ge 1
\text{all integers } n > 1 ;; n \ge 2
\text{all positive integers} ;; n \ge 1
\{n\in\mathbb{Z}: n\ge 2\} ;; \{2,3,4,\ldots\}
\mathbb{N}\cup\{0\} ;; \{0,1,2,\ldots\}
1 \le n \le 5, n\in\mathbb{Z} ;; \{1,2,3,4,5\}
\text{all } n \ge 3 ;; n \ge 3
\text{all real numbers less than } 4 ;; (-\infty,4)
\text{all real } x \ne 2 ;; (-\infty,2)\cup(2,\infty)
\mathbb{R} ;; R
\emptyset ;; \text{there are no solutions}
\text{no solutions except } 0 ;; \{0\}
D=(0,1) ;; 0<x<1
x<1 \cup x>3 ;; (-\infty,1)\cup(3,\infty)
x^2\le 0 ;; x=0
|2x-1|<3 ;; -1<x<2
4 > 1-x > 2 ;; -3<x<-1
\{x : x^2-5x+6=0\} ;; \{2,3\}
\{-2,2\} ;; \{\pm 2\}
\{1,2,\ldots,n\} ;; \{1,\ldots,n\}
x_1+x_2+\cdots+x_n ;; x_1+\cdots+x_n
n=3k ;; n=3m
x=\frac{\pi}{6}+k\pi, \frac{5\pi}{6}+k\pi ;; x=\pm\frac{\pi}{6}+n\pi
x=(60+360k)^\circ ;; x=(60+360n)^\circ
x=2 \text{ or } x=-3 ;; x_1=-3, x_2=2
(A,B,C)=(1,-16,-4) ;; (1,-16,-4)
p=q=r ;; r=p=q
5 \in A ;; A \ni 5
xy=1 ;; y=\frac{1}{x}
m \frac{dv}{dt}+bv=f ;; \frac{dv}{dt}+\frac{b}{m}v=\frac{f}{m}
ml\ddot{\theta}(t)-mg\sin\theta(t)=0 ;; l\ddot\theta=g\sin\theta
\dot{v}_1=g ;; \frac{dv_1}{dt}=g
\begin{pmatrix}1\\2\end{pmatrix} ;; [1,2]^T
\begin{pmatrix}1&0\\0&1\end{pmatrix} ;; I_2
(1,1,2) \text{ and its permutations} ;; (2,1,1),(1,1,2),(1,2,1)
\begin{cases} 3 & n \text{ odd}\\ 2 & n \text{ even}\end{cases} ;; 2 \text{ for even } n, 3 \text{ for odd } n
\begin{cases} n & n \text{ even} \\ 0 & \text{otherwise}\end{cases} ;; \begin{cases} n & n \text{ even} \\ 0 & n \text{ odd}\end{cases}
"""  # noqa: E501

# Two answers a line.
DIFFER = r"""
n \text{ is odd} ;; n=2k
n \text{ is odd} ;; n \equiv 1 \pmod 4
n \text{ is odd} ;; 1
\text{even integers} ;; y=2x
\text{odd integers} ;; a_n=2n+1
n \text{ is divisible by } 6 ;; n \mid 6
3 \mid n ;; 3
3 \mid n ;; 3 \mid m
\text{multiples of 5 and 7} ;; \text{multiples of 5 or 7}
\text{positive multiples of } 5 ;; \text{multiples of } 5
n\equiv 1 \pmod 4 \text{ and } n \equiv 2 \pmod 3 ;; n\equiv 1 \pmod 4 \text{ or } n \equiv 2 \pmod 3
f(x)=cx ;; f(x)=cx, c\in\mathbb{Z}
f(x)=cx ;; f(x)=cx, c>0
f(x)=cx \text{ for any constant } c ;; f(x)=2x
f(x)=cx \text{ for any constant } c ;; f(x)=c+x
f(x)=\ln x, x>1 ;; f(x)=\ln x
f(x)=\sqrt x, x>0 ;; f(x)=\sqrt x
f(x)=x^2, x\ne 1 ;; f(x)=x^2
f(x)=0 \text{ for all } x>0 ;; f(x)=0 \text{ for all } x<0
\exists x, f(x)=0 ;; f(x)=0
n \ge 2 ;; n=2,4,6,\ldots
n \ge 2 ;; m=2,3,4,\ldots
x \ge 2 ;; x=2,3,4,\ldots
\text{all integers } n \ge 2 ;; [2,\infty)
\text{all positive integers } n ;; \text{all positive } n
\text{no solution} ;; \text{no solution except } x=0
D=(0,1) ;; D=(0,1]
D=(0,1) ;; 0<x<2
x<1 \cup x>3 ;; x<3 \cup x>1
\{x: x^2=4\} ;; \{2\}
\{x: x^2=4\} ;; [-2,2]
1,\ldots,5 ;; 1,3,5
x_1+\cdots+x_n ;; x_1+x_3+\cdots+x_n
n=3k ;; n=2m
A=\pi n^2 ;; A=\pi m^2
x = \pm\frac{\pi}{6}+k\pi ;; x=\frac{\pi}{6}+k\pi
x=2 \text{ or } x=-3 ;; (2,-3)
(A,B)=(1,2) ;; (B,A)=(1,2)
p=q=r ;; p=q=s
A \ni 5 ;; B \ni 5
xy=x ;; y=1
x(y-1)=0 ;; y=1
y^2=x ;; y=\sqrt{x}
x'=kx-a ;; x'=ax-k
xx'=1 ;; x'=1
\begin{pmatrix}1&2\end{pmatrix} ;; [1,2]^T
\begin{pmatrix}1&0\\0&1\end{pmatrix} ;; I_3
(1,2,3) \text{ and its permutations} ;; (1,2,3)
1 \text{ for } n=1 \text{ and } 2 \text{ for } n \ge 2 ;; 2 \text{ for } n=1 \text{ and } 1 \text{ for } n \ge 2
1|2 ;; 1
"""  # noqa: E501


@pytest.mark.parametrize(("gold", "answer"), pairs(AGREE))
def test_one_answer_in_other_words(gold, answer):
    assert not isinstance(read_answer(gold), Unread)
    assert same(gold, answer)
    assert same(answer, gold)


@pytest.mark.parametrize(("gold", "answer"), pairs(DIFFER))
def test_two_answers(gold, answer):
    assert not same(gold, answer)
    assert not same(answer, gold)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(-20, 20), st.integers(-3, 3), st.integers(1, 11))
def test_residues_are_numbers_of_a_line(modulus, residue, turns, step):
    gold = rf"n \equiv {residue} \pmod{{{modulus}}}"
    assert same(gold, f"n = {modulus}k + {residue + turns * modulus}")
    assert same(gold, rf"\{{{modulus}k + {residue} : k \in \mathbb{{Z}}\}}")
    assert not same(gold, f"n = {modulus + step}k + {residue}")
    if step % modulus:
        assert not same(gold, f"n = {modulus}k + {residue + step}")
    if residue % modulus == 0:
        assert same(gold, rf"n \text{{ is divisible by }} {modulus}")
        assert same(gold, rf"{modulus} \mid n")


COEFFICIENT = st.integers(-9, 9).filter(bool)


@settings(max_examples=20, deadline=None)
@given(COEFFICIENT, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9), st.booleans())
def test_a_linear_inequality_is_an_interval(slope, shift, lower, length, closed):
    sign, brackets = (r"\le", "[]") if closed else ("<", "()")
    ends = sorted(Fraction(value - shift, slope) for value in (lower, lower + length))
    interval = rf"x \in {brackets[0]}{ends[0]}, {ends[1]}{brackets[1]}"
    gold = f"{lower} {sign} ({slope})x + ({shift}) {sign} {lower + length}"
    assert same(gold, interval)
    middle, half = Fraction(2 * lower + length, 2), Fraction(length, 2)
    assert same(f"|({slope})x + ({shift}) - ({middle})| {sign} {half}", interval)
    assert not same(gold, rf"x \in {brackets[0]}{ends[0]}, {ends[1] + 1}{brackets[1]}")
    assert not same(gold, interval.replace(brackets[0], "[(".replace(brackets[0], "")))


@settings(max_examples=15, deadline=None)
@given(st.integers(-5, 5), st.integers(2, 5), st.sampled_from("kmn"))
def test_integers_from_a_number_on(first, more, name):
    listed = ", ".join(str(first + step) for step in range(more + 1))
    gold = rf"{name} = {listed}, \ldots"
    assert same(gold, rf"{name} \ge {first}")
    assert same(gold, f"all integers {name} > {first - 1}")
    assert same(gold, rf"\{{{name} \in \mathbb{{Z}} : {name} \ge {first}\}}")
    assert not same(gold, rf"{name} \ge {first + 1}")
    assert not same(gold, f"{name} = {listed}")


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_permutations_are_written_out(numbers, random):
    rows = sorted(set(permutations(numbers)))
    random.shuffle(rows)
    listed = ", ".join(f"({', '.join(map(str, row))})" for row in rows)
    gold = f"({', '.join(map(str, numbers))}) and all permutations"
    assert same(gold, listed)
    assert same(listed, gold)
    if len(rows) > 1:
        assert not same(gold, listed[: listed.rindex(", (")])


@pytest.mark.parametrize(
    ("part", "count"),
    [("3|", 900), ("for all x, ", 300), ("(1,2) and permutations ", 100), (r"x<1 \cup ", 200)],
)
def test_a_long_text_is_no_number(part, count):
    assert not same("5", part * count)
