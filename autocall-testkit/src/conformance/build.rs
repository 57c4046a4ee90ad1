//! Rows for the laws: small, valid, and different where it matters.

use autocall_core::agent::{Address, Agent, Status};
use autocall_core::call::{Call, CallPlan};
use autocall_core::campaign::{Campaign, State};
use autocall_core::lead::{Lead, Number, Person};
use autocall_core::ports::{Changes, LeadCounts, Put, Store, StoreError};
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{AgentId, CallId, CampaignId, Id, LeadId, Phone, PoolId, Priority, Private, TenantId, Timestamp};
use smallvec::smallvec;
use std::sync::Arc;

/// The present of every law, milliseconds.
pub const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// A number that tests may use (555-01xx is set aside for fiction).
pub fn phone(n: u64) -> Phone {
    Phone::from_digits(12_025_550_100 + n).expect("a valid test number")
}

/// A running campaign that draws on pool 1.
pub fn campaign(tenant: TenantId, n: u128) -> Campaign {
    let mut settings = Settings { subject: "roofs".into(), ..Settings::default() };
    settings.transfer.pools = vec![pool(tenant)];
    settings.caller_ids = vec![phone(90)];
    let mut campaign = Campaign::new(campaign_id(tenant, n), &format!("campaign {n}"), settings);
    campaign.state = State::Running;
    campaign
}

/// The id of a campaign.
pub fn campaign_id(tenant: TenantId, n: u128) -> CampaignId {
    Id::small(tenant, n)
}
/// The pool that every campaign draws on.
pub fn pool(tenant: TenantId) -> PoolId {
    Id::small(tenant, 1)
}
/// The id of a lead.
pub fn lead_id(tenant: TenantId, n: u128) -> LeadId {
    Id::small(tenant, 1000 + n)
}
/// The id of a call.
pub fn call_id(tenant: TenantId, n: u128) -> CallId {
    Id::small(tenant, 5000 + n)
}
/// The id of an agent.
pub fn agent_id(tenant: TenantId, n: u128) -> AgentId {
    Id::small(tenant, 100 + n)
}

/// An open lead of campaign 1, due now.
pub fn lead(tenant: TenantId, n: u128) -> Lead {
    let person = Person {
        first_name: Private::new("Ada"),
        last_name: Private::new(format!("Lovelace {n}")),
        external_id: Some(Private::new(format!("crm-{n}"))),
        country: Some("US".into()),
        state: Some("DC".into()),
        notes: Private::new("prefers mornings"),
        ..Person::default()
    };
    Lead {
        id: lead_id(tenant, n),
        campaign: campaign_id(tenant, 1),
        list: Some(Id::small(tenant, 7)),
        person: Arc::new(person),
        person_key: 10_000 + n as u64,
        numbers: smallvec![Number::new(phone(n as u64))],
        priority: Priority::Normal,
        order: n as i64,
        filed: Default::default(),
        class: 3,
        state: autocall_core::lead::State::Open,
        due_at: NOW,
        blocked_by: None,
        attempts: 0,
        tally: smallvec![],
        next_number: 0,
        last: None,
        last_at: None,
        callback: None,
        disposition: None,
    }
}

/// A call to a lead, just committed.
pub fn call(lead: &Lead, n: u128) -> Call {
    let plan = CallPlan {
        campaign: lead.campaign,
        lead: lead.id,
        person_key: lead.person_key,
        subject: "roofs".into(),
        attempt: lead.attempts + 1,
        to: lead.numbers[0].phone,
        number_index: 0,
        from: phone(90),
        account: "main".into(),
        class: lead.class,
        name: lead.person.name(),
        mode: TransferMode::OnDemand,
        agentless: false,
        voicemail_allowed: true,
        abandonment_allowed: true,
        for_agent: None,
        ring_ms_max: 25_000,
        recording: Default::default(),
        recording_needs: Default::default(),
        quotas: Default::default(),
        evidence: Some("{\"rules\":\"none\"}".into()),
    };
    Call::new(call_id(lead.id.tenant(), n), Arc::new(plan), NOW)
}

/// An available agent of the pool, idle since `since`.
pub fn agent(tenant: TenantId, n: u128, since: Timestamp) -> Agent {
    let address = Address::Phone(phone(50 + n as u64));
    let mut agent = Agent::new(agent_id(tenant, n), pool(tenant), Private::new("Grace Hopper"), address, since);
    agent.status = Status::Available;
    agent
}

/// A row that must not be there yet.
pub fn new<T>(row: T) -> Put<T> {
    Put { row, expected: 0 }
}
/// A row that must have this version.
pub fn at<T>(row: T, expected: u64) -> Put<T> {
    Put { row, expected }
}

/// Nothing yet.
pub fn changes(tenant: TenantId) -> Changes {
    Changes::new(tenant, NOW)
}

/// A commit that must succeed.
pub async fn commit(store: &dyn Store, changes: &Changes) -> autocall_core::ports::Committed {
    match store.commit(changes).await {
        Ok(committed) => committed,
        Err(e) => panic!("a commit that must succeed failed: {e}"),
    }
}

/// A commit that must fail because rows have changed; which.
pub async fn conflict(store: &dyn Store, changes: &Changes) -> Vec<autocall_core::ports::RowKey> {
    match store.commit(changes).await {
        Err(StoreError::Conflict { stale }) => {
            assert!(!stale.is_empty(), "a conflict names at least one row");
            stale
        }
        other => panic!("expected a conflict, got {other:?}"),
    }
}

/// Campaign 1 and `leads` leads, 0 to n-1.
pub async fn seed(store: &dyn Store, tenant: TenantId, leads: u128) -> Vec<Lead> {
    let mut first = changes(tenant);
    first.campaigns.push(new(campaign(tenant, 1)));
    commit(store, &first).await;
    let rows: Vec<Lead> = (0..leads).map(|n| lead(tenant, n)).collect();
    let mut second = changes(tenant);
    second.leads.extend(rows.iter().cloned().map(new));
    for row in &rows {
        second.tally(campaign_id(tenant, 1)).leads.add(&LeadCounts::of(row), 1);
    }
    if !rows.is_empty() {
        commit(store, &second).await;
    }
    rows
}

/// The changes that dial a lead: the call, the lead, their counts, a permit.
pub fn dial(lead: &Lead, version: u64, n: u128) -> (Call, Changes) {
    let call = call(lead, n);
    let mut after = lead.clone();
    let event = autocall_core::lead::LeadEvent::Dialled { call: call.id };
    after.handle(&event, &Settings::default(), NOW);
    let mut c = changes(lead.id.tenant());
    c.calls.push((new(call.clone()), NOW + autocall_core::Millis::from_secs(30)));
    let tally = c.tally(lead.campaign);
    tally.load.add(&call.load(), 1);
    tally.leads.add(&LeadCounts::of(&after), 1);
    tally.leads.add(&LeadCounts::of(lead), -1);
    c.leads.push(at(after, version));
    let line = autocall_core::ports::Line::Leg(call.leg_id(0));
    c.permits.push((line, NOW + autocall_core::call::PERMIT_TTL));
    (call, c)
}
