//! What a back end may send while a mailbox between shards is full.

use rts_proto::server::{Command, CommandError, Config, Returned, Shards as _};
use rts_proto::wire::Frame;
use rts_proto::{Payload, UserId};

use crate::support::{Node, app, join, room_delivery, user};

/// The frames of messages to the room.
fn messages(frames: Vec<Frame>) -> Vec<Frame> {
    let is_message =
        |frame: &Frame| matches!(frame, Frame::RoomDelivery { .. } | Frame::RoomUnicast { .. });
    frames.into_iter().filter(is_message).collect()
}

#[test]
fn back_end_sends_nothing_into_a_full_mailbox() {
    let mut node = Node::new(2, &Config::default());
    let (alice, bob) = (node.user_at(0, "a"), node.user_at(1, "b"));
    let (room_id, shop) = (node.room_at(0), user("shop"));
    let links = [node.enter(&alice), node.enter(&bob)];
    for link in links {
        node.say(link, join(&room_id, 1));
        node.end_burst();
    }
    let (app_id, from) = (&app(), &shop);
    let broadcast = |node: &mut Node, text| {
        let payload = &Payload::text(text);
        node.command(Command::BroadcastToRoom { app_id, room_id: &room_id, from, payload })
    };
    let unicast = |node: &mut Node, to: &[UserId]| {
        let payload = &Payload::text("to some");
        node.command(Command::UnicastInRoom { app_id, room_id: &room_id, from, to, payload })
    };
    node.congest(0, 1, true);
    let full = Returned::Result(Err(CommandError::OverRoomRate));
    assert_eq!(broadcast(&mut node, "refused"), full);
    assert_eq!(unicast(&mut node, &[alice.clone(), bob.clone()]), full);
    assert_eq!(links.map(|link| messages(node.frames_to(link))), [[], []]);
    // Members of the room's own shard do not need the mailbox.
    assert_eq!(unicast(&mut node, std::slice::from_ref(&alice)), Returned::Result(Ok(1)));
    assert_eq!(links.map(|link| messages(node.frames_to(link)).len()), [1, 0]);
    node.congest(0, 1, false);
    assert_eq!(broadcast(&mut node, "there"), Returned::Result(Ok(2)));
    assert_eq!(unicast(&mut node, std::slice::from_ref(&bob)), Returned::Result(Ok(1)));
    for (link, count) in links.into_iter().zip([1, 2]) {
        let frames = messages(node.frames_to(link));
        assert_eq!(frames[0], room_delivery(&shop, &room_id, "there"));
        assert_eq!(frames.len(), count);
    }
}
