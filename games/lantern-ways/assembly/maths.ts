// Generated from design.json by games/parsheet. Do not edit.

// VARIANT is a constant of the build.

export const MANIFEST: string =
  VARIANT == 94 ? '{"manifest":1,"id":"lantern-ways-94","version":"1.0.0","name":"Lantern Ways 94","family":"lantern-ways","variant":"94","max_draws":5,"max_state":0,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.940226337449","hit_frequency":"0.421486816034","max_win_x":68},{"id":1,"name":"ante","cost_x100":160,"rtp":"0.940039866255","hit_frequency":"0.421486816034","max_win_x":127}],"actions":[{"id":1,"name":"spin"}]}' :
  VARIANT == 92 ? '{"manifest":1,"id":"lantern-ways-92","version":"1.0.0","name":"Lantern Ways 92","family":"lantern-ways","variant":"92","max_draws":5,"max_state":0,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.919855967078","hit_frequency":"0.474799001677","max_win_x":76},{"id":1,"name":"ante","cost_x100":160,"rtp":"0.920021004801","hit_frequency":"0.474799001677","max_win_x":131}],"actions":[{"id":1,"name":"spin"}]}' :
  '{"manifest":1,"id":"lantern-ways","version":"1.0.0","name":"Lantern Ways","family":"lantern-ways","variant":"96","max_draws":5,"max_state":0,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.960172325103","hit_frequency":"0.449774234111","max_win_x":65},{"id":1,"name":"ante","cost_x100":160,"rtp":"0.959836355453","hit_frequency":"0.449774234111","max_win_x":138}],"actions":[{"id":1,"name":"spin"}]}';
// per symbol: pay of a way of 0 to 5, in units
export const PAYS: usize = memory.data<u32>([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 40, 150, 0, 0, 0, 8, 25, 100, 0, 0, 0, 6, 15, 60, 0, 0, 0, 4, 10, 40, 0, 0, 0, 2, 6, 25, 0, 0, 0, 2, 5, 20, 0, 0, 0, 1, 4, 15, 0, 0, 0, 1, 3, 12]);
// per symbol: length, then its name, 24 bytes in all
export const NAMES: usize = memory.data<u8>([6, 98, 101, 97, 99, 111, 110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 109, 111, 116, 104, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 108, 97, 110, 116, 101, 114, 110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 104, 97, 114, 112, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 107, 105, 116, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 98, 101, 108, 108, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 102, 101, 114, 110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 112, 101, 98, 98, 108, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 114, 101, 101, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 108, 101, 97, 102, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
// by number of scatters, in stakes
export const SCATTER_PAYS_X: usize = memory.data<u32>([0, 0, 0, 2, 10, 50]);
export const STOPS: usize =
  VARIANT == 94 ? memory.data<u32>([18, 18, 18, 18, 18]) :
  VARIANT == 92 ? memory.data<u32>([18, 18, 18, 18, 18]) :
  memory.data<u32>([18, 18, 18, 18, 18]);
// symbols, 32 bytes per reel
export const STRIPS: usize =
  VARIANT == 94 ? memory.data<u8>([3, 8, 1, 5, 8, 7, 6, 6, 8, 7, 9, 3, 5, 2, 9, 4, 3, 4, 3, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 6, 4, 7, 4, 6, 8, 3, 3, 5, 5, 0, 9, 9, 4, 8, 7, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 8, 0, 5, 1, 4, 8, 8, 4, 9, 2, 7, 2, 7, 6, 3, 5, 6, 9, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 3, 9, 4, 9, 6, 8, 4, 5, 8, 7, 6, 7, 0, 5, 1, 3, 2, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 4, 3, 8, 8, 6, 6, 9, 8, 5, 7, 4, 7, 1, 2, 5, 9, 9, 7, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) :
  VARIANT == 92 ? memory.data<u8>([7, 4, 5, 3, 9, 6, 9, 6, 2, 7, 5, 8, 3, 4, 1, 8, 8, 9, 7, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 3, 1, 9, 8, 4, 9, 2, 8, 4, 7, 5, 6, 7, 5, 9, 0, 3, 6, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 6, 5, 1, 0, 8, 7, 8, 2, 8, 4, 3, 9, 7, 6, 9, 5, 2, 4, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 6, 0, 5, 8, 1, 8, 5, 4, 9, 7, 9, 6, 8, 4, 3, 7, 3, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 4, 6, 8, 1, 7, 8, 4, 8, 9, 3, 9, 6, 3, 2, 5, 3, 5, 7, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) :
  memory.data<u8>([6, 8, 3, 8, 7, 2, 7, 9, 4, 3, 7, 9, 8, 4, 5, 2, 6, 1, 6, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 8, 5, 3, 1, 7, 2, 9, 3, 0, 3, 7, 4, 8, 9, 4, 5, 6, 6, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 3, 5, 2, 2, 8, 4, 4, 6, 9, 7, 0, 5, 1, 9, 8, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 4, 5, 9, 3, 7, 7, 8, 8, 4, 9, 6, 3, 1, 6, 0, 2, 6, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 8, 8, 9, 8, 4, 6, 7, 9, 2, 6, 1, 3, 8, 5, 7, 7, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
export const SYMBOLS: i32 = 10;
export const UNITS: i64 = 10;
export const WILD: i32 = 0;
export const SCATTER: i32 = 1;
export const EXPAND: i32 = 2;
