"""What of the `[auth.issuers]` rows cannot be meant as written, each with the line to write instead."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from relevo.config.document import Path
from relevo.config.problems import Report
from relevo.config.schema import File, Issuer
from relevo.core.net import is_loopback

SECRET_BYTES_MIN: Final = 32
"""An HS256 secret shorter than its hash can be guessed (RFC 7518 §3.2)."""
FIREBASE_ISSUER: Final = "https://securetoken.google.com/"
"""Its `iss` is this and the project, its `aud` the project
(https://firebase.google.com/docs/auth/admin/verify-id-tokens, 2026-11)."""


_SUPABASE_HOST: Final = ".supabase.co"
_SUPABASE_PATH: Final = "/auth/v1"
"""A project's `iss` is its address and this (https://supabase.com/docs/guides/auth/jwt-fields, 2026-11)."""
_PLACEHOLDER: Final = re.compile(r"YOUR-[A-Z]+(?:-[A-Z]+)*")
_RESERVED: Final = "local"
"""The row of the development secret (auth/dev_secret.py): its users are not those of an issuer."""


def iss_of(row: Issuer) -> str:
    """The `iss` that the row's tokens have. Auth0's ends with a slash, which people leave out.

    (https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles, 2026-11)
    """
    return row.issuer.rstrip("/") + "/" if row.platform == "auth0" else row.issuer


def jwks_url_of(row: Issuer) -> str | None:
    """Where the row's keys are, unless its platform has a place of its own. None where it has a secret."""
    if row.secret is not None:
        return None
    return row.jwks_url or row.issuer.rstrip("/") + "/.well-known/jwks.json"


def audience_of(row: Issuer) -> str | None:
    """The `aud` that the row names, or that follows from its `iss`."""
    if row.audience is None and row.platform == "firebase":
        return row.issuer.removeprefix(FIREBASE_ISSUER)
    return row.audience


def parties_of(file: File, row: Issuer) -> Mapping[str, list[str]]:
    """Claims that name who asked for the token, with what they may be."""
    parties: dict[str, list[str]] = {}
    if row.platform == "clerk" or row.authorized_parties:
        parties["azp"] = row.authorized_parties or file.server.allowed_origins
    if row.platform == "cognito" and row.token_use != "id":  # noqa: S105 - the name of a kind of token
        parties["client_id"] = [*row.client_ids, *([row.audience] if row.audience else [])]
    elif row.client_ids and row.platform != "cognito":
        parties["client_id"] = row.client_ids
    return parties


def check_identity(file: File, report: Report) -> None:
    """Add a finding for every row that would let nobody in, or too many."""
    seen: dict[str, str] = {}
    for name, row in file.auth.issuers.items():
        path = ("auth", "issuers", name)
        if name == _RESERVED:
            fix = "give the row another name, such as [auth.issuers.app]"
            report.add("error", path, f'"{name}" is the name of the development secret\'s own users: {fix}')
        first = seen.setdefault(iss_of(row), name)
        if first != name:
            fix = "one row an issuer: merge them"
            report.add("error", (*path, "issuer"), f"[auth.issuers.{first}] has the same issuer: {fix}")
        if row.secret is None:
            _check_keys(row, path, report)
        else:
            _check_secret(row, row.secret, path, report)
        _check_address(row, path, report)
        _check_platform(file, row, path, report)


def _check_secret(row: Issuer, secret: str, path: Path, report: Report) -> None:
    if row.jwks_url:
        fix = "one row has one kind of signature: remove secret, or jwks_url"
        report.add(
            "error", (*path, "secret"), f"with a secret and jwks_url a token could choose between them: {fix}"
        )
    if secret.lstrip().startswith("-----BEGIN"):
        report.add("error", (*path, "secret"), "this is a key pair, and no HS256 secret: remove it, write jwks_url")
    elif len(secret.encode()) < SECRET_BYTES_MIN:
        report.add("error", (*path, "secret"), f"an HS256 secret has at least {SECRET_BYTES_MIN} bytes")
    if row.platform not in (None, "supabase"):
        report.add("error", (*path, "secret"), f"{row.platform} signs with published keys: remove secret")


def _check_keys(row: Issuer, path: Path, report: Report) -> None:
    url = jwks_url_of(row) or ""
    key = "jwks_url" if row.jwks_url else "issuer"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        plain = parts.scheme == "http"
    except ValueError:
        parts, host, plain = urlsplit(""), "", False
    if parts.scheme not in ("https", "http") or not host:
        fix = 'write jwks_url = "https://…", where its public keys are, or secret = "${NAME}"'
        report.add("error", (*path, key), f"no keys can be fetched from this: {fix}")
    elif "@" in parts.netloc:
        report.add("error", (*path, key), "an address of keys holds no user and no password: remove them")
    elif plain and not is_loopback(host):
        fix = "write https:// (http:// is for this machine only)"
        report.add("error", (*path, key), f"whoever sits between could hand out keys of their own: {fix}")
    limits = (row.audience, row.authorized_parties, row.client_ids, row.required_claims)
    if row.platform is None and not any(limits):
        fix = 'write audience = "…", as this app\'s tokens have it in aud'
        report.add("warning", path, f"every token of this issuer is accepted, also those for other apps: {fix}")


def _check_address(row: Issuer, path: Path, report: Report) -> None:
    """An `iss` that no token has lets nobody in, and nothing says why but the log."""
    path = (*path, "issuer")
    blank = _PLACEHOLDER.search(row.issuer)
    if blank:
        fix = f"write the name of your own in place of {blank.group()}"
        report.add("warning", path, f"this is the address of the example: {fix}")
        return
    try:
        host = urlsplit(row.issuer).hostname or ""
    except ValueError:
        return
    supabase = host.endswith(_SUPABASE_HOST)
    if not supabase and row.platform != "supabase":
        return
    right = f"https://{host}{_SUPABASE_PATH}" if supabase else row.issuer.rstrip("/")
    if row.issuer != right:
        report.add("warning", path, f'the tokens of Supabase have another iss: write issuer = "{right}"')


def _check_platform(file: File, row: Issuer, path: Path, report: Report) -> None:
    match row.platform:
        case "auth0" if not row.audience:
            fix = 'write audience = "…", the identifier of your API'
            report.add("error", path, f"without an audience an ID token of any app would do: {fix}")
        case "clerk" if not parties_of(file, row)["azp"]:
            fix = 'write authorized_parties = ["https://app.example"], or server.allowed_origins'
            report.add("error", path, f"a Clerk token names no audience, only the origin of its app: {fix}")
        case "cognito" if not (row.client_ids or row.audience):
            fix = 'write client_ids = ["…"], the ids of your app clients'
            report.add("error", path, f"any app client of the user pool would do: {fix}")
        case "firebase":
            _check_firebase(row, path, report)
    if row.token_use and row.platform != "cognito":
        fix = 'remove it, or write platform = "cognito"'
        report.add("error", (*path, "token_use"), f"only Cognito's tokens say what they are for: {fix}")


def _check_firebase(row: Issuer, path: Path, report: Report) -> None:
    project = row.issuer.removeprefix(FIREBASE_ISSUER)
    if project == row.issuer or not project or "/" in project:
        fix = f'write issuer = "{FIREBASE_ISSUER}YOUR-PROJECT"'
        report.add("error", (*path, "issuer"), f"this is no issuer of Firebase ID tokens: {fix}")
    elif row.audience not in (None, project):
        fix = f'write audience = "{project}", or leave it out'
        report.add("error", (*path, "audience"), f"issuer and audience name different projects: {fix}")
