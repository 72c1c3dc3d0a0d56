"""What servers do, and what a sender must make of it: the table that test_behaviours.py runs.

An answer counts once its head and its body are whole, however the connection ends after that. Until
the head is whole, a connection that ends is `connection-lost`; what is no head, or no head that fits
into 64 KiB, is `response-malformed`. A head whose body does not come whole is `response-broken`. Where
nothing ends, the attempt does, by its `timeout`.
"""

import gzip
from dataclasses import dataclass, field

from tests.kit.raw import Say
from tests.kit.steps import (
    close,
    cut,
    drip,
    endlessly,
    half_close,
    hang,
    hear,
    hear_head,
    hear_out,
    hear_some,
    reset,
    say,
    say_below,
    script,
)


@dataclass(frozen=True)
class Answer:
    """The outcome is an answer: Accepted where its status is 2xx, else Refused."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    """Those that the answer must have; it may have others."""


@dataclass(frozen=True)
class Behaviour:
    """What a server does with its connection, and the outcome of the call that meets it."""

    name: str
    does: Say
    gives: tuple[Answer | str, ...]
    """An answer, or the reason why there is none. Several where the network decides which."""
    call: dict[str, object]
    """What is special about the call."""


def it(name: str, *steps: Say, gives: Answer | str | tuple, **call) -> Behaviour:
    return Behaviour(name, script(*steps), gives if isinstance(gives, tuple) else (gives,), call)


def head(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", b""))


LENGTH_2 = b"content-length: 2"
CHUNKED = b"transfer-encoding: chunked"
OK = head(LENGTH_2) + b"ok"
TOOK = Answer(200, b"ok")
KIB_64 = 64 * 1024
BRIEF = 0.3
"""Seconds, for calls that are to run into their limit."""
LARGE = b"x" * 16 * 1024 * 1024
"""A request that no socket's buffers hold."""

STATUSES = [
    *(
        it(f"status {n}", hear, say(head(b"content-length: 0", status=b"%d X" % n)), hang,
           gives=Answer(n))
        for n in (200, 201, 202, 206, 226, 299, 300, 305, 400, 401, 403, 404, 409, 410, 413, 418, 422,
                  429, 451, 500, 502, 503, 504, 599)
    ),
    it("a status beyond the classes", hear, say(head(LENGTH_2, status=b"799 Odd"), b"ok"), hang,
       gives=Answer(799, b"ok")),
    it("999", hear, say(head(LENGTH_2, status=b"999 Odd") + b"ok"), hang, gives=Answer(999, b"ok")),
    it("a NUL in the reason phrase", hear, say(head(LENGTH_2, status=b"200 O\0K") + b"ok"), hang,
       gives=TOOK),
    it("no reason phrase", hear, say(b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok"), hang,
       gives=TOOK),
    it("Retry-After in seconds", hear,
       say(head(b"Retry-After: 7", b"content-length: 0", status=b"429 Slow")), hang,
       gives=Answer(429, headers={"retry-after": "7"})),
    it("Retry-After as a date", hear,
       say(head(b"retry-after:  Fri, 31 Dec 1999 23:59:59 GMT ", b"content-length: 0",
                status=b"503 Busy")), hang,
       gives=Answer(503, headers={"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"})),
]  # fmt: skip

FRAMINGS = [
    it("a length", hear, say(OK), hang, gives=TOOK),
    it("a length, and the body in a segment of its own", hear, say(head(LENGTH_2), b"o", b"k"), hang,
       gives=TOOK),
    it("a head in pieces", hear, say(*(OK[at : at + 5] for at in range(0, len(OK), 5))), hang,
       gives=TOOK),
    it("chunks", hear, say(head(CHUNKED) + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"), hang, gives=TOOK),
    it("chunks in pieces", hear, say(head(CHUNKED), b"2", b"\r\nok\r", b"\n0\r\n", b"\r\n"), hang,
       gives=TOOK),
    it("chunks with extensions", hear,
       say(head(CHUNKED) + b'2;a=b;c="d e"\r\nok\r\n0;last\r\n\r\n'), hang, gives=TOOK),
    it("chunks with trailers", hear,
       say(head(CHUNKED, b"trailer: x-sum") + b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"), hang, gives=TOOK),
    it("chunk sizes with zeros before them and capitals", hear,
       say(head(CHUNKED) + b"00002\r\nok\r\n0A\r\n0123456789\r\n000\r\n\r\n"), hang,
       gives=Answer(200, b"ok0123456789")),
    it("Chunked in capitals", hear,
       say(head(b"Transfer-Encoding: Chunked") + b"2\r\nok\r\n0\r\n\r\n"), hang, gives=TOOK),
    it("no chunk but the last", hear, say(head(CHUNKED) + b"0\r\n\r\n"), hang, gives=Answer(200)),
    it("the end of the connection", hear, say(head(b"connection: close"), b"ok"), close, gives=TOOK),
    it("the end of the connection, unannounced", hear, say(head(), b"ok"), close, gives=TOOK),
    it("the end of the connection, one way", hear, say(head(), b"ok"), half_close, hang, gives=TOOK),
    it("a length, and an end one way", hear, say(OK), half_close, hang, gives=TOOK),
    it("HTTP/1.0 with a length", hear, say(b"HTTP/1.0 200 OK\r\n" + LENGTH_2 + b"\r\n\r\nok"), hang,
       gives=TOOK),
    it("HTTP/1.0 to the end", hear, say(b"HTTP/1.0 200 OK\r\n\r\nok"), close, gives=TOOK),
    it("a length, and connection: close", hear, say(head(b"Connection: Close", LENGTH_2) + b"ok"), hang,
       gives=TOOK),
    it("204 without a length", hear, say(head(status=b"204 No Content")), hang, gives=Answer(204)),
    it("204 with a length of 0", hear, say(head(b"content-length: 0", status=b"204 X")), hang,
       gives=Answer(204)),
    it("204 with a length, and no body", hear, say(head(LENGTH_2, status=b"204 X")), hang,
       gives=Answer(204)),
    it("204 with a body", hear, say(head(LENGTH_2, status=b"204 X") + b"ok"), hang, gives=Answer(204)),
    it("304 with a length, and no body", hear, say(head(LENGTH_2, status=b"304 X")), hang,
       gives=Answer(304)),
    it("an answer to HEAD, with the length that GET would have", hear, say(head(LENGTH_2)), hang,
       gives=Answer(200), method="HEAD", body=b""),
    it("the same length twice", hear, say(head(LENGTH_2, LENGTH_2) + b"ok"), hang,
       gives="response-malformed"),
    it("two lengths", hear, say(head(LENGTH_2, b"content-length: 3") + b"ok!"), hang,
       gives="response-malformed"),
    it("a length below zero", hear, say(head(b"content-length: -2") + b"ok"), hang,
       gives="response-malformed"),
    it("a length that is no number", hear, say(head(b"content-length: two") + b"ok"), hang,
       gives="response-malformed"),
    it("a length beyond all numbers", hear, say(head(b"content-length: " + b"9" * 40) + b"ok"), hang,
       gives="response-malformed"),
    it("a length beside chunks", hear, say(head(LENGTH_2, CHUNKED) + b"2\r\nok\r\n0\r\n\r\n"), hang,
       gives="response-malformed"),
    it("a chunk size that is none", hear, say(head(CHUNKED), b"zz\r\nok\r\n0\r\n\r\n"), hang,
       gives="response-broken"),
    *(
        it(f"a length that is {n.decode()!r}", hear, say(head(b"content-length: " + n) + b"ok"), hang,
           gives="response-malformed")
        for n in (b"", b"+2", b"0x2", b"2_0", b"2, 2")
    ),
    *(
        it(f"a chunk size that is {n.decode()!r}", hear,
           say(head(CHUNKED), n + b"\r\nok\r\n0\r\n\r\n"), hang, gives="response-broken")
        for n in (b"", b"-2", b"+2", b"0x2", b"f" * 17)
    ),
    it("chunks between bare line feeds", hear, say(head(CHUNKED), b"2\nok\n0\n\n"), hang,
       gives="response-broken"),
    it("chunks by HTTP/1.0", hear, say(b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
       close, gives=TOOK),
    it("304 with a body", hear, say(head(LENGTH_2, status=b"304 X") + b"ok"), hang, gives=Answer(304)),
    it("a chunk longer than its size", hear, say(head(CHUNKED), b"1\r\nok\r\n0\r\n\r\n"), hang,
       gives="response-broken"),
]  # fmt: skip

HEADERS = [
    it("names in capitals", hear, say(b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 2\r\nX-A: 1\r\n\r\nok"), hang,
       gives=Answer(200, b"ok", {"x-a": "1"})),
    it("no space after the colon", hear, say(head(b"content-length:2", b"x-a:1") + b"ok"), hang,
       gives=Answer(200, b"ok", {"x-a": "1"})),
    it("an empty value", hear, say(head(b"x-a:", LENGTH_2) + b"ok"), hang,
       gives=Answer(200, b"ok", {"x-a": ""})),
    it("a name twice", hear, say(head(b"x-a: 1", b"x-a: 2", LENGTH_2) + b"ok"), hang,
       gives=Answer(200, b"ok", {"x-a": "2"})),
    it("bytes beyond ASCII", hear, say(head(b"x-a: \xc3\xa9\xff", LENGTH_2) + b"ok"), hang, gives=TOOK),
    it("a folded line", hear, say(head(b"x-a: 1", b"  2", LENGTH_2) + b"ok"), hang, gives=TOOK),
    it("bare line feeds", hear, say(OK.replace(b"\r\n", b"\n")), hang, gives=TOOK),
    it("an empty line first", hear, say(b"\r\n" + OK), hang, gives=TOOK),
    *(
        it(f"a line {line!r}", hear, say(head(line, LENGTH_2) + b"ok"), hang,
           gives="response-malformed")
        for line in (b"nonsense", b": x", b"x\0: 1", b"x\x7f: 1", b"x\xe9: 1", b"x: 1\r2")
    ),
    it("a folded line after the status", hear, say(b"HTTP/1.1 200 OK\r\n x\r\n\r\n"), hang,
       gives="response-malformed"),
    it("a folded line without end", hear, say(b"HTTP/1.1 200 OK\r\nx: y\r\n"), endlessly(b" z\r\n"),
       gives="response-malformed"),
    it("a name with a space in it", hear, say(head(b"bad header", LENGTH_2) + b"ok"), hang,
       gives="response-malformed"),
    it("a NUL in a value", hear, say(head(b"x-a: 1\x002", LENGTH_2) + b"ok"), hang,
       gives="response-malformed"),
    it("a value of 32 KiB", hear, say(head(b"x-a: " + b"y" * 32768, LENGTH_2) + b"ok"), hang,
       gives=Answer(200, b"ok", {"x-a": "y" * 32768})),
    it("a hundred headers", hear,
       say(head(*(b"x-%d: y" % n for n in range(100)), LENGTH_2) + b"ok"), hang, gives=TOOK),
    it("thousands of headers", hear,
       say(head(*(b"x-%d: y" % n for n in range(5000)), LENGTH_2) + b"ok"), hang,
       gives="response-malformed"),
    it("a line of 1 MiB", hear, say(head(b"x: " + b"y" * 1024 * 1024, LENGTH_2) + b"ok"), hang,
       gives="response-malformed"),
    it("a head of 200 KiB", hear,
       say(head(*(b"x-%d: %b" % (n, b"y" * 4000) for n in range(50)), LENGTH_2) + b"ok"), hang,
       gives="response-malformed"),
    it("headers without end", hear, say(b"HTTP/1.1 200 OK\r\n"), endlessly(b"x: y\r\n"),
       gives="response-malformed"),
    it("a line without end", hear, say(b"HTTP/1.1 200 OK\r\nx: "), endlessly(b"y"),
       gives="response-malformed"),
    it("a status line without end", hear, say(b"HTTP/1.1 200 "), endlessly(b"y"),
       gives="response-malformed"),
]  # fmt: skip

INTERIM = [
    it("100 unasked", hear, say(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), hang, gives=TOOK),
    it("100 alone, then the answer", hear, say(b"HTTP/1.1 100 Continue\r\n\r\n", OK), hang, gives=TOOK),
    it("100 before the body", hear_head, say(b"HTTP/1.1 100 Continue\r\n\r\n"), hear_some, say(OK), hang,
       gives=TOOK),
    it("102 and 103", hear, say(b"HTTP/1.1 102 Processing\r\n\r\n",
                                b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", OK), hang,
       gives=TOOK),
    it("many 1xx", hear, say(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + OK), hang, gives=TOOK),
    it("a 1xx that nobody knows", hear, say(b"HTTP/1.1 199 X\r\n\r\n" + OK), hang, gives=TOOK),
    it("1xx without end", hear, endlessly(b"HTTP/1.1 102 Processing\r\n\r\n"),
       gives="response-malformed"),
    it("1xx, then nothing", hear, say(b"HTTP/1.1 102 Processing\r\n\r\n"), hang, gives="timeout",
       seconds=BRIEF),
    it("1xx, then the end", hear, say(b"HTTP/1.1 102 Processing\r\n\r\n"), close,
       gives="connection-lost"),
    it("101 that nobody asked for", hear,
       say(head(b"upgrade: websocket", b"connection: upgrade", status=b"101 Switching")), hang,
       gives=Answer(101)),
    it("101, then another protocol", hear,
       say(head(b"upgrade: h2c", b"connection: upgrade", status=b"101 Switching")), endlessly(b"\0"),
       gives=Answer(101)),
]  # fmt: skip

EARLY = [
    it("an answer before the body", hear_head, say(head(b"content-length: 0", status=b"413 X")), hang,
       gives=Answer(413), body=LARGE),
    it("an answer before the body, which is then read", hear_head,
       say(head(b"content-length: 0", b"connection: close", status=b"413 X")), half_close, hear_out,
       gives=Answer(413), body=LARGE),
    it("an answer before the body, then the end", hear_head,
       # The system resets a connection that is closed with something unread (RFC 9112 §9.6).
       say(head(b"content-length: 0", b"connection: close", status=b"413 X")), close,
       gives=(Answer(413), "connection-lost"), body=LARGE),
    it("an answer before the request", say(OK), hear, hang, gives=TOOK),
    it("an answer before the request, which is never read", say(OK), hang, gives=TOOK),
    it("an answer before the body, then a reset", hear_head,
       say(head(b"content-length: 0", status=b"413 X")), reset,
       gives=(Answer(413), "connection-lost"), body=LARGE),
    it("a success before the body", hear_head, say(OK), hang, gives=TOOK, body=LARGE),
]  # fmt: skip

BREAKS = [
    it("an end at once", close, gives="connection-lost"),
    it("a reset at once", reset, gives="connection-lost"),
    it("an end in the request", hear_some, close, gives="connection-lost", body=LARGE),
    it("a reset in the request", hear_some, reset, gives="connection-lost", body=LARGE),
    it("an end one way before the request", half_close, hear, hang, gives="connection-lost"),
    it("an end one way in the request", hear_some, half_close, hang, gives="connection-lost",
       body=LARGE),
    it("an end after the request", hear, close, gives="connection-lost"),
    it("an end after a PUT", hear, close, gives="connection-lost", method="PUT"),
    it("a reset after the request", hear, reset, gives="connection-lost"),
    it("an end one way after the request", hear, half_close, hang, gives="connection-lost"),
    it("an end in the head", hear, say(b"HTTP/1.1 200 OK\r\ncontent-le"), close,
       gives="connection-lost"),
    it("a reset in the head", hear, say(b"HTTP/1.1 200 OK\r\ncontent-le"), reset,
       gives="connection-lost"),
    it("an end after the head", hear, say(head(LENGTH_2)), close, gives="response-broken"),
    it("a reset after the head", hear, say(head(LENGTH_2)), reset, gives="response-broken"),
    it("an end in the body", hear, say(head(LENGTH_2) + b"o"), close, gives="response-broken"),
    it("a reset in the body", hear, say(head(LENGTH_2) + b"o"), reset, gives="response-broken"),
    it("an end in a chunk", hear, say(head(CHUNKED) + b"ff\r\nhalf"), close, gives="response-broken"),
    it("an end before the last chunk", hear, say(head(CHUNKED) + b"2\r\nok\r\n"), close,
       gives="response-broken"),
    it("an end in the trailers", hear, say(head(CHUNKED) + b"2\r\nok\r\n0\r\n"), close,
       gives="response-broken"),
    it("a reset in the trailers", hear, say(head(CHUNKED) + b"2\r\nok\r\n0\r\nx-sum: "), reset,
       gives="response-broken"),
    it("a reset in a body without a length", hear, say(head(), b"ok"), reset, gives="response-broken"),
    it("a whole answer, then a reset", hear, say(OK), reset, gives=TOOK),
    it("a whole answer without a body, then a reset", hear, say(head(b"content-length: 0")), reset,
       gives=Answer(200)),
]  # fmt: skip

SILENCE = [
    it("silence at once", hang, gives="timeout", seconds=BRIEF),
    it("silence in the request", hear_some, hang, gives="timeout", seconds=BRIEF, body=LARGE),
    it("silence after the request", hear, hang, gives="timeout", seconds=BRIEF),
    it("silence in the head", hear, say(b"HTTP/1.1 200 OK\r\n"), hang, gives="timeout", seconds=BRIEF),
    it("silence after the head", hear, say(head(LENGTH_2)), hang, gives="timeout", seconds=BRIEF),
    it("silence in the body", hear, say(head(LENGTH_2) + b"o"), hang, gives="timeout", seconds=BRIEF),
    it("silence in a body without a length", hear, say(head() + b"o"), hang, gives="timeout",
       seconds=BRIEF),
    it("silence in the trailers", hear, say(head(CHUNKED) + b"2\r\nok\r\n0\r\n"), hang, gives="timeout",
       seconds=BRIEF),
    it("silence before the last chunk", hear, say(head(CHUNKED) + b"2\r\nok\r\n"), hang, gives="timeout",
       seconds=BRIEF),
    it("a head drop by drop", hear, drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000), gives="timeout",
       seconds=BRIEF),
    it("a body drop by drop", hear, say(head(b"content-length: 1000")), drip(b"x" * 1000),
       gives="timeout", seconds=BRIEF),
    it("chunks drop by drop", hear, say(head(CHUNKED)), drip(b"1\r\nx\r\n" * 200), gives="timeout",
       seconds=BRIEF),
]  # fmt: skip

BOMB = gzip.compress(b"\0" * 10_000_000)

ENDLESS = [
    it("64 KiB", hear, say(head(b"content-length: %d" % KIB_64) + b"x" * KIB_64), hang,
       gives=Answer(200, b"x" * KIB_64)),
    it("a byte more than 64 KiB", hear,
       say(head(b"content-length: %d" % (KIB_64 + 1)) + b"x" * (KIB_64 + 1)), hang,
       gives=Answer(200, b"x" * KIB_64)),
    it("1 MiB in chunks", hear,
       say(head(CHUNKED) + (b"400\r\n%b\r\n" % (b"x" * 1024)) * 1024 + b"0\r\n\r\n"), hang,
       gives=Answer(200, b"x" * KIB_64)),
    it("64 KiB in chunks of a byte", hear,
       say(head(CHUNKED) + b"1\r\nx\r\n" * KIB_64 + b"0\r\n\r\n"), hang,
       gives=Answer(200, b"x" * KIB_64)),
    it("a body without end", hear, say(head()), endlessly(b"x"), gives=Answer(200, b"x" * KIB_64)),
    it("a length of 1 TB", hear, say(head(b"content-length: 1000000000000")), endlessly(b"x"),
       gives=Answer(200, b"x" * KIB_64)),
    it("a refusal without end", hear, say(head(status=b"500 X")), endlessly(b"x"),
       gives=Answer(500, b"x" * KIB_64)),
    it("chunks without end", hear, say(head(CHUNKED)), endlessly(b"1\r\nx\r\n"),
       gives=Answer(200, b"x" * KIB_64)),
    it("a chunk extension without end", hear, say(head(CHUNKED) + b"2;"), endlessly(b"x"),
       gives="response-broken"),
    it("a chunk size without end", hear, say(head(CHUNKED)), endlessly(b"0"), gives="response-broken"),
    it("trailers without end", hear, say(head(CHUNKED) + b"2\r\nok\r\n0\r\n"), endlessly(b"x: y\r\n"),
       gives="response-broken"),
    it("a gzip bomb", hear,
       say(head(b"content-encoding: gzip", b"content-length: %d" % len(BOMB)) + BOMB), hang,
       gives=Answer(200, BOMB[:KIB_64])),
    it("a body that says gzip and is none", hear, say(head(b"content-encoding: gzip", LENGTH_2) + b"ok"),
       hang, gives=TOOK),
]  # fmt: skip

GARBAGE = [
    it("another server's greeting", say(b"SSH-2.0-OpenSSH_9.2\r\n"), hang, gives="response-malformed"),
    it("a greeting, then an end", say(b"220 mail.example ESMTP\r\n"), close,
       gives="response-malformed"),
    it("bytes at random", hear, say(bytes(range(256)) * 4), hang, gives="response-malformed"),
    it("NULs", hear, say(b"\0" * 1000), hang, gives="response-malformed"),
    it("a status that is no number", hear, say(b"HTTP/1.1 abc OK\r\n\r\n"), hang,
       gives="response-malformed"),
    it("a status of two digits", hear, say(b"HTTP/1.1 20 OK\r\n\r\n"), hang, gives="response-malformed"),
    it("HTTP/2", hear, say(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff"),
       hang, gives="response-malformed"),
    it("HTTP/2 in the status line", hear, say(b"HTTP/2 200 OK\r\ncontent-length: 2\r\n\r\nok"), hang,
       gives="response-malformed"),
    it("HTTP/0.9", hear, say(b"<html>ok</html>"), close, gives="response-malformed"),
    it("a request", hear, say(b"POST / HTTP/1.1\r\nhost: x\r\n\r\n"), hang, gives="response-malformed"),
    it("ICY", hear, say(b"ICY 200 OK\r\ncontent-length: 2\r\n\r\nok"), hang,
       gives="response-malformed"),
    it("a TLS alert on a plain connection", hear, say(b"\x15\x03\x01\x00\x02\x02\x46"), close,
       gives="response-malformed"),
    *(
        it(f"a status line {line.decode()!r}", hear, say(line + b"\r\n" + LENGTH_2 + b"\r\n\r\nok"), hang,
           gives="response-malformed")
        for line in (b"HTTP/1.1 1000 X", b"HTTP/1.1 -200 X", b"HTTP/1.1 2e2 X", b"HTTP/1.1\t200 OK",
                     b"HTTP/1.2 200 OK", b"HTTP/1.10 200 OK", b"http/1.1 200 OK")
    ),
    it("empty lines without end", hear, endlessly(b"\r\n"), gives="response-malformed"),
    it("carriage returns without end", hear, endlessly(b"\r"), gives="response-malformed"),
    it("garbage without end", hear, endlessly(b"\xff"), gives="response-malformed"),
]  # fmt: skip

OVER = [
    it("more than its length", hear, say(OK + b"!"), hang, gives=TOOK),
    it("more than its length, a moment later", hear, say(OK, b"!"), hang, gives=TOOK),
    it("more than its chunks", hear, say(head(CHUNKED) + b"2\r\nok\r\n0\r\n\r\n!"), hang, gives=TOOK),
    it("more than its length, where it closes", hear,
       say(head(b"connection: close", LENGTH_2) + b"ok!"), close, gives=TOOK),
    it("a second answer", hear, say(OK + head(b"content-length: 0", status=b"500 X")), hang, gives=TOOK),
    it("a line feed more", hear, say(OK + b"\r\n"), hang, gives=TOOK),
]  # fmt: skip

HTTP = [
    *STATUSES,
    *FRAMINGS,
    *HEADERS,
    *INTERIM,
    *EARLY,
    *BREAKS,
    *SILENCE,
    *ENDLESS,
    *GARBAGE,
    *OVER,
]

HELLO_REFUSED = b"\x15\x03\x01\x00\x02\x02\x46"
"""The alert of a server that speaks older versions of TLS only: protocol_version (RFC 8446 §6.2)."""

IN_HANDSHAKE = [
    it("a plain answer", hear_some, say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), close, gives="tls-failed"),
    it("an end at once", close, gives="tls-failed"),
    it("an end in the handshake", hear_some, close, gives="tls-failed"),
    it("a reset in the handshake", hear_some, reset, gives="tls-failed"),
    it("an older TLS only", hear_some, say(HELLO_REFUSED), close, gives="tls-failed"),
    it("garbage", hear_some, say(bytes(range(256)) * 4), close, gives="tls-failed"),
    it("silence", hear_some, hang, gives="timeout", seconds=BRIEF),
]  # fmt: skip
"""By a server that has no certificate to show."""

OVER_TLS = [
    it("a length", hear, say(OK), hang, gives=TOOK),
    it("chunks", hear, say(head(CHUNKED) + b"2\r\nok\r\n0\r\n\r\n"), hang, gives=TOOK),
    it("the end of the connection", hear, say(head(), b"ok"), close, gives=TOOK),
    it("a length, then a cut", hear, say(OK), cut, hang, gives=TOOK),
    it("a cut before the answer", hear, cut, hang, gives="connection-lost"),
    it("a cut in the body", hear, say(head(LENGTH_2) + b"o"), cut, hang, gives="response-broken"),
    it("a cut in the chunks", hear, say(head(CHUNKED) + b"2\r\nok\r\n"), cut, hang,
       gives="response-broken"),
    it("an end in the body", hear, say(head(LENGTH_2) + b"o"), close, gives="response-broken"),
    # RFC 9112 §9.8 would have the alert before the end, else the body may be cut. Many servers send
    # none, and the status, which is what counts, is proven: theirs would be deliveries without end.
    it("a cut where the body has no length", hear, say(head(), b"ok"), cut, hang, gives=TOOK),
    it("a reset after the request", hear, reset, gives="connection-lost"),
    it("silence after the request", hear, hang, gives="timeout", seconds=BRIEF),
    it("a body without end", hear, say(head()), endlessly(b"x"), gives=Answer(200, b"x" * KIB_64)),
    it("more than its length", hear, say(OK + b"!"), hang, gives=TOOK),
    it("no record", hear, say_below(b"\xff" * 100), hang, gives="connection-lost"),
    it("an alert that is not encrypted", hear, say_below(HELLO_REFUSED), hang, gives="connection-lost"),
    it("a record longer than any", hear, say_below(b"\x17\x03\x03\xff\xff" + b"x" * 1000), hang,
       gives="connection-lost"),
    it("no record in the body", hear, say(head(LENGTH_2) + b"o"), say_below(b"\xff" * 100), hang,
       gives="response-broken"),
    it("half a record", hear, say_below(b"\x17\x03\x03\x10\0half"), hang, gives="timeout",
       seconds=BRIEF),
    it("half a record, then an end", hear, say_below(b"\x17\x03\x03\x10\0half"), cut, hang,
       gives="connection-lost"),
]  # fmt: skip
"""By a server whose certificate is good."""
