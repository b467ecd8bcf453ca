"""The usual names of the fields of a rollout, and the values that fit each role."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = [
    "FITS",
    "NAMES",
    "holds_completion",
    "is_chat",
    "is_list",
    "is_several",
    "may_complete",
    "names_of",
    "plain_name",
    "shown",
    "speaker",
    "text_of",
    "word_of",
]


# Tiers of names, the most certain first. A later tier counts where no name of an earlier one is in
# the rows; within a tier, two fields of different values are ambiguous.
_COMPLETION = (
    "completion completions response responses generation generations output outputs model_output "
    "model_outputs model_response model_responses generated_text generated_texts generated "
    "generated_solution generated_solutions generated_answer generated_answers llm_output "
    "llm_response llm_answer model_completion model_completions raw_response raw_output "
    "full_response output_text response_text completion_text resps rollout rollouts samples "
    "sampled_responses model_answer_full assistant_response assistant full_output",
    "text texts prediction predictions content code output.text output.content response.text "
    "response.content completion.text completion.content generation.text message.content message "
    "candidates model_answer pred preds attempt attempts",
)
_QUESTION = (
    "question problem problem_text question_text question_content problem_statement "
    "original_question raw_question user_prompt query extra_info.question doc.question "
    "problem.question question.text prompt prompts prompt_text raw_prompt full_prompt "
    "formatted_prompt input_prompt input instruction prompt_messages input_messages messages "
    "user_message doc.problem problem.prompt extra_info.problem",
)
_GOLD = (
    "ground_truth groundtruth gold golden gt gts gold_answer golden_answer gold_answers "
    "gt_answer true_answer correct_answer expected_answer reference_answer ref_answer answer_key "
    "ground_truth_answer gold_target reward_model.ground_truth reward_spec.ground_truth "
    "extra_info.ground_truth env_extras.reward_spec.ground_truth metadata.ground_truth "
    "metadata.gold expected_output expected",
    "final_answer answer target label reference answers targets labels references "
    "extra_info.answer metadata.answer info.answer doc.answer problem.answer",
    "solution reference_solution gold_solution ground_truth_solution gt_solution gt_cot",
)
_ID = (
    "problem_id question_id task_id qid problem_idx question_idx problem_index question_index "
    "prompt_id prompt_idx prompt_index example_id example_idx doc_id item_id instance_id "
    "unique_id data_id dataset_index dataset_idx orig_dset_idx",
    "id idx index uid uuid key extra_info.index extra_info.id metadata.id problem.id doc.id "
    "group_id row_id sample_id",
)
_SAMPLE_INDEX = (
    "sample_index sample_idx idx_answer answer_idx answer_index sample_id sample_number sample_num "
    "draw draw_index draw_idx rollout_index rollout_idx rollout_id rollout "
    "completion_index completion_idx completion_id "
    "response_index response_idx response_id generation_index generation_idx generation_id sample "
    "repeat repeat_index repeat_idx repeat_id trial trial_index trial_id attempt attempt_index "
    "attempt_id epoch run run_index run_id repetition replica",
)
_VERDICT = (
    "correct is_correct iscorrect acc verdict passed is_passed all_passed pass is_right "
    "correctness corrects is_corrects graded_list symbolic_correct math_verify success solved "
    "is_solved judgement judgment verified is_verified exact_match accuracy matched right",
    "label score scores grade",
)
_REWARD = (
    "reward rewards score scores reward_score accuracy_reward math_reward total_reward "
    "final_reward outcome_reward grade",
)
_FINISH = (
    "finish_reason finish_reasons finished_reason finishreason stop_reason stop_reasons "
    "completion_reason response_finish_reason generation_finish_reason "
    "termination_reason end_reason meta_info.finish_reason.type meta_info.finish_reason "
    "response.finish_reason output.finish_reason",
)

NAMES: Mapping[str, tuple[str, ...]] = {
    "completion": _COMPLETION,
    "question": _QUESTION,
    "gold": _GOLD,
    "problem_id": _ID,
    "sample_index": _SAMPLE_INDEX,
    "verdict": _VERDICT,
    "reward": _REWARD,
    "finish_reason": _FINISH,
    "token_ids": (
        "token_ids completion_token_ids response_token_ids output_token_ids output_ids "
        "response_ids completion_ids generated_ids generated_token_ids completion_tokens "
        "response_tokens output_tokens tokens",
    ),
    "prompt_token_ids": ("prompt_token_ids prompt_ids input_token_ids prompt_tokens input_tokens",),
    "logprobs": (
        "logprobs log_probs token_logprobs completion_logprobs response_logprobs "
        "output_logprobs output_token_logprobs rollout_log_probs rollout_logprobs "
        "sampler_logprobs policy_logprobs",
    ),
    "reference_logprobs": (
        "reference_logprobs ref_logprobs reference_log_probs ref_log_probs base_logprobs "
        "ref_log_prob",
    ),
    "seed": ("seed random_seed sampling_seed",),
    "model": ("model model_name model_id model_path generator model_name_or_path",),
    "reasoning": (
        "reasoning_content reasoning thinking thinking_content reasoning_text think thoughts",
    ),
    "error": ("error api_error error_message exception",),
    "task": ("task task_name benchmark dataset dataset_name data_source",),
    "system": ("system system_prompt system_message",),
}

_WORDS = (
    "true false 1 0 1.0 0.0 yes no y n t f c i pass passed fail failed correct incorrect right "
    "wrong timeout"
)


def names_of(role: str) -> tuple[str, ...]:
    """The usual names of a role, the most certain first."""
    return tuple(name for tier in NAMES.get(role, ()) for name in tier.split())


def is_chat(value: Any) -> bool:
    """Whether a value is a list of messages: [{"role", "content"}] or [{"from", "value"}]."""
    return (
        is_list(value)
        and len(value) > 0
        and all(
            isinstance(message, Mapping) and ("role" in message or "from" in message)
            for message in value
        )
    )


# The last word of a key that may hold completions, as in `qwen_response`, where no usual name is
# there; a key with one of the other words holds something else.
_LAST_WORDS = ("response", "responses", "completion", "completions", "output", "outputs",
               "generation", "generations")  # fmt: skip
_OTHER_WORDS = (
    "expected",
    "reference",
    "gold",
    "correct",
    "target",
    "true",
    "ideal",
    "prompt",
    "input",
)
_SPEAKERS = {
    "human": "user", "gpt": "assistant", "model": "assistant", "chatgpt": "assistant",
    "bot": "assistant", "ai": "assistant",
}  # fmt: skip


def may_complete(name: str) -> bool:
    """Whether a key that is no usual name may hold completions, as `qwen_response`."""
    words = name.split("_")
    return (
        "." not in name
        and " " not in name
        and words[-1] in _LAST_WORDS
        and not set(words) & set(_OTHER_WORDS)
    )


def speaker(message: Mapping[str, Any]) -> str:
    """The role of a message: "user", "assistant", ...; ShareGPT's words are mapped."""
    word = str(message.get("role", message.get("from", ""))).lower()
    return _SPEAKERS.get(word, word)


def is_several(value: Any) -> bool:
    """Whether a completion's value holds several draws: a list of texts or of chat lists."""
    return is_list(value) and all(
        item is None or isinstance(item, str) or is_chat(item) for item in value
    )


def holds_completion(value: Any) -> bool:
    """Whether a value may be a completion: text, message, content parts, or several of these."""
    if isinstance(value, str):
        return True
    if isinstance(value, Mapping):
        return "content" in value and ("role" in value or isinstance(value["content"], str))
    return is_list(value) and all(
        item is None
        or isinstance(item, str)
        or is_chat(item)
        or (isinstance(item, Mapping) and ("role" in item or "type" in item))
        for item in value
    )


def word_of(value: Any) -> str:
    """A value as a word, the same for True, "true", 1 and 1.0."""
    word = text_of(value).strip().lower()
    return {"true": "1", "false": "0", "1.0": "1", "0.0": "0"}.get(word, word)


def shown(value: Any) -> str:
    """A value in a message, cut short."""
    text = text_of(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def is_list(value: Any) -> bool:
    """Whether a value is a list of any kind."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def plain_name(name: str) -> str:
    """`Finish Reason`, `finish-reason` and `finishReason` are one name."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\s\-_]+", "_", name.strip()).lower()


def text_of(value: Any) -> str:
    """A value as text, the same for equal values."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _is_index(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_index, value))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool) and number.is_integer() and 0 <= number < 2**31


def _is_word(value: Any) -> bool:
    if is_list(value):
        return all(item is None or _is_word(item) for item in value)
    return str(value).strip().lower() in _WORDS.split()


def _is_number(value: Any) -> bool:
    if is_list(value):
        return all(item is None or _is_number(item) for item in value)
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_numbers(value: Any) -> bool:
    return is_list(value) and all(
        isinstance(item, int | float) or item is None or _is_numbers(item) for item in value
    )


def _is_integers(value: Any) -> bool:
    return is_list(value) and all(isinstance(item, int) or _is_integers(item) for item in value)


def _is_question(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("content"), str)
    return (isinstance(value, str) and value.strip() != "") or is_chat(value)


def _is_gold(value: Any) -> bool:
    return isinstance(value, str | int | float | list) and not isinstance(value, bool)


def _is_label(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 200


def _is_reason(value: Any) -> bool:
    return _is_label(value) or (is_list(value) and all(v is None or _is_label(v) for v in value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        is_list(value) and all(v is None or isinstance(v, str) for v in value)
    )


FITS: Mapping[str, Callable[[Any], bool]] = {
    "completion": holds_completion,
    "question": _is_question,
    "gold": _is_gold,
    "problem_id": _is_scalar,
    "sample_index": _is_index,
    "verdict": _is_word,
    "reward": _is_number,
    "finish_reason": _is_reason,
    "token_ids": _is_integers,
    "prompt_token_ids": _is_integers,
    "logprobs": _is_numbers,
    "reference_logprobs": _is_numbers,
    "seed": _is_number,
    "model": _is_label,
    "reasoning": _is_text,
    # A number may be a measured error.
    "error": lambda value: not isinstance(value, int | float) or isinstance(value, bool),
    "task": _is_label,
    "system": lambda value: isinstance(value, str),
}
