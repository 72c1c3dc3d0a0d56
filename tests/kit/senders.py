"""Verifiers as routes.yaml would make them, and requests for them."""

from pathlib import Path

from gateway.config.document import Document
from gateway.config.event_types import Types
from gateway.config.faults import shaped
from gateway.config.part import Part, Surroundings
from gateway.config.secrets import SecretBook
from gateway.config.shapes import SourceShape
from gateway.config.sources import build_source
from gateway.core.egress import EgressPolicy
from gateway.core.errors import Problem
from gateway.core.model import SECOND
from gateway.core.routes import Source
from gateway.core.verifying import Inbound, Sending, Verifier

NOW = 1_795_000_000
BASE = "https://hooks.example.com/in/test"


def built(source: dict, *secrets: str, public_url: str = "") -> tuple[Source | None, list[Problem]]:
    """The source that routes.yaml would make of this, and what is wrong with it."""
    environment = {f"SECRET_{i}": secret for i, secret in enumerate(secrets)}
    verify = source["verify"]
    if secrets:
        verify = {**verify, "secrets": [{"env": name} for name in environment]}
    around = Surroundings(
        SecretBook(environment), EgressPolicy(), lambda _name, _given: "", public_url=public_url
    )
    part = Part(Document("test"), Path(), around)
    shape, problems = shaped(SourceShape, {**source, "verify": verify}, part.document, ())
    if shape is None or problems:
        return None, problems
    return build_source("test", shape, part, Types()), part.problems


def verifier(
    verify: dict, *secrets: str, public_url: str = "https://hooks.example.com"
) -> Verifier:
    """The verifier that routes.yaml would make of a sender's description."""
    source, problems = built({"verify": verify}, *secrets, public_url=public_url)
    assert source is not None, [str(problem) for problem in problems]
    return source.verifier


def codes(source: dict, *secrets: str, public_url: str = "") -> set[str]:
    """The codes of what is wrong with a source."""
    return {problem.code for problem in built(source, *secrets, public_url=public_url)[1]}


def inbound(
    headers: dict[str, str],
    body: bytes = b"{}",
    now: int = NOW,
    method: str = "POST",
    target: str = "/in/test",
    **fields: object,
) -> Inbound:
    """A request with these headers."""
    raw = {n.lower().encode(): v.encode("latin-1", "replace") for n, v in headers.items()}
    repeated = fields.pop("repeated", frozenset())
    if "certificates" in fields:
        fields["certificate"] = (fields.pop("certificates") or {}).get
    return Inbound(
        method,
        raw,
        repeated,
        body,
        now * SECOND,
        target.encode(),
        **fields,  # type: ignore[arg-type]
    )


def signed(scheme: Verifier, body: bytes = b"{}", now: int = NOW, **more: str) -> dict[str, str]:
    """The headers with which the sender would send *body*."""
    request_id, target = more.get("request_id", "msg_1"), more.get("target", "/in/test")
    sending = Sending(body, now * SECOND, request_id=request_id, target=target.encode())
    return scheme.sign(sending)
