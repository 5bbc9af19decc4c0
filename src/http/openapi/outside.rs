//! Paths for operators, outside the versioned interface.

use serde_json::{Map, Value, json};

/// A path that answers with text.
struct Page {
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// Status and meaning of each answer.
    answers: &'static [(&'static str, &'static str)],
}

const PAGES: [Page; 3] = [
    Page {
        path: "/health/live",
        id: "isLive",
        summary: "Tells whether the process answers at all",
        answers: &[("200", "It does.")],
    },
    Page {
        path: "/health/ready",
        id: "isReady",
        summary: "Tells whether players should be sent here",
        answers: &[
            ("200", "They should."),
            ("503", "They should not; the text says why."),
        ],
    },
    Page {
        path: "/metrics",
        id: "readMetrics",
        summary: "Reads the metrics, in the text format of Prometheus",
        answers: &[("200", "All metrics.")],
    },
];

pub(super) fn paths() -> Map<String, Value> {
    let pages = PAGES.iter().map(|page| {
        let answers = page.answers.iter().map(|(status, meaning)| {
            let text = json!({ "text/plain": { "schema": { "type": "string" } } });
            let answer = json!({ "description": meaning, "content": text });
            ((*status).to_owned(), answer)
        });
        let operation = json!({
            "operationId": page.id,
            "summary": page.summary,
            "tags": ["health"],
            "responses": answers.collect::<Map<_, _>>(),
        });
        (page.path.to_owned(), json!({ "get": operation }))
    });
    pages.collect()
}
