/* Plays the test vectors of the ABI natively: the kit's codec and the example
 * game, without a WebAssembly engine. Usage: vectors lantern-pick.txt
 *
 *     cc -std=c11 -Wall -Wextra -o vectors sdk/c/test/vectors.c */

#include "../example/lantern_pick.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name = "";
static uint32_t given[64][2], count, asked;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", name, what);
  exit(1);
}

uint32_t edgereel_draw(uint32_t bound) {
  if (asked >= count || given[asked][0] != bound) fail("another draw");
  return given[asked++][1];
}

void edgereel_draw_many(const uint32_t *bounds, uint32_t *values, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) values[i] = edgereel_draw(bounds[i]);
}

static size_t unhex(const char *hex, uint8_t *to) {
  size_t n = 0;
  unsigned byte;
  for (; hex[0] != '-' && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) to[n] = (uint8_t)byte;
  return n;
}

static void check(char *line) {
  static uint8_t want[EDGEREEL_IO];
  char *words[6];
  for (int i = 0; i < 6; i++) {
    words[i] = strtok(i == 0 ? line : NULL, " \n");
    if (!words[i]) fail("six words wanted");
  }
  unhex(words[1], edgereel_block);
  asked = count = 0;
  for (char *w = words[3]; w && *w != '-'; w = strchr(w, ',') ? strchr(w, ',') + 1 : NULL, count++)
    if (count == 64 || sscanf(w, "%u:%u", &given[count][0], &given[count][1]) != 2) fail("wrong draws");
  int32_t length = (int32_t)strtol(words[2], NULL, 10);
  int play = strcmp(words[0], "play") == 0;
  int32_t code = play ? edgereel_play(length) : edgereel_advise(length);
  if (code != (int32_t)strtol(words[4], NULL, 10)) fail("another code");
  if (asked != count) fail("draws are left");
  size_t n = unhex(words[5], want);
  if (play && code >= 0 && (n != (size_t)code || memcmp(edgereel_block + EDGEREEL_OUTPUT, want, n) != 0)) fail("another output");
}

int main(int argc, char **argv) {
  static char line[1 << 16], title[256];
  FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
  int played = 0;
  if (!f) fail("usage: vectors lantern-pick.txt");
  name = title;
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] == '#') {
      snprintf(title, sizeof title, "%.200s", line + 2);
    } else if (strncmp(line, "manifest ", 9) == 0) {
      int32_t n = edgereel_manifest();
      if ((size_t)n != strlen(line + 9) || memcmp(edgereel_block + EDGEREEL_OUTPUT, line + 9, (size_t)n) != 0) fail("another manifest");
    } else {
      check(line);
      played++;
    }
  }
  fclose(f);
  printf("%d vectors\n", played);
  return played >= 80 ? 0 : 1;
}
