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

# Payloads that are of the form of a board; eval knows no such name.
HARMLESS = {"n_queens": {"_", "__"}}


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
    assert set(GRAMMARS) - EVALUATING == {"coin_flip"}


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
        if payload in HARMLESS.get(name, ()):
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
    assert refusal("composite", "open('a')", entry) is not None


def test_numbers_that_are_none_do_not_pass_as_sorted(posed):
    """Reasoning Gym scores a list of nan as correct: no comparison with nan is true."""
    subject = posed("number_sorting")
    count = len(subject.entry["metadata"]["sorted_numbers"])
    assert subject.verdict(str(["nan"] * count)) == "incorrect"
    assert subject.verdict(subject.entry["answer"].replace("'", "")) == "correct"
