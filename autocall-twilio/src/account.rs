//! Carrier accounts: where they are, how we prove who we are, and how they prove who they are.
//!
//! Each tenant may bring an account of its own; the environment's is the default. A webhook is
//! checked against the accounts of the tenant in its path and no others.

use autocall_core::TenantId;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Twilio's own address.
pub const TWILIO_API: &str = "https://api.twilio.com";

/// The name of the environment's account.
pub const DEFAULT: &str = "default";

/// How REST requests are authorised: HTTP Basic, either way.
#[derive(Clone, Debug)]
pub enum Auth {
    /// The account's id and its auth token.
    Token(SecretString),
    /// An API key: its id (`SK…`) and secret. Keys never sign webhooks.
    Key {
        /// The key's id.
        id: String,
        /// The key's secret.
        secret: SecretString,
    },
}

/// How the carrier signs its webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SignatureKind {
    /// `X-Twilio-Signature`.
    #[default]
    Twilio,
    /// SignalWire's compatible interface: the same scheme under `X-SignalWire-Signature`.
    SignalWire,
}

impl SignatureKind {
    /// The header that carries the signature, in lower case.
    pub fn header(self) -> &'static str {
        match self {
            SignatureKind::Twilio => "x-twilio-signature",
            SignatureKind::SignalWire => "x-signalwire-signature",
        }
    }
}

/// What a compatible carrier may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Detection that reports while the call goes on.
    pub async_amd: bool,
    /// Conferences and their participants.
    pub conferences: bool,
    /// The stored create request of a call (`Events.json`), which makes look-ups exact.
    pub events: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Abilities { async_amd: true, conferences: true, events: true }
    }
}

/// One account of a carrier.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name among ours: `default`, or the tenant's id.
    pub name: Arc<str>,
    /// The carrier's id of it: `AC…` at Twilio, a UUID elsewhere. Opaque.
    pub id: Arc<str>,
    /// The address of the interface: scheme, host, and any path before `/2010-04-01`.
    pub base_url: Arc<str>,
    /// How we prove who we are.
    pub auth: Auth,
    /// The tokens that may have signed a webhook: the primary one, and the one before it while a
    /// rotation lasts. At most two count.
    pub signing: Vec<SecretString>,
    /// How webhooks are signed.
    pub signature: SignatureKind,
    /// What the carrier can do.
    pub abilities: Abilities,
}

impl Account {
    /// A Twilio account with its auth token.
    pub fn twilio(name: &str, id: &str, token: &str) -> Account {
        Account {
            name: name.into(),
            id: id.into(),
            base_url: TWILIO_API.into(),
            auth: Auth::Token(SecretString::from(token)),
            signing: vec![SecretString::from(token)],
            signature: SignatureKind::Twilio,
            abilities: Abilities::default(),
        }
    }
    /// The same at another address: a compatible carrier, or a fake on this machine.
    #[must_use]
    pub fn at(mut self, base_url: &str) -> Account {
        self.base_url = base_url.trim_end_matches('/').into();
        self
    }
    /// Whether the carrier itself is on this machine: a fake.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.base_url)
    }
    /// The address of a resource below the account.
    pub fn url(&self, resource: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}/{resource}", self.base_url, self.id)
    }
}

/// Whether a URL's host is this machine, without a parser's surprises: only these spellings.
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// Finds accounts. A server looks them up in its store and keeps them in memory; this is asked on
/// every webhook.
#[async_trait::async_trait]
pub trait Accounts: Send + Sync {
    /// The account of this name (as in [`autocall_core::ports::Dial::account`]).
    async fn named(&self, name: &str) -> Option<Arc<Account>>;
    /// The accounts that may call back for this tenant: its own where it has one, otherwise the
    /// default.
    async fn of_tenant(&self, tenant: TenantId) -> Vec<Arc<Account>>;
}

/// Accounts from the environment and from configuration.
#[derive(Clone, Debug, Default)]
pub struct FixedAccounts {
    default: Option<Arc<Account>>,
    of_tenants: BTreeMap<TenantId, Arc<Account>>,
}

impl FixedAccounts {
    /// One account for everybody.
    pub fn one(account: Account) -> FixedAccounts {
        FixedAccounts { default: Some(Arc::new(account)), of_tenants: BTreeMap::new() }
    }
    /// Gives a tenant an account of its own.
    #[must_use]
    pub fn with(mut self, tenant: TenantId, account: Account) -> FixedAccounts {
        self.of_tenants.insert(tenant, Arc::new(account));
        self
    }
}

#[async_trait::async_trait]
impl Accounts for FixedAccounts {
    async fn named(&self, name: &str) -> Option<Arc<Account>> {
        let tenant = name.parse().ok().map(TenantId);
        tenant.and_then(|t| self.of_tenants.get(&t)).or(self.default.as_ref()).cloned()
    }
    async fn of_tenant(&self, tenant: TenantId) -> Vec<Arc<Account>> {
        self.of_tenants.get(&tenant).or(self.default.as_ref()).cloned().into_iter().collect()
    }
}
