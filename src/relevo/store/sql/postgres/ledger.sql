-- The statements that differ here: rows are locked where they are read to be changed, a hold before its account.

-- name: account_by_owner
SELECT id, balance_micro, held_micro, unassigned_micro, due_ms, person, blocked_ms, spent_day, spent_micro,
       entries, month
FROM account WHERE issuer = :issuer AND subject = :subject FOR UPDATE;

-- name: account_by_id
SELECT id, balance_micro, held_micro, unassigned_micro, due_ms, person, blocked_ms, spent_day, spent_micro,
       entries, month
FROM account WHERE id = :id FOR UPDATE;

-- name: hold_by_id
SELECT account_id, amount_micro, state, charged_micro, available_micro
FROM hold WHERE id = :id FOR UPDATE;

-- name: open_hold
SELECT account_id, amount_micro, cost_guess_nano_usd FROM hold WHERE id = :id AND state = 'open' FOR UPDATE;

-- name: due_holds
-- Two sweepers at once share the work.
SELECT id, expires_ms FROM hold WHERE state = 'open' AND expires_ms <= :now_ms
ORDER BY expires_ms LIMIT 200 FOR UPDATE SKIP LOCKED;

-- name: quick_reserve
-- READ COMMITTED: whoever waited for the account's row sees it as it is then, and the guards are asked again.
WITH taken AS (
    UPDATE account SET held_micro = held_micro + CAST(:amount_micro AS BIGINT)
    WHERE issuer = :issuer AND subject = :subject AND blocked_ms IS NULL AND due_ms > relevo_now_ms()
      AND person >= :person
      AND (CAST(:amount_micro AS BIGINT) = 0 OR balance_micro - held_micro >= CAST(:amount_micro AS BIGINT))
      AND (CAST(:daily_limit_micro AS BIGINT) = 0
           OR CASE WHEN spent_day = relevo_now_ms() / 86400000 THEN spent_micro ELSE 0 END
              + held_micro + CAST(:amount_micro AS BIGINT) <= CAST(:daily_limit_micro AS BIGINT))
    RETURNING id, balance_micro - held_micro AS available_micro
)
INSERT INTO hold (id, account_id, task, amount_micro, state, cost_guess_nano_usd, node, expires_ms, opened_ms)
SELECT CAST(:id AS TEXT), taken.id, :task, :amount_micro, 'open', :cost_guess_nano_usd, :node,
       relevo_now_ms() + :ttl_ms, relevo_now_ms()
FROM taken
RETURNING amount_micro, (SELECT available_micro FROM taken);

-- name: quick_close
-- The hold is locked first, and read again after the wait: of two closings at once the second finds it closed.
WITH open AS (
    SELECT id, account_id, amount_micro FROM hold WHERE id = :id AND state = 'open' FOR UPDATE
), paid AS (
    UPDATE account
    SET balance_micro = balance_micro - CAST(:charge_micro AS BIGINT),
        held_micro = held_micro - open.amount_micro,
        unassigned_micro = unassigned_micro + CAST(:charge_micro AS BIGINT),
        entries = entries + 1,
        spent_micro = CAST(:charge_micro AS BIGINT)
            + CASE WHEN spent_day = relevo_now_ms() / 86400000 THEN spent_micro ELSE 0 END,
        spent_day = relevo_now_ms() / 86400000
    FROM open
    WHERE account.id = open.account_id AND due_ms > relevo_now_ms()
    RETURNING account.id, balance_micro, held_micro, entries
), closed AS (
    UPDATE hold
    SET state = 'settled', charged_micro = CAST(:charge_micro AS BIGINT), closed_ms = relevo_now_ms(),
        available_micro = paid.balance_micro - paid.held_micro
    FROM paid WHERE hold.id = :id
), booked AS (
    INSERT INTO entry (
        account_id, seq, kind, amount_micro, balance_micro, house, hold_id, grant_id, at_ms, actor, reason
    )
    SELECT paid.id, paid.entries, 'charge', -CAST(:charge_micro AS BIGINT), paid.balance_micro, 'sales',
           CAST(:id AS TEXT), NULL, relevo_now_ms(), 'relevo', ''
    FROM paid
), costed AS (
    INSERT INTO cost (hold_id, number, provider, upstream_model, nano_usd, borne_by, estimated)
    SELECT CAST(:id AS TEXT), CAST(:number AS INTEGER), CAST(:provider AS TEXT), CAST(:upstream_model AS TEXT),
           CAST(:nano_usd AS BIGINT), CAST(:borne_by AS TEXT), CAST(:estimated AS SMALLINT)
    FROM paid WHERE CAST(:number AS INTEGER) IS NOT NULL
)
SELECT CAST(:charge_micro AS BIGINT), balance_micro - held_micro FROM paid;
