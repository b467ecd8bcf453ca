"""One definition of an option: Python, study files and the command line read all of them alike."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import rlvr_fast.answers.grading
import rlvr_fast.sampling.drawing
import rlvr_fast.scoring.runs.run
import rlvr_fast.store
import rlvr_fast.study
from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.cli import app
from rlvr_fast.errors import InvalidInputError, closest
from rlvr_fast.options import Option, Options, option, options_of
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.store import Run
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.study.config import StudyConfig, demo_config, study_keys
from rlvr_fast.study.models import StudyModel
from rlvr_fast.vocabulary import DEVICES, DTYPES

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "study.yaml"

# A class of options -> what a study file calls the stage, the command with its other arguments, and
# the function that the command calls with the options.
STAGES = {
    SampleOptions: (
        "sample",
        ["sample", "model", "--out", "out", "--task", "math:a", "--samples", "1"],
        (rlvr_fast.sampling.drawing, "draw_run"),
    ),
    GradeOptions: ("grade", ["grade", "run"], (rlvr_fast.answers.grading, "grade_run")),
    ScoreOptions: (
        "score",
        ["score", "run", "--model", "model"],
        (rlvr_fast.scoring.runs.run, "score_run"),
    ),
    CompareOptions: ("compare", ["compare", "base", "rl"], (rlvr_fast.study, "report_runs")),
    ImportOptions: (None, ["import", "in", "--out", "out"], (rlvr_fast.store, "import_rollouts")),
}
REQUIRED: dict[type[Options], dict[str, Any]] = {
    SampleOptions: {"tasks": ("math:a",), "samples": 1}
}


def leaves(cls: type[Options], group: str = "") -> Iterator[tuple[str, Option]]:
    """Every option of a class with the name of its group, if any."""
    for each in options_of(cls):
        if each.form == "group":
            yield from leaves(each.kind, each.name)
        else:
            yield group, each


EVERY = [
    pytest.param(cls, group, each, id=f"{cls.__name__}.{each.name}")
    for cls in STAGES
    for group, each in leaves(cls)
]


# What a study file can set: an import has no place in a study.
STUDIED = [each for each in EVERY if each.values[0] is not ImportOptions]


def another(each: Option) -> Any:
    """A value that the option takes, and that is not the default."""
    if each.name == "fields":
        return {"gold": "reward_model.ground_truth", "problem_id": "ids[0]"}
    if each.form == "mapping":
        return {"batch_size": 3, "on": True, "name": "x"}
    if each.choices:
        value: Any = next(choice for choice in each.choices if choice != each.default)
    elif each.kind is bool:
        value = not each.default
    elif each.kind is str:
        value = "text"
    elif each.kind is int:
        value = 1 + (each.default if isinstance(each.default, int) else int(each.minimum or 0))
    else:
        value = 0.25
    return (value,) if each.form == "sequence" else value


def in_python(cls: type[Options], group: str, each: Option) -> Options:
    given: dict[str, Any] = {each.name: another(each)}
    if group:
        kind = next(outer.kind for outer in options_of(cls) if outer.name == group)
        given = {group: kind(**given)}
    return cls(**{**REQUIRED.get(cls, {}), **given})


@pytest.mark.parametrize(("cls", "group", "each"), EVERY)
def test_python_reaches_every_option(cls: type[Options], group: str, each: Option) -> None:
    made: Any = in_python(cls, group, each)
    holder = getattr(made, group) if group else made
    assert getattr(holder, each.name) == another(each) != each.default
    assert made != cls(**REQUIRED.get(cls, {}))


@pytest.mark.parametrize(("cls", "group", "each"), STUDIED)
def test_a_study_file_reaches_every_option(
    cls: type[Options], group: str, each: Option, tmp_path: Path
) -> None:
    value = another(each)
    study: dict[str, Any] = {"base": "b", "rl": "r", "out": "o", "tasks": ["math:a"], "samples": 1}
    part = {each.name: list(value) if each.form == "sequence" else value}
    if cls is ScoreOptions:
        part = {"score": part}
    elif group:
        part = {group: part}
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump({**study, **part}))
    made = getattr(StudyConfig.from_yaml(file), STAGES[cls][0])
    expected = in_python(cls, group, each)
    assert (made[0] if cls is ScoreOptions else made) == expected


@dataclass
class Called(Exception):
    """Ends a command where its work would begin."""

    options: Options


@pytest.mark.parametrize(("cls", "group", "each"), EVERY)
def test_the_command_line_reaches_every_option(
    cls: type[Options], group: str, each: Option, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, command, (module, function) = STAGES[cls]

    def call(*arguments: Any, **named: Any) -> None:
        raise Called(next(value for value in arguments if isinstance(value, cls)))

    monkeypatch.setattr(module, function, call)
    monkeypatch.setattr(Run, "open", lambda path: path)
    if cls is CompareOptions:  # the command imports rollouts first
        for name in ("check_source", "run_of"):
            monkeypatch.setattr(rlvr_fast.study, name, lambda *arguments, **named: None)
    value = another(each)
    if each.form == "mapping":
        texts = [f"{name}={json.dumps(entry)}" for name, entry in value.items()]
    else:
        texts = list(map(str, value)) if each.form == "sequence" else [str(value)]
    words = [each.flag] if each.kind is bool else [w for text in texts for w in (each.flag, text)]
    if each.required:
        at = command.index(each.flag)
        command = command[:at] + command[at + 2 :]
    result = CliRunner().invoke(app, [*command, *words, "--quiet"])
    assert isinstance(result.exception, Called), result.output
    assert result.exception.options == in_python(cls, group, each)


def test_every_option_has_a_help_text() -> None:
    for cls in (*STAGES, StudyConfig):
        for group, each in leaves(cls):
            assert len(each.help) > 10, f"{cls.__name__}.{group}.{each.name}"
            assert each.help.endswith("."), each.help


def test_keys_of_a_study_are_those_of_its_options() -> None:
    keys = study_keys()
    assert len(set(keys)) == len(keys), "two options of a study have one name"
    studied = set(STAGES) - {ScoreOptions, ImportOptions}
    names = {each.name for cls in studied for each in options_of(cls)}
    assert names <= set(keys)
    own = {"base", "rl", "out", "arms", "score_arms", "base_revision", "rl_revision", "score"}
    assert own == set(keys) - names


def test_arms_of_a_study_are_models() -> None:
    needed = {"base": "b", "rl": "r", "out": "o", "tasks": "math:x.jsonl", "samples": 4}
    arms = {"grpo/2": "seed2", "sft": {"model": "twin", "revision": "v1"}}
    study = StudyConfig.from_mapping({**needed, "arms": arms}, where="study.yaml")
    assert study.models() == {
        "base": StudyModel(model="b"),
        "rl": StudyModel(model="r"),
        "grpo/2": StudyModel(model="seed2"),
        "sft": StudyModel(model="twin", revision="v1"),
    }
    for wrong, message in (
        (3, "arms: x is 3, expected a model"),
        (None, "arms: x is None, expected a model"),
        ({"revision": "v1"}, "arms: x: 'model' is missing"),
        ({"model": 3}, "arms: x: model is 3, expected a text"),
        ({"model": "m", "sed": "1"}, "arms: x: unknown key 'sed'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            StudyConfig.from_mapping({**needed, "arms": {"x": wrong}}, where="study.yaml")
    with pytest.raises(InvalidInputError, match="arms is 'x', expected a mapping"):
        StudyConfig.from_mapping({**needed, "arms": "x"}, where="study.yaml")


def test_the_example_study_names_every_key() -> None:
    values = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    assert set(values) == set(study_keys())
    assert set(values["sampling"]) == {each.name for each in options_of(SamplingParameters)}
    # as_sampled would leave one of the two passes: the example has it in a comment.
    assert set(values["score"]) | {"as_sampled"} == {each.name for each in options_of(ScoreOptions)}
    study = StudyConfig.from_yaml(EXAMPLE)
    assert study.grade == GradeOptions()
    assert study.compare == CompareOptions()
    assert study.score == (ScoreOptions(), ScoreOptions(as_sampled=True))


def test_the_demo_is_a_study() -> None:
    assert demo_config("out").sample.samples == 512
    quick = demo_config("out", quick=True)
    assert quick.sample.samples == 32
    assert quick.sample.sampling == SamplingParameters(max_tokens=72)
    assert len(quick.sample.tasks) == 3


STUDY: dict[str, Any] = {"base": "b", "rl": "r", "out": "o", "tasks": "math:a", "samples": 1}


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        (True, (ScoreOptions(), ScoreOptions(as_sampled=True))),
        (False, ()),
        ({}, (ScoreOptions(), ScoreOptions(as_sampled=True))),
        ({"as_sampled": False}, (ScoreOptions(),)),
        ({"as_sampled": True}, (ScoreOptions(as_sampled=True),)),
        (
            {"per_token": True, "temperature": 0.5},
            (
                ScoreOptions(per_token=True, temperature=0.5),
                ScoreOptions(per_token=True, as_sampled=True),
            ),
        ),
    ],
)
def test_passes_of_scoring(value: Any, passes: tuple[ScoreOptions, ...]) -> None:
    assert StudyConfig.from_mapping({**STUDY, "score": value}, where="f").score == passes


def test_device_and_dtype_of_a_study_are_those_of_scoring() -> None:
    values = {**STUDY, "device": "cpu", "dtype": "bfloat16"}
    study = StudyConfig.from_mapping(values, where="f")
    assert {options.device for options in study.score} == {"cpu"}
    study = StudyConfig.from_mapping({**values, "score": {"dtype": "float32"}}, where="f")
    assert study.sample.dtype == "bfloat16"
    assert {(options.device, options.dtype) for options in study.score} == {("cpu", "float32")}


def test_passes_of_one_study_share_a_loaded_model() -> None:
    passes = (ScoreOptions(), ScoreOptions(device="cpu"))
    with pytest.raises(InvalidInputError, match="loads each model once"):
        StudyConfig(
            base="b", rl="r", out="o", sample=SampleOptions(tasks=["a"], samples=1), score=passes
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polcy": "boxed"}, "f: unknown key 'polcy'. Did you mean 'policy'?"),
        ({"engine_options": {}}, "unknown key 'engine_options'. Did you mean 'engine_args'?"),
        ({"sampling": {"temprature": 1}}, "f: sampling: .*Did you mean 'temperature'"),
        ({"score": {"per_tokens": True}}, "f: score: .*Did you mean 'per_token'"),
        ({"score": "yes"}, "f: score is 'yes', expected true, false or a mapping of temperature"),
        ({"score": {"top_p": 0}}, "f: score: top_p is 0, expected a number, above 0"),
        ({"score": {"as_sampled": True, "temperature": 2}}, "f: score: as_sampled takes"),
        ({"rule": "often"}, "f: rule is 'often', expected one of seen, epsilon"),
        ({"engine": "vlm"}, "f: engine is 'vlm', expected one of transformers, vllm"),
        ({"device": "cpu", "engine_args": {"device": "cpu"}}, "f: device is given twice"),
        ({"engine_args": [1]}, r"f: engine_args is \[1\], expected a mapping"),
        ({"workers": True}, "f: workers is True, expected a whole number, at least 1"),
        ({"samples": 1.0}, "f: samples is 1.0, expected a whole number"),
        ({"timeout": float("inf")}, "f: timeout is inf, expected a number, above 0"),
        ({"timeout": None}, "f: timeout is None, expected a number"),
        ({"allow": ["model"]}, "f: allow is 'model', expected one of problems, tasks"),
        ({"base": None}, "f: 'base' is missing; a study needs base, rl, out, tasks, samples"),
        ({"out": 3}, "f: out is 3, expected a text"),
        ({1: 2}, "f: unknown key 1. Known"),
    ],
)
def test_mistakes_of_a_study_are_named(change: dict[Any, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        StudyConfig.from_mapping({**STUDY, **change}, where="f")


def test_one_value_stands_for_a_list_in_a_study_file_alone() -> None:
    study = StudyConfig.from_mapping({**STUDY, "k": 3, "sampling": {"stop": "x"}}, where="f")
    assert study.compare.k == (3,)
    assert study.sample.sampling.stop == ("x",)
    with pytest.raises(
        InvalidInputError, match="SampleOptions: tasks is 'math:a', expected a list"
    ):
        SampleOptions(tasks="math:a", samples=1)  # type: ignore[arg-type]


def test_engine_arguments_are_typed_as_in_a_study_file(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[SampleOptions] = []

    def call(model: str, out: Path, options: SampleOptions, **named: Any) -> None:
        seen.append(options)
        raise Called(options)

    monkeypatch.setattr(rlvr_fast.sampling.drawing, "draw_run", call)
    command = STAGES[SampleOptions][1]
    given = ("a=1", "b=1.5", "c=true", "d=x=y", "e=", "f=1e-1", "g=[1, 2]")
    words = [word for text in given for word in ("--engine-arg", text)]
    CliRunner().invoke(app, [*command, *words, "--device", "cpu", "--quiet"])
    assert seen[0].engine_args == {
        "a": 1, "b": 1.5, "c": True, "d": "x=y", "e": None, "f": 0.1, "g": [1, 2],
    }  # fmt: skip
    assert seen[0].engine_arguments() == {**seen[0].engine_args, "device": "cpu"}
    for wrong in ("a", "=1", "a=["):
        result = CliRunner().invoke(app, [*command, "--engine-arg", wrong])
        assert isinstance(result.exception, InvalidInputError), wrong
        assert "--engine-arg" in str(result.exception)


def test_auto_leaves_device_and_dtype_to_the_model() -> None:
    assert (DEVICES[0], DTYPES[0]) == ("auto", "auto")
    assert SampleOptions(tasks=["a"], samples=1).engine_arguments() == {}
    assert ScoreOptions().model_arguments() == {
        "device": None, "device_map": None, "dtype": None, "batch_tokens": 4096,
    }  # fmt: skip


def test_sampling_parameters_of_a_run_are_as_before() -> None:
    """run.json holds them, and its hash decides whether a run may be topped up."""
    parameters = SamplingParameters(temperature=1, top_p=1, stop=["a"])  # type: ignore[arg-type]
    assert json.dumps(parameters.to_json()) == (
        '{"temperature": 1.0, "top_p": 1.0, "max_tokens": 16384, "seed": 0, "stop": ["a"]}'
    )


def test_options_are_frozen_and_compare_by_value() -> None:
    assert GradeOptions(timeout=5) == GradeOptions()
    assert hash(GradeOptions(timeout=5)) == hash(GradeOptions())
    with pytest.raises(AttributeError):
        GradeOptions().timeout = 3.0  # type: ignore[misc]
    assert not hasattr(GradeOptions(), "__dict__")


def test_every_field_is_made_by_option() -> None:
    for cls in (*STAGES, SamplingParameters, StudyConfig):
        for field in fields(cls):
            kind = next(each for each in options_of(cls) if each.name == field.name)
            assert "option" in field.metadata or kind.form == "group", (
                f"{cls.__name__}.{field.name}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy(Options):
    """A new option is one field."""

    size: int = option(2, minimum=1, maximum=9, reason="the box holds 9", help="How many.")
    shape: str = option("round", choices=lambda: ("round", "square"), help="Which shape.")


def test_a_toy_option() -> None:
    size, shape = options_of(Toy)
    assert (size.flag, size.range, size.choices) == ("--size", "at least 1 and at most 9", ())
    assert shape.choices == ("round", "square")
    with pytest.raises(
        InvalidInputError, match=r"Toy: size is 10, expected .* \(the box holds 9\)"
    ):
        Toy(size=10)
    assert Toy.from_mapping({"shape": "square"}, where="f") == Toy(shape="square")


def test_a_name_like_an_unknown_one_is_suggested() -> None:
    assert closest("tempratur", ["temperature", "top_p"]) == " Did you mean 'temperature'?"
    assert closest("xyz", ["temperature", "top_p"]) == ""


def test_options_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "import rlvr_fast.sampling.options, rlvr_fast.answers.options\n"
        "import rlvr_fast.scoring.options, rlvr_fast.report.options\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pyarrow', 'scipy', 'matplotlib', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_copy_of_options_was_given_the_same() -> None:
    made = SampleOptions(tasks=("math:a",), samples=4, sampling=SamplingParameters(temperature=0.6))
    for copied in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert copied == made
        assert copied.given == made.given == {"tasks", "samples", "sampling"}
        assert copied.sampling.given == {"temperature"}
