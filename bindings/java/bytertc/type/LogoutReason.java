package @PACKAGE@.type;

/** Why a login has ended. */
public class LogoutReason {
    public static final int LOGOUT_REASON_LOGOUT = 0;
    public static final int LOGOUT_REASON_DUPLICATE_LOGIN = 1;
}
