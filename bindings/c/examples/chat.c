/* A chat with one other user: each line is a message. Events come by callbacks.
 *
 *     RTS_TOKEN=$(rts token new --dev alice) ./chat alice bob
 */
#include "rts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static RtsBytes text(const char *of) {
    RtsBytes bytes = {(const uint8_t *)of, of == NULL ? 0 : strlen(of)};
    return bytes;
}

static void on_event(void *user_data, const RtsEvent *event) {
    const char *other = user_data;
    switch (event->kind) {
    case RTS_ON_LOGIN_RESULT:
        printf(event->code == 0 ? "logged in\n" : "refused: %" PRId32 "\n", event->code);
        break;
    case RTS_ON_MESSAGE_RECEIVED:
        printf("%.*s: %.*s\n", (int)event->uid.length, (const char *)event->uid.data,
               (int)event->data.length, (const char *)event->data.data);
        break;
    case RTS_ON_MESSAGE_SEND_RESULT:
        if (event->code == 0) {
            printf("%s has it\n", other);
        } else {
            printf("not delivered: %" PRId32 "\n", event->code);
        }
        break;
    default:
        break;
    }
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: chat OWN OTHER [URL]\n");
        return 2;
    }
    const char *url = count > 3 ? arguments[3] : "rts://127.0.0.1:7600";
    RtsBytes none = text(NULL);
    char error[256];
    uint64_t engine = rts_create(text(url), text("123456781234567812345678"), none, error,
                                 sizeof error);
    if (engine == 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    rts_start(engine, on_event, NULL, arguments[2]);
    rts_call(engine, RTS_CALL_LOGIN, 0, 0, text(getenv("RTS_TOKEN")), text(arguments[1]));
    char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        rts_call(engine, RTS_CALL_SEND_MESSAGE, 0, 0, text(arguments[2]), text(line));
    }
    rts_release(engine);
    return 0;
}
