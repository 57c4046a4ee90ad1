//! The addresses that the carrier calls back. Line and tenant stand in the path, where the
//! signature covers them; the public base comes from the configuration and from nowhere else.

use autocall_core::ports::Line;
use autocall_core::script::Room;
use autocall_core::{AgentId, CallId, LegId, TenantId};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where all webhooks live below the public base.
pub const PREFIX: &str = "/webhooks/twilio/";

/// Overrides for requests that somebody listens to: fail fast and try again.
const TWIML_OVERRIDES: &str = "#ct=1000&rt=3000&rc=2&rp=all";
/// Overrides for reports.
const REPORT_OVERRIDES: &str = "#rc=3&rp=all";

/// What a webhook is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// A customer's leg asks what to do.
    Answer,
    /// An agent's leg asks what to do.
    AgentAnswer,
    /// What the detection heard.
    Amd,
    /// How far a leg is.
    Status,
    /// What happens in a room.
    ConferenceStatus,
    /// An agent's key, or none, after a whisper.
    Accept,
    /// A leg left its room.
    After,
    /// A message played to its end.
    MessageEnd,
    /// A key during a message.
    OptOut,
    /// A key after the question whether the call may be recorded.
    Consent,
    /// What is heard while waiting.
    Wait,
    /// A recording is done.
    Recording,
    /// Somebody calls one of our numbers.
    Inbound,
    /// What a caller to one of our numbers pressed.
    InboundKeys,
    /// A caller who was connected to an agent has left.
    InboundEnd,
}

/// Every route, with its path segment.
pub const ROUTES: [(Route, &str); 15] = [
    (Route::Answer, "answer"),
    (Route::AgentAnswer, "agent-answer"),
    (Route::Amd, "amd"),
    (Route::Status, "status"),
    (Route::ConferenceStatus, "conference-status"),
    (Route::Accept, "accept"),
    (Route::After, "after"),
    (Route::MessageEnd, "message-end"),
    (Route::OptOut, "opt-out"),
    (Route::Consent, "consent"),
    (Route::Wait, "wait"),
    (Route::Recording, "recording"),
    (Route::Inbound, "inbound"),
    (Route::InboundKeys, "inbound-keys"),
    (Route::InboundEnd, "inbound-end"),
];

impl Route {
    /// Its path segment.
    pub fn segment(self) -> &'static str {
        ROUTES.iter().find(|(route, _)| *route == self).map_or("", |(_, segment)| segment)
    }
    /// Whether the answer is what somebody hears, rather than a mere receipt.
    pub fn is_asking(self) -> bool {
        !matches!(self, Route::Amd | Route::Status | Route::ConferenceStatus | Route::Recording)
    }
}

/// What a webhook's path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A line.
    Line(Line),
    /// A room.
    Room(Room),
    /// A tenant's numbers.
    Tenant(TenantId),
}

impl Subject {
    /// Whose it is.
    pub fn tenant(self) -> TenantId {
        match self {
            Subject::Line(line) => line.tenant(),
            Subject::Room(Room::Call(call)) => call.tenant(),
            Subject::Room(Room::Agent(agent)) => agent.tenant(),
            Subject::Tenant(tenant) => tenant,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Line(line) => line.fmt(f),
            // A call's room has the name of its customer's leg.
            Subject::Room(Room::Call(call)) => write!(f, "{call}-0"),
            Subject::Room(Room::Agent(agent)) => write!(f, "{agent}-room"),
            Subject::Tenant(tenant) => write!(f, "{tenant}"),
        }
    }
}

/// The path after [`PREFIX`], taken apart. `None` if it is not one of ours.
pub fn parse(path: &str) -> Option<(Route, Subject)> {
    let (segment, name) = path.strip_prefix(PREFIX)?.split_once('/')?;
    let (route, _) = *ROUTES.iter().find(|(_, s)| *s == segment)?;
    let subject = match route {
        Route::Inbound | Route::InboundKeys | Route::InboundEnd => {
            let tenant: u32 = name.parse().ok()?;
            Subject::Tenant(TenantId(tenant))
        }
        Route::ConferenceStatus => Subject::Room(room(name)?),
        _ => Subject::Line(Line::from_str(name).ok()?),
    };
    // One subject has one spelling.
    (subject.to_string() == name).then_some((route, subject))
}

/// Whether a request with this path only reports: under overload it waits behind those that ask. A
/// verdict is no mere report: until it comes, a person hears silence.
pub fn is_report(path: &str) -> bool {
    let segment = path.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')).map(|(segment, _)| segment);
    let route = segment.and_then(|s| ROUTES.iter().find(|(_, known)| *known == s)).map(|(route, _)| *route);
    route.is_some_and(|route| !route.is_asking() && route != Route::Amd)
}

fn room(name: &str) -> Option<Room> {
    if let Some(agent) = name.strip_suffix("-room") {
        return Some(Room::Agent(AgentId::from_str(agent).ok()?));
    }
    let leg = LegId::from_str(name).ok()?;
    (leg.leg == LegId::CUSTOMER).then_some(Room::Call(leg.call))
}

/// The carrier's name of a room: no personal data, at most 128 characters.
pub fn room_name(room: Room) -> String {
    match room {
        Room::Call(call) => format!("call-{call}"),
        Room::Agent(agent) => format!("agent-{agent}"),
    }
}

/// The room of a carrier's name of it.
pub fn named_room(name: &str) -> Option<Room> {
    if let Some(call) = name.strip_prefix("call-") {
        return Some(Room::Call(CallId::from_str(call).ok()?));
    }
    name.strip_prefix("agent-").and_then(|agent| Some(Room::Agent(AgentId::from_str(agent).ok()?)))
}

/// A line's label in a room. Labels are unique there; `again` tells a repeated entry apart from
/// an earlier one that the carrier still counts as inside; `recorded` asks whoever sees it join to
/// start recording it.
pub fn label(line: Line, again: u8, recorded: bool) -> String {
    match (again, recorded) {
        (0, false) => line.to_string(),
        (again, false) => format!("{line}.{again}"),
        (again, true) => format!("{line}.{again}r"),
    }
}

/// The label of a supervisor: theirs is one call, though a standing agent's room outlives it.
pub fn supervisor_label(call: CallId) -> String {
    format!("supervisor-{call}")
}

/// The call whose supervisor has this label.
pub fn supervised(label: &str) -> Option<CallId> {
    label.strip_prefix("supervisor-")?.parse().ok()
}

/// Whether a label asks for a recording.
pub fn is_recorded(label: &str) -> bool {
    label.ends_with('r') && label.contains('.')
}

/// The line of a label.
pub fn labelled(label: &str) -> Option<Line> {
    label.split('.').next()?.parse().ok()
}

/// Builds the addresses.
#[derive(Clone, Debug)]
pub struct Urls {
    base: Arc<str>,
}

/// A public base that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBase {
    /// It is not `http(s)://host[:port]`.
    #[error("the public base must be http:// or https:// and a host, without a path")]
    Shape,
    /// It holds a user name or password, which no two signers spell alike.
    #[error("the public base must not contain credentials")]
    Credentials,
    /// The carrier refuses host names with an underscore.
    #[error("the carrier refuses host names with an underscore")]
    Underscore,
}

impl Urls {
    /// From the public base, for example `https://calls.example.com`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(base: &str) -> Result<Urls, BadBase> {
        let base = base.trim_end_matches('/');
        let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://")).ok_or(BadBase::Shape)?;
        if rest.contains('@') {
            return Err(BadBase::Credentials);
        }
        if rest.is_empty() || rest.contains(['/', '?', '#', ' ', '"', '<', '>', '&']) {
            return Err(BadBase::Shape);
        }
        if rest.contains('_') {
            return Err(BadBase::Underscore);
        }
        Ok(Urls { base: base.into() })
    }
    /// The public base: scheme and authority.
    pub fn base(&self) -> &str {
        &self.base
    }
    /// The address of a webhook. `query` is appended as it stands.
    pub fn of(&self, route: Route, subject: Subject, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        let overrides = if route.is_asking() { TWIML_OVERRIDES } else { REPORT_OVERRIDES };
        format!("{}{PREFIX}{}/{subject}{mark}{query}{overrides}", self.base, route.segment())
    }
    /// The address at which a line asks what to do.
    pub fn answer(&self, line: Line, query: &str) -> String {
        let route = if is_customer(line) { Route::Answer } else { Route::AgentAnswer };
        self.of(route, Subject::Line(line), query)
    }
    /// The address of an uploaded sound.
    pub fn sound(&self, key: &str) -> String {
        let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
        format!("{}/media/{key}", self.base)
    }
}

/// Whether a line is a customer's leg.
pub fn is_customer(line: Line) -> bool {
    matches!(line, Line::Leg(leg) if leg.leg == LegId::CUSTOMER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::ports::StationId;

    fn leg(n: u8) -> Line {
        Line::Leg(LegId { call: CallId::small(TenantId(7), 0xab), leg: n })
    }

    #[test]
    fn every_address_reads_back() {
        let urls = Urls::new("https://calls.example.com/").expect("good");
        let agent = AgentId::small(TenantId(7), 5);
        let station = Line::Station(StationId { agent, shift: 2 });
        let call = CallId::small(TenantId(7), 0xab);
        for (route, _) in ROUTES {
            let subjects = match route {
                Route::Inbound | Route::InboundKeys | Route::InboundEnd => vec![Subject::Tenant(TenantId(7))],
                Route::ConferenceStatus => vec![Subject::Room(Room::Call(call)), Subject::Room(Room::Agent(agent))],
                _ => vec![Subject::Line(leg(0)), Subject::Line(leg(3)), Subject::Line(station)],
            };
            for subject in subjects {
                let url = urls.of(route, subject, "k=1");
                let path = url.strip_prefix("https://calls.example.com").expect("base").split(['?', '#']).next();
                assert_eq!(parse(path.expect("path")), Some((route, subject)), "{url}");
                assert_eq!(subject.tenant(), TenantId(7));
            }
        }
    }

    #[test]
    fn a_verdict_is_no_mere_report() {
        let urls = Urls::new("https://calls.example.com/").expect("good");
        let reports = |route: Route| {
            let url = urls.of(route, Subject::Line(leg(0)), "");
            is_report(
                url.strip_prefix("https://calls.example.com").and_then(|p| p.split(['?', '#']).next()).expect("path"),
            )
        };
        assert_eq!([Route::Status, Route::Recording].map(reports), [true; 2]);
        assert_eq!([Route::Answer, Route::Accept, Route::Amd].map(reports), [false; 3]);
        assert!(!is_report("/webhooks/twilio/nothing/at-all"));
    }

    #[test]
    fn what_is_not_ours_is_nothing() {
        let name = leg(0).to_string();
        for path in [
            "/webhooks/twilio/answer".to_owned(),
            format!("/webhooks/twilio/answer/{name}/more"),
            format!("/webhooks/twilio/answer/0{name}"),
            format!("/webhooks/twilio/answer/{}", name.to_uppercase()),
            format!("/webhooks/other/answer/{name}"),
            format!("/webhooks/twilio/nothing/{name}"),
            format!("/webhooks/twilio/conference-status/{}", leg(1)),
            "/webhooks/twilio/inbound/07".to_owned(),
        ] {
            assert_eq!(parse(&path), None, "{path}");
        }
    }

    #[test]
    fn rooms_and_labels_read_back() {
        for room in [Room::Call(CallId::small(TenantId(1), 2)), Room::Agent(AgentId::small(TenantId(1), 3))] {
            assert_eq!(named_room(&room_name(room)), Some(room));
            assert!(room_name(room).len() <= 128);
        }
        assert_eq!(labelled(&label(leg(2), 0, false)), Some(leg(2)));
        assert!(is_recorded(&label(leg(2), 0, true)) && !is_recorded(&label(leg(2), 1, false)));
        assert_eq!(labelled(&label(leg(2), 3, true)), Some(leg(2)));
        assert_eq!(labelled("nobody"), None);
    }

    #[test]
    fn a_base_with_credentials_a_path_or_an_underscore_is_refused() {
        for (base, why) in [
            ("calls.example.com", BadBase::Shape),
            ("https://", BadBase::Shape),
            ("https://a.example/x", BadBase::Shape),
            ("https://u:p@a.example", BadBase::Credentials),
            ("https://a_b.example", BadBase::Underscore),
        ] {
            assert_eq!(Urls::new(base).map(|_| ()), Err(why), "{base}");
        }
    }
}
