package @PACKAGE@.type;

/** How a message is sent. */
public enum MessageConfig {
    RELIABLE_ORDERED(0),
    UNRELIABLE_ORDERED(1),
    UNRELIABLE_UNORDERED(2);

    public static final MessageConfig MessageConfigReliableOrdered = RELIABLE_ORDERED;
    public static final MessageConfig MessageConfigUnreliableOrdered = UNRELIABLE_ORDERED;
    public static final MessageConfig MessageConfigUnreliableUnordered = UNRELIABLE_UNORDERED;

    private final int value;

    MessageConfig(int value) {
        this.value = value;
    }

    public int value() {
        return value;
    }

    /** Anything but a config is reliable and ordered. */
    public static MessageConfig fromId(int id) {
        return id == 1 ? UNRELIABLE_ORDERED : id == 2 ? UNRELIABLE_UNORDERED : RELIABLE_ORDERED;
    }
}
