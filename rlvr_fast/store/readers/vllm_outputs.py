"""vLLM's `RequestOutput`, as objects in Python or written as JSON by the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.reader import Reader, Rollout, Sample, SourceFile
from rlvr_fast.store.readers.row_roles import roles_beside

__all__ = ["READER", "request_output_rows"]

_NESTED = (
    "outputs", "responses", "completions", "generations", "samples", "rollouts", "draws",
    "candidates", "attempts", "trials", "results", "output", "response", "choices",
)  # fmt: skip
_TEXTS = (
    "full_model_response", "text", "completion", "response", "output", "generation", "content",
    "generated_text", "model_output",
)  # fmt: skip
_JUDGED = ("verdict", "reward")


def request_output_rows(outputs: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows of vLLM's `RequestOutput` objects, for `import_rollouts`.

    Args:
        outputs: what `LLM.generate` or `LLM.chat` returned; read by attributes, so that vLLM is
            not imported.

    Returns:
        One row for each request: prompt, prompt_token_ids, and outputs, a list of index, text,
        token_ids, logprobs (of the tokens drawn, nats; None where not asked for), finish_reason
        and stop_reason. `import_rollouts` reads such rows as the format vllm-outputs.

    Example:
        >>> from types import SimpleNamespace as Object
        >>> draw = Object(index=0, text="2", token_ids=[17], finish_reason="stop")
        >>> rows = request_output_rows([Object(prompt="1 + 1?", outputs=[draw])])
        >>> rows[0]["prompt"], rows[0]["outputs"][0]["text"]
        ('1 + 1?', '2')
    """
    return [
        {
            "prompt": getattr(request, "prompt", None),
            "prompt_token_ids": _integers(getattr(request, "prompt_token_ids", None)),
            "outputs": [_draw(draw) for draw in request.outputs],
        }
        for request in outputs
    ]


def _draw(draw: Any) -> dict[str, Any]:
    token_ids = _integers(getattr(draw, "token_ids", None))
    return {
        "index": getattr(draw, "index", None),
        "text": draw.text,
        "token_ids": token_ids,
        "logprobs": _drawn_logprobs(getattr(draw, "logprobs", None), token_ids),
        "finish_reason": getattr(draw, "finish_reason", None),
        "stop_reason": getattr(draw, "stop_reason", None),
    }


def _integers(values: Any) -> list[int] | None:
    return None if values is None else [int(value) for value in values]


def _drawn_logprobs(positions: Any, token_ids: Sequence[int] | None) -> list[float] | None:
    """The log-prob of each token drawn; None where a position lacks it.

    A position maps token ids to objects with a `logprob`, to such mappings, or to numbers; as JSON,
    the token ids are texts.
    """
    if positions is None or token_ids is None or len(positions) != len(token_ids):
        return None
    found = []
    for position, token in zip(positions, token_ids, strict=True):
        if isinstance(position, int | float):
            found.append(float(position))
            continue
        if not isinstance(position, Mapping):
            return None
        entry = position.get(token, position.get(str(token)))
        if isinstance(entry, Mapping):
            entry = entry.get("logprob")
        value = getattr(entry, "logprob", entry)
        if not isinstance(value, int | float):
            return None
        found.append(float(value))
    return found


def _nested(row: Mapping[str, Any]) -> str | None:
    """The key of a list of objects that each hold one draw."""
    for key in _NESTED:
        value = row.get(key)
        if (
            isinstance(value, list)
            and value
            and all(isinstance(d, Mapping) and "role" not in d and _text_key(d) for d in value)
        ):
            return key
    return None


def _text_key(draw: Mapping[str, Any]) -> str | None:
    return next((key for key in _TEXTS if isinstance(draw.get(key), str | list)), None)


def _matches(sample: Sample) -> bool:
    rows = [row for row in sample.rows if isinstance(row, Mapping)]
    return any(
        (key := _nested(row)) is not None
        and bool({"question", "problem_id", "prompt_token_ids"} & roles_beside(row, (key,)).keys())
        for row in rows
    )


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    key = _nested(row)
    if key is None:
        yield roles_beside(row)
        return
    shared = {
        role: value
        for role, value in roles_beside(row, taken=(key,)).items()
        # A value for the whole row is a mean over its draws.
        if role not in _JUDGED or len(row[key]) == 1 or _is_for(value, row[key])
    }
    for place, draw in enumerate(row[key]):
        text = _text_key(draw)
        own = roles_beside(draw, taken=(text,) if text else ())
        own.pop("question", None)
        own.pop("problem_id", None)
        own.pop("logprobs", None)
        if isinstance(draw.get("logprobs"), list):
            logprobs = _drawn_logprobs(draw["logprobs"], _integers_of(draw))
            if logprobs is not None:
                own["logprobs"] = logprobs
        judged = {
            role: shared[role][place]
            for role in _JUDGED
            if role in shared and _is_for(shared[role], row[key])
        }
        yield {**shared, **judged, **own, "completion": draw[text] if text else None}


def _is_for(value: Any, draws: Sequence[Any]) -> bool:
    """Whether a value of the row holds one entry for each draw."""
    return isinstance(value, list) and len(value) == len(draws)


def _integers_of(draw: Mapping[str, Any]) -> list[int] | None:
    ids = draw.get("token_ids")
    return ids if isinstance(ids, list) and all(isinstance(i, int) for i in ids) else None


READER = Reader(
    name="vllm-outputs",
    help="vLLM RequestOutput as JSON, and any row with a list of objects that hold one draw each",
    matches=_matches,
    fields={
        "question": "prompt",
        "completion": "outputs[].text",
        "token_ids": "outputs[].token_ids",
        "finish_reason": "outputs[].finish_reason",
        "logprobs": "outputs[].logprobs",
        "prompt_token_ids": "prompt_token_ids",
    },
    rows=_rows,
)
