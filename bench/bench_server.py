"""Tokens a second of the engine server against the client of `vllm bench serve`, on one server.

    vllm serve MODEL --port 8000
    python bench/bench_server.py MODEL --tokenizer FOLDER [--url URL] [--draws 256] [--rounds 5]

Both clients send the same prompts, one draw a request, with as many requests under way, and ask for
the same number of tokens of each. Ours gives each draw a seed and reads token ids; theirs streams.
The rate of `vllm bench serve` is the one that it reports, without the start of its process.
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

import numpy as np
from common import record

from rlvr_fast.sampling import Request, SamplingParameters, load_engine
from rlvr_fast.tasks import load_tasks

TASK = "reasoning_gym:chain_sum?size=8&seed=7"
TARGET = 0.95
# The command `vllm bench serve` without vLLM's command line, which the build for CPUs cannot start.
RIVAL = """
import argparse
from vllm.benchmarks.serve import add_cli_args, main
parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""


class Clients:
    """The two clients, for the same work."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.engine = load_engine(
            "server",
            options.model,
            url=options.url,
            tokenizer=options.tokenizer,
            concurrency=options.concurrency,
        )
        # min_tokens: no draw ends early, as --ignore-eos has it for the other.
        self.parameters = SamplingParameters(
            temperature=1.0, top_p=1.0, max_tokens=options.tokens, min_tokens=options.tokens
        )
        questions = [problem for task in load_tasks([TASK]) for problem in task.problems()]
        texts = [problem.question for problem in questions]
        of = np.array_split(np.arange(options.draws), len(texts))
        rng = np.random.default_rng(0)
        self.requests = [
            Request(f"p{row}", ids, indices, rng.integers(0, 2**63, len(indices)), text)
            for row, (ids, indices, text) in enumerate(
                zip(self.engine.encode(texts), of, texts, strict=True)
            )
        ]
        self.prompts = folder / "prompts.jsonl"
        lines = [
            json.dumps({"prompt": text}) + "\n"
            for text, part in zip(texts, of, strict=True)
            for _ in part
        ]
        self.prompts.write_text("".join(lines), "utf-8")

    def ours(self) -> float:
        """Tokens a second of `generate`."""
        start = time.perf_counter()
        drawn = sum(
            len(c.token_ids or ()) for c in self.engine.generate(self.requests, self.parameters)
        )
        seconds = time.perf_counter() - start
        expected = self.options.draws * self.options.tokens
        if drawn != expected:
            raise AssertionError(f"{drawn} tokens, expected {expected}")
        return drawn / seconds

    def theirs(self) -> float:
        """Tokens a second of `vllm bench serve`, as it reports them."""
        options, result = self.options, self.folder / "result.json"
        result.unlink(missing_ok=True)
        subprocess.run(
            [
                *(sys.executable, "-c", RIVAL, "--backend", "openai"),
                *("--base-url", options.url.removesuffix("/v1"), "--endpoint", "/v1/completions"),
                *("--model", options.model, "--tokenizer", options.tokenizer),
                *("--dataset-name", "custom", "--dataset-path", str(self.prompts)),
                *("--skip-chat-template", "--disable-shuffle", "--ignore-eos"),
                *("--custom-output-len", str(options.tokens)),
                *("--num-prompts", str(options.draws), "--temperature", "1.0"),
                *("--max-concurrency", str(options.concurrency), "--disable-tqdm"),
                *("--save-result", "--result-dir", str(self.folder)),
                *("--result-filename", result.name),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "VLLM_LOGGING_LEVEL": "WARNING"},
        )
        found: dict[str, Any] = json.loads(result.read_text("utf-8"))
        if found["total_output_tokens"] != options.draws * options.tokens:
            raise AssertionError(f"{found['total_output_tokens']} tokens of vllm bench serve")
        return float(found["output_throughput"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="the name that the server knows")
    parser.add_argument("--tokenizer", required=True, help="a folder or a hub name")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--draws", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None, help="folder of the results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clients = Clients(options, Path(folder))
        clients.ours()  # the prompts are in the server's prefix cache for both
        rates = [(clients.ours(), clients.theirs()) for _ in range(options.rounds)]
    ratio = statistics.median(mine / other for mine, other in rates)
    ours, theirs = (statistics.median(each) for each in zip(*rates, strict=True))
    what = f"{options.draws} draws of {options.tokens} tokens, {options.concurrency} under way"
    record(
        "server",
        [
            {
                "what": f"engine server: {what}",
                "tokens_per_s": ours,
                "of_vllm_bench_serve": ratio,
                "target": TARGET,
                "met": ratio >= TARGET,
            },
            {"what": f"vllm bench serve: {what}", "tokens_per_s": theirs},
        ],
        options.out,
    )


if __name__ == "__main__":
    main()
