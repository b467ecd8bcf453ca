"""The grammars admit what the datasets accept: golds, and the spellings that people use."""

from __future__ import annotations

import pytest

from rlvr_fast.tasks.schemes.reasoning_gym.answer_grammars import GRAMMARS, refusal
from rlvr_fast.tasks.schemes.reasoning_gym.config import dataset_of
from rlvr_fast.tasks.specs import parse_spec

CONFIGS = {
    "binary_matrix": ("", "&min_n=10&max_n=15"),
    "bitwise_arithmetic": ("", "&difficulty=5"),
    "coin_flip": ("", "&max_trials=100"),
    "complex_arithmetic": ("", "&min_real=-1000&max_imag=1000"),
    "countdown": (
        "",
        "&min_numbers=3&max_numbers=3",
        "&min_numbers=6&max_numbers=9&max_value=1000&max_target=100000",
    ),
    "intermediate_integration": ("", "&linear_upper_bound=50&max_poly_degree=5"),
    "n_queens": ("", "&n=6&max_remove=5"),
    "number_sorting": ("", "&max_numbers=40&max_decimals=8&min_value=-100000&max_value=1000000"),
    "polynomial_multiplication": (
        "",
        "&min_polynomials=4&max_polynomials=4&max_degree=9&max_terms=6",
        "&allow_cross_variable_product=true&allow_multivariate_polynomials=true&max_terms=8",
        "&variables=alpha,b,z",
    ),
    "puzzle24": ("", "&min_value=3"),
    "simple_integration": ("", "&max_terms=8&max_degree=30&max_bounds=100"),
    "spiral_matrix": ("", "&max_n=10"),
    "string_insertion": ("", "&max_string_length=400"),
}
INTEGRALS = ("intermediate_integration", "simple_integration")


def spellings(gold: str) -> set[str]:
    powers = gold.replace("**", "@")
    return {
        gold,
        f" {gold} ",
        f"{gold}\n",
        f"({gold})",
        gold.replace(" ", ""),
        powers.replace("*", " * ").replace("@", "**"),
        powers.replace("@", " ** "),
        powers.replace("@", "^"),
        gold.replace("'", '"'),
        gold.replace("'", ""),
        gold.replace("*", "\u00d7"),
        gold.replace("-", "\u2212"),
        f"+{gold}",
        f"[{gold}]",
        gold.upper(),
        f"{gold}.",
        f"'{gold}'",
        f'"{powers.replace("@", "^")}"',
        f"\u00a0{gold}\u2003",
        f"\\({gold}\\)",
        f"${gold}$",
        f"= {gold}",
        f"{gold} = 24",
        gold.replace("*", "\\times "),
        gold.replace("*", "\u00b7"),
        gold.replace("/", "\u00f7"),
        gold.replace("log", "ln").replace("C", "K"),
        gold.replace(" + C", ""),
        gold.replace("\n", "\r\n"),
    }


def check(name: str, config: str, seed: int, size: int, *, golds_only: bool) -> None:
    dataset = dataset_of(parse_spec(f"reasoning_gym:{name}?size={size}&seed={seed}{config}"))
    for index in range(size):
        entry = dataset[index]
        assert refusal(name, entry["answer"], entry) is None, entry["answer"]
        for answer in () if golds_only else spellings(entry["answer"]):
            if refusal(name, answer, entry) is not None:
                assert dataset.score_answer(answer, entry) < 1, answer


def test_every_grammar_is_held_against_honest_answers():
    assert set(CONFIGS) == set(GRAMMARS) - {"composite"}


@pytest.mark.parametrize("name", CONFIGS)
def test_golds_and_their_spellings_are_admitted(name):
    check(name, "", seed=5, size=4 if name in INTEGRALS else 12, golds_only=False)


@pytest.mark.slow  # hundreds of problems are generated for each dataset
@pytest.mark.parametrize("name", CONFIGS)
def test_the_golds_of_many_configs_are_admitted(name):
    for seed, config in enumerate(CONFIGS[name]):
        check(name, config, seed, 220, golds_only=True)
        check(name, config, seed, 10, golds_only=False)


@pytest.mark.parametrize(
    ("name", "integrand", "answers"),
    [
        (
            "simple_integration",
            "2*x",
            "x**2|x**2 + C|x**2+c|(x**2)+C_1|x*x + K|x ** 2 + C1|x**2 + constant|x**2 + k + pi|"
            "Rational(2,2)*x**2",
        ),
        ("intermediate_integration", "1/x", "log(x)+C|ln(x)|ln(3*x) + C|log(x, E) + C"),
        ("intermediate_integration", "1/(x**2 + 1)", "atan(x) + C|C - acot(x)"),
        ("intermediate_integration", "exp(x)", "exp(x)+C|E**x + C|exp(x*1) + C"),
        ("intermediate_integration", "sqrt(x)", "2*x**(3/2)/3 + C|2*sqrt(x)**3/3|2/3*root(x,2)**3"),
        ("intermediate_integration", "x*sin(x)", "sin(x)-x*cos(x)+C|C + sin(x) - x*cos(x)"),
        ("intermediate_integration", "sinh(x)", "cosh(x) + C|(exp(x)+exp(-x))/2"),
    ],
)
def test_antiderivatives_as_people_write_them(name, integrand, answers):
    dataset = dataset_of(parse_spec(f"reasoning_gym:{name}?size=1"))
    entry = {"answer": "", "metadata": {"variable": "x", "integrand": integrand}}
    for answer in answers.split("|"):
        assert dataset.score_answer(answer, entry) == 1, answer
        assert refusal(name, answer, entry) is None, answer


@pytest.mark.parametrize(
    ("name", "target", "answers"),
    [
        (
            "countdown",
            {"numbers": [2, 3, 4], "target": 24},
            "2*3*4|4*(3*2)|(4)*3*2|\t4*3*2\n|2**3*4/4*3",
        ),
        (
            "countdown",
            {"numbers": [2, 3, 8], "target": 8},
            "2**3 + 8 - 8|2**3|8*(3-2)|8//(3-2)|8%3*4",
        ),
        ("countdown", {"numbers": [5, 5], "target": 0}, "5-5|5 - -5|-5+5|5%5|5//5-1"),
        (
            "puzzle24",
            {},
            "2*3*4*1|(4-2)*3*4|4+4+8+8|2**3*3*1|8/(3-8/3)|23+1+1-1|(4 - 2)*3*4.|2*3*4*1.",
        ),
    ],
)
def test_arithmetic_has_the_verdict_of_the_dataset(name, target, answers):
    dataset = dataset_of(parse_spec(f"reasoning_gym:{name}?size=1"))
    entry = {"answer": "", "metadata": target}
    scores = {answer: dataset.score_answer(answer, entry) for answer in answers.split("|")}
    assert max(scores.values()) == 1
    assert [answer for answer in scores if refusal(name, answer, entry) is not None] == []
