//! The tables that hold machine rows, and how rows are written and read back.
//!
//! Columns are typed where something is searched or reported; the rest of a machine's state is
//! JSON with a version of its own (`"v"`), and whatever names a person is sealed.

use crate::db::{Dialect, PutRow, Row, SqlError, Table, Value, brief};
use crate::seal::{Field, TenantKeys};
use autocall_core::agent::{self, Agent};
use autocall_core::call::{Call, Record, Stage, Verdict};
use autocall_core::campaign::Campaign;
use autocall_core::lead::{Callback, Filed, Lead, Number, Person, State};
use autocall_core::planning::lane::Lane;
use autocall_core::ports::{GuardKey, GuardValue};
use autocall_core::{Id, LeadId, Outcome, Phone, Priority, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The version of machine state: the JSON in `body` columns and in sealed ones.
pub const BODY_VERSION: u32 = 1;

macro_rules! table {
    ($(#[$doc:meta])* $id:ident, $name:literal, key $key:literal, versioned $versioned:literal, $($column:literal $kind:literal),* $(,)?) => {
        $(#[$doc])*
        pub static $id: Table = Table { name: $name, columns: &[$(($column, $kind)),*], key: $key, versioned: $versioned };
    };
}

table! { /// Who: written when a person is added or edited, never by calling.
LEADS, "leads", key 2, versioned false,
"tenant" "bigint", "id" "uuid", "campaign" "uuid", "list" "uuid", "number_bx" "bytea",
"name_bx" "bytea", "external_bx" "bytea", "country" "text", "state" "text", "timezone" "text", "kind" "text",
"postal_code" "text", "key_no" "bigint", "sealed" "bytea", "created_at" "bigint" }
table! { /// A lead's second and further numbers.
LEAD_NUMBERS, "lead_numbers", key 3, versioned false, "tenant" "bigint", "number_bx" "bytea", "lead" "uuid" }
table! { /// Where each lead stands: the narrow, hot half of it.
QUEUE, "call_queue", key 2, versioned true,
"tenant" "bigint", "lead" "uuid", "campaign" "uuid", "state" "text", "lane" "bigint", "due_at" "bigint",
"ord" "bigint", "attempts" "bigint", "priority" "bigint", "last" "text", "blocked_by" "text",
"callback_at" "bigint", "print" "bigint", "changed_at" "bigint", "body" "jsonb" }
table! { /// Calls that live.
CALLS_LIVE, "calls_live", key 2, versioned true,
"tenant" "bigint", "id" "uuid", "campaign" "uuid", "lead" "uuid", "attempt" "bigint", "stage" "text",
"due_at" "bigint", "created_at" "bigint", "class" "bigint", "ringing_at" "bigint", "answered_at" "bigint",
"waiting_since" "bigint", "agent" "uuid", "to_bx" "bytea", "key_no" "bigint", "sealed" "bytea", "body" "jsonb" }
table! { /// Calls that are settled.
CALLS_DONE, "calls_done", key 2, versioned true,
"tenant" "bigint", "id" "uuid", "campaign" "uuid", "lead" "uuid", "attempt" "bigint", "created_at" "bigint",
"agent" "uuid", "to_bx" "bytea", "key_no" "bigint", "sealed" "bytea", "body" "jsonb" }
table! { /// What reports and feeds read: one per settled call.
RECORDS, "records", key 2, versioned false,
"tenant" "bigint", "call" "uuid", "place" "bigint", "campaign" "uuid", "lead" "uuid", "list" "uuid",
"agent" "uuid", "attempt" "bigint", "outcome" "text", "reason" "text", "verdict" "text", "to_bx" "bytea",
"from_bx" "bytea", "dialled_at" "bigint", "answered_at" "bigint", "connected_at" "bigint", "ended_at" "bigint",
"settled_at" "bigint", "ring_ms" "bigint", "wait_ms" "bigint", "talk_ms" "bigint", "line_ms" "bigint",
"key_no" "bigint", "sealed" "bytea" }
table! { /// Agents.
AGENTS, "agents", key 2, versioned true,
"tenant" "bigint", "id" "uuid", "pool" "uuid", "status" "text", "state" "text", "since" "bigint",
"free" "bigint", "standing" "bigint", "due_at" "bigint", "key_no" "bigint", "sealed" "bytea" }
table! { /// Campaigns, without their totals.
CAMPAIGNS, "campaigns", key 2, versioned true,
"tenant" "bigint", "id" "uuid", "name" "text", "state" "text", "key_no" "bigint", "sealed" "bytea" }
table! { /// Guards. A key that names a number or a person is a blind index.
GUARDS, "guards", key 3, versioned true,
"tenant" "bigint", "kind" "bigint", "key" "bytea", "value" "jsonb" }

/// What a lead holds besides its person; the JSON of `call_queue.body`.
#[derive(Serialize, Deserialize)]
struct LeadBody {
    v: u32,
    class: u16,
    state: State,
    tally: SmallVec<[(Outcome, u16); 2]>,
    next_number: u8,
    dropped: SmallVec<[u8; 2]>,
    last: Option<Outcome>,
    last_at: Option<Timestamp>,
    callback: Option<Callback>,
    disposition: Option<Arc<str>>,
    #[serde(default)]
    filed: Filed,
    /// Attempts and answers of each number.
    #[serde(default)]
    uses: SmallVec<[(u16, u16); 2]>,
}

/// What is sealed of a lead.
#[derive(Serialize, Deserialize)]
struct LeadSealed<P> {
    person: P,
    phones: SmallVec<[Phone; 2]>,
    /// Whoever knows how it is made could try numbers: so it is sealed as well.
    person_key: u64,
}

fn json<T: Serialize>(value: &T) -> String {
    // Machine rows serialise: no map with keys that are not text, no failing `Serialize`.
    serde_json::to_string(value).unwrap_or_default()
}

/// What is to be sealed of a row: the version of its form, then JSON.
pub(crate) fn stamped<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![BODY_VERSION as u8];
    if serde_json::to_writer(&mut bytes, value).is_err() {
        bytes.truncate(1);
    }
    bytes
}

/// Reads what [`stamped`] wrote. A newer autocall's form is refused, not guessed at.
fn unstamped<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, SqlError> {
    let (version, json) = bytes.split_first().ok_or_else(|| SqlError::Unreadable("a sealed row is empty".into()))?;
    known(u32::from(*version))?;
    serde_json::from_slice(json).map_err(|e| SqlError::Unreadable(brief(&e)))
}

/// Whether this program knows a form of machine state.
fn known(version: u32) -> Result<(), SqlError> {
    if (1..=BODY_VERSION).contains(&version) {
        return Ok(());
    }
    Err(SqlError::Unreadable(format!("a row has form {version}, and this autocall knows {BODY_VERSION}")))
}

fn text(s: &Option<Arc<str>>) -> Value {
    Value::Text(s.as_deref().map(str::to_owned))
}

/// The lane of an open lead, as a column.
pub fn lane(lead: &Lead) -> i64 {
    i64::from(Lane::of(lead).number())
}

fn lead_sealed(lead: &Lead) -> Vec<u8> {
    let phones = lead.numbers.iter().map(|n| n.phone).collect();
    let sealed = LeadSealed { person: &*lead.person, phones, person_key: lead.person_key };
    stamped(&sealed)
}

/// The fingerprint of what `leads` holds: as long as it stays, only `call_queue` is written.
pub fn lead_print(keys: &TenantKeys, lead: &Lead) -> i64 {
    let mut plain = lead_sealed(lead);
    plain.extend_from_slice(lead.campaign.key().as_bytes());
    plain.extend_from_slice(lead.list.map_or(Uuid::nil(), |l| l.key()).as_bytes());
    plain.extend_from_slice(&keys.active().to_be_bytes());
    keys.print(&plain)
}

/// The row of `leads`.
pub fn lead_row(keys: &TenantKeys, lead: &Lead, at: Timestamp) -> PutRow {
    let p = &lead.person;
    let external = p.external_id.as_ref().map(|e| keys.blind(Field::External, e.expose().trim().as_bytes()));
    let number = lead.numbers.first().map(|n| keys.number(n.phone));
    let values = vec![
        lead.id.tenant().into(),
        lead.id.key().into(),
        lead.campaign.key().into(),
        lead.list.map(|l| l.key()).into(),
        number.into(),
        keys.name(p.name().expose()).into(),
        external.into(),
        text(&p.country),
        text(&p.state),
        text(&p.timezone),
        text(&p.kind),
        text(&p.postal_code),
        keys.active().into(),
        keys.seal("leads", lead.id.key().as_bytes(), &lead_sealed(lead)).into(),
        at.into(),
    ];
    PutRow { values, version: (0, 0) }
}

/// The rows of `lead_numbers`.
pub fn lead_number_rows(keys: &TenantKeys, lead: &Lead) -> Vec<PutRow> {
    let row = |n: &Number| PutRow {
        values: vec![lead.id.tenant().into(), keys.number(n.phone).into(), lead.id.key().into()],
        version: (0, 0),
    };
    lead.numbers.iter().skip(1).map(row).collect()
}

/// The row of `call_queue`.
pub fn queue_row(lead: &Lead, print: i64, at: Timestamp, version: (u64, u64)) -> PutRow {
    let state = match lead.state {
        State::Open => "open",
        State::Calling { .. } => "calling",
        State::Closed { .. } => "closed",
    };
    let dropped = lead.numbers.iter().enumerate().filter(|(_, n)| n.dropped).map(|(i, _)| i as u8).collect();
    let body = LeadBody {
        v: BODY_VERSION,
        class: lead.class,
        state: lead.state,
        tally: lead.tally.clone(),
        next_number: lead.next_number,
        dropped,
        last: lead.last,
        last_at: lead.last_at,
        callback: lead.callback,
        disposition: lead.disposition.clone(),
        filed: lead.filed,
        uses: lead.numbers.iter().map(|n| (n.attempts, n.answers)).collect(),
    };
    let values = vec![
        lead.id.tenant().into(),
        lead.id.key().into(),
        lead.campaign.key().into(),
        state.into(),
        lane(lead).into(),
        lead.due_at.into(),
        lead.order.into(),
        i64::from(lead.attempts).into(),
        (lead.priority as i64).into(),
        lead.last.map(|o| o.name().to_owned()).into(),
        text(&lead.blocked_by),
        lead.callback.map(|c| c.at).into(),
        print.into(),
        at.into(),
        Value::Json(Some(json(&body))),
    ];
    PutRow { values, version }
}

/// The columns that [`lead_from`] reads, of `leads l JOIN call_queue q`.
pub const LEAD_COLUMNS: &str = "l.id, l.campaign, l.list, l.sealed, q.version, q.due_at, q.ord, \
     q.attempts, q.priority, q.blocked_by, q.body";
/// The join that they need.
pub const LEAD_JOIN: &str = "leads l JOIN call_queue q ON q.tenant = l.tenant AND q.lead = l.id";

/// A lead and its version, from [`LEAD_COLUMNS`] at column `c`.
pub fn lead_from(keys: &TenantKeys, tenant: TenantId, row: &Row, c: usize) -> Result<(Lead, u64), SqlError> {
    let key = row.uuid(c)?;
    let sealed: LeadSealed<Arc<Person>> = unstamped(&keys.open("leads", key.as_bytes(), row.blob(c + 3)?)?)?;
    let body: LeadBody = row.json(c + 10)?;
    known(body.v)?;
    let number = |(i, &phone): (usize, &Phone)| {
        let (attempts, answers) = body.uses.get(i).copied().unwrap_or_default();
        Number { phone, dropped: body.dropped.contains(&(i as u8)), attempts, answers }
    };
    let priority = Priority::ALL.get(row.count(c + 8)? as usize).copied().unwrap_or_default();
    let lead = Lead {
        id: Id::new(tenant, key),
        campaign: Id::new(tenant, row.uuid(c + 1)?),
        list: row.uuid_opt(c + 2)?.map(|k| Id::new(tenant, k)),
        person: sealed.person,
        person_key: sealed.person_key,
        numbers: sealed.phones.iter().enumerate().map(number).collect(),
        priority,
        order: row.int(c + 6)?,
        filed: body.filed,
        class: body.class,
        state: body.state,
        due_at: row.at(c + 5)?,
        blocked_by: row.text_opt(c + 9)?.map(Into::into),
        attempts: row.count(c + 7)? as u16,
        tally: body.tally,
        next_number: body.next_number,
        last: body.last,
        last_at: body.last_at,
        callback: body.callback,
        disposition: body.disposition,
    };
    Ok((lead, row.count(c + 4)?))
}

/// What is sealed of a call.
#[derive(Default, Serialize, Deserialize)]
struct CallSealed {
    /// Of the plan: numbers, name, and the evidence, which may name documents of the person.
    plan: BTreeMap<String, serde_json::Value>,
    /// Whom a leg is dialled to, by its index.
    legs: BTreeMap<usize, serde_json::Value>,
}

/// What of a call's plan is sealed.
const SEALED_PLAN: [&str; 5] = ["to", "from", "name", "evidence", "person_key"];

/// A call as its two columns: sealed, and the JSON of the rest.
fn call_columns(keys: &TenantKeys, call: &Call) -> (Vec<u8>, String) {
    let mut body = serde_json::to_value(call).unwrap_or_default();
    let mut sealed = CallSealed::default();
    if let Some(plan) = body.get_mut("plan").and_then(|p| p.as_object_mut()) {
        sealed.plan.extend(SEALED_PLAN.iter().filter_map(|name| plan.remove(*name).map(|v| ((*name).to_owned(), v))));
    }
    for (i, leg) in body.get_mut("legs").and_then(|l| l.as_array_mut()).into_iter().flatten().enumerate() {
        if let Some(to) = leg.as_object_mut().and_then(|leg| leg.remove("to")) {
            sealed.legs.insert(i, to);
        }
    }
    if let Some(body) = body.as_object_mut() {
        body.insert("v".into(), BODY_VERSION.into());
    }
    (keys.seal("calls", call.id.key().as_bytes(), &stamped(&sealed)), body.to_string())
}

/// Since when a person waits in this call with nobody asked.
fn waiting_since(call: &Call) -> Option<Timestamp> {
    match call.stage {
        Stage::Seeking { since } => Some(call.person_at.unwrap_or(since)),
        _ => None,
    }
}

/// The row of `calls_live`.
pub fn live_row(keys: &TenantKeys, call: &Call, due_at: Timestamp, version: (u64, u64)) -> PutRow {
    let facts = &call.customer().facts;
    let (sealed, body) = call_columns(keys, call);
    let values = vec![
        call.id.tenant().into(),
        call.id.key().into(),
        call.plan.campaign.key().into(),
        call.plan.lead.key().into(),
        i64::from(call.plan.attempt).into(),
        call.stage.name().into(),
        due_at.into(),
        call.created_at.into(),
        i64::from(call.plan.class).into(),
        facts.ringing_at.into(),
        facts.answer_at().into(),
        waiting_since(call).into(),
        call.holds().or(call.plan.for_agent).map(|a| a.key()).into(),
        keys.number(call.plan.to).into(),
        keys.active().into(),
        sealed.into(),
        Value::Json(Some(body)),
    ];
    PutRow { values, version }
}

/// The row of `calls_done`.
pub fn done_row(keys: &TenantKeys, call: &Call, version: (u64, u64)) -> PutRow {
    let (sealed, body) = call_columns(keys, call);
    let values = vec![
        call.id.tenant().into(),
        call.id.key().into(),
        call.plan.campaign.key().into(),
        call.plan.lead.key().into(),
        i64::from(call.plan.attempt).into(),
        call.created_at.into(),
        call.agent.map(|a| a.key()).into(),
        keys.number(call.plan.to).into(),
        keys.active().into(),
        sealed.into(),
        Value::Json(Some(body)),
    ];
    PutRow { values, version }
}

/// A call and its version, from `id, version, sealed, body` at column `c`.
pub fn call_from(keys: &TenantKeys, row: &Row, c: usize) -> Result<(Call, u64), SqlError> {
    let key = row.uuid(c)?;
    let sealed = keys.open("calls", key.as_bytes(), row.blob(c + 2)?)?;
    let sealed: CallSealed = unstamped(&sealed)?;
    let mut body: serde_json::Value = row.json(c + 3)?;
    known(body.get("v").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32)?;
    if let Some(plan) = body.get_mut("plan").and_then(|p| p.as_object_mut()) {
        plan.extend(sealed.plan);
    }
    for (i, to) in sealed.legs {
        if let Some(leg) = body.pointer_mut(&format!("/legs/{i}")).and_then(|l| l.as_object_mut()) {
            leg.insert("to".into(), to);
        }
    }
    let call = serde_json::from_value(body).map_err(|e| SqlError::Unreadable(brief(&e)))?;
    Ok((call, row.count(c + 1)?))
}

/// Splits an outcome into its name and its reason.
pub fn outcome_words(outcome: Outcome) -> (String, Option<String>) {
    let value = serde_json::to_value(outcome).unwrap_or_default();
    let reason = value.get("reason").and_then(|r| r.as_str()).map(str::to_owned);
    (outcome.name().to_owned(), reason)
}

/// A verdict's word.
pub fn verdict_word(verdict: Verdict) -> String {
    serde_json::to_value(verdict).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a record does not say itself, but its commit does.
#[derive(Clone, Debug, Default)]
pub struct RecordExtra {
    /// The detector's verdict, from the call.
    pub verdict: Option<Verdict>,
    /// The lead's list.
    pub list: Option<Uuid>,
}

/// The row of `records`.
pub fn record_row(keys: &TenantKeys, record: &Record, extra: &RecordExtra, place: u64) -> PutRow {
    let (outcome, reason) = outcome_words(record.outcome);
    let span = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
        (Some(from), Some(to)) => Some((to - from).ms().max(0)),
        _ => None,
    };
    let sealed = keys.seal("records", record.call.key().as_bytes(), &stamped(record));
    let values = vec![
        record.call.tenant().into(),
        record.call.key().into(),
        place.into(),
        record.campaign.key().into(),
        record.lead.key().into(),
        extra.list.into(),
        record.agent.map(|a| a.key()).into(),
        i64::from(record.attempt).into(),
        outcome.into(),
        reason.into(),
        extra.verdict.map(verdict_word).into(),
        keys.number(record.to).into(),
        keys.number(record.from).into(),
        record.dialled_at.into(),
        record.answered_at.into(),
        record.connected_at.into(),
        record.ended_at.into(),
        record.settled_at.into(),
        span(Some(record.dialled_at), record.answered_at).into(),
        record.wait_ms().into(),
        record.talk_ms().into(),
        span(record.answered_at, Some(record.ended_at)).unwrap_or(0).into(),
        keys.active().into(),
        sealed.into(),
    ];
    PutRow { values, version: (0, 0) }
}

/// A record from `call, sealed` at column `c`.
pub fn record_from(keys: &TenantKeys, row: &Row, c: usize) -> Result<Record, SqlError> {
    unstamped(&keys.open("records", row.uuid(c)?.as_bytes(), row.blob(c + 1)?)?)
}

/// The row of `agents`.
pub fn agent_row(keys: &TenantKeys, agent: &Agent, version: (u64, u64)) -> PutRow {
    let status = match agent.status {
        agent::Status::Available => "available",
        agent::Status::Away(_) => "away",
        agent::Status::Offline => "offline",
    };
    let state = match agent.state {
        agent::State::Idle => "idle",
        agent::State::Held { hold: agent::Hold::Reserved, .. } => "reserved",
        agent::State::Held { hold: agent::Hold::Ringing, .. } => "ringing",
        agent::State::Held { hold: agent::Hold::Talking, .. } => "talking",
        agent::State::WrapUp { .. } => "wrap_up",
    };
    let sealed = keys.seal("agents", agent.id.key().as_bytes(), &stamped(agent));
    let values = vec![
        agent.id.tenant().into(),
        agent.id.key().into(),
        agent.pool.key().into(),
        status.into(),
        state.into(),
        agent.since.into(),
        agent.is_free().into(),
        agent.is_standing().into(),
        agent.wake_at().into(),
        keys.active().into(),
        sealed.into(),
    ];
    PutRow { values, version }
}

/// An agent and its version, from `id, version, sealed` at column `c`.
pub fn agent_from(keys: &TenantKeys, row: &Row, c: usize) -> Result<(Agent, u64), SqlError> {
    let agent = unstamped(&keys.open("agents", row.uuid(c)?.as_bytes(), row.blob(c + 2)?)?)?;
    Ok((agent, row.count(c + 1)?))
}

/// The row of `campaigns`.
pub fn campaign_row(keys: &TenantKeys, campaign: &Campaign, version: (u64, u64)) -> PutRow {
    let state = serde_json::to_value(campaign.state).ok().and_then(|s| s.as_str().map(str::to_owned));
    let sealed = keys.seal("campaigns", campaign.id.key().as_bytes(), &stamped(campaign));
    let values = vec![
        campaign.id.tenant().into(),
        campaign.id.key().into(),
        (&*campaign.name).into(),
        state.into(),
        keys.active().into(),
        sealed.into(),
    ];
    PutRow { values, version }
}

/// A campaign from `id, sealed` at column `c`.
pub fn campaign_from(keys: &TenantKeys, row: &Row, c: usize) -> Result<Campaign, SqlError> {
    unstamped(&keys.open("campaigns", row.uuid(c)?.as_bytes(), row.blob(c + 1)?)?)
}

/// A guard's kind and key as stored.
pub fn guard_key(keys: &TenantKeys, key: &GuardKey) -> (i64, Vec<u8>) {
    match key {
        GuardKey::Number(phone) => (1, keys.number(*phone)),
        GuardKey::Person { person, subject } => {
            let mut text = person.to_be_bytes().to_vec();
            text.extend_from_slice(subject.as_bytes());
            (2, keys.blind(Field::Guard, &text))
        }
        GuardKey::CallerId(phone) => (3, keys.number(*phone)),
        GuardKey::Pool(pool) => (4, pool.key().as_bytes().to_vec()),
        GuardKey::Dials(campaign) => (5, campaign.key().as_bytes().to_vec()),
        GuardKey::Epoch => (6, Vec::new()),
    }
}

/// A condition that holds for these guards, and perhaps for others of the same kinds, and its arguments,
/// numbered from `first`.
///
/// On Postgres kind by kind: the index on both columns is then probed once for each guard, not for each
/// kind and each key. SQLite would rather walk all of a tenant's guards than combine two such probes.
pub(crate) fn guards_named<'a>(
    dialect: Dialect,
    keys: impl Iterator<Item = &'a (i64, Vec<u8>)>,
    first: usize,
) -> (String, Vec<Value>) {
    let mut of: BTreeMap<i64, Vec<Option<Vec<u8>>>> = BTreeMap::new();
    for (kind, key) in keys {
        of.entry(*kind).or_default().push(Some(key.clone()));
    }
    if of.is_empty() {
        return ("1 = 0".into(), Vec::new());
    }
    if dialect == Dialect::Sqlite {
        let kinds: Vec<String> = of.keys().map(i64::to_string).collect();
        let distinct: BTreeSet<Option<Vec<u8>>> = of.into_values().flatten().collect();
        let sql = format!("kind IN ({}) AND {}", kinds.join(", "), dialect.any("key", first, "bytea"));
        return (sql, vec![Value::Blobs(distinct.into_iter().collect())]);
    }
    let one = |(n, kind): (usize, &i64)| format!("(kind = {kind} AND {})", dialect.any("key", first + n, "bytea"));
    let each: Vec<String> = of.keys().enumerate().map(one).collect();
    (format!("({})", each.join(" OR ")), of.into_values().map(Value::Blobs).collect())
}

/// The row of `guards`.
pub fn guard_row(
    keys: &TenantKeys,
    tenant: TenantId,
    key: &GuardKey,
    value: &GuardValue,
    version: (u64, u64),
) -> PutRow {
    let (kind, key) = guard_key(keys, key);
    PutRow { values: vec![tenant.into(), kind.into(), key.into(), Value::Json(Some(json(value)))], version }
}

/// The lead of a lead id, for statements.
pub fn key(id: LeadId) -> Value {
    id.key().into()
}
