-- name: delete_due_keys
-- Two processes that delete at once take different rows, and neither waits for the other.
DELETE FROM idempotency WHERE (issuer, subject, key_hash) IN (
    SELECT issuer, subject, key_hash FROM idempotency
    WHERE expires_ms <= :now_ms AND (answer IS NOT NULL OR node <> :node)
    ORDER BY expires_ms LIMIT 1000
    FOR UPDATE SKIP LOCKED
);
