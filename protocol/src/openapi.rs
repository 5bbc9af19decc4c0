//! OpenAPI schemas of the REST API that cannot be derived.

use utoipa::openapi::schema::AnyOf;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::rejection::RejectionCode;
use crate::rest::FailureCode;

/// The codes that are not rejections of the rules.
const OWN_CODES: [FailureCode; 13] = [
    FailureCode::BadRequest,
    FailureCode::Unauthorized,
    FailureCode::Forbidden,
    FailureCode::NotFound,
    FailureCode::MethodNotAllowed,
    FailureCode::CodeTaken,
    FailureCode::RequestTimeout,
    FailureCode::TooLarge,
    FailureCode::InvalidHunt,
    FailureCode::KeyReused,
    FailureCode::RateLimited,
    FailureCode::Unavailable,
    FailureCode::Internal,
];

impl PartialSchema for FailureCode {
    /// Either a code of its own or a rejection code; serde encodes both as a plain string.
    fn schema() -> RefOr<Schema> {
        let names = OWN_CODES.map(|code| serde_json::json!(code));
        let own = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names));
        let rejections = Ref::from_schema_name(RejectionCode::name());
        let mut codes = AnyOf::new();
        codes.description = Some("Why a REST request failed.".to_owned());
        codes.items = vec![own.build().into(), rejections.into()];
        Schema::AnyOf(codes).into()
    }
}

impl ToSchema for FailureCode {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((RejectionCode::name().into_owned(), RejectionCode::schema()));
    }
}
