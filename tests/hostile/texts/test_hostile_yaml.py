"""YAML of strangers: small texts that stand for much are refused, and quickly."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from rlvr_fast.cli import main
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.prompts import load_template
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.yaml_text import parse_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MERGED = "m0: &m0 {k: 1}\n" + "".join(
    f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}\n" for i in range(1, 10)
)
REFUSED = {
    "laughs": LAUGHS,
    "laughs in mappings": LAUGHS.replace("[", "{k: [").replace("]", "]}"),
    "merges": MERGED,
    "keys": "? &k [1]\n: &v {a: *k}\n",
    "itself": "&a [*a]",
    "itself in a mapping": "&a {b: *a}",
    "deep lists": "[" * 100_000,
    "deep mappings": "{a: " * 10_000,
    "deep blocks": "- " * 3000 + "x",
    "many values": "a: [" + "1," * 100_000 + "]",
    "long": "a: " + "x" * 3_000_000,
    "long number": "a: " + "1" * 5000,
    "long hexadecimal": "a: 0x" + "f" * 100_000,
    "long sexagesimal": "a: " + ":".join(["59"] * 50_000),
    "long float": "a: " + "1" * 5000 + ".5",
    "null character": 'out: "a\\0b"',
    "object": "!!python/object/apply:os.system [id]",
    "name": "!!python/name:os.system",
    "empty number": '!!int ""',
    "wrong truth": "!!bool x",
    "wrong date": "!!timestamp x",
    "wrong float": "!!float x",
    "control character": "a: \x1b[31m",
    "two documents": "a: 1\n---\nb: 2\n",
    "no anchor": "a: *b",
    "long sexagesimal fraction": "a: 1" + ":1" * 190 + ".0",
    "escape beyond Unicode": 'a: "\\Uffffffff"',
}


@pytest.mark.parametrize("name", REFUSED)
def test_yaml_that_expands_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"^here: "):
        parse_yaml(REFUSED[name], "here")
    file = tmp_path / "study.yaml"
    file.write_text(REFUSED[name])
    with pytest.raises(InvalidInputError) as caught:
        StudyConfig.from_yaml(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 5000, "&a [*a]", "1" * 5000, "!!python/name:os.system"])
def test_values_on_the_command_line_are_read_alike(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sample", "no/model", "--task", "reasoning_gym:chain_sum", "--out", "run"]
    arguments += ["--samples", "1", "--engine-arg", f"x={text}"]
    monkeypatch.setattr(sys, "argv", ["rlvr-fast", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "--engine-arg x" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model", "revision"])
def test_an_engine_argument_replaces_no_argument_of_ours(name: str) -> None:
    """`load_engine` would get two values for one argument."""
    with pytest.raises(InvalidInputError, match=f"{name} is no argument of an engine"):
        SampleOptions(tasks=("reasoning_gym:chain_sum",), samples=1, engine_args={name: "x"})


def test_aliases_of_people_stay() -> None:
    text = "a: &a {x: 1, y: [1, 2]}\nb: {<<: *a, x: 2}\nc: [*a, *a]\n"
    assert parse_yaml(text, "here")["b"] == {"x": 2, "y": [1, 2]}
    assert len(parse_yaml(text, "here")["c"]) == 2


def test_a_key_that_a_merge_overrides_is_given_once() -> None:
    """Also where the mapping that merges is read after another one that merges it."""
    text = "base: &base {x: 2}\nz:\n  a: &a {<<: *base, x: 1}\nb: {<<: *a}\n"
    assert parse_yaml(text, "here") == {"base": {"x": 2}, "z": {"a": {"x": 1}}, "b": {"x": 1}}


def test_long_digits_that_are_no_number_are_read_once() -> None:
    """A pattern that reads them again from each digit on would take an hour."""
    text = "1" * 1_000_000 + "z"
    assert parse_yaml(f"a: {text}", "here") == {"a": text}


@pytest.mark.parametrize("value", [10**390, -(10**390)], ids=["high", "low"])
@pytest.mark.parametrize("name", ["temperature", "top_p", "max_tokens", "seed"])
def test_numbers_too_large_are_refused(name: str, value: int) -> None:
    with pytest.raises(InvalidInputError, match=name):
        SamplingParameters.from_mapping({name: value}, where="here")


@pytest.mark.parametrize("name", ["max_tokens", "seed"])
def test_whole_numbers_have_64_bits(name: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"{name}.*64 bits"):
        SamplingParameters.from_mapping({name: 2**63}, where="here")


@pytest.mark.parametrize("kind", ["device", "pipe", "long"])
def test_a_template_file_that_never_ends_is_refused(kind: str, tmp_path: Path) -> None:
    file = Path("/dev/zero") if kind == "device" else tmp_path / "template.txt"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "long":
        file.write_text("{question}" * 200_000)
    with pytest.raises(InvalidInputError, match=re.escape(str(file))):
        load_template(str(file), None)  # type: ignore[arg-type]


def test_a_study_file_that_never_ends_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="/dev/zero"):
        StudyConfig.from_yaml("/dev/zero")
