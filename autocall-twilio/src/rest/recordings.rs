//! Recordings: start, pause, resume, stop, fetch the sound, delete.

use super::calls::segment;
use super::client::Client;
use super::error::Fault;
use super::resources::RecordingResource;
use crate::account::Account;
use crate::form::Form;

/// What to do with a running recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingState {
    /// Nothing is written; the gap is left out.
    Paused,
    /// On again.
    Running,
    /// Over.
    Stopped,
}

impl Client {
    /// Starts recording a call in both directions, each side on a channel of its own.
    ///
    /// # Errors
    /// [`Fault::NotUp`] if the call is not in progress.
    pub async fn start_recording(
        &self,
        account: &Account,
        call: &str,
        callback: &str,
    ) -> Result<RecordingResource, Fault> {
        let form = Form::of([
            ("RecordingChannels", "dual"),
            ("RecordingStatusCallback", callback),
            ("RecordingStatusCallbackEvent", "completed"),
        ]);
        self.post(account, &format!("Calls/{}/Recordings.json", segment(call)), &form, self.total()).await
    }

    /// Pauses, resumes or stops the recording that runs on a call.
    ///
    /// # Errors
    /// [`Fault::NotUp`] if none runs.
    pub async fn set_recording(
        &self,
        account: &Account,
        call: &str,
        state: RecordingState,
    ) -> Result<RecordingResource, Fault> {
        let fields: &[(&str, &str)] = match state {
            RecordingState::Paused => &[("Status", "paused"), ("PauseBehavior", "skip")],
            RecordingState::Running => &[("Status", "in-progress")],
            RecordingState::Stopped => &[("Status", "stopped")],
        };
        let resource = format!("Calls/{}/Recordings/Twilio.CURRENT.json", segment(call));
        self.post(account, &resource, &Form::of(fields.iter().copied()), self.total()).await
    }

    /// The sound of a recording, WAV.
    ///
    /// # Errors
    /// [`Fault::NotUp`] if it is deleted.
    pub async fn recording_sound(&self, account: &Account, sid: &str) -> Result<Vec<u8>, Fault> {
        self.bytes(account, &account.url(&format!("Recordings/{}.wav", segment(sid)))).await
    }

    /// Deletes a recording at the carrier. One that is gone already counts as deleted.
    ///
    /// # Errors
    /// See [`Fault`]; the caller repeats until this says that it is done.
    pub async fn delete_recording(&self, account: &Account, sid: &str) -> Result<(), Fault> {
        match self.delete(account, &format!("Recordings/{}.json", segment(sid))).await {
            Err(Fault::NotUp { .. }) => Ok(()),
            other => other,
        }
    }

    /// The recordings of a call.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn recordings(&self, account: &Account, call: &str) -> Result<Vec<RecordingResource>, Fault> {
        self.all(account, "Recordings.json", &[("CallSid", call)]).await
    }

    /// Whether these credentials open the account: the test on saving them.
    ///
    /// # Errors
    /// [`Fault::Refused`] with the account at fault if they do not.
    pub async fn try_account(&self, account: &Account) -> Result<(), Fault> {
        let url = format!("{}/2010-04-01/Accounts/{}.json", account.base_url, account.id);
        self.bytes(account, &url).await.map(drop)
    }
}
