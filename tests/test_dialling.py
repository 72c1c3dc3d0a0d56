"""Who can open a connection: the guarded sender, and the few who call what a person named.

Not a lint ban: tests open connections freely, and a ban would stop at the names that somebody listed
as they are usually imported.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(p for folder in ("gateway", "handlers") for p in (ROOT / folder).rglob("*.py"))

CAN_DIAL = {
    "aiohttp", "asyncio.create_connection", "asyncio.create_subprocess_exec", "asyncio.open_connection",
    "asyncio.open_unix_connection", "create_connection", "create_datagram_endpoint", "ftplib",
    "http.client", "httpx", "imaplib", "open_connection", "open_unix_connection", "poplib", "requests",
    "smtplib", "sock_connect", "socket.create_connection", "start_tls", "subprocess", "telnetlib",
    "urllib.request", "urllib3", "xmlrpc",
}  # fmt: skip

MAY_DIAL = {
    "gateway/sender/aiohttp.py": "aiohttp",
    "gateway/sender/connection.py": "aiohttp",
    "gateway/sender/dial.py": "create_connection",
    "gateway/cli/client.py": "urllib.request",  # the admin API that an operator names
    "gateway/demo.py": "aiohttp",  # posts to the gateway that it has just started
    "gateway/testing.py": "aiohttp",  # the same
}
"""By file, what it may use; all else goes through `Sender.send`."""


def diallers(tree: ast.AST) -> set[str]:
    """What a file uses that can open a connection, however it imports it."""
    used = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                used |= {each.name for each in names}
            case ast.ImportFrom(module=str(module), names=names):
                used |= {module} | {f"{module}.{each.name}" for each in names}
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                used |= {name, f"{owner}.{name}"}
            case ast.Attribute(attr=name):
                used.add(name)
    return {
        found for found in CAN_DIAL for name in used if name == found or name.startswith(found + ".")
    }  # fmt: skip


def test_only_the_sender_and_few_others_can_open_a_connection():
    found = {
        name: diallers(ast.parse(file.read_text(encoding="utf-8"))) - {MAY_DIAL.get(name)}
        for file in FILES
        if (name := str(file.relative_to(ROOT)))
    }
    dial = {name: how for name, how in found.items() if how}
    assert dial == {}, "send it with `Sender.send`: it asks the egress policy"


@pytest.mark.parametrize(
    "text",
    ["import aiohttp", "from aiohttp import ClientSession", "import aiohttp.client as c",
     "import urllib.request as r", "from urllib import request", "from http import client",
     "import asyncio\nasyncio.open_connection('h', 1)", "from socket import create_connection",
     "loop.create_connection(f)", "from urllib.request import urlopen"],
)  # fmt: skip
def test_a_way_to_dial_is_found_however_it_is_imported(text):
    assert diallers(ast.parse(text))


def test_all_who_may_dial_are_there_and_do():
    for name, used in MAY_DIAL.items():
        assert diallers(ast.parse((ROOT / name).read_text(encoding="utf-8"))) == {used}
