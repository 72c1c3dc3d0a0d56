"""routes.yaml: the values that it comes to, and every problem at once."""

import pytest

from gateway.config.routes import load_routes
from gateway.config.settings import Settings
from gateway.core.breaker import BreakerPolicy
from gateway.core.model import SECOND, BodyForm
from gateway.core.routes import EndpointConfig
from gateway.core.schemes.credentials import TokenVerifier
from gateway.core.schemes.signed import SignatureVerifier
from gateway.core.verifying import NoVerifier
from gateway.loading import check
from tests.config.conftest import KEY

GOOD = """\
version: 1
sources:
  getty:
    verify: {preset: standard-webhooks, secrets: [{env: A_SECRET}]}
    dedupe: {window: 24h}
    ack: 200
    max_body: 64KiB
    rate: 100/m
  legacy:
    verify: {scheme: token, secrets: [{env: TOKEN}]}
    event: {type: "legacy.${body.kind}", id: "${body.id}", data: "${body.content}"}
  open:
    verify: none
    dedupe: {key: signed-content}
endpoints:
  cms:
    url: http://127.0.0.1:8090/cms
    sign: {secrets: [{env: A_SECRET}, {env: OLD_SECRET, until: 2027-01-01T00:00:00Z}]}
    timeout: 10s
    retry: {schedule: [1s, 2m]}
    concurrency: 3
    owner: web-team
  chat:
    url: {env: CHAT_URL, default: "http://127.0.0.1:8090/chat"}
    sign: none
    auth: {bearer: {env: TOKEN}}
    body: {text: "${event.type} about ${event.subject}"}
  wordpress:
    url: http://127.0.0.1:8090/wp
    handler: handlers.cms:known
    auth: {basic: {user: me, password: {env: TOKEN}}}
    secrets: {extra: {env: TOKEN}}
  archive: {url: "http://127.0.0.1:8090/archive", sign: none, body: raw}
routes:
  - name: all
    owner: rights-team
    match: {}
    to: [cms, {endpoint: chat}]
"""


def test_a_good_file_comes_to_values(load):
    loaded = load(GOOD, CHAT_URL="http://127.0.0.1:1/room")
    assert [p.code for p in loaded.problems] == ["unverified"]
    routes = loaded.routes
    assert routes is not None
    assert len(routes.fingerprint) == 12
    getty, legacy, opened = (routes.sources[name] for name in ("getty", "legacy", "open"))
    assert isinstance(getty.verifier, SignatureVerifier)
    assert (getty.dedupe_window, getty.ack, getty.body_bytes) == (24 * 3600 * SECOND, 200, 65536)
    assert getty.rate == (100, 60 * SECOND)
    assert isinstance(legacy.verifier, TokenVerifier)
    assert legacy.cases[0].type({"body": {"kind": "x"}, "headers": {}}) == "legacy.x"
    assert isinstance(opened.verifier, NoVerifier)
    assert (opened.verified, opened.signed_content_key) == (False, True)
    cms, chat, wordpress = (routes.endpoints[name] for name in ("cms", "chat", "wordpress"))
    assert (len(cms.keys), cms.timeout, cms.concurrency) == (2, 10 * SECOND, 3)
    assert cms.retry.schedule == (SECOND, 120 * SECOND)
    assert chat.url == "http://127.0.0.1:1/room"
    assert chat.headers["authorization"].startswith("Bearer ")
    assert chat.render({"event": {"type": "t", "subject": "s"}}) == b'{"text":"t about s"}'
    assert wordpress.headers["authorization"].startswith("Basic ")
    assert set(wordpress.secrets) == {"extra"}
    assert routes.endpoints["archive"].form is BodyForm.RAW
    assert [(r.name, [t.endpoint for t in r.to]) for r in routes.routes] == [
        ("all", ["cms", "chat"])
    ]


PACED = (
    GOOD
    + """\
  - {name: paced, match: {}, to: [paced, off]}
"""
)
PACED = PACED.replace(
    "routes:\n",
    """\
  paced:
    url: https://paced.example.com/
    sign: none
    rate: 100/m
    breaker: {failures: 5, share: 30%, of: 20, within: 10m, delay: 10s, longest: 5m}
  off: {url: "https://off.example.com/", sign: none, breaker: off}
routes:
""",
)


def test_a_rate_and_a_breaker_come_to_values(load):
    endpoints = load(PACED).routes.endpoints
    assert endpoints["paced"].rate == (100, 60 * SECOND)
    assert endpoints["paced"].breaker == BreakerPolicy(
        failures=5, share=30, of=20, within=600 * SECOND, delay=10 * SECOND, longest=300 * SECOND
    )
    assert endpoints["off"].breaker is None
    assert (endpoints["cms"].rate, endpoints["cms"].breaker) == (None, BreakerPolicy())


def test_secrets_do_not_print(load):
    routes = load(GOOD, A_SECRET="whsec_" + "c2VjcmV0" * 5, TOKEN="t0ken").routes
    assert "t0ken" not in repr(routes)
    assert "secretsecret" not in repr(routes)


THIRTEEN = """\
version: 1
sources:
  getty:
    verify: {preset: standard-webhook, secrets: [{env: A_SECRET}]}
    akc: 202
  dam:
    verify: {preset: standard-webhooks, secrets: [whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0]}
    event: {type: "${bdy.type}"}
endpoints:
  cms:
    url: ftp://cms.example.com/hook
    sign: {secrets: [{env: A_SECRET}]}
    retires: {schedule: [5s]}
  pager:
    url: https://pager.example.com
    timeout: 20 seconds
  wordpress:
    url: https://wp.example.com
    handler: handlers.cms:unpublsh
routes:
  - name: expiring
    match: {data: {days_left: {lte: "14"}}}
    to: [cmss]
  - name: expiring
    match: {type: [{prefx: license.}]}
    to: [pager]
"""


def test_thirteen_mistakes_give_thirteen_problems_each_with_line_and_cure(problems):
    assert problems(THIRTEEN) == [
        "4:22 unknown-preset",
        "5:5 unknown-key",
        "7:51 secret-literal",
        "8:19 expression",
        "11:10 url",
        "13:5 unknown-key",
        "14:3 unsigned",
        "16:14 not-a-duration",
        "19:14 handler",
        "22:32 pattern-argument",
        "23:10 unknown-endpoint",
        "24:11 duplicate-name",
        "25:21 pattern-operator",
    ]


def test_a_cure_names_the_nearest_known_name(load):
    cures = {p.code: p.cure for p in load(THIRTEEN).problems}
    assert cures["unknown-preset"] == 'did you mean "standard-webhooks"?'
    assert cures["unknown-endpoint"] == 'did you mean "cms"?'
    assert load("version: 1\nrotues: []\n").problems[0].cure == 'did you mean "routes"?'


def test_a_secret_in_the_file_is_not_quoted(load):
    assert "c2VjcmV0" not in "\n".join(str(problem) for problem in load(THIRTEEN).problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1 missing-key"]),
        ("[]", ["1:1 wrong-type"]),
        ("version: 2", ["1:10 unknown-value"]),
        ("version: 1\nsources: []", ["2:10 wrong-type"]),
        ("version: 1\nendpoints: {x: 3}", ["2:16 wrong-type"]),
        ("version: 1\nsources: {Getty: {verify: none}}", ["2:11 name", "2:27 unverified"]),
        ("version: 1\nsources: {x: {}}", ["2:14 missing-key"]),
        ("version: 1\nroutes: [{name: a, match: {}, to: []}]", ["2:35 too-short"]),
        ("version: 1\nroutes: [{name: a, match: {}, to: [{endpont: x}]}]", ["2:37 unknown-key"]),
        ("a: [", ["2:1 yaml-syntax"]),
    ],
)
def test_shapes_are_checked(problems, text, expected):
    assert problems(text) == expected


ENDPOINT = "version: 1\nendpoints:\n  x: {{{}}}\n"


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [
        ("url: 'https://user:pass@example.com/', sign: none", "url"),
        ("url: 'https://', sign: none", "url"),
        ("url: 'https://example.com:99999/', sign: none", "url"),
        ("url: 'https://example.com/#x', sign: none", "url"),
        ("url: 'https://example.com/a b', sign: none", "url"),
        ("url: 'example.com', sign: none", "url"),
        ("url: {env: NOT_SET}, sign: none", "url-missing"),
        ("url: 'https://example.com/'", "unsigned"),
        ("url: 'https://example.com/', sign: yes", "unknown-value"),
        ("url: 'https://example.com/', sign: {secrets: []}", "too-short"),
        ("url: 'https://example.com/', sign: {secrets: [{env: A, file: b}]}", "secret-reference"),
        ("url: 'https://example.com/', sign: {secrets: [{file: gone}]}", "secret-missing"),
        ("url: 'https://example.com/', sign: {secrets: [{env: BAD}]}", "secret-form"),
        (
            "url: 'https://example.com/', sign: {secrets: [{env: A, until: tomorrow}]}",
            "not-a-moment",
        ),
        (
            "url: 'https://example.com/', sign: {secrets: [{env: A, until: '2026-01-01'}]}",
            "not-a-moment",
        ),
        ("url: 'https://example.com/', sign: none, auth: {}", "auth-forms"),
        ("url: 'https://example.com/', sign: none, auth: {bearer: t0ken}", "secret-literal"),
        ("url: 'https://example.com/', sign: none, concurrency: 0", "greater-than-equal"),
        ("url: 'https://example.com/', sign: none, concurrency: '8'", "wrong-type"),
        ("url: 'https://example.com/', sign: none, body: pretty", "unknown-value"),
        ("url: 'https://example.com/', sign: none, body: {a: '${x}'}", "expression"),
        ("url: 'https://example.com/', handler: cms", "string-pattern-mismatch"),
        ("url: 'https://example.com/', handler: 'handlers.cms:gone'", "handler"),
        ("url: 'https://example.com/', sign: none, retry: {schedule: [5]}", "not-a-duration"),
        ("url: 'https://example.com/', sign: none, timeout: 0s", "no-time"),
        ("url: 'https://example.com/', sign: none, rate: 5", "not-a-rate"),
        ("url: 'https://example.com/', sign: none, breaker: never", "unknown-value"),
        ("url: 'https://example.com/', sign: none, breaker: {share: 0.5}", "not-a-share"),
        ("url: 'https://example.com/', sign: none, breaker: {share: 0%}", "not-a-share"),
        ("url: 'https://example.com/', sign: none, breaker: {delay: 0s}", "no-time"),
        ("url: 'https://example.com/', sign: none, breaker: {failures: 0}", "greater-than-equal"),
        ("url: 'https://example.com/', sign: none, breaker: {fails: 3}", "unknown-key"),
        ("url: {env: NOT_SET, default: ''}, sign: none", "string-too-short"),
    ],
)
def test_faults_of_an_endpoint(load, endpoint, code):
    found = load(ENDPOINT.format(endpoint), BAD="whsec_short")
    assert code in [problem.code for problem in found.errors]


@pytest.mark.parametrize(
    ("endpoint", "cure"),
    [
        ("url: 'https://10.1.2.3/', sign: none", "add --egress-allow 10.1.2.3/32"),
        ("url: 'http://8.8.8.8/', sign: none", "add --egress-allow 8.8.8.8/32"),
        ("url: 'https://8.8.8.8:8443/', sign: none", "add --egress-port 8443"),
        (
            "url: 'https://example.com:8443/', sign: none",
            "add --egress-port 8443, or allow the address that example.com has with --egress-allow",
        ),
        (
            "url: 'http://example.com/', sign: none",
            "use https, or allow the address that example.com has with --egress-allow",
        ),
        ("url: 'http://169.254.169.254/', sign: none", "no flag allows this address"),
    ],
)
def test_a_url_that_egress_would_deny_is_a_warning_with_the_flag(load, endpoint, cure):
    loaded = load(ENDPOINT.format(endpoint))
    assert loaded.routes is not None
    assert [(p.code, p.cure) for p in loaded.problems] == [("egress", cure)]


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "https://8.8.8.8/", "http://127.0.0.1:8090/", "http://localhost:1/"],
)
def test_a_url_that_egress_allows_is_no_problem(load, url):
    assert load(ENDPOINT.format(f"url: '{url}', sign: none")).problems == []


@pytest.mark.parametrize(
    ("url", "dialled"),
    [
        ("https://B\u00fccher.example/\u00e4?q=\u00fc%20", "https://xn--bcher-kva.example/%C3%A4?q=%C3%BC%20"),
        ("HTTPS://CMS.Example.COM/Hook", "https://cms.example.com/Hook"),
        ("http://127\u30020\u30020\u30021:8090/", "http://127.0.0.1:8090/"),
        ("https://cms.example.com/a%2Fb?c=%7e", "https://cms.example.com/a%2Fb?c=%7e"),
        ("http://[::1]:8090", "http://[::1]:8090"),
    ],
)  # fmt: skip
def test_a_url_is_kept_as_it_is_dialled(load, url, dialled):
    loaded = load(ENDPOINT.format(f"url: '{url}', sign: none"))
    (endpoint,) = loaded.routes.endpoints.values()
    assert endpoint.url == dialled


@pytest.mark.parametrize(
    "url",
    ["https://user:pw@h.example/", "https://[fe80::1%25eth0]/", "ftp://h.example/", "https://127.1/",
     "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://h.example/#x",
     "https://h.example:0/", "https://h.exa\tmple/", "https://h\\@evil.example/"],
)  # fmt: skip
def test_a_url_that_may_be_read_in_two_ways_is_a_fault(load, url):
    found = load(ENDPOINT.format("url: {env: URL}, sign: none"), URL=url)
    assert [problem.code for problem in found.errors] == ["url"]


SOURCE = "version: 1\nsources:\n  x: {{{}}}\n"
HMAC = "scheme: hmac, secrets: [{env: A}]"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("verify: {" + HMAC + ", signature: {}}", "signature-header"),
        ("verify: {" + HMAC + ", signature: {header: X, style: list}}", "missing-key"),
        ("verify: {" + HMAC + ", signature: {header: X}, signed: fixed}", "signed-body"),
        ("verify: {" + HMAC + ", signature: {header: X}, signed: '{body}{nonsense}'}", "signed-placeholder"),
        ("verify: {" + HMAC + ", signature: {header: X}, signed: '{timestamp}{body}'}", "signed-timestamp"),
        ("verify: {" + HMAC + ", signature: {header: X}, timestamp: {header: T}}", "signed-timestamp"),
        ("verify: {" + HMAC + ", signature: {header: X}, timestamp: {}, signed: '{timestamp}{body}'}", "timestamp-place"),
        ("verify: {" + HMAC + ", signature: {header: X}, signed: '{id}{body}'}", "signed-id"),
        ("verify: {scheme: hmac, secrets: [{env: PATH_LIKE}], secret_encoding: hex, signature: {header: X}}", "secret-form"),
        ("verify: {scheme: hmmac, secrets: [{env: A}], signature: {header: X}}", "unknown-value"),
        ("verify: {preset: standard-webhooks, secrets: []}", "too-short"),
        ("verify: {preset: standard-webhooks}", "missing-key"),
        ("verify: nothing", "unknown-value"),
        ("verify: none, ack: 301", "unknown-value"),
        ("verify: none, max_body: 1MB", "not-a-size"),
        ("verify: none, max_body: 26MiB", "body-size"),
        ("verify: none, rate: fast", "not-a-rate"),
        ("verify: none, on_unreadable: drop", "unknown-value"),
        ("verify: none, content_encoding: br", "unknown-value"),
        ("verify: none, event: {id: x}", "missing-key"),
        ("verify: none, event: {type: '${body.', id: x}", "expression"),
        ("verify: none, dedupe: {key: '${nope}'}", "expression"),
    ],
)  # fmt: skip
def test_faults_of_a_source(load, source, code):
    assert code in [p.code for p in load(SOURCE.format(source), PATH_LIKE="/x").errors]


def test_an_unknown_scheme_is_one_problem_that_names_the_known(load):
    (problem,) = load(SOURCE.format("verify: {scheme: hmmac, secrets: [{env: A}]}")).problems
    assert problem.code == "unknown-value"
    assert problem.cure.startswith("known: hmac, digest, ed25519, ")
    assert problem.cure.endswith("; or name a preset")


def test_a_number_in_quotes_is_told_apart_from_the_number(load):
    (problem,) = load("version: '1'").problems
    assert problem.cure == "write it without quotes"


def test_an_expression_without_its_quotes_is_told_to_have_them(load):
    text = "version: 1\nsources:\n  x: {verify: none, event: {type: ${body.a}, id: x}}"
    assert load(text).problems[0].cure == (
        'write `x: {verify: none, event: {type: "${body.a}", id: x}}`'
    )


def cure_of(found) -> str:
    (problem,) = found.errors
    return problem.cure


@pytest.mark.parametrize("value", ["standard-webhooks", "true", "yes"])
def test_how_to_verify_is_told_where_only_a_word_is_given(load, value):
    assert cure_of(load(SOURCE.format(f"verify: {value}"))) == (
        "write `verify: {preset: standard-webhooks, secrets: [{env: NAME}]}`, or spell out `none`"
    )
    assert "scheme: hmac" in cure_of(load(SOURCE.format("verify: hmac")))
    assert cure_of(load(SOURCE.format("verify: noen"))) == 'did you mean "none"?'


@pytest.mark.parametrize("value", ["hmac", "true", "standard-webhooks"])
def test_how_to_sign_is_told_where_only_a_word_is_given(load, value):
    found = load(ENDPOINT.format(f"url: 'https://example.com/', sign: {value}"))
    assert cure_of(found) == "write `sign: {secrets: [{env: NAME}]}`, or spell out `none`"


def test_what_may_be_a_secret_in_place_of_a_word_is_not_quoted(load):
    (problem,) = load(ENDPOINT.format(f"url: 'https://example.com/', sign: {KEY}")).errors
    assert KEY not in str(problem)


ROUTE = (
    "version: 1\nendpoints: {x: {url: 'https://x.example/', sign: none}}\nroutes: [{name: a, {}}]\n"
)


@pytest.mark.parametrize(
    ("keys", "what", "cure"),
    [
        ("match: , to: [x]", '"match" is empty', "`{}` matches all"),
        ("match: license.expiring, to: [x]", "is text", "write `match: {type: license.expiring}`"),
        ("match: [a, b], to: [x]", "is a list", "write `match: {type: [a, b]}`"),
        ("match: [{type: a}], to: [x]", "is a list", "write a mapping of fields"),
        ("match: {}, to: x", '"to" is text, where a list belongs', "write `to: [x]`"),
        ("match: {}, to: []", '"to" is an empty list', "name at least one"),
        ("match: {}, to: [x], once: event.data.id", "has to be computed", "write `${event.data.id}`"),
        ("match: {}, to: [x], once: license", "has to be computed", "write where it is, `${event.data.license}` say; or `${'license'}`, if"),
        ("match: {}, to: [x], once: each one", "has to be computed", "into `${…}`"),
        ("match: {}, to: [{endpoint: x, each: event.data.l, call: {}}]", "computed", "`${event.data.l}`"),
        ("match: {or: [{type: a}, {type: b}]}, to: [x]", '"or" is taken for a field', "write `$or`"),
        ("match: {and: [{type: a}]}, to: [x]", '"and" is taken for a field', "write `$and`"),
        ("match: {not: {type: a}}, to: [x]", '"not" is no attribute', "write `$not`"),
        ("match: {event: {type: a}}, to: [x]", 'no attribute "event"', "write its fields directly: `match: {type: a}`"),
        ("match: {data: {at: {lt: 2026-01-01}}}, to: [x]", "no number", "dates are compared in `when`, with timestamp(…)"),
        ("match: {data: {at: {decimal: {gt: 2026-01-01}}}}, to: [x]", "no decimal", "dates are compared in `when`, with timestamp(…)"),
        ("match: {type: {regex: a.b}}, to: [x]", "no field", 'write `when: event.type.matches("a.b")`'),
        ("match: {type: {missing: true}}, to: [x]", "no field", "did you mean `{exists: false}`?"),
        ("match: {data: {n: [{regex: a.b}]}}, to: [x]", "no operator", "`when` with `matches`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_route_is_told_once_in_plain_words(load, keys, what, cure):
    (problem,) = load(ROUTE.replace("{}}]", f"{keys}}}]")).errors
    assert what in problem.what
    assert cure in problem.cure


@pytest.mark.parametrize(
    ("keys", "what", "cure"),
    [
        ("handler: handlers.cms", "names no function", "write `module:function`"),
        ("sign: none, retry: [5s]", '["5s"] is no value for "retry"', "write `retry: {schedule: [5s, 5m]}`"),
        ("sign: none, auth: bearer", '"auth" is text', "with some of basic, bearer, header"),
        ("sign: none, concurrency: 0", '"concurrency" is 0, and less than 1', "larger"),
        ("sign: none, concurrency: many", '"concurrency" is text, where a whole number belongs', "without quotes"),
        ("sign: none, owner: [a]", '"owner" is a list, where text belongs', "write one text"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_endpoint_is_told_once_in_plain_words(load, keys, what, cure):
    (problem,) = load(ENDPOINT.format(f"url: 'https://example.com/', {keys}")).errors
    assert what in problem.what
    assert cure in problem.cure


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("${CMS_URL}", "write `url: {env: CMS_URL}`"),
        ("$CMS_URL", "write `url: {env: CMS_URL}`"),
        ("https://${HOST}/x", "write all of it, or `{env: NAME}`"),
    ],
)
def test_a_url_is_not_computed(load, url, cure):
    found = load(ENDPOINT.format(f"url: '{url}', sign: none"))
    assert [p.code for p in found.errors] == ["url"]
    assert cure_of(found).startswith(cure)


@pytest.mark.parametrize(
    ("item", "word"), [("{prefix: a}", "operators"), ("[a]", "in the list around it")]
)
def test_what_is_no_value_in_a_list_is_told_once(load, item, word):
    (problem,) = load(f"version: 1\nlists: {{EU: [a, {item}]}}\n").errors
    assert (problem.code, problem.line, problem.column) == ("wrong-type", 2, 17)
    assert word in problem.cure


def test_an_event_has_a_type(load):
    (problem,) = load(SOURCE.format("verify: none, event: {type: ''}")).errors
    assert (problem.code, problem.what) == ("string-too-short", '"type" is empty')


@pytest.mark.parametrize("body", ['"${event.data}"', '["${event.data}"]', '{a: "${event.data}"}'])
def test_a_body_of_ones_own_is_any_json(load, body):
    loaded = load(ENDPOINT.format(f"url: 'https://example.com/', sign: none, body: {body}"))
    assert b'"n":1' in loaded.routes.endpoints["x"].render({"event": {"data": {"n": 1}}})


@pytest.mark.parametrize(
    ("match", "cure"),
    [
        ("{type: {prefx: a}}", 'did you mean "prefix"?'),
        ("{$or: [{type: x}, {subject: {exsts: true}}]}", 'did you mean "exists"?'),
    ],
)
def test_only_data_has_fields(load, match, cure):
    (problem,) = load(f"version: 1\nroutes: [{{name: a, match: {match}, to: [x]}}]").errors[:1]
    assert (problem.code, problem.cure) == ("pattern-operator", cure)


def test_a_dotted_path_into_data_may_have_fields_too(load):
    routes = load(
        ROUTE.replace("{}}]", "match: {data.license: {status: active}}, to: [x]}]")
    ).routes
    assert routes.routes[0].pattern.matches({"data": {"license": {"status": "active"}}})


def test_secrets_that_cannot_be_kept_are_a_problem(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "routes.yaml").write_text(
        SOURCE.format("verify: {scheme: token, secrets: [{env: NO_SUCH}]}")
    )
    settings = Settings(routes=tmp_path / "routes.yaml", database=tmp_path / "file" / "x.db")
    assert [p.code for p in check(settings, {}).problems] == ["secret-unwritable"]


def test_made_up_secrets_that_cannot_be_read_are_a_problem(tmp_path):
    (tmp_path / "development-secrets.json").write_text("{")
    (tmp_path / "routes.yaml").write_text(
        SOURCE.format("verify: {scheme: token, secrets: [{env: NO_SUCH}]}")
    )
    settings = Settings(routes=tmp_path / "routes.yaml", database=tmp_path / "x.db")
    assert [p.code for p in check(settings, {}).problems] == ["secret-unreadable"]


def test_an_empty_secret_is_missing_not_empty(load, tmp_path):
    (tmp_path / "empty").write_text("\n")
    text = SOURCE.format("verify: {scheme: token, secrets: [{file: empty}]}")
    assert [p.code for p in load(text).problems] == ["secret-missing"]


def test_a_secret_file_is_looked_for_beside_the_routes_file(load, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "dam").write_text("t0ken\n")
    loaded = load(SOURCE.format("verify: {scheme: token, secrets: [{file: secrets/dam}]}"))
    assert loaded.routes.sources["x"].verifier.keys[0].material == b"t0ken"


def test_an_endpoint_listed_twice_in_one_route_is_a_fault(problems):
    text = "version: 1\nendpoints: {x: {url: 'http://127.0.0.1/', sign: none}}\nroutes: [{name: a, match: {}, to: [x, x]}]\n"
    assert problems(text) == ["3:39 duplicate-target"]


def test_an_absent_file_is_a_problem_too(tmp_path, load):
    (problem,) = load_routes(tmp_path / "gone.yaml", None).problems
    assert (problem.code, problem.line) == ("no-file", 0)
    assert problem.cure == "name one that is there, or make one with `gateway init`"


def test_the_default_policy_is_standard_webhooks(load):
    endpoint = load(ENDPOINT.format("url: 'https://example.com/', sign: none")).routes.endpoints[
        "x"
    ]
    assert endpoint == EndpointConfig(name="x", url="https://example.com/")
    assert len(endpoint.retry.schedule) == 9


@pytest.mark.parametrize("scheme", ["[]", "{}", "1", "[hmac]"])
def test_a_scheme_that_is_no_word_is_a_problem_and_no_more(load, scheme):
    problems = load(SOURCE.format(f"verify: {{scheme: {scheme}, secrets: [{{env: A}}]}}")).problems
    assert "unknown-value" in {problem.code for problem in problems}
