"""A small study whose outcome is known, and what an import of one of its files has to give.

Each layout of this folder writes the draws of one model of the study as a tool writes them, and
returns a `Case`: the files to import, and the run directory that a user must get.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "BOXED",
    "LAYOUTS",
    "PROBLEMS",
    "Case",
    "Draw",
    "Layout",
    "Problem",
    "Study",
    "case",
    "layout",
    "qwen",
    "rendered",
    "write_jsonl",
]


class Problem(NamedTuple):
    """A problem: its number, question and gold, and answers that are right or wrong."""

    id: int
    question: str
    gold: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


PROBLEMS = (
    Problem(7, "What is 6 times 7?", "42", ("42", "42.0"), ("41", "13")),
    Problem(
        12,
        "A jar holds 3 red and 5 blue marbles, and one is drawn. How likely is a red one?",
        r"\frac{3}{8}",
        ("3/8", r"\dfrac{3}{8}"),
        (r"\frac{5}{8}", r"\frac{3}{5}"),
    ),
    Problem(
        31,
        r"Simplify $\sqrt{12}$ — as far as possible.",
        r"2\sqrt{3}",
        (r"2\sqrt{3}", r"2 \sqrt{3}"),
        (r"4\sqrt{3}", r"3\sqrt{2}"),
    ),
    Problem(108, "How many primes lie below 1000?", "168", ("168",), ("169", "500")),
)

# r: right, w: wrong, b: cut off before a box.
_PATTERNS = {
    "base": {7: "rwrb", 12: "wwrw", 31: "wwwb", 108: "rwww"},
    "rl": {7: "rrrr", 12: "rrwb", 31: "wrww", 108: "wwwb"},
}
BOXED = r"Please reason step by step, and put your final answer within \boxed{}."


class Draw(NamedTuple):
    """A completion; `thinking` is what a reasoning parser would have taken out of the text."""

    text: str
    right: bool
    finish: str
    answer: str | None
    thinking: str


@dataclass(frozen=True)
class Study:
    """The draws of one model, "base" or "rl": four of each problem."""

    model: str

    def draws(self, problem: Problem) -> list[Draw]:
        made = []
        for number, kind in enumerate(_PATTERNS[self.model][problem.id]):
            thinking = f"The {self.model} model thinks on {problem.id}, draw {number}.\nNaïve → no."
            head = f"Draw {number} of the {self.model} model on problem {problem.id}:\n\n"
            if kind == "b":
                text, answer = head + "we list the cases one by one and", None
            else:
                answers = problem.right if kind == "r" else problem.wrong
                answer = answers[number % len(answers)]
                text = head + rf"checked twice → the answer is $\boxed{{{answer}}}$."
            made.append(
                Draw(text, kind == "r", "length" if kind == "b" else "stop", answer, thinking)
            )
        return made

    def __iter__(self) -> Iterator[tuple[Problem, int, Draw]]:
        for problem in PROBLEMS:
            for number, draw in enumerate(self.draws(problem)):
                yield problem, number, draw

    @property
    def counts(self) -> dict[int, int]:
        """Problem number to how many of its draws are right."""
        return {p.id: sum(d.right for d in self.draws(p)) for p in PROBLEMS}


@dataclass
class Case:
    """Files to import, and the run that they have to give.

    Attributes:
        sources: what the user names: files, folders, globs, objects.
        texts: problem number to its completions in the order of their sample indices; of a
            pair (thinking, content), both have to be joined by the tags of thinking; {} leaves
            texts unchecked.
        golds: problem number to gold; None where the layout holds none; {} leaves golds unchecked.
        verdicts: problem number to the verdicts of its draws; None: no draw may have one;
            {} leaves verdicts unchecked.
        rewards: problem number to the rewards of its draws; {} leaves rewards unchecked.
        finish: problem number to finish reasons.
        counts: problem number to correct draws: by golds where there are any, else by verdicts.
        options: what the user has to say beside the sources.
        ids: problem number to the id that the file states; {} where it states none.
        indices: problem number to sample indices; {} where the layout implies none.
        token_ids: problem number to token ids of each draw; {}: not given.
        logprobs: label of scores ("sampler", "reference") to problem number to log-probs.
        model: the model that the files name.
        sampling: sampling parameters that the files name.
        left_out: how many rows or draws are left out; None leaves the number unchecked.
        reported: patterns that import.json has to match (notes, special tokens, reasons).
    """

    sources: list[Any]
    texts: dict[int, list[Any]]
    golds: dict[int, str] | None
    verdicts: dict[int, list[bool | None]] | None
    finish: dict[int, list[str]]
    counts: dict[int, int]
    options: dict[str, Any] = field(default_factory=dict)
    rewards: dict[int, list[float]] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)
    indices: dict[int, list[int]] = field(default_factory=dict)
    token_ids: dict[int, list[list[int]]] = field(default_factory=dict)
    logprobs: dict[str, dict[int, list[list[float]]]] = field(default_factory=dict)
    questions: dict[int, str] = field(default_factory=dict)
    model: str | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    left_out: int | None = 0
    reported: list[str] = field(default_factory=list)


def case(
    study: Study, *sources: Any, finish: str | dict[int, list[str]] | None = None, **changes: Any
) -> Case:
    """The whole study, with golds and verdicts, but for `changes`.

    Args:
        study: the draws.
        sources: what the user names.
        finish: one finish reason for all draws, where the layout gives none; or all of them.
        changes: attributes of `Case`.
    """
    draws = {p.id: study.draws(p) for p in PROBLEMS}
    made = Case(
        sources=list(sources),
        texts={k: [d.text for d in v] for k, v in draws.items()},
        golds={p.id: p.gold for p in PROBLEMS},
        verdicts={k: [d.right for d in v] for k, v in draws.items()},
        finish=finish
        if isinstance(finish, dict)
        else {k: [finish or d.finish for d in v] for k, v in draws.items()},
        counts=study.counts,
        questions={p.id: p.question for p in PROBLEMS},
    )
    for name, value in changes.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


Layout: TypeAlias = Callable[[Path, Study], Case]
LAYOUTS: dict[str, Layout] = {}


def layout(function: Layout) -> Layout:
    """Registers a layout under the name of its function."""
    assert function.__name__ not in LAYOUTS, function.__name__
    LAYOUTS[function.__name__] = function
    return function


def write_jsonl(path: Path, rows: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path


def rendered(question: str) -> str:
    """Qwen's chat template of a question, decoded without its special tokens."""
    return f"system\nYou are a helpful assistant.\nuser\n{question}\n{BOXED}\nassistant\n"


def qwen(question: str) -> str:
    """Qwen's chat template of a question."""
    return (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{question}\n{BOXED}<|im_end|>\n<|im_start|>assistant\n"
    )
