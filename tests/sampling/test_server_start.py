"""The start of the engine server: models, arguments, addresses and keys."""

from __future__ import annotations

import base64
import html
import json
import os
import resource
import shutil
import ssl
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from openai_server import FakeServer, Handler, raw, serving, status, with_changes
from tiny import Words

from rlvr_fast.errors import EngineError, InvalidInputError
from rlvr_fast.sampling import Request, SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.sampling.engines.server.address import find_address
from rlvr_fast.sampling.engines.server.key import Key
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


@pytest.mark.parametrize("code", [403, 404, 405, 501])
def test_a_server_that_lists_no_models(server, tmp_path, code):
    server.listing = status(code)
    draw(server, tmp_path / "run", 1)


def test_a_list_of_models_without_an_object_around_it(server, tmp_path):
    server.listing = lambda handler, _: handler.send_json(server.models)
    draw(server, tmp_path / "run", 1)
    with pytest.raises(InvalidInputError, match="does not serve 'toys'"):
        load_engine("server", "toys", url=server.url)


@pytest.mark.parametrize(
    "answer", [raw(b"<!doctype html><title>Chat</title>"), raw(b'{"models": []}'), raw(b"data: {}")]
)
def test_what_is_no_interface_of_openai_says_so(server, answer):
    server.listing = answer
    with pytest.raises(InvalidInputError, match=r"is none: .*the one before /models.*/v1"):
        load(server)


@pytest.mark.parametrize("least", [16, 500])
def test_a_server_with_a_least_number_of_tokens(server, least):
    def answer(handler: Handler, body) -> None:
        name = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
        if body[name] < least:
            said = f"max_tokens or model output limit was reached, at least {least}"
            return status(400, {"error": {"message": said}})(handler, body)
        return with_changes(lambda reply: None)(handler, body)

    server.always = answer
    load(server)
    assert {"top_k", "temperature", "return_token_ids"} <= server.bodies[-1].keys()


def test_a_name_that_no_json_holds(server):
    server.listing = status(404)
    with pytest.raises(InvalidInputError, match="model cannot be sent to the server"):
        load_engine("server", "toy\udcff", url=server.url)


def test_more_requests_than_files(server):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, limits[1]))
    try:
        with pytest.raises(InvalidInputError, match=r"have 512 files open.*ulimit -n 1064.*448"):
            load(server, concurrency=1000)
        load(server, concurrency=448)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


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
        ({"url": "http://a b/v1"}, "characters that none has"),
        ({"url": "http://a\x1b[31m/v1"}, r"a\\x1b.*characters that none has|cannot be read"),
        ({"url": "http://h/v 1"}, "characters that none has"),
        ({"url": "unix:///run/vllm.sock"}, "expected a URL such as"),
        ({"url": "http+unix://%2Frun%2Fvllm.sock/v1"}, "expected a URL such as"),
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
        raw(f"<p>{KEY.replace('-', '&#45;')}".encode()),
        raw(json.dumps(f"wrong {KEY}").replace("-", "\\u002d").encode()),
        raw(b'{"choices": "' + KEY.replace("-", "\\u002D").encode() + b'"}'),
        status(400, {"error": {"message": f"no {base64.b64encode(KEY.encode()).decode()}"}}),
        status(400, {"error": {"message": f"no ...{KEY[7:]}"}}),
        status(200, {"error": {"message": KEY, "code": 401}}),
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


@pytest.mark.parametrize("key", [KEY, "xq", ".", "[...]", "a'b\\c" * 9, "ab+cd/ef==&gh%41<ij>"])
def test_hiding_a_key_ends_and_hides_it(key):
    hidden = Key(key)
    texts = [
        *(key, f"a {key} b {key.upper()}", f"a{key[: max(8, len(key) // 2)]}", repr(key)),
        *(json.dumps(key), json.dumps(json.dumps({key: key})), quote(key, safe="")),
        *("".join(f"\\u{ord(each):04x}" for each in key), html.escape(key)),
    ]
    for text in texts:
        found = hidden.hidden(text)
        assert "[...]" in found
        assert key[:8].lower() not in found.replace("[...]", "").lower()
    assert hidden.hidden("quite another text") == "quite another text"
    assert KEY not in repr(Key(KEY))


@pytest.mark.parametrize("before", ["", "Bearer ", "user:"])
def test_a_key_is_hidden_in_base64_and_in_pieces(before):
    packed = base64.b64encode((before + KEY).encode()).decode()
    found = Key(KEY).hidden(f"got {packed}!")
    assert len(found) < len("got [...]!") + len(before) * 2 + 12
    for piece in (KEY[:9], KEY[4:], KEY[-8:]):
        assert Key(KEY).hidden(f"sent {piece}, no") == "sent [...], no"


def test_hiding_takes_no_long_time():
    text = "sk-very-" * 131_072  # quadratic time would exceed the time limit of a test
    assert Key(KEY).hidden(text) == "[...]"
    assert Key("k" * 4096).hidden(text) == text


@pytest.mark.parametrize("name", ["sk-very-secret-1", "hf_secret0secret1", "a b", "x\n", "0f3e"])
def test_a_key_in_place_of_the_name_of_its_variable_is_not_shown(server, name):
    with pytest.raises(InvalidInputError, match="api_key_env") as caught:
        load(server, api_key_env=name)
    assert name not in str(caught.value)
    assert repr(name) not in str(caught.value)


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


# -- ways to a server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "base", "loopback"),
    [
        (" HTTP://LocalHost:80/v1// ", "http://localhost:80/v1", True),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", True),
        ("http://[2001:db8::1]", "http://[2001:db8::1]", False),
        ("http://0.0.0.0:8000/v1", "http://0.0.0.0:8000/v1", True),
        ("http://[::]:8000/v1", "http://[::]:8000/v1", True),
        ("http://localhost.:8000/v1", "http://localhost.:8000/v1", True),
        ("http://127.0.0.2/v1", "http://127.0.0.2/v1", True),
        ("https://m\u00fcller.example/v1", "https://m\u00fcller.example/v1", False),
        ("http://localhost.example.org/v1", "http://localhost.example.org/v1", False),
    ],
)
def test_addresses(url, base, loopback):
    address = find_address(url)
    assert (address.base, address.loopback) == (base, loopback)


class Proxy(FakeServer):
    """Answers in place of all hosts, and refuses to open tunnels."""

    def finish_request(self, request, client_address) -> None:
        ProxyHandler(request, client_address, self)


class ProxyHandler(Handler):
    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed and self.command != "CONNECT":
            assert self.path.startswith("http://server.test/")
            self.path = self.path.removeprefix("http://server.test")
        return parsed

    def do_CONNECT(self) -> None:
        self.server.seen(self, None)
        self.send_json({}, 403)


def test_a_proxy_of_the_environment(tmp_path, monkeypatch):
    """It is asked with its own password, and sees the key of no encrypted request."""
    (tmp_path / "netrc").write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(kind=Proxy) as proxy:
        place = f"127.0.0.1:{proxy.server_address[1]}"
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://alice:pass%401234@{place}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.warns(UserWarning, match="unencrypted"):
            draw(proxy, tmp_path / "run", 1, url="http://server.test/v1")
        basic = "Basic " + base64.b64encode(b"alice:pass@1234").decode()
        assert {each["Authorization"] for each in proxy.headers} == {f"Bearer {KEY}"}
        assert {each["Proxy-Authorization"] for each in proxy.headers} == {basic}
        proxy.headers.clear()
        with pytest.raises(EngineError, match="403") as caught:
            load(proxy, url="https://server.test/v1", retries=0)
        assert {each["Proxy-Authorization"] for each in proxy.headers} == {basic}
        assert KEY not in str(proxy.headers)
        told = "".join(traceback.format_exception(caught.value))
        for secret in (KEY[:8], "pass@1234", "pass%401234", basic[6:]):
            assert secret not in told
    monkeypatch.setenv("https_proxy", "socks5://alice:pass1234@127.0.0.1:1")
    with pytest.raises(InvalidInputError, match="https_proxy names a proxy that is not") as caught:
        load(proxy, url="https://server.test/v1")
    assert "pass1234" not in str(caught.value)


def test_a_certificate_that_nobody_signed(server, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl, which makes a certificate")
    made = [tmp_path / "key.pem", tmp_path / "cert.pem"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", made[0], "-out", made[1], "-days", "2", "-subj", "/CN=x"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made[1], made[0])
    tried = []

    class Encrypted(FakeServer):
        def get_request(self):
            connection, address = super().get_request()
            tried.append(address)
            return context.wrap_socket(connection, server_side=True), address

    with serving(kind=Encrypted) as encrypted:
        url = encrypted.url.replace("http:", "https:")
        with pytest.raises(InvalidInputError, match=r"cannot be asked: .*certificate"):
            load(encrypted, url=url)
        assert len(tried) == 1
        assert encrypted.headers == []


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
