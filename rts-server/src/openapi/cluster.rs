//! What a node knows of its cluster, for operators.

use rts_cluster::view::{MemberState, View};
use serde_json::{Value, json};

use crate::cluster::{Dropped, Figures, TrunkFigures};
use crate::member::{Stage, Standing};

/// The description of the cluster, without its secret seed. `sessions` are those of this node.
pub(super) async fn describe(standing: &Standing, sessions: usize) -> Value {
    let Figures { trunks, dropped } = standing.figures().await;
    let status = standing.status();
    let namesake = status.namesake.map(|other| hex(other.0));
    json!({
        "node": standing.node(),
        "ready": standing.is_ready(),
        "may_act": status.may_act,
        "sessions": sessions,
        "drain": describe_drain(standing.draining().stage()),
        "served_epoch": standing.served().map(|epoch| epoch.0),
        "trunks": status.view.as_ref().map(|view| describe_trunks(view, &trunks)),
        "dropped": describe_dropped(dropped),
        "view": status.view.as_ref().map(|view| describe_view(view, standing)),
        "bus_fault": status.bus_fault,
        "register_fault": status.register_fault,
        "register_is_foreign": status.register_is_foreign,
        "namesake": namesake,
        "clock_behind_s": status.clock_behind.as_secs(),
    })
}

/// The reasons why a node is not ready.
pub(super) fn problems(standing: &Standing) -> Vec<String> {
    let status = standing.status();
    let mut problems = Vec::new();
    if !status.may_act {
        problems.push("no majority of the cluster hears this node: it is frozen".to_owned());
    } else if standing.served().is_none() {
        problems.push("the shards are still learning what the cluster knows".to_owned());
    }
    problems.extend(drain_in_words(standing.draining().stage()));
    problems.extend(status.bus_fault.map(|why| format!("NATS: {why}")));
    problems
}

/// Those to members of the view. It may have changed meanwhile.
fn describe_trunks(view: &View, trunks: &[TrunkFigures]) -> Vec<Value> {
    let trunk = |trunk: &TrunkFigures| {
        let silent_ms = trunk.silent_for.map(|time| u64::try_from(time.as_millis()).ok());
        Some(json!({
            "to": view.member(trunk.node)?.name.as_str(),
            "entries_waiting": trunk.entries,
            "bytes_waiting": trunk.bytes,
            "is_congested": trunk.is_congested,
            "silent_ms": silent_ms,
        }))
    };
    trunks.iter().filter_map(trunk).collect()
}

fn describe_dropped(dropped: Dropped) -> Value {
    json!({
        "malformed": dropped.malformed,
        "unknown_kind": dropped.unknown_kind,
        "other_cluster": dropped.other_cluster,
        "for_other_node": dropped.for_other_node,
        "unknown_sender": dropped.unknown_sender,
        "without_lease": dropped.without_lease,
        "never_sent": dropped.never_sent,
        "bad_entries": dropped.bad_entries,
    })
}

/// `null` for a node that does not drain.
fn describe_drain(stage: Stage) -> Value {
    json!(match stage {
        Stage::Serves => return Value::Null,
        Stage::Alone => "alone",
        Stage::HandsOver => "hands_over",
        Stage::Empties { .. } => "empties",
        Stage::Drained => "drained",
    })
}

fn drain_in_words(stage: Stage) -> Option<String> {
    Some(match stage {
        Stage::Serves => return None,
        Stage::Alone => "this node drains when another one is up".to_owned(),
        Stage::HandsOver => "this node drains: the others take its homes".to_owned(),
        Stage::Empties { sessions } => format!("this node drains: sessions left: {sessions}"),
        Stage::Drained => "this node is drained".to_owned(),
    })
}

fn describe_view(view: &View, standing: &Standing) -> Value {
    let homes = standing.homes();
    let member = |member: &rts_cluster::view::Member| {
        let number = view.number(member.incarnation);
        let state = match member.state {
            MemberState::Joining => "joining",
            MemberState::Up => "up",
            MemberState::Draining => "draining",
        };
        json!({
            "name": member.name.as_str(),
            "incarnation": hex(member.incarnation.0),
            "number": number,
            "shards": member.shards,
            "version": member.version,
            "state": state,
            "homes": number.map_or(0, |number| homes.get(&number).copied().unwrap_or(0)),
        })
    };
    json!({
        "epoch": view.epoch().0,
        "members": view.members().iter().map(member).collect::<Vec<_>>(),
    })
}

/// JSON numbers do not carry 64 bits everywhere.
fn hex(bits: u64) -> String {
    format!("{bits:016x}")
}
