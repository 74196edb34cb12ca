package @PACKAGE@.type;

/** Errors of rooms and logins. */
public class ErrorCode {
    public static final int ERROR_CODE_INVALID_TOKEN = -1000;
    public static final int ERROR_CODE_JOIN_ROOM = -1001;
    public static final int ERROR_CODE_DUPLICATE_LOGIN = -1004;
    public static final int ERROR_CODE_APP_ID_NULL = -1005;
    public static final int ERROR_CODE_KICKED_OUT = -1006;
    public static final int ERROR_CODE_ROOM_ID_ILLEGAL = -1007;
    public static final int ERROR_CODE_TOKEN_EXPIRED = -1009;
    public static final int ERROR_CODE_UPDATE_TOKEN_WITH_INVALID_TOKEN = -1010;
    public static final int ERROR_CODE_ROOM_DISMISS = -1011;
    public static final int ERROR_CODE_ROOM_ALREADY_EXIST = -1013;
    public static final int ERROR_CODE_USER_ID_DIFFERENT = -1014;
    public static final int ERROR_CODE_JOIN_ROOM_ROOM_FORBIDDEN = -1025;
    public static final int ERROR_CODE_JOIN_ROOM_USER_FORBIDDEN = -1026;
    public static final int ERROR_CODE_ABNORMAL_SERVER_STATUS = -1084;
}
