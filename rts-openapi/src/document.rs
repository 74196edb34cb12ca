//! The OpenAPI document, generated from the table of actions and their parameters.

use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder,
    PathsBuilder,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, Content, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder,
    OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder, ResponsesBuilder,
    Schema, ServerBuilder, Type,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::described::{Described, Tag};
use crate::parameter::Parameter;
use crate::route::names;
use crate::{Action, ErrorCode, Metadata, Method};

const DESCRIPTION: &str = "Actions of an app's back end on an RTS server. Requests carry a bearer key, or are signed \
    (version 4, service rtc). Each path carries out the action that it names. SDKs that sign requests address an action as \
    `/?Action=NAME&Version=DATE`, with all parameters in the query (GET) or in the body (POST).";

/// Schema of the metadata of a successful answer.
const METADATA: &str = "Metadata";
/// Schema of the metadata of a failed answer, which includes the error.
const FAILED_METADATA: &str = "FailedMetadata";
/// Schema of a failed answer.
const FAILED: &str = "FailedAnswer";

/// The OpenAPI 3.1 document of all actions, each under its plain path.
#[must_use]
pub fn document() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("MIT or Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title("RTS OpenAPI")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license));
    let mut paths = PathsBuilder::new();
    let mut components = components();
    for action in Action::ALL {
        let described = Described::of(action);
        let body = body(action, &described);
        let operation = operation(action, &described, body.is_some());
        components = components
            .schemas_from_iter(described.schemas)
            .schema(answer(&described.result), envelope(METADATA, reference(&described.result)))
            .schemas_from_iter(body.map(|body| (action.name(), body)));
        let method = match action.method() {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
        };
        paths =
            paths.path(action.path(), PathItemBuilder::new().operation(method, operation).build());
    }
    OpenApiBuilder::new()
        .info(info.build())
        // The server that the document was loaded from.
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .tags(Some(Tag::ALL.map(|tag| {
            TagBuilder::new().name(tag.name()).description(Some(tag.description())).build()
        })))
        .paths(paths.build())
        .components(Some(components.build()))
        .security(Some([
            SecurityRequirement::new("bearer", [""; 0]),
            SecurityRequirement::new("signature", [""; 0]),
        ]))
        .build()
}

fn operation(action: Action, described: &Described, has_body: bool) -> Operation {
    let done = response("Success.", &answer(&described.result));
    let mut responses = ResponsesBuilder::new().response("200", done);
    for (status, codes) in errors_by_status() {
        responses = responses.response(status.to_string(), response(&codes, FAILED));
    }
    let (name, versions) = (action.name(), action.versions().join(", "));
    let (first, rest) = name.split_at(1);
    let description = described.description;
    let operation = OperationBuilder::new()
        .operation_id(Some(format!("{}{rest}", first.to_ascii_lowercase())))
        .tag(described.tag.name())
        .summary(Some(described.summary))
        .description(Some(format!("{description}\n\nThe action `{name}` (`Version` {versions}).")))
        .request_body(has_body.then(|| request_body(name)))
        .responses(responses.build());
    let parameters = described.needed.iter().map(|parameter| (*parameter, Required::True));
    let parameters =
        parameters.chain(described.optional.iter().map(|parameter| (*parameter, Required::False)));
    let outside = parameters.filter_map(|(parameter, required)| {
        let builder = ParameterBuilder::new()
            .name(parameter.name())
            .parameter_in(place(action, parameter)?)
            .required(required)
            .description(Some(parameter.description()))
            .schema(Some(parameter.schema()));
        Some(builder.build())
    });
    outside.fold(operation, OperationBuilder::parameter).build()
}

/// Where a parameter is, if not in the body.
fn place(action: Action, parameter: Parameter) -> Option<ParameterIn> {
    if names(action.path()).any(|name| name == parameter.name()) {
        return Some(ParameterIn::Path);
    }
    (action.method() == Method::Get).then_some(ParameterIn::Query)
}

/// The schema of the body, if the action has one.
fn body(action: Action, described: &Described) -> Option<RefOr<Schema>> {
    let inside = |parameters: &'static [Parameter]| {
        parameters.iter().copied().filter(|parameter| place(action, *parameter).is_none())
    };
    if action.method() == Method::Get {
        return None;
    }
    let mut object = ObjectBuilder::new().schema_type(Type::Object);
    for parameter in inside(described.needed) {
        object =
            object.property(parameter.name(), parameter.described()).required(parameter.name());
    }
    for parameter in inside(described.optional) {
        object = object.property(parameter.name(), parameter.described());
    }
    Some(Schema::Object(object.build()).into())
}

fn request_body(name: &str) -> RequestBody {
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/json", content(name))
        .build()
}

fn response(description: &str, name: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content(name))
        .build()
}

fn content(name: &str) -> Content {
    ContentBuilder::new().schema(Some(reference(name))).build()
}

fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

fn answer(result: &str) -> String {
    format!("{result}Answer")
}

/// The security schemes, and the schemas of all answers.
fn components() -> ComponentsBuilder {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let signed = ApiKey::Header(ApiKeyValue::with_description(
        "Authorization",
        "HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=... (version 4)",
    ));
    let mut schemas = Vec::new();
    Metadata::schemas(&mut schemas);
    let nothing = ObjectBuilder::new().schema_type(Type::Null).build();
    ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("signature", SecurityScheme::ApiKey(signed))
        .schemas_from_iter(schemas)
        .schema(METADATA, metadata(false))
        .schema(FAILED_METADATA, metadata(true))
        .schema(FAILED, envelope(FAILED_METADATA, Schema::Object(nothing).into()))
}

/// The schema of [`Metadata`]. It has an error if and only if the request has failed.
fn metadata(has_failed: bool) -> RefOr<Schema> {
    const ERROR: &str = "Error";
    let mut schema = Metadata::schema();
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        if has_failed {
            object.required.push(ERROR.to_owned());
        } else {
            object.properties.remove(ERROR);
        }
    }
    schema
}

/// The schema of [`Envelope`](crate::Envelope), for a successful or a failed request.
fn envelope(metadata: &str, result: RefOr<Schema>) -> Schema {
    let envelope = ObjectBuilder::new()
        .property("ResponseMetadata", reference(metadata))
        .property("Result", result)
        .required("ResponseMetadata")
        .required("Result");
    Schema::Object(envelope.build())
}

/// Each status of errors, with the names of its codes.
fn errors_by_status() -> Vec<(u16, String)> {
    let mut statuses: Vec<u16> = ErrorCode::ALL.iter().map(|code| code.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let names = |status: u16| {
        let codes = ErrorCode::ALL.iter().filter(|code| code.status() == status);
        codes.map(|code| code.name()).collect::<Vec<_>>().join(", ")
    };
    statuses.into_iter().map(|status| (status, names(status))).collect()
}
