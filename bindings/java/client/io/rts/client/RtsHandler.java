// Generated from rts-flat/src/table.rs by `cargo run -p rts-codegen`. Do not edit.
package io.rts.client;

/**
 * The callbacks of an engine. They come on the engine's own thread, one at a time and in order, and
 * may make any call. A callback that is not overridden does nothing.
 */
public interface RtsHandler {
    /**
     * The state of the connection changed: 1 disconnected, 2 connecting, 3 connected, 4
     * reconnecting, 5 reconnected, 6 lost, 7 failed.
     */
    default void onConnectionStateChanged(int state) {
    }

    /**
     * The result of a login: 0, or a negative code. The number is the time in milliseconds.
     */
    default void onLoginResult(String uid, int code, long elapsed) {
    }

    /**
     * The login has ended: 0 by its own logout, 1 displaced by another login of this user, 2
     * put out by the app's back end.
     */
    default void onLogout(int reason) {
    }

    /**
     * The status of a user: 0 offline, 1 online, 2 unreachable.
     */
    default void onGetPeerOnlineStatus(String uid, int status) {
    }

    /**
     * A text of a user.
     */
    default void onMessageReceived(String uid, String message) {
    }

    /**
     * Bytes of a user.
     */
    default void onBinaryMessageReceived(String uid, byte[] bytes) {
    }

    /**
     * The one result of a message to a user: 0 if it arrived.
     */
    default void onMessageSendResult(long msgid, int code) {
    }

    /**
     * The result of `setServerParams`: 200 if they are in force.
     */
    default void onServerParamsSetResult(int code) {
    }

    /**
     * The one result of a message to the app server: 0 with its answer.
     */
    default void onServerMessageSendResult(long msgid, int code, byte[] bytes) {
    }

    /**
     * A room handle was not made: -1007 bad id, -1013 the id is in use.
     */
    default void onCreateRoomStateChanged(String roomId, int code) {
    }

    /**
     * A problem that the application may want to know of, with a text for people.
     */
    default void onWarning(int code, String message) {
    }
}
