"""Which form the prompts of several models have, found without loading any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["chat_template_of", "one_form"]


def chat_template_of(model: str, revision: str | None = None) -> str | None:
    """The source of a model's chat template, read without loading the model.

    Args:
        model: a folder, a .gguf file or a Hugging Face name.
        revision: branch, tag or commit of a Hugging Face name.

    Returns:
        The template that `--template chat` takes; None where the model has none.

    Raises:
        InvalidInputError: no such model, or damaged files.
        MissingDependencyError: a .gguf file without the package gguf.
    """
    raise NotImplementedError


def one_form(
    templates: Iterable[tuple[str, str | None]], *, tell: Callable[[str], None] | None = None
) -> str:
    """The template that "auto" stands for where several models are to have the same prompts.

    Args:
        templates: the name of each model and its chat template, as of `chat_template_of`.
        tell: called with a sentence for the user where the models differ.

    Returns:
        "chat" where all models have the same chat template, else "plain".
    """
    raise NotImplementedError
