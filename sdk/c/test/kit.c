/* What the kit does at the edges of the ABI.
 *
 *     cc -std=c11 -Wall -Wextra -o kit sdk/c/test/kit.c && ./kit */

#include "../edgereel.h"

#include <stdio.h>
#include <string.h>

uint32_t edgereel_draw(uint32_t bound) { return bound - 1; }

void edgereel_draw_many(const uint32_t *bounds, uint32_t *values, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) values[i] = edgereel_draw(bounds[i]);
}

const char *game_manifest(void) { return "{}"; }

/* Writes as much state and presentation as the action and the choice say. */
int32_t game_play(const edgereel_input *in, edgereel_output *out) {
  static uint8_t bytes[EDGEREEL_MAX_STATE + 1];
  if (in->mode == 1) edgereel_text(out, "x"); /* too early */
  if (in->action > 0) edgereel_state(out, bytes, in->action);
  for (uint32_t i = 0; i < in->choice; i++) edgereel_text(out, "y");
  if (in->mode == 2) {
    edgereel_number(out, UINT64_MAX);
    edgereel_amount(out, INT64_MAX);
  }
  return in->action > 0 ? edgereel_keep_open(out, 1, 2) : edgereel_close(out, 1);
}

static int32_t run(uint32_t action, uint32_t mode, uint32_t choice) {
  memset(edgereel_block, 0, sizeof edgereel_block);
  const uint32_t words[] = {1, action, mode, choice, 5};
  for (int i = 0; i < 5; i++) edgereel_put32(edgereel_block + 4 * i, words[i]);
  return edgereel_play(EDGEREEL_HEADER);
}

int main(void) {
  enum { STATE = EDGEREEL_MAX_STATE, SHOWN = EDGEREEL_MAX_PRESENTATION };
  static const struct {
    uint32_t action, mode, choice;
    int32_t want;
  } cases[] = {
      {0, 0, 0, 32},
      {0, 0, SHOWN, 32 + SHOWN},
      {0, 0, SHOWN + 1, EDGEREEL_INTERNAL},
      {STATE, 0, SHOWN, 32 + STATE + SHOWN},
      {STATE, 0, SHOWN + 1, EDGEREEL_INTERNAL},
      {STATE + 1, 0, 0, EDGEREEL_INTERNAL},
      {1, 1, 0, EDGEREEL_INTERNAL}, /* state behind the presentation */
      {0, 2, SHOWN, EDGEREEL_INTERNAL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int32_t got = run(cases[i].action, cases[i].mode, cases[i].choice);
    if (got != cases[i].want) return fprintf(stderr, "case %d: %d, want %d\n", (int)i, got, cases[i].want), 1;
  }
  static const char numbers[] = "18446744073709551615\"9223372036854775807\"";
  int32_t n = run(0, 2, 0);
  if (n != (int32_t)(32 + sizeof numbers - 1) || memcmp(edgereel_block + EDGEREEL_OUTPUT + 32, numbers, sizeof numbers - 1) != 0) {
    return fprintf(stderr, "numbers\n"), 1;
  }
  puts("the kit keeps to the edges");
  return 0;
}
