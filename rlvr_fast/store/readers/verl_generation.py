"""verl: Parquet of its offline generation, the data set with a column of responses.

Source: verl/trainer/main_generation_server.py, examples/data_preprocess/gsm8k.py (verl 0.9).
"""

from __future__ import annotations

from rlvr_fast.store.readers.reader import Reader, Sample

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return (
        sample.has("prompt", "responses")
        and isinstance(sample.first("responses"), list)
        and (sample.has("reward_model") or sample.has("data_source"))
    )


# `extra_info.index` counts rows of one split of one source, so that the question identifies.
READER = Reader(
    name="verl-generation",
    help="verl.trainer.main_generation_server: the data set's Parquet with `responses`",
    matches=_matches,
    fields={
        "question": "prompt",
        "completion": "responses",
        "gold": ("reward_model.ground_truth", "extra_info.answer"),
        "metadata": "extra_info",
    },
)
