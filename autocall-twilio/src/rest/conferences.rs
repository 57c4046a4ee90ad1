//! Conferences and participants.

use super::calls::{CreateCall, segment};
use super::client::Client;
use super::error::Fault;
use super::resources::{ConferenceResource, ParticipantResource};
use crate::account::Account;
use crate::form::Form;
use std::time::Duration;

/// Somebody to be dialled into a conference: no document of their own, no key before joining.
pub type AddParticipant = CreateCall;

/// What to change about a participant; absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeParticipant {
    /// Cannot be heard.
    pub muted: Option<bool>,
    /// Hears music and is not heard.
    pub hold: Option<bool>,
    /// What is heard on hold.
    pub hold_url: Option<String>,
    /// Whether the conference ends when they leave.
    pub ends_on_exit: Option<bool>,
    /// Heard only by this call (`Some(None)`: by everybody again).
    pub coach: Option<Option<String>>,
    /// Played to this participant alone.
    pub announce_url: Option<String>,
}

impl ChangeParticipant {
    fn form(&self) -> Form {
        let mut fields: Vec<(&str, String)> = Vec::new();
        let flag = |v: bool| v.to_string();
        fields.extend(self.muted.map(|v| ("Muted", flag(v))));
        fields.extend(self.hold.map(|v| ("Hold", flag(v))));
        fields.extend(self.hold_url.clone().map(|v| ("HoldUrl", v)));
        fields.extend(self.ends_on_exit.map(|v| ("EndConferenceOnExit", flag(v))));
        match &self.coach {
            Some(Some(call)) => fields.extend([("Coaching", "true".into()), ("CallSidToCoach", call.clone())]),
            Some(None) => fields.push(("Coaching", "false".into())),
            None => {}
        }
        fields.extend(self.announce_url.clone().map(|v| ("AnnounceUrl", v)));
        Form::of(fields)
    }
}

impl Client {
    /// The conferences of this name that are not over.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn live_conferences(&self, account: &Account, name: &str) -> Result<Vec<ConferenceResource>, Fault> {
        let all: Vec<ConferenceResource> = self.all(account, "Conferences.json", &[("FriendlyName", name)]).await?;
        Ok(all.into_iter().filter(|c| c.status != "completed").collect())
    }

    /// Ends a conference for everybody.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn end_conference(&self, account: &Account, sid: &str) -> Result<ConferenceResource, Fault> {
        let form = Form::of([("Status", "completed")]);
        self.post(account, &format!("Conferences/{}.json", segment(sid)), &form, self.total()).await
    }

    /// Who is in a conference, by its id or name.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn participants(&self, account: &Account, conference: &str) -> Result<Vec<ParticipantResource>, Fault> {
        self.all(account, &format!("Conferences/{}/Participants.json", segment(conference)), &[]).await
    }

    /// Dials somebody into a conference. Like a create of a call: never repeated in doubt.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn add_participant(
        &self,
        account: &Account,
        conference: &str,
        add: &AddParticipant,
        within: Duration,
    ) -> Result<ParticipantResource, Fault> {
        let form = Form::of(add.fields.iter().map(|(n, v)| (*n, v.as_str())));
        self.post(account, &format!("Conferences/{}/Participants.json", segment(conference)), &form, within).await
    }

    /// Changes a participant, named by call or label. Always one participant, never the whole
    /// conference: a hold aimed at the conference would hold everybody.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn change_participant(
        &self,
        account: &Account,
        conference: &str,
        who: &str,
        change: &ChangeParticipant,
    ) -> Result<ParticipantResource, Fault> {
        let resource = format!("Conferences/{}/Participants/{}.json", segment(conference), segment(who));
        self.post(account, &resource, &change.form(), self.total()).await
    }

    /// Takes somebody out of a conference; their call goes on with the rest of its document.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn remove_participant(&self, account: &Account, conference: &str, who: &str) -> Result<(), Fault> {
        let resource = format!("Conferences/{}/Participants/{}.json", segment(conference), segment(who));
        self.delete(account, &resource).await
    }
}
