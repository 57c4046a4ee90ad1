//! The WebSocket of a console: messages out, pings both ways, nothing else in.

use super::watch::{Message as Said, Watch};
use axum::extract::ws::{Message, WebSocket};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How often a silent line is tried.
const PING: Duration = Duration::from_secs(20);
/// How long one message may take to leave. A reader that takes longer is let go; it comes back
/// with its cursor.
const SEND_MAX: Duration = Duration::from_secs(10);
/// Messages made ahead of a slow line. What does not fit waits in the hub, and becomes a snapshot
/// there when it is too much.
const AHEAD: usize = 8;

/// Serves a socket to its end.
pub async fn serve(mut socket: WebSocket, watch: Watch) {
    let (give, mut take) = mpsc::channel(AHEAD);
    // By itself, because a message that is being made must not be dropped for a ping.
    let _making = AbortOnDropHandle::new(tokio::spawn(make(watch, give)));
    let mut ping = tokio::time::interval(PING);
    ping.tick().await;
    let mut answered = true;
    loop {
        tokio::select! {
            said = take.recv() => match said {
                Some(message) => {
                    if send(&mut socket, Message::Text(message.body.to_string().into())).await.is_err() {
                        return;
                    }
                }
                None => break,
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Whatever comes proves that somebody is there; consoles act over HTTP.
                Some(Ok(_)) => answered = true,
            },
            _ = ping.tick() => {
                if !answered {
                    break;
                }
                answered = false;
                if send(&mut socket, Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = send(&mut socket, Message::Close(None)).await;
}

async fn make(mut watch: Watch, give: mpsc::Sender<Said>) {
    loop {
        match watch.next().await {
            Ok(Some(message)) => {
                if give.send(message).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(problem) => {
                tracing::debug!(problem = %problem.title, "a socket is closed");
                return;
            }
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match tokio::time::timeout(SEND_MAX, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}
