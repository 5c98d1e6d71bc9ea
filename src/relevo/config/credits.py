"""Checks of what answers cost and users get: no amount is rounded away, and no key stands there without effect."""

from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from relevo.config.document import Path
from relevo.config.problems import Report
from relevo.config.schema import File

_USD_PER_CREDIT_MIN: Final = 0.000001
_DECIMALS: Final = 6
"""Books are kept in millionths of a credit."""
_METERED_ONLY: Final = ("markup", "min_credits", "clamp")
_OF_CREDITS: Final = ("credits", "markup", "min_credits", "clamp")


def check_credits(file: File, report: Report) -> None:
    """Add a finding for every amount that would not be kept as written, and every key that does nothing."""
    for path, amount in _amounts(file):
        if amount is not None and not _is_kept(amount):
            report.add("error", path, "prices are counted to a millionth: write at most 6 decimals")
    section = file.credits
    if section is not None:
        if section.enabled and section.usd_per_credit < _USD_PER_CREDIT_MIN:
            report.add(
                "error", ("credits", "usd_per_credit"), f"a credit is worth at least {_USD_PER_CREDIT_MIN} USD"
            )
        if section.topup_url is not None and not _is_link(section.topup_url):
            fix = "write https://app.example/plans, or a path such as /plans"
            report.add("error", ("credits", "topup_url"), f"apps show this to users as a link: {fix}")
    if section is not None and section.enabled:
        _check_fixed(file, report)
    else:
        _check_off(file, report)


def _amounts(file: File) -> list[tuple[Path, float | None]]:
    """Every number of the file that counts credits, and the factor on them, with its place."""
    found: list[tuple[Path, float | None]] = [
        (("limits", "user_credits_per_day"), file.limits.user_credits_per_day),
    ]
    for name, task in file.tasks.items():
        found.append((("tasks", name, "credits"), task.credits))
        found.append((("tasks", name, "min_credits"), task.min_credits))
        found.append((("tasks", name, "markup"), task.markup))
    if file.credits:
        found.append((("credits", "signup"), file.credits.signup))
        found.append((("credits", "monthly"), file.credits.monthly))
    if file.topups.stripe:
        found += [(("topups", "stripe", "prices", key), n) for key, n in file.topups.stripe.prices.items()]
    if file.topups.webhook:
        found += [(("topups", "webhook", "products", key), n) for key, n in file.topups.webhook.products.items()]
    return found


def _is_kept(amount: float) -> bool:
    written = Decimal(str(amount))
    return written == round(written, _DECIMALS)


def _is_link(text: str) -> bool:
    """Whether a browser that opens it runs no script and stays with http."""
    if not text.isprintable() or "\\" in text or " " in text:
        return False
    if text.startswith("/"):
        return not text.startswith("//")
    try:
        parts = urlsplit(text)
        return parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        return False


def _check_fixed(file: File, report: Report) -> None:
    for name, task in file.tasks.items():
        for key in _METERED_ONLY:
            path = ("tasks", name, key)
            if task.credits is not None and path in report.lines:
                fix = f"remove {key}, or remove credits"
                report.add("warning", path, f"no effect: credits is the whole price, and nothing is metered: {fix}")


def _check_off(file: File, report: Report) -> None:
    """One finding for all: the first of them in the file."""
    found: list[Path] = [("tasks", name, key) for name in file.tasks for key in _OF_CREDITS]
    if file.limits.user_credits_per_day:
        found.append(("limits", "user_credits_per_day"))
    written = [path for path in found if path in report.lines]
    if written:
        path = min(written, key=lambda one: report.lines[one])
        report.add("warning", path, "no effect while credits are off: write [credits] with enabled = true")
