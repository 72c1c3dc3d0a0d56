"""What is doubtful about routes is reported whenever they come into force."""

from gateway.testing import Gateway

ROUTES = """\
version: 1
sources: {getty: {verify: none}}
endpoints: {cms: {url: http://127.0.0.1:9/cms, sign: none}}
routes:
  - {name: a, match: {type: TYPE}, to: [cms]}
"""


async def test_a_reload_tells_warnings(tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    async with Gateway(file) as gateway:
        told = []
        gateway.service.telemetry.listen(lambda name, fields: told.append((name, fields)))
        file.write_text(ROUTES.replace("TYPE", "license.*"))
        await gateway.service.reload()
    warnings = [fields["problem"] for name, fields in told if name == "routes.warning"]
    assert [warning for warning in warnings if "literal-wildcard" in warning]
    assert [warning for warning in warnings if "unverified" in warning]
