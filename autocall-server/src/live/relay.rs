//! Notes between nodes: an offer that one node decides reaches the console on another.
//!
//! A node's notes are joined for a few milliseconds and said as one word; what is lost on the way
//! is made good by a snapshot.

use super::hub::Hub;
use autocall_core::pacing::Why;
use autocall_core::ports::{Bus, Ear, Note, WORD_BYTES_MAX};
use autocall_core::{AgentId, CallId, CampaignId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long notes are joined: short beside the hundred milliseconds within which an offer must be
/// seen, long beside what a notification costs.
const JOINED: Duration = Duration::from_millis(10);
/// Notes that wait at most; more are lost.
const WAITING_MAX: usize = 8_192;
/// How long to wait before a lost connection is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A note as it travels. Ids only: no number, no name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Carried {
    /// Call, campaign, stage.
    C(String, String, String),
    /// Agent.
    A(String),
    /// Agent, call.
    O(String, String),
    /// Campaign.
    P(String),
    /// Campaign, how many, why.
    D(String, u32, Box<Why>),
    /// Campaign, what.
    L(String, String),
}

/// The stages of a call, as notes name them.
const STAGES: [&str; 7] = ["dialing", "seeking", "offering", "bridged", "message", "closing", "settled"];

impl Carried {
    fn of(note: &Note) -> Option<Carried> {
        Some(match note {
            Note::Call { call, campaign, stage } => {
                Carried::C(call.to_string(), campaign.to_string(), (*stage).to_owned())
            }
            Note::Agent { agent } => Carried::A(agent.to_string()),
            Note::Offer { agent, call } => Carried::O(agent.to_string(), call.to_string()),
            Note::Campaign { campaign } => Carried::P(campaign.to_string()),
            Note::Planned { campaign, dialled, why } => Carried::D(campaign.to_string(), *dialled, Box::new(*why)),
            Note::Alarm { campaign, what } => Carried::L(campaign.to_string(), what.clone()),
            _ => return None,
        })
    }

    fn note(self) -> Option<Note> {
        let campaign = |text: String| text.parse::<CampaignId>().ok();
        let agent = |text: String| text.parse::<AgentId>().ok();
        let call = |text: String| text.parse::<CallId>().ok();
        Some(match self {
            Carried::C(c, p, stage) => {
                let stage = STAGES.into_iter().find(|s| **s == stage)?;
                Note::Call { call: call(c)?, campaign: campaign(p)?, stage }
            }
            Carried::A(a) => Note::Agent { agent: agent(a)? },
            Carried::O(a, c) => Note::Offer { agent: agent(a)?, call: call(c)? },
            Carried::P(p) => Note::Campaign { campaign: campaign(p)? },
            Carried::D(p, dialled, why) => Note::Planned { campaign: campaign(p)?, dialled, why: *why },
            Carried::L(p, what) => Note::Alarm { campaign: campaign(p)?, what },
        })
    }
}

/// Notes as words of at most [`WORD_BYTES_MAX`] bytes: a line for the node, a line for each note.
/// A note that says again what one before it says is left out.
fn words(node: &str, notes: &[Note]) -> Vec<String> {
    let (mut words, mut seen) = (vec![node.to_owned()], std::collections::HashSet::new());
    for line in notes.iter().filter_map(Carried::of).filter_map(|c| serde_json::to_string(&c).ok()) {
        if line.len() + node.len() + 1 > WORD_BYTES_MAX || !seen.insert(line.clone()) {
            continue;
        }
        let full = words.last().is_none_or(|word| word.len() + 1 + line.len() > WORD_BYTES_MAX);
        if full {
            words.push(node.to_owned());
        }
        if let Some(word) = words.last_mut() {
            word.push('\n');
            word.push_str(&line);
        }
    }
    words.retain(|word| word.len() > node.len());
    words
}

/// The notes of a word; none of a word of our own.
fn notes(node: &str, word: &str) -> Vec<Note> {
    let mut lines = word.split('\n');
    if lines.next() == Some(node) {
        return Vec::new();
    }
    lines.filter_map(|line| serde_json::from_str::<Carried>(line).ok()?.note()).collect()
}

/// Carries notes both ways until told to stop. `node` is this node's name for this life.
pub async fn run(hub: Arc<Hub>, bus: Arc<dyn Bus>, node: String, stop: CancellationToken) {
    let (give, take) = mpsc::channel(WAITING_MAX);
    hub.also(give);
    tokio::select! {
        () = stop.cancelled() => {}
        () = say(&*bus, &node, take) => {}
        () = listen(&*bus, &node, &hub) => {}
    }
}

async fn say(bus: &dyn Bus, node: &str, mut take: mpsc::Receiver<Note>) {
    let mut joined = Vec::new();
    while take.recv_many(&mut joined, 512).await > 0 {
        tokio::time::sleep(JOINED).await;
        while joined.len() < 2_048 {
            match take.try_recv() {
                Ok(note) => joined.push(note),
                Err(_) => break,
            }
        }
        for word in words(node, &joined) {
            if bus.say(&word).await.is_err() {
                break;
            }
        }
        joined.clear();
    }
}

async fn listen(bus: &dyn Bus, node: &str, hub: &Hub) {
    loop {
        if let Ok(mut listening) = bus.listen().await {
            // What was said while nobody listened is not known.
            hub.missed();
            hear(&mut *listening, node, hub).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(listening: &mut dyn Ear, node: &str, hub: &Hub) {
    loop {
        match listening.next().await {
            Ok(Some(word)) => notes(node, &word).iter().for_each(|note| hub.publish(note)),
            Ok(None) => hub.missed(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::TenantId;

    fn some() -> Vec<Note> {
        let t = TenantId(7);
        let (agent, call, campaign) = (AgentId::small(t, 1), CallId::small(t, 2), CampaignId::small(t, 3));
        vec![
            Note::Offer { agent, call },
            Note::Agent { agent },
            Note::Call { call, campaign, stage: "offering" },
            Note::Campaign { campaign },
            Note::Alarm { campaign, what: "the ledger is spent".into() },
        ]
    }

    #[test]
    fn notes_arrive_at_others_as_they_were_and_not_at_ourselves() {
        let said = words("one", &some());
        assert_eq!(said.len(), 1);
        assert_eq!(notes("two", &said[0]), some());
        assert_eq!(notes("one", &said[0]), Vec::new());
        assert_eq!(notes("two", "three\nnonsense\n{\"A\":\"x\"}"), Vec::new());
    }

    #[test]
    fn words_are_short_enough_and_say_nothing_twice() {
        let many: Vec<Note> = (0..600).map(|n| Note::Agent { agent: AgentId::small(TenantId(1), n / 2) }).collect();
        let said = words("one", &many);
        assert!(said.len() > 1 && said.iter().all(|w| w.len() <= WORD_BYTES_MAX), "{}", said.len());
        assert_eq!(said.iter().flat_map(|w| notes("two", w)).count(), 300);
    }
}
