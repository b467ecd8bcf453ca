"""What the tests of the engine vllm have a process of their own do; results are printed as JSON.

A separate process, as vLLM changes settings of the process, and as it is killed in some.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from rlvr_fast.errors import RlvrError
from rlvr_fast.sampling import Request, SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.tasks import load_tasks

TASK = "reasoning_gym:chain_sum?size=2&seed=3"
DRAWN = SamplingParameters(temperature=0.8, top_p=0.9, max_tokens=32)
GREEDY = SamplingParameters(temperature=0, max_tokens=16)
ARGUMENTS: dict[str, Any] = {
    "max_model_len": 512, "max_num_seqs": 4, "enforce_eager": True,
    "kv_cache_memory_bytes": 1 << 28, "max_num_batched_tokens": 512,
}  # fmt: skip
SAMPLES = 8


def say(name: str, value: Any) -> None:
    print(json.dumps([name, value]), flush=True)


def processes() -> list[int]:
    """The processes of vLLM that this one started, by the names that vLLM gives them."""
    found = psutil.Process().children(recursive=True)
    return [
        each.pid
        for each in found
        if each.status() != psutil.STATUS_ZOMBIE and "VLLM::" in " ".join(each.cmdline())
    ]


def draw(engine: Any, path: Path, samples: int, parameters: Any = DRAWN, **options: Any) -> int:
    run = prepare_run(path, engine, load_tasks([TASK]), parameters)
    return sample_run(run, engine, samples, **options)


def victim(model: str, folder: Path) -> None:
    """Draws until it is killed; each draw is stored at once."""
    engine = load_engine("vllm", model, **ARGUMENTS)

    def told(stage: str, done: int, total: int) -> None:
        if done and any((folder / "run" / "samples").glob("part-*")):
            say("drawing", processes())

    draw(engine, folder / "run", SAMPLES, flush_seconds=0, progress=told)


def refusals(models: list[str]) -> None:
    """What is refused before a model is loaded."""
    cases: list[dict[str, Any]] = [
        {"max_model_length": 5}, {"tensor_parallel_size": "two"}, {"tensor_parallel_size": True},
        {"dtype": "float31"}, {"enforce_eager": "no"}, {"device": "cuda"},
        {"attention_backend": "FLASH_ATN"}, {"compilation_config": {"nope": 1}},
        {"max_lora_rank": 17}, {"batch_invariant": True}, {"enable_chunked_prefill": True},
    ]  # fmt: skip
    for case in cases:
        try:
            load_engine("vllm", models[0], **case)
        except RlvrError as error:
            say("refused", f"{type(error).__name__} {error}")
    for model in models[1:]:
        try:
            load_engine("vllm", model, max_model_len=64)
        except RlvrError as error:
            say("code", f"{type(error).__name__} {error}")
    say("processes after refusals", processes())


def interrupted(engine: Any, folder: Path) -> None:
    """Ctrl-C in mid-run, and a consumer that stops early; the engine goes on."""

    def interrupt(stage: str, done: int, total: int) -> None:
        if done:
            os.kill(os.getpid(), signal.SIGINT)

    # Of a command in the background Python does not take the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        draw(engine, folder / "interrupted", SAMPLES, progress=interrupt)
    except KeyboardInterrupt:
        say("interrupted", True)
    request = Request("p", engine.encode(["1 2 3 4"])[0], np.arange(8), np.arange(8))
    some = engine.generate([request], DRAWN)
    next(some)
    some.close()
    say("made after", draw(engine, folder / "interrupted", SAMPLES))


def killed_core(engine: Any, folder: Path) -> None:
    """Kill -9 of the engine core in mid-batch."""
    children = psutil.Process().children()
    (core,) = [each for each in children if "EngineCore" in " ".join(each.cmdline())]

    def kill(stage: str, done: int, total: int) -> None:
        if done and core.is_running():
            core.kill()

    try:
        draw(engine, folder / "killed", SAMPLES, flush_seconds=0, progress=kill)
    except RlvrError as error:
        say("killed", f"{type(error).__name__} {error}")
    try:
        draw(engine, folder / "killed", SAMPLES)
    except RlvrError as error:
        say("killed again", type(error).__name__)
    engine.close()
    end = time.monotonic() + 60
    while processes() and time.monotonic() < end:
        time.sleep(0.1)
    say("left by the killed one", processes())


def whole(folder: Path, adapter: str, models: list[str]) -> None:
    """Two engines one after the other; the run of the victim is completed by the first."""
    from rlvr_fast.adapters import read_adapter

    refusals(models)
    model, trained = models[0], read_adapter(adapter)
    for case in ({"max_lora_rank": 1}, {"lora_target_modules": ["q_proj", "v_proj"]}):
        try:
            load_engine("vllm", model, adapters=(trained,), **case)
        except RlvrError as error:
            say("adapter refused", f"{type(error).__name__} {error}")
    engine = load_engine("vllm", model, adapters=(trained,), **ARGUMENTS)
    say("notes", [*engine.notes, engine.version])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        say("resumed", draw(engine, folder / "run", SAMPLES))
    say("warned", [str(each.message) for each in caught if each.category is UserWarning])
    say("repeated", draw(engine, folder / "repeated", SAMPLES, logprobs=True))
    for name, view in {"base": engine, "adapted": engine.adapted(trained)}.items():
        draw(view, folder / f"greedy {name}", 1, GREEDY, logprobs=True)
    request = Request("long", [5] * 512, np.arange(1), np.arange(1))
    try:
        list(engine.generate([request], DRAWN))
    except RlvrError as error:
        say("long", f"{type(error).__name__} {error}")
    few = Request("few", [5, 6], np.arange(1), np.arange(1))
    try:
        list(engine.generate([few], SamplingParameters(max_tokens=4, stop_token_ids=(10**9,))))
    except RlvrError as error:
        say("not taken", f"{type(error).__name__} {error}")
    # More tokens than one step computes: prompts in parts end vLLM's process on the CPU.
    several = [Request(f"p{n}", [5 + n] * 300, np.arange(2), np.arange(2)) for n in range(4)]
    say("long prompts", len(list(engine.generate(several, GREEDY))))
    interrupted(engine, folder)
    killed_core(engine, folder)
    threads = threading.active_count()
    second = load_engine("vllm", model, **ARGUMENTS)
    say("made by the second", draw(second, folder / "killed", SAMPLES))
    second.close()
    say("left", processes())
    say("threads", threading.active_count() - threads)


if __name__ == "__main__":
    if sys.argv[1] == "victim":
        victim(sys.argv[3], Path(sys.argv[2]))
    else:
        whole(Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
