//! The query parameters of routes.

use protocol::limits::PAGE_ROWS_MAX;
use serde_json::{Value, json};

/// A parameter in the query of a path.
#[derive(Clone, Copy)]
pub(in crate::http) enum QueryParameter {
    /// The page's begin in a list that is newest first.
    Before,
    /// The page's begin in a list of players.
    AfterPlayer,
    /// The number of rows.
    Limit,
    /// A puzzle.
    Puzzle,
    /// An export without names.
    Anonymous,
    /// The form of an export.
    Format,
}

impl QueryParameter {
    /// The document's parameter object.
    pub(super) fn render(self) -> Value {
        let (name, required, description, schema) = match self {
            Self::Before => (
                "before",
                false,
                "Only rows with a lower `seq`; the `before` of the previous page.",
                json!({ "type": "integer", "format": "int64", "minimum": 0 }),
            ),
            Self::AfterPlayer => (
                "after",
                false,
                "Only players who joined after this one; the `after` of the previous page.",
                json!({ "type": "string" }),
            ),
            Self::Limit => (
                "limit",
                false,
                "The number of rows at most; 50 unless given.",
                json!({ "type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX }),
            ),
            Self::Puzzle => (
                "puzzle",
                true,
                "The puzzle's id.",
                json!({ "type": "string" }),
            ),
            Self::Anonymous => (
                "anonymous",
                false,
                "Leaves the names of people and teams and the reasons out.",
                json!({ "type": "string", "enum": ["1"] }),
            ),
            Self::Format => (
                "format",
                false,
                "`jsonl`: every event. `csv`: the guesses only.",
                json!({ "type": "string", "enum": ["jsonl", "csv"], "default": "jsonl" }),
            ),
        };
        json!({
            "name": name,
            "in": "query",
            "required": required,
            "description": description,
            "schema": schema,
        })
    }
}
