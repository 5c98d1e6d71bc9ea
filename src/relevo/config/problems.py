"""What is wrong with a configuration: every finding has a place and says the fix."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from relevo.config.document import Path

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding, with the path of the key that it is about."""

    level: Level
    path: Path
    message: str


@dataclass(slots=True)
class Report:
    """Findings in the order in which they were made, with the file's line numbers."""

    source: str
    """Name of the file, or of what stands in for it."""
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    """Values that came from variables, with the reference that stands for each in a message."""

    def add(self, level: Level, path: Path, message: str) -> None:
        """Add a finding."""
        self.problems.append(Problem(level, path, message))

    def line(self, path: Path) -> int | None:
        """Line of the key, or of the nearest table around it that is written in the file."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None

    def place(self, problem: Problem) -> str:
        """`file:line: key`, as far as known."""
        line = self.line(problem.path)
        where = f"{self.source}:{line}" if line else self.source
        return f"{where}: {dotted(problem.path)}" if problem.path else where

    def text(self, problem: Problem) -> str:
        """One line for a person. What came from a variable is shown as its reference: it may be a secret."""
        message = problem.message
        for value, reference in self.references.items():
            message = message.replace(value, reference)
        return f"{self.place(problem)}: {message}"

    def at(self, *levels: Level) -> list[Problem]:
        """The findings of these levels, in the order of the file."""
        found = [problem for problem in self.problems if problem.level in levels]
        return sorted(found, key=lambda problem: self.line(problem.path) or 0)


class ConfigError(Exception):
    """The configuration cannot be used. `report` holds every finding, not only the first."""

    def __init__(self, report: Report, *, unreadable: bool = False) -> None:
        self.report = report
        self.unreadable = unreadable
        """There is nothing to check: the file is not there, or cannot be read."""
        super().__init__("\n".join(report.text(problem) for problem in report.at("error")))


def dotted(path: Path) -> str:
    """A path as a person would write it: `tasks.CHAT.targets[1].model`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            plain = step.replace("_", "").replace("-", "").isalnum()
            text += ("." if text else "") + (step if plain else f'"{step}"')
    return text


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """` Did you mean "x"?` where a known name is near, else nothing."""
    near = difflib.get_close_matches(wrong.lower(), {name.lower(): name for name in known}, n=1, cutoff=0.6)
    if not near:
        return ""
    original = next(name for name in known if name.lower() == near[0])
    return f' Did you mean "{original}"?'
