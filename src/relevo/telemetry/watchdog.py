"""Ends a process whose event loop makes no progress: a supervisor starts it anew, and nothing else would help.

It watches from a thread. Code that holds the interpreter's lock without ever letting go stops the watchdog, too:
from that only a probe of `/healthz` from the outside helps.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Final, Self

from relevo.core.clock import Clock

STUCK_S_MAX: Final = 10.0
EXIT_CODE: Final = 70
"""EX_SOFTWARE of sysexits.h: a fault of the program."""
_NAPS: Final = 10
"""Looks within `STUCK_S_MAX`."""
_FRAMES_MAX: Final = 30


class Watchdog:
    """Use as a context manager in the main thread, around the loop's life."""

    def __init__(self, beats: Callable[[], int], last_words: Callable[[str], None], clock: Clock) -> None:
        """It begins to watch with the first beat.

        Args:
            beats: Grows while the loop runs; 0 until it does.
            last_words: Writes a line to the log at once, without help of the loop.
            clock: One that goes on while the process is stopped.
        """
        self._beats = beats
        self._last_words = last_words
        self._clock = clock
        self._watched = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relevo-watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        nap_s = STUCK_S_MAX / _NAPS
        beats = 0
        woke_s = since_s = self._clock.now_s()
        while not self._ended.wait(nap_s):
            now_s = self._clock.now_s()
            # A late nap means that the whole process stood still (SIGSTOP, a laptop that slept, no CPU): not the
            # loop alone, and it gets its time again.
            if beats != self._beats() or not beats or now_s - woke_s > 2 * nap_s:
                beats, since_s = self._beats(), now_s
            elif now_s - since_s > STUCK_S_MAX:
                self._end(now_s - since_s)
            woke_s = now_s

    def _end(self, stuck_s: float) -> None:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - the one way to another thread's stack
        stack = "".join(traceback.format_stack(frame)[-_FRAMES_MAX:])
        self._last_words(f"the event loop has made no progress for {stuck_s:.1f} s, the process ends:\n{stack}")
        os._exit(EXIT_CODE)
