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
    """What the caller was charged, in credits."""
    house: bool
    """A failed try may have been billed by its provider: the house bears it."""
    done: bool | None
    """Whether `[DONE]` came. None: not a stream."""


Seen = dict[Way, Facts]
UNBILLED: Final = {
    *("host_unknown", "tls_failed", "connect_failed", "connect_timeout", "credential_refused", "quota_exhausted"),
    *("rate_limited", "overloaded", "model_not_found", "request_refused", "context_length_exceeded"),
    *("content_filtered", "unexpected_status", "server_error"),
}
"""Faults that no provider bills, where they come as a status and not inside an answer."""


@dataclass(frozen=True)
class Row:
    """One fault of the first of two targets; the second is well."""

    number: int
    """In the list of faults. 0: only a class of the bench."""
    fault: str
    play: str | Answer | tuple[Answer | str, ...]
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


def _each(got: str, tries: str, calls: str, paid: str, *, done: bool = True, house: bool = False) -> Seen:
    return {way: Facts(got, tries, calls, paid, house, done if way == "streamed" else None) for way in WAYS}


def answers(paid: float = PRICE, *, estimated: bool = False, calls: str = "1+0") -> Seen:
    """The first target's answer is whole."""
    return _each("a's answer", "a ok", calls, bill(paid, estimated=estimated))


def next_one(code: str, calls: str = "1+1", paid: float = PRICE, *, house: bool | None = None) -> Seen:
    """The second target's answer, because of this of the first. `house`: where it is not as `UNBILLED` says."""
    borne = code not in UNBILLED if house is None else house
    return _each("b's answer", f"a {code}, b ok", calls, bill(paid), house=borne)


def no_connection(code: str) -> Seen:
    """The same, and no request ever reached the first."""
    return next_one(code, "0+1")


def once_more(code: str, calls: str = "2+0") -> Seen:
    """The first target's answer at the second try."""
    return _each("a's answer", f"a {code}, a ok", calls, str(PRICE))


def nobody(tries: str, calls: str = "1+0", error: str = "500 all_providers_failed") -> Seen:
    """No answer at all, and nothing to pay."""
    _, _, code = error.partition(" ")
    house = not any(code in tries for code in UNBILLED)
    told = _each(f"error {error}", tries, calls, "0", done=False, house=house)
    return {**told, "streamed": told["streamed"]._replace(got=f"error {code}")}


def cut(code: str, otherwise: Seen, paid: float = 0) -> Seen:
    """A stream ends by an error after a part of the text; plain calls as `otherwise`."""
    got = "part of a's text, then error stream_cut"
    return {**otherwise, "streamed": Facts(got, f"a {code}", "1+0", bill(paid), house=not paid, done=False)}


def counted_up(paid: float, otherwise: Seen) -> Seen:
    """A stream whose text had gone out before its counts were missed is paid by estimate; plain as `otherwise`."""
    return {**otherwise, "streamed": answers(paid, estimated=True)["streamed"]}


def in_one_piece(code: str, otherwise: Seen) -> Seen:
    """The same fault has another name in an answer that does not stream."""
    return {**otherwise, "unstreamed": next_one(code, house=True)["unstreamed"]}


def only(seen: Seen, *ways: Way) -> Seen:
    """Where the other ways to call make no sense."""
    return {way: seen[way] for way in ways}


def bill(paid: float, *, estimated: bool = False) -> str:
    """Credits as the page says them."""
    return f"{paid:g}" + (" by estimate" if estimated else "")


HEAD: Final = (
    *("fault", "expected", "call", "the caller got", "`[DONE]`", "tries", "requests", "credits", "the house"),
)
OWN_HEAD: Final = ("#", "fault", "expected", "seen", "tests")


def page(intro: str, rows: Sequence[Row], elsewhere: Sequence[Elsewhere]) -> str:
    """The whole page in Markdown."""
    lines = [intro, "## The faults", "", *_head(("#", *HEAD))]
    for row in sorted((row for row in rows if row.number), key=lambda row: row.number):
        lines += _lines(row, str(row.number))
    lines += ["", "## Those that take more than one call", "", *_head(OWN_HEAD)]
    for entry in elsewhere:
        if entry.number:
            tests = " ".join(f"`{test}`" for test in entry.tests)
            lines.append(_line((str(entry.number), entry.fault, entry.expected, entry.seen, tests)))
    lines += ["", "## The classes of the independent bench", "", *_head(("class", *HEAD))]
    for row in rows:
        if row.bench:
            lines += _lines(row, row.bench)
    for entry in elsewhere:
        if entry.bench:
            lines.append(_line((entry.bench, entry.fault, entry.expected, "", entry.seen, "", "", "", "", "")))
    return "\n".join(lines) + "\n"


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), "|---" * len(names) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _lines(row: Row, first: str) -> Iterator[str]:
    """One line for all ways to call that show the same; the fault is named in the first."""
    named = (first, row.fault, row.expected)
    groups: dict[Facts, list[Way]] = {}
    for way, facts in row.seen.items():
        groups.setdefault(facts._replace(done=None), []).append(way)
    for facts, ways in groups.items():
        called = "all" if len(ways) == len(WAYS) else ", ".join(ways)
        done = row.seen["streamed"].done if "streamed" in ways else None
        end = {None: "", True: "yes", False: "no"}[done]
        house = "a's try" if facts.house else ""
        yield _line((*named, called, facts.got, end, facts.tries, facts.calls, facts.paid, house))
        named = ("", "", "")
