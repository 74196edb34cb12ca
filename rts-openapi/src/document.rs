//! The parameters of each action, and the OpenAPI document that is made of them.

use serde::Deserialize;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Info, ObjectBuilder, OpenApi, OpenApiBuilder, RefOr,
    Required, ResponseBuilder, ResponsesBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::{
    Action, Done, DoneInSmallLetters, Envelope, ErrorCode, Method, OnlineUsers, Sent, UserStatuses,
};

// Every field is optional for serde, so that a missing one gets an error of its own.

/// A message to a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendUnicast {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The sender's name: of the form of a user id. Choose one that no user has, and list it in `reserved_uids`.
    #[schema(required, nullable = false, example = "system")]
    pub(crate) from: Option<String>,
    /// The receiver.
    #[schema(required, nullable = false, example = "bob")]
    pub(crate) to: Option<String>,
    /// Whether `Message` is base64 of bytes; false when absent.
    #[schema(nullable = false)]
    pub(crate) binary: Option<bool>,
    /// At most 65,536 bytes.
    #[schema(required, nullable = false, example = "hi bob")]
    pub(crate) message: Option<String>,
}

/// A message to all members of a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendBroadcast {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The sender's name: of the form of a user id.
    #[schema(required, nullable = false, example = "system")]
    pub(crate) from: Option<String>,
    /// Whether `Message` is base64 of bytes; false when absent.
    #[schema(nullable = false)]
    pub(crate) binary: Option<bool>,
    /// At most 65,536 bytes.
    #[schema(required, nullable = false, example = "hi all")]
    pub(crate) message: Option<String>,
}

/// A message to one or some members of a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendRoomUnicast {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The sender's name: of the form of a user id.
    #[schema(required, nullable = false, example = "system")]
    pub(crate) from: Option<String>,
    /// The receivers: a user id, or a list of up to 600. Who is not in the room gets nothing.
    #[schema(required, nullable = false)]
    pub(crate) to: Option<Receivers>,
    /// Whether `Message` is base64 of bytes; false when absent.
    #[schema(nullable = false)]
    pub(crate) binary: Option<bool>,
    /// At most 20,480 bytes.
    #[schema(required, nullable = false, example = "hi you")]
    pub(crate) message: Option<String>,
}

/// One user id, or a list of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "To is a user id, or a list of them")]
pub(crate) enum Receivers {
    One(String),
    Some(Vec<String>),
}

/// A user out of a room: state -1006 for it, a leave with reason 3 for the others.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KickUser {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The user.
    #[schema(required, nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
    /// Seconds for which it may not come back, as for `BanRoomUser`; 0 or absent: it may at once.
    #[schema(nullable = false)]
    pub(crate) forbidden_interval: Option<u64>,
}

/// Everybody out of a room: state -1011.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DismissRoom {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// Seconds for which nobody may come back, as for `BanRoomUser`; 0 or absent: everybody may at once.
    #[schema(nullable = false)]
    pub(crate) forbidden_interval: Option<u64>,
}

/// Out, with state -1006, and not in again for a while. `RoomId` alone bans a room (joins get -1025), `UserId` alone a user
/// from all rooms, both together the user from the room (joins get -1026).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BanRoomUser {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The user.
    #[schema(nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
    /// Seconds. 0 or absent: out, but in again at once, and an earlier ban of the same is lifted. Else from 10 to
    /// 604,800; what is outside counts as the nearer bound.
    #[schema(nullable = false)]
    pub(crate) forbidden_interval: Option<u64>,
}

/// Who of these users is online?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetUserOnlineStatus {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// At most 600.
    #[schema(required, nullable = false)]
    pub(crate) user_ids: Option<Vec<String>>,
}

/// The OpenAPI 3 document of all actions. An action has its path together with its query, since all have the path `/`.
#[must_use]
pub fn document() -> OpenApi {
    let mut info = Info::new("RTS OpenAPI", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "What an app's back end may ask of an RTS server. Requests are signed (version 4, service rtc) or carry a bearer \
         key."
            .to_owned(),
    );
    let mut paths = PathsBuilder::new();
    for action in Action::ALL {
        for version in action.versions() {
            let path = format!("/?Action={}&Version={version}", action.name());
            let method = match action.method() {
                Method::Get => HttpMethod::Get,
                Method::Post => HttpMethod::Post,
            };
            let item = PathItemBuilder::new().operation(method, operation(action, version));
            paths = paths.path(path, item.build());
        }
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let signed = ApiKey::Header(ApiKeyValue::with_description(
        "Authorization",
        "HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..., as the original's SDKs do it",
    ));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas())
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("signature", SecurityScheme::ApiKey(signed));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths.build())
        .components(Some(components.build()))
        .security(Some([
            SecurityRequirement::new("bearer", [""; 0]),
            SecurityRequirement::new("signature", [""; 0]),
        ]))
        .build()
}

fn operation(action: Action, version: &str) -> utoipa::openapi::path::Operation {
    let (summary, parameters, result) = describe(action);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{}_{version}", action.name())))
        .summary(Some(summary));
    operation = match parameters {
        Some(schema) => {
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let body = RequestBodyBuilder::new().required(Some(Required::True));
            operation.request_body(Some(body.content("application/json", content).build()))
        }
        None => ["AppId", "RoomId"].into_iter().fold(operation, |operation, name| {
            let text = ObjectBuilder::new().schema_type(Type::String);
            operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Query)
                    .required(Required::True)
                    .schema(Some(text)),
            )
        }),
    };
    let mut responses =
        ResponsesBuilder::new().response("200", answer("It is done.".to_owned(), result));
    for (status, codes) in errors_by_status() {
        let failed = <Envelope<Done> as PartialSchema>::schema();
        responses = responses.response(status.to_string(), answer(codes, failed));
    }
    operation.responses(responses.build()).build()
}

/// What it does, its parameters if they are a body, and its answer.
fn describe(action: Action) -> (&'static str, Option<RefOr<Schema>>, RefOr<Schema>) {
    match action {
        Action::SendUnicast => {
            ("A message to a user", Some(SendUnicast::schema()), Envelope::<Sent>::schema())
        }
        Action::SendBroadcast => (
            "A message to all members of a room",
            Some(SendBroadcast::schema()),
            Envelope::<Sent>::schema(),
        ),
        Action::SendRoomUnicast | Action::BatchSendRoomUnicast => (
            "A message to one or some members of a room",
            Some(SendRoomUnicast::schema()),
            Envelope::<Sent>::schema(),
        ),
        Action::KickUser => {
            ("A user out of a room", Some(KickUser::schema()), Envelope::<Done>::schema())
        }
        Action::DismissRoom => {
            ("Everybody out of a room", Some(DismissRoom::schema()), Envelope::<Done>::schema())
        }
        Action::BanRoomUser => (
            "Somebody out, and not in again for a while",
            Some(BanRoomUser::schema()),
            Envelope::<DoneInSmallLetters>::schema(),
        ),
        Action::GetRoomOnlineUsers => ("Who is in a room", None, Envelope::<OnlineUsers>::schema()),
        Action::GetUserOnlineStatus => (
            "Who of these users is online",
            Some(GetUserOnlineStatus::schema()),
            Envelope::<UserStatuses>::schema(),
        ),
    }
}

fn answer(description: String, schema: RefOr<Schema>) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// What the schemas of the actions refer to.
fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    SendRoomUnicast::schemas(&mut schemas);
    Envelope::<Done>::schemas(&mut schemas);
    add::<Sent>(&mut schemas);
    add::<Done>(&mut schemas);
    add::<DoneInSmallLetters>(&mut schemas);
    add::<OnlineUsers>(&mut schemas);
    add::<UserStatuses>(&mut schemas);
    schemas
}

fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
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
