//! Calls: create, update, fetch, list, and the stored request of one.

use super::client::Client;
use super::error::Fault;
use super::resources::{CallEvent, CallResource, Page};
use crate::account::Account;
use crate::form::Form;
use std::time::Duration;

/// The parameters of a new call, by their REST names. Built by the adapter from a dial.
#[derive(Clone, Debug, Default)]
pub struct CreateCall {
    /// The form fields, in order; repeated names for several values.
    pub fields: Vec<(&'static str, String)>,
}

impl CreateCall {
    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> CreateCall {
        self.fields.push((name, value.into()));
        self
    }
    fn form(&self) -> Form {
        Form::of(self.fields.iter().map(|(n, v)| (*n, v.as_str())))
    }
}

/// Pages of one list that are followed at most. With 1,000 rows each, more than any account has
/// live calls.
const PAGES_MAX: usize = 20;

impl Client {
    /// Creates a call. Repeated only after a 429; [`Fault::Doubt`] where its fate is unknown.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn create_call(
        &self,
        account: &Account,
        create: &CreateCall,
        within: Duration,
    ) -> Result<CallResource, Fault> {
        self.post(account, "Calls.json", &create.form(), within).await
    }

    /// Changes a call: `Url`, `Twiml` or `Status`.
    ///
    /// # Errors
    /// [`Fault::NotUp`] if it is over.
    pub async fn update_call(
        &self,
        account: &Account,
        sid: &str,
        fields: &[(&str, &str)],
    ) -> Result<CallResource, Fault> {
        let form = Form::of(fields.iter().copied());
        self.post(account, &format!("Calls/{}.json", segment(sid)), &form, self.total()).await
    }

    /// Ends a call in whatever state it is.
    ///
    /// # Errors
    /// [`Fault::NotUp`] if it is over already.
    pub async fn end_call(&self, account: &Account, sid: &str) -> Result<CallResource, Fault> {
        // `canceled` would leave a call that was answered just now alive.
        self.update_call(account, sid, &[("Status", "completed")]).await
    }

    /// A call as it is now.
    ///
    /// # Errors
    /// [`Fault::NotUp`] if there is none.
    pub async fn call(&self, account: &Account, sid: &str) -> Result<CallResource, Fault> {
        self.get(account, &account.url(&format!("Calls/{}.json", segment(sid)))).await
    }

    /// All calls that match these filters, by their REST names (`To`, `Status`, `StartTime>`).
    ///
    /// # Errors
    /// [`Fault::Doubt`] if there are more pages than are read: absence is then not proven.
    pub async fn calls(&self, account: &Account, filters: &[(&str, &str)]) -> Result<Vec<CallResource>, Fault> {
        self.all(account, "Calls.json", filters).await
    }

    /// The requests that the carrier stored about a call; the first is its create.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn call_events(&self, account: &Account, sid: &str) -> Result<Vec<CallEvent>, Fault> {
        let url = account.url(&format!("Calls/{}/Events.json?PageSize=50", segment(sid)));
        Ok(self.get::<Page<CallEvent>>(account, &url).await?.rows)
    }

    /// Every page of a list.
    pub(super) async fn all<T: serde::de::DeserializeOwned>(
        &self,
        account: &Account,
        resource: &str,
        filters: &[(&str, &str)],
    ) -> Result<Vec<T>, Fault> {
        let query = Form::of(filters.iter().copied().chain([("PageSize", "1000")])).encode();
        let mut url = account.url(&format!("{resource}?{query}"));
        let mut rows = Vec::new();
        for _ in 0..PAGES_MAX {
            let page: Page<T> = self.get(account, &url).await?;
            rows.extend(page.rows);
            match page.next {
                // The link is a path; only ever below the address that we know.
                Some(next) if next.starts_with('/') => url = format!("{}{next}", account.base_url),
                Some(_) => return Err(Fault::Doubt("a page links elsewhere")),
                None => return Ok(rows),
            }
        }
        Err(Fault::Doubt("more pages than are read"))
    }
}

/// An id as one path segment: anything else than letters, digits and a few marks is escaped.
pub(super) fn segment(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}
