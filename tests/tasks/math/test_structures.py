from __future__ import annotations

import itertools
import random

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
(\sqrt{2}, a] ;; (2^{1/2}, a]
\varnothing ;; no solution
n \equiv 1,2 \pmod 4 ;; n \equiv 2, 1 \pmod{4}
n\equiv 1\pmod 3 \text{ or } n\equiv 2 \pmod 3 ;; n \equiv 1, 2 \pmod 3
x \equiv 10 \pmod 7 ;; x \equiv 3 \bmod 7
3 \pmod 7 ;; x \equiv 3 (mod 7)
x \equiv -1 \pmod 7 ;; x \equiv 6 \pmod 7
n \equiv \pm 1 \pmod 6 ;; n \equiv 1, 5 \pmod 6
n = 4k+1 ;; n \equiv 1 \pmod 4
\begin{cases} x & x\ge 0\\ -x & x<0\end{cases} ;; \begin{cases} -x & x<0\\ x & x\ge 0\end{cases}
\begin{cases} x & \text{if } x\ge 0\\ -x & \text{otherwise}\end{cases} ;;
\begin{cases} -x, & x<0\\ x, & x\ge 0\end{cases}
f(x)=\begin{cases}1 & x>0\\0&x\le0\end{cases} ;; \begin{cases}0,&x\le0\\1,&0<x\end{cases}
\begin{cases}x+y=1\\x-y=3\end{cases} ;; \begin{cases}x-y=3\\x+y=1\end{cases}
\begin{cases}x=1\\y=2\end{cases} ;; x=1,y=2
1, 3, 5, \ldots, 2n-1 ;; 1,3,5,...,2n-1
\{1,2,\ldots,n\} ;; 1,2,\dots,n
1 + 2 + \cdots + 10 ;; 1+2+...+10
n=1,2,\ldots ;; n = 1, 2, \dots
(\pm 1, 2) ;; (1,2),(-1,2)
1\pm\sqrt2 ;; 1-\sqrt2, 1+\sqrt 2
x=\pm 7 ;; 7, -7
\pm1,\pm2 ;; 1,-1,2,-2
(\pm1,\pm2) ;; (1,2),(-1,-2),(1,-2),(-1,2)
x=\pm1,y=\mp1 ;; (x,y)=(1,-1),(-1,1)
0, \pm 3 ;; -3,0,3
x=0 \text{ or } x=\pm3 ;; 0,3,-3
\pm\frac{1}{2} ;; \frac12, -\frac12
3 \pm 2i ;; 3+2i, 3-2i
\frac{-1\pm\sqrt{5}}{2} ;; \frac{-1+\sqrt5}{2},\frac{-1-\sqrt5}{2}
\{1,1,2\} ;; \{1,2\}
1, 2 and 3 ;; 3,2,1
1 2 3 ;; 1, 2, 3
(1 2 3) ;; (2 3 1)
(12)(34) ;; (34)(12)
(1 2)(3 4) ;; (12)(34)
\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; [[1,2],[3,4]]
\begin{pmatrix}1\\2\end{pmatrix} ;; (1,2)
\begin{bmatrix}1\\2\end{bmatrix} ;; \begin{pmatrix}1\\2\end{pmatrix}
\left[\begin{array}{cc}1&2\\3&4\end{array}\right] ;; \begin{pmatrix}1&2\\3&4\end{pmatrix}
\binom{26}{8}+\binom{26}{9} ;; \binom{27}{9}
\begin{pmatrix}1\\2\end{pmatrix}+t\begin{pmatrix}3\\4\end{pmatrix} ;; (1+3t, 2+4t)
\begin{vmatrix}1&2\\3&4\end{vmatrix} ;; -2
A = \begin{pmatrix}1&2\\3&4\end{pmatrix} ;; \begin{pmatrix}1&2\\3&4\end{pmatrix}
\langle 1,2\rangle ;; (1,2)
5 ;; \{5\}
9 and 10 ;; 9, 10
(1;2) ;; (1,2)
1:2:3 ;; 1:2:3
{1,2} ;; \{2,1\}
\{(1,2),(3,4)\} ;; (3,4),(1,2)
(-\infty, -1) \cup (-1, 1) \cup (1, \infty) ;; x \neq \pm 1
x\ne\pm1 ;; \mathbb{R}\setminus\{-1,1\}
x = \pm\frac{\pi}{3}+2k\pi, k\in\mathbb{Z} ;;
x = \frac{\pi}{3}+2k\pi \text{ or } x=-\frac{\pi}{3}+2k\pi, k\in\mathbb{Z}
x = \pm\frac{\pi}{3}+2k\pi, k\in\mathbb{Z} ;; x = 2n\pi\pm\frac{\pi}{3}, n\in\mathbb{Z}
n=6k\pm1 ;; n \equiv \pm 1 \pmod 6
n=6k+1 \text{ or } n=6k+5 ;; n \equiv 1,5 \pmod 6
n \equiv 1 \pmod{4} ;; n = 4k+1, k \in \mathbb{Z}
n \equiv 1 \pmod{4} ;; n \bmod 4 = 1
x\equiv 5 \pmod{12} ;; x = 5 + 12k
p=2 or p\equiv1\pmod4 ;; p\equiv 1 \pmod 4 or p=2
n\equiv 0,1\pmod 4 ;; n \equiv 0 \pmod 4 or n \equiv 1 \pmod 4
n\equiv 0,1\pmod 4 ;; n \equiv 0 \text{ or } 1 \pmod 4
n\equiv0 \text{ or } 1\pmod 4 ;; 0, 1 \pmod 4
n \not\equiv 0 \pmod 3 ;; n \equiv 1, 2 \pmod 3
a \equiv b \pmod m ;; b \equiv a \pmod m
f(x)=\begin{cases}x^2,&x>0\\0,&x=0\\-x^2,&x<0\end{cases} ;;
f(x)=\begin{cases}0&x=0\\-x^2&x<0\\x^2&x>0\end{cases}
\begin{cases}1&\text{if }n\text{ is even}\\0&\text{if }n\text{ is odd}\end{cases} ;;
\begin{cases}0&n\text{ odd}\\1&n\text{ even}\end{cases}
\begin{cases}1&n\text{ even}\\0&\text{otherwise}\end{cases} ;;
\begin{cases}1&n\text{ even}\\0&\text{else}\end{cases}
\begin{cases}x=1\\y=2\end{cases} ;; \begin{cases}y=2\\x=1\end{cases}
\begin{cases} 2x+y=5 \\ x-y=1 \end{cases} ;; 2x+y=5, x-y=1
\begin{cases}x>1\\x<3\end{cases} ;; (1,3)
2, 4, 6, \dots, 2n ;; 2,4,6,\cdots,2n
\{2,4,6,\ldots\} ;; 2, 4, 6, ...
x_1 + x_2 + \cdots + x_n = 1 ;; x_1+x_2+\ldots+x_n=1
n = 1, 2, 3, \ldots, 10 ;; 1,2,3,...,10
(1,2,\ldots,n) ;; (1, 2, \dots, n)
k=0,1,\ldots,n-1 ;; k = 0, 1, \dots, n-1
1 \cdot 2 \cdot 3 \cdots n ;; 1\cdot2\cdot3\cdots n
1+\frac12+\frac13+\cdots ;; 1+1/2+1/3+...
\pm i ;; i, -i
\pm\sqrt{3} ;; \{\sqrt3,-\sqrt3\}
x=2\pm\sqrt{3} ;; 2+\sqrt3 \text{ and } 2-\sqrt3
x=\frac{-b\pm\sqrt{b^2-4ac}}{2a} ;; \frac{-b \mp \sqrt{b^2-4ac}}{2a}
(2,\pm3) ;; (2,3),(2,-3)
(\pm2,\pm3) ;; (2,3),(2,-3),(-2,3),(-2,-3)
(\pm 1, \mp 1) ;; (1,-1),(-1,1)
\pm1, \pm i ;; 1,-1,i,-i
y = \pm 2x ;; y=2x, y=-2x
y=\pm2x ;; y=-2x or y=2x
1; 2; 3 ;; 1,2,3
1, 2, and 3 ;; 1,2,3
1,\ 2,\ 3 ;; 3,1,2
\frac12 \text{ or } 3 ;; 3, 0.5
$1$ and $2$ ;; 1,2
\{a,b\} ;; \{b,a\}
(3, 4), (4, 3) ;; (4,3) and (3,4)
red and blue ;; blue, red
(1,2) \text{ and } (3,4) ;; (3,4),(1,2)
\begin{bmatrix}1&0\\0&1\end{bmatrix} ;; \begin{pmatrix}1&0\\0&1\end{pmatrix}
2\begin{pmatrix}1&0\\0&1\end{pmatrix} ;; \begin{pmatrix}2&0\\0&2\end{pmatrix}
\begin{pmatrix}1\\2\\3\end{pmatrix} ;; \langle1,2,3\rangle
\begin{pmatrix}1\\2\\3\end{pmatrix} ;; [1,2,3]
\begin{pmatrix}1&2&3\end{pmatrix} ;; (1,2,3)
\begin{pmatrix}1\\0\end{pmatrix}, \begin{pmatrix}0\\1\end{pmatrix} ;;
\begin{pmatrix}0\\1\end{pmatrix},\begin{pmatrix}1\\0\end{pmatrix}
\begin{pmatrix}1\\2\end{pmatrix}-\begin{pmatrix}3\\4\end{pmatrix} ;;
\begin{pmatrix}-2\\-2\end{pmatrix}
\det\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; -2
\left|\begin{matrix}1&2\\3&4\end{matrix}\right| ;; -2
\begin{pmatrix}x\\y\end{pmatrix}=\begin{pmatrix}1\\2\end{pmatrix} ;; x=1,y=2
\begin{pmatrix}x\\y\end{pmatrix}=\begin{pmatrix}1\\2\end{pmatrix} ;; (1,2)
\vec{v}=\begin{pmatrix}1\\2\end{pmatrix} ;; (1,2)
\mathbf{r}=(1,2,3)+t(4,5,6) ;;
\mathbf{r}=\begin{pmatrix}1\\2\\3\end{pmatrix}+t\begin{pmatrix}4\\5\\6\end{pmatrix}
\frac{1}{2}\begin{bmatrix}2&4\\6&8\end{bmatrix} ;; [[1,2],[3,4]]
\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; ((1,2),(3,4))
f(x) \equiv 0 ;; f(x)=0
p \iff q ;; q \Leftrightarrow p
(1 2)(3 4) ;; (3 4)(1 2)
(1 3 2) ;; (3 2 1)
(1\ 2\ 3) ;; (1 2 3)
\begin{pmatrix}1\\2\end{pmatrix} ;; [[1],[2]]
\begin{pmatrix}1\\2\end{pmatrix} ;; <1,2>
\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; Matrix([[1,2],[3,4]])
\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; np.array([[1,2],[3,4]])
\{(1,2)\} ;; (1,2)
(1,2) ;; \hat{i}+2\hat{j}
\begin{pmatrix}1\\-2\\3\end{pmatrix} ;; \hat{i}-2\hat{j}+3\hat{k}
\begin{pmatrix}1\\2\end{pmatrix} ;; (1,2)^T
\begin{pmatrix}1\\2\end{pmatrix} ;; \begin{pmatrix}1&2\end{pmatrix}^T
\begin{pmatrix} 1 \\[4pt] 2\end{pmatrix} ;; (1,2)
\left(\begin{array}{c}1\\2\end{array}\right) ;; \begin{bmatrix}1\\2\end{bmatrix}
\begin{array}{cc}1&2\\3&4\end{array} ;; \begin{pmatrix}1&2\\3&4\end{pmatrix}
\triangle ABC \cong \triangle DEF ;; \triangle DEF\cong\triangle ABC
AB\perp CD ;; CD \perp AB
x = -3 \text{ or } x = 3 ;; \pm 3
(2, -1, 3) ;; \left(2,-1,3\right)
\{ (0,1), (1,0) \} ;; (1,0) \text{ and } (0,1)
n \equiv 2 \pmod{5} ;; n \equiv 2 \ (\text{mod } 5)
n \equiv 2 \pmod{5} ;; n = 5k + 2 \text{ for some integer } k
n\equiv 2 \pmod 5 ;; 2 \bmod 5
1,2,3,4,5 ;; \{1,2,3,4,5\}
2, 3, 5, 7, \ldots ;; 2,3,5,7,...
\{n \in \mathbb{N} : n \equiv 1 \pmod 3\} ;; \{n\in\mathbb{N} \mid n\equiv 1\pmod 3\}
p \land q ;; q \wedge p
f(x)=\left\{\begin{array}{ll} x & \text{if } x\ge0\\ -x & \text{if } x<0\end{array}\right. ;;
f(x)=\begin{cases}x&x\ge0\\-x&x<0\end{cases}
\begin{cases} x, & \text{for } x\ge0\\ -x, & \text{for } x<0\end{cases} ;;
\begin{cases}x&\text{when }x\ge0\\-x&0>x\end{cases}
x if x >= 0, -x if x < 0 ;; \begin{cases}x&x\ge0\\-x&x<0\end{cases}
x=\frac{1\pm\sqrt{5}}{2} ;; x=\frac{1+\sqrt5}{2} \text{ or } x=\frac{1-\sqrt5}{2}
-2\pm i ;; -2+i,-2-i
2 \pm 3i ;; \{2-3i, 2+3i\}
±5 ;; 5,-5
+/-5 ;; \pm 5
\{\pm1,\pm2\} ;; \{1,-1,2,-2\}
(0,\pm\sqrt{5}) ;; (0,\sqrt5) \text{ and } (0,-\sqrt5)
"""

# Two different answers a line.
DIFFER = r"""
\approx 5 ;; 5.3
n \equiv 1,2 \pmod 4 ;; n \equiv 1 \pmod 4
n \equiv 1 \pmod 4 ;; 1
1 ;; n \equiv 1 \pmod 4
n \equiv 1 \pmod 4 ;; n \equiv 1 \pmod 3
n \not\equiv 1 \pmod 4 ;; n \equiv 1 \pmod 4
n=4k+1 ;; n \equiv 3 \pmod 4
\begin{cases} x & x\ge 0\\ -x & x<0\end{cases} ;; \begin{cases} x & x> 0\\ -x & x\le 0\end{cases}
\begin{cases} x & x\ge 0\\ -x & x<0\end{cases} ;; x
1,2,\ldots,n ;; 1,2,\ldots,2n
1,2,\ldots,n ;; 1,2,n
1,2,\ldots,n ;; n
2 ;; 1,2,\ldots
\pm 3 ;; 3
3 ;; \pm 3
\pm3 ;; 3,3
x=\pm1,y=\mp1 ;; (x,y)=(1,1),(-1,-1)
1\pm\sqrt2 ;; 1+\sqrt2
1\pm\sqrt2 ;; \pm(1+\sqrt2)
\{1,2\} ;; (1,2)
(1,2) ;; (2,1)
(1,2) ;; \{1,2\}
1,2,3 ;; 1,2
1,2 ;; 1,1,2,3
1 2 3 ;; 1 3 2
(1 2 3) ;; (1 3 2)
(12)(34) ;; (13)(24)
\begin{pmatrix}1\\2\end{pmatrix} ;; (2,1)
\begin{pmatrix}1&2\end{pmatrix} ;; \begin{pmatrix}1\\2\end{pmatrix}
\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; [[1,3],[2,4]]
\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; -2
\begin{pmatrix}1&2\\3&4\end{pmatrix} ;; 1,2,3,4
p \land q ;; p \lor q
5 ;; 4,5,6
5 ;; 5 or 6
5 ;; \{5,6\}
(1,2),(3,4) ;; (1,3),(2,4)
(1,2),(3,4) ;; 1,2,3,4
(1,2) ;; 1
x \mid y ;; y \mid x
5 ;; @5#!
5 ;; 5)(
5 ;; ((5
5 ;; {5
5 ;; 5,,
5 ;; ;5 ; ;
5 ;; 5|
5 ;; \{5
(0,\pi) ;; (0,3.14)
\begin{cases}x+y=1\\x-y=3\end{cases} ;; \begin{cases}x+y=3\\x-y=1\end{cases}
(2,5) ;; 2 \text{ or } 5
x = \pm\frac{\pi}{3}+2k\pi, k\in\mathbb{Z} ;; x = \frac{\pi}{3}+2k\pi, k\in\mathbb{Z}
n\equiv1\pmod6 ;; n=6k+5
n\equiv 1 \pmod 6 ;; n=3k+1
n\equiv 0,1\pmod4 ;; n \equiv 0\pmod 4
n\equiv 0,1\pmod4 ;; 0,1
0,1 ;; n\equiv 0,1\pmod4
3 ;; x \equiv 3 \pmod 7
f(x)=\begin{cases}x^2,&x>0\\0,&x\le0\end{cases} ;; x^2
f(x)=\begin{cases}x^2,&x>0\\0,&x\le0\end{cases} ;; f(x)=\begin{cases}x^2,&x>0\\1,&x\le0\end{cases}
\begin{cases}x=1\\y=2\end{cases} ;; \begin{cases}x=2\\y=1\end{cases}
\begin{cases}x=1\\y=2\end{cases} ;; 1
\begin{cases}1&n\text{ even}\\0&n\text{ odd}\end{cases} ;;
\begin{cases}0&n\text{ even}\\1&n\text{ odd}\end{cases}
2,4,6,\ldots ;; 2,4,6
2,4,6,\ldots ;; 2,4,6,8
\{1,2,\ldots,9\} ;; \{1,2,\ldots,10\}
10 ;; 1,2,\ldots,10
1+2+\cdots+n ;; 1\cdot2\cdots n
1,\ldots,n ;; 0,1,\ldots,n
\pm i ;; i
\pm 3 ;; \pm 4
\pm3 ;; 3,-3,0
3,-3,0 ;; \pm 3
x=2\pm\sqrt3 ;; x=2+\sqrt3
(\pm1,\mp1) ;; (1,1),(-1,-1)
5 ;; 5,5.0001
5 ;; 5 or -5
1,2 ;; 12
12 ;; 1,2
1,2 ;; 1.2
1,2,3 ;; 1,2,4
(1,2,3) ;; (1,3,2)
red and blue ;; red
red ;; red and blue
(3,4),(4,3) ;; (3,4)
\begin{pmatrix}1&0\\0&1\end{pmatrix} ;; 1
\begin{pmatrix}1&0\\0&1\end{pmatrix} ;; \begin{pmatrix}0&1\\1&0\end{pmatrix}
\begin{pmatrix}1\\2\\3\end{pmatrix} ;; (3,2,1)
\begin{pmatrix}1\\2\end{pmatrix} ;; \begin{pmatrix}1&2\end{pmatrix}
2\begin{pmatrix}1\\2\end{pmatrix} ;; \begin{pmatrix}1\\2\end{pmatrix}
\begin{pmatrix}1\\2\end{pmatrix} ;; \{1,2\}
\begin{pmatrix}5\end{pmatrix} ;; 6
x+y\ge2 ;; 2
(1 2)(3 4) ;; (1 2 3 4)
(1 2)(3 4) ;; (1 3)(2 4)
(1 2 3) ;; (1 2)
1 2 3 ;; 123
A \subset B ;; B \subset A
A\subset B ;; A \subseteq B
\{(1,2)\} ;; (2,1)
(1,2) ;; \hat{i}-2\hat{j}
(1,2) ;; 2\hat{i}+\hat{j}
(1,2)^T ;; (2,1)
\triangle ABC \cong \triangle DEF ;; \triangle ABC \cong \triangle EDF
\triangle ABC \sim \triangle DEF ;; \triangle ABC \cong \triangle DEF
\{\pm1,\pm2\} ;; \{1,2\}
±5 ;; 5
5 ;; ±5
n\equiv 2\pmod 5 ;; n = 5k+3
n\equiv 2\pmod 5 ;; 2
p\land q ;; p
(a,b) ;; (b,a)
1:2 ;; 2:1
1:2:3 ;; 1:3:2
3:4 ;; 0.7
2, 3, 5, 7, \ldots ;; 2, 3, 5, 8, \ldots
A \subseteq B ;; B\subseteq A
A-B ;; B-A
a\mid b ;; b \mid a
x\propto y ;; x \propto y^2
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


ROW = r" \\ "
INTEGERS = st.integers(-40, 40)


def mixed(values, seed):
    values = list(values)
    random.Random(seed).shuffle(values)
    return values


@settings(max_examples=20, deadline=None)
@given(st.lists(INTEGERS, min_size=2, max_size=7, unique=True), st.integers(0, 99), st.data())
def test_lists_and_sets_have_no_order(numbers, seed, data):
    other = mixed(numbers, seed)
    gold = ", ".join(map(str, numbers))
    joined = data.draw(st.sampled_from([", ", "; ", r" \text{ and } ", " or ", r",\ "]))
    assert same(gold, joined.join(map(str, other)))
    assert same(rf"\{{{gold}\}}", rf"\{{{', '.join(map(str, other))}\}}")
    index = data.draw(st.integers(0, len(numbers) - 1))
    changed = [*other[:index], 41, *other[index + 1 :]]
    assert not same(gold, joined.join(map(str, changed)))
    assert not same(gold, joined.join(map(str, other[:-1])))


@settings(max_examples=20, deadline=None)
@given(st.lists(INTEGERS, min_size=2, max_size=6, unique=True), st.integers(0, 99))
def test_tuples_have_an_order(numbers, seed):
    other = mixed(numbers, seed)
    gold, answer = (f"({', '.join(map(str, row))})" for row in (numbers, other))
    assert same(gold, answer) == (numbers == other)
    column = rf"\begin{{pmatrix}}{ROW.join(map(str, other))}\end{{pmatrix}}"
    assert same(gold, column) == (numbers == other)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(2, 30),
    st.lists(st.integers(0, 29), min_size=1, max_size=4),
    st.lists(st.integers(-3, 3), min_size=4, max_size=4),
    st.integers(0, 99),
    st.data(),
)
def test_congruences(modulus, residues, turns, seed, data):
    residues = sorted({residue % modulus for residue in residues})
    gold = rf"n \equiv {', '.join(map(str, residues))} \pmod{{{modulus}}}"
    moved = [r + modulus * turn for r, turn in zip(residues, turns, strict=False)]
    answers = [rf"n \equiv {r} \pmod {modulus}" for r in mixed(moved, seed)]
    assert same(gold, r" \text{ or } ".join(answers))
    assert not same(gold, rf"n \equiv {', '.join(map(str, residues))} \pmod{{{modulus + 1}}}")
    if len(residues) < modulus:
        other = data.draw(st.sampled_from(sorted(set(range(modulus)) - set(residues))))
        changed = [other, *residues[1:]]
        assert not same(gold, rf"n \equiv {', '.join(map(str, changed))} \pmod{{{modulus}}}")
        more = ", ".join(map(str, [*residues, other]))
        assert not same(gold, rf"n \equiv {more} \pmod{{{modulus}}}")


@settings(max_examples=30, deadline=None)
@given(st.lists(INTEGERS, min_size=2, max_size=5, unique=True), st.integers(0, 99), st.data())
def test_cases_in_another_order(bounds, seed, data):
    bounds = sorted(bounds)
    conditions = [f"x < {bounds[0]}"]
    conditions += [rf"{a} \le x < {b}" for a, b in itertools.pairwise(bounds)]
    conditions.append(rf"x \ge {bounds[-1]}")
    rows = [f"{index} x & {condition}" for index, condition in enumerate(conditions, 2)]

    def text(lines):
        return rf"\begin{{cases}}{ROW.join(lines)}\end{{cases}}"

    gold = text(rows)
    assert same(gold, text(mixed(rows, seed)))
    assert same(gold, text([*rows[:-1], rf"{len(rows) + 1} x & \text{{otherwise}}"]))
    index = data.draw(st.integers(0, len(rows) - 1))
    value, condition = rows[index].split(" & ")
    for row in (f"{value} + 1 & {condition}", f"{value} & {condition.replace('<', '>')}"):
        if row != rows[index]:
            assert not same(gold, text([*rows[:index], row, *rows[index + 1 :]]))


@settings(max_examples=20, deadline=None)
@given(st.lists(INTEGERS, min_size=2, max_size=5), st.integers(0, 4), st.integers(0, 4))
def test_dots_have_a_place(numbers, place, changed):
    place, changed = place % (len(numbers) + 1), changed % len(numbers)
    elements = [*map(str, numbers[:place]), r"\ldots", *map(str, numbers[place:])]
    gold = ", ".join(elements)
    assert same(gold, ",".join(elements).replace(r"\ldots", "..."))
    other = [*numbers]
    other[changed] += 1
    elements = [*map(str, other[:place]), r"\ldots", *map(str, other[place:])]
    assert not same(gold, ", ".join(elements))
    assert not same(gold, ", ".join(map(str, numbers)))
    for number in numbers:
        assert not same(str(number), gold)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(2, 30))
def test_both_signs(first, second):
    gold = rf"{first} \pm \sqrt{{{second}}}"
    assert same(gold, rf"{first} - \sqrt{{{second}}}, {first} + \sqrt{{{second}}}")
    assert not same(gold, rf"{first} + \sqrt{{{second}}}")
    assert not same(gold, rf"{first + 1} \pm \sqrt{{{second}}}")
    assert same(rf"(\pm {first}, {second})", f"({first}, {second}), (-{first}, {second})")


TOKENS = [
    "5", "5", "1", "x", "n", "k", "(", ")", "[", "]", "{", "}", r"\{", r"\}", ",", ";", "=", "<",
    r"\le", r"\ne", r"\in", r"\cup", r"\setminus", r"\mathbb{R}", r"\infty", r"\pm", r"\mp", "|",
    r"\mid", ":", "+", "-", "^", "_", r"\frac", r"\sqrt", r"\ldots", r"\equiv", r"\pmod", "&",
    r"\begin{cases}", r"\end{cases}", r"\\", r"\begin{pmatrix}", r"\end{pmatrix}", " or ", " and ",
    " if ", r"\forall", r"\exists", r"\to", r"\neg", r"\lor", "?", "!", "@", "#", " ", "\\", "'",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=14))
def test_nothing_that_is_written_raises(tokens):
    value = read_answer("".join(tokens))
    for gold in ("5", "x > 5", "1, 5", "(1,5)", r"n \equiv 1 \pmod 5"):
        one_answer(read_answer(gold), value)
        one_answer(value, read_answer(gold))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=8), st.sampled_from("([)]"), st.data())
def test_no_number_is_taken_from_a_text_with_an_unmatched_bracket(tokens, bracket, data):
    tokens = [token for token in tokens if not set(token) & set("([)]")]
    place = data.draw(st.integers(0, len(tokens)))
    text = "".join([*tokens[:place], "5", bracket, *tokens[place:]])
    assert not same("5", text), text


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000 + "5",
        "(" * 900 + "5" + ")" * 900,
        ", ".join(["5"] * 900),
        "x=" * 900 + "5",
        r"\pm 5 " * 300,
        r"\{" * 500 + "5" + r"\}" * 500,
        r"\begin{cases}" * 100 + "5" + r"\end{cases}" * 100,
        r"\cup (1,2)" * 300,
        "and " * 900,
        "1 <" * 500 + "x",
        " " * 3999 + "5 or",
        r"\forall x " * 300,
    ],
)
def test_long_texts_are_no_number(text):
    assert not same("6", text)
    assert not same("1, 6", text)
