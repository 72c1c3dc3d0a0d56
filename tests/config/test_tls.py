"""`tls` and `auth: {oauth2: …}` of endpoints: what is wrong with them is found before it is in force."""

import pytest

from tests.kit.authority import CertificateAuthority

TLS = "version: 1\nendpoints:\n  x:\n    url: {url}\n    sign: none\n    tls: {tls}\n"
OAUTH2 = """\
version: 1
endpoints:
  x:
    url: https://x.example.com/api
    sign: none
    auth: {oauth2: {token_url: "URL", client_id: gateway, client_secret: {env: S}, scope: a b}}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    ca = CertificateAuthority(tmp_path_factory.mktemp("ca"))
    ca.issue("client"), ca.issue("other")
    ca.issue("locked", password=b"secret")
    (ca.folder / "empty").write_text("")
    return ca.folder


@pytest.fixture
def found(load, files):
    """The codes of what is wrong with a `tls`, and the endpoint if nothing is."""

    def found(tls: str, url: str = "https://x.example.com/"):
        loaded = load(TLS.format(url=url, tls=tls.replace("@", f"{files}/")))
        codes = [problem.code for problem in loaded.problems if "unused" not in problem.code]
        return codes, loaded.routes and loaded.routes.endpoints["x"]

    return found


def test_certificate_key_and_authority_make_an_identity(found):
    codes, endpoint = found(
        "{certificate: {file: '@client.pem'}, key: {file: '@client.key'}, ca: {file: '@ca.pem'}}"
    )
    assert codes == []
    assert endpoint.tls is not None


@pytest.mark.parametrize(
    ("tls", "code"),
    [
        ("{certificate: {file: nowhere.pem}}", "tls-file"),
        ("{certificate: {file: '@client.pem'}, key: {file: '@nowhere.key'}}", "tls-file"),
        ("{certificate: {file: '@client.pem'}, key: {file: '@other.key'}}", "tls-invalid"),
        ("{certificate: {file: '@client.pem'}}", "tls-invalid"),
        ("{certificate: {file: '@empty'}}", "tls-invalid"),
        ("{certificate: {file: '@locked.pem'}, key: {file: '@locked.key'}}", "tls-invalid"),
        ("{ca: {file: '@empty'}}", "tls-invalid"),
        ("{ca: {file: '@client.key'}}", "tls-invalid"),
        ("{key: {file: '@client.key'}}", "tls-forms"),
        ("{ca: {file: '@ca.pem'}, verify: false}", "tls-forms"),
    ],
)
def test_what_is_wrong_with_files_is_told(found, tls, code):
    codes, endpoint = found(tls)
    assert codes == [code]
    assert endpoint is None


def test_an_endpoint_that_speaks_no_tls_has_none(found):
    assert "tls-forms" in found("{ca: {file: '@ca.pem'}}", url="http://127.0.0.1/")[0]


def test_verification_that_is_turned_off_is_warned_of(found):
    codes, endpoint = found("{verify: false}")
    assert codes == ["tls-unverified"]
    assert endpoint.tls is not None


def test_credentials_are_read(load):
    endpoint = load(OAUTH2.replace("URL", "https://login.example.com/t"), S="s").routes.endpoints[
        "x"
    ]
    assert (endpoint.oauth2.client_secret, endpoint.oauth2.scope) == ("s", "a b")
    assert endpoint.headers == {}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://login.example.com/", "url"),
        ("https://user@login.example.com/", "url"),
        ("https://10.1.2.3/token", "egress"),
    ],
)
def test_where_tokens_are_given_is_checked_as_any_url_is(problems, url, code):
    assert f"6:32 {code}" in problems(OAUTH2.replace("URL", url), S="s")


def test_tls_of_an_endpoint_holds_for_tokens_of_the_same_host_alone(load, files):
    text = OAUTH2 + f"    tls: {{ca: {{file: '{files}/ca.pem'}}}}\n"
    same = load(text.replace("URL", "https://x.example.com/token"), S="s").routes.endpoints["x"]
    other = load(text.replace("URL", "https://login.example.com/t"), S="s").routes.endpoints["x"]
    assert same.oauth2.tls == same.tls
    assert other.oauth2.tls is None
