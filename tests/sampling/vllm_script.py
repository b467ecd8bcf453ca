"""What the tests of the engine vllm have a process of their own do; results are printed as JSON.

A separate process, as vLLM changes settings of the process, and as it is killed in some.
"""

from __future__ import annotations

import functools
import json
import os
import resource
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
from rlvr_fast.sampling import (
    Request,
    SampleOptions,
    SamplingParameters,
    draw_run,
    load_engine,
    prepare_run,
    sample_run,
)
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.tasks import load_tasks

TASK = "reasoning_gym:chain_sum?size=2&seed=3"
DRAWN = SamplingParameters(temperature=0.8, top_p=0.9, max_tokens=32)
GREEDY = SamplingParameters(temperature=0, max_tokens=16)
ARGUMENTS: dict[str, Any] = {
    "max_model_len": 512, "max_num_seqs": 4, "enforce_eager": True,
    "kv_cache_memory_bytes": 1 << 28, "max_num_batched_tokens": 512,
}  # fmt: skip
SAMPLES = 8
# Nothing ends these draws but their number of tokens.
ENDLESS = SamplingParameters(temperature=1.0, max_tokens=40, min_tokens=40)
PROMPT: dict[str, Any] = {
    "system": "Answer briefly.",
    "template_args": {"note": "About sums."},
    "few_shot": "shots.jsonl",
    "instruction": "Give the number alone.",
    "prefill": "The sum is",
}
EMOJI = "🎉🎊🎉🎊🎉🎊🎉🎊"


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


def command(arguments: list[str]) -> None:
    """`rlvr-fast ARGUMENTS`, which stores each draw at once."""
    from rlvr_fast.cli import main
    from rlvr_fast.sampling import drawing

    # Of a command in the background Python does not take the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    drawing.sample_run = functools.partial(drawing.sample_run, flush_seconds=0)
    sys.argv[1:] = arguments
    main()


def command_line(model: Path) -> list[str]:
    """The options of `asked` as a user types them."""
    line = ["sample", str(model), "--engine", "vllm", "--task", TASK, "--samples", str(SAMPLES)]
    for name, value in ARGUMENTS.items():
        line += ["--engine-arg", f"{name}={str(value).lower()}"]
    for name in ("temperature", "top_p", "max_tokens"):
        line += [f"--{name.replace('_', '-')}", str(getattr(DRAWN, name))]
    for name in ("system", "few_shot", "instruction", "prefill"):
        line += [f"--{name.replace('_', '-')}", PROMPT[name]]
    return [*line, "--template-arg", "note=About sums.", "--out", "asked"]


def asked(model: str) -> SampleOptions:
    """What `command_line` asks for."""
    return SampleOptions(
        tasks=(TASK,), samples=SAMPLES, engine="vllm", engine_args=ARGUMENTS, sampling=DRAWN,
        prompt=PromptOptions(**PROMPT),
    )  # fmt: skip


def refusals(models: list[str], adapter: Any) -> None:
    """What is refused before a model is loaded."""
    cases: list[dict[str, Any]] = [
        {"max_model_length": 5}, {"tensor_parallel_size": "two"}, {"tensor_parallel_size": True},
        {"dtype": "float31"}, {"enforce_eager": "no"}, {"device": "cuda"},
        {"attention_backend": "FLASH_ATN"}, {"compilation_config": {"nope": 1}},
        {"max_lora_rank": 17}, {"batch_invariant": True}, {"enable_chunked_prefill": True},
        {"max-model-len": 512}, {"max_model_len": None}, {"seed": 3}, {"enable_lora": True},
        {"override_generation_config": {"temperature": 0.1}}, {"load_format": "dummy"},
        {"gpu_memory_utilization": float("nan")}, {"hf_overrides": {"a": [float("inf")]}},
        {"max_lora_rank": 1, "adapters": (adapter,)},
        # What vLLM finds when it makes its configuration:
        {"max_model_len": 100_000}, {"quantization": "fp3"}, {"tokenizer": "x" * 5000},
        {"gpu_memory_utilization": 1.5}, {"max_num_seqs": 8, "max_num_batched_tokens": 4},
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


def checked(model: str, folder: Path) -> None:
    """The faults of a study whose models have arguments of their own, of which two are wrong."""
    from rlvr_fast.study.checks import check_study
    from rlvr_fast.study.config import StudyConfig

    values = {
        "base": {"model": model, "engine_args": {"max_model_len": -1}},
        "rl": {"model": model, "engine_args": {"max_model_len": 100_000}},
        "arms": {
            "short": {"model": model, "engine_args": {"max_model_len": 16}},
            "typed": {"model": model, "engine_args": {"enforce_eager": "no"}},
        },
        "out": str(folder / "study"), "tasks": TASK, "samples": 1, "engine": "vllm",
        "engine_args": {"max_num_seqs": 4, "max_num_batched_tokens": 8192}, "score": False,
        "sampling": {"max_tokens": 8},
    }  # fmt: skip
    study = StudyConfig.from_mapping(values, where="study.yaml")
    say("study", [str(fault) for fault in check_study(study).faults])


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


def full_disk(engine: Any, folder: Path) -> None:
    """No file may grow any more, from the first stored draw on."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(stage: str, done: int, total: int) -> None:
        if any((folder / "full" / "samples").glob("part-*")):
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))

    told = ""
    try:
        draw(engine, folder / "full", SAMPLES, flush_seconds=0, progress=fill)
    except RlvrError as error:
        told = f"{type(error).__name__} {error}"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    say("full disk", told)  # the output may be a file, too
    say("made after the full disk", draw(engine, folder / "full", SAMPLES))


def ends(engine: Any, folder: Path) -> None:
    """Draws that end in every way: at max_tokens, at the context, at texts, at tokens."""
    draw(engine, folder / "endless", 2, ENDLESS)
    never = SamplingParameters(temperature=1.0)
    never = SamplingParameters(temperature=1.0, min_tokens=never.max_tokens)
    for length in (490, 511):
        request = Request("full", list(range(5, 5 + length)), np.arange(2), np.arange(2))
        for each in engine.generate([request], never, logprobs=True):
            say("context", [length, len(each.token_ids), each.finish_reason, each.text])
    (first, *_), ids = stop_pieces(folder)
    for name, parameters in {
        "stop": {"stop": (first,)},
        "late stop": {"stop": (first,), "min_tokens": 9},
        "stop ids": {"stop_token_ids": ids, "min_tokens": 2},
        "penalties": {
            "presence_penalty": 0.6, "frequency_penalty": 0.4, "repetition_penalty": 1.2,
            "top_k": 7, "min_p": 0.1, "min_tokens": 6, "stop": (first,),
        },
    }.items():  # fmt: skip
        values = {"temperature": 0, "max_tokens": 16, **parameters}
        say("parameters", [name, values])
        draw(engine, folder / name, 1, SamplingParameters(**values), logprobs=True)
    (prompt,) = engine.encode([EMOJI], special_tokens=False)
    for most in range(1, 7):  # some end inside a character
        request = Request("emoji", prompt, np.arange(1), np.arange(1))
        greedy = SamplingParameters(temperature=0, max_tokens=most)
        (cut,) = engine.generate([request], greedy)
        say("cut", [most, cut.token_ids, cut.text])


def stop_pieces(folder: Path) -> tuple[list[str], tuple[int, ...]]:
    """Texts that begin and end inside tokens of greedy draws, and tokens of those."""
    from rlvr_fast.store import Run

    rows = Run.open(folder / "greedy base").read("samples").to_pylist()
    assert all(len(row["text"]) > 12 for row in rows), rows
    return [row["text"][5:9] for row in rows], tuple(row["token_ids"][4] for row in rows)


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

    model, trained = models[0], read_adapter(adapter)
    refusals(models, trained)
    checked(model, folder)
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
    say("made of what was asked", made_of(engine, model, folder))
    ends(engine, folder)
    full_disk(engine, folder)
    interrupted(engine, folder)
    killed_core(engine, folder)
    threads = threading.active_count()
    second = load_engine("vllm", model, **ARGUMENTS)
    say("made by the second", draw(second, folder / "killed", SAMPLES))
    second.close()
    say("left", processes())
    say("threads", threading.active_count() - threads)


def made_of(engine: Any, model: str, folder: Path) -> int:
    """Completes the run of the command that Ctrl-C ended twice: how many draws were there."""
    from rlvr_fast.store import Run

    held = int(Run.open(folder / "asked").num_samples().sum())
    draw_run(model, folder / "asked", asked(model), engine=engine)
    return held


if __name__ == "__main__":
    if sys.argv[1] == "command":
        command(sys.argv[2:])
    elif sys.argv[1] == "victim":
        victim(sys.argv[3], Path(sys.argv[2]))
    else:
        whole(Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
