"""Checks of `[topups]`: a door for money is either right or not there."""

import re
from typing import Final

from relevo.config.problems import Report
from relevo.config.schema import File, Stripe, Webhook

_KEY: Final = re.compile(r"plink_\w+|price_\w+|[a-z]{3}_[0-9]{1,15}")
_SECRET_BYTES_ADVISED: Final = 16


def check_topups(file: File, report: Report) -> None:
    """Add a finding for everything that would lose a payment, or believe a false one."""
    for name, section in (("stripe", file.topups.stripe), ("webhook", file.topups.webhook)):
        if section is not None:
            _check_secret(name, section, report)
            _check_issuer(name, section, file, report)
            if file.credits is None or not file.credits.enabled:
                message = "credits are off: payments are credited, but no answer is paid with them"
                report.add("warning", ("topups", name), message)
    if file.topups.stripe:
        _check_prices(file.topups.stripe, report)


def _check_secret(name: str, section: Stripe | Webhook, report: Report) -> None:
    path = ("topups", name, "secret")
    if not section.secret:
        report.add(
            "error",
            path,
            "the secret is empty, so anybody could sign payments: set its variable in the environment or in .env",
        )
    elif len(section.secret) < _SECRET_BYTES_ADVISED:
        report.add("warning", path, f"a secret of fewer than {_SECRET_BYTES_ADVISED} characters can be guessed")


def _check_issuer(name: str, section: Stripe | Webhook, file: File, report: Report) -> None:
    rows = list(file.auth.issuers) or ["local"]
    path = ("topups", name, "issuer")
    if section.issuer is None and len(rows) > 1:
        fix = f'write whose users pay, such as issuer = "{rows[0]}"'
        report.add("error", ("topups", name), f"there are several issuers, and a plain sub may be of any: {fix}")
    elif section.issuer is not None and section.issuer not in rows:
        report.add("error", path, f'no issuer row "{section.issuer}": there are {", ".join(rows)}')


def _check_prices(stripe: Stripe, report: Report) -> None:
    if stripe.secret and not stripe.secret.startswith("whsec_"):
        fix = "take it from the endpoint's page in Stripe's dashboard; an API key (sk_…, rk_…) is another thing"
        report.add("warning", ("topups", "stripe", "secret"), f"the secrets of webhooks begin with whsec_: {fix}")
    for key in stripe.prices:
        path = ("topups", "stripe", "prices", key)
        if not _KEY.fullmatch(key):
            fix = "write a payment link (plink_…), an amount in its smallest unit (usd_500: 5.00 USD) or a price_…"
            report.add("error", path, f'"{key}" names no payment: {fix}')
        elif key.startswith("price_"):
            fix = "write the payment link (plink_…) or the amount (usd_500) of the same payment"
            message = f"Stripe's events carry no price ids unless somebody adds the line items: {fix}"
            report.add("warning", path, message)
