//! Commands of a back end.

use std::time::Duration;

use rts_proto::server::{Ban, Command, Shards};

use super::World;
use crate::script::Script;

impl World {
    pub(super) fn command(&mut self, op: u8, script: &mut Script<'_>) {
        let app_id = &script.app_id();
        let (room_id, uid, from) = (&script.room(), &script.uid(), &script.uid());
        let (to, payload, ban): (Vec<_>, _, _);
        let command = match op {
            0xF8 => {
                payload = script.payload();
                Command::Unicast { app_id, from, to: uid, payload: &payload }
            }
            0xF9 => {
                payload = script.payload();
                Command::BroadcastToRoom { app_id, room_id, from, payload: &payload }
            }
            0xFA => {
                to = (0..script.short() % 602).map(|_| script.uid()).collect();
                payload = script.payload();
                Command::UnicastInRoom { app_id, room_id, from, to: &to, payload: &payload }
            }
            0xFB => Command::Kick { app_id, room_id, uid },
            0xFC => Command::Dismiss { app_id, room_id },
            0xFD => match script.byte() {
                0xFF => Command::Revoke { app_id, uid: None, issued_before: u32::MAX },
                issued_before @ 0x80.. => {
                    Command::Revoke { app_id, uid: Some(uid), issued_before: issued_before.into() }
                }
                _ => Command::PutOut { app_id, uid },
            },
            _ => {
                ban = match script.byte() % 4 {
                    0 => Ban::Room(room_id.clone()),
                    1 => Ban::UserInRoom(room_id.clone(), uid.clone()),
                    2 => Ban::User(uid.clone()),
                    _ => Ban::Login(uid.clone()),
                };
                match script.byte() {
                    0 => Command::Unban { app_id, ban: &ban },
                    seconds => {
                        let interval = Duration::from_secs(u64::from(seconds) - 1);
                        Command::Ban { app_id, ban: &ban, interval }
                    }
                }
            }
        };
        // A command over a limit has no effect.
        self.node.command(command);
    }
}
