-- The limits of users that several processes share. Moments in microseconds: 60,000 requests a minute are one a ms.

-- name: enter_use
-- One statement: whoever waited for the user's row sees it as it is then. Gives what became of it in one row.
WITH moved AS (
    INSERT INTO caller_use AS u (issuer, subject, free_at_us, running)
    VALUES (:issuer, :subject, relevo_now_ms() * 1000 + CAST(:step_us AS BIGINT),
            jsonb_build_object(CAST(:node AS TEXT), 1))
    ON CONFLICT (issuer, subject) DO UPDATE
    SET free_at_us = greatest(u.free_at_us, relevo_now_ms() * 1000) + CAST(:step_us AS BIGINT),
        running = jsonb_set(u.running, ARRAY[CAST(:node AS TEXT)],
                            to_jsonb(coalesce(CAST(u.running ->> CAST(:node AS TEXT) AS INTEGER), 0) + 1))
    WHERE greatest(u.free_at_us, relevo_now_ms() * 1000) + CAST(:step_us AS BIGINT)
              <= relevo_now_ms() * 1000 + 60000000
      AND (CAST(:concurrency AS BIGINT) = 0
           OR (SELECT coalesce(sum(CAST(value AS BIGINT)), 0) FROM jsonb_each_text(u.running))
              < CAST(:concurrency AS BIGINT))
    RETURNING 1
)
SELECT (SELECT count(*) FROM moved),
       (SELECT count(*) FROM account WHERE issuer = :issuer AND subject = :subject AND blocked_ms IS NOT NULL),
       coalesce((SELECT free_at_us + CAST(:step_us AS BIGINT) - relevo_now_ms() * 1000 - 60000000
                 FROM caller_use WHERE issuer = :issuer AND subject = :subject), 0);

-- name: leave_use
UPDATE caller_use
SET running = CASE WHEN CAST(running ->> CAST(:node AS TEXT) AS INTEGER) > 1
                   THEN jsonb_set(running, ARRAY[CAST(:node AS TEXT)],
                                  to_jsonb(CAST(running ->> CAST(:node AS TEXT) AS INTEGER) - 1))
                   ELSE running - CAST(:node AS TEXT) END
WHERE issuer = :issuer AND subject = :subject
RETURNING 1;

-- name: see_node
INSERT INTO node (id, seen_ms) VALUES (:node, relevo_now_ms())
ON CONFLICT (id) DO UPDATE SET seen_ms = excluded.seen_ms;

-- name: dead_nodes
DELETE FROM node WHERE seen_ms < relevo_now_ms() - CAST(:lease_ms AS BIGINT) RETURNING id;

-- name: clear_node
UPDATE caller_use SET running = running - CAST(:node AS TEXT) WHERE running -> CAST(:node AS TEXT) IS NOT NULL;

-- name: forget_idle_users
DELETE FROM caller_use WHERE running = '{}'::jsonb AND free_at_us < relevo_now_ms() * 1000;
