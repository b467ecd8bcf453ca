"""One pass over the sources of an import: batches to tables of samples and scores."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.progress import Progress
from rlvr_fast.store.importing.columns import Column, take
from rlvr_fast.store.importing.detection import Recognised, recognise
from rlvr_fast.store.importing.judging import Judge
from rlvr_fast.store.importing.numbering import Numbering, Repeats
from rlvr_fast.store.importing.problems import ProblemTable
from rlvr_fast.store.importing.requests import Requests
from rlvr_fast.store.importing.roles import RoleBatch, RoleReader
from rlvr_fast.store.importing.sampling import ModelAndSampling
from rlvr_fast.store.importing.selection import Selection
from rlvr_fast.store.importing.sources import digest_of
from rlvr_fast.store.importing.summary import ImportSummary
from rlvr_fast.store.importing.tokens import scores_of, token_lists
from rlvr_fast.store.info import RunInfo
from rlvr_fast.store.joining import Joiner
from rlvr_fast.store.options import DRAWN, ImportOptions
from rlvr_fast.store.readers.discovery import Source, as_sources, find_files
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.recorded import recorded_name, recorded_spec, without_folders
from rlvr_fast.store.rollouts.completions import completion_texts
from rlvr_fast.store.rollouts.endings import cut_prompt, cut_special_tokens
from rlvr_fast.store.rollouts.finish_reasons import read_finish_reasons
from rlvr_fast.store.rollouts.values import read_indices, read_logprobs, read_token_ids
from rlvr_fast.store.rollouts.verdicts import VerdictRule
from rlvr_fast.tasks.schemes import GOLD_ANSWERS
from rlvr_fast.tasks.specs import parse_spec

__all__ = ["ImportPass", "Tokenize", "recognised_files"]

# The completions kept for a first look, and the characters of them.
_FIRST_TEXTS = 1000
_FIRST_SIZE = 32 << 20
# Scores of log-probabilities that came with the rollouts: role to label.
_LABELS = {"logprobs": "sampler", "reference_logprobs": "reference"}
_TEMPLATE = {"name": "imported", "sha256": hashlib.sha256(b"imported").hexdigest()}

Tokenize = Callable[[str], Sequence[int]]
Codes = npt.NDArray[np.int64]


def recognised_files(
    listed: Sequence[Source], options: ImportOptions
) -> tuple[list[Recognised], list[tuple[str, str]]]:
    """The files of the sources with their readers, and (file, why) of what is skipped."""
    found = find_files(listed)
    named = {str(Path(s).absolute()) for s in listed if isinstance(s, str | Path)}

    def is_named(file: SourceFile) -> bool:
        return file.path is None or str(file.path.absolute()) in named

    given = {role: str(path) for role, path in options.fields.items() if path is not None}
    if options.verdict is not None:
        given.setdefault("verdict", VerdictRule.parse(options.verdict).field)
    try:
        files, skipped = recognise(found.files, is_named, options.format, given)
    except InvalidInputError as error:
        runs = [name.rstrip("/") for name, why in found.skipped if why == "a run directory"]
        if not runs:
            raise
        raise InvalidInputError(
            f"no rollouts beside the run directories {', '.join(runs[:4])}; a run directory needs "
            f"no import: name it itself. {error}"
        ) from None
    return files, [*found.skipped, *skipped]


class ImportPass:
    """One pass over the sources: batches to tables of samples and scores, and the summary."""

    def __init__(
        self,
        sources: Source | Sequence[Source],
        options: ImportOptions,
        model: str | None,
        revision: str | None,
        tokenize: Tokenize | None,
        progress: Progress | None,
    ) -> None:
        self._options = options
        self._tokenize = tokenize
        self._progress = progress
        listed = list(as_sources(sources))
        self._files, skipped = recognised_files(listed, options)
        self._named = [str(each) for each in listed if isinstance(each, str | Path)]
        self._named += [parse_spec(spec).source for spec in options.problems]
        self._named += [str(file) for file in options.requests]
        self._given_model = None if model is None else recorded_name(model), revision
        self.summary = ImportSummary(skipped=skipped)
        self._joiner = Joiner(options.problems) if options.problems else None
        self._problems = ProblemTable(options.task, self._joiner)
        self._requests = Requests(options.requests)
        self._judge = Judge(options.verdict, self._files)
        self._told = ModelAndSampling(self._files, options, model, revision)
        self._numbering = Numbering()
        self._repeats = Repeats()
        self._selection = Selection(self.summary, options, joined=self._joiner is not None)
        self._fields: dict[str, str] = {}
        self._first_size = 0

    # -- what the run directory records -----------------------------------------------------------

    def recorded_options(self) -> dict[str, Any]:
        """The options that change what is imported, as import.json records them."""
        o = self._options
        options = {
            "format": o.format,
            "fields": dict(o.fields),
            "verdict": o.verdict,
            "problems": [recorded_spec(spec) for spec in o.problems],
            "filter": o.filter,
            "task": o.task,
            "requests": list(o.requests),
            **{name: getattr(o, name) for name in DRAWN},
            "model": self._given_model[0],
            "revision": self._given_model[1],
        }
        recorded: dict[str, Any] = without_folders(options, self._named)
        return recorded

    def about(self) -> dict[str, Any]:
        """The contents of import.json."""
        recorded: dict[str, Any] = without_folders(self.summary.to_json(), self._named)
        return {**recorded, "options": self.recorded_options()}

    def digests(self) -> list[tuple[str, str]]:
        """(name, SHA-256) of each source."""
        return [(known.file.name, digest_of(known.file)[0]) for known in self._files]

    def tasks(self) -> list[dict[str, Any]]:
        """The tasks of the problems, with the specs that the user or the rows gave."""
        tasks: list[dict[str, Any]] = list(self._problems.tasks())
        posed = {task["name"] for task in tasks}
        others = sorted({p.task for p in self._problems.problems} - posed)
        return tasks + [{"name": name, "spec": GOLD_ANSWERS} for name in others]

    def info(self) -> RunInfo:
        """The contents of run.json."""
        names = [known.file.name for known in self._files]
        shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more files"
        return RunInfo(
            model=self.summary.model,
            engine={
                "name": "imported",
                "version": None,
                "notes": without_folders(
                    [f"imported from {shown}, layout {self.summary.reader}"], self._named
                ),
            },
            sampling=self.summary.sampling,
            prompt_template=_TEMPLATE,
            tasks=[{**task, "spec": recorded_spec(task["spec"])} for task in self.tasks()],
        )

    def problem_table(self) -> pa.Table:
        """The columns of problems.parquet."""
        prompts = [
            p.prompt_token_ids
            if p.prompt_token_ids is not None
            else (list(self._tokenize(p.question)) if self._tokenize else [])
            for p in self._problems.problems
        ]
        return self._problems.table(prompts)

    # -- the pass ---------------------------------------------------------------------------------

    def read(self, store: Callable[[str, pa.Table], None]) -> ImportSummary:
        """Reads all files.

        Args:
            store: called with a stage ("samples", "scores/LABEL") and rows of it.
        """
        if self._progress is not None:
            self._progress("import", 0, 0)
        failed = threading.Event()
        with ThreadPoolExecutor(1, "digest") as pool:
            digests = [pool.submit(digest_of, known.file, failed.is_set) for known in self._files]
            try:
                for known, digest in zip(self._files, digests, strict=True):
                    self._read_file(known, store, digest)
            except BaseException:
                failed.set()
                raise
        return self._finish()

    def _read_file(
        self,
        known: Recognised,
        store: Callable[[str, pa.Table], None],
        digest: Future[tuple[str, int | None]],
    ) -> None:
        before = self.summary.draws
        reader = RoleReader(known, self._options.fields, self._judge.path)
        for batch in known.rows.batches():
            roles = reader.read(batch)
            for role, path in reader.fields.items():
                self._fields.setdefault(role, path)
            for number, why in roles.faults:
                self._selection.leave_out(why, f"{known.file.name}, row {number}")
            if len(roles.row_of_draw):
                self._add(known, roles, store)
            if self._progress is not None:
                self._progress("import", self.summary.draws, 0)
        name, (sha, size) = known.file.name, digest.result()
        for other in self.summary.sources:
            if sha and other["sha256"] == sha:
                raise InvalidInputError(
                    f"{name} and {other['name']} hold the same bytes: their completions would "
                    "count twice. Leave one of them out"
                )
        draws = self.summary.draws - before
        self.summary.sources.append({"name": name, "sha256": sha, "bytes": size, "draws": draws})

    def _add(
        self,
        known: Recognised,
        roles: RoleBatch,
        store: Callable[[str, pa.Table], None],
    ) -> None:
        """The samples and scores of one batch."""
        name = known.file.name
        self._requests.join(roles, name)
        self._told.see(roles, name)
        row_problem, row_question, questions = self._problems.codes(
            roles.of_rows, roles.numbers, name, self._fields.get("gold", "gold")
        )
        prompts = [question.prompt for question in questions]
        for piece in roles.pieces():
            rows = piece.row_of_draw
            asked: list[str | None] = []
            if any(prompts):
                asked = [None if q < 0 else prompts[q] for q in row_question[rows].tolist()]
            self._add_draws(name, piece, row_problem[rows], asked, store)

    def _add_draws(
        self,
        name: str,
        roles: RoleBatch,
        problem: Codes,
        prompts: list[str | None],
        store: Callable[[str, pa.Table], None],
    ) -> None:
        """The samples and scores of some draws.

        Args:
            name: the file.
            roles: the draws.
            problem: the problem of each draw, -1 for none.
            prompts: the prompt of each draw as text, empty where there are none.
            store: called with a stage and rows of it.
        """
        numbers = roles.numbers[roles.row_of_draw]
        draws = len(problem)
        texts = completion_texts(roles.of_draws["completion"], roles.of_draws.get("reasoning"))
        if prompts:
            texts, cut = cut_prompt(texts, prompts)
            self.summary.prompts_cut += cut
        texts, tokens = cut_special_tokens(texts)
        reasons, not_finished, words = read_finish_reasons(
            roles.of_draws.get("finish_reason", [None] * draws), draws
        )
        token_ids = None
        if "token_ids" in roles.of_draws:
            token_ids = read_token_ids(roles.of_draws["token_ids"])
        keep = self._selection.kept(roles, problem, texts, token_ids, not_finished, numbers, name)
        if not keep.any():
            return
        self.summary.special_tokens.update(tokens)
        unknown = np.asarray(pc.equal(reasons, "unknown").to_numpy(zero_copy_only=False)) & keep
        said = [words[draw] for draw in np.flatnonzero(unknown).tolist()]
        self.summary.other_reasons.update(word for word in said if word is not None)
        chosen = pa.array(keep)
        texts = pc.fill_null(texts.filter(chosen), "")
        problem, numbers = problem[keep], numbers[keep]
        rows = np.flatnonzero(keep)
        stated = roles.of_draws.get("sample_index")
        index = self._numbering.number(problem, stated, rows, numbers, name)
        verdicts, rewards = self._judge.read(roles, keep)
        keys = {
            "problem_id": self._problems.ids(problem),
            "sample_index": pa.array(index, pa.int32()),
        }
        given = None if token_ids is None else token_ids.filter(chosen)
        columns: dict[str, Any] = {
            **keys,
            "text": texts,
            "token_ids": token_lists(given, texts, self._tokenize),
            "finish_reason": reasons.filter(chosen),
            "seed": _seeds(roles.of_draws.get("seed"), rows),
        }
        if verdicts is not None:
            columns["verdict"] = verdicts
        if rewards is not None:
            columns["reward"] = pa.array(rewards, pa.float64(), mask=np.isnan(rewards))
        store("samples", pa.table(columns))
        self._count(problem, columns)
        for role, label in _LABELS.items():
            if role in roles.of_draws:
                scores = scores_of(read_logprobs(roles.of_draws[role]).filter(chosen), keys)
                if scores is not None:
                    store(f"scores/{label}", scores)
                    self.summary.with_logprobs[label] += len(scores)

    def _count(self, problem: Codes, columns: dict[str, Any]) -> None:
        summary, texts = self.summary, columns["text"]
        self._problems.count(problem)
        summary.draws += len(problem)
        for entry in pc.value_counts(columns["finish_reason"]).to_pylist():
            summary.finish_reasons[entry["values"]] += entry["counts"]
        lengths = pc.list_value_length(columns["token_ids"])
        summary.with_token_ids += int(pc.sum(pc.greater(lengths, 0)).as_py() or 0)
        self._judge.count(columns.get("verdict"), columns.get("reward"))
        self._repeats.add(problem, texts)
        room = _FIRST_TEXTS - len(summary.first_texts)
        if room > 0 and self._first_size < _FIRST_SIZE:
            for text in texts[:room].to_pylist():
                self._first_size += len(text)
                if self._first_size <= _FIRST_SIZE:
                    summary.first_texts.append(text)

    def _finish(self) -> ImportSummary:
        summary = self.summary
        if self._progress is not None:
            self._progress("import", summary.draws, summary.draws)
        readers = {known.reader.name: known.reader.help for known in self._files}
        summary.reader = " and ".join(readers)
        summary.layout = "; ".join(readers.values())
        summary.fields = {role: path for role, path in self._fields.items() if role != "judged"}
        if not summary.draws:
            if self._joiner is not None:
                self._joiner.check()
            shown = "; ".join(
                f"{n} rows: {why} (first: {summary.examples[why]})"
                for why, n in summary.left_out.items()
            )
            self._selection.check_filter()
            instead = (
                "without it the layout is recognised by the keys of the rows"
                if self._options.format is not None
                else "name another with --format, or the fields with --field ROLE=PATH"
            )
            taken = "--format says that" if self._options.format else "It was found that"
            raise InvalidInputError(
                f"{self._files[0].file.name}: no completion to import"
                f"{f'. Left out: {shown}' if shown else ''}. {taken} the layout is "
                f"{summary.reader} ({summary.layout}); {instead}"
            )
        self._selection.check_filter()
        self._requests.check(self._files[0].file.name)
        self._judge.check(self._files[0].file.name)
        problems = self._problems
        self._numbering.check(lambda place: problems.problems[place].problem_id)
        undrawn = problems.drop_undrawn()
        if undrawn:
            summary.notes.append(
                f"{len(undrawn)} problem{'s' * (len(undrawn) > 1)} without any completion "
                f"(first: {undrawn[0]}): not in the run"
            )
        summary.problems = problems.problems
        summary.model, summary.sampling, notes = self._told.result(self._requests.sampling)
        summary.model_said = self._told.model_said
        summary.verdict, summary.rewards, judged = self._judge.result(self._fields)
        summary.notes += [*notes, *judged, *self._problems.notes]
        for group in problems.same_questions()[:5]:
            summary.notes.append(f"one question has several ids: {', '.join(group[:4])}")
        several = sum(problem.multiple for problem in summary.problems)
        if several:
            summary.notes.append(
                f"the gold of {several} problems is a list: all of its answers are asked for"
            )
        if problems.faults:
            summary.notes.append(
                f"{len(problems.faults)} problems have no readable gold: {problems.faults[0]}"
            )
        if problems.unmatched:
            summary.notes.append(
                f"{problems.unmatched} problems are not among those of --problems and are left out"
            )
        summary.matched = problems.matched()
        summary.specs = [task["spec"] for task in problems.tasks()]
        summary.repeated = self._repeats.count()
        for known in self._files:
            for note in known.about.notes:
                # What the given tasks hold need not be asked for.
                answered = self._joiner is not None and "--problems" in note
                if note not in summary.notes and not answered:
                    summary.notes.append(note)
        return summary


def _seeds(column: Column | None, rows: Codes) -> pa.Array:
    if column is None:
        return pa.nulls(len(rows), pa.int64())
    seeds = np.asarray(read_indices(take(column, rows)), np.int64)
    return pa.array(seeds, pa.int64(), mask=seeds < 0)
