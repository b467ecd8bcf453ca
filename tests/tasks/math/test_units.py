r"""Units, money, counted things, percentages, scales, number words."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.parts.unit_reading import read_dressing
from rlvr_fast.tasks.schemes.math.parts.units_table import UNITS, find_unit
from rlvr_fast.tasks.schemes.math.parts.wording import spoken_number
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer
from rlvr_fast.tasks.schemes.math.values import Unread


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


DRESSINGS = [
    "5 ways to choose", r"5 \AA", "5 {eV}", r"5{}^\circ", "5 points", r"5\,\text{rad/s}", "5 [cm]",
    r"5\text{ kcal m}^{-2}\text{ yr}^{-1}", r"5 \mathrm{~km} / \mathrm{s}", "5 J/(mol K)",
    r"5 \frac{\text{m}}{\text{s}^2}", r"5 \mathrm{photons} / \mathrm{pulse}", "5 light-years",
    r"5\text{ cm}", r"5\,\mathrm{cm}", "5cm", "5 cm", r"5~\text{m}", "5 m", r"5\ \Omega",
    "5 km/h", r"5\text{ km/h}", r"5\,\frac{\text{km}}{\text{h}}", r"5 \frac{m}{s}",
    r"5\text{ m/s}^2", r"5\,\mathrm{m\,s^{-2}}", r"5\text{ erg s}^{-1}", "5 kJ/mol",
    r"5\ \text{kJ}\cdot\text{mol}^{-1}", "5 mph", "5 miles per hour", "5 square feet", "5 sq. ft.",
    "5 cubic centimeters", "5 cm³", "5 units²", "5 square units", "5''", "5'", '5"', r"5\text{\$}",
    r"\$5", "$5", r"\text{\$}5", "£5", "€5", "₹5", "¥5", "5€", "5 USD", "USD 5", "Rs. 5", "Rs 5",
    "5 dollars", "5 cents", "5 rupees", "US$5", "5 bananas", "5 trees", r"5\text{ bananas}",
    r"5\text{ total handshakes}", r"5 \text{ ways.}", "5 different ways", "5 people",
    "5 apples in total", "5 years old", "5 degrees", r"5^\circ", "5°C", r"5^\circ C",
    r"5^{\circ}\text{C}", "5 degrees Celsius", r"5^\circ\text{F}", "5 K", "5 kelvin", "5 radians",
    "5 GB", "5 megabytes", "5 ppm", "5 eV", "5 kWh", "5 miles per gallon", "5 dollars per hour",
    r"\$5 per hour", "5 dollars a day", "5 grams/liter", "5 mol/L", "5 Hz", "5 N", "5 J",
    r"5\text{ N}\cdot\text{m}", "5 newton-meters", "5 hours", "5 hrs", "5 min", "5 minutes",
    "5 days", "5th", r"5\text{ cm}^2", r"5\text{ (cm)}", "five", "five apples", "5.0 kg",
    "5 students", "5 pens", "5 pounds", "5 cups of flour", "5 kg of rice", "5 red balls",
    r"5\text{km}",
    r"5 \text{ units}", "5 marbles left", "5 inches tall",
]  # fmt: skip


@pytest.mark.parametrize("answer", DRESSINGS)
def test_a_unit_that_one_side_has_is_dressing(answer: str) -> None:
    assert agrees("5", answer)
    assert not agrees("6", answer)
    assert agrees(answer, answer)


@pytest.mark.parametrize(
    "gold",
    ["5 cm", "5 km/h", r"5\text{ bananas}", "5 trees", r"\$5", "0.25 hours", r"5\text{ m/s}^2",
     "5 people", r"5\text{ m}", "5 square units", r"3x \text{ cm}", "5 °C"],
)  # fmt: skip
def test_a_unit_of_the_gold_is_dressing(gold: str) -> None:
    number = "0.25" if "0.25" in gold else "3x" if "3x" in gold else "5"
    assert agrees(gold, number)


EQUAL = [
    ("0.3333333 hours", "20 min"), ("20 min", "0.33333333 hours"), ("180°", "3.14159265 rad"),
    ("3.14159265 rad", "180°"), ("1/3", "33.3333333%"), ("37 °C", "98.6 °F"),
    ("5 km", "5000 m"), ("5 km", r"5\,000\text{ m}"), ("60 min", "1 hour"), ("1 hour", "3600 s"),
    ("5 m", "500 cm"), ("1 kg", "1000 g"), (r"5\text{ inches}", "5 in"), ("1 ft", "12 in"),
    ("1 mile", "5280 feet"), ("1 yd", "3 ft"), ("2.54 cm", "1 inch"), ("1 L", "1000 mL"),
    ("1 liter", "1000 cm^3"), ("1 m^3", "1000 L"), ("1 m^2", "10000 cm^2"), ("1 ha", "10000 m^2"),
    ("36 km/h", "10 m/s"), ("1 kJ", "1000 J"), (r"5 k\Omega", r"5000 \Omega"),
    ("1 N", "1 kg m/s^2"),
    ("1 J", "1 N m"), ("1 W", "1 J/s"), ("1 week", "7 days"), ("2 years", "24 months"),
    (r"\$5", "500 cents"), (r"\$1.50", "150 cents"), ("£1", "100 pence"), (r"\$5", "5 dollars"),
    ("5 dollars", "USD 5"), ("€5", "5 euros"), ("Rs. 5", "₹5"), ("0 °C", "273.15 K"),
    ("100 °C", "212 °F"), (r"32^\circ\text{F}", r"0^\circ\text{C}"), ("180°", "pi rad"),
    (r"45^\circ", r"\frac{\pi}{4}"), (r"\frac{\pi}{4}", "45°"), ("45°", "45"),
    ("45 degrees", "45°"),
    ("1 GB", "1000 MB"), ("1 byte", "8 bits"), ("3 ft 5 in", "41 inches"), ("1 h 30 min", "90 min"),
    ("3 hours and 20 minutes", "200 minutes"), ("3 hours 20 minutes", "3 h 20 min"),
    ("5' 3''", "63 inches"), ("5 dollars and 20 cents", r"\$5.20"), ("2 weeks 3 days", "17 days"),
    ("1 hour 30 minutes", "1.5 hours"), ("5 bananas", "5 banana"), ("3 boxes", "3 box"),
    ("5 people", "5 persons"), ("5 balls", "5 red balls"), ("5 total handshakes", "5 handshakes"),
    ("5 m", r"5 \text{ m}"), ("5 m", "5m"), ("5 m/s", "5 meters per second"),
    ("5 mph", "5 miles/hour"),
    ("5 square units", "5 units^2"), ("5 square units", "5 cm^2"), ("5 sq ft", "5 square feet"),
    ("5 ft^2", "5 square feet"), ("1 g/cm^3", "1000 kg/m^3"), ("5 per cent", "5%"),
    ("1.5 million", "1500000"), ("5 million people", "5,000,000"), (r"\$1.5 million", "1500000"),
    ("5 dozen", "60"), ("2 dozen eggs", "24 eggs"), ("seven", "7"), ("7", "Seven"),
    ("21", "twenty-one"),
    ("105", "one hundred and five"), ("2000", "two thousand"), ("1/2", "half"), ("1/2", "one half"),
    ("3/4", "three quarters"), ("2/3", "two-thirds"), ("3.5", "three and a half"),
    ("2.5", "2 and a half"), ("2.5 hours", "2 and a half hours"), (r"\$5k", "5000"),
    ("20", "a score"),
    (r"1.5\text{ million}", "1.5 million"), ("1000", "a thousand"), ("12", "a dozen"),
    (r"2\sqrt{3}\text{ cm}", r"2\sqrt{3}"), (r"\frac{1}{2}\text{ m}", "50 cm"),
    ("3x", r"3x\text{ cm}"),
    ("5 kg m^2 / s^2", "5 J"), (r"5\text{ kg}\cdot\text{m}/\text{s}^2", "5 N"), ("-3 °C", "-3"),
    ("5 ways", "5 different ways"), ("5 handshakes", "5"), ("5 µm", "0.005 mm"), ("5 nm", "5e-9 m"),
    (r"-\$5", r"\$-5"), ("5 hundred", "500"), ("2 hours", "120 mins"), ("1.5 hours", "90 minutes"),
    ("7200 seconds", "2 hours"), ("0.5 km", "500 meters"), ("3°30'", "3.5°"),
]  # fmt: skip
DIFFERENT = [
    ("x'", "x"), ("x''", "x"), ("x", "x'"), ("f'", "f"),
    ("0.333 hours", "20 min"), ("180°", "3.14 rad"), ("37 °C", "98.7 °F"), ("5", "5 u(t)"),
    (r"\frac{37}{4} m", r"\frac{37}{4}"), (r"\frac{2}{3} \frac{C}{S}", r"\frac{2}{3}"),
    ("5 km", "5 cm"), ("5 km", "5 m"), ("10 kg", "10 g"), ("5 cm^2", "5 cm^3"), ("1 mile", "1 km"),
    ("3 hours", "3 minutes"), ("2 days", "2 weeks"), ("5 mg", "5 kg"), (r"\$5", "5 cents"),
    (r"5 \Omega", r"5 k\Omega"), ("5 J", "5 kJ"), ("5 N", "5 kN"), ("5 m", "5 s"),
    ("5 m/s", "5 km/h"),
    (r"\$5", "€5"), ("£5", "₹5"), ("5 °C", "5 °F"), ("5 °C", "5 K"), ("5 MB", "5 GB"),
    ("5 bananas", "5 trees"), ("5 cats", "5 dogs"), ("5 red balls", "5 blue balls"),
    ("5 km", "5 apples"), ("5 square units", "5 cm^3"), ("5 mph", "5 km/h"), ("5 hours", "5 days"),
    ("5 million", "5"), ("5", "5 million"), ("5", "5 thousand"), ("5", "5 dozen"),
    ("5", "5 hundred"),
    ("5 million", "5 billion"), ("1.5", "1.5 million"), ("1", "one of them"),
    ("1", "one of the apples"),
    ("5", "5 per mille"), ("5%", "5 per mille"), ("5 per cent", "5"), ("62.5%", "6.25"),
    ("5%", "6%"),
    ("5%", "0.5"), ("10%", "0.01"), ("3 ft 5 in", "3 ft 6 in"), ("1 h 30 min", "1 h 20 min"),
    ("3 hours and 20 minutes", "3, 20"), ("5", "x"), ("5", "5x"), ("5m", "5"), ("2mg", "2"),
    ("5 m g", "5"), ("5", "5 and 6 apples"), ("5", "5 apples and 6 pears"), ("5", "5 or 6 cm"),
    ("5", "not 5 cm"), ("5", "5 squared"), ("5", "5 factorial"), ("5", "5 over 2"),
    ("5", "5 times 2"),
    ("5", "5 percent more than"), ("21", "twenty two"), ("5", "five or six"), ("5", "five hundred"),
    ("5 m", "5 n"), ("5 per hour", "5 per minute"), ("5 dollars per hour", "5 dollars per day"),
    ("45°", "4.5"), ("45°", r"\frac{\pi}{3}"), (r"\sin 30^\circ", "30"), ("5 mg/L", "5 g/L"),
    ("30", r"\sin 30^\circ"), ("5", "5 a"), ("5", "5 ab"), ("2", "2 abc"), ("2", "2 \\pi r"),
    ("5", "5 root"),
    (r"5 \text{ ft}", r"5 \text{ in}"), ("5 kJ/mol", "5 J/mol"), ("5 cm", "5 cm^2"),
    ("7", "seventy"), ("3", "thirteen"), ("3 cm", "3 cm + 4 cm"), ("5 years", "5 months"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal_quantities(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_different_quantities(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


PERCENT = [
    ("10%", "10"), ("10", "10%"), ("0.1", "10%"), ("10%", "0.1"), (r"10\%", "10 percent"),
    ("10%", "10 per cent"), ("0.05", "5 per cent"), ("5", "5 per cent"), ("5%", "5 per cent"),
    ("12.5%", r"12\frac{1}{2}\%"), (r"33\frac13 \%", r"\frac{100}{3}\%"), ("62.5%", "5/8"),
    ("62.5%", r"\frac{5}{8}"), (r"$8 \%$", "8"), ("5 per mille", "0.005"), ("5 per cent", "0.05"),
    ("17.5%", "17.5"), ("5%", "five percent"), ("5%", "5% of the students"), ("5%", "5 pct"),
    ("-5%", "-0.05"), ("0.5%", "5 per mille"), ("1%", "100 basis points"),
    ("5%", "5 percentage points"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), PERCENT)
def test_percentages(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)), st.integers(1, 999))
def test_conversions_hold_both_ways(first: str, second: str, number: int) -> None:
    one, other = UNITS[first], UNITS[second]
    if one.offset or other.offset or one.pi != other.pi or len(first) < 2 or len(second) < 2:
        return
    if read_dressing(first) is None or read_dressing(second) is None:
        return
    converted = Fraction(number) * one.factor / other.factor
    gold, answer = f"{number} {first}", f"{converted} {second}"
    same = one.dimensions == other.dimensions
    assert agrees(gold, answer) == same or {"unit"} & {name for name, _ in one.dimensions}
    assert agrees(answer, gold) == agrees(gold, answer)


NOUNS = ["apple", "banana", "tree", "handshake", "marble", "student", "triangle", "window"]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.sampled_from(NOUNS), st.sampled_from(NOUNS), st.integers(-999, 999), st.booleans())
def test_counted_things(first: str, second: str, number: int, text: bool) -> None:
    named = rf"{number}\text{{ {first}s}}" if text else f"{number} {first}s"
    assert agrees(str(number), named)
    assert agrees(named, str(number))
    assert not agrees(str(number + 1), named)
    assert agrees(named, f"{number} {second}s") == (first == second)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 999_999))
def test_number_words(number: int) -> None:
    ones = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ]
    tens = [".", ".", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

    def spell(n: int) -> str:
        if n < 20:
            return ones[n]
        if n < 100:
            return tens[n // 10] + (f" {ones[n % 10]}" if n % 10 else "")
        if n < 1000:
            return f"{ones[n // 100]} hundred" + (f" and {spell(n % 100)}" if n % 100 else "")
        return f"{spell(n // 1000)} thousand" + (f" {spell(n % 1000)}" if n % 1000 else "")

    assert spoken_number(tuple(spell(number).split())) == number
    assert agrees(str(number), spell(number))
    assert not agrees(str(number + 1), spell(number))


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.text(alphabet="5 .kmgcs/^{}()$%°'-and or half", max_size=60))
def test_garbage_never_raises(text: str) -> None:
    value = read_answer(text)
    assert one_answer(value, value) or not isinstance(value, Unread)


def test_names_of_units() -> None:
    assert find_unit("km") == find_unit("kilometres") == find_unit("Kilometer")
    assert find_unit("xyz") is None
    assert find_unit("bananas") is None
