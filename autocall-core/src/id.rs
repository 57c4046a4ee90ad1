//! Identifiers. The tenant travels inside every id, so an unscoped look-up cannot be written.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use uuid::Uuid;

/// A tenant: one customer organisation, isolated from all others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub u32);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The identifier of a `K` (a marker type of [`kind`]) of one tenant.
///
/// Text form: `<tenant>-<32 hex digits>`, the same in URLs, JSON and logs.
pub struct Id<K> {
    tenant: TenantId,
    key: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// Marker types for [`Id`].
pub mod kind {
    /// A campaign.
    pub enum Campaign {}
    /// A lead: somebody to be called.
    pub enum Lead {}
    /// A call: one attempt at one lead.
    pub enum Call {}
    /// A human agent.
    pub enum Agent {}
    /// A pool of agents that campaigns share.
    pub enum Pool {}
    /// A list of leads.
    pub enum List {}
    /// An import of a file of leads.
    pub enum Import {}
    /// An uploaded sound.
    pub enum Audio {}
}

/// The id of a campaign.
pub type CampaignId = Id<kind::Campaign>;
/// The id of a lead.
pub type LeadId = Id<kind::Lead>;
/// The id of a call.
pub type CallId = Id<kind::Call>;
/// The id of an agent.
pub type AgentId = Id<kind::Agent>;
/// The id of a pool of agents.
pub type PoolId = Id<kind::Pool>;
/// The id of a list of leads.
pub type ListId = Id<kind::List>;
/// The id of an import.
pub type ImportId = Id<kind::Import>;
/// The id of an uploaded sound.
pub type AudioId = Id<kind::Audio>;

impl<K> Id<K> {
    /// The id with this tenant and key.
    pub const fn new(tenant: TenantId, key: Uuid) -> Self {
        Id { tenant, key, kind: PhantomData }
    }
    /// An id whose key is a small number; for tests, examples and simulations.
    pub const fn small(tenant: TenantId, n: u128) -> Self {
        Id::new(tenant, Uuid::from_u128(n))
    }
    /// A version 7 key from an instant (for index locality) and 74 or more random bits.
    pub fn v7(tenant: TenantId, at: crate::Timestamp, random: u128) -> Self {
        let ms = (at.ms().max(0) as u128) & 0xFFFF_FFFF_FFFF;
        let rand_a = (random >> 64) & 0x0FFF;
        let rand_b = random & 0x3FFF_FFFF_FFFF_FFFF;
        Id::new(tenant, Uuid::from_u128((ms << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b))
    }
    /// The tenant that owns the thing.
    pub const fn tenant(self) -> TenantId {
        self.tenant
    }
    /// The key within the tenant.
    pub const fn key(self) -> Uuid {
        self.key
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.tenant == other.tenant && self.key == other.key
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.tenant, self.key).cmp(&(other.tenant, other.key))
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, h: &mut H) {
        self.tenant.hash(h);
        self.key.hash(h);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.tenant, self.key.simple())
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected <tenant>-<32 hex digits>")]
pub struct ParseIdError;

impl<K> FromStr for Id<K> {
    type Err = ParseIdError;
    fn from_str(s: &str) -> Result<Self, ParseIdError> {
        let (tenant, key) = s.split_once('-').ok_or(ParseIdError)?;
        let tenant = canonical_u32(tenant)?;
        if key.len() != 32 || key.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseIdError);
        }
        let key = Uuid::try_parse(key).map_err(|_| ParseIdError)?;
        Ok(Id::new(TenantId(tenant), key))
    }
}

/// One number has one spelling: no sign, no leading zero, so that a signed URL names one thing.
fn canonical_u32(s: &str) -> Result<u32, ParseIdError> {
    let canonical = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()) && (s == "0" || !s.starts_with('0'));
    if canonical { s.parse().map_err(|_| ParseIdError) } else { Err(ParseIdError) }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = std::borrow::Cow::<'de, str>::deserialize(d)?;
        s.parse().map_err(de::Error::custom)
    }
}

/// One leg of a call. Leg 0 is the customer; agent offers take the next index. No leg id is ever
/// dialled twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId {
    /// The call that the leg is part of.
    pub call: CallId,
    /// The index within the call.
    pub leg: u8,
}

impl LegId {
    /// The index of the customer's leg.
    pub const CUSTOMER: u8 = 0;
}
impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.call, self.leg)
    }
}
impl fmt::Debug for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for LegId {
    type Err = ParseIdError;
    fn from_str(s: &str) -> Result<Self, ParseIdError> {
        let (call, leg) = s.rsplit_once('-').ok_or(ParseIdError)?;
        let leg = u8::try_from(canonical_u32(leg)?).map_err(|_| ParseIdError)?;
        Ok(LegId { call: call.parse()?, leg })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text_and_has_one_spelling() {
        let id: CallId = Id::v7(TenantId(7), crate::Timestamp::from_secs(1_800_000_000), u128::MAX);
        let text = id.to_string();
        assert_eq!(text.parse::<CallId>(), Ok(id));
        assert_eq!(id.key().get_version_num(), 7);
        let leg = LegId { call: id, leg: 3 };
        assert_eq!(leg.to_string().parse::<LegId>(), Ok(leg));
        for wrong in [
            format!("0{text}"),
            format!("+{text}"),
            text.to_uppercase() + "A",
            text.replace('-', ""),
            format!("{text}-03"),
        ] {
            assert!(wrong.parse::<CallId>().is_err() || wrong.parse::<LegId>().is_err(), "{wrong}");
        }
        assert!(format!("{text}-03").parse::<LegId>().is_err());
        assert!(format!("{text}-256").parse::<LegId>().is_err());
    }
}
