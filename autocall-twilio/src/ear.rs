//! The engine as the ear of the webhooks.

use crate::telephony::Twilio;
use crate::webhook::{Ear, RecordingEvent, Unavailable};
use async_trait::async_trait;
use autocall_core::call::LegFacts;
use autocall_core::engine::{Engine, Task};
use autocall_core::ports::Line;
use autocall_core::script::Script;
use autocall_core::{CallId, Timestamp};
use std::sync::Arc;

/// Takes the tasks that follow from a webhook: the engine's inbox, or any queue.
pub type Give = Arc<dyn Fn(Vec<Task>) + Send + Sync>;

/// Keeps note of finished recordings.
#[async_trait]
pub trait Recordings: Send + Sync {
    /// A recording of a line is complete.
    ///
    /// # Errors
    /// It could not be noted; the carrier reports again.
    async fn keep(&self, line: Line, recording: &RecordingEvent) -> Result<(), Unavailable>;
}

/// Hands what webhooks say to the engine, and what follows to whoever performs it.
pub struct EngineEar {
    engine: Arc<Engine>,
    twilio: Arc<Twilio>,
    give: Give,
    recordings: Option<Arc<dyn Recordings>>,
}

impl EngineEar {
    /// An ear of this engine.
    pub fn new(engine: Arc<Engine>, twilio: Arc<Twilio>, give: Give) -> EngineEar {
        EngineEar { engine, twilio, give, recordings: None }
    }
    /// With somebody who keeps note of recordings.
    #[must_use]
    pub fn with_recordings(mut self, recordings: Arc<dyn Recordings>) -> EngineEar {
        self.recordings = Some(recordings);
        self
    }
}

#[async_trait]
impl Ear for EngineEar {
    fn now(&self) -> Timestamp {
        self.engine.now()
    }

    async fn hear(&self, line: Line, facts: LegFacts, asked: bool) -> Result<Script, Unavailable> {
        let provider = facts.provider.clone();
        let reply = self.engine.hear(line, facts, asked).await.map_err(|error| {
            tracing::warn!(%line, %error, "a webhook could not be taken in");
            Unavailable
        })?;
        if let Some(provider) = provider {
            self.twilio.saw(&provider, line);
        }
        (self.give)(reply.tasks);
        Ok(reply.script)
    }

    async fn talks(&self, call: CallId) -> Result<bool, Unavailable> {
        self.engine.talks(call).await.map_err(|_| Unavailable)
    }

    async fn recorded(&self, line: Line, recording: &RecordingEvent) -> Result<(), Unavailable> {
        match &self.recordings {
            Some(recordings) => recordings.keep(line, recording).await,
            None => Ok(()),
        }
    }
}
