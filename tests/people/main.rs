//! People, end to end: who may join, come back, see, order and revoke what, over real HTTP and
//! WebSockets; and the OpenAPI document, by which every answer here is checked.

mod api;
mod clues;
mod codes;
mod devices;
mod document;
mod game_masters;
mod joining;
mod limits;
mod links;
mod openapi;
mod phases;
mod restarts;
mod scopes;
mod seat;
mod stage;
