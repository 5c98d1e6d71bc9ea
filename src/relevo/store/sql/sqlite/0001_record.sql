-- One row a request of an authenticated caller and one a try. No prompt, no answer, no key.
CREATE TABLE request (
    seq           INTEGER PRIMARY KEY,  -- order in which requests ended; `relevo log --follow` goes by it
    id            TEXT NOT NULL UNIQUE,
    started_at_ms INTEGER NOT NULL,
    issuer        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    task          TEXT,
    outcome       TEXT NOT NULL CHECK (outcome IN ('ok', 'failed')),
    code          TEXT,
    http_status   INTEGER NOT NULL,
    ms            INTEGER NOT NULL,
    demo          INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX request_by_subject ON request (subject, seq);
CREATE INDEX request_by_start ON request (started_at_ms);

-- `try` is no word of SQL, but of many tools that read it: hence attempt.
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
    ms                      INTEGER NOT NULL,
    input_tokens            INTEGER CHECK (input_tokens >= 0),
    output_tokens           INTEGER CHECK (output_tokens >= 0),
    cached_input_tokens     INTEGER CHECK (cached_input_tokens >= 0),
    reasoning_output_tokens INTEGER CHECK (reasoning_output_tokens >= 0),
    cost_nano_usd           INTEGER CHECK (cost_nano_usd >= 0),
    PRIMARY KEY (request_id, number)
) STRICT, WITHOUT ROWID;
