//! What somebody sees who opens the server's address.

use axum::extract::State;
use hyper::HeaderMap;
use hyper::header::HOST;

use crate::gateway::Gateway;

pub(super) async fn welcome(State(gateway): State<Gateway>, headers: HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("127.0.0.1:8080");
    let count = gateway.sessions().count();
    format!(
        "Cluecast: live treasure and puzzle hunts. Sessions here: {count}.\n\
         \n\
         Join one:\n\
         \x20 curl http://{host}/api/v1/join -H 'content-type: application/json' \\\n\
         \x20   -d '{{\"session\":\"CODE\",\"new_team\":\"Owls\",\"name\":\"Ana\"}}'\n\
         Play: a WebSocket to ws://{host}/ws/CODE, as protocol/README.md tells.\n\
         Watch: curl http://{host}/api/v1/sessions/CODE/standings\n"
    )
}
