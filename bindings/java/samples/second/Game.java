package second;

import static com.ss.bytertc.rts.engine.type.UserMessageSendResult.USER_MESSAGE_SEND_RESULT_SUCCESS;

import com.ss.bytertc.rts.engine.RTS;
import com.ss.bytertc.rts.engine.handler.IRTSEventHandler;
import com.ss.bytertc.rts.engine.type.LoginErrorCode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import org.json.JSONObject;

/**
 * An app in the shape of the original's samples, with its second package: it talks to its own back
 * end, and reads the answers.
 */
public final class Game {
    private static final String APP_ID = "123456781234567812345678";

    private static final CountDownLatch LOGGED_IN = new CountDownLatch(1);
    private static final CountDownLatch SET = new CountDownLatch(1);
    private static final CountDownLatch ANSWERED = new CountDownLatch(2);
    private static final CountDownLatch REJECTED = new CountDownLatch(1);

    private static final class Handler extends IRTSEventHandler {
        @Override
        public void onLoginResult(String uid, int error_code, int elapsed) {
            System.out.println("onLoginResult " + error_code);
            if (error_code == LoginErrorCode.LOGIN_ERROR_CODE_INVALID_TOKEN) {
                REJECTED.countDown();
            } else {
                LOGGED_IN.countDown();
            }
        }

        @Override
        public void onServerParamsSetResult(int error) {
            System.out.println("onServerParamsSetResult " + error);
            SET.countDown();
        }

        @Override
        public void onServerMessageSendResult(long msgid, int error, ByteBuffer message) {
            super.onServerMessageSendResult(msgid, error, message);
            if (error == USER_MESSAGE_SEND_RESULT_SUCCESS) {
                String answer = StandardCharsets.UTF_8.decode(message).toString();
                System.out.println("onServerMessageSendResult " + msgid + " " + answer);
            } else {
                System.out.println("onServerMessageSendResult " + msgid + " error " + error);
            }
            ANSWERED.countDown();
        }
    }

    /** The arguments are a token of carol, and the address of the app's back end. */
    public static void main(String[] arguments) throws Exception {
        JSONObject parameters = new JSONObject();
        parameters.put("rtc.device_id", "device");
        RTS rts = RTS.createRTS(null, APP_ID, new Handler(), parameters);
        if (rts.login("not a token", "carol") != 0) {
            throw new IllegalStateException("login");
        }
        REJECTED.await();
        // The engine logs in again by itself.
        System.out.println("updateLoginToken " + rts.updateLoginToken(arguments[0]));
        LOGGED_IN.await();
        System.out.println("setServerParams " + rts.setServerParams("signature", arguments[1]));
        SET.await();
        System.out.println("sendServerMessage " + rts.sendServerMessage("score"));
        System.out.println("sendServerBinaryMessage "
                + rts.sendServerBinaryMessage(new byte[] {1, 2, 3}));
        ANSWERED.await();
        System.out.println("setRuntimeParameters "
                + rts.setRuntimeParameters(new JSONObject().put("logLevel", "error")));
        System.out.println("logout " + rts.logout());
        RTS.destroyRTS();
    }
}
