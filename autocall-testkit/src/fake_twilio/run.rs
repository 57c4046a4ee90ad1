//! Running TwiML: fetching documents and doing what their verbs say.

use super::conference::{self, Entrance};
use super::hooks::{self, Request, send};
use super::line::{News, Plan, common_fields, live};
use super::people::Person;
use super::rest_calls::{NewCall, detection, insert};
use super::rest_recordings;
use super::twiml::{Node, parse};
use super::world::{Command, Hook, Membership, Shared, Source, Status};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// More documents than any honest call asks for.
const DOCUMENTS_MAX: usize = 10_000;
/// A second of speech, in characters.
const CHARACTERS_PER_SECOND: i64 = 16;

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    HungUp,
    RanOut,
    Rejected(Status),
}

/// What a verb leads to.
enum Flow {
    Next,
    Goto(Source),
    Stop(Ended),
}

/// One side of one call while its script runs.
pub(crate) struct Line {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sid: String,
    account: String,
    person: Person,
    keys: Arc<tokio::sync::Mutex<mpsc::Receiver<String>>>,
    gathers: usize,
    dials: bool,
}

impl Line {
    pub(crate) fn new(shared: Arc<Shared>, sid: String, person: Person, keys: mpsc::Receiver<String>) -> Line {
        let account = shared.world().calls.get(&sid).map(|c| c.account.clone()).unwrap_or_default();
        let keys = Arc::new(tokio::sync::Mutex::new(keys));
        Line { shared, sid, account, person, keys, gathers: 0, dials: true }
    }
    fn note(&self, kind: &'static str, what: impl Into<String>) {
        let now = self.shared.now_ms();
        self.shared.world().note(now, kind, Some(&self.sid), what);
    }
}

/// Runs documents until the call is to end. `dials`: whether `<Dial>` is allowed.
pub(crate) async fn run(line: &mut Line, first: Source, dials: bool) -> Ended {
    line.dials = dials;
    let mut source = first;
    for _ in 0..DOCUMENTS_MAX {
        let Some((verbs, base)) = load(line, source).await else { return Ended::HungUp };
        let mut next = None;
        for verb in &verbs {
            match act(line, verb, &base).await {
                Flow::Next => {}
                Flow::Goto(source) => {
                    next = Some(source);
                    break;
                }
                Flow::Stop(ended) => return ended,
            }
        }
        match next {
            Some(found) => source = found,
            None => return Ended::RanOut,
        }
    }
    Ended::HungUp
}

/// Fetches and parses a document; the fallback document if that fails.
async fn load(line: &Line, source: Source) -> Option<(Vec<Node>, String)> {
    let first = fetch(line, &source).await;
    let error = match first {
        Ok(found) => return Some(found),
        Err(error) => error,
    };
    line.note("fault", format!("twiml: {error}"));
    line.shared.world().stats.bad_twiml += 1;
    let fallback = line.shared.world().calls.get(&line.sid).and_then(|c| c.fallback.clone())?;
    let fields = vec![
        ("ErrorCode".to_owned(), error.split(':').next().unwrap_or("11200").to_owned()),
        ("ErrorUrl".to_owned(), if let Source::Fetch { url, .. } = &source { url.clone() } else { String::new() }),
    ];
    fetch(line, &Source::Fetch { url: fallback.0, method: fallback.1, fields }).await.ok()
}

async fn fetch(line: &Line, source: &Source) -> Result<(Vec<Node>, String), String> {
    let (text, base) = match source {
        Source::Inline { text, base } => (text.clone(), base.clone()),
        Source::Fetch { url, method, fields } => {
            let mut all = match line.shared.world().calls.get(&line.sid) {
                Some(call) => common_fields(call),
                None => return Err("11200: the call is gone".into()),
            };
            all.extend(fields.clone());
            let fails = {
                let mut world = line.shared.world();
                let probability = world.faults.fetch_fail;
                world.chance(probability)
            };
            if fails {
                return Err("11200: failed on purpose".into());
            }
            let request = Request {
                account: line.account.clone(),
                call: Some(line.sid.clone()),
                purpose: "twiml",
                url: url.clone(),
                method: method.clone(),
                fields: all,
            };
            let reply = send(&line.shared, &request).await?;
            if !(200..300).contains(&reply.status) {
                return Err(format!("11200: status {}", reply.status));
            }
            if reply.status == 204 || reply.body.is_empty() {
                return Ok((Vec::new(), url.clone()));
            }
            if !reply.content_type.contains("xml") {
                return Err(format!("12300: content type {}", reply.content_type));
            }
            (String::from_utf8(reply.body.to_vec()).map_err(|_| "12100: not UTF-8")?, url.clone())
        }
    };
    let verbs = parse(&text).map_err(|e| e.to_string())?;
    Ok((verbs, base))
}

fn resolve(base: &str, url: &str) -> String {
    match reqwest::Url::parse(base).and_then(|b| b.join(url)) {
        Ok(found) if !url.starts_with("http") => found.to_string(),
        _ => url.to_owned(),
    }
}

fn goto(base: &str, url: &str, method: Option<&str>, fields: Vec<(String, String)>) -> Flow {
    let url = if url.is_empty() { base.to_owned() } else { resolve(base, url) };
    Flow::Goto(Source::Fetch { url, method: method.unwrap_or("POST").to_owned(), fields })
}

async fn act(line: &mut Line, verb: &Node, base: &str) -> Flow {
    match verb.name.as_str() {
        "Say" | "Play" | "Pause" => {
            sound(line, verb, base).await;
            Flow::Next
        }
        "Gather" => gather(line, verb, base).await,
        "Dial" if line.dials => dial(line, verb, base).await,
        "Redirect" => goto(base, &verb.text, verb.attribute("method"), Vec::new()),
        "Record" => record(line, verb, base).await,
        "Reject" => {
            let busy = verb.attribute("reason") == Some("busy");
            Flow::Stop(Ended::Rejected(if busy { Status::Busy } else { Status::NoAnswer }))
        }
        _ => Flow::Stop(Ended::HungUp),
    }
}

/// Speech, audio or silence, as long as it lasts.
async fn sound(line: &Line, verb: &Node, base: &str) {
    let pace = line.shared.pace;
    match verb.name.as_str() {
        "Pause" => pace.sleep_ms(verb.seconds_as_ms("length", 1)).await,
        "Say" => {
            line.note("said", verb.text.clone());
            let ms = verb.text.chars().count() as i64 * 1000 / CHARACTERS_PER_SECOND;
            pace.sleep_ms(ms.max(300)).await;
        }
        _ if verb.attribute("digits").is_some() => pace.sleep_ms(500).await,
        _ => {
            let url = resolve(base, &verb.text);
            let ms = audio_ms(line, &url).await;
            line.note("played", format!("{url} {}", ms.map_or("failed".into(), |ms| format!("{ms}ms"))));
            match (ms, verb.attribute("loop")) {
                (Some(_), Some("0")) => std::future::pending().await,
                (Some(ms), times) => {
                    let times: i64 = times.and_then(|t| t.parse().ok()).unwrap_or(1);
                    pace.sleep_ms(ms.saturating_mul(times)).await;
                }
                (None, _) => {}
            }
        }
    }
}

/// The length of a sound file; `None` if it cannot be had.
async fn audio_ms(line: &Line, url: &str) -> Option<i64> {
    if !hooks::is_loopback(url) {
        return None;
    }
    let reply = line.shared.client.get(url).timeout(std::time::Duration::from_secs(10)).send().await.ok()?;
    if !reply.status().is_success() {
        return None;
    }
    let kind = reply.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    if !kind.starts_with("audio/") {
        return None;
    }
    let bytes = reply.bytes().await.ok()?;
    Some(sound_file_ms(&bytes))
}

/// WAV by its byte rate, anything else as 128 kbit/s.
fn sound_file_ms(bytes: &[u8]) -> i64 {
    let rate = bytes.get(28..32).filter(|_| bytes.starts_with(b"RIFF"));
    let per_second = rate.and_then(|b| b.try_into().ok()).map_or(16_000, u32::from_le_bytes).max(1);
    (bytes.len() as i64 * 1000 / i64::from(per_second)).max(100)
}

async fn gather(line: &mut Line, verb: &Node, base: &str) -> Flow {
    let index = line.gathers;
    line.gathers += 1;
    let keys = line.keys.clone();
    let mut keys = keys.lock().await;
    while keys.try_recv().is_ok() {}
    let began = line.shared.now_ms();
    if line.person.hang_up_at_gather == Some(index) {
        line.shared.pace.sleep_ms(500).await;
        return Flow::Stop(Ended::HungUp);
    }
    let press = line.person.presses.get(index).cloned();
    let shared = line.shared.clone();
    let pressed = async {
        match press {
            Some(press) => {
                shared.pace.sleep_until_ms(began + press.after_ms).await;
                press.digits
            }
            None => std::future::pending().await,
        }
    };
    let quiet = async {
        for nested in &verb.children {
            sound(line, nested, base).await;
        }
        line.shared.pace.sleep_ms(verb.seconds_as_ms("timeout", 5)).await;
    };
    let digits = tokio::select! {
        digits = pressed => digits,
        Some(digits) = keys.recv() => digits,
        () = quiet => String::new(),
    };
    drop(keys);
    let finish = verb.attribute("finishOnKey").unwrap_or("#");
    let digits: String = digits.chars().take_while(|c| finish.is_empty() || !finish.contains(*c)).collect();
    let most: usize = verb.attribute("numDigits").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    let digits: String = digits.chars().take(most).collect();
    if digits.is_empty() && !verb.flag("actionOnEmptyResult", false) {
        return Flow::Next;
    }
    line.note("pressed", digits.clone());
    let fields = vec![("Digits".to_owned(), digits), ("msg".to_owned(), "Gather End".to_owned())];
    goto(base, verb.attribute("action").unwrap_or_default(), verb.attribute("method"), fields)
}

async fn record(line: &mut Line, verb: &Node, base: &str) -> Flow {
    let hook = Hook {
        url: verb.attribute("recordingStatusCallback").map(|u| resolve(base, u)).unwrap_or_default(),
        method: verb.attribute("recordingStatusCallbackMethod").unwrap_or("POST").to_owned(),
        events: vec!["completed".into()],
    };
    let now = line.shared.now_ms();
    let recording =
        rest_recordings::start(&mut line.shared.world(), now, &line.account, Some(&line.sid), None, "RecordVerb", hook);
    line.shared.pace.sleep_ms(verb.seconds_as_ms("maxLength", 3_600).min(5_000)).await;
    rest_recordings::finish(&line.shared, &recording);
    let fields = vec![("RecordingSid".to_owned(), recording), ("RecordingDuration".to_owned(), "5".to_owned())];
    goto(base, verb.attribute("action").unwrap_or_default(), verb.attribute("method"), fields)
}

async fn dial(line: &mut Line, verb: &Node, base: &str) -> Flow {
    let (status, more) = match verb.children.first() {
        Some(noun) if noun.name == "Conference" => (in_conference(line, noun, base).await, Vec::new()),
        Some(_) => to_numbers(line, verb, &verb.children, base).await,
        None if !verb.text.is_empty() => {
            let noun = Node { name: "Number".into(), text: verb.text.clone(), ..Node::default() };
            to_numbers(line, verb, std::slice::from_ref(&noun), base).await
        }
        None => ("failed", Vec::new()),
    };
    let Some(action) = verb.attribute("action") else { return Flow::Next };
    let mut fields = vec![("DialCallStatus".to_owned(), status.to_owned())];
    fields.extend(more);
    goto(base, action, verb.attribute("method"), fields)
}

/// A hook as the attributes of a noun give it.
fn noun_hook(noun: &Node, base: &str, absent: &str) -> Hook {
    Hook {
        url: noun.attribute("statusCallback").map(|u| resolve(base, u)).unwrap_or_default(),
        method: noun.attribute("statusCallbackMethod").unwrap_or("POST").to_owned(),
        events: noun.attribute("statusCallbackEvent").unwrap_or(absent).split_whitespace().map(str::to_owned).collect(),
    }
}

async fn in_conference(line: &Line, noun: &Node, base: &str) -> &'static str {
    let recording_hook = Hook {
        url: noun.attribute("recordingStatusCallback").map(|u| resolve(base, u)).unwrap_or_default(),
        method: "POST".into(),
        events: vec!["completed".into()],
    };
    let entrance = Entrance {
        name: noun.text.clone(),
        label: noun.attribute("participantLabel").unwrap_or_default().to_owned(),
        muted: noun.flag("muted", false),
        start: noun.flag("startConferenceOnEnter", true),
        end: noun.flag("endConferenceOnExit", false),
        coach: noun.attribute("coach").filter(|c| !c.is_empty()).map(str::to_owned),
        participants_max: noun.attribute("maxParticipants").and_then(|n| n.parse().ok()).unwrap_or(250),
        hook: noun_hook(noun, base, ""),
        record: noun.attribute("record") == Some("record-from-start"),
        recording_hook,
    };
    let mut member = match conference::join(&line.shared, &line.sid, &line.account, &entrance) {
        Ok((_, member)) => member,
        Err(code) => {
            line.note("fault", format!("{code}: not let into the conference"));
            return "failed";
        }
    };
    let music = noun.attribute("waitUrl").filter(|u| !u.is_empty()).map(|u| resolve(base, u));
    let method = noun.attribute("waitMethod").unwrap_or("POST").to_owned();
    loop {
        let state = member.borrow_and_update().clone();
        match (state, &music) {
            (Membership::Out(_), _) => return "completed",
            (Membership::Waiting, Some(url)) => {
                let watch = member.clone();
                tokio::select! {
                    changed = member.changed() => if changed.is_err() { return "completed" },
                    fine = wait_music(line, url, &method, watch) => if !fine {
                        line.note("fault", "the wait URL failed: the conference is not established");
                        conference::leave(&line.shared, &line.sid, "participant_add_failed");
                        return "failed";
                    }
                }
            }
            _ => {
                if member.changed().await.is_err() {
                    return "completed";
                }
            }
        }
    }
}

/// Plays what the wait URL says; `false` if it fails. Ends only then: silence comes after.
async fn wait_music(line: &Line, url: &str, method: &str, mut member: watch::Receiver<Membership>) -> bool {
    let mut url = url.to_owned();
    for _ in 0..DOCUMENTS_MAX {
        if method.eq_ignore_ascii_case("GET")
            && let Some(ms) = audio_ms(line, &url).await
        {
            line.note("played", format!("{url} while waiting"));
            line.shared.pace.sleep_ms(ms).await;
            continue;
        }
        let source = Source::Fetch { url: url.clone(), method: method.to_owned(), fields: Vec::new() };
        let verbs = match fetch(line, &source).await {
            Ok((verbs, _)) => verbs,
            Err(error) => {
                line.note("fault", format!("wait: {error}"));
                return false;
            }
        };
        let mut again = false;
        for verb in &verbs {
            match verb.name.as_str() {
                "Say" | "Play" | "Pause" => sound(line, verb, &url).await,
                "Redirect" => {
                    if !verb.text.is_empty() {
                        url = resolve(&url, &verb.text);
                    }
                    again = true;
                    break;
                }
                _ => return false,
            }
        }
        if !again {
            break;
        }
        line.shared.pace.sleep_ms(200).await;
    }
    while !matches!(*member.borrow_and_update(), Membership::Out(_)) {
        if member.changed().await.is_err() {
            break;
        }
    }
    true
}

/// Hangs up the children when the parent's script is left in whatever way.
struct Children(Vec<(String, mpsc::Sender<Command>)>);

impl Children {
    fn hang_up_all_but(&self, keep: Option<&str>) {
        for (sid, commands) in &self.0 {
            if Some(sid.as_str()) != keep {
                let _ = commands.try_send(Command::Hangup);
            }
        }
    }
}
impl Drop for Children {
    fn drop(&mut self) {
        self.hang_up_all_but(None);
    }
}

async fn to_numbers(line: &Line, dial: &Node, nouns: &[Node], base: &str) -> (&'static str, Vec<(String, String)>) {
    let (sender, mut news) = mpsc::channel(16);
    let mut children = Children(Vec::new());
    for noun in nouns.iter().take(10) {
        let from = dial.attribute("callerId").map(str::to_owned);
        let (sid, commands) = child(line, dial, noun, base, from, sender.clone());
        children.0.push((sid, commands));
    }
    drop(sender);
    let mut last = "failed";
    let winner = loop {
        match news.recv().await {
            Some(News::Ready(sid)) => break sid,
            Some(News::Over(_, status)) => last = if status == "canceled" { "no-answer" } else { status },
            None => return (last, Vec::new()),
        }
    };
    children.hang_up_all_but(Some(&winner));
    let since = line.shared.now_ms();
    for side in [&line.sid, &winner] {
        line.shared.world().bridge(side, since, true);
    }
    line.note("joined", format!("bridged with {winner}"));
    let limit = line.shared.pace.sleep_ms(dial.seconds_as_ms("timeLimit", 14_400));
    tokio::pin!(limit);
    loop {
        tokio::select! {
            () = &mut limit => break,
            what = news.recv() => match what {
                Some(News::Over(sid, _)) if sid == winner => break,
                None => break,
                _ => {}
            }
        }
    }
    let now = line.shared.now_ms();
    line.shared.world().bridge(&line.sid, now, false);
    let seconds = ((now - since) / 1000).max(1);
    let fields = vec![
        ("DialCallSid".to_owned(), winner),
        ("DialCallDuration".to_owned(), seconds.to_string()),
        ("DialBridged".to_owned(), "true".to_owned()),
    ];
    ("completed", fields)
}

fn child(
    line: &Line,
    dial: &Node,
    noun: &Node,
    base: &str,
    from: Option<String>,
    news: mpsc::Sender<News>,
) -> (String, mpsc::Sender<Command>) {
    let parent_from = line.shared.world().calls.get(&line.sid).map(|c| c.from.clone()).unwrap_or_default();
    let to = match noun.name.as_str() {
        "Client" if !noun.text.starts_with("client:") => format!("client:{}", noun.text),
        _ => noun.text.clone(),
    };
    let attribute = |name: &str| noun.attribute(name).map(str::to_owned);
    let detection = detection(|name| {
        let spelled = match name {
            "AsyncAmdStatusCallback" => "amdStatusCallback".to_owned(),
            "AsyncAmd" => return Some("true".into()),
            other => other[..1].to_lowercase() + &other[1..],
        };
        attribute(&spelled)
    });
    let new = NewCall {
        account: line.account.clone(),
        to,
        from: from.unwrap_or(parent_from),
        parent: Some(line.sid.clone()),
        direction: "outbound-dial",
        queue_ms: 0,
        hook: noun_hook(noun, base, "completed"),
        ring_ms_max: dial.seconds_as_ms("timeout", 30),
        call_ms_max: 14_400_000,
        detection,
        ..NewCall::default()
    };
    let (sid, commands, keys) = insert(&line.shared, new);
    let before = noun.attribute("url").map(|url| Source::Fetch {
        url: resolve(base, url),
        method: noun.attribute("method").unwrap_or("POST").to_owned(),
        fields: Vec::new(),
    });
    let sender = line.shared.world().calls.get(&sid).map(|c| c.commands.clone()).expect("just inserted");
    // Boxed: a child runs the same kind of task as its parent.
    let task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> =
        Box::pin(live(line.shared.clone(), sid.clone(), Plan::Child(before, news), commands, keys));
    tokio::spawn(task);
    (sid, sender)
}
