"""Asks git whether a folder holds changes that no commit has."""

import subprocess
from pathlib import Path


def uncommitted(folder: Path) -> list[str]:
    """Paths with changes. Empty as well where there is no repository, or no git."""
    command = ["git", "-C", str(folder), "status", "--porcelain", "--", "."]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [row[3:] for row in done.stdout.splitlines()] if done.returncode == 0 else []
