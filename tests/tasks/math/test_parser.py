from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.terms.nodes import Bound, Call, Number, Symbol
from rlvr_fast.tasks.schemes.math.writing import clean


def read(text):
    term = parse_term(clean(text))
    assert term is not None, text
    return term


def same(first, second):
    return equal_terms(read(first), read(second))


# Spellings of one term each, apart by ';;'.
SPELLINGS = r"""
\frac ab ;; a/b ;; \frac{a}{b} ;; {a \over b}
\frac12 ;; 0.5 ;; \frac1{2} ;; \frac{1}2 ;; ½ ;; .5
\frac\pi2 ;; \pi/2 ;; pi/2 ;; \frac12\pi
\sqrt2 ;; sqrt(2) ;; sqrt 2 ;; √2 ;; 2^{1/2} ;; 2**0.5 ;; np.sqrt(2) ;; math.sqrt(2)
\sqrt[3]{x} ;; cbrt(x) ;; ∛x ;; \sqrt[3]x
\sqrt12 ;; 2\sqrt3 ;; 2√3
√3/2 ;; \frac{\sqrt3}{2} ;; sqrt(3)/2
2\frac{1}{2} ;; 2.5 ;; 2 1/2 ;; 2½ ;; 5/2 ;; 2\frac12
-2\frac12 ;; -2.5
0.\overline{3} ;; 0.(3) ;; 0.\dot{3} ;; 1/3 ;; 0.333... ;; 0.\bar3 ;; .\overline{3}
0.1\overline{6} ;; 1/6 ;; 0.1(6) ;; 0.1666\ldots
0.\dot{1}4285\dot{7} ;; 1/7 ;; 0.\overline{142857}
5! ;; 120 ;; factorial(5)
5!! ;; 15
\binom{5}{2} ;; {5 \choose 2} ;; C(5,2) ;; 10 ;; {}^5C_2 ;; 5C2 ;; comb(5,2)
\lfloor x \rfloor ;; floor(x) ;; \left\lfloor x \right\rfloor ;; ⌊x⌋ ;; np.floor(x)
\lceil x/2 \rceil ;; ceil(x/2) ;; \left\lceil \frac x2 \right\rceil
|x-1| ;; abs(x-1) ;; \left|x-1\right| ;; \lvert x-1\rvert ;; \vert x-1 \vert
||x|-1| ;; abs(abs(x)-1) ;; \left|\left|x\right|-1\right|
\sin 2x ;; sin(2x) ;; sin(2*x) ;; \mathrm{sin}(2x) ;; \operatorname{sin} 2x ;; sin 2x ;; \sin{2x}
\sin^2 x ;; (\sin x)^2 ;; sin(x)^2 ;; sin(x)**2 ;; \sin^{2}(x) ;; sin^2(x)
\sin^{-1} x ;; \arcsin x ;; arcsin(x) ;; asin(x) ;; \sin^{-1}(x) ;; np.arcsin(x)
\log_2 3 ;; log_2(3) ;; log2(3) ;; \frac{\ln 3}{\ln 2} ;; \log_{2}{3} ;; math.log(3,2) ;; \log_23
\log_{10} 100 ;; 2 ;; log10(100) ;; lg(100)
\ln x^2 ;; ln(x^2)
\log^2 x ;; (\log x)^2 ;; \log(x)^2
e^{-t} ;; exp(-t) ;; e^-t ;; e**(-t) ;; np.exp(-t)
\sin 30^\circ ;; 1/2 ;; sin(30°) ;; \sin(30^{\circ})
\cos \pi/3 ;; 1/2 ;; cos(pi/3) ;; cos pi/3
2\operatorname{cis} 60^\circ ;; 2cis(60°) ;; 1+\sqrt3 i
\overline{z} ;; \bar{z} ;; z^* ;; conj(z)
\overline{3+4i} ;; 3-4i
\vec{AB} ;; \overrightarrow{AB}
x' ;; x^{\prime} ;; x^\prime ;; \dot{x} ;; \dot x
\frac{dx}{dt} ;; dx/dt ;; \frac{d x}{d t}
\frac{d^2y}{dx^2} ;; \frac{d^{2}y}{dx^{2}}
y'' ;; y^{\prime\prime} ;; y^{''} ;; \ddot{y}
f''(x) ;; f^{\prime\prime}(x) ;; f^{(2)}(x)
A^T ;; A^\top ;; A^{\mathrm T} ;; A^{T} ;; Aᵀ
\frac{\partial f}{\partial x} ;; \frac{\partial{f}}{\partial{x}}
\nabla \cdot F ;; \nabla\cdot \mathbf{F}
\gcd(a,b) ;; gcd(a,b) ;; \gcd{(a,b)}
\max(a,b) ;; max(a,b) ;; \max\{a,b\}
P(A \mid B) ;; P(A|B) ;; \mathbb{P}(A|B) ;; P\left(A\middle|B\right)
E[X] ;; \mathbb{E}[X] ;; E(X)
n \bmod 2 ;; n \mod 2 ;; n mod 2
x_1 ;; x_{1} ;; x1 ;; x₁
x_{max} ;; x_{\text{max}} ;; x_\text{max} ;; x_max
\sum_{k=1}^{3} k^2 ;; \sum\limits_{k=1}^3 k^2 ;; 14 ;; \sum_{i=1}^3 i^2 ;; \sum^3_{i=1} i^2
\prod_{k=1}^{4} k ;; 24
\lim_{x\to 0} \frac{\sin x}{x} ;; 1
\int_0^1 x^2\,dx ;; 1/3 ;; \int_{0}^{1} x^2 \mathrm{d}x
\int_0^\frac{\pi}{2} \sin x\,dx ;; 1
\int_1^2 \frac{dx}{x} ;; \ln 2
A \cap B ;; A∩B ;; B \cap A
p \to q ;; p \rightarrow q ;; p→q
\frac{n!}{k!(n-k)!} ;; n!/k!(n-k)! ;; n!/(k!(n-k)!)
t/RC + 1 ;; \frac{t}{RC} + 1 ;; t/(RC)+1
1/2x ;; x/2 ;; \frac12x
x^10 ;; x^{10} ;; x**10
2^3^2 ;; 512
PV-nRT ;; PV - R n T ;; -nRT+VP
2x ;; 2 x ;; 2*x ;; 2\cdot x ;; x\cdot2 ;; 2\times x
1.5e3 ;; 1500 ;; 1.5\times10^3 ;; 1.5 \cdot 10^{3} ;; 1.5*10**3 ;; 1.5x10^3 ;; 1,500
sinx ;; \sin x
2sinxcosx ;; \sin 2x ;; 2\sin x\cos x
xlnx ;; x\ln x ;; x*ln(x)
kpi ;; k\pi
\alpha+\beta ;; alpha+beta ;; α+β
\infty ;; oo ;; infinity ;; +\infty
h(a+b)/2 ;; \frac{1}{2}(a+b)h
P(1+r)^n ;; P \cdot (1+r)^n
x(y+z)^2 ;; x(y^2+2yz+z^2)
\sin x/x ;; \frac{\sin x}{x}
2 \sin x e^x ;; 2e^x\sin x
\angle ABC ;; \angle CBA ;; ∠ABC
x^{n}_{k} ;; x_k^n ;; x_{k}^{n}
I(0)e^{-t/(RC)} ;; I(0) e^{-\frac{t}{R C}} ;; I(0) e^{-t/RC}
n2^n ;; n \cdot 2^n
k_BT ;; k_B T
[(x+1)^2]^3 ;; (x+1)^6
\frac{d}{dx}(x^2) ;; \frac{d}{dx} x^2
\sum_{i=1}^n x_i ;; \sum_{j=1}^n x_j
\text{Bin}(10, 0.5) ;; Bin(10,1/2)
\angle A B C ;; \angle ABC ;; m\angle ABC
3+4i ;; 3+4j ;; 4j+3
f'(x) ;; \frac{df(x)}{dx} ;; \frac{d}{dx}f(x)
xsin(x) ;; x\sin x
math.e ;; e
\text{lcm}(a,b) ;; \operatorname{lcm}(a,b) ;; lcm(a,b)
"""

DIFFERENT = r"""
x^{12} ;; x^1 2
\sqrt{2}x ;; \sqrt{2x}
1/2x ;; 1/(2x)
\log x^2 ;; (\log x)^2
f(x) ;; f(y)
f(x) ;; f'(x)
x(t) ;; x(s)
P(X=x) ;; P(x=x)
P(A|B) ;; P(B|A)
E[X] ;; E[Y]
\angle ABC ;; \angle ACB
\nabla \cdot F ;; \nabla \times F
\frac{\partial f}{\partial x} ;; \frac{\partial f}{\partial y}
\frac{d^2y}{dx^2} ;; \frac{dy}{dx}
A \setminus B ;; B \setminus A
A \cap B ;; A \cup B
p \to q ;; q \to p
\neg p ;; p
\overline{AB} ;; \overline{BA}
\overrightarrow{AB} ;; \overrightarrow{BA}
AB ;; BA
\int_0^1 f(x)dx ;; \int_0^2 f(x)dx
\oint F ;; \int F
\phi ;; \varphi
\Gamma ;; \gamma
R ;; r
x_1 ;; x_2
x' ;; x
x' ;; x''
\hat{x} ;; x
\vec{v} ;; v
z^* ;; z
A^T ;; A
A^{-1} ;; A
\sin^{-1} x ;; \frac{1}{\sin x}
3!! ;; 6
0.3 ;; 0.\overline{3}
0.333 ;; 1/3
\binom{5}{2} ;; \frac{5}{2}
\odot O ;; \odot P
\operatorname{Beta}(2,3) ;; \operatorname{Gamma}(2,3)
\mathrm{GL}_2(3) ;; \mathrm{SL}_2(3)
\exists x ;; \forall x
\det A ;; \det B
\sup A ;; \inf A
\sigma(n) ;; \tau(n)
n \bmod 2 ;; n \bmod 3
\max(a,b) ;; \min(a,b)
\vec{a} \times \vec{b} ;; \vec{b} \times \vec{a}
\left(\frac{a}{p}\right) ;; \left(\frac{b}{p}\right)
\mathcal{L} ;; L
|x-1| ;; x-1
2\frac{1}{2} ;; 1
e^{i\pi/3} ;; e^{-i\pi/3}
aA ;; a^2
[x]+1 ;; x+1
\text{Bin}(10,0.5) ;; \text{Poi}(10,0.5)
\angle A B C ;; \angle A C B
A B ;; B A
3i+4j ;; 3i+4i
"""

UNREAD = r"""
(12)(34);;stop;;NaN;;Evelyn;;red, blue;;x=5;;x<3;;5 cm of;;1 2 3;;(1,2);;[1,2];;[5];;\{1,2\}
101_2;;no
5%;;5 trees;;5 or 6;;x if y;;top 5;;5 east;;5 apples;;(;;);;5);;(5;;x^;;x_;;\frac{1};;\frac;;\sqrt
\sin;;+;;-;;*5;;5*;;5+;;/2;;a:b;;\foo;;\foo{x};;|x;;x|;;a|b;;\{x;;x\mid y;;1.2.3;;..;;\ldots
1+\ldots+5;;5,000,10;;2x3;;2 3;;\pm 3;;1\pm 2;;';;x^^2;;x__1;;{};;{x;;x};;\$5;;n is even;;all n
f(;;f();;\log_;;\sum;;\sum k;;\int_0;;@;;#5;;x=y=z;;x \in A;;abc;;The answer;;a and b;;5!!!
++5;;--5;;+-+5;;5.,;;5,,;;~5;;5`;;`5;;$5,$,;;x % 3;;4:30;;\begin{pmatrix}1\\2\end{pmatrix}
\pmod 3;;1\frac{3}{2};;(x]
n even;;at least 5;;max 5;;i think so;;7^\circ\foo;;x!y!z@;;5\text{ (max)};;0.5...;;5 \cdot;;x'y(
"""


def rows(table):
    return [line.split(" ;; ") for line in table.strip().splitlines()]


@pytest.mark.parametrize("spellings", rows(SPELLINGS), ids=lambda row: row[0])
def test_spellings_of_one_term(spellings):
    for other in spellings[1:]:
        assert same(spellings[0], other), other


@pytest.mark.parametrize(("first", "second"), rows(DIFFERENT))
def test_what_differs(first, second):
    assert not same(first, second)
    assert not same(second, first)


@pytest.mark.parametrize(
    "text", [text for line in UNREAD.strip().splitlines() for text in line.split(";;")]
)
def test_what_is_no_expression(text):
    assert parse_term(clean(text)) is None


def test_nodes():
    assert read("x_{12}'") == Symbol("x_12'")
    assert read("ABC") == Symbol("ABC")
    assert read("1.50") == Number(read("3/2").parts[0].value / 2, 3)
    assert read("f'(x)") == Call("f'", (Symbol("x"),))
    assert read(r"\log_2 x") == Call("log", (Symbol("x"),), read("2"))
    assert read(r"\log x") == Call("log", (Symbol("x"),))
    assert read(r"60^\circ") == Call("degrees", (read("60"),))
    body = Call("f", (Symbol("i"),))
    assert read(r"\sum_{i=1}^{n} f(i)") == Bound("sum", "i", read("1"), Symbol("n"), body)


def test_capitals_are_one_name_only_without_variables():
    assert read("RC") == Symbol("RC")
    assert same("RCt", "CRt")
    assert read(r"\angle ABC + x").parts[0] == Call("angle", (Symbol("ABC"),))


def test_numbers_are_not_computed_while_they_are_read():
    for text in ("9^{9^{9^{9^9}}}", "(((9!)!)!)!", r"10^{10^{100}}", r"1\times 10^{999999999}"):
        assert read(text)


# Spellings of random terms: (LaTeX, plain text, Python), each bound as strongly as a factor.


def number(value):
    return (str(value),) * 3


def joined(draw, kind, first, second):
    space = draw(st.sampled_from(["", " ", r"\,"]))
    plain = draw(st.sampled_from(["", " "]))
    if kind == "sum":
        return (
            rf"\left({first[0]}{space}+{space}{second[0]}\right)",
            f"({first[1]}{plain}+{plain}{second[1]})",
            f"({second[2]} + {first[2]})",
        )
    if kind == "product":
        dot = draw(st.sampled_from([r"\cdot ", r"\times ", r"\,\cdot\,"]))
        return (
            f"({first[0]}{dot}{second[0]})",
            f"({first[1]}*{second[1]})",
            f"({second[2]}{plain}*{plain}{first[2]})",
        )
    if kind == "quotient":
        frac = draw(st.sampled_from([r"\frac", r"\dfrac", r"\tfrac"]))
        return (
            f"{frac}{{{first[0]}}}{space}{{{second[0]}}}",
            f"({first[1]}/{second[1]})",
            f"(({first[2]})/({second[2]}))",
        )
    return (
        rf"\left({first[0]}{space}-{second[0]}\right)",
        f"({first[1]}{plain}-{second[1]})",
        f"(-({second[2]})+{first[2]})",
    )


FUNCTIONS = {
    "sin": (r"\sin\left(@\right)", "sin(@)", "np.sin(@)"),
    "exp": ("e^{@}", "exp(@)", "math.exp(@)"),
    "abs": (r"\left|@\right|", "|@|", "abs(@)"),
    "square": (r"\left(@\right)^{2}", "(@)^2", "(@)**2"),
    "root": (r"\sqrt[3]{@}", "cbrt(@)", "np.cbrt(@)"),
    "arctan": (r"\tan^{-1}\left(@\right)", "arctan(@)", "np.arctan(@)"),
}


@st.composite
def spellings(draw, depth=3):
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        if draw(st.booleans()):
            return number(draw(st.integers(1, 99)))
        name = draw(st.sampled_from(["x", "y", "theta", "pi"]))
        return name if len(name) == 1 else "\\" + name, name, name
    if draw(st.booleans()):
        pattern = FUNCTIONS[draw(st.sampled_from(sorted(FUNCTIONS)))]
        inside = draw(spellings(depth - 1))
        return tuple(text.replace("@", part) for text, part in zip(pattern, inside, strict=True))
    kind = draw(st.sampled_from(["sum", "product", "quotient", "difference"]))
    first, second = draw(spellings(depth - 1)), draw(spellings(depth - 1))
    return joined(draw, kind, first, second)


@given(spellings())
@settings(max_examples=60, deadline=None)
def test_every_spelling_of_a_term_is_read(texts):
    terms = [read(text) for text in texts]
    assert read("$" + texts[0] + "$.") == terms[0]
    assert read(f"({texts[1]})") == terms[1]
    for term in terms[1:]:
        assert _names(term) == _names(terms[0])


@given(spellings(depth=2))
@settings(max_examples=40, deadline=None)
def test_spellings_of_a_random_term_are_equal(texts):
    from rlvr_fast.tasks.schemes.math.terms.nodes import Term

    terms = [read(text) for text in texts]
    assert all(isinstance(term, Term) for term in terms)
    assume("/" not in texts[1] and "\\frac" not in texts[0])  # a quotient may be undefined
    for term in terms[1:]:
        assert equal_terms(terms[0], term)
    assert not equal_terms(terms[0], read(f"{texts[1]}+1"))


def _names(term):
    names = set()
    stack = [term]
    while stack:
        node = stack.pop()
        if isinstance(node, Symbol):
            names.add(node.name)
        for field in ("parts", "arguments"):
            stack += getattr(node, field, ())
        for field in ("base", "exponent", "degree", "inside"):
            if (inner := getattr(node, field, None)) is not None:
                stack.append(inner)
    return names


SIGNS = (
    r"\frac \sqrt { } ( ) [ ] | ^ _ ! ' + - * / = , . 1 2 12 0.5 x y e i pi sin \sin \log f d dx "
    r"\int \sum \lim \to \infty \overline \dot \binom \choose \angle ABC A the max \bmod ** % & \\ "
    r"\partial \nabla \neg np. C P \{ \} \lfloor \rfloor \lvert \rvert T \top ... \ldots"
)
PIECES = st.sampled_from(SIGNS.split(" "))


@given(st.lists(PIECES, max_size=30), st.sampled_from(["", " "]))
@settings(max_examples=400, deadline=None)
def test_garbage_never_raises(pieces, space):
    term = parse_term(clean(space.join(pieces)))
    if term is not None:
        hash(term)


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_never_raises(text):
    parse_term(text)


@pytest.mark.parametrize(
    "piece",
    [
        r"\frac", r"\frac{", r"\sqrt{", r"\binom", "(", "x(", "f(", "|", "|x", "^{", "2^", "-",
        r"\frac{d", r"\int_0^", r"\neg ", r"\sin", r"P(a\mid ", r"a\setminus ", "x!", "x'", "A^T",
        "1,000,", "1 000 ", "$1", "**a ", "²", "1.", "a ", r"\left(", r"\text{", "x_", "9",
    ],
)  # fmt: skip
def test_long_and_deep_texts_are_refused_or_read(piece):
    for text in (piece * (3900 // len(piece)), piece * (1900 // len(piece)) + ")" * 1900):
        term = parse_term(clean(text))
        if term is not None:
            hash(term)
    assert parse_term("x+" * 40_000 + "x") is None
