"""`rlvr-fast doctor`: what is wrong with a run directory, and what this installation can do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from rlvr_fast.store import Run

__all__ = ["describe", "examine_installation", "examine_run"]

# Two draws of so many tokens are equal by chance only where sampling is nearly greedy.
_LONG = 64
# Completions that share this part of their 5-grams nearly repeat each other. This part of all
# completions is worth a warning. So many bytes of token ids are searched, in a few seconds.
_NEAR = 0.9
_MANY_NEAR = 0.1
_NEAR_BYTES = 256 << 20

# What `describe` shows of grading.json.
_ABOUT_GRADING = ("verdicts", "verdicts_because", "imported_agreement", "unparsed")

_NOT_INSTALLED = "not installed"


def describe(run: Run) -> dict[str, Any]:
    """The model of a run, its sampling parameters, and how many rows each of its tables has.

    For a graded run "answers" counts the completions with an answer, and `grading` holds whose
    verdicts these are, how often ours agree with those that came along, and what is known of
    completions without an answer.
    """
    import pyarrow.compute as pc

    counts: dict[str, int] = {"problems": len(run.problems())}
    for stage in run.stages():
        counts[stage] = int(run.num_samples(stage).sum())
    grades = run.read_table("grades.parquet")
    grading = run.read_json("grading.json") or {}
    verdicts: Counter[str] = Counter()
    if grades is not None:
        graded = grading.get("graded") or {}
        with_answer = pc.greater_equal(grades["answer_id"], 0)
        answers = grades.filter(with_answer)
        counts["answers"] = graded.get("with_answer", pc.sum(answers["count"]).as_py() or 0)
        counts["distinct answers"] = graded.get("distinct_answers", len(answers))
        for verdict, count in zip(
            grades["verdict"].to_pylist(), grades["count"].to_pylist(), strict=True
        ):
            verdicts[verdict] += count
    return {
        "run": str(run.path),
        "model": run.info.model,
        "sampling": run.info.sampling,
        "counts": counts,
        "verdicts": dict(verdicts),
        "grading": {key: grading[key] for key in _ABOUT_GRADING if grading.get(key)},
    }


def examine_run(path: str | Path, *, repair: bool = False) -> list[dict[str, str]]:
    """Finds damage, gaps, repeated seeds and repeated completions in a run directory.

    Args:
        path: the run directory.
        repair: move damaged parts aside first. Nothing is deleted; the stage that wrote a part
            makes again exactly what is missing.

    Returns:
        Findings, each with a level ("error", "warning", "info"), a place, a message and a remedy.

    Raises:
        RunDirectoryError: `path` is no run directory.
    """
    from rlvr_fast import store

    if not (Path(path) / "run.json").exists():
        store.Run.open(path)  # raises the error that says so
    findings: list[dict[str, str]] = []
    if repair:
        findings += [
            _finding("info", moved, "moved aside", "run the stage that wrote it again")
            for moved in store.repair(path)
        ]
    found = store.verify(path)
    findings += [_finding(f.level, f.path, f.message, f.remedy) for f in found]
    if not any(f.level == "error" for f in found):
        run = store.Run.open(path)
        findings += _grading(run)
        repeated = _repeated_draws(run)
        findings += repeated
        if all(f["level"] == "info" for f in repeated):
            findings += _dependent_draws(run)
    return findings


def _grading(run: Run) -> list[dict[str, str]]:
    """Whose verdicts a run has, and why completions have no answer."""
    grading = run.read_json("grading.json") or {}
    where = run.path / "grading.json"
    found = []
    if grading.get("unparsed"):
        unparsed = grading["unparsed"]
        message = f"{unparsed['message']} Likely reason: {unparsed['reason']}"
        found.append(_finding("warning", where, message, unparsed["remedy"]))
    graded = grading.get("graded") or {}
    lacking = graded.get("without_gold") or {}
    if lacking.get("problems"):
        from rlvr_fast.answers.sentences import GIVE_GOLDS

        message = (
            f"no gold answer for {lacking['problems']:,} of {len(run.problems()):,} problems: "
            f"{lacking['completions']:,} completions are not graded (verdict error), and a "
            "comparison leaves these problems out"
        )
        found.append(_finding("warning", where, message, GIVE_GOLDS))
    without = graded.get("without_verdict", 0)
    if grading.get("verdicts") == "imported":
        message = "the verdicts came with the rollouts; nothing was verified"
        if without:
            message += f"; {without:,} completions have none and count as neither right nor wrong"
        found.append(_finding("warning" if without else "info", where, message, ""))
    if grading.get("imported_agreement"):
        found.append(_finding("info", where, grading["imported_agreement"]["message"], ""))
    return found


def _repeated_draws(run: Run) -> list[dict[str, str]]:
    """Seeds that two draws share, and long completions that repeat another of their problem."""
    import pyarrow.compute as pc

    found = []
    samples = run.read("samples", ["problem_id", "token_ids", "seed"])
    seeds = pc.drop_null(samples["seed"])
    repeats = len(seeds) - len(pc.unique(seeds))
    if repeats:
        found.append(
            _finding(
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
            _finding(
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
            _finding(
                "warning" if near >= _MANY_NEAR * len(looked_at) else "info",
                run.path / "samples",
                f"{near} of {len(looked_at)} completions nearly repeat another of the same problem "
                f"(they share {_NEAR:.0%} of their 5-grams)",
                "few different completions gave the answers: the temperature is low, the model "
                "has collapsed, or the engine drew one seed again and rounded differently",
            )
        )
    return found


def _dependent_draws(run: Run) -> list[dict[str, str]]:
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
    return [_finding("warning", run.path / "samples", sentence, remedy)]


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


def _finding(level: str, where: str | Path, message: str, remedy: str) -> dict[str, str]:
    return {"level": level, "where": str(where), "message": message, "remedy": remedy}


def examine_installation() -> dict[str, str]:
    """Versions, the instruction set and devices of the kernels, and the packages installed."""
    from rlvr_fast.errors import install_hint
    from rlvr_fast.sampling.engines import engine_packages, engine_plugins
    from rlvr_fast.tasks.schemes import scheme_packages, scheme_plugins

    facts = {
        "rlvr-fast": _version("rlvr-fast"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
    }
    try:
        from rlvr_fast import _core

        facts["core"] = "built"
        facts["CPU kernels"] = _core.instruction_sets()[0]
        facts["CUDA kernels"] = _cuda()
    except (ImportError, AttributeError) as error:  # the stubs alone import as an empty package
        facts["core"] = f"not built ({error})"
    added = {
        **{f"engine {plugin.name}": plugin for plugin in engine_plugins(load=True)},
        **{f"task {plugin.name}": plugin for plugin in scheme_plugins(load=True)},
    }
    for package, extra in {**engine_packages(), **scheme_packages()}.items():
        facts[package] = _version(package)
        if extra and facts[package] == _NOT_INSTALLED:
            facts[package] += f" ({install_hint(extra)})"
    facts["bubblewrap"] = shutil.which("bwrap") or "not found (tasks that run programs need it)"
    for name, plugin in added.items():
        facts[name] = plugin.problem or f"of the package {plugin}"
    return facts


def _cuda() -> str:
    from rlvr_fast import _core
    from rlvr_fast.errors import CudaError

    if not _core.cuda.built():
        return "not built (RLVR_CUDA=ON builds them)"
    try:
        names = [_core.cuda.device_name(i) for i in range(_core.cuda.device_count())]
    except CudaError as error:
        return f"built; {error}"
    return f"built; {', '.join(names) or 'no device'}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return _NOT_INSTALLED
