package @PACKAGE@;

import @PACKAGE@.handler.IRTSEventHandler;
import @PACKAGE@.type.MessageConfig;
import android.content.Context;
import org.json.JSONObject;

/** An engine of RTS, with the names of the original. */
public abstract class RTS {
    /**
     * Makes an engine. Each call makes another one. The server's address is `rts.url` in the
     * parameters, the system property `rts.url`, or `rts.url` in `rts.properties` on the class path,
     * in this order.
     *
     * @return null if an argument is invalid, or if the native library cannot be loaded
     */
    public static synchronized RTS createRTS(
            Context context, String appId, IRTSEventHandler handler, JSONObject parameters) {
        return RTSImpl.create(appId, handler, parameters);
    }

    /** Destroys all engines of this class. It may be called in a callback. */
    public static synchronized void destroyRTS() {
        RTSImpl.destroyAll();
    }

    public static String getSdkVersion() {
        return io.rts.client.RtsEngine.version();
    }

    public abstract void setRtsEventHandler(IRTSEventHandler engineEventHandler);

    public abstract @LOGIN@ login(String token, String uid);

    public abstract @VOID@ logout();

    public abstract @VOID@ updateLoginToken(String token);

    public abstract @VOID@ setServerParams(String signature, String url);

    public abstract @VOID@ getPeerOnlineStatus(String peer_user_id);

    public abstract long sendMessage(String uid, String message, MessageConfig config);

    public abstract long sendBinaryMessage(String uid, byte[] buffer, MessageConfig config);

    public abstract long sendServerMessage(String message);

    public abstract long sendServerBinaryMessage(byte[] buffer);

    public abstract RTSRoom createRoom(String roomId);

    public abstract int setBusinessId(String businessId);

    public abstract @VOID@ setRuntimeParameters(JSONObject params);
}
