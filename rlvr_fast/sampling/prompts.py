"""From a question to the text a model is given."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.safe_files import at_home
from rlvr_fast.sampling.chat_templates import DATE
from rlvr_fast.sampling.engine import Engine, PromptForm
from rlvr_fast.sampling.few_shot import Examples, read_examples
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.sampling.text_files import read_text

__all__ = ["Template", "asks_for_mark", "load_template"]

# Names of templates that are no files; "plain" and "chat" stand in run.json.
_NAMES = ("auto", "plain", "chat")
_DATE_NAME = "strftime_now"
_TAG = re.compile(r"\s*(<[^<>]+>)")
_MARKS = re.compile(r"\\(boxed|fbox|framebox)|<answer>")


@dataclass(frozen=True, slots=True)
class Template:
    """How a question becomes a prompt.

    Attributes:
        name: "plain", "chat" or the name of a file.
        text: "{question}", the source of the chat template, or the contents of the file.
        messages: whether the engine takes messages and has a chat template of its own, which is
            not known here; then `text` makes the content of the user's message.
        system: the system message; empty for none.
        arguments: what the chat template is given by name.
        examples: what stands before the question.
        prefill: the beginning of the assistant's turn; empty for none.
        instruction: what stands below the questions, as run.json records it; empty for none. Which
            of the questions it stands below, `render` is told.
    """

    name: str
    text: str
    messages: bool = False
    system: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    examples: Examples | None = None
    prefill: str = ""
    instruction: str = ""

    @property
    def sha256(self) -> str:
        """A digest of all that makes the prompts of the questions."""
        kind = "messages" if self.messages else self.name == "chat"
        text = f"{kind}\0{self.text}"
        if about := self._about():
            text += f"\0{json.dumps(about, sort_keys=True)}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _about(self) -> dict[str, Any]:
        """What is not at its default, as run.json records it."""
        about: dict[str, Any] = {
            "system": self.system,
            "template_args": dict(self.arguments),
            "few_shot": {},
            "prefill": self.prefill,
            "instruction": self.instruction,
        }
        if self.examples is not None:
            about["few_shot"] = {"name": self.examples.name, "sha256": self.examples.sha256}
        return {name: value for name, value in about.items() if value}

    @property
    def as_turns(self) -> bool:
        """Whether prompts are made of the turns of a chat."""
        return self.messages or self.name == "chat"

    @property
    def told_date(self) -> str:
        """The date that a chat template is told which asks for one; empty for others."""
        asks = self.name == "chat" and not self.messages and _DATE_NAME in self.text
        return str(self.arguments.get(_DATE_NAME, DATE)) if asks else ""

    @property
    def asks_for_mark(self) -> bool:
        """Whether what stands around every question asks for a box or an answer tag."""
        parts = [self.system, "" if self.name == "chat" and not self.messages else self.text]
        if self.examples is not None:
            parts += [self.examples.text, *(text for pair in self.examples.pairs for text in pair)]
        return any(map(asks_for_mark, parts))

    def held(self) -> list[tuple[str, str]]:
        """(what it is, text) of the turns before the question, which each prompt has to hold."""
        found = [("system message", self.system)] if self.system else []
        pairs = () if self.examples is None else self.examples.pairs
        return found + [(f"example {n}", t) for n, pair in enumerate(pairs, 1) for t in pair]

    def render(self, question: str, engine: Engine, instruction: str = "") -> str:
        """The prompt of a question: a text, or the JSON of messages.

        Args:
            question: the question.
            engine: the engine that will draw.
            instruction: put below the question.

        Raises:
            InvalidInputError: the chat template fails, never reads one of the arguments, or begins
                the assistant's turn with the prefill itself; the engine renders nothing but
                questions.
        """
        if instruction:
            question = f"{question}\n{instruction}"
        if not self.as_turns:
            before = "" if self.examples is None else self.examples.before(self.text)
            return before + self._filled(question) + self.prefill
        turns = self._turns(question)
        if self.messages:
            value = {"messages": turns, "chat_template_kwargs": dict(self.arguments)}
            return json.dumps(value if self.arguments else turns, ensure_ascii=False)
        if len(turns) == 1 and not self.arguments:
            return self._begun(engine.render_chat(turns[0]["content"]), engine)
        render = getattr(engine, "render_messages", None)
        if render is None:
            raise InvalidInputError(
                f"the engine {engine.name} puts a question alone into a chat template; leave the "
                "system message, examples and arguments of the template out"
            )
        return self._begun(render(turns, self.arguments), engine)

    def _filled(self, question: str) -> str:
        # Not str.format: a template may hold other braces, as LaTeX does.
        return self.text.replace("{question}", question)

    def _turns(self, question: str) -> list[dict[str, str]]:
        """The messages before the completion."""

        def said(role: str, content: str) -> dict[str, str]:
            return {"role": role, "content": content}

        fill = self._filled if self.messages else str
        turns = [said("system", self.system)] if self.system else []
        if self.examples is not None:
            for asked, answer in self.examples.pairs:
                turns += [said("user", fill(asked)), said("assistant", answer)]
            if self.examples.text:
                question = self.examples.before(self.text) + question
        return [*turns, said("user", fill(question))]

    def _begun(self, prompt: str, engine: Engine) -> str:
        """A prompt of a chat template with the beginning of the assistant's turn."""
        tag = _TAG.match(self.prefill)
        for own in (self.prefill.strip(), tag[1] if tag else ""):
            if own and prompt.rstrip().endswith(own):
                raise InvalidInputError(
                    f"the chat template of {engine.model} begins the assistant's turn with "
                    f"{shown(own)} itself; leave that out of --prefill"
                )
        return prompt + self.prefill

    def to_json(self) -> dict[str, Any]:
        """The object "prompt_template" of run.json."""
        form: dict[str, Any] = {"name": self.name, "sha256": self.sha256}
        return form | ({"messages": True} if self.messages else {}) | self._about()


def asks_for_mark(text: str) -> bool:
    """Whether a text asks for the answer in a box or an answer tag."""
    return _MARKS.search(text) is not None


def load_template(name: str, engine: Engine, prompt: PromptOptions = PromptOptions()) -> Template:
    """The template `name` for `engine`, with what `prompt` puts around the question.

    The instruction of `prompt` is not part of it: which questions it stands below depends on their
    task; see `instructions.choose_instructions`.

    Args:
        name: "plain" is the question alone; "chat" is the question in the model's chat template;
            "auto" is "chat" where the model has such a template and "plain" elsewhere; any other
            name is the path of a text file that holds {question}. An engine that takes messages
            has "chat" and files, whose text becomes the user's message.
        engine: the engine that will draw, which knows the chat template.
        prompt: system message, arguments of the chat template, examples and prefill.

    Raises:
        InvalidInputError: the model has no chat template, or whether it has one is not known; an
            engine that takes messages and "plain"; there is no such file, or the file is too long
            or does not hold {question}; a system message or arguments without a chat, a prefill
            for an engine that takes messages, or a file of examples of another form.
    """
    form = _form(name, engine)
    given = {"--system": prompt.system, "--template-arg": prompt.template_args}
    wrong = [flag for flag, value in given.items() if value]
    if wrong and not form.as_turns:
        why = "has no chat template" if name == "auto" else f"is not used with --template {name}"
        raise InvalidInputError(
            f"{' and '.join(wrong)} belong to a chat, and the chat template of {engine.model} "
            f"{why}; write the whole prompt into a text file that holds {{question}} and name it "
            "with --template"
        )
    if prompt.prefill and form.messages:
        raise InvalidInputError(
            f"{engine.model} is given messages, and what its server's chat template makes of the "
            "beginning of an answer is not known; leave --prefill out, or send prompts "
            "(--engine-arg api=completions with --engine-arg tokenizer=FOLDER_OR_NAME)"
        )
    if form.messages and _DATE_NAME in prompt.template_args:
        raise InvalidInputError(
            f"{engine.model} is given messages, and its server tells its chat template the date of "
            f"the day; leave --template-arg {_DATE_NAME} out"
        )
    return replace(
        form,
        system=prompt.system or "",
        arguments=prompt.template_args,
        examples=None if prompt.few_shot is None else read_examples(prompt.few_shot),
        prefill=prompt.prefill or "",
    )


def _form(name: str, engine: Engine) -> Template:
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
    file = Path(at_home(name))
    if file.name in _NAMES:
        raise InvalidInputError(
            f"{file}: {file.name!r} is the name of a template that is no file, by which run.json "
            f"knows it; give the file another name, as {file.name}.txt"
        )
    try:
        text, _ = read_text(file)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"expected the template 'auto', 'plain', 'chat' or a readable text file, got {name!r} "
            f"({error})"
        ) from None
    if "{question}" not in text:
        raise InvalidInputError(f"{file}: the template does not hold {{question}}")
    if "{{question}}" in text:
        raise InvalidInputError(
            f"{file}: the template holds {{{{question}}}}, of which the outer braces would stand "
            "around every question; write {question}, or { {question} } where braces are meant"
        )
    return Template(file.name, text, messages=form == "messages")
