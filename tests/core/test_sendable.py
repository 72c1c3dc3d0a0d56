"""Which requests are sent at all, whoever they are for."""

import pytest

from gateway.core.model import SECOND, Unreachable
from gateway.core.retry import REQUEST_INVALID, GiveUp, RetryPolicy, decide
from gateway.core.sendable import request_fault, url_fault

URL = "https://api.example.com/posts/1?draft=true"


@pytest.mark.parametrize(
    "url",
    [URL, "http://10.0.0.1:8080/", "https://[2606:4700::1111]/x", "https://xn--bcher-kva.example",
     "https://a_b.example.com./", "https://h/" + "x" * 2038, "https://localhost/", "https://1.example/",
     "https://h/a%2e%2e/%0d%0a"],
)  # fmt: skip
def test_a_plain_url_is_called(url):
    assert url_fault(url) == ""


@pytest.mark.parametrize(
    "url",
    ["", "api.example.com", "//api.example.com/", "ftp://api.example.com/", "file:///etc/passwd",
     "gopher://127.0.0.1/", "javascript:alert(1)", "https://", "https:///x", "https://h:0/",
     "https://h:99999/", "https://h:x/", "https://user@h/", "https://user:pw@h/", "https://@h/",
     "https://h#@evil.example/", "https://h/x#y", "https://h\\@evil.example/", "https://h/a\\b",
     "https://h/a b", "https://h/a\r\nx: y", "https://h/\x00", "https://h/\t", "https://h\n.example/",
     "https://h/" + "x" * 2039, "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://h%2e/",
     "https://[127.0.0.1]/", "https://[::1/", "https://127.1/", "https://2130706433/",
     "https://0x7f.1/", "https://0x7f000001/", "https://0177.0.0.1/", "https://1.2.3.4.5/",
     "https://127.0.0.1.5/", "https://0/", "https://\uff10/", "https://127\u30020\u30020\u30021/", "https://bücher.example/",
     "https://h/ä", "https://a..b/", "https://-a.example/", "https://a!.example/",
     "https://" + "a" * 64 + ".example/", "https://" + "a." * 127 + "example/"],
)  # fmt: skip
def test_a_url_that_may_be_read_in_two_ways_is_not_called(url):
    assert url_fault(url)
    assert request_fault("POST", url, {}).startswith("the URL cannot be called: ")


@pytest.mark.parametrize("value", ["x", "", "a\tb", "é", "日本", 'W/"1"', "a; b, c"])
def test_a_header_may_say_anything_in_one_line(value):
    assert request_fault("POST", URL, {"x-title": value}) == ""


@pytest.mark.parametrize(
    "value", ["a\r\nx: y", "a\n", "\r", "\x00", "\x0b", "\x1b[31m", "\x7f", "\ud800"]
)
def test_a_header_with_a_control_character_is_not_sent(value):
    fault = request_fault("POST", URL, {"ce-id": "1", "x-title": value})
    assert (
        fault == "the value of the header 'x-title' has a line break or another control character"
    )


@pytest.mark.parametrize("name", ["", "x y", "x:y", "x\r\ny", "ä", "x\x00"])
def test_a_header_without_a_proper_name_is_not_sent(name):
    assert (
        request_fault("POST", URL, {"ce-id": "1", name: "1"}) == f"{name!r} is no name of a header"
    )


@pytest.mark.parametrize(
    "name", ["content-length", "transfer-encoding", "connection", "upgrade", "expect"]
)
def test_a_call_does_not_say_where_its_message_ends(name):
    assert (
        request_fault("POST", URL, {name: "1"}) == f"the header {name!r} is not for a call to set"
    )


@pytest.mark.parametrize("method", ["", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET", "G T", "GÉT"])
def test_a_method_is_one_word(method):
    assert "is no method" in request_fault(method, URL, {})


def test_a_request_that_cannot_be_sent_is_not_tried_again():
    outcome = Unreachable(REQUEST_INVALID, "the URL cannot be called: it is no URL")
    decision = decide(outcome, attempt=1, policy=RetryPolicy(), since=0, now=SECOND, jitter=0)
    assert decision == GiveUp("request-invalid: the URL cannot be called: it is no URL")
