//! MQTT 3.1.1, with one topic for each receiver. QoS 0 has no results, QoS 1 has the broker's. With
//! `mqtt-request` the receiver answers on a topic of the sender.

use super::{Client, Heard, PAYLOAD_HEAD_BYTES, Role, due_ns, message_id, user, varint};
use crate::target::{Scheme, Target};

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBACK: u8 = 9;
const PINGREQ: u8 = 0xC0;
const KEEP_ALIVE_S: u16 = 60;
/// Sweeps between two PINGREQs: 20 s.
const SWEEPS_PER_HEARTBEAT: u32 = 80;

pub(crate) struct Mqtt {
    number: u32,
    role: Role,
    /// The topic that the client sends to or receives from.
    topic: String,
    scheme: Scheme,
    sweeps: u32,
    /// Packet ids wrap around. Results at QoS 1 come in the order of the sends.
    last_packet: u16,
    last_result: u64,
}

impl Client for Mqtt {
    fn new(target: &Target, number: u32, role: Role) -> Self {
        let topic = role.channel(number);
        let scheme = target.scheme;
        Self { number, role, topic, scheme, sweeps: 0, last_packet: 0, last_result: 0 }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        let mut connect = Vec::new();
        put_text(&mut connect, "MQTT");
        // Level 4, clean session.
        connect.extend_from_slice(&[4, 2]);
        connect.extend_from_slice(&KEEP_ALIVE_S.to_be_bytes());
        put_text(&mut connect, &format!("client-{}", self.number));
        put_packet(out, 0x10, &connect);
        let heard = match self.role {
            Role::Receiver | Role::Member => self.topic.clone(),
            Role::Sender { .. } if self.scheme == Scheme::MqttRequest => reply_topic(self.number),
            Role::Sender { .. } | Role::Speaker => return,
        };
        let mut subscribe = vec![0, 1];
        put_text(&mut subscribe, &heard);
        subscribe.push(self.qos());
        put_packet(out, 0x82, &subscribe);
    }

    fn hear(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some((first, body, len)) = packet(&input[used..]) {
            used += len;
            match first >> 4 {
                CONNACK if body.get(1) != Some(&0) => return Err("mqtt: refused".to_owned()),
                CONNACK if !self.subscribes() => hear(Heard::Ready),
                SUBACK => hear(Heard::Ready),
                PUBACK => {
                    self.last_result += 1;
                    hear(Heard::Result { id: self.last_result, code: 0 });
                }
                PUBLISH => self.hear_message(first, body, out, hear)?,
                _ => {}
            }
        }
        Ok(used)
    }

    fn aim(&mut self, to: u32) {
        self.topic = user(to);
    }

    fn send(&mut self, _id: u64, payload: &[u8], out: &mut Vec<u8>) {
        let qos = self.qos();
        let packet_id_len = if qos > 0 { 2 } else { 0 };
        out.push(PUBLISH << 4 | qos << 1);
        varint::put(out, (2 + self.topic.len() + packet_id_len + payload.len()) as u64);
        put_text(out, &self.topic);
        if qos > 0 {
            self.last_packet = self.last_packet.checked_add(1).unwrap_or(1);
            out.extend_from_slice(&self.last_packet.to_be_bytes());
        }
        out.extend_from_slice(payload);
    }

    fn has_results(&self) -> bool {
        match self.scheme {
            Scheme::Mqtt1 => true,
            Scheme::MqttRequest => self.role != Role::Speaker,
            _ => false,
        }
    }

    fn sweep(&mut self, out: &mut Vec<u8>) {
        self.sweeps += 1;
        if self.sweeps.is_multiple_of(SWEEPS_PER_HEARTBEAT) {
            out.extend_from_slice(&[PINGREQ, 0]);
        }
    }
}

impl Mqtt {
    fn qos(&self) -> u8 {
        u8::from(self.scheme == Scheme::Mqtt1)
    }

    fn subscribes(&self) -> bool {
        match self.role {
            Role::Receiver | Role::Member => true,
            Role::Sender { .. } => self.scheme == Scheme::MqttRequest,
            Role::Speaker => false,
        }
    }

    fn hear_message(
        &self,
        first: u8,
        body: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<(), String> {
        let short = || "mqtt: a message that ends too soon".to_owned();
        let topic_len = body.first_chunk().map(|len| usize::from(u16::from_be_bytes(*len)));
        let mut rest = body.get(2 + topic_len.ok_or_else(short)?..).ok_or_else(short)?;
        if first >> 1 & 3 > 0 {
            out.extend_from_slice(&[PUBACK << 4, 2]);
            out.extend_from_slice(rest.get(..2).ok_or_else(short)?);
            rest = &rest[2..];
        }
        if matches!(self.role, Role::Sender { .. }) {
            hear(Heard::Result { id: message_id(rest), code: 0 });
            return Ok(());
        }
        hear(Heard::Delivered { due_ns: due_ns(rest) });
        if self.scheme == Scheme::MqttRequest && self.role == Role::Receiver {
            let topic = reply_topic(sender_of(self.number));
            let head = rest.get(..PAYLOAD_HEAD_BYTES).ok_or_else(short)?;
            out.push(PUBLISH << 4);
            varint::put(out, (2 + topic.len() + head.len()) as u64);
            put_text(out, &topic);
            out.extend_from_slice(head);
        }
        Ok(())
    }
}

/// The number after a receiver's is its sender.
fn sender_of(receiver: u32) -> u32 {
    receiver + 1
}

fn reply_topic(sender: u32) -> String {
    format!("reply-{sender}")
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_packet(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    out.push(first);
    varint::put(out, body.len() as u64);
    out.extend_from_slice(body);
}

/// The first packet: its first byte, its content, and its length; `None` while it is incomplete.
fn packet(input: &[u8]) -> Option<(u8, &[u8], usize)> {
    let first = *input.first()?;
    let (len, len_bytes) = varint::get(&input[1..])?;
    let head = 1 + len_bytes;
    let body = input.get(head..head + len as usize)?;
    Some((first, body, head + body.len()))
}
