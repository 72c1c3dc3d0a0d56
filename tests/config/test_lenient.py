"""A routes file read where its secrets, variables and handlers are not at hand."""

from gateway.config.lenient import load_given, load_leniently

ELSEWHERE = """\
version: 1
sources:
  a: {verify: {preset: standard-webhooks, secrets: [{env: NOT_HERE}]}}
  b: {verify: {scheme: hmac, secrets: [{file: secrets/gone}], signature: {header: S}}}
  c: {verify: {scheme: hmac, secret_encoding: hex, secrets: [{env: X}], signature: {header: S}}}
  d: {verify: {scheme: hmac, secret_encoding: base64, secrets: [{env: X}], signature: {header: S}}}
  e: {verify: {scheme: token, secrets: [{file: gone}]}}
  f: {verify: {preset: square, secrets: [{env: X}]}}
endpoints:
  cms:
    url: {env: CMS_URL}
    sign: {secrets: [{file: gone}]}
    auth: {basic: {user: me, password: {env: NOT_HERE}}}
    handler: handlers.nowhere:at_all
    secrets: {key: {env: NOT_HERE}}
  far: {url: "http://10.1.2.3:99/", sign: none}
routes:
  - {name: r, match: {}, to: [{endpoint: cms, with: {x: 1}}, far]}
"""


def test_secrets_variables_handlers_addresses_and_the_public_url_are_not_asked_for(tmp_path):
    path = tmp_path / "routes.yaml"
    path.write_text(ELSEWHERE)
    loaded = load_leniently(path)
    assert loaded.errors == []
    assert set(loaded.routes.sources) == set("abcdef")
    assert [target.endpoint for target in loaded.routes.routes[0].to] == ["cms", "far"]
    assert [each.name for each in tmp_path.iterdir()] == ["routes.yaml"]


def test_what_is_wrong_with_the_file_itself_is_wrong_here_too():
    faulty = ELSEWHERE.replace("match: {}", "match: {data: {x: {lte: many}}}, when: event.")
    faulty = faulty.replace("far]", "fra]").replace("http://10", "ftp://10")
    codes = {problem.code for problem in load_given([("n.yaml", faulty.encode())]).errors}
    assert codes >= {"expression", "unknown-endpoint", "url"}
    assert any(code.startswith("pattern") for code in codes)


def test_given_files_need_no_disk_and_are_the_same_as_read_ones(tmp_path):
    (tmp_path / "d").mkdir()
    main = b"version: 1\ninclude: [d/*.yaml]\nendpoints: {x: {url: https://x/, sign: none}}\n"
    more = b"version: 1\nroutes: [{name: r, match: {}, to: [x]}]\n"
    (tmp_path / "routes.yaml").write_bytes(main)
    (tmp_path / "d" / "more.yaml").write_bytes(more)
    read = load_leniently(tmp_path / "routes.yaml")
    given = load_given(read.files.named_texts())
    assert [name for name, _ in read.files.named_texts()] == ["routes.yaml", "d/more.yaml"]
    assert given.routes.fingerprint == read.routes.fingerprint
    assert [route.name for route in given.routes.routes] == ["r"]
