//! JSON schemas of the bodies, derived from their types.

use protocol::RejectionCode;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Prefix of the references to schemas.
const REFERENCE: &str = "#/components/schemas/";

/// The schemas that the document refers to, by name.
#[derive(Default)]
pub(super) struct Schemas {
    named: Map<String, Value>,
}

impl Schemas {
    /// Adds a type and the types of its fields; returns the reference to it.
    pub(super) fn add<T: ToSchema>(&mut self) -> Value {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            let mut schema = serde_json::to_value(schema).expect("a schema is JSON");
            tidy(&mut schema);
            self.named.insert(name, schema);
        }
        json!({ "$ref": format!("{REFERENCE}{}", T::name()) })
    }

    /// The description of the type behind a reference.
    pub(super) fn description(&self, reference: &Value) -> &str {
        let name = reference["$ref"].as_str();
        let name = name.and_then(|path| path.strip_prefix(REFERENCE));
        let schema = name.and_then(|name| self.named.get(name));
        let description = schema.and_then(|schema| schema["description"].as_str());
        description.expect("every body's type has a description")
    }

    pub(super) fn into_json(mut self) -> Value {
        // It stands for the codes of later versions; this version never sends it.
        let unknown = json!(RejectionCode::Unknown);
        if let Some(codes) = self.named.get_mut(&*RejectionCode::name())
            && let Some(codes) = codes["enum"].as_array_mut()
        {
            codes.retain(|code| *code != unknown);
        }
        self.named.into()
    }
}

/// Removes what is specific to Rust: links in descriptions, and `null` as the type of optional fields, which
/// are omitted instead.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = plain(text);
            }
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if types.len() == 1 {
                    let only = types.remove(0);
                    fields.insert("type".to_owned(), only);
                }
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A doc comment as one line, with links reduced to their names.
fn plain(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = text.split("[`");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("`]").unwrap_or((part, ""));
        let target = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let rest = target.map_or(rest, |(_target, rest)| rest);
        plain.push('`');
        plain.push_str(name);
        plain.push('`');
        plain.push_str(rest);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn links_are_reduced_to_their_names() {
        for (documented, said) in [
            (
                "The link, for\n[`Restore::link`]. A secret.",
                "The link, for `Restore::link`. A secret.",
            ),
            (
                "At most [`MAX`](crate::limits::MAX) bytes.",
                "At most `MAX` bytes.",
            ),
            ("[`A`] and [`B`](b)", "`A` and `B`"),
            ("A list [1] (short)", "A list [1] (short)"),
        ] {
            assert_eq!(plain(documented), said);
        }
    }
}
