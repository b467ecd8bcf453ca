"""Results of OpenAI's simple-evals: `{eval}_{model}_{date}_allresults.json`.

Source: openai/simple-evals, simple_evals.py and common.py. The gold answer and the score of a
conversation stand only in the page that was made of it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rlvr_fast.store.readers.common import split_chat
from rlvr_fast.store.readers.harness_values import number_in
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_NAME = re.compile(r"([a-z0-9]+)_(.+)_\d{8}_\d{6}(?:_DEBUG)?_allresults\.json(?:\..*)?")
_GOLD = re.compile(r"<p>Correct Answer: (.*?)</p>", re.S)
_SCORE = re.compile(r"<p>Score: ([\d.]+|True|False)</p>")


def _matches(sample: Sample) -> bool:
    return sample.has("convos", "htmls") and isinstance(sample.first("convos"), list)


def _rows(row: Any, file: SourceFile) -> Iterable[Rollout]:
    convos, pages = (
        value if isinstance(row, Mapping) and isinstance(value := row.get(name), list) else []
        for name in ("convos", "htmls")
    )
    for number, convo in enumerate(convos):
        asked, answers = split_chat(convo)
        rollout: dict[str, Any] = {"question": asked, "completion": answers or None}
        page = pages[number] if len(pages) == len(convos) else None
        # The results come after the sampled message: a text in it is not one of them.
        tail = page.rpartition("<h3>Results</h3>")[2] if isinstance(page, str) else ""
        if gold := _GOLD.search(tail):
            rollout["gold"] = html.unescape(gold[1])
        if score := _SCORE.search(tail):
            rollout["reward"] = number_in({"True": "1", "False": "0"}.get(score[1], score[1]))
        yield rollout


def _about(sample: Sample) -> About:
    about = About()
    if match := _NAME.fullmatch(sample.file.file_name):
        about.model = match[2]
        about.roles["task"] = match[1]
    return about


READER = Reader(
    name="simple-evals",
    help="OpenAI's simple-evals: EVAL_MODEL_DATE_allresults.json",
    matches=_matches,
    rows=_rows,
    about=_about,
)
