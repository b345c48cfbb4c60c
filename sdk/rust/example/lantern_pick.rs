//! Lantern Pick: three reels, three rows, five lines with a wild. Three lanterns
//! open a choice of three ways to play free spins; the mode "buy" starts there.
//! The same game is written on every kit, see sdk/README.md.

#![cfg_attr(target_arch = "wasm32", no_std)]

use edgereel::{export_game, Advice, Advise, Answer, Draws, Game, Input, Name, Output, Refusal};

pub struct LanternPick;

export_game!(LanternPick, advise);

const SPIN: u32 = 1; // actions
const PICK: u32 = 2;
const BUY: u32 = 1; // modes; the other is 0, base

const REELS: usize = 3;
const ROWS: usize = 3;
const STOPS: usize = 12;
const LINES: [[usize; REELS]; 5] = [[1, 1, 1], [0, 0, 0], [2, 2, 2], [0, 1, 2], [2, 1, 0]];

#[rustfmt::skip]
static NAMES: [Name; 6] = [
    Name::new("lantern"), Name::new("moon"), Name::new("fox"),
    Name::new("crane"), Name::new("fern"), Name::new("pebble"),
];
const PAYS: [u8; 6] = [0, 75, 24, 9, 5, 3]; // line bets for three of a kind
const LANTERN: u8 = 0;
const MOON: u8 = 1; // stands for every symbol but the lantern
#[rustfmt::skip]
const STRIPS: [[u8; STOPS + ROWS - 1]; REELS] = [ // the first two again at the end
    [2, 5, 4, 0, 3, 5, 4, 2, 5, 3, 1, 4, 2, 5],
    [3, 4, 5, 2, 0, 4, 5, 1, 3, 4, 2, 5, 3, 4],
    [4, 2, 5, 3, 4, 1, 5, 0, 4, 3, 5, 2, 4, 2],
];
const LANTERN_AT: [u32; REELS] = [3, 4, 7];

/// A way to play the free spins: fewest spins, how many counts are drawn
/// among, multiplier.
struct Way(u32, u32, u32);

const WAYS: [Way; 3] = [Way(4, 3, 2), Way(8, 5, 1), Way(2, 4, 3)];
const BEST: u32 = 2; // 3.5 spins × 3 against 5 × 2 and 10 × 1

/// Where a round stands. Its bytes are version, phase, spins left, multiplier.
enum State {
    Opening,
    Picking,
    Free { left: u32, multiplier: u32 },
}

const VERSION: u8 = 1;
const PICKING: u8 = 0;
const FREE: u8 = 1;

impl State {
    /// Refuses what can be refused whatever the player does.
    fn of(input: &Input) -> Result<State, Refusal> {
        if input.mode > BUY || input.stake_minor <= 0 || input.stake_minor % LINES.len() as i64 != 0 {
            return Err(Refusal::BadInput);
        }
        State::read(input.state)
    }

    /// Accepts only what this game can have written.
    fn read(b: &[u8]) -> Result<State, Refusal> {
        match *b {
            [] => Ok(State::Opening),
            [VERSION, PICKING, 0, 0] => Ok(State::Picking),
            [VERSION, FREE, left, multiplier] => {
                let (left, multiplier) = (left as u32, multiplier as u32);
                let known = |w: &Way| w.2 == multiplier && left < w.0 + w.1;
                if left == 0 || !WAYS.iter().any(known) {
                    return Err(Refusal::BadState);
                }
                Ok(State::Free { left, multiplier })
            }
            _ => Err(Refusal::BadState),
        }
    }

    fn write(left: u32, multiplier: u32) -> [u8; 4] {
        [VERSION, FREE, left as u8, multiplier as u8]
    }
}

impl Game for LanternPick {
    const MANIFEST: &'static str = concat!(
        r#"{"manifest":1,"id":"lantern-pick","version":"1.0.0","name":"Lantern Pick","#,
        r#""max_draws":3,"max_state":4,"stake_multiple_minor":5,"#,
        r#""modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.968031141493","hit_frequency":"0.434599650432","max_win_x":241},"#,
        r#"{"id":1,"name":"buy","cost_x100":920,"rtp":"0.961987973027","hit_frequency":"0.851414664682","max_win_x":241}],"#,
        r#""actions":[{"id":1,"name":"spin"},{"id":2,"name":"pick","choices":3}]}"#,
    );

    fn play<D: Draws>(input: &Input, draws: &mut D, out: Output) -> Result<Answer, Refusal> {
        let state = State::of(input)?;
        let (offered, choices) = match state {
            State::Picking => (PICK, WAYS.len() as u32),
            _ => (SPIN, 1),
        };
        if input.action != offered {
            return Err(Refusal::UnknownAction);
        }
        if input.choice >= choices {
            return Err(Refusal::BadInput);
        }
        let (opening, left, multiplier) = match state {
            State::Picking => return Ok(pick(input.choice, draws, out)),
            State::Opening => (true, 0, 1),
            State::Free { left, multiplier } => (false, left - 1, multiplier),
        };
        Ok(spin(input, opening, left, multiplier, draws, out))
    }
}

impl Advise for LanternPick {
    fn advise(input: &Input) -> Result<Advice, Refusal> {
        match State::of(input)? {
            State::Opening => Err(Refusal::BadState),
            State::Picking => Ok(Advice { action: PICK, choice: BEST }),
            State::Free { .. } => Ok(Advice { action: SPIN, choice: 0 }),
        }
    }
}

/// Three windows, reel by reel from the top.
struct Screen([[u8; ROWS]; REELS]);

impl Screen {
    fn at(stops: [u32; REELS]) -> Screen {
        let mut s = [[0; ROWS]; REELS];
        for (reel, (strip, stop)) in s.iter_mut().zip(STRIPS.iter().zip(stops)) {
            let from = stop as usize;
            if let Some(window) = strip.get(from..from + ROWS) {
                reel.copy_from_slice(window);
            }
        }
        Screen(s)
    }

    fn spun<D: Draws>(draws: &mut D) -> Screen {
        let mut stops = [STOPS as u32; REELS];
        draws.draw_many(&mut stops);
        Screen::at(stops)
    }

    /// A screen that shows a lantern on each reel.
    fn bought<D: Draws>(draws: &mut D) -> Screen {
        let mut rows = [ROWS as u32; REELS];
        draws.draw_many(&mut rows);
        for (row, at) in rows.iter_mut().zip(LANTERN_AT) {
            *row = (at + STOPS as u32 - *row) % STOPS as u32;
        }
        Screen::at(rows)
    }

    fn lanterns(&self) -> u32 {
        self.0.iter().map(|reel| reel.iter().filter(|&&x| x == LANTERN).count() as u32).sum()
    }

    /// The symbol that a line pays for; the lantern stands for none.
    fn paid(&self, rows: &[usize; REELS]) -> u8 {
        let [a, b, c] = [self.0[0][rows[0]], self.0[1][rows[1]], self.0[2][rows[2]]];
        let of = if a == MOON { b } else { a };
        let of = if of == MOON { c } else { of };
        let fits = |x: u8| (x == of) | (x == MOON);
        if fits(a) & fits(b) & fits(c) {
            of
        } else {
            LANTERN
        }
    }

    /// Writes what is seen and returns what it wins.
    #[inline(always)]
    fn show(&self, input: &Input, left: u32, multiplier: u32, out: &mut Output) -> i64 {
        let line_bet = input.stake_minor / LINES.len() as i64;
        out.text("{\"v\":1,\"grid\":[");
        for (r, reel) in self.0.iter().enumerate() {
            if r > 0 {
                out.text(",");
            }
            out.list(&NAMES, reel);
        }
        out.text("],\"lines\":[");
        let mut symbols = [LANTERN; LINES.len()];
        for (symbol, rows) in symbols.iter_mut().zip(&LINES) {
            *symbol = self.paid(rows);
        }
        let mut win = 0;
        for (l, &symbol) in symbols.iter().enumerate() {
            if symbol == LANTERN {
                continue;
            }
            let pay = PAYS[symbol as usize] as i64 * multiplier as i64 * line_bet;
            if win > 0 {
                out.text(",");
            }
            out.field("{\"line\":", l as u64 + 1);
            out.text(",\"symbol\":");
            out.name(&NAMES[symbol as usize]);
            out.amount_field(",\"win\":", pay);
            out.text("}");
            win += pay;
        }
        out.field("],\"lanterns\":", self.lanterns() as u64);
        out.field(",\"multiplier\":", multiplier as u64);
        out.field(",\"spins_left\":", left as u64);
        out.amount_field(",\"win\":", win);
        out.text("}");
        win
    }
}

/// A spin that opens a round or is one of its free spins.
#[inline(always)]
fn spin<D: Draws>(input: &Input, opening: bool, left: u32, multiplier: u32, draws: &mut D, mut out: Output) -> Answer {
    let screen = if opening && input.mode == BUY { Screen::bought(draws) } else { Screen::spun(draws) };
    let picking = opening && screen.lanterns() == REELS as u32;
    if picking {
        out.state(&[VERSION, PICKING, 0, 0]);
    } else if left > 0 {
        out.state(&State::write(left, multiplier));
    }
    let win = screen.show(input, left, multiplier, &mut out);
    if picking {
        out.keep_open(win, 1 << PICK)
    } else if left > 0 {
        out.keep_open(win, 1 << SPIN)
    } else {
        out.close(win)
    }
}

fn pick<D: Draws>(choice: u32, draws: &mut D, mut out: Output) -> Answer {
    let Way(fewest, counts, multiplier) = WAYS[choice as usize];
    let spins = fewest + draws.draw(counts);
    out.state(&State::write(spins, multiplier));
    out.text("{\"v\":1,\"choice\":");
    out.number(choice as u64);
    out.text(",\"spins\":");
    out.number(spins as u64);
    out.text(",\"multiplier\":");
    out.number(multiplier as u64);
    out.text(",\"win\":\"0\"}");
    out.keep_open(0, 1 << SPIN)
}
