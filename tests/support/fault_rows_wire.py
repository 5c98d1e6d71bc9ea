"""Rows of the table of faults: connections, silence, cuts and framing (faults 1 to 14, 22 to 26)."""

from relevo.testing import USAGE, Repeat, delta, sse
from relevo.testing.answers import chunks, frame
from relevo.testing.script import Received, Script, in_pieces
from support.fault_table import (
    Row,
    answers,
    cut,
    in_one_piece,
    next_one,
    no_connection,
    nobody,
    only,
)

ODD_TEXT = "ñandú, 日本語, 👩‍🚀 and \r\n\r\ndata: {} \u2028."
GAP_S = 0.1


def _odd_text_in_bytes(request: Received) -> Script:
    """Every byte alone: cuts inside characters of four bytes, inside CRLF and inside `data:`."""
    return in_pieces(sse(*chunks(ODD_TEXT, model=request.json["model"]), "[DONE]", line_end="\r\n"), 1)


def _never_done(request: Received) -> Script:
    """Text for ever, and never silent long enough for the idle deadline."""
    return [*sse(delta("more ")), Repeat(frame(delta("more ")), gap_s=GAP_S)]


def _endless(request: Received) -> Script:
    """As the fault `endless`, in larger pieces: the bound is on bytes."""
    return [*sse(delta("more ")), Repeat(frame(delta("more " * 1000)))]


def _counts_at_every_turn(request: Received) -> Script:
    first, *rest = chunks(usage={}, model=request.json["model"])
    return sse({**first, "usage": {**USAGE, "completion_tokens": 1, "total_tokens": 8}}, *rest[:-1],
               {**rest[-1], "usage": USAGE}, "[DONE]")  # fmt: skip


NEXT_AFTER_SILENCE = next_one("first_token_timeout")
LOST = next_one("connection_lost")
BAD_TLS = no_connection("tls_failed")

WIRE = (
    Row(1, "DNS: no such name", "dns-unknown", "next target, within 2 s", no_connection("host_unknown"),
        within_s=2, bench="DNS failure"),
    Row(1, "DNS: SERVFAIL", "dns-servfail", "next target, within 2 s", no_connection("connect_failed"), within_s=2),
    Row(1, "DNS: no answer", "dns-hangs", "next target after the connect deadline", no_connection("connect_timeout")),
    Row(1, "DNS: no such name, and no other target", "dns-unknown", "an error at once",
        nobody("a host_unknown", "0+0"), alone=True, within_s=2),
    Row(2, "connection refused", "refused", "next target, within 3 s", no_connection("connect_failed"),
        bench="refused connection"),
    Row(2, "connection black-holed", "blackhole", "next target, within 3 s", no_connection("connect_timeout")),
    Row(3, "TLS: expired certificate", "tls-expired", "next target, certificates are always verified", BAD_TLS),
    Row(3, "TLS: certificate of another host", "tls-wrong-host", "as before", BAD_TLS),
    Row(3, "TLS: self-signed certificate", "tls-self-signed", "as before", BAD_TLS),
    Row(3, "TLS 1.1", "tls-old", "as before", BAD_TLS),
    Row(3, "TLS: handshake stalls", "tls-stall", "next target after the connect deadline",
        no_connection("connect_timeout")),
    Row(4, "a kept connection is reset when it is used again", "stale-connection",
        "one silent reconnect: nothing of an answer had come", answers(calls="3+0"), before=1),
    Row(5, "headers never sent", "silent", "next target after the first-token deadline", NEXT_AFTER_SILENCE,
        bench="timeout"),
    Row(6, "headers, then nothing", "headers-then-silence", "next target, nothing was sent to the caller",
        NEXT_AFTER_SILENCE, bench="silent after headers"),
    Row(6, "headers, then comments and empty chunks", "pings-only", "signs of life are no token: as before",
        only(NEXT_AFTER_SILENCE, "plain", "streamed")),
    Row(7, "reset after three pieces of text", "cut-after-3-chunks",
        "plain: next target; stream: error, no end marker, nobody else is asked",
        cut("connection_lost", LOST), bench="cut mid-stream"),
    Row(7, "the same, tokens metered", "cut-after-3-chunks", "a stream is paid up to the cut, by estimate",
        cut("connection_lost", next_one("connection_lost", paid=10), 16), metered=True),
    Row(8, "clean end in mid-answer, no marker", "clean-eof-without-marker", "as a reset",
        in_one_piece("not_json", cut("connection_lost", LOST)), bench="clean end without terminator"),
    Row(8, "closed inside an HTTP chunk", "cut-chunk", "next target: no content had come", LOST),
    Row(9, "closed without a word", "closed-at-once", "next target", LOST),
    Row(9, "reset without a word", "reset-at-once", "next target", LOST),
    Row(9, "the answer ends before its first word", "eof-before-content", "next target", next_one("empty_reply")),
    Row(10, "silence after three pieces of text", "stall-after-content", "as a reset, after the idle deadline",
        cut("idle_timeout", next_one("idle_timeout")), bench="stalled mid-stream"),
    Row(11, "one byte a second", "drip", "next target after the first-token deadline", NEXT_AFTER_SILENCE),
    Row(11, "text for ever, never silent for long", _never_done, "the deadline over all tries ends it",
        only(cut("total_timeout", nobody("a total_timeout, b deadline (passed over)")), "plain", "streamed"),
        text=None, within_s=7),
    Row(12, "every byte in a write of its own", "one-byte-pieces", "the same text", answers()),
    Row(12, "cuts inside characters, CRLF and `data:`", _odd_text_in_bytes, "the same text",
        only(answers(), "plain", "streamed"), text=ODD_TEXT),
    Row(13, "CRLF, byte order mark, comments, ids, data over two lines", "crlf", "read as the standard says", answers()),
    Row(13, "comments, or blank lines before a plain answer", "keep-alive-comments", "read over", answers()),
    Row(14, "a line of 100 MiB", "huge-line", "next target after 1 MiB", next_one("reply_too_large")),
    Row(14, "a million events of nothing", "tiny-events", "next target: an event is no token",
        only(NEXT_AFTER_SILENCE, "plain", "streamed")),
    Row(14, "text without end", _endless, "ended at 16 MiB (here 2 MB)",
        only(cut("reply_too_large", next_one("reply_too_large")), "plain", "streamed"), text=None),
    Row(18, "counts in every chunk", _counts_at_every_turn, "the last ones count",
        only(answers(10), "plain", "streamed"), metered=True),
    Row(22, "redirect to the metadata address of a cloud", "redirect", "not followed: next target",
        next_one("unexpected_status")),
    Row(23, "says it is compressed, and is not", "gzip-claim", "next target", next_one("bad_reply")),
    Row(23, "a compressed answer that grows a thousandfold", "gzip-bomb", "next target, nothing is unpacked",
        next_one("bad_reply")),
    Row(24, "cookies, hop-by-hop and duplicate headers", "odd-headers", "none of them reaches the caller", answers()),
    Row(24, "a head without end", "endless-headers", "next target", LOST),
    Row(24, "a length beyond the body", "length-too-long", "stream: the end marker came; plain: half an answer",
        in_one_piece("connection_lost", answers())),
    Row(25, "repeats our key in its error", "echoes-the-key", "the key is nowhere to be seen",
        next_one("credential_refused")),
    Row(26, "a second answer behind the first", "extra-bytes", "never taken for the answer to the next request",
        answers(calls="2+0"), before=1),
    Row(24, "a header of 60,000 bytes", "huge-header", "answers, and nothing of it reaches the caller", answers()),
    Row(26, "more body than its length", "length-too-short", "what the length covers is not whole",
        cut("not_json", next_one("not_json"))),
    Row(0, "chunked, with a size that is no number", "malformed-chunk", "next target", LOST, bench="malformed chunk"),
)  # fmt: skip
"""In the order of their numbers."""
