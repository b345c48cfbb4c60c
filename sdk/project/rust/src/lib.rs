//! My Game: three shells with six sides. Two alike pay the stake, three alike
//! pay 12 stakes, three pearls pay 50.

#![cfg_attr(target_arch = "wasm32", no_std)]

use edgereel::{export_game, Answer, Draws, Game, Input, Output, Refusal};

pub struct Shells;

export_game!(Shells);

const SPIN: u32 = 1; // the action
const SIDES: u32 = 6;
const PEARL: u32 = 5; // the side that pays most

impl Game for Shells {
    const MANIFEST: &'static str = concat!(
        r#"{"manifest":1,"id":"my-game","version":"0.1.0","name":"My Game","#,
        r#""max_draws":3,"max_state":0,"stake_multiple_minor":1,"#,
        r#""modes":[{"id":0,"name":"base","cost_x100":100,"rtp":"0.925925925926","hit_frequency":"0.444444444444","max_win_x":50}],"#,
        r#""actions":[{"id":1,"name":"spin"}]}"#,
    );

    fn play<D: Draws>(input: &Input, draws: &mut D, mut out: Output) -> Result<Answer, Refusal> {
        // Refuse before the first draw, never after.
        if input.mode != 0 || input.choice != 0 || input.stake_minor <= 0 {
            return Err(Refusal::BadInput);
        }
        if input.action != SPIN {
            return Err(Refusal::UnknownAction);
        }
        if !input.state.is_empty() {
            return Err(Refusal::BadState);
        }

        let mut shells = [SIDES; 3];
        draws.draw_many(&mut shells);
        let win = input.stake_minor * pays(shells);

        out.text("{\"v\":1,\"shells\":[");
        for (i, side) in shells.iter().enumerate() {
            if i > 0 {
                out.text(",");
            }
            out.number(*side as u64);
        }
        out.text("],\"win\":");
        out.amount(win);
        out.text("}");
        Ok(out.close(win))
    }
}

/// What a throw pays, in stakes.
fn pays([a, b, c]: [u32; 3]) -> i64 {
    if a == b && b == c {
        return if a == PEARL { 50 } else { 12 };
    }
    (a == b || b == c || a == c) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_25_of_27() {
        let mut total = 0;
        for n in 0..216 {
            total += pays([n / 36, n / 6 % 6, n % 6]);
        }
        assert_eq!(total, 200); // of 216
    }
}
