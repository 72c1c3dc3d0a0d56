"""Getty Images' API, as far as it is polled: real HTTP on loopback, with what it remembers.

Channels with change sets that come again until they are acknowledged, downloads with a quota and their history,
products, images by id, tokens; and what goes wrong there: 429 without Retry-After, and the two forms of an error.
"""

import asyncio
import itertools
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.clock import SystemClock
from gateway.core.model import SECOND, rfc3339

ERROR = "application/vnd.getty.error+json"
KEY, SECRET = "the-api-key", "the-api-secret"
LARGEST_BATCH = 2200
LARGEST_PAGE = 100
MOST_IDS = 100
FOR_A_KEY = ("/v3/images", "/v3/search/images/creative", "/v3/search/images/editorial", "/feed")
"""What wants no token."""
PICTURE = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqm"
    "x5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAgADADASIA"
    "AhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAH/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAAT/xAAUEQEAAAAA"
    "AAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCgJFQAAAAAAAAAD//Z"
)
"""A JPEG of 48 by 32 points."""


@dataclass
class Channel:
    """One feed of changes."""

    pending: list[dict[str, Any]] = field(default_factory=list)
    unconfirmed: dict[str, Any] | None = None


def getty_error(status: int, code: str, message: str = "it is as it is") -> web.Response:
    """An error of the API itself."""
    body = {"ErrorCode": code, "ErrorMessage": message}
    return web.json_response(body, status=status, content_type=ERROR)


def edge_error(status: int, message: str, **headers: str) -> web.Response:
    """One of what stands before it."""
    return web.json_response({"message": message}, status=status, headers=headers)


def too_many() -> web.Response:
    """The rate limit's answer, which does not say how long to wait."""
    detail = {"X-Error-Detail": "Account Over Queries Per Second Limit"}
    return edge_error(429, "Too Many Requests", **detail)


class FakeGetty:
    """The API, with what it knows and what it was asked."""

    def __init__(self) -> None:
        self.channels = {"1": Channel(), "2": Channel()}
        self.images: dict[str, dict[str, Any]] = {}
        self.downloads: list[dict[str, Any]] = []
        self.gone: set[str] = set()
        """Assets whose delivery URLs are no longer valid, as after a day."""
        self.products: list[dict[str, Any]] = []
        self.acknowledged: list[str] = []
        self.redelivered = 0
        """How many change sets came again."""
        self.asked: Counter[str] = Counter()
        """By method and path."""
        self.tokens: set[str] = set()
        """Those that are taken; remove one, and it is refused."""
        self.token_seconds = 1800
        self.failing: list[web.Response] = []
        """Answers to the next calls, instead of what they ask for."""
        self.failing_at: dict[str, list[web.Response]] = {}
        """The same, to the next calls of a path."""
        self.unanswered: set[str] = set()
        """Images of which it says nothing, not even that they are not there."""
        self.queries: list[dict[str, str]] = []
        """What was asked of images, downloads and the feed."""
        self.may_acknowledge = asyncio.Event()
        self.may_acknowledge.set()
        self.may_answer_downloads = asyncio.Event()
        """Until then, a download is taken, and never answered."""
        self.may_answer_downloads.set()
        self.history_lags = False
        """Whether the history of images does not have what was downloaded."""
        self.may_tell_images = asyncio.Event()
        self.may_tell_images.set()
        self.feed: list[dict[str, Any]] = []
        """What another service than Getty tells, at /feed."""
        self.feed_page: int | None = None
        """So much of it at a time, from where `after` says; None: all of it."""
        self.spelling = "snake"
        """Of fields in change sets: `snake`, `camel` or `pascal`."""
        self._serials = itertools.count(1)
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> "FakeGetty":
        app = web.Application(middlewares=[self._guard])
        app.add_routes([
            web.post("/oauth2/token", self._token),
            web.get("/v3/asset-changes/channels", self._channels),
            web.put("/v3/asset-changes/change-sets", self._change_set),
            web.delete("/v3/asset-changes/change-sets/{id}", self._acknowledge),
            web.get("/v3/images", self._images),
            web.get("/v3/images/{id}/downloadhistory", self._history),
            web.post("/v3/downloads/images/{id}", self._download),
            web.get("/v3/downloads", self._downloads),
            web.get("/v3/products", self._products),
            web.get("/v3/search/images/{family}", self._search),
            web.get("/delivery/{name}", self._delivery),
            web.get("/feed", self._feed),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def stop(self) -> None:
        self.may_acknowledge.set()
        self.may_answer_downloads.set()
        self.may_tell_images.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def change(self, asset: str, lifecycle: str = "Update", *, channel: str = "1",
               asset_type: str | None = "Image", at: str = "2026-11-20T09:14:03Z") -> None:  # fmt: skip
        """Have an asset changed."""
        self.channels[channel].pending.append({
            "id": asset, "asset_type": asset_type, "asset_lifecycle": lifecycle,
            "asset_changed_utc_datetime": at, "uri": None,
        })  # fmt: skip

    def take_download(
        self, asset: str, product: dict[str, Any], at: str, notes: str = "", by: str = "jdoe"
    ) -> None:
        """Have an asset licensed, whoever did it; the newest is listed first."""
        self.downloads.insert(0, {
            "date_downloaded": at, "id": asset, "asset_type": "image", "product_type": product["type"],
            "agreement_name": product["agreement_name"], "product_id": product["id"],
            "download_details": {"download_notes": notes, "project_code": None},
            "download_source": "api", "user": {"username": by, "first_name": "J", "last_name": "Doe"},
            "size_name": "x-large", "license_model": "royaltyfree",
        })  # fmt: skip

    async def until(self, condition: Any) -> None:
        """Wait until something holds of what was asked."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[f"{request.method} {request.path}"] += 1
        self._changed.set()
        if request.path == "/oauth2/token" or request.path.startswith("/delivery/"):
            return await handler(request)
        if self.failing:
            return self.failing.pop(0)
        if self.failing_at.get(request.path):
            return self.failing_at[request.path].pop(0)
        if request.path in ("/v3/images", "/v3/downloads", "/feed"):
            self.queries.append(dict(request.query))
        if request.headers.get("api-key") != KEY:
            return edge_error(403, "Forbidden")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.path not in FOR_A_KEY and token not in self.tokens:
            return edge_error(401, "Unauthorized")
        return await handler(request)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != (KEY, SECRET):
            return web.json_response({"error": "invalid_client"}, status=400)
        token = f"token-{next(self._serials)}"
        self.tokens.add(token)
        expires_in = self.token_seconds
        return web.json_response(
            {"access_token": token, "token_type": "Bearer", "expires_in": expires_in}
        )

    async def _channels(self, _request: web.Request) -> web.Response:
        return web.json_response([
            {"channel_id": int(name), "asset_family": "Creative", "asset_type": "Image",
             "notification_count": len(channel.pending)}
            for name, channel in self.channels.items()
        ])  # fmt: skip

    async def _change_set(self, request: web.Request) -> web.Response:
        channel = self.channels.get(request.query.get("channel_id", ""))
        size = int(request.query.get("batch_size", "100"))
        if channel is None:
            return getty_error(404, "ChannelsNotFound")
        if not 0 < size <= LARGEST_BATCH:
            return getty_error(400, "InvalidParameterValue")
        if channel.unconfirmed is not None:
            self.redelivered += 1
            return web.json_response(self._spelled(channel.unconfirmed))
        if not channel.pending:
            return web.Response(status=200)
        now, channel.pending = channel.pending[:size], channel.pending[size:]
        name = str(155000 + next(self._serials))
        channel.unconfirmed = {"change_set_id": name, "changed_assets": now}
        return web.json_response(self._spelled(channel.unconfirmed), status=201)

    def _spelled(self, change_set: dict[str, Any]) -> dict[str, Any]:
        if self.spelling == "snake":
            return change_set
        names = {"changed_assets": "changed_asset_list", "asset_changed_utc_datetime": "asset_changed_utc_date_time"}  # fmt: skip

        def spelled(name: str) -> str:
            words = "".join(word.capitalize() for word in names.get(name, name).split("_"))
            return words if self.spelling == "pascal" else words[0].lower() + words[1:]

        def all_of(value: Any) -> Any:
            if isinstance(value, list):
                return [all_of(each) for each in value]
            if isinstance(value, dict):
                return {spelled(name): all_of(each) for name, each in value.items()}
            return value

        return all_of(change_set)

    async def _acknowledge(self, request: web.Request) -> web.Response:
        await self.may_acknowledge.wait()
        if request.transport is None or request.transport.is_closing():
            return web.Response(status=500)  # who asked is gone
        name = request.match_info["id"]
        for channel in self.channels.values():
            if channel.unconfirmed is not None and channel.unconfirmed["change_set_id"] == name:
                channel.unconfirmed = None
                self.acknowledged.append(name)
                self._changed.set()
                return web.Response(status=204)
        return getty_error(404, "ChangeSetNotFound")

    async def _images(self, request: web.Request) -> web.Response:
        await self.may_tell_images.wait()
        ids = [each for each in request.query.get("ids", "").split(",") if each]
        if not 0 < len(ids) <= MOST_IDS:
            return getty_error(400, "ImageIdMustBeSpecified")
        ids = [each for each in ids if each not in self.unanswered]
        return web.json_response({
            "images": [{"id": each, **self.images[each]} for each in ids if each in self.images],
            "images_not_found": [each for each in ids if each not in self.images],
        })  # fmt: skip

    async def _download(self, request: web.Request) -> web.Response:
        """The licensing act: it cannot be taken back, nor told from a repetition of it."""
        asset = request.match_info["id"]
        if asset not in self.images:
            return getty_error(404, "ImageNotFound")
        wanted = request.query.get("product_id")
        product = next((p for p in self.products if wanted in (None, str(p["id"]))), None)
        if product is None:
            return getty_error(403, "NoAccessToProductType")
        if product["downloads_remaining"] < 1:
            return getty_error(403, "OverageLimitReached")
        product["downloads_remaining"] -= 1
        body = await request.json() if request.can_read_body else {}
        now = SystemClock().now()
        notes = body.get("download_notes", "")
        self.take_download(asset, product, rfc3339(now), notes)
        self._changed.set()
        await self.may_answer_downloads.wait()
        ends = now // SECOND + 24 * 3600
        return web.json_response({"uri": f"{self.url}/delivery/{asset}.jpg?expires={ends}"})

    async def _delivery(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        asset = name.partition(".")[0]
        if asset not in self.images or asset in self.gone:
            return web.Response(status=403)
        disposition = {"Content-Disposition": f'attachment; filename="GettyImages-{name}"'}
        return web.Response(body=PICTURE, content_type="image/jpeg", headers=disposition)

    async def _search(self, request: web.Request) -> web.Response:
        """What has all words of the phrase in its title, its caption or its keywords, the newest first."""
        query, family = request.query, request.match_info["family"]
        page, size = int(query.get("page", "1")), int(query.get("page_size", "30"))
        if not 0 < size <= LARGEST_PAGE:
            return getty_error(400, "InvalidPageSize")
        words = query.get("phrase", "").lower().split()
        found = [
            {"id": name, **image}
            for name, image in self.images.items()
            if image.get("asset_family", "creative") == family
            and all(word in _told(image) for word in words)
        ]
        found.sort(key=lambda image: image.get("date_created", ""), reverse=True)
        start = (page - 1) * size
        if page > 1 and start >= len(found):
            return getty_error(400, "InvalidPage")
        return web.json_response(
            {"result_count": len(found), "images": found[start : start + size]}
        )

    async def _history(self, request: web.Request) -> web.Response:
        asset = request.match_info["id"]
        found = [each for each in self.downloads if each["id"] == asset and not self.history_lags]
        return web.json_response({"id": asset, "downloads": found})

    async def _downloads(self, request: web.Request) -> web.Response:
        query = request.query
        page, size = int(query.get("page", "1")), int(query.get("page_size", "30"))
        if not 0 < size <= LARGEST_PAGE:
            return getty_error(400, "InvalidPageSize")
        since, until = query.get("date_from", ""), query.get("date_to", "9999")
        everyone = query.get("company_downloads") == "true"
        found = [
            each for each in self.downloads
            if since <= each["date_downloaded"] <= until + "T23:59:59Z"
            and (everyone or each["user"]["username"] == "jdoe")
        ]  # fmt: skip
        start = (page - 1) * size
        if page > 1 and start >= len(found):
            return getty_error(400, "InvalidPage")
        return web.json_response(
            {"result_count": len(found), "downloads": found[start : start + size]}
        )

    async def _feed(self, request: web.Request) -> web.Response:
        if self.feed_page is not None:
            start = int(request.query.get("after", "0"))
            items = self.feed[start : start + self.feed_page]
            return web.json_response(
                {"items": items, "next": start + len(items) if items else None}
            )
        etag = f'"{hash(str(self.feed))}"'
        if request.headers.get("if-none-match") == etag:
            return web.Response(status=304)
        return web.json_response({"items": self.feed}, headers={"ETag": etag})

    async def _products(self, _request: web.Request) -> web.Response:
        return web.json_response({"products": self.products})


def _told(image: dict[str, Any]) -> str:
    keywords = " ".join(each["text"] for each in image.get("keywords", ()))
    return f"{image.get('title')} {image.get('caption')} {keywords}".lower()


def an_image(**more: Any) -> dict[str, Any]:
    """What Getty says of an image; as much of it as matters here."""
    return {
        "title": "portrait of a happy old french bulldog", "caption": "a bulldog", "artist": "kiszon pascal",
        "asset_family": "creative", "call_for_image": False, "collection_code": "FKF", "license_model": "royaltyfree",
        "allowed_use": {"how_can_i_use_it": "Available for all permitted uses.", "release_info": "No release required",
                        "usage_restrictions": []},
        "display_sizes": [{"name": "preview", "uri": "https://media.example.com/p"}],
        "referral_destinations": [{"site_name": "gettyimages", "uri": "https://www.example.com/detail"}],
        "keywords": [{"keyword_id": "60234", "text": "Dog", "type": "Animals", "relevance": 100}],
        "product_types": ["premiumaccess"], **more,
    }  # fmt: skip


def restricted(*restrictions: str) -> dict[str, Any]:
    """What it allows, with these restrictions."""
    return {
        "how_can_i_use_it": "Available for all permitted uses.", "release_info": "No release required",
        "usage_restrictions": list(restrictions),
    }  # fmt: skip


def a_product(**more: Any) -> dict[str, Any]:
    """A product of an agreement."""
    return {
        "id": 12345, "name": "Premium Access", "type": "premiumaccess", "status": "active",
        "agreement_name": "Acme 2026", "expiration_utc_date": "2026-12-31T23:59:59Z",
        "download_limit": 500, "download_limit_duration": "monthly",
        "download_limit_reset_utc_date": "2026-12-01T00:00:00Z", "downloads_remaining": 500, **more,
    }  # fmt: skip
