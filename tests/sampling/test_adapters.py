"""LoRA adapters: which folders are taken, and draws with them on one loaded model."""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lora import random_adapter
from safetensors.torch import load_file, save_file
from smollm import smollm_folder
from tiny import save_tiny
from transformers import Gemma2Config, GPT2Config, LlamaConfig, Qwen2Config

from rlvr_fast.adapters import check_adapter, read_adapter
from rlvr_fast.errors import (
    EngineError,
    InvalidInputError,
    MissingDependencyError,
    RunDirectoryError,
)
from rlvr_fast.models import load_causal_lm
from rlvr_fast.sampling import Request, SampleOptions, SamplingParameters, draw_run, load_engine
from rlvr_fast.sampling.engines.transformers.engine import TransformersEngine
from rlvr_fast.store import Run, draw_seeds, verify

PARAMETERS = SamplingParameters(temperature=1.0, max_tokens=12)
REQUESTS = [Request(f"p{n}", [5 + n, 6, 7], np.arange(8), np.arange(8) + 100 * n) for n in range(2)]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("model"), LlamaConfig)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory) -> Path:
    return random_adapter(model, tmp_path_factory.mktemp("adapters") / "grpo")


def draw(engine):
    found = engine.generate(REQUESTS, PARAMETERS, logprobs=True)
    return {(c.problem_id, c.sample_index): (c.token_ids, c.token_logprobs) for c in found}


# -- drawing -----------------------------------------------------------------------------------


def test_views_of_one_model_draw_with_their_adapter_and_the_base_as_without_peft(
    model, folder, tmp_path
):
    other = random_adapter(model, tmp_path / "ppo", seed=1, modules=["up_proj", "lm_head"])
    first, second = read_adapter(folder), read_adapter(other)
    engine = load_engine("transformers", model, adapters=[first, second])
    plain = draw(load_engine("transformers", model))
    assert draw(engine) == draw(engine.adapted(None)) == plain
    with_first = draw(engine.adapted(first))
    assert engine.adapter is None
    assert engine.adapted(first).adapter == first
    assert draw(engine.adapted(second)) != with_first != plain
    assert draw(engine.adapted(first)) == with_first  # in any order
    assert draw(engine) == plain


@pytest.mark.parametrize(
    ("config", "modules", "extra"),
    [
        (LlamaConfig, ["q_proj", "down_proj", "embed_tokens", "lm_head"], {}),
        (LlamaConfig, ["embed_tokens", "lm_head"], {"tie_word_embeddings": True}),
        (Qwen2Config, ["q_proj", "k_proj", "v_proj", "o_proj"], {}),
        (Gemma2Config, ["gate_proj", "embed_tokens"], {"head_dim": 8}),
        (GPT2Config, ["c_attn", "c_proj"], {"n_embd": 32, "n_layer": 2, "n_head": 4}),
    ],
)
def test_draws_follow_the_distribution_of_the_model_with_the_adapter(
    tmp_path, config, modules, extra
):
    model = save_tiny(tmp_path / "model", config, **extra)
    adapter = read_adapter(
        random_adapter(model, tmp_path / "adapter", modules=modules, use_rslora=True)
    )
    assert adapter.modules == tuple(sorted(modules))
    assert adapter.rank == 4
    engine = load_engine("transformers", model, adapters=[adapter])
    drawn = draw(engine.adapted(adapter))
    reference = with_adapter(model, adapter.path)
    prompts = {request.problem_id: request.prompt_token_ids for request in REQUESTS}
    for (problem, _), (ids, logprobs) in drawn.items():
        prompt = prompts[problem]
        with torch.no_grad():
            logits = reference(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
        expected = torch.log_softmax(logits.double(), -1)[range(len(ids)), ids]
        np.testing.assert_allclose(logprobs, expected, atol=2e-4)


def with_adapter(model: str, folder: Path):
    """The model with the adapter, as peft itself loads it."""
    import peft

    from rlvr_fast.models import load_causal_lm

    loaded, _ = load_causal_lm(model, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on tied weights, which are not merged
        return peft.PeftModel.from_pretrained(loaded, folder).eval()


def test_one_adapter_at_a_time_and_only_those_that_were_named(model, folder, tmp_path):
    adapter = read_adapter(folder)
    engine = load_engine("transformers", model, adapters=[adapter])
    drawing = engine.adapted(adapter).generate(REQUESTS, PARAMETERS)
    next(drawing)
    with pytest.raises(InvalidInputError, match="one adapter at a time"):
        next(engine.generate(REQUESTS, PARAMETERS))
    drawing.close()
    assert len(draw(engine)) == 16
    other = read_adapter(random_adapter(model, tmp_path / "other", seed=3))
    for loaded in (engine, load_engine("transformers", model)):
        with pytest.raises(InvalidInputError, match="loaded without this adapter"):
            loaded.adapted(other)


def test_a_closed_engine_holds_no_model(model, folder):
    engine = load_engine("transformers", model, adapters=[read_adapter(folder)])
    view = engine.adapted(read_adapter(folder))
    view.close()
    for closed in (engine, view):
        with pytest.raises(EngineError, match="closed"):
            draw(closed)


@pytest.mark.parametrize(("name", "advice"), [("server", "lora-modules"), ("toy", "transformers")])
def test_an_engine_without_adapters_is_refused_before_anything_is_loaded(
    name, advice, model, folder, tmp_path, monkeypatch
):
    from rlvr_fast.sampling.engine import EngineKind
    from rlvr_fast.sampling.engines import _REGISTRY, engine_kind

    toy = EngineKind(name="toy", help="", load=lambda *_, **__: pytest.fail("it was loaded"))
    monkeypatch.setitem(_REGISTRY._loaded, "toy", toy)
    assert not engine_kind(name).adapters
    with pytest.raises(InvalidInputError, match=f"the engine {name} loads no adapter; .*{advice}"):
        load_engine(name, model, adapters=[read_adapter(folder)])


@pytest.mark.slow
def test_a_real_model_draws_and_scores_as_it_does_with_the_adapter_merged(tmp_path):
    from rlvr_fast.scoring import Scorer

    smollm = str(smollm_folder())
    folder = random_adapter(
        smollm, tmp_path / "adapter", size=0.1, modules=["q_proj", "up_proj", "down_proj"]
    )
    adapter = read_adapter(folder)
    engine = load_engine("transformers", smollm, adapters=[adapter])
    prompt = engine.encode(["The capital of France is"])[0]
    request = Request("p", prompt, np.arange(6), np.arange(6))
    drawn = list(engine.adapted(adapter).generate([request], PARAMETERS, logprobs=True))
    prompts, completions = [prompt] * 6, [completion.token_ids for completion in drawn]
    engine.close()
    whole = with_adapter(smollm, folder).merge_and_unload()
    expected = Scorer(whole).score(prompts, completions, per_token=True)
    found = Scorer(smollm, adapter=adapter).score(prompts, completions, per_token=True)
    base = Scorer(smollm).score(prompts, completions)
    for completion, ours, theirs in zip(
        drawn, found.token_logprobs, expected.token_logprobs, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
        np.testing.assert_allclose(completion.token_logprobs, theirs, atol=2e-3)
    assert np.abs(found.logprob - base.logprob).max() > 1


# -- runs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> str:
    file = tmp_path_factory.mktemp("tasks") / "words.jsonl"
    file.write_text("".join(f'{{"question": "w{n} w9", "answer": "w{n}"}}\n' for n in range(2, 5)))
    return f"math:{file}"


def options(tasks: str, samples: int = 4, **values) -> SampleOptions:
    values = {"sampling": PARAMETERS, "template": "plain", **values}
    return SampleOptions(tasks=(tasks,), samples=samples, **values)


@pytest.mark.slow
def test_a_run_names_its_adapter_and_goes_on_with_no_other(model, folder, tasks, tmp_path):
    adapter, out = read_adapter(folder), tmp_path / "run"
    run = draw_run(model, out, options(tasks), adapter=folder)
    assert run.info.model["adapter"] == {"name": "grpo", "sha256": adapter.sha256}
    assert str(folder.parent) not in (out / "run.json").read_text()
    stored = run.read("samples").to_pylist()
    seeds = {(row["problem_id"], row["sample_index"]): row["seed"] for row in stored}
    for problem, index in seeds:
        assert seeds[problem, index] == draw_seeds(run.info, problem, np.array([index]))[0]
    # A copy of the adapter in another folder, trained elsewhere by its config, is the same one.
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, moved)
    change_config(moved, base_model_name_or_path=str(Path(model).parent / "x" / Path(model).name))
    assert draw_run(model, out, options(tasks, 6), adapter=moved).num_samples().tolist() == [6] * 3
    before = {part: part.read_bytes() for part in run.parts("samples")}
    with pytest.raises(RunDirectoryError, match=r"with the adapter grpo .* and .* without an adap"):
        draw_run(model, out, options(tasks, 8))
    other = random_adapter(model, tmp_path / "other", seed=3)
    with pytest.raises(RunDirectoryError, match=r"the adapter grpo .* with the adapter other"):
        draw_run(model, out, options(tasks, 8), adapter=other)
    plain = draw_run(model, tmp_path / "plain", options(tasks))
    assert "adapter" not in plain.info.model
    with pytest.raises(RunDirectoryError, match=r"without an adapter and .* the adapter grpo"):
        draw_run(model, tmp_path / "plain", options(tasks), adapter=folder)
    assert {part: part.read_bytes() for part in run.parts("samples")} == before
    assert {finding.level for finding in verify(run.path)} == {"info"}
    plain_seeds = {(r["problem_id"], r["sample_index"]): r["seed"] for r in rows(plain)}
    assert not set(plain_seeds.values()) & set(seeds.values())


def rows(run: Run) -> list[dict]:
    return run.read("samples").to_pylist()


def test_one_engine_draws_the_runs_of_base_and_adapter(model, folder, tasks, tmp_path):
    engine = load_engine("transformers", model, adapters=[read_adapter(folder)])
    base = draw_run(model, tmp_path / "base", options(tasks), engine=engine)
    rl = draw_run(model, tmp_path / "rl", options(tasks), adapter=folder, engine=engine)
    alone = draw_run(model, tmp_path / "alone", options(tasks))
    assert rows(base) == rows(alone)
    assert rows(rl) != rows(base)
    assert draw(engine)  # it is still open
    with pytest.raises(InvalidInputError, match="the loaded engine is transformers with"):
        draw_run(f"{model}/.", tmp_path / "x", options(tasks), engine=engine)


@pytest.mark.slow
def test_the_engine_that_draw_run_loads_is_closed_on_every_path(
    model, folder, tasks, tmp_path, monkeypatch
):
    closed = []
    close = TransformersEngine.close
    monkeypatch.setattr(
        TransformersEngine, "close", lambda self: (closed.append(self), close(self))
    )
    draw_run(model, tmp_path / "run", options(tasks), adapter=folder)
    assert len(closed) == 1
    with pytest.raises(RunDirectoryError):  # when the run is prepared
        draw_run(model, tmp_path / "run", options(tasks))
    assert len(closed) == 2

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # while it draws
        draw_run(model, tmp_path / "other", options(tasks), progress=interrupt)
    assert len(closed) == 3
    engine = load_engine("transformers", model)
    draw_run(model, tmp_path / "other", options(tasks), engine=engine)
    assert len(closed) == 3


@pytest.mark.slow
def test_parameters_come_from_the_file_of_the_adapter_before_that_of_the_model(
    model, folder, tasks, tmp_path
):
    base = shutil.copytree(model, tmp_path / "model")
    adapter = shutil.copytree(folder, tmp_path / "adapter")
    change_config(adapter, base_model_name_or_path="model")

    def drawn(name: str) -> float:
        chosen = SamplingParameters(max_tokens=4)
        told = options(tasks, 1, sampling=chosen, sampling_from_model=True)
        run = draw_run(str(base), tmp_path / name, told, adapter=adapter)
        return run.info.sampling["temperature"]

    (base / "generation_config.json").write_text('{"temperature": 0.25}')
    assert drawn("of-the-model") == 0.25
    (adapter / "generation_config.json").write_text('{"temperature": 0.75}')
    assert drawn("of-the-adapter") == 0.75


# -- which adapters are taken ------------------------------------------------------------------


def change_config(folder: Path, **values: object) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def change_weights(folder: Path, change: Callable[[dict], object]) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


def first(tensors: dict, end: str = "lora_A.weight") -> str:
    return next(name for name in sorted(tensors) if name.endswith(end))


def pickled(folder: Path) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    torch.save(tensors, folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()


def truncated(folder: Path) -> None:
    file = folder / "adapter_model.safetensors"
    os.truncate(file, file.stat().st_size - 7)


def endless(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    os.mkfifo(folder / "adapter_model.safetensors")


def of_holes(folder: Path) -> None:
    os.truncate(folder / "adapter_model.safetensors", 8 << 30)


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def config(**values: object) -> Callable[[Path], object]:
    return lambda folder: change_config(folder, **values)


def weights(change: Callable[[dict], object]) -> Callable[[Path], object]:
    return lambda folder: change_weights(folder, change)


def renamed(old: str, new: str) -> Callable[[Path], object]:
    """All names in the file of weights with `new` in place of `old`."""
    return weights(lambda t: [t.update({n.replace(old, new): t.pop(n)}) for n in list(t)])


def text(content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "adapter_config.json").write_text(content)


MODULE = "base_model.model.model.layers.0.self_attn.q_proj"
CODE = {"base_model_class": "Model", "parent_library": "my_code.models"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("adapter_config.json"), "no adapter_config.json"),
        (without("adapter_model.safetensors"), "no adapter_model.safetensors"),
        (pickled, r"adapter_model\.bin: weights as a pickle"),
        (truncated, "not a readable file of safetensors"),
        (endless, "a pipe or a device"),
        (of_holes, "most are holes"),
        (text("{"), "not a readable file of JSON"),
        (text("[]"), "expected an object of JSON"),
        (text("[" * 100_000), "not a readable file of JSON"),
        (config(auto_map={"AutoModel": "code.Model"}), "auto_map names Python code"),
        (config(auto_mapping=CODE), "auto_mapping names Python code"),
        (config(peft_type="IA3"), "peft_type is 'IA3', expected 'LORA'"),
        (config(r=8), "of the ranks 4 and 4 .* but r of adapter_config.json is 8"),
        (config(r=0), "r is 0, expected a whole number"),
        (config(r=True), "r is True, expected a whole number"),
        (config(lora_alpha="16"), "lora_alpha is '16', expected a number"),
        (config(lora_alpha=float("nan")), "lora_alpha is nan, expected a number"),
        (config(use_rslora=1), "use_rslora is 1, expected true or false"),
        (config(base_model_name_or_path=7), "base_model_name_or_path is 7, expected text"),
        (config(use_dora=True), "use_dora is True, which plain LoRA does not have"),
        (config(rank_pattern={"q_proj": 8}), "rank_pattern is"),
        (config(modules_to_save=["lm_head"]), "modules_to_save is"),
        (config(layer_replication=[[0, 2], [1, 2]]), "layer_replication is"),
        (config(target_parameters=["experts.down_proj"]), "target_parameters is"),
        (config(something_new={"a": 1}), "something_new is"),
        (config(bias="all"), "bias is 'all'"),
        (config(init_lora_weights="pissa_niter_4"), "training changed the base model"),
        (config(lora_alpha=0), "lora_alpha is 0, with which the adapter changes nothing"),
        (config(target_modules=None), "target_modules is None, expected a list of names"),
        (config(target_modules=["q_proj", 1]), "target_modules is .* expected a list of names"),
        (text(" " * (17 << 20)), "at most 16,777,216 bytes"),
        (weights(lambda t: t.pop(first(t))), "has one factor"),
        (renamed(".lora_A.weight", ".lora_embedding_A"), "has one factor"),
        (
            weights(lambda t: t.update({f"{MODULE}.lora_embedding_A": torch.ones(4, 32)})),
            r"holds both .*lora_.* and .*lora_.*, expected one of them",
        ),
        # Names that trainers give where they do not leave the saving to peft.
        (renamed(".weight", ".default.weight"), "names that the weights have in training: save"),
        (renamed("base_model.model.", ""), "names that the weights have in training: save"),
        (
            weights(lambda t: t.update({first(t): torch.ones(0)})),
            r"of shape \[0\].* it is empty, as DeepSpeed",
        ),
        (weights(lambda t: t.clear()), "holds no factors"),
        (weights(lambda t: t.update(scale=torch.ones(2))), "expected the factors of plain LoRA"),
        (
            weights(lambda t: t.update({f"{MODULE}.lora_magnitude_vector": torch.ones(32)})),
            "expected the factors of plain LoRA",
        ),
        (
            weights(lambda t: t.update({first(t): torch.ones(4, 32, dtype=torch.int64)})),
            "weights of the type I64",
        ),
    ],
)
def test_a_folder_that_is_damaged_or_no_plain_lora_is_refused(damage, message, folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "adapter"))
    damage(copy)
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_adapter(copy)
    assert str(copy) in str(caught.value)


def test_no_folder_and_a_model_are_no_adapters(model, tmp_path):
    with pytest.raises(InvalidInputError, match="no such folder; an adapter is a folder with"):
        read_adapter(tmp_path / "nothing")
    with pytest.raises(InvalidInputError, match=r"no adapter_config\.json, so this is no adapter"):
        read_adapter(model)


def test_the_folder_of_a_training_names_the_adapters_in_it(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "checkpoint-100")
    with pytest.raises(InvalidInputError, match="no adapter; there is one in checkpoint-100; name"):
        read_adapter(tmp_path)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ({"hidden_size": 48}, r"rank 4\) make a change of shape \[32, 48\], but in .* \[48, 48\]"),
        ({"num_hidden_layers": 1}, r"model\.layers\.1\..*, which .* does not have"),
        ({"num_hidden_layers": 3}, r"but not model\.layers\.2\.self_attn\.q_proj of"),
    ],
)
def test_an_adapter_of_another_model_is_refused_before_the_model_is_loaded(
    base, message, folder, tmp_path, monkeypatch
):
    other = save_tiny(tmp_path / "other", LlamaConfig, **base)
    monkeypatch.setattr(
        "rlvr_fast.sampling.engines.transformers.engine.load_causal_lm",
        lambda *_: pytest.fail("the model was loaded"),
    )
    with pytest.raises(InvalidInputError, match=message):
        load_engine("transformers", other, adapters=[read_adapter(folder)])


def test_an_adapter_of_another_architecture_is_refused(folder, tmp_path):
    gpt2 = save_tiny(tmp_path / "gpt2", GPT2Config, n_embd=32, n_layer=2, n_head=4)
    with pytest.raises(InvalidInputError, match=r"changes the module model\.layers.*does not have"):
        check_adapter(read_adapter(folder), gpt2)


def test_an_adapter_that_names_some_layers_may_leave_others_out(model, folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "adapter"))
    change_weights(copy, lambda t: [t.pop(name) for name in list(t) if ".layers.1." in name])
    with pytest.raises(InvalidInputError, match="no layers_to_transform"):
        check_adapter(read_adapter(copy), model)
    change_config(copy, target_modules="all-linear")
    with pytest.raises(InvalidInputError, match="no layers_to_transform"):
        check_adapter(read_adapter(copy), model)
    one = "model.layers.0."
    for chosen in (
        {"layers_to_transform": [0]},
        {"layers_to_transform": 0},
        {"exclude_modules": r".*\.1\..*"},
        {"target_modules": r".*\.0\..*_proj"},
        {"target_modules": [f"{one}self_attn.q_proj", "0.self_attn.v_proj", f"{one}mlp.down_proj"]},
    ):
        change_config(copy, **{"layers_to_transform": None, "exclude_modules": None, **chosen})
        check_adapter(read_adapter(copy), model)
    # Names of modules of both layers: one of them is missing.
    change_config(copy, target_modules=["q_proj", f"{one}self_attn.v_proj"], exclude_modules=[])
    with pytest.raises(InvalidInputError, match=r"but not model\.layers\.1\.self_attn\.q_proj"):
        check_adapter(read_adapter(copy), model)


def test_an_adapter_of_a_model_of_the_same_shapes_is_warned_of(model, folder, tmp_path, recwarn):
    check_adapter(read_adapter(folder), model)
    assert not recwarn
    copy = Path(shutil.copytree(folder, tmp_path / "adapter"))
    change_config(copy, base_model_name_or_path="org/\x1b[2Jother")
    with pytest.warns(UserWarning, match="trained on org/.*other, used with") as caught:
        check_adapter(read_adapter(copy), model)
    assert "\x1b" not in str(caught[0].message)
    # The same model in the cache of the hub, and on a machine with Windows, is no other one.
    name = Path(model).name
    for elsewhere in (f"/hub/models--org--{name}/snapshots/0a1b2c", rf"C:\models\{name}"):
        change_config(copy, base_model_name_or_path=elsewhere)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_adapter(read_adapter(copy), model)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e300])
def test_values_that_are_no_numbers_are_refused_before_the_model_is_loaded(
    value, model, folder, tmp_path
):
    copy = Path(shutil.copytree(folder, tmp_path / "adapter"))
    change_weights(copy, lambda t: t.update({first(t): t[first(t)].double().fill_(value)}))
    with pytest.raises(InvalidInputError, match=r"layers\.0\..*not finite"):
        check_adapter(read_adapter(copy), model)


def test_an_adapter_before_its_training_is_warned_of(model, tmp_path):
    adapter = read_adapter(random_adapter(model, tmp_path / "adapter", size=0))
    with pytest.warns(UserWarning, match="changes nothing, as one factor of each module is all"):
        check_adapter(adapter, model)


def test_an_adapter_that_changes_while_it_is_loaded_is_refused(model, folder, tmp_path):
    """What run.json names has to be what draws; a training overwrites its last checkpoint."""
    from rlvr_fast.scoring import Scorer

    copy = Path(shutil.copytree(folder, tmp_path / "adapter"))
    adapter = read_adapter(copy)
    change_weights(copy, lambda t: t[first(t)].mul_(2))
    with pytest.raises(InvalidInputError, match=r"adapter: the adapter was changed while it was"):
        load_engine("transformers", model, adapters=[adapter])
    with pytest.raises(InvalidInputError, match="was changed while it was"):
        Scorer(model, adapter=adapter)
    adapter = read_adapter(copy)
    change_config(copy, lora_alpha=3)
    with pytest.raises(InvalidInputError, match="was changed while it was"):
        load_engine("transformers", model, adapters=[adapter])


def test_a_whole_weight_has_to_be_that_of_the_base(model, tmp_path):
    adapter = random_adapter(model, tmp_path / "adapter", modules=["q_proj", "lm_head"])
    held = load_file(adapter / "adapter_model.safetensors")
    assert any("lora" not in name for name in held)  # peft stores the weight of the head
    load_engine("transformers", model, adapters=[read_adapter(adapter)])
    change_weights(adapter, lambda t: t[next(n for n in t if "lora" not in n)].mul_(1.5))
    with pytest.raises(InvalidInputError, match="another weight of lm_head than the base"):
        load_engine("transformers", model, adapters=[read_adapter(adapter)])


@pytest.mark.parametrize("values", [{}, {"tie_word_embeddings": True}])
@pytest.mark.parametrize("shards", [False, True])
def test_a_whole_weight_is_compared_for_vllm_with_the_files_of_the_base(values, shards, tmp_path):
    """VLLM itself leaves it out without a word."""
    from rlvr_fast.sampling.engines.vllm.adapters import check_whole_weights

    model = save_tiny(tmp_path / "model", LlamaConfig, **values)
    if shards:
        loaded, _ = load_causal_lm(model, device="cpu")
        (tmp_path / "model" / "model.safetensors").unlink()
        loaded.save_pretrained(model, max_shard_size="20KB")
        assert (tmp_path / "model" / "model.safetensors.index.json").exists()
    adapter = random_adapter(model, tmp_path / "adapter", modules=["embed_tokens", "lm_head"])
    check_whole_weights(read_adapter(adapter), model, None)
    change_weights(adapter, lambda t: t[next(n for n in t if "lora" not in n)].mul_(1.5))
    with pytest.raises(InvalidInputError, match=r"another weight of .* than the base"):
        check_whole_weights(read_adapter(adapter), model, None)
    for file in (tmp_path / "model").glob("*.safetensors*"):
        file.unlink()
    with pytest.raises(InvalidInputError, match="have none of that name to compare it with"):
        check_whole_weights(read_adapter(adapter), model, None)


def test_an_adapter_is_no_model(model, folder, tmp_path):
    """Else transformers would load the base model that the adapter names, from anywhere."""
    both = shutil.copytree(model, tmp_path / "both")
    for file in folder.iterdir():
        shutil.copy(file, both)
    for name in (folder, both):
        with pytest.raises(InvalidInputError, match=r"holds an adapter .* name its base model"):
            load_engine("transformers", str(name))


def test_files_of_an_adapter_may_be_links(model, folder, tmp_path):
    """As the cache of the hub has them."""
    linked = tmp_path / "linked"
    linked.mkdir()
    for file in folder.iterdir():
        (linked / file.name).symlink_to(file)
    assert read_adapter(linked).sha256 == read_adapter(folder).sha256


def test_without_peft_the_extra_is_named_before_the_model_is_loaded(model, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    monkeypatch.setattr(
        "rlvr_fast.sampling.engines.transformers.engine.load_causal_lm",
        lambda *_: pytest.fail("the model was loaded"),
    )
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[adapter\]'"):
        load_engine("transformers", model, adapters=[read_adapter(folder)])
