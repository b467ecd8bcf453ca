"""What the name of a file says: its place in natural order, and whether it can hold rollouts."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["is_checkpoint", "natural_key", "why_skipped"]


def natural_key(name: str) -> tuple[tuple[tuple[int, str], ...], ...]:
    """A key that sorts seed2 before seed10, and a folder's own files by their folder.

    Example:
        >>> sorted(["b10.jsonl", "b9.jsonl", "a/x"], key=natural_key)
        ['a/x', 'b9.jsonl', 'b10.jsonl']
    """
    return tuple(
        tuple(
            (int(piece), "") if piece.isdecimal() else (-1, piece)
            for piece in re.split(r"([0-9]+)", part)
        )
        for part in name.split("/")
    )


_HIDDEN = "hidden"
_UNPICKLED = "a pickle or an array: nothing is unpickled"
# The names of files that trainers, harnesses and hubs put beside rollouts.
_RULES: tuple[tuple[str, str], ...] = (
    (r"\..*", _HIDDEN),
    (r".*(~|\.swp|\.tmp|\.part|\.incomplete|\.crdownload|\.bak|-async)", "unfinished or a copy"),
    (r".*\.(lock|pid|log|out|err|md|rst|txt|html?|pdf|tex|css|js|sh|py|ipynb|c|cpp|h|cfg|ini|toml)",
     "a document, log or program"),
    (r".*\.(png|jpe?g|gif|svg|webp|bmp|ico|mp4|wav|mp3|ttf|woff2?)", "an image or a recording"),
    (r"(readme|license|licence|notice|changelog|makefile|dockerfile)(\..*)?", "a document"),
    (r".*\.(pkl|pickle|npy|npz|joblib)(\.(gz|zst))?", _UNPICKLED),
    (r".*\.(safetensors|bin|ckpt|pth|gguf|onnx|msgpack|h5|distcp|model|index)|.*\.index\.json",
     "a model"),
    (r"(model|optim|optimizer|scheduler|rng|rng_state|extra_state|training_args|scaler)"
     r"([_.-].*)?\.pt|data\.pt|.*world_size_\d+.*\.pt|.*_optim_states\.pt|.*_model_states\.pt",
     "a checkpoint"),
    (r"(tokenizer|tokenizer_config|vocab|added_tokens|special_tokens_map|generation_config|"
     r"preprocessor_config|processor_config|chat_template|quantize_config|trainer_state|"
     r"adapter_config)\.(json|jinja)|merges\.txt", "part of a model"),
    (r"(.*[-_.])?config(s|uration)?([-_.].*)?\.(json|ya?ml|toml)", "a configuration"),
    (r"(.*[-_.])?meta-?data([-_.].*)?\.(jsonl?|ya?ml|csv)|(.*_)?meta\.json", "metadata"),
    (r"(.*[-_.])?metrics([-_.].*)?\.(jsonl?|csv|tsv|ya?ml|parquet)(\.(gz|zst))?", "metrics"),
    (r"(run|grading|audit|summary|eval_set|eval-set|stats|statistics|args|params|hparams|overrides|"
     r"hydra|manifest|report|timing|progress)\.(json|ya?ml)", "about a run"),
    (r"aggregated_results\.jsonl?", "metrics"),
    (r".*[._-]failures\.jsonl?(\.(gz|zst))?", "failed draws"),
    (r"dataset_infos?\.json|dataset_dict\.json", "about a data set"),
    (r"_success|_metadata|_common_metadata|_committed.*|_started.*|.*\.crc|sha256sums?|md5sums?|"
     r".*\.(sha256|md5)", "about other files"),
    (r"events\.out\.tfevents.*|.*\.wandb", "a log of a trainer"),
    (r"thumbs\.db|desktop\.ini", _HIDDEN),
)  # fmt: skip
_FOLDERS: tuple[tuple[str, str], ...] = (
    (r"\..*", _HIDDEN),
    (r"__pycache__|__macosx|node_modules", _HIDDEN),
    (r"wandb|tensorboard|tb_logs|configs|\.?hydra", "configurations or logs of a trainer"),
)
_CHECKPOINT = re.compile(r"checkpoints?|checkpoint-\d+|ckpts?|global_?step_?\d+", re.I)
_COMPILED = [(re.compile(pattern, re.I | re.S), why) for pattern, why in _RULES]
_COMPILED_FOLDERS = [(re.compile(pattern, re.I | re.S), why) for pattern, why in _FOLDERS]


def why_skipped(name: str, siblings: Collection[str] = ()) -> str | None:
    """Why a file of a folder is no file of rollouts by its name; None where it may be one.

    Args:
        name: the name of a file or, with a slash at its end, of a folder.
        siblings: the names in the same folder.
    """
    rules = _COMPILED
    if name.endswith("/"):
        name, rules = name[:-1], _COMPILED_FOLDERS
    for pattern, why in rules:
        if pattern.fullmatch(name):
            return why
    # lm-evaluation-harness writes both; evalchemy writes its rollouts into results_*.json alone.
    if name.startswith("results_") and any(other.startswith("samples_") for other in siblings):
        return "the metrics of the samples beside it"
    # Maps and filters of a data set leave copies beside its shards.
    if name.startswith("cache-") and any(re.match(r"data-.*\.arrow", o) for o in siblings):
        return "a copy of the data beside it"
    if name == "state.json" and any(other.endswith(".arrow") for other in siblings):
        return "about a data set"
    return None


def is_checkpoint(name: str, children: Collection[str]) -> bool:
    """Whether a folder is a checkpoint: evaluations of checkpoints carry the same names."""
    return _CHECKPOINT.fullmatch(name) is not None and any(
        why_skipped(child) in ("a model", "a checkpoint") for child in children
    )
