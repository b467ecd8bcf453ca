"""The model and the sampling parameters of an import: given, or as the files say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.importing.detection import Recognised
from rlvr_fast.store.importing.roles import RoleBatch
from rlvr_fast.store.json_files import sampling_fault
from rlvr_fast.store.options import DRAWN, ImportOptions
from rlvr_fast.store.recorded import recorded_name
from rlvr_fast.store.rollouts.columns import distinct_values
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["ModelAndSampling"]

_KEYS = ("temperature", "top_p", "max_tokens", "seed", "stop")
# Of two values of these, there are two distributions that tokens were drawn from.
_ONE_DISTRIBUTION = (
    "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty",
    "repetition_penalty",
)  # fmt: skip
_WHOLE = ("top_k", "min_tokens")
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
        said_by = [
            (key, value, known.file.name)
            for known in self._files
            for key, value in known.about.sampling.items()
        ]
        said_by += [(key, value, "a request") for key, met in requested.items() for value in met]
        for key, stated, where in said_by:
            value = _normal(key, stated)
            if value is None:
                continue
            fault = sampling_fault(key, value) if key in SAMPLING_DEFAULTS else None
            if fault:
                notes.append(f"{where}: {key} is not recorded: {fault}")
            else:
                values.setdefault(key, {}).setdefault(repr(value), (value, where))
        for key in DRAWN:
            given = _normal(key, getattr(self._options, key))
            if given is not None:
                values[key] = {repr(given): (given, "")}
        for key, met_values in values.items():
            if len(met_values) == 1:
                sampling[key] = next(iter(met_values.values()))[0]
            elif key in _ONE_DISTRIBUTION:
                (one, first), (two, second) = list(met_values.values())[:2]
                stating = f", or state the value with --{key.replace('_', '-')}"
                raise InvalidInputError(
                    f"{second}: drawn with {key} {two}, and {first} with {one}: one run holds one "
                    "set of sampling parameters. Import them apart"
                    f"{stating if hasattr(self._options, key) else ''}"
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


def _normal(key: str, value: Any) -> Any:
    """A stated parameter as run.json spells it: tools write 20.0 for 20, and -1 for no top_k."""
    if key in _WHOLE and isinstance(value, float) and value.is_integer():
        value = int(value)
    if key == "top_k" and value == -1:
        return 0
    if key == "stop_token_ids" and isinstance(value, list):
        ids = [each for each in value if isinstance(each, int) and not isinstance(each, bool)]
        return sorted(set(ids)) if len(ids) == len(value) else value
    return value
