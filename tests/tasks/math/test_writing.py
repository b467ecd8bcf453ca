from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rlvr_fast.tasks.schemes.math.writing import LONGEST, clean

CLEANED = [
    # delimiters and sizes
    ("$x+1$", "x+1"),
    ("$$x$$", "x"),
    (r"\( 12 \)", "12"),
    (r"\[ 12 \]", "12"),
    (r"\left(1,\big[2\big]\right)", "(1,[2])"),
    (r"\left|x\right|", r"\lvert x\rvert"),
    (r"\left\{x\left|x>0\right.\right\}", r"\{x|x>0\}"),
    (r"P\left(A\middle|B\right)", "P(A|B)"),
    ("$69$,$84$", "69, 84"),
    ("$f(n)=n$, $g(n)=1$", "f(n)=n, g(n)=1"),
    # a dollar that is a currency
    ("$12", r"\$12"),
    ("$5 or $6", r"\$5 or \$6"),
    (r"\text{\$}5", r"\$5"),
    (r"$\$5$", r"\$5"),
    # spaces
    (r"a\,b\;c\quad d~e", "a b c d e"),
    ("a\u2009b\u00a0c\u3000d\n e", "a b c d e"),
    ("( 1 , 2 )", "(1, 2)"),
    ("\ufeff5\u200b", "5"),
    # fonts and boxes
    (r"\text{13}", "13"),
    (r"\boxed{\mathrm{MR}}=\mathbf{x}", "MR=x"),
    ("**73**", "73"),
    ("**Answer:** 72", "Answer: 72"),
    ("`A`", "A"),
    ('"yes"', "yes"),
    (r"\color{red}{7}", "7"),
    (r"\textcolor{blue}{x}+1", "x+1"),
    (r"5\text{ m/s}^2", "5 m/s^2"),
    (r"a=1\text{or}a=2", "a=1 or a=2"),
    (r"n\text{odd}", "n odd"),
    (r"\sin\mathrm{x}", r"\sin x"),
    (r"\mathbb R", r"\mathbb{R}"),
    ("x**2", "x**2"),
    ("2**3**4", "2**3**4"),
    # ends
    ("5.", "5"),
    ("5 \\text{ ways.}", "5 ways"),
    ("0.333...", r"0.333\ldots"),
    ("x,", "x"),
    ("5..", "5"),
    ("$5.$.", "5"),
    ("5.,", "5.,"),
    ("5,;", "5,;"),
    ("5`", "5`"),
    ("5$", "5"),
    (r"5\@", r"5\@"),
    ("~5", r"\approx 5"),
    (r"~\frac12", r"\frac12"),
    # digits, signs and letters of Unicode
    ("４", "4"),
    ("١٢", "12"),
    ("𝑥+𝟏", "x+1"),
    ("–5", "-5"),
    ("−5", "-5"),
    ("½", r"\frac{1}{2}"),
    ("2½", r"2\frac{1}{2}"),
    ("1⁄3", "1/3"),
    ("¹⁄₃", r"\frac{1}{3}"),
    ("10⁻³", "10^{-3}"),
    ("x₁²", "x_{1}^{2}"),
    ("√3/2", r"\sqrt{3}/2"),
    ("√12", r"\sqrt{12}"),
    ("（1，2）", "(1,2)"),
    ("x ≠ 1", r"x \ne 1"),
    ("θ≤π", r"\theta \le \pi"),
    ("−3 °C", r"-3^\circ C"),
    ("ℝ∖{1}", r"\mathbb{R}\setminus {1}"),
    ("5″", "5''"),
    # one spelling of commands and signs
    (r"\dfrac12", r"\frac12"),
    (r"k \geqslant 2", r"k \ge 2"),
    (r"x\neq1", r"x\ne1"),
    (r"x\not=1", r"x\ne 1"),
    (r"x\not\in A", r"x\notin A"),
    (r"\varnothing", r"\emptyset"),
    ("x != 5", r"x \ne 5"),
    ("5!=120", "5!=120"),
    ("x>=5", r"x\ge 5"),
    ("+- 7", r"\pm 7"),
    ("x->0", r"x\to 0"),
    (r"45^{\circ}", r"45^\circ"),
    (r"x^{\prime\prime}", "x''"),
    (r"y^\prime", "y'"),
    (r"5\%", "5%"),
    (r"1,\dots,\cdots", r"1,\ldots,\ldots"),
    (r"x\not\le 1", "x> 1"),
    ("x≯1", r"x\le 1"),
    ("x <> 1", r"x \ne 1"),
    ("60∘", r"60^\circ"),
    ("60^{°}", r"60^\circ"),
    ("f∘g", r"f\circ g"),
    (r"\mid x-1 \mid", r"|x-1 |"),
    (r"P(A \mid B)", r"P(A \mid B)"),
    ("EF // GH", r"EF\parallel GH"),
    ("Σ_{i=1}^n i", r"\sum _{i=1}^n i"),
    (r"\Delta ABC", r"\triangle ABC"),
    (r"\Delta x", r"\Delta x"),
    (r"1 \over 2", r"\frac{1}{2}"),
    (r"\sfrac{1}{2}", r"\frac{1}{2}"),
    ("^1/_2", r"\frac{1}{2}"),
    ("x{}^2", "x^2"),
    ("{x}_{1}", "x_{1}"),
    ("2ᵏ", "2^{k}"),
    (r"\overset{\frown}{AB}", r"\widehat{AB}"),
    (r"\SI{5}{cm}", "5 cm"),
    (r"5\,{\rm cm^2}", "5 cm^2"),
    (r"\pmatrix{1&2\cr3&4}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"\left( {3, - 2} \right)", "(3, - 2)"),
    (r"{\log _2}5", r"\log _2 5"),
    (r"\hskip 1em x", "x"),
    (r"\bbox[5px,border:2px solid red]{x}", "x"),
    # markup
    ("x<sup>2</sup>+<b>y<sub>1</sub></b>", "x^{2}+y_{1}"),
    ("1<b", "1<b"),
    ("x &le; 5", r"x \le 5"),
    ("1&2;3&b;", "1&2;3&b"),
    (r"\\frac{1}{2}", r"\frac{1}{2}"),
    (r"\\(\\frac{1}{2}\\)", r"\frac{1}{2}"),
    (r"x=1\\y=2", r"x=1\\y=2"),
    ("#### 5", "5"),
    (r"5 \quad \blacksquare", "5"),
    ("✓", "✓"),
    # powers of ten
    ("3e8. It is so", r"3\times 10^{8}. It is so"),
    ("3e8.5", "3e8.5"),
    ("1.5e3", r"1.5\times 10^{3}"),
    (r"1.5\text{e}3", r"1.5\times 10^{3}"),
    ("1.5 e 3", r"1.5\times 10^{3}"),
    ("1.5E+3", r"1.5\times 10^{3}"),
    ("1.6e-19", r"1.6\times 10^{-19}"),
    ("1.5 x 10^3", r"1.5\times 10^3"),
    ("6.02 × 10²³", r"6.02 \times 10^{23}"),
    ("2e - 3", "2e - 3"),
    ("3e^2", "3e^2"),
    ("xe3", "xe3"),
]

THOUSANDS = [
    "1,000,000", r"1\,000\,000", "1 000 000", "1\u202f000\u202f000", "1~000~000",
    "1{,}000{,}000", "1'000'000", r"1,\!000,\!000", "1\u00a0000\u2009000", "1’000’000",
]  # fmt: skip

NO_THOUSANDS = [
    ("5000, 10000", "5000, 10000"),
    ("5,000,10,000", "5,000,10,000"),
    ("(1,234)", "(1,234)"),
    (r"\{1,234\}", r"\{1,234\}"),
    ("[1,234]", "[1,234]"),
    ("1,2", "1,2"),
    ("1,234,56", "1,234,56"),
    ("0,005", "0,005"),
    ("12,34", "12,34"),
    ("1.234", "1.234"),
    ("1234,567", "1234,567"),
    ("(123 456)", "(123 456)"),
    ("1 2 3", "1 2 3"),
    ("1, 234", "1, 234"),
    ("3.141 59", "3.141 59"),
    ("77{,}3486", "77.3486"),
]


@pytest.mark.parametrize(("text", "cleaned"), CLEANED)
def test_spellings(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize("text", THOUSANDS)
def test_separators_of_thousands_go(text):
    assert clean(text) == "1000000"
    assert clean(f"-{text}.5 m") == "-1000000.5 m"


def test_separators_that_are_surely_no_commas_go_in_brackets_too():
    assert clean(r"(10\,000, 10{,}000)") == "(10000, 10000)"
    assert clean("3{,}14") == "3.14"
    assert clean(r"(3.141\,59, 0.000\,125)") == "(3.14159, 0.000125)"


@pytest.mark.parametrize(("text", "cleaned"), NO_THOUSANDS)
def test_other_commas_and_spaces_stay(text, cleaned):
    assert clean(text) == cleaned


@given(st.integers(min_value=0, max_value=10**30))
def test_a_grouped_number_is_the_number(value):
    for sign in (",", r"\,", "{,}", "\u2009", " ", "'"):
        assert clean(f"{value:,}".replace(",", sign)) == str(value)


@given(st.lists(st.integers(0, 9999), min_size=2, max_size=5))
def test_commas_in_brackets_separate(values):
    text = ",".join(map(str, values))
    assert clean(f"({text})") == f"({text})"


@given(st.text(max_size=60), st.sampled_from([10, 300]))
@settings(max_examples=300, deadline=None)
def test_any_text_is_cleaned(text, times):
    cleaned = clean(text)
    assert cleaned == cleaned.strip()
    assert "$" not in cleaned.replace(r"\$", "")
    clean(text * times)


SIGNS = (
    r"\frac \sqrt \text \left \right | { } ( ) [ ] $ \$ 1 000 , . ' ^ _ e 3 \boxed ** ` ² ½ √ "
    r"\, \! ~ \prime x \color \\ \[ \{ - + ="
)
PIECES = st.sampled_from(SIGNS.split(" "))


@given(st.lists(PIECES, max_size=40))
@settings(max_examples=300, deadline=None)
def test_broken_latex_is_cleaned(pieces):
    cleaned = clean("".join(pieces))
    assert cleaned == cleaned.strip()
    assert not set(cleaned) & set("\u2009\ue000\ue001\ue002")


def test_long_texts_stay_as_they_are():
    assert clean(" $" + "1" * LONGEST) == "$" + "1" * LONGEST
