//! Whether the process lives, and whether it should be sent players.

use axum::extract::State;
use hyper::StatusCode;

use crate::gateway::Gateway;

pub(super) async fn live() -> &'static str {
    "live\n"
}

/// Red while the server stops, while it may not speak for its sessions, and while a session is being recovered.
pub(super) async fn ready(State(gateway): State<Gateway>) -> (StatusCode, String) {
    if gateway.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    if !gateway.sessions().lease().is_held() {
        let text = "out of touch with the other nodes\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    match gateway.sessions().recovering_count() {
        0 => (StatusCode::OK, "ready\n".to_owned()),
        recovering => {
            let text = format!("sessions being recovered: {recovering}\n");
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}
