"""Rows of who may call that cannot be meant as written: each is an error with its line and what to write."""

from pathlib import Path

import pytest

from relevo.config.problems import ConfigError
from relevo.setup import set_up

TASK = '[providers.mine]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:1/v1"\n[tasks.T]\ntargets = [{ provider = "mine", model = "m" }]\n'
ROW = '[auth.issuers.app]\nissuer = "https://i.example"\naudience = "a"\n'
FIREBASE = '[auth.issuers.app]\nplatform = "firebase"\nissuer = "https://securetoken.google.com/'


def problems_of(text: str, level: str = "error") -> str:
    Path("relevo.toml").write_text(text + TASK)
    try:
        report = set_up().config.report
    except ConfigError as error:
        report = error.report
    return "\n".join(report.text(p) for p in report.problems if p.level == level)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ROW + 'secret = "${SHORT}"\n', "relevo.toml:4: auth.issuers.app.secret: an HS256 secret has at least 32 bytes"),
        (ROW + 'secret = "${EMPTY:-}"\n', "an HS256 secret has at least 32 bytes"),
        (ROW + 'secret = "${PEM}"\n', "this is a key pair, and no HS256 secret: remove it, write jwks_url"),
        (ROW + 'secret = "${LONG}"\njwks_url = "https://i.example/k"\n', "remove secret, or jwks_url"),
        (ROW + 'platform = "clerk"\nsecret = "${LONG}"\n', "clerk signs with published keys: remove secret"),
        (ROW + 'jwks_url = "http://i.example/k"\n', "relevo.toml:4: auth.issuers.app.jwks_url: whoever sits between could hand out"),
        (ROW + 'jwks_url = "http://127.0.0.1.evil.example/k"\n', "write https:// (http:// is for this machine only)"),
        (ROW + 'jwks_url = "http://169.254.169.254/k"\n', "write https://"),
        (ROW + 'jwks_url = "http://localhost@evil.example/k"\n', "an address of keys holds no user"),
        (ROW + 'jwks_url = "https://u:p@i.example/k"\n', "an address of keys holds no user"),
        (ROW + 'jwks_url = "file:///etc/passwd"\n', "no keys can be fetched from this"),
        (ROW + 'jwks_url = "https://"\n', "no keys can be fetched from this"),
        (ROW + 'jwks_url = "https://[::1"\n', "no keys can be fetched from this"),
        (ROW.replace("https://i.example", "my-app"), 'auth.issuers.app.issuer: no keys can be fetched from this: write jwks_url = "https'),
        (ROW + '[auth.issuers.b]\nissuer = "https://i.example"\n', "auth.issuers.b.issuer: [auth.issuers.app] has the same issuer"),
        ('[auth.issuers.a]\nplatform = "auth0"\nissuer = "https://t/"\naudience = "x"\n'
         '[auth.issuers.b]\nplatform = "auth0"\nissuer = "https://t"\naudience = "y"\n', "[auth.issuers.a] has the same issuer"),
        ('[auth.issuers.app]\nplatform = "auth0"\nissuer = "https://t"\n', 'write audience = "…", the identifier of your API'),
        (ROW + 'platform = "clerk"\n', 'write authorized_parties = ["https://app.example"], or server.allowed_origins'),
        ('[auth.issuers.app]\nplatform = "cognito"\nissuer = "https://c"\n', 'write client_ids = ["…"]'),
        (FIREBASE + 'p1"\naudience = "p2"\n', 'issuer and audience name different projects: write audience = "p1", or leave it out'),
        (FIREBASE + '"\n', "this is no issuer of Firebase ID tokens"),
        ('[auth.issuers.app]\nplatform = "firebase"\nissuer = "https://session.firebase.google.com/p1"\n',
         'write issuer = "https://securetoken.google.com/YOUR-PROJECT"'),
        (ROW + 'token_use = "id"\n', 'only Cognito\'s tokens say what they are for: remove it, or write platform = "cognito"'),
        (ROW + "leeway_s = 121\n", "auth.issuers.app.leeway_s: write a number of at most 120"),
        (ROW + "max_age_s = 0\n", "auth.issuers.app.max_age_s: write a number above 0"),
        (ROW + 'platform = "okta"\n', "write one of supabase, auth0, clerk, firebase, cognito"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_meant_is_an_error(text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, line, key, and the line to write."""
    monkeypatch.setenv("SHORT", "too-short")
    monkeypatch.setenv("LONG", "an-invented-secret-of-an-app-0123456789")
    monkeypatch.setenv("PEM", "-----BEGIN PUBLIC KEY-----\\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\\n-----END")

    assert expected in problems_of(text)


@pytest.mark.parametrize(
    "text",
    [
        ROW,
        ROW + 'jwks_url = "http://localhost:9000/k"\n',
        ROW + 'jwks_url = "http://[::1]:9000/k"\n',
        ROW.replace("https://i.example", "http://127.0.0.1:54321/auth/v1") + 'platform = "supabase"\n',
        FIREBASE + 'p1"\naudience = "p1"\n',
        ROW + '[auth.issuers.b]\nissuer = "https://i.example/"\naudience = "a"\n',
    ],
)
def test_a_row_that_can_be_meant_is_none(text: str) -> None:
    """Keys on this machine by http, a pair that agrees, two issuers that differ by a slash."""
    assert problems_of(text) == ""
    assert problems_of(text, "warning") == ""


def test_an_issuer_whose_every_token_would_do_is_said() -> None:
    """Without an audience, tokens for other apps of the same issuer are good here too."""
    text = '[auth.issuers.app]\nissuer = "https://i.example"\n'

    assert problems_of(text) == ""
    assert 'for other apps: write audience = "…"' in problems_of(text, "warning")


SUPABASE = '[auth.issuers.app]\nplatform = "supabase"\nissuer = "'


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("https://abc.supabase.co/auth/v1/", 'write issuer = "https://abc.supabase.co/auth/v1"'),
        ("https://abc.supabase.co", 'write issuer = "https://abc.supabase.co/auth/v1"'),
        ("https://abc.supabase.co/", 'write issuer = "https://abc.supabase.co/auth/v1"'),
        ("https://login.app.example/auth/v1/", 'write issuer = "https://login.app.example/auth/v1"'),
        ("http://127.0.0.1:54321/auth/v1/", 'write issuer = "http://127.0.0.1:54321/auth/v1"'),
        ("https://YOUR-PROJECT.supabase.co/auth/v1", "write the name of your own in place of YOUR-PROJECT"),
    ],
)
def test_an_issuer_that_no_token_names_is_a_warning(issuer: str, expected: str) -> None:
    """`iss` is compared to the letter: what was left out or left in would refuse every user."""
    (line,) = problems_of(SUPABASE + issuer + '"\n', "warning").splitlines()

    assert line.startswith("relevo.toml:3: auth.issuers.app.issuer: ")
    assert line.endswith(expected)


@pytest.mark.parametrize("issuer", ["https://abc.supabase.co/auth/v1", "https://login.app.example/auth/v1"])
def test_an_issuer_of_supabase_is_in_order(issuer: str) -> None:
    """At its own address or at one of the project's."""
    assert problems_of(SUPABASE + issuer + '"\n', "warning") == ""


def test_the_name_of_the_development_row_is_taken() -> None:
    """Accounts are kept by row and sub: an issuer of that name would take over the accounts of the trial."""
    text = ROW.replace("issuers.app", "issuers.local")

    assert 'relevo.toml:1: auth.issuers.local: "local" is the name of the development' in problems_of(text)
