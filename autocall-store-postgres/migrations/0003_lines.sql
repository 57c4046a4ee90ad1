-- What another campaign of the pool must know to count only on agents for whom this one has lines.
-- Campaigns of before count as if they had lines enough until their settings are saved again. The
-- default is a constant, so no row is rewritten.
ALTER TABLE campaign_pools ADD COLUMN lines_max bigint NOT NULL DEFAULT 4294967295;
