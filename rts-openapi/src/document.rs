//! The OpenAPI document, made of the table of actions and their parameters.

use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
    PathItemBuilder, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, Object, ObjectBuilder, OpenApi,
    OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder, ResponsesBuilder, Schema,
    ServerBuilder, Type,
};
use utoipa::{PartialSchema as _, ToSchema};

use crate::operating::{
    BanUser, DisconnectUser, GetStats, ListRooms, ListUsers, RevokeTokens, UnbanUser,
};
use crate::parameters::{
    BanRoomUser, DismissRoom, GetRoomOnlineUsers, GetUserOnlineStatus, KickUser, SendBroadcast,
    SendRoomUnicast, SendUnicast,
};
use crate::route::names;
use crate::{
    Action, Done, DoneInSmallLetters, Ended, ErrorCode, Metadata, Method, OnlineUsers, Revoked,
    RoomList, Sent, Stats, Unbanned, UserList, UserStatuses,
};

const DESCRIPTION: &str = "What an app's back end may ask of an RTS server. Requests carry a bearer key, or are signed \
    (version 4, service rtc). Each path does what the action named with it does, which the original's clients ask for as \
    `/?Action=NAME&Version=DATE` with all parameters in the query (GET) or in the body (POST).";

/// Whose answer says what went wrong.
const FAILED: &str = "FailedAnswer";

/// What an operation is about, as generated clients sort them.
#[derive(Clone, Copy)]
enum Tag {
    Messages,
    Rooms,
    Users,
}

impl Tag {
    const ALL: [Self; 3] = [Self::Messages, Self::Rooms, Self::Users];

    const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Rooms => "rooms",
            Self::Users => "users",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Messages => "Messages from the back end to users and rooms",
            Self::Rooms => "Who is in a room, and who is put out or kept out",
            Self::Users => "Who is online, who is put out, and who may not log in",
        }
    }
}

/// What an action is in the document.
struct Described {
    tag: Tag,
    summary: &'static str,
    /// All of them; some are in the path.
    parameters: RefOr<Schema>,
    /// The name of its answer.
    answer: String,
    /// What these refer to.
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Described {
    fn new<P: ToSchema, R: ToSchema>(tag: Tag, summary: &'static str) -> Self {
        let mut schemas = Vec::new();
        P::schemas(&mut schemas);
        add::<R>(&mut schemas);
        let answer = format!("{}Answer", R::name());
        schemas.push((answer.clone(), envelope(reference(&R::name())).into()));
        Self { tag, summary, parameters: P::schema(), answer, schemas }
    }

    fn of(action: Action) -> Self {
        match action {
            Action::SendUnicast => {
                Self::new::<SendUnicast, Sent>(Tag::Messages, "A message to a user")
            }
            Action::SendBroadcast => Self::new::<SendBroadcast, Sent>(
                Tag::Messages,
                "A message to all members of a room",
            ),
            Action::SendRoomUnicast => {
                Self::new::<SendRoomUnicast, Sent>(Tag::Messages, "A message to a member of a room")
            }
            Action::BatchSendRoomUnicast => Self::new::<SendRoomUnicast, Sent>(
                Tag::Messages,
                "A message to some members of a room",
            ),
            Action::KickUser => Self::new::<KickUser, Done>(Tag::Rooms, "A user out of a room"),
            Action::DismissRoom => {
                Self::new::<DismissRoom, Done>(Tag::Rooms, "Everybody out of a room")
            }
            Action::BanRoomUser => Self::new::<BanRoomUser, DoneInSmallLetters>(
                Tag::Rooms,
                "Somebody out, and not in again for a while",
            ),
            Action::GetRoomOnlineUsers => {
                Self::new::<GetRoomOnlineUsers, OnlineUsers>(Tag::Rooms, "Who is in a room")
            }
            Action::GetUserOnlineStatus => Self::new::<GetUserOnlineStatus, UserStatuses>(
                Tag::Users,
                "Who of these users is online",
            ),
            Action::DisconnectUser => {
                Self::new::<DisconnectUser, Ended>(Tag::Users, "A user out of its session")
            }
            Action::BanUser => Self::new::<BanUser, Ended>(
                Tag::Users,
                "A user out, and not logged in again for a while or until that is lifted",
            ),
            Action::UnbanUser => {
                Self::new::<UnbanUser, Unbanned>(Tag::Users, "A user may log in again")
            }
            Action::RevokeTokens => Self::new::<RevokeTokens, Revoked>(
                Tag::Users,
                "Tokens issued before a moment are good no more",
            ),
            Action::ListUsers => Self::new::<ListUsers, UserList>(Tag::Users, "Who is there"),
            Action::ListRooms => {
                Self::new::<ListRooms, RoomList>(Tag::Rooms, "Which rooms there are")
            }
            Action::GetStats => Self::new::<GetStats, Stats>(Tag::Users, "What an app has now"),
        }
    }
}

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
        components = components.schemas_from_iter(described.schemas.iter().cloned());
        let (parameters, fields) = parameters(action, &described);
        let mut operation = operation(action, &described, parameters);
        if action.method() == Method::Post {
            components = components.schema(action.name(), Schema::Object(fields));
            let content = ContentBuilder::new().schema(Some(reference(action.name()))).build();
            let body = RequestBodyBuilder::new().required(Some(Required::True));
            operation.request_body = Some(body.content("application/json", content).build());
        }
        let method = match action.method() {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
        };
        paths =
            paths.path(action.path(), PathItemBuilder::new().operation(method, operation).build());
    }
    OpenApiBuilder::new()
        .info(info.build())
        // Where the document itself comes from.
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

fn operation(action: Action, described: &Described, parameters: Vec<Parameter>) -> Operation {
    let done = response("It is done.", reference(&described.answer));
    let mut responses = ResponsesBuilder::new().response("200", done);
    for (status, codes) in errors_by_status() {
        responses = responses.response(status.to_string(), response(&codes, reference(FAILED)));
    }
    let name = action.name();
    let versions = action.versions().join(", ");
    let (first, rest) = name.split_at(1);
    OperationBuilder::new()
        .operation_id(Some(format!("{}{rest}", first.to_ascii_lowercase())))
        .tag(described.tag.name())
        .summary(Some(described.summary))
        .description(Some(format!("The action `{name}` (`Version` {versions}).")))
        .parameters((!parameters.is_empty()).then_some(parameters))
        .responses(responses.build())
        .build()
}

/// The parameters that stand in the path or in the query, and those that are left for the body.
fn parameters(action: Action, described: &Described) -> (Vec<Parameter>, Object) {
    let RefOr::T(Schema::Object(mut fields)) = described.parameters.clone() else {
        return (Vec::new(), Object::new());
    };
    let mut outside = Vec::new();
    let mut take = |fields: &mut Object, name: &str, place: ParameterIn| {
        let Some(schema) = fields.properties.remove(name) else { return };
        let is_needed = fields.required.iter().any(|other| other == name);
        fields.required.retain(|other| other != name);
        outside.push(parameter(name, schema, place, is_needed));
    };
    for name in names(action.path()) {
        take(&mut fields, name, ParameterIn::Path);
    }
    if action.method() == Method::Get {
        let names: Vec<String> = fields.properties.keys().cloned().collect();
        names.iter().for_each(|name| take(&mut fields, name, ParameterIn::Query));
    }
    (outside, fields)
}

fn parameter(name: &str, schema: RefOr<Schema>, place: ParameterIn, is_needed: bool) -> Parameter {
    let (schema, description) = match schema {
        RefOr::T(Schema::Object(mut object)) => {
            let description = object.description.take();
            (RefOr::T(Schema::Object(object)), description)
        }
        // Several receivers do not go into a path.
        _ => (String::schema(), Some("The user.".to_owned())),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(if is_needed { Required::True } else { Required::False })
        .description(description)
        .schema(Some(schema))
        .build()
}

fn response(description: &str, schema: RefOr<Schema>) -> Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

/// How requests say whose they are, and what is in every answer.
fn components() -> ComponentsBuilder {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let signed = ApiKey::Header(ApiKeyValue::with_description(
        "Authorization",
        "HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..., as the original's SDKs do it",
    ));
    let mut schemas = Vec::new();
    add::<Metadata>(&mut schemas);
    let nothing = ObjectBuilder::new().schema_type(Type::Null).build();
    schemas.push((FAILED.to_owned(), envelope(Schema::Object(nothing).into()).into()));
    ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("signature", SecurityScheme::ApiKey(signed))
        .schemas_from_iter(schemas)
}

fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// As [`Envelope`](crate::Envelope), with what is in it once it is known how it went.
fn envelope(result: RefOr<Schema>) -> Schema {
    let envelope = ObjectBuilder::new()
        .property("ResponseMetadata", reference(&Metadata::name()))
        .property("Result", result)
        .required("ResponseMetadata")
        .required("Result");
    Schema::Object(envelope.build())
}

/// Each error status with the names of its codes.
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
