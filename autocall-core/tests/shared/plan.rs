//! A call's plan that says nothing unusual; tests change what they are about.

use autocall_core::call::CallPlan;
use autocall_core::settings::TransferMode;
use autocall_core::{CampaignId, LeadId, Phone, TenantId};

const TENANT: TenantId = TenantId(1);

/// The first attempt at a lead's only number, with every message allowed.
pub(crate) fn plan(mode: TransferMode) -> CallPlan {
    CallPlan {
        campaign: CampaignId::small(TENANT, 1),
        lead: LeadId::small(TENANT, 1),
        person_key: 1,
        subject: "default".into(),
        attempt: 1,
        to: Phone::from_digits(14_155_552_001).expect("valid"),
        number_index: 0,
        from: Phone::from_digits(14_155_550_101).expect("valid"),
        account: "1".into(),
        class: 0,
        name: "John".into(),
        mode,
        agentless: false,
        voicemail_allowed: true,
        abandonment_allowed: true,
        for_agent: None,
        ring_ms_max: 25_000,
        recording: Default::default(),
        recording_needs: Default::default(),
        quotas: Default::default(),
        evidence: None,
    }
}
