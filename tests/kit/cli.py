"""Commands, run in a test's own process."""

import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from gateway.cli.main import COMMANDS, app_of, main

app = app_of(COMMANDS)
"""Every command."""


def called(
    folder: Path, environment: Mapping[str, str], *arguments: str, stdin: bytes = b""
) -> "subprocess.CompletedProcess[str]":
    """What a command comes to in that folder, as a process of its own would tell.

    Not for one that is interrupted, that asks a terminal, or whose imports matter; and `serve` only where it
    is refused.
    """
    out, err = _stream(), _stream()
    with (
        chdir(folder), redirect_stdout(out), redirect_stderr(err),
        _started(arguments, environment, stdin), _what_a_process_sets(),
    ):  # fmt: skip
        try:
            main()
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, code, _text(out), _text(err))


@contextmanager
def _started(
    arguments: tuple[str, ...], environment: Mapping[str, str], stdin: bytes
) -> Iterator[None]:
    """What a command finds of the outside when it begins."""
    before = sys.argv, sys.stdin, dict(os.environ)
    sys.argv, sys.stdin = ["gateway", *arguments], _stream(stdin)
    os.environ.update(environment)
    try:
        yield
    finally:
        sys.argv, sys.stdin = before[:2]
        os.environ.clear()
        os.environ.update(before[2])


@contextmanager
def _what_a_process_sets() -> Iterator[None]:
    """Logging and signals, as they were in the end: `serve` sets them."""
    root = logging.getLogger()
    handlers, level, heard = root.handlers, root.level, signal.getsignal(signal.SIGHUP)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        if signal.getsignal(signal.SIGHUP) != heard:  # by `serve`, and so in the main thread
            signal.signal(signal.SIGHUP, heard)


def _stream(given: bytes = b"") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()
