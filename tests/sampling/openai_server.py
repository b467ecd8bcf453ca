"""A server of the OpenAI interface, in a thread, that fails as it is told."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["FakeServer", "Fault", "Handler", "raw", "serving", "status", "with_changes"]

# Answers one request in place of the proper answer.
Fault = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # small replies would wait for an acknowledgement
    server: FakeServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.seen(self, None)
        if self.path == "/v1/models" and self.server.listing is not None:
            self.server.listing(self, {})
        elif self.path == "/v1/models":
            self.send_json({"object": "list", "data": self.server.models})
        elif self.path == "/version" and self.server.version:
            self.send_json({"version": self.server.version})
        else:
            self.send_json({"detail": "Not Found"}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.seen(self, body)
        try:
            (fault or answer)(self, body)
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def send_json(self, value: Any, code: int = 200, **headers: str) -> None:
        self.send_bytes(json.dumps(value).encode(), code, **headers)

    def send_bytes(self, data: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def completion(server: FakeServer, body: dict[str, Any]) -> dict[str, Any]:
    """The proper answer: the text follows from the seed."""
    chat = "messages" in body
    choices = []
    for index in range(body.get("n", 1)):
        seed = body.get("seed", 0)
        ids = [1 + seed % 50, 2 + index]
        choice: dict[str, Any] = {"index": index, "finish_reason": "stop"}
        text = f"draw {seed} {index}"
        if chat:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        if body.get("return_token_ids") and server.tells_ids:
            choice["token_ids"] = ids[: body.get("max_tokens", body.get("max_completion_tokens"))]
            if not chat:
                choice["prompt_token_ids"] = server.prompt_ids(body)
        if body.get("logprobs"):
            values = [-0.5, -0.25]
            choice["logprobs"] = (
                {"content": [{"token": "t", "logprob": value} for value in values]}
                if chat
                else {"token_logprobs": values, "tokens": ["a", "b"]}
            )
        choices.append(choice)
    reply = {
        "object": "chat.completion" if chat else "text_completion",
        "choices": choices,
        "usage": {"prompt_tokens": 7, "completion_tokens": 2 * len(choices)},
    }
    if chat and body.get("return_token_ids") and server.tells_ids:
        reply["prompt_token_ids"] = server.prompt_ids(body)
    return reply


def answer(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_json(completion(handler.server, body))


def status(code: int, value: Any = None, **headers: str) -> Fault:
    """Answers with a status of HTTP and a message."""
    said = {"error": {"message": "no"}} if value is None else value
    return lambda handler, _: handler.send_json(said, code, **headers)


def raw(data: bytes, **headers: str) -> Fault:
    """Answers 200 with these bytes."""
    return lambda handler, _: handler.send_bytes(data, **headers)


def with_changes(change: Callable[[dict[str, Any]], Any]) -> Fault:
    """Answers properly but for what `change` does to the answer, or gives in its place."""

    def fault(handler: Handler, body: dict[str, Any]) -> None:
        reply = completion(handler.server, body)
        changed = change(reply)
        handler.send_json(reply if changed is None else changed)

    return fault


class FakeServer(ThreadingHTTPServer):
    """The server.

    Attributes:
        models: the entries of GET /models.
        listing: in place of the proper answer to GET /models.
        version: of GET /version; empty for none.
        tells_ids: whether it tells token ids.
        faults: taken one a request; a request that finds none is answered properly. The first
            request of an engine is its probe.
        always: in place of the proper answer, where there is none among `faults`.
        bodies: of the requests for completions.
        headers: of all requests.
        most: requests that were under way at once.
    """

    daemon_threads = True
    request_queue_size = 128  # connections come all at once

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.models: list[dict[str, Any]] = [{"id": "toy", "owned_by": "tests"}]
        self.listing: Fault | None = None
        self.version = ""
        self.tells_ids = True
        self.faults: deque[Fault | None] = deque()
        self.always: Fault | None = None
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.under_way = self.most = 0
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def seen(self, handler: Handler, body: dict[str, Any] | None) -> Fault | None:
        with self.lock:
            self.headers.append(dict(handler.headers))
            if body is None:
                return None
            self.bodies.append(body)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            return self.faults.popleft() if self.faults else self.always

    def prompt_ids(self, body: dict[str, Any]) -> list[int]:
        prompt = body.get("prompt", json.dumps(body.get("messages")))
        return prompt if isinstance(prompt, list) else [3, *(ord(c) % 90 for c in prompt)]

    def handle_error(self, *_: object) -> None:
        pass  # clients that go away in mid-reply


@contextmanager
def serving(port: int = 0, kind: type[FakeServer] | None = None) -> Iterator[FakeServer]:
    """A server that runs during the block."""
    server = (kind or FakeServer)(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
