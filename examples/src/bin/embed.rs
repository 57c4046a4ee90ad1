//! Embeds the dialer: a list is imported, and everybody on it is called until they are reached.
use autocall_core::import::{ImportRules, Row, read_all};
use autocall_core::lead::Lead;
use autocall_core::{CampaignId, LeadId, Millis, Timestamp};
use autocall_testkit::world::{Plan, TENANT, World};

const LIST: &str = "first_name,phone\nAnn,(212) 555-0100\nBob,212-555-0101\nCid,911\nDee,+1 212 555 0102\n";

fn main() {
    let (campaign, mut leads) = (CampaignId::small(TENANT, 1), Vec::new());
    read_all(LIST.as_bytes(), ImportRules::default(), |row| match row {
        Row::Lead(draft) => {
            let (id, order) = (LeadId::small(TENANT, u128::from(draft.line)), draft.line as i64);
            leads.push(Lead::from_draft(id, campaign, None, &draft, order, Timestamp::EPOCH));
        }
        Row::Rejected(why) => println!("{why}"),
        Row::Warned(why) => println!("{why:?}"),
    })
    .expect("a readable list");
    let start = Timestamp::from_secs(1_780_304_400); // a Monday, nine in the morning
    let mut world = World::new(&Plan::new(1, start, 2)); // seed 1, two simulated agents
    world.start("renewals", World::settings(), leads).expect("settings without problems");
    world.run(campaign, start + Millis::from_days(14), |_| {});
    for call in world.store().records() {
        println!("{} attempt {} to {}: {}", call.dialled_at, call.attempt, call.to, call.outcome);
    }
}
