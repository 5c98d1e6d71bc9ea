"""Files of plain rows by model that are searched, not loaded: one row a line, found by its name in the bytes.

`make prices` writes them. So a gateway of five targets decodes five rows and keeps nothing of the rest.
"""

import re
from typing import Final

import msgspec

_DATED: Final = re.compile(r"-(\d{8}|\d{4}-\d\d-\d\d)$")


def find_row(data: bytes, provider: str, model: str) -> bytes | None:
    """The JSON of a model's row: of those that may be about it, the one with the most exact name. None: no row.

    Args:
        data: The file.
        provider: Name of a built-in provider.
        model: The model as the provider names it.
    """
    for key in _keys(provider, model.lower()):
        needle = b"\n" + msgspec.json.encode(key) + b":"
        start = data.find(needle)
        if start >= 0:
            line = data[start + len(needle) : data.index(b"\n", start + 1)]
            return line.removesuffix(b",")
    return None


def _keys(provider: str, model: str) -> list[str]:
    """What a row may be called, the most exact name first: the model, its name with a date, its beginnings."""
    keys = [f"{provider}/{model}"]
    stem = _DATED.sub("", model)
    if stem != model:
        keys.append(f"{provider}/{stem}-DATE")
    return keys + [f"{provider}/{model[:length]}*" for length in range(len(model), 1, -1)]
