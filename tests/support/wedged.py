"""relevo with a watchdog of little patience: `python wedged.py serve …`. SIGUSR1 wedges its loop, SIGUSR2 burns in it."""

import signal
import sys
import time

from relevo.cli import main
from relevo.telemetry import watchdog

STUCK_S = 1.0


def wedge(_number: int, _frame: object) -> None:
    time.sleep(600)


def burn(_number: int, _frame: object) -> None:
    while True:
        pass


if __name__ == "__main__":
    watchdog.STUCK_S_MAX = STUCK_S  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, wedge)
    signal.signal(signal.SIGUSR2, burn)
    sys.argv[0] = "relevo"
    main()
