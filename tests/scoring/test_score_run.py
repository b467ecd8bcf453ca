"""score_run: the scores of a run directory, resumption, and errors that name the row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.scoring import ScoreOptions, Scorer, score_run
from rlvr_fast.scoring.models.forward import Forward
from rlvr_fast.scoring.runs.run import score_run_each
from rlvr_fast.store import Run, verify

WORDS = ["<pad>", *"abcdefghij"]
PROMPTS = {"p0": "a b c", "p1": "d"}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def save_model(folder, words=WORDS, seed=0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=32,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def run(tmp_path):
    problems = pa.table(
        {
            "problem_id": list(PROMPTS),
            "task": ["t", "t"],
            "prompt": list(PROMPTS.values()),
            "prompt_token_ids": pa.array([[1, 2, 3], [4]], pa.list_(pa.int32())),
            "gold": pa.array(["1", None], pa.string()),
            "metadata": ["{}", "{}"],
        }
    )
    return Run.create(
        tmp_path / "run",
        model={"name": "m", "revision": None},
        engine={"name": "e", "version": "1", "notes": []},
        sampling={"temperature": 1.0, "top_p": 1.0, "max_tokens": 9, "seed": 0, "stop": []},
        prompt_template={"name": "plain", "sha256": "x"},
        tasks=[{"name": "t", "spec": "t"}],
        problems=problems,
    )


def add_samples(run, indices, ids=None, text="a b"):
    draws = [(problem, index) for index in indices for problem in PROMPTS]
    run.append(
        "samples",
        pa.table(
            {
                "problem_id": [problem for problem, _ in draws],
                "sample_index": pa.array([index for _, index in draws], pa.int32()),
                "text": pa.array([text] * len(draws), pa.large_string()),
                "token_ids": pa.array(
                    [([5, 6, 7, index % 11] if ids is None else ids)[: 1 + index % 4]
                     for _, index in draws],
                    pa.list_(pa.int32()),
                ),
                "finish_reason": ["stop"] * len(draws),
                "seed": pa.array([None] * len(draws), pa.int64()),
            }
        ),
    )  # fmt: skip


def rows(run, label="base"):
    return {
        (r["problem_id"], r["sample_index"]): r for r in run.read(f"scores/{label}").to_pylist()
    }


def test_scores_are_those_of_the_scorer(run, model):
    add_samples(run, range(9))
    seen = []
    made = score_run(
        run, str(model), ScoreOptions(top_p=0.9, per_token=True), label="base",
        progress=lambda stage, done, total: seen.append((stage, done, total)),
    )  # fmt: skip
    assert made == 18
    assert seen[-1] == ("score", 18, 18)
    found = rows(run)
    assert len(found) == 18
    samples = run.read("samples").to_pylist()
    prompts = {"p0": [1, 2, 3], "p1": [4]}
    expected = Scorer(str(model)).score(
        [prompts[s["problem_id"]] for s in samples],
        [s["token_ids"] for s in samples],
        top_p=0.9, per_token=True,
    )  # fmt: skip
    for i, sample in enumerate(samples):
        row = found[sample["problem_id"], sample["sample_index"]]
        assert row["num_tokens"] == len(sample["token_ids"])
        assert row["logprob"] == pytest.approx(expected.logprob[i], abs=1e-5)
        assert row["mean_entropy"] == pytest.approx(expected.mean_entropy[i], abs=1e-5)
        assert row["num_outside_nucleus"] == expected.num_outside_nucleus[i]
        assert row["log_kept_mass"] == pytest.approx(expected.log_kept_mass[i], abs=1e-5)
        assert row["log_kept_mass"] < 0
        np.testing.assert_allclose(row["token_logprobs"], expected.token_logprobs[i], atol=1e-5)
        np.testing.assert_allclose(row["token_entropies"], expected.token_entropies[i], atol=1e-5)


def test_only_missing_scores_are_computed(run, model):
    add_samples(run, range(4))
    assert score_run(run, str(model), label="base") == 8
    before = rows(run)
    assert score_run(run, str(model), label="base") == 0
    add_samples(run, range(4, 6))
    assert score_run(run, str(model), label="base") == 4
    after = rows(run)
    assert len(after) == 12
    assert all(after[key] == before[key] for key in before)


def interrupted_after(monkeypatch, batches: int) -> None:
    """Ctrl-C after some forward passes of one sequence each."""
    stream = Scorer.stream

    def interrupted(self, *args, **options):
        for number, scored in enumerate(stream(self, *args, **options)):
            if number == batches:
                raise KeyboardInterrupt
            yield scored

    monkeypatch.setattr(Scorer, "stream", interrupted)


def one_by_one(model) -> Scorer:
    scorer = Scorer(str(model), batch_tokens=1)
    scorer.share_prefixes = False
    return scorer


@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_an_interrupt_loses_no_score_and_the_rest_is_scored(run, model, monkeypatch, seconds):
    """Whether a part is stored after each forward pass or only at the interrupt."""
    from rlvr_fast.scoring.runs import run as stage

    monkeypatch.setattr(stage, "PART_SECONDS", seconds)
    add_samples(run, range(10))
    with monkeypatch.context() as patch:
        interrupted_after(patch, 7)
        with pytest.raises(KeyboardInterrupt):
            score_run(run, one_by_one(model), label="base")
    held = rows(run)
    assert len(held) >= 7
    parts = list((run.path / "scores/base").glob("part-*"))
    assert len(parts) == (7 if seconds == 0 else 1)
    assert "made_from" not in run.read_json("scores/base/scores.json")
    assert score_run(run, one_by_one(model), label="base") == 20 - len(held)
    assert len(rows(run)) == 20
    assert {key: rows(run)[key] for key in held} == held
    assert [each for each in verify(run.path) if each.level != "info"] == []


def test_windows_are_limited(run, model, monkeypatch):
    from rlvr_fast.scoring.runs import run as stage

    add_samples(run, range(10))
    score_run(run, str(model), label="whole")
    for name, value in (("WINDOW_ROWS", 3), ("WINDOW_TOKENS", 5)):
        with monkeypatch.context() as patch:
            patch.setattr(stage, name, value)
            assert score_run(run, str(model), label=name) == 20
        assert len(list((run.path / "scores" / name).glob("part-*"))) > 5
        for key, row in rows(run, name).items():
            assert row["logprob"] == pytest.approx(rows(run, "whole")[key]["logprob"], abs=1e-5)


def test_one_pass_makes_the_scores_of_several_labels(run, model, monkeypatch):
    """One of them has a part of its scores already."""
    several = [
        ScoreOptions(),
        ScoreOptions(as_sampled=True, per_token=True),
    ]
    sampling = {**run.read_json("run.json")["sampling"], "temperature": 0.8, "top_p": 0.9}
    run.write_json("run.json", {**run.read_json("run.json"), "sampling": sampling})
    run = Run.open(run.path)
    add_samples(run, range(4))
    score_run(run, str(model), several[1], label="base")
    before = rows(run, "base-sampling")
    add_samples(run, range(4, 10))
    passes = []
    hidden = Forward.hidden
    monkeypatch.setattr(
        Forward, "hidden", lambda self, batch: passes.append(1) or hidden(self, batch)
    )
    seen = []
    made = score_run_each(
        run, str(model), several, label="base",
        progress=lambda stage, done, total: seen.append((stage, done, total)),
    )  # fmt: skip
    assert made == 20
    assert len(passes) == 1
    assert seen[-1] == ("score", 20, 20)
    monkeypatch.undo()
    assert score_run_each(run, str(model), several, label="base") == 0
    for label, options in (("base", {}), ("base-sampling", {"temperature": 0.8, "top_p": 0.9})):
        found = rows(run, label)
        assert len(found) == 20
        assert "made_from" in run.read_json(f"scores/{label}/scores.json")
        for (problem, index), row in found.items():
            ids = [5, 6, 7, index % 11][: 1 + index % 4]
            want = Scorer(str(model)).score(
                [[1, 2, 3] if problem == "p0" else [4]], [ids], **options
            )
            assert row["logprob"] == pytest.approx(want.logprob[0], abs=1e-5)
            assert ("token_logprobs" in row) == (label == "base-sampling")
    after = rows(run, "base-sampling")
    assert {key: after[key] for key in before} == before
    assert [each for each in verify(run.path) if each.level != "info"] == []


def test_two_labels_in_one_run(run, model, tmp_path):
    other = save_model(tmp_path / "other", seed=1)
    add_samples(run, range(3))
    score_run(run, str(model), label="base")
    score_run(run, str(other), label="rl")
    assert rows(run, "base")["p0", 0]["logprob"] != rows(run, "rl")["p0", 0]["logprob"]
    with pytest.raises(RunDirectoryError, match="scores/base was made with model"):
        score_run(run, str(other), label="base")
    with pytest.raises(RunDirectoryError, match=r"temperature 1\.0, now asked for 0\.5"):
        score_run(run, str(model), ScoreOptions(temperature=0.5), label="base")


def test_token_ids_of_another_vocabulary_are_refused(run, model):
    add_samples(run, [3], ids=[1, 2, 99, 3])
    with pytest.raises(InvalidInputError, match=r"problem 'p0', sample 3: .* token id 99"):
        score_run(run, str(model), label="base")
    assert run.read("scores/base").num_rows == 0


def test_another_tokenizer_is_refused(run, tmp_path):
    other = save_model(tmp_path / "other", words=["<pad>", *"jihgfedcba"])
    add_samples(run, range(2))
    with pytest.raises(InvalidInputError, match=r"tokenizer of .*problem 'p0'.* from position 0"):
        score_run(run, str(other), label="base")


def test_a_completion_beyond_the_context_is_named(run, model):
    add_samples(run, [3], ids=None)
    draw = pa.table(
        {
            "problem_id": ["p1"],
            "sample_index": pa.array([8], pa.int32()),
            "text": pa.array(["x"], pa.large_string()),
            "token_ids": pa.array([[1] * 40], pa.list_(pa.int32())),
            "finish_reason": ["length"],
            "seed": pa.array([None], pa.int64()),
        }
    )
    run.append("samples", draw)
    with pytest.raises(InvalidInputError, match=r"problem 'p1', sample 8: .*41 in all.* holds 32"):
        score_run(run, str(model), label="base")


def test_as_sampled_takes_all_of_the_truncation_from_the_run(run, model):
    run.info.sampling.update({"top_p": 0.9, "top_k": 4, "min_p": 0.05})
    add_samples(run, range(4))
    assert score_run(run, str(model), ScoreOptions(as_sampled=True), label="base") == 8
    cut = {"top_p": 0.9, "top_k": 4, "min_p": 0.05}
    stored = run.read_json("scores/base-sampling/scores.json")
    assert {name: stored[name] for name in cut} == cut
    for (problem, index), row in rows(run, "base-sampling").items():
        ids = [5, 6, 7, index % 11][: 1 + index % 4]
        want = Scorer(str(model)).score([[1, 2, 3] if problem == "p0" else [4]], [ids], **cut)
        assert row["log_kept_mass"] == pytest.approx(want.log_kept_mass[0], abs=1e-5)
        assert row["num_outside_nucleus"] == want.num_outside_nucleus[0]
    run.info.sampling["top_k"] = 5
    with pytest.raises(RunDirectoryError, match="with top_k 4, now asked for 5"):
        score_run(run, str(model), ScoreOptions(as_sampled=True), label="base")


def test_scores_without_truncation_are_recorded_as_before(run, model):
    """scores.json of a version that did not know top_k and min_p goes on."""
    add_samples(run, range(2))
    score_run(run, str(model), ScoreOptions(top_p=0.9), label="base")
    assert not {"top_k", "min_p"} & set(run.read_json("scores/base/scores.json"))
    add_samples(run, range(2, 4))
    assert score_run(run, str(model), ScoreOptions(top_p=0.9), label="base") == 4
    with pytest.raises(RunDirectoryError, match="with top_k 0, now asked for 3"):
        score_run(run, str(model), ScoreOptions(top_p=0.9, top_k=3), label="base")
    score_run(run, str(model), ScoreOptions(min_p=0.1), label="other")
    assert run.read_json("scores/other/scores.json")["top_p"] == 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [("repetition_penalty", 1.05), ("presence_penalty", 0.5), ("frequency_penalty", -1.0),
     ("min_tokens", 4)],
)  # fmt: skip
def test_scores_as_sampled_with_penalties_are_refused_by_name(run, model, name, value):
    run.info.sampling[name] = value
    add_samples(run, range(1))
    message = rf"scores as sampled with {name} \({value}\) are not defined by one pass"
    with pytest.raises(InvalidInputError, match=message):
        score_run(run, str(model), ScoreOptions(as_sampled=True), label="base")
    assert score_run(run, str(model), label="base") == 2


def test_text_without_ids_is_tokenised(run, model):
    add_samples(run, [0], ids=[], text="e f")
    score_run(run, str(model), label="base")
    found = rows(run)["p0", 0]
    expected = Scorer(str(model)).score([[1, 2, 3]], [[5, 6]])
    assert found["num_tokens"] == 2
    assert found["logprob"] == pytest.approx(expected.logprob[0], abs=1e-6)


def test_score_run_takes_a_loaded_model_or_a_scorer(run, model):
    add_samples(run, range(2))
    loaded = LlamaForCausalLM.from_pretrained(model)
    assert score_run(run, loaded, label="loaded") == 4
    assert score_run(run, Scorer(str(model)), label="scorer") == 4
    assert rows(run, "loaded")["p0", 1]["logprob"] == pytest.approx(
        rows(run, "scorer")["p0", 1]["logprob"]
    )


@pytest.mark.parametrize(
    ("sampling", "sides"),
    [
        ({}, ["base", "base as sampled", "rl", "rl as sampled"]),
        ({"top_k": 5}, ["base", "base as sampled", "rl", "rl as sampled"]),
        ({"repetition_penalty": 1.1}, ["base", "rl", "rl as sampled"]),
        ({"temperature": 0}, ["base", "rl", "rl as sampled"]),
    ],
    ids=str,
)
def test_a_study_leaves_out_passes_that_are_not_defined(run, sampling, sides):
    """Sampling parameters of a model's own file are known once the runs are drawn."""
    from rlvr_fast.study.config import StudyConfig
    from rlvr_fast.study.stages import scoring_passes

    config = StudyConfig.from_mapping(
        {"base": "b", "rl": "r", "out": "o", "tasks": "math:x", "samples": 1}, where="s"
    )
    drawn = {"base": {**run.info.sampling, **sampling}, "rl": run.info.sampling}
    passes = scoring_passes(config, config.sides(), lambda side: drawn[side.name])
    assert {each.label for each in passes} == {"base", "rl"}
    for label in ("base", "rl"):
        made = [
            each.side.name + " as sampled" * options.as_sampled
            for each in passes
            if each.label == label
            for options in each.options
        ]
        assert made == sides
