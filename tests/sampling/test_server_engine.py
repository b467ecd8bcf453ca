"""The engine server against a server of the tests: what it sends, stores and says."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from openai_server import FakeServer, Handler, status, with_changes
from tiny import Words, save_tiny
from transformers import LlamaConfig

from rlvr_fast.errors import EngineError, InvalidInputError, RunDirectoryError
from rlvr_fast.sampling import (
    Request,
    SampleOptions,
    SamplingParameters,
    draw_run,
    load_engine,
    prepare_run,
    sample_run,
)
from rlvr_fast.sampling.engines.server.dialect import PARAMETERS
from rlvr_fast.store import Run, draw_seeds, verify

pytestmark = pytest.mark.usefixtures("at_once")

P = SamplingParameters(temperature=1.0, max_tokens=30)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tokenizer"), LlamaConfig)


def load(server: FakeServer, **arguments):
    return load_engine("server", "toy", **{"url": server.url, **arguments})


def rows(run: Run) -> dict[tuple[str, int], dict]:
    table = run.read("samples").to_pylist()
    found = {(row["problem_id"], row["sample_index"]): row for row in table}
    assert len(found) == len(table)
    return found


def draw(server: FakeServer, path, samples: int, template: str = "plain", **arguments) -> Run:
    engine = load(server, **arguments)
    run = prepare_run(path, engine, [Words()], P, template=template)
    sample_run(run, engine, samples)
    assert set(rows(run)) == {(f"words/{p}", i) for p in range(3) for i in range(samples)}
    assert [finding for finding in verify(run.path) if finding.level != "info"] == []
    return run


# -- prompts -------------------------------------------------------------------------------------


def test_texts_where_no_tokenizer_is_known(server, tmp_path):
    server.tells_ids = False
    run = draw(server, tmp_path / "run", 4)
    drawn = server.bodies[-12:]  # in any order: they are under way together
    questions = sorted(problem.question for problem in Words().problems())
    assert sorted(body["prompt"] for body in drawn) == sorted(questions * 4)
    assert {(body["model"], body["max_tokens"]) for body in drawn} == {("toy", 30)}
    for problem in run.problems().to_pylist():
        assert problem["prompt_token_ids"] == []
    for row in rows(run).values():
        assert row["token_ids"] == []
        assert row["seed"] == draw_seeds(run.info, row["problem_id"], [row["sample_index"]])[0]
        assert row["text"] == f"draw {row['seed']} 0"
    assert "tells no token ids" in " ".join(run.info.engine["notes"])


def test_ids_of_prompts_that_the_server_tells_are_stored(server, tmp_path):
    run = draw(server, tmp_path / "run", 2)
    for problem in run.problems().to_pylist():
        assert problem["prompt_token_ids"] == server.prompt_ids({"prompt": problem["prompt"]})
    assert {type(body["prompt"]) for body in server.bodies} == {str}
    assert "prompts were sent as texts" in run.info.engine["notes"]
    for row in rows(run).values():
        assert row["token_ids"] == [1 + row["seed"] % 50, 2]


def test_token_ids_where_a_tokenizer_is_known(server, tmp_path, tokenizer):
    run = draw(server, tmp_path / "run", 2, tokenizer=tokenizer, template="auto")
    sent = [body["prompt"] for body in server.bodies[1:]]
    stored = run.problems()["prompt_token_ids"].to_pylist()
    assert sorted(sent) == sorted(stored * 2)
    assert (
        stored[0]
        == load_engine("transformers", tokenizer).encode(run.problems()["prompt"][:1].to_pylist())[
            0
        ]
    )


def test_messages_are_left_to_the_server(server, tmp_path):
    run = draw(server, tmp_path / "run", 2, template="auto", api="chat")
    question = Words().problems()[0].question
    messages = [{"role": "user", "content": question}]
    assert server.bodies[-1]["messages"] != messages  # the last problem is another one
    problem = run.problems().to_pylist()[0]
    assert json.loads(problem["prompt"]) == messages
    assert problem["prompt_token_ids"] == server.prompt_ids({"messages": messages})
    assert run.info.prompt_template["messages"] is True
    assert all(row["token_ids"] for row in rows(run).values())


def test_a_template_file_makes_the_message(server, tmp_path):
    file = tmp_path / "box.txt"
    file.write_text('{question}\nSay "so" in a \\boxed{}.')
    run = draw(server, tmp_path / "run", 1, template=str(file), api="chat")
    question = Words().problems()[0].question
    (message,) = json.loads(run.problems()["prompt"][0].as_py())
    assert message["content"] == f'{question}\nSay "so" in a \\boxed{{}}.'


def test_templates_that_make_no_sense_are_refused(server, tmp_path):
    with pytest.raises(InvalidInputError, match=r"not known without its tokenizer.*--template"):
        prepare_run(tmp_path / "run", load(server), [Words()], P)
    with pytest.raises(InvalidInputError, match="no chat template"):
        prepare_run(tmp_path / "run", load(server), [Words()], P, template="chat")
    with pytest.raises(InvalidInputError, match=r"given messages.*api=completions"):
        prepare_run(tmp_path / "run", load(server, api="chat"), [Words()], P, template="plain")


def test_another_template_of_the_server_is_noticed(server, tmp_path):
    engine = load(server, api="chat")
    run = prepare_run(tmp_path / "run", engine, [Words()], P)
    server.prompt_ids = lambda body: [1, 2, 3]
    with pytest.raises(
        EngineError, match=r"other token ids of its prompt.*0 of 6 draws are stored"
    ):
        sample_run(run, engine, 2)
    with pytest.raises(RunDirectoryError, match="prompt_token_ids of problem"):
        prepare_run(tmp_path / "run", load(server, api="chat"), [Words()], P)


def test_reasoning_stands_before_the_content(server, tmp_path):
    def thinking(reply):
        for number, choice in enumerate(reply["choices"]):
            name = ("reasoning_content", "reasoning")[number % 2]
            choice["message"] = {"role": "assistant", "content": "\n\n5", name: "2 + 3\n"}

    server.always = with_changes(thinking)
    run = draw(server, tmp_path / "run", 2, template="auto", api="chat", n=2)
    assert {row["text"] for row in rows(run).values()} == {"<think>\n2 + 3\n</think>\n\n5"}


def test_thinking_without_an_answer_stays_open(server, tmp_path):
    def cut(reply):
        (choice,) = reply["choices"]
        choice["finish_reason"] = "length"
        choice["message"] = {"role": "assistant", "content": None, "reasoning": "let me see"}

    server.always = with_changes(cut)
    run = draw(server, tmp_path / "run", 1, template="auto", api="chat")
    assert {row["text"] for row in rows(run).values()} == {"<think>\nlet me see"}
    assert {row["finish_reason"] for row in rows(run).values()} == {"length"}


def test_scoring_refuses_a_prompt_that_is_not_known(server, tmp_path, tokenizer):
    from rlvr_fast.scoring import score_run

    server.tells_ids = False
    run = draw(server, tmp_path / "run", 1, template="auto", api="chat")
    with pytest.raises(InvalidInputError, match="did not tell their token ids"):
        score_run(run, tokenizer, label="self")
    server.tells_ids = True  # but they are those of another tokenizer
    run = draw(server, tmp_path / "other", 1, template="auto", api="chat")
    with pytest.raises(InvalidInputError, match="is not the tokenizer of this run"):
        score_run(run, tokenizer, label="self")


def test_scoring_encodes_texts_without_token_ids(server, tmp_path, tokenizer):
    from rlvr_fast.scoring import score_run

    server.tells_ids = False
    server.always = with_changes(lambda reply: reply["choices"][0].update(text="w3 w4 w5"))
    run = draw(server, tmp_path / "run", 1)
    assert score_run(run, tokenizer, label="self") == 3
    assert run.read("scores/self")["num_tokens"].to_pylist() == [3, 3, 3]


# -- parameters ----------------------------------------------------------------------------------


def test_every_sampling_parameter_is_said():
    names = {field.name for field in fields(SamplingParameters)}
    assert set(PARAMETERS) | {"max_tokens", "seed"} == names


def test_parameters_are_sent_also_where_they_are_neutral(server):
    engine = load(server)
    request = Request("p", [], np.arange(1), np.arange(1), "hello")
    list(engine.generate([request], P))
    neutral = server.bodies[-1]
    assert (neutral["top_k"], neutral["min_p"], neutral["repetition_penalty"]) == (-1, 0.0, 1.0)
    assert (neutral["presence_penalty"], neutral["frequency_penalty"]) == (0.0, 0.0)
    assert not {"stop", "stop_token_ids", "min_tokens", "n", "logprobs"} & neutral.keys()
    given = SamplingParameters(
        temperature=0.5, top_p=0.9, max_tokens=9, stop=("###",), top_k=5, min_p=0.1,
        presence_penalty=0.5, frequency_penalty=-0.5, repetition_penalty=1.1, min_tokens=2,
        stop_token_ids=(7, 3),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="does not know top_k, min_p, repetition_penalty, min_t"):
        list(engine.generate([request], given))
    want = {
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 9, "stop": ["###"], "top_k": 5,
        "min_p": 0.1, "presence_penalty": 0.5, "frequency_penalty": -0.5, "min_tokens": 2,
        "repetition_penalty": 1.1, "stop_token_ids": [3, 7], "seed": 0,
    }  # fmt: skip
    assert {name: server.bodies[-1][name] for name in want} == want


def refusing(*names: str, blind: bool = False):
    """A server that refuses fields, and says which, or does not."""

    def fault(handler: Handler, body) -> None:
        found = [name for name in names if name in body]
        if not found:
            return with_changes(lambda reply: None)(handler, body)
        said = "Bad Request" if blind else f"Unrecognized request argument supplied: {found[0]}"
        return status(400, {"error": {"message": said, "param": None}})(handler, body)

    return fault


def test_what_a_server_refuses_is_left_out_and_noted(server, tmp_path):
    server.always = refusing("return_token_ids", "top_k", "min_p")
    run = draw(server, tmp_path / "run", 2)
    assert not {"return_token_ids", "top_k", "min_p"} & server.bodies[-1].keys()
    assert all(row["seed"] is not None for row in rows(run).values())
    notes = " ".join(run.info.engine["notes"])
    assert "left at the defaults of the server, which refuses them: min_p, top_k" in notes


def test_without_seeds_the_column_is_null(server, tmp_path):
    server.always = refusing("seed")
    run = draw(server, tmp_path / "run", 2)
    assert {row["seed"] for row in rows(run).values()} == {None}
    assert "takes no seed" in " ".join(run.info.engine["notes"])


def test_a_server_that_does_not_say_what_it_refuses(server, tmp_path):
    server.always = refusing("top_k", "return_token_ids", blind=True)
    run = draw(server, tmp_path / "run", 1)
    assert all(row["seed"] is not None for row in rows(run).values())


def test_left_blindly_is_first_what_changes_least(server):
    server.always = refusing("presence_penalty", blind=True)
    load(server)
    assert {"seed", "temperature", "top_p"} <= server.bodies[-1].keys()
    server.always = refusing("top_p", blind=True)
    with pytest.warns(UserWarning, match="refuses temperature and top_p though it is neutral"):
        load(server)


@pytest.mark.parametrize(
    ("said", "parameter", "name"),
    [
        ("Argument not supported on this model: presencePenalty", None, "presence_penalty"),
        ('Unknown name "topK" at generation_config', None, "top_k"),
        ("body.min_p: property is unsupported", None, "min_p"),
        ("Extra inputs are not permitted", "/repetition_penalty", "repetition_penalty"),
    ],
)
def test_names_of_fields_as_servers_write_them(server, said, parameter, name):
    def fault(handler: Handler, body) -> None:
        if name in body:
            return status(400, {"error": {"message": said, "param": parameter}})(handler, body)
        return with_changes(lambda reply: None)(handler, body)

    server.always = fault
    engine = load(server)
    assert engine._conversation.dialect.left_out == {name}


def test_a_server_with_seeds_of_32_bits_gets_shorter_ones(server, tmp_path):
    def short(handler: Handler, body) -> None:
        if body["seed"] >= 1 << 31:
            said = f"Invalid value at 'generation_config.seed' (TYPE_INT32), {body['seed']}"
            return status(400, {"error": {"message": said}})(handler, body)
        return with_changes(lambda reply: None)(handler, body)

    server.always = short
    engine = load(server)
    run = prepare_run(tmp_path / "run", engine, [Words()], P, template="plain")
    sample_run(run, engine, 2)
    for row in rows(run).values():
        (seed,) = draw_seeds(run.info, row["problem_id"], [row["sample_index"]])
        assert row["seed"] == seed
        assert row["text"] == f"draw {seed % (1 << 31)} 0"
    assert "lowest 31 bits" in " ".join(run.info.engine["notes"])


def test_a_parameter_that_matters_is_not_left_out(server):
    server.always = refusing("top_k")
    engine = load(server)
    request = Request("p", [], np.arange(1), np.arange(1), "hello")
    with (
        pytest.warns(UserWarning, match="does not know top_k"),
        pytest.raises(EngineError, match=r"refuses .*400.*Unrecognized.*top_k"),
    ):
        list(engine.generate([request], SamplingParameters(top_k=5)))


def test_the_newer_name_of_max_tokens(server, tmp_path):
    def newer(handler: Handler, body) -> None:
        if "max_tokens" in body:
            said = "Use 'max_completion_tokens' instead of 'max_tokens'."
            return status(400, {"error": {"message": said}})(handler, body)
        return with_changes(lambda reply: None)(handler, body)

    server.always = newer
    draw(server, tmp_path / "run", 1, template="auto", api="chat")
    assert server.bodies[-1]["max_completion_tokens"] == 30


def test_log_probabilities_on_request(server, tmp_path):
    for api, template in (("completions", "plain"), ("chat", "auto")):
        options = SampleOptions(
            tasks=(), samples=2, engine="server", engine_args={"url": server.url, "api": api},
            logprobs=True,
        )  # fmt: skip
        assert options.logprobs
        engine = load(server, api=api)
        run = prepare_run(tmp_path / api, engine, [Words()], P, template=template)
        sample_run(run, engine, 2)
        assert "token_logprobs" not in run.read("samples").column_names
        sample_run(run, engine, 3, logprobs=True)
        held = [row["token_logprobs"] for row in rows(run).values()]
        assert sorted(held, key=str) == [None] * 6 + [[-0.5, -0.25]] * 3


def test_a_server_without_log_probabilities_says_so(server, tmp_path):
    engine = load(server)
    run = prepare_run(tmp_path / "run", engine, [Words()], P, template="plain")
    server.always = with_changes(lambda reply: reply["choices"][0].update(logprobs=None))
    with pytest.raises(EngineError, match=r"no log-probabilities.*--logprobs"):
        sample_run(run, engine, 1, logprobs=True)


def test_an_engine_without_log_probabilities_is_refused_before_loading(tmp_path, monkeypatch):
    from dataclasses import replace

    from rlvr_fast.sampling import engine_names, engines
    from rlvr_fast.sampling.engines import engine_kind

    assert "server" in engine_names()
    kind = replace(engine_kind("server"), logprobs=False, name="dumb")
    monkeypatch.setattr(
        engines, "engine_kind", lambda name: kind if name == "server" else engine_kind(name)
    )
    options = SampleOptions(tasks=("x",), samples=1, engine="server", logprobs=True)
    with pytest.raises(InvalidInputError, match="gives no log-probabilities"):
        draw_run("toy", tmp_path / "run", options)


def test_log_probabilities_of_transformers_are_those_of_the_model(tokenizer):
    import torch

    engine = load_engine("transformers", tokenizer, batch_size=4)
    prompt = [5, 6, 7]
    request = Request("p", prompt, np.arange(6), np.arange(6))
    for done in engine.generate([request], SamplingParameters(max_tokens=6), logprobs=True):
        logits = engine._model(torch.tensor([prompt + done.token_ids])).logits[0, 2:-1]
        want = torch.log_softmax(logits.float(), -1).gather(
            1, torch.tensor(done.token_ids)[:, None]
        )
        assert done.token_logprobs == pytest.approx(want[:, 0].tolist(), abs=1e-4)


# -- several draws a request ---------------------------------------------------------------------


def test_several_draws_a_request(server, tmp_path):
    run = draw(server, tmp_path / "run", 10, n=4)
    assert sorted(body.get("n", 1) for body in server.bodies[4:]) == [2] * 3 + [4] * 6
    assert {row["seed"] for row in rows(run).values()} == {None}
    assert len({row["text"] for row in rows(run).values()}) == 30
    assert "up to 4 draws a request" in " ".join(run.info.engine["notes"])


@pytest.mark.parametrize("way", ["refuses", "refuses blindly", "ignores"])
def test_a_server_that_gives_one_draw_a_request(server, tmp_path, way):
    def one(handler: Handler, body) -> None:
        if way != "ignores" and body.get("n", 1) > 1:
            said = "n must be 1" if way == "refuses" else "Bad Request"
            return status(400, {"error": {"message": said}})(handler, body)
        return with_changes(lambda reply: {**reply, "choices": reply["choices"][:1]})(handler, body)

    server.always = one
    engine = load(server, n=4, concurrency=1)
    run = prepare_run(tmp_path / "run", engine, [Words()], P, template="plain")
    sample_run(run, engine, 10)
    assert len(rows(run)) == 30
    several = [body["n"] for body in server.bodies if "n" in body]
    assert several == ([4, 2] if way == "refuses" else [4])
    assert "the server gives one draw a request, whatever n is" in engine.told


@pytest.mark.parametrize("way", ["refuses", "cuts"])
def test_a_server_that_gives_fewer_draws_a_request(server, tmp_path, way):
    def few(handler: Handler, body) -> None:
        if way == "refuses" and body.get("n", 1) > 3:
            said = f"Invalid value for 'n': {body['n']}, expected at most 3"
            return status(400, {"error": {"message": said}})(handler, body)
        return with_changes(lambda reply: {**reply, "choices": reply["choices"][:3]})(handler, body)

    server.always = few
    engine = load(server, n=8, concurrency=1)
    run = prepare_run(tmp_path / "run", engine, [Words()], P, template="plain")
    sample_run(run, engine, 8)
    assert len(rows(run)) == 24
    most = 2 if way == "refuses" else 3
    assert {body.get("n", 1) for body in server.bodies[-6:]} <= {most, 8 % most or most}
    assert f"the server gives {most} draws a request, whatever n is" in engine.told


def test_a_prompt_that_is_refused_leaves_the_number_of_draws_alone(server, tmp_path):
    first = Words().problems()[0].question

    def refuse(handler: Handler, body) -> None:
        if body["prompt"] == first:
            return status(400, {"error": {"message": "too long"}})(handler, body)
        return with_changes(lambda reply: None)(handler, body)

    engine = load(server, n=4, concurrency=1)
    run = prepare_run(tmp_path / "run", engine, [Words()], P, template="plain")
    server.always = refuse
    with pytest.raises(EngineError, match=r"'words/0'.*too long.*16 of 24"):
        sample_run(run, engine, 8)
    assert [body["n"] for body in server.bodies[-4:]] == [4] * 4


def test_choices_in_any_order_are_told_apart_by_their_index(server, tmp_path):
    server.always = with_changes(lambda reply: reply["choices"].reverse())
    run = draw(server, tmp_path / "run", 4, n=4)
    for row in rows(run).values():
        assert row["text"].endswith(f" {row['sample_index']}")


# -- many requests -------------------------------------------------------------------------------


def test_requests_under_way_are_bounded_and_so_is_what_waits(server):
    engine = load(server, concurrency=3)
    request = Request("p", [], np.arange(60), np.arange(60), "hello")
    draws = engine.generate([request], P)
    next(draws)
    sent = len(server.bodies) - 1
    assert sent <= 2 * 3 + 1  # those that were taken, and those that were sent in their place
    assert sum(1 for _ in draws) == 59
    assert server.most <= 3


def test_requests_are_read_as_they_are_sent(server):
    read = []

    def requests():
        for number in range(1000):
            read.append(number)
            yield Request(f"p{number}", [], np.arange(1), np.arange(1), "hello")

    draws = load(server, concurrency=3).generate(requests(), P)
    next(draws)
    assert len(read) <= 2 * 3 + 1
    draws.close()


def test_closing_ends_the_requests(server):
    import threading

    gone = threading.Event()

    def hang(handler: Handler, body) -> None:
        handler.close_connection = True
        if handler.connection.recv(1) == b"":
            gone.set()

    server.faults.extend([None, None])
    engine = load(server, concurrency=2)
    server.faults.clear()
    server.faults.extend([None, hang])
    request = Request("p", [], np.arange(2), np.arange(2), "hello")
    draws = engine.generate([request], P)
    next(draws)
    draws.close()
    assert gone.wait(300)
    assert "answered 1 requests" in engine.told[0]


def test_usage_that_is_not_counted_is_not_told(server):
    engine = load(server)
    usages = [None, {"prompt_tokens": -1}, {"prompt_tokens": "7", "completion_tokens": 1e300}]
    server.faults.extend(
        with_changes(lambda reply, u=usage: reply.update(usage=u)) for usage in usages
    )
    request = Request("p", [], np.arange(3), np.arange(3), "hello")
    assert len(list(engine.generate([request], P))) == 3
    assert engine.told[0] == "the server answered 3 requests"


def test_usage_is_told(server, tmp_path):
    engine = load(server)
    run = prepare_run(tmp_path / "run", engine, [Words()], P, template="plain")
    sample_run(run, engine, 5)
    (told,) = engine.told
    assert "15 requests: 105 prompt tokens and 30 completion tokens" in told


def test_a_prompt_that_fills_the_context_names_its_problem(server, tmp_path):
    server.models = [{"id": "toy", "max_model_len": 20}]
    with pytest.raises(InvalidInputError, match=r"'words/2'.*has 21 tokens.*holds 20|tokens, but"):
        prepare_run(tmp_path / "run", load(server), [Words(length=8)], P, template="plain")
    engine = load(server)
    prompt = "w" * 14
    ids = server.prompt_ids({"prompt": prompt})
    request = Request("p", ids, np.arange(1), np.arange(1), prompt)
    list(engine.generate([request], P))
    assert server.bodies[-1]["max_tokens"] == 5
