//! The fields of a request, from any source. Each field is checked when it is read.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_proto::limits::ROOM_UNICAST_RECEIVERS_MAX;
use rts_proto::{AppId, IdError, Payload, RoomId, UserId};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::parameter::Parameter;
use crate::{
    Action, Error, ErrorCode, LIST_ITEMS, LIST_ITEMS_MAX, Method, Query, STATUS_USERS_MAX,
};

/// The unparsed fields of a request. A field with the value `null` is absent.
pub(crate) struct Fields {
    values: Map<String, Value>,
    /// Values of a query are strings.
    is_query: bool,
}

impl Fields {
    /// Reads the fields from the query or the body, according to the action. An action that takes
    /// both uses the body if there is one.
    pub(crate) fn read(action: Action, query: &Query, body: &[u8]) -> Result<Self, Error> {
        let is_empty = body.iter().all(u8::is_ascii_whitespace);
        match action.method() {
            Method::Get if is_empty || !action.takes(Method::Post) => Self::of_query(query),
            Method::Post if is_empty => {
                let message =
                    "the parameters of this action are a JSON object in the body, which is empty";
                Err(Error::new(ErrorCode::BodyIsEmpty, message))
            }
            Method::Get | Method::Post => Self::of_body(body),
        }
    }

    fn of_query(query: &Query) -> Result<Self, Error> {
        let mut values = Map::new();
        for (name, value) in query.pairs() {
            if values.insert(name.to_owned(), value.into()).is_some() {
                let message = "the query has a parameter twice: which one is meant?";
                return Err(Error::new(ErrorCode::Unmarshal, message));
            }
        }
        Ok(Self { values, is_query: true })
    }

    fn of_body(body: &[u8]) -> Result<Self, Error> {
        let Object(values) = serde_json::from_slice(body).map_err(|error| {
            let message = format!("the body is not the JSON object that it should be: {error}");
            Error::new(ErrorCode::Unmarshal, message)
        })?;
        Ok(Self { values, is_query: false })
    }

    /// Adds a field of the path. A field of this name with another value is an error.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match self.values.insert(name.to_owned(), value.into()) {
            Some(other) if !other.is_null() && other != value => {
                let message =
                    format!("{name} is in the path, and something else beside it: leave that out");
                Err(Error::new(ErrorCode::Unmarshal, message))
            }
            _ => Ok(()),
        }
    }

    fn value(&self, parameter: Parameter) -> Option<&Value> {
        self.values.get(parameter.name()).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, parameter: Parameter) -> Result<Option<&str>, Error> {
        let value = self.value(parameter);
        value.map(|value| value.as_str().ok_or_else(|| no(parameter, "a text"))).transpose()
    }

    fn needed_text(&self, parameter: Parameter) -> Result<&str, Error> {
        self.text(parameter)?.ok_or_else(|| missing(parameter))
    }

    fn texts(&self, parameter: Parameter) -> Result<Vec<&str>, Error> {
        let what = "a list of texts";
        let value = self.value(parameter).ok_or_else(|| missing(parameter))?;
        let items = value.as_array().ok_or_else(|| no(parameter, what))?;
        items.iter().map(|item| item.as_str().ok_or_else(|| no(parameter, what))).collect()
    }

    pub(crate) fn number(&self, parameter: Parameter) -> Result<Option<u64>, Error> {
        let Some(value) = self.value(parameter) else { return Ok(None) };
        let number = match value {
            Value::String(text) if self.is_query => text.parse().ok(),
            value => value.as_u64(),
        };
        number.map(Some).ok_or_else(|| no(parameter, "a whole number, 0 or more"))
    }

    pub(crate) fn app_id(&self) -> Result<AppId, Error> {
        let text = self.needed_text(Parameter::AppId)?;
        AppId::new(text).map_err(|error| illegal(Parameter::AppId, error))
    }

    pub(crate) fn room(&self) -> Result<RoomId, Error> {
        self.room_if_any(Parameter::RoomId)?.ok_or_else(|| missing(Parameter::RoomId))
    }

    fn room_if_any(&self, parameter: Parameter) -> Result<Option<RoomId>, Error> {
        let room = self.text(parameter)?.map(RoomId::new).transpose();
        room.map_err(|error| illegal(parameter, error))
    }

    /// The sender of the message.
    pub(crate) fn sender(&self) -> Result<UserId, Error> {
        self.user(Parameter::From)
    }

    pub(crate) fn user(&self, parameter: Parameter) -> Result<UserId, Error> {
        self.user_if_any(parameter)?.ok_or_else(|| missing(parameter))
    }

    pub(crate) fn user_if_any(&self, parameter: Parameter) -> Result<Option<UserId>, Error> {
        let user = self.text(parameter)?.map(UserId::new).transpose();
        user.map_err(|error| illegal(parameter, error))
    }

    /// The receivers in `To`, which is one user id or a list.
    pub(crate) fn receivers(&self) -> Result<Vec<UserId>, Error> {
        if self.value(Parameter::Receivers).is_some_and(Value::is_string) {
            return Ok(vec![self.user(Parameter::To)?]);
        }
        self.some_users(Parameter::Receivers, ROOM_UNICAST_RECEIVERS_MAX)
    }

    pub(crate) fn users(&self) -> Result<Vec<UserId>, Error> {
        self.some_users(Parameter::UserIds, STATUS_USERS_MAX)
    }

    fn some_users(&self, parameter: Parameter, max: usize) -> Result<Vec<UserId>, Error> {
        let texts = self.texts(parameter)?;
        let name = parameter.name();
        match texts.len() {
            0 => Err(Error::new(ErrorCode::MissingParameter, format!("{name} names nobody"))),
            count if count > max => {
                let message = format!("{name} has {count} users, at most {max} are allowed");
                Err(Error::new(ErrorCode::UserCountOverLimit, message))
            }
            _ => {
                let users = texts.into_iter().map(UserId::new).collect::<Result<_, _>>();
                users.map_err(|error| illegal(parameter, error))
            }
        }
    }

    /// The message. The core checks its length.
    pub(crate) fn payload(&self) -> Result<Payload, Error> {
        let message = self.needed_text(Parameter::Message)?;
        let is_binary = match self.value(Parameter::Binary) {
            Some(value) => value.as_bool().ok_or_else(|| no(Parameter::Binary, "true or false"))?,
            None => false,
        };
        if !is_binary {
            return Ok(Payload::text(message));
        }
        let bytes = BASE64_STANDARD.decode(message).map_err(|error| {
            let what = "Message: with Binary it is base64, standard alphabet, padded";
            Error::new(ErrorCode::Unmarshal, format!("{what}: {error}"))
        })?;
        Ok(Payload::binary(bytes))
    }

    /// The interval of a ban. The core applies its bounds. Zero means no ban.
    pub(crate) fn ban_interval(&self) -> Result<Duration, Error> {
        let seconds = self.number(Parameter::ForbiddenInterval)?;
        Ok(Duration::from_secs(seconds.unwrap_or_default()))
    }

    pub(crate) fn issued_before(&self) -> Result<Option<u32>, Error> {
        let parameter = Parameter::IssuedBefore;
        let moment = self.number(parameter)?.map(u32::try_from).transpose();
        moment.map_err(|_| no(parameter, "Unix time in seconds, in 32 bits as in tokens"))
    }

    /// A user id. An empty string is absent, because SDKs of Volcengine RTS send empty fields.
    pub(crate) fn user_unless_empty(&self, parameter: Parameter) -> Result<Option<UserId>, Error> {
        match self.text(parameter)? {
            Some("") => Ok(None),
            _ => self.user_if_any(parameter),
        }
    }

    pub(crate) fn room_unless_empty(&self, parameter: Parameter) -> Result<Option<RoomId>, Error> {
        match self.text(parameter)? {
            Some("") => Ok(None),
            _ => self.room_if_any(parameter),
        }
    }

    /// The number of entries of a page.
    pub(crate) fn limit(&self) -> Result<usize, Error> {
        let limit = self.number(Parameter::Limit)?.map_or(Ok(LIST_ITEMS), usize::try_from);
        let limit = limit.ok().filter(|limit| (1..=LIST_ITEMS_MAX).contains(limit));
        limit.ok_or_else(|| {
            let message = format!("Limit: a page has from 1 to {LIST_ITEMS_MAX} entries");
            Error::new(ErrorCode::SizeOverLimit, message)
        })
    }
}

/// A JSON object without repeated fields. Readers differ in which of two equal fields they take.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object, A::Error> {
        let mut values = Map::new();
        while let Some((name, value)) = fields.next_entry::<String, Value>()? {
            if values.insert(name, value).is_some() {
                return Err(A::Error::custom("a field is there twice"));
            }
        }
        Ok(Object(values))
    }
}

fn missing(parameter: Parameter) -> Error {
    Error::new(ErrorCode::MissingParameter, format!("{} is not there", parameter.name()))
}

/// An error that does not show the value, because it may be a message.
fn no(parameter: Parameter, what: &str) -> Error {
    Error::new(ErrorCode::Unmarshal, format!("{}: it is {what}", parameter.name()))
}

fn illegal(parameter: Parameter, error: IdError) -> Error {
    let code = match parameter {
        Parameter::AppId => ErrorCode::NotExistAppId,
        Parameter::RoomId | Parameter::AfterRoom => ErrorCode::IllegalRoomId,
        Parameter::From => ErrorCode::IllegalFrom,
        _ => ErrorCode::IllegalTo,
    };
    Error::new(code, format!("{}: {error}", parameter.name()))
}
