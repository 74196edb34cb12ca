package @PACKAGE@.type;

/** Warnings of rooms. */
public class WarningCode {
    public static final int WARNING_CODE_GET_ROOM_FAILED = -2000;
    public static final int WARNING_CODE_JOIN_ROOM_FAILED = -2001;
    public static final int WARNING_CODE_SEND_CUSTOM_MESSAGE = -2011;
    public static final int WARNING_CODE_RECEIVE_USER_NOTIFY_STOP = -2013;
    public static final int WARNING_CODE_ROOM_ID_ALREADY_EXIST = -2015;
    public static final int WARNING_CODE_OLD_ROOM_BEEN_REPLACED = -2016;
}
