// Generated from design.json by games/parsheet. Do not edit.

export const MANIFEST: string = '{"manifest":1,"id":"comet-spins","version":"1.0.0","name":"Comet Spins","max_draws":5,"max_state":24,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.958926400396","hit_frequency":"0.294490635760","max_win_x":800},{"id":1,"name":"buy","cost_x100":7500,"rtp":"0.965029704384","hit_frequency":"1.000000000000","max_win_x":800}],"actions":[{"id":1,"name":"spin"}]}';

export const LINES: i32 = 10;
// row of each line on each reel
export const ROWS: usize = memory.data<u8>([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0, 1, 2, 1, 0, 2, 1, 0, 1, 2, 0, 0, 1, 2, 2, 2, 2, 1, 0, 0, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 0, 1, 1, 1, 0]);
// per symbol: pay of a run of 0 to 5, in line bets
export const PAYS: usize = memory.data<u32>([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 50, 150, 1000, 0, 0, 0, 30, 100, 400, 0, 0, 0, 20, 75, 250, 0, 0, 0, 15, 50, 200, 0, 0, 0, 12, 40, 125, 0, 0, 0, 10, 30, 100, 0, 0, 0, 6, 20, 75, 0, 0, 0, 5, 20, 75]);
// per symbol: length, then its name, 24 bytes in all
export const NAMES: usize = memory.data<u8>([5, 99, 111, 109, 101, 116, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 112, 111, 114, 116, 97, 108, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 115, 117, 110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 103, 105, 97, 110, 116, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 114, 105, 110, 103, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 109, 111, 111, 110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 112, 114, 111, 98, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 100, 105, 115, 104, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 105, 99, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 114, 111, 99, 107, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
// stops of each reel: the bounds of a spin's draws
export const BASE_STOPS: usize = memory.data<u32>([27, 28, 28, 27, 27]);
// symbols, 32 bytes per reel
export const BASE_STRIPS: usize = memory.data<u8>([9, 6, 4, 3, 5, 9, 2, 3, 8, 6, 1, 2, 4, 8, 1, 9, 7, 5, 6, 8, 4, 7, 5, 9, 3, 7, 8, 9, 6, 0, 0, 0, 8, 5, 6, 7, 9, 0, 5, 8, 2, 7, 0, 6, 7, 9, 3, 6, 4, 3, 8, 9, 5, 4, 8, 9, 7, 4, 3, 2, 8, 5, 0, 0, 7, 2, 9, 3, 7, 8, 4, 6, 0, 9, 7, 3, 5, 6, 4, 9, 2, 1, 8, 9, 6, 8, 5, 7, 4, 8, 5, 6, 7, 2, 0, 0, 2, 9, 5, 8, 9, 5, 8, 4, 9, 3, 7, 6, 4, 5, 9, 8, 7, 2, 5, 7, 6, 0, 7, 4, 8, 6, 3, 2, 9, 0, 0, 0, 7, 8, 5, 9, 4, 6, 2, 8, 9, 7, 1, 4, 5, 8, 4, 6, 5, 2, 6, 7, 1, 3, 9, 7, 8, 9, 3, 7, 8, 0, 0, 0]);
// stops of each reel: the bounds of a spin's draws
export const FREE_STOPS: usize = memory.data<u32>([24, 27, 26, 25, 22]);
// symbols, 32 bytes per reel
export const FREE_STRIPS: usize = memory.data<u8>([6, 2, 3, 6, 8, 9, 4, 2, 8, 7, 6, 9, 3, 7, 5, 4, 8, 9, 7, 5, 1, 9, 5, 4, 6, 2, 0, 0, 0, 0, 0, 0, 6, 9, 7, 0, 5, 4, 7, 9, 8, 0, 9, 8, 6, 3, 8, 0, 9, 5, 4, 2, 0, 5, 6, 7, 2, 3, 0, 6, 9, 0, 0, 0, 6, 9, 2, 8, 0, 7, 5, 6, 0, 9, 3, 2, 0, 4, 6, 8, 1, 4, 0, 5, 9, 7, 0, 8, 3, 7, 6, 9, 0, 0, 0, 0, 9, 7, 6, 0, 7, 9, 6, 0, 4, 8, 5, 6, 3, 5, 9, 0, 3, 2, 8, 4, 0, 8, 7, 4, 2, 9, 7, 0, 0, 0, 0, 0, 7, 5, 9, 8, 2, 6, 7, 3, 6, 9, 8, 5, 9, 3, 4, 5, 2, 7, 8, 4, 6, 1, 7, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
// number of stops a bought round draws among, per reel
export const BUY_BOUNDS: usize = memory.data<u32>([6, 28, 3, 27, 6]);
// those stops, 32 bytes per reel
export const BUY_WINDOWS: usize = memory.data<u8>([8, 9, 10, 12, 13, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 0, 0, 0, 0, 15, 16, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0, 0, 0, 0, 0, 8, 9, 10, 18, 19, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
export const WILD: i32 = 0;
export const SCATTER: i32 = 1;
export const SCATTERS: i32 = 3;
export const SCATTER_PAY_X: i64 = 2;
export const SPINS: i32 = 10;
export const RETRIGGER: i32 = 5;
export const MAX_SPINS: i32 = 40;
export const MULTIPLIER: i64 = 3;
export const MAX_WIN_X: i64 = 800;
