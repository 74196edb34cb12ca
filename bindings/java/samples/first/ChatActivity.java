package first;

import static com.ss.bytertc.engine.type.MessageConfig.MessageConfigReliableOrdered;

import com.ss.bytertc.engine.RTS;
import com.ss.bytertc.engine.RTSRoom;
import com.ss.bytertc.engine.handler.IRTSEventHandler;
import com.ss.bytertc.engine.handler.IRTSRoomEventHandler;
import com.ss.bytertc.engine.type.LoginErrorCode;
import com.ss.bytertc.engine.type.RoomMessageSendResult;
import com.ss.bytertc.engine.type.UserMessageSendResult;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.json.JSONObject;

/**
 * An app in the shape of the original's samples, with its first package. It knows no address. Alice
 * and Bob meet in a room and send each other text and bytes; every callback is printed.
 */
public final class ChatActivity {
    private static final String APP_ID = "123456781234567812345678";

    private final String uid;
    private final RTS rts;
    private RTSRoom room;
    private final Map<Long, String> sent = new ConcurrentHashMap<>();
    private final CountDownLatch loggedIn = new CountDownLatch(1);
    private final CountDownLatch joined = new CountDownLatch(1);
    private final CountDownLatch received = new CountDownLatch(4);
    private final CountDownLatch left = new CountDownLatch(1);
    private final CountDownLatch loggedOut = new CountDownLatch(1);
    private final CountDownLatch asked = new CountDownLatch(1);

    private final IRTSEventHandler handler = new IRTSEventHandler() {
        @Override
        public void onLoginResult(String uid, int error_code, int elapsed) {
            super.onLoginResult(uid, error_code, elapsed);
            say("onLoginResult " + error_code);
            if (error_code == LoginErrorCode.LOGIN_ERROR_CODE_SUCCESS) {
                loggedIn.countDown();
            }
        }

        @Override
        public void onLogout() {
            say("onLogout");
            loggedOut.countDown();
        }

        @Override
        public void onConnectionStateChanged(int state, int reason) {
            say("onConnectionStateChanged " + state + " " + reason);
        }

        @Override
        public void onGetPeerOnlineStatus(String peerUserId, int status) {
            say("onGetPeerOnlineStatus " + peerUserId + " " + status);
            asked.countDown();
        }

        @Override
        public void onCreateRoomStateChanged(String roomId, int errorCode) {
            say("onCreateRoomStateChanged " + roomId + " " + errorCode);
        }

        @Override
        public void onMessageReceived(String uid, String message) {
            say("onMessageReceived " + uid + " " + message);
            received.countDown();
        }

        @Override
        public void onBinaryMessageReceived(String uid, ByteBuffer message) {
            say("onBinaryMessageReceived " + uid + " " + message.remaining());
            received.countDown();
        }

        @Override
        public void onMessageSendResult(long msgid, int error) {
            boolean isOk = error == UserMessageSendResult.USER_MESSAGE_SEND_RESULT_SUCCESS;
            say("onMessageSendResult " + msgid + " " + (isOk ? "ok" : error));
        }
    };

    private final IRTSRoomEventHandler roomHandler = new IRTSRoomEventHandler() {
        @Override
        public void onRoomStateChanged(String roomId, String uid, int state, String extraInfo) {
            say("onRoomStateChanged " + roomId + " " + state);
            joined.countDown();
        }

        @Override
        public void onLeaveRoom() {
            say("onLeaveRoom");
            left.countDown();
        }

        @Override
        public void onRoomMessageReceived(String uid, String message) {
            say("onRoomMessageReceived " + uid + " " + message);
            received.countDown();
        }

        @Override
        public void onRoomBinaryMessageReceived(String uid, ByteBuffer message) {
            say("onRoomBinaryMessageReceived " + uid + " " + message.get(0));
            received.countDown();
        }

        @Override
        public void onRoomMessageSendResult(long msgid, int error) {
            boolean isOk = error == RoomMessageSendResult.ROOM_MESSAGE_SEND_RESULT_SUCCESS;
            say("onRoomMessageSendResult " + msgid + " " + (isOk ? "ok" : error));
        }

        @Override
        public void onUserJoined(String uid, int elapsed) {
            say("onUserJoined " + uid);
        }

        @Override
        public void onUserLeave(String uid, int reason) {
            say("onUserLeave " + uid + " " + reason);
        }
    };

    private ChatActivity(String uid) throws Exception {
        this.uid = uid;
        rts = RTS.createRTS(null, APP_ID, handler, new JSONObject().put("rtc.device_id", "d"));
        rts.setRtsEventHandler(handler);
    }

    private synchronized void say(String what) {
        System.out.println(uid + ": " + what);
    }

    private void enter(String token) throws Exception {
        say("login " + rts.login(token, uid));
        loggedIn.await();
        say("setBusinessId " + rts.setBusinessId("chat"));
        room = rts.createRoom("lobby");
        say("createRoom again " + rts.createRoom("lobby"));
        room.setRTSRoomEventHandler(roomHandler);
        say("joinRoom " + room.joinRoom());
        joined.await();
        say("joinRoom again " + room.joinRoom());
    }

    private void sendTo(String peer) {
        sent.put(rts.sendMessage(peer, "hello", MessageConfigReliableOrdered), "text");
        sent.put(rts.sendBinaryMessage(peer, new byte[3], MessageConfigReliableOrdered), "bytes");
        say("to nobody " + rts.sendMessage("", "hello", MessageConfigReliableOrdered));
        room.sendRoomMessage("hello, all");
        room.sendRoomBinaryMessage(new byte[] {7});
    }

    /** The arguments are the tokens of alice and bob. */
    public static void main(String[] tokens) throws Exception {
        System.out.println("version " + !RTS.getSdkVersion().isEmpty());
        ChatActivity alice = new ChatActivity("alice");
        ChatActivity bob = new ChatActivity("bob");
        alice.enter(tokens[0]);
        bob.enter(tokens[1]);
        alice.sendTo("bob");
        bob.received.await();
        alice.rts.getPeerOnlineStatus("bob");
        alice.asked.await();
        bob.room.leaveRoom();
        bob.left.await();
        bob.room.destroy();
        bob.rts.logout();
        bob.loggedOut.await();
        RTS.destroyRTS();
        System.out.println("after destroyRTS " + alice.rts.login(tokens[0], "alice"));
    }
}
