package io.rts.client;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What a program in Java relies on beyond the contract: the life of engines and their threads.
 * Arguments: the address of a server without rates, the app id, and tokens for alice and bob. Prints
 * each case, and "N passed, N failed" at the end.
 */
public final class LifeTest {
    private static final long PATIENCE_S = 60;

    private final String url;
    private final String appId;
    private final String[] tokens;

    private LifeTest(String[] arguments) {
        url = arguments[0];
        appId = arguments[1];
        tokens = new String[] {arguments[2], arguments[3]};
    }

    private interface Case {
        void run() throws Exception;
    }

    public static void main(String[] arguments) {
        LifeTest of = new LifeTest(arguments);
        int failed = 0;
        Object[][] cases = {
            {"bad arguments throw with words", (Case) of::badArgumentsThrowWithWords},
            {"destroyed engine answers with the numbers", (Case) of::destroyedEngineAnswers},
            {"destroy in a callback ends", (Case) of::destroyInACallbackEnds},
            {"handler that throws harms nothing", (Case) of::handlerThatThrowsHarmsNothing},
            {"calls return while a callback sleeps", (Case) of::callsReturnWhileACallbackSleeps},
            {"result comes after its call has returned", (Case) of::resultComesAfterItsCall},
            {"destroy meets calls of eight threads", (Case) of::destroyMeetsCalls},
            {"threads end with their engines", (Case) of::threadsEndWithTheirEngines},
        };
        for (Object[] one : cases) {
            try {
                ((Case) one[1]).run();
                System.out.println("ok      " + one[0]);
            } catch (Throwable thrown) {
                failed++;
                System.out.println("FAILED  " + one[0]);
                thrown.printStackTrace(System.out);
            }
        }
        System.out.println((cases.length - failed) + " passed, " + failed + " failed");
        // An engine that is not destroyed does not keep the process alive.
        of.engine(new RtsHandler() {});
        if (failed > 0) {
            System.exit(1);
        }
    }

    private RtsEngine engine(RtsHandler handler) {
        return RtsEngine.create(url, appId, handler, null);
    }

    /** Logs in, and waits for it. */
    private RtsEngine loggedIn(int user, BlockingQueue<Long> results) throws Exception {
        CountDownLatch in = new CountDownLatch(1);
        RtsEngine engine = engine(new RtsHandler() {
            @Override
            public void onLoginResult(String uid, int code, long elapsed) {
                check(code == 0, "code " + code);
                in.countDown();
            }

            @Override
            public void onMessageSendResult(long msgid, int code) {
                results.add(msgid);
            }
        });
        check(engine.login(tokens[user], user == 0 ? "alice" : "bob") == 0, "login");
        check(in.await(PATIENCE_S, TimeUnit.SECONDS), "logged in");
        return engine;
    }

    private static void check(boolean is, String what) {
        if (!is) {
            throw new AssertionError(what);
        }
    }

    private void badArgumentsThrowWithWords() {
        for (String[] bad : new String[][] {{"tcp://x", appId, null}, {url, "short", null},
            {url, appId, "[]"}}) {
            try {
                RtsEngine.create(bad[0], bad[1], null, bad[2]);
                throw new AssertionError("it was made");
            } catch (IllegalArgumentException error) {
                check(error.getMessage().length() > 10, error.getMessage());
            }
        }
    }

    private void destroyedEngineAnswers() {
        RtsEngine engine = engine(null);
        RtsRoom room = engine.createRoom("lobby", null);
        engine.destroy();
        engine.destroy();
        check(engine.login(tokens[0], "alice") == -3, "login");
        check(engine.sendMessage("bob", "", 0) == -1, "sendMessage");
        check(engine.sendServerMessage("") == -1, "sendServerMessage");
        check(engine.createRoom("lobby", null) == null, "createRoom");
        check(room.join() == -3 && room.sendMessage("") == -3, "room");
        engine.logout();
        room.leave();
        room.destroy();
    }

    private void destroyInACallbackEnds() throws Exception {
        CountDownLatch ended = new CountDownLatch(1);
        AtomicInteger later = new AtomicInteger();
        RtsEngine[] engine = new RtsEngine[1];
        engine[0] = engine(new RtsHandler() {
            @Override
            public void onLoginResult(String uid, int code, long elapsed) {
                engine[0].destroy();
                ended.countDown();
            }

            @Override
            public void onLogout(int reason) {
                later.incrementAndGet();
            }
        });
        engine[0].login(tokens[0], "alice");
        check(ended.await(PATIENCE_S, TimeUnit.SECONDS), "destroy returns");
        check(engine[0].login(tokens[0], "alice") == -3, "it is destroyed");
        check(later.get() == 0, "a callback came after destroy");
    }

    private void handlerThatThrowsHarmsNothing() throws Exception {
        BlockingQueue<Long> results = new LinkedBlockingQueue<>();
        AtomicInteger caught = new AtomicInteger();
        Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
        Thread.setDefaultUncaughtExceptionHandler((thread, thrown) -> caught.incrementAndGet());
        RtsEngine engine = engine(new RtsHandler() {
            @Override
            public void onConnectionStateChanged(int state) {
                throw new IllegalStateException("of the application");
            }

            @Override
            public void onLoginResult(String uid, int code, long elapsed) {
                results.add((long) code);
            }
        });
        try {
            engine.login(tokens[0], "alice");
            check(Long.valueOf(0).equals(results.poll(PATIENCE_S, TimeUnit.SECONDS)), "logged in");
            check(caught.get() == 2, caught + " in place of connecting and connected");
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before);
            engine.destroy();
        }
    }

    private void callsReturnWhileACallbackSleeps() throws Exception {
        CountDownLatch sleeps = new CountDownLatch(1);
        CountDownLatch wakes = new CountDownLatch(1);
        RtsEngine engine = engine(new RtsHandler() {
            @Override
            public void onLoginResult(String uid, int code, long elapsed) {
                sleeps.countDown();
                try {
                    wakes.await();
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        });
        engine.login(tokens[0], "alice");
        check(sleeps.await(PATIENCE_S, TimeUnit.SECONDS), "the callback sleeps");
        check(engine.sendMessage("bob", "hello", 0) == 1, "a call returns");
        engine.getPeerOnlineStatus("bob");
        check(engine.createRoom("lobby", null) != null, "a call returns");
        engine.destroy();
        wakes.countDown();
    }

    private void resultComesAfterItsCall() throws Exception {
        BlockingQueue<Long> results = new LinkedBlockingQueue<>();
        AtomicInteger early = new AtomicInteger();
        RtsEngine[] engine = new RtsEngine[1];
        engine[0] = engine(new RtsHandler() {
            @Override
            public void onMessageSendResult(long msgid, int code) {
                // The next call begins when this result was taken.
                early.addAndGet(engine[0].callsUnderWay());
                results.add(msgid);
            }
        });
        // Not logged in: the result is there at once.
        for (long id = 1; id <= 5_000; id++) {
            check(engine[0].sendMessage("bob", "hello", 0) == id, "id " + id);
            check(results.poll(PATIENCE_S, TimeUnit.SECONDS) == id, "result " + id);
        }
        engine[0].destroy();
        check(early.get() == 0, early + " results came early");
    }

    private void destroyMeetsCalls() throws Exception {
        for (int round = 0; round < 20; round++) {
            BlockingQueue<Long> results = new LinkedBlockingQueue<>();
            RtsEngine engine = loggedIn(0, results);
            AtomicBoolean isOver = new AtomicBoolean();
            AtomicInteger bad = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (int at = 0; at < 8; at++) {
                Thread thread = new Thread(() -> {
                    while (!isOver.get()) {
                        long id = engine.sendMessage("nobody", "hello", 0);
                        if (id != -1 && id <= 0) {
                            bad.incrementAndGet();
                        }
                    }
                });
                thread.start();
                threads.add(thread);
            }
            check(results.poll(PATIENCE_S, TimeUnit.SECONDS) != null, "a result");
            engine.destroy();
            isOver.set(true);
            for (Thread thread : threads) {
                thread.join();
            }
            check(bad.get() == 0, bad + " bad numbers");
        }
    }

    private void threadsEndWithTheirEngines() throws Exception {
        for (int at = 0; at < 2_000; at++) {
            engine(null).destroy();
        }
        long limit = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
        while (callbackThreads() > 0) {
            check(System.nanoTime() < limit, callbackThreads() + " threads are left");
            Thread.yield();
        }
    }

    private static long callbackThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("rts-callback"))
                .count();
    }
}
