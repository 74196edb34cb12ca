//! A table of the homes of a cluster, as it is recorded.

use rts_proto::server::{HomeTable, NodeNumber, SLOTS};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Homes {
    epoch: u64,
    /// The nodes, with the number of shards of each.
    nodes: Vec<(usize, usize)>,
    /// By slot, the home node.
    of_slots: Vec<u8>,
}

impl Homes {
    pub(crate) fn of(table: &HomeTable) -> Self {
        let nodes = table.nodes().map(|(node, shards)| (node.number(), shards)).collect();
        let number = |node: &NodeNumber| u8::try_from(node.number()).expect("below 64");
        Self {
            epoch: table.epoch(),
            nodes,
            of_slots: table.home_nodes().iter().map(number).collect(),
        }
    }

    /// The table. `None` if it is invalid.
    pub(crate) fn table(&self) -> Option<HomeTable> {
        let node = |number: usize| NodeNumber::new(number);
        let nodes = self.nodes.iter().map(|(number, shards)| Some((node(*number)?, *shards)));
        let nodes: Vec<(NodeNumber, usize)> = nodes.collect::<Option<_>>()?;
        let of_slots = self.of_slots.iter().map(|number| node((*number).into()));
        let of_slots: Vec<NodeNumber> = of_slots.collect::<Option<_>>()?;
        let table = || HomeTable::new(self.epoch, nodes, |slot| of_slots[slot]);
        (of_slots.len() == SLOTS).then(table).flatten()
    }

    pub(crate) fn in_words(&self) -> String {
        format!("homes of epoch {} in {} nodes", self.epoch, self.nodes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_read_as_it_was_recorded_and_other_values_are_no_table() {
        let node = |number| NodeNumber::new(number).expect("valid");
        let nodes = [(node(0), 3), (node(7), 64)];
        let table = HomeTable::new(5, nodes, |slot| node(slot % 2 * 7)).expect("valid");
        assert_eq!(Homes::of(&table).table(), Some(table.clone()));
        let changes: [fn(&mut Homes); 5] = [
            |homes| homes.nodes[0] = (64, 3),
            |homes| homes.nodes[1] = (7, 65),
            |homes| homes.of_slots[0] = 1,
            |homes| homes.of_slots.truncate(SLOTS - 1),
            |homes| homes.of_slots.push(0),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut homes = Homes::of(&table);
            change(&mut homes);
            assert_eq!(homes.table(), None, "change {number}");
        }
    }
}
