/* The JSON port over the C functions, for the port tests: calls in, returns and callbacks out. */
#include "rts.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ROOMS_MAX 1024
#define ERROR_MAX 256

typedef struct {
    uint32_t number;
    const char *name, *fields;
} Row;

#define ROW(number, name, fields) {number, name, fields},
static const Row CALLS[] = {RTS_CALLS(ROW){0, NULL, NULL}};
static const Row EVENTS[] = {RTS_EVENTS(ROW){0, NULL, NULL}};

static struct {
    char id[ERROR_MAX];
    uint64_t key;
} rooms[ROOMS_MAX];
/* One line at a time. */
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static bool has_ended;

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static json_t *base64(RtsBytes of) {
    char *text = calloc(1, of.length / 3 * 4 + 5), *to = text;
    for (size_t at = 0; at < of.length; at += 3) {
        size_t rest = of.length - at;
        uint32_t bits = (uint32_t)of.data[at] << 16;
        bits |= rest > 1 ? (uint32_t)of.data[at + 1] << 8 : 0;
        bits |= rest > 2 ? of.data[at + 2] : 0;
        for (size_t digit = 0; digit < 4; digit++) {
            *to++ = digit <= rest ? DIGITS[bits >> (18 - 6 * digit) & 63] : '=';
        }
    }
    json_t *json = json_string(text);
    free(text);
    return json;
}

/* Decodes in place. Returns false if it is not base64 with its padding. */
static bool from_base64(char *text, size_t *length) {
    size_t count = *length, digits = strspn(text, DIGITS), size = 0;
    if (count % 4 != 0 || count - digits > 2 || digits + strspn(text + digits, "=") != count) {
        return false;
    }
    uint32_t bits = 0;
    for (size_t at = 0; at < digits; at++) {
        bits = bits << 6 | (uint32_t)(strchr(DIGITS, text[at]) - DIGITS);
        if (at % 4 != 0) {
            text[size++] = (char)(bits >> (6 - 2 * (at % 4)));
        }
    }
    *length = size;
    return true;
}

/* The next "field:Place" of a row. Returns false at the end. */
static bool next(const char **fields, char *field, char *place) {
    int read = 0;
    bool found = sscanf(*fields, " %31[^:]:%31s%n", field, place, &read) == 2;
    *fields += read;
    return found;
}

static void print(json_t *line) {
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static json_t *text(RtsBytes of) {
    return json_stringn((const char *)of.data, of.length);
}

static bool is_there(uint64_t room) {
    for (size_t of = 0; of < ROOMS_MAX; of++) {
        if (rooms[of].key == room) {
            return true;
        }
    }
    return false;
}

static void on_event(void *user_data, const RtsEvent *event) {
    (void)user_data;
    const Row *row = &EVENTS[event->kind - 1];
    json_t *line = json_pack("{s:s}", "on", row->name);
    const char *fields = row->fields;
    char field[32], place[32];
    while (next(&fields, field, place)) {
        json_object_set_new(line, field,
            strcmp(place, "Code") == 0     ? json_integer(event->code)
            : strcmp(place, "Number") == 0 ? json_integer(event->number)
            : strcmp(place, "Uid") == 0    ? text(event->uid)
            : strcmp(place, "RoomId") == 0 ? text(event->room_id)
            : strcmp(place, "Text") == 0   ? text(event->data)
                                           : base64(event->data));
    }
    pthread_mutex_lock(&output);
    /* Its room may have been destroyed while this thread waited. */
    if (event->room == 0 || is_there(event->room)) {
        print(line);
    } else {
        json_decref(line);
    }
    pthread_mutex_unlock(&output);
}

static void on_end(void *user_data) {
    (void)user_data;
    pthread_mutex_lock(&output);
    has_ended = true;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&output);
}

/* Lets the last events come. */
static void destroy(uint64_t engine) {
    RtsBytes none = {NULL, 0};
    rts_call(engine, RTS_CALL_DESTROY_RTS, 0, 0, none, none);
    while (!has_ended) {
        pthread_cond_wait(&ended, &output);
    }
}

/* Makes the call, or writes an error. */
static json_t *call(uint64_t engine, json_t *line, char *error) {
    const char *name = json_string_value(json_object_get(line, "call"));
    if (name == NULL) {
        snprintf(error, ERROR_MAX, "field \"call\" is missing, or is no text");
        return NULL;
    }
    if (strcmp(name, "getSdkVersion") == 0) {
        return json_string(rts_version());
    }
    const Row *row = CALLS;
    while (row->name != NULL && strcmp(row->name, name) != 0) {
        row++;
    }
    if (row->name == NULL) {
        snprintf(error, ERROR_MAX, "unknown call \"%.100s\"", name);
        return NULL;
    }
    RtsBytes texts[2] = {{NULL, 0}, {NULL, 0}};
    uint64_t room = 0;
    int64_t number = 0;
    char *made[2] = {NULL, NULL}, field[32], place[32];
    for (const char *fields = row->fields; next(&fields, field, place);) {
        json_t *value = json_object_get(line, field);
        if (strcmp(place, "Number") == 0) {
            number = json_integer_value(value);
            continue;
        }
        size_t at = strcmp(place, "First") == 0 || strcmp(place, "Json") == 0 ? 0 : 1;
        if (strcmp(place, "Json") == 0 && json_is_object(value)) {
            made[at] = json_dumps(value, JSON_COMPACT);
            texts[at].length = strlen(made[at]);
        } else if (json_is_string(value)) {
            texts[at].length = json_string_length(value);
            made[at] = memcpy(calloc(1, texts[at].length + 1), json_string_value(value),
                              texts[at].length);
        } else {
            snprintf(error, ERROR_MAX, "field \"%s\" is missing, or is no text", field);
        }
        if (*error == '\0' && strcmp(place, "Bytes") == 0 &&
            !from_base64(made[at], &texts[at].length)) {
            snprintf(error, ERROR_MAX, "field \"%s\": not base64", field);
        }
        if (*error == '\0' && strcmp(place, "Room") == 0) {
            for (size_t of = 0; of < ROOMS_MAX; of++) {
                room = rooms[of].key && strcmp(rooms[of].id, made[at]) == 0 ? rooms[of].key : room;
            }
            free(made[at]);
            made[at] = NULL;
            texts[at].length = 0;
        }
        texts[at].data = (uint8_t *)made[at];
    }
    json_t *returned = NULL;
    if (*error == '\0') {
        if (row->number == RTS_CALL_DESTROY_RTS) {
            destroy(engine);
        }
        int64_t result = rts_call(engine, row->number, room, number, texts[0], texts[1]);
        bool is_room = row->number == RTS_CALL_CREATE_ROOM;
        for (size_t of = 0; of < ROOMS_MAX; of++) {
            bool is_gone = row->number == RTS_CALL_DESTROY_RTS ||
                           (row->number == RTS_CALL_DESTROY_ROOM && rooms[of].key == room);
            rooms[of].key = is_gone ? 0 : rooms[of].key;
            if (is_room && result > 0 && rooms[of].key == 0) {
                rooms[of].key = (uint64_t)result;
                snprintf(rooms[of].id, sizeof rooms[of].id, "%s", made[0]);
                break;
            }
        }
        if (result <= -9001) {
            snprintf(error, ERROR_MAX, "the call did nothing: %d", (int)result);
        } else if (is_room) {
            returned = result > 0 ? json_string(made[0]) : json_null();
        } else {
            returned = strstr("logout updateLoginToken getPeerOnlineStatus setServerParams leaveRoom "
                              "destroyRoom setRuntimeParameters destroyRTS networkChanged", name)
                           ? json_null()
                           : json_integer(result);
        }
    }
    free(made[0]);
    free(made[1]);
    return returned;
}

static RtsBytes bytes(const char *of) {
    RtsBytes all = {(const uint8_t *)of, strlen(of)};
    return all;
}

/* The arguments are the URL and the app id. */
int main(int count, char **arguments) {
    char error[ERROR_MAX] = "usage: port URL APP_ID";
    uint64_t engine = count < 3 ? 0
                                : rts_create(bytes(arguments[1]), bytes(arguments[2]), bytes("{}"),
                                             error, sizeof error);
    if (engine == 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    rts_start(engine, on_event, on_end, NULL);
    char *line = NULL;
    size_t size = 0;
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        json_error_t wrong;
        json_t *json = json_loadb(line, (size_t)length, JSON_ALLOW_NUL, &wrong);
        pthread_mutex_lock(&output);
        *error = '\0';
        json_t *returned = json == NULL ? NULL : call(engine, json, error);
        if (json == NULL) {
            snprintf(error, sizeof error, "bad JSON: %.200s", wrong.text);
        }
        json_t *reference = json_object_get(json, "ref");
        json_t *answer = json_object();
        json_object_set(answer, "ref", reference == NULL ? json_null() : reference);
        if (returned == NULL) {
            json_object_set_new(answer, "error", json_string(error));
        } else {
            json_object_set_new(answer, "return", returned);
        }
        print(answer);
        pthread_mutex_unlock(&output);
        json_decref(json);
    }
    pthread_mutex_lock(&output);
    destroy(engine);
    pthread_mutex_unlock(&output);
    rts_release(engine);
    free(line);
    return 0;
}
