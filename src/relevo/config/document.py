"""Where a key stands in a TOML text. `tomllib` says what the file holds but not on which line.

The text has been accepted by `tomllib` before it comes here, so this reader only has to find the keys of
valid TOML; it checks nothing.
"""

import re
from typing import Final

Path = tuple[str | int, ...]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SPACE: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SCALAR: Final = re.compile(r"[^,\]}\n#]*")
_BASIC: Final = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_LITERAL: Final = re.compile(r"'[^']*'")
_LONG_BASIC: Final = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}(?!")', re.DOTALL)
_LONG_LITERAL: Final = re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL)
_ESCAPE: Final = re.compile(r'\\(["\\])')


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every key, table header and array element, by its path."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._array_tables: dict[Path, int] = {}

    def read(self) -> dict[Path, int]:
        table: Path = ()
        self._skip_space()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip_space()
        return self._lines

    def _note(self, path: Path) -> None:
        line = self._text.count("\n", 0, self._at) + 1
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _header(self) -> Path:
        double = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if double else 1
        path = self._resolve(self._dotted())
        if double:
            index = self._array_tables.get(path, -1) + 1
            self._array_tables[path] = index
            path = (*path, index)
        end, self._at = self._at, start
        self._note(path)
        self._at = end + (2 if double else 1)
        return path

    def _resolve(self, keys: Path) -> Path:
        """Add the index of the latest element wherever the path runs through an array of tables."""
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._array_tables:
                path = (*path, self._array_tables[path])
        return (*path, *keys[-1:])

    def _pair(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._dotted())
        end, self._at = self._at, start
        self._note(path)
        self._at = end + 1  # the equals sign
        self._skip_space()
        self._value(path)

    def _dotted(self) -> Path:
        keys: list[str] = []
        while True:
            self._skip_space()
            keys.append(self._key())
            self._skip_space()
            if self._text[self._at] != ".":
                return tuple(keys)
            self._at += 1

    def _key(self) -> str:
        quote = self._text[self._at]
        if quote == '"':
            return _ESCAPE.sub(r"\1", self._take(_BASIC)[1:-1])
        if quote == "'":
            return self._take(_LITERAL)[1:-1]
        return self._take(_BARE)

    def _value(self, path: Path) -> None:
        rest = self._text
        if rest.startswith('"""', self._at):
            self._take(_LONG_BASIC)
        elif rest.startswith("'''", self._at):
            self._take(_LONG_LITERAL)
        elif rest[self._at] == '"':
            self._take(_BASIC)
        elif rest[self._at] == "'":
            self._take(_LITERAL)
        elif rest[self._at] == "[":
            self._array(path)
        elif rest[self._at] == "{":
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        self._skip_space()
        while self._text[self._at] != "]":
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            self._skip_comma()
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip_space()
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip_comma()
        self._at += 1

    def _skip_comma(self) -> None:
        self._skip_space()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip_space()

    def _skip_space(self) -> None:
        self._take(_SPACE)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not valid TOML at character {self._at}")
        self._at = match.end()
        return match.group()
