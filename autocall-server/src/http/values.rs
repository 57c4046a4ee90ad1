//! Small values of the API: ids without their tenant, instants as text.

use super::problem::Problem;
use autocall_core::{Id, TenantId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// The key of a thing within its tenant, as 32 hex digits. Requests carry only keys: the tenant is
/// added from the signed-in principal, so a request cannot even name another tenant's thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(pub Uuid);

impl Key {
    /// The id that the key has in a tenant.
    pub fn of<K>(self, tenant: TenantId) -> Id<K> {
        Id::new(tenant, self.0)
    }
}

impl<K> From<Id<K>> for Key {
    fn from(id: Id<K>) -> Key {
        Key(id.key())
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl std::str::FromStr for Key {
    type Err = Problem;
    /// A text that is no key is answered as one that does not exist.
    fn from_str(s: &str) -> Result<Key, Problem> {
        let one_spelling = s.len() == 32 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !one_spelling {
            return Err(Problem::not_found());
        }
        Uuid::try_parse(s).map(Key).map_err(|_| Problem::not_found())
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Key, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(|_| serde::de::Error::custom("expected an id: 32 small hex digits"))
    }
}

impl PartialSchema for Key {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-f]{32}$"))
            .description(Some("The key of a thing within its tenant."))
            .into()
    }
}
impl ToSchema for Key {
    fn name() -> std::borrow::Cow<'static, str> {
        "Key".into()
    }
}

/// An instant in RFC 3339, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct When(pub Timestamp);

impl When {
    /// `None` for "never".
    pub fn or_never(at: Timestamp) -> Option<When> {
        (at != Timestamp::NEVER).then_some(When(at))
    }
}

impl From<Timestamp> for When {
    fn from(at: Timestamp) -> When {
        When(at)
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<When, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        let at: jiff::Timestamp =
            text.parse().map_err(|_| serde::de::Error::custom("expected a time such as 2026-01-31T09:30:00Z"))?;
        Ok(When(Timestamp::from_jiff(at)))
    }
}

impl PartialSchema for When {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}
impl ToSchema for When {
    fn name() -> std::borrow::Cow<'static, str> {
        "When".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling_and_names_no_tenant() {
        let id: autocall_core::LeadId = Id::small(TenantId(7), 42);
        let key = Key::from(id);
        assert_eq!(key.to_string().parse::<Key>().ok(), Some(key));
        assert_eq!(key.of(TenantId(7)), id);
        for wrong in [id.to_string(), key.to_string().to_uppercase() + "A", "".into(), "x".repeat(32)] {
            assert_eq!(wrong.parse::<Key>().map_err(|p| p.status), Err(404), "{wrong}");
        }
    }

    #[test]
    fn instants_read_back() {
        let when = When(Timestamp::from_ms(1_800_000_000_123));
        let text = serde_json::to_string(&when).expect("text");
        assert_eq!(serde_json::from_str::<When>(&text).expect("reads"), when);
        assert!(serde_json::from_str::<When>("\"tomorrow\"").is_err());
    }
}
