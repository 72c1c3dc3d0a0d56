"""Endpoints of routes.yaml: where calls go, and how."""

import re
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

import orjson

from gateway.config.expressions import Expressions
from gateway.config.part import Part
from gateway.config.shapes import AuthShape, EndpointShape, SignShape, UrlReference
from gateway.core.errors import ExpressionFailed
from gateway.core.model import BodyForm, Json, basic_authorization
from gateway.core.retry import RetryPolicy
from gateway.core.routing import EndpointConfig, Render
from gateway.core.secret import Key, Secret
from gateway.core.signing import parse_key

LONGEST_URL = 2048
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
COMPUTED = "write all of it, or `{env: NAME}`; what depends on an event is the `path` of a target's `call:`"


@cache
def event_expressions() -> Expressions:
    """What `${…}` sees where an event is known."""
    return Expressions(["event"])


@cache
def item_expressions() -> Expressions:
    """What `${…}` sees where an event and an item of its `each` are known."""
    return Expressions(["event", "item"])


def build_endpoint(
    name: str, shape: EndpointShape, part: Part, *, only_called: bool = False
) -> EndpointConfig | None:
    """The endpoint that *shape* describes; None where it cannot be built, which is noted.

    *only_called*: every target that sends to it spells out a `call`, so that no event is posted to it.
    """
    if shape.sign is None and shape.handler is None and not only_called:
        part.fault(
            "unsigned",
            "what is posted here would not be signed",
            "add `sign: {secrets: [{env: NAME}]}`, or spell out `sign: none`",
            key=True,
        )
    url = part.around.stand_in(name) or _url(shape, part.at("url"))
    keys = _signing_keys(shape, part)
    headers = {} if shape.auth is None else _auth_headers(shape.auth, part.at("auth"))
    if shape.handler is not None:
        fault = part.around.find_handler(shape.handler, None)
        if fault:
            part.at("handler").fault("handler", fault, "see docs/handlers.md")
    form, render = _body(shape, part.at("body"))
    if url is None:
        return None
    return EndpointConfig(
        name=name,
        url=url,
        keys=keys,
        headers=headers,
        handler=shape.handler,
        secrets={
            key: Secret(part.at("secrets", key).secret(reference) or "")
            for key, reference in shape.secrets.items()
        },
        form=form,
        render=render,
        retry=RetryPolicy() if shape.retry is None else RetryPolicy(tuple(shape.retry.schedule)),
        timeout=shape.timeout,
        concurrency=shape.concurrency,
        groups=tuple(shape.groups),
        owner=shape.owner,
    )


def _signing_keys(shape: EndpointShape, part: Part) -> tuple[Key, ...]:
    match shape.sign:
        case SignShape(secrets=secrets):
            return part.at("sign", "secrets").keys(secrets, "signing-key", parse_key, "whsec_… key")
        case "none":
            return ()
        case None:
            return ()


def _auth_headers(shape: AuthShape, part: Part) -> Mapping[str, str]:
    if shape.basic is not None:
        password = part.at("basic", "password").secret(shape.basic.password)
        return {"authorization": basic_authorization(shape.basic.user, password or "")}
    if shape.bearer is not None:
        return {"authorization": f"Bearer {part.at('bearer').secret(shape.bearer)}"}
    if shape.header is not None:
        value = part.at("header", "value").secret(shape.header.value)
        return {shape.header.name.lower(): value or ""}
    return {}


# -- URLs ----------------------------------------------------------------------------------------------


def _url(shape: EndpointShape, part: Part) -> str | None:
    """The URL, checked. The egress policy is only asked for advice: the dialled address decides."""
    url = shape.url
    if isinstance(url, UrlReference):
        found = part.around.secrets.environment.get(url.env, "").strip() or url.default
        if found is None:
            cure = "set it, or give the reference a `default`"
            part.fault("url-missing", f"the environment variable {url.env} is not set", cure)
            return None
        url = found
    if "${" in url or VARIABLE.fullmatch(url):
        variable = VARIABLE.fullmatch(url)
        cure = f"write `url: {{env: {variable[1]}}}`" if variable else COMPUTED
        part.fault("url", "nothing is computed in a URL", cure)
        return None
    parts = _split(url)
    what = "it is no URL" if parts is None else _url_fault(url, parts)
    if what or parts is None:
        part.fault("url", what, "write it as https://host/path")
        return None
    _advise(parts, part)
    return url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError where it is none
    except ValueError:
        return None
    return parts


def _url_fault(url: str, parts: SplitResult) -> str:
    if parts.scheme not in ("https", "http"):
        return "only https and http are spoken"
    if not parts.hostname:
        return "it names no host"
    if parts.username is not None or parts.password is not None:
        return "it holds a user name or a password, which belong under `auth`"
    if parts.fragment:
        return "it has a fragment, which is never sent"
    if len(url) > LONGEST_URL or re.search(r"[\s\x00-\x1f\x7f]", url):
        return "it is too long, or has spaces or control characters in it"
    return ""


def _advise(parts: SplitResult, part: Part) -> None:
    """Warn where an attempt would be denied, with the flag that allows it."""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    policy = part.around.egress
    try:
        ip_address(host)
    except ValueError:
        if secure and port in policy.ports:
            return
        why = f"port {port}" if secure else "plain http"
        cure = f"add --egress-port {port}" if secure else "use https"
        cure += f", or allow the address that {host} has with --egress-allow"
    else:
        why = policy.refusal(host, port, secure=secure)
        flag = policy.cure(host, port, secure=secure)
        cure = f"add {flag}" if flag else "no flag allows this address"
    if why:
        part.warning("egress", f"calls to {parts.netloc} will be denied ({why})", cure)


# -- bodies --------------------------------------------------------------------------------------------


def _body(shape: EndpointShape, part: Part) -> tuple[BodyForm, Render | None]:
    match shape.body:
        case "event":
            return BodyForm.EVENT, None
        case "raw":
            return BodyForm.RAW, None
        case template:
            return BodyForm.OWN, _render(template, part)


def _render(template: Json, part: Part) -> Render | None:
    compute = part.compute(template, event_expressions())
    if compute is None:
        return None

    def render(variables: Mapping[str, Json]) -> bytes:
        try:
            return orjson.dumps(compute(variables))
        except TypeError as error:
            raise ExpressionFailed(f"`body` is nothing that JSON can hold: {error}") from None

    return render
