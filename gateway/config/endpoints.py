"""Endpoints of routes.yaml: where calls go, and how."""

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import orjson
from yarl import URL

from gateway.config.endpoint_shapes import (
    AuthShape,
    BreakerShape,
    EndpointShape,
    SignShape,
    UrlReference,
)
from gateway.config.expressions import Expressions
from gateway.config.part import Part
from gateway.config.retry_shapes import build_retry
from gateway.config.secrets import Kind
from gateway.config.shape import SecretReference
from gateway.config.signatures import build_signature
from gateway.config.tls import build_tls
from gateway.core.breaker import BreakerPolicy
from gateway.core.computed import Compute, Render
from gateway.core.errors import ExpressionFailed
from gateway.core.model import BodyForm, Json, Response, Tls, basic_authorization, kind_of
from gateway.core.oauth2 import ClientCredentials
from gateway.core.retry import RetryPolicy
from gateway.core.routes import EndpointConfig
from gateway.core.secret import Secret
from gateway.core.sendable import UNFIT_FOR_URLS, split, url_fault, value_fault
from gateway.core.signing import HeaderForm, SigningKey
from gateway.core.success import seen

VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
PRINTABLE = "".join(map(chr, range(0x7F)))
"""All of ASCII: left as it is, whatever it is, for `url_fault` to judge."""
COMPUTED = "write all of it, or `{env: NAME}`; what depends on an event is the `path` of a target's `call:`"


KNOWING = ("known", "stale")
ASKING = ("callback",)
"""What expressions of routes see that have to do with the register."""


@cache
def event_expressions(*, knows: bool = False, asks: bool = False) -> Expressions:
    """What `${…}` sees where an event is known; where the register was asked, and where people are."""
    return Expressions(["event", *(KNOWING if knows else ()), *(ASKING if asks else ())])


@cache
def item_expressions(*, knows: bool = False, asks: bool = False) -> Expressions:
    """What `${…}` sees where an event and an item of its `each` are known, and as in `event_expressions`."""
    return Expressions(["event", "item", *(KNOWING if knows else ()), *(ASKING if asks else ())])


@cache
def response_expressions() -> Expressions:
    """What a bare expression sees that judges an answer."""
    return Expressions(["response"])


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
    stand_in = part.around.stand_in(name)
    url = stand_in or _url(shape, part.at("url"))
    keys, signed_as = _signature(shape, part.at("sign"))
    secure = bool(stand_in) or url is None or url.startswith("https:")
    tls = _tls(shape, part.at("tls"), secure=secure)
    oauth2 = _oauth2(shape, url or "", tls, part.at("auth", "oauth2"))
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
        signed_as=signed_as,
        headers=headers,
        oauth2=None if stand_in else oauth2,  # no authority is asked to let us in there
        tls=tls,
        handler=shape.handler,
        secrets={
            key: Secret(part.at("secrets", key).secret(reference) or "")
            for key, reference in shape.secrets.items()
        },
        form=form,
        render=render,
        retry=_retry(shape, part.at("retry")),
        success=None if shape.success is None else _success(shape.success, part.at("success")),
        timeout=shape.timeout,
        concurrency=shape.concurrency,
        key=None if shape.key is None else part.at("key").compute(shape.key, event_expressions()),
        late_after=shape.late_after,
        rate=shape.rate,
        breaker=_breaker(shape.breaker),
        groups=tuple(shape.groups),
        owner=shape.owner,
    )


def _retry(shape: EndpointShape, part: Part) -> RetryPolicy:
    match shape.retry:
        case None:
            return RetryPolicy()
        case "never":
            return RetryPolicy(())
        case spelled_out:
            return build_retry(spelled_out, part)


def _success(source: str, part: Part) -> Compute | None:
    """The condition, tried on an answer: what is neither true nor false then never is."""
    compute = part.condition(source, response_expressions())
    if compute is not None:
        with suppress(ExpressionFailed):  # it may look into a body, and this answer has none
            value = compute({"response": seen(Response(status=200))})
            if not isinstance(value, bool):
                what = f"`{source}` is {kind_of(value)}, neither true nor false"
                part.fault("expression", what, "compare it with something")
    return compute


def _signature(
    shape: EndpointShape, part: Part
) -> tuple[tuple[SigningKey, ...], HeaderForm | None]:
    return build_signature(shape.sign, part) if isinstance(shape.sign, SignShape) else ((), None)


def _breaker(shape: BreakerShape | str | None) -> BreakerPolicy | None:
    match shape:
        case None:
            return BreakerPolicy()
        case BreakerShape():
            return BreakerPolicy(**shape.model_dump())
        case _:
            return None


def _tls(shape: EndpointShape, part: Part, *, secure: bool) -> Tls | None:
    if shape.tls is None:
        return None
    if not secure:
        part.fault("tls-forms", "the endpoint's URL is not https", "write it as https://host/path")
    return build_tls(shape.tls, part)


def _auth_headers(shape: AuthShape, part: Part) -> Mapping[str, str]:
    if shape.basic is not None:
        password = part.at("basic", "password").secret(shape.basic.password)
        return {"authorization": basic_authorization(shape.basic.user, password or "")}
    if shape.bearer is not None:
        return {"authorization": f"Bearer {header_secret(shape.bearer, part.at('bearer'))}"}
    if shape.header is not None:
        at = part.at("header", "value")
        return {shape.header.name.lower(): header_secret(shape.header.value, at)}
    return {}


def header_secret(reference: SecretReference, part: Part, kind: Kind = "text") -> str:
    """A secret that stands in a header as it is; one that cannot is noted."""
    value = part.secret(reference, kind) or ""
    if fault := value_fault(value):
        cure = "put the secret alone into its place, on one line"
        part.fault("secret-form", f"the secret cannot stand in a header: it has {fault}", cure)
    return value


def _oauth2(
    shape: EndpointShape, url: str, tls: Tls | None, part: Part
) -> ClientCredentials | None:
    if shape.auth is None or shape.auth.oauth2 is None:
        return None
    oauth2 = shape.auth.oauth2
    at = _checked_url(oauth2.token_url, part.at("token_url"))
    secret = part.at("client_secret").secret(oauth2.client_secret)
    if at is None or secret is None:
        return None
    return ClientCredentials(
        token_url=at,
        client_id=oauth2.client_id,
        client_secret=secret,
        scope=oauth2.scope,
        audience=oauth2.audience,
        style=oauth2.style,
        # What is said of TLS holds for the endpoint's host, and for no other.
        tls=tls if urlsplit(at).netloc == urlsplit(url).netloc else None,
    )


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
    return _checked_url(url, part)


def _checked_url(url: str, part: Part) -> str | None:
    """A URL in the form in which it is dialled; None where it cannot be called, which is noted."""
    url = _ascii(url)
    fault = url_fault(url)
    if fault:
        part.fault("url", fault, "write it as https://host/path")
        return None
    _advise(urlsplit(url), part)
    return url


def _ascii(url: str) -> str:
    """A URL in the form in which it is dialled: its host in IDNA and small letters.

    Anything else beyond ASCII is encoded; what is written in ASCII stays as it is.
    """
    parts = split(url)
    if parts is None or not parts.hostname or "@" in parts.netloc or UNFIT_FOR_URLS.search(url):
        return url  # `url_fault` says so
    host = parts.hostname
    try:
        host = host if host.isascii() else URL.build(scheme="https", host=host).raw_host or host
    except ValueError:
        return url
    host = f"[{host}]" if ":" in host else host
    place = host if parts.port is None else f"{host}:{parts.port}"
    return quote(urlunsplit(parts._replace(netloc=place)), safe=PRINTABLE)


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
