//! What an error of the carrier means for us.

use autocall_core::ports::{DialError, Refusal, TelephonyError};
use serde::Deserialize;

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The lead's number cannot exist or is not supported.
    Number,
    /// The lead's number cannot be reached.
    Unreachable,
    /// Calls to this number are blocked.
    Blocked,
    /// The account may not call the number's country.
    Country,
    /// The number that we show.
    CallerId,
    /// The account: credentials, permissions, trial limits.
    Account,
    /// We asked wrongly.
    Request,
}

/// Why a request did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Refused for good.
    #[error("refused with code {code} (HTTP {status})")]
    Refused {
        /// Whose fault.
        blame: Blame,
        /// The carrier's code, 0 if it gave none.
        code: u32,
        /// The HTTP status.
        status: u16,
    },
    /// Refused for now; nothing was carried out.
    #[error("refused for now, try again in {wait_ms} ms")]
    Later {
        /// How long to wait.
        wait_ms: u32,
    },
    /// The thing is not in a state for it (21220), or is gone (404).
    #[error("not in a state for it (code {code})")]
    NotUp {
        /// The carrier's code.
        code: u32,
    },
    /// Perhaps carried out: timeout, reset, 5xx, an answer that makes no sense.
    #[error("unknown whether it was carried out: {0}")]
    Doubt(&'static str),
}

/// An error body, in either of the carrier's two shapes.
#[derive(Deserialize, Default)]
struct Body {
    #[serde(default)]
    code: Option<u32>,
}

/// How long to wait after a limit on concurrency, where the carrier does not say.
const BACK_OFF_MS: u32 = 5_000;

impl Fault {
    /// Classifies an answer other than 2xx. `retry_after_s` is the header of that name.
    pub fn of_answer(status: u16, body: &[u8], retry_after_s: Option<u32>) -> Fault {
        let code = serde_json::from_slice::<Body>(body).unwrap_or_default().code.unwrap_or(0);
        let refused = |blame| Fault::Refused { blame, code, status };
        let wait_ms = retry_after_s.map_or(BACK_OFF_MS, |s| s.saturating_mul(1000));
        match (code, status) {
            (20_429, _) | (_, 429) => Fault::Later { wait_ms: retry_after_s.map_or(100, |s| s.saturating_mul(1000)) },
            (_, 500..) => Fault::Doubt("the carrier answered 5xx"),
            (20_003, _) | (_, 401) => refused(Blame::Account),
            (21_211 | 21_217 | 13_224, _) => refused(Blame::Number),
            (21_214, _) => refused(Blame::Unreachable),
            (21_216, _) => refused(Blame::Blocked),
            (21_210 | 21_212, _) => refused(Blame::CallerId),
            (21_215 | 32_205, _) => refused(Blame::Country),
            // Something between us and the carrier gave up waiting; it may have passed the request on.
            (0, 408) => Fault::Doubt("a proxy gave up waiting"),
            (21_219 | 573_005 | 20_008, _) | (_, 403) => refused(Blame::Account),
            (10_004 | 16_021, _) => Fault::Later { wait_ms },
            (16_030, _) => Fault::Later { wait_ms: 0 },
            (21_220 | 20_404, _) | (_, 404) => Fault::NotUp { code },
            _ => refused(Blame::Request),
        }
    }

    /// Whether a create was certainly not carried out.
    pub fn proves_absence(&self) -> bool {
        !matches!(self, Fault::Doubt(_))
    }

    /// The same for the port, of a create.
    pub fn into_dial_error(self) -> DialError {
        let code = match &self {
            Fault::Refused { code, .. } => *code,
            _ => 0,
        };
        DialError::Refused(match self {
            Fault::Doubt(why) => return DialError::InDoubt(why.into()),
            Fault::Later { wait_ms } => Refusal::Busy { retry_after_ms: wait_ms },
            Fault::NotUp { .. } => Refusal::Request("the carrier does not know the resource".into()),
            Fault::Refused { blame, .. } => match blame {
                Blame::Number => Refusal::InvalidNumber,
                Blame::Unreachable => Refusal::Unreachable,
                Blame::Blocked => Refusal::Blocked,
                Blame::Country => Refusal::Country,
                Blame::CallerId => Refusal::CallerId,
                Blame::Account => Refusal::Account(format!("carrier code {code}")),
                Blame::Request => Refusal::Request(format!("carrier code {code}")),
            },
        })
    }

    /// The same for the port, of anything but a create.
    pub fn into_telephony_error(self) -> TelephonyError {
        match self {
            Fault::NotUp { .. } => TelephonyError::NotUp,
            Fault::Later { .. } => TelephonyError::Unavailable("rate or concurrency limit".into()),
            Fault::Doubt(why) => TelephonyError::Unavailable(why.into()),
            Fault::Refused { code, .. } => TelephonyError::Rejected(format!("carrier code {code}")),
        }
    }
}
