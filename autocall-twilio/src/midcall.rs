//! What people do to a call while it runs: hold, mute, listen in, coach, barge, control a recording.
//! Handing it on and leaving a message are steps of the call itself (`autocall_core::engine`).
//!
//! Holds and mutes always name one participant: aimed at a conference they would hold everybody.

use crate::account::Account;
use crate::rest::{AddParticipant, ChangeParticipant, Fault, RecordingState};
use crate::telephony::{Twilio, address};
use crate::urls::{Route, Subject, room_name, supervisor_label};
use autocall_core::agent::Address;
use autocall_core::call::ProviderRef;
use autocall_core::ports::{DialError, Line, TelephonyError};
use autocall_core::script::Room;
use autocall_core::{CallId, Phone};
use std::sync::Arc;

/// How a supervisor is in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// Hears both, is heard by nobody.
    Monitor,
    /// Hears both, is heard by this call (the agent's) alone.
    Coach(ProviderRef),
    /// Hears and is heard by both.
    Barge,
}

/// What happens to a recording.
pub use crate::rest::RecordingState as Recording;

impl Twilio {
    /// Puts one participant on hold, or takes them off it. `music` is what they hear.
    ///
    /// # Errors
    /// [`TelephonyError::NotUp`] if they are not in the room.
    pub async fn hold(
        &self,
        account: &str,
        room: Room,
        who: &ProviderRef,
        on: bool,
        music: Option<&str>,
    ) -> Result<(), TelephonyError> {
        let hold_url = music.filter(|_| on).map(|key| self.urls.sound(key));
        self.change(account, room, who, &ChangeParticipant { hold: Some(on), hold_url, ..Default::default() }).await
    }

    /// Makes one participant unheard, or heard again.
    ///
    /// # Errors
    /// [`TelephonyError::NotUp`] if they are not in the room.
    pub async fn mute(&self, account: &str, room: Room, who: &ProviderRef, on: bool) -> Result<(), TelephonyError> {
        self.change(account, room, who, &ChangeParticipant { muted: Some(on), ..Default::default() }).await
    }

    /// Rings a supervisor and lets them into the room of a call. In a standing agent's room they are
    /// put out when the call's customer leaves ([`crate::Webhooks::with_client`]). Not repeated in doubt: a room takes each
    /// label once, so that asking again is harmless to everybody but the supervisor's phone.
    ///
    /// # Errors
    /// Refused, or in doubt.
    pub async fn supervise(
        &self,
        account: &str,
        room: Room,
        call: CallId,
        supervisor: &Address,
        show: Phone,
        how: &Supervision,
    ) -> Result<ProviderRef, DialError> {
        let mut add = joining(supervisor, show)
            .with("Label", supervisor_label(call))
            .with("StartConferenceOnEnter", "false")
            .with("EndConferenceOnExit", "false")
            .with("Muted", (*how == Supervision::Monitor).to_string());
        if let Supervision::Coach(agent) = how {
            add = add.with("Coaching", "true").with("CallSidToCoach", agent.0.as_ref());
        }
        self.add(account, room, add).await
    }

    /// Changes how a supervisor is in a call.
    ///
    /// # Errors
    /// [`TelephonyError::NotUp`] if they are not in the room.
    pub async fn supervise_as(
        &self,
        account: &str,
        room: Room,
        supervisor: &ProviderRef,
        how: &Supervision,
    ) -> Result<(), TelephonyError> {
        let coach = match how {
            Supervision::Coach(agent) => Some(agent.0.to_string()),
            _ => None,
        };
        let muted = Some(*how == Supervision::Monitor);
        self.change(account, room, supervisor, &ChangeParticipant { muted, coach: Some(coach), ..Default::default() })
            .await
    }

    /// Keeps the room going when this participant leaves it, even if they would otherwise end it.
    /// Without it the others are put out and come back a moment later.
    ///
    /// # Errors
    /// [`TelephonyError::NotUp`] if they are not in the room.
    pub async fn keep_room(&self, account: &str, room: Room, who: &ProviderRef) -> Result<(), TelephonyError> {
        self.change(account, room, who, &ChangeParticipant { ends_on_exit: Some(false), ..Default::default() }).await
    }

    /// The labels and calls of those in a room.
    ///
    /// # Errors
    /// The carrier cannot say.
    pub async fn participants(
        &self,
        account: &str,
        room: Room,
    ) -> Result<Vec<crate::rest::ParticipantResource>, TelephonyError> {
        let account = self.account(account).await?;
        let conference = self.conference(&account, room).await?;
        self.client.participants(&account, &conference).await.map_err(Fault::into_telephony_error)
    }

    /// Starts recording a line.
    ///
    /// # Errors
    /// [`TelephonyError::NotUp`] if the line is not in progress.
    pub async fn record(&self, account: &str, line: Line, leg: &ProviderRef) -> Result<String, TelephonyError> {
        let account = self.account(account).await?;
        let callback = self.urls.of(Route::Recording, Subject::Line(line), "");
        let made = self.client.start_recording(&account, &leg.0, &callback).await;
        made.map(|r| r.sid).map_err(Fault::into_telephony_error)
    }

    /// Pauses, resumes or stops the recording of a line.
    ///
    /// # Errors
    /// [`TelephonyError::NotUp`] if none runs.
    pub async fn set_recording(
        &self,
        account: &str,
        leg: &ProviderRef,
        state: RecordingState,
    ) -> Result<(), TelephonyError> {
        let account = self.account(account).await?;
        let done = self.client.set_recording(&account, &leg.0, state).await;
        done.map(drop).map_err(Fault::into_telephony_error)
    }

    /// Deletes a recording at the carrier; done when this says so.
    ///
    /// # Errors
    /// Not deleted yet; ask again.
    pub async fn delete_recording(&self, account: &str, sid: &str) -> Result<(), TelephonyError> {
        let account = self.account(account).await?;
        self.client.delete_recording(&account, sid).await.map_err(Fault::into_telephony_error)
    }

    async fn conference(&self, account: &Account, room: Room) -> Result<String, TelephonyError> {
        let live = self.client.live_conferences(account, &room_name(room)).await;
        let live = live.map_err(Fault::into_telephony_error)?;
        live.into_iter().next().map(|c| c.sid).ok_or(TelephonyError::NotUp)
    }

    async fn change(
        &self,
        account: &str,
        room: Room,
        who: &ProviderRef,
        change: &ChangeParticipant,
    ) -> Result<(), TelephonyError> {
        let account = self.account(account).await?;
        let conference = self.conference(&account, room).await?;
        let done = self.client.change_participant(&account, &conference, &who.0, change).await;
        done.map(drop).map_err(Fault::into_telephony_error)
    }

    async fn add(&self, account: &str, room: Room, add: AddParticipant) -> Result<ProviderRef, DialError> {
        let refused = |_| DialError::Refused(autocall_core::ports::Refusal::Account("no such account".into()));
        let account: Arc<Account> = self.account(account).await.map_err(refused)?;
        // Every leg of a room gives the same callback: the first one's counts.
        let add = add
            .with("Beep", "false")
            .with("JitterBufferSize", "small")
            .with("EarlyMedia", "false")
            .with("ConferenceStatusCallback", self.urls.of(Route::ConferenceStatus, Subject::Room(room), ""));
        let add = ["start", "end", "join", "leave"]
            .into_iter()
            .fold(add, |add, event| add.with("ConferenceStatusCallbackEvent", event));
        let made = self.client.add_participant(&account, &room_name(room), &add, self.client.total()).await;
        made.map(|p| ProviderRef(p.call_sid.into())).map_err(Fault::into_dial_error)
    }
}

fn joining(to: &Address, show: Phone) -> AddParticipant {
    AddParticipant::default().with("To", address(to)).with("From", show.e164()).with("Timeout", "25")
}
