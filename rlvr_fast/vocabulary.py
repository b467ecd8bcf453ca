"""The words that several rooms share: verdicts, statuses of an answer, support rules, regions.

Each word is spelled once, in this module. The command line, the store, the metrics, the tables, the
figures and the page's script use the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

__all__ = [
    "AGREEMENT_COUNTS",
    "DECIDED",
    "DEVICES",
    "DTYPES",
    "FINISH_REASONS",
    "LABELS",
    "LABEL_KEYS",
    "NO_GOLD",
    "POLICIES",
    "PREFILL_CHARACTERS",
    "REGIONS",
    "REGION_KEYS",
    "RULES",
    "SAMPLING_DEFAULTS",
    "STATUSES",
    "UNDECIDED",
    "VERDICTS",
    "VERDICT_SOURCES",
    "Device",
    "DeviceMap",
    "Dtype",
    "FinishReason",
    "Label",
    "Policy",
    "Rule",
    "Status",
    "Verdict",
    "VerdictSource",
]

# The outcome of the verification of one answer.
Verdict = Literal["correct", "incorrect", "unparsed", "timeout", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# Verdicts that settle whether the answer was right, and verdicts that leave the question open.
DECIDED: tuple[Verdict, ...] = ("correct", "incorrect")
UNDECIDED: tuple[Verdict, ...] = ("unparsed", "timeout", "error")

# The grader of imported completions whose problem has no gold answer; their verdict is "error".
NO_GOLD = "no gold answer"

# Whose verdicts a grading takes: this package's verifiers or the word of the imported file; "auto"
# takes ours where the problems have what the verifiers need.
VerdictSource = Literal["auto", "ours", "imported"]
VERDICT_SOURCES: tuple[VerdictSource, ...] = get_args(VerdictSource)

# Whether a completion holds an answer; the compiled core numbers them in this order.
Status = Literal["found", "unfinished", "missing", "malformed"]
STATUSES: tuple[Status, ...] = get_args(Status)

# Why a completion ended; "unknown" where finished completions came without a reason.
FinishReason = Literal["stop", "length", "unknown"]
FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)

# How an answer is found in a completion; docs of each in `rlvr_fast.extract_answers`.
Policy = Literal[
    "auto", "answer_tag", "boxed", "after_think", "final_line", "last_number", "code_block"
]
POLICIES: tuple[Policy, ...] = get_args(Policy)

# When a model counts as reaching a problem (Leash, arXiv 2507.14843, section 3 and appendix C.4).
Rule = Literal["seen", "epsilon"]
RULES: tuple[Rule, ...] = get_args(Rule)

# Where a model runs; "auto" is a GPU where there is one, else the CPU.
Device = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[Device, ...] = get_args(Device)

# How the layers of one model are spread over several GPUs, as transformers' device_map.
DeviceMap = Literal["none", "auto", "balanced", "sequential"]

# The type of a model's weights; "auto" is float32 on the CPU and bfloat16 on a GPU.
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)

# The longest beginning of the assistant's turn: extraction reads it in front of every completion.
PREFILL_CHARACTERS = 1000

# Sampling parameters that run.json holds only where they differ from these values; a parameter that
# a file does not state has its value here.
SAMPLING_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "min_tokens": 0,
        "stop_token_ids": (),
    }
)


class Label(NamedTuple):
    """The label of one problem, and the letter, words and colours that show the label.

    Attributes:
        key: the name in tables, summary.json and arrays of labels.
        letter: the letter of the papers.
        word: one plain word, for sentences and legends.
        meaning: the meaning of the word, for legends.
        colour: on white paper (figures and the light page).
        dark: on the dark page.
    """

    key: str
    letter: str
    word: str
    meaning: str
    colour: str
    dark: str


# Okabe and Ito's hues (jfly.uni-koeln.de/color), darkened for white paper.
REGIONS: tuple[Label, ...] = (
    Label("preserved", "P", "kept", "reached by both models", "#2f6db0", "#6aa5de"),
    Label("shrunk", "S", "lost", "by the base only", "#c4501b", "#ef8a4f"),
    Label("expanded", "E", "found", "by the RL model only", "#1a7f5f", "#43b98f"),
    Label("out", "O", "neither", "", "#6b7280", "#8d96a2"),
)
# The four regions, and where the samples decide on none of them.
LABELS: tuple[Label, ...] = (
    *REGIONS,
    Label("undetermined", "?", "undecided", "the samples do not tell", "#8a6d00", "#d6ab35"),
)
REGION_KEYS: tuple[str, ...] = tuple(region.key for region in REGIONS)
LABEL_KEYS: tuple[str, ...] = tuple(label.key for label in LABELS)

# How our verdicts compare with imported ones, in numbers of completions (grading.json).
AGREEMENT_COUNTS: tuple[str, ...] = (
    "compared",
    "agreed",
    "only_ours_correct",
    "only_imported_correct",
    "unparsed",
    "unparsed_correct",
    "undecided",
)
