//! The scopes of game masters, in both directions.

use std::collections::BTreeSet;

use protocol as wire;

/// A scope on the wire.
pub fn scope(scope: hunt::Scope) -> wire::Scope {
    named(scope).0
}

/// The scope's name on the wire.
pub fn scope_name(scope: hunt::Scope) -> &'static str {
    named(scope).1
}

fn named(scope: hunt::Scope) -> (wire::Scope, &'static str) {
    match scope {
        hunt::Scope::View => (wire::Scope::View, "view"),
        hunt::Scope::Hints => (wire::Scope::Hints, "hints"),
        hunt::Scope::Run => (wire::Scope::Run, "run"),
        hunt::Scope::Answers => (wire::Scope::Answers, "answers"),
    }
}

/// Scopes of a request, as the rules name them.
pub fn scopes_from_wire(scopes: &[wire::Scope]) -> BTreeSet<hunt::Scope> {
    let from_wire = |scope: &wire::Scope| match scope {
        wire::Scope::View => hunt::Scope::View,
        wire::Scope::Hints => hunt::Scope::Hints,
        wire::Scope::Run => hunt::Scope::Run,
        wire::Scope::Answers => hunt::Scope::Answers,
    };
    scopes.iter().map(from_wire).collect()
}

#[cfg(test)]
mod tests {
    use super::{scope, scope_name, scopes_from_wire};

    #[test]
    fn a_scope_has_its_wire_name_and_survives_the_round_trip() {
        for known in hunt::Scope::ALL {
            assert_eq!(serde_json::json!(scope(known)), scope_name(known));
            assert_eq!(scopes_from_wire(&[scope(known)]), [known].into());
        }
    }
}
