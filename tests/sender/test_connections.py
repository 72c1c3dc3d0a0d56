"""Which connection a request goes out on, and what becomes of the connection afterwards."""

import asyncio
import gc
import os
import socket
import sys

import pytest

from gateway.core.model import Accepted, Unreachable
from tests.kit.raw import answers, raw_server
from tests.kit.steps import (
    by_connection,
    close,
    cut,
    half_close,
    hang,
    hear,
    hear_head,
    hear_out,
    hear_some,
    linger,
    reset,
    say,
    script,
)
from tests.sender.behaviours import CHUNKED, LARGE, LENGTH_2, head
from tests.sender.conftest import OK, a_call, reason_of, trusting

OWN = head(b"content-length: 3", status=b"201 Created") + b"own"
"""What only a new connection answers."""
FRESH = script(hear, say(OWN), hang)


async def second_of(sender, server, scheme="http", **more):
    """The outcome of a second call, after one that was answered with OK."""
    assert isinstance(await sender.send(a_call(server.url(scheme), **more)), Accepted)
    return await sender.send(a_call(server.url(scheme), **more))


def is_own(outcome) -> bool:
    return isinstance(outcome, Accepted) and outcome.response.body == b"own"


# -- used again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        head(CHUNKED) + b"2\r\nok\r\n0\r\n\r\n",
        head(b"content-length: 0", status=b"500 X"),
        head(status=b"204 X"),
        head(LENGTH_2, status=b"304 X"),
        b"HTTP/1.1 103 X\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_is_used_again_after_a_whole_answer(sender, answer):
    async with raw_server(script(*[hear, say(answer)] * 3, hang)) as server:
        outcomes = [await sender.send(a_call(server.url())) for _ in range(3)]
        assert [type(each) for each in outcomes] == [type(outcomes[0])] * 3
        assert server.connections == 1


async def test_a_large_request_leaves_its_connection_fit_for_another(sender):
    async with raw_server(answers(OK, OK)) as server:
        assert isinstance(await second_of(sender, server, body=LARGE), Accepted)
        assert server.connections == 1
        assert all(request.endswith(b"\r\n\r\n" + LARGE) for request in server.requests)


async def test_requests_at_the_same_time_have_connections_and_answers_of_their_own(sender):
    together = asyncio.Barrier(30)

    async def echo(reader, writer):
        for _ in range(2):
            request = await reader.request()
            await together.wait()
            body = request.partition(b"\r\n\r\n")[2]
            writer.write(head(b"content-length: %d" % len(body)) + body)

    async with raw_server(echo) as server:
        for _ in range(2):
            bodies = [b"%d" % n for n in range(30)]
            calls = (sender.send(a_call(server.url(), body=body)) for body in bodies)
            assert [each.response.body for each in await asyncio.gather(*calls)] == bodies
        assert server.connections == 30


@pytest.mark.parametrize(
    "before",
    [
        script(hear, say(head(b"connection: close", LENGTH_2) + b"ok"), hear_out),
        script(hear, say(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"), hear_out),
        script(hear, say(OK + b"!"), hear_out),
        script(hear, say(OK + OK), hear_out),
        script(hear, say(OK + b"HTTP/1.1 2"), hear_out),
        script(hear, say(head(CHUNKED) + b"2\r\nok\r\n0\r\n\r\n" + OK), hear_out),
        script(hear, say(head(LENGTH_2, status=b"204 X") + b"ok"), hear_out),
        script(hear, say(head(b"content-length: 9999999") + b"x" * 99999), hear_out),
        script(hear_head, say(OK), hear_some, hang),
    ],
    ids=[
        "it closes", "HTTP/1.0", "a byte more", "an answer more", "half an answer more",
        "chunks, and an answer more", "204 with a body", "a body that was not read to its end",
        "an answer before the body",
    ],
)  # fmt: skip
async def test_a_connection_is_not_used_again_where_the_next_answer_could_be_another(
    sender, before
):
    async with raw_server(by_connection(before, FRESH)) as server:
        first = await sender.send(a_call(server.url(), body=LARGE))
        assert isinstance(first, Accepted)
        assert is_own(await sender.send(a_call(server.url())))
        assert server.connections == 2


# -- what comes to an idle connection ------------------------------------------------------------------


@pytest.mark.parametrize(
    "meanwhile",
    [say(OK), say(b"!"), say(b"HTTP/1.1 200 OK\r\n"), say(b"\r\n"), half_close, reset],
    ids=["an answer", "a byte", "half a head", "a line feed", "an end", "a reset"],
)
async def test_a_connection_on_which_something_came_is_not_used_again(sender, meanwhile):
    go, done = asyncio.Event(), asyncio.Event()

    async def when_told(_reader, _writer):
        await go.wait()

    async def tell(_reader, _writer):
        done.set()

    before = script(hear, say(OK), when_told, meanwhile, tell, hang)
    async with raw_server(by_connection(before, FRESH)) as server:
        assert isinstance(await sender.send(a_call(server.url())), Accepted)
        go.set()
        await done.wait()
        assert is_own(await sender.send(a_call(server.url())))
        assert (server.connections, len(server.requests)) == (2, 2)


UNREAD = {
    "an answer": lambda sock: sock.send(OK),
    "a byte": lambda sock: sock.send(b"!"),
    "an end": lambda sock: sock.shutdown(socket.SHUT_WR),
}


@pytest.mark.parametrize("meanwhile", UNREAD.values(), ids=UNREAD)
async def test_nor_is_one_on_which_something_came_that_the_event_loop_has_not_read(
    sender, meanwhile
):
    kept = []

    async def keep(_reader, writer):
        kept.append(writer.get_extra_info("socket"))

    before = script(hear, keep, say(OK), hang)
    async with raw_server(by_connection(before, FRESH)) as server:
        assert isinstance(await sender.send(a_call(server.url())), Accepted)
        with kept[0].dup() as sock:
            meanwhile(sock)  # the loop has no turn from here until the request goes out
            assert is_own(await sender.send(a_call(server.url())))
        assert (server.connections, len(server.requests)) == (2, 2)


# -- a kept connection that is closed while the request is on its way ----------------------------------


STALE = {
    "an end": [hear, close],
    "a reset": [hear, reset],
    "an end one way": [hear, half_close, hang],
    "a reset with the request unread": [hear_some, reset],
    "a reset of what was not read": [hear_head, close],
}


@pytest.mark.parametrize("steps", STALE.values(), ids=STALE)
@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_a_request_on_a_kept_connection_that_ends_is_sent_again_on_a_new_one(
    sender, steps, method
):
    before = script(hear, say(OK), *steps)
    async with raw_server(by_connection(before, FRESH)) as server:
        assert is_own(await second_of(sender, server, method=method))
        assert server.connections == 2
        assert len(set(server.requests)) == 1


async def test_a_large_request_is_sent_again_whole(sender):
    before = script(hear, say(OK), hear_some, reset)
    async with raw_server(by_connection(before, FRESH)) as server:
        assert is_own(await second_of(sender, server, body=LARGE))
        assert server.requests[-1].endswith(b"\r\n\r\n" + LARGE)


async def test_over_tls_it_is_sent_again_too(sender, ca):
    before = script(hear, say(OK), hear, cut, hang)
    async with raw_server(by_connection(before, FRESH), tls=ca.server()) as server:
        assert is_own(await second_of(sender, server, "https", tls=trusting(ca)))
        assert server.connections == 2


async def test_no_request_is_sent_a_third_time(sender):
    before = script(hear, say(OK), hear, close)
    async with raw_server(by_connection(before, script(hear, close))) as server:
        assert reason_of(await second_of(sender, server)) == "connection-lost"
        assert len(server.requests) == 3


async def test_what_may_be_sent_only_once_goes_out_on_a_connection_of_its_own(sender):
    before = script(hear, say(OK), hear, close)
    async with raw_server(by_connection(before, script(hear, close), FRESH)) as server:
        assert reason_of(await second_of(sender, server, only_once=True)) == "connection-lost"
        assert (server.connections, len(server.requests)) == (2, 2)


async def test_of_many_kept_connections_that_ended_only_one_is_tried(sender):
    together = asyncio.Barrier(3)

    async def meet(_reader, _writer):
        await together.wait()

    before = script(hear, meet, say(OK), hear, close)
    async with raw_server(by_connection(before, before, before, FRESH)) as server:
        await asyncio.gather(*(sender.send(a_call(server.url())) for _ in range(3)))
        assert is_own(await sender.send(a_call(server.url())))
        assert (server.connections, len(server.requests)) == (4, 5)


async def test_an_answer_that_has_begun_is_not_asked_for_again(sender):
    before = script(hear, say(OK), hear, say(b"H"), close)
    async with raw_server(by_connection(before, FRESH)) as server:
        assert reason_of(await second_of(sender, server)) == "connection-lost"
        assert server.connections == 1


async def test_silence_on_a_kept_connection_is_not_asked_again(sender):
    before = script(hear, say(OK), hear, hang)
    async with raw_server(by_connection(before, FRESH)) as server:
        assert reason_of(await second_of(sender, server, seconds=0.3)) == "timeout"
        assert server.connections == 1


async def test_what_is_sent_again_has_the_time_that_is_left(sender):
    before = script(hear, say(OK), hear, linger(0.9), close)
    loop = asyncio.get_running_loop()
    async with raw_server(by_connection(before, script(hear, hang))) as server:
        began = loop.time()
        assert reason_of(await second_of(sender, server, seconds=1)) == "timeout"
        assert loop.time() - began < 1.7


# -- connecting ----------------------------------------------------------------------------------------


async def test_nobody_listens(sender):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome = await sender.send(a_call(f"http://127.0.0.1:{port}/"))
    assert reason_of(outcome) == "connection-refused"


@pytest.fixture
def full():
    """A port whose listener takes no more connections, and does not say so."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        try:
            for _ in range(8):
                waiting.append(socket.socket())
                waiting[-1].settimeout(0.05)
                waiting[-1].connect(listener.getsockname())
            pytest.skip("this system takes connections beyond a listener's backlog")
        except TimeoutError:
            yield listener.getsockname()[1]
        finally:
            for each in waiting:
                each.close()


async def test_connecting_has_a_limit_of_its_own(make, full):
    outcome = await make(connect_seconds=0.2).send(a_call(f"http://127.0.0.1:{full}/"))
    assert reason_of(outcome) == "connect-timeout"


async def test_connecting_counts_for_the_whole(sender, full):
    outcome = await sender.send(a_call(f"http://127.0.0.1:{full}/", seconds=0.2))
    assert reason_of(outcome) == "timeout"


async def test_the_handshake_is_part_of_connecting(make):
    async with raw_server(script(hear_some, hang)) as server:
        outcome = await make(connect_seconds=0.2).send(a_call(server.url("https")))
    assert reason_of(outcome) == "connect-timeout"


# -- given up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps", [[hear], [hear, say(head(LENGTH_2) + b"o")]], ids=["no answer", "half an answer"]
)
async def test_a_send_that_is_cancelled_closes_its_connection(sender, steps):
    heard, ended = asyncio.Event(), asyncio.Event()

    async def tell(_reader, _writer):
        heard.set()

    async def until_it_ends(reader, writer):
        await hear_out(reader, writer)
        ended.set()

    async with raw_server(by_connection(script(*steps, tell, until_it_ends), FRESH)) as server:
        sending = asyncio.create_task(sender.send(a_call(server.url())))
        await heard.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await ended.wait()
        assert is_own(await sender.send(a_call(server.url())))


async def test_a_send_that_ran_out_of_time_closes_its_connection(sender):
    ended = asyncio.Event()

    async def until_it_ends(reader, writer):
        await hear_out(reader, writer)
        ended.set()

    async with raw_server(script(hear, until_it_ends)) as server:
        assert reason_of(await sender.send(a_call(server.url(), seconds=0.2))) == "timeout"
        await ended.wait()


# -- thousands of them ---------------------------------------------------------------------------------


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # counted, not looked at


ENDINGS = {
    "kept": [hear, say(OK)] * 1000 + [hang],
    "closed": [hear, say(head(b"connection: close", LENGTH_2) + b"ok"), close],
    "lost": [hear, reset],
    "broken": [hear, say(head(LENGTH_2) + b"o"), close],
    "malformed": [hear, say(b"SSH-2.0\r\n"), close],
    "cut short": [hear, say(head(b"content-length: 9999999") + b"x" * 99999), hear_out],
    "stale": [hear, say(OK), hear, close],
}


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
@pytest.mark.parametrize("steps", ENDINGS.values(), ids=ENDINGS)
async def test_many_sends_leave_neither_files_nor_tasks_nor_memory_behind(sender, steps):
    async def some(count: int) -> tuple[int, int, int]:
        for _ in range(count):
            await sender.send(a_call(server.url()))
            server.requests.clear()
        await asyncio.gather(*(asyncio.to_thread(gc.collect) for _ in range(2)))
        return open_files(), len(asyncio.all_tasks()), sys.getallocatedblocks()

    gc.freeze()  # what all tests together have is not looked through each time
    async with raw_server(script(*steps)) as server:
        await some(50)
        files, tasks, blocks = await some(100)
        more_files, more_tasks, more_blocks = await some(300)
    assert more_files <= files + 2
    assert more_tasks <= tasks + 2
    assert more_blocks <= blocks + 300


async def test_a_closed_sender_leaves_no_connection_open(make):
    ended = asyncio.Event()

    async def until_it_ends(reader, writer):
        await hear_out(reader, writer)
        ended.set()

    async with raw_server(script(hear, say(OK), until_it_ends)) as server:
        sender = make()
        assert not isinstance(await sender.send(a_call(server.url())), Unreachable)
        await sender.close()
        await ended.wait()
