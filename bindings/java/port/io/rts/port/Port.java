package io.rts.port;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.rts.client.RtsEngine;
import io.rts.client.RtsHandler;
import io.rts.client.RtsRoom;
import io.rts.client.RtsRoomHandler;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.lang.reflect.Parameter;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

/** The JSON port over the Java package, for the port tests: calls in, returns and callbacks out. */
public final class Port {
    private static final ObjectMapper JSON =
            new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private final RtsEngine engine;
    private final Map<String, RtsRoom> rooms = new HashMap<>();

    private Port(String url, String appId) {
        engine = RtsEngine.create(url, appId, printing(RtsHandler.class), "{}");
    }

    /** The arguments are the URL and the app id. */
    public static void main(String[] arguments) throws IOException {
        Port port = new Port(arguments[0], arguments[1]);
        // Each byte is a character, so that text which is not UTF-8 is found.
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.ISO_8859_1));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            port.answer(line.getBytes(StandardCharsets.ISO_8859_1));
        }
        port.engine.destroy();
    }

    private void answer(byte[] line) {
        ObjectNode answer = JSON.createObjectNode().putNull("ref");
        // A callback is printed before the return of its call only if it happened before.
        synchronized (OUT) {
            try {
                JsonNode call = JSON.readTree(StandardCharsets.UTF_8.newDecoder()
                        .decode(ByteBuffer.wrap(line)).toString());
                answer.set("ref", call.path("ref").isMissingNode() ? null : call.get("ref"));
                answer.set("return", JSON.valueToTree(call(text(call, "call"), call)));
            } catch (CharacterCodingException error) {
                answer.put("error", "bad JSON: invalid UTF-8");
            } catch (JsonProcessingException | IllegalArgumentException error) {
                answer.put("error", error.getMessage());
            }
            OUT.println(answer);
        }
    }

    private Object call(String name, JsonNode call) {
        RtsRoom room = name.contains("Room") ? rooms.get(text(call, "room")) : null;
        switch (name) {
            case "login": return engine.login(text(call, "token"), text(call, "uid"));
            case "logout": return done(engine::logout);
            case "updateLoginToken":
                String token = text(call, "token");
                return done(() -> engine.updateLoginToken(token));
            case "getPeerOnlineStatus":
                String uid = text(call, "uid");
                return done(() -> engine.getPeerOnlineStatus(uid));
            case "sendMessage":
                return engine.sendMessage(
                        text(call, "uid"), text(call, "message"), call.path("config").asInt());
            case "sendBinaryMessage":
                return engine.sendBinaryMessage(
                        text(call, "uid"), bytes(call), call.path("config").asInt());
            case "setServerParams":
                String[] params = {text(call, "signature"), text(call, "url")};
                return done(() -> engine.setServerParams(params[0], params[1]));
            case "sendServerMessage": return engine.sendServerMessage(text(call, "message"));
            case "sendServerBinaryMessage": return engine.sendServerBinaryMessage(bytes(call));
            case "createRoom":
                String id = text(call, "room");
                RtsRoom made = engine.createRoom(id, printing(RtsRoomHandler.class));
                return made == null ? null : done(() -> rooms.put(id, made), id);
            case "setBusinessId": return engine.setBusinessId(text(call, "businessId"));
            case "setRuntimeParameters":
                JsonNode json = call.path("params");
                String object = json.isObject() ? json.toString() : text(call, "params");
                return done(() -> engine.setRuntimeParameters(object));
            case "networkChanged": return done(engine::networkChanged);
            case "joinRoom": return room == null ? -3 : room.join();
            case "leaveRoom": return room == null ? null : done(room::leave);
            case "destroyRoom":
                rooms.values().remove(room);
                return room == null ? null : done(room::destroy);
            case "sendRoomMessage":
                String message = text(call, "message");
                return room == null ? -3 : room.sendMessage(message);
            case "sendRoomBinaryMessage":
                byte[] bytes = bytes(call);
                return room == null ? -3 : room.sendBinaryMessage(bytes);
            case "getSdkVersion": return RtsEngine.version();
            case "destroyRTS":
                rooms.clear();
                return done(engine::destroy);
            default: throw new IllegalArgumentException("unknown call \"" + name + "\"");
        }
    }

    private static Object done(Runnable call) {
        return done(call, null);
    }

    private static Object done(Runnable call, Object returned) {
        call.run();
        return returned;
    }

    private static String text(JsonNode call, String field) {
        if (!call.path(field).isTextual()) {
            String what = call.has(field) ? "must be a string" : "is missing";
            throw new IllegalArgumentException("field \"" + field + "\" " + what);
        }
        String text = call.get(field).textValue();
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("field \"" + field + "\": half a surrogate pair");
        }
        return text;
    }

    private static byte[] bytes(JsonNode call) {
        String base64 = text(call, "base64");
        if (base64.length() % 4 != 0) {
            throw new IllegalArgumentException("field \"base64\": invalid length");
        }
        return Base64.getDecoder().decode(base64);
    }

    /** A handler that prints each callback with the names of its parameters. */
    private <T> T printing(Class<T> of) {
        return of.cast(Proxy.newProxyInstance(of.getClassLoader(), new Class<?>[] {of},
                (proxy, method, values) -> done(() -> print(method, values))));
    }

    private void print(Method callback, Object[] values) {
        boolean isOfRoom = callback.getDeclaringClass() == RtsRoomHandler.class;
        ObjectNode line = JSON.createObjectNode().put("on", callback.getName());
        Parameter[] parameters = callback.getParameters();
        for (int at = 0; at < parameters.length; at++) {
            String name = parameters[at].getName();
            name = name.equals("roomId") ? "room" : name.equals("bytes") ? "base64" : name;
            line.set(name, JSON.valueToTree(values[at]));
        }
        synchronized (OUT) {
            // Its room may have been destroyed while this thread waited.
            if (!isOfRoom || rooms.containsKey(line.get("room").asText())) {
                OUT.println(line);
            }
        }
    }
}
