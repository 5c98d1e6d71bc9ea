-- One row a request of an authenticated caller and one a try. No prompt, no answer, no key.
CREATE TABLE request (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text NOT NULL UNIQUE,
    started_at_ms bigint NOT NULL,
    issuer        text NOT NULL,
    subject       text NOT NULL,
    task          text,
    outcome       text NOT NULL CHECK (outcome IN ('ok', 'failed')),
    code          text,
    http_status   bigint NOT NULL,
    ms            bigint NOT NULL,
    demo          bigint NOT NULL DEFAULT 0
);

CREATE INDEX request_by_subject ON request (subject, seq);
CREATE INDEX request_by_start ON request (started_at_ms);

CREATE TABLE attempt (
    request_id              text NOT NULL REFERENCES request (id) ON DELETE CASCADE,
    number                  bigint NOT NULL,
    provider                text NOT NULL,
    upstream_model          text NOT NULL,
    outcome                 text NOT NULL CHECK (outcome IN ('ok', 'failed', 'skipped')),
    code                    text,
    phase                   text,
    http_status             bigint,
    upstream_code           text,
    detail                  text,
    ms                      bigint NOT NULL,
    input_tokens            bigint CHECK (input_tokens >= 0),
    output_tokens           bigint CHECK (output_tokens >= 0),
    cached_input_tokens     bigint CHECK (cached_input_tokens >= 0),
    reasoning_output_tokens bigint CHECK (reasoning_output_tokens >= 0),
    cost_nano_usd           bigint CHECK (cost_nano_usd >= 0),
    PRIMARY KEY (request_id, number)
);

-- Whoever follows the record goes by `seq`. A number is taken before its row is committed: without this lock a
-- reader could see 8 before another process commits 7, and pass over 7 for ever.
CREATE FUNCTION relevo_one_writer_of_requests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7365766517);
    RETURN NULL;
END
$$;
CREATE TRIGGER request_in_order BEFORE INSERT ON request
FOR EACH STATEMENT EXECUTE FUNCTION relevo_one_writer_of_requests();
