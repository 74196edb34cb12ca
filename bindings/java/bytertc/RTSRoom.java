package @PACKAGE@;

import @PACKAGE@.handler.IRTSRoomEventHandler;

/** A room of RTS, with the names of the original. */
public abstract class RTSRoom {
    public abstract void destroy();

    public abstract int joinRoom();

    public abstract @VOID@ setRTSRoomEventHandler(IRTSRoomEventHandler rtsRoomEventHandler);

    public abstract @VOID@ leaveRoom();

    public abstract long sendRoomMessage(String messageStr);

    public abstract long sendRoomBinaryMessage(byte[] buffer);
}
