"""Writes traces.jsonl: episodes as verifiers v1 and prime-rl save them.

The file was written by verifiers 0.4.0, without a server. Run again with:

    python write_traces.py    # in an environment with verifiers
"""

from __future__ import annotations

from pathlib import Path

from verifiers.v1 import graph
from verifiers.v1.configs.agent import WireAgentConfig
from verifiers.v1.episode import EnvInfo, Episode, EvalRunInfo, GroupInfo
from verifiers.v1.task import WireTaskData, task_key
from verifiers.v1.trace import AgentInfo, ModelCall, Trace, TraceTask
from verifiers.v1.types import (
    AssistantMessage,
    Response,
    SamplingConfig,
    SystemMessage,
    TurnTokens,
    Usage,
    UserMessage,
)
from verifiers.v1.utils.trace_store import TRACES_FILE, write_episode

HERE = Path(__file__).parent
PROBLEMS = [("What is 2+3?", "5"), ("What is 4*5?", "20"), ("What is 9-2?", "7")]
# (text, token ids, finish reason) of the two draws of each problem.
DRAWS = [
    [("So \\boxed{5}", [21, 22, 2], "stop"), ("So \\boxed{6}", [21, 23, 2], "stop")],
    [("So \\boxed{20}", [21, 24, 2], "stop"), ("Four times five is", [25, 26, 27], "length")],
    [("So \\boxed{7}", [21, 28, 2], "stop"), ("So \\boxed{7}", [21, 28, 2], "stop")],
]


def episode(number: int, draw: int) -> Episode:
    """One episode of one trace of one turn."""
    question, answer = PROBLEMS[number]
    text, ids, reason = DRAWS[number][draw]
    data = WireTaskData(
        idx=number, prompt=question, system_prompt="Answer in a box.", answer=answer
    )
    digest = task_key(data.model_dump(mode="json", exclude_none=True))
    task = TraceTask(type="WireTask", data=data, key=digest, hash=digest)
    trace = Trace(task=task, agent=AgentInfo(config=WireAgentConfig(model="toy/policy")))
    prompt = [SystemMessage(content="Answer in a box."), UserMessage(content=question)]
    turn = graph.prepare_turn(trace, prompt)
    node = turn.commit(
        Response(
            id=f"r{number}{draw}",
            created=0,
            model="toy/policy",
            message=AssistantMessage(content=text, reasoning_content="thinking"),
            finish_reason=reason,
            usage=Usage(prompt_tokens=7, completion_tokens=3),
            tokens=TurnTokens(
                prompt_ids=[1, 5, 6, 7, 8, 9, 10 + number],
                completion_ids=ids,
                completion_logprobs=[-0.5, -0.25, -0.125],
                message_spans=[(0, 3), (3, 7)],
            ),
        )
    )
    trace.nodes[node].reference_logprobs = [-1.5, -1.25, -1.125]
    trace.calls.append(
        ModelCall(
            node=node,
            model="toy/policy",
            sampling=SamplingConfig(temperature=0.8, top_p=0.95, max_tokens=3),
            endpoint="/chat/completions",
            finish_reason=reason,
        )
    )
    trace.record_reward("correct_answer", float(f"\\boxed{{{answer}}}" in text))
    trace.record_metric("num_chars", len(text))
    trace.stop("agent_completed")
    trace.ok = True
    run = EvalRunInfo(id="run", name="toy")
    return Episode(
        env=EnvInfo(id="toy"),
        task=task,
        group=GroupInfo(id=f"g{number}"),
        run=run,
        ok=True,
        traces=[trace],
    )


if __name__ == "__main__":
    (HERE / TRACES_FILE).unlink(missing_ok=True)
    for draw in range(2):
        for number in range(3):
            write_episode(HERE, episode(number, draw))
