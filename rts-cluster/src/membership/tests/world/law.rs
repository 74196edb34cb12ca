//! What must be so in a world at every moment.

use super::{Node, World};
use crate::view::View;

impl World {
    /// Whether a view is another one or descends from it.
    fn descends(&self, view: &View, from: &View) -> bool {
        let mut id = Some(view.id());
        while let Some(descendant) = id.filter(|id| *id != from.id()) {
            let is_it = |view: &&View| view.id() == descendant;
            id = self.history.iter().find(is_it).and_then(View::parent);
        }
        id.is_some()
    }

    /// Nobody serves what a removed node may still serve, and of the views of nodes that act, each
    /// descends from the others or they from it.
    pub(super) fn check(&self) {
        let acts = |node: &Node| self.now >= node.paused_until && node.node.may_act(self.now);
        for (name, node) in self.nodes.iter().filter(|(_, node)| acts(node)) {
            let (view, serve_after) = node.views.last().expect("it is a member");
            for (other_name, other) in self.nodes.iter().filter(|(_, other)| acts(other)) {
                let of_other = other.node.view().expect("it is a member");
                let (older, newer) = match view.epoch() < of_other.epoch() {
                    true => (view, of_other),
                    false => (of_other, view),
                };
                assert!(
                    self.descends(newer, older),
                    "at {} n{name} and n{other_name} act in rival views: {view:?}, {of_other:?}",
                    self.now
                );
                let incarnation = other.incarnation();
                let was_removed =
                    view.epoch() > of_other.epoch() && view.member(incarnation).is_none();
                assert!(
                    !was_removed || self.now < *serve_after,
                    "at {} n{name} serves for n{other_name}, which still acts",
                    self.now
                );
            }
        }
    }
}
