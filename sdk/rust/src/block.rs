//! The I/O block and what reads it.

use crate::output::SIZE;
use crate::{Advise, Draws, Game, Input, Output, Refusal};

const IO: usize = 65536;
const OUTPUT: usize = 16384;
const HEADER: usize = 32;

/// The 64 KiB that a module shares with its host: input at the front, output
/// from byte 16,384. A module has one of its own; a test makes one to play a
/// game natively.
#[repr(align(16))]
pub struct Block([u8; IO]);

impl Block {
    /// A block of zeros.
    pub const fn new() -> Block {
        Block([0; IO])
    }

    /// What the host sees.
    pub fn bytes(&mut self) -> &mut [u8; IO] {
        &mut self.0
    }

    fn halves(&mut self) -> (&[u8], &mut [u8; SIZE]) {
        let (input, output) = self.0.split_at_mut(OUTPUT);
        match output.try_into() {
            Ok(output) => (input, output),
            Err(_) => unreachable!(),
        }
    }
}

impl Default for Block {
    fn default() -> Block {
        Block::new()
    }
}

/// Answers edgereel_manifest: writes the manifest, returns its length.
pub fn manifest<G: Game>(block: &mut Block) -> i32 {
    let (_, output) = block.halves();
    let n = G::MANIFEST.len().min(output.len());
    output[..n].copy_from_slice(&G::MANIFEST.as_bytes()[..n]);
    n as i32
}

/// Answers edgereel_play: evaluates the step in the block, returns the length
/// of the output or an error code.
pub fn play<G: Game, D: Draws>(block: &mut Block, length: i32, draws: &mut D) -> i32 {
    let (input, output) = block.halves();
    let input = match read(input, length) {
        Some(input) => input,
        None => return Refusal::BadInput as i32,
    };
    match G::play(&input, draws, Output::new(output)) {
        Ok(answer) => answer.code(),
        Err(refusal) => refusal as i32,
    }
}

/// Answers edgereel_advise: what the declared strategy does, or an error code.
pub fn advise<G: Advise>(block: &mut Block, length: i32) -> i32 {
    let (input, _) = block.halves();
    match read(input, length).ok_or(Refusal::BadInput).and_then(|input| G::advise(&input)) {
        Ok(advice) => (advice.choice << 5 | advice.action) as i32,
        Err(refusal) => refusal as i32,
    }
}

/// Reads the header; nothing when it is not of this ABI or lies about lengths.
fn read(block: &[u8], length: i32) -> Option<Input<'_>> {
    let length = length as usize; // a negative one becomes too long
    if length < HEADER || length > block.len() {
        return None;
    }
    let state_length = get32(block, 24) as usize;
    // Version 1 and no flags in one look.
    if get32(block, 0) != 1 || state_length != length - HEADER {
        return None;
    }
    Some(Input {
        action: get32(block, 4),
        mode: get32(block, 8),
        choice: get32(block, 12),
        stake_minor: (get32(block, 16) as u64 | (get32(block, 20) as u64) << 32) as i64,
        state: &block[HEADER..length],
    })
}

fn get32(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}
