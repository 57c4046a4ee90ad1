//! `autocall admin`: tenants, users and keys from the command line.

use crate::app::App;
use crate::cli::Outcome;
use crate::config::{Config, Flags};
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use crate::identity::users::{self, User};
use crate::identity::{Right, Role, keys};
use crate::node::Node;
use crate::routes::auth::{new_tenant, new_user};
use crate::routes::users::link_for;
use autocall_core::TenantId;
use autocall_core::ports::Put;
use autocall_core::ports::catalog::PageAsk;
use clap::Subcommand;
use std::process::ExitCode;

/// The flags of `admin`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
    /// Configuration.
    #[command(flatten)]
    pub config: Flags,
}

/// What `admin` does.
#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// Lists tenants.
    Tenants,
    /// Makes a tenant with an owner, and prints a one-time link with which the owner sets a password.
    AddTenant {
        /// The tenant's name.
        name: String,
        /// The owner's login name.
        #[arg(long)]
        owner: String,
    },
    /// Lets a tenant that registered by itself call on the server's own carrier account.
    AllowCarrier {
        /// The tenant, by its number.
        #[arg(long)]
        tenant: u32,
    },
    /// Gives a number of the server's carrier account to a tenant, to be shown to people.
    AddNumber {
        /// The tenant, by its number.
        #[arg(long)]
        tenant: u32,
        /// In E.164.
        phone: String,
    },
    /// Gives every tenant a new data key, wraps all keys with the first of SEAL_KEY, and seals every row
    /// anew, while the server goes on. May be run again where it was interrupted.
    RotateKeys,
    /// Lists a tenant's users.
    Users {
        /// The tenant, by its number.
        #[arg(long)]
        tenant: u32,
    },
    /// Makes a user, and prints a one-time link with which they set a password.
    AddUser {
        /// The tenant, by its number.
        #[arg(long)]
        tenant: u32,
        /// The login name.
        login: String,
        /// owner, manager, supervisor, agent, read-only or auditor.
        #[arg(long)]
        role: String,
    },
    /// Prints a one-time link with which a user sets a new password.
    ResetPassword {
        /// The login name.
        login: String,
    },
    /// Makes an API key with every right of a manager, and prints its secret.
    AddKey {
        /// The tenant, by its number.
        #[arg(long)]
        tenant: u32,
        /// What it is for.
        name: String,
    },
    /// Lists a tenant's API keys, without their secrets.
    Keys {
        /// The tenant, by its number.
        #[arg(long)]
        tenant: u32,
    },
    /// Revokes an API key.
    RevokeKey {
        /// The tenant, by its number.
        #[arg(long)]
        tenant: u32,
        /// The key's id, as `keys` lists it.
        id: String,
    },
}

/// Does it.
pub fn run(args: Args) -> Outcome {
    let config = super::configure(&args.config)?;
    crate::ops::log::start(&config);
    crate::cli::block_on(admin(config, args.what))?
}

async fn admin(config: Config, what: What) -> Outcome {
    let node = Node::quiet(config).await?;
    let done = act(&node, what).await.map_err(|problem| {
        let remedy = problem.remedy.map_or(String::new(), |r| format!(" ({r})"));
        format!("{}{remedy}", problem.title)
    });
    node.stop().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// How long a new key rests before rows are sealed with it, so that every node knows it by then; and a
/// little more, for clocks that differ.
const KEY_RESTS: std::time::Duration = std::time::Duration::from_secs(90);

/// Rows sealed anew in one transaction.
const RESEALED_AT_ONCE: u32 = 500;

async fn rotate_keys(app: &App) -> Answer<()> {
    let (mut tenants, mut ask) = (Vec::new(), PageAsk::first(500));
    loop {
        let page = app.directory.tenant_names(&ask).await?;
        tenants.extend(page.items.iter().map(|t| t.tenant));
        match page.next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    for tenant in &tenants {
        app.catalog.rotate_key(*tenant, app.clock.now()).await?;
    }
    println!(
        "{} tenant(s) have a new key; it rests for {} s until every node knows it",
        tenants.len(),
        KEY_RESTS.as_secs()
    );
    tokio::time::sleep(KEY_RESTS).await;
    for (n, tenant) in tenants.iter().enumerate() {
        let (mut after, mut batches) = (None, 0u64);
        loop {
            after = app.catalog.reseal(*tenant, after, RESEALED_AT_ONCE).await?;
            batches += 1;
            if batches.is_multiple_of(200) {
                println!("tenant {tenant}: {} rows so far", batches * u64::from(RESEALED_AT_ONCE));
            }
            if after.is_none() {
                break;
            }
        }
        println!("tenant {tenant} is sealed anew ({} of {})", n + 1, tenants.len());
    }
    Ok(())
}

async fn act(node: &Node, what: What) -> Answer<()> {
    let app = &node.app;
    match what {
        What::Tenants => {
            let mut ask = PageAsk::first(500);
            loop {
                let page = app.directory.tenant_names(&ask).await?;
                page.items.iter().for_each(|t| println!("{:>6}  {}", t.tenant, t.name));
                match page.next {
                    Some(next) => ask.after = Some(next),
                    None => return Ok(()),
                }
            }
        }
        What::AddTenant { name, owner } => {
            let login = users::fold(&owner).ok_or_else(|| Problem::bad_request("--owner cannot be a login name"))?;
            if users::by_login(app, &login, app.wall.now()).await?.is_some() {
                return Err(Problem::conflict("the login name is taken"));
            }
            let tenant = new_tenant(app, &name, false).await?;
            let user = new_user(app, tenant, login, "", Role::Owner, None);
            users::create(app, tenant, &user).await?;
            let link = link_for(app, tenant, user.id).await?;
            println!("tenant {tenant}\nthe owner sets a password here, once, within a day:\n{}", link.url);
            Ok(())
        }
        What::RotateKeys => rotate_keys(app).await,
        What::AllowCarrier { tenant } => {
            let found = app.catalog.tenant(TenantId(tenant)).await?;
            let mut row = found.row;
            row.settings["own_carrier_only"] = false.into();
            Ok(app.catalog.put_tenant(&Put { row, expected: found.version }).await?)
        }
        What::AddNumber { tenant, phone } => crate::routes::numbers::give(app, TenantId(tenant), &phone).await,
        What::Users { tenant } => {
            for found in crate::views::documents(app, TenantId(tenant), users::KIND).await? {
                let user: User = serde_json::from_value(found.row.body).map_err(Problem::internal)?;
                println!("{}  {:?}  {}", Key(user.id), user.role, user.login);
            }
            Ok(())
        }
        What::AddUser { tenant, login, role } => add_user(app, TenantId(tenant), &login, role).await,
        What::ResetPassword { login } => {
            let login = users::fold(&login).ok_or_else(Problem::not_found)?;
            let found = users::by_login(app, &login, app.wall.now()).await?;
            let (tenant, user) = found.ok_or_else(Problem::not_found)?;
            println!("{}", link_for(app, tenant, user.row.id).await?.url);
            Ok(())
        }
        What::AddKey { tenant, name } => {
            app.catalog.tenant(TenantId(tenant)).await?;
            let rights: Vec<Right> = Role::Manager.rights().list();
            let (_, secret) = keys::create(app, TenantId(tenant), name, rights, None).await?;
            println!("{secret}");
            Ok(())
        }
        What::Keys { tenant } => {
            for found in crate::views::documents(app, TenantId(tenant), keys::KIND).await? {
                let key: keys::ApiKey = serde_json::from_value(found.row.body).map_err(Problem::internal)?;
                println!("{}  {}…  {}", Key(key.id), key.begins, key.name);
            }
            Ok(())
        }
        What::RevokeKey { tenant, id } => keys::revoke(app, TenantId(tenant), id.parse::<Key>()?.0).await,
    }
}

async fn add_user(app: &App, tenant: TenantId, login: &str, role: String) -> Answer<()> {
    app.catalog.tenant(tenant).await?;
    let role: Role = serde_json::from_value(role.into())
        .map_err(|_| Problem::bad_request("--role: use owner, manager, supervisor, agent, read-only or auditor"))?;
    let login = users::fold(login).ok_or_else(|| Problem::bad_request("this cannot be a login name"))?;
    let user = new_user(app, tenant, login, "", role, None);
    users::create(app, tenant, &user).await?;
    println!("{}", link_for(app, tenant, user.id).await?.url);
    Ok(())
}
