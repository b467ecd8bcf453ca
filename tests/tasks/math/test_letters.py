r"""Names of letters: case, marks, order, Greek of plain text, unknown functions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


EQUAL = [
    # a letter of plain text for either command
    (r"\phi", "φ"),
    (r"\varphi", "φ"),
    (r"\phi+\varphi", r"φ+\phi"),
    (r"\epsilon_0", "ε₀"),
    (r"\phi(7)", "φ(7)"),
    (r"\aleph_0", "ℵ₀"),
    # marks with an index inside or outside
    (r"\hat{x}_1", r"\hat{x_1}"),
    (r"\bar{x}_{12}", r"\overline{x_{12}}"),
    (r"\ddot{v}_o", r"\frac{d^2v_o}{dt^2}"),
    ("x'_1", "x_1'"),
    (r"\widehat{y}", r"\hat{y}"),
    # a run of capitals beside each of its letters
    ("2RC+R+C", "2CR+C+R"),
    ("2RC+R+C", "C(2R+1)+R"),
    # vectors between points
    (r"\overrightarrow{MN}", r"-\overrightarrow{NM}"),
    (r"\vec{AB}+\vec{BC}", r"\vec{AC}"),
    (r"3\hat{i}+4\hat{j}", r"3\mathbf{i}+4\mathbf{j}"),
    # combinations and variations
    ("10", r"\mathrm{C}_5^2"),
    ("20", "A_5^2"),
    ("10", "nCr(5,2)"),
    # differential equations: the argument, a factor of parameters, a current
    (r"\frac{d x}{d t}=k x-a", "x'(t)=kx(t)-a"),
    (r"y^{\prime}+r y-r x(t)=0", "y'(t)+ry(t)=rx(t)"),
    (r"m \frac{d v}{d t}+b v=f", r"\dot v+\frac{b}{m}v=\frac{f}{m}"),
    (r"x'+\frac{r}{V}x-rc=0", "Vx'+rx=rcV"),
    (r"L\frac{di}{dt}+Ri=V", r"\frac{di}{dt}+\frac{R}{L}i=\frac{V}{L}"),
    (r"\frac{dP}{dt}=rP(1-P/K)", r"P'=rP-\frac{rP^2}{K}"),
    # letters that are a unit elsewhere
    (r"2\pi rh", r"2\pi hr"),
    # a small letter for a choice, in a whole answer
    ("A", "a"),
    ("A, C", "a, c"),
]

DIFFERENT = [
    (r"\Phi", "φ"),
    (r"\hat{\phi}", "φ"),
    (r"\phi", r"\varphi"),
    ("RC", "CR"),
    ("2RC+R+C", "2R+C"),
    ("2RC+R+C", "2RC+R+c"),
    (r"\vec{AB}", r"\vec{BA}"),
    (r"\vec{AB}+\vec{BC}", r"\vec{CA}"),
    (r"\vec{AB}", r"-\vec{AB}"),
    (r"\hat{i}", "i"),
    ("10", "C_5^3+1"),
    ("C_5^2", "C_5^4"),
    (r"\frac{dx}{dt}=kx-a", "x(t)=kx(t)-a"),
    (r"\frac{dx}{dt}=kx-a", "x'(t)=kx(t)+a"),
    ("y'+ry-rx(t)=0", "y'+ry-rx(t')=0"),
    ("y'+ry-rx(t)=0", "y'+ry-x(t)=0"),
    (r"x'+\frac{r}{V}x-rc=0", "Vx'+rx=rc"),
    (r"L\frac{di}{dt}+Ri=V", r"\frac{di}{dt}+Ri=V"),
    (r"L\frac{di}{dt}+Ri=V", r"L\frac{di}{dt}+Ri=v"),
    (r"2\pi rh", r"2\pi \text{min}"),
    # as parts, the capital and the small letter are two names
    (r"\{A, a\}", r"\{a\}"),
    ("(A,a)", "(a,a)"),
    (r"B \to A", r"b \to A"),
    (r"A \iff B", r"A \iff b"),
    ("A, C", "a, C"),
    # primes among words
    (r"\text{point } P", r"\text{point } P'"),
    (r"\operatorname{curl} F", r"\operatorname{curl} F'"),
    ("type I", "type I'"),
]


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_agree(gold, answer):
    assert agrees(gold, answer)
    if not re.fullmatch("[A-Z](, [A-Z])*", gold):
        assert agrees(answer, gold)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_differ(gold, answer):
    assert not agrees(gold, answer)
    assert not agrees(answer, gold)


MARKS = {
    "plain": ["{}"],
    "prime": ["{}'", r"{}^{{\prime}}", "{}′"],
    "two primes": ["{}''", r"{}^{{\prime\prime}}"],
    "hat": [r"\hat{{{}}}", r"\widehat{{{}}}", r"\hat {}"],
    "tilde": [r"\tilde{{{}}}", r"\widetilde{{{}}}"],
    "vec": [r"\vec{{{}}}", r"\overrightarrow{{{}}}"],
    "index": ["{}_1", "{}_{{1}}", "{}₁"],
    "other index": ["{}_2", "{}_{{ 2 }}"],
    "star": ["{}^*", "{}^{{*}}"],
    "dagger": [r"{}^\dagger", r"{}^{{\dagger}}"],
    "square": ["{}^2", "{}^{{2}}", "{}²"],
    "inverse": ["{}^{{-1}}", "{}⁻¹"],
    "bars": ["|{}|", r"\left|{}\right|", "∣{}∣"],
    "call": ["f({})", r"f\left({}\right)"],
    "derivative": ["f'({})", r"f^{{\prime}}({})"],
    "inverse call": ["f^{{-1}}({})"],
    "sine": [r"\sin {}", r"\sin\left({}\right)", r"\mathrm{{sin}}\,{}"],
}
LETTERS = ["x", "X", r"\theta", r"\Theta", "R", "r", "v", "a", "A"]
MARKED = st.tuples(st.sampled_from(sorted(MARKS)), st.sampled_from(LETTERS))
AROUND = st.sampled_from(["{}", "2{}+1", r"\frac{{{}}}{{k}}", "k{}", "m={}"])


@given(MARKED, MARKED, AROUND, st.data())
@settings(max_examples=200, deadline=None)
def test_a_name_is_its_letter_and_its_mark(first, second, around, data):
    texts = [
        around.format(data.draw(st.sampled_from(MARKS[mark])).format(letter))
        for mark, letter in (first, second)
    ]
    whole = around == "{}" and first[0] == second[0] == "plain"
    if whole and {first[1], second[1]} == {"A", "a"}:
        return  # a choice
    assert agrees(*texts) == (first == second)


IN_ORDER = [
    "{}", r"\text{{{}}}", r"\mathrm{{{}}}", r"\triangle {}", r"\overline{{{}}}", "|{}|", "{}=5",
    r"\overrightarrow{{{}}}", r"\widehat{{{}}}", r"{} \parallel XY", r"S_{{\triangle {}}}",
    r"\triangle {} \sim \triangle XYZ", "P({})", r"{} \cap XY", "{}, XY", "({}, XY)",
]  # fmt: skip


@given(st.permutations("ABC"), st.permutations("ABC"), st.sampled_from(IN_ORDER))
@settings(max_examples=150, deadline=None)
def test_capitals_stand_in_order(first, second, around):
    texts = [around.format("".join(letters)) for letters in (first, second)]
    assert agrees(*texts) == (first == second)
