"""The command line: `gateway …`. The only place that picks exit codes."""

from gateway.cli.main import main

__all__ = ["main"]
