// Generated from design.json by games/parsheet. Do not edit.

export const MANIFEST: string = '{"manifest":1,"id":"quarry-falls","version":"1.0.0","name":"Quarry Falls","max_draws":5,"max_state":0,"stake_multiple_minor":10,"modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.960913315663","hit_frequency":"0.234820578660","max_win_x":547},{"id":1,"name":"rush","cost_x100":260,"rtp":"0.954206441416","hit_frequency":"0.234820578660","max_win_x":2478}],"actions":[{"id":1,"name":"spin"}]}';

export const SYMBOLS: i32 = 8;
export const BANDS: i32 = 3;
export const UNITS: i64 = 10;
export const MODES: u32 = 2;
export const TUMBLES: i32 = 16;
// least number of a symbol for each pay
export const COUNTS: usize = memory.data<u32>([7, 8, 10]);
// per symbol: those pays, in units
export const PAYS: usize = memory.data<u32>([110, 500, 2000, 30, 80, 400, 25, 60, 300, 30, 70, 300, 20, 50, 250, 15, 50, 200, 10, 20, 100, 5, 15, 60]);
// per mode: multiplier of each tumble
export const LADDERS: usize = memory.data<u32>([1, 2, 3, 5, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 2, 5, 10, 22, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40]);
// per symbol: length, then its name, 24 bytes in all
export const NAMES: usize = memory.data<u8>([4, 111, 112, 97, 108, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 106, 97, 100, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 97, 109, 98, 101, 114, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 111, 110, 121, 120, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 102, 108, 105, 110, 116, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 115, 108, 97, 116, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 99, 104, 97, 108, 107, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 99, 108, 97, 121, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
// stops of each reel: the bounds of a spin's draws
export const STOPS: usize = memory.data<u32>([19, 19, 19, 19, 19]);
// symbols, 32 bytes per reel
export const STRIPS: usize = memory.data<u8>([7, 7, 6, 6, 1, 1, 5, 5, 3, 3, 7, 7, 4, 2, 2, 0, 6, 4, 0, 7, 7, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 2, 2, 6, 6, 7, 7, 3, 3, 0, 6, 4, 7, 7, 1, 1, 5, 5, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 0, 1, 1, 3, 3, 0, 5, 5, 7, 7, 6, 6, 4, 4, 2, 2, 6, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 6, 4, 6, 6, 7, 7, 2, 2, 7, 7, 1, 1, 0, 3, 3, 5, 5, 0, 4, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0, 6, 6, 6, 7, 7, 7, 7, 0, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
