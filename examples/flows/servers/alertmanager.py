"""Alertmanager: who is told, and when. It also posts to the gateway what it tells."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from examples.flows.kit.http import ask
from examples.flows.servers.child import Child
from examples.flows.servers.installing import tool
from tests.kit.process import free_ports

CONFIGURATION = """\
route: {receiver: gateway, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: gateway
"""

TELLS = """\
    webhook_configs:
      - url: {webhook}
        send_resolved: true
        http_config: {{authorization: {{type: Bearer, credentials: {token}}}}}
"""


def install() -> str:
    """Where it is. Raises Missing where it is not."""
    return tool("prometheus-alertmanager", "On Debian: apt-get install prometheus-alertmanager")


class Alertmanager:
    """An Alertmanager; it posts to *webhook*, if there is one, with *token*."""

    def __init__(self, folder: Path, webhook: str = "", token: str = "") -> None:
        home = folder / "alertmanager"
        home.mkdir()
        tells = TELLS.format(webhook=webhook, token=token) if webhook else ""
        (home / "alertmanager.yml").write_text(CONFIGURATION + tells)
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [
            install(), "--config.file=alertmanager.yml", "--storage.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",  # else it would listen for others like it, everywhere
        ]  # fmt: skip
        self._child = Child(command, home, {})
        self._child.said("Listening on")

    def stop(self) -> None:
        """End it."""
        self._child.stop()

    def alerts(self, subject: str) -> list[dict[str, Any]]:
        """What is raised about a subject."""
        query = urlencode({"filter": f'subject="{subject}"'})
        return list(ask("GET", f"{self.url}/api/v2/alerts?{query}").expect().json())
