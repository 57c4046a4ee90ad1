//! The WebSocket of a console: messages out, pings both ways, nothing else in.

use super::watch::Watch;
use crate::app::App;
use crate::identity::{Principal, principal};
use axum::extract::ws::{Message, WebSocket};
use axum::http::{HeaderMap, Method};
use std::time::Duration;

/// How often a silent line is tried, and the session looked at again.
const PING: Duration = Duration::from_secs(20);
/// How long one message may take to leave. A reader that takes longer is let go; it comes back
/// with its cursor.
const SEND_MAX: Duration = Duration::from_secs(10);

/// Serves a socket to its end.
pub async fn serve(app: App, mut socket: WebSocket, mut watch: Watch, headers: HeaderMap) {
    let mut ping = tokio::time::interval(PING);
    ping.tick().await;
    let mut answered = true;
    loop {
        tokio::select! {
            said = watch.next() => match said {
                Ok(Some(message)) => {
                    if send(&mut socket, Message::Text(message.body.to_string().into())).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(problem) => {
                    tracing::debug!(problem = %problem.title, "a socket is closed");
                    break;
                }
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Whatever comes proves that somebody is there; consoles act over HTTP.
                Some(Ok(_)) => answered = true,
            },
            _ = ping.tick() => {
                if !answered || !still(&app, watch.who(), &headers).await {
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

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match tokio::time::timeout(SEND_MAX, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}

/// Whether the principal is still who they were: a session ended or a role changed in between. An
/// access token that ran out meanwhile is no reason to close: its session is what counts.
async fn still(app: &App, who: &Principal, headers: &HeaderMap) -> bool {
    match &who.session {
        Some(session) => {
            let stands = crate::identity::sessions::stands(app, who.tenant, session).await;
            let role = match who.as_user() {
                Ok(id) => crate::identity::users::user(app, who.tenant, id).await,
                Err(problem) => Err(problem),
            };
            // A store that is away for a moment closes nothing.
            stands.is_ok_and(|s| s.is_none()).then_some(()).is_none()
                && role.map_or_else(|p| p.status == 503, |u| !u.row.disabled && Some(u.row.role) == who.role)
        }
        None => match principal::authenticate(app, &Method::GET, headers).await {
            Ok(found) => found.is_some(),
            Err(problem) => problem.status == 503,
        },
    }
}
