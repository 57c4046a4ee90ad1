//! Rooms: who is in, when a conversation begins, and what leaving does.

use super::Click;
use super::exchange::{Act, Exchange};
use super::lines::{Party, Phase};
use crate::people::Pickup;
use autocall_core::call::{EndCause, LegFacts};
use autocall_core::ports::Line;
use autocall_core::script::{Role, Room, Script};
use autocall_core::{AgentId, CallId, Millis, Timestamp};
use std::collections::BTreeMap;

/// A room's name, in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Door {
    Call(CallId),
    Agent(AgentId),
}

impl From<Room> for Door {
    fn from(room: Room) -> Door {
        match room {
            Room::Call(call) => Door::Call(call),
            Room::Agent(agent) => Door::Agent(agent),
        }
    }
}

/// Who is in which room.
#[derive(Debug, Default)]
pub(super) struct Rooms(BTreeMap<Door, Vec<(Line, Role)>>);

impl Rooms {
    fn enter(&mut self, room: Room, line: Line, role: Role) {
        self.0.entry(room.into()).or_default().push((line, role));
    }
    fn leave(&mut self, room: Room, line: Line) {
        if let Some(inside) = self.0.get_mut(&room.into()) {
            inside.retain(|(l, _)| *l != line);
            if inside.is_empty() {
                self.0.remove(&room.into());
            }
        }
    }
    fn inside(&self, room: Room) -> Vec<(Line, Role)> {
        self.0.get(&room.into()).cloned().unwrap_or_default()
    }
    fn find(&self, room: Room, wanted: impl Fn(Role) -> bool) -> Option<Line> {
        self.0.get(&room.into())?.iter().find(|(_, role)| wanted(*role)).map(|(line, _)| *line)
    }
}

impl Exchange {
    /// A line gets to the room that it was sent to.
    pub(super) fn enter(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get_mut(&line) else { return };
        let Some(Script::Join { room, role, .. }) = leg.script else { return };
        leg.room = Some((room, role));
        if let (Role::Customer | Role::Third, Room::Agent(agent)) = (role, room) {
            leg.facts.joined_agent_at.get_or_insert(now);
            leg.facts.guest = Some((now, agent));
        } else {
            leg.facts.joined_at.get_or_insert(now);
        }
        self.rooms.enter(room, line, role);
        self.say_joined(line, now);
        self.meet(room, now);
    }

    /// Says (again) in which kind of room the line is.
    pub(super) fn say_joined(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get(&line) else { return };
        let facts = match leg.room {
            Some((Room::Agent(_), Role::Customer | Role::Third)) => {
                let (joined_agent_at, guest) = (leg.facts.joined_agent_at, leg.facts.guest);
                LegFacts { joined_agent_at, guest, ..LegFacts::default() }
            }
            _ => LegFacts { joined_at: leg.facts.joined_at, ..LegFacts::default() },
        };
        self.say(now, line, facts, false);
    }

    /// A conversation begins as soon as a customer and an agent are in.
    fn meet(&mut self, room: Room, now: Timestamp) {
        let customer = self.rooms.find(room, |r| r == Role::Customer);
        let agent = self.rooms.find(room, |r| r != Role::Customer);
        let (Some(customer), Some(agent)) = (customer, agent) else { return };
        if self.lines.get(&customer).is_none_or(|l| l.talks_since.is_some()) {
            return;
        }
        let spots = self.spots_machine(agent);
        let Some(leg) = self.lines.get_mut(&customer) else { return };
        let talk = match &leg.party {
            Party::Customer(Pickup::Person { person, .. }) if !leg.has_talked => person.talk,
            // Met a second time: they say good-bye.
            Party::Customer(Pickup::Person { .. }) => Millis::from_secs(3),
            _ => spots,
        };
        leg.talks_since = Some(now);
        leg.has_talked = true;
        self.plan(now + talk, customer, Act::TalkEnds);
    }

    /// One of the two hangs up.
    pub(super) fn talk_ends(&mut self, customer: Line, now: Timestamp) {
        let Some(leg) = self.lines.get(&customer) else { return };
        let Some((room, _)) = leg.room.filter(|_| leg.talks_since.is_some()) else { return };
        let by_customer = match &leg.party {
            Party::Customer(Pickup::Person { person, .. }) => person.ends,
            _ => false,
        };
        if by_customer {
            return self.end(customer, EndCause::Completed, now);
        }
        match (room, customer) {
            (Room::Agent(agent), Line::Leg(leg)) => {
                self.click(now, agent, Click::HangUp(leg.call));
                // An agent whose click is lost clicks again.
                self.plan(now + Millis::from_secs(5), customer, Act::TalkEnds);
            }
            _ => {
                if let Some(agent) = self.rooms.find(room, |r| r == Role::Agent) {
                    self.end(agent, EndCause::Completed, now);
                }
            }
        }
    }

    /// A line leaves the room that it is in, if it is in one.
    pub(super) fn leave(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get_mut(&line) else { return };
        let Some((room, role)) = leg.room.take() else { return };
        leg.talks_since = None;
        let left = match (role, room) {
            (Role::Customer | Role::Third, Room::Agent(agent)) => Some((now, agent)),
            _ => None,
        };
        if left.is_some() {
            (leg.facts.left_at, leg.facts.left) = (Some(now), left);
        }
        self.rooms.leave(room, line);
        let others = self.rooms.inside(room);
        for (other, other_role) in others {
            match (role, other_role) {
                // A customer who leaves a standing agent leaves the agent where they are.
                (Role::Customer, Role::Standing) | (Role::Customer, Role::Customer) => {}
                // One whom an agent brought in ends nothing.
                (Role::Third, _) => {}
                (Role::Customer, Role::Third) if left.is_some() => {}
                _ => self.put_out(other, room, now),
            }
        }
        if left.is_some() {
            self.say(now, line, LegFacts { left_at: Some(now), left, ..LegFacts::default() }, false);
        }
    }

    /// The room is over for somebody who stays on the line: they ask what is next.
    fn put_out(&mut self, line: Line, room: Room, now: Timestamp) {
        self.rooms.leave(room, line);
        let Some(leg) = self.lines.get_mut(&line) else { return };
        if leg.phase == Phase::Over {
            return;
        }
        let was_guest = leg.room.take().is_some_and(|(_, role)| matches!(role, Role::Customer | Role::Third));
        leg.talks_since = None;
        leg.turn += 1;
        let left = match room {
            Room::Agent(agent) if was_guest => Some((now, agent)),
            _ => None,
        };
        let left_at = left.map(|l| l.0);
        if left.is_some() {
            (leg.facts.left_at, leg.facts.left) = (left_at, left);
        }
        self.say(now, line, LegFacts { left_at, left, ..LegFacts::default() }, true);
        self.alone(line, now, Some(Millis::from_secs(4)));
    }
}
