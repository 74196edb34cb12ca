// A minimal relay over uWebSockets.js. A binary message is the receiver's number (four bytes,
// little-endian; all ones mean the whole room) and a payload, which the relay forwards. It has no
// results, no order across links, no resume and no tokens.
'use strict';
const uWS = require(process.env.UWS_MODULE || 'uWebSockets.js');

const EVERYBODY = 0xFFFFFFFF;
const port = Number(process.argv[2]);
const users = new Map();

const app = uWS.App();
app.ws('/:what/:number', {
  idleTimeout: 0,
  maxBackpressure: 64 * 1024 * 1024,
  maxPayloadLength: 1024 * 1024,
  upgrade(response, request, context) {
    response.upgrade(
      { what: request.getParameter(0), number: Number(request.getParameter(1)) },
      request.getHeader('sec-websocket-key'),
      request.getHeader('sec-websocket-protocol'),
      request.getHeader('sec-websocket-extensions'),
      context,
    );
  },
  open(socket) {
    const { what, number } = socket.getUserData();
    users.set(number, socket);
    if (what === 'member') socket.subscribe('room');
  },
  message(socket, message) {
    const to = new DataView(message).getUint32(0, true);
    const payload = message.slice(4);
    if (to === EVERYBODY) {
      // `app.publish`, because the sender is no member: `socket.publish` needs a subscription.
      app.publish('room', payload, true);
    } else {
      users.get(to)?.send(payload, true);
    }
  },
  close(socket) {
    const { number } = socket.getUserData();
    if (users.get(number) === socket) users.delete(number);
  },
});
app.listen('127.0.0.1', port, (listening) => {
  if (!listening) process.exit(1);
});
