package @PACKAGE@;

import @PACKAGE@.handler.IRTSRoomEventHandler;
import io.rts.client.RtsRoom;
import io.rts.client.RtsRoomHandler;
import java.nio.ByteBuffer;

/** A room over the modern package. An overload that nobody overrides does nothing. */
final class RTSRoomImpl extends RTSRoom implements RtsRoomHandler {
    /** In place of a missing handler. */
    private static final IRTSRoomEventHandler NONE = new IRTSRoomEventHandler() {};

    /** Set before the room is joined, so before its first event. */
    volatile RtsRoom room;

    private volatile IRTSRoomEventHandler handler = NONE;

    @Override
    public void destroy() {
        room.destroy();
    }

    @Override
    public int joinRoom() {
        return room.join();
    }

    @Override
    public @VOID@ setRTSRoomEventHandler(IRTSRoomEventHandler rtsRoomEventHandler) {
        handler = rtsRoomEventHandler == null ? NONE : rtsRoomEventHandler;
        @RETURN@
    }

    @Override
    public @VOID@ leaveRoom() {
        room.leave();
        @RETURN@
    }

    @Override
    public long sendRoomMessage(String messageStr) {
        return room.sendMessage(messageStr);
    }

    @Override
    public long sendRoomBinaryMessage(byte[] buffer) {
        return room.sendBinaryMessage(buffer);
    }

    @Override
    public void onRoomStateChanged(String roomId, String uid, int state, String extra) {
        handler.onRoomStateChanged(roomId, uid, state, extra);
    }

    @Override
    public void onLeaveRoom(String roomId) {
        IRTSRoomEventHandler to = handler;
        to.onLeaveRoom();
        to.onLeaveRoom(new RTCRoomStats());
    }

    @Override
    public void onRoomMessageReceived(String roomId, String uid, String message) {
        IRTSRoomEventHandler to = handler;
        to.onRoomMessageReceived(uid, message);
        to.onRoomMessageReceived(0, uid, message);
    }

    @Override
    public void onRoomBinaryMessageReceived(String roomId, String uid, byte[] bytes) {
        IRTSRoomEventHandler to = handler;
        to.onRoomBinaryMessageReceived(uid, ByteBuffer.wrap(bytes));
        to.onRoomBinaryMessageReceived(0, uid, ByteBuffer.wrap(bytes));
    }

    @Override
    public void onUserMessageReceived(String roomId, String uid, String message) {
        handler.onUserMessageReceived(uid, message);
    }

    @Override
    public void onUserBinaryMessageReceived(String roomId, String uid, byte[] bytes) {
        handler.onUserBinaryMessageReceived(uid, ByteBuffer.wrap(bytes));
    }

    @Override
    public void onRoomMessageSendResult(String roomId, long msgid, int code) {
        handler.onRoomMessageSendResult(msgid, code);
    }

    @Override
    public void onUserJoined(String roomId, String uid) {
        IRTSRoomEventHandler to = handler;
        UserInfo user = new UserInfo(uid);
        to.onUserJoined(uid, 0);
        to.onUserJoined(user, 0);
        to.onUserJoined(user);
    }

    @Override
    public void onUserLeave(String roomId, String uid, int reason) {
        handler.onUserLeave(uid, reason);
    }
}
