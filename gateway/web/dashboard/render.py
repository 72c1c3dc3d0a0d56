"""Pages from templates: everything that is put into one is text, whoever wrote it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from gateway.core.model import SECOND, Json, Micros, rfc3339_moment
from gateway.core.words import WITHHELD, ago, became, counted, polled, waits_for
from gateway.exact import dumps
from gateway.web.dashboard import charts

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load and do (https://www.w3.org/TR/CSP3/): nothing that is not ours."""

FOR_GOOD = "public, max-age=31536000, immutable"

NOTHING = "–"  # noqa: RUF001  # it is a dash
"""Where there is no value."""

MOST_SHOWN = 100_000
"""Characters of a body on a page; all of it can be downloaded."""

HIDDEN_CHARACTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
"""Controls, and what turns or hides the text around it (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing)."""

TYPES = {
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "js": "text/javascript; charset=utf-8",
}


class Assets:
    """The files that pages load, each by a name that changes with its content."""

    def __init__(self) -> None:
        self._named: dict[str, str] = {}
        self._contents: dict[str, tuple[bytes, str]] = {}
        for each in files(__package__).joinpath("static").iterdir():
            stem, _, suffix = each.name.rpartition(".")
            content = each.read_bytes()
            name = f"{stem}.{sha256(content).hexdigest()[:12]}.{suffix}"
            self._named[each.name] = f"/static/{name}"
            self._contents[name] = content, TYPES[suffix]

    def url(self, name: str) -> str:
        """Where a page finds the file of that name."""
        return self._named[name]

    def answer(self, name: str) -> Response | None:
        """The file itself; None: there is none."""
        if name not in self._contents:
            return None
        content, kind = self._contents[name]
        return Response(content, media_type=kind, headers={"cache-control": FOR_GOOD})


class Renderer:
    """Makes pages."""

    def __init__(self, now: Callable[[], Micros]) -> None:
        self.assets = Assets()
        self._now = now
        self._environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            ago=self._ago,
            polled=polled,
            became=became,
            counted=counted,
            duration=duration,
            pretty=pretty,
            percent=percent,
            size=size,
            words=words,
        )
        self._environment.globals.update(
            asset=self.assets.url, link=link, charts=charts, waits_for=waits_for, withheld=WITHHELD
        )

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """The page that *template* makes of *context*."""
        text = self._environment.get_template(template).render(context)
        return Response(
            text,
            status,
            media_type="text/html",
            headers={"content-security-policy": POLICY},
        )

    def _ago(self, moment: str | None) -> Markup:
        """A moment as how long ago it was, the moment itself beside it."""
        if moment is None:
            return Markup("")
        return Markup('<time datetime="{0}" title="{1}">{2}</time>').format(
            moment, _to_the_second(moment), ago(moment, self._now())
        )


def _to_the_second(moment: str) -> str:
    """A moment for people, in UTC."""
    at = rfc3339_moment(moment)
    if at is None:
        return moment
    return datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def visible(value: Any) -> Any:
    """Text in which what would not be seen is written out, by its number."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return "" if value is None else value
    return HIDDEN_CHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", value)


def words(text: str) -> Markup:
    """A sentence of ours, what it has in backticks as code."""
    parts = text.split("`")
    marked = [
        Markup("<code>{}</code>").format(visible(part))
        if place % 2
        else Markup.escape(visible(part))
        for place, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def pretty(value: Json) -> str:
    """JSON for people."""
    text = dumps(value, indented=True).decode()
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}\n…"


def duration(seconds: float | None) -> str:
    """How long something took, for people: `3.2 ms`, `1.4 s`, `2 min`."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{charts.written(seconds * 1000)} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def percent(part: int, whole: int) -> str:
    """A share; nothing is rounded to all or to none of it."""
    if not whole:
        return NOTHING
    share = 100 * part / whole
    if part not in (0, whole):
        share = min(max(share, 0.1), 99.9)
    return f"{share:.4g} %" if share == round(share) else f"{share:.1f} %"


def size(count: int | None) -> str:
    """A number of bytes, for people."""
    if count is None:
        return NOTHING
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:,.1f} KiB" if count < 1024**2 else f"{count / 1024**2:,.1f} MiB"


def link(*path: str, **query: str | None) -> str:
    """A path of ours; its parts and parameters may hold anything."""
    given = {name: value for name, value in query.items() if value}
    return (
        "/"
        + "/".join(quote(part, safe="") for part in path)
        + ((given and f"?{urlencode(given)}") or "")
    )
