//! `autocall serve`.

use crate::cli::Outcome;
use crate::config::{Config, Flags};
use crate::node::Node;
use crate::{http, listen, ops, trial};
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The flags of `serve`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Args {
    /// Configuration.
    #[command(flatten)]
    pub config: Flags,
}

/// Runs the server until it is told to stop.
pub fn run(args: Args) -> Outcome {
    let config = super::configure(&args.config)?;
    ops::log::start(&config);
    let outcome = crate::cli::block_on(serve(config))?;
    ops::log::flush();
    outcome
}

async fn serve(mut config: Config) -> Outcome {
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}; choose another PORT", config.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    if config.listen.port() == 0 && config.public_base.port() == Some(0) {
        let _ = config.public_base.set_port(Some(address.port()));
    }
    config.listen = address;
    let node = Node::start(config).await?;
    welcome(&node).await?;
    let router = http::serve::router(&node.app, node.webhooks());
    let stop = CancellationToken::new();
    let told = stop.clone();
    let served = tokio::spawn({
        let app = node.app.clone();
        async move { listen::serve(&app, listener, router, told).await }
    });
    signal().await;
    tracing::info!("stopping: nobody new is called; people on the line are attended to first");
    tokio::select! {
        () = node.drain() => {}
        () = signal() => tracing::info!("told twice: stopping at once"),
    }
    // Sockets and streams end first.
    node.app.stopping.cancel();
    stop.cancel();
    let ended = served.await.map_err(|error| error.to_string())?;
    node.stop().await;
    ended.map(|()| ExitCode::SUCCESS)
}

async fn welcome(node: &Node) -> Result<(), String> {
    let config = &node.app.config;
    let address = config.public_base.as_str().trim_end_matches('/').to_owned();
    let say = |problem: crate::http::problem::Problem| format!("the first start failed: {}", problem.title);
    if config.is_trial() {
        println!("{}", trial::BANNER);
        let first = trial::seed(&node.app).await.map_err(say)?;
        println!("\n  open       {address}\n  API        {address}/api/docs");
        match first {
            Some(first) => {
                println!("  login      {}\n  password   {}   (shown this once)\n", first.login, first.password);
            }
            None => println!("  login      as before; `autocall admin reset-password LOGIN` gives a new one\n"),
        }
    } else {
        println!("autocall serves {address}; real calls are made.");
        let first = autocall_core::ports::catalog::PageAsk::first(1);
        let none = node.app.directory.tenant_names(&first).await.is_ok_and(|page| page.items.is_empty());
        if none {
            println!("there is no tenant yet: autocall admin add-tenant NAME --owner LOGIN");
        }
    }
    Ok(())
}

/// Waits for ctrl-c, or for what service managers send.
async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(_) => {
                let _ = interrupt.await;
                return;
            }
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
