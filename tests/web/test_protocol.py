"""What the public listener refuses before the application sees it, over raw sockets."""

import asyncio
from dataclasses import replace

import pytest

from gateway.web.door import Limits
from gateway.web.server import Server, listen
from tests.kit.wire import a_request, answers, wire

CHUNKED = "transfer-encoding: chunked"


def set_limits(gateway, **limits):
    door = gateway.service._servers[0].door
    door.limits = replace(door.limits, **limits)
    return door


async def only_answer(gateway, data):
    (answer,) = await answers(gateway, data)
    return answer


async def is_well(gateway):
    """Whether a good request is answered as ever."""
    return (await only_answer(gateway, a_request())).status == 200


@pytest.fixture
def refusals(gateway):
    found = []
    gateway.service.telemetry.listen(
        lambda name, fields: found.append(fields["code"]) if name == "event.refused" else None
    )
    return found


# -- what is no HTTP, or could be understood in two ways -------------------------------------------------

ONE = b"POST /in/open HTTP/1.1\r\nhost: x\r\n"
MALFORMED = {
    "a length beside chunks": ONE + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
    "chunks beside a length": ONE + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n{}",
    "two lengths": ONE + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "the same length twice": ONE + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "a list of lengths": ONE + b"content-length: 2, 2\r\n\r\n{}",
    "a length with a sign": ONE + b"content-length: +2\r\n\r\n{}",
    "a negative length": ONE + b"content-length: -2\r\n\r\n{}",
    "a length in hexadecimal": ONE + b"content-length: 0x2\r\n\r\n{}",
    "a length beyond 64 bits": ONE + b"content-length: 99999999999999999999999\r\n\r\n{}",
    "a folded header": ONE + b"x-a: 1\r\n 2\r\ncontent-length: 2\r\n\r\n{}",
    "a bare line feed": b"POST /in/open HTTP/1.1\nhost: x\ncontent-length: 2\n\n{}",
    "a bare carriage return": ONE + b"x-a: 1\rx-b: 2\r\ncontent-length: 2\r\n\r\n{}",
    "a NUL in a header": ONE + b"x-a: \x00\r\ncontent-length: 2\r\n\r\n{}",
    "a space before the colon": ONE + b"content-length : 2\r\n\r\n{}",
    "a header without a name": ONE + b": 2\r\ncontent-length: 2\r\n\r\n{}",
    "a header without a colon": ONE + b"x-a\r\ncontent-length: 2\r\n\r\n{}",
    "an unknown transfer coding": ONE + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks that are not last": ONE + b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks that are compressed": ONE + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two headers": ONE
    + b"transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /in/open HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk whose size is no number": ONE + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "a chunk that is longer than its size": ONE
    + b"transfer-encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n",
    "a chunk's size beyond 64 bits": ONE
    + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
    "no host": b"POST /in/open HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}",
    "two hosts": ONE + b"host: y\r\ncontent-length: 2\r\n\r\n{}",
    "an unknown method": b"HACK /in/open HTTP/1.1\r\nhost: x\r\n\r\n",
    "an unknown version": b"POST /in/open HTTP/3.7\r\nhost: x\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a greeting of TLS": bytes.fromhex("16030100c8010000c40303") + bytes(32),
    "a path that is no ASCII": b"POST /in/\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path with a control character": b"POST /in/\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
    "no path": b"POST HTTP/1.1\r\nhost: x\r\n\r\n",
    "a name for CONNECT": b"CONNECT evil:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    "garbage": b"\x00\x01\x02\x03 garbage\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_malformed_is_refused_and_ends_the_connection(
    gateway, refusals, request_bytes
):
    answer = await only_answer(gateway, request_bytes)
    assert (answer.status, answer.code, answer.closes) == (400, "request-malformed", True)
    assert refusals == ["request-malformed"]
    assert await gateway.service._store.events({}) == []


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_only_a_client_of_http_1_0_need_not_name_a_host(gateway, version):
    answer = await only_answer(
        gateway, f"GET /livez HTTP/{version}\r\nconnection: close\r\n\r\n".encode()
    )
    assert answer.status == {"1.0": 200, "1.1": 400}[version]


async def test_a_trailer_does_not_become_a_header(gateway):
    body = b'{"specversion":"1.0","id":"1","source":"/s","type":"x"}'
    chunk = b"%x\r\n%b\r\n0\r\ncontent-type: text/xml\r\nce-specversion: 9\r\n\r\n" % (
        len(body),
        body,
    )
    answer = await only_answer(gateway, a_request("/in/open", chunk, CHUNKED, length=False))
    assert answer.status == 200


# -- too much ------------------------------------------------------------------------------------------


async def test_a_hundred_headers_are_taken_and_no_more(gateway):
    most = [f"x-{i}: 1" for i in range(98)]
    assert (await only_answer(gateway, a_request("/in/open", b'{"type":"x"}', *most))).status == 200
    answer = await only_answer(gateway, a_request("/in/open", b"{}", *most, "x-more: 1"))
    assert (answer.status, answer.code, answer.closes) == (431, "headers-too-large", True)


async def test_headers_of_32_kib_are_taken_and_no_larger_ones(gateway):
    def padded(size):
        return a_request("/in/open", b'{"type":"x"}', "x-pad: " + "x" * size)

    assert (await only_answer(gateway, padded(32 * 1024 - 60))).status == 200
    answer = await only_answer(gateway, padded(32 * 1024))
    assert (answer.status, answer.code) == (431, "headers-too-large")


async def test_a_header_without_an_end_is_read_no_further(gateway):
    async with wire(gateway) as line:
        line.send(b"POST /in/open HTTP/1.1\r\nhost: x\r\nx-endless: ")
        for _ in range(10):
            line.send(b"x" * 60_000)
        answer = await line.answer()
        assert (answer.status, answer.code) == (431, "headers-too-large")
        assert await line.closed() == b""


async def test_trailers_count_as_headers(gateway):
    trailers = "".join(f"x-{i}: {'x' * 900}\r\n" for i in range(50)).encode()
    chunks = b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n"
    answer = await only_answer(gateway, a_request("/in/open", chunks, CHUNKED, length=False))
    assert (answer.status, answer.code) == (431, "headers-too-large")


async def test_a_url_of_8_kib_is_read_and_no_longer_one(gateway):
    longest = "/in/open?" + "x" * (8 * 1024 - len("/in/open?"))
    assert (await only_answer(gateway, a_request(longest))).status == 200
    answer = await only_answer(gateway, a_request(longest + "x"))
    assert (answer.status, answer.code, answer.closes) == (414, "url-too-long", True)


async def test_a_sender_of_a_body_that_is_too_large_hears_so_before_it_is_done(gateway):
    async with wire(gateway) as line:
        line.send(a_request("/in/open", b"", "content-length: 50000000", length=False))
        line.send(b"x" * 2_000_000)  # it does not look while it sends
        answer = await line.answer()
        assert (answer.status, answer.code, answer.closes) == (413, "body-too-large", True)
        assert await line.closed() == b""


async def test_a_connection_too_many_is_told_to_come_back(gateway):
    set_limits(gateway, connections=2)
    async with wire(gateway) as first, wire(gateway) as second:
        for line in (first, second):
            line.send(a_request()[:-1])
        answer = await only_answer(gateway, a_request())
        assert (answer.status, answer.code, answer.closes) == (503, "overloaded", True)
        assert int(answer.headers["retry-after"]) >= 1
        for line in (first, second):
            line.send(b"}")
            assert (await line.answer()).status == 200


async def test_each_connection_too_many_is_counted_before_it_says_a_word(gateway, refusals, caplog):
    set_limits(gateway, connections=0)
    for _ in range(3):
        async with wire(gateway) as line:
            assert (await line.answer()).code == "overloaded"
    assert refusals == ["overloaded"] * 3
    counted = 'gateway_events_received_total{outcome="overloaded",source="(unknown)"} 3.0'
    assert counted in gateway.service._metrics.exposition().decode()
    warned = [
        each.code
        for each in caplog.records
        if each.levelname == "WARNING" and hasattr(each, "code")
    ]
    assert warned == ["overloaded"]


async def test_a_connection_between_two_requests_makes_room_for_a_new_one(gateway):
    set_limits(gateway, connections=2)
    async with wire(gateway) as first, wire(gateway) as second:
        for line in (first, second):
            line.send(a_request())
            assert (await line.answer()).status == 200
        assert await is_well(gateway)
        assert await first.closed() == b""


async def test_bodies_beyond_what_may_be_in_flight_are_told_to_come_back(gateway):
    door = set_limits(gateway, in_flight_bytes=1000)
    async with wire(gateway) as first:
        first.send(a_request("/in/open", b"x" * 600, "content-length: 601", length=False))
        async with wire(gateway) as second:
            second.send(a_request("/in/open", b"x" * 600, "content-length: 601", length=False))
            refused, taken = await asyncio.wait(
                [asyncio.ensure_future(line.answer()) for line in (first, second)],
                return_when=asyncio.FIRST_COMPLETED,
            )
            answer = refused.pop().result()
            assert (answer.status, answer.code, answer.closes) == (503, "overloaded", True)
            assert int(answer.headers["retry-after"]) >= 1
            for waiting in taken:
                waiting.cancel()
    assert await is_well(gateway)
    assert door.in_flight == 0


async def test_what_was_answered_is_no_longer_in_flight(gateway):
    door = set_limits(gateway, in_flight_bytes=1000)
    async with wire(gateway) as line:
        for _ in range(5):
            line.send(a_request("/in/open", b'{"type":"x","pad":"' + b"x" * 600 + b'"}'))
            assert (await line.answer()).status == 200
            assert door.in_flight == 0


# -- too slow ------------------------------------------------------------------------------------------


async def test_a_connection_that_sends_nothing_ends(gateway, refusals):
    set_limits(gateway, head_seconds=0.2)
    async with wire(gateway) as line:
        answer = await line.answer()
        assert (answer.status, answer.code, answer.closes) == (408, "request-too-slow", True)
        assert await line.closed() == b""
    assert refusals == []  # a check by TCP alone is no request


async def drip(line, data: bytes):
    """A byte at a time, as fast as the line is read: never a pause, never an end."""
    while not line.reader.at_eof() and not line.writer.is_closing():
        line.send(data)
        await asyncio.wait([asyncio.ensure_future(line.writer.drain())])
        await asyncio.wait([asyncio.get_running_loop().run_in_executor(None, lambda: None)])


@pytest.mark.parametrize("data", [b"x-a: 1\r\n", b"\r\n"], ids=["headers", "empty lines"])
async def test_a_head_that_drips_ends(gateway, data):
    set_limits(gateway, head_seconds=0.2, headers=10**9, header_bytes=10**9)
    async with wire(gateway) as line:
        line.send(ONE if data != b"\r\n" else b"")
        dripping = asyncio.ensure_future(drip(line, data))
        answer = await line.answer()
        assert (answer.status, answer.code, answer.closes) == (408, "request-too-slow", True)
        dripping.cancel()


async def test_a_body_with_too_long_a_gap_ends(gateway):
    set_limits(gateway, gap_seconds=0.2)
    async with wire(gateway) as line:
        line.send(a_request()[:-1])
        answer = await line.answer()
        assert (answer.status, answer.code, answer.closes) == (408, "request-too-slow", True)
    assert await gateway.service._store.events({}) == []


async def test_a_body_that_drips_ends_however_steadily_it_does(gateway):
    set_limits(gateway, body_seconds=0.3)
    async with wire(gateway) as line:
        line.send(a_request("/in/getty", b"", "content-length: 900000", length=False))
        dripping = asyncio.ensure_future(drip(line, b"x"))
        answer = await line.answer()
        assert (answer.status, answer.code, answer.closes) == (408, "request-too-slow", True)
        dripping.cancel()


async def test_a_slow_body_that_arrives_in_time_is_taken(gateway):
    async with wire(gateway) as line:
        for byte in a_request():
            line.send(bytes([byte]))
            await line.writer.drain()
            await asyncio.wait([asyncio.get_running_loop().run_in_executor(None, lambda: None)])
        assert (await line.answer()).status == 200


async def test_a_connection_may_rest_between_two_requests_and_then_ends(gateway):
    set_limits(gateway, head_seconds=0.1, keep_alive_seconds=0.5)
    async with wire(gateway) as line:
        began = asyncio.get_running_loop().time()
        line.send(a_request())
        assert (await line.answer()).status == 200
        assert await line.closed() == b""
        assert asyncio.get_running_loop().time() - began > 0.4


async def test_one_who_never_takes_the_answer_is_cut_off():
    cut_off = asyncio.Event()

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):  # far more than the buffers of both sides hold
            await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        cut_off.set()

    server, sock = Server(app, Limits(write_seconds=0.2)), listen(("127.0.0.1", 0), "test")
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    await server.listening.wait()
    _, writer = await asyncio.open_connection(*sock.getsockname())
    writer.transport.pause_reading()
    writer.write(a_request())
    await cut_off.wait()
    writer.close()
    server.should_exit = True
    await serving


# -- one after the other -------------------------------------------------------------------------------


async def test_requests_that_follow_at_once_are_answered_in_their_order(gateway):
    paths = ["/in/open", "/in/nope", "/livez", "/in/quiet"]
    found = await answers(gateway, b"".join(map(a_request, paths)), 4)
    assert [answer.status for answer in found] == [200, 404, 405, 204]


async def test_what_is_refused_is_refused_after_the_answers_before_it(gateway):
    found = await answers(gateway, a_request() + a_request() + b"garbage\r\n\r\n", 3)
    assert [answer.status for answer in found] == [200, 200, 400]
    assert len(await gateway.service._store.events({})) == 2


async def test_a_faulty_body_is_refused_after_the_answers_before_it(gateway):
    faulty = a_request("/in/open", b"zz\r\n", CHUNKED, length=False)
    found = await answers(gateway, a_request() + faulty, 2)
    assert [answer.status for answer in found] == [200, 400]


async def test_more_requests_than_may_wait_on_one_connection_end_it(gateway):
    found = await answers(gateway, a_request() * 17, 17)
    assert [answer.status for answer in found] == [200] * 16 + [503]
    assert found[-1].code == "overloaded"


async def test_nothing_of_a_body_that_was_not_wanted_is_taken_for_a_request(gateway):
    smuggled = a_request("/in/quiet")
    found = await answers(gateway, a_request("/in/nope", smuggled) + a_request(), 2)
    assert [answer.status for answer in found] == [404, 200]


async def test_a_client_that_expects_100_is_told_to_go_on(gateway):
    async with wire(gateway) as line:
        head, body = (
            a_request("/in/open", b'{"type":"x"}', "expect: 100-continue")[:-12],
            b'{"type":"x"}',
        )
        line.send(head)
        assert (await line.answer()).status == 100
        line.send(body)
        answer = await line.answer()
        assert (answer.status, answer.closes) == (200, False)
        line.send(a_request())
        assert (await line.answer()).status == 200


async def test_a_client_that_expects_100_for_what_is_not_wanted_never_sends_it(gateway):
    length = "content-length: 5000"
    request = a_request("/in/open", b"", length, "expect: 100-continue", length=False)
    answer = await only_answer(gateway, request)
    assert (answer.status, answer.closes) == (413, True)
    request = a_request("/in/nope", b"", length, "expect: 100-continue", length=False)
    answer = await only_answer(gateway, request)
    assert (answer.status, answer.closes) == (404, True)


async def test_a_wish_to_speak_otherwise_is_not_heard(gateway, caplog):
    upgrade = ("connection: upgrade", "upgrade: h2c")
    answer = await only_answer(gateway, a_request("/in/open", b'{"type":"x"}', *upgrade))
    assert (answer.status, answer.closes) == (200, True)
    assert caplog.text == ""


async def test_a_client_that_ends_its_side_after_the_request_gets_its_answer(gateway):
    async with wire(gateway) as line:
        line.send(a_request())
        line.writer.write_eof()
        assert (await line.answer()).status == 200
        assert await line.closed() == b""


@pytest.mark.parametrize("kept", [10, -1], ids=["in the head", "in the body"])
async def test_a_client_that_goes_away_amid_a_request_leaves_nothing(gateway, caplog, kept):
    door = gateway.service._servers[0].door
    async with wire(gateway) as line:
        line.send(a_request()[:kept])
        await line.writer.drain()
        line.writer.transport.abort()
    assert await is_well(gateway)
    assert len(await gateway.service._store.events({})) == 1
    assert (door.in_flight, caplog.text) == (0, "")


# -- hosts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("hooks.example.com", 200), ("HOOKS.example.com:8080", 200), ("own.example.com", 200),
        ("hooks.example.com.", 200), ("[::1]:80", 200), ("evil.example.com", 421), ("", 421),
        ("hooks.example.com.evil.com", 421), ("hooks.example.com@evil.com", 421),
    ],
)  # fmt: skip
async def test_only_hosts_that_are_allowed_are_answered_for(gateway, host, status):
    hosts = {"hooks.example.com", "own.example.com", "::1"}
    set_limits(gateway, hosts=frozenset(hosts))
    answer = await only_answer(gateway, a_request(host=host))
    assert answer.status == status
    if status == 421:
        assert (answer.code, answer.closes) == ("misdirected", True)


async def test_the_absolute_form_of_a_url_names_the_host_itself(gateway):
    set_limits(gateway, hosts=frozenset({"hooks.example.com"}))
    good, bad = "http://hooks.example.com/in/open", "http://evil.example.com/in/open"
    assert (await only_answer(gateway, a_request(good, host="whatever"))).status == 200
    assert (await only_answer(gateway, a_request(bad, host="hooks.example.com"))).status == 421


async def test_health_may_be_asked_by_address(gateway):
    set_limits(gateway, hosts=frozenset({"hooks.example.com"}))
    assert (await only_answer(gateway, a_request("/livez", b"", method="GET"))).status == 200
