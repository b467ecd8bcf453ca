"""Canonical forms: equal values get equal forms, and no two values share one."""

from __future__ import annotations

import json
import os
import random
import re
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.answers import compare_canonical, normalize_answers
from rlvr_fast.answers.normalization import complete_forms
from rlvr_fast.errors import InvalidInputError

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("RLVR_SHARED", ROOT.parent / "shared"))
needs_benchmarks = pytest.mark.skipif(
    not (SHARED / "benchmarks").is_dir(), reason=f"no benchmarks in {SHARED} (set RLVR_SHARED)"
)


EXACT = Context(prec=50)


def form(answer: str) -> str:
    return str(normalize_answers([answer])[0])


EQUAL = [
    [
        "0.50",
        "1/2",
        r"\frac{1}{2}",
        r"\frac12",
        r"\dfrac{1}{2}",
        r"\tfrac12",
        ".5",
        "+0.5",
        "$0.5$",
        r"\(\frac{1}{2}\)",
        r"\[ 0.5 \]",
        r"\boxed{\frac{1}{2}}",
        r"\left(\frac{1}{2}\right)",
        "5e-1",
        r"5\times10^{-1}",
        r"5 \cdot 10^{-1}",
        "0.5.",
        "**1/2**",
        r"\frac 1 2",
        r"2^{-1}",
        r"\frac{\sqrt{2}}{2\sqrt2}",
        r"\sqrt{1/4}",
        r"\displaystyle \frac{1}{2}",
        "1 / 2",
        "2/4",
    ],
    [
        "1234",
        "1,234",
        r"1{,}234",
        r"1,\!234",
        r"1,\! 234",
        "1234.0",
        "1.234e3",
        r"\text{1234}",
        r"\mathrm{1234}",
    ],
    [
        "-3",
        "\u22123",
        r"-3",
        r"\text{-3}",
        "(-3)",
        r"$-3$",
        "-6/2",
        r"\frac{-6}{2}",
        r"-\frac{6}{2}",
        r"\frac{6}{-2}",
    ],
    ["3/2", r"1\frac{1}{2}", "1 1/2", "1.5", r"1 \frac12"],
    [
        r"2\sqrt{2}",
        r"\sqrt{8}",
        r"\sqrt8",
        "2*sqrt(2)",
        r"\frac{4}{\sqrt2}",
        r"2 \sqrt 2",
        r"8^{1/2}",
        r"\sqrt{2}+\sqrt{2}",
        r"2^{3/2}",
        "\u221a8",
    ],
    [r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", r"1/\sqrt2", r"\sqrt{\frac{1}{2}}", r"2^{-1/2}"],
    [r"\frac{\pi}{2}", r"2\pi/4", r"\pi/2", r"0.5\pi", r"\frac{1}{2}\pi", "pi/2", "\u03c0/2"],
    [r"\frac{1}{1+\sqrt{2}}", r"\sqrt2-1", r"-1+\sqrt{2}"],
    ["6-5i", "-5i+6", r"\frac{61}{6+5i}"],
    [r"90^\circ", r"90^{\circ}", "90\u00b0", r"90\text{ degrees}", "90 degrees"],
    ["(A)", "A", r"\text{A}", r"\text{(A)}", r"\mathrm{A}", r"\textbf{(A)}", "$A$"],
    [r"\text{east}", "east", "East", r"\mathrm{east}", "east.", r"\text{ east }"],
    ["(1,2)", r"\left( 1, 2 \right)", "(1.0, 4/2)", "$(1,2)$", "(2/2,2)"],
    ["[0,1)", r"\left[0,1\right)", "[0, 1)"],
    [r"(-\infty, 3]", r"\left(-\infty,3\right]", "(-\u221e,3]"],
    [r"(0,1)\cup(2,3)", r"(2,3) \cup (0,1)"],
    [
        r"\{1,2,3\}",
        r"\{3,2,1\}",
        r"\left\{1,2,3\right\}",
    ],
    ["1,2,3", "1, 2, 3", "$1$,$2$,$3$"],
    ["2^{10}", "2^10", "1024"],
    ["x^{10}y", "x^10y", "x^10 y"],
    [r"\$5", "$5", r"\$5.00", r"5\$"],
    ["\u20ac5", "5 \u20ac"],
    ["5 cm^2", r"5\text{ cm}^2", r"5\mathrm{cm}^{2}"],
    ["x=5", "x = 5", "$x = 5$"],
    [
        r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
        r"\begin{bmatrix}1&2\\3&4\end{bmatrix}",
        r"\begin{pmatrix} 1.0 & 2 \\ 3 & 8/2 \\ \end{pmatrix}",
    ],
    ["2x+3", "3+2x", r"2\cdot x+3", "2*x+3"],
    ["y=2x+3", "y = 3+2x"],
    ["(a+5)(b+2)", "ab+2a+5b+10", "(b+2)(a+5)"],
    [r"\frac{n(n+1)}{2}", r"\frac{1}{2}n^2+\frac{n}{2}", "n(n+1)/2"],
    [r"\frac{1}{2n+2}", r"\frac{1}{2(n+1)}"],
    ["52_8", "52_{8}", r"52_8."],
    [r"5\sqrt[3]{4}", r"5 \cdot 4^{1/3}", r"5\cdot2^{2/3}"],
    [r"\binom{5}{2}", "10", r"\frac{5!}{3! \cdot 2!}"],
    [r"\lfloor 5/2 \rfloor", "2"],
    [r"\ln 2", r"\ln(2)", r"\ln{2}"],
    ["4.5e33", r"4.5 \times 10^{33}", r"45\cdot10^{32}"],
]

UNEQUAL = [
    ("1,234", "1, 234"),
    ("1.234", "1234"),
    ("(1,2)", "[1,2]"),
    ("(1,2)", "(2,1)"),
    ("(1,2]", "(1,2)"),
    ("(1,2]", "[1,2)"),
    ("52_8", "52"),
    ("52_8", "52_9"),
    (r"2\frac{1}{2}", "1"),
    ("1/2", "2"),
    ("50%", "50"),
    ("50%", "0.5"),
    (r"50\%", "1/2"),
    ("x=1,y=2", "x=2,y=1"),
    ("f(2x)", "2f(x)"),
    ("I(0)", "0"),
    ("2^10", "20"),
    ("1/2x", "x/2"),
    ("0.333", "1/3"),
    ("3.14", r"\pi"),
    (r"\sqrt{2}", "1.41421356"),
    ("cat", "act"),
    ("5 cats", "5 acts"),
    ("east", "west"),
    ("abc", "cba"),
    ("m", "M"),
    (r"\{5\}", "5"),
    (r"-2,-2", "-2"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)"),
    ("1-2i", "1+2i"),
    ("x", "x^2"),
    ("x_1", "x_2"),
    ("2x", "x^2"),
    (r"\sin x", r"\cos x"),
    ("?1/2", "1/2"),
    ("", "0"),
    ("({1,1},2)", "(1,1,2)"),
    ("11/2", "1 1/2"),
    (r"5\text{ million}", "5"),
    ("10^{-3}", "10^{3}"),
    ("3!", "3"),
    (r"\frac{1}{23}", r"\frac123"),
    ("1e5", "15"),
    (r"(-8)^{1/3}", "-2"),
    ("a,b", "(a,b)"),
    ("19,100", "19, 100"),
    ("-0.0000001", "0"),
    (r"\text{no}", "o"),
    (r"x\pm1", r"x+1"),
]


@pytest.mark.parametrize("group", EQUAL, ids=lambda g: g[0])
def test_notations_of_one_value_share_a_form(group: list[str]) -> None:
    forms, resolved = normalize_answers(group, return_resolved=True)
    assert all(resolved), [a for a, r in zip(group, resolved, strict=True) if not r]
    assert set(forms) == {forms[0]}


def test_groups_of_different_values_have_different_forms() -> None:
    forms = [form(group[0]) for group in EQUAL]
    assert len(set(forms)) == len(forms)


@pytest.mark.parametrize(("x", "y"), UNEQUAL)
def test_different_answers_have_different_forms(x: str, y: str) -> None:
    assert form(x) != form(y)


@pytest.mark.parametrize(
    "answer",
    [
        "50%",
        r"50\%",
        "10^{10^{10}}",
        "2^{1009}",
        "1/0",
        "1/2x",
        "f(2x)",
        "(1,2",
        "AB",
        "A B",
        "nRT",
        "1 and 2",
        "1 or 2",
        r"\pm 3",
        r"x \in [0,1)",
        r"\{1,1,2\}",
        "1; 2",
        "5 per cent",
        "5 nm",
        "5 m",
        "3 A",
        "2 by 4",
        "5 am",
        "(ii)",
        "xi",
        "9=1",
        "i=5",
        "x=1, x=2",
        "2[x+1]",
        "3 - 5",
        "1+2 cm",
        r"-\$5",
        r"\$5\text{ cents}",
        "3.1415926e5",
        r"\sqrt{x}\sqrt{x}",
        "1//2",
        "x=1,y=2",
        "the answer is 5",
        r"(-8)^{1/3}",
        r"2\frac{7}{3}",
        "1 3/2",
        "5 cats",
        "[5]",
        "11,19,1000,",
        r"\sqrt12",
        "9" * 61,
        "1e39",
        r"\int x dx",
        "x(t)",
        "y'",
        "|x|",
        "3 < x",
        "1_000",
        r"0.\overline{3}",
        "\u00bd",
        "1\x002",
        "77{,}3486",
        "~~10~~",
        "1234{,}567",
        r"1.0\mathrm{e}{-5}",
    ],
)
def test_answer_without_an_exact_value_is_unresolved(answer: str) -> None:
    (text,), (resolved,) = normalize_answers([answer], return_resolved=True)
    assert not resolved
    assert text == "?" + " ".join(answer.split())


def test_numbers_beyond_128_bits_do_not_overflow() -> None:
    big = 2**126
    for value in (big - 1, big, big + 1, 2**127 - 1, 2**127, 2**128 + 1, 10**59):
        text = form(str(value))
        assert text in (str(value), f"?{value}")
        for product in (f"{value}*2", f"{value}+{value}", f"{value}*{value}", f"{value}^2"):
            assert form(product) in ("?" + product, str(eval(product.replace("^", "**"))))


def test_arrow_gives_arrow_and_none_gives_none() -> None:
    forms, resolved = normalize_answers(pa.array(["2/4", None, "50%"]), return_resolved=True)
    assert forms.to_pylist() == ["1/2", None, "?50%"]
    assert resolved.to_pylist() == [True, False, False]
    assert normalize_answers(["2/4", None]) == ["1/2", None]
    assert normalize_answers([]) == []


def test_answers_that_are_no_strings_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="row 1: expected a string or None, got int"):
        normalize_answers(["1", 2])
    with pytest.raises(InvalidInputError, match="expected strings"):
        normalize_answers(pa.array([1, 2]))


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ("1/2", "0.5", "equal"),
        ("1/2", "2", "different"),
        ("1/3", "0.3333333", "unknown"),
        ("1/3", "0.333", "different"),
        ("(1,2)", "(1,3)", "different"),
        ("(1,2)", "5", "different"),
        ("(1,2)", "[1,2]", "unknown"),
        ("(1,234)", "1234", "unknown"),
        ("1,2", "1,3", "different"),
        ("1,2", "2,1", "equal"),
        ("1,2", r"\{2,1\}", "equal"),
        ("1,2", "(1,2)", "unknown"),
        ("1,2", "(1,3)", "different"),
        (r"\{1,2\}", "(1,2)", "different"),
        ("1,2", "5", "different"),
        ("5", "x=5", "equal"),
        ("5", "5 cm", "equal"),
        ("6", "x=5 cm", "different"),
        ("x=5", "y=5", "unknown"),
        ("x=5", "x=6", "different"),
        ("5 cm", "5 km", "unknown"),
        ("5 cm", "6 cm", "different"),
        (r"\$5", "5", "equal"),
        (r"\$5", "5 cents", "unknown"),
        (r"45^\circ", "45", "equal"),
        (r"45^\circ", r"\pi/4", "unknown"),
        (r"45^\circ", "0.7853982", "unknown"),
        (r"45^\circ", "46", "different"),
        ("1/2", "0.5000000", "equal"),
        ("1/2", "0.50000001", "different"),
        ("1/3", "0.3343333", "different"),
        ("1/3", "0.333333", "different"),
        ("0.3333333", "0.33333333", "different"),
        (r"\pi", "3.14159265", "unknown"),
        (r"\pi", "3.14159", "different"),
        ("e", "2.7182818", "unknown"),
        ("A", "B", "different"),
        ("A", "a", "unknown"),
        ("1/2^{99}", "1/2^{98}", "different"),
        ("1.6e-19", "9.1e-31", "different"),
        ("0", "1e-30", "different"),
        (r"\sqrt2", "1.4142136", "unknown"),
        (r"\sqrt2", "1.5", "different"),
        ("50%", "50", "unknown"),
        ("east", "west", "unknown"),
        ("2x", "3x", "different"),
        ("2n", "2k", "unknown"),
        ("x+1", "7", "different"),
        (r"\frac{37}{4}m", "37/4", "unknown"),
        ("1e-8", "2e-8", "different"),
        (r"\sin 1", r"\sin 2", "unknown"),
        ("1+i", "1-i", "different"),
        ("52_8", "42", "unknown"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}", "different"),
        ("4.5e33", "4.6e33", "different"),
        (r"\{5\}", "5", "unknown"),
    ],
)
def test_comparison_of_forms(gold: str, answer: str, expected: str) -> None:
    assert compare_canonical([form(gold)], [form(answer)]) == [expected]
    assert compare_canonical([form(answer)], [form(gold)]) == [expected]


def test_comparison_of_columns() -> None:
    assert compare_canonical(pa.array(["1", None]), ["1", "1"]) == ["equal", "unknown"]
    with pytest.raises(InvalidInputError, match="as many golds as answers; got 1 and 2"):
        compare_canonical(["1"], ["1", "2"])


# ---------------------------------------------------------------------------- against sympy


class Expressions:
    """Random answers, each with the value that sympy gives its parts."""

    def __init__(self, seed: int) -> None:
        import sympy

        self.sympy = sympy
        self.rng = random.Random(seed)
        self.x, self.y = sympy.symbols("x y")

    def atom(self, symbols: bool) -> tuple[str, object]:
        s, r = self.sympy, self.rng
        n = r.randint(0, 9)
        kind = r.randrange(9 if symbols else 7)
        if kind == 0:
            return str(n), s.Integer(n)
        if kind == 1:
            text = f"{n}.{r.choice(['5', '25', '50', '0', '125'])}"
            return text, s.Rational(text)
        if kind == 2:
            a, b = r.randint(1, 9), r.randint(1, 9)
            return rf"\frac{{{a}}}{{{b}}}", s.Rational(a, b)
        if kind == 3:
            n = r.choice([2, 3, 4, 5, 8, 12, 18, 50])
            return rf"\sqrt{{{n}}}", s.sqrt(n)
        if kind == 4:
            return r"\pi", s.pi
        if kind == 5:
            n = r.choice([2, 3, 4, 9, 16])
            return rf"\sqrt[3]{{{n}}}", s.root(n, 3)
        if kind == 6:
            a, b = r.randint(1, 4), r.randint(2, 5)
            whole, part = divmod(a, b)
            if whole or part == 0:
                return "i", s.I
            return rf"{n + 1}\frac{{{a}}}{{{b}}}", s.Integer(n + 1) + s.Rational(a, b)
        return ("x", self.x) if kind == 7 else ("y", self.y)

    def make(self, depth: int, symbols: bool) -> tuple[str, object]:
        s, r = self.sympy, self.rng
        if depth == 0 or r.random() < 0.2:
            return self.atom(symbols)
        a, va = self.make(depth - 1, symbols)
        b, vb = self.make(depth - 1, symbols)
        kind = r.randrange(8)
        if kind == 0:
            return f"{a} + {b}", va + vb
        if kind == 1:
            return f"{a} - ({b})", va - vb
        if kind == 2:
            return rf"({a}) \cdot ({b})", va * vb
        if kind == 3:
            return f"({a})({b})", va * vb
        if kind == 4 and vb != 0:
            return rf"\frac{{{a}}}{{{b}}}", va / vb
        if kind == 5:
            n = r.randint(-2, 3)
            if va == 0 and n <= 0:
                return a, va
            return f"({a})^{{{n}}}", va**n
        if kind == 6 and va.is_positive:
            return rf"\sqrt{{{a}}}", s.sqrt(va)
        return f"-({a})", -va

    def value(self, expression: object) -> complex | None:
        """The value to 40 digits, with the symbols at fixed numbers."""
        s = self.sympy
        point = {self.x: s.Rational(17, 13), self.y: s.Rational(-29, 11)}
        value = s.sympify(expression).subs(point)
        if value.has(s.zoo, s.nan, s.oo):
            return None
        return value.evalf(40)


def check_against_sympy(seed: int, count: int) -> tuple[int, int]:
    """No two values share a form; exact forms that differ are different values."""
    make = Expressions(seed)
    by_form: dict[str, tuple[str, object]] = {}
    by_value: dict[str, tuple[str, str]] = {}
    resolved_count = equal_pairs = 0
    for _ in range(count):
        text, expression = make.make(make.rng.randint(1, 3), make.rng.random() < 0.4)
        (canonical,), (resolved,) = normalize_answers([text], return_resolved=True)
        if not resolved:
            continue
        value = make.value(expression)
        assert value is not None, f"{text} has no value but the form {canonical}"
        resolved_count += 1
        if canonical in by_form:
            other_text, other = by_form[canonical]
            gap = abs(complex(value - other))
            assert gap <= 1e-15 * max(1.0, abs(complex(value))), (
                f"{text} and {other_text} share {canonical}"
            )
            equal_pairs += 1
        by_form[canonical] = (text, value)
        # The canonical form of a canonical form is the form itself.
        assert normalize_answers([canonical]) == [canonical], text
        opaque = "(" in re.sub(r"\^\(-?\d+(/\d+)?\)", "", canonical)
        if not opaque and not ({"x", "y"} & set(canonical)):
            re_part, im_part = value.as_real_imag()
            key = f"{float(re_part):.9e} {float(im_part):.9e}".replace(
                "-0.000000000e+00", "0.000000000e+00"
            )
            known = by_value.setdefault(key, (canonical, text))
            assert known[0] == canonical, f"{text} and {known[1]}: one value, two forms"
    return resolved_count, equal_pairs


def test_forms_agree_with_sympy() -> None:
    resolved, equal = check_against_sympy(seed=1, count=1500)
    assert resolved > 1000
    assert equal > 200


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_forms_of_many_expressions_agree_with_sympy(seed: int) -> None:
    resolved, equal = check_against_sympy(seed=seed, count=6000)
    assert resolved > 4000
    assert equal > 800


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**6), st.integers(1, 50))
@settings(max_examples=200, deadline=None)
def test_fractions_are_in_lowest_terms(n: int, d: int, k: int) -> None:
    want = Fraction(n, d)
    text = str(want.numerator) if want.denominator == 1 else f"{want.numerator}/{want.denominator}"
    assert form(rf"\frac{{{n * k}}}{{{d * k}}}") == text
    assert form(f"{n * k}/{d * k}") == text
    assert form(f"({n})/({d})") == text


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6
    )
)
@settings(max_examples=200, deadline=None)
def test_decimals_are_exact(value: Decimal) -> None:
    want = Fraction(str(value))
    text = str(want.numerator) if want.denominator == 1 else f"{want.numerator}/{want.denominator}"
    long = len(f"{abs(value):f}".replace(".", "").lstrip("0")) >= 7
    assert form(f"{value:f}") == (f"{value:f}" if long else text)
    assert compare_canonical([form(f"{value:f}")], [text]) == ["equal"]
    near = form(f"{EXACT.add(value, Decimal('1e-6')):f}")
    assert compare_canonical([form(f"{value:f}")], [near]) == ["different"]


@given(st.integers(-99, 99), st.integers(1, 99), st.integers(-34, 0))
@settings(max_examples=200, deadline=None)
def test_small_values_differ_at_any_magnitude(n: int, d: int, exponent: int) -> None:
    texts = [f"{n}/{d}e{exponent}", f"{n + 1}/{d}e{exponent}"]
    assert compare_canonical([form(texts[0])], [form(texts[1])]) == ["different"]


@pytest.mark.parametrize(
    ("gold", "answers", "completed"),
    [
        ("5", ["5", "x=5", "5 cm", "x = 5 km", r"\$5", r"5^\circ", "5.0000000"], "5"),
        ("5 km", ["5", "x=5", "5 km", "x = 5 km"], r"5\text{ km}"),
        ("5 km", ["5 cm", "x=5 cm"], r"5\text{ cm}"),
        ("x=5", ["5", "x=5", "5 cm"], "x=5"),
        ("x=5", ["y=5"], "y=5"),
        ("x=5", ["x+1"], "1+x"),
        ("2x+3", ["y=2x+3", "f(x)=3+2x"], "3+2*x"),
        ("1,2", ["2, 1", "1,2"], "1, 2"),
        ("(1,2)", ["2, 1"], "2, 1"),
        (r"45^\circ", ["45", "45 degrees"], r"45^\circ"),
        (r"45^\circ", [r"\pi/4"], "1/4*pi"),
        (r"\pi/4", [r"45^\circ"], r"45^\circ"),
        (r"\sqrt{2}", ["1.4142136", "x=1.4142136"], "1.4142136"),
        ("A", ["x=A"], "?x=A"),
        (r"x \ge 5", ["x=5"], "x=5"),
        ("50%", ["5 cm"], r"5\text{ cm}"),
    ],
)
def test_forms_that_differ_in_dressing_have_one_completion(
    gold: str, answers: list[str], completed: str
) -> None:
    forms = normalize_answers(answers)
    golds = [form(gold)] * len(forms)
    assert complete_forms(forms, golds) == [completed] * len(forms)
    assert complete_forms([completed], golds[:1]) == [completed]
    verdicts = compare_canonical(golds, forms)
    assert compare_canonical(golds, [completed] * len(forms)) == verdicts


def test_completion_without_a_gold_changes_nothing() -> None:
    assert complete_forms(["x=5", None, "?a"], [None, "5", "5"]) == ["x=5", None, "?a"]
    assert complete_forms(pa.array(["x=5"]), ["5"]).to_pylist() == ["5"]
    with pytest.raises(InvalidInputError, match="as many golds as forms; got 1 and 2"):
        complete_forms(["1", "2"], ["1"])


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_gets_a_stable_form(text: str) -> None:
    (first,), (resolved,) = normalize_answers([text], return_resolved=True)
    assert first.startswith("?") == (not resolved)
    assert normalize_answers([f"  {text}\n"]) == [first]


# ---------------------------------------------------------------------------- real gold answers


def gold_answers() -> list[str]:
    golds: list[str] = []
    for path in sorted((SHARED / "benchmarks").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if path.stem == "gsm8k":
                golds.append(row["answer"].split("####")[-1].strip())
            elif path.stem == "olympiadbench":
                value = row["final_answer"]
                golds += [str(v) for v in value] if isinstance(value, list) else [str(value)]
            elif path.stem == "minerva_math":
                from rlvr_fast.answers import extract_answers

                (answer,), _ = extract_answers([row["solution"]], policy="boxed")
                golds.append(answer)
            else:
                golds.append(str(row["answer"]))
    return golds


@needs_benchmarks
def test_gold_answers_are_resolved_and_equal_in_other_notations() -> None:
    golds = gold_answers()
    assert len(golds) == 2836
    forms, resolved = normalize_answers(golds, return_resolved=True)
    assert sum(resolved) >= 0.97 * len(golds)
    for gold, text, ok in zip(golds, forms, resolved, strict=True):
        if not ok:
            continue
        dressed = [rf"\boxed{{{gold}}}", f" {gold} ", f"{gold}."]
        if "$" not in gold:
            dressed += [f"${gold}$", rf"\({gold}\)", rf"\[{gold}\]", rf"\displaystyle {gold}"]
        if re.fullmatch(r"-?\d+(\.\d+)?", gold):
            dressed += [rf"\text{{{gold}}}", f"x = {gold}", f"{gold} cm"]
            dressed += [rf"\frac{{{gold}}}{{1}}", f"{gold}/1", rf"{gold}\,"]
            dressed += [f"{gold}.0" if "." not in gold else gold + "0"]
            if "." not in gold:
                dressed.append(f"{int(gold):,}")
        forms = normalize_answers(dressed)
        golds_of_all = [text] * len(forms)
        assert complete_forms(forms, golds_of_all) == golds_of_all, gold
        assert set(compare_canonical(golds_of_all, forms)) == {"equal"}, gold


# Notations that Math-Verify's LaTeX parser reads as another value: 1e5 (as 1 e 5), -3./2, \\$5.
UNREAD = re.compile(r"\de-?\d|\./|\\\$")


@needs_benchmarks
def test_gold_answers_that_share_a_form_are_equal() -> None:
    """Judged by sympy through Math-Verify's parser, for golds whose text differs."""
    math_verify = pytest.importorskip("math_verify")
    golds = sorted(set(gold_answers()))
    groups: dict[str, list[str]] = {}
    for gold, text in zip(golds, normalize_answers(golds), strict=True):
        groups.setdefault(text, []).append(gold)
    pairs = [(g[0], other) for g in groups.values() for other in g[1:]]
    assert len(pairs) > 20

    def parse(text: str) -> object:
        return math_verify.parse(text if "$" in text else f"${text}$", parsing_timeout=None)

    unlike = [
        (x, y)
        for x, y in pairs
        if not any(UNREAD.search(text) for text in (x, y))
        and not ("=" in x and "=" in y)  # x = 1 and k = 1: the form drops the name
        and not math_verify.verify(parse(x), parse(y), timeout_seconds=None)
    ]
    assert unlike == []
