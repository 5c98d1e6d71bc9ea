"""What the file may say but this version does not do yet: refused or said aloud, never ignored in silence.

Whatever touches money or identity is refused; what only bounds use is a warning.
"""

import re
from typing import Any, Final

from relevo.config.identity import check_identity
from relevo.config.problems import Report
from relevo.config.schema import File
from relevo.core.net import is_loopback

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]+)?")


def check_support(file: File, data: dict[str, Any], report: Report) -> None:
    """Add a finding for everything that cannot be honoured."""
    _check_money(file, report)
    check_identity(file, report)
    _check_tasks(file, report)
    _check_server(file, report)
    _check_limits(data, report)


def _check_money(file: File, report: Report) -> None:
    if file.credits and file.credits.enabled:
        report.add("error", ("credits", "enabled"), "this version has no credits: write enabled = false")
    if file.topups.stripe:
        report.add("error", ("topups", "stripe"), "this version has no top-ups: remove the section")


def _check_tasks(file: File, report: Report) -> None:
    for name, task in file.tasks.items():
        path = ("tasks", name)
        if task.order != "listed":
            report.add("error", (*path, "order"), 'this version tries targets as listed: write order = "listed"')
        if task.keep:
            report.add("error", (*path, "keep"), "this version keeps no prompts and answers: remove the key")
        if task.on_cut != "error":
            report.add("warning", (*path, "on_cut"), "not in force: this version has no streams")


def _check_server(file: File, report: Report) -> None:
    for index, origin in enumerate(file.server.allowed_origins):
        if not _ORIGIN.fullmatch(origin):
            fix = "write it as the browser sends it, such as https://app.example or http://localhost:5173"
            report.add("error", ("server", "allowed_origins", index), f'"{origin}" is not an exact origin: {fix}')
    for section, host in (("server", file.server.host), ("admin", file.admin.host)):
        if not file.auth.issuers and not is_loopback(host):
            fix = "write an [auth.issuers.…] section, or a loopback address"
            report.add("error", (section, "host"), f"without an issuer relevo listens on loopback only: {fix}")
    if not file.store.url.startswith("sqlite:///") or file.store.url == "sqlite:///":
        report.add("error", ("store", "url"), "this version keeps its record in SQLite: sqlite:///relevo.db")
    if file.server.workers > 1:
        report.add("error", ("server", "workers"), "this version runs in one process: write workers = 1")
    if file.server.trusted_proxies:
        report.add("warning", ("server", "trusted_proxies"), "not in force: no header of a proxy is read")
    if (file.server.host, file.server.port) == (file.admin.host, file.admin.port) and file.server.port:
        report.add("error", ("admin", "port"), "the admin listener needs a port of its own")


def _check_limits(data: dict[str, Any], report: Report) -> None:
    for key in data.get("limits", {}):
        if key != "body_bytes":
            report.add("warning", ("limits", key), "not in force: this version bounds the body only")
