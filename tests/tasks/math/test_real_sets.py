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
x = 1 \lor x = 2 ;; x \in \{1,2\}
(-\infty,3) ;; x<3
x<3 ;; 3>x
x<3 ;; (-\infty,3)
-1<x\le 2 ;; (-1,2]
2\ge x>-1 ;; (-1,2]
\ge 5 ;; x \ge 5
x\ge5 ;; [5,\infty)
>= 5 ;; \geq 5
\mathbb{R} \setminus \{5\} ;; x != 5
x<1 or x>3 ;; x>3 or x<1
x<1, x>3 ;; (-\infty,1)\cup(3,\infty)
]1,2[ ;; (1,2)
[1,2[ ;; [1,2)
[1,2[ \cup ]3,4] ;; [1,2)\cup(3,4]
\left]1,2\right[ ;; 1<x<2
(-\infty,1)\cup(1,\infty) ;; \mathbb{R}\setminus\{1\}
(-\infty,1)\cup(1,\infty) ;; \{x \in \mathbb{R} \mid x \ne 1\}
(-\infty, \infty) ;; all real numbers
\mathbb{R} ;; \text{all real numbers}
\mathbb R ;; \mathbb{R}
x \in \mathbb{R} ;; \mathbb{R}
(0,1)\cap(\frac12,2) ;; (1/2,1)
\{x : x>0\} ;; x>0
\{x | x>0\} ;; (0,\infty)
(0,oo) ;; (0,\infty)
(\sqrt{2}, a] ;; \sqrt2<x\le a
(-\infty,-2)\cup(-2,3)\cup(3,\infty) ;; \mathbb{R}\setminus\{-2,3\}
(-\infty,-2)\cup(-2,3)\cup(3,\infty) ;; x \ne -2, 3
[0,1)\cup\{2\} ;; \{2\}\cup[0,1)
(1,2) U (3,4) ;; (1,2)\cup(3,4)
\emptyset ;; \{\}
x = \frac{\pi}{4} + k\pi, k \in \mathbb{Z} ;; x = \frac{\pi}{4} + n\pi, n \in \mathbb{Z}
x = \frac{\pi}{4} + k\pi, k \in \mathbb{Z} ;; \frac{\pi}{4} + k\pi
x = \frac{\pi}{4} + k\pi, k \in \mathbb{Z} ;; x = \frac{5\pi}{4} - k\pi, where k is an integer
2k\pi, k\in\mathbb{Z} ;; x=2k\pi, \text{ where } k \in \mathbb{Z}
x=2k\pi (k\in\mathbb{Z}) ;; x=2n\pi \text{ for any integer } n
2k+1, k \in \mathbb{Z} ;; 2k-1, k \in \mathbb{Z}
x=k\pi \text{ or } x=\frac{\pi}{4}+k\pi, k\in Z ;; x=\frac{\pi}{4}+k\pi, x=k\pi
x+y<5 ;; 2x+2y<10
x+y<5 ;; 5>x+y
A<B<C ;; C>B>A
f(x)=ax+b, a>0 ;; f(x)=ax+b \text{ where } a>0
\forall x>0, f(x)=0 ;; \forall x>0: f(x)=0
k \in (2,3) ;; 2<k<3
0\le x < \infty ;; [0,\infty)
A \cup B ;; B \cup A
[1, 2, 3] ;; 1,2,3
x\in[1,2] ;; 1\le x\le 2
\{ x \in \mathbb{R} \mid -1 \le x < 3\} ;; [-1,3)
\{2k : k \in \mathbb{Z}\} ;; \{2n \mid n \in \mathbb{Z}\}
x\ge 2 \text{ or } x \le -2 ;; (-\infty,-2]\cup[2,\infty)
|x|\ge2 ;; |x| \geq 2
2<x<5 ;; x\in(2,5)
2<x<5 ;; x>2 \text{ and } x<5
2<x<5 ;; x > 2, x < 5
x>2 and x<5 ;; (2,5)
[2,5] ;; 2 \le x \le 5
\{x: 2 \le x \le 5\} ;; [2,5]
[-1,1] ;; |x|\le 1
(-2,2) ;; |x|<2
(-\infty,0)\cup(0,\infty) ;; x\neq0
(-\infty,0)\cup(0,\infty) ;; \mathbb{R}\setminus\{0\}
(-\infty,0)\cup(0,\infty) ;; \mathbb{R}^*
(0,\infty) ;; \mathbb{R}^+
(0,\infty) ;; \mathbb{R}_{>0}
[0,\infty) ;; \mathbb{R}_{\ge 0}
[0,\infty) ;; x \geq 0
\mathbb{R}-\{0\} ;; \mathbb{R}\setminus\{0\}
\mathbb{R} ;; (-\infty,+\infty)
\mathbb{R} ;; -\infty<x<\infty
\text{all real numbers except } 2 ;; x \ne 2
x \in (-\infty, 1) \cup (3, \infty) ;; x<1 \lor x>3
x\in[1,3)\cup(3,5] ;; [1,3)\cup(3,5]
(1,3)\cup(3,5) ;; (1,5)\setminus\{3\}
1<x<5, x\ne3 ;; (1,3)\cup(3,5)
0<x\le 1 or x=2 ;; (0,1]\cup\{2\}
\left(-\infty,\frac{1}{2}\right] ;; (-\infty,0.5]
\left[\frac{-1-\sqrt5}{2},\frac{-1+\sqrt5}{2}\right] ;;
-\frac{1+\sqrt5}{2}\le x\le\frac{\sqrt5-1}{2}
\{x\in\mathbb{R} \mid x<1 \text{ or } x>3\} ;; (-\infty,1)\cup(3,\infty)
\{x \mid x \in \mathbb{R}, x \ne 1\} ;; \mathbb{R}\setminus\{1\}
\{x \in \mathbb{Z} : x>0\} ;; \{n \in \mathbb{Z} \mid n>0\}
x = n\pi, n\in\mathbb{Z} ;; x = k\pi \ (k \in \mathbb{Z})
x=n\pi ;; x=k\pi, k\in\mathbb{Z}
\{k\pi : k\in\mathbb{Z}\} ;; x=k\pi, k\in\mathbb{Z}
x = \frac{\pi}{2} + 2\pi k ;; x = \frac{\pi}{2} + 2\pi n, n \in \mathbb{Z}
x = (-1)^k\frac{\pi}{6}+k\pi, k\in\mathbb{Z} ;; x = (-1)^n\frac{\pi}{6}+n\pi, n\in\mathbb{Z}
A \cap B = \emptyset ;; B\cap A=\emptyset
k > 0, k \ne 1 ;; k \neq 1 \text{ and } k > 0
a > b > c ;; c<b<a
a<b ;; b>a
x+y \ge 2 ;; 2 \le x+y
2x+2y \ge 4 ;; x+y \ge 2
0<a<1<b ;; b>1>a>0
m\ge\sqrt2 ;; [\sqrt2,\infty)
k\le -1 or k\ge 1 ;; k \in (-\infty,-1]\cup[1,\infty)
-3<k<3 ;; k\in(-3,3)
a\geq\frac{1}{4} ;; a \ge 0.25
x\leqslant 3 ;; x\le 3
\exists x \in \mathbb{R}, x^2 < 0 ;; \exists x\in\mathbb{R} : x^2<0
\forall x \in \mathbb{R}, x^2+1>0 ;; \forall x\in\mathbb{R},\ x^2+1 > 0
x>0 \implies y>0 ;; x>0 \Rightarrow y>0
(1,2)\cup(2,3) ;; (1,3)\setminus\{2\}
[1,\infty) ;; x >= 1
\mathbb{R} ;; all reals
\mathbb{R} ;; x\in\mathbb{R}
\emptyset ;; empty set
{x : x > 0} ;; (0,\infty)
{x | x ∈ ℝ, x ≠ 1} ;; \mathbb{R}\setminus\{1\}
\mathbb{R}-\{1\} ;; x\neq 1
(-inf, 3) ;; x<3
(-Infinity, 3] ;; x \le 3
(-∞; 3) ;; x<3
x in [1,2] ;; [1,2]
x \in \{-1, 3\} ;; x=-1, x=3
1\le x<2 ;; [1,2)
1 ≤ x < 2 ;; [1,2)
x ≥ 2 ;; [2,\infty)
a < x < b ;; (a, b)
[a, b] ;; a \le x \le b
(a,\infty) ;; x > a
\{3k : k \in \mathbb{Z}\} ;; 3k, k \in \mathbb{Z}
\forall \epsilon > 0 \exists \delta > 0 ;; \forall \epsilon>0\ \exists\delta>0
"""

# Two different answers a line.
DIFFER = r"""
3 ;; x>3
x>3 ;; x>=3
x>3 ;; x<3
\ge 5 ;; 5
(1,2) ;; [1,2]
(1,2) ;; (1,2]
(1,2] ;; [1,2)
]1,2[ ;; [1,2]
(1,2)\cup(3,4) ;; (1,4)
(1,2)\cup(3,4) ;; (1,2)\cap(3,4)
\mathbb{R}\setminus\{1\} ;; \mathbb{R}
\mathbb{Z} ;; \mathbb{R}
\mathbb{R}^+ ;; \mathbb{R}
\{\emptyset\} ;; \emptyset
0 ;; \emptyset
x = \frac{\pi}{4} + k\pi, k \in \mathbb{Z} ;; x = \frac{\pi}{4} + 2k\pi, k \in \mathbb{Z}
x=2k\pi, k\in\mathbb{Z} ;; x=2k\pi, k\in\mathbb{N}
x = \frac{\pi}{4} + k\pi, k \in \mathbb{Z} ;; \frac{\pi}{4}
A<B<C ;; B<A<C
A<B<C ;; A<B
x+y<5 ;; x+y>5
x+y<5 ;; x+y\le5
x-y<5 ;; y-x<5
\sqrt2>1.4 ;; \sqrt2<1.4
\forall x, x>0 ;; \exists x, x>0
A \cup B ;; A \cap B
A\setminus B ;; B \setminus A
x<1 or x>3 ;; x<3 or x>1
0 < a < 1, b > 2 ;; 0 < a < 1, b > 3
0 < a < 1, b > 2 ;; 0<a<1
13 \in A ;; 13 \notin A
\{x : x>0\} ;; \{x : x\ge0\}
f(x)=x^2, x>0 ;; f(x)=x^2, x<0
[1,2] ;; (1,2)
5 ;; [5}
5 ;; <5>
1 < x < 2 ;; 1 < y < 2
2<x<5 ;; 2<x\le5
2<x<5 ;; x<2 \text{ or } x>5
[2,5] ;; (2,5)
2\le x\le5 ;; 2,5
\mathbb{R} ;; \mathbb{Z}
\mathbb{R} ;; \mathbb{C}
\mathbb{N} ;; \mathbb{Z}
(0,\infty) ;; [0,\infty)
(0,\infty) ;; \mathbb{R}
(1,3)\cup(3,5) ;; (1,5)
1<x<5, x\ne3 ;; (1,5)
(-\infty,1)\cup(3,\infty) ;; (-\infty,1]\cup[3,\infty)
[1,2]\cup[3,4] ;; [1,4]
x=n\pi,n\in\mathbb{Z} ;; x=2n\pi,n\in\mathbb{Z}
x=n\pi,n\in\mathbb{Z} ;; x=\pi
x=n\pi,n\in\mathbb{Z} ;; \pi
x = \frac{\pi}{6}+k\pi, k\in\mathbb{Z} ;; x = \frac{\pi}{3}+k\pi, k\in\mathbb{Z}
k>0, k\ne1 ;; k>0
k>0,k\ne1 ;; k<0, k\ne1
a>b>c ;; a<b<c
a<b ;; a>b
a<b ;; a\le b
x+y\ge2 ;; x+y\ge 3
x>y ;; y>x
x-y>0 ;; y-x>0
2x>4 ;; x>4
x>3 ;; y>3
x>3 ;; -x>3
\exists x,x>0 ;; x>0
\forall x\in\mathbb{R}, x>0 ;; \forall x\in\mathbb{Z}, x>0
A\cup B ;; A
A\cup B\cup C ;; A\cup B
A\cap(B\cup C) ;; (A\cap B)\cup C
A\subset B ;; A\in B
2k+1, k \in \mathbb{Z} ;; 2x+3
x in [1,2] ;; x in [1,3]
1\le x<2 ;; 1<x\le 2
x if x >= 0, -x if x < 0 ;; -x if x >= 0, x if x < 0
a<x<b ;; a<x\le b
a<x<b ;; (b,a)
5 ;; <5,6>
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


UNION, OR, LOGICAL_OR = r" \cup ", r" \text{ or } ", r" \lor "
ENDS = [
    r"-\sqrt{7}", "-2", r"-\frac{1}{2}", "0", r"\frac{1}{3}", "1", r"\sqrt{2}", r"\pi", "7/2", "10",
]  # fmt: skip


@st.composite
def pieces(draw):
    """Disjoint pieces of the real line: (lower, with it, upper, with it) by places in ENDS."""
    places = draw(st.lists(st.integers(0, len(ENDS) - 1), min_size=2, max_size=6, unique=True))
    places = sorted(places)[: len(places) // 2 * 2]
    return [
        (places[i], draw(st.booleans()), places[i + 1], draw(st.booleans()))
        for i in range(0, len(places), 2)
    ]


def interval(piece):
    lower, with_lower, upper, with_upper = piece
    return f"{'[' if with_lower else '('}{ENDS[lower]}, {ENDS[upper]}{']' if with_upper else ')'}"


def french(piece):
    lower, with_lower, upper, with_upper = piece
    return f"{'[' if with_lower else ']'}{ENDS[lower]}; {ENDS[upper]}{']' if with_upper else '['}"


def inequality(piece):
    lower, with_lower, upper, with_upper = piece
    below, above = (r"\le" if closed else "<" for closed in (with_lower, with_upper))
    return f"{ENDS[lower]} {below} x {above} {ENDS[upper]}"


def members(parts):
    """The places of the line in a set: ends are odd numbers, gaps even ones."""
    return {
        place
        for lower, with_lower, upper, with_upper in parts
        for place in range(2 * lower + 1 - with_lower + 1, 2 * upper + 1 + with_upper)
    }


SPELLINGS = [
    lambda parts: UNION.join(map(interval, parts)),
    lambda parts: UNION.join(map(french, parts)),
    lambda parts: " or ".join(map(inequality, parts)),
    lambda parts: rf"x \in {UNION.join(map(interval, parts))}",
    lambda parts: rf"\{{x \mid {OR.join(map(inequality, parts))}\}}",
    lambda parts: rf"\{{x \in \mathbb{{R}} : {LOGICAL_OR.join(map(inequality, parts))}\}}",
]


@settings(max_examples=40, deadline=None)
@given(pieces(), pieces(), st.sampled_from(SPELLINGS), st.sampled_from(SPELLINGS))
def test_two_sets_agree_where_they_have_the_same_elements(first, second, spell, other):
    assert same(spell(first), other(first[::-1]))
    assert same(spell(first), other(second)) == (members(first) == members(second))


@settings(max_examples=20, deadline=None)
@given(pieces(), st.sampled_from(SPELLINGS), st.integers(0, 5), st.integers(0, 1))
def test_one_changed_bracket_makes_another_set(parts, spell, index, side):
    index %= len(parts)
    changed = [list(piece) for piece in parts]
    changed[index][1 + 2 * side] = not changed[index][1 + 2 * side]
    assert not same(SPELLINGS[0](parts), spell([tuple(piece) for piece in changed]))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, len(ENDS) - 1), min_size=1, max_size=4, unique=True))
def test_the_line_without_points(places):
    places = sorted(places)
    points = [ENDS[place] for place in places]
    gold = rf"\mathbb{{R}} \setminus \{{{', '.join(points)}\}}"
    starts, ends = [r"-\infty", *points], [*points, r"\infty"]
    union = r" \cup ".join(f"({a}, {b})" for a, b in zip(starts, ends, strict=True))
    assert same(gold, union)
    assert same(gold, rf"x \ne {', '.join(points[::-1])}")
    assert same(gold, " and ".join(rf"x \ne {point}" for point in points))
    assert not same(gold, r"\mathbb{R}")
    assert not same(gold, rf"{union} \cup \{{{points[0]}\}}")


@pytest.mark.parametrize("name", ["a", "t", r"\theta", "x_1"])
def test_a_named_set_is_of_that_name(name):
    assert same(f"{name} > 3", r"(3, \infty)")
    assert same(f"3 < {name}", f"{name} > 3")
    assert not same(f"{name} > 3", "y > 3")
