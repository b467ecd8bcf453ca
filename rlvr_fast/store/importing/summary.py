"""What an import found, for import.json, the command line and messages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ImportSummary", "Problem"]


@dataclass(slots=True)
class Problem:
    """One problem of an import, as its rows state it.

    Attributes:
        problem_id: the id in the run.
        stated_id: the id in the rows, None where they have none.
        task: the name of the task.
        question: the text of the question.
        key: what identifies the question; see `question_key`.
        gold: the gold answer, None where there is none.
        multiple: whether the gold is a list of answers.
        metadata: JSON values.
        prompt_token_ids: token ids of the prompt, where the rows have them.
        where: the file and row that stated the problem first.
        draws: number of completions.
        spec: the task spec that poses the problem, where the rows name one.
    """

    problem_id: str
    stated_id: str | None
    task: str
    question: str
    key: str
    gold: str | None
    multiple: bool
    metadata: dict[str, Any]
    prompt_token_ids: list[int] | None
    where: str
    draws: int = 0
    spec: str | None = None


@dataclass(slots=True)
class ImportSummary:
    """What an import found.

    Attributes:
        reader: the name of the layout.
        layout: the layout in words: the tool, and why the files are taken for its files.
        sources: one mapping a file: name, sha256, bytes, draws.
        skipped: (file, why) of the files that hold no rollouts.
        fields: role to the path that was found.
        model: the model and its revision.
        model_said: whether the files or the user name the model.
        sampling: the sampling parameters that are known.
        problems: the problems in the order of their first row.
        specs: the specs of the tasks that pose them.
        draws: number of completions.
        verdict: rule and counts of the verdicts that came along, None without.
        rewards: least, most and the number of distinct rewards, None without.
        left_out: reason to number of rows.
        examples: reason to the first row that was left out for it.
        special_tokens: token to number of completions cut at it.
        prompts_cut: completions that began with a copy of their prompt.
        finish_reasons: finish reason to number of completions.
        other_reasons: unknown words for a finish reason, with their numbers.
        repeated: completions that repeat another of their problem to the letter.
        with_token_ids: completions with token ids.
        with_logprobs: label of scores to number of completions.
        matched: how the problems of `--problems` were found, in words; "" without.
        notes: sentences that the user has to read.
        first_texts: the first completions, for a look at their answers.
    """

    reader: str = ""
    layout: str = ""
    sources: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    model_said: bool = True
    sampling: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    specs: list[str] = field(default_factory=list)
    draws: int = 0
    verdict: dict[str, Any] | None = None
    rewards: dict[str, Any] | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    special_tokens: Counter[str] = field(default_factory=Counter)
    prompts_cut: int = 0
    finish_reasons: Counter[str] = field(default_factory=Counter)
    other_reasons: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    with_token_ids: int = 0
    with_logprobs: Counter[str] = field(default_factory=Counter)
    matched: str = ""
    notes: list[str] = field(default_factory=list)
    first_texts: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The object of import.json."""
        return {
            "format": 1,
            "reader": self.reader,
            "sources": self.sources,
            "skipped": [{"name": name, "why": why} for name, why in self.skipped],
            "fields": self.fields,
            "verdict": self.verdict,
            "rewards": self.rewards,
            "left_out": dict(self.left_out),
            "special_tokens": dict(self.special_tokens),
            "prompts_cut": self.prompts_cut,
            "other_finish_reasons": dict(self.other_reasons),
            "repeated_draws": self.repeated,
            "matched": self.matched,
            "notes": self.notes,
        }
