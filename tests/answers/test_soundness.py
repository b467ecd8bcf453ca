"""Two values never share a canonical form: ambiguous answers, and a fuzz of known meanings.

The reader that decides what the forms leave open (tasks/schemes/math/reading.py) is the judge.
"""

from __future__ import annotations

import functools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_normalization import gold_answers, needs_benchmarks

from rlvr_fast.answers import compare_canonical, normalize_answers
from rlvr_fast.answers.normalization import complete_forms
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer

sympy = pytest.importorskip("sympy")

# Answers that look alike and have different meanings, so that they must have different forms. An
# answer with two readings is unresolved.
CONFUSABLE = [
    ["3 boys and 5 girls", "5 boys and 3 girls", "3, 5"],
    ["3 ft, 5 in", "5 ft, 3 in", "3, 5"],
    ["3 hours and 15 minutes", "15 hours and 3 minutes", "3:15"],
    ["(3 ft, 5 in)", "(3 in, 5 ft)", "(3, 5)"],
    ["5 cm^2, 3 cm", "5 cm, 3 cm^2"],
    [r"\$3, 5 \u20ac".replace("\\u20ac", "\u20ac"), r"\$5, 3 \u20ac".replace("\\u20ac", "\u20ac")],
    ["3-5", "-2", "[3,5]", "5-3"],
    ["2020-01-02", "2017", "2020-02-01"],
    ["1/2/3", "1/6", "3/2", "1/2/2003"],
    ["3:15", "3/15", "3.15"],
    ["3:5", "3.5", "(3,5)"],
    ["0.(3)", "0", "0.3", "0.333"],
    ["0.1(6)", "0.6", "0.16", "1/6"],
    ["5.12(3)", "15.36", "5.12"],
    ["0.333...", "0.333", "1/3"],
    [r"0.\overline{3}", "0.3", "1/3"],
    ["3!!", "720", "3", "6"],
    ["2^3!", "64", "40320"],
    ["2^3^2", "64", "512"],
    ["x\u00b2\u00b3", "x^6", "x^{23}"],
    ["1A_{16}", "A_{16}", "26", "10"],
    ["BA_{16}", "AB_{16}"],
    ["10_2", "10", "2", "10_3"],
    ["(ii)", "-1", "(iii)", "(iv)", "(vi)"],
    ["(i)", "(ii)", "1"],
    ["(e)", "e"],
    ["(A) -3", "A-3", "A"],
    ["~~5~~", "5"],
    ["{32}{9}", "288", "329"],
    ["3{2}", "6", "32"],
    ["2{x+1}", "2x+2", "2x+1"],
    ["{2x}^2", "4x^2", "2x^2"],
    [r"3\frac{1}{2}x", r"\frac{7}{2}x", r"\frac{3}{2}x"],
    [r"\sin(30^\circ)", r"\sin(30)", r"\sin(30\degree)", "1/2"],
    [r"\frac{dy}{dx}", r"\frac{y}{x}"],
    [r"3\mathbf{i}+4\mathbf{j}", "3i+4j"],
    ["5,000,10,000", "0,0,5,10", "5000, 10000"],
    ["1,05", "1,5", "1.05"],
    [r"3,\!14", "3,14", "3.14"],
    ["x=1,y=2", "1,2", "x=2,y=1"],
    [r"x \in 5", "5"],
    ["5%", "5", "0.05"],
    ["5 percent", "5", "0.05"],
    ["5 million", "5", "5 thousand"],
    ["5 dozen", "5", "60"],
    ["(A)", "(a)", "(B)"],
    ["1 1/2", "1*1/2", "11/2"],
    ["1,234", "(1,234)", "[1,234]", "1, 234"],
    ["12,34", "12.34", "1234"],
    [r"\{1,2\}", "(1,2)", "[1,2]", "(1,2]"],
    [r"\infty", r"-\infty", "inf"],
    ["5 am", "5 pm", "5"],
    ["5 m", "5 s", "5"],
    ["1 or more", "1"],
    ["3 out of 5", "3/5", "3"],
    ["at least 5", "5", "at most 5"],
    [r"\ge 5", "5", r"\le 5"],
    ["2e3.5", "2000"],
    ["1.2.3", "1.23", "6"],
]  # fmt: skip


@pytest.mark.parametrize("group", CONFUSABLE, ids=lambda group: group[0])
def test_confusable_answers_have_different_forms(group: list[str]) -> None:
    forms = normalize_answers(group)
    assert len(set(forms)) == len(forms), dict(zip(group, forms, strict=True))


# Forms keep what some gold could ask for.
KEPT = [
    ["5", "5 cm", "5 km", r"5\text{ cm}^2", "5 hours", "5 people", r"5^\circ"],
    ["5", r"\$5", "5 cents", "\u20ac5", "\u00a35"],
    ["5", "x=5", "y = 5", "f(x)=5", "f(y)=5", "x_1=5", r"\theta=5"],
    ["1,2", r"\{1,2\}", "1 and 2", "1 or 2", "x=1,2", "2, 1", "1; 2", r"x \in \{1,2\}"],
    ["1.000000", "1.0000000", "1"],
    ["AB", "BA", "ab", "A B"],
    ["RLRL", "RRLL", "LRLR", "rlrl"],
    ["stop", "pots"],
]


@pytest.mark.parametrize("group", KEPT, ids=lambda group: group[0] + " " + group[1])
def test_forms_keep_what_a_gold_may_ask_for(group: list[str]) -> None:
    assert len(set(normalize_answers(group))) == len(group)


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ("e+1", "3.718282", "unknown"),  # e may be Euler's number, rounded
        ("2e", "e+2.7182818", "unknown"),
        ("e+1", "5", "different"),
        ("e^2", "e^3", "different"),
        ("(ii)", "(iii)", "unknown"),
        (r"\text{xi}", r"\text{ix}", "unknown"),
        # a difference of large terms is not 0.8, but 0.8016887...
        (r"10^{18}\sqrt{2}-1414213562373095048", "0.8", "different"),
        # a long decimal is compared no better than the terms are known
        (r"10^{18}\sqrt{2}-1414213562373095048", "0.8016887", "unknown"),
        (r"10^{18}\sqrt{2}-1414213562373095048", "0.9016887", "unknown"),
        (r"10^{18}\sqrt{2}", r"10^{18}\sqrt{3}", "different"),
    ],
)
def test_comparison_of_near_values(gold: str, answer: str, expected: str) -> None:
    assert compare_canonical(*(normalize_answers([text]) for text in (gold, answer))) == [expected]


@functools.cache
def numbers(n: int, m: int, k: int) -> list[tuple[str, object]]:
    """Numbers that are written with some digits, and their sympy values."""
    s = sympy
    made: list[tuple[str, object]] = [
        (str(n), s.Integer(n)),
        (f"-{n}", s.Integer(-n)),
        (f"{n}.{m}", s.Rational(f"{n}.{m}")),
        (f"{m}/{k}", s.Rational(m, k)),
        (rf"\frac{{{n}}}{{{m}}}", s.Rational(n, m)),
        (rf"\dfrac{m}{k}", s.Rational(m, k)),
        (f"{m}e{n}", s.Integer(m) * s.Integer(10) ** n),
        (rf"{m}.{k} \times 10^{{{n - 6}}}", s.Rational(f"{m}.{k}") * s.Integer(10) ** (n - 6)),
        (rf"{m}\sqrt{{{n}}}", m * s.sqrt(n)),
        (rf"\sqrt{m}", s.sqrt(m)),
        (rf"\sqrt[3]{{{m}}}", s.root(m, 3)),
        (rf"{m}\pi", m * s.pi),
        (rf"\frac{{{m}\pi}}{{{k}}}", s.Rational(m, k) * s.pi),
        (f"{m}!", s.factorial(m)),
        (f"{m}!!", s.factorial2(m)),
        (f"{m}^{k}!", s.Integer(m) ** s.factorial(min(k, 4)) if k < 5 else s.Integer(m + 997)),
        (f"2^{m}^2", s.Integer(2) ** (m**2)),
        (f"2^{m}", s.Integer(2) ** m),
        (rf"\binom{{{n + m}}}{{{m}}}", s.binomial(n + m, m)),
        (rf"\lfloor {n}/{m} \rfloor", s.floor(s.Rational(n, m))),
        (rf"\lceil -{n}/{m} \rceil", s.ceiling(-s.Rational(n, m))),
        (f"{{{n}}}{{{m}}}", s.Integer(f"{n}{m}")),
        (f"{n}{{{m}}}", s.Integer(f"{n}{m}")),
        (f"0.({m})", s.Rational(m, 9)),
        (f"{n}.{m}...", s.Rational(f"{n}.{m}{m}{m}") + s.Rational(1, 10**6)),
        (rf"0.\overline{{{m}}}", s.Rational(m, 9)),
        (f"{n} + {m}", s.Integer(n + m)),
        (f"{n} - {m}", s.Integer(n - m)),
        (rf"{n} \cdot {m}", s.Integer(n * m)),
        (f"({n})({m})", s.Integer(n * m)),
        (f"{m} + {k}i", m + k * s.I),
        (rf"\sin({30 * k}^\circ)", s.sin(s.pi * k / 6)),
        (rf"\sin({30 * k})", s.sin(30 * k)),
        (rf"\ln({m + 1})", s.log(m + 1)),
        (rf"\log_{{{m + 1}}}({k})", s.log(k, m + 1)),
    ]
    if m < k:
        value = s.Integer(n + 1) + s.Rational(m, k)
        made += [
            (rf"{n + 1}\frac{{{m}}}{{{k}}}", value),
            (f"{n + 1} {m}/{k}", value),
            (rf"{n + 1}\frac{m}{k}", value),
        ]
    return made


@functools.cache
def polynomials(a: int, b: int, c: int) -> list[tuple[str, object]]:
    """Polynomials with some coefficients, and what they mean: None where no other answer does."""
    s = sympy
    x, y = s.symbols("x y")
    return [
        (f"{a}x", a * x),
        (f"{a}x + {b}", a * x + b),
        (f"{a}(x + {b})", a * x + a * b),
        (f"{a}{{x+{b}}}", a * x + b),  # as TeX shows it
        (f"{{{a}x}}^2", a * x**2),
        (f"({a}x)^2", a**2 * x**2),
        (f"{a}x^2", a * x**2),
        (f"x^{a} y", x**a * y),
        (f"x\u00b2\u00b3 + {a}", x**23 + a),
        (f"x^2 + {a}", x**2 + a),
        (f"(x+{a})(x-{b})", (x + a) * (x - b)),
        (f"(x+{a})^2", (x + a) ** 2),
        (rf"\frac{{x}}{{{a}}} + {b}y", x / a + b * y),
        (rf"{a}\frac{{1}}{{2}}x", None),
        (rf"\frac{{x+{a}}}{{y}}", (x + a) / y),
        (rf"\sqrt{{x}} \cdot {a}", s.sqrt(x) * a),
        (f"{a} - {b}x + {c}y", a - b * x + c * y),
    ]


@functools.cache
def key_of(value: object) -> object:
    """A value to 20 digits."""
    x, y = sympy.symbols("x y")
    point = {x: sympy.Rational(17, 13), y: sympy.Rational(29, 11)}
    number = sympy.sympify(value).subs(point).evalf(40)
    return tuple(
        sympy.nsimplify(0) if abs(part) < 1e-25 else sympy.Float(part, 20)
        for part in number.as_real_imag()
    )


class Meanings:
    """Random answers with their meanings; two answers have one meaning only where they are equal.

    Readings are the strictest ones: 3!! is a double factorial, 2^3^2 is 2^9, {3}{2} shows as 32.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def number(self, bare: bool) -> tuple[str, object]:
        """A number's text and sympy value; `bare` outside lists and brackets."""
        s, r = sympy, self.rng
        n, m, k = r.randint(0, 12), r.randint(1, 9), r.randint(1, 9)
        big = r.randint(1000, 9999)
        made = [*numbers(n, m, k)]
        if bare:
            made += [(f"{big:,}", s.Integer(big))]
            made += [(f"{m}{{,}}{big % 1000:03d}", s.Integer(f"{m}{big % 1000:03d}"))]
        return r.choice(made)

    def polynomial(self) -> tuple[str, object]:
        return self.rng.choice(polynomials(*(self.rng.randint(1, 5) for _ in range(3))))

    def key(self, value: object) -> object:
        if value is None:
            return self.rng.random()  # a meaning that no other answer has
        return key_of(value)

    def element(self) -> tuple[str, object]:
        text, value = self.polynomial() if self.rng.random() < 0.2 else self.number(False)
        return text, ("value", self.key(value))

    def make(self) -> tuple[str, object]:
        r = self.rng
        kind = r.randrange(14)
        if kind < 5:
            text, value = self.number(True) if kind < 4 else self.polynomial()
            return self.dressed(text), ("value", self.key(value))
        n, m = r.randint(1, 6), r.randint(1, 6)
        items = [self.element() for _ in range(r.randint(2, 3))]
        texts, keys = [t for t, _ in items], [k for _, k in items]
        comma = r.choice([",", ", ", " , "])
        if kind in (5, 6):
            left, right = r.choice(["()", "[]", "[)", "(]"])
            if left + right in ("[)", "(]"):
                texts, keys = texts[:2], keys[:2]
            sized = r.random() < 0.3
            text = (r"\left" if sized else "") + left + comma.join(texts)
            return text + (r"\right" if sized else "") + right, (left, right, tuple(keys))
        if kind in (7, 8):
            if any(text[0].isdigit() and text[-1].isdigit() for text in texts):
                comma = ", "  # 1,234
            word = comma if len(texts) > 2 else r.choice([comma, " and ", " or "])
            if kind == 8:
                return rf"\{{{comma.join(texts)}\}}", ("several", frozenset(keys))
            repeated = len(set(keys)) < len(keys)
            meaning = tuple(sorted(map(str, keys))) if repeated else frozenset(keys)
            return word.join(texts), ("several", meaning)
        if kind == 9:
            a, b = r.sample(["ft", "in", "hours", "minutes", "boys", "girls", "cm"], 2)
            text = r.choice([f"{n} {a} and {m} {b}", f"{n} {a}, {m} {b}"])
            return text, ("quantities", frozenset([(n, a), (m, b)]))
        if kind == 10:
            text, meaning = r.choice(
                [
                    (f"{n}-{m}", "range"),
                    (f"{n}:{m}", "ratio"),
                    (f"{n}/{m}/{n + m}", "date"),
                    (f"200{n}-0{m}-0{n}", "day"),
                ]
            )
            return text, (meaning, n, m)
        if kind == 11:
            base = r.choice([2, 3, 8, 16])
            text = "".join(r.choice("01AB" if base == 16 else "01") for _ in range(3))
            if base == 16:  # a single digit A reads as a symbol with an index
                return f"{text}_{{16}}", ("numeral", text.lstrip("0") if text[0] > "9" else text)
            return r.choice([f"{text}_{{{base}}}", f"{text}_{base}"]), (
                "numeral",
                text.lstrip("0") or "0",
                base,
            )
        if kind == 12:
            word = r.choice(["i", "ii", "iii", "iv", "v", "vi", "vii", "ix", "xi"])
            return r.choice([f"({word})", rf"\text{{{word}}}", rf"\text{{({word})}}"]), (
                "choice",
                word,
            )
        word = r.choice(["A", "B", "a", "b", "D", "E", "F"])
        return r.choice([word, f"({word})", rf"\text{{{word}}}"]), ("letter", word)

    def dressed(self, text: str) -> str:
        r = self.rng
        return r.choice(
            [
                text,
                f"${text}$",
                rf"\({text}\)",
                f" {text} ",
                rf"\boxed{{{text}}}",
                rf"\displaystyle {text}",
                rf"{text}\,",
            ]
        )


def check_meanings(seed: int, count: int) -> tuple[int, int]:
    made = Meanings(seed)
    by_form: dict[str, tuple[str, object]] = {}
    resolved_count = shared = 0
    for _ in range(count):
        text, meaning = made.make()
        (form,), (resolved,) = normalize_answers([text], return_resolved=True)
        if not resolved:
            continue
        resolved_count += 1
        known_text, known = by_form.setdefault(form, (text, meaning))
        assert known == meaning, f"{text!r} and {known_text!r} share the form {form!r}"
        shared += known_text != text
    return resolved_count, shared


def test_answers_that_share_a_form_mean_the_same() -> None:
    resolved, shared = check_meanings(seed=11, count=2500)
    assert resolved > 1300
    assert shared > 300


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 16))
def test_many_answers_that_share_a_form_mean_the_same(seed: int) -> None:
    resolved, shared = check_meanings(seed=seed, count=20_000)
    assert resolved > 10_000
    assert shared > 3000


# ---------------------------------------------------------------------------- against the reader

# Where the reader and the forms could part: names, units, digits, order, brackets, letters.
SHAPES = [
    "{a}", "-{a}", "{a}.{b}", "{a}{c}", "{a}{c}+{b}", "{c}^{a}", "{c}^1{a}", "{a}/{b}", "{c}",
    "{c}={a}", "{c}_{a}={b}", "{c}={a} cm", "f({c})={a}{c}", "{a} cm", "{a} km", r"{a}\text{{ m}}",
    "{a} m", "{a} {c}", r"{a}^\circ", "{a} degrees", r"\${a}", "{a} dollars", "{a} apples",
    "{a},{b}", "{b}, {a}", "({a},{b})", "[{a},{b}]", "({a},{b}]", r"\{{{a},{b}\}}", "{a} and {b}",
    "{a} or {b}", "0.{a}333333", "{b}.{a}000000", "0.{a}33", r"\frac{{{a}}}{{{b}}}", "{a}e{b}",
    "{a}e-{b}", r"{a} \times 10^{{-{b}}}", r"{a}\sqrt{{{b}}}", r"\sqrt[3]{{{b}}}", r"{a}\pi/{b}",
    "{a}i+{b}", "{a}-{b}", "{a} - {b}", "{a}+{b}", "{a} {b}/9", "{a}\\frac{{1}}{{{b}}}",
    "({a})({b})", "{a}({c}+{b})", "{c}({a}+{c})", "{c}{c}", "{c}{d}", "{d}{c}", "{c}{d}+1", "{a}!",
    "{a}_{b}",
    r"{a}\%", "{a}:{b}", r"\ln {b}", r"\sin({c})", "2^{b}0", r"\text{{{c}{d}}}", "({c})",
    "{b},00{a}",
    r"\ge {a}", "{c}<{a}", r"\pm {a}", "at least {a}", "{a} in", "{a} p.m.", "x={a},y={b}",
]  # fmt: skip
DRESSES = ["{t}", "${t}$", "x={t}", "{t}.", r"\boxed{{{t}}}", "{t} cm", r"\text{{{t}}}", "{t},{t}"]


@st.composite
def written(draw: st.DrawFn) -> str:
    """An answer as a model may write it; small numbers and few letters, so that many are equal."""
    a, b = draw(st.integers(0, 9)), draw(st.integers(1, 9))
    c, d = draw(st.sampled_from("xymnAKRei")), draw(st.sampled_from("xyBRt"))
    text = draw(st.sampled_from(SHAPES)).format(a=a, b=b, c=c, d=d)
    return draw(st.sampled_from(DRESSES)).format(t=text) if draw(st.booleans()) else text


def check_agreement(gold: str, answers: list[str]) -> None:
    """The forms decide as the reader does, and completion changes no verdict."""
    golds = normalize_answers([gold] * len(answers))
    forms = normalize_answers(answers)
    read = [one_answer(read_answer(gold), read_answer(answer)) for answer in answers]
    for answer, form, says, same in zip(
        answers, forms, compare_canonical(golds, forms), read, strict=True
    ):
        if says != "unknown":
            assert same == (says == "equal"), f"gold {gold!r}, answer {answer!r}: {form} {says}"
    by_form: dict[str, tuple[str, bool]] = {}
    for answer, form, same in zip(answers, complete_forms(forms, golds), read, strict=True):
        other, known = by_form.setdefault(form, (answer, same))
        assert known == same, f"gold {gold!r}: {answer!r} and {other!r} complete to {form}"


@given(written(), st.lists(written(), min_size=4, max_size=12))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_forms_decide_as_the_reader_does(gold: str, answers: list[str]) -> None:
    check_agreement(gold, [gold, *(shape.format(t=gold) for shape in DRESSES), *answers])


@pytest.mark.slow
@given(written(), st.lists(written(), min_size=8, max_size=24))
@settings(max_examples=4000, deadline=None, derandomize=True)
def test_many_forms_decide_as_the_reader_does(gold: str, answers: list[str]) -> None:
    check_agreement(gold, [gold, *(shape.format(t=gold) for shape in DRESSES), *answers])


@pytest.mark.slow
@needs_benchmarks
def test_forms_of_benchmark_golds_decide_as_the_reader_does() -> None:
    golds = sorted({gold for gold in gold_answers() if len(gold) < 200})
    rng = random.Random(5)
    for gold in golds:
        answers = rng.sample(golds, 4)
        check_agreement(gold, [gold, *(shape.format(t=gold) for shape in DRESSES), *answers])


def test_answers_of_one_form_have_one_verdict_against_many_golds() -> None:
    made, rng = Meanings(31), random.Random(32)
    texts = sorted({made.make()[0] for _ in range(1500)})
    by_form: dict[str, list[str]] = {}
    for text, form in zip(texts, normalize_answers(texts), strict=True):
        by_form.setdefault(form, []).append(text)
    shared = [group for group in by_form.values() if len(group) > 1]
    assert len(shared) > 60
    for group in shared:
        near = [shape.format(t=text) for text in group[:2] for shape in DRESSES[2:]]
        for gold in (group[0], *rng.sample(near, 3), *rng.sample(texts, 2)):
            verdicts = {one_answer(read_answer(gold), read_answer(text)) for text in group[:4]}
            assert len(verdicts) == 1, f"gold {gold!r}: {group[:4]}"
