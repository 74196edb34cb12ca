//! Plain paths beside the original's actions: the same calls, checked in the same way.

use std::borrow::Cow;

use serde_json::Value;

use crate::{Action, Call, Error, ErrorCode, Method, Query};

/// The action that a method and a path stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What is asked for.
    pub action: Action,
    /// Parameters that are in the path.
    fields: Vec<(&'static str, String)>,
}

impl Route {
    /// The route of this method and path, if there is one. Whether the ids in the path can be ids
    /// is not looked at here.
    #[must_use]
    pub fn find(method: Method, path: &str) -> Option<Self> {
        let mut actions = Action::ALL.into_iter().filter(|action| action.method() == method);
        actions.find_map(|action| Some(Self { action, fields: fields(action.path(), path)? }))
    }

    /// Reads the parameters: those of the path, and the others from the query or from the body, as
    /// the action has it.
    ///
    /// # Errors
    ///
    /// As [`Call::parse`], and when the query or the body contradicts the path.
    pub fn parse(&self, query: &Query, body: &[u8]) -> Result<Call, Error> {
        match self.action.method() {
            Method::Get => Call::parse(self.action, &self.with_query(query)?, body),
            Method::Post => Call::parse(self.action, query, &self.with_body(body)?),
        }
    }

    fn with_query(&self, query: &Query) -> Result<Query, Error> {
        for (name, value) in &self.fields {
            if query.get(name).is_some_and(|other| other != value) {
                return Err(contradiction(name));
            }
        }
        let fields = self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Ok(query.with(fields))
    }

    /// What is no object is left as it is: it is refused where bodies are read.
    fn with_body<'a>(&self, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        if self.fields.is_empty() {
            return Ok(body.into());
        }
        let Ok(Value::Object(mut object)) = serde_json::from_slice(body) else {
            return Ok(body.into());
        };
        for (name, value) in &self.fields {
            let value = Value::from(value.as_str());
            if object.insert((*name).to_owned(), value.clone()).is_some_and(|other| other != value)
            {
                return Err(contradiction(name));
            }
        }
        Ok(Value::Object(object).to_string().into_bytes().into())
    }
}

fn contradiction(name: &str) -> Error {
    let message = format!("{name} is in the path, and something else beside it: leave that out");
    Error::new(ErrorCode::Unmarshal, message)
}

/// The names in a path's template, such as `RoomId` in `/v1/rooms/{RoomId}/members`.
pub(crate) fn names(template: &'static str) -> impl Iterator<Item = &'static str> {
    template.split('/').filter_map(name)
}

fn name(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// What a path has in the place of the names of its template, if it is one of these paths.
fn fields(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let (wanted, given) = (template.split('/'), path.split('/'));
    if wanted.clone().count() != given.clone().count() {
        return None;
    }
    let mut fields = Vec::new();
    for (wanted, given) in wanted.zip(given) {
        match name(wanted) {
            Some(name) => fields.push((name, crate::query::decode_segment(given))),
            None if wanted == given => {}
            None => return None,
        }
    }
    Some(fields)
}
