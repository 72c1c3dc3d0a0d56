"""What counts as JSON."""

import json
import subprocess
import sys

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BodyMalformed
from gateway.flows import strict_json
from gateway.flows.strict_json import decode

TEXTS = st.text(alphabet='[]{}":\\,aé \n', max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def depth(value) -> int:
    if not isinstance(value, (dict, list)):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0)


def code_of(body: bytes, *, strict: bool = False) -> str:
    try:
        decode(body, strict=strict)
    except BodyMalformed as error:
        return error.code
    return ""


@pytest.fixture
def shallow(monkeypatch):
    monkeypatch.setattr(strict_json, "DEEPEST", 3)


@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_depth_is_counted_exactly_whatever_stands_in_texts(shallow, value, ascii_only, indent):
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert code_of(body) == ("json-too-deep" if depth(value) > 3 else "")


@given(value=VALUES, again=st.booleans())
def test_a_repeated_key_is_found_wherever_it_is(value, again):
    key = b'"\\u006b"' if again else b'"l"'
    body = b'{"a":[%b,{"k":1,%b : %b}]}' % (orjson.dumps(value), key, orjson.dumps(value))
    assert code_of(body, strict=True) == ("duplicate-key" if again else "")
    assert code_of(body) == ""


@given(
    body=st.binary(max_size=40)
    | st.text(alphabet='[]{}":,0123eE.+-nultrfas\\', max_size=20).map(str.encode)
)
def test_what_is_taken_is_what_the_standard_library_takes_too(body):
    if code_of(body, strict=True) == "":
        assert json.loads(body) == orjson.loads(body)


@pytest.mark.parametrize("strict", [True, False])
def test_an_integer_of_many_digits_is_taken_or_no_json_but_never_an_error_of_ours(strict):
    assert code_of(b"1" * 300, strict=strict) == ""
    assert code_of(b"1" * 5000, strict=strict) == "invalid-json"


SHORT_OF_MEMORY = """
import re, resource
from gateway.flows.strict_json import decode
body = b'["' + b"x" * 40_000_000 + b'"]'
size = int(re.search("VmSize: *[\t ]*([0-9]+)", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + 60_000_000, -1))
try:
    decode(body, strict=False)
except MemoryError:
    print("no memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_lack_of_memory_is_not_blamed_on_the_body():
    child = [sys.executable, "-c", SHORT_OF_MEMORY]
    ended = subprocess.run(child, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("no memory\n", "")
