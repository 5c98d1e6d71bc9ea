"""A minute of outage under load: no storm of calls, and well again soon after. Scaled down, but in `make soak`.

Scaled down, the deadlines and openings of the server are a tenth; what it allows itself in calls is not, and weighs
more the shorter the outage is. So the bounds are wider there.
"""

from pathlib import Path

import pytest

from support.outage import DEATHS, Course, Death, outage
from support.soak import soaking, tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FULL = Course(once_per_s=15, before_s=10, dead_s=60, after_s=45, window_s=5, patience_s=10)
QUICK = Course(once_per_s=15, before_s=1, dead_s=8, after_s=6, window_s=1, patience_s=3, scale=0.1)
TRIES_MAX, TRIES_MAX_QUICK = 1.1, 1.5
RECOVERY_S_MAX, RECOVERY_S_MAX_QUICK = 30.0, 4.0


@pytest.mark.parametrize("death", DEATHS)
async def test_a_dead_provider_under_three_times_the_load(death: Death, tmp_path: Path) -> None:
    """At most a tenth more calls than requests, and 95 of 100 answered in time within 30 s of its return."""
    course = FULL if soaking() else QUICK
    figures = await outage(tmp_path, course, death)
    tell(f"one dead, {death}: {figures}")

    assert figures.unanswered == 0
    assert figures.tries_per_request <= (TRIES_MAX if soaking() else TRIES_MAX_QUICK)
    recovered_s = figures.recovered_s
    assert recovered_s is not None
    assert recovered_s <= (RECOVERY_S_MAX if soaking() else RECOVERY_S_MAX_QUICK)
    assert figures.goodput(figures.dead[1] + recovered_s, figures.end_s) >= 0.95


@pytest.mark.parametrize("death", DEATHS)
async def test_all_dead_and_back(death: Death, tmp_path: Path) -> None:
    """The dead are asked less and less, whoever is turned away hears so soon, and the return is no second outage."""
    course = FULL if soaking() else QUICK
    figures = await outage(tmp_path, course, death, dead="ab")
    tell(f"all dead, {death}: {figures}")
    begin_s, over_s = figures.dead
    middle_s = (begin_s + over_s) / 2

    assert figures.unanswered == 0
    assert figures.tries_per_request <= TRIES_MAX
    # Of 3 x the usual load, one dead target is asked at a time, and not for every caller.
    assert figures.tries_per_s(middle_s, over_s) <= 3 * course.once_per_s / 2
    # Who asks a silent target waits for its deadline.
    error_s_max = 40 * course.scale if death == "silent" else 1
    assert figures.slowest_s(middle_s, over_s, good=False) < error_s_max
    recovered_s = figures.recovered_s
    assert recovered_s is not None
    assert recovered_s <= (RECOVERY_S_MAX if soaking() else RECOVERY_S_MAX_QUICK)
    assert figures.goodput(over_s + recovered_s, figures.end_s) >= 0.95
