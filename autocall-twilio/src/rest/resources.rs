//! What the carrier answers, as far as we read it. Unknown fields are ignored; numbers in the
//! carrier's JSON are often strings.

use autocall_core::Timestamp;
use serde::Deserialize;

/// A call.
#[derive(Clone, Debug, Deserialize)]
pub struct CallResource {
    /// The carrier's id.
    pub sid: String,
    /// `queued`, `ringing`, `in-progress`, `completed`, `busy`, `failed`, `no-answer`, `canceled`.
    pub status: String,
    /// What the detection said, if it has.
    #[serde(default)]
    pub answered_by: Option<String>,
    /// When it was created, RFC 2822.
    #[serde(default)]
    pub date_created: Option<String>,
    /// When it began; empty until it is dialled.
    #[serde(default)]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub end_time: Option<String>,
    /// Seconds from answer to end, as text.
    #[serde(default)]
    pub duration: Option<String>,
    /// Milliseconds in the carrier's queue, as text.
    #[serde(default)]
    pub queue_time: Option<String>,
    /// What it cost, as text, negative; comes late.
    #[serde(default)]
    pub price: Option<String>,
    /// Whether it is a leg of somebody's `<Dial>`.
    #[serde(default)]
    pub parent_call_sid: Option<String>,
}

/// One stored request about a call.
#[derive(Clone, Debug, Deserialize)]
pub struct CallEvent {
    /// The request: method, URL and parameters.
    #[serde(default)]
    pub request: serde_json::Value,
}

/// A conference.
#[derive(Clone, Debug, Deserialize)]
pub struct ConferenceResource {
    /// The carrier's id.
    pub sid: String,
    /// Our name of it.
    pub friendly_name: String,
    /// `init`, `in-progress`, `completed`.
    pub status: String,
}

/// Somebody in a conference.
#[derive(Clone, Debug, Deserialize)]
pub struct ParticipantResource {
    /// The call.
    pub call_sid: String,
    /// Our label of it.
    #[serde(default)]
    pub label: Option<String>,
    /// The conference, once it exists.
    #[serde(default)]
    pub conference_sid: Option<String>,
    /// Cannot be heard.
    #[serde(default)]
    pub muted: bool,
    /// Hears music and is not heard.
    #[serde(default)]
    pub hold: bool,
}

/// A recording.
#[derive(Clone, Debug, Deserialize)]
pub struct RecordingResource {
    /// The carrier's id.
    pub sid: String,
    /// The call that was recorded.
    #[serde(default)]
    pub call_sid: Option<String>,
    /// `in-progress`, `paused`, `stopped`, `processing`, `completed`, `absent`, `deleted`.
    pub status: String,
    /// Seconds, as text.
    #[serde(default)]
    pub duration: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The path of the next page.
    pub next: Option<String>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    /// A page has its rows under a key that names the resource; it is the only array.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visit<T> {
            type Value = Page<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a page of a list")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
                let (mut rows, mut next) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "next_page_uri" => next = map.next_value::<Option<String>>()?,
                        "calls" | "events" | "conferences" | "participants" | "recordings" => {
                            rows = Some(map.next_value()?);
                        }
                        _ => {
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                let rows = rows.ok_or_else(|| serde::de::Error::custom("a page without rows"))?;
                Ok(Page { rows, next })
            }
        }
        deserializer.deserialize_map(Visit(std::marker::PhantomData))
    }
}

/// An RFC 2822 date as an instant.
pub fn instant(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::from_jiff)
}
