-- What a request cost its caller. NULL: credits were off, or it never came to a price.
ALTER TABLE request ADD COLUMN charged_micro BIGINT CHECK (charged_micro >= 0);
