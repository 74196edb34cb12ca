// A user that sends back each message, until it gets "bye". It polls its events.
//
//     RTS_TOKEN=$(rts token new --dev echo) ./echo
#include "rts.h"

#include <cstdlib>
#include <iostream>
#include <string>

static RtsBytes bytes(const std::string &of) {
    return {reinterpret_cast<const uint8_t *>(of.data()), of.size()};
}

static std::string text(const RtsBytes &of) {
    return {reinterpret_cast<const char *>(of.data), of.length};
}

int main(int count, char **arguments) {
    const std::string url = count > 1 ? arguments[1] : "rts://127.0.0.1:7600";
    const char *token = std::getenv("RTS_TOKEN");
    char error[256];
    const uint64_t engine =
        rts_create(bytes(url), bytes("123456781234567812345678"), bytes(""), error, sizeof error);
    if (engine == 0) {
        std::cerr << error << std::endl;
        return 1;
    }
    rts_call(engine, RTS_CALL_LOGIN, 0, 0, bytes(token ? token : ""), bytes("echo"));
    RtsEvent event;
    while (rts_poll(engine, -1, &event) == RTS_EVENT) {
        if (event.kind == RTS_ON_LOGIN_RESULT) {
            std::cout << "login: " << event.code << std::endl;
        } else if (event.kind == RTS_ON_MESSAGE_RECEIVED) {
            const std::string from = text(event.uid), message = text(event.data);
            std::cout << from << ": " << message << std::endl;
            if (message == "bye") {
                // The last events still come, and then the end.
                rts_call(engine, RTS_CALL_DESTROY_RTS, 0, 0, bytes(""), bytes(""));
            } else {
                rts_call(engine, RTS_CALL_SEND_MESSAGE, 0, 0, bytes(from), bytes(message));
            }
        }
    }
    rts_release(engine);
    return 0;
}
