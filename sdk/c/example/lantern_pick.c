/* Lantern Pick: three reels, three rows, five lines with a wild. Three lanterns
 * open a choice of three ways to play free spins; the mode "buy" starts there.
 * The same game is written on every kit, see sdk/README.md. */

#define EDGEREEL_ADVISES
#include "../edgereel.h"

enum { SPIN = 1, PICK = 2 };                                /* actions */
enum { BASE, BUY };                                         /* modes */
enum { LANTERN, MOON, FOX, CRANE, FERN, PEBBLE };           /* symbols */
enum { REELS = 3, ROWS = 3, STOPS = 12, LINES = 5, CHOICES = 3, STATE = 4 };

static const char manifest[] =
    "{\"manifest\":1,\"id\":\"lantern-pick\",\"version\":\"1.0.0\",\"name\":\"Lantern Pick\","
    "\"max_draws\":3,\"max_state\":4,\"stake_multiple_minor\":5,"
    "\"modes\":[{\"id\":0,\"name\":\"base\",\"cost_x100\":100,\"rtp\":\"0.968031141493\",\"hit_frequency\":\"0.434599650432\",\"max_win_x\":241},"
    "{\"id\":1,\"name\":\"buy\",\"cost_x100\":920,\"rtp\":\"0.961987973027\",\"hit_frequency\":\"0.851414664682\",\"max_win_x\":241}],"
    "\"actions\":[{\"id\":1,\"name\":\"spin\"},{\"id\":2,\"name\":\"pick\",\"choices\":3}]}";

static const edgereel_name names[] = {
    EDGEREEL_NAME("lantern"), EDGEREEL_NAME("moon"), EDGEREEL_NAME("fox"),
    EDGEREEL_NAME("crane"),   EDGEREEL_NAME("fern"), EDGEREEL_NAME("pebble"),
};
static const uint8_t strips[REELS][STOPS + ROWS - 1] = { /* the first two again at the end */
    {FOX, PEBBLE, FERN, LANTERN, CRANE, PEBBLE, FERN, FOX, PEBBLE, CRANE, MOON, FERN, FOX, PEBBLE},
    {CRANE, FERN, PEBBLE, FOX, LANTERN, FERN, PEBBLE, MOON, CRANE, FERN, FOX, PEBBLE, CRANE, FERN},
    {FERN, FOX, PEBBLE, CRANE, FERN, MOON, PEBBLE, LANTERN, FERN, CRANE, PEBBLE, FOX, FERN, FOX},
};
static const uint8_t lantern_at[REELS] = {3, 4, 7};
static const uint8_t lines[LINES][REELS] = {{1, 1, 1}, {0, 0, 0}, {2, 2, 2}, {0, 1, 2}, {2, 1, 0}};
static const uint8_t pays[] = {0, 75, 24, 9, 5, 3}; /* line bets for three of a kind */

/* The three ways: fewest spins, how many counts are drawn among, multiplier. */
static const struct {
  uint8_t fewest, counts, multiplier;
} ways[CHOICES] = {{4, 3, 2}, {8, 5, 1}, {2, 4, 3}};
enum { BEST = 2 }; /* 3.5 spins × 3 against 5 × 2 and 10 × 1 */

/* State, version 1: version, phase, spins left, multiplier; a byte each. */
enum { VERSION = 1 };
enum { PICKING, FREE };

const char *game_manifest(void) { return manifest; }

static int state_ok(const edgereel_input *in) {
  const uint8_t *s = in->state;
  if (in->state_length != STATE || s[0] != VERSION) return 0;
  if (s[1] == PICKING) return s[2] == 0 && s[3] == 0;
  if (s[1] != FREE || s[2] == 0) return 0;
  for (int i = 0; i < CHOICES; i++)
    if (ways[i].multiplier == s[3]) return s[2] < ways[i].fewest + ways[i].counts;
  return 0;
}

/* The symbol that three in a line pay for; the lantern stands for none. */
static inline uint8_t paid(uint8_t a, uint8_t b, uint8_t c) {
  uint8_t of = a == MOON ? b : a;
  of = of == MOON ? c : of;
  int all = ((a == of) | (a == MOON)) & ((b == of) | (b == MOON)) & ((c == of) | (c == MOON));
  return all ? of : LANTERN;
}

EDGEREEL_INLINE static inline int32_t spin(const edgereel_input *in, edgereel_output *out, uint32_t left, uint32_t multiplier) {
  uint32_t values[REELS];
  int opening = in->state_length == 0, bought = opening && in->mode == BUY;
  for (int r = 0; r < REELS; r++) values[r] = bought ? ROWS : STOPS;
  edgereel_draw_many(values, values, REELS);

  uint8_t screen[REELS][ROWS];
  uint32_t lanterns = 0;
  for (int r = 0; r < REELS; r++) {
    uint32_t stop = bought ? (lantern_at[r] + STOPS - values[r]) % STOPS : values[r];
    const uint8_t *window = &strips[r][stop];
    EDGEREEL_BASE(window);
    for (uint32_t row = ROWS; row-- > 0;) {
      screen[r][row] = window[row];
      lanterns += screen[r][row] == LANTERN;
    }
  }
  int picking = opening && lanterns == REELS;
  if (picking || left > 0) {
    uint8_t state[STATE] = {VERSION, picking ? PICKING : FREE, (uint8_t)left, picking ? 0 : (uint8_t)multiplier};
    edgereel_state(out, state, STATE);
  }

  int64_t bet = in->stake_minor / LINES, win = 0;
  edgereel_text(out, "{\"v\":1,\"grid\":[");
  EDGEREEL_UNROLL for (int r = 0; r < REELS; r++) {
    if (r > 0) edgereel_byte(out, ',');
    edgereel_list(out, names, screen[r], ROWS);
  }
  edgereel_text(out, "],\"lines\":[");
  uint8_t symbols[LINES];
  EDGEREEL_UNROLL for (int l = 0; l < LINES; l++) symbols[l] = paid(screen[0][lines[l][0]], screen[1][lines[l][1]], screen[2][lines[l][2]]);
  EDGEREEL_UNROLL for (uint32_t l = 0; l < LINES; l++) {
    if (symbols[l] == LANTERN) continue;
    int64_t pay = (int64_t)pays[symbols[l]] * multiplier * bet;
    if (win > 0) edgereel_byte(out, ',');
    edgereel_field(out, "{\"line\":", l + 1);
    edgereel_text(out, ",\"symbol\":");
    edgereel_show(out, &names[symbols[l]]);
    edgereel_amount_field(out, ",\"win\":", pay);
    edgereel_byte(out, '}');
    win += pay;
  }
  edgereel_field(out, "],\"lanterns\":", lanterns);
  edgereel_field(out, ",\"multiplier\":", multiplier);
  edgereel_field(out, ",\"spins_left\":", left);
  edgereel_amount_field(out, ",\"win\":", win);
  edgereel_byte(out, '}');
  if (picking) return edgereel_keep_open(out, win, 1 << PICK);
  return left > 0 ? edgereel_keep_open(out, win, 1 << SPIN) : edgereel_close(out, win);
}

static int32_t pick(const edgereel_input *in, edgereel_output *out) {
  uint32_t choice = in->choice;
  uint32_t spins = ways[choice].fewest + edgereel_draw(ways[choice].counts);
  uint8_t state[STATE] = {VERSION, FREE, (uint8_t)spins, ways[choice].multiplier};
  edgereel_state(out, state, STATE);
  edgereel_text(out, "{\"v\":1,\"choice\":");
  edgereel_number(out, choice);
  edgereel_text(out, ",\"spins\":");
  edgereel_number(out, spins);
  edgereel_text(out, ",\"multiplier\":");
  edgereel_number(out, ways[choice].multiplier);
  edgereel_text(out, ",\"win\":\"0\"}");
  return edgereel_keep_open(out, 0, 1 << SPIN);
}

/* What can be refused whatever the player does; 0 when there is nothing. */
static int32_t refusal(const edgereel_input *in) {
  if (in->mode > BUY || in->stake_minor <= 0 || in->stake_minor % LINES != 0) return EDGEREEL_BAD_INPUT;
  return in->state_length == 0 || state_ok(in) ? 0 : EDGEREEL_BAD_STATE;
}

int32_t game_play(const edgereel_input *in, edgereel_output *out) {
  int32_t refused = refusal(in);
  if (refused) return refused;
  int opening = in->state_length == 0;
  int picking = !opening && in->state[1] == PICKING;
  if (in->action != (picking ? PICK : SPIN)) return EDGEREEL_UNKNOWN_ACTION;
  if (in->choice >= (picking ? CHOICES : 1)) return EDGEREEL_BAD_INPUT;
  if (picking) return pick(in, out);
  return spin(in, out, opening ? 0 : in->state[2] - 1u, opening ? 1 : in->state[3]);
}

int32_t game_advise(const edgereel_input *in) {
  int32_t refused = refusal(in);
  if (refused) return refused;
  if (in->state_length == 0) return EDGEREEL_BAD_STATE;
  return in->state[1] == PICKING ? edgereel_advice(PICK, BEST) : edgereel_advice(SPIN, 0);
}
