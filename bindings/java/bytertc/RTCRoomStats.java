package @PACKAGE@;

/** Figures of a call. A room of RTS has no audio and no video, so it has none. */
public class RTCRoomStats {
}
