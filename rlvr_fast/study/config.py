"""The configuration of a study: the study file, the demo, and the checks of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from rlvr_fast.answers.options import GradeOptions
from rlvr_fast.errors import InvalidInputError, RlvrError, fault_kept, require_none, shown
from rlvr_fast.options import Option, Options, option, options_of, refuse_unknown
from rlvr_fast.report.options import CompareOptions
from rlvr_fast.safe_files import at_home, read_linked
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.study.models import StudyModel, StudySide
from rlvr_fast.yaml_text import MOST_CHARACTERS, parse_yaml

__all__ = ["StudyConfig", "demo_config", "study_keys"]

# The stages whose options are keys of a study file by themselves. The options of scoring are the
# mapping `score`: some have the names of sampling parameters.
_STAGES: dict[str, type[Options]] = {
    "sample": SampleOptions,
    "grade": GradeOptions,
    "compare": CompareOptions,
}
# Options of sampling that hold for scoring as well, unless the mapping `score` has its own.
_SHARED = ("device", "dtype")
# What stands for the options that a stage needs and a study file lacks.
_PLACES: Mapping[str, Any] = {"tasks": (), "samples": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig(Options):
    """The configuration of a study; `from_yaml` reads a study file.

    Paths inside are relative to the working folder; "~" at the beginning is the home folder.

    Attributes:
        base: the base model: a local folder, a .gguf file or a Hugging Face name, or a mapping of
            the options of `StudyModel`, which it becomes.
        rl: the RL-trained model, in the same way.
        out: the folder for the runs and the report.
        base_revision: branch, tag or commit of the base model, where it is a Hugging Face name.
        rl_revision: the same of the RL-trained model.
        sample: options of sampling, for both models.
        grade: options of grading, for both runs.
        score: options of each pass of scoring; in each pass both models score both runs. By
            default one pass at temperature 1, and one with the temperature, top-p, top-k and min-p
            that the runs were drawn with, which is left out for runs drawn greedily or with
            penalties; empty for no scores.
        compare: options of the comparison.
        arms: names to further RL-trained models, each as `rl`; they are drawn and graded as the two
            models are.
        score_arms: score the run of each arm as well, under the base model and the arm's own. The
            run then has the labels of scores "base" and "rl", as that of the RL model has.
    """

    base: str | StudyModel = option(
        help="The base model: a local folder, a .gguf file or a hub name, or a mapping of model, "
        "revision, adapter, template, prompt, engine_args and label."
    )
    rl: str | StudyModel = option(help="The RL-trained model, in the same way.")
    out: str = option(help="Folder for the runs and the report.")
    base_revision: str | None = option(None, help="Hub revision of the base model.")
    rl_revision: str | None = option(None, help="Hub revision of the RL-trained model.")
    sample: SampleOptions = option(help="Options of sampling.")
    grade: GradeOptions = option(GradeOptions(), help="Options of grading.")
    score: tuple[ScoreOptions, ...] = option(
        (ScoreOptions(), ScoreOptions(as_sampled=True)), help="Options of each pass of scoring."
    )
    compare: CompareOptions = option(CompareOptions(), help="Options of the comparison.")
    arms: Mapping[str, Any] = option(
        {}, help="Further RL-trained models by name, each in the same way."
    )
    score_arms: bool = option(
        False, help="Score the run of each arm as well, under the base model and its own."
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        object.__setattr__(self, "out", at_home(self.out))
        self.models()
        if len({tuple(options.model_arguments().values()) for options in self.score}) > 1:
            raise InvalidInputError(
                "expected one device, device_map, dtype and batch_tokens for all passes of "
                f"scoring: a study loads each model once, got {self.score}"
            )

    def models(self) -> dict[str, StudyModel]:
        """The models by the name of their side: "base", "rl", and the names of the arms.

        Raises:
            InvalidInputError: an arm that is no model, or a revision that is given twice.
        """
        faults: list[RlvrError] = []
        found: dict[str, StudyModel] = {}
        with fault_kept(faults):
            found["base"] = _revised(self.base, "base", self.base_revision)
        with fault_kept(faults):
            found["rl"] = _revised(self.rl, "rl", self.rl_revision)
        for name, value in self.arms.items():
            with fault_kept(faults):
                found[name] = _model(value, f"arms: {name}")
        require_none(faults, "of the models")
        return found

    def sides(self) -> list[StudySide]:
        """The models with their runs: base, RL, then the arms.

        Raises:
            InvalidInputError: names of arms that a table could not tell from another.
        """
        from rlvr_fast.report.arms import arm_folder, check_names

        check_names(self.arms)
        out = Path(self.out)
        return [
            StudySide(
                name,
                model,
                out / "arms" / arm_folder(name) if name in self.arms else out / name,
                model.sampling_of(self.sample),
                arm=name in self.arms,
            )
            for name, model in self.models().items()
        ]

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """The study that the keys of a study file describe.

        The options of sampling, grading and comparing are keys by their own names; `sampling` is a
        mapping of the sampling parameters. `score` is true, false, or a mapping of the options of
        scoring: as_sampled in the mapping leaves one of the two passes, and device and dtype are
        those of sampling unless the mapping has its own. A task is a spec, NAME=SPEC, or a mapping
        with `name` and `spec`.

        Args:
            values: the keys and their values.
            where: stands first in every message, a file name for example.

        Raises:
            InvalidInputError: an unknown key (the message has the nearest known one), a missing
                one, or a value of another type or out of range.
        """
        faults: list[RlvrError] = []
        unknown = [name for name in values if name not in study_keys()]
        inner = {name: key for name in unknown if (key := _mapping_of(name))}
        faults += [
            InvalidInputError(f"{where}: {name!r} is a key of the mapping {key!r}")
            for name, key in inner.items()
        ]
        with fault_kept(faults):
            refuse_unknown([name for name in unknown if name not in inner], study_keys(), where)
        needed = [each.name for each in _keys() if each.required]
        missing = [name for name in needed if values.get(name) is None]
        faults += [
            InvalidInputError(f"{where}: {name!r} is missing; a study needs {', '.join(needed)}")
            for name in missing
        ]
        # What is missing is said once: the stage that needs it is read with something in its place.
        values = {**values, **{name: _PLACES[name] for name in missing if name in _PLACES}}
        clean: dict[str, Any] = {}
        for each in _own():
            if each.name in values and each.name not in missing:
                with fault_kept(faults):
                    clean[each.name] = each.read(values[each.name], f"{where}: {each.name}")
        tasks: tuple[str, ...] = ()
        with fault_kept(faults):
            tasks = _tasks(values["tasks"], where)
        values["tasks"] = tasks
        for stage, kind in _STAGES.items():
            names = [each.name for each in options_of(kind)]
            part = {name: values[name] for name in names if name in values}
            with fault_kept(faults):
                clean[stage] = kind.from_mapping(part, where=where)
        shared = {name: values[name] for name in _SHARED if name in values and "sample" in clean}
        with fault_kept(faults):
            clean["score"] = _passes(values.get("score", True), shared, where)
        require_none(faults, f"of {where}")
        return cls(**clean)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Reads a study file (YAML); see `from_mapping`."""
        path = Path(path)
        try:
            text = read_linked(path, at_most=4 * MOST_CHARACTERS, pipes=True).decode("utf-8")
        except FileNotFoundError:
            raise InvalidInputError(f"{path}: no such study file") from None
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{path}: not a text in UTF-8: {error}") from None
        values = parse_yaml(text, str(path))
        if not isinstance(values, dict):
            kinds = {type(None): "empty", list: "a list", str: "a text"}
            raise InvalidInputError(
                f"{path}: a study is a mapping of keys to values, "
                f"the file is {kinds.get(type(values), repr(values))}"
            )
        return cls.from_mapping(values, where=str(path))

    def with_out(self, out: str | Path | None) -> Self:
        """The same study with another folder; None keeps the folder."""
        return self if out is None else replace(self, out=str(out))


def _model(value: Any, where: str) -> StudyModel:
    if isinstance(value, StudyModel):
        return value
    if not isinstance(value, str | Mapping):
        raise InvalidInputError(
            f"{where} is {shown(value)}, expected a model (a folder, a .gguf file or a hub name) "
            f"or a mapping of {', '.join(each.name for each in options_of(StudyModel))}"
        )
    given = {"model": value} if isinstance(value, str) else value
    return StudyModel.from_mapping(given, where=where)


def _revised(value: str | StudyModel, side: str, revision: str | None) -> StudyModel:
    """The model of a side with the revision that stands beside it."""
    model = _model(value, side)
    if revision is None:
        return model
    if model.revision is not None:
        raise InvalidInputError(
            f"the revision of {side} is given twice: {side}_revision is {revision!r}, and its "
            f"mapping has {model.revision!r}"
        )
    return replace(model, revision=revision)


def study_keys() -> tuple[str, ...]:
    """The keys of a study file."""
    return (*(each.name for each in _keys()), "score")


def _own() -> list[Option]:
    """The options of a study that belong to no stage."""
    return [each for each in options_of(StudyConfig) if each.name not in (*_STAGES, "score")]


def _keys() -> list[Option]:
    return _own() + [each for kind in _STAGES.values() for each in options_of(kind)]


def _mapping_of(name: object) -> str | None:
    """The key of a study file whose mapping holds the option `name`, None where none does."""
    groups: dict[str, type[Options]] = {e.name: e.kind for e in _keys() if e.form == "group"}
    groups["score"] = ScoreOptions
    for key, kind in groups.items():
        if any(each.name == name for each in options_of(kind)):
            return key
    return None


def _passes(value: Any, shared: Mapping[str, Any], where: str) -> tuple[ScoreOptions, ...]:
    if value is False:
        return ()
    given = {} if value is True else value
    if not isinstance(given, Mapping):
        names = ", ".join(each.name for each in options_of(ScoreOptions))
        raise InvalidInputError(
            f"{where}: score is {shown(value)}, expected true, false or a mapping of {names}"
        )
    options = ScoreOptions.from_mapping({**shared, **given}, where=f"{where}: score")
    if "as_sampled" in given:
        return (options,)
    neutral: dict[str, Any] = {"temperature": 1.0, "top_p": None, "top_k": 0, "min_p": 0.0}
    return options, replace(options, as_sampled=True, **neutral)


def _tasks(value: Any, where: str) -> tuple[str, ...]:
    entries = [value] if isinstance(value, str | Mapping) else value
    specs = []
    for entry in entries if isinstance(entries, list | tuple) else [None]:
        if isinstance(entry, Mapping) and set(entry) == {"name", "spec"}:
            entry = f"{entry['name']}={entry['spec']}"
        if not isinstance(entry, str):
            raise InvalidInputError(
                f"{where}: tasks must be a list of specs, or of mappings with name and spec; "
                f"got {shown(value)}"
            )
        specs.append(entry)
    return tuple(specs)


def demo_config(out: str | Path, *, quick: bool = False) -> StudyConfig:
    """The study of the embedded pair of models; `quick` is the same on a few problems."""
    import importlib.resources

    folder = importlib.resources.files("rlvr_fast") / "demo_models"
    values = parse_yaml((folder / "demo.yaml").read_text("utf-8"), "demo.yaml")
    small = values.pop("quick")
    if quick:
        values.update(small)
    with importlib.resources.as_file(folder) as path:
        values.update(base=str(path / "base"), rl=str(path / "rl"), out=str(out))
    return StudyConfig.from_mapping(values, where="demo.yaml")
