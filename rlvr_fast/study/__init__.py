"""The whole job from one file: what a study says, its checks, its stages and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlvr_fast.lazy_names import lazy_name

if TYPE_CHECKING:
    from rlvr_fast.study.checks import STUDY_FOLDERS, StudyCheck, check_place, check_study
    from rlvr_fast.study.config import StudyConfig, demo_config
    from rlvr_fast.study.job import StudyResult, check_source, report_runs, run_of, run_study
    from rlvr_fast.study.models import StudyModel
    from rlvr_fast.study.work import StudyWork, study_work, work_sentences

# name -> the module that defines it. Resolved on first use, so that a study file is read without
# pyarrow and torch.
_HOME = {
    "STUDY_FOLDERS": "checks",
    "StudyCheck": "checks",
    "StudyConfig": "config",
    "StudyModel": "models",
    "StudyResult": "job",
    "StudyWork": "work",
    "check_place": "checks",
    "check_source": "job",
    "check_study": "checks",
    "demo_config": "config",
    "report_runs": "job",
    "run_of": "job",
    "run_study": "job",
    "study_work": "work",
    "work_sentences": "work",
}

__all__ = [
    "STUDY_FOLDERS",
    "StudyCheck",
    "StudyConfig",
    "StudyModel",
    "StudyResult",
    "StudyWork",
    "check_place",
    "check_source",
    "check_study",
    "demo_config",
    "report_runs",
    "run_of",
    "run_study",
    "study_work",
    "work_sentences",
]


def __getattr__(name: str) -> Any:
    return lazy_name(__name__, _HOME, name)


def __dir__() -> list[str]:
    return __all__
