"""Verdicts that came with imported rollouts: as the verdicts of a run, or beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.store import Run
from rlvr_fast.vocabulary import DECIDED, VERDICTS, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "IMPORTED",
    "WITHOUT_VERDICT",
    "agreement",
    "has_verdicts",
    "imported_grader",
    "imported_rule",
    "verdict_numbers",
]

# How the name of a grader begins where the imported file decides, and the grader of draws on which
# the file says nothing: their verdict is `error`, since nothing was decided.
IMPORTED = "imported: "
WITHOUT_VERDICT = f"{IMPORTED}no verdict given"

# Examples of draws on which our verdict and the imported verdict differ, and what an example shows
# of its completion.
_EXAMPLES = 5
_TAIL = 200


def imported_rule(run: Run) -> str:
    """The rule that made verdicts of the imported file, as import.json names the rule."""
    verdict = (run.read_json("import.json") or {}).get("verdict")
    rule = verdict.get("rule") if isinstance(verdict, dict) else None
    return str(rule or "verdict")


def imported_grader(run: Run) -> str:
    """The name of the grader where the imported file decides."""
    return IMPORTED + imported_rule(run)


def has_verdicts(run: Run) -> bool:
    """Whether a verdict came with any draw."""
    return any(
        bool((verdict_numbers(part["verdict"]) < 2).any())
        for _, part in run.iter_parts("samples", ["verdict"])
        if "verdict" in part.column_names
    )


def verdict_numbers(column: Any) -> NDArray[np.int64]:
    """0 for correct, 1 for incorrect, 2 where the file does not decide."""
    found = pc.fill_null(pc.index_in(column, value_set=pa.array(DECIDED, pa.string())), 2)
    numbers: NDArray[np.int64] = found.to_numpy().astype(np.int64)
    return numbers


def agreement(run: Run, grades: pa.Table) -> dict[str, Any] | None:
    """How often our verdicts agree with those that came with the rollouts.

    Args:
        run: a run with answers.
        grades: the rows of grades.parquet, by our verifiers, of the problems to be looked at.

    Returns:
        None where no verdict came along; else the rule of the imported verdicts, the number of
        draws `compared` and `agreed`, of those that only we or only the file call correct, of those
        without an answer that we find (`unparsed`; `unparsed_correct`: correct by the file), of
        those on which our verifier did not decide (`undecided`), the same in words (`message`), and
        up to five `examples` with gold, answer and the tail of the completion.
    """
    if not any("imported_verdict" in part.column_names for part in _verdict_columns(run)):
        return None
    ours = _verdict_of_id(grades)
    names = pc.unique(grades["problem_id"])
    codes = {verdict: VERDICTS.index(verdict) for verdict in VERDICTS}
    tally = np.zeros((len(VERDICTS), 2), np.int64)
    chosen: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for part, verdict, theirs in _draws(run, ours, names):
        tally += np.bincount(verdict * 2 + theirs, minlength=tally.size).reshape(tally.shape)
        for kind, (word, number) in _KINDS.items():
            rows = np.flatnonzero((verdict == codes[word]) & (theirs == number))
            if rows.size and len(chosen[kind]) < _EXAMPLES:
                chosen[kind] += _first_of_each(part, rows, _EXAMPLES - len(chosen[kind]))
    if not tally.sum():
        return None
    correct, incorrect, unparsed = (tally[codes[w]] for w in ("correct", "incorrect", "unparsed"))
    found = {
        "rule": imported_rule(run),
        "compared": int(tally.sum()),
        "agreed": int(correct[0] + incorrect[1]),
        "only_ours_correct": int(correct[1]),
        "only_imported_correct": int(incorrect[0]),
        "unparsed": int(unparsed.sum()),
        "unparsed_correct": int(unparsed[0]),
        "undecided": int(tally[codes["timeout"]].sum() + tally[codes["error"]].sum()),
    }
    return {**found, "message": _sentence(found), "examples": _examples(run, chosen)}


def _sentence(found: Mapping[str, Any]) -> str:
    agreed, compared = found["agreed"], found["compared"]
    parts = [
        f"{number:,} {what}"
        for number, what in (
            (found["only_ours_correct"], "correct by ours only"),
            (found["only_imported_correct"], "correct by theirs only"),
            (
                found["unparsed"],
                f"without an answer that we find ({found['unparsed_correct']:,} of them correct by "
                "theirs)",
            ),
            (found["undecided"], "not decided by ours"),
        )
        if number
    ]
    return (
        f"Our verdicts agree with those that came with the rollouts ({found['rule']}) on "
        f"{agreed:,} of {compared:,} completions ({agreed / compared:.1%})"
        + (f": {', '.join(parts)}." if parts else ".")
    )


def _verdict_columns(run: Run) -> Iterator[pa.Table]:
    return (part for _, part in run.iter_parts("answers", ["imported_verdict"]))


# The kinds of disagreement: our verdict, and the number of the imported one.
_KINDS: dict[str, tuple[Verdict, int]] = {
    "only ours is correct": ("correct", 1),
    "only theirs is correct": ("incorrect", 0),
    "theirs is correct, we find no answer": ("unparsed", 0),
}


def _verdict_of_id(grades: pa.Table) -> NDArray[np.int64]:
    """The number of the verdict of each answer_id, the one of -1 first."""
    ids = grades["answer_id"].to_numpy().astype(np.int64)
    found = np.full(int(ids.max(initial=-1)) + 2, VERDICTS.index("unparsed"), np.int64)
    numbers = pc.index_in(grades["verdict"], value_set=pa.array(VERDICTS, pa.string()))
    found[ids + 1] = numbers.to_numpy()
    return found


def _draws(
    run: Run, ours: NDArray[np.int64], names: pa.Array
) -> Iterator[tuple[pa.Table, NDArray[np.int64], NDArray[np.int64]]]:
    """The draws of some problems that have an imported verdict, part by part; both verdicts."""
    columns = ["problem_id", "sample_index", "answer", "answer_id", "imported_verdict"]
    for _, part in run.iter_parts("answers", columns):
        if "imported_verdict" in part.column_names:
            theirs = verdict_numbers(part["imported_verdict"])
            known = (theirs < 2) & pc.is_in(part["problem_id"], value_set=names).to_numpy()
            part = part if known.all() else part.filter(pa.array(known))
            yield part, ours[part["answer_id"].to_numpy() + 1], theirs[known]


def _first_of_each(part: pa.Table, rows: NDArray[np.int64], limit: int) -> list[dict[str, Any]]:
    """The first draw of up to `limit` distinct answers; of distinct problems without an answer."""
    ids = part["answer_id"].to_numpy()[rows].astype(np.int64)
    problems = pc.dictionary_encode(part["problem_id"].combine_chunks()).indices.to_numpy()
    keys = np.where(ids < 0, -1 - problems[rows].astype(np.int64), ids)
    first = np.sort(np.unique(keys, return_index=True)[1])[:limit]
    taken: list[dict[str, Any]] = part.take(pa.array(rows[first])).to_pylist()
    return taken


def _examples(run: Run, chosen: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A few of the disagreements, of each kind in turn, with what a reader needs to judge them."""
    longest = max(map(len, chosen.values()))
    turns = [(k, rows[i]) for i in range(longest) for k, rows in chosen.items() if i < len(rows)]
    turns = turns[:_EXAMPLES]
    golds = dict(
        zip(
            run.problems()["problem_id"].to_pylist(),
            run.problems()["gold"].to_pylist(),
            strict=True,
        )
    )
    tails = _tails(run, {(row["problem_id"], row["sample_index"]) for _, row in turns})
    return [
        {
            "kind": kind,
            "problem_id": row["problem_id"],
            "sample_index": row["sample_index"],
            "gold": golds.get(row["problem_id"]),
            "answer": row["answer"],
            "tail": tails.get((row["problem_id"], row["sample_index"])),
        }
        for kind, row in turns
    ]


def _tails(run: Run, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The ends of the completions of some draws."""
    found: dict[tuple[str, int], str] = {}
    names = pa.array(sorted({name for name, _ in wanted}), pa.string())
    numbers = pa.array(sorted({number for _, number in wanted}), pa.int32())
    for _, part in run.iter_parts("samples", ["problem_id", "sample_index", "text"]):
        if len(found) == len(wanted):
            break
        mine = pc.and_(
            pc.is_in(part["problem_id"], value_set=names),
            pc.is_in(part["sample_index"], value_set=numbers),
        )
        for row in part.filter(mine).to_pylist():
            key = (row["problem_id"], row["sample_index"])
            if key in wanted:
                found[key] = row["text"][-_TAIL:]
    return found
