"""A request that a route spelled out."""

import pytest

from gateway.core.calls import PreparedCall, joined, path_of
from gateway.core.errors import ExpressionFailed


def test_a_call_comes_back_as_it_was_kept():
    call = PreparedCall("PATCH", "/a%2Fb", "x=1", {"x-a": "ü"}, b'{"a":\n1}')
    assert PreparedCall.unpacked(call.packed()) == call


@pytest.mark.parametrize(
    ("url", "path", "query", "whole"),
    [
        ("https://x/api", "", "", "https://x/api"),
        ("https://x/api/", "/a", "", "https://x/api/a"),
        ("https://x", "a", "b=1", "https://x/a?b=1"),
        ("https://x/api?key=1", "/a", "b=2", "https://x/api/a?key=1&b=2"),
        ("https://x/api?key=1", "", "", "https://x/api?key=1"),
    ],
)
def test_a_path_is_below_the_url_and_queries_are_joined(url, path, query, whole):
    assert joined(url, path, query) == whole


def test_values_are_encoded_and_lead_nowhere_else():
    assert path_of([("/a/", False), ("b/../c", True)]) == "/a/b%2F..%2Fc"
    for value in ("", ".", ".."):
        with pytest.raises(ExpressionFailed):
            path_of([("/a/", False), (value, True)])
