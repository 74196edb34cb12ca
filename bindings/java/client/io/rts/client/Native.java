package io.rts.client;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/** The border to the engine in Rust. Texts are UTF-8. */
final class Native {
    /** Of {@link #poll}, in place of the kind of an event. */
    static final int ENDED = -1;

    private static final String NAME = "rts_jni";

    static {
        load();
    }

    private Native() {
    }

    /** Returns the engine's number. Throws IllegalArgumentException for a bad argument. */
    static native long create(byte[] address, byte[] appId, byte[] parameters);

    static native long call(
            long engine, int kind, long room, long number, byte[] first, byte[] second);

    /**
     * Waits for the next event, without limit if millis is negative. Returns its kind; numbers gets
     * code, number and room, and texts gets user, room id and data.
     */
    static native int poll(long engine, long millis, long[] numbers, byte[][] texts);

    static native void release(long engine);

    /** The library of the property, of the library path, or of the jar, in this order. */
    private static void load() {
        String file = System.getProperty("rts.native");
        if (file != null) {
            System.load(new File(file).getAbsolutePath());
            return;
        }
        UnsatisfiedLinkError missing;
        try {
            System.loadLibrary(NAME);
            return;
        } catch (UnsatisfiedLinkError error) {
            missing = error;
        }
        String entry = "/META-INF/native/" + platform() + "/" + System.mapLibraryName(NAME);
        try (InputStream packed = Native.class.getResourceAsStream(entry)) {
            if (packed == null) {
                throw new UnsatisfiedLinkError(missing.getMessage() + ", and the jar has no "
                        + entry + ": set the property rts.native to the file of the library");
            }
            File unpacked = File.createTempFile("rts", System.mapLibraryName(NAME));
            unpacked.deleteOnExit();
            Files.copy(packed, unpacked.toPath(), StandardCopyOption.REPLACE_EXISTING);
            System.load(unpacked.getPath());
        } catch (IOException error) {
            throw new UnsatisfiedLinkError(entry + " cannot be unpacked: " + error.getMessage());
        }
    }

    private static String platform() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String architecture = System.getProperty("os.arch");
        return system.split(" ")[0] + "-" + ("amd64".equals(architecture) ? "x86_64" : architecture);
    }
}
