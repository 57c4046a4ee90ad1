-- What another campaign of the pool must know to count only on agents for whom this one has lines.
-- Campaigns of before count as if they had lines enough until their settings are saved again.
ALTER TABLE campaign_pools ADD COLUMN lines_max INTEGER NOT NULL DEFAULT 4294967295;
