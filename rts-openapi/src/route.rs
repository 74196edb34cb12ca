//! Plain paths beside the original's actions: the same calls, checked in the same way.

use crate::fields::Fields;
use crate::{Action, Call, Error, Method, Query};

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
        let mut fields = Fields::read(self.action, query, body)?;
        for (name, value) in &self.fields {
            fields.add(name, value)?;
        }
        Call::of(self.action, &fields)
    }
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
