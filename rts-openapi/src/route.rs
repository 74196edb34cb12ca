//! Plain paths beside the actions: the same calls, with the same checks.

use crate::fields::Fields;
use crate::{Action, Call, Error, Method, Query};

/// The action of a method and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The action.
    pub action: Action,
    /// The parameters of the path.
    fields: Vec<(&'static str, String)>,
}

impl Route {
    /// The route of this method and path, if there is one. Ids in the path are not checked here.
    #[must_use]
    pub fn find(method: Method, path: &str) -> Option<Self> {
        let mut actions = Action::ALL.into_iter().filter(|action| action.method() == method);
        actions.find_map(|action| Some(Self { action, fields: fields(action.path(), path)? }))
    }

    /// Parses the parameters: those of the path, and the others from the query or from the body,
    /// according to the action.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Call::parse`], and an error if the query or body contradicts the
    /// path.
    pub fn parse(&self, query: &Query, body: &[u8]) -> Result<Call, Error> {
        let mut fields = Fields::read(self.action, query, body)?;
        for (name, value) in &self.fields {
            fields.add(name, value)?;
        }
        Call::of(self.action, &fields)
    }
}

/// The parameter names of a path's template, such as `RoomId` in `/v1/rooms/{RoomId}/members`.
pub(crate) fn names(template: &'static str) -> impl Iterator<Item = &'static str> {
    template.split('/').filter_map(name)
}

fn name(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The values of the template's parameters in this path. `None` if the path does not match.
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
