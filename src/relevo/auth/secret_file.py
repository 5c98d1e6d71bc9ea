"""Secrets that relevo makes itself: one a file, readable by its owner only, in place whole or not at all."""

import contextlib
import os
from pathlib import Path

from relevo.core.ids import random_text


def make_secret(path: Path, *, replace: bool = False) -> None:
    """Put a new secret in place: whoever comes second finds the first one's, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{random_text()[:16]}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(random_text() + "\n")
    try:
        if replace:
            draft.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
