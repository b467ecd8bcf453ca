"""From a question to the text a model is given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.safe_files import read_linked
from rlvr_fast.sampling.engine import Engine

__all__ = ["Template", "load_template"]

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Template:
    """How a question becomes a prompt.

    Attributes:
        name: "plain", "chat" or the name of a file.
        text: "{question}", the source of the chat template, or the contents of the file.
    """

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """A digest of `text` and of whether it is a chat template."""
        return hashlib.sha256(f"{self.name == 'chat'}\0{self.text}".encode()).hexdigest()

    def render(self, question: str, engine: Engine) -> str:
        """The prompt of `question`."""
        if self.name == "chat":
            return engine.render_chat(question)
        # Not str.format: a template may hold other braces, as LaTeX does.
        return self.text.replace("{question}", question)

    def to_json(self) -> dict[str, str]:
        """The object "prompt_template" of run.json."""
        return {"name": self.name, "sha256": self.sha256}


def load_template(name: str, engine: Engine) -> Template:
    """The template `name` for `engine`.

    Args:
        name: "plain" is the question alone; "chat" is the question in the model's chat template;
            "auto" is "chat" where the model has such a template and "plain" elsewhere; any other
            name is the path of a text file that holds {question}.
        engine: the engine that will draw, which knows the chat template.

    Raises:
        InvalidInputError: the model has no chat template, there is no such file, or the file is too
            long or does not hold {question}.
    """
    if name == "plain":
        return Template("plain", "{question}")
    if name in ("auto", "chat"):
        chat = engine.chat_template
        if name == "auto" and chat is None:
            return Template("plain", "{question}")
        if chat is None:
            raise InvalidInputError(
                f"the tokenizer of {engine.model} has no chat template; use --template plain, "
                "or a text file that holds {question}"
            )
        return Template("chat", chat)
    file = Path(name)
    try:
        data = read_linked(file, at_most=_MOST_BYTES, pipes=True)
        text = data.decode("utf-8").replace("\r\n", "\n")
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"expected the template 'auto', 'plain', 'chat' or a readable text file, got {name!r} "
            f"({error})"
        ) from None
    if "{question}" not in text:
        raise InvalidInputError(f"{file}: the template does not hold {{question}}")
    return Template(file.name, text)
