"""What a prompt holds of the assistant's turn: completions go on from it.

A prefill, and thoughts that the chat template opens at the end of a prompt, are no part of the
completions. Extraction has to know both: "42}" is the end of a box, and a completion that was cut
in its thoughts holds no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.extraction import extract_answers
from rlvr_fast.store import Run
from rlvr_fast.vocabulary import PREFILL_CHARACTERS

__all__ = ["BEGUN", "Beginnings"]

# The key of grading.json with the number of problems whose prompts begin the assistant's turn; it
# is absent where there are none.
BEGUN = "begun_in_prompts"

# A mark at the end of a text, and more characters than one has.
_MARK = re.compile("(?:<[^<>\\s]+>|\\[[^\\[\\]\\s]+\\]|\u25c1[^\u25c1\u25b7\\s]+\u25b7)$")
_CHARACTERS = 64


class Beginnings:
    """The beginning of the assistant's turn in the prompt of each problem of a run."""

    def __init__(self, run: Run) -> None:
        prefill = run.info.prompt_template.get("prefill")
        # A longer one was not written by this package.
        known = isinstance(prefill, str) and len(prefill) <= PREFILL_CHARACTERS
        self._prefill = str(prefill) if known else ""
        problems = run.problems()
        self._ids = problems["problem_id"].combine_chunks()
        self._texts = self._of(problems["prompt"].to_pylist())

    def __len__(self) -> int:
        """The number of problems whose prompt begins the assistant's turn."""
        return sum(map(bool, self._texts))

    def _of(self, prompts: Sequence[str]) -> list[str]:
        bare = [prompt.removesuffix(self._prefill).rstrip() for prompt in prompts]
        found = [_MARK.search(prompt[-_CHARACTERS:]) for prompt in bare]
        last = ["" if mark is None else mark[0] for mark in found]
        kinds = list(dict.fromkeys(filter(None, last)))
        _, statuses = extract_answers(kinds, policy="after_think")
        # Of a mark alone nothing follows, so the thoughts are unfinished.
        opening = {
            word for word, status in zip(kinds, statuses, strict=True) if status == "unfinished"
        }
        return [
            (f"{word}\n" if word in opening else "")
            + (self._prefill if prompt.endswith(self._prefill) else "")
            for word, prompt in zip(last, prompts, strict=True)
        ]

    def put_before(self, rows: pa.Table) -> pa.Table:
        """Rows of samples/ whose texts begin with what their prompts hold of them."""
        if not len(self):
            return rows
        place = pc.index_in(rows["problem_id"], value_set=self._ids)
        before = pa.array(self._texts, pa.large_string()).take(place.combine_chunks())
        texts = pc.binary_join_element_wise(
            pa.chunked_array([before]),
            rows["text"].cast(pa.large_string()),
            pa.scalar("", pa.large_string()),
        )
        return rows.set_column(rows.column_names.index("text"), "text", texts)
