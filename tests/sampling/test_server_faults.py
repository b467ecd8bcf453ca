"""The engine server survives its server: after each fault the rerun completes, whole and once."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from openai_server import FakeServer, Fault, Handler, raw, serving, status, with_changes
from tiny import Words

from rlvr_fast.errors import EngineError, InvalidInputError
from rlvr_fast.sampling import Request, SamplingParameters, load_engine, prepare_run, sample_run
from rlvr_fast.sampling.engines.server import client
from rlvr_fast.sampling.engines.server.address import find_address
from rlvr_fast.store import Run, verify

pytestmark = pytest.mark.usefixtures("at_once")

P = SamplingParameters(temperature=1.0, max_tokens=30)
PROBLEMS, SAMPLES = 3, 6
ALL = PROBLEMS * SAMPLES


def begin(server: FakeServer, path: Path, **arguments) -> tuple[Run, object]:
    engine = load_engine("server", "toy", url=server.url, **{"concurrency": 4, **arguments})
    return prepare_run(path, engine, [Words(PROBLEMS)], P, template="plain"), engine


def whole(run: Run) -> None:
    """No draw is missing or double, each is the one of its seed, and the run is sound."""
    rows = run.read("samples").to_pylist()
    keys = [(row["problem_id"], row["sample_index"]) for row in rows]
    assert sorted(keys) == [(f"words/{p}", i) for p in range(PROBLEMS) for i in range(SAMPLES)]
    assert all(row["text"] == f"draw {row['seed']} 0" for row in rows)
    assert [finding for finding in verify(run.path) if finding.level != "info"] == []


# -- faults --------------------------------------------------------------------------------------


def half_a_body(handler: Handler, body) -> None:
    data = b'{"choices": [{"index": 0, "text": "dra'
    handler.send_response(200)
    handler.send_header("Content-Length", str(10 * len(data)))
    handler.end_headers()
    handler.wfile.write(data)
    handler.close_connection = True


def no_reply(handler: Handler, body) -> None:
    handler.close_connection = True


def reset(handler: Handler, body) -> None:
    # Closed with this option, a connection is reset.
    linger = np.array([1, 0], np.int32).tobytes()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True


def no_http(handler: Handler, body) -> None:
    handler.wfile.write(b"\x00\xff garbage \r\n\r\n")
    handler.close_connection = True


def hang(handler: Handler, body) -> None:
    handler.server.released.wait(120)
    handler.close_connection = True


def trickle(handler: Handler, body) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    try:
        while not handler.server.released.wait(0.02):
            handler.wfile.write(b" ")
    except OSError:
        pass
    handler.close_connection = True


def trickling_headers(handler: Handler, body) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    try:
        while not handler.server.released.wait(0.02):
            handler.wfile.write(b"X-More: 1\r\n")
    except OSError:
        pass
    handler.close_connection = True


def huge(handler: Handler, body) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    try:
        while not handler.server.released.is_set():
            handler.wfile.write(piece)
    except OSError:
        pass
    handler.close_connection = True


def packed(handler: Handler, body) -> None:
    import gzip

    data = gzip.compress(b" " * 10_000_000)
    handler.send_bytes(data, Content_Encoding="gzip")


def no_end_of_headers(handler: Handler, body) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    try:
        while not handler.server.released.is_set():
            handler.wfile.write(b"X-More: " + b"1" * 1000 + b"\r\n")
    except OSError:
        pass
    handler.close_connection = True


def told(code: object, **more: object) -> Fault:
    """An error under the status of a reply."""
    return status(200, {"error": {"message": "no room", "code": code}, **more})


PASSING: dict[str, list[Fault]] = {
    "429 with Retry-After": [status(429, Retry_After="0")] * 3,
    "429 with a date": [status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")],
    "408, 409": [status(408), status(409)],
    "500, 502, 503, 504": [status(500), status(502), status(503, Retry_After="x"), status(504)],
    "errors as replies": [told(429), told(503, choices=[]), told("busy"), told(None)],
    "an error as vLLM had it": [status(200, {"object": "error", "message": "no", "code": 500})],
    "half a body": [half_a_body, half_a_body],
    "no end of headers": [no_end_of_headers],
    "no reply": [no_reply, no_reply],
    "reset": [reset, reset],
    "no HTTP": [no_http],
    "garbage": [raw(b"<html>maintenance</html>")],
    "nothing": [raw(b"")],
    "garbage at the end": [raw(b'{"choices": []} x')],
    "wrong types": [with_changes(lambda reply: reply["choices"][0].update(text=7))],
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_again(server, tmp_path, name):
    run, engine = begin(server, tmp_path / "run")
    server.faults.extend(PASSING[name])
    assert sample_run(run, engine, SAMPLES) == ALL
    whole(run)
    assert f", {len(PASSING[name])} sent again" in engine.told[0]


FEW = ("garbage", "garbage at the end", "nothing", "wrong types")


def changed(**values) -> Fault:
    return with_changes(lambda reply: reply["choices"][0].update(values))


LASTING: dict[str, tuple[Fault, str]] = {
    "429": (status(429, Retry_After="0"), r"asked 3 times: .*status 429"),
    "500": (status(500, {"detail": "out\x1b[31m of memory"}), r"asked 3 times.*500.*out\\x1b\[31m"),
    "half a body": (half_a_body, "asked 3 times"),
    "no reply": (no_reply, "asked 3 times"),
    "no HTTP": (no_http, "asked 3 times"),
    "garbage": (raw(b"<html>\x1b[2J" + b"x" * 999), r"no JSON; it begins '<html>\\x1b\[2Jx+\.\.\."),
    "no UTF-8": (raw(b"\xff\xfe{}"), "no JSON"),
    "nan": (raw(b'{"choices": [{"index": 0, "text": NaN}]}'), "no JSON"),
    "deep": (raw(b"[" * 100_000), "no JSON"),
    "a list": (raw(b"[]"), "expected an object"),
    "no choices": (raw(b'{"object": "text_completion"}'), "choices holds None"),
    "none of them": (with_changes(lambda reply: reply["choices"].clear()), "choices holds 0"),
    "too many": (with_changes(lambda reply: reply["choices"].append({})), "holds 2 of them"),
    "no object": (with_changes(lambda reply: {"choices": ["x"]}), "a choice is 'x'"),
    "an index of others": (changed(index=1), "index of a choice is 1"),
    "an index below": (changed(index=-1), "index of a choice is -1"),
    "true for an index": (changed(index=True), "index of a choice is True"),
    "no text": (changed(text=None), "text of a choice is None"),
    "ids of text": (changed(token_ids=["7"]), "token_ids is"),
    "ids below 0": (changed(token_ids=[-1]), "token_ids is"),
    "ids of 64 bits": (changed(token_ids=[1 << 40]), "token_ids is"),
    "ids true": (changed(token_ids=[True]), "token_ids is"),
    "too many tokens": (changed(token_ids=[1] * 31), "31 tokens, expected at most 30"),
    "no finish reason": (changed(finish_reason=None), "finish_reason is None"),
    "gzip": (packed, "no JSON"),
    "huge": (huge, "more than [0-9,]+ bytes"),
    "a filter": (changed(finish_reason="content_filter"), r"ended 18 draws .*'content_filter'"),
    "an abort": (changed(finish_reason="abort"), "ended 18 draws"),
    "401": (status(401), r"refuses .*401.*api_key_env"),
    "403": (status(403), r"refuses .*403"),
    "400": (status(400, {"error": {"message": "too hot"}}), r"refuses .*400 \('too hot'\)"),
    "404": (status(404), r"refuses .*404"),
    "422": (status(422, {"detail": [{"loc": ["body", "x"], "msg": "no x"}]}), r"422 \('no x'\)"),
    "400 as a reply": (told(400), r"refuses .*400 \('no room'\)"),
    "401 as a reply": (told(401), r"refuses .*401.*api_key_env"),
    "500 as a reply": (told("x"), r"asked 3 times.*500 \('no room'\)"),
    "a stream": (raw(b'data: {"choices": []}\n\ndata: [DONE]'), "no JSON; it begins 'data: "),
    "402": (status(402), r"refuses .*402"),
    "501": (status(501), r"refuses .*501"),
    "302": (status(302, Location="http://[bad"), "an address that cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_ends_the_run_and_the_rerun_completes(server, tmp_path, name):
    fault, message = LASTING[name]
    run, engine = begin(server, tmp_path / "run", retries=2)
    server.always = fault
    with pytest.raises(EngineError, match=message) as caught:
        sample_run(run, engine, SAMPLES)
    assert f"0 of {ALL} draws are stored in {run.path}; the same command" in str(caught.value)
    assert len(str(caught.value)) < 1000
    server.always = None
    assert sample_run(run, engine, SAMPLES) == ALL
    whole(run)


@pytest.mark.parametrize("fault", [hang, trickle, trickling_headers])
def test_a_server_that_never_ends_is_given_up(server, tmp_path, fault):
    run, engine = begin(server, tmp_path / "run")
    engine._conversation.options = replaced(engine, timeout=0.2)
    server.always = fault
    with pytest.raises(EngineError, match=r"no whole reply to /v1/completions within 0\.2 s"):
        sample_run(run, engine, SAMPLES)
    server.always = None
    engine._conversation.options = replaced(engine, timeout=60)
    assert sample_run(run, engine, SAMPLES) == ALL
    whole(run)


def replaced(engine, **values):
    import dataclasses

    return dataclasses.replace(engine._conversation.options, **values)


def test_a_fault_in_the_middle_keeps_what_was_finished(server, tmp_path):
    run, engine = begin(server, tmp_path / "run", retries=0, concurrency=1)
    server.faults.extend([None] * 7 + [status(500)])
    with pytest.raises(EngineError, match=f"13 of {ALL} draws are stored"):
        sample_run(run, engine, SAMPLES)
    assert len(run.read("samples")) == 13
    assert sample_run(run, engine, SAMPLES) == ALL - 13
    whole(run)


def test_odd_ends_leave_the_other_draws_alone(server, tmp_path):
    run, engine = begin(server, tmp_path / "run", concurrency=1)
    server.faults.extend([None, changed(finish_reason="content_filter"), None])
    with pytest.raises(EngineError, match=r"ended 1 draws.*'words/0', sample 1.*17 of 18 draws"):
        sample_run(run, engine, SAMPLES)
    assert sample_run(run, engine, SAMPLES) == 1
    whole(run)


def of_problem(number: int, fault: Fault) -> Fault:
    """Answers the requests of one problem so, and the others properly."""
    prompt = Words(PROBLEMS).problems()[number].question

    def answer(handler: Handler, body) -> None:
        (fault if body["prompt"] == prompt else with_changes(lambda reply: None))(handler, body)

    return answer


@pytest.mark.parametrize("number", range(PROBLEMS))
@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_prompt_that_is_refused_leaves_the_other_problems_alone(server, tmp_path, number, code):
    run, engine = begin(server, tmp_path / "run")
    server.always = of_problem(number, status(code, {"error": {"message": "too long"}}))
    sent = len(server.bodies)
    with pytest.raises(EngineError, match=rf"problem 'words/{number}': .*too long.*12 of 18 draws"):
        sample_run(run, engine, SAMPLES)
    assert len(server.bodies) - sent <= 12 + 4  # those that were under way
    server.always = None
    assert sample_run(run, engine, SAMPLES) == SAMPLES
    whole(run)


def test_replies_that_are_none_leave_the_other_draws_alone(server, tmp_path):
    """As they would come again at the same place of every rerun."""
    run, engine = begin(server, tmp_path / "run", concurrency=1)
    odd = [changed(token_ids=[-1])] * 2
    server.faults.extend([None, *odd, None, None, *odd])
    with pytest.raises(EngineError, match=r"2 problems or draws.*'words/0', sample 1:.*16 of 18"):
        sample_run(run, engine, SAMPLES)
    assert sample_run(run, engine, SAMPLES) == 2
    whole(run)


@pytest.mark.parametrize("concurrency", [1, 2, 4, 16])
@pytest.mark.parametrize("number", range(PROBLEMS))
@pytest.mark.parametrize("fault", [status(500), no_reply])
def test_a_prompt_that_the_server_fails_at_leaves_the_other_problems_alone(
    server, tmp_path, number, concurrency, fault
):
    """Also where its draws take all places, and nothing else is answered meanwhile."""
    run, engine = begin(server, tmp_path / "run", retries=1, concurrency=concurrency)
    server.always = of_problem(number, fault)
    with pytest.raises(EngineError, match=rf"'words/{number}'.* failed.*12 of 18 draws are stored"):
        sample_run(run, engine, SAMPLES)
    server.always = None
    assert sample_run(run, engine, SAMPLES) == SAMPLES
    whole(run)


def test_problems_that_fail_one_after_another_are_a_server_that_fails(server, tmp_path):
    """Those behind the first are asked once each, and not all problems are."""
    engine = load_engine("server", "toy", url=server.url, concurrency=1, retries=2)
    run = prepare_run(tmp_path / "run", engine, [Words(20)], P, template="plain")
    server.always = status(500)
    sent = len(server.bodies)
    with pytest.raises(EngineError, match=r"8 problems.*'words/0'.*asked 3 times.*0 of 120 draws"):
        sample_run(run, engine, SAMPLES)
    assert len(server.bodies) - sent == 3 + 7
    server.always = None
    assert sample_run(run, engine, SAMPLES) == 120


def test_what_is_under_way_is_stored_when_the_server_refuses(server, tmp_path):
    refused = threading.Event()

    def slow(handler: Handler, body) -> None:
        assert refused.wait(300)
        with_changes(lambda reply: None)(handler, body)

    def refuse(handler: Handler, body) -> None:
        status(401)(handler, body)
        refused.set()

    run, engine = begin(server, tmp_path / "run")
    sent = len(server.bodies)
    server.faults.extend([slow, slow, slow, refuse])
    with pytest.raises(EngineError, match=r"401.*3 of 18 draws are stored"):
        sample_run(run, engine, SAMPLES)
    assert len(server.bodies) - sent == 4
    assert sample_run(run, engine, SAMPLES) == ALL - 3
    whole(run)


def test_a_mixture_of_all_that_passes(server, tmp_path):
    """Each request may meet several faults; with enough tries all draws are made."""
    run, engine = begin(server, tmp_path / "run", retries=100, concurrency=8)
    order = random.Random(7)
    # What is no reply is asked once more only.
    faults = [each for name in PASSING if name not in FEW for each in PASSING[name]]
    server.faults.extend(order.choice([*faults, None]) for _ in range(150))
    assert sample_run(run, engine, SAMPLES) == ALL
    whole(run)


def test_a_refused_key_is_tried_once(server, tmp_path):
    run, engine = begin(server, tmp_path / "run", concurrency=1)
    server.always = status(401)
    sent = len(server.bodies)
    with pytest.raises(EngineError, match="401"):
        sample_run(run, engine, SAMPLES)
    assert len(server.bodies) == sent + 1
    with pytest.raises(InvalidInputError, match="401"):
        begin(server, tmp_path / "other")


def test_a_server_that_dies_and_returns(tmp_path, monkeypatch):
    """Its port is closed until the client has met a closed port three times."""
    waits: list[float] = []
    with serving() as server:
        run, engine = begin(server, tmp_path / "run", concurrency=1, retries=50)
        port = server.server_address[1]
        back = threading.Event()
        revived: list[FakeServer] = []

        def die(handler: Handler, body) -> None:
            server.shutdown()
            server.server_close()
            handler.close_connection = True

        def revive() -> None:
            with serving(port) as again:
                revived.append(again)
                back.set()
                over.wait(120)

        over = threading.Event()
        thread = threading.Thread(target=revive)

        def backoff(failures: int) -> float:
            waits.append(failures)
            if failures == 3:
                thread.start()
                assert back.wait(300)
            return 0.0

        monkeypatch.setattr(client, "backoff", backoff)
        server.faults.extend([None] * 5 + [die])
        try:
            assert sample_run(run, engine, SAMPLES) == ALL
        finally:
            over.set()
            thread.join()
    assert waits[:3] == [1, 2, 3]
    assert len(revived[0].bodies) == ALL - 5
    whole(run)


def test_a_server_that_is_not_there(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(EngineError, match=r"asked 4 times: /v1/models: ClientConnectorError"):
            load_engine("server", "toy", url=url)


def test_retry_after_holds_all_requests_back(server):
    begun: list[float] = []
    limited = threading.Event()

    def limit(handler: Handler, body) -> None:
        handler.send_json({}, 429, Retry_After="0.3")
        begun.append(time.monotonic())
        limited.set()

    engine = load_engine("server", "toy", url=server.url, concurrency=1)
    server.faults.append(limit)
    request = Request("p", [], np.arange(3), np.arange(3), "hello")
    assert len(list(engine.generate([request], P))) == 3
    assert time.monotonic() - begun[0] > 0.25


@pytest.mark.parametrize("others", [True, False])
def test_429_while_others_are_answered_is_no_failure(others):
    class Crowded(client.Client):
        """Has no room for the first nine tries, and answers others meanwhile, or nobody."""

        tries = 0

        async def _once(self, method, url, data, most):
            if url.endswith("/other"):
                return client._Got(200, None, None, b"")
            self.tries += 1
            if self.tries > 9:
                return client._Got(200, None, None, b"here")
            if others:
                await self.get("/other", bytes, most=9)
            return client._Got(429, None, None, b"")

    async def ask() -> bytes:
        address = find_address("http://127.0.0.1:1/v1")
        crowded = Crowded(address, None, concurrency=1, timeout=60, retries=2)
        return await crowded.get("/this", bytes, most=9)

    if others:
        assert asyncio.run(ask()) == b"here"
    else:
        with pytest.raises(EngineError, match=r"asked 3 times: /v1/this: status 429"):
            asyncio.run(ask())


def test_ctrl_c_keeps_what_was_finished(server, tmp_path):
    run, engine = begin(server, tmp_path / "run", concurrency=1)

    def interrupt(handler: Handler, body) -> None:
        # A signal to the main thread, which waits for the server, ends its waiting.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        hang(handler, body)

    server.faults.extend([None] * 4 + [interrupt])
    with pytest.raises(KeyboardInterrupt):
        sample_run(run, engine, SAMPLES)
    server.released.set()
    held = len(run.read("samples"))
    assert held in (3, 4)  # one may be on its way
    assert sample_run(Run.open(run.path), engine, SAMPLES) == ALL - held
    whole(run)
