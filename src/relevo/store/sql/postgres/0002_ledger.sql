-- The database's clock in ms since 1970: one clock for all processes. Tests jump it for their database.
CREATE FUNCTION relevo_now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT COALESCE(
        CAST(NULLIF(current_setting('relevo.now_ms', true), '') AS bigint),
        CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)
    )
$$;

-- Credits in micro-credits, provider costs in nano-USD, moments in ms since 1970. The bounds are those of the
-- other backend: what one accepts, the other does. Every answer updates its account: half of each page is left
-- free, so that the new version of a row stays beside the old one and no index is touched.
CREATE TABLE account (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer           text NOT NULL,
    subject          text NOT NULL,
    balance_micro    bigint NOT NULL DEFAULT 0
        CHECK (balance_micro BETWEEN -4000000000000000000 AND 4000000000000000000),
    held_micro       bigint NOT NULL DEFAULT 0 CHECK (held_micro BETWEEN 0 AND 4000000000000000000),
    unassigned_micro bigint NOT NULL DEFAULT 0 CHECK (unassigned_micro BETWEEN 0 AND 4000000000000000000),
    due_ms           bigint NOT NULL DEFAULT 0,
    person           bigint NOT NULL DEFAULT 0 CHECK (person IN (0, 1)),
    blocked_ms       bigint,
    spent_day        bigint NOT NULL DEFAULT 0,
    spent_micro      bigint NOT NULL DEFAULT 0 CHECK (spent_micro BETWEEN 0 AND 4000000000000000000),
    entries          bigint NOT NULL DEFAULT 0,
    month            bigint NOT NULL DEFAULT 0,
    created_ms       bigint NOT NULL,
    UNIQUE (issuer, subject)
) WITH (fillfactor = 50);

CREATE TABLE credit_grant (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      bigint NOT NULL REFERENCES account (id),
    act_key         text UNIQUE,  -- NULL: signup and monthly, which happen by themselves
    kind            text NOT NULL CHECK (kind IN ('signup', 'monthly', 'bonus', 'purchase')),
    amount_micro    bigint NOT NULL CHECK (amount_micro BETWEEN 1 AND 4000000000000000000),
    remaining_micro bigint NOT NULL CHECK (remaining_micro BETWEEN 0 AND amount_micro),
    expires_ms      bigint,
    created_ms      bigint NOT NULL
);
CREATE INDEX credit_grant_open ON credit_grant (account_id) WHERE remaining_micro > 0;

CREATE TABLE hold (
    id                  text PRIMARY KEY,  -- the request's id
    account_id          bigint NOT NULL REFERENCES account (id),
    task                text NOT NULL,
    amount_micro        bigint NOT NULL CHECK (amount_micro BETWEEN 0 AND 4000000000000000000),
    state               text NOT NULL CHECK (state IN ('open', 'settled', 'released', 'expired')),
    charged_micro       bigint NOT NULL DEFAULT 0 CHECK (charged_micro BETWEEN 0 AND 4000000000000000000),
    available_micro     bigint,  -- what was available after the closing: what its caller was told
    late                bigint NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),  -- closed after it had expired
    cost_guess_nano_usd bigint NOT NULL CHECK (cost_guess_nano_usd >= 0),
    node                text NOT NULL,
    expires_ms          bigint NOT NULL,
    opened_ms           bigint NOT NULL,
    closed_ms           bigint,
    CHECK ((state = 'open') = (closed_ms IS NULL))
);
CREATE INDEX hold_open ON hold (expires_ms) WHERE state = 'open';
CREATE INDEX hold_by_account ON hold (account_id, opened_ms);

CREATE TABLE entry (
    account_id    bigint NOT NULL REFERENCES account (id),
    seq           bigint NOT NULL,
    kind          text NOT NULL
        CHECK (kind IN ('signup', 'monthly', 'bonus', 'purchase', 'charge', 'expire', 'revoke', 'refund')),
    amount_micro  bigint NOT NULL CHECK (amount_micro BETWEEN -4000000000000000000 AND 4000000000000000000),
    balance_micro bigint NOT NULL,
    house         text NOT NULL,  -- the account of the house that the amount came from or went to
    hold_id       text REFERENCES hold (id),
    grant_id      bigint REFERENCES credit_grant (id),
    at_ms         bigint NOT NULL,
    actor         text NOT NULL,
    reason        text NOT NULL,
    PRIMARY KEY (account_id, seq)
);
CREATE UNIQUE INDEX entry_once_a_hold ON entry (hold_id) WHERE hold_id IS NOT NULL;
CREATE FUNCTION relevo_entries_are_only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries are only ever added' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE OR DELETE ON entry
FOR EACH ROW EXECUTE FUNCTION relevo_entries_are_only_added();
CREATE TRIGGER entry_is_never_emptied BEFORE TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION relevo_entries_are_only_added();

-- What a try cost with its provider, and who bore it.
CREATE TABLE cost (
    hold_id        text NOT NULL REFERENCES hold (id),
    number         bigint NOT NULL,
    provider       text NOT NULL,
    upstream_model text NOT NULL,
    nano_usd       bigint NOT NULL CHECK (nano_usd >= 0),
    borne_by       text NOT NULL CHECK (borne_by IN ('caller', 'house')),
    estimated      bigint NOT NULL CHECK (estimated IN (0, 1)),
    PRIMARY KEY (hold_id, number)
);

-- What somebody ordered. The key makes it happen once, the rest says who, why and what it did.
CREATE TABLE act (
    key          text PRIMARY KEY,
    account_id   bigint NOT NULL REFERENCES account (id),
    what         text NOT NULL,  -- the change as JSON: the same key with another change is refused
    actor        text NOT NULL,
    reason       text NOT NULL,
    moved_micro  bigint NOT NULL,
    before_micro bigint NOT NULL,
    after_micro  bigint NOT NULL,
    at_ms        bigint NOT NULL
);
CREATE INDEX act_by_account ON act (account_id, at_ms);

CREATE TABLE idempotency (
    issuer     text NOT NULL,
    subject    text NOT NULL,
    key_hash   bytea NOT NULL,
    body_hash  bytea NOT NULL,
    request_id text NOT NULL,
    node       text NOT NULL,
    expires_ms bigint NOT NULL,
    answer     bytea,  -- sealed; NULL while the call is running
    PRIMARY KEY (issuer, subject, key_hash)
);
CREATE INDEX idempotency_by_end ON idempotency (expires_ms);

CREATE TABLE api_key (
    id         text PRIMARY KEY,
    key_hash   bytea NOT NULL UNIQUE,  -- SHA-256 of the whole key: it is random, so no slow hash is needed
    issuer     text NOT NULL,
    subject    text NOT NULL,
    name       text NOT NULL,
    tasks      text,  -- JSON list of allowed tasks; NULL: all
    last4      text NOT NULL,
    created_ms bigint NOT NULL,
    expires_ms bigint,
    revoked_ms bigint
);
