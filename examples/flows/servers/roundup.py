"""Roundup 2.6: an issue tracker."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from examples.flows.kit.http import ask
from examples.flows.servers.child import Child
from examples.flows.servers.installing import environment_of, once, run
from tests.kit.process import free_ports

PACKAGES = ("roundup==2.6.0", "waitress==3.0.2")
USER, PASSWORD = "admin", "a-password-of-roundup"
ORIGIN = "https://tracker.example.com"
"""Where people reach it: as behind a proxy, that is not where it listens."""

# Roundup's own server will not run as root, which CI does. This is how its documentation has it run under WSGI.
SERVE = """\
import sys
import waitress
from roundup.cgi.wsgi_handler import RequestDispatcher

server = waitress.create_server(RequestDispatcher(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
print("Serving on", server.effective_port)
server.run()
"""


def install() -> Path:
    """Have it installed, with an empty tracker that each start begins with."""
    return once("roundup", " ".join(PACKAGES) + SERVE, _install)


def _install(folder: Path) -> None:
    environment_of(folder, *PACKAGES)
    (folder / "serve.py").write_text(SERVE)
    admin, tracker = folder / "venv/bin/roundup-admin", folder / "tracker"
    settings = f"mail_domain=localhost,mail_host=127.0.0.1,tracker_web={ORIGIN}/rights/,web_csrf_enforce_header_host=no,mail_debug=mail.out"
    run([admin, "-i", tracker, "install", "classic", "sqlite", settings], folder)
    run([admin, "-i", tracker, "initialise", PASSWORD], folder)


class Roundup:
    """A tracker, with its issues in *folder*. It can be down for a while."""

    def __init__(self, folder: Path) -> None:
        self._installed = install()
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}/rest/data"
        """Of its REST API, as an endpoint has it."""
        self._tracker = folder / "roundup"
        shutil.copytree(self._installed / "tracker", self._tracker)
        self._child: Child | None = None
        self.start()

    def start(self) -> None:
        """Serve, at the same port each time."""
        command = [
            self._installed / "venv/bin/python", self._installed / "serve.py", self._tracker, str(self._port),
        ]  # fmt: skip
        self._child = Child(command, self._tracker, {})
        self._child.said("Serving on")

    def stop(self) -> None:
        """End it, or have it be down."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def ask(self, method: str, path: str, json: Any = None) -> Any:
        """What Roundup's REST API answers there."""
        headers = {"x-requested-with": "rest", "origin": ORIGIN}
        user = f"{USER}:{PASSWORD}"
        return (
            ask(method, f"{self.url}{path}", json=json, headers=headers, user=user).expect().json()
        )

    def issues(self, words: str) -> list[dict[str, Any]]:
        """The issues with these words in their title, with all that is known of them."""
        query = urlencode({"title": words, "@fields": "title,status,priority", "@verbose": 2})
        return list(self.ask("GET", f"/issue?{query}")["data"]["collection"])
