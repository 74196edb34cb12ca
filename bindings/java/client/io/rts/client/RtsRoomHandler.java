// Generated from rts-flat/src/table.rs by `cargo run -p rts-codegen`. Do not edit.
package io.rts.client;

/**
 * The callbacks of a room. They come on the engine's own thread, one at a time and in order, and
 * may make any call. A callback that is not overridden does nothing.
 */
public interface RtsRoomHandler {
    /**
     * The state of a room changed: 0 joined, or a negative code. The extra text is a JSON
     * object.
     */
    default void onRoomStateChanged(String roomId, String uid, int state, String extra) {
    }

    /**
     * The user has left the room.
     */
    default void onLeaveRoom(String roomId) {
    }

    /**
     * A text to all members of the room.
     */
    default void onRoomMessageReceived(String roomId, String uid, String message) {
    }

    /**
     * Bytes to all members of the room.
     */
    default void onRoomBinaryMessageReceived(String roomId, String uid, byte[] bytes) {
    }

    /**
     * A text of the app's back end to this member.
     */
    default void onUserMessageReceived(String roomId, String uid, String message) {
    }

    /**
     * Bytes of the app's back end to this member.
     */
    default void onUserBinaryMessageReceived(String roomId, String uid, byte[] bytes) {
    }

    /**
     * The one result of a broadcast: 200 if the server queued it for each member.
     */
    default void onRoomMessageSendResult(String roomId, long msgid, int code) {
    }

    /**
     * Another user is in the room.
     */
    default void onUserJoined(String roomId, String uid) {
    }

    /**
     * Another user is no longer in the room: 0 left, 1 dropped, 3 kicked.
     */
    default void onUserLeave(String roomId, String uid, int reason) {
    }
}
