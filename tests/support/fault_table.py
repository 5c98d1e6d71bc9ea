"""The table of faults: what one row is, and the page that is made of all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal, NamedTuple

from relevo.testing import AccentName, Answer
from relevo.testing.answers import TEXT

Way = Literal["plain", "streamed", "unstreamed"]
WAYS: Final[tuple[Way, ...]] = ("plain", "streamed", "unstreamed")
"""A plain call, a streamed one, and a plain one to a target that is not to stream (`stream_upstream = false`)."""
PRICE: Final = 20
"""Credits of an answer, where tokens are not metered."""


class Facts(NamedTuple):
    """What is seen of one call from outside. Two runs see the same: there is no time in it."""

    got: str
    tries: str
    """What became of every target that was asked or passed over, in order."""
    calls: str
    """Requests that reached each target."""
    paid: str
    """What was charged, in credits."""
    done: bool | None
    """Whether `[DONE]` came. None: not a stream."""


Seen = dict[Way, Facts]


@dataclass(frozen=True)
class Row:
    """One fault of the first of two targets; the second is well."""

    number: int
    """In the list of faults. 0: only a class of the bench."""
    fault: str
    play: str | Answer | list[Answer | str]
    """A fault by its name in `relevo.testing`, a script, or several in turn."""
    expected: str
    seen: Seen
    _: KW_ONLY
    text: str | None = TEXT
    """What a whole answer of the first target says. None: it is not looked at."""
    alone: bool = False
    """There is no second target."""
    metered: bool = False
    """A token is a credit; else an answer is `PRICE`."""
    before: int = 0
    """So many calls, answered well, came before the one that is looked at."""
    accent: AccentName | None = None
    """The first target is this provider, and speaks as it does."""
    within_s: float = 3.0
    """The call is over in this time."""
    task: str = ""
    """Further lines of its task."""
    bench: str = ""
    """The class of the independent bench that it stands for."""


@dataclass(frozen=True)
class Elsewhere:
    """A fault that has tests of its own."""

    number: int
    fault: str
    expected: str
    seen: str
    """What those tests assert."""
    tests: tuple[str, ...]
    """`path::name`, from the folder of tests."""
    _: KW_ONLY
    bench: str = ""


def _each(got: str, tries: str, calls: str, paid: str, *, done: bool = True) -> Seen:
    return {way: Facts(got, tries, calls, paid, done if way == "streamed" else None) for way in WAYS}


def answers(paid: float = PRICE, *, estimated: bool = False, calls: str = "1+0") -> Seen:
    """The first target's answer is whole."""
    return _each("a's answer", "a ok", calls, bill(paid, estimated=estimated))


def next_one(code: str, calls: str = "1+1", paid: float = PRICE) -> Seen:
    """The second target's answer, because of this of the first."""
    return _each("b's answer", f"a {code}, b ok", calls, bill(paid))


def no_connection(code: str) -> Seen:
    """The same, and no request ever reached the first."""
    return next_one(code, "0+1")


def once_more(code: str, calls: str = "2+0") -> Seen:
    """The first target's answer at the second try."""
    return _each("a's answer", f"a {code}, a ok", calls, str(PRICE))


def nobody(tries: str, calls: str = "1+0", error: str = "500 all_providers_failed") -> Seen:
    """No answer at all, and nothing to pay."""
    _, _, code = error.partition(" ")
    told = _each(f"error {error}", tries, calls, "0", done=False)
    return {**told, "streamed": told["streamed"]._replace(got=f"error {code}")}


def cut(code: str, otherwise: Seen, paid: float = 0) -> Seen:
    """A stream ends by an error after a part of the text; plain calls as `otherwise`."""
    got = "part of a's text, then error stream_cut"
    return {**otherwise, "streamed": Facts(got, f"a {code}", "1+0", bill(paid), done=False)}


def counted_up(paid: float, otherwise: Seen) -> Seen:
    """A stream whose text had gone out before its counts were missed is paid by estimate; plain as `otherwise`."""
    return {**otherwise, "streamed": answers(paid, estimated=True)["streamed"]}


def in_one_piece(code: str, otherwise: Seen) -> Seen:
    """The same fault has another name in an answer that does not stream."""
    return {**otherwise, "unstreamed": next_one(code)["unstreamed"]}


def only(seen: Seen, *ways: Way) -> Seen:
    """Where the other ways to call make no sense."""
    return {way: seen[way] for way in ways}


def bill(paid: float, *, estimated: bool = False) -> str:
    """Credits as the page says them."""
    return f"{paid:g}" + (" by estimate" if estimated else "")


HEAD: Final = ("fault", "expected", "call", "the caller got", "`[DONE]`", "tries", "requests", "credits")


def page(intro: str, rows: Sequence[Row], elsewhere: Sequence[Elsewhere]) -> str:
    """The whole page in Markdown."""
    entries = sorted((e for e in (*rows, *elsewhere) if e.number), key=lambda entry: entry.number)
    lines = [intro, "## The faults", "", *_head("#")]
    for entry in entries:
        lines += _lines(entry, str(entry.number))
    lines += ["", "## The classes of the independent bench", "", *_head("class")]
    for entry in (*rows, *elsewhere):
        if entry.bench:
            lines += _lines(entry, entry.bench)
    return "\n".join(lines) + "\n"


def _head(first: str) -> list[str]:
    names = (first, *HEAD)
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _lines(entry: Row | Elsewhere, first: str) -> Iterator[str]:
    """One line for all ways to call that show the same; the fault is named in the first."""
    named = (first, entry.fault, entry.expected)
    if isinstance(entry, Elsewhere):
        tests = " ".join(f"`{test}`" for test in entry.tests)
        yield "| " + " | ".join((*named, "", entry.seen, "", tests, "", "")) + " |"
        return
    groups: dict[Facts, list[Facts]] = {}
    ways: dict[Facts, list[str]] = {}
    for way, facts in entry.seen.items():
        group = facts._replace(done=None)
        groups.setdefault(group, []).append(facts)
        ways.setdefault(group, []).append(way)
    for group, members in groups.items():
        done = next((facts.done for facts in members if facts.done is not None), None)
        called = "all" if len(members) == len(WAYS) else ", ".join(ways[group])
        cells = (
            called,
            group.got,
            {None: "", True: "yes", False: "no"}[done],
            group.tries,
            group.calls,
            group.paid,
        )
        yield "| " + " | ".join((*named, *cells)) + " |"
        named = ("", "", "")
