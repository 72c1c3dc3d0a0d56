"""The request for a token, and what is made of its answer."""

import base64
import json
from urllib.parse import parse_qs

import pytest

from gateway.core.model import SECOND, Accepted, Refused, Response, Unreachable
from gateway.core.oauth2 import ClientCredentials, NoToken, Token, token_of, token_request

SECRET = "s3cr3t:&=%"


def asked(**more) -> tuple[dict[str, str], dict[str, list[str]]]:
    fields = {
        "token_url": "https://login.example.com/t",
        "client_id": "a:b",
        "client_secret": SECRET,
    }
    call = token_request(ClientCredentials(**{**fields, **more}), 20 * SECOND)
    assert (call.method, call.url) == ("POST", "https://login.example.com/t")
    return dict(call.headers), parse_qs(call.body.decode(), strict_parsing=True)


def answered(status=200, body=b"", **fields):
    response = Response(status=status, body=json.dumps(fields).encode() if fields else body)
    return token_of(Accepted(response) if response.ok else Refused(response))


def test_basic_authentication_encodes_id_and_secret_first():
    """RFC 6749 §2.3.1: else a colon in the id would end it."""
    headers, form = asked()
    pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == "a%3Ab:s3cr3t%3A%26%3D%25"
    assert form == {"grant_type": ["client_credentials"]}


def test_id_and_secret_may_stand_in_the_body():
    headers, form = asked(style="body", scope="a b", audience="https://x/")
    assert "authorization" not in headers
    assert form == {
        "grant_type": ["client_credentials"], "client_id": ["a:b"], "client_secret": [SECRET],
        "scope": ["a b"], "audience": ["https://x/"],
    }  # fmt: skip


def test_a_request_for_a_token_has_less_time_than_an_attempt():
    made = ClientCredentials(token_url="https://x/", client_id="a", client_secret="b")
    assert token_request(made, 20 * SECOND).timeout == 8 * SECOND
    assert token_request(made, 2 * SECOND).timeout == 2 * SECOND


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(3600, 3540), ("3600", 3540), (100, 90), (0, 0), (None, 270), ("soon", 270), (-5, 270)],
)
def test_a_token_is_used_until_shortly_before_its_end(expires_in, seconds):
    token = answered(access_token="t", token_type="bearer", expires_in=expires_in)
    assert token == Token("t", seconds * SECOND)


@pytest.mark.parametrize(
    "answer",
    [
        {"body": b""},
        {"body": b"<html>"},
        {"body": b"[1]"},
        {"body": b"[" * 100_000},
        {"access_token": "", "token_type": "Bearer"},
        {"access_token": 5, "token_type": "Bearer"},
        {"access_token": "a\r\nx: y", "token_type": "Bearer"},
        {"access_token": "a"},
        {"access_token": "a", "token_type": "mac"},
    ],
)
def test_what_is_no_bearer_token_is_none(answer):
    assert isinstance(answered(**answer), NoToken)


def test_of_a_refusal_only_status_and_code_are_told():
    refused = answered(401, error="invalid_client", error_description=f"bad secret {SECRET}")
    assert refused == NoToken("http-401 invalid_client", "the authorization server gave no token")
    assert answered(400, error=SECRET).reason == "http-400"


def test_an_authorization_server_that_does_not_answer_gives_the_senders_reason():
    assert token_of(Unreachable("timeout", "20 s")) == NoToken("timeout", "20 s")


def test_neither_secret_nor_token_prints():
    made = ClientCredentials(token_url="https://x/", client_id="a", client_secret=SECRET)
    assert SECRET not in repr(made)
    assert "tok" not in repr(Token("tok", 1)).removeprefix("Token")
