"""Plone 6.2: a content management system, and the images in it."""

import shutil
from pathlib import Path
from typing import Any

from examples.flows.kit.http import ask
from examples.flows.servers.child import Child
from examples.flows.servers.installing import environment_of, once, run
from tests.kit.process import free_ports

REQUIREMENTS = Path(__file__).parent / "plone.txt"
USER, PASSWORD = "gateway", "a-password-of-plone"
SITE = "Plone"
JSON = {"accept": "application/json"}

CONFIGURATION = """\
%define INSTANCE {folder}
instancehome $INSTANCE
<zodb_db main>
  <filestorage>
    path $INSTANCE/var/Data.fs
    blob-dir $INSTANCE/var/blobstorage
  </filestorage>
  mount-point /
</zodb_db>
<environment>
  CHAMELEON_CACHE $INSTANCE/var/cache
</environment>
"""

SERVER = """\
[app:zope]
use = egg:Zope#main
zope_conf = %(here)s/zope.conf

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}

[pipeline:main]
pipeline = egg:Zope#httpexceptions zope

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stdout,)
formatter = generic
[formatter_generic]
format = %(asctime)s %(levelname)s %(name)s %(message)s
"""

MAKE_SITE = f"""\
import transaction
from Products.CMFPlone.factory import addPloneSite
from zope.component.hooks import setSite

site = addPloneSite(
    app, "{SITE}", title="Pictures", setup_content=False, default_language="en",
    extension_ids=("plone.app.contenttypes:default", "plone.restapi:default"),
)
setSite(site)
site.portal_workflow.setDefaultChain("simple_publication_workflow")
transaction.commit()
"""


def install() -> Path:
    """Have it installed, with an empty site that each start begins with."""
    return once("plone", REQUIREMENTS.read_text() + MAKE_SITE, _install)


def _install(folder: Path) -> None:
    environment_of(folder, "--no-deps", "--requirement", str(REQUIREMENTS))
    made = _instance(folder, folder / "made", 0)
    script = folder / "make_site.py"
    script.write_text(MAKE_SITE)
    run([folder / "venv/bin/zconsole", "run", made / "etc/zope.conf", script], made)


def _instance(installed: Path, folder: Path, port: int) -> Path:
    """An instance in *folder*, which is not there yet, to serve at *port*."""
    user = f"{USER}:{PASSWORD}"
    run([installed / "venv/bin/mkwsgiinstance", "-d", folder, "-u", user], installed)
    (folder / "etc/zope.conf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "etc/zope.ini").write_text(SERVER.format(port=port))
    return folder


class Plone:
    """A site, with its content in *folder*."""

    def __init__(self, folder: Path) -> None:
        installed = install()
        (port,) = free_ports(1)
        made = _instance(installed, folder / "plone", port)
        shutil.copytree(installed / "made/var", made / "var", dirs_exist_ok=True)
        self.url = f"http://127.0.0.1:{port}/{SITE}"
        """Of the site, as an endpoint has it."""
        self._child = Child([installed / "venv/bin/runwsgi", made / "etc/zope.ini"], made, {})
        self._child.said("Serving on")

    def stop(self) -> None:
        """End it."""
        self._child.stop()

    def ask(self, method: str, path: str, json: Any = None) -> Any:
        """What Plone's REST API answers there."""
        answer = ask(
            method, f"{self.url}{path}", json=json, headers=JSON, user=f"{USER}:{PASSWORD}"
        )
        return answer.expect().json() if answer.body else answer.expect()

    def has(self, path: str) -> bool:
        """Whether there is something at *path*."""
        answer = ask("GET", f"{self.url}{path}", headers=JSON, user=f"{USER}:{PASSWORD}")
        assert answer.status in (200, 404), answer
        return answer.ok

    def publish_page(self, name: str, title: str) -> str:
        """Write a page and publish it; what a placement calls it."""
        self.ask("POST", "", {"@type": "Document", "id": name, "title": title})
        self.ask("POST", f"/{name}/@workflow/publish")
        return name

    def state(self, name: str) -> str:
        """`published` or `private`."""
        return str(self.ask("GET", f"/{name}/@workflow")["state"]["id"])
