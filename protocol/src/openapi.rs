//! Schemas that cannot be derived, for the OpenAPI document of the REST interface.

use utoipa::openapi::schema::{AdditionalProperties, AnyOf};
use utoipa::openapi::{Object, ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::RejectionCode;
use crate::rest::FailureCode;

/// The codes that are not the rules'.
const OWN_CODES: [FailureCode; 12] = [
    FailureCode::BadRequest,
    FailureCode::Unauthorized,
    FailureCode::Forbidden,
    FailureCode::NotFound,
    FailureCode::MethodNotAllowed,
    FailureCode::CodeTaken,
    FailureCode::RequestTimeout,
    FailureCode::TooLarge,
    FailureCode::InvalidHunt,
    FailureCode::RateLimited,
    FailureCode::Unavailable,
    FailureCode::Internal,
];

impl PartialSchema for FailureCode {
    /// One of its own names, or one of a rejection: which serde writes side by side.
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

/// An event of the journal: which fields stand beside its type, the server's version decides.
pub(crate) fn event() -> Object {
    ObjectBuilder::new()
        .description(Some("What happened."))
        .property("type", ObjectBuilder::new().schema_type(Type::String))
        .required("type")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .build()
}
