"""Draws that repeat one another: seeds, completions, short copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr_fast.doctor.findings import finding

if TYPE_CHECKING:
    import pyarrow as pa

    from rlvr_fast.store import Run

__all__ = ["dependent_draws", "repeated_draws"]

# Two draws of so many tokens are equal by chance only where sampling is nearly greedy.
_LONG = 64
# Completions that share this part of their 5-grams nearly repeat each other. This part of all
# completions is worth a warning. So many bytes of token ids are searched, in a few seconds.
_NEAR = 0.9
_MANY_NEAR = 0.1
_NEAR_BYTES = 256 << 20


def repeated_draws(run: Run) -> list[dict[str, str]]:
    """Seeds that two draws share, and long completions that repeat another of their problem."""
    import pyarrow.compute as pc

    found = []
    samples = run.read("samples", ["problem_id", "token_ids", "seed"])
    seeds = pc.drop_null(samples["seed"])
    repeats = len(seeds) - len(pc.unique(seeds))
    if repeats:
        found.append(
            finding(
                "error",
                run.path / "samples",
                f"{repeats} draws share a seed with another: they are not independent",
                "sample into a new run directory with another --seed",
            )
        )
    long = samples.filter(pc.greater_equal(pc.list_value_length(samples["token_ids"]), _LONG))
    column, what = "token_ids", "token for token"
    if not len(long) and run.num_samples("samples").sum():  # imported: texts without token ids
        samples = run.read("samples", ["problem_id", "text"])
        long = samples.filter(pc.greater_equal(pc.binary_length(samples["text"]), 4 * _LONG))
        column, what = "text", "to the letter"
    if not len(long):
        return found
    repeated = _repeats(long, column, None)
    if repeated:
        found.append(
            finding(
                "warning",
                run.path / "samples",
                f"{repeated} of {len(long)} completions of at least {_LONG} tokens repeat another "
                f"of the same problem {what}",
                "check temperature and seed: draws that repeat are not independent evidence",
            )
        )
    looked_at = _first_problems(long, column)
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


def dependent_draws(run: Run) -> list[dict[str, str]]:
    """Draws that the report refuses to count one by one: short completions that are copies, too."""
    from rlvr_fast import store

    ids = run.problems()["problem_id"].combine_chunks()
    draws = store.completion_keys(run, ids)
    repeats = store.find_repeats(
        draws,
        len(ids),
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


def _first_problems(rows: pa.Table, column: str) -> pa.Table:
    """The completions of the first problems, up to `_NEAR_BYTES`."""
    import numpy as np
    import pyarrow.compute as pc

    if rows[column].nbytes <= _NEAR_BYTES:
        return rows
    ids = rows["problem_id"].combine_chunks().dictionary_encode()
    codes = ids.indices.to_numpy()
    share = np.cumsum(np.bincount(codes)) <= len(rows) * _NEAR_BYTES / rows[column].nbytes
    share[0] = True
    return rows.filter(pc.is_in(rows["problem_id"], ids.dictionary.filter(share)))
