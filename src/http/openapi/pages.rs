//! The pages for operators, which are outside the versioned interface.

use serde_json::{Map, Value, json};

/// A path with a plain-text response.
struct Page {
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// Status and meaning of each response.
    responses: &'static [(&'static str, &'static str)],
}

const PAGES: [Page; 3] = [
    Page {
        path: "/health/live",
        id: "isLive",
        summary: "Liveness check",
        responses: &[("200", "The process is alive.")],
    },
    Page {
        path: "/health/ready",
        id: "isReady",
        summary: "Readiness check, for load balancers",
        responses: &[
            ("200", "The node is ready for players."),
            ("503", "The node is not ready; the text says why."),
        ],
    },
    Page {
        path: "/metrics",
        id: "readMetrics",
        summary: "Reads the metrics, in the Prometheus text format",
        responses: &[("200", "All metrics.")],
    },
];

pub(super) fn paths() -> Map<String, Value> {
    let pages = PAGES.iter().map(|page| {
        let responses = page.responses.iter().map(|(status, meaning)| {
            let text = json!({ "text/plain": { "schema": { "type": "string" } } });
            let response = json!({ "description": meaning, "content": text });
            ((*status).to_owned(), response)
        });
        let operation = json!({
            "operationId": page.id,
            "summary": page.summary,
            "tags": ["health"],
            "responses": responses.collect::<Map<_, _>>(),
        });
        (page.path.to_owned(), json!({ "get": operation }))
    });
    pages.collect()
}
