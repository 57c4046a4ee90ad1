use super::*;
use std::io::Write as _;

fn load(flags: &Flags, environment: &[(&str, &str)]) -> Result<Config, Vec<Wrong>> {
    let (values, wrong) = Values::gather(flags, |name| {
        environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    });
    Config::from_values(&values, wrong)
}

fn file(text: &str) -> (tempfile::NamedTempFile, Flags) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let flags = Flags { config: Some(file.path().to_owned()), ..Flags::default() };
    (file, flags)
}

#[test]
fn with_nothing_set_it_is_a_trial_on_loopback() {
    let config = load(&Flags::default(), &[]).expect("valid");
    assert!(config.is_trial());
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert!(matches!(config.store, StoreChoice::Sqlite));
    assert_eq!(config.registration, Registration::Invited);
}

#[test]
fn a_flag_beats_the_environment_and_that_the_file() {
    let (_file, mut flags) = file("port = 1\nhost = \"127.0.0.2\"\nlog = \"warn\"");
    let environment = [("PORT", "2"), ("HOST", "127.0.0.3")];
    let config = load(&flags, &environment).expect("valid");
    assert_eq!((config.listen.to_string().as_str(), config.log.as_str()), ("127.0.0.3:2", "warn"));
    flags.port = Some("3".into());
    assert_eq!(load(&flags, &environment).expect("valid").listen.port(), 3);
}

#[test]
fn everything_wrong_is_said_at_once_and_no_secret_is_shown() {
    let (_file, flags) = file("databse_url = \"postgres://u:hunter2@h/d\"");
    let wrong = load(
        &flags,
        &[
            ("PORT", "seventy"),
            ("TWILIO_AUTH_TOKEN", "hunter2"),
            ("DIAL_ONLY", "415"),
            ("WEBHOOK_BASE_URL", "http://example.com"),
            ("TOKEN_SECRET", "hunter2"),
        ],
    )
    .expect_err("wrong");
    let text = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for part in ["DATABSE_URL", "DATABASE_URL is near", "PORT", "seventy", "TWILIO_AUTH_TOKEN", "DIAL_ONLY"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(text.contains("WEBHOOK_BASE_URL") && text.contains("TOKEN_SECRET"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(wrong.len(), 6, "{text}");
}

#[test]
fn half_a_twilio_account_is_no_trial() {
    let sid = "AC0123456789abcdef0123456789abcdef";
    let wrong = load(&Flags::default(), &[("TWILIO_ACCOUNT_SID", sid)]).expect_err("wrong");
    let text = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(text.contains("TWILIO_AUTH_TOKEN (not set)") && text.contains("TWILIO_NUMBER"), "{text}");
    assert!(text.contains("WEBHOOK_BASE_URL"), "a real Twilio cannot reach loopback: {text}");
}

#[test]
fn unsigned_webhooks_are_taken_only_from_this_machine() {
    let whole = [
        ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef"),
        ("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("TWILIO_NUMBER", "+14155550100"),
        ("SKIP_TWILIO_VALIDATION", "true"),
        ("WEBHOOK_BASE_URL", "https://calls.example.com/"),
    ];
    assert!(load(&Flags::default(), &whole).is_err());
    let mut local = whole.to_vec();
    local.push(("TWILIO_API_BASE", "http://127.0.0.1:9100"));
    let config = load(&Flags::default(), &local).expect("valid");
    assert!(!config.is_trial());
    local.last_mut().expect("there").1 = "http://fake.example.com";
    assert!(load(&Flags::default(), &local).is_err());
}

#[test]
fn networks_hold_their_addresses() {
    let net: Net = "10.1.0.0/16".parse().expect("a network");
    assert!(net.holds("10.1.255.1".parse().unwrap()) && !net.holds("10.2.0.1".parse().unwrap()));
    assert!(net.holds("::ffff:10.1.2.3".parse().unwrap()), "a mapped address is the same machine");
    let one: Net = "::1".parse().expect("an address");
    assert!(one.holds("::1".parse().unwrap()) && !one.holds("::2".parse().unwrap()));
    assert!("10.0.0.0/33".parse::<Net>().is_err());
}

#[test]
fn the_env_example_says_what_the_code_knows() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example");
    let wanted = names::env_example();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &wanted).expect("written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, wanted, "run the test with UPDATE=1 to rewrite .env.example");
}
