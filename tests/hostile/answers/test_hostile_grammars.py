"""No answer outside its dataset's grammar reaches a verifier that evaluates text."""

from __future__ import annotations

import copy

import pytest
from hostile_payloads import EXHAUSTS, RUNS_CODE, TOUCH
from reached_code import evaluators_reached, reached

from rlvr_fast.tasks.schemes.reasoning_gym import verifier as verifier_module
from rlvr_fast.tasks.schemes.reasoning_gym.answer_grammars import EVALUATING, GRAMMARS, refusal
from rlvr_fast.tasks.schemes.reasoning_gym.config import dataset_of, datasets
from rlvr_fast.tasks.schemes.reasoning_gym.verifier import GymVerifier, question_sha256
from rlvr_fast.tasks.specs import parse_spec

# composite poses the problems of other datasets, and has no config that a spec can name.
NAMED = sorted(set(GRAMMARS) - {"composite"})
# The datasets that hand the answer itself to eval or parse_expr.
HAND_OVER = sorted(EVALUATING - {"composite", "bitwise_arithmetic", "number_sorting"})

# Payloads that are of the form of a board (eval knows no such name), or a complex number.
HARMLESS = {"n_queens": {"_", "__"}, "complex_arithmetic": {"1j"}}
# Payloads that are read as the number or the fraction that they show (`reading.py`).
READ = {"`1`", "$1$", "1j", r"\frac{1}{2}"}


class Posed:
    """A verifier and one problem of its dataset."""

    def __init__(self, name: str) -> None:
        spec = parse_spec(f"reasoning_gym:{name}?size=1&seed=3")
        self.entry = dataset_of(spec)[0]
        self.verifier = GymVerifier(spec)
        self.metadata = {"index": 0, "question_sha256": question_sha256(self.entry["question"])}

    def verdict(self, answer: str) -> str:
        return self.verifier.verify("p", None, self.metadata, answer)


@pytest.fixture(scope="module")
def posed():
    made: dict[str, Posed] = {}

    def get(name: str) -> Posed:
        if name not in made:
            made[name] = Posed(name)
        return made[name]

    return get


def test_there_are_enough_hostile_answers():
    assert len(set(RUNS_CODE + EXHAUSTS)) >= 120


def test_every_verifier_that_evaluates_has_a_grammar():
    """Reads the installed package: a new version with a new evaluating verifier fails here."""
    found = {name: evaluators_reached(made) for name, (made, _) in datasets().items()}
    evaluating = {name: what for name, what in found.items() if what}
    assert set(evaluating) == EVALUATING, evaluating
    assert set(GRAMMARS) - EVALUATING == {"coin_flip", "complex_arithmetic"}


def test_no_verifier_writes_into_its_dataset():
    """A verdict may not depend on the answers before it: only knight_swap writes, to its entry."""
    import ast
    import inspect
    import textwrap

    writers = set()
    for name, (made, _) in datasets().items():
        for function in reached(made):
            if function.__qualname__.partition(".")[0] != made.__name__:
                continue
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
            for node in ast.walk(tree):
                targets = getattr(node, "targets", [getattr(node, "target", None)])
                for target in targets if isinstance(node, (ast.Assign, ast.AugAssign)) else ():
                    root = target
                    while isinstance(root, (ast.Attribute, ast.Subscript)):
                        root = root.value
                    if root is not target and getattr(root, "id", "") in ("self", "entry"):
                        writers.add(name)
    assert writers == {"knight_swap"}


@pytest.mark.parametrize("name", NAMED)
def test_hostile_answers_are_incorrect_and_reach_no_code_of_the_dataset(
    name, posed, tmp_path, monkeypatch
):
    subject, marker = posed(name), tmp_path / "marker"
    assert subject.verdict(subject.entry["answer"]) == "correct"
    assert subject.verifier.evaluates == (name in EVALUATING)

    def reached_dataset(answer, entry):
        raise AssertionError(f"{name} got {answer[:80]!r}")

    monkeypatch.setattr(subject.verifier._dataset, "score_answer", reached_dataset, raising=False)
    for payload in RUNS_CODE + EXHAUSTS:
        if payload in READ or payload in HARMLESS.get(name, ()):
            continue
        answer = payload.replace("{marker}", str(marker))
        assert subject.verdict(answer) == "incorrect"
        assert subject.verifier.reason.startswith("not "), answer[:80]
        assert len(subject.verifier.reason) < 200
    assert not marker.exists()


@pytest.mark.parametrize("name", HAND_OVER)
def test_without_the_grammar_the_same_answer_runs(name, posed, tmp_path, monkeypatch):
    subject, marker = posed(name), tmp_path / "marker"
    monkeypatch.setattr(verifier_module, "refusal", lambda *_: None)
    assert subject.verdict(TOUCH.replace("{marker}", str(marker))) == "incorrect"
    assert marker.exists()


@pytest.mark.parametrize("name", ["countdown", "n_queens"])
def test_a_patched_verifier_is_what_an_answer_cannot_leave_behind(name, posed):
    subject = posed(name)
    patch = (
        "[setattr(c, 'score_answer', lambda *a: 1.0) for c in "
        "__import__('reasoning_gym').dataset.ProceduralDataset.__subclasses__()]"
    )
    assert [subject.verdict(text) for text in (patch, "banana", "7")] == ["incorrect"] * 3


def test_an_answer_changes_nothing_for_the_next(posed):
    subject = posed("knight_swap")
    before = copy.deepcopy(subject.verifier._entry("p", subject.metadata))
    assert subject.verdict(subject.entry["answer"]) == "correct"
    assert subject.verifier._entry("p", subject.metadata) == before


def test_fixed_answers_meet_the_grammar_too(monkeypatch):
    seen = []
    monkeypatch.setattr(verifier_module, "refusal", lambda *a: seen.append(a[1]) or "not allowed")
    spec = parse_spec("reasoning_gym:palindrome_generation?size=1&fixes=leash")
    entry = dataset_of(spec)[0]
    metadata = {"index": 0, "question_sha256": question_sha256(entry["question"])}
    assert GymVerifier(spec).verify("p", None, metadata, "a b a") == "incorrect"
    assert seen == ["a b a", "aba"]


def test_composite_asks_the_dataset_that_posed_the_problem():
    entry = {"metadata": {"source_dataset": "countdown"}}
    assert refusal("composite", "1 + 1", entry) is None
    for payload in RUNS_CODE + EXHAUSTS:
        assert refusal("composite", payload, entry) is not None


def test_numbers_that_are_none_do_not_pass_as_sorted(posed):
    """Reasoning Gym scores a list of nan as correct: no comparison with nan is true."""
    subject = posed("number_sorting")
    count = len(subject.entry["metadata"]["sorted_numbers"])
    assert subject.verdict(str(["nan"] * count)) == "incorrect"
    assert subject.verdict(subject.entry["answer"].replace("'", "")) == "correct"


@pytest.mark.parametrize("answer", ["nan", "NaN", "(nan)", "nan+nanj", "nanj", "NANi", "1+nanj"])
def test_numbers_that_are_none_are_no_complex_numbers(answer, posed):
    """Reasoning Gym scores a distance of nan as 1, whatever the problem."""
    assert posed("complex_arithmetic").verdict(answer) == "incorrect"


# {0} is what a right answer gives; the numbers of the problem are only multiplied by zero.
UNCOUNTED = ("{0}e0+0e0*({1})", "{0}E0 + 0E1*({1})", "-0e0*({1}) + {0}e00", "{0}e0*1e0+0e0*({1})")


@pytest.mark.parametrize("form", UNCOUNTED)
@pytest.mark.parametrize("name", ["countdown", "puzzle24"])
def test_no_number_is_hidden_from_the_verifier_that_counts_them(name, form, posed):
    """`250e0` holds no number for a verifier that looks for words of digits."""
    subject = posed(name)
    numbers = subject.entry["metadata"]["numbers"]
    answer = form.format(subject.entry["metadata"].get("target", 24), "*".join(map(str, numbers)))
    assert subject.verifier._dataset.score_answer(answer, subject.entry) == 1
    assert subject.verdict(answer) == "incorrect"


def test_digits_are_not_joined_by_a_decimal_point(posed):
    entry = {"answer": "", "metadata": {"numbers": [2, 5, 4], "target": 10}}
    dataset = posed("countdown").verifier._dataset
    assert dataset.score_answer("2.5*4", entry) == 1
    assert refusal("countdown", "2.5*4", entry) is not None
    assert refusal("countdown", "(2 + 5)*4.", entry) is None


@pytest.mark.parametrize("name", ["intermediate_integration", "simple_integration"])
def test_an_integral_is_no_answer_to_itself(name, posed):
    subject = posed(name)
    about = subject.entry["metadata"]
    answer = f"Integral({about['integrand']}, {about['variable']}) + C"
    assert subject.verifier._dataset.score_answer(answer, subject.entry) == 1
    assert subject.verdict(answer) == "incorrect"
    # What sympy did not integrate is the gold answer of the dataset itself.
    assert (
        refusal(name, answer, {**subject.entry, "answer": f"2*Integral(x, x) + {answer}"}) is None
    )


UNREADABLE = {
    "boxnet": ("null", "1", "[null]", "[[]]", '{"a": 1}'),
    "coin_flip": ("1e999", "-1e99999"),
    "game_of_life": ("{}", '{"a": 1}'),
    "prime_factorization": ("7 and 11", "none", "2 x 3, or 6", "1e3"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_on_which_the_verifier_fails_is_incorrect(name, posed):
    """A verdict `error` would leave open whether the problem was solved."""
    subject = posed(name)
    for answer in UNREADABLE[name]:
        assert subject.verdict(answer) == "incorrect"
        assert subject.verifier.reason


def test_a_verifier_that_fails_on_its_own_gold_answer_is_an_error(posed, monkeypatch):
    subject = posed("gcd")
    assert subject.verdict("banana") == "incorrect"

    def broken(answer, entry):
        raise KeyError("metadata")

    monkeypatch.setattr(subject.verifier._dataset, "score_answer", broken, raising=False)
    with pytest.raises(KeyError):
        subject.verdict("banana")
