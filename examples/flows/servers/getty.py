"""A fake of Getty's API, which nobody can have for tests: it remembers what a static mock does not."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from examples.flows.kit.http import ask
from tests.kit.getty import KEY, SECRET, FakeGetty, a_product, too_many

__all__ = ["KEY", "SECRET", "Getty", "a_product", "an_image", "too_many"]


class Getty:
    """The fake, in a thread of its own. `fake` is what it knows and what it was asked."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.fake = FakeGetty()
        self.fake.products.append(a_product())
        self._run(self.fake.start())
        self.url = self.fake.url

    def stop(self) -> None:
        """End it."""
        self._run(self.fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def license(self, asset: str) -> dict[str, Any]:
        """Acquire a licence, as who buys by hand does; what Getty tells of the download."""
        form = f"grant_type=client_credentials&client_id={KEY}&client_secret={SECRET}".encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        token = ask("POST", f"{self.url}/oauth2/token", body=form, headers=kind).expect().json()
        headers = {"api-key": KEY, "authorization": f"Bearer {token['access_token']}"}
        place = f"{self.url}/v3/downloads/images/{asset}?auto_download=false"
        return ask("POST", place, json={}, headers=headers).expect().json()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds of what it was asked."""
        self._run(self.fake.until(condition))

    def answer_downloads(self, *, in_time: bool) -> None:
        """Have downloads answered; or license, and answer nobody."""
        may = self.fake.may_answer_downloads
        self._loop.call_soon_threadsafe(may.set if in_time else may.clear)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def an_image(**more: Any) -> dict[str, Any]:
    """What is told of an asset."""
    return {
        "title": "A French bulldog", "caption": "An old dog smiling at the camera", "artist": "P. Kiszon",
        "asset_family": "creative", "collection_code": "FKF", "collection_name": "Moment",
        "copyright": "pascal kiszon", "credit_line": "Getty Images/Moment", "license_model": "royaltyfree",
        "date_created": "2017-09-12T00:00:00Z", "event_ids": [], "editorial_segments": [],
        "keywords": [{"keyword_id": "60234", "text": "Dog", "type": "Animals", "relevance": 100}],
        "allowed_use": {
            "how_can_i_use_it": "Available for all permitted uses under our |License Terms|.",
            "release_info": "No release required", "usage_restrictions": [],
        },
        "max_dimensions": {"height": 4000, "width": 6000}, "product_types": [], **more,
    }  # fmt: skip
