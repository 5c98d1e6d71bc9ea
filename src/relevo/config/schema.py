"""The shape of `relevo.toml`: one struct a section, every field with its unit, default and meaning.

The JSON Schema (`relevo schema`), the list of known keys and the type checks all come from these structs,
so a field is written down once.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Lockable = Literal["system", "temperature", "tools", "response_format", "max_tokens"]
Amount = Annotated[float, Meta(ge=0, le=1_000_000)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, and a key it does not know is an error."""


class Server(Section, frozen=True):
    """Where the app's callers connect."""

    host: Name = "127.0.0.1"
    port: Port = 8787
    allowed_origins: list[Name] = []
    """Exact origins of browser apps, such as `http://localhost:5173`. Others get no CORS headers."""
    locale: Literal["es", "en"] = "es"
    """Language of the `error` texts of `/api/ai/*`."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    drain_s: Annotated[float, Meta(ge=0, le=3600)] = 120
    """After SIGTERM, how long running answers may still take."""
    trusted_proxies: list[Name] = []
    data_dir: Name = "."
    """Folder of the database and the development secret. Relative to the configuration file."""


class Admin(Section, frozen=True):
    """The operator's own listener: `/metrics`."""

    host: Name = "127.0.0.1"
    port: Port = 8788


class Store(Section, frozen=True):
    """Where the record is kept."""

    url: Name = "sqlite:///relevo.db"
    """`sqlite:///` and a path, relative to `data_dir`; four slashes for an absolute path."""


class Provider(Section, frozen=True):
    """Whom to call. A built-in name needs its key only; any other states `dialect` and `base_url`."""

    api_key: str | None = None
    """A reference such as `${GEMINI_API_KEY}`, never the key itself."""
    base_url: Name | None = None
    dialect: Name | None = None


class Target(Section, frozen=True):
    """One place a task may ask."""

    provider: Name
    model: Name
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    """The most output tokens; a caller's larger wish is cut to it."""
    first_token_s: Seconds | None = None
    """Longest wait for the first token of this target."""
    stream_upstream: bool | None = None
    """Ask this target to stream even for a plain answer, so that silence is noticed in seconds."""


class Task(Section, frozen=True):
    """An ordered list of targets under a name that the app uses."""

    targets: Annotated[list[Target], Meta(min_length=1, max_length=64)]
    order: Literal["listed", "cheapest", "fastest"] = "listed"
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    """Used when the caller gives none."""
    system: str | None = None
    """System prompt that the server puts first."""
    lock: list[Lockable] = []
    """Fields in which the caller's value is ignored."""
    credits: Amount | None = None
    """Fixed price of one answer, in credits. Inert while credits are off."""
    markup: Amount = 1.0
    min_credits: Amount = 0
    clamp: bool = False
    on_cut: Literal["error", "restart"] = "error"
    keep: Annotated[str, Meta(pattern=r"^\d+d$")] | None = None


class PriceRow(Section, frozen=True):
    """USD per million tokens of one `provider/model`. 0 is legal."""

    input: Amount
    output: Amount
    cached_input: Amount | None = None
    reasoning: Amount | None = None
    per_image: Amount | None = None
    per_minute: Amount | None = None


class Issuer(Section, frozen=True):
    """Who may call: one row per issuer of session tokens."""

    issuer: Name
    """The token's `iss`, to the letter."""
    platform: Literal["supabase", "auth0", "clerk", "firebase", "cognito"] | None = None
    audience: Name | None = None
    jwks_url: Name | None = None
    secret: str | None = None
    """HS256 secret, at least 32 bytes, as a reference such as `${SUPABASE_JWT_SECRET}`."""
    required_claims: dict[str, Any] = {}


class Auth(Section, frozen=True):
    """Session tokens. Without any issuer, a development secret signs them, on loopback only."""

    issuers: dict[Name, Issuer] = {}


class Credits(Section, frozen=True):
    """What users pay with. Without this section credits are off."""

    enabled: bool = True
    usd_per_credit: Amount = 0.001
    signup: Amount = 0
    monthly: Amount = 0
    topup_url: str | None = None


class Timeouts(Section, frozen=True):
    """Deadlines of a call, in seconds. They hold for plain answers as for streams."""

    connect_s: Seconds = 3
    first_token_s: Seconds = 10
    """From a working connection to the first token; reasoning counts. The last target waits three times it."""
    idle_s: Seconds = 60
    """Longest silence after the first token."""
    total_s: Seconds = 300
    """One deadline over all tries of a request."""


class Limits(Section, frozen=True):
    """What one caller may use."""

    body_bytes: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 10_000_000
    user_requests_per_minute: Annotated[int, Meta(ge=0)] = 60
    user_concurrency: Annotated[int, Meta(ge=0)] = 20
    user_credits_per_day: Amount = 0
    connections_per_ip: Annotated[int, Meta(ge=0)] = 0


class Record(Section, frozen=True):
    """The rows of requests and tries."""

    keep_days: Annotated[int, Meta(ge=0, le=36_500)] = 90
    """Days that a row is kept. 0: no row is written."""


class Stripe(Section, frozen=True):
    """Signed webhooks of Stripe: which price buys how many credits."""

    secret: str
    prices: dict[str, Amount] = {}


class Topups(Section, frozen=True):
    """Payments that become credits."""

    stripe: Stripe | None = None


class File(Section, frozen=True):
    """The whole file."""

    server: Server = field(default_factory=Server)
    admin: Admin = field(default_factory=Admin)
    store: Store = field(default_factory=Store)
    providers: dict[Name, Provider] = {}
    tasks: dict[Name, Task] = {}
    prices: dict[Name, PriceRow] = {}
    auth: Auth = field(default_factory=Auth)
    credits: Credits | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    record: Record = field(default_factory=Record)
    topups: Topups = field(default_factory=Topups)
