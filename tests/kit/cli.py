"""Every command, to be run in a test's own process."""

from gateway.cli.main import COMMANDS, app_of

app = app_of(COMMANDS)
