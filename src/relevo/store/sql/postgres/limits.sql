-- Limits of users over all processes. The code that uses them: store/shared_limiter.py.

-- name: enter_user
-- The whole decision in the one row of the user, which is locked meanwhile: exact however many come at once.
-- A ticket that is there already (its reply was lost) is not counted again.
INSERT INTO user_use AS u (issuer, subject, free_us, running, verdict)
SELECT :issuer, :subject,
       CASE WHEN blocked THEN 0 ELSE relevo_now_ms() * 1000 + :gap_us END,
       CASE WHEN blocked OR :concurrency = 0 THEN '{}'
            ELSE jsonb_build_object(CAST(:ticket AS text), CAST(:node AS text)) END,
       CASE WHEN blocked THEN 'blocked' ELSE 'ok' END
FROM (SELECT EXISTS (
    SELECT FROM account WHERE issuer = :issuer AND subject = :subject AND blocked_ms IS NOT NULL
) AS blocked) AS first
ON CONFLICT (issuer, subject) DO UPDATE
SET (free_us, running, verdict) = (
    SELECT
        CASE WHEN said.verdict = 'ok' AND NOT said.again
             THEN GREATEST(u.free_us, said.now_us) + :gap_us ELSE u.free_us END,
        CASE WHEN said.verdict = 'ok' AND :concurrency > 0
             THEN said.live || jsonb_build_object(CAST(:ticket AS text), CAST(:node AS text)) ELSE said.live END,
        said.verdict
    FROM (
        SELECT seen.*,
               CASE
                   WHEN EXISTS (SELECT FROM account WHERE issuer = :issuer AND subject = :subject
                                AND blocked_ms IS NOT NULL) THEN 'blocked'
                   WHEN seen.again THEN 'ok'
                   WHEN :concurrency > 0 AND seen.count >= :concurrency THEN 'concurrency'
                   WHEN :gap_us > 0 AND GREATEST(u.free_us, seen.now_us) + :gap_us > seen.now_us + 60000001
                       THEN 'rate'
                   ELSE 'ok'
               END AS verdict
        FROM (
            SELECT alive.live, alive.now_us, alive.live ? CAST(:ticket AS text) AS again,
                   (SELECT count(*) FROM jsonb_object_keys(alive.live)) AS count
            FROM (SELECT relevo_live(u.running) AS live, relevo_now_ms() * 1000 AS now_us) AS alive
        ) AS seen
    ) AS said
)
RETURNING verdict, (GREATEST(free_us, relevo_now_ms() * 1000) + :gap_us - 60000000) / 1000 - relevo_now_ms();

-- name: leave_user
UPDATE user_use SET running = running - CAST(:ticket AS text)
WHERE issuer = :issuer AND subject = :subject AND running ? CAST(:ticket AS text);

-- name: renew_node
INSERT INTO node (id, expires_ms) VALUES (:node, relevo_now_ms() + :ttl_ms)
ON CONFLICT (id) DO UPDATE SET expires_ms = excluded.expires_ms;

-- name: end_node
DELETE FROM node WHERE id = :node;

-- name: delete_due_nodes
DELETE FROM node WHERE id IN (
    SELECT id FROM node WHERE expires_ms <= relevo_now_ms() ORDER BY id FOR UPDATE SKIP LOCKED
);

-- name: delete_idle_users
-- Users whose next request finds a full minute and nothing running: the row says nothing any more.
DELETE FROM user_use WHERE (issuer, subject) IN (
    SELECT issuer, subject FROM user_use
    WHERE free_us <= relevo_now_ms() * 1000 AND relevo_live(running) = '{}'
    ORDER BY free_us LIMIT 1000
    FOR UPDATE SKIP LOCKED
);
