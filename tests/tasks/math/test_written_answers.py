r"""What models write for the golds of word problems: units, currencies, choices, sentences."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.answers import verify_answers
from rlvr_fast.tasks.schemes.math.parts.unit_reading import read_dressing
from rlvr_fast.tasks.schemes.math.parts.units_table import UNITS
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


# gold -> (answers that are the gold, answers that are not)
GOLDS: dict[str, tuple[list[str], list[str]]] = {
    "5": (
        [r"\SI{5}{cm}", r"\qty{5}{\kilo\metre\per\hour}", "A$5", "5 ₽", "₩5", "5 positive integers",
         "5 even numbers", "5 times", r"5\text{-cm}", "5-inch", "5/day", "$5/hour",
         r"5~{\rm m/s}", r"5\,{\rm cm^{-2}}", r"5 M_\odot", "5 solar masses", "5 hours per day",
         r"5 \text{ (apples)}", r"\$5 for the glasses", "$5 this week", "remaining: 5",
         "Total cost: $5", "It would cost him $5", "x equals 5", "x is equal to 5", "year 5",
         "It will take 5 days.", "He needs to pay $5 for the tickets.", "5 ways to win",
         "a profit of $5", "He made a profit of $5.", r"5~\text{times}"],
        ["5 even", "5 times 6", "5 times as many", "5/x", "5 - x", "a loss of $5", "Loss: 5",
         "Upper bound: 5", "Answer squared: 5", "5 otherwise", "5 days after Monday",
         "5 m underground", "5 for even n", r"\SI{6}{cm}", "~~5~~", "5 hundred dollars",
         "x is 5 or 6"],
    ),
    "5 km": (
        [r"\SI{5000}{\metre}", r"\qty{5}{km}", r"5 {\rm km}", "5-km", "5 kilometers"],
        ["5 ways", "5 hours per day", r"\SI{5}{\centi\metre}", "5 light-years", r"5 {\rm cm}",
         "5-mile"],
    ),
    "3 gallons": (["384 fluid ounces", "384 fl oz", "12 quarts"], ["384 ounces", "3 quarts"]),
    "60 words per minute": (["60 words a minute"], ["60 words an hour", "60 letters a minute"]),
    "4:45 p.m.": (["quarter to five", "16:45"], ["quarter past five", "quarter to four"]),
    "4:30": (["half past four", "half past 4"], ["half past five", "quarter past four"]),
    "1500": (["1.5k", r"\$1.5K"], ["1.5", "15k", "1.5M"]),
    "5 m^2": (["5㎡", r"\SI{5}{\square\metre}"], ["5㎥", "5 m"]),
    "0 °C": (["32 °F", "0 degrees", "0°"], ["32 degrees", "0 °F"]),
    r"145^\circ": (["145 degrees"], [r"145^\circ C", "145 °F"]),
    "$2.50": (
        ["two dollars and fifty cents", "2 dollars and 50 cents"],
        ["two dollars and five cents", "two dollars", "two and fifty"],
    ),
    "12 m/s^2": (["12 m/s2", "12 m/s²"], ["12 m/s", "12 m2", "12 m/s3"]),
    "Thursday": (["on a Thursday"], ["on a Friday"]),
    "Mr. Smith": (["mr smith"], ["mrs smith"]),
    "first": (["1st", "the first"], ["2nd", "1"]),
    "2nd": (["second", "the second"], ["3rd", "third"]),
    "n odd": (["n must be odd", "n is an odd number"], ["n must be even", "n"]),
    "x > 0": (["x is positive"], ["x is negative", "x is nonnegative", "x is a positive integer"]),
    "5 years": (["60 months", "5 years old"], ["5 light years", "5 light-years"]),
    "5 V": (["5 volts"], ["5 electron volts", "5 kV"]),
    "30 psi": (["30 pounds per square inch"], ["30 pounds", "30 kPa"]),
    "1.5 hours": (
        ["an hour and a half", "1h 30m", "1 hour and a half", "90 minutes"],
        ["an hour and a quarter", "1h 50m", "half an hour"],
    ),
    "2.5 million": (
        ["two and a half million", "2500 thousand"],
        ["two and a half", "half a million"],
    ),
    "6": (["half a dozen", r"\text{six}"], ["half dozen and 1", "half of 6"]),
    r"\$5": (["5 US dollars", "500 cents"], ["A$5", "C$5", "HK$5", "R$5"]),
    "949170": (["Rs.949,170", r"Rs.949{,}170", "Rs. 949,170"], ["Rs.949.17", "Rs.949"]),
    "42%": (["forty-two percent", "42 per cent"], ["forty-three percent", "four-two percent"]),
    "0.5%": (["half a percent"], ["half a per mille", "50%"]),
    r"\text{(C)}": (
        ["C (Plane)", "letter C", "C.12", "C)12", "(C) -3", "C. -3", "(C) Not enough information",
         "C. A and B only", "C. Both I and II", "Ans. (C)", "I would choose (C)", "C is correct",
         "option C is the right one", "C - the plane", "The best answer is C", "c"],
        ["B = C", "C = B", "C (not B)", "C. not B", "C. D", "C. D and E only", "C. Both D and E",
         "C is wrong", "B. the answer is C", "C - D", "C - 3", "I choose B", "C > B"],
    ),
    "(D) 10": (["d", "D", "10", "(D)"], ["E", "e", "11"]),
    "II and III": (["II & III", "III, II"], ["II or III", "II", "III and IV"]),
    "(ii) and (iii)": (["(iii), (ii)"], ["(ii) or (iii)"]),
    "A or B": (["B or A"], ["A and B", "A"]),
    "3A_{16}": (["3A", "3a", "0x3A", "58_{10}"], ["3B", "A3", "58", "3A_{12}"]),
    "58": (["0x3A", "3A_{16}"], ["3A", "0x3B"]),
    "0x3A": (["58", "3A_{16}", "0x3a"], ["59", "3B_{16}"]),
    "east": (
        ["eastward", "facing east", "to the east", "She is facing east."],
        ["west", "not east"],
    ),
    "even": (["even function", "an even function", "EVEN"], ["odd function", "uneven"]),
    "ellipse": (["ELLIPSE", "Ellipse"], ["CIRCLE", "ellipsis"]),
    "undefined": (["The answer is undefined.", "DNE"], ["The answer is defined.", "0"]),
    "no solution": (
        ["There is no solution", "there are no solutions", "No solution exists",
         "The equation has no solution"],
        ["There is one solution", "solution", "0"],
    ),
    "at least 12": (["12 and above", "12 at least"], ["12 at most", "12", "above 12"]),
    "at most 8": (["not exceeding 8", "8 at most"], ["exceeding 8", "8 at least", "8"]),
    "top 10": (["the top 10"], ["the bottom 10", "10"]),
    "500 m above sea level": (["500 meters above sea level"], ["500 m below sea level", "500"]),
    "December 25": (["on December 25"], ["on December 24"]),
    "1945": (["the year 1945", "in 1945"], ["1945 BC"]),
}  # fmt: skip
RIGHT = [(gold, answer) for gold, (right, _) in GOLDS.items() for answer in right]
WRONG = [(gold, answer) for gold, (_, wrong) in GOLDS.items() for answer in wrong]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_right_answers_are_recognised(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_wrong_answers_are_refused(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


@pytest.mark.slow
def test_canonical_forms_and_reader_agree_on_them() -> None:
    pairs = RIGHT + WRONG
    verdicts = verify_answers([gold for gold, _ in pairs], [answer for _, answer in pairs])
    found = [verdict == "correct" for verdict in verdicts]
    assert found == [True] * len(RIGHT) + [False] * len(WRONG)


STYLES = [
    "{} {}", r"{}\text{{ {}}}", r"{}\,\mathrm{{{}}}", r"{}~{{\rm {}}}", "${}$ {}",
    r"\SI{{{}}}{{{}}}", r"{} \mbox{{ {}}}",
]  # fmt: skip
SYMBOLS = sorted(
    name
    for name, unit in UNITS.items()
    if len(name) > 1 and name.isalpha() and name.isascii() and not unit.offset and not unit.pi
)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    st.sampled_from(SYMBOLS), st.sampled_from(SYMBOLS), st.integers(2, 999),
    st.sampled_from(STYLES), st.sampled_from(STYLES),
)  # fmt: skip
def test_a_unit_is_one_in_every_style(
    first: str, second: str, number: int, style: str, other: str
) -> None:
    gold = style.format(number, first)
    assert read_dressing(first) is not None
    assert agrees(str(number), gold)
    assert not agrees(str(number + 1), gold)
    assert agrees(gold, other.format(number, first))
    assert agrees(gold, other.format(number, second)) == (UNITS[first] == UNITS[second])


@settings(deadline=None, max_examples=80, derandomize=True)
@given(st.integers(1, 10**7), st.sampled_from(["£", "€", "₹", "Rs.", "USD ", "A$", r"\$"]))
def test_money_by_value(cents: int, sign: str) -> None:
    amount = f"{sign}{cents // 100:,}.{cents % 100:02d}"
    assert agrees(str(Fraction(cents, 100)), amount)
    assert not agrees(str(Fraction(cents + 1, 100)), amount)
    assert agrees(amount, amount.replace(",", "{,}"))
