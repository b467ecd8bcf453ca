"""The verifier of a dataset of Reasoning Gym."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.errors import InvalidInputError, RlvrError, shown
from rlvr_fast.tasks.base import Equivalence
from rlvr_fast.tasks.schemes.reasoning_gym.answer_grammars import EVALUATING, refusal
from rlvr_fast.tasks.schemes.reasoning_gym.answer_sizes import excess
from rlvr_fast.tasks.schemes.reasoning_gym.config import (
    FIXES_OPTION,
    GUARDS_OPTION,
    dataset_of,
    generator,
)
from rlvr_fast.tasks.schemes.reasoning_gym.fixes import fixed
from rlvr_fast.tasks.schemes.reasoning_gym.guards import guard_of, guard_refusal
from rlvr_fast.tasks.schemes.reasoning_gym.process_state import own_process_state
from rlvr_fast.tasks.schemes.reasoning_gym.reading import READING, read_forms
from rlvr_fast.tasks.specs import TaskSpec
from rlvr_fast.vocabulary import Verdict

__all__ = ["GymVerifier", "question_sha256"]

# Processor seconds in which a dataset has to load and to generate one problem.
PREPARE_SECONDS = 60.0
MAX_INDEX = 1 << 31


class GymVerifier:
    """The dataset's own `score_answer`; an answer is correct where it scores 1 or more.

    Partial credit (for example 0.05 for a well-formed wrong answer) is a shaping reward and not
    correctness. The problem is generated again from the spec and its index, and has to be the
    problem that was asked; each answer is scored against a copy of it. An answer outside the
    grammar of its dataset (`answer_grammars.py`) is incorrect and never reaches the dataset's code,
    which evaluates answers in several datasets; one for which that code raises an exception is
    incorrect as well. Call the verifier in a worker process all the same.

    The answer is scored as it stands, and then in its plain forms (`reading.py`). What the dataset
    scores as correct has to pass the guard of the dataset too (`guards.py`). `guards=off` leaves
    both out.

    Attributes:
        reason: why the dataset could not or was not asked to score the last answer, else empty.
    """

    equivalence: Equivalence = "exact"

    def __init__(self, spec: TaskSpec) -> None:
        self._spec = spec
        self._fixes = spec.options.get(FIXES_OPTION, "none")
        self._guarded = spec.options.get(GUARDS_OPTION, "on") == "on"
        self._dataset: Any = None
        self.reason = ""
        self._entries: dict[int, dict[str, Any]] = {}

    @property
    def name(self) -> str:
        """The package, its version, the dataset, our readings, guard and fixes."""
        source, guard = self._spec.source, guard_of(self._spec.source)
        ours = f"{READING}{f', guard {guard}' if guard else ''}" if self._guarded else "guards off"
        mended = " with leash fixes" if self._fixes == "leash" else ""
        return f"{generator()} {source} ({ours}){mended}"

    @property
    def evaluates(self) -> bool:
        """Whether the dataset's code evaluates text as Python; see `Verifier`."""
        return self._spec.source in EVALUATING

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        """Generates the problem again; see `Verifier`.

        Raises:
            InvalidInputError: the problem is not the problem that was asked.
        """
        self._entry(problem_id, metadata)

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        """The limit that the caller asks for."""
        return timeout

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        """Correct where the dataset's score is 1 or more; see `Verifier`."""
        return "correct" if self.score(problem_id, metadata, answer) >= 1.0 else "incorrect"

    def score(self, problem_id: str, metadata: Mapping[str, Any], answer: str) -> float:
        """The dataset's own reward, partial credit included; of all forms the best."""
        return self.scored(answer, self._entry(problem_id, metadata))

    def scored(self, answer: str, entry: dict[str, Any]) -> float:
        """The score of an answer to a problem that the dataset generated."""
        with own_process_state():
            return self._scored(answer, entry)

    def _scored(self, answer: str, entry: dict[str, Any]) -> float:
        reasons = []
        best = 0.0
        for form in self._forms(answer, entry):
            reward = self._reward(form, entry)
            if reward >= 1.0:
                self.reason = ""
                return reward
            reasons.append(self.reason)
            best = max(best, reward)
        self.reason = next(filter(None, reasons), "")
        return best

    def _forms(self, answer: str, entry: dict[str, Any]) -> list[str]:
        """The answer as it stands, then in other forms, each once."""
        forms = [answer]
        if self._guarded:
            forms += read_forms(self._spec.source, answer, entry)
        if self._fixes == "leash":
            forms.append(fixed(self._spec.source, answer))
        return list(dict.fromkeys(forms))

    def _reward(self, answer: str, entry: dict[str, Any]) -> float:
        source = self._spec.source
        self.reason = refusal(source, answer, entry) or excess(source, answer, entry) or ""
        if self.reason:
            return 0.0
        try:
            reward = self._own_score(answer, entry)
            if reward >= 1.0 and self._guarded:
                self.reason = guard_refusal(source, answer, entry) or ""
            return 0.0 if self.reason else reward
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            # Several verifiers raise where an answer is not of their form (prime_factorization on
            # "7 and 11"). One that fails on its own gold answer as well is what is broken.
            if isinstance(entry["answer"], str):
                self._own_score(entry["answer"], entry)
            self.reason = f"the dataset's verifier cannot read it ({type(error).__name__})"
            return 0.0

    def _own_score(self, answer: str, entry: dict[str, Any]) -> float:
        # A copy, as knight_swap writes what it found into the entry that it is given.
        return float(self._loaded().score_answer(answer, copy.deepcopy(entry)))

    def _loaded(self) -> Any:
        if self._dataset is None:
            self._dataset = dataset_of(self._spec)
        return self._dataset

    def _entry(self, problem_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        index = metadata.get("index")
        if type(index) is not int or not 0 <= index < MAX_INDEX:
            raise InvalidInputError(
                f'problem {shown(problem_id)}: expected the number of a problem as "index" of its '
                f"metadata, got {shown(index)}"
            )
        if index not in self._entries:
            with _clock(str(self._spec)), own_process_state():
                entry = self._generated(index)
            if question_sha256(entry["question"]) != metadata.get("question_sha256"):
                raise InvalidInputError(
                    f"problem {problem_id!r} ({self._spec}, index {index}) is not the problem "
                    f"that was asked: it was generated by {metadata.get('generator')} and is now "
                    f"generated by {generator()} with PYTHONHASHSEED="
                    f"{os.environ.get('PYTHONHASHSEED', 'random')}. Install the version it was "
                    "generated with; datasets that iterate over sets also need PYTHONHASHSEED=0, "
                    "which the worker processes of grade_run set."
                )
            if len(self._entries) >= 4096:
                self._entries.clear()
            self._entries[index] = entry
        return self._entries[index]

    def _generated(self, index: int) -> dict[str, Any]:
        try:
            entry: dict[str, Any] = self._loaded()[index]
        except (MemoryError, RlvrError):
            raise
        except Exception as error:
            raise InvalidInputError(
                f"task {shown(str(self._spec), 400)}: {generator()} failed to generate problem "
                f"{index}: {shown(f'{type(error).__name__}: {error}', 400)}"
            ) from error
        return entry


class _LateError(BaseException):
    """The clock of `_clock`: no Exception, because code of datasets catches those."""


@contextlib.contextmanager
def _clock(spec: str) -> Iterator[None]:
    """Ends the generation of one problem after PREPARE_SECONDS of processor time.

    The clock is that of the process in its own code (SIGVTALRM): neither the load of the machine
    nor the limit of an answer (SIGPROF) concerns it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return

    def stop(number: int, frame: object) -> None:
        raise _LateError

    before = signal.signal(signal.SIGVTALRM, stop)
    # Again and again: code of a dataset may catch the first.
    signal.setitimer(signal.ITIMER_VIRTUAL, PREPARE_SECONDS, 1.0)
    try:
        yield
    except _LateError:
        raise InvalidInputError(
            f"task {shown(spec, 400)}: {generator()} did not generate a problem within "
            f"{PREPARE_SECONDS:g} s of processor time; the ranges of its config are too large"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def question_sha256(text: str) -> str:
    """The digest by which a problem that is generated again is recognised."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
