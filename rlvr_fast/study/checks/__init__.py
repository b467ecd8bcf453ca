"""Everything about a study that can be checked before the first draw, all faults at once.

No weights are read and nothing is written: a model is looked at through its configuration, its
tokenizer and the headers of its files. What is finished is not checked again.
"""

from __future__ import annotations

from rlvr_fast.study.checks.places import STUDY_FOLDERS, check_place
from rlvr_fast.study.checks.whole import StudyCheck, check_study

__all__ = ["STUDY_FOLDERS", "StudyCheck", "check_place", "check_study"]
