import io.rts.client.RtsEngine;
import io.rts.client.RtsHandler;
import java.util.Scanner;

/** A chat with one other user: each line is a message. */
public class Chat {
    public static void main(String[] arguments) {
        String own = arguments[0];
        String other = arguments[1];
        RtsHandler handler = new RtsHandler() {
            @Override
            public void onLoginResult(String uid, int code, long elapsed) {
                System.out.println(code == 0 ? "logged in as " + uid : "refused: " + code);
            }

            @Override
            public void onMessageReceived(String uid, String message) {
                System.out.println(uid + ": " + message);
            }

            @Override
            public void onMessageSendResult(long msgid, int code) {
                System.out.println(code == 0 ? other + " has it" : "not delivered: " + code);
            }
        };
        String url = System.getProperty("rts.url", "rts://127.0.0.1:7600");
        String appId = "123456781234567812345678";
        try (RtsEngine engine = RtsEngine.create(url, appId, handler, null)) {
            engine.login(System.getenv("RTS_TOKEN"), own);
            Scanner lines = new Scanner(System.in);
            while (lines.hasNextLine()) {
                engine.sendMessage(other, lines.nextLine(), RtsEngine.RELIABLE_ORDERED);
            }
        }
    }
}
