"""Models of strangers: no code of theirs runs, and every damaged file is named."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import pickle
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.model_files import check_model_files, damaged_file

DEMO = Path(rlvr_fast.__file__).parent / "demo_models" / "base"
WEIGHTS = "model.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def change(folder: Path, name: str = "config.json", **values: Any) -> None:
    known = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(known | values))


def flip(at: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray((folder / WEIGHTS).read_bytes())
        data[at] ^= 0x5A
        (folder / WEIGHTS).write_bytes(data)

    return damage


def header(change_entry: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        entries = json.loads(data[8 : 8 + length])
        change_entry(entries)
        text = json.dumps(entries).encode()
        new = struct.pack("<Q", len(text)) + text + data[8 + length :]
        (folder / WEIGHTS).write_bytes(new)

    return damage


def write(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


def pipe(folder: Path) -> None:
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def index(value: Any, name: str = "model.safetensors") -> Callable[[Path], None]:
    return write(f"{name}.index.json", json.dumps(value).encode())


NORM = "model.norm.weight"
PICKLE = "pytorch_model.bin"


# what is damaged -> (how, the file that the message names)
DAMAGED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "cut weights": (lambda f: os.truncate(f / WEIGHTS, 2_000_000), WEIGHTS),
    "weights of few bytes": (lambda f: os.truncate(f / WEIGHTS, 5), WEIGHTS),
    "no weights in the file": (lambda f: os.truncate(f / WEIGHTS, 0), WEIGHTS),
    "longer weights": (lambda f: os.truncate(f / WEIGHTS, 9_000_000), WEIGHTS),
    **{f"flipped byte {at}": (flip(at), WEIGHTS) for at in (0, 1, 7, 8, 9)},
    "header is a list": (write(WEIGHTS, struct.pack("<Q", 2) + b"[]"), WEIGHTS),
    "header of strings": (write(WEIGHTS, struct.pack("<Q", 8) + b'{"a":""}'), WEIGHTS),
    "header without an end": (
        write(WEIGHTS, struct.pack("<Q", 1 << 62) + b"{}"), WEIGHTS),
    "offsets": (header(lambda e: e["model.norm.weight"].update(data_offsets=[0])), WEIGHTS),
    "index of a list": (index([1]), "model.safetensors.index.json"),
    "index without a map": (index({"weight_map": 3}), "model.safetensors.index.json"),
    "index to another folder": (index({"weight_map": {"a": "../x"}}), "index.json"),
    "index to no file": (index({"weight_map": {"a": "x.safetensors"}}), "x.safetensors"),
    **{
        f"{what} of a tensor": (header(lambda e, w=wrong: e[NORM].update(w)), WEIGHTS)
        for what, wrong in {
            "type": {"dtype": "X9"}, "kind of type": {"dtype": 5}, "shape": {"shape": [-1]},
            "size": {"shape": [1 << 62, 8]}, "fractions": {"data_offsets": [0.5, 1.5]},
            "place": {"data_offsets": [5, 1]},
        }.items()
    },
    "kinds of metadata": (header(lambda e: e.update(__metadata__={"a": 5})), WEIGHTS),
    "two tensors in one place": (header(lambda e: e.update(other=e[NORM])), WEIGHTS),
    "index of pickles to another folder": (index({"weight_map": {"a": "/dev/zero"}}, PICKLE),
                                           f"{PICKLE}.index.json"),
    "index of pickles without a map": (index({"weight_map": 3}, PICKLE), f"{PICKLE}.index.json"),
    "index of pickles to no file": (index({"weight_map": {"a": "x.bin"}}, PICKLE), "x.bin"),
    "a kernel by an inner name": (
        lambda f: change(f, _attn_implementation_internal="evil/kernel"), "config.json"),
    "a kernel of experts": (
        lambda f: change(f, text_config={"_experts_implementation": "evil/kernel"}), "config.json"),
    "config is a pipe": (pipe, "config.json"),
    "endless layers": (lambda f: change(f, num_hidden_layers=10**9), "config.json"),
    "endless numbers": (lambda f: change(f, vocab_size=10**30), "config.json"),
    "a kernel": (lambda f: change(f, attn_implementation="evil/kernel"), "config.json"),
    "a template of bytes": (write("chat_template.jinja", b"\xff{{"), "chat_template.jinja"),
    "a long template": (write("chat_template.jinja", b"x" * 2_000_000), "chat_template.jinja"),
    **{
        f"{name} is {text[:6]!r}": (write(name, text), name)
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json",
                     "generation_config.json")
        for text in (b"", b"[]", b"{", b"null", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": 1')
    },
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_named(model: Path, what: str) -> None:
    damage, named = DAMAGED[what]
    damage(model)
    with pytest.raises(InvalidInputError) as caught:
        check_model_files(model)
    assert named in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_whole_model_passes(model: Path) -> None:
    check_model_files(model)


def test_a_name_that_is_not_utf_8_is_refused(model: Path) -> None:
    from rlvr_fast.models import load_causal_lm

    other = model.rename(model.parent / os.fsdecode(b"model\xff"))
    with pytest.raises(InvalidInputError, match=r"not UTF-8.*rename"):
        load_causal_lm(other, device="cpu")


def test_vllm_takes_no_code_of_a_model(model: Path) -> None:
    from rlvr_fast.sampling.engines.vllm.engine import VllmEngine

    with pytest.raises(InvalidInputError, match="runs no such code"):
        VllmEngine(str(model), trust_remote_code=True)


# -- what only the library sees ------------------------------------------------------------------


class Touch:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def remote(folder: Path, marker: Path) -> None:
    """Files that ask for classes of the model's own."""
    code = f"import os; os.mkdir({str(marker)!r})\nclass C: pass\n"
    (folder / "evil.py").write_text(code)


def auto_model(folder: Path, marker: Path) -> None:
    remote(folder, marker)
    classes = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.C"}
    change(folder, model_type="evil", architectures=["Evil"], auto_map=classes)


def auto_tokenizer(folder: Path, marker: Path) -> None:
    remote(folder, marker)
    change(folder, "tokenizer_config.json", tokenizer_class="Evil",
           auto_map={"AutoTokenizer": ["evil.C", None]})  # fmt: skip


def auto_tokenizer_of_the_config(folder: Path, marker: Path) -> None:
    remote(folder, marker)
    change(folder, auto_map={"AutoTokenizer": ["evil.C", "evil.C"]})
    change(folder, "tokenizer_config.json", tokenizer_class="EvilTokenizer")


def own_generation(folder: Path, marker: Path) -> None:
    (folder / "custom_generate").mkdir()
    remote(folder / "custom_generate", marker)
    (folder / "custom_generate" / "evil.py").rename(folder / "custom_generate" / "generate.py")


def pickled(folder: Path, marker: Path) -> None:
    import torch

    (folder / WEIGHTS).unlink()
    torch.save({"a": Touch(marker)}, folder / "pytorch_model.bin")


def old_pickle(folder: Path, marker: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Touch(marker)}))


REFUSED = {
    auto_model: "auto_map",
    auto_tokenizer: "auto_map",
    pickled: PICKLE,
    old_pickle: PICKLE,
}
LEFT_ALONE = (auto_tokenizer_of_the_config, own_generation)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions that were put on the terminal."""
    questions: list[str] = []

    def answer(prompt: str = "") -> str:
        questions.append(prompt)
        return "y"

    monkeypatch.setattr(builtins, "input", answer)
    return questions


@pytest.mark.slow
@pytest.mark.parametrize("attack", [*REFUSED, *LEFT_ALONE])
def test_no_code_of_a_model_runs(
    model: Path, tmp_path: Path, asked: list[str], attack: Callable[[Path, Path], None]
) -> None:
    from rlvr_fast.models import load_causal_lm

    marker = tmp_path / "marker"
    attack(model, marker)
    if attack in REFUSED:
        with pytest.raises(InvalidInputError, match=REFUSED[attack]):
            load_causal_lm(model, device="cpu")
    else:
        with contextlib.suppress(InvalidInputError):
            load_causal_lm(model, device="cpu")
    assert asked == []
    assert not marker.exists()


# Configurations of other kinds than the library expects.
WRONG = {
    "hidden_size": "a", "vocab_size": 7, "hidden_act": "nope", "num_attention_heads": 0,
    "max_position_embeddings": "x", "model_type": 3, "eos_token_id": "x", "dtype": "nope",
    "num_key_value_heads": 1.5, "head_dim": -1, "rms_norm_eps": None, "layer_types": ["x"],
    "id2label": 3, "bos_token_id": [1], "tie_word_embeddings": "x", "intermediate_size": 9,
    "architectures": 5, "rope_theta": [], "pad_token_id": -5, "torch_dtype": [1],
}  # fmt: skip


@pytest.mark.slow
def test_wrong_kinds_in_config_are_errors_of_the_model(model: Path) -> None:
    from rlvr_fast.sampling.engines.transformers.engine import TransformersEngine

    good = (model / "config.json").read_text()
    said = []
    for key, value in WRONG.items():
        (model / "config.json").write_text(good)
        change(model, **{key: value})
        try:
            TransformersEngine(str(model), device="cpu")
        except InvalidInputError as error:
            said.append(str(error))
    assert len(said) >= 14
    (model / "config.json").write_text(good)
    for key, value in {"eos_token_id": 10**30, "bos_token_id": "x", "max_length": []}.items():
        (model / "generation_config.json").write_text(json.dumps({key: value}))
        try:
            TransformersEngine(str(model), device="cpu")
        except InvalidInputError as error:
            said.append(str(error))
    assert [message for message in said if str(model) not in message] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing", "shape", "nan"])
def test_weights_that_do_not_fit_are_refused(model: Path, kind: str) -> None:
    """Transformers draws random weights for missing ones, with a warning."""
    from safetensors.torch import load_file, save_file

    from rlvr_fast.sampling.engines.transformers.engine import TransformersEngine

    tensors = load_file(model / WEIGHTS)
    name = "model.norm.weight"
    if kind == "missing":
        del tensors[name]
    elif kind == "shape":
        tensors[name] = tensors[name][:5].clone()
    else:
        tensors[name] = tensors[name] * float("nan")
    save_file(tensors, model / WEIGHTS)
    with pytest.raises(InvalidInputError, match=name if kind != "nan" else "not numbers"):
        TransformersEngine(str(model), device="cpu")


def cut_pickle(folder: Path) -> None:
    import torch

    (folder / WEIGHTS).unlink()
    torch.save({"a": torch.zeros(9)}, folder / PICKLE)
    os.truncate(folder / PICKLE, 500)


def listed_pickle(folder: Path) -> None:
    import torch

    (folder / WEIGHTS).unlink()
    torch.save([1, 2], folder / PICKLE)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut_pickle, listed_pickle])
def test_a_damaged_pickle_is_named(model: Path, damage: Callable[[Path], None]) -> None:
    from rlvr_fast.models import load_causal_lm

    damage(model)
    with pytest.raises(InvalidInputError, match=PICKLE):
        load_causal_lm(model, device="cpu")


def test_the_message_on_a_pickle_does_not_tell_how_to_run_it(model: Path, tmp_path: Path) -> None:
    pickled(model, tmp_path / "marker")
    message = damaged_file(model)
    assert message is not None
    assert PICKLE in message
    assert "weights_only" not in message
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("value", [
    {"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "aaaa"}},
    {"post_processor": {"type": "TemplateProcessing", "pair": [], "special_tokens": {},
                        "single": [{"SpecialToken": {"id": "x", "type_id": 0}}]}},
])  # fmt: skip
def test_a_panic_of_the_tokenizer_is_an_error_of_the_model(
    model: Path, value: dict[str, Any]
) -> None:
    from transformers import AutoTokenizer

    from rlvr_fast.sampling.tokenizer import TokenizerPrompts

    change(model, "tokenizer.json", **value)
    prompts = TokenizerPrompts()
    prompts._tokenizer = AutoTokenizer.from_pretrained(model)
    prompts.model = str(model)
    with pytest.raises(InvalidInputError, match=re.escape(str(model))):
        prompts.encode(["a question"])


@pytest.mark.parametrize("arguments", [
    {"speculative_config": {"model": "x", "trust_remote_code": True}},
    {"hf_overrides": {"auto_map": {"AutoConfig": "evil.C"}}},
    {"reasoning_parser_plugin": "evil.py"},
])  # fmt: skip
def test_vllm_takes_no_code_by_other_arguments(model: Path, arguments: dict[str, Any]) -> None:
    from rlvr_fast.sampling.engines.vllm.engine import VllmEngine

    with pytest.raises(InvalidInputError, match="runs no such code"):
        VllmEngine(str(model), **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("value", [{}, {"model": 3}, {"added_tokens": [1], "model": {}}])
def test_a_damaged_tokenizer_is_named(model: Path, value: dict[str, Any]) -> None:
    from rlvr_fast.models import load_causal_lm

    (model / "tokenizer.json").write_text(json.dumps(value))
    with pytest.raises(InvalidInputError, match=re.escape(str(model / "tokenizer.json"))):
        load_causal_lm(model, device="cpu")
