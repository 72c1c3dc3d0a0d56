"""Node-RED 4: what people draw for themselves, such as an approval, a newsroom, a post to social media."""

import shutil
from pathlib import Path
from typing import Any

from examples.flows.kit.http import ask
from examples.flows.servers.child import Child
from examples.flows.servers.node import install, program
from tests.kit.process import free_ports

BESIDE = ("settings.js", "standard_webhooks.js")


class NodeRed:
    """It runs *flows*, a file that its editor can import, with these variables. It can be down for a while."""

    def __init__(self, folder: Path, flows: Path, **environment: str) -> None:
        self._home = folder / "node-red"
        self._home.mkdir()
        for name in BESIDE:
            shutil.copy(Path(__file__).parent / name, self._home)
        shutil.copy(flows, self._home / "flows.json")
        self._installed = install()
        (port,) = free_ports(1)
        self._environment = {**environment, "NODE_RED_PORT": str(port)}
        self.url = f"http://127.0.0.1:{port}"
        self._child: Child | None = None
        self.start()

    def start(self) -> None:
        """Serve, at the same port each time."""
        red = self._installed / "node_modules/node-red/red.js"
        command = [
            program(),
            red,
            "--userDir",
            self._home,
            "--settings",
            self._home / "settings.js",
        ]
        self._child = Child(command, self._home, self._environment)
        self._child.said("Started flows")

    def stop(self) -> None:
        """End it, or have it be down."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def ask(self, method: str, path: str, json: Any = None) -> Any:
        """What a flow answers there."""
        answer = ask(method, f"{self.url}{path}", json=json).expect()
        return answer.json() if answer.body else None
