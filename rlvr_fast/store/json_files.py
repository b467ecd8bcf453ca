"""The JSON files of a run directory: strict parsing, and the kinds of values that each holds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from rlvr_fast.errors import shown
from rlvr_fast.vocabulary import AGREEMENT_COUNTS, POLICIES, VERDICTS

__all__ = ["json_fault", "parse_json", "plan_fault", "run_fault", "sampling_fault"]

# Describes what is wrong with a value, as "in KEY: expected this, got that"; None where nothing is.
_Check: TypeAlias = Callable[[Any], str | None]

_TRY_LESS = 200  # levels of nesting; no file of ours has more than ten


def parse_json(data: bytes) -> Any:
    """The value of a JSON text of UTF-8.

    Raises:
        ValueError: no JSON, nan or infinity, a key that an object has twice, half a surrogate pair,
            or more than 200 levels of nesting.
    """
    try:
        value = json.loads(
            data, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
        )
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half a surrogate pair") from None
    except RecursionError:
        raise ValueError("too deeply nested") from None
    if _depth(value) > _TRY_LESS:
        raise ValueError(f"more than {_TRY_LESS} levels of nesting")
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level, depth = inner, depth + 1
    return depth


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} comes twice in one object")
    return found


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond the range of a number")
    return value


# -- kinds of values -------------------------------------------------------------------------------


def _kind(name: str, holds: Callable[[Any], bool]) -> _Check:
    def check(value: Any) -> str | None:
        return None if holds(value) else f"expected {name}, got {shown(value)}"

    return check


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TEXT = _kind("a text", lambda v: isinstance(v, str))
_FLAG = _kind("true or false", lambda v: isinstance(v, bool))
_COUNT = _kind("a whole number from 0 on", lambda v: _integer(v) and 0 <= v < 2**63)
_DRAWS = _kind("a whole number up to 16777216", lambda v: _integer(v) and 0 <= v <= 2**24)
_INTEGER = _kind("a whole number of 64 bits", lambda v: _integer(v) and -(2**63) <= v < 2**63)
_NUMBER = _kind(
    "a number",
    lambda v: isinstance(v, float) or (_integer(v) and -(2**63) <= v < 2**63),
)
_POSITIVE = _kind("a number above 0", lambda v: _NUMBER(v) is None and v > 0)
_FROM_ZERO = _kind("a number from 0 on", lambda v: _NUMBER(v) is None and v >= 0)
_TOP_K = _kind("a whole number from -1 on", lambda v: _integer(v) and -1 <= v < 2**63)
_SHARE = _kind("a number in 0..1", lambda v: _NUMBER(v) is None and 0 <= v <= 1)
_ANY: _Check = lambda value: None  # noqa: E731  a check that is given like the others


def _word(*words: str) -> _Check:
    return _kind(f"one of {', '.join(words)}", lambda v: isinstance(v, str) and v in words)


def _maybe(check: _Check) -> _Check:
    return lambda value: None if value is None else check(value)


def _list(check: _Check) -> _Check:
    def check_all(value: Any) -> str | None:
        if not isinstance(value, list):
            return f"expected a list, got {shown(value)}"
        faults = ((place, check(one)) for place, one in enumerate(value))
        return next((f"[{place}]: {fault}" for place, fault in faults if fault), None)

    return check_all


def _map(check: _Check) -> _Check:
    def check_all(value: Any) -> str | None:
        if not isinstance(value, dict):
            return f"expected an object, got {shown(value)}"
        faults = ((key, check(one)) for key, one in value.items())
        return next((f"{shown(key)}: {fault}" for key, fault in faults if fault), None)

    return check_all


def _record(required: Mapping[str, _Check], optional: Mapping[str, _Check]) -> _Check:
    """Objects with some keys; keys that are not named may be there, with any value."""

    def check_all(value: Any) -> str | None:
        if not isinstance(value, dict):
            return f"expected an object, got {shown(value)}"
        for key, check in required.items():
            if key not in value:
                return f"the key {key!r} is missing"
            if fault := check(value[key]):
                return f"{key!r}: {fault}"
        for key, check in optional.items():
            if key in value and (fault := check(value[key])):
                return f"{key!r}: {fault}"
        return None

    return check_all


_DIGEST = _kind(
    "a SHA-256 of 64 hexadecimal digits",
    lambda v: isinstance(v, str) and len(v) == 64 and not set(v) - set("0123456789abcdef"),
)
_MADE_FROM = _record(
    {},
    {
        "itself": _DIGEST,
        "run.json": _DIGEST,
        "import.json": _DIGEST,
        "problems.parquet": _DIGEST,
        "grades.parquet": _DIGEST,
        "samples": _map(_DIGEST),
        "answers": _map(_DIGEST),
        "scores": _map(_DIGEST),
        "verdicts.jsonl": _record({"bytes": _COUNT, "sha256": _DIGEST}, {}),
    },
)
_SOURCE = _word("ours", "imported")
_EXAMPLE = _record(
    {"kind": _TEXT, "problem_id": _TEXT, "sample_index": _COUNT},
    {"gold": _maybe(_TEXT), "answer": _maybe(_TEXT), "tail": _maybe(_TEXT)},
)
_GRADING = _record(
    {},
    {
        "policy": _word(*POLICIES),
        "verdicts": _SOURCE,
        "verdicts_because": _TEXT,
        "canonical": _TEXT,
        "begun_in_prompts": _COUNT,
        "tasks": _map(
            _record(
                {"verifier": _TEXT},
                {"policy": _word(*POLICIES), "equivalence": _word("canonical", "exact")},
            )
        ),
        "too_long": _list(
            _record({"problem_id": _TEXT, "sample_index": _COUNT, "bytes": _COUNT}, {})
        ),
        "limits": _maybe(_map(_NUMBER)),
        "graded": _record(
            {
                "completions": _COUNT,
                "distinct_answers": _COUNT,
                "verdicts": _record(dict.fromkeys(VERDICTS, _COUNT), {}),
            },
            {
                "with_answer": _COUNT,
                "decided_by_canonical_form": _COUNT,
                "without_verdict": _COUNT,
                "without_gold": _record({"problems": _COUNT, "completions": _COUNT}, {}),
            },
        ),
        "imported_agreement": _maybe(
            _record(
                {"rule": _TEXT, "message": _TEXT, "examples": _list(_EXAMPLE)},
                dict.fromkeys(AGREEMENT_COUNTS, _COUNT),
            )
        ),
        "unparsed": _maybe(
            _record(
                {"message": _TEXT, "reason": _TEXT, "remedy": _TEXT},
                {
                    "best_policy": _maybe(_TEXT),
                    "all_unparsed": _list(_TEXT),
                    "found_by_policy": _map(_COUNT),
                    **dict.fromkeys(
                        (
                            "completions",
                            "unparsed",
                            "unreadable",
                            "looked_at",
                            "cut_off",
                            "unclosed_think",
                        ),
                        _COUNT,
                    ),
                },
            )
        ),
        "made_from": _MADE_FROM,
    },
)
_ADAPTER = _record({"name": _TEXT, "sha256": _TEXT}, {})
_MODEL = _record(
    {}, {"name": _maybe(_TEXT), "revision": _maybe(_TEXT), "adapter": _maybe(_ADAPTER)}
)
_IMPORT = _record(
    {},
    {
        "reader": _TEXT,
        "sources": _list(_record({"name": _TEXT}, {"sha256": _maybe(_TEXT)})),
        "options": _map(_ANY),
        "verdict": _maybe(_record({}, {"rule": _maybe(_TEXT)})),
        "rewards": _maybe(_map(_ANY)),
        "left_out": _map(_COUNT),
        "notes": _list(_TEXT),
        "matched": _TEXT,
    },
)
_SCORES = _record(
    {},
    {
        "model": _MODEL,
        "temperature": _maybe(_FROM_ZERO),
        "top_p": _maybe(_SHARE),
        "top_k": _maybe(_COUNT),
        "min_p": _maybe(_SHARE),
        "per_token": _FLAG,
        "dtype": _TEXT,
        "versions": _map(_TEXT),
        "made_from": _MADE_FROM,
    },
)
_AUDIT = _record(
    {
        "sampled": _COUNT,
        "disagreed": _COUNT,
        "graders": _map(
            _record(dict.fromkeys(("sampled", "agreed", "disagreed", "no_opinion"), _COUNT), {})
        ),
        "disagreements": _list(
            _record(
                {
                    "problem_id": _TEXT,
                    "answer_id": _COUNT,
                    "answer": _TEXT,
                    "completions": _COUNT,
                    "verdict": _word(*VERDICTS),
                    "second_verdict": _word(*VERDICTS),
                    "grader": _TEXT,
                    "second_grader": _TEXT,
                },
                {"gold": _maybe(_TEXT)},
            )
        ),
    },
    {"model": _MODEL, "seed": _INTEGER, "made_from": _MADE_FROM},
)
_SAMPLING = {
    "temperature": _maybe(_FROM_ZERO),
    "top_p": _maybe(_SHARE),
    "max_tokens": _maybe(_NUMBER),
    "seed": _maybe(_INTEGER),
    "stop": _maybe(_list(_TEXT)),
    "top_k": _maybe(_TOP_K),
    "min_p": _maybe(_SHARE),
    "presence_penalty": _maybe(_NUMBER),
    "frequency_penalty": _maybe(_NUMBER),
    "repetition_penalty": _maybe(_POSITIVE),
    "min_tokens": _maybe(_COUNT),
    "stop_token_ids": _maybe(_list(_COUNT)),
}
_PROMPT_TEMPLATE = _record(
    {},
    {
        "name": _maybe(_TEXT),
        "sha256": _maybe(_TEXT),
        "system": _TEXT,
        "template_args": _map(_ANY),
        "few_shot": _record({"name": _TEXT, "sha256": _TEXT}, {}),
        "prefill": _TEXT,
        "instruction": _TEXT,
    },
)
_STATE = _record({"tasks": _COUNT, "problems": _COUNT, "problems.parquet": _DIGEST}, {})
_RUN = _record(
    {
        "model": _MODEL,
        "engine": _record(
            {}, {"name": _maybe(_TEXT), "version": _maybe(_TEXT), "arguments": _map(_ANY)}
        ),
        "sampling": _record({}, _SAMPLING),
        "prompt_template": _PROMPT_TEMPLATE,
        "tasks": _list(_record({"name": _TEXT, "spec": _TEXT}, {"domain": _maybe(_TEXT)})),
        "versions": _map(_maybe(_TEXT)),
    },
    {"requested_samples": _maybe(_DRAWS), "requested_of": _map(_DRAWS), "states": _list(_STATE)},
)
_PLAN = _record(
    {
        "format": _kind("1; the plan was written by another version", lambda v: v == 1),
        "epsilon": _FROM_ZERO,
        "zeta": _SHARE,
        **dict.fromkeys(
            ("base", "rl"),
            _record({"run": _RUN, "samples": _map(_DRAWS)}, {}),
        ),
    },
    {},
)
_FILES = {"grading.json": _GRADING, "import.json": _IMPORT, "audit.json": _AUDIT}


def json_fault(name: str, value: Any) -> str | None:
    """The first fault of the value of the file RUN/`name`, None where there is none."""
    check = _SCORES if name.endswith("/scores.json") else _FILES.get(name)
    return None if check is None else check(value)


def run_fault(value: Any) -> str | None:
    """The first fault of the value of run.json, None where there is none."""
    return _RUN(value)


def plan_fault(value: Any) -> str | None:
    """The first fault of the value of a plan, None where there is none."""
    return _PLAN(value)


def sampling_fault(name: str, value: Any) -> str | None:
    """What is wrong with a sampling parameter of run.json, None where nothing is."""
    check = _SAMPLING.get(name)
    return None if check is None else check(value)
