// Generated from design.json by games/parsheet. Do not edit.

export const MANIFEST: string = '{"manifest":1,"id":"harbor-lines","version":"1.0.0","name":"Harbor Lines","max_draws":5,"max_state":0,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.958113698171","hit_frequency":"0.315705128205","max_win_x":316}],"actions":[{"id":1,"name":"spin"}]}';

export const LINES: i32 = 10;
// row of each line on each reel
export const ROWS: usize = memory.data<u8>([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0, 1, 2, 1, 0, 2, 1, 0, 1, 2, 0, 0, 1, 2, 2, 2, 2, 1, 0, 0, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 0, 1, 1, 1, 0]);
// per symbol: pay of a run of 0 to 5, in line bets
export const PAYS: usize = memory.data<u32>([0, 0, 5, 100, 500, 3000, 0, 0, 4, 75, 250, 1000, 0, 0, 0, 50, 150, 500, 0, 0, 0, 30, 100, 300, 0, 0, 0, 20, 60, 150, 0, 0, 0, 15, 50, 120, 0, 0, 0, 10, 40, 100]);
// per symbol: length, then its name, 24 bytes in all
export const NAMES: usize = memory.data<u8>([10, 108, 105, 103, 104, 116, 104, 111, 117, 115, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 97, 110, 99, 104, 111, 114, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 115, 101, 120, 116, 97, 110, 116, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 99, 111, 109, 112, 97, 115, 115, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 114, 111, 112, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 103, 117, 108, 108, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 99, 114, 97, 116, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
// stops of each reel: the bounds of a spin's draws
export const BASE_STOPS: usize = memory.data<u32>([22, 24, 26, 24, 22]);
// symbols, 32 bytes per reel
export const BASE_STRIPS: usize = memory.data<u8>([1, 0, 4, 6, 0, 3, 6, 4, 2, 5, 6, 1, 2, 3, 4, 5, 6, 3, 2, 1, 4, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 3, 0, 4, 6, 5, 2, 3, 5, 6, 4, 5, 6, 3, 4, 6, 2, 1, 3, 2, 4, 6, 1, 0, 5, 3, 0, 0, 0, 0, 0, 0, 6, 2, 3, 5, 6, 4, 5, 2, 0, 4, 2, 3, 6, 1, 5, 4, 0, 2, 6, 1, 5, 4, 6, 3, 1, 5, 6, 2, 0, 0, 0, 0, 6, 2, 5, 4, 6, 5, 4, 1, 2, 0, 4, 3, 5, 6, 3, 0, 5, 6, 3, 4, 2, 1, 3, 5, 6, 2, 0, 0, 0, 0, 0, 0, 5, 4, 1, 6, 0, 3, 6, 2, 4, 6, 2, 5, 1, 0, 4, 3, 5, 2, 4, 5, 6, 3, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
