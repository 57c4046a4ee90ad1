//! The trial: a server that needs nothing, with a sample tenant, agents and a campaign, so that
//! the first hour begins with a sign-in and not with a manual.

pub mod sample;

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::identity::users;
use crate::identity::{Role, token};
use crate::routes::auth::{new_tenant, new_user};
use autocall_core::ports::catalog::PageAsk;

/// The login name of the trial's owner.
pub const OWNER: &str = "owner@trial";

/// What the first start made.
pub struct First {
    /// Login name.
    pub login: String,
    /// The password, shown this once.
    pub password: String,
}

/// Makes the sample tenant where there is none at all; `None` where there is one already.
pub async fn seed(app: &App) -> Answer<Option<First>> {
    if !app.directory.tenant_names(&PageAsk::first(1)).await?.items.is_empty() {
        return Ok(None);
    }
    let tenant = new_tenant(app, "Trial", false).await?;
    let password = words(&token::secret("try"));
    let phc = app.hasher.hash(&password).await.map_err(|_| Problem::unavailable())?;
    let mut owner = new_user(app, tenant, OWNER.to_owned(), "Owner", Role::Owner, Some(phc));
    owner.agent = Some(sample::fill(app, tenant).await?);
    users::create(app, tenant, &owner).await?;
    Ok(Some(First { login: owner.login, password }))
}

/// A secret in groups that can be read out.
fn words(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().filter(char::is_ascii_alphanumeric).skip(3).take(20).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What is said above everything where no real call can be made.
pub const BANNER: &str = "\
  ┌──────────────────────────────────────────────────────────────┐
  │  TRIAL: the people are simulated. No real call is made.      │
  └──────────────────────────────────────────────────────────────┘";
