"""What can be done as it is written, and is most likely not what was meant: each is a warning that says why."""

from typing import Final
from urllib.parse import urlsplit

from relevo.config.problems import Report
from relevo.config.schema import File, Task
from relevo.core.net import is_loopback

_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})


def check_plausible(file: File, report: Report) -> None:
    """Add a warning for everything that undoes itself, or does nothing."""
    for name, provider in file.providers.items():
        if provider.base_url and _is_own(provider.base_url, file):
            message = "this is relevo's own address ([server]), so its calls would go in a circle"
            report.add("warning", ("providers", name, "base_url"), message)
    for name, task in file.tasks.items():
        _check_task(name, task, report)
    times = file.timeouts
    longest_s, key = max((times.connect_s, "connect_s"), (times.first_token_s, "first_token_s"))
    if times.total_s < longest_s:
        message = f"shorter than {key} ({longest_s:g}), so the first silent target uses up all of it"
        report.add("warning", ("timeouts", "total_s"), message)
    retries = file.retries
    if retries.wait_s > retries.last_wait_s:
        message = f"longer than last_wait_s ({retries.last_wait_s:g}): the last target would be waited for less"
        report.add("warning", ("retries", "wait_s"), message)


def _check_task(name: str, task: Task, report: Report) -> None:
    path = ("tasks", name)
    if len(task.targets) == 1:
        if task.hedge:
            report.add("warning", (*path, "hedge"), "there is no second target to ask")
        if task.order == "fastest":
            report.add("warning", (*path, "order"), "there is no second target to compare with")
    seen: dict[tuple[str, str], int] = {}
    for index, target in enumerate(task.targets):
        first = seen.setdefault((target.provider, target.model), index)
        if first != index:
            message = f"the same as targets[{first}]: what failed is not asked again by another line, remove one"
            report.add("warning", (*path, "targets", index), message)


def _is_own(base_url: str, file: File) -> bool:
    """Whether an address is the one at which relevo itself is to listen."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:  # no address at all, which is an error of its own
        return False
    if port != file.server.port or not parts.hostname:
        return False
    if parts.hostname == file.server.host:
        return True
    return is_loopback(parts.hostname) and (is_loopback(file.server.host) or file.server.host in _EVERYWHERE)
