// Generated from design.json by games/parsheet. Do not edit.

export const MANIFEST: string = '{"manifest":1,"id":"ember-vault","version":"1.0.0","name":"Ember Vault","max_draws":3,"max_state":6,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.955208864911","hit_frequency":"0.256727430556","max_win_x":363},{"id":1,"name":"buy","cost_x100":2500,"rtp":"0.959316175653","hit_frequency":"1.000000000000","max_win_x":363}],"actions":[{"id":1,"name":"spin"},{"id":2,"name":"choose","choices":3},{"id":3,"name":"respin"}]}';

export const LINES: i32 = 5;
// row of each line on each reel
export const ROWS_OF_LINES: usize = memory.data<u8>([1, 1, 1, 0, 0, 0, 2, 2, 2, 0, 1, 2, 2, 1, 0]);
// per symbol: three on a line, in units
export const PAYS: usize = memory.data<u32>([0, 250, 100, 50, 25, 10]);
// per symbol and for an empty cell: length, then the name, 24 bytes in all
export const NAMES: usize = memory.data<u8>([5, 101, 109, 98, 101, 114, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 97, 110, 118, 105, 108, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 104, 97, 109, 109, 101, 114, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 108, 97, 109, 112, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 107, 101, 121, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 99, 111, 105, 110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 101, 109, 112, 116, 121, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
// stops of each reel: the bounds of a spin's draws
export const BASE_STOPS: usize = memory.data<u32>([24, 24, 24]);
// symbols, 32 bytes per reel
export const BASE_STRIPS: usize = memory.data<u8>([5, 4, 3, 5, 5, 3, 2, 4, 2, 1, 5, 2, 4, 1, 5, 0, 3, 4, 0, 5, 5, 4, 3, 5, 5, 4, 0, 0, 0, 0, 0, 0, 4, 5, 3, 3, 2, 3, 0, 5, 5, 3, 5, 5, 1, 4, 4, 0, 5, 5, 4, 2, 1, 5, 4, 2, 4, 5, 0, 0, 0, 0, 0, 0, 4, 5, 5, 2, 5, 1, 4, 3, 5, 0, 3, 4, 5, 5, 2, 3, 4, 4, 2, 0, 1, 5, 5, 3, 4, 5, 0, 0, 0, 0, 0, 0]);
export const PLANS: i32 = 3;
export const DECLARED: i32 = 1;
// per plan: respins, hits, of, values, pay of a full screen in stakes
export const PLAN: usize = memory.data<u32>([4, 3, 8, 8, 35, 3, 3, 8, 8, 72, 2, 3, 8, 8, 240]);
// per plan: values of a locked cell in stakes, 16 of them
export const VALUES: usize = memory.data<u32>([1, 1, 2, 2, 2, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 3, 4, 6, 10, 20, 0, 0, 0, 0, 0, 0, 0, 0]);
// per plan: its name, like those of symbols
export const PLAN_NAMES: usize = memory.data<u8>([6, 115, 116, 101, 97, 100, 121, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 102, 97, 105, 114, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 98, 111, 108, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
export const EMPTY: i32 = 6;
export const UNITS: i64 = 10;
export const LOCK_PAYS_X: i64 = 1;
