//! `welcome`: the reply to a connection that attaches.

use protocol as wire;

use super::scope::scope;
use crate::delivery::viewer::Viewer;
use crate::session::View;

/// The random delay before a client reconnects after a connection that died silently. It spreads the
/// clients of a failed node over this interval.
const RECONNECT: wire::Reconnect = wire::Reconnect {
    min_in_ms: 100,
    max_in_ms: 2_000,
};

/// The point of the stream at which a connection attaches.
#[derive(Clone, Copy)]
pub(in crate::delivery) struct Resumption {
    pub(in crate::delivery) resume: wire::Resume,
    pub(in crate::delivery) generation: u32,
    pub(in crate::delivery) heads: wire::Heads,
    pub(in crate::delivery) server_time_ms: u64,
}

/// The standing advice on reconnecting.
pub(in crate::delivery) fn reconnect_advice() -> wire::Reconnect {
    RECONNECT
}

/// The `welcome` of a viewer.
pub(in crate::delivery) fn welcome(
    view: View<'_>,
    viewer: Viewer,
    resumption: Resumption,
) -> wire::Welcome {
    let mut welcome = wire::Welcome {
        device: None,
        player: None,
        team: None,
        game_master: None,
        scopes: Vec::new(),
        resume: resumption.resume,
        generation: resumption.generation,
        heads: resumption.heads,
        server_time_ms: resumption.server_time_ms,
        last_command: 0,
        reconnect: reconnect_advice(),
    };
    let last_command = match viewer {
        Viewer::Player {
            device,
            player,
            team,
        } => {
            welcome.device = Some(device.to_string());
            welcome.player = Some(player.to_string());
            welcome.team = Some(team.to_string());
            let known = view.state.device(device);
            known.and_then(hunt::Device::last_command)
        }
        Viewer::GameMaster { game_master, .. } => {
            welcome.game_master = Some(game_master.to_string());
            let known = view.state.game_master(game_master);
            let scopes = known.into_iter().flat_map(|known| &known.scopes);
            welcome.scopes = scopes.copied().map(scope).collect();
            known.and_then(hunt::GameMaster::last_command)
        }
        Viewer::Spectator => None,
    };
    welcome.last_command = last_command.map_or(0, |id| id.0);
    welcome
}
