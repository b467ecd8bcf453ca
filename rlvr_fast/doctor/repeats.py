"""Draws that repeat one another: seeds, completions, short copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr_fast.doctor.findings import finding

if TYPE_CHECKING:
    import pyarrow as pa

    from rlvr_fast.store import CompletionKeys, Run

__all__ = ["repeated_draws"]

# Two draws of so many tokens are equal by chance only where sampling is nearly greedy.
_LONG = 64
# Completions that share this part of their 5-grams nearly repeat each other. This part of all
# completions is worth a warning. So many bytes of token ids or text are searched, in a few seconds.
_NEAR = 0.9
_MANY_NEAR = 0.1
_NEAR_BYTES = 128 << 20
_BYTES_PER_TOKEN = 4


def repeated_draws(run: Run) -> list[dict[str, str]]:
    """Draws that are not independent.

    Seeds that two draws share, long completions that repeat another of their problem or nearly do,
    and, where none of these is worth a warning, the draws that a report refuses to count one by
    one. Completions are told apart by hashes; token ids and texts are read in pieces.
    """
    from rlvr_fast import store

    ids = run.problems()["problem_id"].combine_chunks()
    draws = store.completion_keys(run, ids)
    found = _shared_seeds(run, draws) + _long_repeats(run, draws, ids)
    if all(item["level"] == "info" for item in found):
        found += _dependent_draws(run, draws, len(ids))
    return found


def _shared_seeds(run: Run, draws: CompletionKeys) -> list[dict[str, str]]:
    import numpy as np

    seeds = draws.seed[draws.seed >= 0]
    repeats = len(seeds) - len(np.unique(seeds))
    if not repeats:
        return []
    return [
        finding(
            "error",
            run.path / "samples",
            f"{repeats} draws share a seed with another: they are not independent",
            "sample into a new run directory with another --seed",
        )
    ]


def _long_repeats(run: Run, draws: CompletionKeys, ids: pa.Array) -> list[dict[str, str]]:
    import numpy as np

    rows = np.flatnonzero(draws.tokens >= _LONG)
    if not len(rows):
        return []
    found = []
    pairs = np.stack([draws.problem[rows], draws.key[rows]])
    repeated = len(rows) - np.unique(pairs, axis=1).shape[1]
    if repeated:
        what = "to the letter" if draws.texts else "token for token"
        found.append(
            finding(
                "warning",
                run.path / "samples",
                f"{repeated} of {len(rows)} completions of at least {_LONG} tokens repeat another "
                f"of the same problem {what}",
                "check temperature and seed: draws that repeat are not independent evidence",
            )
        )
    column = "text" if draws.texts else "token_ids"
    looked_at = _first_problems(run, draws, ids, column)
    near = _repeats(looked_at, column, _NEAR) - _repeats(looked_at, column, None)
    if near:
        found.append(
            finding(
                "warning" if near >= _MANY_NEAR * len(looked_at) else "info",
                run.path / "samples",
                f"{near} of {len(looked_at)} completions nearly repeat another of the same problem "
                f"(they share {_NEAR:.0%} of their 5-grams)",
                "few different completions gave the answers: the temperature is low, the model "
                "has collapsed, or the engine drew one seed again and rounded differently",
            )
        )
    return found


def _dependent_draws(run: Run, draws: CompletionKeys, problems: int) -> list[dict[str, str]]:
    """Draws that the report refuses to count one by one: short completions that are copies, too."""
    from rlvr_fast import store

    repeats = store.find_repeats(
        draws,
        problems,
        temperature=run.info.sampling.get("temperature"),
        imported=run.info.imported,
    )
    sentence = repeats.sentence("the run", run.num_samples("samples"))
    if not sentence:
        return []
    remedy = "remove the repeated completions, or sample into a new run directory"
    return [finding("warning", run.path / "samples", sentence, remedy)]


def _repeats(rows: pa.Table, column: str, threshold: float | None) -> int:
    """How many completions repeat an earlier one of their problem."""
    import pyarrow as pa

    from rlvr_fast.answers import find_duplicates

    # One search over all problems: draws of one problem in one group repeat each other.
    groups = pa.array(find_duplicates(rows[column], threshold=threshold).group_of_row)
    pairs = pa.table({"problem": rows["problem_id"], "group": groups})
    return len(rows) - len(pairs.group_by(["problem", "group"]).aggregate([]))


def _first_problems(run: Run, draws: CompletionKeys, ids: pa.Array, column: str) -> pa.Table:
    """The long completions of the first problems, up to `_NEAR_BYTES`; some of the first one."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = np.flatnonzero(draws.tokens >= _LONG)
    ends = np.cumsum(draws.tokens[rows]) * _BYTES_PER_TOKEN
    problem = draws.problem[rows]
    fitting = int(np.searchsorted(ends, _NEAR_BYTES, side="right"))
    stop = len(rows) if fitting == len(rows) else int(np.searchsorted(problem, problem[fitting]))
    chosen = rows[: stop or max(fitting, 1)]
    names = ids.take(pa.array(np.unique(draws.problem[chosen])))
    top = int(draws.index[chosen].max())
    size = pc.binary_length if column == "text" else pc.list_value_length
    least = _LONG * _BYTES_PER_TOKEN if column == "text" else _LONG
    tables = []
    for _, part in run.iter_parts("samples", ["problem_id", "sample_index", column]):
        mine = pc.and_(
            pc.is_in(part["problem_id"], value_set=names),
            pc.and_(
                pc.less_equal(part["sample_index"], top),
                pc.greater_equal(size(part[column]), least),
            ),
        )
        tables.append(part.filter(mine))
    return pa.concat_tables(tables)
