"""The model and the sampling parameters of an import: given, or as the files say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.importing.detection import Recognised
from rlvr_fast.store.importing.roles import RoleBatch
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.store.recorded import recorded_name
from rlvr_fast.store.rollouts.columns import distinct_values

__all__ = ["ModelAndSampling"]

_KEYS = ("temperature", "top_p", "max_tokens", "seed", "stop")
_SUFFIXES = re.compile(
    r"(\.(jsonl?|ndjson|parquet|arrow|feather|csv|tsv|ya?ml|gz|zst|zip|bz2|xz|eval|pt))+$", re.I
)


class ModelAndSampling:
    """Collects what files and rows say of the model and of how completions were drawn.

    Attributes:
        model_said: whether the files or the user name the model.
    """

    def __init__(
        self,
        files: Sequence[Recognised],
        options: ImportOptions,
        model: str | None,
        revision: str | None,
    ) -> None:
        self._files = files
        self._options = options
        self._given = model
        self._revision = revision
        self._models: dict[str, str] = {}
        self.model_said = False
        for known in files:
            if known.about.model:
                self._models.setdefault(str(known.about.model), known.file.name)

    def see(self, roles: RoleBatch, name: str) -> None:
        """Takes note of the models that rows name.

        Raises:
            InvalidInputError: the rows are of two models.
        """
        column = roles.of_rows.get("model")
        if column is None:
            return
        codes, values = distinct_values(column)
        for code, value in enumerate(values):
            model = str(value)
            if model in self._models or not model:
                continue
            row = int(roles.numbers[int((codes == code).argmax())])
            self._models[model] = f"{name}, row {row}"
            self._refuse_two()

    def _refuse_two(self) -> None:
        if len(self._models) < 2:
            return
        (one, first), (two, second) = list(self._models.items())[:2]
        raise InvalidInputError(
            f"{second}: completions of the model {two!r}, and of {one!r} in {first}: one run "
            "holds one model. Import the files of each model apart"
        )

    def result(
        self, requested: Mapping[str, Sequence[Any]]
    ) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """(model of run.json, sampling of run.json, notes).

        Args:
            requested: sampling parameters of requests, each with the values met.

        Raises:
            InvalidInputError: files are of two models, or drawn with two temperatures.
        """
        self._refuse_two()
        said = next(iter(self._models), None)
        notes = []
        if self._given and said and self._given != said:
            notes.append(f"the files name the model {said!r}; recorded is {self._given!r}")
        model = self._given or said or self._name()
        self.model_said = bool(self._given or said)
        revision = self._revision
        revisions = list(dict.fromkeys(k.about.revision for k in self._files if k.about.revision))
        if revision is None and len(revisions) == 1:
            revision = revisions[0]
        elif revision is None and revisions:
            notes.append(
                f"the files are of {len(revisions)} policies ({revisions[0]} to {revisions[-1]}), "
                "and one run holds one model: import the files of each apart"
            )
        sampling: dict[str, Any] = {**dict.fromkeys(_KEYS), "stop": []}
        values: dict[str, dict[str, tuple[Any, str]]] = {}
        for known in self._files:
            for key, value in known.about.sampling.items():
                if value is not None:
                    values.setdefault(key, {}).setdefault(repr(value), (value, known.file.name))
        for key, met in requested.items():
            for value in met:
                if value is not None:
                    values.setdefault(key, {}).setdefault(repr(value), (value, "a request"))
        for key in ("temperature", "top_p", "max_tokens"):
            given = getattr(self._options, key)
            if given is not None:
                values[key] = {repr(given): (given, "")}
        for key, met_values in values.items():
            if len(met_values) == 1:
                sampling[key] = next(iter(met_values.values()))[0]
            elif key in ("temperature", "top_p"):
                (one, first), (two, second) = list(met_values.values())[:2]
                raise InvalidInputError(
                    f"{second}: drawn with {key} {two}, and {first} with {one}: one run holds one "
                    f"set of sampling parameters. Import them apart, or state the value with "
                    f"--{key.replace('_', '-')}"
                )
        if isinstance(sampling["stop"], str):
            sampling["stop"] = [sampling["stop"]]
        return {"name": recorded_name(model), "revision": revision}, sampling, notes

    def _name(self) -> str:
        """A name for a model that no file names: that of the first source."""
        file = self._files[0].file
        if file.path is None:
            return file.name
        return _SUFFIXES.sub("", file.path.name) or file.path.name
