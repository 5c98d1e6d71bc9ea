-- The same tables as on SQLite, and those that several processes share. Bounds as there: sums of two fit 64 bits.
CREATE TABLE request (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    started_at_ms BIGINT NOT NULL,
    issuer        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    task          TEXT,
    outcome       TEXT NOT NULL CHECK (outcome IN ('ok', 'failed')),
    code          TEXT,
    http_status   INTEGER NOT NULL,
    ms            BIGINT NOT NULL,
    demo          SMALLINT NOT NULL DEFAULT 0,
    charged_micro BIGINT CHECK (charged_micro >= 0)
);
CREATE INDEX request_by_subject ON request (subject, seq);
CREATE INDEX request_by_start ON request (started_at_ms);

CREATE TABLE attempt (
    request_id              TEXT NOT NULL REFERENCES request (id) ON DELETE CASCADE,
    number                  INTEGER NOT NULL,
    provider                TEXT NOT NULL,
    upstream_model          TEXT NOT NULL,
    outcome                 TEXT NOT NULL CHECK (outcome IN ('ok', 'failed', 'skipped')),
    code                    TEXT,
    phase                   TEXT,
    http_status             INTEGER,
    upstream_code           TEXT,
    detail                  TEXT,
    ms                      BIGINT NOT NULL,
    input_tokens            BIGINT CHECK (input_tokens >= 0),
    output_tokens           BIGINT CHECK (output_tokens >= 0),
    cached_input_tokens     BIGINT CHECK (cached_input_tokens >= 0),
    reasoning_output_tokens BIGINT CHECK (reasoning_output_tokens >= 0),
    cost_nano_usd           BIGINT CHECK (cost_nano_usd >= 0),
    PRIMARY KEY (request_id, number)
);

-- Half of each page stays free: an update then needs no new index entry (HOT).
CREATE TABLE account (
    id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer           TEXT NOT NULL,
    subject          TEXT NOT NULL,
    balance_micro    BIGINT NOT NULL DEFAULT 0
        CHECK (balance_micro BETWEEN -4000000000000000000 AND 4000000000000000000),
    held_micro       BIGINT NOT NULL DEFAULT 0 CHECK (held_micro BETWEEN 0 AND 4000000000000000000),
    unassigned_micro BIGINT NOT NULL DEFAULT 0 CHECK (unassigned_micro BETWEEN 0 AND 4000000000000000000),
    due_ms           BIGINT NOT NULL DEFAULT 0,
    person           SMALLINT NOT NULL DEFAULT 0 CHECK (person IN (0, 1)),
    blocked_ms       BIGINT,
    spent_day        BIGINT NOT NULL DEFAULT 0,
    spent_micro      BIGINT NOT NULL DEFAULT 0 CHECK (spent_micro BETWEEN 0 AND 4000000000000000000),
    entries          BIGINT NOT NULL DEFAULT 0,
    month            BIGINT NOT NULL DEFAULT 0,
    created_ms       BIGINT NOT NULL,
    UNIQUE (issuer, subject)
) WITH (fillfactor = 50);

CREATE TABLE credit_grant (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      BIGINT NOT NULL REFERENCES account (id),
    act_key         TEXT UNIQUE,
    kind            TEXT NOT NULL CHECK (kind IN ('signup', 'monthly', 'bonus', 'purchase')),
    amount_micro    BIGINT NOT NULL CHECK (amount_micro BETWEEN 1 AND 4000000000000000000),
    remaining_micro BIGINT NOT NULL CHECK (remaining_micro BETWEEN 0 AND amount_micro),
    expires_ms      BIGINT,
    created_ms      BIGINT NOT NULL
);
CREATE INDEX credit_grant_open ON credit_grant (account_id) WHERE remaining_micro > 0;

CREATE TABLE hold (
    id                  TEXT PRIMARY KEY,
    account_id          BIGINT NOT NULL REFERENCES account (id),
    task                TEXT NOT NULL,
    amount_micro        BIGINT NOT NULL CHECK (amount_micro BETWEEN 0 AND 4000000000000000000),
    state               TEXT NOT NULL CHECK (state IN ('open', 'settled', 'released', 'expired')),
    charged_micro       BIGINT NOT NULL DEFAULT 0 CHECK (charged_micro BETWEEN 0 AND 4000000000000000000),
    available_micro     BIGINT,
    late                SMALLINT NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),
    cost_guess_nano_usd BIGINT NOT NULL CHECK (cost_guess_nano_usd >= 0),
    node                TEXT NOT NULL,
    expires_ms          BIGINT NOT NULL,
    opened_ms           BIGINT NOT NULL,
    closed_ms           BIGINT,
    CHECK ((state = 'open') = (closed_ms IS NULL))
);
CREATE INDEX hold_open ON hold (expires_ms) WHERE state = 'open';
CREATE INDEX hold_by_account ON hold (account_id, opened_ms);

CREATE TABLE entry (
    account_id    BIGINT NOT NULL REFERENCES account (id),
    seq           BIGINT NOT NULL,
    kind          TEXT NOT NULL
        CHECK (kind IN ('signup', 'monthly', 'bonus', 'purchase', 'charge', 'expire', 'revoke', 'refund')),
    amount_micro  BIGINT NOT NULL CHECK (amount_micro BETWEEN -4000000000000000000 AND 4000000000000000000),
    balance_micro BIGINT NOT NULL,
    house         TEXT NOT NULL,
    hold_id       TEXT REFERENCES hold (id),
    grant_id      BIGINT REFERENCES credit_grant (id),
    at_ms         BIGINT NOT NULL,
    actor         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    PRIMARY KEY (account_id, seq)
);
CREATE UNIQUE INDEX entry_once_a_hold ON entry (hold_id) WHERE hold_id IS NOT NULL;
CREATE FUNCTION entry_is_final() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'entries are only ever added'; END $$;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION entry_is_final();

CREATE TABLE cost (
    hold_id        TEXT NOT NULL REFERENCES hold (id),
    number         INTEGER NOT NULL,
    provider       TEXT NOT NULL,
    upstream_model TEXT NOT NULL,
    nano_usd       BIGINT NOT NULL CHECK (nano_usd >= 0),
    borne_by       TEXT NOT NULL CHECK (borne_by IN ('caller', 'house')),
    estimated      SMALLINT NOT NULL CHECK (estimated IN (0, 1)),
    PRIMARY KEY (hold_id, number)
);

CREATE TABLE act (
    key          TEXT PRIMARY KEY,
    account_id   BIGINT NOT NULL REFERENCES account (id),
    what         TEXT NOT NULL,
    actor        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    moved_micro  BIGINT NOT NULL,
    before_micro BIGINT NOT NULL,
    after_micro  BIGINT NOT NULL,
    at_ms        BIGINT NOT NULL
);
CREATE INDEX act_by_account ON act (account_id, at_ms);

CREATE TABLE idempotency (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    key_hash   BYTEA NOT NULL,
    body_hash  BYTEA NOT NULL,
    request_id TEXT NOT NULL,
    node       TEXT NOT NULL,
    expires_ms BIGINT NOT NULL,
    answer     BYTEA,
    PRIMARY KEY (issuer, subject, key_hash)
);
CREATE INDEX idempotency_by_end ON idempotency (expires_ms);

CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    key_hash   BYTEA NOT NULL UNIQUE,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    name       TEXT NOT NULL,
    tasks      TEXT,
    last4      TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    revoked_ms BIGINT
);

-- Processes that are alive, and what their users are doing. A process that is not seen any more counts for nothing.
CREATE TABLE node (
    id      TEXT PRIMARY KEY,
    seen_ms BIGINT NOT NULL
);
CREATE TABLE caller_use (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    free_at_us BIGINT NOT NULL,  -- the moment up to which this user's requests are used up (GCRA)
    running    JSONB NOT NULL,   -- requests that run, by node
    PRIMARY KEY (issuer, subject)
) WITH (fillfactor = 50);

-- The moment by the database's clock, which all processes share. A session may set another, for tests.
CREATE FUNCTION relevo_now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT coalesce(nullif(current_setting('relevo.now_ms', true), '')::bigint,
                   (extract(epoch FROM clock_timestamp()) * 1000)::bigint) $$;
