//! The Campaign machine.

use super::table::{Row, page as render};
use autocall_core::campaign::{Campaign, Command, Effect, State};
use autocall_core::id::{CampaignId, PoolId, TenantId};
use autocall_core::script::Audio;
use autocall_core::settings::Settings;
use autocall_core::{Millis, Phone, Timestamp};
use std::sync::Arc;

const TENANT: TenantId = TenantId(1);
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn good() -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Acme".into();
    s.seller.phone = Phone::from_digits(14_155_550_100);
    s.caller_ids = Phone::from_digits(14_155_550_101).into_iter().collect();
    s.abandonment = Some(Audio::say("Acme called, 415 555 0100. Press 9 to opt out."));
    s.transfer.pools = vec![PoolId::small(TENANT, 1)];
    s.schedule.starts_at = Some(NOW + Millis::from_hours(1));
    s.schedule.ends_at = Some(NOW + Millis::from_hours(9));
    s
}

fn name(state: State) -> String {
    format!("{state:?}").to_lowercase()
}

fn say(effects: &[Effect]) -> String {
    let word = |e: &Effect| match e {
        Effect::Tick => "plan at once",
        Effect::StopCalls => "end calls, but for conversations",
    };
    effects.iter().map(word).collect::<Vec<_>>().join(", ")
}

pub(crate) fn page() -> String {
    let commands = [
        ("start", Command::Start),
        ("schedule", Command::Schedule),
        ("pause", Command::Pause),
        ("finish", Command::Finish),
        ("change to settings with problems", Command::Change(Arc::new(Settings::default()))),
    ];
    let mut rows = Vec::new();
    for start in State::ALL {
        let campaign = || {
            let mut c = Campaign::new(CampaignId::small(TENANT, 1), "first", good());
            c.state = start;
            c
        };
        for (event, command) in &commands {
            let mut after = campaign();
            let effects = match after.command(command, NOW) {
                Ok(effects) => say(&effects),
                Err(autocall_core::campaign::Refused::Settings(problems)) => {
                    format!("refused: {} problems", problems.len())
                }
                Err(_) => "refused".into(),
            };
            rows.push(Row { from: name(start), event: (*event).into(), to: name(after.state), effects });
        }
        for (event, hours) in [("its start comes", 2), ("its end comes", 9)] {
            let mut after = campaign();
            let effects = say(&after.tick(NOW + Millis::from_hours(hours)));
            rows.push(Row { from: name(start), event: event.into(), to: name(after.state), effects });
        }
    }
    let words = "Commands in, effects out. A campaign that dials, or waits to, never has settings that could not start \
                 it. Pausing lets calls that run go on; finishing ends them, but for conversations.";
    render("The Campaign machine", words, &rows)
}
