/* The numbers of calls and events. Generated from rts-flat/src/table.rs by
 * `cargo run -p rts-codegen`: do not edit. */
#ifndef RTS_TABLE_H
#define RTS_TABLE_H

/* The calls for rts_call, with their arguments. */
enum {
    /*
     * Logs in. 0; -1 invalid argument; -2 already logged in or logging in; -3 no engine.
     * Arguments: token as first, uid as second.
     */
    RTS_CALL_LOGIN = 1,
    /*
     * Logs out. Without a login, nothing happens.
     */
    RTS_CALL_LOGOUT = 2,
    /*
     * Sets another token for the present login. Arguments: token as first.
     */
    RTS_CALL_UPDATE_LOGIN_TOKEN = 3,
    /*
     * Asks for the status of a user. Arguments: uid as first.
     */
    RTS_CALL_GET_PEER_ONLINE_STATUS = 4,
    /*
     * Sends text to a user. The config is 0 reliable and ordered, 1 unreliable and ordered, 2
     * unreliable and unordered; anything else counts as 0. -1 no engine; -2 empty user id.
     * Arguments: uid as first, message as second, config as number.
     */
    RTS_CALL_SEND_MESSAGE = 5,
    /*
     * Sends bytes to a user, like `sendMessage`. Arguments: uid as first, bytes as second,
     * config as number.
     */
    RTS_CALL_SEND_BINARY_MESSAGE = 6,
    /*
     * Sets where messages to the app server go, and the signature that goes with them.
     * Arguments: signature as first, url as second.
     */
    RTS_CALL_SET_SERVER_PARAMS = 7,
    /*
     * Sends text to the app server. -1 no engine. Arguments: message as second.
     */
    RTS_CALL_SEND_SERVER_MESSAGE = 8,
    /*
     * Sends bytes to the app server, like `sendServerMessage`. Arguments: bytes as second.
     */
    RTS_CALL_SEND_SERVER_BINARY_MESSAGE = 9,
    /*
     * Makes a room handle. -1007 bad id; -1013 the id is in use. Arguments: room as first.
     */
    RTS_CALL_CREATE_ROOM = 10,
    /*
     * Joins the room. 0; -2 already joined or joining; -3 no room. Arguments: room.
     */
    RTS_CALL_JOIN_ROOM = 11,
    /*
     * Leaves the room. Outside of the room, nothing happens. Arguments: room.
     */
    RTS_CALL_LEAVE_ROOM = 12,
    /*
     * Leaves the room, and frees its handle. No event of the room follows. Arguments: room.
     */
    RTS_CALL_DESTROY_ROOM = 13,
    /*
     * Sends text to all other members. -3 no room. Arguments: room, message as second.
     */
    RTS_CALL_SEND_ROOM_MESSAGE = 14,
    /*
     * Sends bytes to all other members, like `sendRoomMessage`. Arguments: room, bytes as
     * second.
     */
    RTS_CALL_SEND_ROOM_BINARY_MESSAGE = 15,
    /*
     * Sets a tag for later joins. 0; -6001 in a room; -6002 bad characters. Arguments:
     * businessId as first.
     */
    RTS_CALL_SET_BUSINESS_ID = 16,
    /*
     * Changes parameters: a JSON object. -9003 if it is not one. Arguments: params as first.
     */
    RTS_CALL_SET_RUNTIME_PARAMETERS = 17,
    /*
     * Logs out and ends the engine. The last events follow.
     */
    RTS_CALL_DESTROY_RTS = 18,
    /*
     * Reports that the network of the device has changed. The engine checks its link, or
     * reconnects at once.
     */
    RTS_CALL_NETWORK_CHANGED = 19,
};

/* The events, with the fields of RtsEvent that have a meaning. */
enum {
    /*
     * The state of the connection changed: 1 disconnected, 2 connecting, 3 connected, 4
     * reconnecting, 5 reconnected, 6 lost, 7 failed. Fields: state as code.
     */
    RTS_ON_CONNECTION_STATE_CHANGED = 1,
    /*
     * The result of a login: 0, or a negative code. The number is the time in milliseconds.
     * Fields: uid, code, elapsed as number.
     */
    RTS_ON_LOGIN_RESULT = 2,
    /*
     * The login has ended: 0 by its own logout, 1 displaced by another login of this user, 2
     * put out by the app's back end. Fields: reason as code.
     */
    RTS_ON_LOGOUT = 3,
    /*
     * The status of a user: 0 offline, 1 online, 2 unreachable. Fields: uid, status as code.
     */
    RTS_ON_GET_PEER_ONLINE_STATUS = 4,
    /*
     * A text of a user. Fields: uid, message as data.
     */
    RTS_ON_MESSAGE_RECEIVED = 5,
    /*
     * Bytes of a user. Fields: uid, bytes as data.
     */
    RTS_ON_BINARY_MESSAGE_RECEIVED = 6,
    /*
     * The one result of a message to a user: 0 if it arrived. Fields: msgid as number, code.
     */
    RTS_ON_MESSAGE_SEND_RESULT = 7,
    /*
     * The result of `setServerParams`: 200 if they are in force. Fields: code.
     */
    RTS_ON_SERVER_PARAMS_SET_RESULT = 8,
    /*
     * The one result of a message to the app server: 0 with its answer. Fields: msgid as
     * number, code, bytes as data.
     */
    RTS_ON_SERVER_MESSAGE_SEND_RESULT = 9,
    /*
     * A room handle was not made: -1007 bad id, -1013 the id is in use. Fields: room as
     * room_id, code.
     */
    RTS_ON_CREATE_ROOM_STATE_CHANGED = 10,
    /*
     * The state of a room changed: 0 joined, or a negative code. The extra text is a JSON
     * object. Fields: room as room_id, uid, state as code, extra as data.
     */
    RTS_ON_ROOM_STATE_CHANGED = 11,
    /*
     * The user has left the room. Fields: room as room_id.
     */
    RTS_ON_LEAVE_ROOM = 12,
    /*
     * A text to all members of the room. Fields: room as room_id, uid, message as data.
     */
    RTS_ON_ROOM_MESSAGE_RECEIVED = 13,
    /*
     * Bytes to all members of the room. Fields: room as room_id, uid, bytes as data.
     */
    RTS_ON_ROOM_BINARY_MESSAGE_RECEIVED = 14,
    /*
     * A text of the app's back end to this member. Fields: room as room_id, uid, message as
     * data.
     */
    RTS_ON_USER_MESSAGE_RECEIVED = 15,
    /*
     * Bytes of the app's back end to this member. Fields: room as room_id, uid, bytes as data.
     */
    RTS_ON_USER_BINARY_MESSAGE_RECEIVED = 16,
    /*
     * The one result of a broadcast: 200 if the server queued it for each member. Fields: room
     * as room_id, msgid as number, code.
     */
    RTS_ON_ROOM_MESSAGE_SEND_RESULT = 17,
    /*
     * Another user is in the room. Fields: room as room_id, uid.
     */
    RTS_ON_USER_JOINED = 18,
    /*
     * Another user is no longer in the room: 0 left, 1 dropped, 3 kicked. Fields: room as
     * room_id, uid, reason as code.
     */
    RTS_ON_USER_LEAVE = 19,
    /*
     * A problem that the application may want to know of, with a text for people. Fields: code,
     * message as data.
     */
    RTS_ON_WARNING = 20,
};

/* All calls: CALL(number, name, "field:place ..."). */
#define RTS_CALLS(CALL) \
    CALL(1, "login", "token:First uid:Second") \
    CALL(2, "logout", "") \
    CALL(3, "updateLoginToken", "token:First") \
    CALL(4, "getPeerOnlineStatus", "uid:First") \
    CALL(5, "sendMessage", "uid:First message:Text config:Number") \
    CALL(6, "sendBinaryMessage", "uid:First base64:Bytes config:Number") \
    CALL(7, "setServerParams", "signature:First url:Second") \
    CALL(8, "sendServerMessage", "message:Text") \
    CALL(9, "sendServerBinaryMessage", "base64:Bytes") \
    CALL(10, "createRoom", "room:First") \
    CALL(11, "joinRoom", "room:Room") \
    CALL(12, "leaveRoom", "room:Room") \
    CALL(13, "destroyRoom", "room:Room") \
    CALL(14, "sendRoomMessage", "room:Room message:Text") \
    CALL(15, "sendRoomBinaryMessage", "room:Room base64:Bytes") \
    CALL(16, "setBusinessId", "businessId:First") \
    CALL(17, "setRuntimeParameters", "params:Json") \
    CALL(18, "destroyRTS", "") \
    CALL(19, "networkChanged", "")

/* All events: EVENT(number, name, "field:place ..."). */
#define RTS_EVENTS(EVENT) \
    EVENT(1, "onConnectionStateChanged", "state:Code") \
    EVENT(2, "onLoginResult", "uid:Uid code:Code elapsed:Number") \
    EVENT(3, "onLogout", "reason:Code") \
    EVENT(4, "onGetPeerOnlineStatus", "uid:Uid status:Code") \
    EVENT(5, "onMessageReceived", "uid:Uid message:Text") \
    EVENT(6, "onBinaryMessageReceived", "uid:Uid base64:Bytes") \
    EVENT(7, "onMessageSendResult", "msgid:Number code:Code") \
    EVENT(8, "onServerParamsSetResult", "code:Code") \
    EVENT(9, "onServerMessageSendResult", "msgid:Number code:Code base64:Bytes") \
    EVENT(10, "onCreateRoomStateChanged", "room:RoomId code:Code") \
    EVENT(11, "onRoomStateChanged", "room:RoomId uid:Uid state:Code extra:Text") \
    EVENT(12, "onLeaveRoom", "room:RoomId") \
    EVENT(13, "onRoomMessageReceived", "room:RoomId uid:Uid message:Text") \
    EVENT(14, "onRoomBinaryMessageReceived", "room:RoomId uid:Uid base64:Bytes") \
    EVENT(15, "onUserMessageReceived", "room:RoomId uid:Uid message:Text") \
    EVENT(16, "onUserBinaryMessageReceived", "room:RoomId uid:Uid base64:Bytes") \
    EVENT(17, "onRoomMessageSendResult", "room:RoomId msgid:Number code:Code") \
    EVENT(18, "onUserJoined", "room:RoomId uid:Uid") \
    EVENT(19, "onUserLeave", "room:RoomId uid:Uid reason:Code") \
    EVENT(20, "onWarning", "code:Code message:Text")

#endif
