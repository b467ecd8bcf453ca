"""What a study is asked to do: its file, the demo's, and the checks of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlvr_fast.errors import InvalidInputError

if TYPE_CHECKING:
    from rlvr_fast.sampling import SamplingParameters

__all__ = ["StudyConfig", "demo_config", "sampling_parameters", "with_out"]

# name, type, and how an error says it
_TYPES: tuple[tuple[str, Any, str], ...] = (
    ("samples", int, "a whole number"),
    ("workers", int, "a whole number"),
    ("timeout", (int, float), "a number of seconds"),
    ("zeta", (int, float), "a number between 0 and 1"),
    ("score", bool, "true or false"),
    ("sampling", Mapping, "a mapping of temperature, top_p, max_tokens, seed, stop"),
    ("engine_options", Mapping, "a mapping"),
    *((name, str, "text") for name in ("base", "rl", "out", "base_revision", "rl_revision")),
    *((name, str, "text") for name in ("engine", "template", "policy", "rule")),
)


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """What a study file says. `base` and `rl` are local directories, .gguf files or hub names.

    A task is a spec, `NAME=SPEC`, or a mapping with `name` and `spec`. Paths inside are used as
    they stand in the file, relative to the folder it is run from.
    """

    base: str
    rl: str
    tasks: tuple[str, ...]
    samples: int
    out: str
    base_revision: str | None = None
    rl_revision: str | None = None
    engine: str = "transformers"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    template: str = "auto"
    sampling: Mapping[str, Any] = field(default_factory=dict)
    policy: str = "auto"
    timeout: float = 5.0
    workers: int | None = None
    score: bool = True
    rule: str = "seen"
    zeta: float = 0.05

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str) -> StudyConfig:
        """Checks names and types; `where` (a file name) stands in every message."""
        known = {f.name: f for f in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InvalidInputError(
                f"{where}: unknown key {unknown[0]!r}; a study knows {', '.join(known)}"
            )
        required = ("base", "rl", "tasks", "samples", "out")
        missing = [name for name in required if values.get(name) is None]
        if missing:
            raise InvalidInputError(
                f"{where}: {missing[0]!r} is missing; a study needs {', '.join(required)}"
            )
        clean = dict(values)
        clean["tasks"] = _tasks(clean["tasks"], where)
        for name, kinds, what in _TYPES:
            value = clean.get(name)
            if name in clean and not (value is None and known[name].default is None):
                boolean = isinstance(value, bool)
                if not isinstance(value, kinds) or boolean != (kinds is bool):
                    raise InvalidInputError(f"{where}: {name} is {value!r}, expected {what}")
        if clean["samples"] < 1:
            raise InvalidInputError(f"{where}: samples is {clean['samples']}, must be at least 1")
        config = cls(**clean)
        try:
            config.parameters()
        except (TypeError, InvalidInputError) as error:
            raise InvalidInputError(f"{where}: sampling: {error}") from None
        return config

    @classmethod
    def from_yaml(cls, path: str | Path) -> StudyConfig:
        """Reads a study file (YAML)."""
        import yaml

        path = Path(path)
        try:
            values = yaml.safe_load(path.read_text("utf-8"))
        except FileNotFoundError:
            raise InvalidInputError(f"{path}: no such study file") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{path}: not a readable YAML file: {error}") from None
        if not isinstance(values, dict):
            raise InvalidInputError(
                f"{path}: a study is a mapping of keys to values, this is {type(values).__name__}"
            )
        return cls.from_mapping(values, where=str(path))

    def parameters(self) -> SamplingParameters:
        """The sampling parameters both models are drawn with."""
        return sampling_parameters(**self.sampling)


def sampling_parameters(**values: Any) -> SamplingParameters:
    """The `SamplingParameters` of these values (its docstring says which)."""
    from rlvr_fast.sampling import SamplingParameters

    known = [f.name for f in fields(SamplingParameters)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InvalidInputError(f"unknown parameter {unknown[0]!r}; it knows {', '.join(known)}")
    return SamplingParameters(**values)


def demo_config(out: str | Path, *, quick: bool = False) -> StudyConfig:
    """The study of the embedded pair of models; `quick` is the same on a few problems."""
    import importlib.resources

    import yaml

    folder = importlib.resources.files("rlvr_fast") / "demo_models"
    values = yaml.safe_load((folder / "demo.yaml").read_text("utf-8"))
    small = values.pop("quick")
    if quick:
        values.update(small)
    with importlib.resources.as_file(folder) as path:
        values.update(base=str(path / "base"), rl=str(path / "rl"), out=str(out))
    return StudyConfig.from_mapping(values, where="demo.yaml")


def with_out(config: StudyConfig, out: str | Path | None) -> StudyConfig:
    """The same study, left somewhere else."""
    return config if out is None else replace(config, out=str(out))


def _tasks(value: Any, where: str) -> tuple[str, ...]:
    entries = [value] if isinstance(value, (str, Mapping)) else value
    specs = []
    for entry in entries if isinstance(entries, (list, tuple)) else [None]:
        if isinstance(entry, Mapping) and set(entry) == {"name", "spec"}:
            entry = f"{entry['name']}={entry['spec']}"
        if not isinstance(entry, str):
            raise InvalidInputError(
                f"{where}: tasks must be a list of specs, or of mappings with name and spec; "
                f"got {value!r}"
            )
        specs.append(entry)
    return tuple(specs)
