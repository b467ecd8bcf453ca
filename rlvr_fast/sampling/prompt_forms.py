"""Which form the prompts of several models have, found without loading any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rlvr_fast.models import load_tokenizer
from rlvr_fast.sampling.tokenizer import TokenizerPrompts

__all__ = ["chat_template_of", "one_form"]


class _Prompts(TokenizerPrompts):
    def __init__(self, model: str, revision: str | None) -> None:
        self.model = model
        self._tokenizer = load_tokenizer(model, revision)


def chat_template_of(model: str, revision: str | None = None) -> str | None:
    """The source of a model's chat template, read from its tokenizer alone.

    Args:
        model: a folder, a .gguf file or a Hugging Face name.
        revision: branch, tag or commit of a Hugging Face name.

    Returns:
        The template that `--template chat` takes; None where the model has none.

    Raises:
        InvalidInputError: no such model, damaged files, or several templates without a default.
        MissingDependencyError: a .gguf file without the package gguf.
    """
    return _Prompts(model, revision).chat_template


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
    found = list(templates)
    kinds = {template for _, template in found}
    if len(kinds) <= 1:
        return "chat" if kinds - {None} else "plain"
    if tell is not None:
        none = [name for name, template in found if template is None]
        what = (
            f"{', '.join(none)} {'has' if len(none) == 1 else 'have'} no chat template, the other "
            f"{'models have' if len(found) - len(none) > 1 else 'model has'} one"
            if none
            else f"{', '.join(name for name, _ in found)} have different chat templates"
        )
        tell(
            f"{what}: template auto is plain for all of them, so that every model is given the "
            "same prompts. For another form name it: a text file that holds {question}, or chat"
        )
    return "plain"
