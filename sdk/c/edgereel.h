/* Edgereel guest kit for C, ABI v1: one header, no library.
 *
 * A game includes it in one file, defines these functions, and gets the exports
 * of a module from it:
 *
 *     const char *game_manifest(void);
 *     int32_t game_play(const edgereel_input *in, edgereel_output *out);
 *     int32_t game_advise(const edgereel_input *in);
 *
 * game_play returns edgereel_close, edgereel_keep_open or an error code. The
 * third is for games whose player decides something: with EDGEREEL_ADVISES
 * defined before the include, it declares the strategy the figures hold for,
 * and returns edgereel_advice or an error code. The kit allocates nothing and
 * has no state of its own between steps. Refuse before the first draw: after
 * one, a refusal is an incident.
 * The ABI itself is specified in docs/abi.md. */
#ifndef EDGEREEL_H
#define EDGEREEL_H

#include <stdint.h>

enum {
  EDGEREEL_BAD_INPUT = -1,
  EDGEREEL_BAD_STATE = -3,
  EDGEREEL_UNKNOWN_ACTION = -4,
  EDGEREEL_INTERNAL = -5,
};

enum {
  EDGEREEL_HEADER = 32,            /* bytes of the header of input and output */
  EDGEREEL_OUTPUT = 16384,         /* where the output begins in the I/O block */
  EDGEREEL_IO = 65536,             /* bytes of the I/O block */
  EDGEREEL_MAX_STATE = 4096,       /* most bytes of state the ABI allows */
  EDGEREEL_MAX_PRESENTATION = 16384,
};

/* What the host asks for. state points into the I/O block and stays valid for
 * the whole step, also while the output is written. */
typedef struct edgereel_input {
  uint32_t action;
  uint32_t mode;
  uint32_t choice;       /* for actions that pick something, else 0 */
  int64_t stake_minor;   /* base stake of the round */
  uint32_t state_length; /* 0 opens a round */
  const uint8_t *state;
} edgereel_input;

/* What the game answers, written from front to back: first the state, if the
 * round goes on, then the presentation. */
typedef struct edgereel_output {
  uint8_t *at;           /* next byte */
  uint8_t *stop;         /* one past the room: at stays here once something did not fit */
  uint32_t state_length;
} edgereel_output;

/* A text of at most 13 characters that is shown in quotes: EDGEREEL_NAME("moon").
 * It is kept as it is copied: with its quotes, a comma, and its length last. */
typedef struct edgereel_name {
  char text[15];
  uint8_t length; /* with the quotes */
} edgereel_name;
#define EDGEREEL_NAME(s) {"\"" s "\",", sizeof(s) + 1}

#ifdef __wasm__
#define EDGEREEL_EXPORT(name) __attribute__((export_name(#name)))
/* The game becomes part of the export, so that the output's end needs no memory. */
#define EDGEREEL_INLINE __attribute__((always_inline))
/* One uniform value in [0, bound), drawn by the host. */
__attribute__((import_module("edgereel"), import_name("draw"))) uint32_t edgereel_draw(uint32_t bound);
/* n draws in order; bounds and values may be the same array. */
__attribute__((import_module("edgereel"), import_name("draw_many"))) void edgereel_draw_many(
    const uint32_t *bounds, uint32_t *values, uint32_t n);
/* Hides where a pointer is from, so that what is read near it is read by offsets
 * from it, and the engine checks one address and not each. */
#define EDGEREEL_BASE(p) __asm__("" : "+r"(p))
/* Before a short loop: one after the other instead. */
#define EDGEREEL_UNROLL _Pragma("clang loop unroll(full)")
#else /* a native test brings its own draws */
#define EDGEREEL_EXPORT(name)
#define EDGEREEL_INLINE
#define EDGEREEL_BASE(p) (void)(p)
#define EDGEREEL_UNROLL
uint32_t edgereel_draw(uint32_t bound);
void edgereel_draw_many(const uint32_t *bounds, uint32_t *values, uint32_t n);
#endif

/* Called from many places, so kept out of line: modules stay small. */
#define EDGEREEL_SHARED static __attribute__((noinline, unused))

const char *game_manifest(void);
EDGEREEL_INLINE int32_t game_play(const edgereel_input *in, edgereel_output *out);

static _Alignas(16) uint8_t edgereel_block[EDGEREEL_IO];

/* Little-endian numbers byte by byte: right on every machine and at every
 * address; on wasm32 the compiler makes one load or store of each. */
static inline uint32_t edgereel_get32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t edgereel_get64(const uint8_t *p) {
  return edgereel_get32(p) | (uint64_t)edgereel_get32(p + 4) << 32;
}

static inline void edgereel_put32(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
  p[2] = (uint8_t)(v >> 16);
  p[3] = (uint8_t)(v >> 24);
}

static inline void edgereel_put64(uint8_t *p, uint64_t v) {
  edgereel_put32(p, (uint32_t)v);
  edgereel_put32(p + 4, (uint32_t)(v >> 32));
}

/* What is appended is written first and may reach past the room, but not past
 * the block; then the end is held to the room. So nothing branches. */
static inline uint8_t *edgereel_within(const edgereel_output *out, uint8_t *end) {
  return end < out->stop ? end : out->stop;
}

/* Appends one byte of presentation. */
static inline void edgereel_byte(edgereel_output *out, char c) {
  *out->at = (uint8_t)c;
  out->at = edgereel_within(out, out->at + 1);
}

/* Copies 8, 4 or 2 bytes: one load and one store. */
static inline void edgereel_copy8(uint8_t *to, const char *from) { __builtin_memcpy(to, from, 8); }
static inline void edgereel_copy4(uint8_t *to, const char *from) { __builtin_memcpy(to, from, 4); }
static inline void edgereel_copy2(uint8_t *to, const char *from) { __builtin_memcpy(to, from, 2); }

enum { EDGEREEL_SHORT = 40 }; /* most characters of a literal that becomes stores */

/* Copies a literal, whose length is known when this is compiled, and returns its
 * end: a store or a few that overlap, the farthest first, instead of a call. */
__attribute__((always_inline)) static inline uint8_t *edgereel_literal(uint8_t *at, const char *s, uint32_t n) {
  if (n >= 8) {
    edgereel_copy8(at + n - 8, s + n - 8);
    if (n > 32) edgereel_copy8(at + 24, s + 24);
    if (n > 24) edgereel_copy8(at + 16, s + 16);
    if (n > 16) edgereel_copy8(at + 8, s + 8);
    if (n > 8) edgereel_copy8(at, s);
  } else if (n >= 4) {
    edgereel_copy4(at + n - 4, s + n - 4);
    if (n > 4) edgereel_copy4(at, s);
  } else if (n > 0) {
    if (n >= 2) edgereel_copy2(at + n - 2, s + n - 2);
    if (n != 2) *at = (uint8_t)*s;
  }
  return at + n;
}

/* Appends text that is known only when the game runs. */
EDGEREEL_SHARED uint8_t *edgereel_string(uint8_t *at, uint8_t *stop, const char *s) {
  for (; *s && at != stop; s++) *at++ = (uint8_t)*s;
  return at;
}

/* Appends text. */
#define edgereel_text(out, s)                                                                             \
  ((out)->at = __builtin_constant_p(__builtin_strlen(s)) && __builtin_strlen(s) <= EDGEREEL_SHORT         \
                   ? edgereel_within(out, edgereel_literal((out)->at, s, (uint32_t)__builtin_strlen(s))) \
                   : edgereel_string((out)->at, (out)->stop, s))

__attribute__((always_inline)) static inline uint8_t *edgereel_put_name(uint8_t *at, const edgereel_name *name) {
  EDGEREEL_BASE(name);
  uint64_t last = edgereel_get64((const uint8_t *)name + 8);
  edgereel_put64(at + 8, last);
  edgereel_copy8(at, name->text);
  return at + (last >> 56);
}

/* Appends a name in its quotes. */
static inline void edgereel_show(edgereel_output *out, const edgereel_name *name) {
  out->at = edgereel_within(out, edgereel_put_name(out->at, name));
}

enum { EDGEREEL_LIST = 1024 }; /* most names in a list */

/* Appends a list of n names, given by their numbers: ["moon","fox"]. */
__attribute__((always_inline)) static inline void edgereel_list(
    edgereel_output *out, const edgereel_name *names, const uint8_t *numbers, uint32_t n) {
  uint8_t *at = out->at;
  if (n > EDGEREEL_LIST) {
    out->at = out->stop;
    return;
  }
  *at++ = '[';
  for (uint32_t i = 0; i < n; i++) at = edgereel_put_name(at, &names[numbers[i]]) + 1; /* with the comma */
  at -= n > 0; /* the last one's is not one */
  *at++ = ']';
  out->at = edgereel_within(out, at);
}

EDGEREEL_SHARED uint8_t *edgereel_digits(uint8_t *at, uint64_t v) {
  uint8_t digits[20];
  int n = 20;
  for (; v > UINT32_MAX; v /= 10) digits[--n] = (uint8_t)('0' + v % 10);
  uint32_t w = (uint32_t)v;
  do {
    digits[--n] = (uint8_t)('0' + w % 10);
    w /= 10;
  } while (w != 0);
  for (; n < 20; n++) *at++ = digits[n];
  return at;
}

__attribute__((always_inline)) static inline uint8_t *edgereel_put_number(uint8_t *at, uint64_t v) {
  if (v >= 10) return edgereel_digits(at, v);
  *at = (uint8_t)('0' + v);
  return at + 1;
}

/* Appends a number in decimal. */
static inline void edgereel_number(edgereel_output *out, uint64_t v) {
  out->at = edgereel_within(out, edgereel_put_number(out->at, v));
}

/* Appends text in quotes; it must need no escape. */
#define edgereel_quoted(out, s) \
  (edgereel_byte(out, '"'), edgereel_text(out, s), edgereel_byte(out, '"'))

__attribute__((always_inline)) static inline uint8_t *edgereel_put_amount(uint8_t *at, int64_t minor) {
  *at = '"';
  at = edgereel_put_number(at + 1, (uint64_t)minor);
  *at = '"';
  return at + 1;
}

/* Appends an amount as JSON has it: a string of minor units. */
static inline void edgereel_amount(edgereel_output *out, int64_t minor) {
  out->at = edgereel_within(out, edgereel_put_amount(out->at, minor));
}

/* Appends a literal of at most EDGEREEL_SHORT characters and a number or an
 * amount behind it: edgereel_field(out, ",\"left\":", left). */
#define edgereel_field(out, s, v) \
  ((out)->at = edgereel_within(out, edgereel_put_number(edgereel_literal((out)->at, s, sizeof(s) - 1), v)))
#define edgereel_amount_field(out, s, minor) \
  ((out)->at = edgereel_within(out, edgereel_put_amount(edgereel_literal((out)->at, s, sizeof(s) - 1), minor)))

/* Writes the state the next step gets. Once, before any presentation. */
static inline void edgereel_state(edgereel_output *out, const uint8_t *state, uint32_t n) {
  uint8_t *begin = edgereel_block + EDGEREEL_OUTPUT + EDGEREEL_HEADER;
  if (out->at != begin || n > EDGEREEL_MAX_STATE) {
    out->at = out->stop;
    return;
  }
  for (uint32_t i = 0; i < n; i++) begin[i] = state[i];
  out->at = begin + n;
  out->stop = out->at + EDGEREEL_MAX_PRESENTATION + 1;
  out->state_length = n;
}

static inline int32_t edgereel_answer(edgereel_output *out, int64_t win_minor, uint32_t flags, uint32_t actions) {
  uint8_t *begin = edgereel_block + EDGEREEL_OUTPUT;
  if (out->at == out->stop) return EDGEREEL_INTERNAL;
  uint32_t length = (uint32_t)(out->at - begin);
  EDGEREEL_BASE(begin);
  edgereel_put64(begin + 24, 0);
  edgereel_put32(begin + 20, length - EDGEREEL_HEADER - out->state_length);
  edgereel_put32(begin + 16, out->state_length);
  edgereel_put32(begin + 12, actions);
  edgereel_put32(begin + 8, flags);
  edgereel_put64(begin, (uint64_t)win_minor);
  return (int32_t)length;
}

/* Ends the round with what this step wins. Return its result. */
static inline int32_t edgereel_close(edgereel_output *out, int64_t win_minor) {
  return edgereel_answer(out, win_minor, 1, 0);
}

/* Goes on: bit i of actions offers the action with id i. Return its result. */
static inline int32_t edgereel_keep_open(edgereel_output *out, int64_t win_minor, uint32_t actions) {
  return edgereel_answer(out, win_minor, 0, actions);
}

/* Reads the header of the input; 0 when it is not of this ABI. */
static inline int edgereel_read(int32_t length, edgereel_input *in) {
  const uint8_t *b = edgereel_block;
  if (length < EDGEREEL_HEADER || length > EDGEREEL_OUTPUT) return 0;
  EDGEREEL_BASE(b);
  in->state_length = edgereel_get32(b + 24);
  in->stake_minor = (int64_t)edgereel_get64(b + 16);
  in->choice = edgereel_get32(b + 12);
  in->mode = edgereel_get32(b + 8);
  in->action = edgereel_get32(b + 4);
  in->state = b + EDGEREEL_HEADER;
  /* ABI 1, no flags, and a length that is that of its parts. */
  return edgereel_get32(b) == 1 && in->state_length == (uint32_t)length - EDGEREEL_HEADER;
}

#ifdef EDGEREEL_ADVISES
int32_t game_advise(const edgereel_input *in);

/* What the declared strategy does next: an action that is offered, and one of
 * its choices. Return its result. */
static inline int32_t edgereel_advice(uint32_t action, uint32_t choice) { return (int32_t)(choice << 5 | action); }

EDGEREEL_EXPORT(edgereel_abi_1) int32_t edgereel_abi_1(void) { return 1; }

EDGEREEL_EXPORT(edgereel_advise) int32_t edgereel_advise(int32_t length) {
  edgereel_input in;
  return edgereel_read(length, &in) ? game_advise(&in) : EDGEREEL_BAD_INPUT;
}
#else
EDGEREEL_EXPORT(edgereel_abi_1) int32_t edgereel_abi_1(void) { return 0; }
#endif

EDGEREEL_EXPORT(edgereel_io) uint8_t *edgereel_io(void) { return edgereel_block; }

EDGEREEL_EXPORT(edgereel_manifest) int32_t edgereel_manifest(void) {
  const char *s = game_manifest();
  int32_t n = 0;
  for (; s[n] && n < EDGEREEL_IO - EDGEREEL_OUTPUT; n++) edgereel_block[EDGEREEL_OUTPUT + n] = (uint8_t)s[n];
  return n;
}

EDGEREEL_EXPORT(edgereel_play) int32_t edgereel_play(int32_t length) {
  edgereel_input in;
  if (!edgereel_read(length, &in)) return EDGEREEL_BAD_INPUT;
  uint8_t *begin = edgereel_block + EDGEREEL_OUTPUT + EDGEREEL_HEADER;
  edgereel_output out = {begin, begin + EDGEREEL_MAX_PRESENTATION + 1, 0};
  return game_play(&in, &out);
}

#endif
