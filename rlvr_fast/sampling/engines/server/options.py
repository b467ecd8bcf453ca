"""The arguments of the engine server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import Options, option

__all__ = ["ServerOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions(Options):
    """How a server is reached and asked; each is one `--engine-arg NAME=VALUE`.

    Attributes:
        url: where its interface begins, as http://127.0.0.1:8000/v1.
        api: "completions" sends prompts; "chat" sends messages, and the server puts them into the
            model's chat template.
        tokenizer: a folder or a Hugging Face name; with it "completions" sends token ids.
        concurrency: requests under way at most.
        timeout: seconds until a request has its whole reply.
        retries: how often a request is sent again after a failure that may pass.
        n: draws of one request. Only a draw with a request of its own has a seed of its own.
        api_key_env: the environment variable that holds the key; None where the server asks for
            none.

    Raises:
        InvalidInputError: a value of another type or out of range, or a tokenizer for messages.
    """

    url: str = option(help="Where the interface begins, as http://127.0.0.1:8000/v1.")
    api: Literal["completions", "chat"] = option(
        "completions", help="completions sends prompts, chat sends messages."
    )
    tokenizer: str | None = option(None, help="A folder or a hub name; prompts are token ids then.")
    concurrency: int = option(64, minimum=1, maximum=4096, help="Requests under way at most.")
    timeout: float = option(1800.0, above=0, maximum=604_800, help="Seconds for a whole reply.")
    retries: int = option(
        10, minimum=0, maximum=100, help="Times that a request is sent again after a failure."
    )
    n: int = option(1, minimum=1, maximum=1024, help="Draws of one request.")
    api_key_env: str | None = option(
        "OPENAI_API_KEY", help="The environment variable that holds the key."
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        if self.tokenizer is not None and self.api == "chat":
            raise InvalidInputError(
                "a tokenizer has no use with api=chat, where the server makes the token ids; leave "
                "one of the two out"
            )
