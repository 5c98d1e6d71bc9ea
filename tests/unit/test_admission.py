"""What a process takes on: the gate, and the memory that it asks."""

from pathlib import Path

import pytest

from relevo.core.errors import Code, GatewayError
from relevo.service.admission import Gate
from relevo.telemetry import memory
from relevo.telemetry.memory import Memory, limit_bytes
from support.clock import FakeClock
from support.dice import dice


def gate(shed: list[str], *, full: bool = False) -> Gate:
    return Gate(lambda: full, shed.append, dice(1))


def refused(entrance: Gate, requests_max: int = 0) -> GatewayError:
    with pytest.raises(GatewayError) as raised, entrance.place(requests_max):
        pass
    return raised.value


def test_the_limit_of_requests_is_exact_and_places_come_back() -> None:
    """Two may be in; the third is told to come back; when one has left there is room again."""
    shed: list[str] = []
    entrance = gate(shed)
    with entrance.place(2):
        with entrance.place(2):
            error = refused(entrance, 2)
        with entrance.place(2):
            assert entrance.running == 2

    assert error.code is Code.UNAVAILABLE
    assert entrance.running == 0
    assert shed == ["requests"]


def test_those_who_are_turned_away_together_do_not_come_back_together() -> None:
    """`retry-after` differs from one to the next, within a few seconds."""
    entrance = gate([])
    with entrance.place(1):
        waits = {refused(entrance, 1).extra["retry_after_s"] for _ in range(100)}

    assert waits == {1, 2, 3, 4, 5}


def test_a_failure_gives_its_place_back() -> None:
    """However a request ends, its place is free."""
    entrance = gate([])
    with pytest.raises(ZeroDivisionError), entrance.place(1):
        raise ZeroDivisionError

    assert entrance.running == 0


def test_full_memory_sheds_new_work_but_never_all_of_it() -> None:
    """While others run nobody is let in; with nobody in, waiting for memory would be waiting for ever."""
    shed: list[str] = []
    entrance = gate(shed, full=True)
    with entrance.place(0):
        refused(entrance)
    with entrance.place(0):
        pass

    assert shed == ["memory"]


def test_a_server_that_ends_takes_nobody_in() -> None:
    """What runs goes on; what comes is turned away."""
    shed: list[str] = []
    entrance = gate(shed)
    with entrance.place(0):
        entrance.closed = True
        refused(entrance)

    assert shed == ["draining"]


def test_memory_is_full_at_four_fifths_and_looked_at_four_times_a_second() -> None:
    """The kernel is asked at most every quarter of a second, however many requests come."""
    clock, asked = FakeClock(), [0]
    used = 799

    def read() -> int:
        asked[0] += 1
        return used

    process = Memory(clock, 1000, used=read, trim=lambda: None)
    for _ in range(100):
        assert not process.full
        clock.pass_s(0.01)
    assert asked[0] == 4
    used = 800
    clock.pass_s(0.25)
    assert process.full


def test_freed_memory_is_given_back_before_anybody_is_turned_away_for_long() -> None:
    """What the allocator keeps for itself is not in use; asking for it is dear, so once in ten seconds."""
    clock, trims = FakeClock(), [0]
    used = 900

    def trim() -> None:
        nonlocal used
        trims[0] += 1
        used -= 50

    process = Memory(clock, 1000, used=lambda: used, trim=trim)
    assert process.full
    clock.pass_s(9)
    assert process.full
    assert trims == [1]
    clock.pass_s(1)
    assert process.full
    clock.pass_s(10)
    assert not process.full


def test_without_a_limit_memory_is_never_full() -> None:
    """A machine without control groups has nothing to measure by."""
    assert not Memory(FakeClock(), None, used=lambda: 1 << 62).full


def test_the_real_figures_can_be_read() -> None:
    """This very process has a size, and giving back what is free does no harm."""
    memory.trim()
    process = Memory(FakeClock(), limit_bytes())

    assert 10_000_000 < process.used < 100_000_000_000


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"memory.max": "1000\n"}, 1000),
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2000\n"}, 2000),
        ("0::/a/b\n", {"a/b/memory.max": "500\n", "a/memory.max": "2000\n"}, 500),
        ("0::/host/path\n", {"memory.max": "700\n"}, 700),
        ("5:cpu,memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "3000\n"}, 3000),
        ("5:memory:/host\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("", {}, None),
    ],
    ids=["own", "none", "parent", "least", "container", "version 1", "version 1 without", "no group"],
)
def test_the_limit_is_the_least_of_the_group_and_those_around_it(
    groups: str, files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    """Both versions of control groups, inside and outside of a container."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert limit_bytes(tmp_path) == expected


def test_no_linux_is_no_limit(tmp_path: Path) -> None:
    """Where there is no /proc, nothing is limited and nothing fails."""
    assert limit_bytes(tmp_path) is None
