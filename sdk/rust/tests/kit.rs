//! What the kit does at the edges of the ABI.

use edgereel::{play, Answer, Block, Draws, Game, Input, Output, Refusal, MAX_PRESENTATION, MAX_STATE};

struct None;

impl Draws for None {
    fn draw(&mut self, bound: u32) -> u32 {
        bound - 1
    }
}

/// Writes as much state and presentation as the action and the choice say.
struct Filler;

impl Game for Filler {
    const MANIFEST: &'static str = "{}";

    fn play<D: Draws>(input: &Input, _: &mut D, mut out: Output) -> Result<Answer, Refusal> {
        if input.mode == 1 {
            out.text("x"); // too early
        }
        if input.action > 0 {
            out.state(&vec![7; input.action as usize]);
        }
        out.text(&"y".repeat(input.choice as usize));
        if input.mode == 2 {
            out.number(u64::MAX);
            out.amount(i64::MAX);
        }
        Ok(if input.action > 0 { out.keep_open(1, 2) } else { out.close(1) })
    }
}

fn run(action: u32, mode: u32, choice: u32) -> (i32, Block) {
    let mut block = Block::new();
    for (at, v) in [(0, 1), (4, action), (8, mode), (12, choice), (16, 5)] {
        block.bytes()[at..at + 4].copy_from_slice(&u32::to_le_bytes(v));
    }
    (play::<Filler, _>(&mut block, 32, &mut None), block)
}

#[test]
fn what_fits_and_what_does_not() {
    let (state, presentation) = (MAX_STATE as u32, MAX_PRESENTATION as u32);
    for (action, mode, choice, want) in [
        (0, 0, 0, 32),
        (0, 0, presentation, 32 + MAX_PRESENTATION as i32),
        (0, 0, presentation + 1, -5),
        (state, 0, presentation, (32 + MAX_STATE + MAX_PRESENTATION) as i32),
        (state, 0, presentation + 1, -5),
        (state + 1, 0, 0, -5),
        (1, 1, 0, -5), // state behind the presentation
        (0, 2, presentation, -5),
    ] {
        assert_eq!(run(action, mode, choice).0, want, "action {action}, mode {mode}, choice {choice}");
    }
}

#[test]
fn numbers() {
    let (n, mut block) = run(0, 2, 0);
    let text = &block.bytes()[16384 + 32..16384 + n as usize];
    assert_eq!(text, br#"18446744073709551615"9223372036854775807""#);
}

#[test]
fn block_is_aligned() {
    assert_eq!(core::mem::align_of::<Block>() % 8, 0);
    assert_eq!(core::mem::size_of::<Block>(), 65536);
}
