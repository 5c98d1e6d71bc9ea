-- Limits of users over all processes. UNLOGGED: these counts are worth nothing after a crash, and a request
-- must not wait for a flush to disk to be counted. A database that crashed begins with empty counts.
CREATE UNLOGGED TABLE node (
    id         text PRIMARY KEY,
    expires_ms bigint NOT NULL  -- without a sign of life until then, what the process was running counts no more
);

CREATE UNLOGGED TABLE user_use (
    issuer  text NOT NULL,
    subject text NOT NULL,
    free_us bigint NOT NULL,  -- moment up to which the requests of this user are used up, in microseconds
    running jsonb NOT NULL,   -- the requests that run now: {ticket: node}
    verdict text NOT NULL CHECK (verdict IN ('ok', 'blocked', 'concurrency', 'rate')),  -- on the last request
    PRIMARY KEY (issuer, subject)
) WITH (fillfactor = 50);
CREATE INDEX user_use_by_end ON user_use (free_us);

-- Of some running requests, those whose process lives.
CREATE FUNCTION relevo_live(running jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT COALESCE(jsonb_object_agg(r.ticket, r.node), '{}')
    FROM jsonb_each_text(running) AS r (ticket, node)
    JOIN node AS n ON n.id = r.node AND n.expires_ms > relevo_now_ms()
$$;
