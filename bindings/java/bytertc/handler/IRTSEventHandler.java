package @PACKAGE@.handler;

import @PACKAGE@.SysStats;
import java.nio.ByteBuffer;
import org.json.JSONObject;

/** The callbacks of an engine. They come on a thread of the engine, one at a time. */
public abstract class IRTSEventHandler {
    public void onSysStats(SysStats stats) {
    }

    public void onNetworkTypeChanged(int type) {
    }

    public void onCreateRoomStateChanged(String roomId, int errorCode) {
    }

    /** The reason is always -1. */
    public void onConnectionStateChanged(int state, int reason) {
    }

    public void onLogReport(String logType, JSONObject logContent) {
    }

    public void onLoginResult(String uid, int error_code, int elapsed) {
    }

    /** Called together with {@link #onLogout(int)}: override one of them. */
    public void onLogout() {
    }

    public void onLogout(int reason) {
    }

    public void onServerParamsSetResult(int error) {
    }

    public void onGetPeerOnlineStatus(String peerUserId, int status) {
    }

    public void onMessageReceived(String uid, String message) {
    }

    public void onBinaryMessageReceived(String uid, ByteBuffer message) {
    }

    public void onMessageSendResult(long msgid, int error) {
    }

    public void onServerMessageSendResult(long msgid, int error, ByteBuffer message) {
    }

    public void onWarning(int warn) {
    }

    public void onError(int err) {
    }
}
