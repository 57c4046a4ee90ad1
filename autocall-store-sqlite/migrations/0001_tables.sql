-- What autocall keeps. Instants are milliseconds since 1970 UTC; 9223372036854775807 is "never".
-- Columns whose name ends in _bx are keyed hashes; `sealed` is encrypted (see autocall-sql, seal.rs).

CREATE TABLE tenants (
    tenant     INTEGER PRIMARY KEY,
    version    INTEGER NOT NULL CHECK (version > 0),
    name       TEXT NOT NULL,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL,
    body       TEXT
) STRICT;

CREATE TABLE tenant_marks (
    tenant INTEGER PRIMARY KEY REFERENCES tenants,
    feed   INTEGER NOT NULL,
    audit  INTEGER NOT NULL
) STRICT;

CREATE TABLE tenant_keys (
    tenant    INTEGER NOT NULL REFERENCES tenants,
    number    INTEGER NOT NULL,
    wrapped   BLOB NOT NULL,
    active_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaigns (
    tenant  INTEGER NOT NULL REFERENCES tenants,
    id      BLOB NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    name    TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('draft', 'scheduled', 'running', 'paused', 'finished')),
    key_no  INTEGER NOT NULL,
    sealed  BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE campaign_totals (
    tenant     INTEGER NOT NULL,
    campaign   BLOB NOT NULL,
    due_at     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    dialing    INTEGER NOT NULL DEFAULT 0,
    waiting    INTEGER NOT NULL DEFAULT 0,
    offering   INTEGER NOT NULL DEFAULT 0,
    bridged    INTEGER NOT NULL DEFAULT 0,
    message    INTEGER NOT NULL DEFAULT 0,
    closing    INTEGER NOT NULL DEFAULT 0,
    open       INTEGER NOT NULL DEFAULT 0,
    calling    INTEGER NOT NULL DEFAULT 0,
    closed     INTEGER NOT NULL DEFAULT 0,
    spent_micros INTEGER NOT NULL DEFAULT 0,
    ledger     TEXT,
    PRIMARY KEY (tenant, campaign),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
) STRICT;
CREATE INDEX campaign_totals_due ON campaign_totals (tenant, due_at) WHERE due_at < 9223372036854775807;

CREATE TABLE pools (
    tenant  INTEGER NOT NULL REFERENCES tenants,
    id      BLOB NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    name    TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;

-- A campaign may name a pool before its first agent exists, so there is no key to pools.
CREATE TABLE campaign_pools (
    tenant   INTEGER NOT NULL,
    pool     BLOB NOT NULL,
    campaign BLOB NOT NULL,
    -- The campaign's part, as its settings say: what another campaign of the pool must know.
    priority INTEGER NOT NULL DEFAULT 5,
    weight   INTEGER NOT NULL DEFAULT 1,
    ahead    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, pool, campaign),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX campaign_pools_campaign ON campaign_pools (tenant, campaign);

-- What pacing has learned; losing a row costs a cold start.
CREATE TABLE campaign_lessons (
    tenant   INTEGER NOT NULL,
    campaign BLOB NOT NULL,
    version  INTEGER NOT NULL CHECK (version > 0),
    at       INTEGER NOT NULL,
    learned  BLOB NOT NULL,
    PRIMARY KEY (tenant, campaign),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    tenant   INTEGER NOT NULL,
    id       BLOB NOT NULL,
    version  INTEGER NOT NULL CHECK (version > 0),
    pool     BLOB NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('available', 'away', 'offline')),
    state    TEXT NOT NULL CHECK (state IN ('idle', 'reserved', 'ringing', 'talking', 'wrap_up')),
    since    INTEGER NOT NULL,
    free     INTEGER NOT NULL CHECK (free IN (0, 1)),
    standing INTEGER NOT NULL CHECK (standing IN (0, 1)),
    due_at   INTEGER NOT NULL,
    key_no   INTEGER NOT NULL,
    sealed   BLOB NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, pool) REFERENCES pools (tenant, id),
    CHECK (free = (status = 'available' AND state = 'idle'))
) STRICT;
CREATE INDEX agents_pool ON agents (tenant, pool);
CREATE INDEX agents_free ON agents (tenant, pool, since, id) WHERE free = 1;
CREATE INDEX agents_due ON agents (tenant, due_at) WHERE due_at < 9223372036854775807;

CREATE TABLE leads (
    tenant      INTEGER NOT NULL,
    id          BLOB NOT NULL,
    campaign    BLOB NOT NULL,
    list        BLOB,
    number_bx   BLOB,
    name_bx     BLOB,
    external_bx BLOB,
    country     TEXT,
    state       TEXT,
    timezone    TEXT,
    kind        TEXT,
    postal_code TEXT,
    key_no      INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
) STRICT;
CREATE INDEX leads_number ON leads (tenant, number_bx, campaign);
CREATE INDEX leads_campaign ON leads (tenant, campaign, id);
CREATE INDEX leads_name ON leads (tenant, name_bx) WHERE name_bx IS NOT NULL;
CREATE INDEX leads_external ON leads (tenant, external_bx) WHERE external_bx IS NOT NULL;

CREATE TABLE lead_numbers (
    tenant    INTEGER NOT NULL,
    number_bx BLOB NOT NULL,
    lead      BLOB NOT NULL,
    PRIMARY KEY (tenant, number_bx, lead),
    FOREIGN KEY (tenant, lead) REFERENCES leads (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX lead_numbers_lead ON lead_numbers (tenant, lead);

-- Where each lead stands. Open leads are called in the order of the partial index.
CREATE TABLE call_queue (
    tenant      INTEGER NOT NULL,
    lead        BLOB NOT NULL,
    version     INTEGER NOT NULL CHECK (version > 0),
    campaign    BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'calling', 'closed')),
    lane        INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 1023),
    due_at      INTEGER NOT NULL,
    ord         INTEGER NOT NULL,
    attempts    INTEGER NOT NULL CHECK (attempts >= 0),
    priority    INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    last        TEXT,
    blocked_by  TEXT,
    callback_at INTEGER,
    print       INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (tenant, lead),
    FOREIGN KEY (tenant, lead) REFERENCES leads (tenant, id) ON DELETE CASCADE,
    -- Appointments have the lanes below 64; see the core's planning.
    CHECK ((lane < 64) = (callback_at IS NOT NULL))
) STRICT;
-- Kinds: 1 leads by what they wait for, 2 open leads by lane, 3 quotas.
CREATE TABLE campaign_counts (
    tenant   INTEGER NOT NULL,
    campaign BLOB NOT NULL,
    kind     INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    key      TEXT NOT NULL,
    n        INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, campaign, kind, key),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
) STRICT, WITHOUT ROWID;

-- What calls that showed a number came to.
CREATE TABLE caller_counts (
    tenant    INTEGER NOT NULL REFERENCES tenants,
    number_bx BLOB NOT NULL,
    dials     INTEGER NOT NULL,
    answers   INTEGER NOT NULL,
    PRIMARY KEY (tenant, number_bx)
) STRICT, WITHOUT ROWID;

CREATE INDEX call_queue_due ON call_queue (tenant, campaign, lane, due_at, ord, lead) WHERE state = 'open';
CREATE INDEX call_queue_blocked ON call_queue (tenant, blocked_by) WHERE state = 'open' AND blocked_by IS NOT NULL;
CREATE INDEX call_queue_closed ON call_queue (tenant, changed_at) WHERE state = 'closed';

CREATE TABLE calls_live (
    tenant        INTEGER NOT NULL,
    id            BLOB NOT NULL,
    version       INTEGER NOT NULL CHECK (version > 0),
    campaign      BLOB NOT NULL,
    lead          BLOB NOT NULL,
    attempt       INTEGER NOT NULL,
    stage         TEXT NOT NULL
        CHECK (stage IN ('dialing', 'seeking', 'offering', 'bridged', 'message', 'closing')),
    due_at        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    class         INTEGER NOT NULL,
    ringing_at    INTEGER,
    answered_at   INTEGER,
    waiting_since INTEGER CHECK (waiting_since IS NULL OR stage = 'seeking'),
    agent         BLOB CHECK (agent IS NOT NULL OR stage NOT IN ('offering', 'bridged')),
    to_bx         BLOB NOT NULL,
    key_no        INTEGER NOT NULL,
    sealed        BLOB NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, lead, attempt),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id),
    FOREIGN KEY (tenant, lead) REFERENCES leads (tenant, id)
) STRICT;
CREATE INDEX calls_live_due ON calls_live (tenant, due_at) WHERE due_at < 9223372036854775807;
CREATE INDEX calls_live_pending ON calls_live (tenant, campaign, created_at, id)
    WHERE stage IN ('dialing', 'seeking', 'offering');
CREATE INDEX calls_live_waiting ON calls_live (tenant, campaign, waiting_since) WHERE waiting_since IS NOT NULL;

CREATE TABLE calls_done (
    tenant     INTEGER NOT NULL,
    id         BLOB NOT NULL,
    version    INTEGER NOT NULL CHECK (version > 0),
    campaign   BLOB NOT NULL,
    lead       BLOB NOT NULL,
    attempt    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    agent      BLOB,
    to_bx      BLOB,
    key_no     INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX calls_done_created ON calls_done (tenant, created_at, id);
CREATE INDEX calls_done_lead ON calls_done (tenant, lead);
CREATE INDEX calls_done_to ON calls_done (tenant, to_bx);

CREATE TABLE records (
    tenant       INTEGER NOT NULL,
    call         BLOB NOT NULL,
    place        INTEGER NOT NULL,
    campaign     BLOB NOT NULL,
    lead         BLOB NOT NULL,
    list         BLOB,
    agent        BLOB,
    attempt      INTEGER NOT NULL,
    outcome      TEXT NOT NULL,
    reason       TEXT,
    verdict      TEXT,
    to_bx        BLOB,
    from_bx      BLOB,
    dialled_at   INTEGER NOT NULL,
    answered_at  INTEGER,
    connected_at INTEGER,
    ended_at     INTEGER NOT NULL,
    settled_at   INTEGER NOT NULL,
    ring_ms      INTEGER,
    wait_ms      INTEGER,
    talk_ms      INTEGER NOT NULL,
    line_ms      INTEGER NOT NULL,
    key_no       INTEGER NOT NULL,
    sealed       BLOB NOT NULL,
    PRIMARY KEY (tenant, call)
) STRICT;
CREATE INDEX records_place ON records (tenant, place);
CREATE INDEX records_dialled ON records (tenant, dialled_at);

CREATE TABLE dispositions (
    tenant  INTEGER NOT NULL,
    call    BLOB NOT NULL,
    place   INTEGER NOT NULL,
    agent   BLOB,
    code    TEXT NOT NULL,
    success INTEGER NOT NULL CHECK (success IN (0, 1)),
    at      INTEGER NOT NULL,
    PRIMARY KEY (tenant, call)
) STRICT;
CREATE INDEX dispositions_place ON dispositions (tenant, place);

CREATE TABLE recordings (
    tenant    INTEGER NOT NULL,
    call      BLOB NOT NULL,
    provider  TEXT NOT NULL,
    length_ms INTEGER NOT NULL,
    made_at   INTEGER NOT NULL,
    key_no    INTEGER NOT NULL,
    sealed    BLOB NOT NULL,
    PRIMARY KEY (tenant, call, provider)
) STRICT;
CREATE INDEX recordings_made ON recordings (tenant, made_at);

-- Kinds: 1 number, 2 person, 3 caller id, 4 pool, 5 dials, 6 epoch.
CREATE TABLE guards (
    tenant  INTEGER NOT NULL,
    kind    INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 6),
    key     BLOB NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    value   TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, key)
) STRICT, WITHOUT ROWID;

-- `campaign` is all zeros for an entry of the whole tenant; `sealed` is NULL once its person is erased.
CREATE TABLE dnc_list (
    tenant    INTEGER NOT NULL REFERENCES tenants,
    number_bx BLOB NOT NULL,
    campaign  BLOB NOT NULL,
    reason    TEXT NOT NULL,
    source    TEXT NOT NULL,
    until     INTEGER NOT NULL,
    added_at  INTEGER NOT NULL,
    times     INTEGER NOT NULL,
    key_no    INTEGER NOT NULL,
    sealed    BLOB,
    PRIMARY KEY (tenant, number_bx, campaign)
) STRICT, WITHOUT ROWID;

CREATE TABLE dnc_prefixes (
    tenant   INTEGER NOT NULL REFERENCES tenants,
    prefix   TEXT NOT NULL,
    campaign BLOB NOT NULL,
    reason   TEXT NOT NULL,
    source   TEXT NOT NULL,
    until    INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, prefix, campaign)
) STRICT, WITHOUT ROWID;

CREATE TABLE imports (
    tenant     INTEGER NOT NULL,
    id         BLOB NOT NULL,
    version    INTEGER NOT NULL CHECK (version > 0),
    campaign   BLOB NOT NULL,
    list       BLOB,
    state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'canceled')),
    problem    TEXT,
    bytes      INTEGER,
    digest     TEXT,
    bytes_done INTEGER NOT NULL,
    line_done  INTEGER NOT NULL,
    added      INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    rejected   INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    key_no     INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
) STRICT;

CREATE TABLE rejections (
    tenant INTEGER NOT NULL,
    import BLOB NOT NULL,
    n      INTEGER NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, import, n),
    FOREIGN KEY (tenant, import) REFERENCES imports (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE audio (
    tenant   INTEGER NOT NULL REFERENCES tenants,
    id       BLOB NOT NULL,
    name     TEXT NOT NULL,
    mime     TEXT NOT NULL,
    bytes    INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    content  BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE documents (
    tenant  INTEGER NOT NULL REFERENCES tenants,
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    until   INTEGER NOT NULL,
    key_no  INTEGER NOT NULL,
    sealed  BLOB NOT NULL,
    PRIMARY KEY (tenant, kind, key)
) STRICT;
CREATE INDEX documents_until ON documents (tenant, until) WHERE until < 9223372036854775807;

CREATE TABLE audit_log (
    tenant INTEGER NOT NULL REFERENCES tenants,
    n      INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (tenant, n)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_log_is_append_only_1 BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_is_append_only_2 BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE erasures (
    tenant INTEGER NOT NULL REFERENCES tenants,
    n      INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    token  TEXT NOT NULL,
    PRIMARY KEY (tenant, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE kept (
    tenant   INTEGER NOT NULL REFERENCES tenants,
    id       BLOB NOT NULL,
    what     TEXT NOT NULL,
    citation TEXT NOT NULL,
    until    INTEGER NOT NULL,
    key_no   INTEGER NOT NULL,
    sealed   BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX kept_until ON kept (tenant, until);

-- The directory: what must be found before the tenant is known.
CREATE TABLE directory_tenants (
    tenant   INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    named_at INTEGER NOT NULL
) STRICT;

CREATE TABLE directory_entries (
    kind    TEXT NOT NULL CHECK (kind IN ('user', 'key', 'refresh', 'invite', 'number', 'account')),
    name    TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    tenant  INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;
CREATE INDEX directory_entries_tenant ON directory_entries (tenant, kind, name);
CREATE INDEX directory_entries_until ON directory_entries (until) WHERE until < 9223372036854775807;

CREATE TABLE directory_leases (
    account TEXT PRIMARY KEY,
    tokens  INTEGER NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE VIEW users AS SELECT tenant, name AS login, version, until FROM directory_entries WHERE kind = 'user';
CREATE VIEW calls AS
    SELECT tenant, id, campaign, lead, attempt, stage, agent, created_at FROM calls_live
    UNION ALL SELECT tenant, id, campaign, lead, attempt, 'settled', agent, created_at FROM calls_done;
