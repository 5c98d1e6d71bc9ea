-- Statements of the ledger that every backend shares. The steps that use them: store/ledger_steps.py.

-- name: account_by_owner
SELECT id, balance_micro, held_micro, unassigned_micro, due_ms, person, blocked_ms, spent_day, spent_micro,
       entries, month
FROM account WHERE issuer = :issuer AND subject = :subject;

-- name: account_by_id
SELECT id, balance_micro, held_micro, unassigned_micro, due_ms, person, blocked_ms, spent_day, spent_micro,
       entries, month
FROM account WHERE id = :id;

-- name: insert_account
INSERT INTO account (issuer, subject, created_ms) VALUES (:issuer, :subject, :now_ms)
ON CONFLICT (issuer, subject) DO NOTHING;

-- name: update_account
UPDATE account
SET balance_micro = :balance_micro, held_micro = :held_micro, unassigned_micro = :unassigned_micro,
    due_ms = :due_ms, person = :person, spent_day = :spent_day, spent_micro = :spent_micro,
    entries = :entries, month = :month
WHERE id = :id;

-- name: block_account
UPDATE account SET blocked_ms = :blocked_ms WHERE id = :id;

-- name: blocked_of
SELECT blocked_ms FROM account WHERE issuer = :issuer AND subject = :subject;

-- name: open_grants
SELECT id, kind, amount_micro, remaining_micro, expires_ms
FROM credit_grant WHERE account_id = :account_id AND remaining_micro > 0
ORDER BY id;

-- name: grant_by_act
SELECT id, kind, amount_micro, remaining_micro, expires_ms
FROM credit_grant WHERE act_key = :act_key AND account_id = :account_id;

-- name: insert_grant
INSERT INTO credit_grant (account_id, act_key, kind, amount_micro, remaining_micro, expires_ms, created_ms)
VALUES (:account_id, :act_key, :kind, :amount_micro, :amount_micro, :expires_ms, :now_ms)
RETURNING id;

-- name: update_grant
UPDATE credit_grant SET remaining_micro = :remaining_micro WHERE id = :id;

-- name: hold_by_id
SELECT account_id, amount_micro, state, charged_micro, available_micro
FROM hold WHERE id = :id;

-- name: made_hold
SELECT amount_micro, available_micro FROM hold WHERE id = :id;

-- name: insert_hold
-- The same order twice is one hold: the second gives no row.
INSERT INTO hold (id, account_id, task, amount_micro, state, cost_guess_nano_usd, node, expires_ms, opened_ms)
VALUES (:id, :account_id, :task, :amount_micro, 'open', :cost_guess_nano_usd, :node, :expires_ms, :now_ms)
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: close_hold
UPDATE hold
SET state = :state, charged_micro = :charged_micro, available_micro = :available_micro, late = :late,
    closed_ms = :now_ms
WHERE id = :id;

-- name: renew_hold
UPDATE hold SET expires_ms = :expires_ms WHERE id = :id AND state = 'open' AND expires_ms < :expires_ms;

-- name: due_holds
SELECT id, expires_ms FROM hold WHERE state = 'open' AND expires_ms <= :now_ms ORDER BY expires_ms LIMIT 200;

-- name: holds_of_others
SELECT id, expires_ms FROM hold WHERE state = 'open' AND node <> :node ORDER BY expires_ms LIMIT 200;

-- name: open_hold
SELECT account_id, amount_micro, cost_guess_nano_usd FROM hold WHERE id = :id AND state = 'open';

-- name: insert_entry
INSERT INTO entry (
    account_id, seq, kind, amount_micro, balance_micro, house, hold_id, grant_id, at_ms, actor, reason
)
VALUES (
    :account_id, :seq, :kind, :amount_micro, :balance_micro, :house, :hold_id, :grant_id, :now_ms, :actor, :reason
);

-- name: insert_cost
INSERT INTO cost (hold_id, number, provider, upstream_model, nano_usd, borne_by, estimated)
VALUES (:hold_id, :number, :provider, :upstream_model, :nano_usd, :borne_by, :estimated);

-- name: delete_cost_guess
-- A late answer brings the true cost: the guess made when its hold expired goes.
DELETE FROM cost WHERE hold_id = :hold_id AND number = 0;

-- name: act_by_key
SELECT account_id, what, moved_micro, before_micro, after_micro FROM act WHERE key = :key;

-- name: insert_act
INSERT INTO act (key, account_id, what, actor, reason, moved_micro, before_micro, after_micro, at_ms)
VALUES (:key, :account_id, :what, :actor, :reason, :moved_micro, :before_micro, :after_micro, :now_ms);

-- What was taken back names no grant: its act is the one of that moment with the same amount and balance.
-- name: entries_of
SELECT e.seq, e.kind, e.amount_micro, e.balance_micro, e.at_ms, e.hold_id,
    CASE WHEN e.kind IN ('revoke', 'refund') THEN (
        SELECT MIN(t.key) FROM act AS t
        WHERE t.account_id = e.account_id AND t.at_ms = e.at_ms
            AND t.moved_micro = e.amount_micro AND t.after_micro = e.balance_micro
    ) ELSE g.act_key END,
    e.actor, e.reason
FROM entry AS e JOIN account AS a ON a.id = e.account_id LEFT JOIN credit_grant AS g ON g.id = e.grant_id
WHERE a.issuer = :issuer AND a.subject = :subject
ORDER BY e.seq DESC LIMIT :limit;

-- Acts that move nothing and stand in the history all the same.
-- name: blocks_of
SELECT t.what, t.after_micro, t.at_ms, t.key, t.actor, t.reason
FROM act AS t JOIN account AS a ON a.id = t.account_id
WHERE a.issuer = :issuer AND a.subject = :subject AND t.what LIKE '{"act":"block",%'
ORDER BY t.at_ms DESC, t.key LIMIT :limit;
