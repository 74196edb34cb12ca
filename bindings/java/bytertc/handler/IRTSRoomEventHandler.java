package @PACKAGE@.handler;

import @PACKAGE@.RTCRoomStats;
import @PACKAGE@.UserInfo;
import java.nio.ByteBuffer;

/**
 * The callbacks of a room. Versions of the original differ in parameters: all forms are called, so
 * override one of them.
 */
public abstract class IRTSRoomEventHandler {
    public void onRoomStateChanged(String roomId, String uid, int state, String extraInfo) {
    }

    public void onLeaveRoom() {
    }

    public void onLeaveRoom(RTCRoomStats stats) {
    }

    public void onRoomMessageReceived(String uid, String message) {
    }

    /** The number is 0: a receiver does not know the sender's. */
    public void onRoomMessageReceived(long msgid, String uid, String message) {
    }

    public void onRoomBinaryMessageReceived(String uid, ByteBuffer message) {
    }

    /** The number is 0: a receiver does not know the sender's. */
    public void onRoomBinaryMessageReceived(long msgid, String uid, ByteBuffer message) {
    }

    public void onRoomMessageSendResult(long msgid, int error) {
    }

    public void onUserJoined(String uid, int elapsed) {
    }

    public void onUserJoined(UserInfo userInfo, int elapsed) {
    }

    public void onUserJoined(UserInfo userInfo) {
    }

    public void onUserLeave(String uid, int reason) {
    }

    public void onUserMessageReceived(String uid, String message) {
    }

    public void onUserBinaryMessageReceived(String uid, ByteBuffer message) {
    }

    public void onUserMessageSendResult(long msgid, int error) {
    }
}
