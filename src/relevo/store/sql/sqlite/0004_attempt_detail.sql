-- From the beginning of the try to its first token.
ALTER TABLE attempt ADD COLUMN first_token_ms INTEGER CHECK (first_token_ms >= 0);
-- The provider gave no final count: the tokens are an estimate.
ALTER TABLE attempt ADD COLUMN usage_estimated INTEGER NOT NULL DEFAULT 0 CHECK (usage_estimated IN (0, 1));
