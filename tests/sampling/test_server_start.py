"""The start of the engine server: models, arguments, addresses and keys."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from openai_server import FakeServer, Handler, serving, status, with_changes
from tiny import Words

from rlvr_fast.errors import EngineError, InvalidInputError
from rlvr_fast.sampling import Request, SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.sampling.engines.server.address import Key
from rlvr_fast.store import Run, verify

pytestmark = pytest.mark.usefixtures("at_once")

P = SamplingParameters(temperature=1.0, max_tokens=30)
KEY = "sk-very-secret-0123456789"


def load(server: FakeServer, **arguments):
    return load_engine("server", "toy", **{"url": server.url, **arguments})


def draw(server: FakeServer, path, samples: int, **arguments) -> Run:
    engine = load(server, **arguments)
    run = prepare_run(path, engine, [Words()], P, template="plain")
    sample_run(run, engine, samples)
    assert run.num_samples().tolist() == [samples] * 3
    assert [finding for finding in verify(run.path) if finding.level != "info"] == []
    return run


# -- the start -----------------------------------------------------------------------------------


def test_the_model_has_to_be_served(server):
    server.models = [{"id": f"model-{number}"} for number in range(40)]
    with pytest.raises(InvalidInputError, match=r"does not serve 'toy'.*'model-0'.*and 20 more"):
        load(server)
    assert server.bodies == []


def test_a_server_that_lists_no_models(server, tmp_path):
    server.models = None
    handler = Handler.do_GET

    def no_models(self) -> None:
        self.send_json({"detail": "Not Found"}, 404)

    Handler.do_GET = no_models
    try:
        draw(server, tmp_path / "run", 1)
    finally:
        Handler.do_GET = handler


def test_version_and_owner_are_recorded(server, tmp_path):
    server.models = [{"id": "toy", "owned_by": "vllm"}]
    server.version = "9.9"
    run = draw(server, tmp_path / "run", 1)
    assert run.info.engine["version"] == "vllm 9.9"
    assert run.info.model == {"name": "toy", "revision": None}
    assert "127.0.0.1" not in (run.path / "run.json").read_text()


def test_llama_cpp_is_told_our_order_of_sampling(server):
    """Its own order has the temperature last, and its penalty another name and 64 tokens."""
    server.models = [{"id": "toy", "owned_by": "llamacpp", "meta": {"n_ctx": 99}}]
    engine = load(server)
    assert engine.context_length == 99
    request = Request("p", [], np.arange(1), np.array([7]), "a")
    parameters = SamplingParameters(min_p=0.1, repetition_penalty=1.5, max_tokens=4)
    assert len(list(engine.generate([request], parameters))) == 1
    body = server.bodies[-1]
    assert body["samplers"] == ["penalties", "temperature", "min_p", "top_k", "top_p"]
    assert (body["min_p"], body["repeat_penalty"]) == (0.1, 1.5)
    assert body["repeat_last_n"] > 10_000
    assert "repetition_penalty" not in body
    for name, value in (("min_tokens", 2), ("stop_token_ids", (3,))):
        with pytest.raises(InvalidInputError, match=f"llamacpp does not know {name}"):
            list(engine.generate([request], SamplingParameters(**{name: value})))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "'url' is missing"),
        ({"url": "127.0.0.1:8000/v1"}, "expected a URL such as"),
        ({"url": "ftp://127.0.0.1/v1"}, "expected a URL such as"),
        ({"url": "http://127.0.0.1:99999/v1"}, "cannot be read"),
        ({"url": "http://127.0.0.1:1/v1", "api": "responses"}, "one of completions, chat"),
        ({"url": "http://127.0.0.1:1/v1", "n": 0}, "at least 1"),
        ({"url": "http://127.0.0.1:1/v1", "concurrency": "many"}, "a whole number"),
        ({"url": "http://127.0.0.1:1/v1", "timeout": 0}, "above 0"),
        ({"url": "http://127.0.0.1:1/v1", "api": "chat", "tokenizer": "x"}, "no use with api=chat"),
        ({"url": "http://127.0.0.1:1/v1", "concurency": 3}, "Did you mean 'concurrency'"),
        ({"url": "http://127.0.0.1:1/v1", "revision": "main"}, "leave --revision out"),
        ({"url": "http://127.0.0.1:1/v1", "tokenizer": "/no/such"}, "no such folder"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        load_engine("server", "toy", **arguments)


def test_inside_an_event_loop_the_error_says_what_to_do(server):
    import asyncio

    async def notebook() -> None:
        load(server)

    with pytest.raises(InvalidInputError, match=r"asyncio\.to_thread"):
        asyncio.run(notebook())


# -- keys ----------------------------------------------------------------------------------------


def everything(run: Run) -> str:
    return "".join(
        path.read_bytes().decode("latin-1") for path in run.path.rglob("*") if path.is_file()
    )


def test_the_key_is_sent_and_stands_nowhere(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_KEY", KEY)
    server.models = [{"id": "toy", "owned_by": KEY}]
    server.version = KEY
    run = draw(server, tmp_path / "run", 2, api_key_env="TOY_KEY")
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    assert KEY not in everything(run)


@pytest.mark.parametrize(
    "fault",
    [
        status(401, {"error": {"message": f"wrong key {KEY}", "param": KEY}}),
        status(400, {"error": KEY}),
        status(404, f"no {KEY}"),
        status(500, {"detail": [KEY, {"x": KEY}]}),
        status(302, Location=f"http://{KEY}.example/v1"),
        with_changes(lambda reply: KEY),
        with_changes(lambda reply: {"choices": KEY + "x" * 200}),
        with_changes(lambda reply: {"choices": "x" * 60 + KEY}),
        with_changes(lambda reply: reply["choices"][0].update(finish_reason="x" * 25 + KEY)),
    ],
)
def test_a_server_that_repeats_the_key(server, tmp_path, monkeypatch, fault):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = load(server)
    run = prepare_run(tmp_path / "run", engine, [Words()], P, template="plain")
    server.always = fault
    with pytest.raises(EngineError) as caught:
        sample_run(run, engine, 1)
    told = "".join(traceback.format_exception(caught.value))
    assert KEY[:8] not in told
    if not told.count("ended"):
        with pytest.raises((EngineError, InvalidInputError)) as caught:
            load(server, retries=0)
        assert KEY[:8] not in "".join(traceback.format_exception(caught.value))


def test_a_served_name_that_is_the_key_is_not_shown(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.models = [{"id": KEY}]
    with pytest.raises(InvalidInputError) as caught:
        load(server)
    assert KEY[:8] not in str(caught.value)


@pytest.mark.parametrize("key", [KEY, "xq", ".", "[...]", "a'b\\c" * 9])
def test_hiding_a_key_ends_and_hides_it(key):
    hidden = Key(key)
    for text in (key, f"a {key} b {key.upper()}", f"a{key[: max(8, len(key) // 2)]}", repr(key)):
        found = hidden.hidden(text)
        assert "[...]" in found
        assert key[:8].lower() not in found.replace("[...]", "").lower()
    assert hidden.hidden("quite another text") == "quite another text"
    assert KEY not in repr(Key(KEY))


def test_keys_that_are_missing_or_none(server, monkeypatch):
    load(server)  # on this machine none is needed
    assert "Authorization" not in server.headers[0]
    with pytest.raises(InvalidInputError, match="'NO_SUCH_KEY' holds no key"):
        load(server, api_key_env="NO_SUCH_KEY")
    with pytest.raises(InvalidInputError, match=r"'OPENAI_API_KEY' holds no key for example\.org"):
        load(server, url="https://example.org/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    with pytest.raises(InvalidInputError, match="holds blanks") as caught:
        load(server)
    assert "two words" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://alice:pass1234@127.0.0.1:1/v1", "http://pass1234@h/v1", "http://h/v1?k=pass1234"],
)
def test_secrets_in_a_url_are_refused_and_not_shown(url):
    with pytest.raises(InvalidInputError, match="without") as caught:
        load_engine("server", "toy", url=url)
    assert "pass1234" not in str(caught.value)


def test_redirects_are_not_followed(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = load(server)
    with serving() as other:
        server.always = status(307, Location=other.url + "/completions")
        request = Request("p", [], np.arange(1), np.arange(1), "hello")
        with pytest.raises(EngineError, match=r"status 307.*sends the client to '127\.0\.0\.1'"):
            list(engine.generate([request], P))
        assert other.headers == []


@pytest.mark.slow
def test_the_command_line_shows_no_key_and_tells_the_tokens(server, tmp_path):
    def sample(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "rlvr_fast", "sample", "toy", "--engine", "server"),
                *("--engine-arg", f"url={server.url}", "--template", "plain", "--samples", "2"),
                *("--task", "reasoning_gym:chain_sum?size=2", "--out", str(tmp_path / "run")),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "OPENAI_API_KEY": KEY},
            cwd=Path(__file__).parents[2],
        )

    done = sample("--logprobs")
    assert done.returncode == 0, done.stderr
    assert "the server answered 4 requests: 28 prompt tokens" in done.stderr
    run = Run.open(tmp_path / "run")
    assert run.read("samples")["token_logprobs"].null_count == 0
    server.always = status(401, {"error": {"message": f"wrong key: {KEY}"}})
    refused = sample("--samples", "3")
    assert refused.returncode == 2
    assert "401" in refused.stderr
    for text in (done.stdout, done.stderr, refused.stdout, refused.stderr, everything(run)):
        assert KEY[:8] not in text
