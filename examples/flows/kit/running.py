"""The gateway of a flow: a real one, in a folder of its own, as `gateway init` would make it."""

import json
import secrets
import shutil
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from examples.flows.kit.http import Answer, ask
from gateway.cli.client import Client, Unreachable
from tests.kit.process import GatewayProcess

ROOT = Path(__file__).parents[3]
LONGEST_WAIT_SECONDS = 30

Item = Mapping[str, Any]
"""What `gateway tail --json` tells: an event, a request that made none, or an attempt."""


def signing_secret() -> str:
    """A secret of Standard Webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def moment(**later: float) -> str:
    """A moment from now, as events have it."""
    at = datetime.fromtimestamp(time.time_ns() / 1e9, UTC) + timedelta(**later)
    return at.isoformat().replace("+00:00", "Z")


class Gateway:
    """`gateway serve` with a flow's routes file, and what is seen of it from outside."""

    def __init__(self, folder: Path, routes: Path) -> None:
        folder.mkdir()
        shutil.copy(routes, folder / "routes.yaml")
        shutil.copytree(
            ROOT / "handlers", folder / "handlers", ignore=shutil.ignore_patterns("__pycache__")
        )
        self._process = GatewayProcess(folder)
        self._happened: list[Item] = []
        self._more = threading.Condition()

    @property
    def url(self) -> str:
        """Where it receives."""
        return self._process.url

    def edit(self, written: str, instead: str) -> None:
        """Have the routes file say something else, such as a shorter time."""
        file = self._process.folder / "routes.yaml"
        text = file.read_text()
        assert written in text
        file.write_text(text.replace(written, instead))

    def start(self, **environment: str) -> "Gateway":
        """Start it with these variables: addresses and secrets."""
        self._process.environment.update(environment)
        self._process.start()
        admin = Client(f"http://{self._process.admin}", None)
        stream = admin.watch("/api/v1/live", {})
        threading.Thread(target=self._watch, args=(stream,), daemon=True).start()
        return self

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def post(self, source: str, event: Mapping[str, Any]) -> str:
        """Post an event as the sender of *source* does, signed with its `…_WEBHOOK_SECRET`; the gateway's id of it."""
        body = json.dumps({"specversion": "1.0", "source": f"/{source}", "id": secrets.token_hex(8),
                           "time": moment(), "datacontenttype": "application/json", **event})  # fmt: skip
        name, now = f"msg_{secrets.token_hex(8)}", datetime.now(UTC)  # noqa: TID251  # it is a sender's
        secret = self._process.environment[f"{source.upper().replace('-', '_')}_WEBHOOK_SECRET"]
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(name, now, body),
        }
        answer = ask("POST", f"{self.url}/in/{source}", body=body.encode(), headers=headers)
        return str(answer.expect().json()["id"])

    def query(self, path: str, token: str) -> Answer:
        """Ask a query, as its callers do."""
        return ask("GET", f"{self.url}/q/{path}", headers={"authorization": f"Bearer {token}"})

    def admin(self, path: str, **query: str) -> Any:
        """What the admin API answers."""
        return Client(f"http://{self._process.admin}", None).get(path, query)

    def known(self, collection: str, key: str) -> Any:
        """What the register knows of a thing; None where it knows nothing."""
        return self._register(collection).get(key)

    def all_known(self, collection: str) -> list[Any]:
        """All values of a collection."""
        return list(self._register(collection).values())

    def _register(self, collection: str) -> dict[str, Any]:
        found = self.admin(f"/api/v1/register/{collection}")["items"]
        return {each["key"]: each["value"] for each in found}

    def planned(self, key: str) -> list[Item]:
        """What is planned for a key, the next first."""
        return list(self.admin("/api/v1/plans", key=key)["items"])

    def seen(self, count: int = 1, **wanted: Any) -> list[Item]:
        """Wait until so many things have happened that have these values."""

        def found() -> list[Item]:
            return [each for each in self._happened if wanted.items() <= each.items()]

        with self._more:
            self._more.wait_for(lambda: len(found()) >= count, LONGEST_WAIT_SECONDS)
        assert len(found()) >= count, f"{wanted}: not seen, but\n" + "\n".join(
            map(str, self._happened[-40:])
        )
        return found()

    def delivered(self, endpoint: str, count: int = 1, **wanted: Any) -> list[Item]:
        """Wait until so many deliveries to *endpoint* have ended well."""
        return self.seen(count, what="attempt", endpoint=endpoint, then="delivered", **wanted)

    def data_of(self, item: Item) -> Any:
        """The data of an event that was seen."""
        return self.admin(f"/api/v1/events/{item['id']}")["data"]

    def happened(self, **wanted: Any) -> list[Item]:
        """What has happened so far that has these values."""
        with self._more:
            return [each for each in self._happened if wanted.items() <= each.items()]

    def _watch(self, stream: Iterator[Item]) -> None:
        try:
            for item in stream:
                with self._more:
                    self._happened.append(item)
                    self._more.notify_all()
        except Unreachable:
            pass  # it has ended
