"""What was accepted before: a file of fingerprints, from which no key can be told."""

from collections.abc import Sequence
from typing import Final

import msgspec

from relevo.scan.findings import Finding

_VERSION: Final = 1


class BadBaseline(Exception):
    """The file is not a baseline. The message says what to do."""


class _Row(msgspec.Struct, frozen=True):
    fingerprint: str
    rule: str
    path: str


class _File(msgspec.Struct, frozen=True):
    relevo_scan_baseline: int
    accepted: list[_Row]


def write(findings: Sequence[Finding]) -> bytes:
    """The file that accepts these findings. Rule and path stand in it for its readers only."""
    rows = [_Row(each.fingerprint, each.rule, each.path) for each in findings]
    rows.sort(key=lambda row: (row.path, row.rule, row.fingerprint))
    return msgspec.json.format(msgspec.json.encode(_File(_VERSION, rows)), indent=2) + b"\n"


def without(findings: Sequence[Finding], accepted: bytes) -> list[Finding]:
    """The findings that the file does not accept.

    Raises:
        BadBaseline: It is no baseline, or one of a later version.
    """
    try:
        file = msgspec.json.decode(accepted, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadBaseline("is no baseline: make one with --write-baseline") from None
    if file.relevo_scan_baseline != _VERSION:
        raise BadBaseline(f"is a baseline of version {file.relevo_scan_baseline}: make a new one")
    known = {row.fingerprint for row in file.accepted}
    return [each for each in findings if each.fingerprint not in known]
