"""Draws of another model, or of other sampling parameters, under the run.json of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rlvr_fast.doctor.findings import finding

if TYPE_CHECKING:
    from rlvr_fast.store import Run

__all__ = ["foreign_draws"]


def foreign_draws(run: Run) -> list[dict[str, str]]:
    """Draws whose stored seed is not the one that run.json gives them.

    The seed of a draw is a hash of model, revision, adapter, sampling parameters, problem and
    index. Imported draws, and those of engines that take no seed for each draw, have none; an
    engine says so in the notes of run.json.
    """
    import numpy as np
    import pyarrow.compute as pc

    from rlvr_fast.store import draw_seeds

    if run.info.imported:
        return []
    ids = run.problems()["problem_id"].combine_chunks()
    problems, indices, seeds = [], [], []
    for _, part in run.iter_parts("samples", ["problem_id", "sample_index", "seed"]):
        known = part.filter(pc.is_valid(part["seed"]))
        codes = pc.index_in(known["problem_id"].combine_chunks(), value_set=ids)
        problems.append(codes.to_numpy().astype(np.int64))
        indices.append(known["sample_index"].to_numpy())
        seeds.append(known["seed"].to_numpy())
    total, seeded = int(run.num_samples().sum()), sum(map(len, seeds))
    found = []
    if seeded < total:
        # An engine that takes no seed for each draw says so in its notes.
        said = "seed" in json.dumps(run.info.engine.get("notes"))
        text = f"{total - seeded} of {total} draws have no seed, so nothing tells whose they are"
        if said:
            found = [finding("info", run.path / "samples", text, "")]
        else:
            text += ", though the engine notes in run.json do not say that it takes none"
            remedy = "restore the samples of this run, or sample into a new run directory"
            found = [finding("warning", run.path / "samples", text, remedy)]
    if not seeded:
        return found
    problem = np.concatenate(problems)
    order = np.argsort(problem, kind="stable")
    problem = problem[order]
    index, seed = np.concatenate(indices)[order], np.concatenate(seeds)[order]
    wrong = 0
    for rows in np.split(np.arange(len(problem)), np.flatnonzero(np.diff(problem)) + 1):
        name = ids[int(problem[rows[0]])].as_py()
        wrong += int((draw_seeds(run.info, name, index[rows]) != seed[rows]).sum())
    if not wrong:
        return found
    text = (
        f"{wrong} of {len(seed)} draws are not of this run.json: by the random numbers stored with "
        "them, they were drawn from another model or with other sampling parameters"
    )
    remedy = "restore the run.json or the samples of this run, or sample into a new run directory"
    return [*found, finding("error", run.path / "samples", text, remedy)]
