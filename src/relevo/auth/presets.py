"""What each platform puts into its session tokens, and the traps in them, as data with the page it comes from."""

from typing import Final

from relevo.auth.issuers import PLAIN, Issuer, Preset
from relevo.config.identity import audience_of, iss_of, jwks_url_of, parties_of
from relevo.config.schema import File
from relevo.config.schema import Issuer as Row
from relevo.core.secret import Secret

_RSA_ONLY: Final = ("RS256",)
_FIREBASE_KEYS: Final = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"

PRESETS: Final[dict[str | None, Preset]] = {
    None: PLAIN,
    # https://supabase.com/docs/guides/auth/jwt-fields and …/signing-keys, 2026-11. The legacy API keys are
    # tokens of the same secret, ten years long, with a role, no sub, and "supabase" or nothing for an issuer.
    "supabase": Preset(
        audience="authenticated",
        required_claims={"role": "authenticated"},
        api_key_roles=frozenset({"anon", "service_role"}),
        anonymous=("is_anonymous",),
    ),
    # https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles, 2026-11. With the scope openid
    # the aud is a list: the API and the tenant's /userinfo.
    "auth0": Preset(algorithms=_RSA_ONLY, extra_audiences=True, machine_suffix="@clients"),
    # https://clerk.com/docs/guides/sessions/manual-jwt-verification and …/session-tokens, 2026-11. Tokens of a
    # template, which are made for third parties, have no sid; a session with steps left to do is "pending".
    "clerk": Preset(
        algorithms=_RSA_ONLY, refused_claims={"sts": "pending"}, user_claims=("sid",), machine_prefix="mch_"
    ),
    # https://firebase.google.com/docs/auth/admin/verify-id-tokens, 2026-11. The emulator's tokens are unsigned:
    # no algorithm of a row accepts them.
    "firebase": Preset(
        algorithms=_RSA_ONLY,
        jwks_url=_FIREBASE_KEYS,
        past_claims=("auth_time",),
        anonymous=("firebase", "sign_in_provider"),
        anonymous_value="anonymous",
    ),
    # https://docs.aws.amazon.com/cognito/latest/developerguide/
    # amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html, 2026-11. Which token_use and client is asked
    # for is the row's to say (`issuer_of`).
    "cognito": Preset(algorithms=_RSA_ONLY),
}
"""By the row's `platform`."""


def issuer_of(name: str, row: Row, file: File) -> Issuer:
    """A row of the configuration with what its platform requires filled in.

    Args:
        name: The row's name, which becomes `Principal.issuer`.
        row: The row as written; `config.identity` has found nothing wrong with it.
        file: The whole file: Clerk's authorized parties are the origins of the app.
    """
    preset = PRESETS[row.platform]
    audience = audience_of(row) or preset.audience
    audiences = {audience} if audience else set()
    required = {**preset.required_claims, **row.required_claims}
    if row.platform == "cognito":
        token_use = row.token_use or "access"
        required["token_use"] = token_use
        # The aud of an ID token is the app client; an access token has none, but a client_id (see parties_of).
        audiences = {*audiences, *row.client_ids} if token_use == "id" else set()  # noqa: S105 - a kind of token
    jwks_url = None if row.secret is not None else row.jwks_url or preset.jwks_url or jwks_url_of(row)
    return Issuer(
        name=name,
        issuer=iss_of(row),
        secret=Secret(row.secret or ""),
        jwks_url=jwks_url,
        audiences=frozenset(audiences),
        extra_audiences=preset.extra_audiences if row.extra_audiences is None else row.extra_audiences,
        parties={claim: frozenset(values) for claim, values in parties_of(file, row).items()},
        required_claims=required,
        leeway_s=row.leeway_s,
        lifetime_s_max=row.max_age_s,
        preset=preset,
    )
