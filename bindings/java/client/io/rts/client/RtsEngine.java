package io.rts.client;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * One client: one app, one login at a time, many rooms. No call waits for the network. What follows
 * from a call comes to the handler, on a daemon thread of this engine.
 *
 * <p>Every method may be called on any thread and in any callback, {@link #destroy} too.
 */
public final class RtsEngine implements AutoCloseable {
    /** Reliable and ordered. */
    public static final int RELIABLE_ORDERED = 0;
    /** Unreliable and ordered. */
    public static final int UNRELIABLE_ORDERED = 1;
    /** Unreliable and unordered. */
    public static final int UNRELIABLE_UNORDERED = 2;

    private static final byte[] NO_BYTES = {};

    private final long engine;
    private final Map<Long, RtsRoom> rooms = new ConcurrentHashMap<>();
    /** A result waits until calls that have begun have returned. It is fair, so it waits briefly. */
    private final ReentrantReadWriteLock calls = new ReentrantReadWriteLock(true);
    private volatile RtsHandler handler;
    private volatile boolean isDestroyed;

    private RtsEngine(long engine, RtsHandler handler) {
        this.engine = engine;
        this.handler = handler;
    }

    /**
     * Makes an engine for the server at this address, such as {@code rts://127.0.0.1:7600}. Nothing
     * is connected before {@link #login}.
     *
     * @param parameters a JSON object, or null
     * @throws IllegalArgumentException if the address, the app id or the parameters are invalid
     */
    public static RtsEngine create(
            String address, String appId, RtsHandler handler, String parameters) {
        long number = Native.create(utf8(address), utf8(appId), utf8(parameters));
        RtsEngine engine = new RtsEngine(number, handler);
        Thread thread = new Thread(engine::deliver, "rts-callback");
        // The process may end without a call of destroy.
        thread.setDaemon(true);
        thread.start();
        return engine;
    }

    /** The version of this library. */
    public static String version() {
        return Table.VERSION;
    }

    /** Replaces the handler. */
    public void setHandler(RtsHandler handler) {
        this.handler = handler;
    }

    /** Returns 0, -1 invalid argument, -2 already logged in, -3 destroyed. */
    public int login(String token, String uid) {
        return (int) call(Table.LOGIN, 0, 0, utf8(token), utf8(uid));
    }

    public void logout() {
        call(Table.LOGOUT, 0, 0, null, null);
    }

    public void updateLoginToken(String token) {
        call(Table.UPDATE_LOGIN_TOKEN, 0, 0, utf8(token), null);
    }

    public void getPeerOnlineStatus(String uid) {
        call(Table.GET_PEER_ONLINE_STATUS, 0, 0, utf8(uid), null);
    }

    /** Returns the message's id, -1 destroyed, -2 empty user id. */
    public long sendMessage(String uid, String message, int config) {
        return call(Table.SEND_MESSAGE, 0, config, utf8(uid), utf8(message));
    }

    /** Like {@link #sendMessage}. */
    public long sendBinaryMessage(String uid, byte[] message, int config) {
        return call(Table.SEND_BINARY_MESSAGE, 0, config, utf8(uid), message);
    }

    public void setServerParams(String signature, String url) {
        call(Table.SET_SERVER_PARAMS, 0, 0, utf8(signature), utf8(url));
    }

    /** Returns the message's id, or -1 destroyed. */
    public long sendServerMessage(String message) {
        return call(Table.SEND_SERVER_MESSAGE, 0, 0, null, utf8(message));
    }

    /** Like {@link #sendServerMessage}. */
    public long sendServerBinaryMessage(byte[] message) {
        return call(Table.SEND_SERVER_BINARY_MESSAGE, 0, 0, null, message);
    }

    /**
     * Makes a room handle. Returns null after {@link RtsHandler#onCreateRoomStateChanged}, which has
     * the reason, and if the engine was destroyed.
     */
    public RtsRoom createRoom(String roomId, RtsRoomHandler handler) {
        long key = call(Table.CREATE_ROOM, 0, 0, utf8(roomId), null);
        if (key <= 0) {
            return null;
        }
        RtsRoom room = new RtsRoom(this, key, roomId, handler);
        rooms.put(key, room);
        return room;
    }

    /** Returns 0, -6001 in a room, -6002 bad characters. */
    public int setBusinessId(String businessId) {
        return (int) call(Table.SET_BUSINESS_ID, 0, 0, utf8(businessId), null);
    }

    /**
     * Changes parameters.
     *
     * @throws IllegalArgumentException if the text is not a JSON object
     */
    public void setRuntimeParameters(String json) {
        if (call(Table.SET_RUNTIME_PARAMETERS, 0, 0, utf8(json), null) != 0) {
            throw new IllegalArgumentException("parameters: not a JSON object");
        }
    }

    /** Reports that the network of the device has changed. */
    public void networkChanged() {
        call(Table.NETWORK_CHANGED, 0, 0, null, null);
    }

    /** Logs out and frees the engine. No callback starts afterwards; one in progress goes on. */
    public void destroy() {
        isDestroyed = true;
        rooms.clear();
        Native.release(engine);
    }

    @Override
    public void close() {
        destroy();
    }

    void destroyed(RtsRoom room) {
        rooms.remove(room.key());
    }

    long call(int kind, long room, long number, byte[] first, byte[] second) {
        calls.readLock().lock();
        try {
            return Native.call(engine, kind, room, number,
                    first == null ? NO_BYTES : first, second == null ? NO_BYTES : second);
        } finally {
            calls.readLock().unlock();
        }
    }

    /** For tests. */
    int callsUnderWay() {
        return calls.getReadLockCount();
    }

    static byte[] utf8(String text) {
        return text == null ? NO_BYTES : text.getBytes(StandardCharsets.UTF_8);
    }

    private void deliver() {
        long[] numbers = new long[3];
        byte[][] texts = new byte[3][];
        while (true) {
            int kind = Native.poll(engine, -1, numbers, texts);
            if (kind == Native.ENDED || isDestroyed) {
                return;
            }
            // A result is not called back before the call that caused it has returned.
            calls.writeLock().lock();
            calls.writeLock().unlock();
            try {
                callBack(kind, numbers, texts);
            } catch (Throwable thrown) {
                Thread thread = Thread.currentThread();
                thread.getUncaughtExceptionHandler().uncaughtException(thread, thrown);
            }
        }
    }

    private void callBack(int kind, long[] numbers, byte[][] texts) {
        if (!Table.isOfRoom(kind)) {
            RtsHandler present = handler;
            if (present != null) {
                Table.dispatch(kind, numbers, texts, present);
            }
            return;
        }
        // A room that was destroyed meanwhile has no callbacks.
        RtsRoom room = rooms.get(numbers[2]);
        RtsRoomHandler present = room == null ? null : room.handler();
        if (present != null) {
            Table.dispatch(kind, numbers, texts, present);
        }
    }
}
