/* RTS for C. Generated from rts-ffi/src/lib.rs by `cargo run -p rts-codegen`: do not edit. */

#ifndef RTS_H
#define RTS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "rts_table.h"

/*
 The version of this interface. It changes if a program has to be compiled again.
 */
#define RTS_ABI_VERSION 1

/*
 What `rts_poll` returns: there was an event.
 */
#define RTS_EVENT 1

/*
 What `rts_poll` returns: no event came in the time.
 */
#define RTS_NOTHING 0

/*
 What `rts_poll` returns: the engine has ended, and so have its events.
 */
#define RTS_ENDED -1

/*
 What `rts_poll` returns: another thread polls this engine.
 */
#define RTS_BUSY -2

/*
 A text or bytes, which need no 0 at the end. The pointer may be NULL if the length is 0.
 */
typedef struct RtsBytes {
  /*
   The first byte.
   */
  const uint8_t *data;
  /*
   The number of bytes.
   */
  uintptr_t length;
} RtsBytes;

/*
 An event. Its kind says which fields have a meaning: see `rts_table.h`.
 */
typedef struct RtsEvent {
  /*
   The kind of the event, one of `RTS_ON_...` in `rts_table.h`.
   */
  uint32_t kind;
  /*
   A state, result, reason or status.
   */
  int32_t code;
  /*
   The id of a message, or milliseconds.
   */
  int64_t number;
  /*
   The key of the room, or 0.
   */
  uint64_t room;
  /*
   The id of the room.
   */
  struct RtsBytes room_id;
  /*
   The id of the user.
   */
  struct RtsBytes uid;
  /*
   The text or the bytes of the event.
   */
  struct RtsBytes data;
} RtsEvent;

/*
 Gets an event. Its bytes live until it returns.
 */
typedef void (*RtsOnEvent)(void *user_data, const struct RtsEvent *event);

/*
 Gets the user data back: no event comes any more.
 */
typedef void (*RtsOnEnd)(void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of the interface of this library: compare it with `RTS_ABI_VERSION`.
 */
uint32_t rts_abi_version(void);

/*
 The version of this software, with a 0 at its end.
 */
const char *rts_version(void);

/*
 Makes an engine for the server at this address, and returns its number. `parameters` is a JSON
 object, or empty. Returns 0 if an argument is invalid: then `error` has the reason, cut to
 `error_size` and with a 0 at its end. `error` may be NULL.

 # Safety

 The arguments must be valid for their lengths.
 */
uint64_t rts_create(struct RtsBytes address,
                    struct RtsBytes app_id,
                    struct RtsBytes parameters,
                    char *error,
                    uintptr_t error_size);

/*
 Makes a call, one of `RTS_CALL_...`, and returns the contract's number. It never waits for the
 network. `first` and `second` are the texts of the call: see `rts_table.h`.

 # Safety

 The texts must be valid for their lengths.
 */
int64_t rts_call(uint64_t engine,
                 uint32_t call,
                 uint64_t room,
                 int64_t number,
                 struct RtsBytes first,
                 struct RtsBytes second);

/*
 Waits for the next event of an engine, at most for this time, or without limit if it is
 negative. The bytes of the event live until the next `rts_poll` on this thread.

 # Safety

 `event` must be valid for a write.
 */
int32_t rts_poll(uint64_t engine, int64_t milliseconds, struct RtsEvent *event);

/*
 Calls back for each event, on a thread of this engine, until it ends. Then `on_end` gets the
 user data back, also if the engine is released. Any call is allowed in `on_event`. Do not poll
 this engine. Returns 0, or -1 if the thread cannot be started.

 # Safety

 The functions must be callable on another thread with the user data, until `on_end` was called.
 */
int32_t rts_start(uint64_t engine, RtsOnEvent on_event, RtsOnEnd on_end, void *user_data);

/*
 Destroys an engine, and frees it. No event follows: a poll that waits ends at once.
 */
void rts_release(uint64_t engine);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RTS_H */
