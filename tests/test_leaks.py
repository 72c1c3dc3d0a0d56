"""The watch for secrets that come out does bite."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.leaks import HEARD
from tests.kit.process import GatewayProcess

ROOT = Path(__file__).parents[1]

LEAKY = """
import logging

import pytest

from gateway.core.errors import NotFound
from gateway.core.redaction import Redaction
from gateway.web.errors import answer
from tests.kit.leaks import HEARD, nothing_leaks


def test_it():
    Redaction().know(["a-secret-of-12-words"])
    told = "it is a-secret-of-12-words"
    {}


def test_the_next_one():
    pass
"""


@pytest.mark.faults
@pytest.mark.timeout(60)  # each is a whole run of pytest
@pytest.mark.parametrize(
    ("leaks", "workers"),
    [
        (
            [
                "logging.getLogger('x').error(told)",
                "logging.getLogger('x').error('it', extra={'told': told})",
                "answer(NotFound(told))",
                "HEARD.said.append(told)",
            ],
            (),
        ),
        (["logging.getLogger('x').error(told)"], ("-n", "1")),
        ([], ()),
    ],
)
def test_each_secret_that_comes_out_is_counted_and_fails_the_run(tmp_path, leaks, workers):
    (tmp_path / "test_leaky.py").write_text(LEAKY.format("; ".join(leaks) or "pass"))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml",
         f"--rootdir={tmp_path}", *workers, tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    told = re.search(r"AssertionError: (\d+) texts hold a secret", run.stdout)
    assert (run.returncode, int(told[1]) if told else 0) == (bool(leaks), len(leaks)), run.stdout


def test_what_child_gateways_print_is_heard(tmp_path):
    child = GatewayProcess(tmp_path, environment={"CMS_TOKEN": "token-of-the-cms"})
    child.run("status")
    assert "token-of-the-cms" in HEARD.secrets
    assert any("no gateway serves" in text for text in HEARD.said)
