"""prime-rl and verifiers v1: traces.jsonl, one episode of traces a line.

Source: verifiers/v1/episode.py, trace.py, graph.py (verifiers 0.4) and
src/prime_rl/monitors/file.py at 559b4477. A trace is a tree of messages: a path from a root to
a leaf is one conversation, and the token ids of its nodes, joined, are what the model saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.store.readers.common import (
    correctness_keys,
    first_key,
    gold_of,
    number,
    plain_list,
    sampling_of,
    tell_policy,
)
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _is_trace(value: Any) -> bool:
    nodes = _mappings(_mapping(value).get("nodes"))
    return bool(nodes) and all("message" in node for node in nodes)


def _traces(row: Any) -> list[Mapping[str, Any]]:
    """The traces of an episode, or a row that is itself a trace."""
    row = _mapping(row)
    return [row] if _is_trace(row) else _mappings(row.get("traces"))


def _matches(sample: Sample) -> bool:
    return any(_is_trace(trace) for row in sample.rows for trace in _traces(row))


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    for trace in _traces(row):
        if _is_policy(trace):
            yield _rollout(trace, _mapping(trace.get("task") or _mapping(row).get("task")))


def _is_policy(trace: Mapping[str, Any]) -> bool:
    # Judges and simulated users are agents too: their traces are no draws of the policy.
    return bool(_mapping(trace.get("agent")).get("trainable", True))


def _rollout(trace: Mapping[str, Any], task: Mapping[str, Any]) -> Rollout:
    data = _mapping(task.get("data"))
    nodes = plain_list(trace.get("nodes")) or []
    numbers = _last_path(nodes)
    path = [_mapping(nodes[i]) for i in numbers]
    first = next((i for i, node in enumerate(path) if _drawn(node)), len(path))
    last = next((i for i in reversed(range(len(path))) if _drawn(path[i])), -1)
    messages = [_mapping(node.get("message")) for node in path]
    call = _call(trace, numbers[last]) if last >= 0 else {}
    rewards = _mapping(trace.get("rewards"))
    rollout = {
        "problem_id": first_key({**task, "idx": data.get("idx")}, "key", "hash", "idx"),
        # A later branch may begin with a summary: the task's own prompt is the problem.
        "question": data.get("prompt") or messages[:first],
        "system": data.get("system_prompt"),
        "completion": messages[first : last + 1] or None,
        "gold": gold_of(data, data.get("info")),
        "reward": _reward(rewards),
        "verdict": _verdict(rewards),
        "finish_reason": _finish(trace, call, path[last] if last >= 0 else {}),
        "model": call.get("model") or _config(trace).get("model"),
        "error": _error(trace),
        # No roles: --verdict may name one, as rewards.correct_answer.score.
        "rewards": rewards,
        "metrics": trace.get("metrics"),
    }
    rollout |= _tokens(path[: last + 1])
    return {role: value for role, value in rollout.items() if value is not None}


def _config(trace: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_mapping(trace.get("agent")).get("config"))


def _drawn(node: Mapping[str, Any]) -> bool:
    # `sampled` is left out of older files; there an answer is a message of the assistant.
    return bool(node.get("sampled", _mapping(node.get("message")).get("role") == "assistant"))


def _last_path(nodes: Sequence[Any]) -> list[int]:
    """The numbers of the nodes from a root to the last leaf; empty where links are broken."""
    parents = [_mapping(node).get("parent") for node in nodes]
    inner = {parent for parent in parents if isinstance(parent, int)}
    leaves = [i for i in range(len(nodes)) if i not in inner]
    path: list[int] = []
    at: Any = leaves[-1] if leaves else None
    while isinstance(at, int) and 0 <= at < len(nodes):
        path.append(at)
        # A parent stands before its child: anything else could be a circle.
        parent = parents[at]
        at = parent if isinstance(parent, int) and parent < at else None
    return path[::-1]


def _call(trace: Mapping[str, Any], node: int) -> Mapping[str, Any]:
    calls = _mappings(trace.get("calls"))
    own = [call for call in calls if call.get("node") == node]
    return own[-1] if own else (calls[-1] if len(calls) == 1 else {})


def _reward(rewards: Mapping[str, Any]) -> float | None:
    """The sum of score times weight; null where nothing was scored."""
    known = [_score_and_weight(reward) for reward in rewards.values()]
    values = [score * weight for score, weight in known if score is not None and weight is not None]
    return sum(values) if values else None


def _score_and_weight(reward: Any) -> tuple[float | None, float | None]:
    # Earlier traces hold the weighted number alone.
    if isinstance(reward, Mapping):
        return number(reward.get("score")), number(reward.get("weight", 1))
    return (None if isinstance(reward, list | str) else number(reward)), 1.0


def _verdict(rewards: Mapping[str, Any]) -> float | None:
    """The score of the one reward that is named for correctness, where there are several."""
    names = correctness_keys(list(rewards))
    if len(rewards) < 2 or len(names) != 1:
        return None
    score, _ = _score_and_weight(rewards[names[0]])
    return score if score in (0, 1) else None


def _finish(trace: Mapping[str, Any], call: Mapping[str, Any], node: Mapping[str, Any]) -> Any:
    if str(trace.get("stop_condition")) in (
        "max_output_tokens",
        "max_total_tokens",
        "max_input_tokens",
    ):
        return "length"
    return call.get("finish_reason") or node.get("finish_reason")


def _error(trace: Mapping[str, Any]) -> Any:
    # Errors of attempts that were made again stay listed in a trace that ended well.
    errors = trace.get("errors") or trace.get("error")
    if trace.get("ok") or not errors:
        return None
    return errors[-1] if isinstance(errors, list) else errors


def _tokens(path: Sequence[Mapping[str, Any]]) -> Rollout:
    """Token ids and log-probs of a path, where the mask's drawn tokens are one piece."""
    tokens: list[Any] = []
    mask: list[Any] = []
    logprobs: list[Any] = []
    reference: list[Any] = []
    for node in path:
        tokens += plain_list(node.get("token_ids")) or []
        mask += plain_list(node.get("mask")) or []
        logprobs += plain_list(node.get("logprobs")) or []
        reference += plain_list(node.get("reference_logprobs")) or []
    if len(tokens) != len(mask) or not any(mask):
        return {}
    first, end = mask.index(True), len(mask) - mask[::-1].index(True)
    found = {"prompt_token_ids": tokens[:first], "token_ids": tokens[first:end]}
    if all(mask[first:end]):
        count = end - first
        found |= {"logprobs": logprobs} if len(logprobs) == count else {}
        found |= {"reference_logprobs": reference} if len(reference) == count else {}
    return found


def _about(sample: Sample) -> About:
    found = About()
    traces = [trace for row in sample.rows for trace in _traces(row) if _is_policy(trace)]
    calls = [call for trace in traces for call in _mappings(trace.get("calls"))]
    configs = [_config(trace) for trace in traces[:1]]
    found.sampling = sampling_of(*(each.get("sampling") for each in (calls[:1] or configs)))
    models = (each.get("model") for each in (*calls, *configs))
    found.model = next((model for model in models if isinstance(model, str)), None)
    tell_policy(found, sample, "run.work.step")
    return found


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """`all` holds what `effective`, the part that was trained on, holds."""

    def folder(file: SourceFile) -> Path:
        return (Path(file.member) if file.member else file.path or Path()).parent

    whole = {folder(file).parent for file in files if folder(file).name == "all"}
    return [
        file
        for file in files
        if not (folder(file).name == "effective" and folder(file).parent in whole)
    ]


READER = Reader(
    name="prime-rl",
    help="traces.jsonl of prime-rl and of verifiers v1: episodes, traces, nodes",
    matches=_matches,
    rows=_rows,
    about=_about,
    choose=_choose,
)
