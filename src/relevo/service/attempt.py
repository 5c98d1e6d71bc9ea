"""One try of one target: from the canonical call to a whole answer, or to the fault that prevented it."""

from relevo.core.errors import Fault, Phase, UpstreamError
from relevo.core.events import TOKENS, Assembler
from relevo.core.types import Call, Completion, Target
from relevo.dialects.base import Dialect
from relevo.providers.registry import DIALECTS, Provider
from relevo.service.deadlines import Watch
from relevo.upstream.base import Transport, WireReply

REPLY_BYTES_MAX = 16_777_216
"""An answer beyond this is not read on: no model writes one."""
_ERROR_BYTES_MAX = 262_144
_STREAM = "text/event-stream"
_OK = 200


async def run_attempt(
    call: Call, target: Target, provider: Provider, transport: Transport, watch: Watch
) -> Completion:
    """Ask `target` and read its whole answer.

    Raises:
        UpstreamError: It did not answer, or not with a whole answer. Deadlines are the caller's, by `watch`.
    """
    dialect = DIALECTS[provider.dialect]
    request = dialect.encode_request(
        call,
        target,
        base_url=provider.base_url,
        api_key=provider.api_key,
        profile=provider.profile,
        stream=target.stream_upstream is not False,
    )
    reply = await transport.open(request.url, request.headers, request.body, watch.reach)
    watch.http_status = reply.http_status
    try:
        completion = await _read_answer(reply, dialect, provider, watch)
    except BaseException:
        reply.abort()
        raise
    reply.release()
    return completion


async def _read_answer(reply: WireReply, dialect: Dialect, provider: Provider, watch: Watch) -> Completion:
    if reply.http_status != _OK:
        body = await _read(reply, _ERROR_BYTES_MAX)
        raise dialect.decode_error(reply.http_status, body, provider.profile, reply.header, watch.wall_s())
    first = await reply.read()
    media_type = reply.content_type
    if not media_type:  # nothing named: the first byte tells
        media_type = "application/json" if first.lstrip()[:1] in (b"{", b"[") else _STREAM
    if media_type == _STREAM:
        return await _read_stream(first, reply, dialect, provider, watch)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UpstreamError(Fault.WRONG_CONTENT_TYPE, detail=f"content-type {_printable(media_type)}")
    watch.reach(Phase.BODY)
    pieces = [first]
    size = len(first)
    while chunk := await reply.read():
        watch.alive()
        pieces.append(chunk)
        size = _bounded(size + len(chunk))
    return dialect.decode_reply(b"".join(pieces), provider.profile)


async def _read_stream(
    first: bytes, reply: WireReply, dialect: Dialect, provider: Provider, watch: Watch
) -> Completion:
    decoder, assembler = dialect.events(provider.profile), Assembler()
    size = 0
    chunk = first
    while chunk:
        size = _bounded(size + len(chunk))
        for event in decoder.feed(chunk):
            if watch.phase is not Phase.BODY and isinstance(event, TOKENS):
                watch.reach(Phase.BODY)
            assembler.add(event)
        if assembler.ended:
            return assembler.completion()  # [DONE] is the end, whether or not the connection closes
        watch.alive()
        chunk = await reply.read()
    for event in decoder.close():
        assembler.add(event)
    return assembler.completion()


async def _read(reply: WireReply, bytes_max: int) -> bytes:
    """The body of an error, as far as it is needed to understand it."""
    body = b""
    while chunk := await reply.read():
        body += chunk
        if len(body) >= bytes_max:
            break
    return body


def _bounded(size: int) -> int:
    if size > REPLY_BYTES_MAX:
        raise UpstreamError(Fault.REPLY_TOO_LARGE, detail=f"over {REPLY_BYTES_MAX} bytes")
    return size


def _printable(media_type: str) -> str:
    return "".join(c for c in media_type if c.isalnum() or c in "/+.-")[:64]
