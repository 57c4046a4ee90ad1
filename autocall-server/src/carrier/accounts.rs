//! Whose carrier account calls: a tenant's own where it brought one, otherwise the environment's.

use super::rates::{Buckets, DEFAULT};
use async_trait::async_trait;
use autocall_core::TenantId;
use autocall_core::ports::catalog::{Catalog, CatalogError, Document};
use autocall_core::ports::{Put, Versioned};
use autocall_twilio::{Account, Accounts};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The kind of the documents that hold accounts, and the key of the one that a tenant has.
const KIND: &str = "carrier";
const KEY: &str = "account";
/// How long an account is believed: after this at the latest every node uses the new one.
const BELIEVED: Duration = Duration::from_secs(10);

/// A tenant's own account, as it is kept (sealed).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// `AC…`.
    pub account_sid: String,
    /// Signs webhooks and requests.
    pub auth_token: String,
    /// The token before it, still believed in webhooks while a rotation lasts.
    #[serde(default)]
    pub token_before: Option<String>,
    /// The account before it: its last calls still report, its recordings are still there.
    #[serde(default)]
    pub former: Option<Box<Own>>,
}

impl Own {
    /// As the adapter has it, at the carrier's address.
    pub fn account(&self, tenant: TenantId, base: &str) -> Account {
        let mut account = Account::twilio(&tenant.to_string(), &self.account_sid, &self.auth_token).at(base);
        account.signing.extend(self.token_before.as_deref().map(Into::into));
        account
    }
}

/// Reads a tenant's own account.
pub async fn own(catalog: &dyn Catalog, tenant: TenantId) -> Result<Option<Versioned<Own>>, CatalogError> {
    match catalog.document(tenant, KIND, KEY).await {
        Ok(found) => {
            // What cannot be read is not guessed at: nobody calls on another account by mistake.
            let row =
                serde_json::from_value(found.row.body).map_err(|_| CatalogError::Invalid("carrier account".into()))?;
            Ok(Some(Versioned { row, version: found.version }))
        }
        Err(CatalogError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a tenant's own account; `expected` 0 makes it.
pub async fn put(catalog: &dyn Catalog, tenant: TenantId, own: &Own, expected: u64) -> Result<(), CatalogError> {
    let body = serde_json::to_value(own).map_err(|_| CatalogError::Invalid("carrier account".into()))?;
    let row = Document { tenant, kind: KIND.into(), key: KEY.into(), body, until: None };
    catalog.put_document(&Put { row, expected }).await
}

/// Removes it: the environment's account calls again.
pub async fn remove(catalog: &dyn Catalog, tenant: TenantId, version: u64) -> Result<(), CatalogError> {
    catalog.remove_document(tenant, KIND, KEY, version).await
}

/// Accounts by tenant, remembered for a few seconds: every webhook asks.
pub struct TenantAccounts {
    default: Arc<Account>,
    catalog: Arc<dyn Catalog>,
    known: Mutex<HashMap<TenantId, (Instant, Known)>>,
}

/// What is known of a tenant's account.
#[derive(Clone)]
struct Known {
    /// On which it calls; `None` where it must bring one first.
    account: Option<Arc<Account>>,
    /// The one before, whose calls may still report.
    former: Option<Arc<Account>>,
}

/// Tenants remembered at most.
const KNOWN_MAX: usize = 50_000;

impl TenantAccounts {
    /// With the environment's account for tenants that have none.
    pub fn new(default: Account, catalog: Arc<dyn Catalog>) -> TenantAccounts {
        TenantAccounts { default: Arc::new(default), catalog, known: Mutex::default() }
    }

    /// A tenant's account has changed.
    pub fn forget(&self, tenant: TenantId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }

    /// The account on which something was done, by the carrier's name of it, as far as it is known.
    pub async fn by_id(&self, tenant: TenantId, id: &str) -> Option<Arc<Account>> {
        let known = self.of(tenant).await?;
        let all = [known.account, known.former, Some(self.default.clone())];
        all.into_iter().flatten().find(|account| *account.id == *id)
    }

    /// What is known; `None` where that cannot be said now. A store that is away for a moment does
    /// not turn a tenant's calls over to another account: what was known stays.
    async fn of(&self, tenant: TenantId) -> Option<Known> {
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&tenant).cloned()
        };
        if let Some((at, known)) = &known
            && at.elapsed() < BELIEVED
        {
            return Some(known.clone());
        }
        let fresh = match self.read(tenant).await {
            Ok(fresh) => fresh,
            Err(error) => {
                tracing::warn!(%tenant, %error, "a carrier account cannot be read");
                return known.map(|(_, known)| known);
            }
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN_MAX {
            all.retain(|_, (at, _)| at.elapsed() < BELIEVED);
        }
        all.insert(tenant, (Instant::now(), fresh.clone()));
        Some(fresh)
    }

    async fn read(&self, tenant: TenantId) -> Result<Known, CatalogError> {
        if let Some(found) = own(&*self.catalog, tenant).await? {
            let base = &self.default.base_url;
            let former = found.row.former.as_deref().map(|own| Arc::new(own.account(tenant, base)));
            let former = former.or_else(|| Some(self.default.clone()));
            return Ok(Known { account: Some(Arc::new(found.row.account(tenant, base))), former });
        }
        let settings = match self.catalog.tenant(tenant).await {
            Ok(found) => found.row.settings,
            Err(CatalogError::NotFound) => serde_json::Value::Null,
            Err(error) => return Err(error),
        };
        let may = settings["own_carrier_only"] != true;
        Ok(Known { account: may.then(|| self.default.clone()), former: None })
    }
}

#[async_trait]
impl Accounts for TenantAccounts {
    async fn named(&self, name: &str) -> Option<Arc<Account>> {
        match name.parse().ok().map(TenantId) {
            Some(tenant) => self.of(tenant).await?.account,
            None => (name == DEFAULT).then(|| self.default.clone()),
        }
    }
    async fn of_tenant(&self, tenant: TenantId) -> Vec<Arc<Account>> {
        match self.of(tenant).await {
            Some(known) => [known.account, known.former].into_iter().flatten().collect(),
            None => Vec::new(),
        }
    }
}

#[async_trait]
impl Buckets for TenantAccounts {
    /// By the carrier's own name of the account: two tenants that bring the same one share it.
    async fn bucket(&self, account: &str) -> String {
        self.named(account).await.map_or_else(|| account.to_owned(), |found| found.id.to_string())
    }
}
