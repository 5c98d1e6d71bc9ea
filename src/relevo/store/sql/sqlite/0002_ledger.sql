-- Credits in micro-credits, provider costs in nano-USD, moments in ms since 1970. The bounds keep every sum of
-- two amounts inside 64 bits: SQLite would turn an overflow into a REAL without a word.
CREATE TABLE account (
    id               INTEGER PRIMARY KEY,
    issuer           TEXT NOT NULL,
    subject          TEXT NOT NULL,
    balance_micro    INTEGER NOT NULL DEFAULT 0
        CHECK (balance_micro BETWEEN -4000000000000000000 AND 4000000000000000000),
    held_micro       INTEGER NOT NULL DEFAULT 0 CHECK (held_micro BETWEEN 0 AND 4000000000000000000),
    unassigned_micro INTEGER NOT NULL DEFAULT 0 CHECK (unassigned_micro BETWEEN 0 AND 4000000000000000000),
    due_ms           INTEGER NOT NULL DEFAULT 0,
    person           INTEGER NOT NULL DEFAULT 0 CHECK (person IN (0, 1)),
    blocked_ms       INTEGER,
    spent_day        INTEGER NOT NULL DEFAULT 0,
    spent_micro      INTEGER NOT NULL DEFAULT 0 CHECK (spent_micro BETWEEN 0 AND 4000000000000000000),
    entries          INTEGER NOT NULL DEFAULT 0,
    month            INTEGER NOT NULL DEFAULT 0,
    created_ms       INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;

-- `grant` is a word of SQL.
CREATE TABLE credit_grant (
    id              INTEGER PRIMARY KEY,
    account_id      INTEGER NOT NULL REFERENCES account (id),
    act_key         TEXT UNIQUE,  -- NULL: signup and monthly, which happen by themselves
    kind            TEXT NOT NULL CHECK (kind IN ('signup', 'monthly', 'bonus', 'purchase')),
    amount_micro    INTEGER NOT NULL CHECK (amount_micro BETWEEN 1 AND 4000000000000000000),
    remaining_micro INTEGER NOT NULL CHECK (remaining_micro BETWEEN 0 AND amount_micro),
    expires_ms      INTEGER,
    created_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX credit_grant_open ON credit_grant (account_id) WHERE remaining_micro > 0;

CREATE TABLE hold (
    id                  TEXT PRIMARY KEY,  -- the request's id
    account_id          INTEGER NOT NULL REFERENCES account (id),
    task                TEXT NOT NULL,
    amount_micro        INTEGER NOT NULL CHECK (amount_micro BETWEEN 0 AND 4000000000000000000),
    state               TEXT NOT NULL CHECK (state IN ('open', 'settled', 'released', 'expired')),
    charged_micro       INTEGER NOT NULL DEFAULT 0 CHECK (charged_micro BETWEEN 0 AND 4000000000000000000),
    available_micro     INTEGER,  -- what was available after the closing: what its caller was told
    late                INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),  -- closed after it had expired
    cost_guess_nano_usd INTEGER NOT NULL CHECK (cost_guess_nano_usd >= 0),
    node                TEXT NOT NULL,
    expires_ms          INTEGER NOT NULL,
    opened_ms           INTEGER NOT NULL,
    closed_ms           INTEGER,
    CHECK ((state = 'open') = (closed_ms IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_open ON hold (expires_ms) WHERE state = 'open';
CREATE INDEX hold_by_account ON hold (account_id, opened_ms);

CREATE TABLE entry (
    account_id    INTEGER NOT NULL REFERENCES account (id),
    seq           INTEGER NOT NULL,
    kind          TEXT NOT NULL
        CHECK (kind IN ('signup', 'monthly', 'bonus', 'purchase', 'charge', 'expire', 'revoke', 'refund')),
    amount_micro  INTEGER NOT NULL CHECK (amount_micro BETWEEN -4000000000000000000 AND 4000000000000000000),
    balance_micro INTEGER NOT NULL,
    house         TEXT NOT NULL,  -- the account of the house that the amount came from or went to
    hold_id       TEXT REFERENCES hold (id),
    grant_id      INTEGER REFERENCES credit_grant (id),
    at_ms         INTEGER NOT NULL,
    actor         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entry_once_a_hold ON entry (hold_id) WHERE hold_id IS NOT NULL;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are only ever added'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are only ever added'); END;

-- What a try cost with its provider, and who bore it.
CREATE TABLE cost (
    hold_id        TEXT NOT NULL REFERENCES hold (id),
    number         INTEGER NOT NULL,
    provider       TEXT NOT NULL,
    upstream_model TEXT NOT NULL,
    nano_usd       INTEGER NOT NULL CHECK (nano_usd >= 0),
    borne_by       TEXT NOT NULL CHECK (borne_by IN ('caller', 'house')),
    estimated      INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    PRIMARY KEY (hold_id, number)
) STRICT, WITHOUT ROWID;

-- What somebody ordered. The key makes it happen once, the rest says who, why and what it did.
CREATE TABLE act (
    key          TEXT PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES account (id),
    what         TEXT NOT NULL,  -- the change as JSON: the same key with another change is refused
    actor        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    moved_micro  INTEGER NOT NULL,
    before_micro INTEGER NOT NULL,
    after_micro  INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX act_by_account ON act (account_id, at_ms);

CREATE TABLE idempotency (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    key_hash   BLOB NOT NULL,
    body_hash  BLOB NOT NULL,
    request_id TEXT NOT NULL,
    node       TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    answer     BLOB,  -- sealed; NULL while the call is running
    PRIMARY KEY (issuer, subject, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_end ON idempotency (expires_ms);

CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    key_hash   BLOB NOT NULL UNIQUE,  -- SHA-256 of the whole key: it is random, so no slow hash is needed
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    name       TEXT NOT NULL,
    tasks      TEXT,  -- JSON list of allowed tasks; NULL: all
    last4      TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER
) STRICT, WITHOUT ROWID;
