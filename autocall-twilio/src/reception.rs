//! Who answers when people call our numbers.
//!
//! * An agent, from their own number and with their PIN, stands: [`crate::pins`].
//! * A person whom we have called reaches their owner, or a free agent, or else the message that
//!   says who called and why, with the key that stops further calls.
//! * Anybody else hears that message too.
//!
//! Agents who are rung for a caller are away meanwhile, so that no call is offered to them twice.

use crate::ear::Give;
use crate::pins::{self, PinCheck};
use crate::webhook::{Caller, Desk, Unavailable, Welcome};
use async_trait::async_trait;
use autocall_core::agent::{Address, Agent};
use autocall_core::call::ProviderRef;
use autocall_core::engine::{Engine, EngineError};
use autocall_core::lead::Lead;
use autocall_core::ports::catalog::{CallFilter, Catalog, CatalogError, LeadFilter, PAGE_MAX, PageAsk};
use autocall_core::ports::{Line, Listing};
use autocall_core::script::{Audio, Room};
use autocall_core::settings::Settings;
use autocall_core::{AgentId, Phone, TenantId};
use std::sync::Arc;

/// Pages of agents and campaigns that are looked through for one caller at most.
const PAGES_MAX: usize = 20;

/// Leads with one number that are considered.
const LEADS_MAX: u32 = 20;

/// Why an agent is away while they are rung for a caller. It names the call: its end is reported more
/// than once, and must not free an agent who has the next caller by then.
fn reason(call: &str) -> String {
    format!("a returned call, {call}")
}

/// The reception of every tenant, over the engine and the catalog.
pub struct Reception {
    engine: Arc<Engine>,
    catalog: Arc<dyn Catalog>,
    give: Give,
}

impl Reception {
    /// A reception. `give` takes the tasks that follow.
    pub fn new(engine: Arc<Engine>, catalog: Arc<dyn Catalog>, give: Give) -> Reception {
        Reception { engine, catalog, give }
    }

    async fn answer(&self, caller: &Caller) -> Result<Welcome, Unavailable> {
        let Some(from) = caller.from else {
            return if caller.keys.is_some() { Ok(Welcome::Withheld) } else { self.stranger(caller).await };
        };
        if let (Some(keys), Some(offered)) = (&caller.keys, caller.offered) {
            return if keys.expose().contains(offered) {
                self.opt_out(caller.tenant, from).await
            } else {
                Ok(Welcome::Goodbye)
            };
        }
        if let Some(agent) = self.agent_at(caller.tenant, from).await? {
            return self.agent(caller, &agent).await;
        }
        match self.known(caller.tenant, from).await? {
            Some(lead) => self.returned(caller, &lead).await,
            None => self.stranger(caller).await,
        }
    }

    /// The agent who is reached at this number. Found by looking through the tenant's agents:
    /// addresses are sealed at rest, and calls to us are few.
    async fn agent_at(&self, tenant: TenantId, phone: Phone) -> Result<Option<Agent>, Unavailable> {
        let mut ask = PageAsk::first(PAGE_MAX);
        for _ in 0..PAGES_MAX {
            let page = self.catalog.agents(tenant, None, &ask).await.map_err(unavailable)?;
            let found = page.items.into_iter().find(|a| a.row.address == Address::Phone(phone));
            if let Some(found) = found {
                return Ok(Some(found.row));
            }
            match page.next {
                Some(next) => ask.after = Some(next),
                None => break,
            }
        }
        Ok(None)
    }

    async fn agent(&self, caller: &Caller, agent: &Agent) -> Result<Welcome, Unavailable> {
        let Some(pin) = &caller.keys else { return Ok(Welcome::AskPin) };
        let checked = pins::check(&*self.catalog, agent.id, pin, self.engine.now()).await.map_err(unavailable)?;
        match checked {
            PinCheck::Wrong => return Ok(Welcome::AskPin),
            PinCheck::Locked => return Ok(Welcome::Goodbye),
            PinCheck::Right => {}
        }
        match self.engine.stand_in(agent.id, ProviderRef(caller.call.clone()), caller.to).await {
            Ok((station, reply)) => {
                (self.give)(reply.tasks);
                Ok(Welcome::Stand(Line::Station(station), reply.script))
            }
            Err(EngineError::NotNow(_)) => Ok(Welcome::Goodbye),
            Err(_) => Err(Unavailable),
        }
    }

    /// The lead with this number that was called last.
    async fn known(&self, tenant: TenantId, phone: Phone) -> Result<Option<Lead>, Unavailable> {
        let filter = LeadFilter { phone: Some(phone), ..LeadFilter::default() };
        let page = self.catalog.leads(tenant, &filter, &PageAsk::first(LEADS_MAX)).await.map_err(unavailable)?;
        Ok(page.items.into_iter().map(|l| l.row).filter(|l| l.last_at.is_some()).max_by_key(|l| l.last_at))
    }

    /// A person rings back.
    async fn returned(&self, caller: &Caller, lead: &Lead) -> Result<Welcome, Unavailable> {
        let item = self.catalog.campaign_item(lead.campaign).await.map_err(unavailable)?;
        let settings = item.campaign.row.settings.clone();
        for agent in self.takers(lead, &settings).await? {
            let reserved = self.engine.borrow_agent(agent.id, &reason(&caller.call)).await.map_err(|_| Unavailable)?;
            if !reserved {
                continue;
            }
            let greeting = Audio::say("Thank you for calling back. Please hold.");
            if agent.is_standing() {
                return Ok(Welcome::Join { greeting, room: Room::Agent(agent.id), agent: agent.id });
            }
            let show = caller.to.or_else(|| settings.caller_ids.first().copied());
            return Ok(Welcome::Connect { greeting, to: agent.address, ring_s: 20, show, agent: agent.id });
        }
        Ok(message(&settings))
    }

    /// Who may take a returned call: the one who has an appointment with the person or spoke with
    /// them last, then whoever is free longest.
    async fn takers(&self, lead: &Lead, settings: &Settings) -> Result<Vec<Agent>, Unavailable> {
        let mut takers = Vec::new();
        if let Some(owner) = self.owner(lead).await? {
            match self.catalog.agent(owner).await {
                Ok(found) if found.row.is_free() => takers.push(found.row),
                Ok(_) | Err(CatalogError::NotFound) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        for &pool in &settings.transfer.pools {
            let page = self.catalog.agents(lead.id.tenant(), Some(pool), &PageAsk::first(PAGE_MAX)).await;
            let mut free: Vec<Agent> =
                page.map_err(unavailable)?.items.into_iter().map(|a| a.row).filter(Agent::is_free).collect();
            free.sort_by_key(|a| (a.since, a.id));
            free.retain(|a| takers.iter().all(|t| t.id != a.id));
            takers.extend(free);
        }
        // A few tries are enough: each may be taken by somebody else meanwhile.
        takers.truncate(5);
        Ok(takers)
    }

    async fn owner(&self, lead: &Lead) -> Result<Option<AgentId>, Unavailable> {
        if let Some(agent) = lead.callback.and_then(|c| c.agent) {
            return Ok(Some(agent));
        }
        let filter = CallFilter { lead: Some(lead.id), ..CallFilter::default() };
        let page = self.catalog.calls(lead.id.tenant(), &filter, &PageAsk::first(LEADS_MAX)).await;
        Ok(page.map_err(unavailable)?.items.into_iter().find_map(|call| call.agent))
    }

    /// Somebody whom we do not know calls: the message of whoever shows the number that they
    /// called.
    async fn stranger(&self, caller: &Caller) -> Result<Welcome, Unavailable> {
        let Some(to) = caller.to else { return Ok(Welcome::Goodbye) };
        let mut ask = PageAsk::first(PAGE_MAX);
        for _ in 0..PAGES_MAX {
            let page = self.catalog.campaigns(caller.tenant, None, &ask).await.map_err(unavailable)?;
            let shows = |s: &Settings| s.caller_ids.contains(&to) || s.seller.phone == Some(to);
            if let Some(item) = page.items.iter().find(|item| shows(&item.campaign.row.settings)) {
                return Ok(message(&item.campaign.row.settings));
            }
            match page.next {
                Some(next) => ask.after = Some(next),
                None => break,
            }
        }
        Ok(Welcome::Goodbye)
    }

    async fn opt_out(&self, tenant: TenantId, phone: Phone) -> Result<Welcome, Unavailable> {
        let listing = Listing {
            phone,
            campaign: None,
            reason: "opt-out".into(),
            source: "a call to one of our numbers".into(),
            until: None,
        };
        let tasks = self.engine.suppress(tenant, vec![listing]).await.map_err(|_| Unavailable)?;
        (self.give)(tasks);
        Ok(Welcome::OptedOut)
    }
}

/// Who called, why, and how to stop it.
fn message(settings: &Settings) -> Welcome {
    let about = match &*settings.subject {
        "" | "default" => String::new(),
        subject => format!(" about {subject}"),
    };
    let key = settings.opt_out_key;
    let spoken = match key {
        '*' => "star".to_owned(),
        '#' => "hash".to_owned(),
        digit => digit.to_string(),
    };
    let text = format!(
        "This is {}. We called you{about}. Nobody can take your call at the moment. \
         If you do not want to be called again, press {spoken} now.",
        settings.seller.name
    );
    Welcome::Message { audio: Audio::say(&text), opt_out: key }
}

fn unavailable(error: CatalogError) -> Unavailable {
    tracing::warn!(%error, "a caller could not be received");
    Unavailable
}

#[async_trait]
impl Desk for Reception {
    async fn receive(&self, caller: Caller) -> Result<Welcome, Unavailable> {
        self.answer(&caller).await
    }

    async fn done(&self, agent: AgentId, call: &str) -> Result<(), Unavailable> {
        let tasks = self.engine.give_agent_back(agent, &reason(call)).await.map_err(|_| Unavailable)?;
        (self.give)(tasks);
        Ok(())
    }
}
