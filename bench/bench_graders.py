"""Graders on cases of grading from public bug reports: wrong answers accepted, right ones found.

    python bench/bench_graders.py [--shared ../shared] [--rivals PYTHON ...] [--failures [KIND]]

The cases are those of SHARED/cases/grading.jsonl. Each PYTHON is the interpreter of an environment
with rivals' packages (`peers/graders.py` names them; lighteval needs an older parser than the
others, so an environment of its own); a rival without its package is left out. Each rival runs in a
process of its own and gets each answer as its users would give it; a case that takes longer than
`grader_runs.SECONDS` is a time-out. `--failures` prints our failures by kind, records nothing and
runs no rival.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "tasks" / "math"))
import graders_kinds
import grading_cases
from common import record
from peers import grader_runs

OURS = "rlvr_fast"
VERDICTS = ("verify", "stdout", "program", "gym")
MOST_LISTED = 20


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--shared", type=Path, default=grading_cases.SHARED)
    options.add_argument(
        "--rivals", type=Path, nargs="+", default=(), help="Pythons that have rivals' packages"
    )
    options.add_argument("--kept", type=Path, help="rivals' outcomes, written or read again")
    options.add_argument("--failures", nargs="?", const="", metavar="KIND", help="of ours, by kind")
    options.add_argument("--dry", action="store_true", help="print the rows, do not record them")
    asked = options.parse_args()
    cases = grading_cases.read_cases(asked.shared / "cases" / "grading.jsonl")
    if asked.failures is not None:
        show_failures([case for case in cases if asked.failures in case["kind"]])
        return
    started = time.perf_counter()
    found = {OURS: ours(cases)}
    seconds = {OURS: time.perf_counter() - started}
    for name, outcomes, taken in rivals(asked, cases):
        found[name], seconds[name] = outcomes, taken
    rows = table(cases, found, seconds)
    rows.append({"what": "listed", "rivals_right_ours_wrong": losses(cases, found)})
    print(json.dumps(rows, indent=1))
    if not asked.dry:
        record("graders", rows)


def ours(cases: Sequence[dict[str, Any]]) -> list[str | None]:
    with tempfile.TemporaryDirectory() as folder:
        return list(grading_cases.outcomes(cases, Path(folder)))


def rivals(
    asked: argparse.Namespace, cases: Sequence[dict[str, Any]]
) -> list[tuple[str, list[str | None], float]]:
    if asked.kept and asked.kept.exists():
        kept = json.loads(asked.kept.read_text("utf-8"))
        return [(name, outcomes, taken) for name, outcomes, taken in kept]
    found = list(grader_runs.run_all(asked.rivals, cases))
    if asked.kept:
        asked.kept.write_text(json.dumps(found), "utf-8")
    return found


def show_failures(cases: Sequence[dict[str, Any]]) -> None:
    by_kind: dict[str, list[str]] = defaultdict(list)
    outcomes = ours(cases)
    for case, outcome in zip(cases, outcomes, strict=True):
        if not grading_cases.is_right(case, str(outcome)):
            wanted = "|".join(grading_cases.accepted(case))
            asked, given = ends(case)
            by_kind[case["kind"]].append(f"{asked} <- {given}: {outcome!r}, not {wanted!r}")
    for kind, lines in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        print(f"## {kind} ({len(lines)})")
        print("".join(f"    {line}\n" for line in lines), end="")
    for row in table(cases, {OURS: outcomes}, {OURS: 0.0}):
        print(
            f"{row['subject']}: wrong accepted {row['wrong_accepted']}/{row['of_wrong']}, right "
            f"recognised {row['right_recognised']}/{row['of_right']}, extracted "
            f"{row['extracted']}/{row['of_texts']}"
        )


def ends(case: dict[str, Any]) -> tuple[str, str]:
    """The gold side and the answer side of a case, for a list."""
    if case["op"] == "verify":
        return repr(case["gold"]), repr(case.get("text", case["answer"]))
    if case["op"] == "gym":
        return f"{case['task']} {case['gold']!r}", repr(case["answer"])
    if case["op"] == "stdout":
        return repr(case["expected_output"]), repr(case["output"])
    return ("", repr(case["text"])) if case["op"] == "extract" else ("", repr(case["program"]))


def table(
    cases: Sequence[dict[str, Any]],
    found: dict[str, Sequence[str | None]],
    seconds: dict[str, float],
) -> list[dict[str, Any]]:
    """A row for each grader and subject, and one for all subjects; cases not taken are left out."""
    rows = []
    for name, outcomes in found.items():
        for subject in ("all", *graders_kinds.SUBJECTS):
            chosen = [
                (case, outcome)
                for case, outcome in zip(cases, outcomes, strict=True)
                if outcome is not None and subject in ("all", graders_kinds.subject_of(case))
            ]
            if chosen:
                rows.append({"what": name, "subject": subject, **counts(chosen)})
                if subject == "all":
                    rows[-1]["seconds"] = seconds[name]
    return rows


def counts(chosen: Iterable[tuple[dict[str, Any], str]]) -> dict[str, int]:
    wrong = right = accepted = recognised = texts = extracted = failed = 0
    for case, outcome in chosen:
        failed += outcome in ("timeout", "error") and outcome not in grading_cases.accepted(case)
        if case["op"] == "extract":
            texts += 1
            extracted += grading_cases.is_right(case, outcome)
        elif grading_cases.accepted(case) == ("correct",):
            right += 1
            recognised += outcome == "correct"
        elif "correct" not in grading_cases.accepted(case):
            wrong += 1
            accepted += outcome == "correct"
    return {
        "wrong_accepted": accepted,
        "of_wrong": wrong,
        "right_recognised": recognised,
        "of_right": right,
        "extracted": extracted,
        "of_texts": texts,
        "errors_and_timeouts": failed,
    }


def losses(
    cases: Sequence[dict[str, Any]], found: dict[str, Sequence[str | None]]
) -> list[dict[str, Any]]:
    """Cases where a rival is right and we are wrong, the most rivals first."""
    lost = []
    for place, case in enumerate(cases):
        if not grading_cases.is_right(case, str(found[OURS][place])):
            winners = [
                name
                for name, outcomes in found.items()
                if outcomes[place] is not None
                and grading_cases.is_right(case, str(outcomes[place]))
            ]
            if winners:
                asked, given = ends(case)
                lost.append(
                    {
                        "kind": case["kind"],
                        "gold": asked,
                        "answer": given,
                        "ours": found[OURS][place],
                        "expected": grading_cases.accepted(case)[0],
                        "right": winners,
                        "view": grading_cases.HELD_WRONG.get(grading_cases.key(case), ""),
                    }
                )
    return sorted(lost, key=lambda one: -len(one["right"]))[:MOST_LISTED]


if __name__ == "__main__":
    main()
