"""`/callback/{token}`: where people, and programs, answer what a route has asked.

A GET never decides: mail scanners and previews follow links. It shows a page that asks to confirm; what is
posted decides, once. A form is answered with a page, JSON with JSON.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import parse_qsl

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.core.awaits import Asked, Verdict
from gateway.core.callbacks import Place
from gateway.core.errors import (
    BodyMalformed,
    Draining,
    GatewayError,
    MediaTypeUnsupported,
    MethodNotAllowed,
    QuestionAnswered,
)
from gateway.core.model import SECOND, Json, Micros
from gateway.flows.admit import Admit
from gateway.flows.answers import Answers, Given
from gateway.web.errors import PROBLEM, Headers, answer, told_of

MOST_BYTES = 16 * 1024
"""Of what is posted."""
STYLE = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:0}"
    "main{max-width:34rem;margin:0 auto;padding:1.5rem}h1{font-size:1.4rem}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}"
    "label{display:block;margin:1rem 0}input,textarea{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem}"
    "button{font:inherit;padding:.6rem 1.4rem;margin:0 .5rem .5rem 0}"
)
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
PAGE: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'".encode(),
    ),
]
ALWAYS: Headers = [
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),  # the URL is what lets one decide
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex"),
]
JSON = (b"content-type", b"application/json")
ALLOWED = "GET, HEAD, POST"

Scope = MutableMapping[str, Any]
Form = Literal["page", "json"]


class CallbackDoor:
    """Answers what is asked below /callback/."""

    def __init__(self, answers: Answers, admit: Admit) -> None:
        self._answers = answers
        self._admit = admit
        self._environment = Environment(
            loader=PackageLoader("gateway.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    async def answer(
        self, token: str, scope: Scope, body: bytes, *, draining: bool
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body."""
        form: Form = "page" if _is_for_people(scope) else "json"
        try:
            if draining:
                raise Draining("the gateway is shutting down", cure="follow the link again")
            status, headers, content = await self._answered(token, scope, body, form)
        except GatewayError as error:
            status, headers, content = self._fault(error, form)
        return status, [*headers, *ALWAYS], content

    async def _answered(
        self, token: str, scope: Scope, body: bytes, form: Form
    ) -> tuple[int, Headers, bytes]:
        client = scope["client"][0] if scope["client"] else ""
        address, _ = self._admit.address(client, scope["headers"])
        self._admit.count(address)
        match scope["method"]:
            case "GET" | "HEAD":
                place, asked = await self._answers.question(token)
                return self._question(place, asked, form)
            case "POST":
                given = _given(scope, body)
                verdict = await self._answers.by_link(token, given, address)
                return self._decided(verdict, form)
            case _:
                raise MethodNotAllowed("links are followed, and answers posted", allow=ALLOWED)

    def _question(self, place: Place, asked: Asked, form: Form) -> tuple[int, Headers, bytes]:
        choices = [place.answer] if place.answer else list(asked.answers)
        if form == "json":
            told: dict[str, Json] = {
                "route": place.route,
                "key": place.key,
                "subject": asked.subject,
            }
            told |= {"answers": choices, "answered": asked.answered}
            return 200, [JSON], orjson.dumps(told)
        if asked.answered is not None:
            note = f"This was answered: {asked.answered}, {_day(asked.answered_at)}."
            return self._page(200, "Answered", place=place, asked=asked, note=note)
        title = "What is your answer?" if len(choices) > 1 else f"Is your answer “{choices[0]}”?"
        note = "Nothing is decided until you press a button. The first answer counts."
        until = _day(asked.until)
        return self._page(
            200, title, place=place, asked=asked, note=note, choices=choices, until=until
        )

    def _decided(self, verdict: Verdict, form: Form) -> tuple[int, Headers, bytes]:
        if form == "json":
            told = {"answer": verdict.answered, "decided": verdict.decided}
            return 200, [JSON], orjson.dumps(told)
        note = f"Your answer counts: {verdict.answered}. You can close this page."
        if not verdict.decided:
            note = f"It was answered so before, {_day(verdict.answered_at)}: {verdict.answered}."
        return self._page(200, "Thank you", note=note)

    def _fault(self, error: GatewayError, form: Form) -> tuple[int, Headers, bytes]:
        if form == "json":
            status, headers, body = answer(error)
            return status, [PROBLEM, *headers], body
        told = told_of(error)
        title = "Answered before" if isinstance(error, QuestionAnswered) else told.title
        status, headers, body = self._page(told.status, title, note=f"{told.detail}.")
        return status, [*headers, *told.headers], body

    def _page(self, status: int, title: str, **more: Any) -> tuple[int, Headers, bytes]:
        context = {"place": None, "asked": None, "note": "", "choices": (), "until": ""} | more
        text = self._environment.get_template("callback.html").render(
            title=title, style=STYLE, **context
        )
        return status, list(PAGE), text.encode()


def _is_for_people(scope: Scope) -> bool:
    """Whether it is a browser that asks."""
    return b"text/html" in _header(scope, b"accept")


def _given(scope: Scope, body: bytes) -> Given:
    """What was posted: a form, JSON, or nothing, where the link says it all."""
    kind = _header(scope, b"content-type").partition(b";")[0].strip().lower()
    if not body:
        return Given("")
    if kind == b"application/x-www-form-urlencoded":
        fields: Any = _each_once(parse_qsl(body.decode("utf-8", "replace")))
    elif kind == b"application/json" or kind.endswith(b"+json"):
        try:
            fields = orjson.loads(body)
            json.loads(body, object_pairs_hook=_each_once)
        except (ValueError, RecursionError):
            fields = None
    else:
        cure = "post a form, or JSON"
        raise MediaTypeUnsupported("this is neither a form nor JSON", cure=cure)
    if not isinstance(fields, dict) or not all(
        fields.get(name) is None or isinstance(fields[name], str) for name in Given._fields
    ):
        cure = 'send {"answer": "…", "by": "…", "reason": "…"}, each text'
        raise BodyMalformed("this is no answer", cure=cure)
    return Given(fields.get("answer") or "", fields.get("by") or None, fields.get("reason") or None)


def _each_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Raises BodyMalformed where something is said twice: nobody knows which of the two is meant."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise BodyMalformed(f'"{name}" is said twice', cure="say it once")
        fields[name] = value
    return fields


def _header(scope: Scope, name: bytes) -> bytes:
    return b",".join(value for each, value in scope["headers"] if each == name)


def _day(moment: Micros | None) -> str:
    """A moment for people, in UTC."""
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment / SECOND, UTC).strftime("%Y-%m-%d %H:%M UTC")
