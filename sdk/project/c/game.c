/* My Game: three shells with six sides. Two alike pay the stake, three alike
 * pay 12 stakes, three pearls pay 50. */

#include "edgereel.h"

enum { SPIN = 1 };              /* the action */
enum { SHELLS = 3, SIDES = 6 };
enum { PEARL = 5 };             /* the side that pays most */

const char *game_manifest(void) {
  return "{\"manifest\":1,\"id\":\"my-game\",\"version\":\"0.1.0\",\"name\":\"My Game\","
         "\"max_draws\":3,\"max_state\":0,\"stake_multiple_minor\":1,"
         "\"modes\":[{\"id\":0,\"name\":\"base\",\"cost_x100\":100,\"rtp\":\"0.925925925926\",\"hit_frequency\":\"0.444444444444\",\"max_win_x\":50}],"
         "\"actions\":[{\"id\":1,\"name\":\"spin\"}]}";
}

/* What a throw pays, in stakes. */
static int64_t pays(const uint32_t s[SHELLS]) {
  if (s[0] == s[1] && s[1] == s[2]) return s[0] == PEARL ? 50 : 12;
  return s[0] == s[1] || s[1] == s[2] || s[0] == s[2];
}

int32_t game_play(const edgereel_input *in, edgereel_output *out) {
  /* Refuse before the first draw, never after. */
  if (in->mode != 0 || in->choice != 0 || in->stake_minor <= 0) return EDGEREEL_BAD_INPUT;
  if (in->action != SPIN) return EDGEREEL_UNKNOWN_ACTION;
  if (in->state_length != 0) return EDGEREEL_BAD_STATE;

  uint32_t shells[SHELLS] = {SIDES, SIDES, SIDES};
  edgereel_draw_many(shells, shells, SHELLS);
  int64_t win = in->stake_minor * pays(shells);

  edgereel_text(out, "{\"v\":1,\"shells\":[");
  for (int i = 0; i < SHELLS; i++) {
    if (i > 0) edgereel_byte(out, ',');
    edgereel_number(out, shells[i]);
  }
  edgereel_text(out, "],\"win\":");
  edgereel_amount(out, win);
  edgereel_byte(out, '}');
  return edgereel_close(out, win);
}
