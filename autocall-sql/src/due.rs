//! What is due: tenant by tenant, since no hot statement may cross tenants.

use crate::db::{Backend, Scope, SqlError, Value};
use crate::keys::SqlStore;
use autocall_core::ports::Due;
use autocall_core::{Id, TenantId, Timestamp};
use uuid::Uuid;

/// Most tenants looked at in one call.
const TENANTS_MAX: u32 = 64;

/// Where things that are due live: the table and its key column.
const PLACES: [(&str, &str); 3] = [("calls_live", "id"), ("campaign_totals", "campaign"), ("agents", "id")];

fn due_of(place: usize, tenant: TenantId, key: Uuid) -> Due {
    match place {
        0 => Due::Call(Id::new(tenant, key)),
        1 => Due::Campaign(Id::new(tenant, key)),
        _ => Due::Agent(Id::new(tenant, key)),
    }
}

impl<B: Backend> SqlStore<B> {
    pub(crate) async fn find_due(
        &self,
        now: Timestamp,
        hidden_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Due>, SqlError> {
        let mut all: Vec<(i64, Due)> = Vec::new();
        let mut tenants = self.inner.db.due_tenants(now.ms(), TENANTS_MAX).await?;
        // Everybody has a share first; what is left goes to those who have more than that.
        while !tenants.is_empty() {
            let left = limit.saturating_sub(all.len() as u32);
            let share = left / tenants.len() as u32;
            let (mut more, mut taken) = (Vec::new(), 0);
            for tenant in tenants {
                let share = share.max(1).min(left - taken);
                if share == 0 {
                    break;
                }
                let found = self.due_share(tenant, now, hidden_until, share).await?;
                taken += found.len() as u32;
                if found.len() as u32 == share {
                    more.push(tenant);
                }
                all.extend(found);
            }
            tenants = if taken == 0 { Vec::new() } else { more };
        }
        all.sort_unstable();
        Ok(all.into_iter().map(|(_, due)| due).collect())
    }

    /// What is due of one tenant, at most its share.
    async fn due_share(
        &self,
        tenant: TenantId,
        now: Timestamp,
        hidden_until: Timestamp,
        share: u32,
    ) -> Result<Vec<(i64, Due)>, SqlError> {
        let next = self.next_of(tenant).await?;
        if next > now.ms() {
            self.inner.db.looked(tenant, now.ms(), next).await?;
            return Ok(Vec::new());
        }
        let found = self.due_of_tenant(tenant, now, hidden_until, share).await?;
        if found.len() as u32 == share {
            self.inner.db.took(tenant, now.ms());
        }
        Ok(found)
    }

    /// When the tenant's next thing is due; `i64::MAX` where nothing is.
    async fn next_of(&self, tenant: TenantId) -> Result<i64, SqlError> {
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let mut next = i64::MAX;
        for (table, _) in PLACES {
            let sql = format!(
                "SELECT due_at FROM {table} WHERE tenant = $1 AND due_at < {} ORDER BY due_at LIMIT 1",
                i64::MAX
            );
            if let Some(row) = tx.row(&sql, &[tenant.into()]).await? {
                next = next.min(row.int(0)?);
            }
        }
        Ok(next)
    }

    async fn due_of_tenant(
        &self,
        tenant: TenantId,
        now: Timestamp,
        hidden_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<(i64, Due)>, SqlError> {
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let dialect = self.inner.db.dialect();
        let mut found: Vec<(i64, usize, Uuid)> = Vec::new();
        for (place, (table, key)) in PLACES.iter().enumerate() {
            let sql = format!(
                "SELECT {key}, due_at FROM {table} WHERE tenant = $1 AND due_at <= $2 AND due_at < {} \
                 ORDER BY due_at LIMIT $3{}",
                i64::MAX,
                dialect.lock_skip()
            );
            for row in tx.rows(&sql, &[tenant.into(), now.into(), limit.into()]).await? {
                found.push((row.int(1)?, place, row.uuid(0)?));
            }
        }
        found.sort_unstable();
        found.truncate(limit as usize);
        for (place, (table, key)) in PLACES.iter().enumerate() {
            let mine: Vec<Option<Uuid>> = found.iter().filter(|f| f.1 == place).map(|f| Some(f.2)).collect();
            if !mine.is_empty() {
                let any = dialect.any(key, 3, "uuid");
                let sql = format!("UPDATE {table} SET due_at = $2 WHERE tenant = $1 AND {any}");
                tx.run(&sql, &[tenant.into(), hidden_until.into(), Value::Uuids(mine)]).await?;
            }
        }
        tx.commit().await?;
        Ok(found.into_iter().map(|(at, place, key)| (at, due_of(place, tenant, key))).collect())
    }
}
