// Generated from rts-flat/src/table.rs by `cargo run -p rts-codegen`. Do not edit.
package io.rts.client;

import java.nio.charset.StandardCharsets;

/** The numbers of calls, and the callback of each event. */
final class Table {
    static final String VERSION = "0.1.0";

    static final int LOGIN = 1;
    static final int LOGOUT = 2;
    static final int UPDATE_LOGIN_TOKEN = 3;
    static final int GET_PEER_ONLINE_STATUS = 4;
    static final int SEND_MESSAGE = 5;
    static final int SEND_BINARY_MESSAGE = 6;
    static final int SET_SERVER_PARAMS = 7;
    static final int SEND_SERVER_MESSAGE = 8;
    static final int SEND_SERVER_BINARY_MESSAGE = 9;
    static final int CREATE_ROOM = 10;
    static final int JOIN_ROOM = 11;
    static final int LEAVE_ROOM = 12;
    static final int DESTROY_ROOM = 13;
    static final int SEND_ROOM_MESSAGE = 14;
    static final int SEND_ROOM_BINARY_MESSAGE = 15;
    static final int SET_BUSINESS_ID = 16;
    static final int SET_RUNTIME_PARAMETERS = 17;
    static final int DESTROY_RTS = 18;
    static final int NETWORK_CHANGED = 19;

    private Table() {
    }

    /** Whether an event is of a room. */
    static boolean isOfRoom(int kind) {
        switch (kind) {
            case 11:
            case 12:
            case 13:
            case 14:
            case 15:
            case 16:
            case 17:
            case 18:
            case 19:
                return true;
            default:
                return false;
        }
    }

    /** Calls back for an event; one of a later version has no callback. */
    static void dispatch(int kind, long[] numbers, byte[][] texts, RtsHandler to) {
        switch (kind) {
            case 1:
                to.onConnectionStateChanged((int) numbers[0]);
                break;
            case 2:
                to.onLoginResult(text(texts[0]), (int) numbers[0], numbers[1]);
                break;
            case 3:
                to.onLogout((int) numbers[0]);
                break;
            case 4:
                to.onGetPeerOnlineStatus(text(texts[0]), (int) numbers[0]);
                break;
            case 5:
                to.onMessageReceived(text(texts[0]), text(texts[2]));
                break;
            case 6:
                to.onBinaryMessageReceived(text(texts[0]), texts[2]);
                break;
            case 7:
                to.onMessageSendResult(numbers[1], (int) numbers[0]);
                break;
            case 8:
                to.onServerParamsSetResult((int) numbers[0]);
                break;
            case 9:
                to.onServerMessageSendResult(numbers[1], (int) numbers[0], texts[2]);
                break;
            case 10:
                to.onCreateRoomStateChanged(text(texts[1]), (int) numbers[0]);
                break;
            case 20:
                to.onWarning((int) numbers[0], text(texts[2]));
                break;
            default:
                break;
        }
    }

    /** Calls back for an event; one of a later version has no callback. */
    static void dispatch(int kind, long[] numbers, byte[][] texts, RtsRoomHandler to) {
        switch (kind) {
            case 11:
                to.onRoomStateChanged(text(texts[1]), text(texts[0]), (int) numbers[0], text(texts[2]));
                break;
            case 12:
                to.onLeaveRoom(text(texts[1]));
                break;
            case 13:
                to.onRoomMessageReceived(text(texts[1]), text(texts[0]), text(texts[2]));
                break;
            case 14:
                to.onRoomBinaryMessageReceived(text(texts[1]), text(texts[0]), texts[2]);
                break;
            case 15:
                to.onUserMessageReceived(text(texts[1]), text(texts[0]), text(texts[2]));
                break;
            case 16:
                to.onUserBinaryMessageReceived(text(texts[1]), text(texts[0]), texts[2]);
                break;
            case 17:
                to.onRoomMessageSendResult(text(texts[1]), numbers[1], (int) numbers[0]);
                break;
            case 18:
                to.onUserJoined(text(texts[1]), text(texts[0]));
                break;
            case 19:
                to.onUserLeave(text(texts[1]), text(texts[0]), (int) numbers[0]);
                break;
            default:
                break;
        }
    }

    private static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }
}
