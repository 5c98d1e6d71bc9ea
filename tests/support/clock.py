"""A clock that moves when a test says so."""


class FakeClock:
    """Both clocks of `core.clock.Clock`, apart: the wall clock may jump, the other never goes back."""

    def __init__(self, wall_s: float = 1_795_000_000.0) -> None:
        self.mono = 1000.0
        self.wall = wall_s

    def now_s(self) -> float:
        return self.mono

    def wall_s(self) -> float:
        return self.wall

    def pass_s(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds
