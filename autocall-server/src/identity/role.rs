//! Who may do what: rights, and the roles and keys that hold them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that may be done. API keys hold single rights, users hold those of their role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Right {
    /// See campaigns, agents, pools and live figures.
    #[serde(rename = "campaigns:read")]
    CampaignsRead,
    /// Create and change campaigns, pools and audio.
    #[serde(rename = "campaigns:write")]
    CampaignsWrite,
    /// Start, pause and finish campaigns.
    #[serde(rename = "campaigns:run")]
    CampaignsRun,
    /// See leads, with names and numbers.
    #[serde(rename = "leads:read")]
    LeadsRead,
    /// Add, change and upload leads; record consent.
    #[serde(rename = "leads:write")]
    LeadsWrite,
    /// See calls.
    #[serde(rename = "calls:read")]
    CallsRead,
    /// Create and change agents.
    #[serde(rename = "agents:write")]
    AgentsWrite,
    /// Take calls as the agent that one is.
    #[serde(rename = "work")]
    Work,
    /// Listen in, coach, barge; set other agents' status; end calls.
    #[serde(rename = "supervise")]
    Supervise,
    /// Read reports and the outcome feed.
    #[serde(rename = "reports:read")]
    ReportsRead,
    /// Listen to recordings.
    #[serde(rename = "recordings:listen")]
    RecordingsListen,
    /// See do-not-call lists.
    #[serde(rename = "lists:read")]
    ListsRead,
    /// Add to do-not-call lists.
    #[serde(rename = "lists:write")]
    ListsWrite,
    /// Take numbers off do-not-call lists.
    #[serde(rename = "lists:remove")]
    ListsRemove,
    /// Look after users and invitations.
    #[serde(rename = "users:admin")]
    UsersAdmin,
    /// Look after API keys and outbound webhooks.
    #[serde(rename = "integrations:admin")]
    IntegrationsAdmin,
    /// See the tenant's settings.
    #[serde(rename = "settings:read")]
    SettingsRead,
    /// Change the tenant's settings, carrier account and retention.
    #[serde(rename = "settings:write")]
    SettingsWrite,
    /// Export and erase persons and tenants.
    #[serde(rename = "privacy")]
    Privacy,
    /// Read the audit log and what is kept for auditors.
    #[serde(rename = "audit:read")]
    AuditRead,
}

impl Right {
    /// Every right.
    pub const ALL: [Right; 20] = [
        Right::CampaignsRead,
        Right::CampaignsWrite,
        Right::CampaignsRun,
        Right::LeadsRead,
        Right::LeadsWrite,
        Right::CallsRead,
        Right::AgentsWrite,
        Right::Work,
        Right::Supervise,
        Right::ReportsRead,
        Right::RecordingsListen,
        Right::ListsRead,
        Right::ListsWrite,
        Right::ListsRemove,
        Right::UsersAdmin,
        Right::IntegrationsAdmin,
        Right::SettingsRead,
        Right::SettingsWrite,
        Right::Privacy,
        Right::AuditRead,
    ];
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u32);

impl Rights {
    /// These rights.
    pub const fn of(rights: &[Right]) -> Rights {
        let (mut set, mut i) = (0, 0);
        while i < rights.len() {
            set |= rights[i].bit();
            i += 1;
        }
        Rights(set)
    }
    /// Whether it holds one.
    pub const fn holds(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }
    /// Whether all of `other` are in it.
    pub const fn holds_all(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }
    /// Those in both.
    pub const fn and(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }
    /// One after the other.
    pub fn list(self) -> Vec<Right> {
        Right::ALL.into_iter().filter(|r| self.holds(*r)).collect()
    }
}

impl std::fmt::Debug for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

/// What a user is to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Runs campaigns and people; not users' roles, tenant settings or erasure.
    Manager,
    /// Watches and steers agents and calls.
    Supervisor,
    /// Takes calls.
    Agent,
    /// Looks on.
    ReadOnly,
    /// Looks on, with the audit log, recordings and kept evidence.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 6] =
        [Role::Owner, Role::Manager, Role::Supervisor, Role::Agent, Role::ReadOnly, Role::Auditor];

    /// What the role may do.
    pub const fn rights(self) -> Rights {
        use Right::*;
        match self {
            Role::Owner => Rights::of(&Right::ALL),
            Role::Manager => Rights::of(&[
                CampaignsRead,
                CampaignsWrite,
                CampaignsRun,
                LeadsRead,
                LeadsWrite,
                CallsRead,
                AgentsWrite,
                Work,
                Supervise,
                ReportsRead,
                RecordingsListen,
                ListsRead,
                ListsWrite,
                ListsRemove,
                SettingsRead,
            ]),
            Role::Supervisor => Rights::of(&[
                CampaignsRead,
                LeadsRead,
                CallsRead,
                Work,
                Supervise,
                ReportsRead,
                RecordingsListen,
                ListsRead,
                ListsWrite,
            ]),
            Role::Agent => Rights::of(&[Work]),
            Role::ReadOnly => Rights::of(&[CampaignsRead, LeadsRead, CallsRead, ReportsRead, ListsRead]),
            Role::Auditor => Rights::of(&[
                CampaignsRead,
                LeadsRead,
                CallsRead,
                ReportsRead,
                RecordingsListen,
                ListsRead,
                SettingsRead,
                AuditRead,
            ]),
        }
    }
}

/// What a route asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Public,
    /// To be known.
    SignedIn,
    /// To hold a right.
    Needs(Right),
    /// To hold either of two rights.
    Either(Right, Right),
}

impl Rule {
    /// Whether somebody with these rights may pass.
    pub const fn admits(self, rights: Rights) -> bool {
        match self {
            Rule::Public | Rule::SignedIn => true,
            Rule::Needs(right) => rights.holds(right),
            Rule::Either(one, other) => rights.holds(one) || rights.holds(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_hold_what_their_names_promise() {
        assert_eq!(Role::Owner.rights().list().len(), Right::ALL.len());
        for role in Role::ALL {
            assert!(Role::Owner.rights().holds_all(role.rights()));
        }
        for role in [Role::Agent, Role::ReadOnly, Role::Auditor, Role::Supervisor] {
            for right in [Right::CampaignsRun, Right::UsersAdmin, Right::SettingsWrite, Right::Privacy] {
                assert!(!role.rights().holds(right), "{role:?} {right:?}");
            }
        }
        assert!(!Rule::Needs(Right::LeadsRead).admits(Role::Agent.rights()), "an agent sees only the lead on the line");
    }
}
