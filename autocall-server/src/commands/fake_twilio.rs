//! `autocall fake-twilio`.

use crate::cli::Outcome;
use autocall_testkit::fake_twilio;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

/// The flags of `fake-twilio`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Port on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 9100)]
    pub port: u16,
    /// How many times faster than real time its people live.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Decides what is left to chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The account that it knows.
    #[arg(long, default_value = "AC0123456789abcdef0123456789abcdef")]
    pub account_sid: String,
    /// Its token.
    #[arg(long, default_value = "0123456789abcdef0123456789abcdef")]
    pub auth_token: String,
    /// Calls that it starts per second; what comes faster waits in its queue.
    #[arg(long, default_value_t = 30.0)]
    pub calls_per_second: f64,
}

/// Runs it until it is told to stop.
pub fn run(args: Args) -> Outcome {
    crate::cli::block_on(serve(args))?
}

async fn serve(args: Args) -> Outcome {
    let config = fake_twilio::Config {
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        speed: args.speed,
        seed: args.seed,
        accounts: vec![fake_twilio::Account {
            sid: args.account_sid.clone(),
            token: args.auth_token.clone(),
            calls_per_second: args.calls_per_second,
            ..fake_twilio::Account::default()
        }],
        ..fake_twilio::Config::default()
    };
    let ready = |url: &str| {
        println!("a Twilio that places no real call: {url}");
        println!(
            "  TWILIO_API_BASE={url}\n  TWILIO_ACCOUNT_SID={}\n  TWILIO_AUTH_TOKEN={}",
            args.account_sid, args.auth_token
        );
    };
    tokio::select! {
        ended = fake_twilio::serve(config, ready) => ended.map_err(|e| e.to_string())?,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}
