"""Session tokens as each platform makes them: a user's is served, and the platform's own trap is not fallen into."""

from pathlib import Path
from typing import Any

import jwt
import pytest

from relevo.auth.issuers import Issuer
from relevo.auth.jwks import KeyRing
from relevo.auth.tokens import TokenVerifier
from relevo.setup import issuers_of, set_up
from support.clock import FakeClock
from support.idp import NOW, b64, ec_key, jwk, key_set, outcome, rsa_key

TASK = '[providers.mine]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:1/v1"\n[tasks.T]\ntargets = [{ provider = "mine", model = "m" }]\n'
SUPABASE = "https://abc.supabase.co/auth/v1"
AUTH0 = "https://tenant.eu.auth0.com/"
CLERK = "https://clerk.app.example"
FIREBASE = "https://securetoken.google.com/proj-1"
COGNITO = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc"

TIMES = {"iat": NOW - 10, "exp": NOW + 3000}
USERS: dict[str, dict[str, Any]] = {
    "supabase": {"iss": SUPABASE, "aud": "authenticated", "role": "authenticated", "sub": "6f1c", "session_id": "s", "aal": "aal1",
                 "is_anonymous": False, **TIMES},
    "auth0": {"iss": AUTH0, "aud": ["https://api.app.example", "https://tenant.eu.auth0.com/userinfo"], "sub": "auth0|65", "azp": "K1",
              "scope": "openid", **TIMES},
    "clerk": {"iss": CLERK, "azp": "https://app.example", "sub": "user_2x", "sid": "sess_1", "sts": "active", "nbf": NOW - 20, "v": 2,
              "iat": NOW - 10, "exp": NOW + 50},
    "firebase": {"iss": FIREBASE, "aud": "proj-1", "sub": "u1", "user_id": "u1", "auth_time": NOW - 500,
                 "firebase": {"sign_in_provider": "google.com", "identities": {}}, **TIMES},
    "cognito": {"iss": COGNITO, "token_use": "access", "client_id": "c1", "sub": "aaaa", "username": "ana", "scope": "openid", **TIMES},
}  # fmt: skip
ROWS = {
    "supabase": f'issuer = "{SUPABASE}"',
    "auth0": 'issuer = "https://tenant.eu.auth0.com"\naudience = "https://api.app.example"',
    "clerk": f'issuer = "{CLERK}"',
    "firebase": f'issuer = "{FIREBASE}"',
    "cognito": f'issuer = "{COGNITO}"\nclient_ids = ["c1"]',
}
KEYS_AT = {
    "supabase": SUPABASE + "/.well-known/jwks.json",
    "auth0": AUTH0 + ".well-known/jwks.json",
    "clerk": CLERK + "/.well-known/jwks.json",
    "firebase": "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
    "cognito": COGNITO + "/.well-known/jwks.json",
}


def row_of(platform: str, text: str | None = None, more: str = "") -> Issuer:
    """The row that a configuration makes."""
    row = text or ROWS[platform]
    Path("relevo.toml").write_text(
        f'{TASK}[server]\nallowed_origins = ["https://app.example"]\n[auth.issuers.app]\nplatform = "{platform}"\n{row}\n{more}\n'
    )
    setup = set_up()
    assert setup.config.report.at("warning") == []
    (issuer,) = issuers_of(setup).values()
    return issuer


def verifier_of(row: Issuer) -> TokenVerifier:
    async def fetch(_url: str) -> tuple[bytes, str]:
        return key_set(jwk(rsa_key(), "k1"), jwk(ec_key(), "e1")), ""

    clock = FakeClock(float(NOW))
    rings = {row.jwks_url: KeyRing(row.jwks_url, fetch, clock, lambda _note: None)} if row.jwks_url else {}
    return TokenVerifier({row.issuer: row}, clock, rings)


def token_of(platform: str, **changes: Any) -> str:
    claims = {**USERS[platform], **changes}
    return jwt.encode(
        {n: v for n, v in claims.items() if v is not ...}, rsa_key(), algorithm="RS256", headers={"kid": "k1"}
    )


async def result(platform: str, row: Issuer, **changes: Any) -> str:
    return await outcome(verifier_of(row), token_of(platform, **changes))


@pytest.mark.parametrize("platform", USERS)
async def test_a_user_of_each_platform_is_served(platform: str) -> None:
    """With the fewest lines that can be written, from keys where the platform has them."""
    row = row_of(platform)
    principal = await verifier_of(row).verify(token_of(platform))

    assert (principal.issuer, principal.subject, principal.kind) == ("app", USERS[platform]["sub"], "user")
    assert row.jwks_url == KEYS_AT[platform]


@pytest.mark.parametrize("platform", USERS)
async def test_an_unsigned_token_of_an_emulator_is_refused(platform: str) -> None:
    """Firebase's emulator makes them: with `none` for an algorithm and no signature."""
    text = f"{b64({'alg': 'none', 'typ': 'JWT'})}.{b64(USERS[platform])}."
    for unsigned in (text, text + "x", text + "e30"):
        assert await outcome(verifier_of(row_of(platform)), unsigned) == "invalid_token"


async def test_supabase_api_keys_are_no_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The anon and service_role keys are tokens of the same secret: 403, under every issuer that they are made with."""
    secret = "an-invented-supabase-secret-0123456789"
    monkeypatch.setenv("S", secret)
    legacy = row_of("supabase", f'issuer = "{SUPABASE}"\nsecret = "${{S}}"')
    modern = row_of("supabase")
    ten_years = {"iat": NOW - 1000, "exp": NOW + 300_000_000}
    for role in ("anon", "service_role"):
        for claims in (
            {"iss": "supabase", "ref": "abc", "role": role, **ten_years},
            {"iss": "supabase-demo", "role": role, **ten_years},
            {"role": role, **ten_years},
            {"iss": SUPABASE, "role": role, **ten_years},
            {**USERS["supabase"], "role": role},
        ):
            key = jwt.encode(claims, secret, algorithm="HS256")
            assert await outcome(verifier_of(legacy), key) == "forbidden", claims
        api_key = jwt.encode(
            {"iss": "supabase", "ref": "abc", "role": role, **ten_years}, secret, algorithm="HS256"
        )
        assert await outcome(verifier_of(modern), api_key) == "forbidden"
        assert await result("supabase", modern, role=role) == "forbidden"
    good = jwt.encode(USERS["supabase"], secret, algorithm="HS256")
    assert await outcome(verifier_of(legacy), good) == "ok"
    assert await outcome(verifier_of(modern), good) == "invalid_token"
    assert await result("supabase", legacy) == "invalid_token"


async def test_supabase_needs_a_subject_and_knows_guests() -> None:
    """No role or no sub is no user; who has not signed up is a guest; ES256 keys work beside RSA."""
    row = row_of("supabase")
    assert await result("supabase", row, sub="") == "invalid_token"
    assert await result("supabase", row, sub=...) == "invalid_token"
    assert await result("supabase", row, role=...) == "forbidden"
    assert await result("supabase", row, aud="anon") == "invalid_token"
    guest = await verifier_of(row).verify(token_of("supabase", is_anonymous=True))
    assert guest.kind == "anonymous"
    text = jwt.encode(USERS["supabase"], ec_key(), algorithm="ES256", headers={"kid": "e1"})
    assert await outcome(verifier_of(row), text) == "ok"


async def test_auth0_has_its_slash_and_its_audience() -> None:
    """Written with or without the slash, the token has it; ID tokens are for the app, not for the API."""
    for written in (AUTH0, AUTH0.rstrip("/")):
        row = row_of("auth0", f'issuer = "{written}"\naudience = "https://api.app.example"')
        assert await result("auth0", row) == "ok"
        assert await result("auth0", row, iss=AUTH0.rstrip("/")) == "invalid_token"
    assert await result("auth0", row, aud="K1") == "invalid_token"
    assert await result("auth0", row, aud=...) == "invalid_token"
    text = jwt.encode(USERS["auth0"], ec_key(), algorithm="ES256", headers={"kid": "e1"})
    assert await outcome(verifier_of(row), text) == "invalid_token"  # RS256 is what Auth0 signs with


async def test_auth0_programs_are_machines() -> None:
    """Client credentials own no user's wallet."""
    verifier = verifier_of(row_of("auth0"))
    for changes in ({"sub": "K1@clients"}, {"sub": "K1", "gty": "client-credentials"}):
        assert (await verifier.verify(token_of("auth0", **changes))).kind == "machine"


async def test_clerk_names_the_origin_of_its_app() -> None:
    """Another site of the same Clerk instance cannot use its users' tokens here; templates and half sessions neither."""
    row = row_of("clerk")
    assert await result("clerk", row, azp="https://evil.example") == "invalid_token"
    assert await result("clerk", row, azp="https://app.example/") == "invalid_token"
    assert await result("clerk", row, azp=...) == "invalid_token"
    assert await result("clerk", row, azp=["https://app.example"]) == "invalid_token"
    assert await result("clerk", row, sid=...) == "invalid_token"
    assert await result("clerk", row, sts="pending") == "forbidden"
    listed = row_of("clerk", ROWS["clerk"] + '\nauthorized_parties = ["https://other.example"]')
    assert await result("clerk", listed) == "invalid_token"
    assert await result("clerk", listed, azp="https://other.example") == "ok"


async def test_clerk_programs_are_machines() -> None:
    """Machine tokens have neither an origin nor a session; another origin than ours they may not have either."""
    verifier = verifier_of(row_of("clerk"))
    machine = {"sub": "mch_cron", "azp": ..., "sid": ...}
    assert (await verifier.verify(token_of("clerk", **machine))).kind == "machine"
    assert (
        await outcome(verifier, token_of("clerk", **{**machine, "azp": "https://evil.example"})) == "invalid_token"
    )


async def test_firebase_names_its_project_twice() -> None:
    """Issuer and audience are one pair; another project's token, signed with the same Google keys, is refused."""
    row = row_of("firebase")
    assert await result("firebase", row, aud="proj-2") == "invalid_token"
    assert (
        await result("firebase", row, iss="https://securetoken.google.com/proj-2", aud="proj-2") == "invalid_token"
    )
    assert await result("firebase", row, iss="https://session.firebase.google.com/proj-1") == "invalid_token"
    assert await result("firebase", row, auth_time=NOW + 60) == "invalid_token"
    assert await result("firebase", row, auth_time=...) == "invalid_token"
    assert await result("firebase", row, sub="") == "invalid_token"
    guest = token_of("firebase", firebase={"sign_in_provider": "anonymous"})
    assert (await verifier_of(row).verify(guest)).kind == "anonymous"
    odd = token_of("firebase", firebase="anonymous")
    assert (await verifier_of(row).verify(odd)).kind == "user"


async def test_cognito_takes_access_tokens_of_its_clients() -> None:
    """An ID token is not an access token, and another app client of the pool is not ours."""
    row = row_of("cognito")
    id_token = {"token_use": "id", "aud": "c1", "client_id": ...}
    assert await result("cognito", row, **id_token) == "forbidden"
    assert await result("cognito", row, token_use=...) == "forbidden"
    assert await result("cognito", row, client_id="c2") == "invalid_token"
    assert await result("cognito", row, client_id=..., aud="c1") == "invalid_token"
    wants_id = row_of("cognito", ROWS["cognito"] + '\ntoken_use = "id"')
    assert await result("cognito", wants_id, **id_token) == "ok"
    assert await result("cognito", wants_id, **{**id_token, "aud": "c2"}) == "invalid_token"
    assert await result("cognito", wants_id) == "forbidden"
    assert await result("cognito", row, client_id=..., gty="client_credentials") == "invalid_token"
    machine = token_of("cognito", sub="c1", username=...)
    assert (await verifier_of(row).verify(machine)).kind == "machine"


async def test_any_issuer_of_openid_connect() -> None:
    """Without a platform: issuer and audience, and what else the row asks for."""
    text = 'issuer = "https://id.example/realms/app"\naudience = "api"\nauthorized_parties = ["web"]\nrequired_claims = { tenant = "t1" }'
    Path("relevo.toml").write_text(f"{TASK}[auth.issuers.app]\n{text}\nleeway_s = 0\nmax_age_s = 600\n")
    (row,) = issuers_of(set_up()).values()
    good = {
        "iss": "https://id.example/realms/app",
        "aud": "api",
        "azp": "web",
        "tenant": "t1",
        "sub": "u",
        "iat": NOW,
        "exp": NOW + 600,
    }

    async def of(**changes: Any) -> str:
        claims = {**good, **changes}
        text = jwt.encode(
            {n: v for n, v in claims.items() if v is not ...}, ec_key(), algorithm="ES256", headers={"kid": "e1"}
        )
        return await outcome(verifier_of(row), text)

    assert row.jwks_url == "https://id.example/realms/app/.well-known/jwks.json"
    assert await of() == "ok"
    assert await of(aud=["api", "account"]) == "invalid_token"
    assert await of(azp="other") == "invalid_token"
    assert await of(tenant="t2") == "forbidden"
    assert await of(tenant=...) == "forbidden"
    assert await of(exp=NOW + 601) == "invalid_token"
    assert await of(iat=NOW - 100, exp=NOW) == "token_expired"
