-- name: claim_key
-- A claim whose process died, and an answer past its time, make way for a new claim.
INSERT INTO idempotency (issuer, subject, key_hash, body_hash, request_id, node, expires_ms, answer)
VALUES (:issuer, :subject, :key_hash, :body_hash, :request_id, :node, :expires_ms, NULL)
ON CONFLICT (issuer, subject, key_hash) DO UPDATE
SET body_hash = excluded.body_hash, request_id = excluded.request_id, node = excluded.node,
    expires_ms = excluded.expires_ms, answer = NULL
WHERE idempotency.expires_ms <= :now_ms
RETURNING request_id;

-- name: claim_of
SELECT i.body_hash, i.request_id, i.answer, h.charged_micro, h.available_micro
FROM idempotency AS i LEFT JOIN hold AS h ON h.id = i.request_id
WHERE i.issuer = :issuer AND i.subject = :subject AND i.key_hash = :key_hash;

-- name: keep_answer
-- No row: the claim was lost to another request, which answers for the key now.
UPDATE idempotency SET answer = :answer, expires_ms = :expires_ms
WHERE issuer = :issuer AND subject = :subject AND key_hash = :key_hash AND request_id = :request_id
  AND answer IS NULL
RETURNING request_id;

-- name: free_claim
DELETE FROM idempotency
WHERE issuer = :issuer AND subject = :subject AND key_hash = :key_hash AND request_id = :request_id
  AND answer IS NULL;

-- name: renew_claim
UPDATE idempotency SET expires_ms = :expires_ms
WHERE issuer = :issuer AND subject = :subject AND key_hash = :key_hash AND request_id = :request_id
  AND answer IS NULL;

-- name: delete_due_keys
-- Running claims of this process are not for it to delete: it frees them when they end.
DELETE FROM idempotency WHERE expires_ms <= :now_ms AND (answer IS NOT NULL OR node <> :node);

-- name: free_claims_of_others
-- No other process is running: whatever another one had begun will not be answered.
DELETE FROM idempotency WHERE node <> :node AND answer IS NULL;
