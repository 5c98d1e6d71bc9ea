-- name: delete_old
-- A bounded piece at a time; another process that prunes takes other rows.
DELETE FROM request WHERE seq IN (
    SELECT seq FROM request WHERE started_at_ms < :before_ms
    ORDER BY started_at_ms LIMIT 1000
    FOR UPDATE SKIP LOCKED
)
RETURNING 1;
