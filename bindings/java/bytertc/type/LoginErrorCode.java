package @PACKAGE@.type;

/** The results of a login. */
public class LoginErrorCode {
    public static final int LOGIN_ERROR_CODE_SUCCESS = 0;
    public static final int LOGIN_ERROR_CODE_INVALID_TOKEN = -1000;
    public static final int LOGIN_ERROR_CODE_LOGIN_FAILED = -1001;
    public static final int LOGIN_ERROR_CODE_INVALID_USER_ID = -1002;
    public static final int LOGIN_ERROR_CODE_SERVER_ERROR = -1003;
}
