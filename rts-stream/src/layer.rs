//! The trait of a layer, and functions for a stack of layers.

use std::fmt;

use crate::error::LayerError;

/// One protocol on top of another. It decodes the bytes from the layer below, and wraps the bytes
/// from the layer above.
///
/// ```text
///            send |        ^ up
///                 v        |
///             +----------------+
///             |     layer      |
///             +----------------+
///                 |        ^
///            down v        | receive
/// ```
pub(crate) trait Layer: fmt::Debug + Send {
    /// Takes bytes from below. Appends to `up` the bytes for the layer above, and to `down` the
    /// bytes for the peer.
    ///
    /// The first call comes when the layer below is open, and may have no bytes; this is when a
    /// client begins. After an error, the bytes in `down` are still sent, and no more bytes are
    /// received.
    fn receive(
        &mut self,
        input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError>;

    /// Wraps bytes from above. Only called while open.
    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) -> Result<(), LayerError>;

    /// Whether the handshake is done.
    fn is_open(&self) -> bool;

    /// Whether the peer has announced that it sends no more.
    fn is_ended(&self) -> bool;

    /// Ends the layer's protocol, if the protocol has an end.
    fn close(&mut self, down: &mut Vec<u8>);
}

type Stacked = Box<dyn Layer>;

/// Takes bytes from the lowest layer up, and the answers of each layer down to the wire.
pub(crate) fn receive(
    layers: &mut [Stacked],
    input: &mut [u8],
    plain: &mut Vec<u8>,
    wire: &mut Vec<u8>,
) -> Result<(), LayerError> {
    let Some((bottom, above)) = layers.split_first_mut() else {
        plain.extend_from_slice(input);
        return Ok(());
    };
    if above.is_empty() {
        return bottom.receive(input, plain, wire);
    }
    let mut up = Vec::new();
    let received = bottom.receive(input, &mut up, wire);
    if !bottom.is_open() {
        return received;
    }
    // Bytes before an error count, and the layers above may answer them.
    let mut down = Vec::new();
    let passed_on = receive(above, &mut up, plain, &mut down);
    if !down.is_empty() && received.is_ok() {
        bottom.send(&down, wire)?;
    }
    received.and(passed_on)
}

/// Wraps bytes from the highest layer down to the wire.
pub(crate) fn send(
    layers: &mut [Stacked],
    data: &[u8],
    wire: &mut Vec<u8>,
) -> Result<(), LayerError> {
    let Some((top, below)) = layers.split_last_mut() else {
        wire.extend_from_slice(data);
        return Ok(());
    };
    if below.is_empty() {
        return top.send(data, wire);
    }
    let mut down = Vec::new();
    top.send(data, &mut down)?;
    send(below, &down, wire)
}

/// Ends the protocol of each open layer, the highest first.
pub(crate) fn close(layers: &mut [Stacked], wire: &mut Vec<u8>) -> Result<(), LayerError> {
    let Some((top, below)) = layers.split_last_mut() else { return Ok(()) };
    if below.iter().all(|layer| layer.is_open()) {
        let mut down = Vec::new();
        top.close(&mut down);
        if !down.is_empty() {
            send(below, &down, wire)?;
        }
    }
    close(below, wire)
}
