"""Cases of grading from public bug reports, run through the public API.

A case is an object with `op` ("verify", "extract", "stdout", "program", "gym"), `kind`, `source`,
`expected` (one verdict, or those that are accepted) and what the op needs. `extract` expects a
text, or "status:" and a status.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.answers import extract_answers, verify_answers
from rlvr_fast.answers.pairs import Pair
from rlvr_fast.answers.workers import verify_pairs
from rlvr_fast.tasks import load_task
from rlvr_fast.tasks.sandbox import Limits

__all__ = [
    "CASES", "HELD_WRONG", "OURS", "SHARED",
    "accepted", "is_right", "key", "outcomes", "read_cases",
]  # fmt: skip

SHARED = Path(os.environ.get("RLVR_SHARED", Path(__file__).parents[3] / ".." / "shared"))
CASES = SHARED / "cases" / "grading.jsonl"
OURS = Path(__file__).parent / "cases_of_ours.jsonl"

Case = dict[str, Any]

# Expectations of the cases that we hold to be wrong: (kind, gold or text, answer) -> why. They
# count as they stand; docs/grading.md says more.
HELD_WRONG: dict[tuple[str, str, str], str] = {
    ("FP unparsed LaTeX", r"\prod_{k=1}^{n} k", r"\prod_{k=2}^{n} k"): "both are n factorial",
    ("FP base suffix", "10_2", "10"): "the digits of a gold with a base may stand alone",
    ("end to end (final_line): display", "12", r"\["): "an opening delimiter is no answer",
}

_PROMPT = 'def inc(n: int) -> int:\n    """Add one."""\n'
_CHECK = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(-1) == 0\n"


def read_cases(path: Path) -> list[Case]:
    """The cases of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def accepted(case: Case) -> tuple[str, ...]:
    """The outcomes that a case accepts."""
    expected = case["expected"]
    return (expected,) if isinstance(expected, str) else tuple(expected)


def key(case: Case) -> tuple[str, str, str]:
    """The kind of a case, its gold (or text) and its answer, as `HELD_WRONG` names them."""
    return case["kind"], case.get("gold") or case.get("text", ""), case.get("answer", "")


def is_right(case: Case, outcome: str) -> bool:
    """Whether an outcome is what the case expects. No verdict but "correct" accepts an answer."""
    wanted = accepted(case)
    if case["op"] == "extract" or "correct" in wanted or "timeout" in wanted:
        return outcome in wanted
    return outcome != "correct"


def outcomes(cases: Sequence[Case], folder: Path) -> list[str]:
    """Our outcome of each case; `folder` takes the files of program tasks."""
    found = [""] * len(cases)
    for op, run in _RUNS.items():
        places = [place for place, case in enumerate(cases) if case["op"] == op]
        if places:
            got = run([cases[place] for place in places], folder)
            for place, outcome in zip(places, got, strict=True):
                found[place] = outcome
    return found


def _extracted(cases: Iterable[Case]) -> list[tuple[str | None, str]]:
    """Answer and status of each text, by the policy of its case."""
    cases = list(cases)
    found: list[tuple[str | None, str]] = [(None, "")] * len(cases)
    for policy in {_policy(case) for case in cases}:
        places = [place for place, case in enumerate(cases) if _policy(case) == policy]
        pairs = extract_answers([cases[place]["text"] for place in places], policy=policy)
        for place, answer, status in zip(places, *pairs, strict=True):
            found[place] = (answer, status)
    return found


def _policy(case: Case) -> str:
    if "policy" in case:
        return str(case["policy"])
    named = re.search(r"\((\w+)\)", case["kind"])  # "end to end (final_line): prose after"
    return named[1] if named else "auto"


def _extract(cases: Sequence[Case], folder: Path) -> list[str]:
    return [
        answer if status == "found" and answer is not None else f"status:{status}"
        for answer, status in _extracted(cases)
    ]


def _verify(cases: Sequence[Case], folder: Path) -> list[str]:
    answers = [case["answer"] for case in cases]
    whole = [place for place, case in enumerate(cases) if "text" in case]
    for place, (answer, _) in zip(whole, _extracted(cases[p] for p in whole), strict=True):
        answers[place] = answer
    return list(verify_answers([case["gold"] for case in cases], answers))


def _programs(cases: Sequence[Case], folder: Path) -> list[str]:
    return _run_programs([(case["program"], case["tests"]) for case in cases], folder)


def _stdout(cases: Sequence[Case], folder: Path) -> list[str]:
    return _run_programs(
        [
            (
                f"import sys\nsys.stdout.buffer.write({case['output'].encode()!r})",
                [["", case["expected_output"]]],
            )
            for case in cases
        ],
        folder,
    )


def _run_programs(
    programs: Sequence[tuple[str, list[list[str]] | None]], folder: Path
) -> list[str]:
    path = folder / "programs.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    "id": place,
                    "question": "Write it.",
                    "tests": [{"input": given, "output": wanted} for given, wanted in tests],
                }
            )
            + "\n"
            for place, (_, tests) in enumerate(programs)
            if tests is not None
        )
    )
    with_tests = any(tests is not None for _, tests in programs)
    task = load_task(f"code:{path}?timeout=2") if with_tests else None
    problems = iter(task.problems() if task else ())
    found = []
    for program, tests in programs:
        if tests is None:
            found.append(_function_verdict(program))
        elif task is not None:
            problem = next(problems)
            found.append(
                task.verifier().verify(problem.problem_id, None, problem.metadata, program)
            )
    return found


def _function_verdict(answer: str) -> str:
    """The verdict of HumanEval's way to run, on a function that adds one."""
    from rlvr_fast.tasks.schemes.code.humaneval import FunctionTest

    return FunctionTest(_PROMPT, "inc", _CHECK).verdict(answer, Limits(5.0, 12.0, 1024))


def _gym(cases: Sequence[Case], folder: Path) -> list[str]:
    found = [""] * len(cases)
    pairs, places = [], []
    for place, case in enumerate(cases):
        spec = f"reasoning_gym:{case['task']}"
        if case["problem"] is None:
            found[place] = _countdown(spec, case)
            continue
        (problem,) = (p for p in load_task(spec).problems() if p.problem_id == case["problem"])
        if problem.gold != case["gold"]:
            raise AssertionError(f"{case['problem']}: the gold is {problem.gold}")
        pairs.append(Pair(spec, problem.problem_id, problem.gold, problem.metadata, case["answer"]))
        places.append(place)
    verify_pairs(pairs, lambda at, outcome: found.__setitem__(places[at], outcome.verdict))
    return found


def _countdown(spec: str, case: Case) -> str:
    """The verdict on a countdown problem that the case makes up: "12 from [3, 4]"."""
    from rlvr_fast.tasks.schemes.reasoning_gym.verifier import GymVerifier, question_sha256
    from rlvr_fast.tasks.specs import parse_spec

    target, numbers = case["gold"].split(" from ")

    class Posed(GymVerifier):
        def _generated(self, index: int) -> dict[str, Any]:
            entry = super()._generated(index)  # makes the dataset
            entry["metadata"] |= {"target": int(target), "numbers": json.loads(numbers)}
            return entry | {"question": case["gold"], "answer": "0"}

    metadata = {"index": 0, "question_sha256": question_sha256(case["gold"])}
    return Posed(parse_spec(spec)).verify("countdown/0", None, metadata, case["answer"])


_RUNS: dict[str, Callable[[Sequence[Case], Path], list[str]]] = {
    "verify": _verify,
    "extract": _extract,
    "stdout": _stdout,
    "program": _programs,
    "gym": _gym,
}
