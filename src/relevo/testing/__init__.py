"""A provider that misbehaves on command, for the tests of apps that call one: over real sockets, byte by byte.

In Python: `ScriptedUpstream(fault("rate-limited"), fault("ok"))`. From anywhere: `python -m relevo.testing`.
docs/guide/testing.md shows both. Nothing else of relevo imports this package.
"""

from relevo.testing.answers import (
    ACCENTS,
    USAGE,
    Accent,
    AccentName,
    ToolCall,
    chunks,
    completion,
    delta,
    frame,
    model_list,
    reply,
    sse,
    streamed,
)
from relevo.testing.blocking import serving
from relevo.testing.certificates import TLS, Tls
from relevo.testing.faults import FAULTS, NamedFault, UnknownFault, fault, in_order
from relevo.testing.script import (
    Answer,
    Close,
    Drip,
    HalfClose,
    Hang,
    KeepAlive,
    Received,
    Repeat,
    Reset,
    Script,
    Step,
    Wait,
    in_pieces,
    outage,
)
from relevo.testing.upstream import ScriptedUpstream, blackhole_url, refused_url

__all__ = [
    "ACCENTS",
    "FAULTS",
    "TLS",
    "USAGE",
    "Accent",
    "AccentName",
    "Answer",
    "Close",
    "Drip",
    "HalfClose",
    "Hang",
    "KeepAlive",
    "NamedFault",
    "Received",
    "Repeat",
    "Reset",
    "Script",
    "ScriptedUpstream",
    "Step",
    "Tls",
    "ToolCall",
    "UnknownFault",
    "Wait",
    "blackhole_url",
    "chunks",
    "completion",
    "delta",
    "fault",
    "frame",
    "in_order",
    "in_pieces",
    "model_list",
    "outage",
    "refused_url",
    "reply",
    "serving",
    "sse",
    "streamed",
]
