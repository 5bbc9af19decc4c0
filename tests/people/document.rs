//! The committed OpenAPI document, and the check of exchanges against it.

use serde_json::Value;
use testkit::app::http::{Request, Response};

/// `protocol/openapi.json`, whose paths and schemas every answer of these tests must fit.
pub(crate) struct Document(pub(crate) Value);

/// Asserts that an exchange conforms to the committed document.
pub(crate) fn check(request: &Request, response: &Response) {
    if let Err(problem) = Document::committed().check(request, response) {
        let Request { method, path, .. } = request;
        panic!("{method} {path} gave {response:?}: {problem}");
    }
}

impl Document {
    pub(crate) fn committed() -> Self {
        let text = include_str!("../../protocol/openapi.json");
        Self(serde_json::from_str(text).expect("the document is JSON"))
    }

    /// Every documented (path, method).
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().expect("a map of paths");
        let methods = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().expect("a map of methods");
            let path = path.clone();
            let pairs = methods
                .keys()
                .map(move |method| (path.clone(), method.clone()));
            pairs.collect::<Vec<_>>()
        };
        paths.iter().flat_map(methods).collect()
    }

    /// The documented operation of a path and a method.
    pub(crate) fn operation(&self, path: &str, method: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap_or_default();
        let templates = self.0["paths"].as_object().expect("a map of paths");
        let mut fitting: Vec<&String> = templates
            .keys()
            .filter(|t| fits_template(t, path))
            .collect();
        // Literal segments precede parameters.
        fitting.sort_by_key(|template| template.matches('{').count());
        let template = fitting.first()?;
        self.0["paths"][template.as_str()].get(method.to_ascii_lowercase())
    }

    /// Whether an exchange conforms to the document.
    fn check(&self, request: &Request, response: &Response) -> Result<(), String> {
        let Some(operation) = self.operation(&request.path, &request.method) else {
            let body = parse(&response.body)?;
            return match response.status {
                404 | 405 => self.fits(&self.0["components"]["schemas"]["Failure"], &body, "$"),
                _ => Err("it is not documented".to_owned()),
            };
        };
        let documented = &operation["responses"][response.status.to_string()];
        let documented = self.resolve(documented);
        if documented.is_null() {
            return Err("the status is not documented".to_owned());
        }
        let media_type = response.headers.get("content-type");
        let Some(content) = documented["content"].as_object() else {
            let empty = response.body.is_empty() && media_type.is_none();
            return empty
                .then_some(())
                .ok_or("it should have no body".to_owned());
        };
        let media_type = media_type.and_then(|value| value.split(';').next());
        let media_type = media_type.unwrap_or_default();
        let content = content.get(media_type);
        let schema = &content.ok_or(format!("{media_type} is not documented"))?["schema"];
        match media_type {
            "application/json" => {
                let body = parse(&response.body)?;
                self.fits(schema, &body, "$")?;
                is_explained(documented, response.status, &body)?;
            }
            "application/jsonl" => {
                for line in response.body.lines() {
                    self.fits(schema, &parse(line)?, "$")?;
                }
            }
            _ => {}
        }
        if response.status < 300 && !request.body.is_empty() {
            let content = &operation["requestBody"]["content"];
            let schema = &content["application/json"]["schema"];
            let body = String::from_utf8_lossy(&request.body);
            self.fits(schema, &parse(&body)?, "the request")?;
        }
        Ok(())
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(reference) = schema["$ref"].as_str() else {
            return schema;
        };
        let pointer = reference.strip_prefix('#').expect("references are local");
        let found = self.0.pointer(pointer);
        found.unwrap_or_else(|| panic!("{reference} refers to nothing"))
    }

    /// Whether a value has the shape that a schema demands, and no other fields.
    pub(crate) fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = self.resolve(schema);
        for choice in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[choice].as_array() {
                let mut problems = choices.iter().map(|one| self.fits(one, value, at));
                if !problems.any(|problem| problem.is_ok()) {
                    return Err(format!("{at}: {value} fits none of {choice}"));
                }
            }
        }
        if let Some(values) = schema["enum"].as_array()
            && !values.contains(value)
        {
            return Err(format!("{at}: {value} is none of {values:?}"));
        }
        let fits = match schema["type"].as_str() {
            Some("object") => return self.fits_object(schema, value, at),
            Some("array") => {
                let items = value.as_array().ok_or(format!("{at} is no array"))?;
                let mut items = items.iter().enumerate();
                return items.try_for_each(|(n, item)| {
                    self.fits(&schema["items"], item, &format!("{at}[{n}]"))
                });
            }
            Some("string") => value.as_str().is_some_and(|text| fits_length(schema, text)),
            Some("integer") => value.is_u64(),
            Some("boolean") => value.is_boolean(),
            Some(other) => panic!("this test does not support {other}"),
            None => true,
        };
        fits.then_some(())
            .ok_or(format!("{at}: {value} is not {schema}"))
    }

    fn fits_object(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fields = value.as_object().ok_or(format!("{at} is no object"))?;
        for required in schema["required"].as_array().into_iter().flatten() {
            let required = required.as_str().expect("names are text");
            if !fields.contains_key(required) {
                return Err(format!("{at}.{required} is missing"));
            }
        }
        if schema["properties"].is_null() && schema["additionalProperties"].is_null() {
            return Ok(());
        }
        for (name, value) in fields {
            let at = format!("{at}.{name}");
            let known = schema["properties"].get(name);
            match known.or(schema.get("additionalProperties")) {
                Some(Value::Bool(false)) | None => return Err(format!("{at} is not documented")),
                Some(schema) => self.fits(schema, value, &at)?,
            }
        }
        Ok(())
    }
}

/// Whether the description of a failure's status contains its code.
fn is_explained(answer: &Value, status: u16, body: &Value) -> Result<(), String> {
    let description = answer["description"]
        .as_str()
        .ok_or("it is not described")?;
    match body["error"]["code"].as_str() {
        Some(code) if status >= 400 && !description.contains(&format!("`{code}`")) => {
            Err(format!("{code} is not among the reasons: {description}"))
        }
        _ => Ok(()),
    }
}

fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn fits_template(template: &str, path: &str) -> bool {
    let (mut words, mut segments) = (template.split('/'), path.split('/'));
    loop {
        match (words.next(), segments.next()) {
            (None, None) => return true,
            (Some(word), Some(segment)) if word == segment || word.starts_with('{') => {}
            _ => return false,
        }
    }
}

fn fits_length(schema: &Value, text: &str) -> bool {
    let length = text.chars().count() as u64;
    let bound = |name: &str| schema[name].as_u64();
    bound("minLength").is_none_or(|min| length >= min)
        && bound("maxLength").is_none_or(|max| length <= max)
}

#[test]
fn mismatches_are_detected() {
    let document = Document::committed();
    let state = &document.0["components"]["schemas"]["SessionState"];
    let good = serde_json::json!({
        "session": "KITE42", "title": "T", "phase": "lobby", "teams": 0, "players": 0,
    });
    assert_eq!(document.fits(state, &good, "$"), Ok(()));
    for (field, wrong) in [
        ("phase", "asleep".into()),
        ("teams", "0".into()),
        ("teams", (-1).into()),
        ("title", Value::Null),
        ("ends_at_ms", Value::Null),
        ("surprise", 1.into()),
    ] {
        let mut bad = good.clone();
        bad[field] = wrong;
        assert!(document.fits(state, &bad, "$").is_err(), "{field}");
    }
    let mut bad = good;
    bad.as_object_mut().expect("a map").remove("phase");
    assert!(document.fits(state, &bad, "$").is_err(), "without phase");
}
