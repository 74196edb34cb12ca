package @PACKAGE@;

import @PACKAGE@.handler.IRTSEventHandler;
import @PACKAGE@.type.MessageConfig;
import io.rts.client.RtsEngine;
import io.rts.client.RtsHandler;
import io.rts.client.RtsRoom;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Properties;
import java.util.Set;
import org.json.JSONException;
import org.json.JSONObject;

/** An engine over the modern package. */
final class RTSImpl extends RTS implements RtsHandler {
    private static final String URL = "rts.url";
    /** In place of a missing handler. */
    private static final IRTSEventHandler NONE = new IRTSEventHandler() {};
    /** Those that were made and not destroyed. */
    private static final Set<RTSImpl> ALL = new HashSet<>();

    private volatile IRTSEventHandler handler;
    private RtsEngine engine;

    private RTSImpl(IRTSEventHandler handler) {
        setRtsEventHandler(handler);
    }

    static RTS create(String appId, IRTSEventHandler handler, JSONObject parameters) {
        RTSImpl made = new RTSImpl(handler);
        try {
            made.engine = RtsEngine.create(url(parameters), appId, made, own(parameters).toString());
        } catch (IllegalArgumentException | LinkageError error) {
            System.err.println("createRTS: " + error.getMessage());
            return null;
        }
        synchronized (ALL) {
            ALL.add(made);
        }
        return made;
    }

    static void destroyAll() {
        synchronized (ALL) {
            for (RTSImpl one : ALL) {
                one.engine.destroy();
            }
            ALL.clear();
        }
    }

    private static String url(JSONObject parameters) {
        String url = parameters == null ? null : parameters.optString(URL, null);
        if (url == null) {
            url = System.getProperty(URL);
        }
        if (url == null) {
            try (InputStream file = RTSImpl.class.getResourceAsStream("/rts.properties")) {
                Properties properties = new Properties();
                if (file != null) {
                    properties.load(file);
                }
                url = properties.getProperty(URL);
            } catch (IOException error) {
                throw new IllegalArgumentException("rts.properties: " + error.getMessage());
            }
        }
        if (url == null) {
            throw new IllegalArgumentException("the address of the server is not set: put rts.url "
                    + "into rts.properties on the class path, into the parameters, or into a "
                    + "system property");
        }
        return url;
    }

    /** The parameters without the address, and without those of the original. */
    private static JSONObject own(JSONObject parameters) {
        JSONObject own = new JSONObject();
        if (parameters == null) {
            return own;
        }
        for (Iterator<String> names = parameters.keys(); names.hasNext();) {
            String name = names.next();
            if (!name.equals(URL) && !name.startsWith("rtc.")) {
                try {
                    own.put(name, parameters.get(name));
                } catch (JSONException error) {
                    throw new IllegalArgumentException(name + ": " + error.getMessage());
                }
            }
        }
        return own;
    }

    @Override
    public void setRtsEventHandler(IRTSEventHandler engineEventHandler) {
        handler = engineEventHandler == null ? NONE : engineEventHandler;
    }

    @Override
    public @LOGIN@ login(String token, String uid) {
        return engine.login(token, uid);
    }

    @Override
    public @VOID@ logout() {
        engine.logout();
        @RETURN@
    }

    @Override
    public @VOID@ updateLoginToken(String token) {
        engine.updateLoginToken(token);
        @RETURN@
    }

    @Override
    public @VOID@ setServerParams(String signature, String url) {
        engine.setServerParams(signature, url);
        @RETURN@
    }

    @Override
    public @VOID@ getPeerOnlineStatus(String peer_user_id) {
        engine.getPeerOnlineStatus(peer_user_id);
        @RETURN@
    }

    @Override
    public long sendMessage(String uid, String message, MessageConfig config) {
        return engine.sendMessage(uid, message, number(config));
    }

    @Override
    public long sendBinaryMessage(String uid, byte[] buffer, MessageConfig config) {
        return engine.sendBinaryMessage(uid, buffer, number(config));
    }

    private static int number(MessageConfig config) {
        return config == null ? 0 : config.value();
    }

    @Override
    public long sendServerMessage(String message) {
        return engine.sendServerMessage(message);
    }

    @Override
    public long sendServerBinaryMessage(byte[] buffer) {
        return engine.sendServerBinaryMessage(buffer);
    }

    @Override
    public RTSRoom createRoom(String roomId) {
        RTSRoomImpl made = new RTSRoomImpl();
        RtsRoom room = engine.createRoom(roomId, made);
        if (room == null) {
            return null;
        }
        made.room = room;
        return made;
    }

    @Override
    public int setBusinessId(String businessId) {
        return engine.setBusinessId(businessId);
    }

    @Override
    public @VOID@ setRuntimeParameters(JSONObject params) {
        engine.setRuntimeParameters(own(params).toString());
        @RETURN@
    }

    @Override
    public void onConnectionStateChanged(int state) {
        handler.onConnectionStateChanged(state, -1);
    }

    @Override
    public void onLoginResult(String uid, int code, long elapsed) {
        handler.onLoginResult(uid, code, (int) elapsed);
    }

    @Override
    public void onLogout(int reason) {
        IRTSEventHandler to = handler;
        to.onLogout();
        to.onLogout(reason);
    }

    @Override
    public void onServerParamsSetResult(int code) {
        handler.onServerParamsSetResult(code);
    }

    @Override
    public void onGetPeerOnlineStatus(String uid, int status) {
        handler.onGetPeerOnlineStatus(uid, status);
    }

    @Override
    public void onMessageReceived(String uid, String message) {
        handler.onMessageReceived(uid, message);
    }

    @Override
    public void onBinaryMessageReceived(String uid, byte[] bytes) {
        handler.onBinaryMessageReceived(uid, ByteBuffer.wrap(bytes));
    }

    @Override
    public void onMessageSendResult(long msgid, int code) {
        handler.onMessageSendResult(msgid, code);
    }

    @Override
    public void onServerMessageSendResult(long msgid, int code, byte[] bytes) {
        handler.onServerMessageSendResult(msgid, code, ByteBuffer.wrap(bytes));
    }

    @Override
    public void onCreateRoomStateChanged(String roomId, int code) {
        handler.onCreateRoomStateChanged(roomId, code);
    }
}
