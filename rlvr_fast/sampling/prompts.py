"""From a question to the text a model is given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.safe_files import read_linked
from rlvr_fast.sampling.engine import Engine, PromptForm

__all__ = ["Template", "load_template"]

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Template:
    """How a question becomes a prompt.

    Attributes:
        name: "plain", "chat" or the name of a file.
        text: "{question}", the source of the chat template, or the contents of the file.
        messages: whether the engine takes messages and has a chat template of its own, which is
            not known here; then `text` makes the content of the user's message.
    """

    name: str
    text: str
    messages: bool = False

    @property
    def sha256(self) -> str:
        """A digest of `text`, and of whether it is a chat template or makes a message."""
        kind = "messages" if self.messages else self.name == "chat"
        return hashlib.sha256(f"{kind}\0{self.text}".encode()).hexdigest()

    def render(self, question: str, engine: Engine) -> str:
        """The prompt of `question`: a text, or the JSON of messages."""
        if self.name == "chat" and not self.messages:
            return engine.render_chat(question)
        # Not str.format: a template may hold other braces, as LaTeX does.
        text = self.text.replace("{question}", question)
        if not self.messages:
            return text
        return json.dumps([{"role": "user", "content": text}], ensure_ascii=False)

    def to_json(self) -> dict[str, str | bool]:
        """The object "prompt_template" of run.json."""
        form: dict[str, str | bool] = {"name": self.name, "sha256": self.sha256}
        return form | {"messages": True} if self.messages else form


def load_template(name: str, engine: Engine) -> Template:
    """The template `name` for `engine`.

    Args:
        name: "plain" is the question alone; "chat" is the question in the model's chat template;
            "auto" is "chat" where the model has such a template and "plain" elsewhere; any other
            name is the path of a text file that holds {question}. An engine that takes messages
            has "chat" and files, whose text becomes the user's message.
        engine: the engine that will draw, which knows the chat template.

    Raises:
        InvalidInputError: the model has no chat template, or whether it has one is not known; an
            engine that takes messages and "plain"; there is no such file, or the file is too long
            or does not hold {question}.
    """
    form: PromptForm = getattr(engine, "prompt_form", "tokens")
    if form == "messages":
        if name == "plain":
            raise InvalidInputError(
                f"{engine.model} is given messages, which its server puts into a chat template; "
                "leave --template plain out, or take an interface for texts (api=completions)"
            )
        if name in ("auto", "chat"):
            return Template("chat", "{question}", messages=True)
    elif name == "auto" and form == "text":
        raise InvalidInputError(
            f"whether {engine.model} has a chat template is not known without its tokenizer: "
            "give --engine-arg tokenizer=FOLDER_OR_NAME, or --template plain, or have the server "
            "make the prompt (--engine-arg api=chat)"
        )
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
    return Template(file.name, text, messages=form == "messages")
