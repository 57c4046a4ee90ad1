//! Reports: the database adds up, by index on the time of dialling.

use super::{Where, invalid};
use crate::db::{Backend, Row, Scope, SqlError};
use crate::keys::SqlStore;
use crate::tables;
use async_trait::async_trait;
use autocall_core::ports::catalog::{CatalogError, Figures, GroupBy, ReportAsk, ReportKey, ReportRow, Reports};
use autocall_core::{Id, Phone, TenantId, Timestamp};
use std::collections::BTreeMap;

const ROWS_MAX: usize = 10_000;

/// The expression by which records `r` (with disposition `d`) are grouped.
fn group(ask: &ReportAsk) -> String {
    let shifted = format!("(r.dialled_at + {} * 1000)", i64::from(ask.offset_s));
    let back = i64::from(ask.offset_s) * 1000;
    match ask.group {
        // One row for all; a bare number would name a column.
        GroupBy::Nothing => "r.tenant".into(),
        GroupBy::Campaign => "r.campaign".into(),
        GroupBy::Agent => "r.agent".into(),
        GroupBy::CallerId => "r.from_bx".into(),
        GroupBy::List => "r.list".into(),
        GroupBy::Hour => "r.dialled_at - r.dialled_at % 3600000".into(),
        GroupBy::Day => format!("{shifted} - {shifted} % 86400000 - {back}"),
        GroupBy::HourOfDay => format!("({shifted} % 86400000) / 3600000"),
        GroupBy::Verdict => "COALESCE(r.verdict, 'none')".into(),
        GroupBy::Disposition => "COALESCE(d.code, 'none')".into(),
    }
}

const SUMS: &str = "CAST(COUNT(*) AS bigint), CAST(COUNT(r.answered_at) AS bigint), \
    CAST(COALESCE(SUM(d.success), 0) AS bigint), CAST(SUM(r.talk_ms) AS bigint), \
    CAST(COALESCE(SUM(r.wait_ms), 0) AS bigint), \
    CAST(SUM(CASE WHEN r.wait_ms <= 2000 THEN 1 ELSE 0 END) AS bigint), \
    CAST(COALESCE(SUM(r.ring_ms), 0) AS bigint), CAST(SUM(r.line_ms) AS bigint)";

impl<B: Backend> SqlStore<B> {
    fn report_key(&self, tenant: TenantId, by: GroupBy, row: &Row) -> Result<ReportKey, SqlError> {
        Ok(match by {
            GroupBy::Nothing => ReportKey::All,
            GroupBy::Campaign => ReportKey::Campaign(Id::new(tenant, row.uuid(0)?)),
            GroupBy::Agent => ReportKey::Agent(row.uuid_opt(0)?.map(|k| Id::new(tenant, k))),
            GroupBy::List => ReportKey::List(row.uuid_opt(0)?.map(|k| Id::new(tenant, k))),
            GroupBy::Hour | GroupBy::Day => ReportKey::Time(row.at(0)?),
            GroupBy::HourOfDay => ReportKey::HourOfDay(row.int(0)?.rem_euclid(24) as u8),
            GroupBy::Verdict | GroupBy::Disposition => ReportKey::Word(row.text(0)?.into()),
            // Filled in by `caller_ids`: the group is known by its hash only.
            GroupBy::CallerId => ReportKey::Time(Timestamp::EPOCH),
        })
    }
}

#[async_trait]
impl<B: Backend> Reports for SqlStore<B> {
    async fn report(&self, tenant: TenantId, ask: &ReportAsk) -> Result<Vec<ReportRow>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let by = group(ask);
        let mut w = Where::new("r.tenant", tenant);
        w.and("r.dialled_at >= {}", ask.from);
        w.and("r.dialled_at < {}", ask.until);
        w.and_some("r.campaign = {}", ask.campaign.map(|c| c.key()));
        w.and_some("r.agent = {}", ask.agent.map(|c| c.key()));
        let from = format!(
            "FROM records r LEFT JOIN dispositions d ON d.tenant = r.tenant AND d.call = r.call WHERE {}",
            w.sql
        );
        let sql = format!("SELECT {by}, r.outcome, {SUMS} {from} GROUP BY 1, 2 LIMIT {}", ROWS_MAX * 20);
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(&sql, &w.args).await?;
        let mut caller_ids: BTreeMap<Vec<u8>, Phone> = BTreeMap::new();
        let mut report: BTreeMap<ReportKey, Figures> = BTreeMap::new();
        for row in &rows {
            let key = if ask.group == GroupBy::CallerId {
                let Some(bx) = row.blob_opt(0)? else { continue };
                if !caller_ids.contains_key(bx) {
                    let sql = "SELECT call, sealed FROM records WHERE tenant = $1 AND from_bx = $2 AND dialled_at >= $3 \
                               AND dialled_at < $4 LIMIT 1";
                    let args = [tenant.into(), bx.to_vec().into(), ask.from.into(), ask.until.into()];
                    if let Some(one) = tx.row(sql, &args).await? {
                        caller_ids.insert(bx.to_vec(), tables::record_from(&keys, &one, 0)?.from);
                    }
                }
                let Some(&phone) = caller_ids.get(bx) else { continue };
                ReportKey::CallerId(phone)
            } else {
                self.report_key(tenant, ask.group, row)?
            };
            add(report.entry(key).or_default(), row)?;
            if report.len() > ROWS_MAX {
                return Err(invalid("the report has more than 10000 rows: ask for a shorter span"));
            }
        }
        Ok(report.into_iter().map(|(key, figures)| ReportRow { key, figures }).collect())
    }
}

fn add(f: &mut Figures, row: &Row) -> Result<(), SqlError> {
    let calls = row.count(2)?;
    f.calls += calls;
    *f.outcomes.entry(row.text(1)?.into()).or_default() += calls;
    f.answered += row.count(3)?;
    f.successes += row.count(4)?;
    f.talk_ms += row.int(5)?;
    f.wait_ms += row.int(6)?;
    f.within_two_s += row.count(7)?;
    f.ring_ms += row.int(8)?;
    f.line_ms += row.int(9)?;
    Ok(())
}
