package io.rts.client;

/** A room handle of an engine. */
public final class RtsRoom {
    private final RtsEngine engine;
    private final long key;
    private final String id;
    private volatile RtsRoomHandler handler;

    RtsRoom(RtsEngine engine, long key, String id, RtsRoomHandler handler) {
        this.engine = engine;
        this.key = key;
        this.id = id;
        this.handler = handler;
    }

    /** The room's id. */
    public String id() {
        return id;
    }

    /** Replaces the handler. */
    public void setHandler(RtsRoomHandler handler) {
        this.handler = handler;
    }

    /** Returns 0, -2 already joined or joining, -3 destroyed. */
    public int join() {
        return (int) engine.call(Table.JOIN_ROOM, key, 0, null, null);
    }

    public void leave() {
        engine.call(Table.LEAVE_ROOM, key, 0, null, null);
    }

    /** Sends text to all other members. Returns the message's id, or -3 destroyed. */
    public long sendMessage(String message) {
        return engine.call(Table.SEND_ROOM_MESSAGE, key, 0, null, RtsEngine.utf8(message));
    }

    /** Like {@link #sendMessage}. */
    public long sendBinaryMessage(byte[] message) {
        return engine.call(Table.SEND_ROOM_BINARY_MESSAGE, key, 0, null, message);
    }

    /** Leaves, and frees the handle. No callback of the room starts afterwards. */
    public void destroy() {
        engine.destroyed(this);
        engine.call(Table.DESTROY_ROOM, key, 0, null, null);
    }

    long key() {
        return key;
    }

    RtsRoomHandler handler() {
        return handler;
    }
}
