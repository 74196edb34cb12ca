package @PACKAGE@;

/** A member of a room. */
public class UserInfo {
    private final String uid;

    public UserInfo(String uid) {
        this.uid = uid;
    }

    public String getUid() {
        return uid;
    }

    /** Always empty: RTS carries no such information. */
    public String getExtraInfo() {
        return "";
    }
}
