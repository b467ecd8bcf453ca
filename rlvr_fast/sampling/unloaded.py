"""A model whose configuration and tokenizer alone are read: it makes prompts as engines do."""

from __future__ import annotations

from typing import Any

from rlvr_fast.models import causal_lm_class, load_without_weights, local_revision
from rlvr_fast.sampling.tokenizer import TokenizerPrompts

__all__ = ["UnloadedModel"]


class UnloadedModel(TokenizerPrompts):
    """The part of an engine that needs no weights, for checks before a model is loaded.

    Attributes:
        model: the folder, file or name.
        revision: as of an engine.
        context_length: as of an engine; None where the configuration does not say it.
        vocab_size: as of an engine.
        architecture: the class of transformers that the model is loaded into; None where
            transformers has no causal language model of this kind.
        tokenizer: the tokenizer of transformers.
    """

    def __init__(self, model: str, *, revision: str | None = None) -> None:
        """Reads the configuration and the tokenizer of `model`.

        Raises:
            InvalidInputError: the model does not exist, or its files are damaged.
            MissingDependencyError: a .gguf file without the package gguf.
        """
        self.model = model
        loaded, self._tokenizer = load_without_weights(model, revision)
        self.revision = revision or local_revision(model)
        config = loaded.get_text_config()
        context = getattr(config, "max_position_embeddings", None)
        self.context_length: int | None = context if type(context) is int else None
        size = getattr(config, "vocab_size", None)
        self.vocab_size: int = size if type(size) is int else len(self._tokenizer)
        self.architecture = causal_lm_class(loaded)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers."""
        return self._tokenizer
