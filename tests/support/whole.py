"""Events put together into the answer that they are."""

from collections.abc import Iterable

from relevo.core.events import Assembler, Event
from relevo.core.types import Completion


def whole(events: Iterable[Event]) -> Completion:
    assembler = Assembler()
    for event in events:
        assembler.add(event)
    return assembler.completion()
