from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import os
import re
import subprocess
import sys
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import Task, Verifier, load_task
from rlvr_fast.tasks.sandbox.one_request import made_apart
from rlvr_fast.tasks.schemes.reasoning_gym import task as gym
from rlvr_fast.tasks.schemes.reasoning_gym.answer_sizes import excess
from rlvr_fast.tasks.schemes.reasoning_gym.config import dataset_of
from rlvr_fast.tasks.schemes.reasoning_gym.guards import GUARDS, guard_refusal
from rlvr_fast.tasks.schemes.reasoning_gym.reading import plain_expression, read_forms
from rlvr_fast.tasks.schemes.reasoning_gym.verifier import GymVerifier
from rlvr_fast.tasks.specs import parse_spec


def verdict(task, problem, answer):
    return task.verifier().verify(problem.problem_id, problem.gold, problem.metadata, answer)


def test_problems_are_those_of_the_dataset_and_its_config():
    import reasoning_gym

    task = load_task("reasoning_gym:chain_sum?size=4&seed=7&min_terms=3&max_terms=3")
    dataset = reasoning_gym.create_dataset("chain_sum", size=4, seed=7, min_terms=3, max_terms=3)
    assert isinstance(task, Task)
    assert isinstance(task.verifier(), Verifier)
    assert [(p.question, p.gold) for p in task.problems()] == [
        (dataset[i]["question"], dataset[i]["answer"]) for i in range(4)
    ]
    assert task.domain == "arithmetic"
    assert [p.metadata["index"] for p in task.problems()] == [0, 1, 2, 3]
    json.dumps([dataclasses.asdict(p) for p in task.problems()])


def test_only_a_full_score_is_correct():
    task = load_task("reasoning_gym:countdown?size=2&seed=7")
    problem = task.problems()[0]
    verifier = task.verifier()
    assert verdict(task, problem, problem.gold) == "correct"
    assert 0 < verifier.score(problem.problem_id, problem.metadata, "1 + 1") < 1
    assert verdict(task, problem, "1 + 1") == "incorrect"
    assert verifier.name.startswith("reasoning-gym ")
    assert " countdown (" in verifier.name


def test_one_problem_may_have_many_correct_answers():
    task = load_task("reasoning_gym:countdown?size=1&seed=7&min_numbers=3&max_numbers=3")
    problem = task.problems()[0]
    assert verdict(task, problem, problem.gold) == "correct"
    assert verdict(task, problem, f"({problem.gold})") == "correct"


def test_config_values_are_read_as_the_config_types_them():
    made = load_task("reasoning_gym:countdown?operators=+,-&shuffle=false&size=3&seed=1").problems()
    assert len(made) == 3
    assert all("*" not in p.gold and "/" not in p.gold for p in made)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("reasoning_gym:countdwn", "Did you mean 'countdown'"),
        ("reasoning_gym:countdown?sizes=3", "Did you mean 'size'.*max_numbers"),
        ("reasoning_gym:countdown?size=many", "size='many' is not of type int"),
        ("reasoning_gym:countdown?shuffle=perhaps", "shuffle='perhaps' is not of type bool"),
        ("reasoning_gym:countdown?size=0", "size should be at least 1"),
        ("reasoning_gym:countdown?min_numbers=5&max_numbers=2", "refuses this config"),
    ],
)
def test_an_error_in_a_spec_names_the_known_values(spec, said):
    with pytest.raises(InvalidInputError, match=said):
        load_task(spec)


def test_a_regenerated_problem_that_differs_is_an_error_naming_both_versions():
    task = load_task("reasoning_gym:chain_sum?size=1&seed=7")
    problem = task.problems()[0]
    drifted = {**problem.metadata, "question_sha256": "0" * 64, "generator": "reasoning-gym 0.0.1"}
    with pytest.raises(InvalidInputError, match=r"by reasoning-gym 0\.0\.1 .*by reasoning-gym 0"):
        task.verifier().verify(problem.problem_id, problem.gold, drifted, "1")


@pytest.mark.slow
def test_datasets_that_iterate_over_sets_give_the_same_problems_in_every_process():
    code = (
        "from rlvr_fast.tasks import load_task\n"
        "t = load_task('reasoning_gym:ransom_note?size=2&seed=7')\n"
        "print([p.question for p in t.problems()])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


@pytest.mark.slow
def test_every_dataset_loads_and_scores_its_own_gold(monkeypatch):
    """In the sandbox and under the limits of a task; one process generates for all datasets."""
    from reasoning_gym.factory import DATASETS

    without_gold = {"boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}
    hash_dependent = {"isomorphic_strings", "polynomial_multiplication", "ransom_note"}
    names = sorted(set(DATASETS) - {"composite"})
    tasks = {name: load_task(f"reasoning_gym:{name}?size=1&seed=7") for name in names}
    specs = [task.spec for task in tasks.values()]
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # of every_dataset.py
    made = made_apart(
        "every_dataset", [json.dumps(specs), str(gym.GENERATION_SECONDS), str(gym.MEMORY_BYTES)],
        seconds=560, most_bytes=gym.MOST_BYTES, packages=("reasoning_gym", "every_dataset"),
    )  # fmt: skip
    assert (made.ended, made.status) == ("", 0), made.said
    generated = dict(zip(specs, json.loads(made.data), strict=True))
    monkeypatch.setattr(gym, "_generated", lambda spec, size: generated[spec])
    for name, task in tasks.items():
        (problem,) = task.problems()
        assert json.loads(json.dumps(problem.metadata)) == problem.metadata
        if name in without_gold:
            assert problem.gold is None, name
        elif name not in hash_dependent:  # these datasets need a process with PYTHONHASHSEED=0
            assert verdict(task, problem, problem.gold) == "correct", name


# Answers in a form that the dataset refuses and the paper accepts.
IN_ANOTHER_FORM = [
    ("power_function", lambda gold: rf"{scientific(gold)[0]} \times 10^{{{scientific(gold)[1]}}}"),
    ("power_function", lambda gold: f"${scientific(gold)[0]} \u00d7 10^{scientific(gold)[1]}$"),
    ("palindrome_generation", " ".join),
    ("palindrome_generation", lambda gold: f"{gold[:2]}\n{gold[2:]}"),
    ("arc_1d", lambda gold: gold.replace(" ", "")),
    ("arc_1d", lambda gold: gold.replace(" ", "  ")),
]


def scientific(gold):
    mantissa, _, exponent = f"{float(gold):.2e}".partition("e")
    return mantissa, int(exponent)


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "write"), IN_ANOTHER_FORM)
def test_leash_fixes_change_the_form_of_an_answer_alone(dataset, write):
    for options, expected in (("", "incorrect"), ("&fixes=leash", "correct")):
        task = load_task(f"reasoning_gym:{dataset}?size=3&seed=7&guards=off{options}")
        for problem in task.problems():
            assert verdict(task, problem, write(problem.gold)) == expected
            assert verdict(task, problem, problem.gold) == "correct"
            assert verdict(task, problem, write(problem.gold)[:-1] + "7") == "incorrect"
        assert task.verifier().name.endswith("leash fixes") == bool(options)


@pytest.mark.slow
def test_fixes_are_part_of_the_task_and_change_no_problem():
    plain, mended = (
        load_task(f"reasoning_gym:leg_counting?size=2&seed=7{options}")
        for options in ("", "&fixes=leash")
    )
    assert plain.problems() == mended.problems()
    assert "fixes=leash" in mended.spec
    assert "fixes" not in plain.spec
    problem = mended.problems()[0]
    assert verdict(mended, problem, f" {problem.gold} ") == verdict(
        plain, problem, f" {problem.gold} "
    )
    with pytest.raises(InvalidInputError, match="fixes should be none or leash, got 'all'"):
        load_task("reasoning_gym:leg_counting?fixes=all")


@pytest.mark.parametrize(
    ("dataset", "answer", "read"),
    [
        ("power_function", "1.23e+4", "1.23e+4"),
        ("power_function", r"\(1.23\)", r"\(1.23\)"),
        ("power_function", "\u22121.5*10**(-3)", "-1.5e-3"),
        ("power_function", "2.5 x 10^2", "2.5e2"),
        ("power_function", "1.2 x 10^3 x 10^4", "1.2 x 10^3 x 10^4"),
        ("palindrome_generation", " a b\u00a0a ", "aba"),
        ("arc_1d", "0 1\n2", "0 1 2"),
        ("arc_1d", "[0, 1, 2]", "[0, 1, 2]"),
        ("arc_1d", "\u0661\u0662", "\u0661\u0662"),
        ("arc_1d", "", ""),
        ("chain_sum", "1 2", "1 2"),
    ],
)
def test_a_fix_leaves_other_answers_as_they_are(dataset, answer, read):
    from rlvr_fast.tasks.schemes.reasoning_gym.fixes import fixed

    assert fixed(dataset, answer) == read


# -- guards --------------------------------------------------------------------------------------


class Posed:
    """The entries of a dataset, and its verifier with guards or without."""

    def __init__(self, spec):
        self.verifiers = {
            option: GymVerifier(parse_spec(f"reasoning_gym:{spec}&guards={option}"))
            for option in ("on", "off")
        }
        self.dataset = dataset_of(self.verifiers["on"]._spec)
        for verifier in self.verifiers.values():
            verifier._dataset = self.dataset

    def accepts(self, answer, entry, guards="on"):
        return self.verifiers[guards].scored(answer, entry) >= 1.0


def behind(text):
    return lambda entry: entry["answer"] + text


def before(text):
    return lambda entry: text + entry["answer"]


def changed(change):
    return lambda entry: str(Decimal(entry["answer"]) + Decimal(change))


def sorted_badly(entry):
    first, *rest = json.loads(entry["answer"].replace("'", '"'))
    step = 0.5 if entry["metadata"]["direction"] == "descending" else -0.5
    return json.dumps([str(float(first) + step), *rest])


def way_of_a_box(entry):
    """A plan that brings the only box to its target."""
    places = {
        thing: [float(part) for part in place.split("_")]
        for place, things in entry["metadata"]["initial_state"].items()
        for thing in things
    }
    steps = []
    for box in (thing for thing in places if thing.startswith("box_")):
        here, there = places[box], places[f"target_{box[4:]}"]
        for axis in (0, 1):
            while here[axis] != there[axis]:
                agent = f"Agent[{here[0]}, {here[1]}]"
                here[axis] += 1 if here[axis] < there[axis] else -1
                steps.append({agent: f"move({box}, square[{here[0]}, {here[1]}])"})
        steps.append({f"Agent[{here[0]}, {here[1]}]": f"move({box}, target_{box[4:]})"})
    return steps


def way_out(entry):
    """Moves that bring the red car out; its board needs two at most."""
    from reasoning_gym.games.rush_hour import Board

    def solves(moves):
        board = Board(entry["metadata"]["board_config"])
        board.perform_moves(moves)
        return board.solved

    steps = [f"{car}{step:+d}" for car in "ABCDEFGHIJKL" for step in (1, 2, 3, 4, -1, -2, -3, -4)]
    ways = itertools.chain(
        (f"A+{count}" for count in (1, 2, 3, 4)),
        (f"{step} A+{count}" for step in steps for count in (1, 2, 3, 4)),
    )
    return next(filter(solves, ways), "")


# What the dataset's verifier accepts and the guard refuses: a spec, and an answer for an entry.
WRONG = {
    "advanced_geometry": ("", behind(", 0")),
    "boxnet": ("", lambda e: json.dumps([{"Agent[9.5, 9.5]": "move(box_x, y)"}, *way_of_a_box(e)])),
    "calendar_arithmetic": (
        "tasks=recurring_event_day",
        lambda e: e.update(answer="-1") or "7",
    ),
    "chain_sum": ("min_digits=4", lambda e: e["answer"][:-1] + "," + e["answer"][-1]),
    "coin_flip": ("min_trials=15", lambda e: "0" if float(e["answer"]) < 1e-4 else ""),
    "countdown": (
        "",
        lambda e: e["metadata"].update(numbers=[5, 100, 1, 250], target=500) or "5*100 + 1/250",
    ),
    "cryptarithm": ("", lambda e: f"{e['answer'][0]}=9,{e['answer']}"),
    "decimal_arithmetic": ("", changed("0.0009")),
    "decimal_chain_sum": ("min_digits=4", lambda e: e["answer"][:2] + "_" + e["answer"][2:]),
    "figlet_font": ("", lambda e: e.update(answer="ABCDEFGHIJ") or "ABCDEFGHIJKL"),
    "fraction_simplification": ("styles=latex_frac", behind(" or 7")),
    "game_of_life": ("", lambda e: json.dumps([*json.loads(e["answer"]), [1]])),
    "game_of_life_halting": ("", lambda e: "banana"),
    "graph_color": ("", lambda e: json.dumps({**e["metadata"]["possible_answer"], "99": 1})),
    "gsm_symbolic": ("", before("-")),
    "kakurasu": ("", before("-")),
    "knights_knaves": ("", behind(" banana")),
    "letter_jumble": ("", behind(" banana")),
    "number_format": ("", changed("0.009")),
    "number_sorting": ("", sorted_badly),
    "polynomial_equations": ("", behind(", banana")),
    "pool_matrix": ("", lambda e: re.sub(r"\b9\b", "9.04", e["answer"], count=1)),
    "power_function": ("", behind("_")),
    "products": ("", lambda e: e["answer"][:-1] + "," + e["answer"][-1]),
    "propositional_logic": ("", lambda e: "({}) \u2228 ({}) P".format(*e["metadata"]["premises"])),
    "puzzle24": ("", lambda e: "6+6+6+6"),
    "quantum_lock": ("", behind(" or 7")),
    "rubiks_cube": ("", lambda e: e["metadata"]["example_correct_answer"] + " 2R"),
    "rush_hour": ("max_moves=2", lambda e: f"{way_out(e)} A+5"),
    "sokoban": ("", behind(" banana")),
    "spell_backward": ("", behind(" banana")),
    "survo": ("", behind(" banana")),
    "time_intervals": ("task_types=date", behind(" banana")),
    "tower_of_hanoi": ("", before("x")),
    "word_sorting": ("", behind(", banana")),
}


def test_every_guard_refuses_what_its_dataset_accepts():
    assert set(WRONG) == set(GUARDS)
    for dataset, (options, wrong) in WRONG.items():
        posed = Posed(f"{dataset}?seed=3&size=200&{options}".rstrip("&"))
        shown = 0
        for index in range(200):
            entry = copy.deepcopy(posed.dataset[index])
            answer = wrong(entry)
            if posed.accepts(answer, entry, "off"):
                assert not posed.accepts(answer, entry), (dataset, answer)
                assert posed.verifiers["on"].reason, dataset
                shown += 1
            if shown == 2:
                break
        assert shown == 2, dataset


def test_moves_that_the_rules_allow_pass_their_guard():
    for spec, right in (
        ("boxnet?seed=3", lambda entry: json.dumps(way_of_a_box(entry))),
        ("rush_hour?seed=3&max_moves=2", way_out),
        ("rubiks_cube?seed=3", lambda entry: entry["metadata"]["example_correct_answer"]),
        ("graph_color?seed=3", lambda entry: json.dumps(entry["metadata"]["possible_answer"])),
        ("tower_of_hanoi?seed=3", lambda entry: entry["answer"]),
        ("cryptarithm?seed=3", lambda entry: entry["answer"].replace("=", " = ")),
        ("propositional_logic?seed=3", lambda entry: entry["metadata"]["example_answer"]),
    ):
        posed = Posed(spec)
        for index in range(5):
            entry = posed.dataset[index]
            answer = right(entry)
            assert posed.accepts(answer, entry) == posed.accepts(answer, entry, "off"), answer
        assert posed.accepts(right(posed.dataset[0]), posed.dataset[0]), spec


MADE = [
    ([3, 4], 12, "3*4", True),
    ([3, 4], 12, "3*4 = 12", True),
    ([3, 4], 12, "12 = 3 * 4", True),
    ([3, 4], 12, r"3 \times 4", True),
    ([3, 4], 12, r"$3 \cdot 4$.", True),
    ([3, 4], 12, r"\boxed{3 \times 4 = 12}", True),
    ([3, 4], 12, "(3)(4)", True),
    ([12, 4], 3, r"\frac{12}{4}", True),
    ([12, 4, 2], 6, r"\dfrac{12}{4} \times 2", True),
    ([12, 4, 3, 3], 2, r"\frac{12}{\frac{4 \times 3}{3}} - 1", False),
    ([12, 4, 3, 2], 2, r"\frac{12}{\frac{4 \times 3}{2}}", True),
    ([12, 4], 3, "12 \u00f7 4", True),
    ([12, 4], 8, "12 \u2212 4", True),
    ([2, 3, 4], 20, r"\left(2 + 3\right) \times 4", True),
    ([1, 4, 3], 11, "-1 + 3*4", True),
    ([3, 4], 12, "3*4 = 13", False),
    ([3, 4], 12, "3*4 = 12 = 12", False),
    ([3, 4], 12, "3+4 = 12", False),
    ([3, 4], 12, "12", False),
    ([3, 4], 12, "12 = 12", False),
    ([3, 4], 12, "6*2", False),
    ([2, 3], 1, "2^3", False),
    ([2, 3], 8, "2**3", False),
    ([2, 3], 8, "2^3", False),
    ([75, 2], 37, "75//2", False),
    ([75, 2], 37, "75/2", False),
    ([75, 2], 1, "75 % 2", False),
    ([1, 81, 1, 1], 81, "81*1", False),
    ([1, 1, 1, 81], 81, "81*1*1*1", True),
    ([5, 100, 1, 250], 500, "5*100 + 1/250", False),
    ([9, 100, 99, 98, 1], 900, "9*100 + 1/(99*98)", False),
    ([3, 4, 1], 12, "3*4 + 0*1", False),
    ([3, 0], 3, "3/0", False),
    ([81, 1], 82, "8 1 + 1", False),
]


@pytest.mark.parametrize(("numbers", "target", "answer", "right"), MADE)
def test_an_expression_makes_the_target_of_the_numbers(numbers, target, answer, right, countdown):
    about = {"source_dataset": "countdown", "numbers": numbers, "target": target}
    entry = {"question": "", "answer": "", "metadata": about}
    assert countdown.accepts(answer, entry) == right


@pytest.fixture(scope="module")
def countdown():
    return Posed("countdown?seed=3")


@given(
    st.lists(st.integers(1, 50), min_size=2, max_size=6),
    st.lists(st.sampled_from("+-*/"), min_size=5, max_size=5),
    st.fractions(-2, 2),
)
def test_a_made_number_is_compared_exactly(numbers, operators, change):
    value, text = Fraction(numbers[0]), str(numbers[0])
    for operator, item in zip(operators, numbers[1:], strict=False):
        value = {"+": value + item, "-": value - item, "*": value * item, "/": value / item}[
            operator
        ]
        text = f"({text}) {operator} {item}"
    about = {"numbers": numbers, "target": value}
    assert guard_refusal("countdown", text, {"metadata": about}) is None
    about = {"numbers": numbers, "target": value + change}
    assert (guard_refusal("countdown", text, {"metadata": about}) is None) == (change == 0)
    about = {"numbers": [*numbers[1:], numbers[0] + 1], "target": value}
    assert guard_refusal("countdown", text, {"metadata": about}) is not None


CHANCES = [
    ("0.171875", True), ("11/64", True), (r"\frac{11}{64}", True), ("22/128", True),
    ("0.1719", True),
    ("0.172", True), (r"$0.171875$", True), (".171875", True), ("1.71875e-1", True),
    ("0.17", False), ("0.1718", True), ("0.1720", False), ("0.171877", False), ("0", False),
    ("17.1875%", True), (r"$17.19\%$", True), ("17.1875", False), ("0.171875%", False),
    ("17%", False), ("17.18750%", True), ("0%", False), ("-17.1875%", False),
    ("0.17187", True), ("0.0", False), ("1", False), ("11/63", False), ("-0.171875", False),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "right"), CHANCES)
def test_a_probability_is_exact_or_rounded(answer, right):
    entry = {
        "question": "",
        "answer": "0.171875",
        "metadata": {"rational": {"numerator": 11, "denominator": 64}},
    }
    chance = Posed("coin_flip?seed=3")
    # 0.172 is further from the value than the dataset allows
    assert chance.accepts(answer, entry) == (right and answer != "0.172")


# -- other ways to write an answer ----------------------------------------------------------------


WRITTEN = [
    ("500", r"\boxed{500}", True), ("500", r"\text{500}", True), ("500", "$500$", True),
    ("500", "500.", True), ("500", "500.0", True), ("500", r"$\boxed{500}$.", True),
    ("500", r"\(500\)", True), ("500", r"\[ \boxed{\text{500}} \]", True), ("500", "**500**", True),
    ("500", "500.00", True), ("500", " 500 ", True), ("500", "+500", True), ("500", "500 .", True),
    ("-12", "\u221212", True), ("8717446", "8,717,446", True), ("8717446", "8{,}717{,}446", True),
    ("0.5", ".5", True), ("0.5", "0.50", True), ("12", "1,2", False), ("500", "-500", False),
    ("500", "500.1", False), ("500", "0500", False), ("500", "5_00", False), ("500", "501", False),
    ("500", "500 or 501", False), ("500", r"\boxed{500} \boxed{501}", False), ("500", "5e2", False),
    ("500", r"\boxed{500", False), ("500", "$500$ or $501$", False), ("500", "50 0", False),
    ("500", "\uff15\uff10\uff10", False), ("500", r"\frac{500}{1}", False), ("500", "", False),
    ("Yes", "yes", True), ("Yes", "YES.", True), ("Yes", r"\boxed{\text{yes}}", True),
    ("Yes", '"Yes"', True), ("Yes", "No", False), ("Yes", "yes/no", False), ("Yes", "y", False),
    ("Yes", "Yes or No", False), ("bAd", "bad", False), ("bAd", r"\boxed{bAd}", True),
    ("G9", "$G9$", True), ("G9", "G 9", False), ("16.91\u00b0", r"16.91^\circ", True),
    ("0.5, 1.0", r"$0.5, 1.0$", True), ("0.5, 1.0", "1.0, 0.5", False), ("0.5, 1.0", "0.5", False),
    ("a b", r"\boxed{a b}", False), ("x.", r"\text{x.}", False), ("[[1]]", "$[[1]]$", True),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer", "read"), WRITTEN)
def test_forms_of_an_answer_have_its_value(gold, answer, read):
    entry = {"answer": gold, "question": "Is it so? (Answer Yes or No)"}
    assert (gold in [answer, *read_forms("leg_counting", answer, entry)]) == read


@pytest.mark.parametrize(
    ("dataset", "gold", "answer", "read"),
    [
        ("power_function", "8.05544726166417e-06", r"$8.06 \times 10^{-6}$", "8.06e-6"),
        ("power_function", "8.05544726166417e-06", "8.06\u00d710^-6", "8.06e-6"),
        ("power_function", "8.05544726166417e-06", r"8.06 \times 10^{-6} \times 2", None),
        ("power_function", "64.0", r"\boxed{6.40 \cdot 10^{1}}", "6.40e1"),
        ("propositional_logic", None, r"$(P \land \neg Q) \to R$.", "(P \u2227 \u00ac Q) \u2192 R"),
        ("propositional_logic", None, "~P <-> (Q => R)", "\u00acP \u2194 (Q \u2192 R)"),
        ("propositional_logic", None, r"P \lor Q \text{ or } R", None),
        ("rubiks_cube", None, "R\u2019 U2 F\u2032", "R' U2 F'"),
        ("rubiks_cube", None, r"\boxed{R U}", "R U"),
        ("fraction_simplification", r"$\frac{3}{7}$", r"2\frac{3}{7}", None),
        ("leg_counting", "23", r"2\frac{3}{1}", None),
    ],
)
def test_forms_of_some_datasets(dataset, gold, answer, read):
    entry = {"answer": gold, "question": "", "metadata": {}}
    forms = read_forms(dataset, answer, entry)
    assert forms == [read] if read else all("text" in f or "\\" in f or "10" in f for f in forms)


@pytest.mark.parametrize(
    ("dataset", "small", "large"),
    [
        ("rubiks_cube", "R U2 " * 500, ["R99999999", "U99 " * 40, "R " * 2001, "R2000"]),
        ("rush_hour", "A+1 " * 500, ["A+999999999", "A-99 " * 40, "A+0001"]),
        (
            "propositional_logic",
            "(P \u2227 \u00acQ)",
            ["\u00ac" * 2000 + "P", "(a \u2227 b)", "P or Q"],
        ),
    ],
)
def test_answers_of_unbounded_cost_never_reach_their_verifier(dataset, small, large):
    for name, entry in ((dataset, {}), ("composite", {"metadata": {"source_dataset": dataset}})):
        assert excess(name, small, entry) is None
        assert all(excess(name, answer, entry) for answer in large)
    assert excess("countdown", "9" * 5000, {}) is None
    posed = Posed(f"{dataset}?seed=3")
    posed.dataset.score_answer = None  # is not called
    for answer in large:
        assert not posed.accepts(answer, posed.dataset[0])
        assert not posed.accepts(answer, posed.dataset[0], "off")


def test_short_lines_and_fractions_are_read_in_their_dressings():
    for name in ("fraction_simplification", "complex_arithmetic", "time_intervals", "dice"):
        posed = Posed(f"{name}?seed=3")
        for entry in map(posed.dataset.__getitem__, range(4)):
            bare = entry["answer"].strip("$")
            for way in (r"\boxed{%s}", r"$\boxed{%s}$.", r"\(%s\)", r"\boxed{\text{%s}}", "%s."):
                assert posed.accepts(way % bare, entry), (name, way % bare)
                assert not posed.accepts(way % f"{bare} {bare}", entry), (name, bare)
            if divided := re.fullmatch(r"(\d+)/(\d+)", bare):
                above, below = divided.groups()
                assert posed.accepts(rf"$\frac{{{above}}}{{{below}}}$", entry), bare
                assert not posed.accepts(rf"$\frac{{{below}}}{{{above}}}$", entry), bare


@given(st.text(max_size=40), st.sampled_from(["500", "Yes", "bAd", "0.5, 1.0", "a b"]))
def test_no_text_becomes_a_gold_answer_that_it_does_not_hold(answer, gold):
    entry = {"answer": gold, "question": "Is it so? (Answer Yes or No)"}
    if gold in read_forms("leg_counting", answer, entry):
        letters = [sign.lower() for sign in answer if sign.isalnum()]
        assert "".join(letters).startswith("".join(filter(str.isalnum, gold.lower())))


ANTIDERIVATIVES = [
    "-6*x^3 + 2*x + C", "-6x^3 + 2x + C", r"$-6x^{3} + 2x + C$", r"-6 \cdot x^3 + 2x",
    r"\boxed{-6x^3+2x+C}", r"-\frac{12x^3}{2} + 2x + C", "\u22126x^3 + 2x + C.",
    "2x - 6x**3 + C",
]  # fmt: skip


def test_antiderivatives_are_read_in_latex():
    about = {"variable": "x", "integrand": "2 - 18*x**2", "source_dataset": "simple_integration"}
    entry = {"question": "", "answer": "-6*x**3 + 2*x + C", "metadata": about}
    posed = Posed("simple_integration?seed=3")
    for answer in ANTIDERIVATIVES:
        assert posed.accepts(answer, entry), answer
    for answer in ("-6x^3 + 3x + C", "6x^3 + 2x + C", "-6x^2 + 2x + C", "x^3", "C", "-6^3x + 2x"):
        assert not posed.accepts(answer, entry), answer


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        ("3x4", "3*4"), ("(3+4) X 2", "(3+4)*2"), ("= 3*4", "3*4"), ("3*4 = 12.", "3*4"),
        ("3 \u2217 4", "3 * 4"), ("24 \u2044 2", "24 / 2"), ("16 \u2013 4", "16 - 4"),
        (r"3 {\times} 4", "3 *4"), ("3*4 = 13", "3*4 = 13"), ("3 4", "3 4"), ("12", "12"),
    ],
)  # fmt: skip
def test_expressions_of_numbers_are_written_plainly(answer, plain):
    assert plain_expression(answer, "12") == plain


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (r"\frac{x^2}{2} \sin(3x) + \ln(x)", "((x**2)/(2))*sin(3*x) + log(x)"),
        ("2e3 + 2x(3 + 1)(2)", "2e3 + 2*x(3 + 1)*(2)"),
        (r"\sqrt{x} e^{2x}", "sqrt(x)*e**(2*x)"),
        (r"\frac12 x", "((1)/(2))*x"),
        ("{" * 4096, "{" * 4096),
    ],
)
def test_expressions_are_written_plainly(answer, plain):
    assert plain_expression(answer) == plain


def test_reading_takes_little_time_whatever_the_answer():
    start = time.process_time()
    for text in (
        r"\frac{" * 600,
        "{" * 4000,
        "$" * 4000,
        r"\boxed{" * 500 + "}" * 500,
        "(" * 4000,
        "1," * 2000,
        "\u2212" * 4000,
        '"' * 4000,
        "^{" * 2000,
        "9" * 4000,
        "e^" * 2000,
    ):
        for gold in ("500", "Yes", "0.5, 1.0", "G9"):
            read_forms("leg_counting", text, {"answer": gold, "question": "Yes or no"})
        plain_expression(text, "24")
    assert time.process_time() - start < 20


# -- every dataset ---------------------------------------------------------------------------------

# Datasets of which an answer to one problem may solve another, and those without a gold answer.
SHARED_ANSWERS = {"n_queens", "sokoban"}
PLAIN_WORDS = ("banana", "?", "I do not know", "the answer", "nan", "[]", "None", "")
QUICK = (
    "acre", "chain_sum", "complex_arithmetic", "decimal_arithmetic", "dice", "gsm_symbolic",
    "knights_knaves", "leg_counting", "mini_sudoku", "number_sorting", "puzzle24", "spell_backward",
    "syllogism", "word_sorting",
)  # fmt: skip


def dressed(entry, gold):
    """Ways to write a gold answer that is a number or a word."""
    number = re.fullmatch(r"-?\d+(\.\d+)?", gold)
    word = re.fullmatch("[A-Z]?[a-z]{1,12}", gold) and re.search(rf"\b{gold}\b", entry["question"])
    if not (number or word):
        return []
    ways = [
        rf"\boxed{{{gold}}}",
        f"${gold}$",
        rf"\text{{{gold}}}",
        f"{gold}.",
        rf"$\boxed{{{gold}}}$.",
    ]
    if word:
        return [*ways, gold.lower(), gold.upper(), f"{gold.lower()}."]
    return ways if "." in gold else [*ways, f"{gold}.0", f"{int(gold):,}"]


def wrong_for(gold, golds):
    """Answers that are wrong, whatever the question, and the gold answers of other problems."""
    ways = [*PLAIN_WORDS, *golds, f"{gold} or banana", f"not {gold}"]
    if re.fullmatch(r"-?\d+", gold):
        ways += [
            str(int(gold) + 1),
            str(int(gold) - 1),
            f"{int(gold) + 0.5}",
            f"{gold}1",
            f"1{gold}",
        ]
        ways += [str(-int(gold))] if int(gold) else []
    return [way for way in ways if way.strip().lower() != gold.strip().lower()]


def check_dataset(name, size):
    posed = Posed(f"{name}?seed=7&size={size}")
    entries = [entry for entry in map(posed.dataset.__getitem__, range(size)) if entry["answer"]]
    golds = {entry["answer"] for entry in entries} if name not in SHARED_ANSWERS else set()
    for entry in entries:
        gold = entry["answer"]
        assert posed.accepts(gold, entry), (name, gold)
        for answer in dressed(entry, gold):
            assert posed.accepts(answer, entry), (name, gold, answer)
        for answer in wrong_for(gold, golds):
            assert not posed.accepts(answer, entry), (name, gold, answer)


@pytest.mark.parametrize("name", QUICK)
def test_gold_answers_are_correct_in_every_form_and_others_are_not(name):
    check_dataset(name, 3)


@pytest.mark.slow
def test_gold_answers_of_every_dataset_are_correct_and_others_are_not():
    from reasoning_gym.factory import DATASETS

    for name in sorted(set(DATASETS) - {"composite"}):
        check_dataset(name, 6)


def test_guards_are_part_of_the_task_and_of_the_name_of_the_grader():
    task = load_task("reasoning_gym:game_of_life_halting?size=1")
    bare = load_task("reasoning_gym:game_of_life_halting?size=1&guards=off")
    assert task.verifier().name.endswith("game_of_life_halting (forms 2, guard same word 1)")
    assert bare.verifier().name.endswith("game_of_life_halting (guards off)")
    assert load_task("reasoning_gym:leg_counting?size=1").verifier().name.endswith("(forms 2)")
    assert "guards=off" in bare.spec
    assert "guards" not in task.spec
    posed = Posed("game_of_life_halting?seed=3")
    for guards, accepted in (("on", False), ("off", True)):
        assert posed.accepts("banana", posed.dataset[0], guards) == accepted
        assert posed.accepts(posed.dataset[0]["answer"], posed.dataset[0], guards)
    with pytest.raises(InvalidInputError, match="guards should be on or off, got 'none'"):
        load_task("reasoning_gym:leg_counting?guards=none")


def test_composite_has_the_guard_of_the_dataset_that_posed_the_problem():
    entry = {"answer": "True", "metadata": {"source_dataset": "game_of_life_halting"}}
    assert guard_refusal("composite", "True", entry) is None
    assert guard_refusal("composite", "banana", entry) is not None
    assert guard_refusal("composite", "banana", {"metadata": {"source_dataset": "gcd"}}) is None
